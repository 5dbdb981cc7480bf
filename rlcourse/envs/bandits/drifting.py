"""Arms whose means walk at random, so that no estimate stays true."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.bandits.base import BanditEnv, BanditRules, BanditVectorEnv
from rlcourse.envs.bandits.laws import draw_gaussian
from rlcourse.envs.options import check_count, check_number, set_field
from rlcourse.envs.rules import State
from rlcourse.streams import Streams


@dataclass(frozen=True)
class DriftingBandit(BanditRules):
    """The rules of `DriftingBandit-v0`."""

    arms: int = 10
    """Number of arms (Sutton & Barto 2018, exercise 2.5)."""
    drift: float = 0.01
    """Standard deviation of the step that every mean takes after every round (the exercise: 0.01)."""
    initial: float = 0.0
    """The mean of all arms in the first round: they start out equal (the exercise)."""
    sigma: float = 1.0
    """Standard deviation of the rewards around the mean."""
    horizon: int = 10_000
    """Rounds until the episode is truncated (the exercise: 10,000)."""

    streams: ClassVar[tuple[str, ...]] = ("problem", "noise", "drift")

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_count("arms", self.arms)
        check_count("horizon", self.horizon)
        set_field(self, "drift", check_number("drift", self.drift, 0.0))
        set_field(self, "initial", check_number("initial", self.initial))
        set_field(self, "sigma", check_number("sigma", self.sigma, 0.0))

    @property
    def reward_range(self) -> tuple[float, float]:
        """Unbounded, unless nothing moves and nothing is noisy."""
        if self.drift == 0.0 and self.sigma == 0.0:
            return self.initial, self.initial
        return -math.inf, math.inf

    def allocate_arms(self, batch: int) -> State:
        """`means float64 [B, K]`."""
        return {"means": np.zeros((batch, self.arms))}

    def draw_problem(self, state: State, rows: NDArray[np.intp]) -> None:
        """Nothing is hidden at the start; the walk is the problem."""

    def begin(self, state: State, rows: NDArray[np.intp]) -> None:
        """All means equal."""
        state["means"][rows] = self.initial

    def draw_rewards(
        self, state: State, actions: NDArray[np.int64], means: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Normal around the mean."""
        return draw_gaussian(Streams(state["noise"]), None, means, self.sigma)

    def advance(self, state: State, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """An independent normal step for every arm."""
        state["means"] += self.drift * Streams(state["drift"]).normal(self.arms)


class DriftingBanditEnv(BanditEnv):
    """Arms whose means walk at random (Sutton & Barto 2018, exercise 2.5).

    ## Description
    All arms start with the same mean. After every round each mean takes an independent step from N(0,
    drift^2), whether its arm was pulled or not. Strategies that average over the whole past fall behind those
    that forget.

    ## Action Space
    `Discrete(arms)`: the arm to pull.

    ## Observation Space
    `Discrete(1)`: there is nothing to see but the rewards.

    ## Rewards
    Normal around the mean of the arm, with standard deviation `sigma`. `info["regret"]` is the mean of the
    arm that is best now less the mean of the arm that was pulled.

    ## Starting State
    Every mean is `initial`. `options={"same_problem": True}` changes nothing: the walk goes on with its own
    stream.

    ## Episode End
    Truncated after `horizon` rounds.

    ## Arguments
    `arms=10`, `drift=0.01` (standard deviation of a step), `initial=0.0`, `sigma=1.0`, `horizon=10000`
    rounds.

    ## Version History
    v0: first version.
    """

    rules_class = DriftingBandit


class DriftingBanditVectorEnv(BanditVectorEnv):
    """Copies of `DriftingBanditEnv` in lockstep."""

    rules_class = DriftingBandit
