"""Tsallis-INF: one strategy that is optimal in hostile worlds and in stochastic ones, without knowing which it is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.exp3 import WeightStrategy
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig

TOLERANCE = 1e-12
"""How far the probabilities may sum from 1 when the iteration ends; they are divided by their sum afterwards."""
MAX_STEPS = 60
"""More than the iteration ever needs: it converges from one side and quadratically, in three to eight steps."""


@dataclass(frozen=True)
class TsallisINFConfig(AgentConfig):
    """Settings of `tsallis_inf`."""

    estimator: Literal["rv", "iw"] = "rv"
    """Losses estimated with reduced variance, or by plain importance weighting (Zimmert & Seldin 2021, section 3)."""


class TsallisINF(WeightStrategy):
    """Online mirror descent with the Tsallis entropy of power 1/2.

        p = argmin_p  <p, L> - (4 / eta_t) sum_a sqrt(p_a),   so  p_a = 4 / (eta_t (L_a - x))^2  with x such that sum p = 1
        L_a <- L_a + 1{a = A} (l - B_a) / p_A + B_a,   l = 1 - R scaled to [0, 1]

        iw:  B_a = 0,                        eta_t = 2 / sqrt(t)
        rv:  B_a = 1/2 where p_a >= eta_t^2, eta_t = 4 / sqrt(t)

    Source: Zimmert & Seldin (2021), "Tsallis-INF: an optimal algorithm for stochastic and adversarial bandits", algorithm 1,
    theorem 1 (learning rates) and section 3.3 (Newton's iteration from the last round's x).
    """

    name = "tsallis_inf"
    config_class = TsallisINFConfig
    config: TsallisINFConfig

    normaliser: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """`normaliser float64 [S]`: the last x."""
        return {**super().initial_state(size), "normaliser": np.zeros(size)}

    def learning_rate(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Eta of the rounds `t` = 1, 2, ..., of the same shape."""
        return (4.0 if self.config.estimator == "rv" else 2.0) / np.sqrt(t)

    def law(self) -> NDArray[np.float64]:
        """Newton's iteration for x; it starts at the last one, or where the likeliest arm alone would have probability 1.

        sum p is convex and increasing in x below min L: from above, Newton's steps go down to the root and never past it; a
        step from below leads above it, and is cut off at min L - 2 / eta, where the sum is at least 1.
        """
        eta = self.learning_rate(self.t + 1.0)[:, None]
        x = self.normaliser[:, None]
        highest = self.totals.min(axis=1, keepdims=True) - 2.0 / eta
        x = np.minimum(x, highest)
        for _ in range(MAX_STEPS):
            root = 2.0 / (eta * (self.totals - x))
            chances = root * root
            excess = chances.sum(axis=1, keepdims=True) - 1.0
            going = np.abs(excess) > TOLERANCE
            if not going.any():
                break
            slope = eta * (chances * root).sum(axis=1, keepdims=True)
            # a member that has arrived stays, whatever its neighbours still need
            x = np.where(going, np.minimum(x - excess / slope, highest), x)
        self.normaliser[:] = x[:, 0]
        return chances / (excess + 1.0)

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The losses of the round."""
        super().update(observation, actions, rewards)  # t is now the number of the round just played
        flat = self.offset + actions
        loss = 1.0 - self.scaled(rewards)
        totals, chance = self.totals.reshape(-1), self.probabilities.reshape(-1).take(flat)
        if self.config.estimator == "iw":
            totals[flat] += loss / chance
            return
        threshold = self.learning_rate(self.t) ** 2
        base = np.where(chance >= threshold, 0.5, 0.0)
        totals[flat] += (loss - base) / chance
        self.totals += np.where(self.probabilities >= threshold[:, None], 0.5, 0.0)

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The estimated losses, turned around."""
        return -self.totals
