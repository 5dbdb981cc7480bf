"""The loops of planning, compiled: one pass over all states, actions and outcomes is what a planner does over and over.

`first`, `following` and `prob` are those of `FiniteMDP.continuing` (or of a Markov chain, which is a model with one action);
`reward [X, A]` is the expected reward, -inf for an action that is not available. Policies are int64 `[X]`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.core.types import Array, boolean, float64, int64, uint32


def _given(kind: Any, dimensions: int = 1) -> Any:
    """The type of an array that is only read; the arrays of a model cannot be written to."""
    return Array(kind, dimensions, "C", readonly=True)


_MODEL = (_given(uint32), _given(uint32), _given(float64), _given(float64, 2))


@njit(float64(*_MODEL, float64, float64[::1], int64, int64), cache=True, error_model="numpy", inline="always")
def look_ahead(
    first: Any, following: Any, prob: Any, reward: Any, gamma: float, V: Any, x: int, a: int
) -> float:
    """Q(x, a) = r(x, a) + gamma sum_y P(y | x, a) V(y)."""
    pair = x * reward.shape[1] + a
    ahead = 0.0
    for k in range(first[pair], first[pair + 1]):
        ahead += prob[k] * V[following[k]]
    return float(reward[x, a] + gamma * ahead)


@njit(
    int64(*_MODEL, float64, float64[::1], float64, int64, float64[::1]),
    cache=True,
    error_model="numpy",
)
def sweep(
    first: Any,
    following: Any,
    prob: Any,
    reward: Any,
    gamma: float,
    V: Any,
    threshold: float,
    most: int,
    change: Any,
) -> int:
    """V(x) <- max_a Q(x, a) in place, state by state (Gauss-Seidel), forward and backward in turn.

    Stops after a sweep that changes no state by more than `threshold`, or after `most`; gives the sweeps done. `change[0]` is
    the greatest change of the last one. In place, a value travels as far as the states go in order: down a whole corridor in
    one sweep, and back in the next.
    """
    X, A = reward.shape
    for n in range(most):
        greatest = 0.0
        for i in range(X):
            x = i if n % 2 == 0 else X - 1 - i
            best = -np.inf
            for a in range(A):
                best = max(best, look_ahead(first, following, prob, reward, gamma, V, x, a))
            greatest = max(greatest, abs(best - V[x]))
            V[x] = best
        change[0] = greatest
        if greatest <= threshold:
            return n + 1
    return int(most)


@njit(
    int64(*_MODEL, float64[::1], int64[::1], float64, int64),
    cache=True,
    error_model="numpy",
)
def improve(
    first: Any, following: Any, prob: Any, reward: Any, V: Any, policy: Any, slack: float, most: int
) -> int:
    """As `sweep` without discount, but V only rises, and the policy changes only where it rises; gives the sweeps done.

    From the value of a policy that ends, every policy on the way ends too (see `rlcourse.mdp.undiscounted`). Stops after a
    sweep that lifts no state by more than `slack`.
    """
    X, A = reward.shape
    for n in range(most):
        risen = False
        for i in range(X):
            x = i if n % 2 == 0 else X - 1 - i
            best = look_ahead(first, following, prob, reward, 1.0, V, x, policy[x])
            at = policy[x]
            for a in range(A):
                value = look_ahead(first, following, prob, reward, 1.0, V, x, a)
                if value > best + slack:
                    best, at = value, a
            if best > V[x] + slack:
                V[x] = best
                policy[x] = at
                risen = True
        if not risen:
            return n + 1
    return int(most)


@njit(
    [(*_MODEL, float64, float64[:, ::1], int64[:, ::1])],
    cache=True,
    error_model="numpy",
)
def induct(first: Any, following: Any, prob: Any, reward: Any, gamma: float, V: Any, policy: Any) -> None:
    """Backward induction: V[t, x] = max_a r + gamma P V[t+1], policy[t, x] the first action that attains it."""
    X, A = reward.shape
    for t in range(len(policy) - 1, -1, -1):
        for x in range(X):
            best = -np.inf
            at = 0
            for a in range(A):
                value = look_ahead(first, following, prob, reward, gamma, V[t + 1], x, a)
                if value > best:
                    best, at = value, a
            V[t, x] = best
            policy[t, x] = at


@njit(
    int64(_given(uint32), _given(uint32), _given(boolean, 2), boolean[::1], int64[::1]),
    cache=True,
)
def rest(first: Any, following: Any, free: Any, resting: Any, policy: Any) -> int:
    """The largest set of states in which one can stay for ever by `free [X, A]` actions alone; gives its size.

    `resting [X]` comes in all true and becomes the set; `policy [X]` gets, inside it, an action that stays in it.
    """
    X, A = free.shape
    size = X
    changed = True
    while changed:
        changed = False
        for x in range(X):
            if not resting[x]:
                continue
            stays = False
            for a in range(A):
                if not free[x, a]:
                    continue
                inside = True
                for k in range(first[x * A + a], first[x * A + a + 1]):
                    if not resting[following[k]]:
                        inside = False
                        break
                if inside:
                    policy[x] = a
                    stays = True
                    break
            if not stays:
                resting[x] = False
                size -= 1
                changed = True
    return size


@njit(
    int64(
        _given(uint32),
        _given(uint32),
        _given(float64),
        _given(boolean, 2),
        _given(boolean, 2),
        _given(boolean),
        boolean[::1],
        int64[::1],
    ),
    cache=True,
)
def attract(
    first: Any, following: Any, chance: Any, available: Any, ending: Any, goal: Any, sure: Any, policy: Any
) -> int:
    """The states from which some policy surely ends the episode or comes to `goal [X]`; gives their number.

    `sure [X]` comes in all true and becomes the set. `policy [X]` gets, in every state of it outside the goal, an action that
    never leaves the set and has the best chance to come nearer, for a policy that comes there by rare luck alone takes so long
    that its value cannot be solved in float64 (Baier & Katoen 2008, "Principles of model checking", section 10.6.1,
    almost-sure reachability).
    """
    X, A = available.shape
    size = X
    while True:
        near = goal.copy()
        count = 0
        for x in range(X):
            count += near[x]
        grown = True
        forward = True
        while grown:
            grown = False
            for i in range(X):
                x = i if forward else X - 1 - i
                if near[x] or not sure[x]:
                    continue
                best = -1.0
                for a in range(A):
                    if not available[x, a]:
                        continue
                    inside = True
                    nearer = ending[x, a]
                    gain = 1.0
                    for k in range(first[x * A + a], first[x * A + a + 1]):
                        inside = inside and sure[following[k]]
                        if near[following[k]]:
                            nearer = True
                        else:
                            gain -= chance[k]
                    if inside and nearer and gain > best:
                        best = gain
                        policy[x] = a
                if best > -1.0:
                    near[x] = True
                    count += 1
                    grown = True
            forward = not forward
        for x in range(X):
            sure[x] = near[x]
        if count == size:
            return size
        size = count
