"""Thompson sampling for rewards between two ends, whose log-odds are linear in the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.ridge import RidgeBandit, RidgeConfig
from rlcourse.agents.config import NonNegative


@dataclass(frozen=True)
class LogisticThompsonConfig(RidgeConfig):
    """Settings of `logistic_thompson`."""

    scale: NonNegative = 1.0
    """Stretches the standard deviation of the draw; 1 is Thompson sampling, and 0.5 may do better (Chapelle & Li
    2011, section 2, posterior reshaping)."""


class LogisticThompson(RidgeBandit):
    """Draw weights from a Laplace approximation of the logistic posterior, pull the best arm under them.

        P(y = 1 | x, a) = sigma(x_a^T theta_a),   sigma(z) = 1 / (1 + e^-z)
        theta~ ~ N(theta, scale^2 Sigma),    A_t = argmax_a  x_a^T theta~_a

    After y has been seen with features x, the belief moves to the mode of prior times likelihood,

        theta <- argmin_v  (v - theta)^T Sigma^-1 (v - theta) / 2 - y ln p - (1 - y) ln(1 - p),    p = sigma(x^T v)
        Sigma^-1 <- Sigma^-1 + p (1 - p) x x^T       at the new theta

    The mode lies on the line theta + c Sigma x with c = y - sigma(x^T theta + c x^T Sigma x), one equation in one
    unknown. The paper does this for batches and keeps the diagonal of Sigma; here a batch is one pull and Sigma is
    whole. y is the reward, scaled from the world's range to [0, 1].
    Source: Chapelle & Li (2011), "An empirical evaluation of Thompson sampling", algorithm 3; Spiegelhalter &
    Lauritzen (1990), "Sequential updating of conditional probabilities on directed graphical structures".
    """

    name = "logistic_thompson"
    config_class = LogisticThompsonConfig
    config: LogisticThompsonConfig
    logistic = True
    needs_bounded_rewards = "lin_thompson or lin_ucb"

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The best arm under the weights drawn."""
        return self.greedy(self.drawn_scores(observation, self.config.scale))

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The predicted payoffs `[S, K]` in this context, at the mode of the belief."""
        return self.reward_low + self.reward_scale * sigmoid(self.scores(observation))


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logistic function 1 / (1 + exp(-z)), without overflow, elementwise."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0.0, 1.0, small) / (1.0 + small)
