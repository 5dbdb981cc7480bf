"""The arrays of a world, as the compiled rules read and write them.

    core  int64 [B, columns]   clocks, candies, streams, and a block of columns for every walker
    cells uint8 [B, cells]     bit w: walker w has entered this cell in this episode ([B, 0] where it does not matter)
    odds  float64 [B, K + 1]   where the candies tend to lie (see `spawn`; [B, 0] where that never changes)

and the four of the board, which the copies share (see `board`).
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from rlcourse.envs.maze.board import CHANGES, FIRST_START, OWN_MAP, STARTS
from rlcourse.streams_compiled import GAMMA

# Without `_nrt` Numba counts references to the arrays within the loops, which costs more than the rules: nothing here
# makes an array, so there is nothing to count.
_without_counts: Any = functools.partial(njit, cache=True, error_model="numpy", _nrt=False)
compiled = _without_counts()
inlined = _without_counts(forceinline=True)

# columns of `core`: of the copy; then, from FIRST_WALKER on, those of every walker.
# LEVEL: which alternative, or the seed of a generated level. SPAWNED: the candies that the episode began with, as bits.
# REMAINING: those that are left; where candies lie in boxes, the closed boxes. FILLED: the boxes that still hold one.
# DRIFTED: when the chances of the candies were looked at last, -1 never. WON: whether the episode ended in success.
# What every step reads stands together, beside the walkers: a row is longer than a line of the cache.
(
    EPISODE, SPAWNED, FILLED, DRIFTED, START_STREAM, LEVEL_STREAM, CANDY_STREAM, DRIFT_STREAM,
    NOISE_STREAM, LEVEL, REMAINING, WON, CLOCK, LIFE, FIRST_WALKER,
) = range(15)  # fmt: skip
# columns of a walker
POSITION, SCORE, LAST_REWARD, LAST, HOME, WALKER = range(6)

# what a reset can hold fixed, as bits
HOLD_LEVEL, HOLD_START, HOLD_CANDIES = 1, 2, 4


class World(NamedTuple):
    """The arrays of some copies of a world, and of their board."""

    core: Any
    cells: Any
    odds: Any
    go: Any
    tile: Any
    plan: Any
    rule: Any


@inlined
def map_of(world: World, i: Any) -> Any:
    """Which row of `go` and `tile` is the map of copy `i`."""
    return i if world.plan[OWN_MAP] else world.core[i, LEVEL]


@inlined
def phase_at(world: World, i: Any) -> Any:
    """Which of the maps that follow each other holds in this step of the copy's life."""
    plan, life = world.plan, world.core[i, LIFE]
    phase = 0
    while phase < plan[CHANGES] and life >= plan[FIRST_START + plan[STARTS] + phase]:
        phase += 1
    return phase


@inlined
def next_tick(core: Any, i: Any, stream: Any) -> Any:
    """The next tick of a stream of copy `i`; its numbers are those of `rlcourse.streams`."""
    tick = np.uint64(core[i, stream]) + GAMMA
    core[i, stream] = np.int64(tick)
    return tick
