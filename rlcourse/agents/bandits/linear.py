"""Contextual strategies whose payoffs are linear in the features: optimism, a random draw, and greed with epsilon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.ridge import RidgeBandit, RidgeConfig
from rlcourse.agents.config import NonNegative, Probability


@dataclass(frozen=True)
class LinUCBConfig(RidgeConfig):
    """Settings of `lin_ucb`."""

    alpha: NonNegative = 1.0
    """Weight of the confidence bonus, in units of the reward's range (1 where it has no bounds). The paper's
    1 + sqrt(ln(2 / delta) / 2) is above 1; it finds smaller ones better (Li et al. 2010, sections 3.1 and 5.4)."""


class LinUCB(RidgeBandit):
    """Optimism about a payoff that is linear in the context.

        A_t = argmax_a  x_a^T theta_a + alpha sqrt(x_a^T Sigma_a x_a)
        Sigma_a = (ridge I + sum x x^T)^-1,    theta_a = Sigma_a sum r x       (over the pulls of arm a)

    With one context for all arms each arm has its own theta_a and Sigma_a (the paper's disjoint model); with a
    feature vector for each arm all share one (Chu et al. 2011, algorithm 1).
    Source: Li, Chu, Langford & Schapire (2010), "A contextual-bandit approach to personalized news article
    recommendation", algorithm 1.
    """

    name = "lin_ucb"
    config_class = LinUCBConfig
    config: LinUCBConfig

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest bound in this context."""
        index = self.deviations(observation)
        index *= self.config.alpha * self.reward_scale
        index += self.scores(observation)
        return self.greedy(index)


@dataclass(frozen=True)
class LinThompsonConfig(RidgeConfig):
    """Settings of `lin_thompson`."""

    scale: NonNegative = 0.5
    """Standard deviation v that the posterior is stretched with, in units of the reward's range (1 where it has
    no bounds). The paper's R sqrt(9 d ln(t / delta)) is for its proof; 1/2 is that of a reward in [0, 1] at most
    (Agrawal & Goyal 2013, section 2.1)."""


class LinThompson(RidgeBandit):
    """Draw weights from the posterior of a linear model, pull the arm that is best under them.

        theta~ ~ N(theta, v^2 Sigma),    A_t = argmax_a  x_a^T theta~
        Sigma = (ridge I + sum x x^T)^-1,    theta = Sigma sum r x

    With a feature vector for each arm there is one draw for all; with one context for all arms each has its own
    model and its own draw, of which only the score matters: x^T theta~_a ~ N(x^T theta_a, v^2 x^T Sigma_a x).
    Source: Agrawal & Goyal (2013), "Thompson sampling for contextual bandits with linear payoffs", algorithm 1.
    """

    name = "lin_thompson"
    config_class = LinThompsonConfig
    config: LinThompsonConfig

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The best arm under the weights drawn."""
        return self.greedy(self.drawn_scores(observation, self.config.scale * self.reward_scale))


@dataclass(frozen=True)
class EpsilonGreedyRidgeConfig(RidgeConfig):
    """Settings of `epsilon_greedy_ridge`."""

    epsilon: Probability = 0.1
    """Chance of a random arm in every round (Sutton & Barto 2018, figure 2.2)."""


class EpsilonGreedyRidge(RidgeBandit):
    """With chance epsilon a random arm, else the one whose payoff ridge regression predicts to be highest.

        A_t = argmax_a  x_a^T theta_a  with probability 1 - epsilon,  a uniform arm with probability epsilon
        theta_a = argmin_theta  sum (r - x^T theta)^2 + ridge |theta|^2

    Source: Li, Chu, Langford & Schapire (2010), section 5.2 (epsilon-greedy as a baseline); Hoerl & Kennard (1970),
    "Ridge regression".
    """

    name = "epsilon_greedy_ridge"
    config_class = EpsilonGreedyRidgeConfig
    config: EpsilonGreedyRidgeConfig

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm that is predicted to pay most, or a uniform one."""
        explore = np.flatnonzero(self.stream.uniform() < self.config.epsilon)
        actions = self.greedy(self.scores(observation))
        actions[explore] = self.stream.integers(self.n_arms, rows=explore)
        return actions
