"""The finite model of a maze: the rules run through every state, action, slip, puff of wind and box.

Where position and candies say all, the states are the numbers that `observation="index"` shows. Where visits or the
return count, they are the situations that can be reached from a start, found layer by layer, and one last state for
every end.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze import loops, spawn, world
from rlcourse.envs.maze.board import (
    FIRST_START,
    GUSTY,
    LOCKED,
    NO_EXIT,
    NUMBER,
    OWN_MAP,
    R_EXIT,
    R_TRAP,
    SLIP,
    SLOT,
    STARTS,
    WIND,
)
from rlcourse.envs.maze.rules import MazeRules
from rlcourse.envs.maze.world import World
from rlcourse.envs.rules import State
from rlcourse.errors import UsageError
from rlcourse.mdp import FiniteMDP, check_model_size

AT = world.FIRST_WALKER + world.POSITION
HOME = world.FIRST_WALKER + world.HOME
SCORE = world.FIRST_WALKER + world.SCORE

_BYTES_ASSEMBLY = 150
"""What an outcome takes while it is sorted into the model; measured."""
_BYTES_KNOWN = 200
"""What a situation takes, beside its key, in the dictionary of those that were found; measured."""
_CHECKED = 10_000
"""After so many new situations it is asked again whether they are too many."""


class Rows(NamedTuple):
    """States as rows of `core` and `cells`."""

    core: NDArray[np.int64]
    cells: NDArray[np.uint8]

    def take(self, places: NDArray[Any]) -> Rows:
        """Some of them, copied."""
        return Rows(self.core[places], self.cells[places])


Successor = tuple[Rows, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]
"""Rows after an action, how likely that is, the rewards, and whether the episode ended."""


def build_model(rules: MazeRules, now: State) -> FiniteMDP:
    """The model of a world as it stands.

    Args:
        rules: the world.
        now: the state of one copy. How long it has lived says how the walls stand; where candies tend to lie, the chances
            that its episode began with hold; a generated level is the one that it is in.

    Raises:
        UsageError: there are too many states (the message says how many), or candies in boxes that no number can say.
    """
    if rules.boxes and rules.spawn != 1:
        raise UsageError(
            f"a model of boxes with spawn={rules.spawn} would have to count the candies that were found: it needs spawn=1"
        )
    builder = rules.model_builder(rules, now)
    return builder.reachable() if rules.counts_history else builder.indexed()


class ModelBuilder:
    """Builds the model of a world with one walker.

    Args:
        rules: the world.
        now: the state of one copy.
    """

    def __init__(self, rules: MazeRules, now: State) -> None:
        self.rules, self.now = rules, now
        board = rules.world(now)
        # one map of its own is as good as a shared one
        plan = board.plan.copy()
        plan[OWN_MAP] = 0
        self.still = board._replace(plan=plan)
        self.actions = range(int(rules.action_space.n))
        one = self.rows(1)
        self.outcomes = sum(1 for _ in self.successors(one, np.zeros(1, np.int64)))

    # ---------------------------------------------------------------- the two kinds

    def indexed(self) -> FiniteMDP:
        """States are the numbers of `observation="index"`."""
        check_model_size(self.rules.n_indices, len(self.actions), self.outcomes)
        rows, over = self.every_row()
        return self.assemble(rows, lambda after, ended: self.numbers(after), np.flatnonzero(over))

    def every_row(self) -> tuple[Rows, NDArray[np.bool_]]:
        """The states in the order of `observation="index"`, and in which of them all is over, `[B]`."""
        rules, plan = self.rules, self.still.plan
        size, candies = rules.n_indices, rules.n_candies
        rows = self.rows(size)
        core = rows.core
        core[:, world.REMAINING] = core[:, world.FILLED] = np.arange(size) & ((1 << candies) - 1)
        opened = np.flatnonzero(self.still.tile[0, NUMBER] >= 0)
        number = np.arange(size) >> candies
        for w in reversed(range(rules.walkers)):
            core[:, AT + w * world.WALKER] = opened[number % len(opened)]
            number //= len(opened)
        core[:, world.LEVEL] = number
        slot = self.still.tile[number, SLOT, core[:, AT]]
        closed = (plan[LOCKED] == 1) & (core[:, world.REMAINING] != 0)
        eaten = (plan[NO_EXIT] == 1) & (core[:, world.REMAINING] == 0)
        return rows, eaten | (slot == R_TRAP) | ((slot == R_EXIT) & ~closed)

    def reachable(self) -> FiniteMDP:
        """States are numbered as they are found; the last one is the end."""
        first, _ = self.starts()
        row, key = first.core[0].nbytes + first.cells[0].nbytes, self.keys(first).itemsize
        beside = 4 * row + key + _BYTES_KNOWN + _BYTES_ASSEMBLY * len(self.actions) * self.outcomes
        known: dict[bytes, int] = {}
        layers: list[Rows] = []
        found = first
        while len(found.core):
            fresh: dict[bytes, int] = {}
            for place, one in enumerate(self.keys(found).tolist()):
                if one not in known and one not in fresh:
                    fresh[one] = place
                    if len(fresh) % _CHECKED == 0:
                        check_model_size(
                            len(known) + len(fresh), len(self.actions), self.outcomes, beside=beside
                        )
            order = sorted(fresh)
            known.update(zip(order, itertools.count(len(known))))
            check_model_size(len(known), len(self.actions), self.outcomes, beside=beside)
            layer = found.take(np.array([fresh[one] for one in order], np.intp))
            layers.append(layer)
            found = _join(
                [
                    after.take(np.flatnonzero(~ended & (chances > 0.0)))
                    for action in self.actions
                    for after, chances, _, ended in self.successors(layer, np.full(len(layer.core), action))
                ]
            )
        end = len(known)

        def number(rows: Rows, ended: NDArray[np.bool_]) -> NDArray[np.int64]:
            keys = self.keys(rows).tolist()
            found = np.fromiter((known.get(one, end) for one in keys), np.int64, len(keys))
            return np.where(ended, end, found)

        return self.assemble(_join(layers), number, np.array([end]))

    def assemble(
        self,
        rows: Rows,
        number: Callable[[Rows, NDArray[np.bool_]], NDArray[np.int64]],
        over: NDArray[np.intp],
    ) -> FiniteMDP:
        """The model from its states.

        Args:
            rows: the states, in order.
            number: rows, and whether the episode ended with them, to the numbers of these states.
            over: the states in which all is over; they stay so, without reward. One may stand after all rows.
        """
        size = len(rows.core)
        shape = (max(size, int(over.max(initial=0)) + 1), len(self.actions), self.outcomes)
        prob, reward = np.zeros(shape), np.zeros(shape)
        following, terminated = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
        for action in self.actions:
            for k, (after, chances, rewards, ended) in enumerate(
                self.successors(rows, np.full(size, action))
            ):
                prob[:size, action, k] = chances
                following[:size, action, k] = number(after, ended)
                reward[:size, action, k] = rewards
                terminated[:size, action, k] = ended
        prob[over] = 0.0
        prob[over, :, 0] = 1.0
        following[over] = over[:, None, None]
        reward[over] = 0.0
        terminated[over] = True
        first, chances = self.starts()
        begun = number(first, np.zeros(len(first.core), np.bool_))
        start = np.bincount(begun, chances, minlength=shape[0])
        return FiniteMDP.from_table(prob, following, reward, terminated, start=start / start.sum())

    # ---------------------------------------------------------------- states

    def world(self, rows: Rows) -> World:
        """These rows on the board."""
        odds = self.still.odds
        return self.still._replace(
            core=rows.core,
            cells=rows.cells,
            odds=np.broadcast_to(odds[0], (len(rows.core), odds.shape[1])).copy(),
        )

    def rows(self, count: int) -> Rows:
        """So many copies at the beginning of an episode."""
        state = self.rules.allocate(count)
        core = state["core"]
        core[:, world.LIFE] = self.now["core"][0, world.LIFE]
        core[:, world.REMAINING] = core[:, world.FILLED] = (1 << self.rules.n_candies) - 1
        plan = self.still.plan
        for w in range(self.rules.walkers):
            home = plan[FIRST_START + w % plan[STARTS]] if plan[STARTS] else self.now["core"][0, HOME]
            core[:, AT + w * world.WALKER] = core[:, HOME + w * world.WALKER] = home
        return Rows(core, state["cells"])

    def starts(self) -> tuple[Rows, NDArray[np.float64]]:
        """A copy for everything that an episode can begin with, and how likely that is."""
        plan = self.still.plan
        homes = plan[FIRST_START : FIRST_START + int(plan[STARTS])]
        fillings, chances = self.fillings()
        cases = list(
            itertools.product(
                range(self.rules.grid.alternatives), range(max(len(homes), 1)), range(len(fillings))
            )
        )
        level, start, filling = np.array(cases).T
        rows = self.rows(len(cases))
        core = rows.core
        core[:, world.LEVEL] = level
        if len(homes):
            for w in range(self.rules.walkers):
                at = w * world.WALKER
                core[:, AT + at] = core[:, HOME + at] = homes[(start + w) % len(homes)]
        if not self.rules.boxes:
            core[:, world.REMAINING] = fillings[filling]
        return rows, chances[filling] / (len(cases) // len(fillings))

    def fillings(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The sets of candy cells that can hold a candy, as bits, and their chances."""
        candies, count = self.rules.n_candies, self.rules.spawn
        if count is None or self.rules.boxes:
            return np.array([(1 << candies) - 1]), np.ones(1)
        weights = np.empty((1, candies))
        spawn.chances(self.still, weights)
        sets = np.zeros(1 << candies)
        sets[0] = 1.0
        for _ in range(
            count
        ):  # one cell after the other, in proportion to the weights of those that are free
            following = np.zeros_like(sets)
            for chosen in np.flatnonzero(sets):
                free = [k for k in range(candies) if not int(chosen) >> k & 1]
                total = weights[0, free].sum()
                for k in free:
                    following[int(chosen) | 1 << k] += sets[chosen] * weights[0, k] / total
            sets = following
        return np.flatnonzero(sets), sets[sets > 0.0]

    def numbers(self, rows: Rows, w: int = 0) -> NDArray[np.int64]:
        """What `observation="index"` would show walker `w`."""
        out = np.empty(len(rows.core), np.int64)
        loops.indices(*self.world(rows), w, out)
        return out

    def keys(self, rows: Rows) -> NDArray[Any]:
        """All that the future depends on, as one comparable value a row."""
        columns = [world.LEVEL, world.REMAINING]
        for w in range(self.rules.walkers):
            at = w * world.WALKER
            columns += [AT + at] + ([SCORE + at] if self.rules.patience is not None else [])
        core = np.ascontiguousarray(rows.core[:, columns]).view(np.uint8).reshape(len(rows.core), -1)
        packed = np.ascontiguousarray(np.concatenate([core, rows.cells], axis=1))
        return packed.view(np.dtype((np.void, packed.shape[1]))).reshape(-1)

    # ---------------------------------------------------------------- what can happen

    def draws(self) -> Iterator[tuple[int, int, int]]:
        """The slips, puffs and boxes that there can be."""
        rule = self.still.rule
        sides = (2, 0, 1) if rule[0, SLIP] > 0.0 else (2,)
        puffs = (0, -1, 1) if rule[0, GUSTY] > 0.0 and self.still.tile[:, WIND].any() else (0,)
        return itertools.product(sides, puffs, (0, 1) if self.rules.boxes else (0,))

    def successors(self, rows: Rows, actions: NDArray[np.int64], w: int = 0) -> Iterator[Successor]:
        """What actions `[B]` of walker `w` can lead to."""
        count = len(rows.core)
        for side, puff, found in self.draws():
            after = Rows(rows.core.copy(), rows.cells.copy())
            chances, rewards, ended = np.empty(count), np.empty(count), np.empty(count, np.bool_)
            loops.outcomes(*self.world(after), w, actions, side, puff, found, chances, rewards, ended)
            yield after, chances, rewards, ended


def _join(parts: list[Rows]) -> Rows:
    return Rows(np.concatenate([one.core for one in parts]), np.concatenate([one.cells for one in parts]))
