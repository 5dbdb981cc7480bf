"""The gridworlds of chapter 6 of Sutton & Barto (2018): the cliff and the wind; and the four rooms."""

from __future__ import annotations

from dataclasses import dataclass

from rlcourse.envs.maze.env import MazeEnv, MazeVectorEnv
from rlcourse.envs.maze.rules import MazeRules


@dataclass(frozen=True)
class CliffWalk(MazeRules):
    """The rules of `CliffWalk-v0`."""

    layout: str | None = "cliff"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""


class CliffWalkEnv(MazeEnv):
    """Walk along a cliff: the shortest way is the most dangerous one.

    ## Description
    Four rows of twelve cells; between start and exit, along the lower edge, there is a cliff. The shortest way, 13 steps,
    runs at its brink; who explores falls (Sutton & Barto 2018, example 6.6). Best return: -13; of the policies that
    take a random action with probability 0.1, -20.708.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="index"`: `Discrete`, the number of the open cell; `"position"` numbers all cells row by row.

    ## Rewards
    -1 a step, -100 for falling off the cliff.

    ## Starting State
    The lower left corner; a fall leads back to it.

    ## Episode End
    Terminated at the exit. Truncated after 10,000 steps (the book's has no limit).

    ## Arguments
    `layout="cliff"`, `observation="index"`, `max_steps=10000`, rewards, and
    what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = CliffWalk


class CliffWalkVectorEnv(MazeVectorEnv):
    """Copies of `CliffWalkEnv` in lockstep."""

    rules_class = CliffWalk


@dataclass(frozen=True)
class WindyGrid(MazeRules):
    """The rules of `WindyGrid-v0`."""

    layout: str | None = "windy"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""


class WindyGridEnv(MazeEnv):
    """Cross a field where the wind blows upward.

    ## Description
    Seven rows of ten cells; in the middle columns a step ends one or two rows higher, by the wind of the column that it
    started in (Sutton & Barto 2018, example 6.5; with `king_moves` exercise 6.9, with `gusty` exercise 6.10). The
    best way takes 15 steps, with king's moves 7.

    ## Action Space
    `Discrete(4)`: left, right, up, down. With `king_moves=True` up left, up right, down left, down right are 4-7.
    `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="index"`: `Discrete`, the number of the open cell; `"position"` numbers all cells row by row.

    ## Rewards
    -1 a step.

    ## Starting State
    The middle of the left edge.

    ## Episode End
    Terminated at the exit. Truncated after 10,000 steps (the book's has no limit).

    ## Arguments
    `layout="windy"`, `king_moves=False`, `gusty=False`, `observation="index"`, `max_steps=10000`, rewards, and
    what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = WindyGrid


class WindyGridVectorEnv(MazeVectorEnv):
    """Copies of `WindyGridEnv` in lockstep."""

    rules_class = WindyGrid


@dataclass(frozen=True)
class FourRooms(MazeRules):
    """The rules of `FourRooms-v0`."""

    layout: str | None = "four_rooms"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""
    start: str = "anywhere"
    """Where episodes start: on the starts of the map, or anywhere on its floor."""
    max_steps: int | None = 500
    """Steps until an episode is truncated; `None` is never."""


class FourRoomsEnv(MazeEnv):
    """Four rooms, joined by four doors.

    ## Description
    A square of 11x11 cells in four rooms, joined by four doors (Sutton, Precup & Singh 1999, "Between MDPs and
    semi-MDPs", figure 2). The exit lies in the lower right room.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="index"`: `Discrete`, the number of the open cell; `"position"` numbers all cells row by row.

    ## Rewards
    +1 at the exit, else 0.

    ## Starting State
    Anywhere on the floor; with `start="map"` the upper left corner.

    ## Episode End
    Terminated at the exit. Truncated after 500 steps.

    ## Arguments
    `layout="four_rooms"`, `start="anywhere"`, `observation="index"`, `max_steps=500`, rewards, and
    what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = FourRooms


class FourRoomsVectorEnv(MazeVectorEnv):
    """Copies of `FourRoomsEnv` in lockstep."""

    rules_class = FourRooms
