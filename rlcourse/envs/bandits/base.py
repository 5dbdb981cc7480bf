"""What all bandit worlds share: arms with a mean each, pseudo-regret, a horizon, the door to the truth."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.rules import Outcome, Rules, State
from rlcourse.envs.scalar import WorldEnv
from rlcourse.envs.vector import WorldVectorEnv


@lru_cache(maxsize=64)
def row_starts(batch: int, width: int) -> NDArray[np.int64]:
    """Where each row of a C-ordered array `[batch, width]` begins in its flat view, read-only `[batch]`."""
    starts = np.arange(0, batch * width, width)
    starts.flags.writeable = False
    return starts


def row_max(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The maximum of every row of `[B, K]`; for few columns much faster than `values.max(axis=1)`."""
    return np.maximum.reduce(values.T.copy(), axis=0)


class BanditRules(Rules):
    """Rules of a bandit world: `K` arms; in every round one is pulled and pays.

    A subclass keeps what it needs in the state, as a rule the current mean of every arm as
    `means float64 [B, K]`. This base draws up the round: the pseudo-regret of the pull against the best arm
    *now*, the reward, the change of the world, the clock.

    State: `round int64 [B]` (rounds played); for the picture `pulls int64 [B, K]`, `last int64 [B]` (the arm
    pulled last, -1 for none) and `paid float64 [B]`; the streams "problem" (what `reset` draws), "noise"
    (rewards) and, where the world moves by itself, "drift".
    """

    streams: ClassVar[tuple[str, ...]] = ("problem", "noise")
    painter: ClassVar[str] = "rlcourse.viewer.bandits:paint"
    arms: int
    horizon: int

    @property
    def n_arms(self) -> int:
        """Number of arms K: the option `arms`, where a world does not call it otherwise."""
        return self.arms

    @property
    def n_rounds(self) -> int:
        """Rounds until the episode is truncated: the option `horizon`, where a world does not call it otherwise."""
        return self.horizon

    @property
    @abstractmethod
    def reward_range(self) -> tuple[float, float]:
        """Bounds that no reward leaves, infinite where the law is unbounded; some strategies need them."""

    @abstractmethod
    def allocate_arms(self, batch: int) -> State:
        """The arrays that this family needs."""

    @abstractmethod
    def draw_problem(self, state: State, rows: NDArray[np.intp]) -> None:
        """Draw what is hidden in the episode (from the stream "problem")."""

    def begin(self, state: State, rows: NDArray[np.intp]) -> None:
        """Put a problem that has been drawn to its beginning, for worlds that change during play."""

    def arm_means(self, state: State) -> NDArray[np.float64]:
        """The mean reward of every arm in this round, `[B, K]`: `means`, where a world does not keep it otherwise."""
        return state["means"]

    def best_means(self, state: State) -> NDArray[np.float64]:
        """The mean reward of the best arm in this round, `[B]`."""
        return row_max(self.arm_means(state))

    @abstractmethod
    def draw_rewards(
        self, state: State, actions: NDArray[np.int64], means: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The rewards `[B]` of these pulls, whose means `[B]` are given (from the stream "noise")."""

    def advance(self, state: State, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Change the world after a round; nothing happens in a stationary one."""

    def best_values(self, state: State) -> NDArray[np.float64]:
        """What a player who knows the world expects in this round, `[B]`: the yardstick of the tables."""
        return self.best_means(state)

    def arm_values(self, state: State) -> NDArray[np.float64]:
        """What a player who knows the world would maximise now, `[B, K]`: the true means of the arms.

        This is the documented door through which the perfect-knowledge strategy is told the truth; nothing
        else reads it.
        """
        return self.arm_means(state)

    @cached_property
    def observation_space(self) -> gymnasium.Space[Any]:  # type: ignore[override]
        """There is nothing to see in a plain bandit."""
        return gymnasium.spaces.Discrete(1)

    @cached_property
    def action_space(self) -> gymnasium.spaces.Discrete:  # type: ignore[override]
        """Which arm to pull."""
        return gymnasium.spaces.Discrete(self.n_arms)

    def observe(self, state: State) -> NDArray[Any]:
        """The observations `[B, ...]`."""
        return np.zeros(len(state["round"]), np.int64)

    def allocate(self, batch: int) -> State:
        """See `Rules.allocate`."""
        return {
            "round": np.zeros(batch, np.int64),
            "pulls": np.zeros((batch, self.n_arms), np.int64),
            "last": np.zeros(batch, np.int64),
            "paid": np.zeros(batch),
            **self.allocate_arms(batch),
        }

    def reset(self, state: State, rows: NDArray[np.intp], *, hold: Collection[str] = ()) -> None:
        """See `Rules.reset`."""
        for name in ("round", "pulls", "paid"):
            state[name][rows] = 0
        state["last"][rows] = -1
        if "problem" not in hold:
            self.draw_problem(state, rows)
        self.begin(state, rows)

    def step(self, state: State, actions: NDArray[np.int64]) -> Outcome:
        """See `Rules.step`."""
        batch = len(actions)
        flat = row_starts(batch, self.n_arms) + actions
        means = self.arm_means(state).reshape(-1).take(flat)
        regret = self.best_means(state) - means
        rewards = self.draw_rewards(state, actions, means)
        state["round"] += 1
        state["paid"] += rewards
        state["last"][:] = actions
        np.add.at(state["pulls"].reshape(-1), flat, 1)
        self.advance(state, actions, rewards)
        truncated = state["round"] >= self.n_rounds
        return Outcome(rewards, np.zeros(batch, np.bool_), truncated, {"regret": regret})

    def describe(self, state: State, row: int) -> str:
        """A line with the clock and the earnings, and a bar of pulls for every arm."""
        pulls = state["pulls"][row]
        lines = [f"round {state['round'][row]} of {self.n_rounds}, reward {state['paid'][row]:g}"]
        longest = max(int(pulls.max()), 1)
        for arm, count in enumerate(pulls):
            lines.append(f"  arm {arm:>2} {'#' * round(30 * count / longest):<30} {count}")
        return "\n".join(lines)


class _BanditFace:
    """What a bandit offers beyond Gymnasium: the door to the truth, and the range of its rewards."""

    rules: BanditRules
    _state: State

    @property
    def reward_range(self) -> tuple[float, float]:
        """Bounds of a reward, `(low, high)`; infinite where the law is unbounded."""
        return self.rules.reward_range

    @property
    def n_rounds(self) -> int:
        """Rounds until the episode is truncated."""
        return self.rules.n_rounds


class BanditEnv(_BanditFace, WorldEnv):
    """A bandit world as a `gymnasium.Env`."""

    rules: BanditRules

    def arm_values(self) -> NDArray[np.float64]:
        """The truth, `[K]`: the value of every arm now. See `BanditRules.arm_values`."""
        return self.rules.arm_values(self._state)[0].copy()

    def best_value(self) -> float:
        """The expected reward of one who knows the world, now. See `BanditRules.best_values`."""
        return float(self.rules.best_values(self._state)[0])


class BanditVectorEnv(_BanditFace, WorldVectorEnv):
    """Copies of a bandit world in lockstep."""

    rules: BanditRules

    def arm_values(self) -> NDArray[np.float64]:
        """The truth, `[num_envs, K]`: the value of every arm now. See `BanditRules.arm_values`."""
        return self.rules.arm_values(self._state).copy()

    def best_values(self) -> NDArray[np.float64]:
        """What one who knows the world expects now, `[num_envs]`. See `BanditRules.best_values`."""
        return self.rules.best_values(self._state).copy()
