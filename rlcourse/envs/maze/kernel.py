"""The rules of the maze, compiled: what a move does to a copy of the world, and how an episode begins.

`advance` is the law of the world, without chance; `move` draws the slip and the gust and advances. The loops over all copies
are in `loops`. Whoever compiles a loop of their own makes a `World` inside it and calls `step_member`, `reset_member` and
`index_of`.

Numba's cache does not see changes across files: after an edit of `board`, `world`, `spawn` or of this file, delete the
`__pycache__` here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcourse.envs.maze.board import (
    BOXES,
    CANDIES,
    DOWN,
    DOWN_LEFT,
    DOWN_RIGHT,
    FIRST_START,
    FIRST_VALUE,
    GUSTY,
    LEFT,
    LOCKED,
    LOST_BELOW,
    MAPS,
    MAX_STEPS,
    NO_EXIT,
    NUMBER,
    NUMBERS,
    OWN_MAP,
    R_BUMP,
    R_CLIFF,
    R_EXIT,
    R_MOVE,
    R_REVISIT,
    RIGHT,
    SLIP,
    SLOT,
    SPAWN,
    STARTS,
    UP,
    UP_LEFT,
    UP_RIGHT,
    WIND,
)
from rlcourse.envs.maze.spawn import spawn
from rlcourse.envs.maze.world import (
    CLOCK,
    EPISODE,
    FILLED,
    FIRST_WALKER,
    HOLD_CANDIES,
    HOLD_LEVEL,
    HOLD_START,
    HOME,
    LAST,
    LAST_REWARD,
    LEVEL,
    LEVEL_STREAM,
    LIFE,
    NOISE_STREAM,
    POSITION,
    REMAINING,
    SCORE,
    SPAWNED,
    START_STREAM,
    WALKER,
    WON,
    World,
    compiled,
    inlined,
    map_of,
    next_tick,
    phase_at,
)
from rlcourse.streams_compiled import integer_at, uniform_at

SIDES = np.array(
    [
        [DOWN, UP, LEFT, RIGHT, DOWN_LEFT, UP_LEFT, DOWN_RIGHT, UP_RIGHT],
        [UP, DOWN, RIGHT, LEFT, UP_RIGHT, DOWN_RIGHT, UP_LEFT, DOWN_LEFT],
    ]
)
"""The directions at a right angle to each direction, to its left and to its right `[2, 8]`."""
ACROSS = np.array([LEFT, RIGHT, -1, -1, LEFT, RIGHT, LEFT, RIGHT])
"""The sideways part of each direction; -1 where it has none."""
ALONG = np.array([0, 0, 1, -1, 1, 1, -1, -1])
"""Rows that each direction goes upward."""


@compiled
def blown(go: Any, here: Any, direction: Any, gust: Any) -> Any:
    """Where a step leads in a wind: sideways first, then the rows of step and wind together, until barred."""
    rows, there = gust, here
    if direction < len(go) - 1:
        rows += ALONG[direction]
        if ACROSS[direction] >= 0:
            there = np.int64(go[ACROSS[direction], here])
    while rows > 0:
        there = np.int64(go[UP, there])
        rows -= 1
    while rows < 0:
        there = np.int64(go[DOWN, there])
        rows += 1
    return there


@inlined
def landing(world: World, i: Any, w: Any, direction: Any, gust: Any) -> Any:
    """The cell to which this direction leads walker `w` of copy `i` in this wind."""
    here = world.core[i, FIRST_WALKER + w * WALKER + POSITION]
    go = world.go[map_of(world, i), phase_at(world, i)]
    return np.int64(go[direction, here]) if gust == 0 else blown(go, here, direction, gust)


@inlined
def advance(world: World, i: Any, w: Any, direction: Any, gust: Any) -> Any:
    """What happens if walker `w` of copy `i` goes in this direction in this wind: reward, terminated.

    The cell that is entered decides the reward: exit, trap, cliff, candy, visited before, or a plain move. Where there
    is no exit, the last candy ends the episode. In worlds of boxes a candy is there only if its box is filled; with the last
    candy the other boxes are known to be empty.
    """
    core, cells, go, tile, plan, rule = world.core, world.cells, world.go, world.tile, world.plan, world.rule
    at = FIRST_WALKER + w * WALKER
    here = core[i, at + POSITION]
    which, phase = map_of(world, i), phase_at(world, i)
    straight = np.int64(go[which, phase, direction, here])
    there = straight if gust == 0 else blown(go[which, phase], here, direction, gust)
    slot: Any = np.int64(tile[which, SLOT, there])
    if there == here:  # arithmetic, not branches: a coin that the processor cannot guess
        slot = R_MOVE + (R_BUMP - R_MOVE) * (straight == here) * (direction < go.shape[2] - 1)
    terminated = False
    if slot != R_MOVE and slot != R_BUMP:  # something is here
        if slot == R_EXIT and plan[LOCKED] and core[i, REMAINING] != 0:
            slot = R_MOVE
        elif slot >= FIRST_VALUE:
            bit = np.int64(1) << (slot - FIRST_VALUE)
            slot = slot if core[i, REMAINING] & bit else R_MOVE
            core[i, REMAINING] &= ~bit
            if plan[BOXES]:
                slot = slot if core[i, FILLED] & bit else R_MOVE
                core[i, FILLED] &= ~bit
                core[i, REMAINING] *= core[i, FILLED] != 0
            terminated = plan[NO_EXIT] == 1 and core[i, REMAINING] == 0
            core[i, WON] = terminated
        elif slot == R_CLIFF:
            there = core[i, at + HOME]
        else:
            terminated = True
            core[i, WON] = slot == R_EXIT
    if cells.shape[1] > 0 and there != here and slot != R_CLIFF:
        if slot == R_MOVE and (cells[i, there] >> w) & 1:
            slot = R_REVISIT
        cells[i, there] |= np.uint8(1 << w)
    core[i, at + POSITION] = there
    units = np.int64(rule[1, slot])
    core[i, at + LAST_REWARD] = units
    score = core[i, at + SCORE] + units
    core[i, at + SCORE] = score
    return rule[0, slot], terminated or score < plan[LOST_BELOW]


@inlined
def slipped(direction: Any, side: Any) -> Any:
    """The direction after a slip: to the left (side 0), to the right (1), or none (2)."""
    return direction if side == 2 else SIDES[side, direction]


@inlined
def gust_at(world: World, i: Any, w: Any, puff: Any) -> Any:
    """The wind where walker `w` is, with a puff of -1, 0 or 1; where there is no wind, there are no puffs."""
    here = world.core[i, FIRST_WALKER + w * WALKER + POSITION]
    wind = np.int64(world.tile[map_of(world, i), WIND, here])
    return wind + puff if wind > 0 else 0


@inlined
def move(world: World, i: Any, w: Any, action: Any) -> Any:
    """Walker `w` of copy `i` takes an action, with its slip and gust: reward, terminated."""
    core, rule = world.core, world.rule
    direction = action
    if rule[0, SLIP] > 0.0 and direction < world.go.shape[2] - 1:
        u = uniform_at(next_tick(core, i, NOISE_STREAM))
        if u < rule[0, SLIP]:
            direction = slipped(direction, 0 if u < 0.5 * rule[0, SLIP] else 1)
    gust = gust_at(world, i, w, 0)
    if rule[0, GUSTY] > 0.0 and gust > 0:
        gust += integer_at(next_tick(core, i, NOISE_STREAM), 3) - 1
    core[i, FIRST_WALKER + w * WALKER + LAST] = action
    return advance(world, i, w, direction, gust)


@inlined
def step_member(world: World, i: Any, action: Any) -> Any:
    """One step of copy `i` with a single walker: reward, terminated, truncated."""
    reward, terminated = move(world, i, 0, action)
    truncated = tick(world, i) and not terminated
    return reward, terminated, truncated


@inlined
def tick(world: World, i: Any) -> Any:
    """The clocks of copy `i` go on; whether its time is up."""
    core = world.core
    core[i, CLOCK] += 1
    core[i, LIFE] += 1
    return core[i, CLOCK] >= world.plan[MAX_STEPS]


@inlined
def reset_member(world: World, i: Any, hold: Any) -> None:
    """Begin an episode in copy `i`, whose life goes on; what `hold` names is not drawn anew.

    A start is drawn for each walker, if there are several; two walkers begin on neighbours in the list of starts.
    """
    core, cells, plan = world.core, world.cells, world.plan
    core[i, CLOCK] = 0
    core[i, WON] = 0
    core[i, EPISODE] += 1
    if plan[MAPS] > 1 and not hold & HOLD_LEVEL:
        core[i, LEVEL] = integer_at(next_tick(core, i, LEVEL_STREAM), plan[MAPS])
    if plan[STARTS] > 0 and not hold & HOLD_START:
        start = 0
        if plan[STARTS] > 1:
            start = integer_at(next_tick(core, i, START_STREAM), plan[STARTS])
        for at in range(FIRST_WALKER, core.shape[1], WALKER):
            core[i, at + HOME] = plan[FIRST_START + start]
            start = start + 1 if start + 1 < plan[STARTS] else 0
    for at in range(FIRST_WALKER, core.shape[1], WALKER):
        core[i, at + POSITION] = core[i, at + HOME]
        core[i, at + SCORE] = 0
        core[i, at + LAST] = -1
        core[i, at + LAST_REWARD] = 0
    for cell in range(cells.shape[1]):
        cells[i, cell] = 0
    full = (np.int64(1) << plan[CANDIES]) - 1
    core[i, SPAWNED] = spawn(world, i, hold & HOLD_CANDIES) if plan[SPAWN] > 0 else full
    core[i, FILLED] = core[i, SPAWNED]
    core[i, REMAINING] = full if plan[BOXES] else core[i, SPAWNED]


@inlined
def index_of(world: World, i: Any, w: Any) -> Any:
    """The number of the copy's state as walker `w` counts: (map, its open cell, that of the other) 2**candies + candies."""
    core, plan = world.core, world.plan
    which = map_of(world, i)
    number = np.int64(0) if plan[OWN_MAP] else which * plan[NUMBERS]
    number += world.tile[which, NUMBER, core[i, FIRST_WALKER + w * WALKER + POSITION]]
    if core.shape[1] > FIRST_WALKER + WALKER:  # there are two
        other = FIRST_WALKER + (1 - w) * WALKER
        number = number * plan[NUMBERS] + world.tile[which, NUMBER, core[i, other + POSITION]]
    return (number << plan[CANDIES]) + core[i, REMAINING]


@compiled
def restart(world: World, i: Any) -> None:
    """Begin the next episode in copy `i`, as loops need it."""
    reset_member(world, i, 0)


@inlined
def index_seen(world: World, i: Any) -> Any:
    """What the only walker of copy `i` sees with `observation="index"`."""
    return index_of(world, i, 0)


@inlined
def position_seen(world: World, i: Any) -> Any:
    """What the only walker of copy `i` sees with `observation="position"`."""
    return world.core[i, FIRST_WALKER + POSITION]


@inlined
def allowed(world: World, i: Any, w: Any, mask: Any, row: Any) -> None:
    """Into `mask[row]`: 1 for the actions of walker `w` that do not bump."""
    here = world.core[i, FIRST_WALKER + w * WALKER + POSITION]
    go = world.go[map_of(world, i), phase_at(world, i)]
    for action in range(mask.shape[1]):
        mask[row, action] = 1 if go[action, here] != here or action == len(go) - 1 else 0
