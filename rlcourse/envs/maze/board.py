"""A map and its options as the arrays that the compiled rules read.

    go    int32 [maps, phases, directions, cells]   where a step leads; the same cell where it is barred
    tile  int32 [maps, TILE_ROWS, cells]            what stands in each cell
    plan  int64 [..]                                whole numbers: limits, switches, starts, the steps at which walls change
    rule  float64 [2, ..]                           slip, rewards, the values of the candies; below them, the rewards in units

Cells are numbered row by row. Directions are numbered as the actions are: LEFT, RIGHT, UP, DOWN, with king's moves the
four diagonals, and at last staying, also where no action means it. One map is shared by all copies; alternatives (`or` in a
layout) are told apart by the column LEVEL of a copy; levels that are generated at reset lie in `go` and `tile` one a copy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze.layout import STEPS, Cell, Layout, reachable

LEFT, RIGHT, UP, DOWN, UP_LEFT, UP_RIGHT, DOWN_LEFT, DOWN_RIGHT = range(8)

# rows of `tile`: the place in `rule` of the reward for entering, the wind, the number among the open cells, and the phases
# in which there is a wall, as bits
SLOT, WIND, NUMBER, WALL, TILE_ROWS = range(5)
MOST_PHASES = 31
"""The phases of a wall are the bits of an int32 that is not negative."""

# places in `plan`; then the starts, then the steps of the changes
(
    CANDIES, MAX_STEPS, LOST_BELOW, LOCKED, NO_EXIT, MAPS, OWN_MAP, NUMBERS, WIDTH, SHOWN, SPAWN, BOXES, DRIFT, DRIFT_EVERY,
    DRIFT_BY_STEPS, STARTS, CHANGES, FIRST_START,
) = range(18)  # fmt: skip
# places in `rule`; then the values of the candies
SLIP, GUSTY, DRIFT_SIZE, R_EXIT, R_TRAP, R_CLIFF, R_MOVE, R_REVISIT, R_BUMP, FIRST_VALUE = range(10)
ORDER = ("exit", "trap", "cliff", "move", "revisit", "bump")
DRIFTS = ("none", "jump", "walk", "season")

NEVER = np.iinfo(np.int64).max
UNITS = 1_000_000
"""The score of an episode is counted in millionths, so that sums are exact in any order and a limit is met exactly."""


def directions(king_moves: bool) -> tuple[Cell, ...]:
    """Rows and columns that each direction goes."""
    diagonals = ((-1, -1), (-1, 1), (1, -1), (1, 1)) if king_moves else ()
    return (*STEPS.values(), *diagonals, (0, 0))


class Board(NamedTuple):
    """The arrays, in the order in which every kernel takes them."""

    go: NDArray[np.int32]
    tile: NDArray[np.int32]
    plan: NDArray[np.int64]
    rule: NDArray[np.float64]


def make_board(
    layout: Layout,
    *,
    steps: tuple[Cell, ...],
    starts: list[Cell],
    plan: dict[int, int],
    rule: dict[int, float],
) -> Board:
    """The arrays of a map.

    Args:
        layout: the map.
        steps: rows and columns that each direction goes, see `directions`.
        starts: the cells where an episode can begin.
        plan: what the options say, by its place in `plan`.
        rule: what the options say, by its place in `rule`; all rewards are there.
    """
    numbers = np.zeros(FIRST_START, np.int64)
    opened = _opened(layout)
    numbers[[CANDIES, NO_EXIT, MAPS]] = len(layout.values), not layout.find("exit"), layout.alternatives
    numbers[[NUMBERS, WIDTH]] = opened.sum(), layout.width
    numbers[[STARTS, CHANGES]] = len(starts), len(layout.changes)
    numbers[list(plan)] = list(plan.values())
    first = [_at(layout, cell) for cell in starts]
    values = np.array([rule[place] for place in range(FIRST_VALUE)] + layout.values)
    maps, phases = layout.alternatives, layout.phases
    go = [
        [[_at(layout, layout.target(cell, step, which)) for cell in layout.cells()] for step in steps]
        for which in range(maps * phases)
    ]
    tile = np.zeros((maps, TILE_ROWS, len(opened)), np.int32)
    tile[:, WIND] = np.tile(layout.wind or (0,) * layout.width, layout.height)
    tile[:, NUMBER] = np.where(opened, np.cumsum(opened) - 1, -1)
    slots = {"exit": R_EXIT, "trap": R_TRAP, "cliff": R_CLIFF}
    for which in range(maps):
        tile[which, SLOT] = [slots.get(layout.word(cell, which), R_MOVE) for cell in layout.cells()]
        candies = [_at(layout, cell) for cell in layout.find("candy", which)]
        tile[which, SLOT, candies] = FIRST_VALUE + np.arange(len(candies))
        for phase in range(phases):
            walls = [layout.word(cell, which + phase) == "wall" for cell in layout.cells()]
            tile[which, WALL] |= np.array(walls, np.int32) << phase
    return Board(
        go=np.array(go, np.int32).reshape(maps, phases, len(steps), -1),
        tile=tile,
        plan=np.concatenate([numbers, np.array([*first, *layout.changes], np.int64)]),
        rule=np.array([values, np.round(values * UNITS)], np.float64),
    )


def _at(layout: Layout, cell: Cell) -> int:
    return cell[0] * layout.width + cell[1]


def _opened(layout: Layout) -> NDArray[np.bool_]:
    """The cells that are no wall in some map, `bool [cells]`."""
    return np.array(
        [
            any(layout.word(cell, which) != "wall" for which in range(len(layout.maps)))
            for cell in layout.cells()
        ]
    )


def starts_of(layout: Layout, anywhere: bool) -> list[Cell]:
    """The cells where an episode can begin: the map's own, or all floor that lies between a start and an exit."""
    starts = layout.find("start")
    if not anywhere:
        return starts
    good = set(layout.cells())
    for which in range(len(layout.maps)):
        good &= reachable(layout, starts, which)
        good &= reachable(layout, layout.find("exit", which) or starts, which, backward=True)
        good &= {cell for cell in good if layout.word(cell, which) in ("floor", "start")}
    return [cell for cell in layout.cells() if cell in good]
