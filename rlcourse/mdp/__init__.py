"""Finite Markov decision processes as arrays, and exact planning on them.

    mdp = FiniteMDP.from_env(env)                     # ours, or any environment with Gymnasium's P
    V, policy = value_iteration(mdp, gamma=0.99)
    mdp.start @ V                                     # what the problem is worth
    evaluate_policy(mdp, learned, gamma=0.99)         # the true value of one policy, or of a hundred

`model` holds the arrays (`validation` checks them, `size` says if there is room), `gymnasium_model` reads and writes
Gymnasium's form, `backup` has Q and its maxima, `evaluation` solves for the value of a policy, `planning` is what one calls,
`undiscounted` is the case gamma = 1, `soft` puts exploration into the world, `compiled` are the loops.
"""

from __future__ import annotations

from rlcourse.mdp.backup import greedy_policy, optimal_actions, q_values
from rlcourse.mdp.evaluation import evaluate_policy
from rlcourse.mdp.model import FiniteMDP
from rlcourse.mdp.planning import Plan, finite_horizon, policy_iteration, value_iteration
from rlcourse.mdp.size import check_model_size
from rlcourse.mdp.soft import epsilon_soft

__all__ = [
    "FiniteMDP",
    "Plan",
    "check_model_size",
    "epsilon_soft",
    "evaluate_policy",
    "finite_horizon",
    "greedy_policy",
    "optimal_actions",
    "policy_iteration",
    "q_values",
    "value_iteration",
]
