"""UCB with an alarm on every arm: where its rewards have left their old mean, the arm is learned anew."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.bandits.changing import ChangingConfig
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Count, NonNegative, Positive, Probability, Within


@dataclass(frozen=True)
class CUSUMUCBConfig(ChangingConfig):
    """Settings of `cusum_ucb`."""

    samples: Count = 100
    """Pulls M of an arm whose mean is the baseline of its alarm (as SMPyBandits plays the paper)."""
    drift: Annotated[float, Within(0.0, 1.0)] = 0.1
    """Deviation epsilon, in units of the reward range, that is taken for noise: smaller finds smaller
    changes, with more false alarms (Liu, Lee & Shroff 2018, section on the CUSUM test)."""
    threshold: Positive | None = None
    """Sum h that rings the alarm, in units of the reward range; none: ln(T / Y) (Liu, Lee & Shroff 2018, the
    tuning for a known number of changes)."""
    alpha: Probability | None = None
    """Chance of a random arm, so that every alarm hears something; none: sqrt(Y / T ln(T / Y)) (Liu, Lee &
    Shroff 2018, as for h)."""
    xi: NonNegative = 1.0
    """Weight of the confidence bonus (Liu, Lee & Shroff 2018, theorem 1)."""


class CUSUMUCB(BanditAgent):
    """UCB since the last alarm of each arm; the alarm is a two-sided cumulative sum test.

        with chance alpha a uniform arm, else  A_t = argmax_a  X_a + b sqrt(xi ln n / N_a),  n = sum_a N_a
        u0 = mean of the first M pulls of the arm; from then on, for every reward y of it,
        g+ <- max(0, g+ + y - u0 - epsilon),   g- <- max(0, g- + u0 - y - epsilon)
        alarm where g+ >= h or g- >= h: N_a, X_a, u0, g+ and g- of this arm begin anew

    N_a and X_a count from the arm's last alarm (so do `counts` and `means`); an arm without any is pulled. b
    is the range of the rewards, which y, epsilon and h are measured in.
    Source: Liu, Lee & Shroff (2018), "A change-detection based framework for piecewise-stationary multi-armed
    bandit problem", CD-UCB with the two-sided CUSUM test.
    """

    name = "cusum_ucb"
    config_class = CUSUMUCBConfig
    config: CUSUMUCBConfig
    needs_bounded_rewards = "discounted_ucb or sliding_window_ucb"

    baseline: NDArray[np.float64]
    above: NDArray[np.float64]
    below: NDArray[np.float64]
    alarms: NDArray[np.float64]

    def _check_world(self) -> None:
        threshold, alpha = self.config.threshold, self.config.alpha
        if threshold is None or alpha is None:
            # At least 2, or there would be nothing between two changes to learn.
            piece = max(self.planned_horizon() / self.config.changes, 2.0)
            threshold = math.log(piece) if threshold is None else threshold
            alpha = math.sqrt(math.log(piece) / piece) if alpha is None else alpha
        self.threshold, self.alpha = threshold, alpha

    def initial_state(self, size: int) -> Arrays:
        """`baseline`, `above`, `below` `[S, K]`: u0, g+, g- in units of the range; `alarms`."""
        tables = {name: np.zeros((size, self.n_arms)) for name in ("baseline", "above", "below", "alarms")}
        return {**super().initial_state(size), **tables}

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest bound, or a uniform one."""
        total = np.maximum(self.counts.sum(axis=1), 1.0)
        index = np.sqrt((self.config.xi * np.log(total))[:, None] / np.maximum(self.counts, 1.0))
        index *= self.reward_scale
        index += self.means
        index[self.counts == 0.0] = np.inf
        actions = self.greedy(index)
        explore = np.flatnonzero(self.stream.uniform() < self.alpha)
        actions[explore] = self.stream.integers(self.n_arms, rows=explore)
        return actions

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The mean of the pulled arm and its two sums; where they ring, the arm is as if never pulled."""
        super().update(observation, actions, rewards)
        flat = self.offset + actions
        pulls = self.counts.reshape(-1).take(flat)
        reward = self.scaled(rewards)
        baseline, above, below = (table.reshape(-1) for table in (self.baseline, self.above, self.below))
        u0 = baseline.take(flat)
        learning = pulls <= self.config.samples
        rise = np.where(learning, 0.0, np.maximum(above.take(flat) + (reward - u0 - self.config.drift), 0.0))
        fall = np.where(learning, 0.0, np.maximum(below.take(flat) + (u0 - reward - self.config.drift), 0.0))
        baseline[flat] = np.where(learning, u0 + (reward - u0) / pulls, u0)
        above[flat] = rise
        below[flat] = fall
        rung = flat[(rise >= self.threshold) | (fall >= self.threshold)]
        if len(rung):
            for table in (self.counts, self.means, self.baseline, self.above, self.below):
                table.reshape(-1)[rung] = 0.0
            self.alarms.reshape(-1)[rung] += 1.0
