"""What all generators share: the grid of cells, lists of cells, and parts that are joined.

Cells are numbered row by row; outside of the grid there is wall.

Numba's cache does not see changes across files: after an edit in this folder, delete its `__pycache__`, and those of the
modules that call these functions.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit

# As in `kernel`: there are no arrays to count references to.
_without_counts: Any = functools.partial(njit, cache=True, error_model="numpy", _nrt=False)
compiled = _without_counts()
inner = _without_counts(no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For what only compiled code calls: without the wrappers, which take a third of the time to compile. Called from Python,
it would crash."""
NONE: Any = np.int64(-1)
ZERO: Any = np.int64(0)
"""Numba compiles a function anew for every kind of integer; so numbers are int64 (hence also the casts of what is read from
the int32 of `work`), and these two are no literals."""

ACROSS = np.array([-1, 1, 0, 0])
ALONG = np.array([0, 0, -1, 1])
"""Columns and rows that each direction goes: left, right, up, down."""
RIGHT, DOWN = 1, 3


@inner
def next_cell(cell: Any, direction: Any, height: Any, width: Any) -> Any:
    """The cell beside this one, -1 outside of the grid."""
    r, c = cell // width + ALONG[direction], cell % width + ACROSS[direction]
    return r * width + c if 0 <= r < height and 0 <= c < width else -1


@inner
def ways_out(cell: Any, height: Any, width: Any, open_: Any) -> Any:
    """How many of the four cells beside this one are floor; a dead end has one."""
    ways = 0
    for direction in range(4):
        there = next_cell(cell, direction, height, width)
        ways += there >= 0 and open_[there] == 1
    return ways


@inner
def open_between(first: Any, last: Any, width: Any, open_: Any) -> None:
    """Floor from one cell to another of the same row or column, both included."""
    low, high = min(first, last), max(first, last)
    for cell in range(low, high + 1, 1 if high - low < width else width):
        open_[cell] = 1


@inner
def take(k: Any, items: Any, count: Any) -> Any:
    """Take entry `k` out of a list in no order: the entry, and how many are left."""
    item = np.int64(items[k])
    items[k] = items[count - 1]
    return item, count - 1


@inner
def join(a: Any, b: Any, parents: Any) -> Any:
    """Make one part of the parts of `a` and `b` (union-find); whether they were two."""
    while parents[a] != a:
        parents[a] = parents[parents[a]]
        a = np.int64(parents[a])
    while parents[b] != b:
        parents[b] = parents[parents[b]]
        b = np.int64(parents[b])
    parents[a] = b
    return a != b
