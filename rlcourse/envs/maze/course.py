"""The maze of the course: four by four cells, and a way that must not be lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from rlcourse.envs.maze.env import MazeEnv, MazeVectorEnv
from rlcourse.envs.maze.rules import MazeRules


@dataclass(frozen=True)
class CourseMaze(MazeRules):
    """The rules of `CourseMaze-v0`."""

    layout: str | None = "course"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""
    observation: str = "full"
    """What is seen: position, onehot, planes, or full, which alone says all that the future depends on."""
    max_steps: int | None = 200
    """Steps until an episode is truncated; `None` is never. The course's own is lost sooner."""
    patience: float | None = 0.5
    """An episode is lost (terminated) once its return is below -patience x the number of cells; `None` is never."""

    own_rewards: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"exit": 10.0, "trap": -10.0, "cliff": -1.0, "move": -0.05, "revisit": -0.25, "bump": -0.75}
    )


class CourseMazeEnv(MazeEnv):
    """The maze of the course: find the exit before the patience is used up.

    ## Description
    A maze of 4x4 cells with one exit. Every move costs a little, a cell that was entered before more, a wall most;
    who loses too much has lost the episode. The best return is 9.75: six moves.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="full"` is a flat `Box`: a one for the cell of the walker, ones for the cells that were visited, and the
    return so far; with it the world is Markov. `"position"`, `Discrete(16)`, is the course's own, which is not.

    ## Rewards
    Exit +10, a move -0.05, entering a cell that was entered before in this episode -0.25 (the start does not count
    until it is entered), bumping into a wall or the edge -0.75.

    ## Starting State
    The upper left corner.

    ## Episode End
    Terminated at the exit, and once the return is below -0.5 x the number of cells (-8). Truncated after 200 steps.

    ## Arguments
    `layout="course"`, `observation="full"`, `max_steps=200`, `patience=0.5`, `slip=0.0`, rewards, and what else
    `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = CourseMaze


class CourseMazeVectorEnv(MazeVectorEnv):
    """Copies of `CourseMazeEnv` in lockstep."""

    rules_class = CourseMaze
