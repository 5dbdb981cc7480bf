"""The walls of a level, compiled: perfect mazes, rooms and open fields, any of them from one key.

    carve(kind, braid, density, key, height, width, open_, work)

The same arguments give the same walls, wherever and whenever. Nothing here makes an array, so all of it can be called
while a copy of a batch is being reset.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcourse.envs.maze.generate.field import scatter
from rlcourse.envs.maze.generate.grid import (
    NONE,
    ZERO,
    compiled,
    inner,
    next_cell,
    open_between,
    take,
    ways_out,
)
from rlcourse.envs.maze.generate.perfect import PERFECT, perfect_maze
from rlcourse.envs.maze.generate.rooms import carve_rooms
from rlcourse.streams_compiled import GAMMA, bits_at, integer_at, uniform_at

KINDS = (*PERFECT, "rooms", "open")
"""The generators; `carve` takes the place in this list."""
ROOMS, OPEN = KINDS.index("rooms"), KINDS.index("open")

LEVELS = np.uint64(
    0x8F2D3C1B5A697E4D
)  # any word: it parts the keys of levels from other uses of small numbers


def work_size(height: int, width: int) -> int:
    """The int32 numbers that `carve` and the functions of `place` need to work with."""
    return 4 * height * width


def least_floor(kind: int, density: float, height: int, width: int) -> int:
    """A number of floor cells that `carve` never stays below, whatever braid and key.

    A tree of n nodes has n - 1 passages; an even side makes at least one of them longer. A side of two cells is one line
    of nodes with niches, at least every third cell. Rooms: with the wall below and to the right of it, a room of a x b
    takes (a + 1)(b + 1) of (height + 1)(width + 1) cells, and a / (a + 1) is at least 2 / 3.
    """
    if kind == OPEN:
        return height * width - int(density * (height * width))
    if kind == ROOMS:
        return -(-4 * (height + 1) * (width + 1) // 9)
    if min(height, width) == 2:
        return max(height, width) + (max(height, width) + 2) // 3
    nodes = (height + 1) // 2 * ((width + 1) // 2)
    return 2 * nodes - 1 + (height % 2 == 0) + (width % 2 == 0)


@compiled
def level_key(seed: Any) -> Any:
    """The key, uint64, of a level seed, 0 <= seed < 2**62; different seeds have different keys."""
    return bits_at(np.uint64(seed) + LEVELS)


@compiled
def carve(
    kind: Any, braid: Any, density: Any, key: Any, height: Any, width: Any, open_: Any, work: Any
) -> None:
    """The walls of a level, whose floor is all connected.

    Args:
        kind: the place of the generator in `KINDS`.
        braid: the chance of each dead end to be opened into a loop (Buck 2015, "Mazes for Programmers", chapter 9); in
            `rooms`, of each room with a single door to get a second one. A draw of its own: the walls that are not
            opened are those of braid 0.
        density: of `open`, the share of the cells that are obstacles, below 1.
        key: uint64, decides everything that is drawn here; see `level_key`.
        height: rows of cells, at least 2.
        width: columns of cells, at least 2.
        open_: uint8 [height * width], becomes 1 where there is floor, else 0.
        work: int32 [`work_size`], scratch.
    """
    tick = np.uint64(key)
    for cell in range(height * width):
        open_[cell] = 0
    if kind == ROOMS:
        carve_rooms(tick, braid, height, width, open_, work)
        return
    if kind == OPEN:
        tick = scatter(tick, density, height, width, open_, work)
    else:
        tick = perfect_maze(tick, kind, height, width, open_, work)
    if braid > 0.0:
        _braid(tick, braid, height, width, open_, work)


@inner
def _braid(tick: Any, braid: Any, height: Any, width: Any, open_: Any, ends: Any) -> None:
    """Open each dead end with this chance, if it can be, best of all into another dead end."""
    count = ZERO
    for cell in range(height * width):
        if open_[cell] and ways_out(cell, height, width, open_) == 1:
            ends[count] = cell
            count += 1
    while count > 0:
        tick += GAMMA
        cell, count = take(integer_at(tick, count), ends, count)
        tick += GAMMA
        if uniform_at(tick) >= braid or ways_out(cell, height, width, open_) != 1:
            continue
        chosen, found, best = NONE, ZERO, 0
        for direction in range(4):
            there = _behind(cell, direction, height, width, open_)
            if there >= 0:
                worth = 2 if ways_out(there, height, width, open_) == 1 else 1
                if worth > best:
                    found, best = ZERO, worth
                if worth == best:
                    found += 1
                    tick += GAMMA
                    if integer_at(tick, found) == 0:
                        chosen = there
        if chosen >= 0:
            open_between(cell, chosen, width, open_)


@inner
def _behind(cell: Any, direction: Any, height: Any, width: Any, open_: Any) -> Any:
    """The floor behind a wall of one or two cells, -1 if there is none."""
    there, thick = next_cell(cell, direction, height, width), 0
    while there >= 0 and not open_[there] and thick < 3:
        there = next_cell(there, direction, height, width)
        thick += 1
    return there if 1 <= thick <= 2 else -1
