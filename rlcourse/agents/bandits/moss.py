"""MOSS: the minimax optimal strategy in the stochastic case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.config import AgentConfig, Count


@dataclass(frozen=True)
class MOSSConfig(AgentConfig):
    """Settings of `moss`."""

    horizon: Count | None = None
    """Rounds T that are planned for; none: what the world says, and where it does not say, the rounds so far."""


class MOSS(BanditAgent):
    """Explore an arm as long as it has had less than its share T / K of the pulls.

        A_t = argmax_a  e_a + b sqrt(max(ln(T / (K N_a)), 0) / N_a)

    for rewards in a known range of width b (1 in the paper; taken from the world, 1 where it has no bounds); every arm is
    pulled once first. In a world without a horizon the pulls so far stand for T, as in MOSS-anytime.
    Regret at most 49 sqrt(T K) b (theorem 5).

    Source: Audibert & Bubeck (2009), "Minimax policies for adversarial and stochastic bandits", section 3; without horizon
    Degenne & Perchet (2016), "Anytime optimal algorithms in stochastic multi-armed bandits".
    """

    name = "moss"
    config_class = MOSSConfig
    config: MOSSConfig
    plays_each_arm_first = True

    def _check_world(self) -> None:
        self.horizon = self.config.horizon or self.world_horizon()

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest bound."""
        rounds = self.t[:, None] if self.horizon is None else float(self.horizon)
        bound = np.log(rounds / (self.n_arms * self.counts))
        np.maximum(bound, 0.0, out=bound)
        bound /= self.counts
        np.sqrt(bound, out=bound)
        bound *= self.reward_scale
        bound += self.means
        return self.greedy(bound)
