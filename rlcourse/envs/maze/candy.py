"""Candies in a maze, and an exit: worth a detour or not?"""

from __future__ import annotations

from dataclasses import dataclass

from rlcourse.envs.maze.env import MazeEnv, MazeVectorEnv
from rlcourse.envs.maze.generate import LevelOptions, generate_layout
from rlcourse.envs.maze.generate.levels import check_seed
from rlcourse.envs.maze.layout import Layout
from rlcourse.envs.maze.levels import LevelMaze
from rlcourse.envs.maze.reading import load_layout
from rlcourse.errors import UsageError


@dataclass(frozen=True)
class CandyMaze(LevelMaze):
    """The rules of `CandyMaze-v0`."""

    level_seed: int | None = None
    """Another level, generated; `None` is the one that comes with the package, or level 0 of other options."""
    max_steps: int | None = 200
    """Steps until an episode is truncated; `None` is never."""

    def check_values(self) -> None:
        """See `MazeOptions.check_values`."""
        super().check_values()
        if self.level_seed is not None:
            check_seed("level_seed", self.level_seed)
        if self.layout is not None and (self.level_seed is not None or self.level_options != LevelOptions()):
            raise UsageError(
                f"layout={self.layout!r} is a map as it is: leave out level_seed, size, generator, braid, density, "
                "candies and placing, which generate one"
            )

    def own_layout(self) -> Layout:
        """The level that comes with the package, or a generated one."""
        if self.level_seed is None and self.level_options == LevelOptions():
            return load_layout("candy8")
        return generate_layout(self.level_options, self.level_seed or 0)


class CandyMazeEnv(MazeEnv):
    """Collect the candies of a maze and leave by the exit.

    ## Description
    A maze of 8x8 cells, always the same, with four candies of different value, and an exit that ends the episode.
    `level_seed=` picks another level, which is generated; `CandyMazeLevels-v0` has a new one every episode.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump. `king_moves=True`
    adds the diagonals as 4-7, `stay=True` one more action that stays.

    ## Observation Space
    `observation="index"`: `Discrete`, the number of the state, (number of the open cell) x 16 + the candies that are
    left, as bits; the world is Markov in it. `"position"` hides the candies; `"onehot"` and `"planes"` are arrays.

    ## Rewards
    A candy its value (1, 2, 3 and 5), the exit +10, any other step -0.05.

    ## Starting State
    The upper left corner; with `start="anywhere"` any floor.

    ## Episode End
    Terminated at the exit (with `locked=True` it opens when all candies are collected). Truncated after 200 steps.

    ## Arguments
    `level_seed=None`, `size=8`, `generator="depth_first"`, `braid=0.0`, `density=0.25`, `candies=[1, 2, 3, 5]` and
    `placing="uniform"` choose a generated level, see `CandyMazeLevels-v0`; `layout=None` (or a name, a path, a text),
    `observation="index"`, `max_steps=200`, `slip=0.0`, `start="map"`, `locked=False`, rewards, and what else `MazeOptions`
    names.

    ## Version History
    v0: first version.
    """

    rules_class = CandyMaze


class CandyMazeVectorEnv(MazeVectorEnv):
    """Copies of `CandyMazeEnv` in lockstep."""

    rules_class = CandyMaze


@dataclass(frozen=True)
class CandyMazeSlippery(CandyMaze):
    """The rules of `CandyMazeSlippery-v0`."""

    slip: float = 0.2
    """Probability that a step goes off at a right angle, to either side alike."""


class CandyMazeSlipperyEnv(MazeEnv):
    """The candy maze on ice: every fifth step goes off to a side.

    ## Description
    As `CandyMaze-v0`, but with probability `slip` a step goes off at a right angle, to either side alike.

    ## Action Space
    As in `CandyMaze-v0`.

    ## Observation Space
    As in `CandyMaze-v0`.

    ## Rewards
    As in `CandyMaze-v0`.

    ## Starting State
    The upper left corner.

    ## Episode End
    As in `CandyMaze-v0`.

    ## Arguments
    `slip=0.2`, and all of `CandyMaze-v0`.

    ## Version History
    v0: first version.
    """

    rules_class = CandyMazeSlippery


class CandyMazeSlipperyVectorEnv(MazeVectorEnv):
    """Copies of `CandyMazeSlipperyEnv` in lockstep."""

    rules_class = CandyMazeSlippery
