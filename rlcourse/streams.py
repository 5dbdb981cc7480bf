"""Random streams that belong to members, so that a result depends on the seed alone.

Every learner and every sub-environment owns one splitmix64 stream (Steele, Lea & Flood 2014, "Fast
splittable pseudorandom number generators", OOPSLA). Its whole state is one uint64: a draw adds the golden
gamma (one *tick*) and hashes the result, `mix64(state)`. Every number of every law costs exactly one tick; a
law that may have to try again (normal, gamma, poisson ...) hashes its further bits out of the tick's own
state. Therefore

- a draw of shape [B, n] equals n successive draws of shape [B],
- a draw for some members leaves all others where they were,
- member k of a batch equals the same member alone,
- skipping ahead is one multiplication.

All streams walk the same cycle of 2**64 states from hashed starting points: B streams of n draws each overlap
somewhere with probability about B**2 n / 2**64 (5e-6 for ten thousand streams of a million draws).

The laws that need loops are compiled (`rlcourse.streams_compiled`, loaded when first used); the others are
NumPy.
"""

from __future__ import annotations

import functools
import hashlib
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Shape = int | tuple[int, ...]
Rows = NDArray[np.bool_] | NDArray[np.integer[Any]] | None

_MASK = 2**64 - 1
_GAMMA, _MIX1, _MIX2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
GAMMA = np.uint64(_GAMMA)
"""The increment of one tick: the odd integer nearest to 2**64 divided by the golden ratio."""

# Zero-dimensional arrays: NumPy turns them into ufunc operands faster than scalars or Python integers.
_ADD, _M1, _M2 = (np.array(c, np.uint64) for c in (_GAMMA, _MIX1, _MIX2))
_S30, _S27, _S31, _S11, _S32 = (np.array(s, np.uint64) for s in (30, 27, 31, 11, 32))
_LOW32 = np.array(2**32 - 1, np.uint64)
_UNIT = np.array(2.0**-53)
_BLOCK = 8192
RETRY = 0xD1342543DE82EF95
"""Distance, in state, between the successive words one tick can be hashed into: an odd number unrelated to
GAMMA (a multiplier of Steele & Vigna 2021, "Computationally easy, spectrally good multipliers")."""

LARGEST = 1e300
"""Bound of the parameters of gamma and beta, so that sums of two gammas are finite."""


def _mix_into(z: NDArray[np.uint64], out: NDArray[np.uint64], work: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash `z` into `out` (which may be `z`), with `work` as scratch of the same shape."""
    np.right_shift(z, _S30, work)
    np.bitwise_xor(z, work, out)
    np.multiply(out, _M1, out)
    np.right_shift(out, _S27, work)
    np.bitwise_xor(out, work, out)
    np.multiply(out, _M2, out)
    np.right_shift(out, _S31, work)
    np.bitwise_xor(out, work, out)
    return out


def _mix_blocks(ticks: NDArray[np.uint64], unit: bool = False) -> NDArray[np.uint64]:
    """Hash a fresh array of ticks in place; with `unit`, on to the float64 bits of uniforms on [0, 1).

    In blocks that stay in the cache: touching fresh memory costs several times the arithmetic.
    """
    flat = ticks.reshape(-1)
    work = np.empty(min(flat.size, _BLOCK), np.uint64)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        scratch = work[: len(block)]
        _mix_into(block, block, scratch)
        if unit:
            np.right_shift(block, _S11, scratch)
            np.multiply(scratch, _UNIT, block.view(np.float64))
    return ticks


def _mix_int(z: int) -> int:
    """Hash one Python integer in [0, 2**64): quicker than ten ufunc calls on an array of one."""
    z = ((z ^ (z >> 30)) * _MIX1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX2) & _MASK
    return z ^ (z >> 31)


def mix64(z: ArrayLike) -> NDArray[np.uint64]:
    """The hash of splitmix64, a bijection of 64-bit words ("Mix13" of David Stafford, 2011).

    Args:
        z: uint64 words of any shape.

    Returns:
        A new uint64 array of the same shape.
    """
    words = np.asarray(z, dtype=np.uint64)
    return _mix_into(words, np.empty_like(words), np.empty_like(words))


def stream_keys(seeds: Sequence[int] | NDArray[np.integer[Any]], purpose: str) -> NDArray[np.uint64]:
    """Starting states of the streams of `seeds` for one `purpose`.

    The same on every machine and in every process. Distinct seeds below 2**64 never share a starting state
    within a purpose; larger seeds are folded 64 bits at a time.

    Args:
        seeds: B integers >= 0 of any size (a list, a range or an integer array [B]).
        purpose: What the stream is for, e.g. "problem", "noise", "agent". Different purposes give unrelated
            streams to the same seed.

    Returns:
        uint64 states [B].

    Raises:
        TypeError: A seed is not an integer, or `seeds` is not a sequence of them.
        ValueError: A seed is negative.
    """
    if not isinstance(purpose, str):
        raise TypeError(f"purpose must be a string, got {purpose!r}")
    salt = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")
    if isinstance(seeds, np.ndarray) and seeds.dtype.kind in "iu":
        if seeds.ndim != 1:
            raise ValueError(f"seeds must be one-dimensional, got shape {seeds.shape}")
        if seeds.size and seeds.min() < 0:
            raise ValueError(f"seeds must be >= 0, got {int(seeds.min())}")
        word = (seeds.astype(np.uint64) ^ np.array(salt, np.uint64)) + _ADD
        return mix64(mix64(word) + _ADD)
    if isinstance(seeds, (str, bytes)) or not hasattr(seeds, "__iter__"):
        raise TypeError(f"seeds must be a sequence of integers, got {seeds!r}")
    return np.array([_key(seed, salt) for seed in seeds], dtype=np.uint64)


def _key(seed: int, salt: int) -> int:
    """Fold one seed of any size, 64 bits at a time, into a starting state."""
    if isinstance(seed, (bool, np.bool_)) or not hasattr(seed, "__index__"):
        raise TypeError(f"seeds must be integers, got {seed!r}")
    seed = operator.index(seed)
    if seed < 0:
        raise ValueError(f"seeds must be >= 0, got {seed}")
    key = _mix_int(((salt ^ (seed & _MASK)) + _GAMMA) & _MASK)
    while seed := seed >> 64:
        key = _mix_int(((key ^ (seed & _MASK)) + _GAMMA) & _MASK)
    return _mix_int((key + _GAMMA) & _MASK)


@functools.lru_cache(maxsize=64)
def _offsets(shape: tuple[int, ...]) -> tuple[int, NDArray[np.uint64]]:
    """How many ticks a draw of `shape` takes, and the offset of each from the state before it."""
    count = int(np.prod(shape, dtype=np.int64))
    offsets = (np.arange(1, count + 1, dtype=np.uint64) * _ADD).reshape(shape)
    offsets.flags.writeable = False
    return count, offsets


@functools.cache
def _compiled() -> Any:
    """The compiled laws, loaded when first used because importing numba takes about a second."""
    from rlcourse import streams_compiled

    return streams_compiled


loops: Any = None
"""`rlcourse.streams_compiled` once something has loaded it: its loops give the same bits as the NumPy code below in a tenth
of the time, but are not worth loading numba for."""
FEW = 8
"""Members below which the compiled loops do not pay."""


class Streams:
    """The streams of B members, drawn together.

    Every draw takes `shape`, the trailing shape for each member (an integer or a tuple), and `rows`, the
    members that draw: None for all, a bool mask [B], or an array of distinct indices. It returns [B, *shape],
    or [len(rows), *shape]; the members that do not draw are not moved. Parameters of a law broadcast against
    the result; `check=False` leaves out the test of their range (then a wrong one gives NaN or nonsense,
    never a hang).

    Attributes:
        state: uint64 [B], changed in place, so that a world's or an agent's own state can hold the array.
    """

    __slots__ = ("_work", "state")

    def __init__(self, state: NDArray[np.uint64]) -> None:
        """Draw from `state`, uint64 [B], which is kept and not copied.

        Raises:
            TypeError: `state` is not a writeable uint64 array.
            ValueError: `state` is not one-dimensional.
        """
        if not isinstance(state, np.ndarray) or state.dtype != np.uint64 or not state.flags.writeable:
            raise TypeError("state must be a writeable uint64 array; see Streams.from_seeds")
        if state.ndim != 1:
            raise ValueError(f"state must be one-dimensional, got shape {state.shape}")
        self.state = state
        self._work = np.empty((2, len(state)), np.uint64)

    @classmethod
    def from_seeds(cls, seeds: Sequence[int] | NDArray[np.integer[Any]], purpose: str) -> Streams:
        """The streams of `seeds` (B integers >= 0) for `purpose`; see `stream_keys`."""
        return cls(stream_keys(seeds, purpose))

    def copy(self) -> Streams:
        """Independent streams that will give the same numbers."""
        return Streams(self.state.copy())

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and deep-copy the state, not the scratch memory."""
        return Streams, (self.state,)

    def __len__(self) -> int:
        """The number of members B."""
        return len(self.state)

    def skip(self, n: int | NDArray[np.integer[Any]], rows: Rows = None) -> None:
        """Move ahead by `n` numbers (an integer, or one for each member that moves); back if negative."""
        if isinstance(n, np.ndarray):
            step = n.astype(np.uint64) * _ADD
        else:
            step = np.array((operator.index(n) * _GAMMA) & _MASK, np.uint64)
        if rows is None:
            self.state += step
        else:
            self.state[self._members(rows)] += step

    def bits(self, shape: Shape = (), rows: Rows = None) -> NDArray[np.uint64]:
        """64 random bits a number: uint64 [B, *shape]."""
        if shape == () and rows is None:
            if len(self.state) == 1:
                return np.array([_mix_int(self._next_tick())], np.uint64)
            np.add(self.state, _ADD, self.state)
            return _mix_into(self.state, np.empty(len(self.state), np.uint64), self._work[0])
        return _mix_blocks(self._ticks(shape, rows))

    def uniform(self, shape: Shape = (), rows: Rows = None) -> NDArray[np.float64]:
        """Uniform on [0, 1), a multiple of 2**-53: float64 [B, *shape]."""
        if shape != () or rows is not None:
            return _mix_blocks(self._ticks(shape, rows), unit=True).view(np.float64)
        if len(self.state) == 1:
            return np.array([(_mix_int(self._next_tick()) >> 11) * 2.0**-53])
        if loops is not None and len(self.state) >= FEW:
            result = np.empty(len(self.state))
            loops.fill_uniform(self.state, result)
            return result
        np.add(self.state, _ADD, self.state)
        word, work = self._work
        _mix_into(self.state, word, work)
        np.right_shift(word, _S11, word)
        return np.multiply(word, _UNIT)

    def integers(
        self, n: ArrayLike, shape: Shape = (), rows: Rows = None, *, check: bool = True
    ) -> NDArray[np.int64]:
        """Uniform on {0, ..., n - 1}, without bias.

        The integer is the upper half of the 128-bit product `bits * n` (Lemire 2019, "Fast random integer
        generation in an interval"); the few lower halves that would favour some integers, fewer than n in
        2**64, are hashed again.

        Args:
            n: How many integers, 1 <= n <= 2**63; a scalar, or an integer array that broadcasts to the
                result.
            shape: Trailing shape for each member.
            rows: Members that draw.
            check: Test the range of `n`.

        Returns:
            int64 [B, *shape].

        Raises:
            ValueError: `n` is below 1 or above 2**63.
            TypeError: `n` is not of integer type.
        """
        if isinstance(n, int):
            if check and not 1 <= n <= 2**63:
                raise ValueError(f"n must be in [1, 2**63], got {n}")
            if shape == () and rows is None and len(self.state) == 1:
                return np.array([_integer_at(self._next_tick(), n)], np.int64)
            if loops is not None and shape == () and n < 2**63:
                if rows is None:
                    drawn = np.empty(len(self.state), np.int64)
                    loops.fill_integers(self.state, n, drawn)
                else:
                    members = self._members(rows)
                    drawn = np.empty(len(members), np.int64)
                    loops.fill_integers_of(self.state, members, n, drawn)
                return drawn
            small, count = n < 2**32, np.array(n & _MASK, np.uint64)
        else:
            given = np.asarray(n)
            if check and given.dtype.kind not in "iu":
                raise TypeError(f"n must be integers, got {given.dtype}")
            largest = int(given.max()) if given.size else 1
            if check and given.size and not (given.min() >= 1 and largest <= 2**63):
                raise ValueError(f"n must be in [1, 2**63], got {int(given.min())} to {largest}")
            small, count = largest < 2**32, given.astype(np.uint64)
        ticks = self._ticks(shape, rows)
        word = mix64(ticks)
        high, low = _product(word, count, small)
        if (low < count).any():  # n in 2**64: only then is the threshold worth a division
            bounds = np.broadcast_to(count, low.shape)
            for at in zip(*np.nonzero(low < np.negative(bounds) % bounds), strict=True):
                high[at] = _integer_at(int(ticks[at]), int(bounds[at]))
        return high.view(np.int64)

    def categorical(self, p: ArrayLike, rows: Rows = None, *, check: bool = True) -> NDArray[np.int64]:
        """An index for each member by inversion of the distribution function; never one of probability 0.

        Args:
            p: Probabilities [K], or [B, K] ([len(rows), K] with `rows`), up to a common factor.
            rows: Members that draw.
            check: Test that `p` is a distribution.

        Returns:
            int64 [B], each in {0, ..., K - 1}.

        Raises:
            ValueError: A probability is negative or NaN, or their sum is not positive and finite.
        """
        weights = np.asarray(p, dtype=np.float64)
        if check and (weights.size == 0 or not weights.min() >= 0.0):
            raise ValueError("p must hold probabilities >= 0")
        cumulative = np.cumsum(weights, axis=-1)
        total = cumulative[..., -1]
        if check and not (total.min() > 0.0 and total.max() < np.inf):
            raise ValueError("p must have a positive, finite sum")
        # Rounding may lift u * total to total itself, past the last possible index.
        level = np.minimum(self.uniform(rows=rows) * total, np.nextafter(total, 0.0))
        if weights.ndim == 1:
            return np.searchsorted(cumulative, level, side="right").astype(np.int64, copy=False)
        return np.asarray((cumulative <= level[:, None]).sum(axis=-1, dtype=np.int64))

    def normal(self, shape: Shape = (), rows: Rows = None) -> NDArray[np.float64]:
        """Standard normal numbers, float64 [B, *shape], by the ziggurat (Marsaglia & Tsang 2000)."""
        return self._law("normal", shape, rows)

    def exponential(self, shape: Shape = (), rows: Rows = None) -> NDArray[np.float64]:
        """Exponential numbers of mean 1, float64 [B, *shape], by inversion."""
        return self._law("exponential", shape, rows)

    def gamma(
        self, a: ArrayLike, shape: Shape = (), rows: Rows = None, *, check: bool = True
    ) -> NDArray[np.float64]:
        """Gamma numbers of shape parameter `a` > 0 and scale 1, float64 [B, *shape] (Marsaglia & Tsang 2000).

        Raises:
            ValueError: `a` is not in (0, 1e300].
        """
        return self._law("gamma", shape, rows, _positive("a", a, check))

    def beta(
        self, a: ArrayLike, b: ArrayLike, shape: Shape = (), rows: Rows = None, *, check: bool = True
    ) -> NDArray[np.float64]:
        """Beta numbers of parameters `a`, `b` > 0, float64 [B, *shape], from two gammas.

        Raises:
            ValueError: `a` or `b` is not in (0, 1e300].
        """
        return self._law("beta", shape, rows, _positive("a", a, check), _positive("b", b, check))

    def poisson(
        self, lam: ArrayLike, shape: Shape = (), rows: Rows = None, *, check: bool = True
    ) -> NDArray[np.int64]:
        """Poisson counts of mean `lam`, int64 [B, *shape] (Knuth below 10, then PTRS, Hörmann 1993).

        Raises:
            ValueError: `lam` is not in [0, 2**62].
        """
        mean = np.asarray(lam, dtype=np.float64)
        if check and mean.size and not (mean.min() >= 0.0 and mean.max() <= 2.0**62):
            raise ValueError("lam must be in [0, 2**62]")
        return self._law("poisson", shape, rows, mean)

    def _law(self, name: str, shape: Shape, rows: Rows, *parameters: NDArray[np.float64]) -> Any:
        """Apply a compiled law to the next ticks; the parameters may broadcast to, not beyond, the result."""
        law = _compiled().batch(name)
        if shape == () and rows is None:
            ticks = np.add(self.state, _ADD, self.state)
        else:
            ticks = self._ticks(shape, rows)
        result = law(ticks, *parameters)
        if result.shape != ticks.shape:
            raise ValueError(f"parameters of {name} must broadcast to {ticks.shape}, not to {result.shape}")
        return result

    def _next_tick(self) -> int:
        """Advance the only member; its tick as a Python integer."""
        tick: int = (self.state.item(0) + _GAMMA) & _MASK
        self.state[0] = tick
        return tick

    def _members(self, rows: Rows) -> NDArray[np.integer[Any]]:
        """Indices of the members that draw."""
        index = np.asarray(rows)
        if index.dtype != np.bool_:
            return index
        if index.shape != self.state.shape:
            raise ValueError(f"rows must be a mask of shape {self.state.shape}, got {index.shape}")
        return np.flatnonzero(index)

    def _ticks(self, shape: Shape, rows: Rows) -> NDArray[np.uint64]:
        """Advance, and give the state of each tick in a new array [B or len(rows), *shape]."""
        count, offsets = _offsets((shape,) if isinstance(shape, int) else tuple(shape))
        before = self.state if rows is None else self.state[members := self._members(rows)]
        ticks = np.add.outer(before, offsets)
        step = np.array((count * _GAMMA) & _MASK, np.uint64)
        if rows is None:
            np.add(before, step, before)
        else:
            self.state[members] = before + step
        return ticks


def _positive(name: str, value: ArrayLike, check: bool) -> NDArray[np.float64]:
    """A parameter as float64; NaN fails both comparisons."""
    array = np.asarray(value, dtype=np.float64)
    if check and array.size and not (array.min() > 0.0 and array.max() <= LARGEST):
        raise ValueError(f"{name} must be in (0, {LARGEST:g}]")
    return array


def _product(
    word: NDArray[np.uint64], count: NDArray[np.uint64], small: bool
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Upper and lower 64 bits of `word * count` by 32-bit halves; `small`: every count is below 2**32."""
    upper, lower = word >> _S32, word & _LOW32
    if small:
        return (upper * count + (lower * count >> _S32)) >> _S32, word * count
    count_upper, count_lower = count >> _S32, count & _LOW32
    middle = upper * count_lower + (lower * count_lower >> _S32)
    cross = lower * count_upper + (middle & _LOW32)
    return upper * count_upper + (middle >> _S32) + (cross >> _S32), word * count


def _integer_at(tick: int, n: int) -> int:
    """Lemire's method on one tick, with its rejection: an integer below `n`."""
    threshold = 2**64 % n
    while True:
        product = _mix_int(tick) * n
        if product & _MASK >= threshold:
            return product >> 64
        tick = (tick + RETRY) & _MASK
