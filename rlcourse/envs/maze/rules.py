"""The rules of all mazes: state, and the way from a batch to the compiled loops."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze import board as place
from rlcourse.envs.maze import kernel, loops, spawn, world
from rlcourse.envs.maze.board import NEVER, UNITS, Board, directions, make_board, starts_of
from rlcourse.envs.maze.layout import Layout
from rlcourse.envs.maze.observe import make_sight
from rlcourse.envs.maze.options import MazeOptions
from rlcourse.envs.maze.world import World
from rlcourse.envs.rules import CompiledWorld, Outcome, Rules, Seen, State
from rlcourse.errors import UsageError

ARROWS = ("left", "right", "up", "down", "up left", "up right", "down left", "down right")
HOLDS = {"level": world.HOLD_LEVEL, "start": world.HOLD_START, "candies": world.HOLD_CANDIES}
STREAM_COLUMNS = {
    "start": world.START_STREAM,
    "noise": world.NOISE_STREAM,
    "level": world.LEVEL_STREAM,
    "candies": world.CANDY_STREAM,
    "drift": world.DRIFT_STREAM,
}


@dataclass(frozen=True)
class MazeRules(MazeOptions, Rules):
    """Rules of a maze.

    State: `core int64 [B, columns]`, `cells uint8 [B, cells]` and `odds float64 [B, K + 1]` (see `world`); the streams
    "start", "noise" (slips and gusts), "level" (which alternative), "candies" and "drift" are columns of `core`.
    """

    streams: ClassVar[tuple[str, ...]] = tuple(STREAM_COLUMNS)
    problem: ClassVar[tuple[str, ...]] = ("level", "start", "candies")
    painter: ClassVar[str] = "rlcourse.viewer.maze:paint"

    def __getstate__(self) -> dict[str, Any]:
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**options, "grid": self.grid}  # no tables; but the map, whose file may change or stay behind

    def __setstate__(self, options: dict[str, Any]) -> None:
        self.__dict__.update(options)

    def __deepcopy__(self, memo: dict[int, Any]) -> MazeRules:
        return self  # nothing in it changes

    # ---------------------------------------------------------------- what stands fixed

    @cached_property
    def board(self) -> Board:
        """The map and the options as the arrays that the compiled rules read."""
        return make_board(
            self.grid,
            steps=self.directions,
            starts=starts_of(self.grid, self.start == "anywhere"),
            plan=self.numbers(),
            rule=self.factors(),
        )

    def factors(self) -> dict[int, float]:
        """The options that are real numbers, and the rewards, by their place in `rule`."""
        return {
            place.SLIP: self.slip,
            place.GUSTY: float(self.gusty),
            place.DRIFT_SIZE: self.drift_size,
            **{place.R_EXIT + k: self.rewards[name] for k, name in enumerate(place.ORDER)},
        }

    def numbers(self) -> dict[int, int]:
        """The options that are whole numbers, by their place in `plan`."""
        lost = -NEVER if self.patience is None else round(-self.patience * self.height * self.width * UNITS)
        return {
            place.MAX_STEPS: NEVER if self.max_steps is None else self.max_steps,
            place.LOST_BELOW: lost,
            place.LOCKED: self.locked,
            place.SHOWN: NEVER if self.shown_steps is None else self.shown_steps,
            place.SPAWN: self.spawn or 0,
            place.BOXES: self.boxes,
            place.DRIFT: place.DRIFTS.index(self.drift),
            place.DRIFT_EVERY: self.drift_every,
            place.DRIFT_BY_STEPS: self.drift_unit == "steps",
        }

    @property
    def directions(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns that each action goes, and at last staying, also where no action means it."""
        return directions(self.king_moves)

    @cached_property
    def sight(self) -> Any:
        """What is seen (see `observe`)."""
        return make_sight(self)

    @cached_property
    def observation_space(self) -> gymnasium.Space[Any]:  # type: ignore[override]
        """That of the chosen observation."""
        return self.sight.space

    @cached_property
    def action_space(self) -> gymnasium.spaces.Discrete:  # type: ignore[override]
        """Left, right, up, down; then the diagonals and staying, where they are allowed."""
        return gymnasium.spaces.Discrete(len(self.directions) - (not self.stay))

    @property
    def reset_keys(self) -> tuple[str, ...]:  # type: ignore[override]
        """The keys of `info` that `reset` gives, too."""
        return ("action_mask", "chances") if self.tell_chances else ("action_mask",)

    # ---------------------------------------------------------------- the state

    def allocate(self, batch: int) -> State:
        """See `Rules.allocate`."""
        core = np.zeros((batch, world.FIRST_WALKER + self.walkers * world.WALKER), np.int64)
        words = core.view(np.uint64)
        return {
            "core": core,
            "cells": np.zeros((batch, self.height * self.width if self.tracked else 0), np.uint8),
            "odds": np.zeros((batch, 0 if self.drift == "none" else self.n_candies + 1)),
            **{name: words[:, column] for name, column in STREAM_COLUMNS.items()},
        }

    def world(self, state: State) -> World:
        """The arrays of these copies and of their board, as every compiled loop takes them."""
        board = self.board
        return World(
            state["core"],
            state["cells"],
            state["odds"],
            state.get("go", board.go),
            state.get("tile", board.tile),
            board.plan,
            board.rule,
        )

    def check_state(self, state: State) -> None:
        """See `Rules.check_state`: clocks, candies and places have to be those of this maze."""
        core, cells = np.asarray(state["core"]), self.height * self.width
        full = 1 << self.n_candies
        columns: list[tuple[str, int, int, int]] = [
            ("clock", world.CLOCK, 0, NEVER),
            ("life", world.LIFE, 0, NEVER),
            ("episode", world.EPISODE, -1, NEVER),
            ("drift", world.DRIFTED, -1, NEVER),
            ("level", world.LEVEL, *self.level_range),
            *(("candies", column, 0, full) for column in (world.SPAWNED, world.REMAINING, world.FILLED)),
        ]
        walkers = range(world.FIRST_WALKER, core.shape[1], world.WALKER)
        for at in walkers:
            columns += [
                ("position", at + world.POSITION, 0, cells),
                ("start", at + world.HOME, 0, cells),
                ("last action", at + world.LAST, -1, int(self.action_space.n)),
            ]
        for name, column, low, high in columns:
            if (core[:, column] < low).any() or (core[:, column] >= high).any():
                raise UsageError(f"state['core'] has a {name} that this maze does not have")
        if not (np.abs(np.asarray(state["odds"])) < spawn.IMPOSSIBLE).all():
            raise UsageError("state['odds'] has a chance that is none")
        walls = self.always_walls(state)
        for at in walkers:
            for column in (world.POSITION, world.HOME):
                if walls[np.arange(len(core)), core[:, at + column]].any():
                    raise UsageError("state['core'] has a walker or a start in a wall of this maze")

    @property
    def n_indices(self) -> int:
        """The numbers of `observation="index"`."""
        plan = self.board.plan
        return int(plan[place.MAPS]) * int(plan[place.NUMBERS]) ** self.walkers << self.n_candies

    @property
    def level_range(self) -> tuple[int, int]:
        """The numbers of the maps in the column LEVEL: from, to below."""
        return 0, self.grid.alternatives

    def always_walls(self, state: State) -> NDArray[np.bool_]:
        """The cells that are walls whatever the time, in the map of each copy, `bool [B, cells]`."""
        all_phases = (1 << self.grid.phases) - 1
        return self.board.tile[np.asarray(state["core"])[:, world.LEVEL], place.WALL] == all_phases

    def revive(self, state: State, rows: NDArray[np.intp]) -> None:
        """The clocks by which walls and chances change begin anew."""
        state["core"][rows, world.LIFE] = 0
        state["core"][rows, world.EPISODE] = state["core"][rows, world.DRIFTED] = -1

    # ---------------------------------------------------------------- the game

    def reset(self, state: State, rows: NDArray[np.intp], *, hold: Collection[str] = ()) -> None:
        """See `Rules.reset`; the problem is which alternative, the start, and where the candies lie."""
        loops.reset_rows(*self.world(state), rows, sum(HOLDS[name] for name in hold))

    def step(self, state: State, actions: NDArray[np.int64]) -> Outcome:
        """See `Rules.step`."""
        return self._step(state, actions, np.zeros(len(actions), np.bool_))

    def step_or_reset(self, state: State, actions: NDArray[np.int64], waiting: NDArray[np.bool_]) -> Outcome:
        """See `Rules.step_or_reset`."""
        self.reset(state, np.flatnonzero(waiting))
        return self._step(state, actions, waiting)

    def _step(self, state: State, actions: NDArray[np.int64], waiting: NDArray[np.bool_]) -> Outcome:
        """A step of all but those that are `waiting`."""
        batch = len(actions)
        rewards = np.empty(batch)
        terminated, truncated, won = (np.empty(batch, np.bool_) for _ in range(3))
        mask = np.empty((batch, self.action_space.n), np.int8)
        more = self.run_step(state, actions, waiting, (rewards, terminated, truncated, won, mask))
        info = {"action_mask": mask, "is_success": won, **more, **self._told(state)}
        return Outcome(rewards, terminated, truncated, info)

    def run_step(
        self,
        state: State,
        actions: NDArray[np.int64],
        waiting: NDArray[np.bool_],
        results: tuple[NDArray[Any], ...],
    ) -> dict[str, NDArray[Any]]:
        """The compiled step: `results` are rewards, terminated, truncated, won `[B]` and the masks `[B, A]`.

        Returns:
            What else `info` says of the step, arrays `[B]`.
        """
        loops.step_batch(*self.world(state), actions, waiting, *results)
        return {}

    def step_one(self, state: State, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """See `Rules.step_one`; one compiled call, and what it leads to is looked up where it can be."""
        reward, terminated, truncated, index, position, which, phase, won = loops.step_one(
            state["core"], state["cells"], state["odds"], *self.board, action
        )
        number = index if self._sees_index else position
        if number < len(self._scalars):
            seen = self._scalars[number]
        else:
            seen = self.sight.read_one(self.world(state))
        mask = self._masks[which][phase][position].copy()
        info = {"action_mask": mask, "is_success": won}
        if self.tell_chances:
            info["chances"] = self._told(state)["chances"][0]
        return seen, reward, terminated, truncated, info

    @cached_property
    def _sees_index(self) -> bool:
        return self.observation == "index"

    @cached_property
    def _scalars(self) -> list[np.int64]:
        """The numbers that are seen, ready-made; to make one takes as long as the step."""
        plain = self.observation in ("index", "position") and not self.feedback
        return list(np.arange(min(self.observation_space.n, 2**16))) if plain else []  # type: ignore[attr-defined]

    @cached_property
    def _masks(self) -> list[list[list[NDArray[np.int8]]]]:
        """The action mask of every cell, in every map and phase."""
        count = self.height * self.width
        state = self.allocate(count)
        masks: list[list[list[NDArray[np.int8]]]] = []
        for which in range(self.grid.alternatives):
            masks.append([])
            for life in (0, *self.grid.changes):
                state["core"][:, world.LEVEL] = which
                state["core"][:, world.LIFE] = life
                state["core"][:, world.FIRST_WALKER + world.POSITION] = np.arange(count)
                masks[-1].append(list(self.reset_info(state)["action_mask"]))
        return masks

    def compiled(self, state: State) -> CompiledWorld | None:
        """See `Rules.compiled`; of numbers that are seen, the index and the position."""
        observe = {"index": kernel.index_seen, "position": kernel.position_seen}.get(self.observation)
        if observe is None or self.feedback:
            return None
        return CompiledWorld(self.world(state), kernel.step_member, kernel.restart, observe)

    def reset_info(self, state: State) -> dict[str, NDArray[Any]]:
        """`action_mask int8 [B, A]`: 1 for the actions that do not bump; `chances float64 [B, K]` where asked for."""
        mask = np.empty((len(state["core"]), self.action_space.n), np.int8)
        loops.masks(*self.world(state), 0, mask)
        return {"action_mask": mask, **self._told(state)}

    def _told(self, state: State) -> dict[str, NDArray[Any]]:
        if not self.tell_chances:
            return {}
        out = np.empty((len(state["core"]), self.n_candies))
        spawn.chances(self.world(state), out)
        return {"chances": out}

    def observe(self, state: State) -> Seen:
        """See `Rules.observe`."""
        return self.sight.read(self.world(state))

    def last_reward(self, arrays: World, w: int) -> NDArray[np.int64]:
        """What walker `w` of every copy was paid last, in millionths, int64 `[B]`."""
        return arrays.core[:, world.FIRST_WALKER + w % self.walkers * world.WALKER + world.LAST_REWARD]

    # ---------------------------------------------------------------- for people

    def phase(self, state: State, row: int) -> int:
        """Which of the maps that follow each other holds now, in copy `row`."""
        return int(np.searchsorted(self.grid.changes, state["core"][row, world.LIFE], side="right"))

    def versions(self, state: State) -> NDArray[np.float64] | None:
        """See `Rules.versions`: the phase of the walls, and where candies tend to lie."""
        if not self.grid.changes and self.drift == "none":
            return None
        phase = np.searchsorted(self.grid.changes, state["core"][:, world.LIFE], side="right")
        return np.concatenate([phase[:, None], state["odds"]], axis=1)

    level_an_episode: ClassVar[bool] = False
    """Whether every episode has a map of its own."""

    def states_seen(self, state: State) -> Any:
        """What is observed in every state of the model, in the order of its numbers, `[X, ...]`.

        Args:
            state: of copies, of which the first says how the walls stand.

        Returns:
            `None` where what is observed depends on more: on visits, the time, the last step, chances that change.
        """
        more = self.counts_history or self.feedback or self.shown_steps is not None or self.drift != "none"
        if more or self.level_an_episode or self.observation == "full":
            return None
        builder = self.model_builder(self, {name: array[:1] for name, array in state.items()})
        rows, _ = builder.every_row()
        copies = self.allocate(len(rows.core))
        for name, array in copies.items():
            array[...] = state[name][:1]
        copies["core"][...], copies["cells"][...] = rows.core, rows.cells
        return self.observe(copies)

    @property
    def model_builder(self) -> Any:
        """The class that builds the finite model; loaded when it is asked for."""
        from rlcourse.envs.maze.model import ModelBuilder

        return ModelBuilder

    def layout_of(self, state: State, row: int) -> tuple[Layout, int]:
        """The layout of copy `row`, and the number of its map in it."""
        if self.grid.changes:
            return self.grid, self.phase(state, row)
        return self.grid, int(state["core"][row, world.LEVEL])

    def candy_cells(self, state: State, row: int) -> NDArray[np.int64]:
        """The cells of the candies in the map of copy `row`, in the order in which they are numbered."""
        arrays = self.world(state)
        which = row if arrays.plan[place.OWN_MAP] else int(arrays.core[row, world.LEVEL])
        slots = arrays.tile[which, place.SLOT]
        cells = np.flatnonzero(slots >= place.FIRST_VALUE)
        return cells[np.argsort(slots[cells])]

    def describe(self, state: State, row: int) -> str:
        """The clock, the return and the last action; the map with an @ where the walker is, without what is gone."""
        core = state["core"][row]
        lines = [f"step {core[world.CLOCK]}, {self.describe_walker(core[world.FIRST_WALKER :])}"]
        layout, which = self.layout_of(state, row)
        cells = [list(line) for line in layout.maps[which]]
        if self.disguised:  # traps look like exits
            for r, c in layout.find("trap", which):
                cells[r][c] = "E"
        for bit, cell in enumerate(self.candy_cells(state, row)):
            r, c = divmod(int(cell), layout.width)
            if not core[world.REMAINING] >> bit & 1:
                cells[r][c] = "."
            elif self.boxes:
                cells[r][c] = "?"
        for w in reversed(range(self.walkers)):
            r, c = divmod(int(core[world.FIRST_WALKER + w * world.WALKER + world.POSITION]), layout.width)
            cells[r][c] = "@&"[w]
        return "\n".join([*lines, *("  " + "".join(line) for line in cells)])

    def describe_walker(self, walker: NDArray[np.int64]) -> str:
        """The return and the last action of one walker, from its columns."""
        last = int(walker[world.LAST])
        did = ""
        if last >= 0:
            did = ", stayed" if last == len(self.directions) - 1 else f", went {ARROWS[last]}"
        return f"return {walker[world.SCORE] / UNITS:g}{did}"
