"""The best that an agent can do that must keep exploring: the problem with the exploration moved into the world."""

from __future__ import annotations

import numpy as np

from rlcourse.mdp.backup import check_share
from rlcourse.mdp.model import FiniteMDP
from rlcourse.mdp.size import check_model_size


def epsilon_soft(mdp: FiniteMDP, epsilon: float) -> FiniteMDP:
    """The same problem where every action is, with chance epsilon, replaced by a random available one.

        P'(. | x, a) = (1 - epsilon) P(. | x, a) + epsilon / |A(x)| sum_b P(. | x, b)

    A deterministic policy here is an epsilon-greedy one there, so that planning on the new problem gives the best value that
    any epsilon-soft policy has. On the cliff with epsilon = 0.1 it is -20.708 instead of -13: the safe way round.

    Args:
        mdp: the problem.
        epsilon: in [0, 1].

    Returns:
        A model with the same states, actions and start, and up to A times the outcomes.

    Raises:
        UsageError: epsilon is outside [0, 1], or the model would be too large.

    Source: Sutton & Barto (2018), section 5.4 (the environment "with the requirement that policies be epsilon-soft moved
    inside").
    """
    epsilon = check_share("epsilon", epsilon)
    X, A = mdp.n_states, mdp.n_actions
    counts = np.diff(mdp.first)
    check_model_size(X, A, int(counts.reshape(X, A).sum(axis=1).max()))
    state, action = np.divmod(np.repeat(np.arange(X * A), counts), A)
    choices = mdp.available.sum(axis=1)

    # Every outcome k once for its own action, and once for every available action of its state.
    k, taken = np.nonzero(mdp.available[state])
    chance = epsilon / choices[state[k]] + (1.0 - epsilon) * (taken == action[k])
    return FiniteMDP.from_outcomes(
        state[k],
        taken,
        chance * mdp.prob[k],
        mdp.next[k],
        mdp.reward[k],
        mdp.terminated[k],
        start=mdp.start,
        n_actions=A,
    )
