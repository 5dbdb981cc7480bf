"""Which arm is best? Strategies that explore until they can tell, and then commit to their recommendation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Count, NonNegative, Within
from rlcourse.errors import UsageError

Delta = Annotated[float, Within(0.0, 1.0, above=True)]
"""Chance of a wrong answer."""


class BestArmAgent(BanditAgent):
    """Explores until it stops, then pulls the arm that it recommends for the rest of the game.

    State: `left bool [S, K]`, the arms that are still in the race; `stopped float64 [S]`, the pulls after which one
    arm was left (-1: still exploring). A subclass learns in `update`, and there calls `keep`.
    """

    left: NDArray[np.bool_]
    stopped: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """All arms are in the race; an only arm has won it."""
        left = np.ones((size, self.n_arms), np.bool_)
        stopped = np.full(size, 0.0 if self.n_arms == 1 else -1.0)
        return {**super().initial_state(size), "left": left, "stopped": stopped}

    def select(self, observation: Any) -> NDArray[np.int64]:
        """Of the arms that are left, the one that has been pulled least; the first of several."""
        return np.where(self.left, self.counts, np.inf).argmin(axis=1)

    def keep(self, rows: NDArray[np.intp], left: NDArray[np.bool_]) -> None:
        """Of these members only the arms `left`, bool `[R, K]`, stay in the race."""
        self.left[rows] = left
        alone = rows[(np.count_nonzero(left, axis=1) == 1) & (self.stopped[rows] < 0.0)]
        self.stopped[alone] = self.t[alone]

    def stopping_time(self) -> NDArray[np.float64]:
        """The pulls after which each member stopped exploring, float64 `[S]`; NaN where it has not yet."""
        return np.where(self.stopped < 0.0, np.nan, self.stopped)

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The sample means of the arms in the race; those that are out of it have lost to all others."""
        return np.where(self.left, self.means, -np.inf)

    def final_scores(self) -> dict[str, NDArray[np.float64]]:
        """The `stopping_time`."""
        return {"stopping_time": self.stopping_time()}


@dataclass(frozen=True)
class SuccessiveEliminationConfig(AgentConfig):
    """Settings of `successive_elimination`."""

    delta: Delta = 0.05
    """Chance of a wrong answer that is allowed; 5% by convention."""
    c: Annotated[float, Within(math.pi**2 / 3.0)] = 4.0
    """Constant of the radius; the guarantee needs at least pi^2 / 3 (Even-Dar, Mannor & Mansour 2006,
    theorem 8)."""


class SuccessiveElimination(BestArmAgent):
    """Pull all arms that are left once a round, and drop those that are surely not the best.

        round r = 1, 2, ...: pull every arm that is left, then drop a where
            max_b X_b - X_a >= 2 b_r,    b_r = range sqrt(ln(c K r^2 / delta) / r)
        until one arm is left: it is the best with probability at least 1 - delta

    Source: Even-Dar, Mannor & Mansour (2006), "Action elimination and stopping conditions for the
    multi-armed bandit and reinforcement learning problems", algorithm 3 (successive elimination).
    """

    name = "successive_elimination"
    config_class = SuccessiveEliminationConfig
    config: SuccessiveEliminationConfig
    needs_bounded_rewards = "sequential_halving"

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The sample means; at the end of a round, the elimination."""
        super().update(observation, actions, rewards)
        racing = np.flatnonzero(self.stopped < 0.0)
        if not len(racing):
            return
        # Arms have their turns within a round, so it is over when all that are left were pulled equally often.
        left, counts = self.left[racing], self.counts[racing]
        most = np.where(left, counts, 0.0).max(axis=1)
        over = np.where(left, counts, np.inf).min(axis=1) == most
        if len(rows := racing[over]):
            self._eliminate(rows, most[over])

    def _eliminate(self, rows: NDArray[np.intp], r: NDArray[np.float64]) -> None:
        """Drop arms of these members at the end of their rounds `r`."""
        radius = self.reward_scale * np.sqrt(
            np.log(self.config.c * self.n_arms * r**2 / self.config.delta) / r
        )
        means = np.where(self.left[rows], self.means[rows], -np.inf)
        self.keep(rows, means.max(axis=1)[:, None] - means < 2.0 * radius[:, None])


@dataclass(frozen=True)
class SequentialHalvingConfig(AgentConfig):
    """Settings of `sequential_halving`."""

    horizon: Count | None = None
    """Pulls T that it may spend on exploring (Karnin, Koren & Somekh 2013, algorithm 1); none: what the
    world says."""


class SequentialHalving(BestArmAgent):
    """Spend the budget in rounds of equal cost, and drop the worse half of the arms after each.

        S_0 = all arms;   in round r = 0 .. ceil(log2 K) - 1 pull every arm of S_r
            t_r = floor(T / (|S_r| ceil(log2 K)))  times,  and keep the ceil(|S_r| / 2) with the best means
        of the round the last arm left is the answer

    Equal means are kept in the order of their arms.
    Source: Karnin, Koren & Somekh (2013), "Almost optimal exploration in multi-armed bandits", algorithm 1.

    Raises:
        UsageError: a budget that does not buy every arm one pull in the first round.
    """

    name = "sequential_halving"
    config_class = SequentialHalvingConfig
    config: SequentialHalvingConfig

    paid: NDArray[np.float64]

    def _check_world(self) -> None:
        budget, K = self.planned_horizon(), self.n_arms
        rounds = max(K - 1, 0).bit_length()  # ceil(log2 K)
        if budget < K * rounds:
            raise UsageError(
                f"{self.name}: horizon={budget} pulls are too few for {K} arms: give at least {K * rounds}"
            )
        self.plan: list[
            tuple[int, int]
        ] = []  # for all members: when a round ends, and how many arms it keeps
        spent, size = 0, K
        while size > 1:
            spent += size * (budget // (size * rounds))
            size = -(-size // 2)
            self.plan.append((spent, size))

    def initial_state(self, size: int) -> Arrays:
        """`paid float64 [S, K]`: the sums of this round's rewards."""
        return {**super().initial_state(size), "paid": np.zeros((size, self.n_arms))}

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The sums of the round; at its end, the halving."""
        super().update(observation, actions, rewards)
        self.paid.reshape(-1)[self.offset + actions] += rewards
        for end, size in self.plan:
            if len(rows := np.flatnonzero(self.t == end)):
                self._halve(rows, size)

    def _halve(self, rows: NDArray[np.intp], size: int) -> None:
        """Keep the best `size` arms of these members; each that is left was pulled equally often in the round."""
        paid = np.where(self.left[rows], self.paid[rows], -np.inf)
        best = np.argsort(-paid, axis=1, kind="stable")[:, :size]
        left = np.zeros((len(rows), self.n_arms), np.bool_)
        np.put_along_axis(left, best, True, axis=1)
        self.keep(rows, left)
        self.paid[rows] = 0.0


@dataclass(frozen=True)
class LUCBConfig(AgentConfig):
    """Settings of `lucb`."""

    delta: Delta = 0.05
    """Chance of a wrong answer that is allowed; 5% by convention."""
    epsilon: NonNegative = 0.0
    """How much worse than the best an answer may be, in units of the reward (Kalyanakrishnan et al. 2012,
    section 2);
    0 asks for the best arm."""


class LUCB(BestArmAgent):
    """Pull the arm that looks best and its most dangerous rival, until their bounds part (LUCB1).

        round t = 1, 2, ...:  h = argmax_a X_a,    l = argmax_{a != h}  X_a + beta(N_a, t);   pull h and l
        until  X_l + beta(N_l, t) - (X_h - beta(N_h, t)) < epsilon  (0: at most 0):  h is the answer
        beta(u, t) = range sqrt(ln(5/4 K t^4 / delta) / (2 u))

    Every arm is pulled once first. The answer is within epsilon of the best with probability at least 1 -
    delta.
    Source: Kalyanakrishnan, Tewari, Auer & Stone (2012), "PAC subset selection in stochastic multi-armed
    bandits", sections 3 and 4 (k_1 = 5/4).
    """

    name = "lucb"
    config_class = LUCBConfig
    config: LUCBConfig
    needs_bounded_rewards = "sequential_halving"
    plays_each_arm_first = True

    leader: NDArray[np.int64]
    rival: NDArray[np.int64]

    def initial_state(self, size: int) -> Arrays:
        """`leader` and `rival int64 [S]`: the two arms of this round, h and l."""
        pair = {name: np.zeros(size, np.int64) for name in ("leader", "rival")}
        return {**super().initial_state(size), **pair}

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The leader, then the rival; the winner, where there is one."""
        pair = np.where((self.t - self.n_arms) % 2.0 == 0.0, self.leader, self.rival)
        return np.where(self.stopped < 0.0, pair, self.left.argmax(axis=1))

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The sample means; at the end of a round, the two arms of the next, or the end."""
        super().update(observation, actions, rewards)
        since = self.t - self.n_arms
        rows = np.flatnonzero((self.stopped < 0.0) & (since >= 0.0) & (since % 2.0 == 0.0))
        if not len(rows):
            return
        K, members = self.n_arms, np.arange(len(rows))
        round_ = since[rows] / 2.0 + 1.0
        log = np.log(1.25 * K / self.config.delta) + 4.0 * np.log(round_)
        radius = self.reward_scale * np.sqrt(log[:, None] / (2.0 * self.counts[rows]))
        means = self.means[rows]
        leader = means.argmax(axis=1)
        upper = means + radius
        upper[members, leader] = -np.inf
        rival = upper.argmax(axis=1)
        gap = upper[members, rival] - (means[members, leader] - radius[members, leader])
        self.leader[rows], self.rival[rows] = leader, rival
        done = gap <= 0.0 if self.config.epsilon == 0.0 else gap < self.config.epsilon
        self.keep(rows[done], leader[done, None] == np.arange(K))
