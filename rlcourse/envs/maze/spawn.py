"""Where the candies lie in an episode: so many of the candy cells, drawn by chances that may change.

The cell k of K has the weight exp(size x z_k), and n cells are drawn one after the other, without putting back. The z_k stand
in `odds`; they are looked at when an episode begins, at the time t (episodes or steps of the copy's life):

    jump    every `drift_every`: all z_k anew from N(0, 1); what comes after a jump depends on its number alone, and not on
            whether an episode began between the jumps before
    walk    dz = -z dt / every + sqrt(2 / every) dW, from N(0, 1), where it stays (Ornstein-Uhlenbeck, exact between looks)
    season  z_k = sqrt(2) cos(2 pi (t / every + offset - k / K)); the offset is the last entry, uniform

They change by a stream of their own, and the cells are drawn by another one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rlcourse.envs.maze.board import CANDIES, DRIFT, DRIFT_BY_STEPS, DRIFT_EVERY, DRIFT_SIZE, DRIFTS, SPAWN
from rlcourse.envs.maze.world import (
    CANDY_STREAM,
    DRIFT_STREAM,
    DRIFTED,
    EPISODE,
    LIFE,
    SPAWNED,
    World,
    compiled,
    inlined,
    next_tick,
)
from rlcourse.streams_compiled import GAMMA, normal_at, uniform_at

NONE, JUMP, WALK, SEASON = range(len(DRIFTS))
IMPOSSIBLE = 30.0
"""No normal number comes near it; up to it, with the largest `drift_size`, a weight is finite and not zero."""


@compiled
def spawn(world: World, i: Any, held: Any) -> Any:
    """The cells that hold a candy in the episode that begins in copy `i`, as bits; if `held`, as they were.

    The chances go on in either case.
    """
    plan = world.plan
    if plan[DRIFT] != NONE:
        look(world, i)
    if held:
        return world.core[i, SPAWNED]
    chosen = np.int64(0)
    for _ in range(plan[SPAWN]):
        total = 0.0
        for k in range(plan[CANDIES]):
            if not (chosen >> k) & 1:
                total += weight(world, i, k)
        level = uniform_at(next_tick(world.core, i, CANDY_STREAM)) * total
        pick, cumulative = -1, 0.0
        for k in range(plan[CANDIES]):
            if not (chosen >> k) & 1 and cumulative <= level:
                pick = k  # the last one, where rounding leaves the level above the sum
                cumulative += weight(world, i, k)
        chosen |= np.int64(1) << pick
    return chosen


@inlined
def weight(world: World, i: Any, k: Any) -> Any:
    """How likely cell `k` is, up to a common factor."""
    if world.plan[DRIFT] == NONE:
        return 1.0
    return math.exp(world.rule[0, DRIFT_SIZE] * world.odds[i, k])


@compiled
def look(world: World, i: Any) -> None:
    """Bring the weights of copy `i` to the present."""
    core, odds, plan = world.core, world.odds, world.plan
    now = core[i, LIFE] if plan[DRIFT_BY_STEPS] else core[i, EPISODE]
    last, every, count = core[i, DRIFTED], plan[DRIFT_EVERY], plan[CANDIES]
    core[i, DRIFTED] = now
    if last < 0:
        odds[i, count] = uniform_at(next_tick(core, i, DRIFT_STREAM))
    jumps = now // every - last // every if plan[DRIFT] == JUMP else np.int64(last < 0)
    if jumps > 0:
        unseen = np.uint64((jumps - 1) * count) * GAMMA
        core[i, DRIFT_STREAM] = np.int64(np.uint64(core[i, DRIFT_STREAM]) + unseen)
        for k in range(count):
            odds[i, k] = normal_at(next_tick(core, i, DRIFT_STREAM))
    elif plan[DRIFT] == WALK and now > last:
        keep = math.exp(-(now - last) / every)
        for k in range(count):
            fresh = normal_at(next_tick(core, i, DRIFT_STREAM))
            odds[i, k] = keep * odds[i, k] + math.sqrt(1.0 - keep * keep) * fresh
    if plan[DRIFT] == SEASON:
        for k in range(count):
            turn = now / every + odds[i, count] - k / count
            odds[i, k] = math.sqrt(2.0) * math.cos(2.0 * math.pi * turn)


@compiled
def chances(world: World, out: Any) -> None:
    """Into `out` float64 [B, K]: the chance of each cell to be drawn first, as the last episode began with."""
    for i in range(len(out)):
        total = 0.0
        for k in range(out.shape[1]):
            out[i, k] = weight(world, i, k)
            total += out[i, k]
        for k in range(out.shape[1]):
            out[i, k] /= total
