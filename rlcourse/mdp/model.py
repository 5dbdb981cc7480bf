"""A finite Markov decision process as arrays: for every state and action, the outcomes that can follow.

The outcomes of all state-action pairs stand one after the other in flat arrays `[K]`; `first [X*A + 1]` says where those of
each pair begin (the layout of a compressed sparse row matrix):

    pair = x * A + a
    for k in range(first[pair], first[pair + 1]):
        with probability prob[k]: go to next[k], get reward[k]; the episode is over if terminated[k]

A pair without outcomes is an action that is not available in that state. A deterministic world has one outcome a pair, a
slippery maze three; a world in which one pair has hundreds makes no other pair longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlcourse.errors import UsageError

if TYPE_CHECKING:
    import gymnasium

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SUM_TOLERANCE = 1e-9
"""How far probabilities may sum from 1: room for the rounding of thirds and tenths, not for a forgotten outcome."""
MEMORY_LIMIT = 4 << 30
"""Bytes that a model may take, planning included: half of a small laptop."""
_MOST = 1 << 31
_BYTES_OUTCOME = 25 + 12
"""An outcome: probability, next state, reward (8 each), terminated (1); once more without reward for planning (8 + 4)."""
_BYTES_PAIR = 8 + 4 + 8
"""A state-action pair: where its outcomes begin, the same for planning, the expected reward."""


class Continuing(NamedTuple):
    """The transitions after which the episode goes on: a sparse matrix `[X*A, X]`, rows in the layout of the model.

    Unsigned, because compiled code then need not ask whether an index counts from the end: a sweep takes half the time.
    """

    first: NDArray[np.uint32]
    """`[X*A + 1]`"""
    next: NDArray[np.uint32]
    """`[K']`, K' <= K"""
    prob: Floats
    """`[K']`"""


@dataclass(frozen=True, eq=False)
class FiniteMDP:
    """A finite Markov decision process with X states and A actions; its arrays are checked copies that cannot be written to.

    Build one with `from_env`, `from_outcomes`, `from_table` or `from_P`; they drop what has no chance and merge what is equal.

    Args:
        first: int64 `[X*A + 1]`, where the outcomes of each pair x * A + a begin; the last entry is K.
        prob: float64 `[K]`, chance of each outcome, in (0, 1]; they sum to 1 over a pair.
        next: int64 `[K]`, the state that follows (also where the episode ends there).
        reward: float64 `[K]`.
        terminated: bool `[K]`, whether the episode is over; nothing is collected after that.
        start: float64 `[X]`, chance to begin in each state; `start @ V` is the value of the problem.

    Raises:
        UsageError: shapes that do not fit, a next state that does not exist, chances that do not sum to 1, a number that is
            not finite, or a state without actions.
    """

    first: Ints
    prob: Floats
    next: Ints
    reward: Floats
    terminated: Bools
    start: Floats

    def __post_init__(self) -> None:
        for name, kind in (
            ("first", np.int64),
            ("prob", np.float64),
            ("next", np.int64),
            ("reward", np.float64),
            ("terminated", np.bool_),
            ("start", np.float64),
        ):
            array = _as(name, getattr(self, name), kind)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        self._check()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arrays only; the copy is as checked and as read-only as the original."""
        return FiniteMDP, tuple(getattr(self, field.name) for field in fields(self))

    def __repr__(self) -> str:
        return f"FiniteMDP({self.n_states} states, {self.n_actions} actions, {len(self.prob)} outcomes)"

    def _check(self) -> None:
        X, K = len(self.start), len(self.prob)
        if X == 0 or len(self.first) < X + 1 or (len(self.first) - 1) % X:
            raise UsageError(
                f"first has {len(self.first)} entries; {X} states with A actions need {X} * A + 1"
            )
        A = self.n_actions
        for name in ("next", "reward", "terminated"):
            if len(getattr(self, name)) != K:
                raise UsageError(f"{name} has {len(getattr(self, name))} entries, but prob has {K}")
        counts = np.diff(self.first)
        if self.first[0] != 0 or self.first[-1] != K or (counts < 0).any():
            raise UsageError(f"first must rise from 0 to the number of outcomes, {K}")
        if K >= _MOST:
            raise UsageError(f"{K:,} outcomes are too many; {_MOST - 1:,} are the most")
        pair = np.repeat(np.arange(X * A), counts)
        for bad, what in (
            (~((self.prob > 0.0) & (self.prob <= 1.0 + SUM_TOLERANCE)), "a probability outside (0, 1]"),
            ((self.next < 0) | (self.next >= X), f"a next state outside 0..{X - 1}"),
            (~np.isfinite(self.reward), "a reward that is not finite"),
        ):
            if bad.any():
                k = int(bad.argmax())
                value = (
                    float(self.prob[k]),
                    int(self.next[k]),
                    float(self.reward[k]),
                    bool(self.terminated[k]),
                )
                raise UsageError(
                    f"{_place(pair[k], A)} has {what}: (prob, next, reward, terminated) = {value}"
                )
        total = np.bincount(pair, self.prob, minlength=X * A)
        wrong = (np.abs(total - 1.0) > SUM_TOLERANCE) & (counts > 0)
        if wrong.any():
            at = int(wrong.argmax())
            raise UsageError(f"the probabilities of {_place(at, A)} sum to {total[at]:.10g}, not 1")
        idle = ~self.available.any(axis=1)
        if idle.any():
            raise UsageError(
                f"state {int(idle.argmax())} has no action ({int(idle.sum())} such states); give a state in which all is over "
                "an outcome to itself that is terminated"
            )
        if not (self.start >= 0.0).all() or not abs(self.start.sum() - 1.0) <= SUM_TOLERANCE:
            raise UsageError(f"start must be chances that sum to 1; they sum to {self.start.sum():.10g}")

    @property
    def n_states(self) -> int:
        """X."""
        return len(self.start)

    @property
    def n_actions(self) -> int:
        """A, the actions that are not available everywhere included."""
        return (len(self.first) - 1) // len(self.start)

    @cached_property
    def available(self) -> Bools:
        """Whether an action can be taken in a state, bool `[X, A]`."""
        return (np.diff(self.first) > 0).reshape(self.n_states, self.n_actions)

    @cached_property
    def expected_reward(self) -> Floats:
        """r(x, a) = E[reward of the next step], float64 `[X, A]`; -inf where the action is not available."""
        pair = np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))
        mean = np.bincount(pair, self.prob * self.reward, minlength=len(self.first) - 1)
        return np.where(self.available, mean.reshape(self.available.shape), -np.inf)

    @cached_property
    def ending(self) -> Bools:
        """Whether the next step can be the last, bool `[X, A]`."""
        pair = np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))
        over = np.bincount(pair, self.terminated, minlength=len(self.first) - 1)
        return (over > 0).reshape(self.available.shape)

    @cached_property
    def continuing(self) -> Continuing:
        """The outcomes after which the episode goes on: all that planning needs beside `expected_reward`."""
        goes_on = ~self.terminated
        before = np.concatenate([[0], np.cumsum(goes_on)])
        return Continuing(
            before[self.first].astype(np.uint32), self.next[goes_on].astype(np.uint32), self.prob[goes_on]
        )

    def start_value(self, V: ArrayLike) -> Floats:
        """The value at the start, `[..., X]` -> `[...]`: as V @ start, but infinities where no episode begins play no part."""
        begin = np.flatnonzero(self.start)
        return np.asarray(np.asarray(V, np.float64)[..., begin] @ self.start[begin])

    def reachable(self) -> Bools:
        """The states that some policy can come to, bool `[X]`; those that it only enters as the episode ends are left out."""
        first, following, _ = self.continuing
        seen = self.start > 0.0
        new: NDArray[Any] = np.flatnonzero(seen)
        A = self.n_actions
        while len(new):
            spans = [following[first[x * A] : first[(x + 1) * A]] for x in new]
            candidates = np.unique(np.concatenate(spans))
            new = candidates[~seen[candidates]]
            seen[new] = True
        return seen

    @classmethod
    def from_outcomes(
        cls,
        state: ArrayLike,
        action: ArrayLike,
        prob: ArrayLike,
        next: ArrayLike,
        reward: ArrayLike,
        terminated: ArrayLike,
        *,
        start: ArrayLike,
        n_actions: int | None = None,
    ) -> FiniteMDP:
        """From a list of outcomes in any order, each array `[K]`; those without chance are dropped, equal ones merged.

        Args:
            state: int `[K]`, where the action is taken.
            action: int `[K]`, which action.
            prob: float `[K]`, see the class for these four.
            next: int `[K]`
            reward: float `[K]`
            terminated: bool `[K]`
            start: float `[X]`, chance to begin in each state.
            n_actions: A; None: the highest action that occurs, plus one.

        Raises:
            UsageError: as the class, or a state or an action that does not exist.
        """
        x, a = _as("state", state, np.int64), _as("action", action, np.int64)
        p, y = _as("prob", prob, np.float64), _as("next", next, np.int64)
        r, over = _as("reward", reward, np.float64), _as("terminated", terminated, np.bool_)
        begin = _as("start", start, np.float64)
        lengths = {len(array) for array in (x, a, p, y, r, over)}
        if len(lengths) != 1:
            raise UsageError(f"the arrays of outcomes must be of one length, got {sorted(lengths)}")
        X, A = len(begin), (int(a.max(initial=0)) + 1 if n_actions is None else n_actions)
        if len(x) and (x.min() < 0 or x.max() >= X):
            raise UsageError(
                f"outcomes are given for state {x.min() if x.min() < 0 else x.max()}; start has {X} states"
            )
        if len(a) and (a.min() < 0 or a.max() >= A):
            raise UsageError(
                f"outcomes are given for action {a.min() if a.min() < 0 else a.max()}; there are {A} actions"
            )
        if not (np.isfinite(p) & (p >= 0.0)).all():
            k = int((~(np.isfinite(p) & (p >= 0.0))).argmax())
            raise UsageError(f"state {x[k]}, action {a[k]} has a probability outside (0, 1]: {p[k]}")
        pair = x * A + a
        order = np.lexsort((over, r, y, pair))
        order = order[p[order] > 0.0]
        pair, p, y, r, over = pair[order], p[order], y[order], r[order], over[order]
        fresh = np.ones(len(pair), np.bool_)
        fresh[1:] = (np.diff(pair) != 0) | (np.diff(y) != 0) | (r[1:] != r[:-1]) | (over[1:] != over[:-1])
        where = np.flatnonzero(fresh)
        merged = np.add.reduceat(p, where) if len(where) else p
        first = np.searchsorted(pair[where], np.arange(X * A + 1))
        return cls(first, merged, y[where], r[where], over[where], begin)

    @classmethod
    def from_table(
        cls,
        prob: ArrayLike,
        next: ArrayLike,
        reward: ArrayLike,
        terminated: ArrayLike,
        *,
        start: ArrayLike,
    ) -> FiniteMDP:
        """From arrays `[X, A, B]` with B outcomes for every pair, padded with chances of 0.

        What has a chance of 0 is not looked at. A pair whose chances are all 0 is an action that is not available.

        Args:
            prob: float `[X, A, B]`, chance of each outcome.
            next: int, broadcast to `[X, A, B]`, as are the others.
            reward: float
            terminated: bool
            start: float `[X]`, chance to begin in each state.

        Raises:
            UsageError: as `from_outcomes`.
        """
        p = np.asarray(prob, np.float64)
        if p.ndim != 3:
            raise UsageError(f"prob must be of shape [states, actions, outcomes], got {list(p.shape)}")
        x, a, b = np.nonzero(p)
        try:
            y, r, over = (
                np.broadcast_to(np.asarray(each), p.shape)[x, a, b] for each in (next, reward, terminated)
            )
        except ValueError as error:
            raise UsageError(
                f"next, reward and terminated must fit the shape of prob, {list(p.shape)}: {error}"
            ) from error
        return cls.from_outcomes(x, a, p[x, a, b], y, r, over, start=start, n_actions=p.shape[1])

    @classmethod
    def from_P(  # noqa: N802  (Gymnasium's name)
        cls, P: Mapping[int, Any] | Sequence[Any], *, start: ArrayLike | int, n_actions: int | None = None
    ) -> FiniteMDP:
        """From Gymnasium's form: `P[x][a]` is a list of `(prob, next, reward, terminated)`.

        Args:
            P: states 0..X-1 to actions to outcomes, as mappings or sequences; an action that a state lacks is not available.
            start: the state where episodes begin, or the chance of each, float `[X]`.
            n_actions: A; None: the highest action that occurs, plus one.

        Raises:
            UsageError: as the class; or P is not of this form.
        """
        from rlcourse.mdp.gymnasium_model import read_P

        return read_P(P, start=start, n_actions=n_actions)

    @classmethod
    def from_env(cls, env: gymnasium.Env[Any, Any], *, start: ArrayLike | int | None = None) -> FiniteMDP:
        """The model of an environment: its `model()` if it has one (all finite worlds here do), else its `P`.

        The model is believed as it stands. Wrappers are looked through: a time limit is no part of it (`finite_horizon` plans
        under one).

        Args:
            env: an environment with `unwrapped.model()`, or with Gymnasium's `P`.
            start: the state where episodes begin, or the chance of each, float `[X]`; None: what the environment says, as
                `initial_state_distrib` (Gymnasium), `isd` (Gym) or `start_state_index`.

        Raises:
            UsageError: the environment gives no model, or none that is consistent, or does not say where episodes begin.
        """
        from rlcourse.mdp.gymnasium_model import read_env

        return read_env(env, start=start)

    def to_P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:  # noqa: N802
        """Gymnasium's form: `P[x][a]` is a list of `(prob, next, reward, terminated)`; actions not available are left out."""
        from rlcourse.mdp.gymnasium_model import write_P

        return write_P(self)


def check_model_size(states: int, actions: int, outcomes: int = 1, *, limit: int = MEMORY_LIMIT) -> int:
    """The bytes that a model and planning on it will take; to be asked before the states are enumerated.

    Args:
        states: X.
        actions: A.
        outcomes: of one state-action pair, at most.
        limit: bytes that are allowed.

    Raises:
        UsageError: it would take more than the limit; says how many states there are.
    """
    size = states * actions * (outcomes * _BYTES_OUTCOME + _BYTES_PAIR)
    if size > limit:
        raise UsageError(
            f"a model of {states:,} states x {actions} actions x {outcomes} outcomes would take {size / 2**30:,.1f} GiB, "
            f"more than the limit of {limit / 2**30:,.1f} GiB: take a smaller world, or an agent that needs no model"
        )
    return size


def _as(name: str, values: ArrayLike, kind: type[np.generic]) -> NDArray[Any]:
    """A fresh one-dimensional array of this kind; integers are not made from fractions."""
    try:
        array = np.asarray(values)
        out = np.array(array, dtype=kind, order="C")
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} must be an array of numbers: {error}") from error
    if out.ndim != 1:
        raise UsageError(f"{name} must have one dimension, got shape {list(out.shape)}")
    if kind is np.int64 and array.dtype.kind == "f" and not np.array_equal(out, array):
        raise UsageError(f"{name} must be whole numbers")
    return out


def _place(pair: int | np.integer[Any], actions: int) -> str:
    return f"state {int(pair) // actions}, action {int(pair) % actions}"
