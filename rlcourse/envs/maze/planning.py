"""The mazes of chapter 8 of Sutton & Barto (2018), made for agents that plan: one that stays, two that change."""

from __future__ import annotations

from dataclasses import dataclass

from rlcourse.envs.maze.env import MazeEnv, MazeVectorEnv
from rlcourse.envs.maze.rules import MazeRules


@dataclass(frozen=True)
class DynaMaze(MazeRules):
    """The rules of `DynaMaze-v0`."""

    layout: str | None = "dyna"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""


class DynaMazeEnv(MazeEnv):
    """The Dyna maze: a reward at the end of a long way only.

    ## Description
    Six rows of nine cells with a few walls (Sutton & Barto 2018, example 8.1). The shortest way takes 14 steps.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="index"`: `Discrete`, the number of the open cell; `"position"` numbers all cells row by row.

    ## Rewards
    +1 at the exit, else 0.

    ## Starting State
    The third row of the left edge.

    ## Episode End
    Terminated at the exit. Truncated after 10,000 steps (the book's has no limit).

    ## Arguments
    `layout="dyna"`, `observation="index"`, `max_steps=10000`, rewards, and what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = DynaMaze


class DynaMazeVectorEnv(MazeVectorEnv):
    """Copies of `DynaMazeEnv` in lockstep."""

    rules_class = DynaMaze


@dataclass(frozen=True)
class BlockingMaze(MazeRules):
    """The rules of `BlockingMaze-v0`."""

    layout: str | None = "blocking"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""


class BlockingMazeEnv(MazeEnv):
    """A maze whose short way closes while a longer one opens.

    ## Description
    Six rows of nine cells with one wall across (Sutton & Barto 2018, example 8.2). At first the gap is at the right, and the
    way takes 10 steps; after 1000 steps of the world's life, over all episodes, it is at the left, and the way takes 16.
    `reset` with a seed begins a new life.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="index"`: `Discrete`, the number of the open cell; `"position"` numbers all cells row by row.

    ## Rewards
    +1 at the exit, else 0.

    ## Starting State
    The middle of the lower edge.

    ## Episode End
    Terminated at the exit. Truncated after 10,000 steps (the book's has no limit).

    ## Arguments
    `layout="blocking"`, `observation="index"`, `max_steps=10000`, rewards, and what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = BlockingMaze


class BlockingMazeVectorEnv(MazeVectorEnv):
    """Copies of `BlockingMazeEnv` in lockstep."""

    rules_class = BlockingMaze


@dataclass(frozen=True)
class ShortcutMaze(MazeRules):
    """The rules of `ShortcutMaze-v0`."""

    layout: str | None = "shortcut"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""


class ShortcutMazeEnv(MazeEnv):
    """A maze where a shorter way opens, which only those find who still look around.

    ## Description
    Six rows of nine cells with one wall across (Sutton & Barto 2018, example 8.3). At first the gap is at the left, and the
    way takes 16 steps; after 3000 steps of the world's life, over all episodes, there is one at the right, too: 10 steps.
    `reset` with a seed begins a new life.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="index"`: `Discrete`, the number of the open cell; `"position"` numbers all cells row by row.

    ## Rewards
    +1 at the exit, else 0.

    ## Starting State
    The middle of the lower edge.

    ## Episode End
    Terminated at the exit. Truncated after 10,000 steps (the book's has no limit).

    ## Arguments
    `layout="shortcut"`, `observation="index"`, `max_steps=10000`, rewards, and what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = ShortcutMaze


class ShortcutMazeVectorEnv(MazeVectorEnv):
    """Copies of `ShortcutMazeEnv` in lockstep."""

    rules_class = ShortcutMaze
