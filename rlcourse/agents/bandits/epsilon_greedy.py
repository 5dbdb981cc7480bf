"""Greed for what has paid best so far, with a constant or a falling chance to explore, or an optimistic start instead."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Finite, Positive, Probability, Within


class EpsilonStrategy(BanditAgent):
    """With chance epsilon a random arm, else the arm that has paid best so far."""

    @abstractmethod
    def epsilon(self) -> NDArray[np.float64] | float:
        """The chance of exploring in this round, a number or one for each member `[S]`."""

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The best arm so far, or with chance epsilon a uniform one."""
        explore = np.flatnonzero(self.stream.uniform() < self.epsilon())
        actions = self.greedy(self.means)
        actions[explore] = self.stream.integers(self.n_arms, rows=explore)
        return actions


@dataclass(frozen=True)
class EpsilonGreedyConfig(AgentConfig):
    """Settings of `epsilon_greedy`."""

    epsilon: Probability = 0.1
    """Chance of a random arm in every round (Sutton & Barto 2018, figure 2.2)."""
    step_size: Probability | None = None
    """Constant step size of the estimates, for worlds that change (Sutton & Barto 2018, eq. 2.5); none: sample means."""
    initial_value: Finite = 0.0
    """Estimate of an arm that was never pulled (Sutton & Barto 2018, section 2.3)."""


class EpsilonGreedy(EpsilonStrategy):
    """With chance epsilon a random arm, else the arm that has paid best so far.

        A_t = argmax_a Q_t(a)  with probability 1 - epsilon,  a uniform arm with probability epsilon
        Q(A) <- Q(A) + alpha (R - Q(A)),  alpha = 1 / N(A) or a constant

    Source: Sutton & Barto (2018), sections 2.2 - 2.5.
    """

    name = "epsilon_greedy"
    config_class = EpsilonGreedyConfig
    config: EpsilonGreedyConfig

    def initial_state(self, size: int) -> Arrays:
        """The estimates start at `initial_value`."""
        state = super().initial_state(size)
        state["means"] += self.config.initial_value
        return state

    def epsilon(self) -> NDArray[np.float64] | float:
        """The same in every round."""
        return self.config.epsilon

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Move the estimate of the pulled arm towards what it paid."""
        if self.config.step_size is None:
            super().update(observation, actions, rewards)
            return
        flat = self.offset + actions
        means = self.means.reshape(-1)
        old = means.take(flat)
        means[flat] = old + self.config.step_size * (rewards - old)
        self.counts.reshape(-1)[flat] += 1.0
        self.t += 1.0


@dataclass(frozen=True)
class OptimisticGreedyConfig(EpsilonGreedyConfig):
    """Settings of `optimistic_greedy`: those of `epsilon_greedy` with other defaults."""

    epsilon: Probability = 0.0
    """Chance of a random arm in every round (Sutton & Barto 2018, figure 2.3: none)."""
    step_size: Probability | None = 0.1
    """Constant step size of the estimates (Sutton & Barto 2018, figure 2.3); none: sample means, which forget the start
    with an arm's first reward."""
    initial_value: Finite = 5.0
    """Estimate of an arm at the start, above all that it can pay (Sutton & Barto 2018, figure 2.3)."""


class OptimisticGreedy(EpsilonGreedy):
    """The best arm by estimates that begin far too high, so that every arm disappoints and all are tried.

        A_t = argmax_a Q_t(a),  Q_1(a) = 5,  Q(A) <- Q(A) + alpha (R - Q(A))

    Source: Sutton & Barto (2018), section 2.6.
    """

    name = "optimistic_greedy"
    config_class = OptimisticGreedyConfig


@dataclass(frozen=True)
class EpsilonDecayConfig(AgentConfig):
    """Settings of `epsilon_decay`."""

    decay: Literal["auer", "cube_root", "exponential"] = "auer"
    """The law by which epsilon falls; see the equations of `EpsilonDecay`."""
    c: Positive = 0.2
    """In "auer", the weight: the logarithmic bound of the paper's theorem 3 is proved for c above 5, its experiments
    (section 4) do well with much smaller ones."""
    d: Annotated[float, Within(0.0, 1.0, above=True)] = 0.1
    """In "auer", a lower bound of the gap between the best arm and the second, in units of the range of the rewards."""
    start: Probability = 1.0
    """In "exponential", epsilon of the first round: all exploration."""
    rate: Probability = 0.99
    """In "exponential", what epsilon is multiplied with after every round: with 0.99 it halves in 69 rounds."""
    minimum: Probability = 0.0
    """Epsilon falls no further than to this, in all three laws; above 0 for worlds that change."""


class EpsilonDecay(EpsilonStrategy):
    """Epsilon-greedy whose epsilon falls with the rounds t = 1, 2, ...

        eps_t = min(1, c K / (d^2 t))             auer: regret O(ln T), where d is at most the smallest gap
        eps_t = min(1, (K ln(t + 1) / t)^(1/3))   cube_root: regret O(T^(2/3) (K ln T)^(1/3)), nothing to tune
        eps_t = start rate^(t - 1)                exponential: explores finitely often, and may settle on a wrong arm

    Source: Auer, Cesa-Bianchi & Fischer (2002), "Finite-time analysis of the multiarmed bandit problem", figure 3 and
    theorem 3 (auer); Slivkins (2019), "Introduction to multi-armed bandits", section 1.2 (cube_root).
    """

    name = "epsilon_decay"
    config_class = EpsilonDecayConfig
    config: EpsilonDecayConfig

    def epsilon(self) -> NDArray[np.float64]:
        """The chance of exploring in this round, one for each member `[S]`."""
        config, t = self.config, self.t + 1.0
        if config.decay == "auer":
            epsilon = config.c * self.n_arms / (config.d**2 * t)
        elif config.decay == "cube_root":
            epsilon = np.cbrt(self.n_arms * np.log(t + 1.0) / t)
        else:
            epsilon = config.start * config.rate**self.t
        return np.clip(epsilon, config.minimum, 1.0)
