"""A maze of which only a part is seen."""

from __future__ import annotations

from dataclasses import dataclass

from rlcourse.envs.maze.env import MazeEnv, MazeVectorEnv
from rlcourse.envs.maze.rules import MazeRules


@dataclass(frozen=True)
class CandyMazePartial(MazeRules):
    """The rules of `CandyMazePartial-v0`."""

    layout: str | None = "orchard"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""
    observation: str = "window"
    """What is seen: index, position, senses, onehot, full, planes, window or rgb."""
    window: int = 5
    """Side of the square around the walker that the observation `window` shows; odd."""
    occlusion: bool = True
    """Walls block the sight in a window."""
    start: str = "anywhere"
    """Where episodes start: on the starts of the map, or anywhere on its floor."""
    spawn: int | None = 2
    """How many candies an episode has, drawn from the candy cells of the map; `None` is one in each."""
    max_steps: int | None = 200
    """Steps until an episode is truncated; `None` is never."""


class CandyMazePartialEnv(MazeEnv):
    """Look for two candies with a view of a few cells.

    ## Description
    A maze of 8x8 cells. Two of six places hold a candy, and the walker, who starts anywhere, sees a square of 5x5 cells around
    itself, as far as no wall stands before it. Memory helps: many places look alike, and where one has looked already need
    not be looked at again. `layout="corridor", spawn=None, start="map", observation="senses", max_steps=26` is the smallest
    case: both halves look alike, so that a player without memory finds the exit from one end only. (With more time, a walk at
    random comes to it from either end: of 200 steps, in 70% of the episodes.)

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="window"`: `Box(0, 1, (channels, 5, 5), uint8)`, channels for walls, exits, traps, cliffs, candies, and what
    is not seen. With `feedback=True` a `Dict` of the `view`, the `last_action` and the `last_reward`.

    ## Rewards
    A candy +5, any other step -0.05. `info["is_success"]` says whether all were found.

    ## Starting State
    Anywhere on the floor; two of the six places hold a candy.

    ## Episode End
    Terminated when both candies are found. Truncated after 200 steps.

    ## Arguments
    `window=5`, `occlusion=True`, `feedback=False`, `layout="orchard"`, `spawn=2`, `start="anywhere"`, `max_steps=200`,
    and what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = CandyMazePartial


class CandyMazePartialVectorEnv(MazeVectorEnv):
    """Copies of `CandyMazePartialEnv` in lockstep."""

    rules_class = CandyMazePartial
