"""Levels from the compiled generators, with guards around all arrays, and what slow references say of a floor."""

import numpy as np
from hypothesis import strategies as st
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from rlcourse.envs.maze.generate.place import PLACINGS, STARTS, place, place_start
from rlcourse.envs.maze.generate.walls import KINDS, carve, level_key, work_size

PERFECT = ("depth_first", "prim", "kruskal")
SIDES = st.integers(2, 12)
GUARD = 77


def key_of(seed):
    return np.uint64(level_key(seed))


def guarded(size, dtype):
    """An array between two guards that nobody may write to."""
    whole = np.full(size + 32, GUARD, dtype)
    return whole[16 : 16 + size], whole


def untouched(whole):
    return (whole[:16] == GUARD).all() and (whole[-16:] == GUARD).all()


def floor_of(kind, height, width, seed, braid=0.0, density=0.25):
    """The floor bool [height, width]; nothing else is written."""
    open_, all_open = guarded(height * width, np.uint8)
    work, all_work = guarded(work_size(height, width), np.int32)
    carve(KINDS.index(kind), braid, density, key_of(seed), height, width, open_, work)
    assert untouched(all_open)
    assert untouched(all_work)
    assert set(np.unique(open_)) <= {0, 1}
    return open_.reshape(height, width) == 1


def placed(floor, placing, count, seed, start="uniform", start_seed=None):
    """Start, exit and candies int64 [count + 2]; nothing else is written."""
    height, width = floor.shape
    open_, all_open = guarded(height * width, np.uint8)
    open_[:] = floor.reshape(-1)
    before = all_open.copy()
    out, all_out = guarded(count + 2, np.int64)
    work, all_work = guarded(work_size(height, width), np.int32)
    place(PLACINGS.index(placing), key_of(seed), height, width, open_, count, out, work)
    things = out[1:].copy()
    start_key = key_of(seed if start_seed is None else start_seed)
    place_start(STARTS.index(start), start_key, height, width, open_, count, out, work)
    assert np.array_equal(all_open, before)
    assert untouched(all_out)
    assert untouched(all_work)
    assert np.array_equal(out[1:], things)
    return out.copy()


def graph(floor):
    """Which floor cells lie side by side, as a sparse matrix over all cells."""
    numbers = np.arange(floor.size).reshape(floor.shape)
    pairs = [
        (numbers[:, :-1][floor[:, :-1] & floor[:, 1:]], numbers[:, 1:][floor[:, :-1] & floor[:, 1:]]),
        (numbers[:-1][floor[:-1] & floor[1:]], numbers[1:][floor[:-1] & floor[1:]]),
    ]
    first, second = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
    return coo_array((np.ones(len(first)), (first, second)), shape=(floor.size, floor.size)).tocsr()


def parts(floor):
    """The number of connected parts of the floor."""
    labels = connected_components(graph(floor), directed=False)[1]
    return len(np.unique(labels[floor.reshape(-1)]))


def ways(floor):
    """How many sides of every cell are floor."""
    padded = np.pad(floor.astype(int), 1)
    return padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]


def dead_ends(floor):
    return floor & (ways(floor) == 1)


def can_be_opened(floor, r, c):
    """Whether a wall of one or two cells parts this cell from floor."""
    for dr, dc in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        line = []
        for steps in (1, 2, 3):
            i, j = r + dr * steps, c + dc * steps
            if 0 <= i < floor.shape[0] and 0 <= j < floor.shape[1]:
                line.append(bool(floor[i, j]))
        if line[:2] == [False, True] or line == [False, False, True]:
            return True
    return False


def rooms_of(floor):
    """Rooms by number int [height, width], 0 elsewhere, and the doors: floor between two walls and two floors."""
    padded = np.pad(floor, 1)
    across = padded[1:-1, :-2] & padded[1:-1, 2:] & ~padded[:-2, 1:-1] & ~padded[2:, 1:-1]
    along = padded[:-2, 1:-1] & padded[2:, 1:-1] & ~padded[1:-1, :-2] & ~padded[1:-1, 2:]
    doors = floor & (across | along)
    labels, count = ndimage.label(floor & ~doors)
    return labels, count, doors


def neighbours(labels, r, c):
    """The rooms on the two sides of a wall or door that parts two rooms."""
    padded = np.pad(labels, 1)
    for a, b in (
        (padded[r + 1, c], padded[r + 1, c + 2]),
        (padded[r, c + 1], padded[r + 2, c + 1]),
    ):
        if a and b and a != b:
            return {a, b}
    return set()
