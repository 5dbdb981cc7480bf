"""The adversaries: what their tables hold in any round, and what a whole column is worth, without the table.

`secret uint64 [n]` and `traits float64 [n, 2, K]` (uniform numbers) are what an adversary has drawn for each
of n games; `rounds int64 [n]` is the round of each. So no table stands in memory, however long the game is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from rlcourse.streams import Streams

BAIT = 1e-3
"""What the trap for UCB pays at most in its first K rounds: just enough to order the arms."""

Floats = NDArray[np.float64]


class Adversary(ABC):
    """A way to write a table of rewards in [0, 1]; `period` is its time scale in rounds."""

    def __init__(self, arms: int, period: int) -> None:
        self.arms = arms
        self.period = period

    @abstractmethod
    def row(self, secret: NDArray[np.uint64], traits: Floats, rounds: NDArray[np.int64]) -> Floats:
        """The rewards of all arms in these rounds, `[n, K]`."""

    @abstractmethod
    def totals(self, secret: NDArray[np.uint64], traits: Floats, horizon: int) -> Floats:
        """The sum of every column over the rounds 0 .. horizon - 1, `[n, K]`."""


class Switching(Adversary):
    """Every `period` rounds each arm gets a level from U(0, 1); one favourite the better of two draws."""

    def level(self, secret: NDArray[np.uint64], traits: Floats, block: NDArray[np.int64]) -> Floats:
        """The levels of the arms in these blocks of rounds, `[n, K]`."""
        streams = Streams(secret.copy())
        streams.skip(block * self.arms)
        level = streams.uniform(self.arms)
        favourite = traits[:, 0].argmax(axis=1)
        each = np.arange(len(level))
        level[each, favourite] = np.sqrt(level[each, favourite])  # sqrt(u) has the law of max(u, u')
        return level

    def row(self, secret: NDArray[np.uint64], traits: Floats, rounds: NDArray[np.int64]) -> Floats:
        """See `Adversary.row`."""
        return self.level(secret, traits, rounds // self.period)

    def totals(self, secret: NDArray[np.uint64], traits: Floats, horizon: int) -> Floats:
        """Each level as often as its block has rounds."""
        totals = np.zeros((len(secret), self.arms))
        for block, start in enumerate(range(0, horizon, self.period)):
            rounds = min(self.period, horizon - start)
            totals += rounds * self.level(secret, traits, np.full(len(secret), block))
        return totals


class Wandering(Switching):
    """Every arm glides in straight lines from one of these levels to the next, for `period` rounds each."""

    def row(self, secret: NDArray[np.uint64], traits: Floats, rounds: NDArray[np.int64]) -> Floats:
        """See `Adversary.row`."""
        block, offset = np.divmod(rounds, self.period)
        way = (offset / self.period)[:, None]
        return (1.0 - way) * self.level(secret, traits, block) + way * self.level(secret, traits, block + 1)

    def totals(self, secret: NDArray[np.uint64], traits: Floats, horizon: int) -> Floats:
        """The ways sum to 0 + 1 + ... + (rounds - 1) over the period, in every block."""
        totals = np.zeros((len(secret), self.arms))
        after = self.level(secret, traits, np.zeros(len(secret), np.int64))
        for block, start in enumerate(range(0, horizon, self.period)):
            before, after = after, self.level(secret, traits, np.full(len(secret), block + 1))
            rounds = min(self.period, horizon - start)
            way = rounds * (rounds - 1) / 2 / self.period
            totals += (rounds - way) * before + way * after
        return totals


class Periodic(Adversary):
    """Arm a pays level_a (1 + sin(2 pi (t / period + phase_a))) / 2, with levels and phases from U(0, 1)."""

    def row(self, secret: NDArray[np.uint64], traits: Floats, rounds: NDArray[np.int64]) -> Floats:
        """See `Adversary.row`."""
        time = (rounds % self.period / self.period)[:, None]
        return traits[:, 0] * (0.5 + 0.5 * np.sin(2.0 * np.pi * (time + traits[:, 1])))

    def totals(self, secret: NDArray[np.uint64], traits: Floats, horizon: int) -> Floats:
        """Whole periods of the sine sum to 0 (if two rounds or longer); the rest is added up."""
        rest = horizon % self.period if self.period > 1 else horizon
        angles = 2.0 * np.pi * (np.arange(rest) % self.period) / self.period
        phase = 2.0 * np.pi * traits[:, 1]
        wave = np.sin(phase) * np.cos(angles).sum() + np.cos(phase) * np.sin(angles).sum()
        return traits[:, 0] * (0.5 * horizon + 0.5 * wave)


class FoolsUCB(Adversary):
    """The trap: every arm pays 1, except the one whose turn it is.

    An index strategy such as UCB1 treats arms that have paid alike in turn, since its bonus falls with the
    number of pulls. So the adversary lets it see nothing but zeros, and knows whose turn comes. In the first
    K rounds, while every arm is tried once in whatever order, arm a pays the bait (K - a) / K thousandths:
    too little to matter against the bonus, but it settles all later ties, so that the turns are 0, 1, ..., K
    - 1 and again. From round K on arm (t - K) mod K pays 0 and all others 1. UCB earns nothing while every
    fixed arm earns a share 1 - 1 / K of the rounds: linear regret. The argument is the one against every
    deterministic strategy (Cesa-Bianchi & Lugosi 2006, "Prediction, Learning, and Games", section 4.1);
    randomised ones such as Exp3 escape.
    """

    def row(self, secret: NDArray[np.uint64], traits: Floats, rounds: NDArray[np.int64]) -> Floats:
        """See `Adversary.row`."""
        each = np.arange(self.arms)
        trap = ((rounds - self.arms) % self.arms)[:, None] != each
        return np.where(rounds[:, None] < self.arms, self._bait, trap)

    @property
    def _bait(self) -> Floats:
        return BAIT * (self.arms - np.arange(self.arms)) / self.arms

    def totals(self, secret: NDArray[np.uint64], traits: Floats, horizon: int) -> Floats:
        """The bait of the first rounds, and one for every later round but the arm's own turns."""
        later = max(horizon - self.arms, 0)
        turns = (later - np.arange(self.arms) + self.arms - 1) // self.arms
        column = min(horizon, self.arms) * self._bait + later - turns
        return np.tile(column, (len(secret), 1))


class Table(Adversary):
    """A table that the user has written, `[horizon, K]`; after its end the last row stands."""

    def __init__(self, table: Floats) -> None:
        super().__init__(table.shape[1], 1)
        self.table = table

    def row(self, secret: NDArray[np.uint64], traits: Floats, rounds: NDArray[np.int64]) -> Floats:
        """See `Adversary.row`."""
        return self.table[np.minimum(rounds, len(self.table) - 1)]

    def totals(self, secret: NDArray[np.uint64], traits: Floats, horizon: int) -> Floats:
        """The sums of the columns."""
        return np.tile(self.table[:horizon].sum(axis=0), (len(secret), 1))


ADVERSARIES: dict[str, type[Adversary]] = {
    "switching": Switching,
    "wandering": Wandering,
    "periodic": Periodic,
    "fools_ucb": FoolsUCB,
}
