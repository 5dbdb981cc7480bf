"""Candies in a maze, and an exit: worth a detour or not?"""

from __future__ import annotations

from dataclasses import dataclass

from rlcourse.envs.maze.env import MazeEnv, MazeVectorEnv
from rlcourse.envs.maze.rules import MazeRules


@dataclass(frozen=True)
class CandyMaze(MazeRules):
    """The rules of `CandyMaze-v0`."""

    max_steps: int | None = 200
    """Steps until an episode is truncated; `None` is never."""


class CandyMazeEnv(MazeEnv):
    """Collect the candies of a maze and leave by the exit.

    ## Description
    A maze of 8x8 cells, always the same, with four candies of different value, and an exit that ends the episode.

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
    `layout="candy8"` (a name, a path or a text), `observation="index"`, `max_steps=200`, `slip=0.0`, `start="map"`,
    `locked=False`, rewards, and what else `MazeOptions` names.

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
