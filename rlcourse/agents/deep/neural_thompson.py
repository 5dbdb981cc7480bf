"""Thompson sampling on the last layer of a network, which finds the features; Bayesian regression knows how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.agents.bandits.ridge import RidgeBandit, RidgeConfig
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Positive
from rlcourse.agents.deep.neural_bandits import NeuralBandit, NeuralConfig


@dataclass(frozen=True)
class NeuralThompsonConfig(NeuralConfig, RidgeConfig):
    """Settings of `neural_thompson`."""

    ridge: Positive = 0.25
    """Precision of the prior on the weights of the last layer (Riquelme et al. 2018, their code)."""
    noise_shape: Positive = 1.0
    """Shape a_0 of the prior on the variance of the noise (Riquelme et al. 2018 take 6; weaker, since it is soon known)."""
    noise_scale: Positive = 0.01
    """Its scale b_0, in squared units of the reward's range, 1 where it has no bounds (for a_0 = 1 noise of about 0.1)."""


class NeuralThompson(NeuralBandit, RidgeBandit):
    """Draw the last layer of a network from its posterior, pull the arm that is best under it.

        z = (hidden units of the network in the context x, 1)
        sigma^2 ~ InvGamma(a, b),   w ~ N(theta, sigma^2 Sigma),   A_t = argmax_a z_a^T w_a
        Sigma^-1 = ridge I + sum z z^T,   theta = Sigma sum r z
        a = a_0 + n / 2,   b = b_0 + (sum r^2 - theta^T Sigma^-1 theta) / 2        over the n pulls of the arm

    Every pull sharpens the posterior at once; when the network has been trained, its units mean something else, and all
    remembered pulls are regressed on anew. With a feature vector for each arm all share one posterior.

    State beside that of the network: `theta` and `root` of `RidgeBandit`, `shape` and `scale` float64 `[S, P]`, a and b.

    Source: Riquelme, Tucker & Snoek (2018), "Deep Bayesian bandits showdown", section 4 ("NeuralLinear"), equations 1 and 2;
    Snoek et al. (2015), "Scalable Bayesian optimization using deep neural networks".
    """

    name = "neural_thompson"
    config_class = NeuralThompsonConfig
    config: Any

    shape: NDArray[np.float64]
    scale: NDArray[np.float64]

    def _check_world(self) -> None:
        super()._check_world()
        self.dim = self.config.net_arch[-1] + 1

    def initial_state(self, size: int) -> Arrays:
        """The prior, and a network without pulls."""
        models = 1 if self.shared else self.n_arms
        return {
            **super().initial_state(size),
            "shape": np.full((size, models), float(self.config.noise_shape)),
            "scale": np.full((size, models), self._first_scale),
        }

    @property
    def _first_scale(self) -> float:
        return float(self.config.noise_scale * self.reward_scale**2)

    def features(self, observation: Any) -> NDArray[np.float64]:
        """The hidden units and a one, `[S, K, D]`, or `[S, 1, D]` where one context is for all arms."""
        return self._hidden(self.inputs(observation))

    def _hidden(self, x: Tensor) -> NDArray[np.float64]:
        """Contexts `[S, B, dim]` to features `[S, B, D]`."""
        with torch.inference_mode():
            for part in list(self.network)[:-1]:
                x = part(x)
        features = np.ones((*x.shape[:2], self.dim))
        features[..., :-1] = x.numpy()
        return features

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The payoffs `[S, K]` that the mean of the posterior predicts in this context."""
        return self.scores(observation)

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The best arm under the weights drawn."""
        sigma = np.sqrt(self.scale / self.stream.gamma(self.shape, self.shape.shape[1]))
        return self.greedy(self.drawn_scores(observation, sigma))

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Take the pull into the posterior, then into the memory of the network.

        What b gains is r^2 less the change of theta^T Sigma^-1 theta, which is (r - z^T theta)^2 / (1 + z^T Sigma z) with the
        posterior before the pull.
        """
        members = np.arange(self.size)
        model = np.zeros_like(actions) if self.shared else actions
        error = rewards - self.scores(observation)[members, actions]
        variance = self.deviations(observation)[members, actions] ** 2
        self.shape[members, model] += 0.5
        self.scale[members, model] += 0.5 * error**2 / (1.0 + variance)
        super().update(observation, actions, rewards)

    def trained(self, due: NDArray[np.bool_]) -> None:
        """Regress all that is remembered on the new features."""
        held = np.minimum(self.t, self.config.buffer_size).astype(np.int64)
        features = self._hidden(torch.from_numpy(self.seen[:, : held.max()]))
        for m in np.flatnonzero(due).tolist():
            z, r = features[m, : held[m]], self.paid[m, : held[m]].astype(np.float64)
            for p in range(self.theta.shape[1]):
                mine = slice(None) if self.shared else self.pulled[m, : held[m]] == p
                self._regress(m, p, z[mine], r[mine])

    def _regress(self, m: int, p: int, z: NDArray[np.float64], r: NDArray[np.float64]) -> None:
        """The posterior of one model after rewards r `[n]` with features z `[n, D]`."""
        # with L L^T = Sigma^-1 the root M is L^-T, of which M^T is kept
        root = np.linalg.inv(np.linalg.cholesky(self.config.ridge * np.eye(self.dim) + z.T @ z))
        explained = root @ (z.T @ r)  # M^T sum r z, whose square is theta^T Sigma^-1 theta
        self.root[m, p], self.theta[m, p] = root, root.T @ explained
        self.shape[m, p] = self.config.noise_shape + 0.5 * len(r)
        left = max(0.0, float(r @ r - explained @ explained))
        self.scale[m, p] = self._first_scale + 0.5 * left
