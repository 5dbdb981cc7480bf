"""Problems with known answers, and slow independent ways to solve any: a linear programme, dense matrices."""

import numpy as np
from scipy.optimize import linprog

from rlcourse.mdp import FiniteMDP


def random_mdp(seed, *, states=6, actions=3, outcomes=2, ending=0.2, rewards=None, missing=0.2):
    """Sparse outcomes, some of them terminal, some actions missing; `rewards` to draw from (None: normal)."""
    rng = np.random.default_rng(seed)
    shape = (states, actions, outcomes)
    prob = rng.dirichlet(np.ones(outcomes), (states, actions))
    gone = rng.random((states, actions)) < missing
    gone[np.arange(states), rng.integers(actions, size=states)] = False
    prob[gone] = 0.0
    reward = rng.normal(size=shape) if rewards is None else rng.choice(rewards, shape)
    over = rng.random(shape) < ending
    return FiniteMDP.from_table(
        prob, rng.integers(states, size=shape), reward, over, start=rng.dirichlet(np.ones(states))
    )


def chain(*rows, start=0):
    """Deterministic, as `(next, reward)` or `(next, reward, terminated)` for every action of every state."""
    P = {
        x: {a: [(1.0, *outcome, False)[:4]] for a, outcome in enumerate(actions)}
        for x, actions in enumerate(rows)
    }
    return FiniteMDP.from_P(P, start=start)


def gambler(heads=0.4, goal=100):
    """Sutton & Barto (2018), example 4.3: stakes 0..min(x, goal - x), 1 for the goal."""
    P = {0: {0: [(1.0, 0, 0.0, True)]}, goal: {0: [(1.0, goal, 0.0, True)]}}
    for x in range(1, goal):
        P[x] = {
            stake: [
                (heads, x + stake, float(x + stake == goal), x + stake == goal),
                (1.0 - heads, x - stake, 0.0, x == stake),
            ]
            for stake in range(min(x, goal - x) + 1)
        }
    return FiniteMDP.from_P(P, start=50)


def corners():
    """Sutton & Barto (2018), example 4.1: a 4 x 4 grid, -1 a move, two opposite corners end."""
    rows = []
    for x in range(16):
        r, c = divmod(x, 4)
        moves = [(r, max(c - 1, 0)), (r, min(c + 1, 3)), (max(r - 1, 0), c), (min(r + 1, 3), c)]
        ends = [4 * i + j for i, j in moves]
        rows.append([(x, 0.0, True)] * 4 if x in (0, 15) else [(y, -1.0, y in (0, 15)) for y in ends])
    return chain(*rows, start=5)


def dense(mdp):
    """Transitions `[X, A, X]` after which it goes on, and rewards `[X, A]`, by a plain loop."""
    X, A = mdp.n_states, mdp.n_actions
    P, R = np.zeros((X, A, X)), np.full((X, A), -np.inf)
    for x, actions in mdp.to_P().items():
        for a, outcomes in actions.items():
            R[x, a] = sum(p * r for p, _, r, _ in outcomes)
            for p, y, _, over in outcomes:
                P[x, a, y] += 0.0 if over else p
    return P, R


def resting(mdp):
    """Where one can stay for ever without reward, by removing states until none is left to remove."""
    P, R = dense(mdp)
    keep = set(range(mdp.n_states))
    while True:
        inside = np.isin(np.arange(mdp.n_states), list(keep))
        stay = {
            x for x in keep if any(R[x, a] == 0 and P[x, a] @ inside > 1 - 1e-9 for a in range(mdp.n_actions))
        }
        if stay == keep:
            return inside
        keep = stay


def by_linear_programme(mdp, gamma):
    """V* as the least V with V >= r + gamma P V for every action (Puterman 2005, section 6.9); None where there is none."""
    P, R = dense(mdp)
    x, a = np.nonzero(np.isfinite(R))
    rows = gamma * P[x, a]
    rows[np.arange(len(x)), x] -= 1.0
    lowest = np.where(resting(mdp), 0.0, -np.inf) if gamma == 1.0 else np.full(mdp.n_states, -np.inf)
    bounds = [(None if np.isinf(low) else low, None) for low in lowest]
    found = linprog(np.ones(mdp.n_states), rows, -R[x, a], bounds=bounds, method="highs")
    if found.status != 0:
        return None
    # HiGHS stops at 1e-7; the constraints that hold with equality give the rest of the digits.
    V = found.x
    Q = np.where(np.isfinite(R), R, -np.inf) + gamma * P @ V
    pick = Q.argmax(axis=1)
    at = np.arange(mdp.n_states)
    if gamma < 1.0:
        V = np.linalg.solve(np.eye(mdp.n_states) - gamma * P[at, pick], R[at, pick])
    return V


def by_dense_solve(mdp, policy, gamma):
    """The value of a policy, int `[X]` or float `[X, A]`, by a dense linear system."""
    P, R = dense(mdp)
    chances = np.eye(mdp.n_actions)[policy] if policy.ndim == 1 else policy
    matrix = np.einsum("xa,xay->xy", chances, P)
    gain = (chances * np.where(np.isfinite(R), R, 0.0)).sum(axis=1)
    return np.linalg.solve(np.eye(mdp.n_states) - gamma * matrix, gain)


def random_policies(mdp, seed, members, *, soft=False):
    """Policies of available actions: int `[members, X]`, or chances `[members, X, A]`."""
    rng = np.random.default_rng(seed)
    score = np.where(mdp.available, rng.random((members, *mdp.available.shape)), 0.0)
    return score / score.sum(axis=-1, keepdims=True) if soft else score.argmax(axis=-1)
