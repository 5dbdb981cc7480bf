"""Levels without end: maps with start, exit and candies, each drawn from a level seed.

    generate_layout(LevelOptions("rooms", height=16, width=16), level_seed=7)

A level is a function of its options and its level seed: the same everywhere, whatever else is drawn. Level seeds below
`TEST_FROM` are for training, those from there on for tests. (Two seeds can give the same level, which is as good as
impossible at 8x8, but not on a grid of a few cells.)
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze.generate.field import DENSEST
from rlcourse.envs.maze.generate.place import CANDY, EXIT, PLACINGS, START, STARTS, place, place_start
from rlcourse.envs.maze.generate.walls import KINDS, carve, least_floor, level_key, work_size
from rlcourse.envs.maze.layout import LARGEST_REWARD, MOST_CANDIES, STANDARD, Layout
from rlcourse.envs.options import check_choice, check_count, check_number, check_numbers, set_field
from rlcourse.errors import UsageError

SEEDS = 2**62
"""Level seeds are whole numbers from 0 to below this."""
TEST_FROM = 2**40
"""The first level seed of the tests."""
LONGEST = 1000
"""The longest side of a level."""
LETTERS = [letter for letter in string.ascii_letters + "αβγδεζηθικλμνξοπρστυφχψω" if letter not in STANDARD]
"""What stands for candies whose value is no digit, in this order."""


@dataclass(frozen=True)
class LevelOptions:
    """What the levels of a kind have in common.

    Raises:
        UsageError: an option is out of range, or there might not be floor enough for all that is to be placed.
    """

    generator: str = "depth_first"
    """Perfect mazes: depth_first (long corridors), prim (short dead ends), kruskal (in between); rooms; open (a field)."""
    height: int = 8
    """Rows of cells."""
    width: int = 8
    """Columns of cells."""
    braid: float = 0.0
    """Chance of a dead end to be opened into a loop; with rooms, of one with a single door to get a second one."""
    density: float = 0.25
    """Of an open field: share of the cells that are obstacles."""
    candies: tuple[float, ...] = (1.0, 2.0, 3.0, 5.0)
    """The value of every candy."""
    placing: str = "uniform"
    """Where exit and candies stand: uniform, far (the first candy farthest), or dead_ends (as long as there are some)."""
    start: str = "uniform"
    """Where the start is: uniform, or far (from the exit)."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_choice("generator", self.generator, KINDS)
        for name in ("height", "width"):
            side = check_count(name, getattr(self, name), at_least=2)
            if side > LONGEST:
                raise UsageError(f"{name}={side} must be a whole number of at most {LONGEST}")
            set_field(self, name, side)
        set_field(self, "braid", check_number("braid", self.braid, 0.0, 1.0))
        set_field(self, "density", check_number("density", self.density, 0.0, DENSEST))
        check_choice("placing", self.placing, PLACINGS)
        check_choice("start", self.start, STARTS)
        if not isinstance(self.candies, (list, tuple, np.ndarray)):
            raise UsageError(f"candies={self.candies!r} must be a list of numbers")
        if len(self.candies) > MOST_CANDIES:
            raise UsageError(f"candies: a map has {MOST_CANDIES} candies at most, not {len(self.candies)}")
        values = (
            check_numbers("candies", self.candies, -LARGEST_REWARD, LARGEST_REWARD).tolist()
            if len(self.candies)
            else []
        )
        set_field(self, "candies", tuple(values))
        room = least_floor(self.kind, self.density, self.height, self.width) - 2
        if len(values) > room:
            raise UsageError(
                f"candies: {len(values)} of them may find no floor beside start and exit in {self.height} x {self.width} "
                f"cells, where at most {max(room, 0)} always do"
            )

    @property
    def kind(self) -> int:
        """The generator's number, for `walls.carve`."""
        return KINDS.index(self.generator)


def generate_layout(options: LevelOptions, level_seed: int, start_seed: int | None = None) -> Layout:
    """The level of this seed.

    Args:
        options: the kind of levels.
        level_seed: decides walls, exit and candies; 0 <= level_seed < 2**62.
        start_seed: decides the start, in the same range; the level seed if not given. The same level seed with another
            start seed is the same level, but for the start.

    Returns:
        A map with one `S`, one `E`, and a digit or a letter of the legend for every candy.

    Raises:
        UsageError: a seed is no whole number in that range.
    """
    key = np.uint64(level_key(check_seed("level_seed", level_seed)))
    start_key = key if start_seed is None else np.uint64(level_key(check_seed("start_seed", start_seed)))
    height, width, count = options.height, options.width, len(options.candies)
    open_ = np.empty(height * width, np.uint8)
    cells = np.empty(count + 2, np.int64)
    work = np.empty(work_size(height, width), np.int32)
    carve(options.kind, options.braid, options.density, key, height, width, open_, work)
    shape: tuple[Any, ...] = (height, width, open_, count, cells, work)
    place(PLACINGS.index(options.placing), key, *shape)
    place_start(STARTS.index(options.start), start_key, *shape)
    return make_layout(open_.reshape(height, width), cells, options.candies)


def make_layout(open_: NDArray[np.uint8], cells: NDArray[np.int64], candies: tuple[float, ...]) -> Layout:
    """The map of walls and cells that `walls.carve`, `place.place` and `place.place_start` have written.

    Args:
        open_: uint8 [height, width], 1 where there is floor.
        cells: int64 [candies + 2], the cells of start, exit and candies.
        candies: the values of the candies.
    """
    signs = {value: str(int(value)) if value in range(10) else "" for value in candies}
    signs.update(zip((value for value, sign in signs.items() if not sign), LETTERS, strict=False))
    rows = np.where(open_ == 1, ".", "#")
    flat = rows.reshape(-1)
    flat[cells[START]], flat[cells[EXIT]] = "S", "E"
    flat[cells[CANDY:]] = [signs[value] for value in candies]
    legend = [(sign, f"candy {value!r}") for value, sign in signs.items() if not sign.isdigit()]
    return Layout(maps=(tuple("".join(row) for row in rows),), legend=tuple(sorted(legend)))


def check_seed(name: str, seed: Any) -> int:
    """A level seed, or a `UsageError` that names it."""
    seed = check_count(name, seed, at_least=0)
    if seed >= SEEDS:
        raise UsageError(f"{name}={seed} must be below 2**62")
    return seed


def train_seeds(count: int) -> range:
    """The first `count` level seeds for training.

    Raises:
        UsageError: `count` is no whole number from 1 to `TEST_FROM`, which is all of them.
    """
    return _first(count, 0, TEST_FROM)


def test_seeds(count: int) -> range:
    """The first `count` level seeds for tests; none of them is one for training.

    Raises:
        UsageError: `count` is no whole number from 1 to 2**62 - `TEST_FROM`, which is all of them.
    """
    return _first(count, TEST_FROM, SEEDS)


def _first(count: int, start: int, end: int) -> range:
    count = check_count("count", count)
    if count > end - start:
        raise UsageError(f"count={count} must be at most {end - start}, the number of such level seeds")
    return range(start, start + count)
