"""KL-UCB: the upper confidence bound with the shape of the rewards' own law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.config import AgentConfig, NonNegative, Positive


@dataclass(frozen=True)
class KLUCBConfig(AgentConfig):
    """Settings of `kl_ucb`."""

    divergence: Literal["bernoulli", "gaussian"] = "bernoulli"
    """Of which family: "bernoulli" fits all rewards in a known range, "gaussian" rewards without bounds."""
    c: NonNegative = 0.0
    """Weight of ln ln t: the analysis takes 3, practice 0 (Garivier & Cappé 2011, section 2)."""
    sigma: Positive = 1.0
    """In "gaussian", the standard deviation of the rewards, taken as known."""


class KLUCB(BanditAgent):
    """The highest mean that an arm could have without its rewards being too unlikely.

        A_t = argmax_a  max { q : N_a d(e_a, q) <= ln t + c ln ln t }

        bernoulli:  d(p, q) = p ln(p / q) + (1 - p) ln((1 - p) / (1 - q)),  rewards scaled to [0, 1]
        gaussian:   d(p, q) = (p - q)^2 / (2 sigma^2)

    t is the number of pulls so far (algorithm 1 counts the coming one as well); every arm is pulled once first.
    Asymptotically optimal for these families: regret grows as ln T sum_a Delta_a / d(mu_a, mu*).
    Source: Garivier & Cappé (2011), "The KL-UCB algorithm for bounded stochastic bandits and beyond", algorithm 1.

    Raises:
        UsageError: unbounded rewards with divergence="bernoulli".
    """

    name = "kl_ucb"
    config_class = KLUCBConfig
    config: KLUCBConfig
    plays_each_arm_first = True

    def _check_world(self) -> None:
        if self.config.divergence == "bernoulli":
            self.require_bounded_rewards("kl_ucb with divergence='gaussian', ucb or gaussian_thompson")

    def budget(self) -> NDArray[np.float64]:
        """The right side, ln t + c ln ln t, `[S]` (ln ln t counts from t = e on)."""
        log = np.log(np.maximum(self.t, 1.0))
        if self.config.c == 0.0:
            return log
        return log + self.config.c * np.log(np.maximum(log, 1.0))

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest bound."""
        if self.config.divergence == "gaussian":
            width = np.sqrt(self.budget()[:, None] / self.counts)
            width *= self.config.sigma * np.sqrt(2.0)
            return self.greedy(self.means + width)
        from rlcourse.agents.bandits.kl_index import argmax_kl_bound  # loads numba

        actions = np.empty(self.size, np.int64)
        budget = np.repeat(self.budget(), self.n_arms).reshape(self.counts.shape)
        argmax_kl_bound(
            self.counts, self.counts * self.scaled(self.means), budget, self.stream.state, actions
        )
        return actions
