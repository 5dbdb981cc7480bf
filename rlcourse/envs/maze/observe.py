"""What a walker sees: one class a kind of observation, with its space and the way to read it from the state.

A new kind is a class here and a line in `OBSERVATIONS`. The first two are numbers, for tables; the others are
arrays, for networks.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze import kernel
from rlcourse.envs.maze.board import CANDIES, CHANGES, FIRST_START, NUMBER, STARTS, UNITS, Board
from rlcourse.envs.maze.layout import Layout

AT = kernel.FIRST_WALKER + kernel.POSITION
SCORE = kernel.FIRST_WALKER + kernel.SCORE


class Index:
    """The number of the state: (number of the open cell) x 2**candies + the candies left, as bits."""

    def __init__(self, layout: Layout, board: Board, tracked: bool) -> None:
        self.board = board
        numbers = int(board.tile[NUMBER].max() + 1) << int(board.plan[CANDIES])
        self.space: gymnasium.Space[Any] = gymnasium.spaces.Discrete(numbers)

    def read(self, core: NDArray[np.int64], cells: NDArray[np.uint8]) -> NDArray[Any]:
        """`int64 [B]`."""
        out = np.empty(len(core), np.int64)
        kernel.indices(core, self.board.tile, self.board.plan, out)
        return out


class Position:
    """The number of the cell, row by row, walls included; what else there is stays hidden."""

    def __init__(self, layout: Layout, board: Board, tracked: bool) -> None:
        self.space: gymnasium.Space[Any] = gymnasium.spaces.Discrete(layout.height * layout.width)

    def read(self, core: NDArray[np.int64], cells: NDArray[np.uint8]) -> NDArray[Any]:
        """`int64 [B]`."""
        return core[:, AT].copy()


class OneHot:
    """A one for the cell among all cells, and a one for every candy that is left."""

    def __init__(self, layout: Layout, board: Board, tracked: bool) -> None:
        self.cells, self.candies = board.tile.shape[1], int(board.plan[CANDIES])
        self.space: gymnasium.Space[Any] = gymnasium.spaces.Box(0.0, 1.0, (self.cells + self.candies,))

    def read(self, core: NDArray[np.int64], cells: NDArray[np.uint8]) -> NDArray[Any]:
        """`float32 [B, cells + candies]`."""
        out = np.zeros((len(core), self.cells + self.candies), np.float32)
        out[np.arange(len(core)), core[:, AT]] = 1.0
        out[:, self.cells :] = bits(core[:, kernel.LEFT_OVER], self.candies)
        return out


class Full:
    """All that the future depends on, where visits and the return count: as `onehot`, the visited cells, the return."""

    def __init__(self, layout: Layout, board: Board, tracked: bool) -> None:
        self.one_hot = OneHot(layout, board, tracked)
        self.visited = board.tile.shape[1] if tracked else 0
        size = self.one_hot.cells + self.one_hot.candies + self.visited
        largest = np.finfo(np.float32).max
        self.space: gymnasium.Space[Any] = gymnasium.spaces.Box(
            np.array([0.0] * size + [-largest], np.float32), np.array([1.0] * size + [largest], np.float32)
        )

    def read(self, core: NDArray[np.int64], cells: NDArray[np.uint8]) -> NDArray[Any]:
        """`float32 [B, 2 cells + candies + 1]`."""
        score = (core[:, SCORE] / UNITS).astype(np.float32)
        return np.concatenate([self.one_hot.read(core, cells), cells != 0, score[:, None]], axis=1)


class Planes:
    """Channels of ones and zeros: walls, exits, traps, cliffs, walker, visited cells (where they count), candies.

    The candies have a channel for each value, from the cheapest to the dearest.
    """

    def __init__(self, layout: Layout, board: Board, tracked: bool) -> None:
        self.plan, self.tracked = board.plan, tracked
        shape = (layout.height, layout.width)
        candies = layout.find("candy")
        values = sorted({layout.value(cell) for cell in candies})
        self.first = 5 + tracked
        size = (self.first + len(values), *shape)
        self.space: gymnasium.Space[Any] = gymnasium.spaces.Box(0, 1, size, np.uint8)
        self.still = np.zeros((len(layout.maps), *size), np.uint8)
        for phase in range(len(layout.maps)):
            for cell in layout.cells():
                word = layout.word(cell, phase)
                if word in ("wall", "exit", "trap", "cliff"):
                    self.still[phase, ("wall", "exit", "trap", "cliff").index(word), *cell] = 1
        self.places = [(self.first + values.index(layout.value(cell)), *cell) for cell in candies]

    def read(self, core: NDArray[np.int64], cells: NDArray[np.uint8]) -> NDArray[Any]:
        """`uint8 [B, channels, H, W]`."""
        first = FIRST_START + int(self.plan[STARTS])
        changes = self.plan[first : first + int(self.plan[CHANGES])]
        out = self.still[np.searchsorted(changes, core[:, kernel.LIFE], side="right")]
        out.reshape(len(core), out.shape[1], -1)[np.arange(len(core)), 4, core[:, AT]] = 1
        if self.tracked:
            out[:, 5] = (cells != 0).reshape(-1, *out.shape[2:])
        left = core[:, kernel.LEFT_OVER]
        for bit, place in enumerate(self.places):
            out[:, *place] = (left >> bit) & 1
        return out


def bits(numbers: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The lowest `count` bits of each number `[B]`, the lowest first, `[B, count]`."""
    return (numbers[:, None] >> np.arange(count)) & 1


OBSERVATIONS = {"index": Index, "position": Position, "onehot": OneHot, "full": Full, "planes": Planes}
