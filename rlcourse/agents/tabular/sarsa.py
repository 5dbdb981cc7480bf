"""Sarsa: learn the values of what one does."""

from __future__ import annotations

from typing import Any

from rlcourse.agents.tabular.base import TabularAgent
from rlcourse.agents.tabular.compiled import compiled
from rlcourse.agents.tabular.explore import choose, step_size


@compiled
def update(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """Q(S, A) <- Q(S, A) + alpha [R + gamma Q(S', A') - Q(S, A)]."""
    target = r
    if not terminated:
        me.next_action[i] = choose(me.explorer, i, y, me.Q[i, y])
        target += me.gamma * me.Q[i, y, me.next_action[i]]
    me.Q[i, x, a] += step_size(me, i, x, a) * (target - me.Q[i, x, a])


class Sarsa(TabularAgent):
    """Learn the values of the policy that is followed, exploration included, from the action that is taken next.

        Q(S, A) <- Q(S, A) + alpha [R + gamma Q(S', A') - Q(S, A)]

    It converges to Q* with probability 1 if, beside the condition on the step sizes, exploration is greedy in the limit with
    infinite exploration (`exploration="glie"`).

    Source: Rummery & Niranjan (1994); Singh et al. (2000); Sutton & Barto (2018), section 6.4.
    """

    name = "sarsa"
    update = update
