"""The planners: value iteration, policy iteration, and backward induction under a time limit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rlcourse.errors import UsageError
from rlcourse.mdp.backup import TIE, check_gamma, check_horizon, first_best, greedy_policy, q_values
from rlcourse.mdp.evaluation import SMALL, evaluate_policy
from rlcourse.mdp.model import FiniteMDP, Floats, Ints
from rlcourse.mdp.size import MEMORY_LIMIT

_EPS = float(np.finfo(np.float64).eps)


class Plan(NamedTuple):
    """What a planner gives; unpacks as `V, policy`."""

    V: Floats
    """Values, `[X]`; of `finite_horizon` `[H + 1, X]`."""
    policy: Ints
    """The action in each state, `[X]`; of `finite_horizon` `[H, X]`."""


def value_iteration(mdp: FiniteMDP, gamma: float, *, tol: float = 1e-8) -> Plan:
    """The optimal values, and a policy that attains them, by value iteration.

        V(x) <- max_a [ r(x, a) + gamma sum_y P(y | x, a) V(y) ]       (Sutton & Barto 2018, eq. 4.10)

    State by state in place (Gauss-Seidel), forward and backward in turn. With gamma < 1 such a sweep is a contraction, so that

        max|V - V*| <= gamma / (1 - gamma) x (greatest change of the last sweep)

    (Puterman 2005, "Markov decision processes", section 6.3); sweeps go on until this is at most `tol`. The greedy policy
    of V loses at most 2 gamma tol / (1 - gamma) by that bound (Singh & Yee 1994), in practice nothing.

    With gamma = 1 there is no contraction, and a small change proves nothing. Here sweeps begin at the value of a policy that
    ends, raise V only, and alternate with the exact solution of the policy found. At the end max_a Q = V to a relative 1e-12,
    and the policy surely ends or comes to rest; see `rlcourse.mdp.undiscounted` for the class of problems. `tol` is not
    used.

    Args:
        mdp: the model.
        gamma: discount in [0, 1].
        tol: bound of max|V - V*|, for gamma < 1.

    Returns:
        `V, policy`: float64 `[X]` and int64 `[X]`.

    Raises:
        UsageError: gamma or tol out of range; a `tol` that float64 cannot promise; gamma = 1 and a total reward that grows
            without bound, or a state from which no policy comes to an end.
    """
    gamma = check_gamma(gamma)
    if isinstance(tol, bool) or not isinstance(tol, (int, float, np.number)) or not 0.0 < tol < np.inf:
        raise UsageError(f"tol={tol!r} must be a number above 0")
    if gamma == 1.0:
        from rlcourse.mdp.undiscounted import total_reward

        return Plan(*total_reward(mdp, sweeps=100))
    V, _ = sweep_until(mdp, gamma, tol)
    return Plan(V, greedy_policy(mdp, V, gamma))


def sweep_until(mdp: FiniteMDP, gamma: float, tol: float) -> tuple[Floats, int]:
    """The values within `tol` of the optimum, gamma < 1, and the sweeps that it took.

    Raises:
        UsageError: rounding alone, some max|V| x 1e-15 a sweep and 1 / (1 - gamma) times that in all, is more than `tol`.
    """
    from rlcourse.mdp import compiled

    V, change, sweeps, most = np.zeros(mdp.n_states), np.empty(1), 0, 100
    threshold = np.inf if gamma == 0.0 else tol * (1.0 - gamma) / gamma
    before, look = np.inf, 1.0 / (1.0 - gamma)
    while True:
        sweeps += compiled.sweep(*mdp.continuing, mdp.expected_reward, gamma, V, threshold, most, change)
        rounding = 4.0 * _EPS * float(np.abs(V).max()) / (1.0 - gamma)
        stuck = False
        if sweeps >= look:  # in 1 / (1 - gamma) sweeps a change shrinks by e, unless it is rounding only
            stuck = change[0] > max(threshold, 0.5 * before)
            before, look = float(change[0]), sweeps + 1.0 / (1.0 - gamma)
        if rounding > tol or stuck:
            raise UsageError(
                f"tol={tol:g} cannot be promised in float64 with values of {np.abs(V).max():.3g} and gamma={gamma}: "
                f"rounding alone can make {rounding:.1g}; give a larger tol"
            )
        if change[0] <= threshold:
            return V, sweeps


def policy_iteration(mdp: FiniteMDP, gamma: float) -> Plan:
    """The optimal values, and a policy that attains them, by policy iteration: evaluate exactly, improve, and so on.

        V <- solution of V = r_pi + gamma P_pi V;     pi(x) <- argmax_a Q(x, a), only where that is better

    It begins with the action of the best next reward; with more than 2,000 states, where a poor policy takes long to evaluate
    and news of the goal travels a state an iteration, with the policy of `value_iteration`.

    A policy changes only where the gain exceeds rounding, so that ties cannot make it go round in circles. With gamma < 1 the
    result satisfies max_a Q - V <= 1e-12 max|V|, hence |V - V*| <= 1e-12 max|V| / (1 - gamma). With gamma = 1 as for
    `value_iteration`, without its sweeps.

    Args:
        mdp: the model.
        gamma: discount in [0, 1].

    Returns:
        `V, policy`: float64 `[X]` and int64 `[X]`.

    Raises:
        UsageError: gamma out of range; gamma = 1 and a total reward that grows without bound, or a state from which no policy
            comes to an end.

    Source: Howard (1960), "Dynamic programming and Markov processes"; Sutton & Barto (2018), section 4.3.
    """
    gamma = check_gamma(gamma)
    if gamma == 1.0:
        from rlcourse.mdp.undiscounted import total_reward

        return Plan(*total_reward(mdp, sweeps=0))
    if mdp.n_states <= SMALL:
        return Plan(*improve_until_best(mdp, gamma, first_best(mdp.expected_reward)))
    return Plan(
        *improve_until_best(mdp, gamma, value_iteration(mdp, gamma, tol=_safe_tol(mdp, gamma)).policy)
    )


def _safe_tol(mdp: FiniteMDP, gamma: float) -> float:
    """A bound for `sweep_until` that rounding does not forbid, whatever the rewards: |V| is at most max|r| / (1 - gamma)."""
    largest = float(np.abs(mdp.expected_reward[mdp.available]).max())
    return max(1e-8, 16.0 * _EPS * largest / (1.0 - gamma) ** 2)


def improve_until_best(mdp: FiniteMDP, gamma: float, policy: Ints) -> tuple[Floats, Ints]:
    """Policy iteration from this policy: `V, policy`. Infinite values are given back as soon as they occur."""
    states = np.arange(mdp.n_states)
    V = evaluate_policy(mdp, policy, gamma)
    while np.isfinite(V).all():
        Q = q_values(mdp, V, gamma)
        slack = TIE * np.abs(V).max()
        better = Q.max(axis=1) > Q[states, policy] + slack
        if not better.any():
            break
        improved = np.where(better, Q.argmax(axis=1), policy)
        risen = evaluate_policy(mdp, improved, gamma)
        if (risen <= V + slack).all():  # what looked better was the rounding of the solution
            break
        V, policy = risen, improved
    return V, policy


def finite_horizon(mdp: FiniteMDP, horizon: int, gamma: float = 1.0) -> Plan:
    """The optimum when the episode is cut off after `horizon` steps, by backward induction: exact, for any gamma.

        V[t](x) = max_a [ r(x, a) + gamma sum_y P(y | x, a) V[t+1](y) ],    V[H] = 0

    The best policy depends on the time: near the end there is nothing to invest in.

    Args:
        mdp: the model.
        horizon: H, steps; e.g. the `max_steps` of a maze, or `env.spec.max_episode_steps`.
        gamma: discount in [0, 1].

    Returns:
        `V, policy`: float64 `[H + 1, X]`, V[t] the value when t steps have been made; int64 `[H, X]`, the first of equal
        actions.

    Raises:
        UsageError: a horizon below 0, tables that would be too large, or gamma out of range.

    Source: Bellman (1957), "Dynamic programming"; Puterman (2005), section 4.5.
    """
    gamma = check_gamma(gamma)
    H = check_horizon(horizon)
    size = (2 * H + 1) * mdp.n_states * 8
    if size > MEMORY_LIMIT:
        raise UsageError(
            f"horizon={H:,} over {mdp.n_states:,} states would take {size / 2**30:,.1f} GiB, more than the limit of "
            f"{MEMORY_LIMIT / 2**30:,.1f} GiB; value_iteration plans without a time limit"
        )
    from rlcourse.mdp import compiled

    V, policy = np.zeros((H + 1, mdp.n_states)), np.empty((H, mdp.n_states), np.int64)
    compiled.induct(*mdp.continuing, mdp.expected_reward, gamma, V, policy)
    return Plan(V, policy)
