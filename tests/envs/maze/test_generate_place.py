"""Where start, exit and candies stand, against SciPy's shortest paths and the laws that are promised."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse.csgraph import shortest_path

from rlcourse.envs.maze.generate.place import PLACINGS, STARTS
from rlcourse.envs.maze.generate.walls import KINDS, least_floor
from tests.envs.maze.floors import PERFECT, SIDES, dead_ends, floor_of, graph, parts, placed


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(KINDS),
    SIDES,
    SIDES,
    st.integers(0, 2**62 - 1),
    st.sampled_from(PLACINGS),
    st.sampled_from(STARTS),
    st.integers(0, 8),
)
def test_what_stands_on_the_floor(kind, height, width, seed, placing, start, count):
    floor = floor_of(kind, height, width, seed)
    count = min(count, least_floor(KINDS.index(kind), 0.25, height, width) - 2)
    cells = placed(floor, placing, count, seed, start)
    assert len(set(cells)) == count + 2
    assert floor.reshape(-1)[cells].all()
    without_exit = floor.copy()
    without_exit.reshape(-1)[cells[1]] = False
    assert parts(without_exit) == 1
    assert np.array_equal(cells, placed(floor, placing, count, seed, start))
    again = placed(floor, placing, count, seed, start, start_seed=seed // 2)
    assert np.array_equal(cells[1:], again[1:])


def test_floor_that_is_too_small_is_filled_and_no_more():
    floor = np.ones((2, 2), bool)
    for placing in PLACINGS:
        for start in STARTS:
            cells = placed(floor, placing, 5, 0, start)
            assert sorted(cells[1:]) == [-1, -1, 0, 1, 2, 3]
            assert cells[0] == -1


@pytest.mark.parametrize("kind", KINDS)
def test_far_is_as_far_as_can_be(kind):
    for seed in range(20):
        floor = floor_of(kind, 9, 10, seed, braid=0.5)
        cells = placed(floor, "far", 4, seed, "far")
        distances = shortest_path(graph(floor), directed=False, unweighted=True)
        open_ = np.flatnonzero(floor)
        assert any(distances[cell][open_].max() == distances[cell][cells[1]] for cell in open_)
        for k in range(2, 6):
            nearest = distances[cells[1:k]].min(axis=0)[open_]
            assert nearest.max() == distances[cells[1:k], cells[k]].min()
        free = np.setdiff1d(open_, cells[1:])
        assert distances[cells[1], cells[0]] == distances[cells[1]][free].max()


@pytest.mark.parametrize("kind", PERFECT)
def test_dead_ends_come_first(kind):
    for seed in range(30):
        floor = floor_of(kind, 10, 11, seed)
        ends = set(np.flatnonzero(dead_ends(floor)))
        cells = placed(floor, "dead_ends", 12, seed)
        inside = [cell in ends for cell in cells[1:]]
        assert inside == sorted(inside, reverse=True)
        assert sum(inside) == min(13, len(ends))


RING = np.pad(np.zeros((1, 3), bool), 1, constant_values=True)
"""A ring of 12 cells around a wall: all alike, as no cell of it bars a way."""


@pytest.mark.parametrize("place_in_list", [0, 1, 2, 5])
def test_uniform_is_uniform(place_in_list):
    cells = [placed(RING, "uniform", 4, seed)[place_in_list] for seed in range(6000)]
    counts = np.bincount(cells, minlength=RING.size)[RING.reshape(-1)]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_exits_are_uniform_where_they_bar_no_way():
    floor = floor_of("kruskal", 7, 7, 1, braid=0.5)
    fit = []
    for cell in np.flatnonzero(floor):
        without = floor.copy()
        without.reshape(-1)[cell] = False
        if parts(without) == 1:
            fit.append(cell)
    assert 5 < len(fit) < floor.sum()
    counts = Counter(placed(floor, "uniform", 2, seed)[1] for seed in range(4000))
    assert set(counts) <= set(fit)
    assert stats.chisquare([counts[cell] for cell in fit]).pvalue > 1e-3


def test_ties_are_broken_at_random():
    """In an empty square a corner is farthest from most cells, then the corner across, then the other diagonal."""
    floor = np.ones((5, 5), bool)
    exits, thirds = Counter(), Counter()
    for seed in range(4000):
        cells = placed(floor, "far", 2, seed)
        exits[cells[1]] += 1
        assert cells[2] == 24 - cells[1]
        thirds[cells[3]] += cells[1] in (0, 24)
    assert set(exits) == {0, 4, 20, 24}
    assert stats.chisquare(list(exits.values())).pvalue > 1e-3
    thirds = +thirds
    assert set(thirds) == {4, 8, 12, 16, 20}
    assert stats.chisquare(list(thirds.values())).pvalue > 1e-3
    free = Counter(placed(floor, "dead_ends", 3, seed)[2] for seed in range(6000))  # there is none: uniform
    assert len(free) == 25
    assert stats.chisquare(list(free.values())).pvalue > 1e-3


def test_start_exit_and_walls_do_not_go_together():
    """Each has draws of its own, also from the same key: the start says nothing about the exit."""
    table = np.zeros((12, 12))
    ring = np.flatnonzero(RING)
    for seed in range(12000):
        cells = placed(RING, "uniform", 0, seed)
        table[np.searchsorted(ring, cells[0]), np.searchsorted(ring, cells[1])] += 1
    off = table[~np.eye(12, dtype=bool)]
    assert np.trace(table) == 0
    assert stats.chisquare(off).pvalue > 1e-3
