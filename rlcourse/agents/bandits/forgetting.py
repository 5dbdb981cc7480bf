"""Upper confidence bounds that forget: old rewards count less (discounted) or not at all (sliding window)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.bandits.changing import ChangingConfig
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Count, NonNegative, Within

NEVER = 1e-300
"""Stands for a weight of 0 under a root: the bound of such an arm is beyond all others, and still finite."""


def tuned_discount(horizon: int, changes: int) -> float:
    """The discount 1 - sqrt(Y / T) / 4 (Garivier & Moulines 2011, after theorem 1, for rewards in [0, 1])."""
    return 1.0 - math.sqrt(min(changes / horizon, 1.0)) / 4.0


@dataclass(frozen=True)
class DiscountedUCBConfig(ChangingConfig):
    """Settings of `discounted_ucb`."""

    gamma: Annotated[float, Within(0.0, 1.0, above=True)] | None = None
    """Weight of a reward one round later; none: 1 - sqrt(Y / T) / 4 (Garivier & Moulines 2011, after
    theorem 1)."""
    xi: NonNegative = 0.125
    """Weight of the bonus: 1/8 gives the width sqrt(ln n / (2 N)) that the sliding window has with its 1/2; one weight
    for both is also in Lattimore & Szepesvari (2020), note 2 of chapter 31. The guarantee holds above 1/2 (Garivier &
    Moulines 2011, theorem 1), whose width explores so much that UCB1 loses less in SwitchingBandit-v0."""


class DiscountedUCB(BanditAgent):
    """UCB on means and pulls in which the past fades away.

        N_a = sum_{s <= t} gamma^(t-s) 1{A_s = a},    X_a = sum_{s <= t} gamma^(t-s) R_s 1{A_s = a} / N_a
        A_t = argmax_a  X_a + 2 b sqrt(xi ln n / N_a),    n = sum_a N_a

    with b the range of the rewards (1 where the world has no bounds); every arm is pulled once first.
    Source: Garivier & Moulines (2011), "On upper-confidence bound policies for switching bandit problems",
    section 2, discounted UCB.
    """

    name = "discounted_ucb"
    config_class = DiscountedUCBConfig
    config: DiscountedUCBConfig
    plays_each_arm_first = True

    weight: NDArray[np.float64]
    paid: NDArray[np.float64]

    def _check_world(self) -> None:
        gamma = self.config.gamma
        self.gamma = tuned_discount(self.planned_horizon(), self.config.changes) if gamma is None else gamma

    def initial_state(self, size: int) -> Arrays:
        """`weight` and `paid`, float64 `[S, K]`: discounted pulls N_a, and discounted sums of rewards."""
        tables = {name: np.zeros((size, self.n_arms)) for name in ("weight", "paid")}
        return {**super().initial_state(size), **tables}

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest discounted bound."""
        weight = np.maximum(self.weight, NEVER)
        total = np.maximum(self.weight.sum(axis=1), 1.0)
        index = 1.0 / weight
        bonus = np.sqrt(index * (self.config.xi * np.log(total))[:, None])
        bonus *= 2.0 * self.reward_scale
        index *= self.paid
        index += bonus
        return self.greedy(index)

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Everything fades by gamma, and the new reward comes in with weight 1."""
        super().update(observation, actions, rewards)
        flat = self.offset + actions
        self.weight *= self.gamma
        self.paid *= self.gamma
        self.weight.reshape(-1)[flat] += 1.0
        self.paid.reshape(-1)[flat] += rewards

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The discounted means X_a."""
        return self.paid / np.maximum(self.weight, NEVER)


@dataclass(frozen=True)
class SlidingWindowUCBConfig(AgentConfig):
    """Settings of `sliding_window_ucb`."""

    horizon: Count | None = None
    """Rounds T that the tuning is for; none: what the world says."""
    window: Count | None = None
    """Rounds that are remembered; none: 4 sqrt(T ln T) (Garivier & Moulines 2011, simulations)."""
    xi: NonNegative = 0.5
    """Weight of the bonus; the guarantee holds above 1/2 (Garivier & Moulines 2011, theorem 2)."""


class SlidingWindowUCB(BanditAgent):
    """UCB on the last `tau` rounds alone.

        N_a = pulls of arm a in the last tau rounds,    X_a = their mean reward
        A_t = argmax_a  X_a + b sqrt(xi ln min(t, tau) / N_a)

    with b the range of the rewards (1 where the world has no bounds); an arm that the window does not hold is
    pulled. The window is a ring of `tau` (arm, reward) entries for each member: memory does not grow with the
    game.
    Source: Garivier & Moulines (2011), "On upper-confidence bound policies for switching bandit problems",
    section 2, sliding-window UCB.
    """

    name = "sliding_window_ucb"
    config_class = SlidingWindowUCBConfig
    config: SlidingWindowUCBConfig
    plays_each_arm_first = True

    pulls: NDArray[np.float64]
    paid: NDArray[np.float64]
    ring_arms: NDArray[np.int32]
    ring_rewards: NDArray[np.float64]

    def _check_world(self) -> None:
        window = self.config.window
        if window is None:
            horizon = self.planned_horizon()
            window = min(max(math.ceil(4.0 * math.sqrt(horizon * math.log(horizon))), 1), horizon)
        self.window = min(window, self.world_horizon() or window)  # a game needs no longer memory than itself

    def initial_state(self, size: int) -> Arrays:
        """`pulls` and `paid` `[S, K]` within the window; its `ring_arms` (-1: none) and `ring_rewards` `[S, tau]`."""
        tables = {name: np.zeros((size, self.n_arms)) for name in ("pulls", "paid")}
        ring: Arrays = {
            "ring_arms": np.full((size, self.window), -1, np.int32),
            "ring_rewards": np.zeros((size, self.window)),
        }
        return {**super().initial_state(size), **tables, **ring}

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest bound within the window."""
        index = 1.0 / np.maximum(self.pulls, NEVER)
        bonus = np.sqrt(index * (self.config.xi * np.log(np.minimum(self.t, self.window)))[:, None])
        bonus *= self.reward_scale
        bonus[self.pulls == 0.0] = 1.0 / NEVER
        index *= self.paid
        index += bonus
        return self.greedy(index)

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The oldest round leaves the window where this is full, and the new one enters it."""
        pulls, paid = self.pulls.reshape(-1), self.paid.reshape(-1)
        arms, payments = self.ring_arms.reshape(-1), self.ring_rewards.reshape(-1)
        place = np.arange(self.size) * self.window + (self.t % self.window).astype(np.int64)
        leaving = arms.take(place)
        full = np.flatnonzero(leaving >= 0)
        if len(full):
            old = self.offset[full] + leaving[full]
            left = pulls.take(old) - 1.0
            pulls[old] = left
            # What is left of an empty sum is rounding: it must not outlive the rewards that it came from.
            paid[old] = np.where(left > 0.0, paid.take(old) - payments.take(place[full]), 0.0)
        super().update(observation, actions, rewards)
        flat = self.offset + actions
        pulls[flat] += 1.0
        paid[flat] += rewards
        arms[place] = actions
        payments[place] = rewards

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The means X_a within the window (0 for an arm that it does not hold)."""
        return self.paid / np.maximum(self.pulls, 1.0)
