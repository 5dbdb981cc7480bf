"""Candies whose place is drawn by chances that change."""

from __future__ import annotations

from dataclasses import dataclass

from rlcourse.envs.maze.env import MazeEnv, MazeVectorEnv
from rlcourse.envs.maze.partial import CandyMazePartial
from rlcourse.envs.maze.rules import MazeRules


@dataclass(frozen=True)
class CandyMazeDrift(MazeRules):
    """The rules of `CandyMazeDrift-v0`."""

    layout: str | None = "orchard"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""
    spawn: int | None = 1
    """How many candies an episode has, drawn from the candy cells of the map; `None` is one in each."""
    boxes: bool = True
    """The candy cells are closed boxes: whether there is a candy in one is seen when it is entered."""
    drift: str = "jump"
    """How the chances of the candy cells change: none, jump, walk or season."""
    drift_every: int = 500
    """Episodes (or steps) from one jump to the next, of a season, or until a walk has forgotten where it was."""
    max_steps: int | None = 200
    """Steps until an episode is truncated; `None` is never."""


class CandyMazeDriftEnv(MazeEnv):
    """A candy in one of six boxes, by chances that change.

    ## Description
    A maze of 8x8 cells with six boxes, one of which holds a candy. In which one it tends to be changes: at once every 500
    episodes (`drift="jump"`), as a slow walk (`"walk"`), or with the seasons (`"season"`). Who has learned in which order to
    look has to learn it anew. The logarithms of the chances have standard deviation `drift_size`. The chances are looked at
    when an episode begins, and change by a random stream of their own.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="index"`: `Discrete`, the number of the state, (number of the open cell) x 64 + the boxes that are closed, as
    bits; between two changes the world is Markov in it. `"planes"`, `"window"` and others are arrays.

    ## Rewards
    The candy +5, any other step -0.05. `info["is_success"]` says whether the candy was found.

    ## Starting State
    The upper left corner, all boxes closed. `options={"hold": ["candies"]}` leaves the candy where it was. A seed begins a
    new life with new chances.

    ## Episode End
    Terminated when the candy is found. Truncated after 200 steps.

    ## Arguments
    `drift="jump"`, `drift_every=500`, `drift_unit="episodes"`, `drift_size=2.0`, `tell_chances=False` (then `info["chances"]`
    says how likely each box was), `layout="orchard"`, `spawn=1`, `boxes=True`, and what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = CandyMazeDrift


class CandyMazeDriftVectorEnv(MazeVectorEnv):
    """Copies of `CandyMazeDriftEnv` in lockstep."""

    rules_class = CandyMazeDrift


@dataclass(frozen=True)
class CandyMazePartialDrift(CandyMazePartial):
    """The rules of `CandyMazePartialDrift-v0`."""

    drift: str = "jump"
    """How the chances of the candy cells change: none, jump, walk or season."""
    drift_every: int = 500
    """Episodes (or steps) from one jump to the next, of a season, or until a walk has forgotten where it was."""


class CandyMazePartialDriftEnv(MazeEnv):
    """Two candies out of sight, by chances that change.

    ## Description
    `CandyMazePartial-v0`, where the chances of the six places change as in `CandyMazeDrift-v0`. Memory helps twice: within
    an episode to know where one has been, over episodes to know where candies have been lately.

    ## Action Space
    As in `CandyMazePartial-v0`.

    ## Observation Space
    As in `CandyMazePartial-v0`.

    ## Rewards
    As in `CandyMazePartial-v0`.

    ## Starting State
    Anywhere on the floor; two of the six places hold a candy. A seed begins a new life with new chances.

    ## Episode End
    As in `CandyMazePartial-v0`.

    ## Arguments
    `drift="jump"`, `drift_every=500`, `drift_unit="episodes"`, `drift_size=2.0`, `tell_chances=False`, and all of
    `CandyMazePartial-v0`.

    ## Version History
    v0: first version.
    """

    rules_class = CandyMazePartialDrift


class CandyMazePartialDriftVectorEnv(MazeVectorEnv):
    """Copies of `CandyMazePartialDriftEnv` in lockstep."""

    rules_class = CandyMazePartialDrift
