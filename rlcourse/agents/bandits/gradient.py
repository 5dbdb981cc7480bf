"""The gradient bandit: stochastic gradient ascent on the expected reward of a softmax policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.arrays import softmax
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Positive


@dataclass(frozen=True)
class GradientBanditConfig(AgentConfig):
    """Settings of `gradient_bandit`."""

    step_size: Positive = 0.1
    """Step size alpha of the preferences (Sutton & Barto 2018, figure 2.5)."""
    baseline: bool = True
    """Compare rewards with their average so far; without it, with zero (Sutton & Barto 2018, figure 2.5)."""


class GradientBandit(BanditAgent):
    """Preferences H_a that rise where a reward was above the average and fall where it was below.

        pi(a) = exp(H_a) / sum_b exp(H_b)
        H_a <- H_a + alpha (R - B) (1{a = A} - pi(a))   for all a

    with B the average of all rewards before this one (in the first round R itself), or 0 without baseline.
    Source: Sutton & Barto (2018), section 2.8, eq. 2.11 and 2.12.
    """

    name = "gradient_bandit"
    config_class = GradientBanditConfig
    config: GradientBanditConfig

    preferences: NDArray[np.float64]
    policy: NDArray[np.float64]
    average: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """`preferences` and `policy float64 [S, K]`, `average float64 [S]` of all rewards."""
        return {
            **super().initial_state(size),
            "preferences": np.zeros((size, self.n_arms)),
            "policy": np.full((size, self.n_arms), 1.0 / self.n_arms),
            "average": np.zeros(size),
        }

    def select(self, observation: Any) -> NDArray[np.int64]:
        """An arm drawn from the policy."""
        return self.stream.categorical(self.policy, check=False)

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """A step along the gradient, and the policy that follows."""
        super().update(observation, actions, rewards)
        if self.config.baseline:
            np.copyto(self.average, rewards, where=self.t == 1.0)
            advantage = rewards - self.average
            self.average += advantage / self.t
        else:
            advantage = rewards
        step = self.config.step_size * advantage
        self.preferences -= step[:, None] * self.policy
        self.preferences.reshape(-1)[self.offset + actions] += step
        self.policy[:] = softmax(self.preferences)

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The preferences."""
        return self.preferences
