"""One situation of a maze, once for every cell where the walker could be: a slice of the state space that fits on the map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze import world
from rlcourse.envs.maze.board import (
    FIRST_VALUE,
    LOCKED,
    NO_EXIT,
    OWN_MAP,
    R_CLIFF,
    R_EXIT,
    R_TRAP,
    SLOT,
    WALL,
)
from rlcourse.envs.maze.rules import MazeRules
from rlcourse.envs.rules import State


def everywhere(rules: MazeRules, state: State, row: int = 0) -> tuple[NDArray[np.int64], State]:
    """The situation of one copy with its (first) walker moved to every cell from which a game can go on.

    Candies, visits, clocks and the return stay as they are, except that who stands on a candy has taken it: there is no
    situation in which it is still there. Walls, traps, cliffs and an open exit are no places to stand.

    Args:
        rules: the rules of the maze.
        state: its state arrays.
        row: which copy.

    Returns:
        The cells `int64 [C]`, row by row, and state arrays of C copies.
    """
    arrays = rules.world(state)
    core, plan = arrays.core[row], arrays.plan
    tile = arrays.tile[row if plan[OWN_MAP] else int(core[world.LEVEL])]
    slot, left = tile[SLOT].astype(np.int64), int(core[world.REMAINING])
    barred = (tile[WALL] >> rules.phase(state, row)) & 1 != 0
    barred |= (slot == R_TRAP) | (slot == R_CLIFF)
    if not (plan[LOCKED] and left):
        barred |= slot == R_EXIT
    taken = np.where(slot >= FIRST_VALUE, np.int64(1) << np.maximum(slot - FIRST_VALUE, 0), 0)
    remaining = left & ~taken
    if plan[NO_EXIT]:
        barred |= remaining == 0  # the last candy ends the episode
    cells = np.flatnonzero(~barred)
    copies = rules.allocate(len(cells))
    for name, array in copies.items():
        array[...] = state[name][row]
    copies["core"][:, world.FIRST_WALKER + world.POSITION] = cells
    copies["core"][:, world.REMAINING] = remaining[cells]
    return cells, copies
