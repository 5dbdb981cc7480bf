"""The compiled loops of two walkers: each moves by the rules of one, and the candies are the same.

Every loop takes the seven arrays of a `World` first. A round is `choose` and `move_all`, in the order that the duel has.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcourse.envs.maze.board import CANDIES, FIRST_VALUE
from rlcourse.envs.maze.kernel import allowed, gust_at, landing, move, tick
from rlcourse.envs.maze.world import (
    FIRST_WALKER,
    LAST_REWARD,
    NOISE_STREAM,
    POSITION,
    REMAINING,
    SCORE,
    WALKER,
    WON,
    World,
    compiled,
    inlined,
    map_of,
    next_tick,
    phase_at,
)
from rlcourse.streams_compiled import bits_at, next_integer

RANDOM, GREEDY = range(2)


@inlined
def nearest(world: World, i: Any, w: Any, far: Any, actions: Any) -> Any:
    """The first step of a shortest way to the nearest candy that is left; of equally near ones, to the dearest.

    `far int32 [maps, phases, K, cells]` is how many steps each cell is from each candy, -1 where no way leads there. Of
    several shortest ways it is the one that begins with the action of the lowest number; without a candy in reach it is
    the first action. Of candies that are equally near and dear, it is the first one on the map.
    """
    here = world.core[i, FIRST_WALKER + w * WALKER + POSITION]
    which, phase = map_of(world, i), phase_at(world, i)
    best, best_far = -1, np.int32(0)
    for k in range(world.plan[CANDIES]):
        if (world.core[i, REMAINING] >> k) & 1:
            away = far[which, phase, k, here]
            nearer = away < best_far or (
                away == best_far and world.rule[0, FIRST_VALUE + k] > world.rule[0, FIRST_VALUE + best]
            )
            if away >= 0 and (best < 0 or nearer):
                best, best_far = k, away
    if best_far > 0:
        gust = gust_at(world, i, w, 0)
        for action in range(actions):
            there = landing(world, i, w, action, gust)
            if there != here and far[which, phase, best, there] == best_far - 1:
                return action
    return 0


@compiled
def choose(
    core: Any,
    cells: Any,
    odds: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rule: Any,
    w: Any,
    kind: Any,
    far: Any,
    actions: Any,
    stream: Any,
    over: Any,
    out: Any,
) -> None:
    """What a random or a greedy player does with walker `w`, into `out` int64 [B], where it is not `over` bool [B].

    `actions` is how many there are, `stream` uint64 [B] what the random one draws from.
    """
    world = World(core, cells, odds, go, tile, plan, rule)
    for i in range(len(out)):
        if not over[i]:
            out[i] = (
                next_integer(stream, i, actions) if kind == RANDOM else nearest(world, i, w, far, actions)
            )


@compiled
def move_all(
    core: Any,
    cells: Any,
    odds: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rule: Any,
    w: Any,
    actions: Any,
    over: Any,
    rewards: Any,
) -> None:
    """Walker `w` of every copy moves where it is not `over` bool [B], which is noted there; `rewards` [2, B] are added to."""
    world = World(core, cells, odds, go, tile, plan, rule)
    for i in range(len(actions)):
        if not over[i]:
            reward, over[i] = move(world, i, w, actions[i])
            rewards[w, i] += reward
            if over[i] and w == 0:  # the other one does not move any more
                core[i, FIRST_WALKER + WALKER + LAST_REWARD] = 0


@compiled
def move_both(
    core: Any,
    cells: Any,
    odds: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rule: Any,
    first: Any,
    second: Any,
    over: Any,
    rewards: Any,
) -> None:
    """Both walkers move at once; a fair coin says who is the quicker one, if they reach for the same candy."""
    world = World(core, cells, odds, go, tile, plan, rule)
    for i in range(len(first)):
        if not over[i]:
            w = np.int64(bits_at(next_tick(core, i, NOISE_STREAM)) >> np.uint64(63))
            for walker in (w, 1 - w):
                reward, ended = move(world, i, walker, first[i] if walker == 0 else second[i])
                over[i] |= ended
                rewards[walker, i] += reward


@compiled
def finish(
    core: Any,
    cells: Any,
    odds: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rule: Any,
    waiting: Any,
    over: Any,
    truncated: Any,
    won: Any,
    mask: Any,
) -> None:
    """The clocks of the copies that are not `waiting` go on; whether walker 0 has won, and what it can do now."""
    world = World(core, cells, odds, go, tile, plan, rule)
    for i in range(len(over)):
        if not waiting[i]:
            truncated[i] = tick(world, i) and not over[i]
            ahead = core[i, FIRST_WALKER + SCORE] > core[i, FIRST_WALKER + WALKER + SCORE]
            core[i, WON] = ahead and (over[i] or truncated[i])
        won[i] = core[i, WON] != 0
        allowed(world, i, 0, mask, i)
