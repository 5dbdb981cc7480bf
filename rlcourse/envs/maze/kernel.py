"""The rules of the maze, compiled: what a move does to a copy of the world, and the loops over all copies.

A copy is a row of `core` and, where visits count, a row of `cells`:

    core  int64 [B, columns]   clocks, candies left, stream, and a block of columns for every walker
    cells uint8 [B, cells]     bit w: walker w has entered this cell in this episode ([B, 0] where it does not matter)

The board (`go, tile, plan, rule`, see `board`) is shared. `advance` is the law of the world, without chance; `move`
draws the slip and the gust and advances, `outcomes` goes through all of them with their probabilities. Whoever
compiles a loop of their own calls `step_member` and `reset_member`.

Numba's cache does not see changes across files: after an edit of `board`, delete the `__pycache__` here.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit

from rlcourse.envs.maze.board import (
    CANDIES,
    CHANGES,
    DOWN,
    DOWN_LEFT,
    DOWN_RIGHT,
    FIRST_START,
    FIRST_VALUE,
    GUSTY,
    LEFT,
    LOCKED,
    LOST_BELOW,
    MAX_STEPS,
    NO_EXIT,
    NUMBER,
    R_BUMP,
    R_CLIFF,
    R_EXIT,
    R_MOVE,
    R_REVISIT,
    RIGHT,
    SLIP,
    SLOT,
    STARTS,
    UP,
    UP_LEFT,
    UP_RIGHT,
    WIND,
)
from rlcourse.streams_compiled import GAMMA, integer_at, uniform_at

# Without `_nrt` Numba counts references to the arrays within the loops, which costs more than the rules: nothing here
# makes an array, so there is nothing to count.
_without_counts: Any = functools.partial(njit, cache=True, error_model="numpy", _nrt=False)
compiled = _without_counts()
inlined = _without_counts(forceinline=True)

# columns of `core`: of the copy; then, from FIRST_WALKER on, those of every walker
CLOCK, LIFE, LEFT_OVER, PROBLEM, NOISE, FIRST_WALKER = range(6)
# columns of a walker
POSITION, HOME, SCORE, LAST, WALKER = range(5)

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


@inlined
def phase_at(plan: Any, life: Any) -> Any:
    """Which of the maps holds in this step of the copy's life."""
    phase = 0
    while phase < plan[CHANGES] and life >= plan[FIRST_START + plan[STARTS] + phase]:
        phase += 1
    return phase


@compiled
def blown(go: Any, phase: Any, here: Any, direction: Any, gust: Any) -> Any:
    """Where a step leads in a wind: sideways first, then the rows of step and wind together, until barred."""
    rows, there = gust, here
    if direction < go.shape[1] - 1:
        rows += ALONG[direction]
        if ACROSS[direction] >= 0:
            there = go[phase, ACROSS[direction], here]
    while rows > 0:
        there = go[phase, UP, there]
        rows -= 1
    while rows < 0:
        there = go[phase, DOWN, there]
        rows += 1
    return there


@inlined
def advance(
    core: Any, cells: Any, go: Any, tile: Any, plan: Any, rule: Any, i: Any, w: Any, direction: Any, gust: Any
) -> Any:
    """What happens if walker `w` of copy `i` goes in this direction in this wind: reward, terminated.

    The cell that is entered decides the reward: exit, trap, cliff, candy, visited before, or a plain move. Where there
    is no exit, the last candy ends the episode.
    """
    at = FIRST_WALKER + w * WALKER
    here = core[i, at + POSITION]
    phase = phase_at(plan, core[i, LIFE])
    straight = go[phase, direction, here]
    there = straight if gust == 0 else blown(go, phase, here, direction, gust)
    slot = tile[SLOT, there]
    if there == here:  # arithmetic, not branches: a coin that the processor cannot guess
        slot = R_MOVE + (R_BUMP - R_MOVE) * (straight == here) * (direction < go.shape[1] - 1)
    terminated = False
    if slot != R_MOVE and slot != R_BUMP:  # something is here
        if slot == R_EXIT and plan[LOCKED] and core[i, LEFT_OVER] != 0:
            slot = R_MOVE
        elif slot >= FIRST_VALUE:
            bit = np.int64(1) << (slot - FIRST_VALUE)
            slot = slot if core[i, LEFT_OVER] & bit else R_MOVE
            core[i, LEFT_OVER] &= ~bit
            terminated = plan[NO_EXIT] == 1 and core[i, LEFT_OVER] == 0
        elif slot == R_CLIFF:
            there = core[i, at + HOME]
        else:
            terminated = True
    if cells.shape[1] > 0 and there != here and slot != R_CLIFF:
        if slot == R_MOVE and (cells[i, there] >> w) & 1:
            slot = R_REVISIT
        cells[i, there] |= np.uint8(1 << w)
    core[i, at + POSITION] = there
    score = core[i, at + SCORE] + np.int64(rule[1, slot])
    core[i, at + SCORE] = score
    return rule[0, slot], terminated or score < plan[LOST_BELOW]


@inlined
def next_tick(core: Any, i: Any, stream: Any) -> Any:
    """The next tick of a stream of copy `i`; its numbers are those of `rlcourse.streams`."""
    tick = np.uint64(core[i, stream]) + GAMMA
    core[i, stream] = np.int64(tick)
    return tick


@inlined
def slipped(direction: Any, side: Any) -> Any:
    """The direction after a slip: to the left (side 0), to the right (1), or none (2)."""
    return direction if side == 2 else SIDES[side, direction]


@inlined
def gust_at(tile: Any, here: Any, puff: Any) -> Any:
    """The wind in this cell with a puff of -1, 0 or 1; where there is no wind, there are no puffs."""
    return tile[WIND, here] + puff if tile[WIND, here] > 0 else 0


@inlined
def move(core: Any, cells: Any, go: Any, tile: Any, plan: Any, rule: Any, i: Any, w: Any, action: Any) -> Any:
    """Walker `w` of copy `i` takes an action, with its slip and gust: reward, terminated."""
    at = FIRST_WALKER + w * WALKER
    direction = action
    if rule[0, SLIP] > 0.0 and direction < go.shape[1] - 1:
        u = uniform_at(next_tick(core, i, NOISE))
        if u < rule[0, SLIP]:
            direction = slipped(direction, 0 if u < 0.5 * rule[0, SLIP] else 1)
    here = core[i, at + POSITION]
    puff = 0
    if rule[0, GUSTY] > 0.0 and tile[WIND, here] > 0:
        puff = integer_at(next_tick(core, i, NOISE), 3) - 1
    core[i, at + LAST] = action
    return advance(core, cells, go, tile, plan, rule, i, w, direction, gust_at(tile, here, puff))


@inlined
def step_member(core: Any, cells: Any, go: Any, tile: Any, plan: Any, rule: Any, i: Any, action: Any) -> Any:
    """One step of copy `i` with a single walker: reward, terminated, truncated."""
    reward, terminated = move(core, cells, go, tile, plan, rule, i, 0, action)
    core[i, CLOCK] += 1
    core[i, LIFE] += 1
    return reward, terminated, core[i, CLOCK] >= plan[MAX_STEPS] and not terminated


@inlined
def reset_member(core: Any, cells: Any, plan: Any, i: Any, same_start: Any) -> None:
    """Begin an episode in copy `i`; its life goes on. One start is drawn for each walker, if there are several."""
    core[i, CLOCK] = 0
    core[i, LEFT_OVER] = (np.int64(1) << plan[CANDIES]) - 1
    for at in range(FIRST_WALKER, core.shape[1], WALKER):
        if not same_start:
            start = 0
            if plan[STARTS] > 1:
                start = integer_at(next_tick(core, i, PROBLEM), plan[STARTS])
            core[i, at + HOME] = plan[FIRST_START + start]
        core[i, at + POSITION] = core[i, at + HOME]
        core[i, at + SCORE] = 0
        core[i, at + LAST] = -1
    for cell in range(cells.shape[1]):
        cells[i, cell] = 0


@inlined
def index_of(core: Any, tile: Any, plan: Any, i: Any) -> Any:
    """The number of the copy's state, where position and candies say all: (open cell) 2**candies + candies left."""
    number = tile[NUMBER, core[i, FIRST_WALKER + POSITION]]
    return (number << plan[CANDIES]) + core[i, LEFT_OVER]


@inlined
def allowed(core: Any, go: Any, plan: Any, i: Any, mask: Any, row: Any) -> None:
    """Into `mask[row]`: 1 for the actions that do not bump."""
    here = core[i, FIRST_WALKER + POSITION]
    phase = phase_at(plan, core[i, LIFE])
    for action in range(mask.shape[1]):
        target = go[phase, action, here]
        mask[row, action] = 1 if target != here or action == go.shape[1] - 1 else 0


# --- the loops ---


@compiled
def reset_rows(core: Any, cells: Any, plan: Any, rows: Any, same_start: Any) -> None:
    """Begin an episode in the copies `rows`."""
    for i in rows:
        reset_member(core, cells, plan, i, same_start)


@compiled
def step_one(core: Any, cells: Any, go: Any, tile: Any, plan: Any, rule: Any, action: Any) -> Any:
    """The only copy of a batch of one: reward, terminated, truncated, index, position, phase."""
    reward, terminated, truncated = step_member(core, cells, go, tile, plan, rule, 0, action)
    phase = phase_at(plan, core[0, LIFE])
    index = index_of(core, tile, plan, 0)
    return reward, terminated, truncated, index, core[0, FIRST_WALKER + POSITION], phase


@compiled
def step_batch(
    core: Any,
    cells: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rule: Any,
    actions: Any,
    waiting: Any,
    rewards: Any,
    terminated: Any,
    truncated: Any,
    mask: Any,
) -> None:
    """One step of every copy `[B]`; those that are `waiting` begin an episode instead of moving."""
    for i in range(len(actions)):
        if waiting[i]:
            reset_member(core, cells, plan, i, False)
            rewards[i], terminated[i], truncated[i] = 0.0, False, False
        else:
            rewards[i], terminated[i], truncated[i] = step_member(
                core, cells, go, tile, plan, rule, i, actions[i]
            )
        allowed(core, go, plan, i, mask, i)


@compiled
def masks(core: Any, go: Any, plan: Any, mask: Any) -> None:
    """The actions that do not bump, for every copy, into `mask` int8 [B, A]."""
    for i in range(len(core)):
        allowed(core, go, plan, i, mask, i)


@compiled
def indices(core: Any, tile: Any, plan: Any, out: Any) -> None:
    """`index_of` every copy, into `out` int64 [B]."""
    for i in range(len(core)):
        out[i] = index_of(core, tile, plan, i)


@compiled
def outcomes(
    core: Any,
    cells: Any,
    go: Any,
    tile: Any,
    plan: Any,
    rule: Any,
    action: Any,
    side: Any,
    puff: Any,
    chances: Any,
    rewards: Any,
    terminated: Any,
) -> None:
    """What an action leads to with this slip (0 left, 1 right, 2 none) and puff (-1, 0, 1), in every copy.

    The copies are moved; `chances` float64 [B] says how likely this slip and puff are where they stood.
    """
    stays = action == go.shape[1] - 1
    slip = 0.0 if stays else rule[0, SLIP]
    direction = action if stays else slipped(action, side)
    for i in range(len(core)):
        here = core[i, FIRST_WALKER + POSITION]
        chances[i] = 1.0 - slip if side == 2 else 0.5 * slip
        if rule[0, GUSTY] > 0.0 and tile[WIND, here] > 0:
            chances[i] /= 3.0
        elif puff != 0:
            chances[i] = 0.0
        rewards[i], terminated[i] = advance(
            core, cells, go, tile, plan, rule, i, 0, direction, gust_at(tile, here, puff)
        )
