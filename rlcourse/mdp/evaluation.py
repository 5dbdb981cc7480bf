"""The true value of a policy: a linear system, solved, not sampled; one policy or a hundred at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlcourse.errors import UsageError
from rlcourse.mdp.backup import check_gamma, check_horizon, transitions
from rlcourse.mdp.model import Bools, FiniteMDP, Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    Sparse = csr_array[Any, tuple[int, int]]

_BLOCK = 50_000
"""States, over all policies, in one linear system: some hundred megabytes of factors for a maze."""
SMALL = 2_000
"""States up to which a policy is always solved directly: the factors of a matrix without structure grow with the square."""
_ENDLESS = 2.0**44
"""Steps before the end, on average, that are as good as endless: rounding has taken most digits of their sum."""
_FAR = 0.999
"""Discount above which it is solved directly at any size: sweeps need some 30 / (1 - gamma)."""


def evaluate_policy(mdp: FiniteMDP, policy: ArrayLike, gamma: float, *, horizon: int | None = None) -> Floats:
    """The expected (discounted) return of a policy from every state, for any number of policies at once.

        V = r_pi + gamma P_pi V      (Bellman 1957; Sutton & Barto 2018, eq. 4.4)
        V_{t} = r_pi + gamma P_pi V_{t+1},  V_H = 0      with a horizon

    Sparse LU, all policies as one block-diagonal system; or, with many states and gamma <= 0.999, Gauss-Seidel sweeps until
    they move no value by more than rounding. Either way the error is that of float64, some 1e-14 max|V| / (1 - gamma).

    With gamma = 1 the value is the limit of the expected return as the number of steps grows. A policy that may walk for ever
    where the rewards average below zero has -inf; above zero, +inf; nothing, if there are no rewards. One that ends only after
    more than 2^44 steps counts as one that walks for ever. NaN stands where there is no such limit: rewards in a circle that
    cancel, or a chance of both infinities. `mdp.start_value(V)` keeps infinities out that cannot be reached from the start.

    Args:
        mdp: the model.
        policy: integers `[..., X]`, the action in each state; or floats `[..., X, A]`, the chance of each action. The
            dimensions in front are policies, e.g. the members of a population `[S, X]`.
        gamma: discount in [0, 1].
        horizon: steps after which the episode is cut off (a time limit); None: never.

    Returns:
        V, float64 `[..., X]`; with a horizon, of the first step.

    Raises:
        UsageError: a policy for other states or actions, one that takes an action which is not available, chances that do
            not sum to 1, gamma outside [0, 1], or a horizon below 0.
    """
    gamma = check_gamma(gamma)
    lead, weights = _weights(mdp, policy)
    X = mdp.n_states
    C, ending = transitions(mdp), mdp.ending.reshape(-1).astype(np.float64)
    reward = np.where(mdp.available, mdp.expected_reward, 0.0).reshape(-1)
    V = np.empty(weights.shape[0])
    steps = None if horizon is None else check_horizon(horizon)
    for rows in _blocks(weights.shape[0], X):
        W = weights[rows]
        chain, gain = _block_diagonal(W @ C, X), W @ reward
        if steps is not None:
            V[rows] = _cut_off(chain, gain, gamma, steps)
        elif gamma == 1.0:
            V[rows] = _total(chain, gain, W @ ending > 0.0)
        elif X > SMALL and gamma <= _FAR:
            V[rows] = _sweeps(chain, gain, gamma)
        else:
            V[rows] = _solve(chain, gain, gamma)
    return V.reshape(*lead, X)


def _weights(mdp: FiniteMDP, policy: ArrayLike) -> tuple[tuple[int, ...], Sparse]:
    """The dimensions in front, and the chance of every pair, sparse `[S*X, X*A]`: row s*X + x has its entries at x*A + a."""
    from scipy.sparse import csr_array

    given = np.asarray(policy)
    X, A = mdp.n_states, mdp.n_actions
    if given.dtype.kind in "iu" and given.ndim >= 1 and given.shape[-1] == X:
        lead, taken = given.shape[:-1], given.reshape(-1, X).astype(np.int64)
        if taken.size and (taken.min() < 0 or taken.max() >= A):
            raise UsageError(f"the policy takes an action outside 0..{A - 1}")
        x = np.broadcast_to(np.arange(X), taken.shape)
        _check_available(mdp, x, taken)
        columns = (x * A + taken).reshape(-1)
        chance = np.ones(len(columns))
        ends = np.arange(len(columns) + 1)
    elif given.dtype.kind == "f" and given.ndim >= 2 and given.shape[-2:] == (X, A):
        lead, table = given.shape[:-2], given.reshape(-1, X, A).astype(np.float64)
        if not ((table >= 0.0).all() and np.allclose(table.sum(axis=-1), 1.0, rtol=0.0, atol=1e-6)):
            raise UsageError("the policy must be chances that sum to 1 in every state")
        table = table / table.sum(axis=-1, keepdims=True)
        s, x, a = np.nonzero(table)
        _check_available(mdp, x, a)
        columns, chance = x * A + a, table[s, x, a]
        ends = np.concatenate([[0], np.cumsum((table > 0.0).sum(axis=-1).reshape(-1))])
    else:
        raise UsageError(
            f"a policy must be integers [..., {X}] (the action in each state) or floats [..., {X}, {A}] (the chance of each "
            f"action), got {given.dtype} {list(given.shape)}"
        )
    return lead, csr_array((chance, columns, ends), shape=(len(ends) - 1, X * A))


def _check_available(mdp: FiniteMDP, x: NDArray[Any], a: NDArray[Any]) -> None:
    bad = ~mdp.available[x, a]
    if bad.any():
        raise UsageError(
            f"the policy takes action {int(a[bad][0])} in state {int(x[bad][0])}, where it is not available"
        )


def _blocks(rows: int, X: int) -> Iterator[slice]:
    """Whole policies, as many at a time as one system should hold."""
    step = max(1, _BLOCK // X) * X
    return (slice(at, min(at + step, rows)) for at in range(0, rows, step))


def _block_diagonal(chain: Sparse, X: int) -> Sparse:
    """`[S*X, X]` to `[S*X, S*X]`: every policy among its own states."""
    from scipy.sparse import csr_array

    size = chain.shape[0]
    member = np.repeat(np.arange(size) // X, np.diff(chain.indptr))
    return csr_array((chain.data, chain.indices + member * X, chain.indptr), shape=(size, size))


def _solve(chain: Sparse, reward: Floats, gamma: float) -> Floats:
    """(I - gamma P) V = r."""
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import splu

    if chain.shape[0] == 0:
        return np.empty(0)
    matrix = (eye_array(chain.shape[0]) - gamma * chain).tocsc()
    return np.asarray(splu(matrix).solve(reward))


def _sweeps(chain: Sparse, reward: Floats, gamma: float) -> Floats:
    """The same by sweeps: a chain is a model with one action."""
    from rlcourse.mdp import compiled

    V, change, most = np.zeros(len(reward)), np.empty(1), 100
    first, following = chain.indptr.astype(np.uint32), chain.indices.astype(np.uint32)
    while True:
        rounding = 64.0 * np.finfo(np.float64).eps * float(np.abs(V).max(initial=0.0))
        done = compiled.sweep(first, following, chain.data, reward[:, None], gamma, V, rounding, most, change)
        if done < most:
            return V


def _cut_off(chain: Sparse, reward: Floats, gamma: float, horizon: int) -> Floats:
    """`horizon` steps, from the last one back."""
    V = np.zeros(len(reward))
    for _ in range(horizon):
        V = reward + gamma * (chain @ V)
    return V


def _total(chain: Sparse, reward: Floats, ending: Bools) -> Floats:
    """Without discount: zero where it rests, infinite where it collects for ever, and a linear system for the others.

    A chain that can walk for ever ends up in a closed class: a strongly connected set that is neither left nor ends
    (Kemeny & Snell 1960, "Finite Markov chains", chapter 2). What a class gives in the long run is its average reward.
    """
    from scipy.sparse.csgraph import connected_components

    size = chain.shape[0]
    count, label = connected_components(chain, directed=True, connection="strong")
    row = np.repeat(np.arange(size), np.diff(chain.indptr))
    closed = np.ones(count, np.bool_)
    closed[label[ending]] = False
    closed[label[row[label[row] != label[chain.indices]]]] = False
    if not closed.any():
        return _solve_without_discount(chain, reward)

    V = np.zeros(size)
    inside = closed[label]
    gains = np.bincount(label, np.where(inside, np.maximum(reward, 0.0), 0.0), minlength=count)
    losses = np.bincount(label, np.where(inside, np.minimum(reward, 0.0), 0.0), minlength=count)
    average = gains + losses  # of one sign: as good as the average itself
    for c in np.flatnonzero((gains > 0.0) & (losses < 0.0)):
        average[c] = _average_reward(chain, reward, np.flatnonzero(label == c))
    paid = (gains > 0.0) | (losses < 0.0)
    up = _can_reach(chain, inside & (average[label] > 0.0))
    down = _can_reach(chain, inside & (average[label] < 0.0))
    neither = _can_reach(chain, inside & (paid & (average == 0.0))[label])
    V[up], V[down], V[neither | (up & down)] = np.inf, -np.inf, np.nan
    others = np.flatnonzero(~(inside | up | down | neither))
    V[others] = _solve_without_discount(chain[others][:, others], reward[others])
    return V


def _solve_without_discount(chain: Sparse, reward: Floats) -> Floats:
    """V = r + P V of a chain that comes to an end; infinite where that takes more than `_ENDLESS` steps.

    Such a chain leaves some set of states so seldom that 1 - P has no inverse in float64.
    """
    from scipy.sparse.csgraph import connected_components

    try:
        V = _solve(chain, reward, 1.0)
    except RuntimeError:  # a pivot is 0: only the part in which it stands is endless
        count, label = connected_components(chain, directed=True, connection="weak")
        if count == 1:
            V = _solve(chain, reward, 1.0 - 2.0**-50)
        else:
            V = np.empty(len(reward))
            for part in np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label))[:-1]):
                V[part] = _solve_without_discount(chain[part][:, part], reward[part])
    endless = np.abs(V) > _ENDLESS * np.abs(reward).max(initial=0.0)
    if endless.any():
        paid = (reward > 0.0).any(), (reward < 0.0).any()
        sign = (
            np.sign(V) if all(paid) else 1.0 if paid[0] else -1.0
        )  # of what is all rounding, the sign is, too
        V = np.where(endless, sign * np.inf, V)
    return V


def _average_reward(chain: Sparse, reward: Floats, members: NDArray[np.intp]) -> float:
    """The average reward a step of one closed class, by g + h(x) = r(x) + sum_y P(x, y) h(y) with h = 0 at its first state.

    Exactly 0 where it is not to be told from 0 (Puterman 2005, "Markov decision processes", section 8.2).
    """
    from scipy.sparse import csc_array, eye_array, hstack
    from scipy.sparse.linalg import splu

    r = reward[members]
    matrix = (eye_array(len(members)) - chain[members][:, members]).tocsc()
    ones = csc_array(np.ones((len(members), 1)))
    average = float(splu(hstack([ones, matrix[:, 1:]]).tocsc()).solve(r)[0])
    return average if abs(average) > 1e-12 * np.abs(r).max() else 0.0


def _can_reach(chain: Sparse, goal: Bools) -> Bools:
    """The states from which the chain has a chance to come to `goal`."""
    backward = chain.T.tocsr()
    reached = goal.copy()
    new = np.flatnonzero(goal)
    while len(new):
        before = backward[new].indices
        new = np.unique(before[~reached[before]])
        reached[new] = True
    return reached
