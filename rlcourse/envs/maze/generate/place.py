"""What stands on the floor of a level, compiled: the exit and the candies from one key, the start from another.

    place(placing, key, height, width, open_, count, out, work)          # out[1] the exit, out[2:] the candies
    place_start(start, key, height, width, open_, count, out, work)      # out[0] the start

Cells are numbered row by row. The floor has to be connected, as that of `walls.carve` is. An exit ends the episode, so
nothing behind it can be reached: it stands on a cell without which the rest of the floor is still connected. So from every
start there are ways to the exit and, not across the exit, to every candy.

`carve`, `place` and `place_start` part their draws from each other's, so all three can be given the same key.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcourse.envs.maze.generate.grid import NONE, ZERO, compiled, inner, next_cell, take, ways_out
from rlcourse.streams_compiled import GAMMA, bits_at, integer_at

PLACINGS = ("uniform", "far", "dead_ends")
"""Where exit and candies stand; `place` takes the place in this list."""
UNIFORM, FAR, DEAD_ENDS = range(3)
STARTS = ("uniform", "far")
"""Where the start is; `place_start` takes the place in this list."""

START, EXIT, CANDY = range(3)
"""Places in `out`: the candies stand from `CANDY` on."""

THINGS, START_WORD = np.uint64(0x5D1B8C2F7A3E9064), np.uint64(0xB3A7F05C19D2684E)  # any two words
UNREACHED = np.int32(2**31 - 1)
CUT = 8


@compiled
def place(
    placing: Any, key: Any, height: Any, width: Any, open_: Any, count: Any, out: Any, work: Any
) -> None:
    """The cells of the exit and of the candies, all different.

    uniform: the exit on any floor where it bars no way, the candies on any other, all alike.
    far: the exit as far as can be from a floor cell drawn at random; each candy as far as can be from the exit and the
    candies before it, along the shortest paths; ties are broken at random.
    dead_ends: the exit in a dead end, then the candies in the other ones, in random order; those for which there is none are
    placed as in uniform.

    Args:
        placing: the place of the law in `PLACINGS`.
        key: uint64, decides everything that is drawn here.
        height: rows of cells.
        width: columns of cells.
        open_: uint8 [height * width], 1 where there is floor.
        count: number of candies.
        out: int64 [count + 2], from `EXIT` on becomes the cells; -1 for what finds no floor left.
        work: int32 [`walls.work_size`], scratch.
    """
    tick = bits_at(np.uint64(key) + THINGS)
    if placing == FAR:
        _place_far(tick, height, width, open_, count, out, work)
        return
    spots = ZERO
    if placing == DEAD_ENDS:
        spots = _dead_ends(NONE, height, width, open_, work)
    if spots == 0:
        spots = _sparable(height, width, open_, work)
    tick += GAMMA
    exit_ = np.int64(work[integer_at(tick, spots)])
    out[EXIT] = exit_
    spots = ZERO
    ends_first = placing == DEAD_ENDS
    if ends_first:
        spots = _dead_ends(exit_, height, width, open_, work)
    for candy in range(count):
        if spots == 0 and (candy == 0 or ends_first):
            spots = _others(exit_, ends_first, height, width, open_, work)
            ends_first = False
        out[CANDY + candy] = NONE
        if spots > 0:
            tick += GAMMA
            out[CANDY + candy], spots = take(integer_at(tick, spots), work, spots)


@compiled
def place_start(
    start: Any, key: Any, height: Any, width: Any, open_: Any, count: Any, out: Any, work: Any
) -> None:
    """The cell of the start, on floor where nothing else stands.

    uniform: any, all alike. far: as far from the exit as can be, ties broken at random.

    Args:
        start: the place of the law in `STARTS`.
        key: uint64, decides everything that is drawn here.
        height: rows of cells.
        width: columns of cells.
        open_: uint8 [height * width], 1 where there is floor.
        count: number of candies.
        out: int64 [count + 2], as `place` leaves it; `START` becomes the cell, -1 if no floor is left.
        work: int32 [`walls.work_size`], scratch.
    """
    cells = height * width
    distance, queue = work[:cells], work[cells : 2 * cells]
    _unreached(height, width, open_, distance)
    if start == FAR:
        _spread(np.int64(out[EXIT]), height, width, distance, queue)
    for k in range(EXIT, CANDY + count):
        if out[k] >= 0:
            distance[out[k]] = 0
    out[START] = _farthest(bits_at(np.uint64(key) + START_WORD), distance, cells)[1]


# --- lists of cells ---


@inner
def _dead_ends(exit_: Any, height: Any, width: Any, open_: Any, out: Any) -> Any:
    """The dead ends but the exit, into `out`; returns how many."""
    count = ZERO
    for cell in range(height * width):
        if open_[cell] and cell != exit_ and ways_out(cell, height, width, open_) == 1:
            out[count] = cell
            count += 1
    return count


@inner
def _others(exit_: Any, without_ends: Any, height: Any, width: Any, open_: Any, out: Any) -> Any:
    """The floor but the exit and, if so wanted, the dead ends, into `out`; returns how many."""
    count = ZERO
    for cell in range(height * width):
        if open_[cell] and cell != exit_:
            if without_ends and ways_out(cell, height, width, open_) == 1:
                continue
            out[count] = cell
            count += 1
    return count


@inner
def _sparable(height: Any, width: Any, open_: Any, work: Any) -> Any:
    """The floor cells without which the rest stays connected, to the front of `work`; returns how many.

    All but the articulation points, which a depth-first search finds (Hopcroft & Tarjan 1973, algorithm 447): a cell cuts
    off a neighbour that was found from it and leads, with all that was found later, to nothing before the cell.
    """
    cells = height * width
    path, turn = work[:cells], work[cells : 2 * cells]
    order, low = work[2 * cells : 3 * cells], work[3 * cells : 4 * cells]
    root, branches, clock, length = NONE, 0, 1, 0
    for cell in range(cells):
        turn[cell], order[cell] = 0, 0
        if open_[cell] and root < 0:
            root = cell
    if root >= 0:
        path[0], order[root], low[root], length = root, 1, 1, 1
    while length > 0:
        here = np.int64(path[length - 1])
        direction = np.int64(turn[here]) % CUT
        if direction < 4:
            turn[here] += 1
            there = next_cell(here, direction, height, width)
            if there < 0 or not open_[there]:
                continue
            if order[there] > 0:
                low[here] = min(low[here], order[there])
                continue
            clock += 1
            path[length], order[there], low[there] = there, clock, clock
            length += 1
            branches += here == root
        else:
            length -= 1
            if length > 0:
                parent = path[length - 1]
                low[parent] = min(low[parent], low[here])
                if low[here] >= order[parent] and turn[parent] < CUT:
                    turn[parent] += CUT
    count = ZERO
    for cell in range(cells):
        cuts = branches > 1 if cell == root else turn[cell] >= CUT
        if open_[cell] and not cuts:
            path[count] = cell
            count += 1
    return count


# --- distances ---


@inner
def _place_far(tick: Any, height: Any, width: Any, open_: Any, count: Any, out: Any, work: Any) -> None:
    """See `place`; the farthest cell from any other is one that the rest stays connected without."""
    cells = height * width
    distance, queue = work[:cells], work[cells : 2 * cells]
    _unreached(height, width, open_, distance)
    tick, anywhere = _farthest(tick, distance, cells)
    _spread(anywhere, height, width, distance, queue)
    for k in range(EXIT, CANDY + count):
        tick, cell = _farthest(tick, distance, cells)
        if k == EXIT:
            _unreached(height, width, open_, distance)
        out[k] = cell
        if cell >= 0:
            _spread(cell, height, width, distance, queue)


@inner
def _unreached(height: Any, width: Any, open_: Any, distance: Any) -> None:
    """All floor is infinitely far away; walls are at distance -1."""
    for cell in range(height * width):
        distance[cell] = UNREACHED if open_[cell] else -1


@inner
def _spread(source: Any, height: Any, width: Any, distance: Any, queue: Any) -> None:
    """Lower the distances to those from this cell, where it is nearer (breadth first)."""
    distance[source], queue[0] = 0, source
    first, last = 0, 1
    while first < last:
        cell = np.int64(queue[first])
        first += 1
        for direction in range(4):
            there = next_cell(cell, direction, height, width)
            if there >= 0 and distance[there] > distance[cell] + 1:
                distance[there] = distance[cell] + 1
                queue[last] = there
                last += 1


@inner
def _farthest(tick: Any, distance: Any, cells: Any) -> Any:
    """The tick, and one of the cells of the largest distance above 0, -1 if there is none."""
    chosen, found, best = NONE, ZERO, np.int64(0)
    for cell in range(cells):
        if distance[cell] > best:
            found, best = ZERO, np.int64(distance[cell])
        if distance[cell] == best and best > 0:
            found += 1
            tick += GAMMA
            if integer_at(tick, found) == 0:
                chosen = cell
    return tick, chosen
