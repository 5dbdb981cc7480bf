"""Planning with gamma = 1: the greatest expected total reward.

Optimal is meant among the policies that surely end the episode or come to rest, that is, walk on for ever without reward. A
policy that does neither goes through rewards for ever; if these average below zero it has -inf and is no loss. What does not
fit is refused: a state from which no policy ends or rests, and a loop that pays.

Policy iteration is right here if it begins with a policy of that kind. Let J be its value, and let the next policy take other
actions only where they are better. Suppose that it could walk for ever among some states. Averaged over that walk,
r + P J - J is the average reward of the walk, and it is above 0 if any action there is new: the loop pays, and there is no
optimum. If none is new, the walk was there before, and rests. So every policy ends or rests, unless there is no optimum. When
nothing is better any more, J >= r_pi + P_pi J for every policy pi; hence J >= J_pi if pi ends, and also if it rests, since J
is at least 0 wherever one can rest, from the first policy on. The same holds for sweeps that raise V from such a J and take
the action that raised it.

This is the analysis of stochastic shortest paths by Bertsekas & Tsitsiklis (1991, Math. Oper. Res. 16, "An analysis of
stochastic shortest path problems"), where every policy that does not end costs infinitely much; rest is added here.

The stopping rules known for gamma = 1 (interval iteration, Haddad & Monmege 2018) bound iterates from both sides; here the
policy is solved exactly instead, so that only rounding is left.
"""

from __future__ import annotations

import numpy as np

from rlcourse.errors import UsageError
from rlcourse.mdp import compiled
from rlcourse.mdp.backup import TIE
from rlcourse.mdp.evaluation import evaluate_policy
from rlcourse.mdp.model import FiniteMDP, Floats, Ints
from rlcourse.mdp.planning import improve_until_best


def total_reward(mdp: FiniteMDP, *, sweeps: int) -> tuple[Floats, Ints]:
    """The optimum without discount: `V, policy`, with max_a Q - V <= 1e-12 max|V|.

    Args:
        mdp: the model.
        sweeps: of value iteration between two exact solutions; 0: policy iteration alone.

    Raises:
        UsageError: a state from which no policy ends or rests, or a total reward that grows without bound.
    """
    policy = first_policy(mdp)
    V = evaluate_policy(mdp, policy, 1.0)
    done = 0 if sweeps else -1
    while done == 0 and np.isfinite(V).all():
        slack = TIE * max(1.0, float(np.abs(V).max()))
        used = compiled.improve(*mdp.continuing, mdp.expected_reward, V, policy, slack, sweeps)
        done = int(used < sweeps)
        V = evaluate_policy(mdp, policy, 1.0)
    if np.isfinite(V).all():
        V, policy = improve_until_best(mdp, 1.0, policy)
    if not np.isfinite(V).all():
        x = int((~np.isfinite(V)).argmax())
        raise UsageError(
            f"with gamma=1 there is no optimum: from state {x} rewards can be collected for ever; "
            "take gamma < 1, or finite_horizon"
        )
    return V, policy


def first_policy(mdp: FiniteMDP) -> Ints:
    """A policy that rests wherever that is possible, and otherwise surely ends or comes to such a place.

    Raises:
        UsageError: there is none for some state.
    """
    first, following, chance = mdp.continuing
    policy = np.zeros(mdp.n_states, np.int64)
    resting = np.ones(mdp.n_states, np.bool_)
    free = mdp.available & ~mdp.ending & (mdp.expected_reward == 0.0)
    compiled.rest(first, following, free, resting, policy)
    sure = np.ones(mdp.n_states, np.bool_)
    reached = compiled.attract(first, following, chance, mdp.available, mdp.ending, resting, sure, policy)
    if reached < mdp.n_states:
        raise UsageError(
            f"with gamma=1 every state needs a policy that surely ends the episode; from state {int((~sure).argmax())} "
            f"there is none ({int((~sure).sum())} such states); take gamma < 1, or finite_horizon"
        )
    return policy
