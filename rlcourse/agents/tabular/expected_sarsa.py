"""Expected Sarsa: learn the values of what one does, without the luck of the next draw."""

from __future__ import annotations

from typing import Any

from rlcourse.agents.tabular.base import TabularAgent
from rlcourse.agents.tabular.compiled import compiled
from rlcourse.agents.tabular.explore import expected, step_size


@compiled
def update(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """Q(S, A) <- Q(S, A) + alpha [R + gamma sum_a pi(a|S') Q(S', a) - Q(S, A)]."""
    target = r if terminated else r + me.gamma * expected(me.explorer, i, y, me.Q[i, y])
    me.Q[i, x, a] += step_size(me, i, x, a) * (target - me.Q[i, x, a])


class ExpectedSarsa(TabularAgent):
    """Learn the values of the policy that is followed, from the mean over the actions that it could take next.

        Q(S, A) <- Q(S, A) + alpha [R + gamma sum_a pi(a|S') Q(S', a) - Q(S, A)]

    The target has no variance by the choice of A', so that even alpha = 1 works in a deterministic world.

    Source: van Seijen, van Hasselt, Whiteson & Wiering (2009), "A theoretical and empirical analysis of Expected Sarsa";
    Sutton & Barto (2018), eq. 6.9.
    """

    name = "expected_sarsa"
    update = update
