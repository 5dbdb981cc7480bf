"""Thompson sampling: pull an arm as often as it is believed to be the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.arrays import flip_coins
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Finite, Positive


@dataclass(frozen=True)
class ThompsonConfig(AgentConfig):
    """Settings of `thompson`."""

    prior_successes: Positive = 1.0
    """First parameter of every arm's beta prior (Agrawal & Goyal 2012, algorithm 1: uniform)."""
    prior_failures: Positive = 1.0
    """Second parameter of every arm's beta prior."""


class Thompson(BanditAgent):
    """Draw a mean for every arm from what is believed of it, and pull the arm whose draw is highest.

        theta_a ~ Beta(alpha_a, beta_a),  A_t = argmax_a theta_a
        alpha_A <- alpha_A + X,  beta_A <- beta_A + 1 - X,  X = R scaled to [0, 1], made 0 or 1 by a coin of that chance

    Source: Thompson (1933); Agrawal & Goyal (2012), "Analysis of Thompson sampling for the multi-armed bandit problem",
    algorithms 1 and 2 (the coin); asymptotically optimal: Kaufmann, Korda & Munos (2012).
    """

    name = "thompson"
    config_class = ThompsonConfig
    config: ThompsonConfig
    needs_bounded_rewards = "gaussian_thompson or ucb"

    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """`alpha` and `beta float64 [S, K]`: the parameters of every arm's posterior."""
        shape = (size, self.n_arms)
        return {
            **super().initial_state(size),
            "alpha": np.full(shape, self.config.prior_successes, np.float64),
            "beta": np.full(shape, self.config.prior_failures, np.float64),
        }

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest draw."""
        from rlcourse.agents.bandits.compiled import argmax_beta  # loads numba

        actions = np.empty(self.size, np.int64)
        argmax_beta(self.alpha, self.beta, self.stream.state, actions)
        return actions

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Count a success or a failure."""
        from rlcourse.agents.bandits.compiled import count_successes  # loads numba

        super().update(observation, actions, rewards)
        count_successes(self.alpha, self.beta, actions, flip_coins(self.scaled(rewards), self.stream))

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The means of the posteriors, in units of the reward."""
        return self.reward_low + self.reward_scale * self.alpha / (self.alpha + self.beta)


@dataclass(frozen=True)
class GaussianThompsonConfig(AgentConfig):
    """Settings of `gaussian_thompson`."""

    sigma: Positive = 1.0
    """Standard deviation of the rewards, taken as known (Agrawal & Goyal 2013, section 2: 1)."""
    prior_mean: Finite = 0.0
    """What an arm is believed to pay before it was pulled (the same: 0)."""
    prior_sd: Positive = 1.0
    """Standard deviation of that belief (the same: 1)."""


class GaussianThompson(BanditAgent):
    """Thompson sampling with a normal belief on every arm and rewards of known standard deviation sigma.

        theta_a ~ N(m_a, sigma^2 / n_a),  A_t = argmax_a theta_a
        n_a = N_a + (sigma / prior_sd)^2      pulls, and what the prior is worth in pulls
        m_A <- m_A + (R - m_A) / n_A

    With the defaults m_a = sum_a / (N_a + 1) and n_a = N_a + 1. Rewards need not be normal: the bounds of the paper hold
    for [0, 1], and no bounds are needed to play.
    Source: Agrawal & Goyal (2013), "Further optimal regret bounds for Thompson sampling", section 2.2.
    """

    name = "gaussian_thompson"
    config_class = GaussianThompsonConfig
    config: GaussianThompsonConfig

    belief: NDArray[np.float64]
    spread: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """`belief` m and `spread` sigma / sqrt(n), float64 `[S, K]`: mean and standard deviation of every arm's posterior."""
        shape = (size, self.n_arms)
        return {
            **super().initial_state(size),
            "belief": np.full(shape, self.config.prior_mean, np.float64),
            "spread": np.full(shape, self.config.prior_sd, np.float64),
        }

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest draw."""
        draws = self.stream.normal(self.n_arms)
        draws *= self.spread
        draws += self.belief
        return self.greedy(draws)

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The conjugate update of a normal mean."""
        super().update(observation, actions, rewards)
        flat = self.offset + actions
        ratio = self.config.sigma / self.config.prior_sd
        pulls = ratio * ratio + self.counts.reshape(-1).take(flat)
        belief = self.belief.reshape(-1)
        old = belief.take(flat)
        belief[flat] = old + (rewards - old) / pulls
        self.spread.reshape(-1)[flat] = self.config.sigma / np.sqrt(pulls)

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The means of the posteriors."""
        return self.belief
