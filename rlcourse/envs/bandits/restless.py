"""Arms that are Markov chains and move whether they are pulled or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.bandits.base import BanditEnv, BanditRules, BanditVectorEnv, row_starts
from rlcourse.envs.bandits.chains import choose, cumulate
from rlcourse.envs.options import check_count, check_number, check_stochastic, check_table, set_field
from rlcourse.envs.rules import State
from rlcourse.errors import UsageError
from rlcourse.streams import Streams


@dataclass(frozen=True)
class RestlessBandit(BanditRules):
    """The rules of `RestlessBandit-v0`."""

    arms: int = 5
    """Number of arms; follows from `transitions` or `rewards` where these are given."""
    states: int = 3
    """States of every arm's chain; follows from them likewise."""
    persistence: float = 0.9
    """Of drawn chains: the probability that nothing happens; else the next state is drawn by the arm's own
    law."""
    transitions: list[list[list[float]]] | None = None
    """For every arm a matrix, row = from, column = to; `None` draws rows uniformly from the simplex at every
    reset."""
    rewards: list[list[float]] | None = None
    """For every arm what each state pays; `None` draws from U(0, 1) at every reset."""
    horizon: int = 10_000
    """Rounds until the episode is truncated."""

    streams: ClassVar[tuple[str, ...]] = ("problem", "drift")

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_count("horizon", self.horizon)
        set_field(self, "persistence", check_number("persistence", self.persistence, 0.0, 1.0))
        if self.transitions is not None:
            if not isinstance(self.transitions, (list, tuple)) or not self.transitions:
                raise UsageError(f"transitions={self.transitions!r} must be a list of matrices, one an arm")
            matrices = [check_stochastic(f"transitions[{i}]", one) for i, one in enumerate(self.transitions)]
            for i, one in enumerate(matrices):
                if one.shape != (len(matrices[0]), len(matrices[0])):
                    raise UsageError(
                        f"transitions[{i}]={one.tolist()!r} must be square and as large as the first"
                    )
            set_field(self, "transitions", [one.tolist() for one in matrices])
            self._settle("transitions", len(matrices), len(matrices[0]))
        if self.rewards is not None:
            table = check_table("rewards", self.rewards)
            set_field(self, "rewards", table.tolist())
            self._settle("rewards", *table.shape)
        check_count("arms", self.arms)
        check_count("states", self.states)

    def _settle(self, name: str, arms: int, states: int) -> None:
        """Take `arms` and `states` from a table, if nothing else was said."""
        for option, told in (("arms", arms), ("states", states)):
            value, default = getattr(self, option), getattr(RestlessBandit, option)
            if value not in (default, told) or (name == "rewards" and self.transitions and value != told):
                raise UsageError(f"{name} speaks of {told} {option}, but {option}={value!r}")
            set_field(self, option, told)

    @property
    def reward_range(self) -> tuple[float, float]:
        """From the poorest state to the richest; of drawn rewards, the unit interval."""
        if self.rewards is None:
            return 0.0, 1.0
        return min(map(min, self.rewards)), max(map(max, self.rewards))

    def allocate_arms(self, batch: int) -> State:
        """`upto [B, K, M, M]` (next state, cumulative), `payoffs [B, K, M]`, `where int64 [B, K]`."""
        shape = (batch, self.arms, self.states)
        return {
            "upto": np.zeros((*shape, self.states)),
            "payoffs": np.zeros(shape),
            "where": np.zeros((batch, self.arms), np.int64),
        }

    def draw_problem(self, state: State, rows: NDArray[np.intp]) -> None:
        """Matrices and payoffs, unless they are given."""
        problem = Streams(state["problem"])
        if self.transitions is None:
            weights = problem.exponential((self.arms, self.states, self.states), rows=rows)
            jump = weights / weights.sum(axis=-1, keepdims=True)
            chances = self.persistence * np.eye(self.states) + (1.0 - self.persistence) * jump
        else:
            chances = np.broadcast_to(np.array(self.transitions), (len(rows), *state["upto"].shape[1:]))
        state["upto"][rows] = cumulate(chances)
        if self.rewards is None:
            state["payoffs"][rows] = problem.uniform((self.arms, self.states), rows=rows)
        else:
            state["payoffs"][rows] = np.array(self.rewards)

    def begin(self, state: State, rows: NDArray[np.intp]) -> None:
        """Every chain in a state drawn uniformly."""
        state["where"][rows] = Streams(state["drift"]).integers(self.states, self.arms, rows=rows)

    def arm_means(self, state: State) -> NDArray[np.float64]:
        """What the present state of every arm pays."""
        return state["payoffs"].reshape(-1).take(self._now(state))

    def _now(self, state: State) -> NDArray[np.int64]:
        """Every arm's present state as an index into the flat payoffs, `[B, K]`."""
        starts = row_starts(state["where"].size, self.states)
        return starts.reshape(state["where"].shape) + state["where"]

    def draw_rewards(
        self, state: State, actions: NDArray[np.int64], means: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Exactly what the state pays: chance is in the chains."""
        return means

    def advance(self, state: State, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Every chain moves, by inversion of the distribution function of its next state."""
        level = Streams(state["drift"]).uniform(self.arms)
        upto = state["upto"].reshape(-1, self.states).take(self._now(state), axis=0)
        state["where"][:] = choose(upto, level)


class RestlessBanditEnv(BanditEnv):
    """Arms that are Markov chains and never rest.

    ## Description
    Every arm has a hidden state and pays what that state is worth. After every round the states of all arms
    move, of the arm that was pulled and of the others alike (Whittle 1988, "Restless bandits"). What you saw
    of an arm grows old.

    ## Action Space
    `Discrete(arms)`: the arm to pull.

    ## Observation Space
    `Discrete(1)`: there is nothing to see but the rewards.

    ## Rewards
    What the present state of the arm pays; there is no further noise. `info["regret"]` is the reward of the
    arm that is best in this round less the reward of the arm that was pulled, so it is also chance that even
    a player who knows the chains (but not their states) cannot avoid.

    ## Starting State
    Every chain in a state drawn uniformly. New matrices and payoffs at every reset, unless they are given;
    `options={"same_problem": True}` keeps them.

    ## Episode End
    Truncated after `horizon` rounds.

    ## Arguments
    `arms=5`, `states=3`; `persistence=0.9`: a drawn chain stays with this probability and else moves by rows
    that are uniform on the simplex; `transitions=None` (a matrix for every arm, row = from); `rewards=None`
    (for every arm what each state pays, else U(0, 1)); `horizon=10000` rounds.

    ## Version History
    v0: first version.
    """

    rules_class = RestlessBandit


class RestlessBanditVectorEnv(BanditVectorEnv):
    """Copies of `RestlessBanditEnv` in lockstep."""

    rules_class = RestlessBandit
