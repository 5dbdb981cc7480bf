"""Optimism: upper confidence bounds on the mean of every arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, NonNegative


@dataclass(frozen=True)
class UCBConfig(AgentConfig):
    """Settings of `ucb`."""

    c: NonNegative = 2.0
    """Weight of the confidence bonus, in units of the reward (Sutton & Barto 2018, figure 2.4)."""


class UCB(BanditAgent):
    """Upper confidence bound with an explicit weight.

        A_t = argmax_a  e_a + c sqrt(ln t / N_a)

    with e_a the mean of what arm a has paid, N_a its pulls, t the pulls so far (the book counts the coming one as well);
    every arm is pulled once first.
    Source: Sutton & Barto (2018), eq. 2.10.
    """

    name = "ucb"
    config_class = UCBConfig
    plays_each_arm_first = True

    radius: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """`radius float64 [S, K]`: 1 / sqrt(N_a), kept up to date so that a round takes no root of the whole table."""
        return {**super().initial_state(size), "radius": np.zeros((size, self.n_arms))}

    def width(self) -> float:
        """What sqrt(ln t / N_a) is multiplied with."""
        assert isinstance(self.config, UCBConfig)
        return self.config.c

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest bound."""
        from rlcourse.agents.bandits.compiled import argmax_bound  # loads numba

        bonus = np.log(self.t)
        np.sqrt(bonus, out=bonus)
        bonus *= self.width()
        actions = np.empty(self.size, np.int64)
        argmax_bound(self.means, self.radius, bonus, self.stream.state, actions)
        return actions

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Sample means, and the radius of the pulled arm."""
        from rlcourse.agents.bandits.compiled import shrink_radius  # loads numba

        super().update(observation, actions, rewards)
        shrink_radius(self.counts, self.radius, actions)


class UCB1(UCB):
    """UCB1, for rewards in a known range of width b (1 in the paper; taken from the world, 1 where it has no bounds).

        A_t = argmax_a  e_a + b sqrt(2 ln t / N_a)

    Regret at most b (8 sum_a ln t / Delta_a + (1 + pi^2 / 3) sum_a Delta_a), gaps Delta measured in units of b.
    Source: Auer, Cesa-Bianchi & Fischer (2002), "Finite-time analysis of the multiarmed bandit problem", theorem 1.
    """

    name = "ucb1"
    config_class = AgentConfig  # type: ignore[assignment]  # its weight is fixed

    def width(self) -> float:
        """The range of the rewards, times the root of two."""
        return self.reward_scale * np.sqrt(2.0)
