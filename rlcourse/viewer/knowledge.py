"""What an agent knows of a maze, cell by cell: values, action values, and what it would do there. Arrays only, no drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Agent
from rlcourse.envs.maze.everywhere import everywhere
from rlcourse.envs.maze.rules import MazeRules
from rlcourse.envs.rules import State

Floats = NDArray[np.float64]
TIE = 1e-9
"""Relative difference below which two actions count as equal: what planning leaves of a symmetry."""


class Knowledge(NamedTuple):
    """What is known of the H x W cells of a map, the mean over the members of a population; NaN where nobody can stand."""

    V: Floats | None
    """The value of standing there, `[H, W]`; `None` where the agent keeps none."""
    Q: Floats | None
    """The value of every action, `[H, W, A]`; `None` where the agent keeps none."""
    share: Floats
    """The share of members whose best action it is, `[H, W, A]`; a member shares its vote among actions that are equal."""


def knowledge_of(agent: Agent, rules: MazeRules, state: State, row: int = 0) -> Knowledge:
    """What a population knows: the walker's cell varies, all else is as in one copy (see `everywhere`).

    Args:
        agent: the population; `agent.member(k)` for one of it.
        rules: the rules of the maze.
        state: its state arrays.
        row: which copy.
    """
    cells, copies = everywhere(rules, state, row)
    seen = _for_members(rules.observe(copies), agent.size)
    Q, V = agent.action_values(seen), agent.state_values(seen)
    if Q is None:
        first = np.ones((agent.size, len(cells)), np.bool_)
        share = np.eye(int(rules.action_space.n))[agent.predict(seen, None, first)[0]]
    else:
        share = greedy_shares(Q)
    grid = _Grid(rules, cells)
    mean = (None if one is None else grid.spread(one.mean(axis=0)) for one in (V, Q, share))
    return Knowledge(*mean)  # type: ignore[arg-type]


def believed(
    rules: MazeRules, state: State, row: int, values: Callable[[Any], NDArray[np.float64]]
) -> Knowledge:
    """What a function says of the actions: observations `[N, ...]` -> `[N, A]`; see `knowledge_of`."""
    cells, copies = everywhere(rules, state, row)
    Q = np.asarray(values(rules.observe(copies)), np.float64)
    grid = _Grid(rules, cells)
    return Knowledge(grid.spread(Q.max(axis=-1)), grid.spread(Q), grid.spread(greedy_shares(Q)))


def greedy_shares(Q: Floats) -> Floats:
    """Chances of the actions `[..., A]` if one of the best is taken, all that are equal but for rounding alike."""
    best = Q.max(axis=-1, keepdims=True)
    top = best - Q <= TIE * np.maximum(np.abs(best), 1.0)
    return top / top.sum(axis=-1, keepdims=True)


class _Grid:
    """Puts what is known of some cells onto the map."""

    def __init__(self, rules: MazeRules, cells: NDArray[np.int64]) -> None:
        self.shape, self.cells = (rules.height, rules.width), cells

    def spread(self, values: Floats) -> Floats:
        """`[C, ...]` -> `[H, W, ...]`."""
        out = np.full((self.shape[0] * self.shape[1], *values.shape[1:]), np.nan)
        out[self.cells] = values
        return out.reshape(*self.shape, *values.shape[1:])


def _for_members(seen: Any, size: int) -> Any:
    """Observations `[C, ...]` as every member sees them, `[S, C, ...]`."""
    if isinstance(seen, dict):
        return {name: _for_members(part, size) for name, part in seen.items()}
    return np.broadcast_to(seen, (size, *seen.shape))
