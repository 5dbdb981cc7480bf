"""Thompson sampling whose posterior widens again with time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.arrays import flip_coins
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.bandits.changing import ChangingConfig
from rlcourse.agents.bandits.forgetting import tuned_discount
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Positive, Within


@dataclass(frozen=True)
class DiscountedThompsonConfig(ChangingConfig):
    """Settings of `discounted_thompson`."""

    gamma: Annotated[float, Within(0.0, 1.0)] | None = None
    """Weight of a pull one round later, which the paper leaves open; none: 1 - sqrt(Y / T) / 4, as for
    discounted UCB (Garivier & Moulines 2011, after theorem 1)."""
    prior: Positive = 1.0
    """Both parameters of the Beta prior; 1 is the uniform law (Raj & Kalyani 2017, algorithm 1)."""


class DiscountedThompson(BanditAgent):
    """Draw a mean for every arm from its posterior, pull the best; the pulls behind all posteriors fade.

        theta_a ~ Beta(W_a + prior, L_a + prior),    A_t = argmax_a theta_a
        W <- gamma W,  L <- gamma L  for all arms;   W_A += x,  L_A += 1 - x

    with x in {0, 1}: of a reward between the ends of the world's range a coin makes one of the ends, with the
    same mean (Agrawal & Goyal 2012, algorithm 2).
    Source: Raj & Kalyani (2017), "Taming non-stationary bandits: a Bayesian approach", algorithm 1 (dTS).
    """

    name = "discounted_thompson"
    config_class = DiscountedThompsonConfig
    config: DiscountedThompsonConfig
    needs_bounded_rewards = "discounted_ucb or sliding_window_ucb"

    won: NDArray[np.float64]
    lost: NDArray[np.float64]

    def _check_world(self) -> None:
        gamma = self.config.gamma
        self.gamma = tuned_discount(self.planned_horizon(), self.config.changes) if gamma is None else gamma

    def initial_state(self, size: int) -> Arrays:
        """`won` and `lost`, float64 `[S, K]`: discounted successes and failures."""
        tables = {name: np.zeros((size, self.n_arms)) for name in ("won", "lost")}
        return {**super().initial_state(size), **tables}

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The best arm of one draw from the posterior."""
        prior = self.config.prior
        from rlcourse.agents.bandits.compiled import argmax_beta  # loads numba

        actions = np.empty(self.size, np.int64)
        argmax_beta(self.won + prior, self.lost + prior, self.stream.state, actions)
        return actions

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """All arms fade; the pulled one has won or lost."""
        super().update(observation, actions, rewards)
        won = flip_coins(self.scaled(rewards), self.stream)
        flat = self.offset + actions
        self.won *= self.gamma
        self.lost *= self.gamma
        self.won.reshape(-1)[flat] += won
        self.lost.reshape(-1)[flat] += 1.0 - won

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The means of the posteriors, in units of the reward."""
        won = self.won + self.config.prior
        return self.reward_low + self.reward_scale * won / (won + self.lost + self.config.prior)
