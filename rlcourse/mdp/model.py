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
from rlcourse.mdp.validation import as_array, check_model

if TYPE_CHECKING:
    import gymnasium

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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
            array = as_array(name, getattr(self, name), kind)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        check_model(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arrays only; the copy is as checked and as read-only as the original."""
        return FiniteMDP, tuple(getattr(self, field.name) for field in fields(self))

    def __repr__(self) -> str:
        return f"FiniteMDP({self.n_states} states, {self.n_actions} actions, {len(self.prob)} outcomes)"

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
        x, a = as_array("state", state, np.int64), as_array("action", action, np.int64)
        p, y = as_array("prob", prob, np.float64), as_array("next", next, np.int64)
        r, over = as_array("reward", reward, np.float64), as_array("terminated", terminated, np.bool_)
        begin = as_array("start", start, np.float64)
        if n_actions is not None and (
            isinstance(n_actions, bool) or not isinstance(n_actions, (int, np.integer)) or n_actions < 1
        ):
            raise UsageError(f"n_actions={n_actions!r} must be a whole number of at least 1")
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
