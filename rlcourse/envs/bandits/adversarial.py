"""Rewards that nobody draws: an oblivious adversary has written them down before the first round."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.bandits.adversaries import ADVERSARIES, Adversary, Table
from rlcourse.envs.bandits.base import BanditEnv, BanditRules, BanditVectorEnv, row_starts
from rlcourse.envs.options import check_choice, check_count, check_table, set_field
from rlcourse.envs.rules import State
from rlcourse.errors import UsageError
from rlcourse.streams import Streams


@dataclass(frozen=True)
class AdversarialBandit(BanditRules):
    """The rules of `AdversarialBandit-v0`."""

    arms: int = 5
    """Number of arms K; follows from `table` where that is given."""
    adversary: str = "switching"
    """Who writes the table: "switching", "wandering", "periodic" or "fools_ucb"."""
    period: int = 500
    """Rounds between two switches, between two points of a wandering arm, or of one oscillation."""
    table: list[list[float]] | None = None
    """Rewards in [0, 1], a row for every round; instead of an adversary, and `horizon` follows from it."""
    horizon: int = 10_000
    """Rounds until the episode is truncated."""

    streams: ClassVar[tuple[str, ...]] = ("problem",)

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_choice("adversary", self.adversary, ADVERSARIES)
        check_count("period", self.period)
        if self.table is not None:
            if self.adversary != AdversarialBandit.adversary:
                raise UsageError(f"adversary={self.adversary!r} and a table exclude each other")
            rewards = check_table("table", self.table, 0.0, 1.0)
            for name, told in (("arms", rewards.shape[1]), ("horizon", rewards.shape[0])):
                if getattr(self, name) not in (getattr(AdversarialBandit, name), told):
                    raise UsageError(
                        f"{name}={getattr(self, name)!r} does not fit the table, which has {told}"
                    )
                set_field(self, name, told)
            set_field(self, "table", rewards.tolist())
        check_count("arms", self.arms)
        check_count("horizon", self.horizon)

    @cached_property
    def opponent(self) -> Adversary:
        """Who knows the table."""
        if self.table is not None:
            return Table(np.array(self.table))
        return ADVERSARIES[self.adversary](self.arms, self.period)

    @property
    def reward_range(self) -> tuple[float, float]:
        """The unit interval."""
        return 0.0, 1.0

    def allocate_arms(self, batch: int) -> State:
        """What decides the table, and what is known of it.

        `secret uint64 [B]` and `traits [B, 2, K]` decide it; `totals [B, K]` are the sums of its columns over
        the horizon, `champion int64 [B]` is the best of them, `row [B, K]` holds the rewards of this round.
        """
        return {
            "secret": np.zeros(batch, np.uint64),
            "traits": np.zeros((batch, 2, self.arms)),
            "totals": np.zeros((batch, self.arms)),
            "champion": np.zeros(batch, np.int64),
            "row": np.zeros((batch, self.arms)),
        }

    def draw_problem(self, state: State, rows: NDArray[np.intp]) -> None:
        """The adversary decides on a table."""
        problem = Streams(state["problem"])
        secret, traits = problem.bits(rows=rows), problem.uniform((2, self.arms), rows=rows)
        totals = self.opponent.totals(secret, traits, self.horizon)
        state["secret"][rows], state["traits"][rows], state["totals"][rows] = secret, traits, totals
        state["champion"][rows] = totals.argmax(axis=1)

    def begin(self, state: State, rows: NDArray[np.intp]) -> None:
        """The first row of the table."""
        clock = state["round"][rows]
        state["row"][rows] = self.opponent.row(state["secret"][rows], state["traits"][rows], clock)

    def advance(self, state: State, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The next row of the table."""
        state["row"][:] = self.opponent.row(state["secret"], state["traits"], state["round"])

    def arm_means(self, state: State) -> NDArray[np.float64]:
        """The rewards of this round."""
        return state["row"]

    def best_means(self, state: State) -> NDArray[np.float64]:
        """What the best fixed arm pays in this round: not always the most that there is."""
        starts = row_starts(len(state["champion"]), self.arms)
        return state["row"].reshape(-1).take(starts + state["champion"])

    def arm_values(self, state: State) -> NDArray[np.float64]:
        """What every arm pays a round on average over the horizon, so that the argmax is the best fixed arm."""
        return state["totals"] / self.horizon

    def draw_rewards(
        self, state: State, actions: NDArray[np.int64], means: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """As it is written."""
        return means


class AdversarialBanditEnv(BanditEnv):
    """A bandit without chance: an oblivious adversary has written the rewards down.

    ## Description
    Before the first round an adversary writes a table of rewards in [0, 1], a row for every round, and never
    looks at what you do (Auer et al. 2002, "The nonstochastic multiarmed bandit problem"). You see the entry
    of the arm that you pull. You are measured against the arm that would have been best if pulled in every
    round.

    | adversary | table |
    |---|---|
    | `switching` | every `period` rounds levels from U(0, 1), for a hidden favourite the better of two |
    | `wandering` | every arm glides in straight lines between such levels |
    | `periodic` | every arm swings between 0 and a level of its own, with a phase of its own |
    | `fools_ucb` | every arm pays 1 except the one that UCB will pull: index strategies earn nothing |

    ## Action Space
    `Discrete(arms)`: the arm to pull.

    ## Observation Space
    `Discrete(1)`: there is nothing to see but the rewards.

    ## Rewards
    The table's entry. `info["regret"]` is the entry of the best fixed arm less the entry of the arm that was
    pulled: it may be negative in a round, and its sum is what the best fixed arm earns less what you earned.

    ## Starting State
    A new table at every reset, unless `table` gives it; `options={"same_problem": True}` keeps it. The trap
    is always the same.

    ## Episode End
    Truncated after `horizon` rounds.

    ## Arguments
    `arms=5`, `adversary="switching"`, `period=500` rounds, `table=None` ([horizon][arms]), `horizon=10000`
    rounds.

    ## Version History
    v0: first version.
    """

    rules_class = AdversarialBandit


class AdversarialBanditVectorEnv(BanditVectorEnv):
    """Copies of `AdversarialBanditEnv` in lockstep."""

    rules_class = AdversarialBandit
