"""KL-UCB that tests each arm's rewards for a change, and begins anew where it finds one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.bandits.changing import ChangingConfig
from rlcourse.agents.bandits.divergence import TINY
from rlcourse.agents.bandits.kl_index import argmax_kl_bound
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Count, Probability, Within
from rlcourse.errors import UsageError


@dataclass(frozen=True)
class GLRKLUCBConfig(ChangingConfig):
    """Settings of `glr_kl_ucb`."""

    restart: Literal["local", "global"] = "local"
    """What an alarm makes the strategy forget: its own arm, or all (Besson et al. 2022, algorithm 1)."""
    delta: Annotated[float, Within(0.0, 1.0, above=True)] | None = None
    """Chance of a false alarm that the test allows; none: 1 / sqrt(Y T), local 1 / sqrt(K Y T) (Besson et al.
    2022, the tuning for a known number of changes)."""
    alpha: Probability | None = None
    """Share of forced exploration; none: a tenth of sqrt(Y ln T / T), local sqrt(K Y ln T / T), the tuning of
    Besson et al. (2022), who scale it down in their experiments."""
    test_every: Count = 10
    """An arm is tested at every so many of its pulls (Besson et al. 2022, experiments: ten rounds)."""
    splits: Annotated[int, Within(4)] = 64
    """Places where a change can be looked for, evenly spread over an arm's history; an even number. The paper
    tries every fifth place of all; this bounds the memory instead."""


class GLRKLUCB(BanditAgent):
    """KL-UCB since the last alarm of each arm; the alarm is a Bernoulli generalised likelihood ratio test.

        A_t = argmax_a  max { q : N_a kl(X_a, q) <= ln(t - tau_a) }
              but arm i where t mod floor(K / alpha) = i - 1: every arm is heard now and then
        alarm where  max_{0 < s < n}  s kl(X_{1:s}, X_{1:n}) + (n - s) kl(X_{s+1:n}, X_{1:n})
                     >= ln(3 n sqrt(n) / delta),     n = N_a

    with N_a and X_a counted from tau_a, the round of the last alarm that concerned the arm (so are `counts`
    and `means`), and rewards scaled from the world's range to [0, 1]. X_{i:j} is the mean of the arm's
    rewards i .. j.

    The history of an arm is kept as sums of its first s rewards, at s = w, 2w, 3w ... with w = 1 until the
    `splits` places are full; then every other place is dropped and w doubles. So memory does not grow with
    the game, and a change is looked for at every pull of a short history and at 32 to 64 places of a long
    one. As in the paper an arm is tested only at every tenth pull.

    Source: Besson, Kaufmann, Maillard & Seznec (2022), "Efficient change-point detection for tackling
    piecewise-stationary bandits", algorithm 1 and experiments (threshold, lazy tests).
    """

    name = "glr_kl_ucb"
    config_class = GLRKLUCBConfig
    config: GLRKLUCBConfig
    needs_bounded_rewards = "discounted_ucb or sliding_window_ucb"

    paid: NDArray[np.float64]
    prefix: NDArray[np.float64]
    spacing: NDArray[np.int64]
    restarted: NDArray[np.float64]
    alarms: NDArray[np.float64]

    def _check_world(self) -> None:
        if self.config.splits % 2:
            raise UsageError(f"{self.name}: splits={self.config.splits} must be an even number")
        delta, alpha, K = self.config.delta, self.config.alpha, self.n_arms
        if delta is None or alpha is None:
            T = self.planned_horizon()
            changes = self.config.changes * (K if self.config.restart == "local" else 1)
            delta = 1.0 / math.sqrt(changes * T) if delta is None else delta
            alpha = min(0.1 * math.sqrt(changes * math.log(T) / T), 1.0) if alpha is None else alpha
        self.delta = delta
        self.period = math.inf if alpha == 0.0 else float(np.floor(K / alpha))

    def initial_state(self, size: int) -> Arrays:
        """The history of every arm since its last alarm, and the alarms.

        `paid float64 [S, K]` is the sum of its scaled rewards, `prefix float64 [S, K, splits]` that of the
        first w, 2w, 3w ..., `spacing int64 [S, K]` is w; `restarted float64 [S, K]` is tau; `alarms float64
        [S, K]` counts alarms.
        """
        tables = {name: np.zeros((size, self.n_arms)) for name in ("paid", "restarted", "alarms")}
        prefix = np.zeros((size, self.n_arms, self.config.splits))
        spacing = np.ones((size, self.n_arms), np.int64)
        return {**super().initial_state(size), **tables, "prefix": prefix, "spacing": spacing}

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm with the highest bound, or the one whose turn it is to be heard."""
        budget = np.log(np.maximum(self.t[:, None] - self.restarted, 1.0))
        actions = np.empty(self.size, np.int64)
        argmax_kl_bound(self.counts, self.paid, budget, self.stream.state, actions)
        turn = self.t % self.period
        forced = np.flatnonzero(turn < self.n_arms)
        actions[forced] = turn[forced].astype(np.int64)
        return actions

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The mean and the history of the pulled arm; then the test, where it is due."""
        super().update(observation, actions, rewards)
        flat = self.offset + actions
        pulls = self.counts.reshape(-1).take(flat).astype(np.int64)
        self.paid.reshape(-1)[flat] += self.scaled(rewards)
        self._remember(flat, pulls)
        due = flat[pulls % self.config.test_every == 0]
        if len(due):
            n = self.counts.reshape(-1).take(due)
            rung = due[self.statistic(due) >= np.log(3.0 * n * np.sqrt(n) / self.delta)]
            if len(rung):
                self._restart_arms(rung)

    def _remember(self, flat: NDArray[np.int64], pulls: NDArray[np.int64]) -> None:
        """Keep the sum of the first `pulls` rewards if that is a place, and make room when all are taken."""
        places, spacing = self.config.splits, self.spacing.reshape(-1)
        prefix = self.prefix.reshape(-1, places)
        place, between = np.divmod(pulls, spacing.take(flat))
        here = between == 0
        arms = flat[here]
        prefix[arms, place[here] - 1] = self.paid.reshape(-1).take(arms)
        full = arms[place[here] == places]
        if len(full):
            prefix[full, : places // 2] = prefix[full, 1::2]
            spacing[full] *= 2

    def statistic(self, arms: NDArray[np.int64]) -> NDArray[np.float64]:
        """The generalised likelihood ratio of a change at the best place, for some (member, arm) cells.

        In the sum of the two divergences the terms in ln X_{1:n} add up, which leaves, with
        h(x) = x ln x + (1 - x) ln(1 - x),  s h(X_{1:s}) + (n - s) h(X_{s+1:n}) - n h(X_{1:n}).

        Args:
            arms: int64 `[R]`, places in the flat `[S, K]` table, each pulled at least once.

        Returns:
            float64 `[R]`; 0 where there is no place to split.
        """
        places = self.config.splits
        n = self.counts.reshape(-1).take(arms)[:, None]
        paid = self.paid.reshape(-1).take(arms)[:, None]
        s = self.spacing.reshape(-1).take(arms)[:, None] * np.arange(1.0, places + 1.0)
        before = self.prefix.reshape(-1, places)[arms]
        rest = np.maximum(n - s, 1.0)
        ratio = s * negative_entropy(before / s) + rest * negative_entropy((paid - before) / rest)
        ratio -= n * negative_entropy(paid / n)
        return np.where(s < n, ratio, 0.0).max(axis=1)

    def _restart_arms(self, rung: NDArray[np.int64]) -> None:
        """Forget the arm that rang, or all arms of its member."""
        self.alarms.reshape(-1)[rung] += 1.0
        members = rung // self.n_arms
        if self.config.restart == "global":
            rung = (members[:, None] * self.n_arms + np.arange(self.n_arms)).reshape(-1)
            members = np.repeat(members, self.n_arms)
        for table in (self.counts, self.means, self.paid):
            table.reshape(-1)[rung] = 0.0
        self.spacing.reshape(-1)[rung] = 1
        self.restarted.reshape(-1)[rung] = self.t[members]


def negative_entropy(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum x ln x + (1 - x) ln(1 - x); what rounding has put outside [0, 1] counts as its ends."""
    x = np.minimum(np.maximum(x, 0.0), 1.0)
    y = 1.0 - x
    return x * np.log(np.maximum(x, TINY)) + y * np.log(np.maximum(y, TINY))
