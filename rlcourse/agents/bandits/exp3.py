"""Exponential weights for worlds that may be hostile: nothing is assumed of the rewards but their bounds."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.arrays import softmax
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Positive, Within


class WeightStrategy(BanditAgent):
    """Draws an arm by `probabilities` and keeps an estimate of what every arm would have paid or cost in all rounds."""

    needs_bounded_rewards = "gradient_bandit, ucb or gaussian_thompson"

    probabilities: NDArray[np.float64]
    totals: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """`probabilities` of the round being played and estimated `totals` of the arms, float64 `[S, K]`."""
        return {
            **super().initial_state(size),
            "probabilities": np.full((size, self.n_arms), 1.0 / self.n_arms),
            "totals": np.zeros((size, self.n_arms)),
        }

    @abstractmethod
    def law(self) -> NDArray[np.float64]:
        """The probabilities of this round, `[S, K]`, from the totals."""

    def select(self, observation: Any) -> NDArray[np.int64]:
        """An arm drawn from the law of this round."""
        self.probabilities[:] = self.law()
        return self.stream.categorical(self.probabilities, check=False)


@dataclass(frozen=True)
class Exp3Config(AgentConfig):
    """Settings of `exp3`."""

    gamma: Annotated[float, Within(0.0, 1.0, above=True)] | None = None
    """Share of uniform exploration; none: the tuning of corollary 3.2 of the paper, for the rounds so far."""


class Exp3(WeightStrategy):
    """Exponential weights of estimated gains, mixed with uniform exploration.

        p_a = (1 - gamma) exp(gamma G_a / K) / sum_b exp(gamma G_b / K) + gamma / K
        G_A <- G_A + X / p_A,   X = R scaled to [0, 1]

    Without a `gamma` it falls with the rounds t = 1, 2, ... as gamma_t = min(1, sqrt(K ln K / ((e - 1) t))): the tuning of
    corollary 3.2 with the rounds so far in the place of a known horizon.
    Source: Auer, Cesa-Bianchi, Freund & Schapire (2002), "The nonstochastic multiarmed bandit problem", figure 1.
    """

    name = "exp3"
    config_class = Exp3Config
    config: Exp3Config

    def gamma(self) -> NDArray[np.float64] | float:
        """The share of exploration in this round, a number or `[S, 1]`."""
        if self.config.gamma is not None:
            return self.config.gamma
        arms = self.n_arms
        return np.minimum(1.0, np.sqrt(arms * math.log(arms) / ((math.e - 1.0) * (self.t + 1.0))))[:, None]

    def law(self) -> NDArray[np.float64]:
        """Exponential weights and the share of exploration."""
        gamma = self.gamma()
        chances = softmax(gamma / self.n_arms * self.totals)
        chances *= 1.0 - gamma
        chances += gamma / self.n_arms
        return chances

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The gain by importance weighting."""
        super().update(observation, actions, rewards)
        flat = self.offset + actions
        self.totals.reshape(-1)[flat] += self.scaled(rewards) / self.probabilities.reshape(-1).take(flat)

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The estimated gains."""
        return self.totals


@dataclass(frozen=True)
class Exp3IXConfig(AgentConfig):
    """Settings of `exp3_ix`."""

    learning_rate: Positive | None = None
    """Learning rate eta; none: sqrt(ln K / (K t)) in round t (Neu 2015, theorem 1)."""


class Exp3IX(WeightStrategy):
    """Exp3 with implicit exploration: losses are underestimated a little, so that the regret is small with high probability.

        p_a = exp(-eta L_a) / sum_b exp(-eta L_b)
        L_A <- L_A + (1 - X) / (p_A + gamma),   X = R scaled to [0, 1],  gamma = eta / 2

    Source: Neu (2015), "Explore no more: improved high-probability regret bounds for non-stochastic bandits", algorithm 1.
    """

    name = "exp3_ix"
    config_class = Exp3IXConfig
    config: Exp3IXConfig

    def learning_rate(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Eta of the rounds `t` = 1, 2, ..., of the same shape."""
        if self.config.learning_rate is not None:
            return np.full_like(t, self.config.learning_rate)
        return np.sqrt(math.log(self.n_arms) / (self.n_arms * t))

    def law(self) -> NDArray[np.float64]:
        """Exponential weights of the losses."""
        return softmax(-self.learning_rate(self.t + 1.0)[:, None] * self.totals)

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The loss by importance weighting, biased by gamma."""
        super().update(observation, actions, rewards)  # t is now the number of the round just played
        flat = self.offset + actions
        chance = self.probabilities.reshape(-1).take(flat)
        self.totals.reshape(-1)[flat] += (1.0 - self.scaled(rewards)) / (
            chance + self.learning_rate(self.t) / 2.0
        )

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The estimated losses, turned around."""
        return -self.totals
