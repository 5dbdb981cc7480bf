"""Epsilon strategies that never stop exploring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Finite, Probability


@dataclass(frozen=True)
class EpsilonGreedyConfig(AgentConfig):
    """Settings of `epsilon_greedy`."""

    epsilon: Probability = 0.1
    """Chance of a random arm in every round (Sutton & Barto 2018, figure 2.2)."""
    step_size: Probability | None = None
    """Constant step size of the estimates, for worlds that change (Sutton & Barto 2018, eq. 2.5); none: sample means."""
    initial_value: Finite = 0.0
    """Estimate of an arm that was never pulled (Sutton & Barto 2018, section 2.3)."""


class EpsilonGreedy(BanditAgent):
    """With chance epsilon a random arm, else the arm that has paid best so far.

        A_t = argmax_a Q_t(a)  with probability 1 - epsilon,  a uniform arm with probability epsilon
        Q(A) <- Q(A) + alpha (R - Q(A)),  alpha = 1 / N(A) or a constant

    Source: Sutton & Barto (2018), sections 2.2 - 2.5.
    """

    name = "epsilon_greedy"
    config_class = EpsilonGreedyConfig
    config: EpsilonGreedyConfig

    def initial_state(self, size: int) -> Arrays:
        """The estimates start at `initial_value`."""
        state = super().initial_state(size)
        state["means"] += self.config.initial_value
        return state

    def epsilon(self) -> NDArray[np.float64] | float:
        """The chance of exploring in this round, a number or one for each member `[S]`."""
        return self.config.epsilon

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The best arm so far, or with chance epsilon a uniform one."""
        explore = np.flatnonzero(self.stream.uniform() < self.epsilon())
        actions = self.greedy(self.means)
        actions[explore] = self.stream.integers(self.n_arms, rows=explore)
        return actions

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Move the estimate of the pulled arm towards what it paid."""
        if self.config.step_size is None:
            super().update(observation, actions, rewards)
            return
        flat = self.offset + actions
        means = self.means.reshape(-1)
        old = means.take(flat)
        means[flat] = old + self.config.step_size * (rewards - old)
        self.counts.reshape(-1)[flat] += 1.0
        self.t += 1.0
