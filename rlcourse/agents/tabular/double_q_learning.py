"""Double Q-learning: two tables, so that luck is not taken for value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.tabular.base import TabularAgent, tables
from rlcourse.agents.tabular.compiled import borrow, compiled
from rlcourse.agents.tabular.explore import best_action, explore, step_size

next_uniform = borrow("rlcourse.streams_compiled:next_uniform")
Tables = tables(__name__, "Q1", "Q2")


@compiled
def correct(
    me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, learner: Any, judge: Any
) -> None:
    """Q1(S, A) <- Q1(S, A) + alpha [R + gamma Q2(S', argmax_a Q1(S', a)) - Q1(S, A)]."""
    target = r if terminated else r + me.gamma * judge[i, y, best_action(me.explorer, i, learner[i, y])]
    learner[i, x, a] += step_size(me, i, x, a) * (target - learner[i, x, a])


@compiled
def update(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """A coin says which table learns; the other one judges its choice."""
    if next_uniform(me.stream, i) < 0.5:
        correct(me, i, x, a, r, y, terminated, me.Q1, me.Q2)
    else:
        correct(me, i, x, a, r, y, terminated, me.Q2, me.Q1)
    me.Q[i, x, a] = 0.5 * (me.Q1[i, x, a] + me.Q2[i, x, a])


class DoubleQLearning(TabularAgent):
    """Two tables, of which one chooses the best next action and the other one says what it is worth.

        with probability 1/2  Q1(S, A) <- Q1(S, A) + alpha [R + gamma Q2(S', argmax_a Q1(S', a)) - Q1(S, A)]
        else the same with Q1 and Q2 exchanged

    The maximum of estimates is too high on average wherever they are uncertain; an independent second estimate of the action
    that was chosen is not. Actions are taken by the mean of the tables, `Q`.

    Source: van Hasselt (2010), "Double Q-learning"; Sutton & Barto (2018), section 6.7.
    """

    name = "double_q_learning"
    tables = Tables
    update = update
    act = explore

    Q1: NDArray[np.float64]
    Q2: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """`Q1, Q2 float64 [S, X, A]`."""
        state = super().initial_state(size)
        return {**state, "Q1": state["Q"].copy(), "Q2": state["Q"].copy()}
