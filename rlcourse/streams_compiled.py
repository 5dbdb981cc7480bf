"""The numbers of `rlcourse.streams`, one at a time, for compiled loops.

    next_uniform(state, i)      # the number that Streams(state).uniform() would give member i

Each law is a pure function of a tick's state, `normal_at(tick)`; `next_normal(state, i)` advances member `i`
of a uint64 array [B] in place and applies it. The laws that need loops exist only here: `Streams` runs them
over its ticks through `batch`, so that NumPy and Numba give the same bits.

A law that tries again, or needs several uniforms, hashes words further along from its own tick. Every use
has its own odd stride, so that no two uses meet.

Parameters raise no errors here: one out of range gives NaN (-1 for a count or an index), never a hang.

Numba's cache does not see changes across files: after an edit here, delete the `__pycache__` folders of the
modules that compile these functions into their own.
"""

from __future__ import annotations

import functools
import math
import sys
from typing import Any

import numpy as np
from numba import njit, vectorize
from numpy.typing import NDArray

from rlcourse import streams

compiled = njit(cache=True, error_model="numpy")
inlined = njit(
    cache=True, error_model="numpy", inline="always"
)  # where the call would cost more than the law

GAMMA = streams.GAMMA
RETRY = np.uint64(streams.RETRY)  # the next word of one law
ATTEMPT = np.uint64(0xAF251AF3B0F025B5)  # the next normal-and-uniform pair of a gamma
SIDE = np.uint64(0xB564EF22EC7AECE5)  # the uniform of such a pair
BOOST = np.uint64(0xF7C2EBC08F67F2B5)  # the uniform that brings a gamma of a + 1 to a
PARTNER = np.uint64(0xCC62FCEB9202FAAD)  # the second gamma of a beta
LARGEST = streams.LARGEST

_30, _27, _31, _32, _11 = (np.uint64(s) for s in (30, 27, 31, 32, 11))
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LOW32, _BYTE = np.uint64(2**32 - 1), np.uint64(255)
_SIGNED_11 = np.int64(11)


def _ziggurat(layers: int, r: float) -> tuple[NDArray[np.float64], ...]:
    """Edges, their densities and the steps of a ziggurat under exp(-x**2 / 2) (Marsaglia & Tsang 2000).

    `r` is where the tail begins: with it 256 layers of equal area close at the top (value of Doornik 2005).
    Layer i is the box [0, x[i]] x [f[i], f[i + 1]]; layer 0 is the bottom strip with the tail.
    """
    area = r * math.exp(-0.5 * r * r) + math.sqrt(math.pi / 2) * math.erfc(r / math.sqrt(2))
    x = [area / math.exp(-0.5 * r * r), r]
    while len(x) < layers:
        x.append(math.sqrt(-2.0 * math.log(area / x[-1] + math.exp(-0.5 * x[-1] ** 2))))
    edges = np.array([*x, 0.0])
    return edges, np.exp(-0.5 * edges**2), edges[:-1] * 2.0**-52


_TAIL = 3.6541528853610088
_X, _F, _STEP = _ziggurat(256, _TAIL)
_INNER = _X[1:].copy()


# --- laws of one tick ---


@compiled
def bits_at(tick: Any) -> Any:
    """64 random bits: `streams.mix64` of a uint64 tick."""
    z = (tick ^ (tick >> _30)) * _M1
    z = (z ^ (z >> _27)) * _M2
    return z ^ (z >> _31)


@compiled
def uniform_at(tick: Any) -> Any:
    """Uniform on [0, 1), a multiple of 2**-53."""
    return np.float64(bits_at(tick) >> _11) * 2.0**-53


@compiled
def integer_at(tick: Any, n: Any) -> Any:
    """Uniform on {0, ..., n - 1}, int64, for 1 <= n < 2**63 (Lemire 2019)."""
    count = np.uint64(n)
    word = bits_at(tick)
    low = word * count
    if low < count:
        threshold = (np.uint64(0) - count) % count if count else count
        while low < threshold:
            tick += RETRY
            word = bits_at(tick)
            low = word * count
    upper, lower = word >> _32, word & _LOW32
    count_upper, count_lower = count >> _32, count & _LOW32
    middle = upper * count_lower + (lower * count_lower >> _32)
    cross = lower * count_upper + (middle & _LOW32)
    return np.int64(upper * count_upper + (middle >> _32) + (cross >> _32))


@compiled
def categorical_at(tick: Any, p: Any) -> Any:
    """An index of `p` [K], in proportion to it (up to a common factor); never one of probability 0."""
    total = 0.0
    for weight in p:
        total += weight
    level = min(uniform_at(tick) * total, np.nextafter(total, 0.0))
    cumulative = 0.0
    for k in range(len(p)):
        cumulative += p[k]
        if cumulative > level:
            return k
    return -1  # only if p is no distribution


@inlined
def normal_at(tick: Any) -> Any:
    """Standard normal, by a ziggurat of 256 layers (Marsaglia & Tsang 2000)."""
    word = bits_at(tick)
    layer = word & _BYTE  # 8 bits choose the layer, the upper 53 a signed place in it
    x = (np.float64(np.int64(word) >> _SIGNED_11) + 0.5) * _STEP[layer]
    if abs(x) < _X[layer + np.uint64(1)]:
        return x
    return _normal_outside(tick, layer, x)


@compiled
def _normal_outside(tick: Any, layer: Any, x: Any) -> Any:
    """The hundredth of the normals that falls outside the inner boxes: wedge, tail or another try."""
    while True:
        if layer == 0:
            while True:  # the tail beyond r (Marsaglia 1964)
                tick += RETRY
                beyond = -math.log(1.0 - uniform_at(tick)) / _TAIL
                tick += RETRY
                if -2.0 * math.log(1.0 - uniform_at(tick)) > beyond * beyond:
                    return math.copysign(_TAIL + beyond, x)
        above = layer + np.uint64(1)
        tick += RETRY
        if _F[layer] + uniform_at(tick) * (_F[above] - _F[layer]) < math.exp(-0.5 * x * x):
            return x
        tick += RETRY
        word = bits_at(tick)
        layer = word & _BYTE
        x = (np.float64(np.int64(word) >> _SIGNED_11) + 0.5) * _STEP[layer]
        if abs(x) < _X[layer + np.uint64(1)]:
            return x


@compiled
def exponential_at(tick: Any) -> Any:
    """Exponential of mean 1, by inversion (1 - u is exact)."""
    return -math.log(1.0 - uniform_at(tick))


@inlined
def _gamma_from_one(tick: Any, a: Any) -> Any:
    """Gamma of shape a >= 1, as d v with v = (1 + c x)**3, x normal (Marsaglia & Tsang 2000)."""
    d = a - 1.0 / 3.0
    c = 1.0 / (3.0 * math.sqrt(d))
    while True:
        x = normal_at(tick)
        y = c * x
        if y > -1.0:
            v = (1.0 + y) * (1.0 + y) * (1.0 + y)
            u = 1.0 - uniform_at(tick + SIDE)
            x2 = x * x
            # The paper's squeeze 1 - 0.0331 x^4 is made for a = 1. This one equals it there, holds for all a >= 1 and closes
            # with c^2: it spares the logarithms.
            if u < 1.0 - 0.2 * (y * y * x2) or math.log(u) < 0.5 * x2 + d * (1.0 - v + math.log(v)):
                return d * v
        tick += ATTEMPT


@inlined
def _gamma_at_once(tick: Any, a: Any) -> Any:
    """`_gamma_from_one` where the first try lies within box and squeeze, as nearly all do; else, and for a < 1, -1.

    There is no branch in it, so in a loop over an array the compiler does several at a time.
    """
    d = a - 1.0 / 3.0
    c = 1.0 / (3.0 * math.sqrt(d))
    word = bits_at(tick)
    layer = np.int64(word & _BYTE)
    x = (np.float64(np.int64(word) >> _SIGNED_11) + 0.5) * _STEP[layer]
    y = c * x
    u = 1.0 - np.float64(np.int64(bits_at(tick + SIDE) >> _11)) * 2.0**-53
    fine = (abs(x) < _INNER[layer]) & (y > -1.0) & (u < 1.0 - 0.2 * (y * y * (x * x))) & (a >= 1.0)
    return d * ((1.0 + y) * (1.0 + y) * (1.0 + y)) if fine else -1.0


@compiled
def _log_boost(tick: Any, a: Any) -> Any:
    """Logarithm of the factor U**(1 / a) that brings a gamma of a + 1 to a < 1 (same paper, section 6)."""
    return math.log(1.0 - uniform_at(tick + BOOST)) / max(a, 1e-100)  # below that the gamma is 0 anyway


@compiled
def gamma_at(tick: Any, a: Any) -> Any:
    """Gamma of shape `a` > 0 and scale 1."""
    if not 0.0 < a <= LARGEST:
        return np.nan
    x = _gamma_from_one(tick, a if a >= 1.0 else a + 1.0)
    if a < 1.0:
        x *= math.exp(_log_boost(tick, a))
    return x


@compiled
def beta_at(tick: Any, a: Any, b: Any) -> Any:
    """Beta of parameters `a`, `b` > 0: G(a) / (G(a) + G(b)), in logarithms where a gamma might underflow."""
    if (
        1.0 <= a <= LARGEST and 1.0 <= b <= LARGEST
    ):  # counts of successes and failures: the case to be quick in
        x = _gamma_from_one(tick, a)
        return x / (x + _gamma_from_one(tick + PARTNER, b))
    if not (0.0 < a <= LARGEST and 0.0 < b <= LARGEST):
        return np.nan
    x = _gamma_from_one(tick, a if a >= 1.0 else a + 1.0)
    y = _gamma_from_one(tick + PARTNER, b if b >= 1.0 else b + 1.0)
    if a + b < 1e-50:  # the limit, a coin
        return 1.0 if uniform_at(tick + BOOST) * (a + b) < a else 0.0
    log_x = math.log(x) + (_log_boost(tick, a) if a < 1.0 else 0.0)
    log_y = math.log(y) + (_log_boost(tick + PARTNER, b) if b < 1.0 else 0.0)
    smaller = math.exp(-abs(log_x - log_y))
    return (1.0 if log_x >= log_y else smaller) / (1.0 + smaller)


@compiled
def poisson_at(tick: Any, lam: Any) -> Any:
    """Poisson count of mean `lam` in [0, 2**62], int64."""
    if not 0.0 <= lam <= 2.0**62:
        return np.int64(-1)
    if lam >= 10.0:
        return _poisson_ptrs(tick, lam)
    floor = math.exp(-lam)  # Knuth (1969): how many uniforms can be multiplied before falling below it
    product = 1.0 - uniform_at(tick)
    k = 0
    while product > floor:
        tick += RETRY
        product *= 1.0 - uniform_at(tick)
        k += 1
    return np.int64(k)


@compiled
def _poisson_ptrs(tick: Any, lam: Any) -> Any:
    """Transformed rejection with squeeze, for means from 10 (Hörmann 1993, algorithm PTRS)."""
    b = 0.931 + 2.53 * math.sqrt(lam)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = uniform_at(tick) - 0.5
        v = 1.0 - uniform_at(tick + SIDE)
        tick += RETRY
        us = 0.5 - abs(u)
        if us < 0.013 and v > us:
            continue
        k = math.floor((2.0 * a / us + b) * u + lam + 0.43)
        if k < 0:
            continue
        if us >= 0.07 and v <= v_r:
            return np.int64(k)
        if math.log(v * inverse_alpha / (a / (us * us) + b)) <= _log_poisson(np.float64(k), lam):
            return np.int64(k)


@compiled
def _log_poisson(k: Any, lam: Any) -> Any:
    """Log of lam**k exp(-lam) / k!, by the saddle point for large counts (Loader 2000): no cancellation."""
    if k < 16.0:
        return k * math.log(lam) - lam - math.lgamma(k + 1.0)
    excess = (lam - k) / k
    deviance = k * (excess - math.log1p(excess))
    k2 = k * k
    stirling = (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / k2) / k2) / k2) / k2) / k
    return -deviance - stirling - 0.5 * math.log(2.0 * math.pi * k)


# --- the next number of a member ---


@compiled
def next_bits(state: Any, i: Any) -> Any:
    """64 random bits of member `i`; `state` uint64 [B] advances in place."""
    state[i] += GAMMA
    return bits_at(state[i])


@compiled
def next_uniform(state: Any, i: Any) -> Any:
    """The next uniform on [0, 1) of member `i`."""
    state[i] += GAMMA
    return uniform_at(state[i])


@compiled
def next_integer(state: Any, i: Any, n: Any) -> Any:
    """The next integer in {0, ..., n - 1} of member `i`, 1 <= n < 2**63."""
    state[i] += GAMMA
    return integer_at(state[i], n)


@compiled
def next_categorical(state: Any, i: Any, p: Any) -> Any:
    """The next index in proportion to `p` [K] of member `i`."""
    state[i] += GAMMA
    return categorical_at(state[i], p)


@compiled
def next_normal(state: Any, i: Any) -> Any:
    """The next standard normal of member `i`."""
    state[i] += GAMMA
    return normal_at(state[i])


@compiled
def next_exponential(state: Any, i: Any) -> Any:
    """The next exponential of mean 1 of member `i`."""
    state[i] += GAMMA
    return exponential_at(state[i])


@compiled
def next_gamma(state: Any, i: Any, a: Any) -> Any:
    """The next gamma of shape `a` and scale 1 of member `i`."""
    state[i] += GAMMA
    return gamma_at(state[i], a)


@compiled
def next_beta(state: Any, i: Any, a: Any, b: Any) -> Any:
    """The next beta of parameters `a`, `b` of member `i`."""
    state[i] += GAMMA
    return beta_at(state[i], a, b)


@compiled
def next_poisson(state: Any, i: Any, lam: Any) -> Any:
    """The next Poisson count of mean `lam` of member `i`."""
    state[i] += GAMMA
    return poisson_at(state[i], lam)


# --- the next number of many members, in one pass ---


@njit(["void(uint64[:], float64[:])"], cache=True, error_model="numpy")
def fill_uniform(state: Any, out: Any) -> None:
    """`Streams.uniform()`: one number for every member, into `out` float64 [B]."""
    for i in range(len(state)):
        out[i] = next_uniform(state, i)


@njit(["void(uint64[:], int64, int64[:])"], cache=True, error_model="numpy")
def fill_integers(state: Any, n: Any, out: Any) -> None:
    """`Streams.integers(n)`: one integer for every member, into `out` int64 [B]."""
    for i in range(len(state)):
        out[i] = next_integer(state, i, n)


@njit(["void(uint64[:], int64[:], int64, int64[:])"], cache=True, error_model="numpy")
def fill_integers_of(state: Any, rows: Any, n: Any, out: Any) -> None:
    """`Streams.integers(n, rows=rows)`: one integer for each of `rows`, into `out` int64 [len(rows)]."""
    for j in range(len(rows)):
        out[j] = next_integer(state, rows[j], n)


@compiled
def fill_beta(ticks: Any, a: Any, b: Any, out: Any, work: Any) -> None:
    """`beta_at` of every tick, into `out`; all flat float64 arrays of the same length, `ticks` uint64, `work` is scratch."""
    for j in range(len(ticks)):
        out[j] = _gamma_at_once(ticks[j], a[j])
    for j in range(len(ticks)):
        work[j] = _gamma_at_once(ticks[j] + PARTNER, b[j])
    for j in range(len(ticks)):
        if out[j] >= 0.0 and work[j] >= 0.0:
            out[j] = out[j] / (out[j] + work[j])
        else:
            out[j] = beta_at(ticks[j], a[j], b[j])


streams.loops = sys.modules[__name__]


# --- laws over arrays of ticks ---


def _normal(tick: Any) -> Any:
    return normal_at(tick)


def _exponential(tick: Any) -> Any:
    return exponential_at(tick)


def _gamma(tick: Any, a: Any) -> Any:
    return gamma_at(tick, a)


def _beta(tick: Any, a: Any, b: Any) -> Any:
    return beta_at(tick, a, b)


def _poisson(tick: Any, lam: Any) -> Any:
    return poisson_at(tick, lam)


_BATCH = {
    "normal": (_normal, "float64(uint64)"),
    "exponential": (_exponential, "float64(uint64)"),
    "gamma": (_gamma, "float64(uint64, float64)"),
    "beta": (_beta, "float64(uint64, float64, float64)"),
    "poisson": (_poisson, "int64(uint64, float64)"),
}


@functools.cache
def batch(law: str) -> Any:
    """The NumPy ufunc of a law: ticks, then parameters that broadcast. Compiled when first asked for."""
    function, signature = _BATCH[law]
    return vectorize([signature], cache=True)(function)
