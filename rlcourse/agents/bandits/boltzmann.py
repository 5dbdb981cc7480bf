"""Boltzmann exploration: the better an arm has paid, the likelier it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.arrays import COLDEST, softmax
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.config import AgentConfig, NonNegative, Positive


@dataclass(frozen=True)
class SoftmaxConfig(AgentConfig):
    """Settings of `softmax`."""

    temperature: Positive = 0.1
    """Temperature tau of the first round, in units of the reward (Kuleshov & Precup 2014, section 4: 0.007 to 0.1)."""
    cooling: NonNegative = 0.0
    """Power of t by which the temperature falls: 0 keeps it, 1 is the decreasing softmax of Cesa-Bianchi & Fischer
    (1998), as in Vermorel & Mohri (2005), section 2.2."""


class Softmax(BanditAgent):
    """Draw an arm from the Boltzmann law of what the arms have paid, after pulling each once.

        P(A_t = a) = exp(Q_a / tau_t) / sum_b exp(Q_b / tau_t),   tau_t = temperature / t^cooling

    Source: Sutton & Barto (1998), section 2.3; no monotone cooling is optimal: Cesa-Bianchi, Gentile, Lugosi & Neu (2017),
    "Boltzmann exploration done right".
    """

    name = "softmax"
    config_class = SoftmaxConfig
    config: SoftmaxConfig
    plays_each_arm_first = True

    def select(self, observation: Any) -> NDArray[np.int64]:
        """An arm drawn from the law."""
        tau: NDArray[np.float64] | float = self.config.temperature
        if self.config.cooling:
            tau = tau * np.maximum(self.t, 1.0)[:, None] ** -self.config.cooling
        chances = softmax(self.means / np.maximum(tau, COLDEST))
        return self.stream.categorical(chances, check=False)
