"""The compiled loops over the copies of a maze. Each takes the seven arrays of a `World` first, in its order."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcourse.envs.maze.board import BOXES, CANDIES, FIRST_VALUE, GUSTY, SLIP, SLOT, WIND
from rlcourse.envs.maze.kernel import (
    advance,
    allowed,
    gust_at,
    index_of,
    landing,
    reset_member,
    slipped,
    step_member,
)
from rlcourse.envs.maze.spawn import weight
from rlcourse.envs.maze.world import (
    FILLED,
    FIRST_WALKER,
    POSITION,
    REMAINING,
    WALKER,
    WON,
    World,
    compiled,
    map_of,
    phase_at,
)


@compiled
def reset_rows(
    core: Any, cells: Any, odds: Any, go: Any, tile: Any, plan: Any, rule: Any, rows: Any, hold: Any
) -> None:
    """Begin an episode in the copies `rows`."""
    world = World(core, cells, odds, go, tile, plan, rule)
    for i in rows:
        reset_member(world, i, hold)


@compiled
def step_one(core: Any, cells: Any, odds: Any, go: Any, tile: Any, plan: Any, rule: Any, action: Any) -> Any:
    """The only copy of a batch of one: reward, terminated, truncated, index, position, map, phase, won."""
    world = World(core, cells, odds, go, tile, plan, rule)
    reward, terminated, truncated = step_member(world, 0, action)
    here = core[0, FIRST_WALKER + POSITION]
    return (
        reward,
        terminated,
        truncated,
        index_of(world, 0, 0),
        here,
        map_of(world, 0),
        phase_at(world, 0),
        core[0, WON] != 0,
    )


@compiled
def step_batch(
    core: Any,
    cells: Any,
    odds: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rule: Any,
    actions: Any,
    waiting: Any,
    rewards: Any,
    terminated: Any,
    truncated: Any,
    won: Any,
    mask: Any,
) -> None:
    """One step of every copy `[B]` but those that are `waiting`, which have begun an episode and stand."""
    world = World(core, cells, odds, go, tile, plan, rule)
    for i in range(len(actions)):
        if waiting[i]:
            rewards[i], terminated[i], truncated[i] = 0.0, False, False
        else:
            rewards[i], terminated[i], truncated[i] = step_member(world, i, actions[i])
        won[i] = core[i, WON] != 0
        allowed(world, i, 0, mask, i)


@compiled
def masks(
    core: Any, cells: Any, odds: Any, go: Any, tile: Any, plan: Any, rule: Any, w: Any, mask: Any
) -> None:
    """The actions of walker `w` that do not bump, for every copy, into `mask` int8 [B, A]."""
    world = World(core, cells, odds, go, tile, plan, rule)
    for i in range(len(core)):
        allowed(world, i, w, mask, i)


@compiled
def indices(
    core: Any, cells: Any, odds: Any, go: Any, tile: Any, plan: Any, rule: Any, w: Any, out: Any
) -> None:
    """`index_of` every copy as walker `w` counts, into `out` int64 [B]."""
    world = World(core, cells, odds, go, tile, plan, rule)
    for i in range(len(core)):
        out[i] = index_of(world, i, w)


@compiled
def outcomes(
    core: Any,
    cells: Any,
    odds: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rule: Any,
    w: Any,
    actions: Any,
    side: Any,
    puff: Any,
    found: Any,
    chances: Any,
    rewards: Any,
    terminated: Any,
) -> None:
    """What actions int64 [B] of walker `w` lead to, with this slip (0 left, 1 right, 2 none) and puff (-1, 0, 1).

    Where candies lie in boxes, one in a single box, `found` says whether the box that is entered, if any, holds it. The copies
    are moved; `chances` float64 [B] says how likely all this is where they stood.
    """
    world = World(core, cells, odds, go, tile, plan, rule)
    for i in range(len(core)):
        stays = actions[i] == go.shape[2] - 1
        slip = 0.0 if stays else rule[0, SLIP]
        direction = actions[i] if stays else slipped(actions[i], side)
        here = core[i, FIRST_WALKER + w * WALKER + POSITION]
        chances[i] = 1.0 - slip if side == 2 else 0.5 * slip
        if rule[0, GUSTY] > 0.0 and tile[map_of(world, i), WIND, here] > 0:
            chances[i] /= 3.0
        elif puff != 0:
            chances[i] = 0.0
        gust = gust_at(world, i, w, puff)
        if plan[BOXES]:
            chances[i] *= hide(world, i, w, direction, gust, found)
        rewards[i], terminated[i] = advance(world, i, w, direction, gust)


@compiled
def hide(world: World, i: Any, w: Any, direction: Any, gust: Any, found: Any) -> Any:
    """Put the candy of copy `i` into the box that is about to be opened, or into another closed one: how likely that is."""
    core = world.core
    slot = np.int64(world.tile[map_of(world, i), SLOT, landing(world, i, w, direction, gust)])
    k = slot - FIRST_VALUE
    closed = core[i, REMAINING]
    core[i, FILLED] = closed
    if k < 0 or not (closed >> k) & 1:
        return 0.0 if found else 1.0
    total = 0.0
    for other in range(world.plan[CANDIES]):
        if (closed >> other) & 1:
            total += weight(world, i, other)
    bit = np.int64(1) << k
    core[i, FILLED] = bit if found else closed & ~bit
    chance = weight(world, i, k) / total if closed != bit else 1.0
    return chance if found else 1.0 - chance
