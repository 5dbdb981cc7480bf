"""IMED: the strategy that never computes a bound, only how unlikely every arm is to be the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.config import AgentConfig, Positive


@dataclass(frozen=True)
class IMEDConfig(AgentConfig):
    """Settings of `imed`."""

    divergence: Literal["bernoulli", "gaussian"] = "bernoulli"
    """Of which family: "bernoulli" fits all rewards in a known range, "gaussian" rewards without bounds."""
    sigma: Positive = 1.0
    """In "gaussian", the standard deviation of the rewards, taken as known."""


class IMED(BanditAgent):
    """Indexed minimum empirical divergence.

        A_t = argmin_a  N_a d(e_a, e*) + ln N_a,   e* = max_b e_b

        bernoulli:  d(p, q) = p ln(p / q) + (1 - p) ln((1 - p) / (1 - q)),  rewards scaled to [0, 1]
        gaussian:   d(p, q) = (p - q)^2 / (2 sigma^2)

    for p below q. Every arm is pulled once first. For two-valued rewards the Bernoulli d is the paper's minimum empirical
    divergence; for others in a range it is a lower bound of it. Asymptotically optimal for these families.
    Source: Honda & Takemura (2015), "Non-asymptotic analysis of a new bandit algorithm for semi-bounded rewards", section 3.

    Raises:
        UsageError: unbounded rewards with divergence="bernoulli".
    """

    name = "imed"
    config_class = IMEDConfig
    config: IMEDConfig
    plays_each_arm_first = True

    def _check_world(self) -> None:
        if self.config.divergence == "bernoulli":
            self.require_bounded_rewards("imed with divergence='gaussian', ucb or gaussian_thompson")

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the lowest index."""
        best = np.maximum.reduce(self.means.T.copy(), axis=0)[:, None]
        if self.config.divergence == "gaussian":
            divergence = ((best - self.means) / self.config.sigma) ** 2 / 2.0
        else:
            from rlcourse.agents.bandits.divergence import kl_bernoulli  # loads numba

            divergence = kl_bernoulli(self.scaled(self.means), self.scaled(best))
        return self.greedy(-(self.counts * divergence + np.log(self.counts)))
