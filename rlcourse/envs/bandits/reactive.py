"""Candy machines that answer: generous after they made you lose, mean after they made you win."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.bandits.base import BanditEnv, BanditVectorEnv, row_starts
from rlcourse.envs.bandits.candy import CandyRules
from rlcourse.envs.options import check_count, check_number, set_field
from rlcourse.envs.rules import State
from rlcourse.errors import UsageError
from rlcourse.streams import Streams


@dataclass(frozen=True)
class ReactiveCandyMachines(CandyRules):
    """The rules of `ReactiveCandyMachines-v0`."""

    coins: int = 10_000
    """Coins to begin with; a play costs one."""
    machines: int = 5
    """Machines in all: the sure one and `machines - 1` that react."""
    rise: float = 0.02
    """What a lost play adds to the machine's win probability."""
    fall: float = 0.01
    """What a won play takes from it. A machine that is played all the time settles around rise / (rise +
    fall)."""
    low: float = 0.0
    """The win probability never falls below this."""
    high: float = 1.0
    """The win probability never rises above this."""
    probabilities: list[float] | None = None
    """Win probabilities at the start; `None` draws them from U(low, high) at every reset."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_count("coins", self.coins)
        for name in ("rise", "fall", "low", "high"):
            set_field(self, name, check_number(name, getattr(self, name), 0.0, 1.0))
        if self.low > self.high:
            raise UsageError(f"low={self.low} must not exceed high={self.high}")
        self._check_machines(self.low, self.high)

    @property
    def n_rounds(self) -> int:
        """The plays that the coins buy."""
        return self.coins

    def allocate_arms(self, batch: int) -> State:
        """`initial float64 [B, K - 1]`: win probabilities at first; `means float64 [B, K]`: candies now."""
        return {"initial": np.zeros((batch, self.machines - 1)), "means": np.ones((batch, self.machines))}

    def draw_problem(self, state: State, rows: NDArray[np.intp]) -> None:
        """Win probabilities p ~ U(low, high), unless they are given."""
        if self.probabilities is None:
            drawn = Streams(state["problem"]).uniform(self.machines - 1, rows=rows)
            state["initial"][rows] = self.low + (self.high - self.low) * drawn
        else:
            state["initial"][rows] = np.array(self.probabilities)

    def begin(self, state: State, rows: NDArray[np.intp]) -> None:
        """Nobody has played yet."""
        state["means"][rows, 1:] = 2.0 * state["initial"][rows]

    def advance(self, state: State, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The machine that was played answers; the others wait. Means are twice the probabilities."""
        flat = row_starts(len(actions), self.machines) + actions
        means = state["means"].reshape(-1)
        answer = means.take(flat) + np.where(rewards > 0.0, -2.0 * self.fall, 2.0 * self.rise)
        answer = np.minimum(np.maximum(answer, 2.0 * self.low), 2.0 * self.high)
        means[flat] = np.where(actions == 0, 1.0, answer)


class ReactiveCandyMachinesEnv(BanditEnv):
    """Candy machines that answer the player.

    ## Description
    As in `CandyMachines-v0`, machine 0 pays one candy for certain, and the others pay two candies or none.
    But a machine's win probability rises by `rise` when it made you lose, and falls by `fall` when you won;
    the machines that you leave alone stay as they are. What a machine is worth depends on what you did to it.

    ## Action Space
    `Discrete(machines)`: the machine to put the next coin into.

    ## Observation Space
    `Discrete(1)`: there is nothing to see but the candies.

    ## Rewards
    The candies that come out: 1 from machine 0; 2 or 0 from the others. `info["regret"]` compares with the
    machine that is best now, at this moment's probabilities. It is a myopic measure: a patient player, who
    spends coins on a machine that will be better for it, has regret while investing.

    ## Starting State
    New win probabilities at every reset, unless `probabilities` gives them; `options={"same_problem": True}`
    goes back to those of the last start.

    ## Episode End
    Truncated when the coins are spent.

    ## Arguments
    `coins=10000`, `machines=5` (the sure one included), `rise=0.02`, `fall=0.01`, `low=0.0`, `high=1.0`
    (bounds of a win probability), `probabilities=None` (a list for machines 1, 2, ...).

    ## Version History
    v0: first version.
    """

    rules_class = ReactiveCandyMachines


class ReactiveCandyMachinesVectorEnv(BanditVectorEnv):
    """Copies of `ReactiveCandyMachinesEnv` in lockstep."""

    rules_class = ReactiveCandyMachines
