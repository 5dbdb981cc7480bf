"""What can be seen, compiled: channels of the whole map or of a window around a walker, and small pictures.

Every loop takes the seven arrays of a `World` first. `look int64 [slots]` says in which channel a thing is seen, by its place
in `rule`; -1 is nowhere. Walls have channel 0. A candy is seen while it is there, in the steps in which candies are shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcourse.envs.maze.board import FIRST_VALUE, R_MOVE, SHOWN, SLOT, WALL, WIDTH
from rlcourse.envs.maze.world import (
    CLOCK,
    FIRST_WALKER,
    LEVEL,
    POSITION,
    REMAINING,
    WALKER,
    World,
    compiled,
    inlined,
    map_of,
    phase_at,
)


@inlined
def shown(world: World, i: Any) -> Any:
    """Whether candies and cue are seen now."""
    return world.core[i, CLOCK] < world.plan[SHOWN]


@inlined
def candies_seen(world: World, i: Any) -> Any:
    """The candies that are there and shown, as bits."""
    return world.core[i, REMAINING] if shown(world, i) else np.int64(0)


@inlined
def visible(slot: Any, seen: Any) -> Any:
    """Whether the thing of this slot is there to be seen: of candies, those in `seen` are."""
    return slot < FIRST_VALUE or (seen >> (slot - FIRST_VALUE)) & 1


@compiled
def planes(
    core: Any,
    cells: Any,
    odds: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rule: Any,
    w: Any,
    look: Any,
    walkers: Any,
    visited: Any,
    cue: Any,
    out: Any,
) -> None:
    """The whole map, into `out` uint8 [B, channels, cells], which is zero.

    `walkers`, `visited` and `cue` are the first channels of these; visited and cue are -1 where there are none. The first of
    the walkers is `w` itself.
    """
    world = World(core, cells, odds, go, tile, plan, rule)
    count = (core.shape[1] - FIRST_WALKER) // WALKER
    for i in range(len(core)):
        which, phase, seen = map_of(world, i), phase_at(world, i), candies_seen(world, i)
        for cell in range(out.shape[2]):
            out[i, 0, cell] = (tile[which, WALL, cell] >> phase) & 1
        for cell in range(out.shape[2]):
            slot = np.int64(tile[which, SLOT, cell])
            if slot != R_MOVE and look[slot] >= 0 and visible(slot, seen):
                out[i, look[slot], cell] = 1
        for k in range(count):
            out[i, walkers + k, core[i, FIRST_WALKER + (w + k) % count * WALKER + POSITION]] = 1
        if visited >= 0:
            for cell in range(out.shape[2]):
                out[i, visited, cell] = (cells[i, cell] >> w) & 1
        if cue >= 0 and shown(world, i):
            for cell in range(out.shape[2]):
                out[i, cue + core[i, LEVEL], cell] = 1


@compiled
def windows(
    core: Any,
    cells: Any,
    odds: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rule: Any,
    w: Any,
    look: Any,
    walkers: Any,
    visited: Any,
    cue: Any,
    unseen: Any,
    rays: Any,
    side: Any,
    out: Any,
) -> None:
    """The square of `side` cells around walker `w`, into `out` uint8 [B, channels, side * side], which is zero.

    What lies outside the map is wall. `rays int64 [side * side, 2, n]` are the cells of the window that lie between its middle
    and each cell, on two lines that round to different sides, filled up with -1; a cell is seen if one of them is free. Where
    `unseen` is -1, walls block no sight. The other walkers begin at channel `walkers`.
    """
    world = World(core, cells, odds, go, tile, plan, rule)
    count = (core.shape[1] - FIRST_WALKER) // WALKER
    width = plan[WIDTH]
    height = tile.shape[2] // width
    half = side // 2
    for i in range(len(core)):
        which, phase, seen = map_of(world, i), phase_at(world, i), candies_seen(world, i)
        here = core[i, FIRST_WALKER + w * WALKER + POSITION]
        top, left = here // width - half, here % width - half
        first, last = max(0, -left), min(side, width - left)
        for a in range(side):
            start = (top + a) * width + left
            for b in range(side):
                out[i, 0, a * side + b] = 1
            if top + a >= 0 and top + a < height:
                for b in range(first, last):
                    out[i, 0, a * side + b] = (tile[which, WALL, start + b] >> phase) & 1
        if unseen >= 0:
            for at in range(side * side):
                out[i, unseen, at] = hidden(out[i, 0], rays, at)
            for at in range(side * side):
                out[i, 0, at] &= 1 - out[i, unseen, at]
        for a in range(max(0, -top), min(side, height - top)):
            for b in range(first, last):
                cell, at = (top + a) * width + left + b, a * side + b
                slot = np.int64(tile[which, SLOT, cell])
                if slot != R_MOVE and look[slot] >= 0 and visible(slot, seen):
                    out[i, look[slot], at] = unseen < 0 or out[i, unseen, at] == 0
                if visited >= 0 and (unseen < 0 or out[i, unseen, at] == 0):
                    out[i, visited, at] = (cells[i, cell] >> w) & 1
        for k in range(1, count):
            there = core[i, FIRST_WALKER + (w + k) % count * WALKER + POSITION]
            a, b = there // width - top, there % width - left
            if a >= 0 and b >= 0 and a < side and b < side:
                at = a * side + b
                out[i, walkers + k - 1, at] = unseen < 0 or out[i, unseen, at] == 0
        if cue >= 0 and shown(world, i):
            for at in range(side * side):
                out[i, cue + core[i, LEVEL], at] = 1


@inlined
def hidden(walls: Any, rays: Any, at: Any) -> Any:
    """1 if walls stand on both lines from the middle of the window to this cell."""
    blocked = 0
    for line in range(2):
        for step in range(rays.shape[2]):
            between = rays[at, line, step]
            if between >= 0 and walls[between]:
                blocked += 1
                break
    return np.uint8(blocked == 2)


@compiled
def pictures(
    core: Any,
    cells: Any,
    odds: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rule: Any,
    w: Any,
    look: Any,
    sprites: Any,
    out: Any,
) -> None:
    """The whole map in tiles, into `out` uint8 [B, height * p, width * p, 3].

    Here `look` says which of the `sprites` uint8 [n, p, p, 3] a thing has; sprite 0 is wall, 1 floor, 2 the walker `w`, 3 the
    other one, 4 a floor that was visited.
    """
    world = World(core, cells, odds, go, tile, plan, rule)
    count = (core.shape[1] - FIRST_WALKER) // WALKER
    p, width = sprites.shape[1], plan[WIDTH]
    for i in range(len(core)):
        which, phase, seen = map_of(world, i), phase_at(world, i), candies_seen(world, i)
        for cell in range(tile.shape[2]):
            sprite = np.int64(0)
            if not (tile[which, WALL, cell] >> phase) & 1:
                slot = np.int64(tile[which, SLOT, cell])
                sprite = look[slot] if visible(slot, seen) else np.int64(1)
                if sprite == 1 and cells.shape[1] > 0 and (cells[i, cell] >> w) & 1:
                    sprite = np.int64(4)
            for k in range(count - 1, -1, -1):
                if core[i, FIRST_WALKER + (w + k) % count * WALKER + POSITION] == cell:
                    sprite = np.int64(2 + k)
            top, left = cell // width * p, cell % width * p
            for a in range(p):
                for b in range(p):
                    for colour in range(3):
                        out[i, top + a, left + b, colour] = sprites[sprite, a, b, colour]
