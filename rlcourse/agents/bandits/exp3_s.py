"""Exponential weights that can follow a best arm that changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.bandits.changing import ChangingConfig
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Probability, Within


@dataclass(frozen=True)
class Exp3SConfig(ChangingConfig):
    """Settings of `exp3_s`."""

    gamma: Annotated[float, Within(0.0, 1.0, above=True)] | None = None
    """Share of uniform exploration; none: min(1, sqrt(K ((Y + 1) ln(K T) + e) / ((e - 1) T))) (Auer et al.
    2002, corollary 8.3, for Y + 1 stationary pieces)."""
    alpha: Probability | None = None
    """Share of all weights that every arm is given in each round; none: 1 / T (Auer et al. 2002, corollary
    8.3)."""


class Exp3S(BanditAgent):
    """Exp3 in which every arm is given a share of all weights: none falls too far behind to come back.

        p_a = (1 - gamma) w_a / sum_b w_b + gamma / K,    A_t ~ p,    x^_A = x / p_A  (0 for the others)
        w_a <- w_a exp(gamma x^_a / K) + e alpha / K sum_b w_b

    with x the reward, scaled from the world's range to [0, 1]. The weights are kept with sum 1, which changes
    no chance.
    Source: Auer, Cesa-Bianchi, Freund & Schapire (2002), "The nonstochastic multiarmed bandit problem",
    section 8.
    """

    name = "exp3_s"
    config_class = Exp3SConfig
    config: Exp3SConfig
    needs_bounded_rewards = "discounted_ucb or sliding_window_ucb"

    weights: NDArray[np.float64]

    def _check_world(self) -> None:
        K, gamma, alpha = self.n_arms, self.config.gamma, self.config.alpha
        if gamma is None:
            T, pieces = self.planned_horizon(), self.config.changes + 1
            gamma = min(1.0, math.sqrt(K * (pieces * math.log(K * T) + math.e) / ((math.e - 1.0) * T)))
        self.gamma = gamma
        self.alpha = 1.0 / self.planned_horizon() if alpha is None else alpha

    def initial_state(self, size: int) -> Arrays:
        """`weights float64 [S, K]`, each row with sum 1."""
        return {**super().initial_state(size), "weights": np.full((size, self.n_arms), 1.0 / self.n_arms)}

    def probabilities(self) -> NDArray[np.float64]:
        """p, the chances of the arms in this round, `[S, K]`."""
        chances = self.weights * (1.0 - self.gamma)
        chances += self.gamma / self.n_arms
        return chances

    def select(self, observation: Any) -> NDArray[np.int64]:
        """An arm by its chances."""
        return self.stream.categorical(self.probabilities(), check=False)

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The weight of the pulled arm by the unbiased estimate of its reward; then the share for all."""
        super().update(observation, actions, rewards)
        flat = self.offset + actions
        weights = self.weights.reshape(-1)
        old = weights.take(flat)
        chance = old * (1.0 - self.gamma) + self.gamma / self.n_arms
        gain = self.scaled(rewards) / chance
        weights[flat] = old * np.exp(gain * (self.gamma / self.n_arms))
        self.weights += math.e * self.alpha / self.n_arms
        self.weights /= self.weights.sum(axis=1, keepdims=True)

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The weights, which stand for what every arm has earned lately."""
        return self.weights
