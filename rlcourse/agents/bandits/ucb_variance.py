"""Upper confidence bounds that measure how much every arm scatters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Positive


class VarianceStrategy(BanditAgent):
    """Keeps the sample variance of every arm, one pull at a time (Welford 1962), in units of the squared reward range."""

    plays_each_arm_first = True
    needs_bounded_rewards = "ucb, moss or gaussian_thompson"

    variance: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """`variance float64 [S, K]`: mean squared deviation of what an arm has paid from its mean."""
        return {**super().initial_state(size), "variance": np.zeros((size, self.n_arms))}

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """V <- V + ((R - e_old) (R - e_new) - V) / N."""
        flat = self.offset + actions
        before = self.means.reshape(-1).take(flat)
        super().update(observation, actions, rewards)
        after, n = self.means.reshape(-1).take(flat), self.counts.reshape(-1).take(flat)
        variance = self.variance.reshape(-1)
        old = variance.take(flat)
        square = (rewards - before) * (rewards - after) / self.reward_scale**2
        variance[flat] = np.maximum(old + (square - old) / n, 0.0)


class UCBTuned(VarianceStrategy):
    """UCB1 with a bound of the variance in the place of its largest possible value 1/4.

        A_t = argmax_a  e_a + b sqrt(ln t / N_a  min(1/4, V_a))
        V_a = var_a + sqrt(2 ln t / N_a)

    for rewards in a known range of width b (1 in the paper), var_a the sample variance in units of b^2; t pulls so far.
    Source: Auer, Cesa-Bianchi & Fischer (2002), "Finite-time analysis of the multiarmed bandit problem", section 4.
    """

    name = "ucb_tuned"

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest bound."""
        ratio = np.log(self.t)[:, None] / self.counts
        bound = np.sqrt(2.0 * ratio)
        bound += self.variance
        np.minimum(bound, 0.25, out=bound)
        bound *= ratio
        np.sqrt(bound, out=bound)
        bound *= self.reward_scale
        bound += self.means
        return self.greedy(bound)


@dataclass(frozen=True)
class UCBVConfig(AgentConfig):
    """Settings of `ucb_v`."""

    zeta: Positive = 1.2
    """Weight of the exploration zeta ln t (Audibert, Munos & Szepesvári 2009, theorem 3 and its remark: 1.2 with c = 1)."""
    c: Positive = 1.0
    """Weight of the term that does not shrink with the variance; logarithmic regret needs 3 zeta c >= 1 (section 4)."""


class UCBV(VarianceStrategy):
    """Upper confidence bound from the empirical Bernstein inequality.

        A_t = argmax_a  e_a + sqrt(2 var_a zeta ln t / N_a) + 3 c b zeta ln t / N_a

    for rewards in a known range of width b, var_a the sample variance; t pulls so far (the paper counts the coming
    one as well).
    Source: Audibert, Munos & Szepesvári (2009), "Exploration-exploitation tradeoff using variance estimates in
    multi-armed bandits", eq. 2.
    """

    name = "ucb_v"
    config_class = UCBVConfig
    config: UCBVConfig

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest bound."""
        ratio = (self.config.zeta * np.log(self.t))[:, None] / self.counts
        bound = np.sqrt(2.0 * self.variance * ratio)
        bound += 3.0 * self.config.c * ratio
        bound *= self.reward_scale
        bound += self.means
        return self.greedy(bound)
