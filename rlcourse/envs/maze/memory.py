"""Tasks for a memory: a cue that is seen once, and a map that goes dark."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from rlcourse.envs.maze.env import MazeEnv, MazeVectorEnv
from rlcourse.envs.maze.layout import Layout
from rlcourse.envs.maze.reading import parse
from rlcourse.envs.maze.rules import MazeRules
from rlcourse.envs.options import check_count
from rlcourse.errors import UsageError

LONGEST, MOST_FORKS = 1000, 6
"""The longest T-maze, and the most forks of the dark maze: it has two maps a fork, times each other."""


@dataclass(frozen=True)
class TMaze(MazeRules):
    """The rules of `TMaze-v0`."""

    length: int = 10
    """Steps from the start to the fork."""
    layout: str | None = None
    """A map in the place of the T: a name, a path or a text."""
    observation: str = "senses"
    """What is seen: index, position, senses, onehot, full, planes, window or rgb."""
    cue: bool = True
    """Of a map with alternatives, it is seen which one it is."""
    shown_steps: int | None = 1
    """The candies, and the cue, are seen in the first so many observations of an episode; `None` is always."""
    max_steps: int | None = 200
    """Steps until an episode is truncated; `None` is never."""

    own_rewards: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"exit": 4.0, "trap": -0.1, "cliff": -0.1, "move": 0.0, "bump": -0.1}
    )
    disguised: ClassVar[bool] = True

    def check_values(self) -> None:
        """See `MazeOptions.check_values`."""
        super().check_values()
        if check_count("length", self.length) > LONGEST:
            raise UsageError(f"length={self.length} must be at most {LONGEST}")

    def own_layout(self) -> Layout:
        """A corridor and a fork; the exit is above or below."""
        corridor = "S" + "." * self.length
        ends = ["#" * self.length + end for end in "ET"]
        maps = [f"{upper}\n{corridor}\n{lower}" for upper, lower in (ends, reversed(ends))]
        return parse("\nor\n".join(maps) + "\n")


class TMazeEnv(MazeEnv):
    """A T-maze: which way to turn is said at the start, and never again.

    ## Description
    A corridor of `length` steps and a fork (Bakker 2002, "Reinforcement learning with long short-term memory"). One arm is the
    exit, the other a trap that looks like it. Which is which is seen in the first observation only. Memory is all that helps:
    at the fork both cases look alike, so whoever has none is right every second time.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="senses"`: `Discrete(48)`, the barred sides as bits (left 1, right 2, up 4, down 8) + 16 x the cue: 0 not
    shown, 1 the exit is above, 2 below. `"window"` and `"planes"` show the cue in channels of their own.

    ## Rewards
    The exit +4, the trap -0.1, bumping -0.1, any other step 0. `info["is_success"]` says whether it was the exit.

    ## Starting State
    The end of the corridor; a fair coin says which arm is the exit. `options={"hold": ["level"]}` keeps it.

    ## Episode End
    Terminated in either arm. Truncated after 200 steps.

    ## Arguments
    `length=10`, `shown_steps=1`, `observation="senses"`, `max_steps=200`, and what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = TMaze


class TMazeVectorEnv(MazeVectorEnv):
    """Copies of `TMazeEnv` in lockstep."""

    rules_class = TMaze


@dataclass(frozen=True)
class DarkCandies(MazeRules):
    """The rules of `DarkCandies-v0`."""

    forks: int = 3
    """Forks on the way; at each there is a candy in one of the two arms."""
    layout: str | None = None
    """A map in the place of the forks: a name, a path or a text."""
    observation: str = "planes"
    """What is seen: index, position, senses, onehot, full, planes, window or rgb."""
    shown_steps: int | None = 2
    """The candies, and the cue, are seen in the first so many observations of an episode; `None` is always."""
    locked: bool = True
    """The exit opens when all candies are collected; before, it is plain floor."""
    max_steps: int | None = 60
    """Steps until an episode is truncated; `None` is never."""

    own_rewards: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"exit": 1.0, "trap": -1.0, "cliff": -1.0, "move": 0.0}
    )

    def check_values(self) -> None:
        """See `MazeOptions.check_values`."""
        super().check_values()
        if check_count("forks", self.forks) > MOST_FORKS:
            raise UsageError(f"forks={self.forks} must be at most {MOST_FORKS}")

    def own_layout(self) -> Layout:
        """A way through forks whose arms lead forward only; a map for each way to lay the candies."""
        maps = []
        for arms in itertools.product((0, 1), repeat=self.forks):
            rows = ["###", "S..", "###"]
            for arm in arms:
                rows[0] += "#" + "1."[arm] + ">."
                rows[1] += ".>#."
                rows[2] += "#" + ".1"[arm] + ">."
            rows = [row + end for row, end in zip(rows, "#E#", strict=True)]
            maps.append("\n".join(rows))
        return parse("\nor\n".join(maps) + "\n")


class DarkCandiesEnv(MazeEnv):
    """A map of candies, shown for two steps; then it is dark.

    ## Description
    A way with three forks; each has a candy in one arm, and nobody can turn back. Where the candies lie is seen in the first
    two observations only, before the first fork. Memory is all that helps: whoever has none takes the right arm at all forks
    in one of 2**forks episodes.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="planes"`: `Box(0, 1, (channels, 3, 4 forks + 4), uint8)`, channels for walls, exits, traps, cliffs, the
    walker and, as long as they are shown, the candies. The arms are entered forward only, which is not seen.

    ## Rewards
    A candy +1, the exit +1, any other step 0. `info["is_success"]` says whether the exit was reached, and so all candies.

    ## Starting State
    The left end; a fair coin for each fork says in which arm the candy lies. `options={"hold": ["level"]}` keeps that.

    ## Episode End
    Terminated at the exit, which opens when all candies are collected. Truncated after 60 steps.

    ## Arguments
    `forks=3`, `shown_steps=2`, `observation="planes"`, `locked=True`, `max_steps=60`, and what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = DarkCandies


class DarkCandiesVectorEnv(MazeVectorEnv):
    """Copies of `DarkCandiesEnv` in lockstep."""

    rules_class = DarkCandies
