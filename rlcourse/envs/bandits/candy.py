"""The course's candy machines: 10,000 coins, one machine that surely pays, and some that may pay double."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.bandits.base import BanditEnv, BanditRules, BanditVectorEnv
from rlcourse.envs.options import check_count, check_numbers, set_field
from rlcourse.envs.rules import State
from rlcourse.errors import UsageError
from rlcourse.streams import Streams


class CandyRules(BanditRules):
    """What all candy machines share: machine 0 pays one candy for certain, the others two or none."""

    machines: int
    probabilities: list[float] | None

    def _check_machines(self, low: float = 0.0, high: float = 1.0) -> None:
        """Settle `machines` by the probabilities, where these are given, and refuse what does not fit."""
        if self.probabilities is not None:
            given = check_numbers("probabilities", self.probabilities, low, high)
            if self.machines not in (type(self).machines, len(given) + 1):
                raise UsageError(
                    f"machines={self.machines} does not fit {len(given)} probabilities and the sure machine: "
                    f"leave it out, or say {len(given) + 1}"
                )
            set_field(self, "probabilities", given.tolist())
            set_field(self, "machines", len(given) + 1)
        check_count("machines", self.machines, at_least=2)

    @property
    def n_arms(self) -> int:
        """The machines."""
        return self.machines

    @property
    def reward_range(self) -> tuple[float, float]:
        """From no candy to two."""
        return (0.0, 2.0)

    def draw_rewards(
        self, state: State, actions: NDArray[np.int64], means: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Two candies with the present probability, else none; machine 0 pays one for certain."""
        won = Streams(state["noise"]).uniform() * 2.0 < means
        return np.where(actions == 0, 1.0, 2.0 * won)


@dataclass(frozen=True)
class CandyMachines(CandyRules):
    """The rules of `CandyMachines-v0`."""

    coins: int = 10_000
    """Coins to begin with (the course's game)."""
    machines: int = 5
    """Machines in all: the sure one and `machines - 1` that may pay (the course: 1 + 4)."""
    cost: int = 1
    """Coins that a play costs; the game ends when the rest does not buy another play."""
    probabilities: list[float] | None = None
    """Win probabilities of the machines 1, 2, ...; `None` draws them from U(0, 1) at every reset."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        self._check_machines()
        check_count("cost", self.cost)
        if check_count("coins", self.coins) < self.cost:
            raise UsageError(f"coins={self.coins} do not buy a single play at cost={self.cost}")

    @property
    def n_rounds(self) -> int:
        """The plays that the coins buy."""
        return self.coins // self.cost

    def allocate_arms(self, batch: int) -> State:
        """`means float64 [B, K]`: the expected candies of a play, and `best float64 [B]`, their maximum."""
        return {"means": np.ones((batch, self.machines)), "best": np.ones(batch)}

    def draw_problem(self, state: State, rows: NDArray[np.intp]) -> None:
        """Win probabilities p ~ U(0, 1), unless they are given; the mean of such a machine is 2 p."""
        if self.probabilities is None:
            chances = Streams(state["problem"]).uniform(self.machines - 1, rows=rows)
        else:
            chances = np.array(self.probabilities)
        state["means"][rows, 1:] = 2.0 * chances
        state["best"][rows] = state["means"][rows].max(axis=1)

    def best_means(self, state: State) -> NDArray[np.float64]:
        """Known since the draw."""
        return state["best"]


class CandyMachinesEnv(BanditEnv):
    """The course's candy machines.

    ## Description
    You have 10,000 coins; a play costs one. Machine 0 pays one candy for certain. Four other machines pay two
    candies with a hidden probability p each, drawn from U(0, 1), and nothing otherwise. Collect as many
    candies as you can.

    ## Action Space
    `Discrete(machines)`: the machine to put the next coin into.

    ## Observation Space
    `Discrete(1)`: there is nothing to see but the candies.

    ## Rewards
    The candies that come out: 1 from machine 0; 2 or 0 from the others. `info["regret"]` is the expected loss
    of the pull against the best machine, in candies. The mean of the best machine is E[max(1, 2 max p)] =
    1.6125 (four machines).

    ## Starting State
    New hidden probabilities at every reset, unless `probabilities` gives them; `options={"same_problem":
    True}` keeps them.

    ## Episode End
    Truncated when the coins are spent.

    ## Arguments
    `coins=10000`, `machines=5` (the sure one included), `cost=1` coin a play, `probabilities=None` (a list
    for machines 1, 2, ...).

    ## Version History
    v0: first version.
    """

    rules_class = CandyMachines


class CandyMachinesVectorEnv(BanditVectorEnv):
    """Copies of `CandyMachinesEnv` in lockstep."""

    rules_class = CandyMachines
