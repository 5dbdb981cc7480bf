"""Open fields with obstacles, compiled.

Obstacles come one by one, on cells in random order; one that would part the floor around its cell is left out. So all floor is
connected, there is a way around every group of obstacles, and none of them is filled up or dug through afterwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcourse.envs.maze.generate.grid import inner, take
from rlcourse.streams_compiled import GAMMA, integer_at

DENSEST = 0.4
"""The largest density of obstacles: beyond about two fifths, most find no place that keeps the floor connected."""
RING = np.array([[0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1], [1, 0], [1, 1]])
"""The eight cells around a cell, row and column, one after the other."""


@inner
def scatter(tick: Any, density: Any, height: Any, width: Any, open_: Any, cells: Any) -> Any:
    """Put obstacles on cells taken in random order, but none that would part the floor around it; returns the tick."""
    count = height * width
    wanted = int(density * count)
    for cell in range(count):
        open_[cell] = 1
        cells[cell] = cell
    while count > 0 and wanted > 0:
        tick += GAMMA
        cell, count = take(integer_at(tick, count), cells, count)
        if _is_spare(cell, height, width, open_):
            open_[cell] = 0
            wanted -= 1
    return tick


@inner
def _is_spare(cell: Any, height: Any, width: Any, open_: Any) -> Any:
    """Whether the floor stays connected without this cell, as far as its eight neighbours tell.

    The connectivity number of Yokoi, Toriwaki & Fukumura (1975): the sum of x(k) - x(k) x(k + 1) x(k + 2) over the four
    sides k, x being 1 for floor. It counts the parts into which the floor around would fall, and is 0 where it is a full ring.
    """
    parts = 0
    for side in range(0, 8, 2):
        if _around(cell, side, height, width, open_):
            corner = _around(cell, side + 1, height, width, open_)
            parts += not (corner and _around(cell, (side + 2) % 8, height, width, open_))
    return parts <= 1


@inner
def _around(cell: Any, k: Any, height: Any, width: Any, open_: Any) -> Any:
    """Whether neighbour `k` of eight is floor."""
    r, c = cell // width + RING[k, 0], cell % width + RING[k, 1]
    return 0 <= r < height and 0 <= c < width and open_[r * width + c] == 1
