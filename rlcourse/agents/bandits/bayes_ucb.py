"""Bayes-UCB: upper quantiles of what is believed of every arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.arrays import flip_coins
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Positive

MARGIN = 1e-9
"""Relative width by which bounds are loosened: far above the rounding of a quantile, and far below what matters."""


@dataclass(frozen=True)
class BayesUCBConfig(AgentConfig):
    """Settings of `bayes_ucb`."""

    posterior: Literal["beta", "gaussian"] = "beta"
    """What is believed of a mean: "beta" for rewards in a known range, "gaussian" for rewards without bounds."""
    sigma: Positive = 1.0
    """In "gaussian", the standard deviation of the rewards, taken as known."""


class BayesUCB(BanditAgent):
    """The mean that an arm exceeds with a belief of 1 / t in round t.

        A_t = argmax_a  Q(1 - 1 / t, belief on arm a)

        beta:      Beta(1 + successes, 1 + failures): uniform prior; a reward in a range becomes a success by a coin flip
        gaussian:  N(e_a, sigma^2 / N_a): flat prior, sigma known

    with Q the quantile function. Every arm is pulled once first. The paper's level 1 - 1 / (t (ln T)^c) is taken with c = 0,
    which it recommends in practice; its proof takes c >= 5.
    Source: Kaufmann, Cappé & Garivier (2012), "On Bayesian upper confidence bounds for bandit problems", algorithm 1.

    A beta quantile costs a microsecond, so one is computed only where the choice is in doubt. Between two pulls of an arm its
    quantile is increasing and concave in x = ln t, because the tail of a beta law (parameters of at least 1) is log-concave.
    The quantile as computed last is therefore a lower bound, and its tangent an upper one:

        Q(x') <= Q(x) <= Q(x') + Q'(x') (x - x'),   x' <= x

    Only arms whose upper bound reaches the highest lower bound can be the choice. A single one is it; of several the
    quantiles are computed. Every choice, ties included, is that of the full computation.

    Raises:
        UsageError: unbounded rewards with posterior="beta".
    """

    name = "bayes_ucb"
    config_class = BayesUCBConfig
    config: BayesUCBConfig
    plays_each_arm_first = True

    successes: NDArray[np.float64]
    quantile: NDArray[np.float64]
    slope: NDArray[np.float64]
    computed_at: NDArray[np.float64]

    def _check_world(self) -> None:
        if self.config.posterior == "beta":
            self.require_bounded_rewards("bayes_ucb with posterior='gaussian', gaussian_thompson or ucb")

    def initial_state(self, size: int) -> Arrays:
        """Float64 `[S, K]`: `successes`, and `quantile`, its `slope` in x, and the x that they were `computed_at` last."""
        state = super().initial_state(size)
        for name in ("successes", "quantile", "slope", "computed_at"):
            state[name] = np.zeros((size, self.n_arms))
        return state

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest quantile."""
        if self.config.posterior == "gaussian":
            from scipy.special import ndtri

            z = -ndtri(1.0 / (self.t + 1.0))
            return self.greedy(self.means + (self.config.sigma * z)[:, None] / np.sqrt(self.counts))
        x = np.log(self.t + 1.0)[:, None]
        upper = x - self.computed_at
        upper *= self.slope
        upper += self.quantile
        upper *= 1.0 + MARGIN
        possible = (
            upper >= np.maximum.reduce(self.quantile.T.copy(), axis=0)[:, None]
        )  # faster than max(axis=1)
        if np.count_nonzero(possible) > self.size:
            doubtful = np.count_nonzero(possible, axis=1) > 1
            doubtful &= self.t >= self.n_arms  # the others are still in their first round of every arm
            self._compute(np.flatnonzero(possible & doubtful[:, None] & (self.computed_at < x)))
        return self.greedy(np.where(possible, self.quantile, -1.0))

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Count a success or a failure; the quantile of this arm is computed anew."""
        super().update(observation, actions, rewards)
        if self.config.posterior == "beta":
            flat = self.offset + actions
            self.successes.reshape(-1)[flat] += flip_coins(self.scaled(rewards), self.stream)
            self._compute(flat)

    def _compute(self, flat: NDArray[np.intp]) -> None:
        """The quantiles of some arms for the coming round t + 1, and their slopes dQ / dx = tail / density.

        Args:
            flat: places in the flat `[S * K]` tables, `[n]`.
        """
        from scipy import special

        t = self.t[flat // self.n_arms] + 1.0
        a = self.successes.reshape(-1).take(flat) + 1.0
        b = self.counts.reshape(-1).take(flat) + 2.0 - a
        q = special.betainccinv(a, b, 1.0 / t)
        log_density = special.xlogy(a - 1.0, q) + special.xlog1py(b - 1.0, -q) - special.betaln(a, b)
        self.quantile.reshape(-1)[flat] = q
        self.slope.reshape(-1)[flat] = np.exp(np.minimum(-log_density, 700.0)) / t
        self.computed_at.reshape(-1)[flat] = np.log(t)
