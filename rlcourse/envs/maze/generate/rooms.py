"""Rooms and doors, compiled.

Walls are drawn across the grid, then across its parts, until no part is long. Doors join the rooms to a tree, so there is
one way from any room to any other; with braid, rooms with a single door get a second one, to another neighbour.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcourse.envs.maze.generate.grid import NONE, ZERO, inner, join
from rlcourse.streams_compiled import GAMMA, integer_at, uniform_at

SHORTEST = 2
"""The shortest side of a room."""
NO_DOOR, ENOUGH = -1, -2
"""What stands in place of the room beyond the only door: there is none yet, or no further one is wanted."""


@inner
def carve_rooms(tick: Any, braid: Any, height: Any, width: Any, open_: Any, work: Any) -> None:
    """Part the grid into rooms, and open doors in walls taken in random order, where they join two parts (Kruskal)."""
    cells = height * width
    labels, walls, parents, beyond = work[:cells], work[cells:], work[2 * cells :], work[3 * cells :]
    tick, rooms = _divide(tick, height, width, open_, labels, walls)
    for room in range(rooms):
        parents[room], beyond[room] = room, NO_DOOR
    count = ZERO
    for cell in range(cells):
        if _sides(cell, height, width, labels)[0] >= 0:
            walls[count] = cell
            count += 1
    for k in range(count):
        tick += GAMMA
        other = k + integer_at(tick, count - k)
        walls[k], walls[other] = walls[other], walls[k]
        a, b = _sides(np.int64(walls[k]), height, width, labels)
        if join(a, b, parents):
            open_[walls[k]] = 1
            beyond[a] = b if beyond[a] == NO_DOOR else ENOUGH
            beyond[b] = a if beyond[b] == NO_DOOR else ENOUGH
    if braid == 0.0:
        return
    for room in range(rooms):
        tick += GAMMA
        if uniform_at(tick) >= braid:
            beyond[room] = ENOUGH
    for k in range(count):
        a, b = _sides(np.int64(walls[k]), height, width, labels)
        if (beyond[a] >= 0 and beyond[a] != b) or (beyond[b] >= 0 and beyond[b] != a):
            open_[walls[k]] = 1
            beyond[a], beyond[b] = ENOUGH, ENOUGH


@inner
def _divide(tick: Any, height: Any, width: Any, open_: Any, labels: Any, stack: Any) -> Any:
    """Draw walls across, at random places, until no room is long; each room's number into `labels`, -1 for walls.

    Returns the tick and the number of rooms.
    """
    long = 3 + min(height, width) // 6
    for cell in range(height * width):
        labels[cell] = -1
    stack[0], stack[1], stack[2], stack[3] = 0, 0, height, width
    waiting, rooms = 4, 0
    while waiting > 0:
        waiting -= 4
        top, left = stack[waiting], stack[waiting + 1]
        high, wide = stack[waiting + 2], stack[waiting + 3]
        side = max(high, wide)
        if side > long and side > 2 * SHORTEST:
            tick += GAMMA
            before = SHORTEST + integer_at(tick, side - 2 * SHORTEST)
            after = side - before - 1
            if wide == side:
                stack[waiting + 3] = before
                stack[waiting + 4], stack[waiting + 5] = top, left + before + 1
                stack[waiting + 6], stack[waiting + 7] = high, after
            else:
                stack[waiting + 2] = before
                stack[waiting + 4], stack[waiting + 5] = top + before + 1, left
                stack[waiting + 6], stack[waiting + 7] = after, wide
            waiting += 8
        else:
            for r in range(top, top + high):
                for c in range(left, left + wide):
                    labels[r * width + c] = rooms
                    open_[r * width + c] = 1
            rooms += 1
    return tick, rooms


@inner
def _sides(cell: Any, height: Any, width: Any, labels: Any) -> Any:
    """The two rooms that this wall parts, where it does; else -1, -1."""
    r, c = cell // width, cell % width
    if labels[cell] < 0:
        if 0 < c < width - 1 and labels[cell - 1] >= 0 and labels[cell + 1] >= 0:
            return np.int64(labels[cell - 1]), np.int64(labels[cell + 1])
        if 0 < r < height - 1 and labels[cell - width] >= 0 and labels[cell + width] >= 0:
            return np.int64(labels[cell - width]), np.int64(labels[cell + width])
    return NONE, NONE
