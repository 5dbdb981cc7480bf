"""Q-learning: learn of the best policy while following another; also from a sliding buffer of what happened lately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Count, Within
from rlcourse.agents.tabular.base import TabularAgent, tables
from rlcourse.agents.tabular.compiled import borrow, compiled
from rlcourse.agents.tabular.explore import TabularConfig, highest, step_size

next_integer = borrow("rlcourse.streams_compiled:next_integer")
ReplayTables = tables(__name__, "gradient_steps", "lately", "paid", "ended", called="ReplayTables")


@compiled
def improve(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any) -> None:
    """Q(S, A) <- Q(S, A) + alpha [R + gamma max_a Q(S', a) - Q(S, A)]."""
    target = r if terminated else r + me.gamma * highest(me.Q[i, y])
    me.Q[i, x, a] += step_size(me, i, x, a) * (target - me.Q[i, x, a])


@compiled
def update(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """Learn from this step."""
    improve(me, i, x, a, r, y, terminated)


@compiled
def update_and_replay(
    me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any
) -> None:
    """Learn from this step, keep it in the place of the oldest, and learn from some of those that are kept."""
    improve(me, i, x, a, r, y, terminated)
    size = me.paid.shape[1]
    slot = (me.t[i] - 1) % size
    me.lately[i, slot, 0], me.lately[i, slot, 1], me.lately[i, slot, 2] = x, a, y
    me.paid[i, slot], me.ended[i, slot] = r, terminated
    for _ in range(me.gradient_steps):
        k = next_integer(me.stream, i, min(me.t[i], size))
        s, b, after = me.lately[i, k, 0], me.lately[i, k, 1], me.lately[i, k, 2]
        improve(me, i, s, b, me.paid[i, k], after, me.ended[i, k])


@dataclass(frozen=True)
class QLearningConfig(TabularConfig):
    """Settings of `q_learning`."""

    gradient_steps: Annotated[int, Within(0)] = 0
    """Further updates after each step, from steps drawn out of the buffer (stable-baselines3's name); 0 is no replay."""
    buffer_size: Count = 1_000
    """The last steps that are kept for replay: a short buffer forgets a world that is no more."""


class QLearning(TabularAgent):
    """Learn the best values by what looks best in the next state, whatever is done there.

        Q(S, A) <- Q(S, A) + alpha [R + gamma max_a Q(S', a) - Q(S, A)]

    It converges to Q* with probability 1 if every pair is visited for ever and the step sizes satisfy the condition of Robbins
    & Monro (`step_size`), with any exploration. With `gradient_steps` the last `buffer_size` steps are replayed, too.

    State beside that of every learner: `lately int64 [S, buffer, 3]` (state, action and next state of the last steps), `paid
    float64` and `ended bool [S, buffer]`; the buffer is empty without replay.

    Source: Watkins (1989); Watkins & Dayan (1992), "Q-learning"; Sutton & Barto (2018), section 6.5; Lin (1992),
    "Self-improving reactive agents based on reinforcement learning, planning and teaching", for the replay.
    """

    name = "q_learning"
    config_class = QLearningConfig
    config: QLearningConfig
    update = update

    lately: NDArray[np.int64]
    paid: NDArray[np.float64]
    ended: NDArray[np.bool_]

    def _prepare(self) -> None:
        super()._prepare()
        if self.config.gradient_steps:
            self.update, self.tables = update_and_replay, ReplayTables

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        kept = self.config.buffer_size if self.config.gradient_steps else 0
        return {
            **super().initial_state(size),
            "lately": np.zeros((size, kept, 3), np.int64),
            "paid": np.zeros((size, kept)),
            "ended": np.zeros((size, kept), np.bool_),
        }
