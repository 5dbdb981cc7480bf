"""What a walker sees: one class a kind of observation, with its space and the way to read it from the arrays of a world.

A new kind is a class here and a line in `SIGHTS`. The first three are numbers, for tables; the others are arrays, for
networks. `read(world, w)` gives the observations of walker `w` of every copy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze import loops, sight
from rlcourse.envs.maze.board import FIRST_VALUE, R_CLIFF, R_EXIT, R_TRAP, SHOWN, UNITS
from rlcourse.envs.maze.sprites import SIZE, make_sprites
from rlcourse.envs.maze.world import (
    CLOCK,
    FIRST_WALKER,
    LAST,
    LEVEL,
    POSITION,
    REMAINING,
    SCORE,
    WALKER,
    World,
)
from rlcourse.envs.rules import Seen, row_of

if TYPE_CHECKING:
    from rlcourse.envs.maze.rules import MazeRules

Array = NDArray[Any]


class Sight(ABC):
    """What all kinds have in common."""

    space: gymnasium.Space[Any]

    def __init__(self, rules: MazeRules) -> None:
        self.cells, self.candies = rules.height * rules.width, rules.n_candies
        self.shape = (rules.height, rules.width)
        self.walkers, self.tracked = rules.walkers, rules.tracked
        self.cues = rules.grid.alternatives if rules.cue else 0
        self.values = sorted(set(rules.values))

    @abstractmethod
    def read(self, world: World, w: int = 0) -> Seen:
        """The observations of the whole batch, new arrays `[B, ...]`."""

    def read_one(self, world: World) -> Any:
        """The observation of a batch of one."""
        return row_of(self.read(world), 0)

    def lit(self, world: World, row: int) -> NDArray[np.bool_] | None:
        """The cells that are seen, `bool [H, W]`; `None` is all."""
        return None

    def column(self, world: World, w: int, name: int) -> NDArray[np.int64]:
        """A column of walker `w`, counted round."""
        return world.core[:, FIRST_WALKER + w % self.walkers * WALKER + name]


class Index(Sight):
    """The number of the state: (number of the open cell) x 2**candies + the candies left, as bits.

    Of a map with alternatives, the number of the alternative comes first; of two walkers, both cells, one's own first.
    """

    def __init__(self, rules: MazeRules) -> None:
        super().__init__(rules)
        self.space = gymnasium.spaces.Discrete(rules.n_indices)

    def read(self, world: World, w: int = 0) -> Array:
        """`int64 [B]`."""
        out = np.empty(len(world.core), np.int64)
        loops.indices(*world, w, out)
        return out


class Position(Sight):
    """The number of the cell, row by row, walls included; what else there is stays hidden."""

    def __init__(self, rules: MazeRules) -> None:
        super().__init__(rules)
        self.space = gymnasium.spaces.Discrete(self.cells)

    def read(self, world: World, w: int = 0) -> Array:
        """`int64 [B]`."""
        return self.column(world, w, POSITION).copy()


class Senses(Sight):
    """Which of the four sides are barred, as the bits of a number, and the cue: 16 x (1 + alternative) while it is shown."""

    def __init__(self, rules: MazeRules) -> None:
        super().__init__(rules)
        self.space = gymnasium.spaces.Discrete(16 * (1 + self.cues))

    def read(self, world: World, w: int = 0) -> Array:
        """`int64 [B]`."""
        mask = np.empty((len(world.core), 4), np.int8)
        loops.masks(*world, w % self.walkers, mask)
        number = (1 - mask.astype(np.int64)) @ np.array([1, 2, 4, 8])
        return number + 16 * _cue(self, world)


class OneHot(Sight):
    """A one for the cell of each walker, for every candy that is left (and seen), and for the cue.

    Candies are told by number, not by place: of a map with alternatives, nothing but the cue says which one it is.
    """

    def __init__(self, rules: MazeRules) -> None:
        super().__init__(rules)
        self.size = self.walkers * self.cells + self.candies + self.cues
        self.space = gymnasium.spaces.Box(0.0, 1.0, (self.size,))

    def read(self, world: World, w: int = 0) -> Array:
        """`float32 [B, walkers x cells + candies + cues]`."""
        rows = np.arange(len(world.core))
        out = np.zeros((len(rows), self.size), np.float32)
        for k in range(self.walkers):
            out[rows, k * self.cells + self.column(world, w + k, POSITION)] = 1.0
        first = self.walkers * self.cells
        left = np.where(_shown(world), world.core[:, REMAINING], 0)
        out[:, first : first + self.candies] = bits(left, self.candies)
        cue = _cue(self, world)
        for which in range(self.cues):
            out[:, first + self.candies + which] = cue == which + 1
        return out


class Full(Sight):
    """All that the future depends on, where visits and the return count: as `onehot`, the visited cells, the return.

    That is so for one map that stays as it is; what `onehot` does not say of alternatives and boxes, is not said here.
    """

    def __init__(self, rules: MazeRules) -> None:
        super().__init__(rules)
        self.one_hot = OneHot(rules)
        size = self.one_hot.size + (self.cells if self.tracked else 0)
        largest = np.finfo(np.float32).max
        self.space = gymnasium.spaces.Box(
            np.array([0.0] * size + [-largest], np.float32), np.array([1.0] * size + [largest], np.float32)
        )

    def read(self, world: World, w: int = 0) -> Array:
        """`float32 [B, .. + 1]`."""
        score = (self.column(world, w, SCORE) / UNITS).astype(np.float32)
        visited = (world.cells >> w) & 1
        return np.concatenate([self.one_hot.read(world, w), visited, score[:, None]], axis=1)


class Planes(Sight):
    """Channels of ones and zeros: walls, exits, traps, cliffs, walkers, visited cells (where they count), candies, cue.

    One's own walker comes first. The candies have a channel for each value, from the cheapest to the dearest; the cue has a
    channel for each alternative, all ones.
    """

    alone = 1
    """The channels of one's own walker."""

    def __init__(self, rules: MazeRules) -> None:
        super().__init__(rules)
        first = 4 + self.walkers - 1 + self.alone
        self.visited = first if self.tracked else -1
        first += self.tracked
        self.look = _look(rules, self.values, exit=1, trap=2, cliff=3, candy=first)
        first += len(self.values)
        self.cue = first if self.cues else -1
        self.channels = first + self.cues
        self.space = gymnasium.spaces.Box(0, 1, (self.channels, *self.shape), np.uint8)

    def read(self, world: World, w: int = 0) -> Array:
        """`uint8 [B, channels, H, W]`."""
        out = np.zeros((len(world.core), self.channels, self.cells), np.uint8)
        sight.planes(*world, w, self.look, 4, self.visited, self.cue, out)
        return out.reshape(len(out), *(self.space.shape or ()))


class Window(Planes):
    """The channels of `planes` for a square around the walker, who needs none; beyond the edge is wall.

    With `occlusion` walls block the sight, and one more channel says what is not seen.
    """

    alone = 0

    def __init__(self, rules: MazeRules) -> None:
        super().__init__(rules)
        self.side = rules.window
        self.unseen = self.channels if rules.occlusion else -1
        self.channels += rules.occlusion
        self.rays = _rays(self.side)
        self.space = gymnasium.spaces.Box(0, 1, (self.channels, self.side, self.side), np.uint8)

    def read(self, world: World, w: int = 0) -> Array:
        """`uint8 [B, channels, side, side]`."""
        out = np.zeros((len(world.core), self.channels, self.side**2), np.uint8)
        sight.windows(*world, w, self.look, 4, self.visited, self.cue, self.unseen, self.rays, self.side, out)
        return out.reshape(len(out), *(self.space.shape or ()))

    def lit(self, world: World, row: int) -> NDArray[np.bool_]:
        """See `Sight.lit`."""
        half, (height, width) = self.side // 2, self.shape
        r, c = divmod(int(self.column(world, 0, POSITION)[row]), width)
        seen = np.ones((self.side, self.side), np.bool_)
        if self.unseen >= 0:
            seen = self.read(world)[row, self.unseen] == 0
        around = np.zeros((height + 2 * half, width + 2 * half), np.bool_)
        around[r : r + self.side, c : c + self.side] = seen
        return around[half : half + height, half : half + width]


class Picture(Sight):
    """The map in small tiles of 8 x 8 pixels, red, green and blue."""

    def __init__(self, rules: MazeRules) -> None:
        super().__init__(rules)
        self.sprites = make_sprites(len(self.values))
        self.look = _look(rules, self.values, exit=5, trap=6, cliff=7, candy=8)
        self.look[self.look < 0] = 1
        self.space = gymnasium.spaces.Box(0, 255, (self.shape[0] * SIZE, self.shape[1] * SIZE, 3), np.uint8)

    def read(self, world: World, w: int = 0) -> Array:
        """`uint8 [B, 8 H, 8 W, 3]`."""
        out = np.empty((len(world.core), *(self.space.shape or ())), np.uint8)
        sight.pictures(*world, w, self.look, self.sprites, out)
        return out


class Feedback(Sight):
    """Another kind, with the last action (0 is none, then action + 1) and the last reward beside it."""

    def __init__(self, rules: MazeRules, view: Sight) -> None:
        super().__init__(rules)
        self.view, self.last_reward = view, rules.last_reward
        largest = np.finfo(np.float32).max
        self.space = gymnasium.spaces.Dict(
            {
                "view": view.space,
                "last_action": gymnasium.spaces.Discrete(int(rules.action_space.n) + 1),
                "last_reward": gymnasium.spaces.Box(-largest, largest, (1,)),
            }
        )

    def read(self, world: World, w: int = 0) -> dict[str, Array]:
        """`view`, `last_action int64 [B]`, `last_reward float32 [B, 1]`."""
        reward = (self.last_reward(world, w) / UNITS).astype(np.float32)
        action = self.column(world, w, LAST) + 1
        return {"view": self.view.read(world, w), "last_action": action, "last_reward": reward[:, None]}  # type: ignore[dict-item]

    def lit(self, world: World, row: int) -> NDArray[np.bool_] | None:
        """See `Sight.lit`."""
        return self.view.lit(world, row)


SIGHTS: dict[str, type[Sight]] = {
    "index": Index,
    "position": Position,
    "senses": Senses,
    "onehot": OneHot,
    "full": Full,
    "planes": Planes,
    "window": Window,
    "rgb": Picture,
}


def make_sight(rules: MazeRules) -> Sight:
    """What is seen by these rules."""
    view = SIGHTS[rules.observation](rules)
    return Feedback(rules, view) if rules.feedback else view


def bits(numbers: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The lowest `count` bits of each number `[B]`, the lowest first, `[B, count]`."""
    return (numbers[:, None] >> np.arange(count)) & 1


def _shown(world: World) -> NDArray[np.bool_]:
    return world.core[:, CLOCK] < world.plan[SHOWN]


def _cue(kind: Sight, world: World) -> NDArray[np.int64]:
    """1 + the alternative while it is shown, else 0."""
    return np.where(_shown(world), world.core[:, LEVEL] + 1, 0) if kind.cues else np.zeros((), np.int64)


def _look(
    rules: MazeRules, values: list[float], *, exit: int, trap: int, cliff: int, candy: int
) -> NDArray[np.int64]:
    """The channel of everything that can stand in a cell, by its place in `rule`; candies from `candy` on, by value."""
    look = np.full(FIRST_VALUE + rules.n_candies, -1, np.int64)
    look[[R_EXIT, R_TRAP, R_CLIFF]] = exit, exit if rules.disguised else trap, cliff
    look[FIRST_VALUE:] = [candy + values.index(value) for value in rules.values]
    return look


def _rays(side: int) -> NDArray[np.int64]:
    """The cells of a window between its middle and each cell, on two lines that round to different sides.

    Returns:
        int64 `[side * side, 2, side // 2]`, filled up with -1.
    """
    half = side // 2
    rays = np.full((side * side, 2, max(half, 1)), -1, np.int64)
    for r in range(-half, half + 1):
        for c in range(-half, half + 1):
            length = max(abs(r), abs(c))
            for line, lean in enumerate((1e-6, -1e-6)):  # a half is rounded to either side
                for step in range(1, length):
                    a, b = round(r * step / length + lean), round(c * step / length + lean)
                    rays[(r + half) * side + c + half, line, step - 1] = (a + half) * side + b + half
    return rays
