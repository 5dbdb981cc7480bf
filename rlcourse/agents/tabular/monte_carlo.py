"""Monte Carlo control: learn from what came out in the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.tabular.base import tables
from rlcourse.agents.tabular.compiled import compiled
from rlcourse.agents.tabular.episodes import PATH, EpisodeConfig, EpisodeLearner, keep
from rlcourse.agents.tabular.explore import StepSize, TabularConfig, expected, share

Visit = Literal["first", "every"]
FIRST = 0
Tables = tables(__name__, *PATH, "visit", "returns_seen", "first_at")


@compiled
def update(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """At the end of an episode, from its last step back: G <- R + gamma G; Q(S, A) moves towards G."""
    count = me.Q.shape[2]
    if me.first_at[i, x * count + a] < 0:
        me.first_at[i, x * count + a] = me.length[i]
    full = keep(me, i, x, a, r)
    if not (terminated or truncated or full):
        return
    g = 0.0 if terminated else expected(me.explorer, i, y, me.Q[i, y])
    for k in range(me.length[i] - 1, -1, -1):
        g = me.path_r[i, k] + me.gamma * g
        pair = me.path_x[i, k] * count + me.path_a[i, k]
        if me.visit == FIRST and me.first_at[i, pair] < k:
            continue
        me.returns_seen[i, pair] += 1
        s, b = me.path_x[i, k], me.path_a[i, k]
        me.Q[i, s, b] += share(me, me.returns_seen[i, pair]) * (g - me.Q[i, s, b])
    for k in range(me.length[i]):
        me.first_at[i, me.path_x[i, k] * count + me.path_a[i, k]] = -1
    me.length[i] = 0


@dataclass(frozen=True)
class MonteCarloConfig(TabularConfig, EpisodeConfig):
    """Settings of `monte_carlo`."""

    visit: Visit = "first"
    """Which visits of a pair in an episode count: the first, whose returns are independent and without bias, or every one,
    which are more (Singh & Sutton 1996)."""
    step_size: StepSize = "average"
    """As for `q_learning`, but n counts the returns that were seen: the average of all (Sutton & Barto 2018, section 5.4)."""


class MonteCarlo(EpisodeLearner):
    """The average of the returns that followed each pair, improved from episode to episode.

        G <- R_{t+1} + gamma G  from the last step back;   Q(S_t, A_t) <- Q(S_t, A_t) + alpha_n [G - Q(S_t, A_t)]
        "first": only where the pair did not occur before t in the episode

    On-policy: it learns the values of the policy that is followed, exploration included.

    State beside that of every learner that waits for the end: `returns_seen int64 [S, X A]` (how many returns) and
    `first_at int64 [S, X A]` (where each pair occurred first in this episode, or -1).

    Source: Sutton & Barto (2018), section 5.4.
    """

    name = "monte_carlo"
    config_class = MonteCarloConfig
    config: MonteCarloConfig
    tables = Tables
    update = update
    of_episode = {**EpisodeLearner.of_episode, "first_at": -1}  # noqa: RUF012

    returns_seen: NDArray[np.int64]

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        pairs = (size, self.n_states * self.n_actions)
        return {
            **super().initial_state(size),
            "returns_seen": np.zeros(pairs, np.int64),
            "first_at": np.full(pairs, -1, np.int64),
        }
