"""Generated levels in the arrays of a world, compiled: every copy has its own row of `go` and `tile`."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcourse.envs.maze.board import FIRST_VALUE, NUMBER, R_EXIT, R_MOVE, SLOT, WALL, WIDTH, WIND
from rlcourse.envs.maze.generate import carve, level_key, place, place_start
from rlcourse.envs.maze.generate.place import CANDY, EXIT, START
from rlcourse.envs.maze.world import (
    FIRST_WALKER,
    HOME,
    LEVEL,
    LEVEL_STREAM,
    START_STREAM,
    WALKER,
    compiled,
    inlined,
    next_tick,
)
from rlcourse.streams_compiled import bits_at, integer_at


@compiled
def draw_levels(core: Any, rows: Any, first: Any, count: Any) -> None:
    """The level seed of each copy in `rows`: one of `count` from `first` on."""
    for i in rows:
        core[i, LEVEL] = first + integer_at(next_tick(core, i, LEVEL_STREAM), count)


@compiled
def fill_levels(
    core: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rows: Any,
    steps: Any,
    kind: Any,
    braid: Any,
    density: Any,
    placing: Any,
    start: Any,
    fresh_start: Any,
    cells: Any,
    open_: Any,
    work: Any,
) -> None:
    """The map of the level of each copy in `rows`, into its row of `go` and `tile`.

    Args:
        core: the copies; LEVEL is the level seed.
        go: int32 [B, 1, directions, cells].
        tile: int32 [B, TILE_ROWS, cells].
        plan: of the board.
        rows: int64, which copies.
        steps: int64 [directions, 2], rows and columns that each direction goes.
        kind: of the walls, see `generate.carve`.
        braid: see `generate.carve`.
        density: see `generate.carve`.
        placing: see `generate.place`.
        start: see `generate.place_start`.
        fresh_start: whether a start is drawn by the copy's own stream; otherwise it stays where it is.
        cells: int64 [candies + 2], scratch.
        open_: uint8 [cells], scratch.
        work: int32, scratch, see `generate.work_size`.
    """
    width = plan[WIDTH]
    height = len(open_) // width
    count = len(cells) - 2
    for i in rows:
        key = level_key(core[i, LEVEL])
        carve(kind, braid, density, key, height, width, open_, work)
        place(placing, key, height, width, open_, count, cells, work)
        if fresh_start:
            start_key = bits_at(next_tick(core, i, START_STREAM))
            place_start(start, start_key, height, width, open_, count, cells, work)
            for at in range(FIRST_WALKER, core.shape[1], WALKER):
                core[i, at + HOME] = cells[START]
        lead(go[i, 0], steps, open_, height, width)
        for cell in range(len(open_)):
            tile[i, SLOT, cell] = R_MOVE
            tile[i, WIND, cell] = 0
            tile[i, NUMBER, cell] = cell
            tile[i, WALL, cell] = 1 - open_[cell]
        tile[i, SLOT, cells[EXIT]] = R_EXIT
        for k in range(count):
            tile[i, SLOT, cells[CANDY + k]] = FIRST_VALUE + k


@inlined
def lead(go: Any, steps: Any, open_: Any, height: Any, width: Any) -> None:
    """Where each direction leads from each cell, into `go` [directions, cells]: as `Layout.target` has it."""
    for direction in range(len(steps)):
        down, right = steps[direction, 0], steps[direction, 1]
        for r in range(height):
            for c in range(width):
                cell = r * width + c
                a, b = r + down, c + right
                there = np.int64(cell)
                if a >= 0 and b >= 0 and a < height and b < width and open_[a * width + b]:
                    straight = down == 0 or right == 0
                    if straight or (open_[a * width + c] and open_[r * width + b]):
                        there = a * width + b
                go[direction, cell] = there
