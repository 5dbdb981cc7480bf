"""The law of a finite model, compiled: what a copy does in a step, and the loops over all copies.

Numba's cache does not see changes across files: after an edit of the streams, delete the `__pycache__` here.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rlcourse.streams_compiled import next_uniform

# Nothing here makes an array, so there are no references to count.
compiled: Any = functools.partial(njit, cache=True, error_model="numpy", _nrt=False)()


class Model(NamedTuple):
    """A finite model and the copies that move in it; the first six as in `FiniteMDP`, but for the chances."""

    first: NDArray[np.int64]
    up_to: NDArray[np.float64]
    """`[K]`: the sum of the chances of the pair's outcomes up to this one; of the last, 2: above all numbers drawn."""
    next: NDArray[np.int64]
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    start_up_to: NDArray[np.float64]
    """`[Z]`, the same of the states where an episode can begin."""
    starts: NDArray[np.int64]
    """`[Z]`, these states."""
    actions: int
    max_steps: int
    """Steps until an episode is truncated; 0 is never."""
    position: NDArray[np.int64]
    """`[B]`, the state of every copy."""
    home: NDArray[np.int64]
    """`[B]`, where its episode began."""
    clock: NDArray[np.int64]
    """`[B]`, steps in this episode."""
    problem: NDArray[np.uint64]
    """`[B]`, the streams of the starts."""
    noise: NDArray[np.uint64]
    """`[B]`, the streams of the outcomes."""


@compiled
def step_member(world: Any, i: Any, action: Any) -> Any:
    """One step of copy `i`: reward, terminated, truncated. Where a single outcome is possible, nothing is drawn."""
    pair = world.position[i] * world.actions + action
    k = world.first[pair]
    if world.first[pair + 1] - k > 1:
        u = next_uniform(world.noise, i)
        while u >= world.up_to[k]:
            k += 1
    world.position[i] = world.next[k]
    world.clock[i] += 1
    over = world.terminated[k]
    return world.reward[k], over, not over and world.clock[i] == world.max_steps


@compiled
def reset_member(world: Any, i: Any, same_start: Any) -> None:
    """Begin an episode in copy `i`."""
    if not same_start:
        at = 0
        if len(world.starts) > 1:
            u = next_uniform(world.problem, i)
            while u >= world.start_up_to[at]:
                at += 1
        world.home[i] = world.starts[at]
    world.position[i] = world.home[i]
    world.clock[i] = 0


@compiled
def restart(world: Any, i: Any) -> None:
    """Begin the next episode in copy `i`, as loops need it."""
    reset_member(world, i, False)


@compiled
def index_of(world: Any, i: Any) -> Any:
    """The state of copy `i`."""
    return world.position[i]


@compiled
def step_batch(world: Any, actions: Any, rewards: Any, terminated: Any, truncated: Any) -> None:
    """One step of every copy `[B]`."""
    for i in range(len(actions)):
        rewards[i], terminated[i], truncated[i] = step_member(world, i, actions[i])


@compiled
def reset_rows(world: Any, rows: Any, same_start: Any) -> None:
    """Begin an episode in the copies `rows`."""
    for i in rows:
        reset_member(world, i, same_start)
