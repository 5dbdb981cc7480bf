"""Arms whose means stay where they are for a while and then jump: the piecewise stationary bandit."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.bandits.base import BanditEnv, BanditRules, BanditVectorEnv, row_max
from rlcourse.envs.bandits.laws import draw_bernoulli
from rlcourse.envs.options import check_count, check_number, check_numbers, check_table, set_field
from rlcourse.envs.rules import State
from rlcourse.errors import UsageError
from rlcourse.streams import Streams

# Garivier & Moulines 2011, "On upper-confidence bound policies for switching bandit problems", section 4:
# three arms with means .5, .3 and .4; the third rises to .9 between the rounds 3000 and 5000 of 10,000.
PAPER_MEANS = [[0.5, 0.3, 0.4], [0.5, 0.3, 0.9], [0.5, 0.3, 0.4]]
PAPER_BREAKPOINTS = [3000, 5000]

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class SwitchingBandit(BanditRules):
    """The rules of `SwitchingBandit-v0`."""

    arms: int = 3
    """Number of arms; follows from `means` where these are given."""
    means: list[list[float]] | None = None
    """Win probabilities, a row for every segment; `None` draws them from U(low, high)."""
    breakpoints: list[int] | None = None
    """The rounds (the first is 0) in which the second, third ... segment begins."""
    hazard: float | None = None
    """Instead of breakpoints: the probability that all means are drawn anew after a round."""
    prior_args: list[float] | None = None
    """[low, high] of drawn means; `None` means [0, 1]."""
    horizon: int = 10_000
    """Rounds until the episode is truncated (Garivier & Moulines 2011)."""

    streams: ClassVar[tuple[str, ...]] = ("problem", "noise", "drift")

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_count("arms", self.arms)
        check_count("horizon", self.horizon)
        low, high = self._check_prior()
        set_field(self, "prior_args", [low, high])
        if self.hazard is not None:
            set_field(self, "hazard", check_number("hazard", self.hazard, 0.0, 1.0))
            for name in ("means", "breakpoints"):
                if getattr(self, name) is not None:
                    raise UsageError(
                        f"{name}={getattr(self, name)!r} and hazard={self.hazard!r} exclude each other"
                    )
            return
        if self.means is None and self.breakpoints is None:
            if self.arms != SwitchingBandit.arms:
                raise UsageError(
                    f"arms={self.arms} needs means, breakpoints or a hazard: the default has 3 arms"
                )
            set_field(self, "means", PAPER_MEANS)
            set_field(self, "breakpoints", PAPER_BREAKPOINTS)
        self._check_segments()

    def _check_prior(self) -> tuple[float, float]:
        if self.prior_args is None:
            return 0.0, 1.0
        pair = check_numbers("prior_args", self.prior_args, 0.0, 1.0).tolist()
        if len(pair) != 2 or pair[0] > pair[1]:
            raise UsageError(f"prior_args={self.prior_args!r} must be [low, high] with low <= high")
        return pair[0], pair[1]

    def _check_segments(self) -> None:
        given = [] if self.breakpoints is None else self.breakpoints
        if not isinstance(given, (list, tuple)):
            raise UsageError(f"breakpoints={given!r} must be a list of rounds")
        points = [check_count(f"breakpoints[{i}]", point) for i, point in enumerate(given)]
        if any(later <= sooner for sooner, later in itertools.pairwise(points)):
            raise UsageError(f"breakpoints={given!r} must increase")
        set_field(self, "breakpoints", points)
        if self.means is None:
            return
        table = check_table("means", self.means, 0.0, 1.0)
        if len(table) != len(points) + 1:
            raise UsageError(
                f"means={self.means!r} has {len(table)} rows for {len(points) + 1} segments: "
                f"one before each of the breakpoints={points} and one after the last"
            )
        if self.arms not in (SwitchingBandit.arms, table.shape[1]):
            raise UsageError(f"arms={self.arms} does not fit means with {table.shape[1]} columns")
        set_field(self, "means", table.tolist())
        set_field(self, "arms", table.shape[1])

    @property
    def segments(self) -> int:
        """How many segments are known at the start: the breakpoints and one; with a hazard, one."""
        return len(self.breakpoints or ()) + 1

    @property
    def reward_range(self) -> tuple[float, float]:
        """Nothing or one."""
        return 0.0, 1.0

    def allocate_arms(self, batch: int) -> State:
        """`table [B, segments, K]`; now: `means [B, K]` and `best, segment, until [B]` (the next switch)."""
        return {
            "table": np.zeros((batch, self.segments, self.arms)),
            "means": np.zeros((batch, self.arms)),
            "best": np.zeros(batch),
            "segment": np.zeros(batch, np.int64),
            "until": np.zeros(batch, np.int64),
        }

    def draw_problem(self, state: State, rows: NDArray[np.intp]) -> None:
        """The means of all segments, unless they are given; of the first, where there is a hazard."""
        if self.means is not None:
            state["table"][rows] = np.array(self.means)
        else:
            drawn = Streams(state["problem"]).uniform((self.segments, self.arms), rows=rows)
            state["table"][rows] = self._scaled(drawn)

    def _scaled(self, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        """Numbers of U(0, 1) as means."""
        low, high = self.prior_args or (0.0, 1.0)
        return low + (high - low) * drawn

    def begin(self, state: State, rows: NDArray[np.intp]) -> None:
        """The first segment."""
        state["segment"][rows] = 0
        self._enter(state, rows, state["table"][rows, 0])

    def _enter(self, state: State, rows: NDArray[np.intp], means: NDArray[np.float64]) -> None:
        """Make `means` those of now."""
        state["means"][rows] = means
        state["best"][rows] = row_max(means)
        ends = np.array([*(self.breakpoints or ()), NEVER])
        state["until"][rows] = ends[state["segment"][rows]]

    def best_means(self, state: State) -> NDArray[np.float64]:
        """Known since the last switch."""
        return state["best"]

    def draw_rewards(
        self, state: State, actions: NDArray[np.int64], means: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """One with the arm's probability, else nothing."""
        return draw_bernoulli(Streams(state["noise"]), None, means)

    def advance(self, state: State, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Switch where the time has come, or where chance will have it."""
        if self.hazard is None:
            if np.count_nonzero(due := state["round"] == state["until"]):
                rows = np.flatnonzero(due)
                state["segment"][rows] += 1
                self._enter(state, rows, state["table"][rows, state["segment"][rows]])
            return
        drift = Streams(state["drift"])
        if np.count_nonzero(due := drift.uniform() < self.hazard):
            rows = np.flatnonzero(due)
            self._enter(state, rows, self._scaled(drift.uniform(self.arms, rows=rows)))


class SwitchingBanditEnv(BanditEnv):
    """Bernoulli arms whose means jump: the piecewise stationary bandit.

    ## Description
    The means stay where they are within a segment and change at its end. Without options it is the instance
    of Garivier & Moulines (2011, section 4): means .5, .3 and .4, the third rising to .9 from round 3000 up
    to round 4999.

    ## Action Space
    `Discrete(arms)`: the arm to pull.

    ## Observation Space
    `Discrete(1)`: there is nothing to see but the rewards.

    ## Rewards
    1 with the arm's present probability, else 0. `info["regret"]` is the mean of the arm that is best now
    less the mean of the arm that was pulled.

    ## Starting State
    The first segment. With `means` the probabilities are given; without, `breakpoints` or `hazard` draw them
    from U(low, high). `options={"same_problem": True}` keeps the drawn segments; with a hazard, the first of
    them.

    ## Episode End
    Truncated after `horizon` rounds. The rounds count from 0: the breakpoint 3000 is first felt in the 3001st
    pull.

    ## Arguments
    `arms=3`; `means=None` (a row of probabilities for every segment); `breakpoints=None` (the rounds in which
    a new segment begins); `hazard=None` (instead: the chance of a switch after each round); `prior_args=[0,
    1]`, the range of drawn means; `horizon=10000` rounds.

    ## Version History
    v0: first version.
    """

    rules_class = SwitchingBandit


class SwitchingBanditVectorEnv(BanditVectorEnv):
    """Copies of `SwitchingBanditEnv` in lockstep."""

    rules_class = SwitchingBandit
