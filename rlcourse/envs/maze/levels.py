"""Levels that are generated: a new one every episode, from a range for training or from one for tests."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze import board as place
from rlcourse.envs.maze import level_loops, world
from rlcourse.envs.maze.board import Board, make_board
from rlcourse.envs.maze.env import MazeEnv, MazeVectorEnv
from rlcourse.envs.maze.generate import (
    PLACINGS,
    STARTS,
    TEST_FROM,
    LevelOptions,
    generate_layout,
    make_layout,
    work_size,
)
from rlcourse.envs.maze.generate.levels import LONGEST, SEEDS
from rlcourse.envs.maze.layout import Layout
from rlcourse.envs.maze.rules import MazeRules
from rlcourse.envs.options import check_choice, check_count, set_field
from rlcourse.envs.rules import Rules, State
from rlcourse.errors import UsageError

RANGES = {"train": (0, TEST_FROM), "test": (TEST_FROM, SEEDS)}
"""The level seeds of training and of tests: from, to below."""


@dataclass(frozen=True)
class LevelMaze(MazeRules):
    """A maze whose map can be generated."""

    layout: str | None = None
    """The map: the name of one that comes with the package, the path of a .txt file, or a text; `None` generates it."""
    size: int = 8
    """Rows and columns of a generated map."""
    generator: str = "depth_first"
    """Perfect mazes: depth_first (long corridors), prim (short dead ends), kruskal (in between); rooms; open (a field)."""
    braid: float = 0.0
    """Chance of a dead end to be opened into a loop; with rooms, of one with a single door to get a second one."""
    density: float = 0.25
    """Of an open field: share of the cells that are obstacles."""
    candies: tuple[float, ...] = (1.0, 2.0, 3.0, 5.0)
    """The value of every candy of a generated map."""
    placing: str = "uniform"
    """Where exit and candies stand: uniform, far (the first candy farthest), or dead_ends (as long as there are some)."""

    def check_values(self) -> None:
        """See `MazeOptions.check_values`."""
        super().check_values()
        if check_count("size", self.size, at_least=2) > LONGEST:
            raise UsageError(f"size={self.size} must be a whole number of at most {LONGEST}")
        set_field(self, "candies", self.level_options.candies)

    @cached_property
    def level_options(self) -> LevelOptions:
        """The kind of levels, checked."""
        return LevelOptions(
            self.generator, self.size, self.size, self.braid, self.density, self.candies, self.placing
        )


@dataclass(frozen=True)
class CandyMazeLevels(LevelMaze):
    """The rules of `CandyMazeLevels-v0`."""

    observation: str = "planes"
    """What is seen: index, position, senses, onehot, full, planes, window or rgb."""
    levels: str = "train"
    """Which level seeds: train or test; the two ranges have none in common."""
    n_levels: int | None = None
    """How many different levels there are, the first ones of the range; `None` is all of them."""
    start: str = "anywhere"
    """Where episodes start: anywhere on the floor, or far from the exit."""
    max_steps: int | None = 200
    """Steps until an episode is truncated; `None` is never."""

    known_starts: ClassVar[tuple[str, ...]] = ("anywhere", "far")
    derived: ClassVar[tuple[str, ...]] = ("go", "tile")

    def check_values(self) -> None:
        """See `MazeOptions.check_values`."""
        super().check_values()
        check_choice("levels", self.levels, RANGES)
        if self.layout is not None:
            raise UsageError(f"layout={self.layout!r}: this world generates its maps, leave the layout out")
        low, high = RANGES[self.levels]
        if self.n_levels is not None and check_count("n_levels", self.n_levels) > high - low:
            raise UsageError(f"n_levels={self.n_levels} must be at most {high - low}")

    # ---------------------------------------------------------------- what stands fixed

    @property
    def level_range(self) -> tuple[int, int]:
        """The level seeds: from, to below."""
        low, high = RANGES[self.levels]
        return low, high if self.n_levels is None else low + self.n_levels

    @cached_property
    def grid(self) -> Layout:
        """The first level: all others have the same size and as many candies."""
        return generate_layout(self.level_options, self.level_range[0])

    @property
    def values(self) -> list[float]:
        """The values of the candies, in the order in which they are numbered."""
        return list(self.level_options.candies)

    @cached_property
    def board(self) -> Board:
        """What all levels share; the maps lie in the state."""
        board = make_board(
            self.grid, steps=self.directions, starts=[], plan=self.numbers(), rule=self.factors()
        )
        board.rule[0, place.FIRST_VALUE :] = self.values
        board.rule[1, place.FIRST_VALUE :] = np.round(np.array(self.values) * place.UNITS)
        return board

    def numbers(self) -> dict[int, int]:
        """See `MazeRules.numbers`; all cells have a number, since other cells are open in every level."""
        return {**super().numbers(), place.OWN_MAP: 1, place.NUMBERS: self.size**2}

    @cached_property
    def _choices(self) -> tuple[Any, ...]:
        """What `fill_levels` wants to know of the levels."""
        start = STARTS.index("uniform" if self.start == "anywhere" else self.start)
        return (
            np.array(self.directions, np.int64),
            self.level_options.kind,
            float(self.braid),
            float(self.density),
            PLACINGS.index(self.placing),
            start,
        )

    # ---------------------------------------------------------------- the state

    def allocate(self, batch: int) -> State:
        """See `MazeRules.allocate`; `go` and `tile` hold the map of each copy."""
        cells = self.size**2
        return {
            **super().allocate(batch),
            "go": np.zeros((batch, 1, len(self.directions), cells), np.int32),
            "tile": np.zeros((batch, place.TILE_ROWS, cells), np.int32),
        }

    def rebuild(self, state: State) -> None:
        """See `Rules.rebuild`: the maps follow from the level seeds."""
        self._fill(state, np.arange(len(state["core"])), fresh_start=False)

    def _fill(self, state: State, rows: NDArray[np.intp], *, fresh_start: bool) -> None:
        scratch = (
            np.empty(self.n_candies + 2, np.int64),
            np.empty(self.size**2, np.uint8),
            np.empty(work_size(self.size, self.size), np.int32),
        )
        level_loops.fill_levels(
            state["core"],
            state["go"],
            state["tile"],
            self.board.plan,
            rows,
            *self._choices,
            fresh_start,
            *scratch,
        )

    def always_walls(self, state: State) -> NDArray[np.bool_]:
        """See `MazeRules.always_walls`."""
        maps = self.allocate(len(state["core"]))
        maps["core"][:] = state["core"]
        self.rebuild(maps)
        return maps["tile"][:, place.WALL] == 1

    def reset(self, state: State, rows: NDArray[np.intp], *, hold: Collection[str] = ()) -> None:
        """See `MazeRules.reset`; on a new level there is a new start, even if it is to be held."""
        fresh = "level" not in hold
        if fresh:
            low, high = self.level_range
            level_loops.draw_levels(state["core"], rows, low, high - low)
        if fresh or "start" not in hold:
            self._fill(state, rows, fresh_start=True)
        super().reset(state, rows, hold=hold)

    def step_one(self, state: State, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """See `Rules.step_one`; a batch of one, since every level has masks of its own."""
        return Rules.step_one(self, state, action)

    def compiled(self, state: State) -> None:
        """See `Rules.compiled`; where every episode has a map of its own, tables learn little."""

    level_an_episode = True

    def versions(self, state: State) -> NDArray[np.float64]:
        """See `Rules.versions`: the level seed in two parts that a float64 holds, the start, where candies tend to lie."""
        core = state["core"]
        level, home = core[:, world.LEVEL], core[:, world.FIRST_WALKER + world.HOME]
        parts = np.stack([level >> 31, level & (2**31 - 1), home], axis=1)
        return np.concatenate([parts, state["odds"]], axis=1)

    def layout_of(self, state: State, row: int) -> tuple[Layout, int]:
        """See `MazeRules.layout_of`."""
        tile = state["tile"][row]
        home = int(state["core"][row, world.FIRST_WALKER + world.HOME])
        exit_ = int(np.flatnonzero(tile[place.SLOT] == place.R_EXIT)[0])
        cells = np.array([home, exit_, *self.candy_cells(state, row)], np.int64)
        open_ = (1 - tile[place.WALL]).astype(np.uint8).reshape(self.size, self.size)
        return make_layout(open_, cells, self.level_options.candies), 0


class CandyMazeLevelsEnv(MazeEnv):
    """A new candy maze every episode: what is learned has to hold for mazes that were never seen.

    ## Description
    A generated maze of 8x8 cells with four candies of different value and an exit that ends the episode; a new one at every
    reset. Training levels and test levels are drawn from ranges of level seeds that have none in common, so that the score on
    levels that were never seen can be told from the score on those that were.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="planes"`: `Box(0, 1, (9, 8, 8), uint8)`, channels for walls, exits, traps, cliffs, the walker, and the
    candies by value. `"rgb"` and `"window"` see the level, too; `"index"` and `"position"` do not say which it is.

    ## Rewards
    A candy its value (1, 2, 3 and 5), the exit +10, any other step -0.05. `info["is_success"]` says whether the exit was
    reached.

    ## Starting State
    A level of the range, drawn by the stream "level", and a start on its floor, drawn by the stream "start".
    `options={"hold": ["level"]}` is the same level with a new start.

    ## Episode End
    Terminated at the exit. Truncated after 200 steps.

    ## Arguments
    `levels="train"` or `"test"`, `n_levels=None` (all of the range), `size=8`, `generator="depth_first"` (or "prim",
    "kruskal", "rooms", "open"), `braid=0.0` (loops), `density=0.25` (obstacles of an open field), `candies=[1, 2, 3, 5]`,
    `placing="uniform"` (or "far", "dead_ends"), `start="anywhere"` (or "far"), `observation="planes"`, `max_steps=200`, and
    what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = CandyMazeLevels


class CandyMazeLevelsVectorEnv(MazeVectorEnv):
    """Copies of `CandyMazeLevelsEnv` in lockstep."""

    rules_class = CandyMazeLevels
