"""What the contextual strategies share: which features an arm has, and a Gaussian belief about their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits import ridge_compiled
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Positive
from rlcourse.errors import UsageError


@dataclass(frozen=True)
class RidgeConfig(AgentConfig):
    """The setting that all linear beliefs have."""

    ridge: Positive = 1.0
    """Precision of the prior on the weights: Sigma = I / ridge (Li et al. 2010, algorithm 1, and Agrawal & Goyal
    2013, algorithm 1, begin with I)."""


class RidgeBandit(BanditAgent):
    """A belief N(theta, Sigma) about the weights of P linear models, which every pull sharpens.

    The world shows one context x `[dim]` for all arms, and each arm has a model of its own (P = K, the disjoint
    models of Li et al. 2010); or a feature vector x_a for each arm, `[K, dim]`, and all share one model (P = 1).
    After rewards r with features x,

        Sigma = (ridge I + sum g x x^T)^-1,    theta = Sigma sum r x       (linear models: g = 1)

    Kept is a root M with M M^T = Sigma, which rounding cannot make indefinite. An observation changes it by

        w = M^T x,   s = 1 + g w^T w,   M <- M - g / (s + sqrt s) (M w) w^T

    which is the Sherman-Morrison formula Sigma <- Sigma - g (Sigma x)(Sigma x)^T / s applied to the root.
    Source: Potter's square root filter; Bierman (1977), "Factorization methods for discrete sequential estimation".

    State: `theta float64 [S, P, dim]` and `root float64 [S, P, dim, dim]`, which holds M^T.

    Raises:
        UsageError: a world that does not show a Box of shape `[dim]` or `[K, dim]`.
    """

    config_class = RidgeConfig
    config: RidgeConfig
    looks: ClassVar[bool] = True
    fitting_observation: ClassVar[str] = "a context that is a vector, such as ContextualBandit-v0"
    logistic: ClassVar[bool] = False

    theta: NDArray[np.float64]
    root: NDArray[np.float64]

    def _check_world(self) -> None:
        space = self.venv.single_observation_space
        shape = space.shape if isinstance(space, gymnasium.spaces.Box) else ()
        if len(shape) not in (1, 2) or (len(shape) == 2 and shape[0] != self.n_arms):
            raise UsageError(
                f"{self.name} needs a context and cannot learn in {self.spec.id}: it fits worlds that show a Box of "
                f"shape [dim] or [{self.n_arms} arms, dim], such as ContextualBandit-v0"
            )
        self.dim = shape[-1]
        self.shared = len(shape) == 2

    def initial_state(self, size: int) -> Arrays:
        """The prior: weights 0, covariance I / ridge."""
        models = 1 if self.shared else self.n_arms
        root = np.zeros((size, models, self.dim, self.dim))
        root[..., np.arange(self.dim), np.arange(self.dim)] = 1.0 / np.sqrt(self.config.ridge)
        return {**super().initial_state(size), "theta": np.zeros((size, models, self.dim)), "root": root}

    def features(self, observation: Any) -> NDArray[np.float64]:
        """What is seen, as `[S, K, dim]`, or `[S, 1, dim]` where one context is for all arms."""
        return np.ascontiguousarray(observation, np.float64).reshape(len(observation), -1, self.dim)

    def scores(self, observation: Any) -> NDArray[np.float64]:
        """The features times the believed weights, x_a^T theta_a, `[S, K]`."""
        scores = np.empty((self.size, self.n_arms))
        ridge_compiled.scores(self.features(observation), self.theta, scores)
        return scores

    def deviations(self, observation: Any) -> NDArray[np.float64]:
        """The standard deviations of the scores under the belief, sqrt(x_a^T Sigma_a x_a) = |M_a^T x_a|, `[S, K]`."""
        return self._spreads(observation, np.empty((self.size, 0)))

    def drawn_scores(self, observation: Any, scale: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """The scores `[S, K]` under weights theta + scale M z, z ~ N(0, I), drawn from N(theta, scale^2 Sigma).

        Models of their own have independent draws, of which only the score counts: with w = M^T x it is shifted by
        w^T z, which is a normal number with the length of w as standard deviation.
        """
        if self.shared:
            drawn = self._spreads(observation, self.stream.normal(self.dim))
        else:
            drawn = self.deviations(observation) * self.stream.normal(self.n_arms)
        drawn *= scale
        drawn += self.scores(observation)
        return drawn

    def _spreads(self, observation: Any, z: NDArray[np.float64]) -> NDArray[np.float64]:
        spreads = np.empty((self.size, self.n_arms))
        ridge_compiled.spreads(self.features(observation), self.root, z, spreads)
        return spreads

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The pulled arm's model takes in its reward, by recursive least squares or the step to the new mode."""
        super().update(observation, actions, rewards)
        y = self.scaled(rewards) if self.logistic else rewards
        ridge_compiled.observe(self.features(observation), y, actions, self.theta, self.root, self.logistic)

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The predicted payoffs `[S, K]` in this context."""
        return self.scores(observation)
