"""The finite model of a maze: the rules run through every state, action, slip and puff of wind.

Where position and candies say all, the states are the numbers that `observation="index"` shows. Where visits or the
return count, they are the situations that can be reached from a start, found layer by layer, and one last state for
every end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze import kernel
from rlcourse.envs.maze.board import (
    CANDIES,
    FIRST_START,
    GUSTY,
    LOCKED,
    NO_EXIT,
    NUMBER,
    R_EXIT,
    R_TRAP,
    SLIP,
    SLOT,
    STARTS,
    WIND,
)
from rlcourse.envs.maze.rules import MazeRules
from rlcourse.mdp import FiniteMDP, check_model_size

AT = kernel.FIRST_WALKER + kernel.POSITION
HOME = kernel.FIRST_WALKER + kernel.HOME
SCORE = kernel.FIRST_WALKER + kernel.SCORE

Rows = tuple[NDArray[np.int64], NDArray[np.uint8]]
"""States as rows of `core` and `cells`."""
_BYTES_ASSEMBLY = 150
"""What an outcome takes while it is sorted into the model; measured."""


def build_model(rules: MazeRules, life: int) -> FiniteMDP:
    """The model of a world in this step of its life.

    Args:
        rules: the world.
        life: steps that the copy has lived, which says how the walls stand.

    Raises:
        UsageError: there are too many states; the message says how many.
    """
    if rules.counts_history:
        return _reachable_model(rules, life)
    return _indexed_model(rules, life)


def _indexed_model(rules: MazeRules, life: int) -> FiniteMDP:
    """States are the numbers of `observation="index"`."""
    board = rules.board
    candies = int(board.plan[CANDIES])
    opened = np.flatnonzero(board.tile[NUMBER] >= 0)
    size = len(opened) << candies
    check_model_size(size, int(rules.action_space.n), len(_chances(rules)))
    core, cells = _rows(rules, life, size)
    core[:, AT] = np.repeat(opened, 1 << candies)
    core[:, kernel.LEFT_OVER] = np.tile(np.arange(1 << candies), len(opened))
    slot = board.tile[SLOT, core[:, AT]]
    closed = (board.plan[LOCKED] == 1) & (core[:, kernel.LEFT_OVER] != 0)
    eaten = (board.plan[NO_EXIT] == 1) & (core[:, kernel.LEFT_OVER] == 0)
    over = eaten | (slot == R_TRAP) | ((slot == R_EXIT) & ~closed)
    return _assemble(
        rules, life, (core, cells), lambda rows, ended: _numbers(rules, rows), np.flatnonzero(over)
    )


def _reachable_model(rules: MazeRules, life: int) -> FiniteMDP:
    """States are numbered as they are found; the last one is the end."""
    actions, chances_each = range(int(rules.action_space.n)), len(_chances(rules))
    first = _first_rows(rules, life)
    row, key = first[0][0].nbytes + first[1][0].nbytes, _keys(rules, first).itemsize
    beside = 4 * row + 3 * key + _BYTES_ASSEMBLY * len(actions) * chances_each
    layers: list[Rows] = []
    known = _keys(rules, first)[:0]
    numbers = np.zeros(0, np.int64)  # of the known keys, which are sorted
    found = first
    while len(found[0]):
        keys, places = np.unique(_keys(rules, found), return_index=True)
        fresh = ~np.isin(keys, known)
        if not fresh.any():
            break
        layer = _take(found, places[fresh])
        layers.append(layer)
        numbers = np.concatenate([numbers, len(known) + np.arange(len(layer[0]))])
        known = np.concatenate([known, keys[fresh]])
        order = np.argsort(known)
        known, numbers = known[order], numbers[order]
        check_model_size(len(known), len(actions), chances_each, beside=beside)
        parts = [
            _take(after, np.flatnonzero(~ended & (chances > 0.0)))
            for action in actions
            for after, chances, _, ended in _successors(rules, layer, action)
        ]
        found = _join(parts)
    end = len(known)

    def number(rows: Rows, ended: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.where(ended, end, numbers[np.minimum(np.searchsorted(known, _keys(rules, rows)), end - 1)])

    return _assemble(rules, life, _join(layers), number, np.array([end]))


def _assemble(
    rules: MazeRules,
    life: int,
    rows: Rows,
    number: Callable[[Rows, NDArray[np.bool_]], NDArray[np.int64]],
    over: NDArray[np.intp],
) -> FiniteMDP:
    """The model from its states.

    Args:
        rules: the world.
        life: steps that the copy has lived.
        rows: the states, in order.
        number: rows, and whether the episode ended with them, to the numbers of these states.
        over: the states in which all is over; they stay so, without reward. One may stand after all rows.
    """
    actions, size = int(rules.action_space.n), len(rows[0])
    shape = (max(size, int(over.max(initial=0)) + 1), actions, len(_chances(rules)))
    prob, reward = np.zeros(shape), np.zeros(shape)
    following, terminated = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    for action in range(actions):
        for k, (after, chances, rewards, ended) in enumerate(_successors(rules, rows, action)):
            prob[:size, action, k] = chances
            following[:size, action, k] = number(after, ended)
            reward[:size, action, k] = rewards
            terminated[:size, action, k] = ended
    prob[over] = 0.0
    prob[over, :, 0] = 1.0
    following[over] = over[:, None, None]
    reward[over] = 0.0
    terminated[over] = True
    first = _first_rows(rules, life)
    begun = number(first, np.zeros(len(first[0]), np.bool_))
    start = np.bincount(begun, minlength=shape[0]) / len(begun)
    return FiniteMDP.from_table(prob, following, reward, terminated, start=start)


def _rows(rules: MazeRules, life: int, count: int) -> Rows:
    """So many copies at the beginning of an episode, on the first start."""
    state = rules.allocate(count)
    core = state["core"]
    core[:, kernel.LIFE] = life
    core[:, kernel.LEFT_OVER] = (1 << int(rules.board.plan[CANDIES])) - 1
    core[:, HOME] = core[:, AT] = rules.board.plan[FIRST_START]
    return core, state["cells"]


def _first_rows(rules: MazeRules, life: int) -> Rows:
    """A copy on every start."""
    plan = rules.board.plan
    starts = plan[FIRST_START : FIRST_START + int(plan[STARTS])]
    core, cells = _rows(rules, life, len(starts))
    core[:, AT] = core[:, HOME] = starts
    return core, cells


def _chances(rules: MazeRules) -> list[tuple[int, int]]:
    """The slips and puffs that there can be."""
    board = rules.board
    sides = (2, 0, 1) if board.rule[0, SLIP] > 0.0 else (2,)
    puffs = (0, -1, 1) if board.rule[0, GUSTY] > 0.0 and board.tile[WIND].any() else (0,)
    return [(side, puff) for side in sides for puff in puffs]


def _successors(
    rules: MazeRules, rows: Rows, action: int
) -> Iterator[tuple[Rows, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]]:
    """For every slip and puff: the rows after this action, how likely that is, the rewards, and whether it ended."""
    count = len(rows[0])
    for side, puff in _chances(rules):
        after = (rows[0].copy(), rows[1].copy())
        chances, rewards, ended = np.empty(count), np.empty(count), np.empty(count, np.bool_)
        kernel.outcomes(*after, *rules.board, action, side, puff, chances, rewards, ended)
        yield after, chances, rewards, ended


def _numbers(rules: MazeRules, rows: Rows) -> NDArray[np.int64]:
    """What `observation="index"` would show."""
    out = np.empty(len(rows[0]), np.int64)
    kernel.indices(rows[0], rules.board.tile, rules.board.plan, out)
    return out


def _keys(rules: MazeRules, rows: Rows) -> NDArray[Any]:
    """All that the future depends on, as one comparable value a row."""
    core, cells = rows
    columns = [AT, kernel.LEFT_OVER] + ([SCORE] if rules.patience is not None else [])
    parts = [np.ascontiguousarray(core[:, columns]).view(np.uint8).reshape(len(core), -1), cells]
    packed = np.ascontiguousarray(np.concatenate(parts, axis=1))
    return packed.view(np.dtype((np.void, packed.shape[1]))).reshape(-1)


def _join(parts: list[Rows]) -> Rows:
    return np.concatenate([core for core, _ in parts]), np.concatenate([cells for _, cells in parts])


def _take(rows: Rows, places: NDArray[np.intp]) -> Rows:
    return rows[0][places], rows[1][places]
