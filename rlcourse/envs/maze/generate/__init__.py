"""Levels without end: mazes, rooms and fields with start, exit and candies, each drawn from a level seed.

`levels` gives a level as a map; `walls` and `place` are the compiled parts, for loops that draw levels as they go.
"""

from rlcourse.envs.maze.generate.levels import (
    TEST_FROM,
    LevelOptions,
    check_seed,
    generate_layout,
    make_layout,
    test_seeds,
    train_seeds,
)
from rlcourse.envs.maze.generate.place import PLACINGS, STARTS, place, place_start
from rlcourse.envs.maze.generate.walls import KINDS, carve, least_floor, level_key, work_size

__all__ = [
    "KINDS",
    "PLACINGS",
    "STARTS",
    "TEST_FROM",
    "LevelOptions",
    "carve",
    "check_seed",
    "generate_layout",
    "least_floor",
    "level_key",
    "make_layout",
    "place",
    "place_start",
    "test_seeds",
    "train_seeds",
    "work_size",
]
