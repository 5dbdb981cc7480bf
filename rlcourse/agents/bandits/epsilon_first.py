"""Epsilon-first: a time to explore, then a time to exploit; the strategy of the course's candy machines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.arrays import COLDEST, softmax
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Count, Finite, Positive, Probability


@dataclass(frozen=True)
class EpsilonFirstConfig(AgentConfig):
    """Settings of `epsilon_first`."""

    epsilon: Probability = 0.1
    """Share of the horizon that is spent on exploring (Vermorel & Mohri 2005, section 2.1: 0.05 to 0.15)."""
    exploration: Literal["uniform", "linear", "softmax"] = "uniform"
    """How arms are chosen while exploring: all alike, in proportion to their mean payoff, or by a Boltzmann law of it."""
    horizon: Count | None = None
    """Rounds of a game; none: what the world says."""
    temperature: Positive = 1.0
    """Of the Boltzmann law, in units of the reward: a candy more makes an arm e times as likely."""
    unplayed_value: Finite = 1.0
    """Mean payoff that an arm counts with before it was played: what the sure candy machine pays."""


class EpsilonFirst(BanditAgent):
    """Explore for the first epsilon T rounds of T, then pull the arm that has paid best.

        t <= ceil(epsilon T):  P(A_t = a) = 1 / K                                  (uniform)
                               P(A_t = a) = max(Q_a, 0) / sum_b max(Q_b, 0)        (linear)
                               P(A_t = a) = exp(Q_a / tau) / sum_b exp(Q_b / tau)  (softmax)
        afterwards:            A_t = argmax_a Q_a

    Q_a is the mean of what arm a has paid; an arm that was never played counts as the sure machine, Q_a = `unplayed_value`.
    In the linear law a mean below zero has no weight, as a mean of zero has none; where no arm has any, all are alike.

    Source: Vermorel & Mohri (2005), "Multi-armed bandit algorithms and empirical evaluation", section 2.1; the linear and
    the softmax law are those of the course's candy machines.

    Raises:
        UsageError: neither the setting `horizon` nor the world says how many rounds there are.
    """

    name = "epsilon_first"
    config_class = EpsilonFirstConfig
    config: EpsilonFirstConfig

    def _check_world(self) -> None:
        rounds = self.planned_horizon()
        # 0.07 * 100 is 7.000000000000001: such a rest of rounding is no round
        self.exploring = math.ceil(self.config.epsilon * rounds - 1e-9 * rounds)

    def initial_state(self, size: int) -> Arrays:
        """The estimates start at `unplayed_value`, which the first reward of an arm replaces."""
        state = super().initial_state(size)
        state["means"] += self.config.unplayed_value
        return state

    def select(self, observation: Any) -> NDArray[np.int64]:
        """One of the three laws for the members that still explore, the best arm for the others."""
        explorers = np.flatnonzero(self.t < self.exploring)
        if not len(explorers):
            return self.greedy(self.means)
        actions = self._explore(explorers)
        if len(explorers) == self.size:
            return actions
        before = self.stream.state[explorers]
        all_actions = self.greedy(self.means)
        self.stream.state[explorers] = before  # ties of the best arm are not theirs to break
        all_actions[explorers] = actions
        return all_actions

    def _explore(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        """Arms for the members `rows`, drawn by the law of exploration."""
        if self.config.exploration == "uniform":
            return self.stream.integers(self.n_arms, rows=rows)
        if self.config.exploration == "softmax":
            chances = softmax(self.means[rows] / max(self.config.temperature, COLDEST))
        else:
            chances = np.maximum(self.means[rows], 0.0)
            chances[chances.sum(axis=1) == 0.0] = 1.0
        return self.stream.categorical(chances, rows=rows, check=False)
