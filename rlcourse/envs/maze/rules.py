"""The rules of all mazes: options, state, and the way from a batch to the compiled loops."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze import kernel
from rlcourse.envs.maze.board import CANDIES, NEVER, NUMBER, UNITS, Board, directions, make_board
from rlcourse.envs.maze.layout import LARGEST_REWARD, REWARDS, Layout, load_layout
from rlcourse.envs.maze.observe import OBSERVATIONS
from rlcourse.envs.options import LARGEST, check_choice, check_count, check_number
from rlcourse.envs.rules import Outcome, Rules, State
from rlcourse.errors import UsageError

ARROWS = ("left", "right", "up", "down", "up left", "up right", "down left", "down right")


@dataclass(frozen=True)
class MazeRules(Rules):
    """Rules of a maze with one walker.

    A reward is, in this order: the option's, the map's (`reward exit = 10`), the world's (`own_rewards`); without
    either, `revisit` and `bump` are those of a move.

    State: `core int64 [B, columns]` and `cells uint8 [B, cells]` (see `kernel`); the streams "problem" (the start) and
    "noise" (slips and gusts) are columns of `core`.
    """

    layout: str = "candy8"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""
    observation: str = "index"
    """What is seen: index, position, onehot, full or planes."""
    max_steps: int | None = 10_000
    """Steps until an episode is truncated; `None` is never."""
    slip: float = 0.0
    """Probability that a step goes off at a right angle, to either side alike."""
    gusty: bool = False
    """Where the wind blows, it is one stronger, one weaker or as it is, with a third each."""
    king_moves: bool = False
    """Diagonal steps, too: the actions 4-7 are up left, up right, down left, down right."""
    stay: bool = False
    """One more action, the last, that stays."""
    start: str = "map"
    """Where episodes start: on the starts of the map, or anywhere on its floor."""
    locked: bool = False
    """The exit opens when all candies are collected; before, it is plain floor."""
    patience: float | None = None
    """An episode is lost (terminated) once its return is below -patience x the number of cells; `None` is never."""
    exit_reward: float | None = None
    """Reward for entering the exit; it ends the episode."""
    trap_reward: float | None = None
    """Reward for entering a trap; it ends the episode."""
    cliff_reward: float | None = None
    """Reward for falling off the cliff, back to the start."""
    move_reward: float | None = None
    """Reward for any other step."""
    revisit_reward: float | None = None
    """Reward for entering a cell that was entered before in this episode."""
    bump_reward: float | None = None
    """Reward for staying where one was, at a wall, the edge or the wrong side of a one-way."""

    own_rewards: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"exit": 10.0, "trap": -10.0, "cliff": -1.0, "move": -0.05}
    )
    """The world's rewards, for maps that say nothing else."""
    streams: ClassVar[tuple[str, ...]] = ("problem", "noise")
    reset_keys: ClassVar[tuple[str, ...]] = ("action_mask",)
    painter: ClassVar[str] = "rlcourse.viewer.maze:paint"

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_choice("observation", self.observation, OBSERVATIONS)
        check_choice("start", self.start, ("map", "anywhere"))
        if self.max_steps is not None:
            check_count("max_steps", self.max_steps)
        check_number("slip", self.slip, 0.0, 1.0)
        if self.patience is not None:
            check_number("patience", self.patience, 0.0, 1e6)
        for name in ("gusty", "king_moves", "stay", "locked"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name}={getattr(self, name)!r} must be true or false")
        for name in REWARDS:
            value = getattr(self, f"{name}_reward")
            if value is not None:
                check_number(f"{name}_reward", value, -LARGEST_REWARD, LARGEST_REWARD)
        starts = self.grid.find("start")
        if self.grid.find("cliff") and (self.start == "anywhere" or len(starts) > 1):
            raise UsageError("a cliff leads back to the start: with one, a maze has a single start")
        candies = len(self.grid.find("candy"))
        if self.observation == "index" and self.grid.height * self.grid.width << candies > LARGEST:
            raise UsageError(
                f"observation='index' cannot number the states of a map with {candies} candies: choose another observation"
            )
        if self.observation == "index" and self.counts_history:
            raise UsageError(
                "observation='index' numbers position and candies, but here visits or the return count, too: "
                "choose 'full' (all of it) or 'position'"
            )

    def __getstate__(self) -> dict[str, Any]:
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**options, "grid": self.grid}  # no tables; but the map, whose file may change or stay behind

    def __setstate__(self, options: dict[str, Any]) -> None:
        self.__dict__.update(options)

    def __deepcopy__(self, memo: dict[int, Any]) -> MazeRules:
        return self  # nothing in it changes

    @cached_property
    def grid(self) -> Layout:
        """The map."""
        return load_layout(self.layout)

    @cached_property
    def rewards(self) -> dict[str, float]:
        """The rewards that hold, by name."""
        given = {name: getattr(self, f"{name}_reward") for name in REWARDS}
        chosen = {name: float(value) for name, value in given.items() if value is not None}
        found = {**self.own_rewards, **dict(self.grid.rewards), **chosen}
        return {"revisit": found["move"], "bump": found["move"], **found}

    @property
    def tracked(self) -> bool:
        """Whether it matters which cells were entered before."""
        return self.rewards["revisit"] != self.rewards["move"]

    @property
    def counts_history(self) -> bool:
        """Whether more than position and candies decides what comes: the visits, or the return so far."""
        return self.tracked or self.patience is not None

    @cached_property
    def board(self) -> Board:
        """The map and the options as the arrays that the compiled rules read."""
        return make_board(
            self.grid,
            steps=self.directions,
            anywhere=self.start == "anywhere",
            max_steps=self.max_steps,
            lost_below=None if self.patience is None else -self.patience * self.grid.height * self.grid.width,
            locked=self.locked,
            slip=self.slip,
            gusty=self.gusty,
            rewards=self.rewards,
        )

    @property
    def directions(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns that each action goes, and at last staying, also where no action means it."""
        return directions(self.king_moves)

    @cached_property
    def sight(self) -> Any:
        """What is seen (see `observe`)."""
        return OBSERVATIONS[self.observation](self.grid, self.board, self.tracked)

    @cached_property
    def observation_space(self) -> gymnasium.Space[Any]:  # type: ignore[override]
        """That of the chosen observation."""
        return self.sight.space

    @cached_property
    def action_space(self) -> gymnasium.spaces.Discrete:  # type: ignore[override]
        """Left, right, up, down; then the diagonals and staying, where they are allowed."""
        return gymnasium.spaces.Discrete(self.board.go.shape[1] - (not self.stay))

    def allocate(self, batch: int) -> State:
        """See `Rules.allocate`."""
        core = np.zeros((batch, kernel.FIRST_WALKER + kernel.WALKER), np.int64)
        words = core.view(np.uint64)
        return {
            "core": core,
            "cells": np.zeros((batch, self.board.tile.shape[1] if self.tracked else 0), np.uint8),
            "problem": words[:, kernel.PROBLEM],
            "noise": words[:, kernel.NOISE],
        }

    def check_state(self, state: State) -> None:
        """See `Rules.check_state`: clocks, candies and places have to be those of this maze."""
        core, cells = np.asarray(state["core"]), self.board.tile.shape[1]
        first = kernel.FIRST_WALKER
        for name, column, low, high in (
            ("clock", kernel.CLOCK, 0, NEVER),
            ("life", kernel.LIFE, 0, NEVER),
            ("candies", kernel.LEFT_OVER, 0, 1 << int(self.board.plan[CANDIES])),
            ("position", first + kernel.POSITION, 0, cells),
            ("start", first + kernel.HOME, 0, cells),
            ("last action", first + kernel.LAST, -1, int(self.action_space.n)),
        ):
            if (core[:, column] < low).any() or (core[:, column] >= high).any():
                raise UsageError(f"state['core'] has a {name} that this maze does not have")
        if (self.board.tile[NUMBER, core[:, [first + kernel.POSITION, first + kernel.HOME]]] < 0).any():
            raise UsageError("state['core'] has a walker or a start in a wall of this maze")

    def revive(self, state: State, rows: NDArray[np.intp]) -> None:
        """The clock by which walls change begins anew."""
        state["core"][rows, kernel.LIFE] = 0

    def reset(self, state: State, rows: NDArray[np.intp], *, same_problem: bool) -> None:
        """See `Rules.reset`; the problem is the start."""
        kernel.reset_rows(state["core"], state["cells"], self.board.plan, rows, same_problem)

    def step(self, state: State, actions: NDArray[np.int64]) -> Outcome:
        """See `Rules.step`."""
        return self.step_or_reset(state, actions, np.zeros(len(actions), np.bool_))

    def step_or_reset(self, state: State, actions: NDArray[np.int64], waiting: NDArray[np.bool_]) -> Outcome:
        """See `Rules.step_or_reset`; one compiled pass."""
        batch = len(actions)
        rewards = np.empty(batch)
        terminated, truncated = np.empty(batch, np.bool_), np.empty(batch, np.bool_)
        mask = np.empty((batch, self.action_space.n), np.int8)
        kernel.step_batch(
            state["core"], state["cells"], *self.board, actions, waiting, rewards, terminated, truncated, mask
        )
        return Outcome(rewards, terminated, truncated, {"action_mask": mask})

    def step_one(self, state: State, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """See `Rules.step_one`; one compiled call, and what it leads to is looked up where it can be."""
        core, cells = state["core"], state["cells"]
        reward, terminated, truncated, index, position, phase = kernel.step_one(
            core, cells, *self.board, action
        )
        number = index if self._sees_index else position
        if number < len(self._scalars):
            seen = self._scalars[number]
        else:
            seen = self.sight.read(core, cells)[0]
        mask = self._masks[phase][position].copy()
        return seen, reward, terminated, truncated, {"action_mask": mask}

    @cached_property
    def _sees_index(self) -> bool:
        return self.observation == "index"

    @cached_property
    def _scalars(self) -> list[np.int64]:
        """The numbers that are seen, ready-made; to make one takes as long as the step."""
        space = self.observation_space
        return list(np.arange(min(space.n, 2**16))) if isinstance(space, gymnasium.spaces.Discrete) else []

    @cached_property
    def _masks(self) -> list[list[NDArray[np.int8]]]:
        """The action mask of every cell in every phase."""
        count = self.board.tile.shape[1]
        state = self.allocate(count)
        masks = []
        for life in (0, *self.grid.changes):
            state["core"][:, kernel.LIFE] = life
            state["core"][:, kernel.FIRST_WALKER + kernel.POSITION] = np.arange(count)
            masks.append(list(self.reset_info(state)["action_mask"]))
        return masks

    def reset_info(self, state: State) -> dict[str, NDArray[Any]]:
        """`action_mask int8 [B, A]`: 1 for the actions that do not bump."""
        mask = np.empty((len(state["core"]), self.action_space.n), np.int8)
        kernel.masks(state["core"], self.board.go, self.board.plan, mask)
        return {"action_mask": mask}

    def observe(self, state: State) -> NDArray[Any]:
        """See `Rules.observe`."""
        return self.sight.read(state["core"], state["cells"])

    def phase(self, state: State, row: int) -> int:
        """Which of the maps holds now, in copy `row`."""
        return int(np.searchsorted(self.grid.changes, state["core"][row, kernel.LIFE], side="right"))

    def describe(self, state: State, row: int) -> str:
        """The clock, the return and the last action; the map with an @ where the walker is, without what is gone."""
        core = state["core"][row]
        walker = core[kernel.FIRST_WALKER :]
        last = int(walker[kernel.LAST])
        if last >= 0:
            stayed = last == self.board.go.shape[1] - 1
            done = ", stayed" if stayed else f", went {ARROWS[last]}"
        else:
            done = ""
        lines = [f"step {core[kernel.CLOCK]}, return {walker[kernel.SCORE] / UNITS:g}{done}"]
        cells = [list(line) for line in self.grid.maps[self.phase(state, row)]]
        for bit, (r, c) in enumerate(self.grid.find("candy")):
            if not core[kernel.LEFT_OVER] >> bit & 1:
                cells[r][c] = "."
        r, c = divmod(int(walker[kernel.POSITION]), self.grid.width)
        cells[r][c] = "@"
        return "\n".join([*lines, *("  " + "".join(line) for line in cells)])
