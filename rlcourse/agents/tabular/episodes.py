"""What an episode was: kept until it is over, for rules that learn from its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Count
from rlcourse.agents.tabular.base import TabularAgent
from rlcourse.agents.tabular.compiled import compiled

PATH = ("path_x", "path_a", "path_r", "length")


@dataclass(frozen=True)
class EpisodeConfig(AgentConfig):
    """What can be set of every learner that waits for the end of an episode."""

    longest_episode: Count = 10_000
    """Steps that are kept at most; a longer episode is cut there for learning, as if it had been truncated."""


class EpisodeLearner(TabularAgent):
    """A learner that waits for the end.

    State beside that of every learner: `path_x, path_a int64 [S, L]` and `path_r float64 [S, L]` (states, actions, rewards of
    the episode so far) and `length int64 [S]`, L the time limit or `longest_episode`.
    """

    of_episode = {"next_action": -1, "length": 0}  # noqa: RUF012

    length: NDArray[np.int64]

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        longest: int = self.config.longest_episode  # type: ignore[attr-defined]
        shape = (size, min(longest, self.world_horizon() or longest))
        return {
            **super().initial_state(size),
            "path_x": np.zeros(shape, np.int64),
            "path_a": np.zeros(shape, np.int64),
            "path_r": np.zeros(shape),
            "length": np.zeros(size, np.int64),
        }


@compiled
def keep(me: Any, i: Any, x: Any, a: Any, r: Any) -> Any:
    """Put a step to the path; whether there is room for no more."""
    k = me.length[i]
    me.path_x[i, k], me.path_a[i, k], me.path_r[i, k] = x, a, r
    me.length[i] = k + 1
    return k + 1 == me.path_x.shape[1]
