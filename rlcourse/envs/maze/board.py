"""A map and its options as the arrays that the compiled rules read; shared by all copies, never written.

    go    int64 [phases, directions, cells]   where a step leads; the same cell where it is barred
    tile  int64 [TILE_ROWS, cells]            what stands in each cell
    plan  int64 [..]                          whole numbers: limits, switches, starts, the steps at which walls change
    rule  float64 [2, ..]                     slip, rewards, the values of the candies; below them, the rewards in units

Cells are numbered row by row. Directions are numbered as the actions are: LEFT, RIGHT, UP, DOWN, with king's moves the
four diagonals, and at last staying, also where no action means it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze.layout import STEPS, Cell, Layout, reachable

LEFT, RIGHT, UP, DOWN, UP_LEFT, UP_RIGHT, DOWN_LEFT, DOWN_RIGHT = range(8)

# rows of `tile`: the place in `rule` of the reward for entering, the wind, the number among the open cells
SLOT, WIND, NUMBER, TILE_ROWS = range(4)

# places in `plan`; then the starts, then the steps of the changes
CANDIES, MAX_STEPS, LOST_BELOW, LOCKED, NO_EXIT, STARTS, CHANGES, FIRST_START = range(8)
# places in `rule`; then the values of the candies
SLIP, GUSTY, R_EXIT, R_TRAP, R_CLIFF, R_MOVE, R_REVISIT, R_BUMP, FIRST_VALUE = range(9)
ORDER = ("exit", "trap", "cliff", "move", "revisit", "bump")

NEVER = np.iinfo(np.int64).max
UNITS = 1_000_000
"""The score of an episode is counted in millionths, so that sums are exact in any order and a limit is met exactly."""


def directions(king_moves: bool) -> tuple[Cell, ...]:
    """Rows and columns that each direction goes."""
    diagonals = ((-1, -1), (-1, 1), (1, -1), (1, 1)) if king_moves else ()
    return (*STEPS.values(), *diagonals, (0, 0))


class Board(NamedTuple):
    """The arrays, in the order in which every kernel takes them."""

    go: NDArray[np.int64]
    tile: NDArray[np.int64]
    plan: NDArray[np.int64]
    rule: NDArray[np.float64]


def make_board(
    layout: Layout,
    *,
    steps: tuple[Cell, ...],
    anywhere: bool,
    max_steps: int | None,
    lost_below: float | None,
    locked: bool,
    slip: float,
    gusty: bool,
    rewards: dict[str, float],
) -> Board:
    """The arrays of a map with these options.

    Args:
        layout: the map.
        steps: rows and columns that each direction goes, see `directions`.
        anywhere: episodes start on any floor that can be reached, not on the starts of the map only.
        max_steps: steps until an episode is truncated; `None` is never.
        lost_below: the return below which an episode is lost; `None` is never.
        locked: the exit opens when all candies are collected.
        slip: probability to go to either side of the direction chosen.
        gusty: the wind is one stronger or weaker at random.
        rewards: all of `layout.REWARDS`.
    """
    candies = layout.find("candy")
    starts = _starts(layout, anywhere)
    plan = np.zeros(FIRST_START, np.int64)
    plan[CANDIES] = len(candies)
    plan[MAX_STEPS] = NEVER if max_steps is None else max_steps
    plan[LOST_BELOW] = -NEVER if lost_below is None else round(lost_below * UNITS)
    plan[LOCKED] = locked
    plan[NO_EXIT] = not layout.find("exit")
    plan[STARTS] = len(starts)
    plan[CHANGES] = len(layout.changes)
    tile = np.zeros((TILE_ROWS, layout.height * layout.width), np.int64)
    slots = {"exit": R_EXIT, "trap": R_TRAP, "cliff": R_CLIFF}
    tile[SLOT] = [slots.get(layout.word(cell), R_MOVE) for cell in layout.cells()]
    tile[SLOT, [_at(layout, cell) for cell in candies]] = FIRST_VALUE + np.arange(len(candies))
    if layout.wind:
        tile[WIND] = np.tile(layout.wind, layout.height)
    opened = [
        any(layout.word(cell, phase) != "wall" for phase in range(len(layout.maps)))
        for cell in layout.cells()
    ]
    tile[NUMBER] = np.where(opened, np.cumsum(opened) - 1, -1)
    values = [
        slip,
        float(gusty),
        *(rewards[name] for name in ORDER),
        *(layout.value(cell) for cell in candies),
    ]
    targets = [
        [[_at(layout, layout.target(cell, step, phase)) for cell in layout.cells()] for step in steps]
        for phase in range(len(layout.maps))
    ]
    first = [_at(layout, cell) for cell in starts]
    return Board(
        go=np.array(targets, np.int64),
        tile=tile,
        plan=np.concatenate([plan, np.array([*first, *layout.changes], np.int64)]),
        rule=np.array([values, [round(value * UNITS) for value in values]], np.float64),
    )


def _at(layout: Layout, cell: tuple[int, int]) -> int:
    return cell[0] * layout.width + cell[1]


def _starts(layout: Layout, anywhere: bool) -> list[tuple[int, int]]:
    """The cells where an episode can begin: the map's own, or all floor that lies between a start and an exit."""
    starts = layout.find("start")
    if not anywhere:
        return starts
    good = set(layout.cells())
    for phase in range(len(layout.maps)):
        good &= reachable(layout, starts, phase)
        good &= reachable(layout, layout.find("exit") or starts, phase, backward=True)
    return [cell for cell in layout.cells() if cell in good and layout.word(cell) in ("floor", "start")]
