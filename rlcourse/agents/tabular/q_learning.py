"""Q-learning: learn of the best policy while following another."""

from __future__ import annotations

from typing import Any

from rlcourse.agents.tabular.base import TabularAgent
from rlcourse.agents.tabular.compiled import compiled
from rlcourse.agents.tabular.explore import highest, step_size


@compiled
def update(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """Q(S, A) <- Q(S, A) + alpha [R + gamma max_a Q(S', a) - Q(S, A)]."""
    target = r if terminated else r + me.gamma * highest(me.Q[i, y])
    me.Q[i, x, a] += step_size(me, i, x, a) * (target - me.Q[i, x, a])


class QLearning(TabularAgent):
    """Learn the best values by what looks best in the next state, whatever is done there.

        Q(S, A) <- Q(S, A) + alpha [R + gamma max_a Q(S', a) - Q(S, A)]

    It converges to Q* with probability 1 if every pair is visited for ever and the step sizes satisfy the condition of Robbins
    & Monro (`step_size`), with any exploration.

    Source: Watkins (1989); Watkins & Dayan (1992), "Q-learning"; Sutton & Barto (2018), section 6.5.
    """

    name = "q_learning"
    update = update
