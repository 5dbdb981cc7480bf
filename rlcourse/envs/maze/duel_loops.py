"""The compiled rules of two walkers: each moves by the rules of one, and the candies are the same.

A round of one copy is `move_in_turn` twice, or `move_at_once`, and then `end_round`. The loops over all copies take the seven
arrays of a `World` first. The last functions are the game for a loop in which both walkers are driven from outside.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rlcourse.envs.maze.board import CANDIES, FIRST_VALUE
from rlcourse.envs.maze.kernel import (
    allowed,
    gust_at,
    index_of,
    landing,
    move,
    reset_member,
    tick,
)
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


@inlined
def move_in_turn(world: World, i: Any, w: Any, action: Any) -> Any:
    """Walker `w` of copy `i` moves: reward, and whether the game is over."""
    reward, over = move(world, i, w, action)
    if over and w == 0:  # the other one does not move any more
        world.core[i, FIRST_WALKER + WALKER + LAST_REWARD] = 0
    return reward, over


@inlined
def move_at_once(world: World, i: Any, first: Any, second: Any) -> Any:
    """Both walkers of copy `i` move at once: the reward of each, and whether the game is over.

    A fair coin says who is the quicker one, if they reach for the same candy.
    """
    w = np.int64(bits_at(next_tick(world.core, i, NOISE_STREAM)) >> np.uint64(63))
    reward, ended = move(world, i, w, second if w else first)
    other, over = move(world, i, 1 - w, first if w else second)
    return other if w else reward, reward if w else other, ended or over


@inlined
def end_round(world: World, i: Any, over: Any) -> Any:
    """The clocks of copy `i` go on, in which the game is `over` or not: whether its time is up; who has won is noted."""
    core = world.core
    truncated = tick(world, i) and not over
    ahead = core[i, FIRST_WALKER + SCORE] > core[i, FIRST_WALKER + WALKER + SCORE]
    core[i, WON] = ahead and (over or truncated)
    return truncated


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
            reward, over[i] = move_in_turn(world, i, w, actions[i])
            rewards[w, i] += reward


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
    """Both walkers of every copy move at once where it is not `over` bool [B], as `move_all` has it."""
    world = World(core, cells, odds, go, tile, plan, rule)
    for i in range(len(first)):
        if not over[i]:
            mine, theirs, over[i] = move_at_once(world, i, first[i], second[i])
            rewards[0, i] += mine
            rewards[1, i] += theirs


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
            truncated[i] = end_round(world, i, over[i])
        won[i] = core[i, WON] != 0
        allowed(world, i, 0, mask, i)


class Seats(NamedTuple):
    """A duel whose walkers are both driven from outside."""

    world: Any
    """Its `World`."""
    zero_sum: Any
    """What one gets is taken from the other."""


@inlined
def gains(seats: Seats, mine: Any, theirs: Any) -> Any:
    """What each gets, from the rewards of walker 0 and walker 1."""
    return (mine - theirs, theirs - mine) if seats.zero_sum else (mine, theirs)


@inlined
def turn(seats: Seats, i: Any, w: Any, action: Any) -> Any:
    """Walker `w` of copy `i` moves: what walker 0 and walker 1 get, and whether the game is over."""
    reward, over = move_in_turn(seats.world, i, w, action)
    mine, theirs = gains(seats, 0.0 if w else reward, reward if w else 0.0)
    return mine, theirs, over


@inlined
def both(seats: Seats, i: Any, first: Any, second: Any) -> Any:
    """Both walkers of copy `i` move at once: what they get, and whether the game is over."""
    reward, other, over = move_at_once(seats.world, i, first, second)
    mine, theirs = gains(seats, reward, other)
    return mine, theirs, over


@inlined
def close_round(seats: Seats, i: Any, over: Any) -> Any:
    """See `end_round`."""
    return end_round(seats.world, i, over)


@compiled
def begin(seats: Seats, i: Any) -> None:
    """Begin the next game in copy `i`."""
    reset_member(seats.world, i, 0)


@inlined
def index_seen_by(seats: Seats, i: Any, w: Any) -> Any:
    """What walker `w` of copy `i` sees with `observation="index"`."""
    return index_of(seats.world, i, w)


@inlined
def position_seen_by(seats: Seats, i: Any, w: Any) -> Any:
    """What walker `w` of copy `i` sees with `observation="position"`."""
    return seats.world.core[i, FIRST_WALKER + w * WALKER + POSITION]
