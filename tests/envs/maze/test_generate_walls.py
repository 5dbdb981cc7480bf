"""Walls against slow references: SciPy's graphs, exact laws by enumeration, and published figures."""

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy import ndimage, stats
from scipy.sparse.csgraph import shortest_path

from rlcourse import streams
from rlcourse.envs.maze.generate.field import DENSEST
from rlcourse.envs.maze.generate.walls import KINDS, LEVELS, carve, least_floor, level_key, work_size
from tests.envs.maze.floors import (
    PERFECT,
    SIDES,
    can_be_opened,
    dead_ends,
    floor_of,
    graph,
    neighbours,
    parts,
    rooms_of,
    ways,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(KINDS),
    SIDES,
    SIDES,
    st.integers(0, 2**62 - 1),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.floats(0.0, DENSEST),
)
def test_walls_of_any_size(kind, height, width, seed, braid, density):
    floor = floor_of(kind, height, width, seed, braid, density)
    assert parts(floor) == 1
    assert floor.sum() >= least_floor(KINDS.index(kind), density, height, width)
    assert np.array_equal(floor, floor_of(kind, height, width, seed, braid, density))
    unbraided = floor_of(kind, height, width, seed, 0.0, density)
    assert (floor >= unbraided).all()
    if kind in PERFECT:
        assert graph(unbraided).nnz == unbraided.sum() - 1  # a tree
    if braid == 1.0 and kind != "rooms":
        assert not any(can_be_opened(floor, r, c) for r, c in np.argwhere(dead_ends(floor)))
    if braid == 1.0 and kind in PERFECT and min(height, width) > 2:
        assert not dead_ends(floor).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("braid", [0.0, 0.5])
def test_large_walls(kind, braid):
    floor = floor_of(kind, 64, 64, 3, braid)
    assert parts(floor) == 1
    assert floor.sum() >= least_floor(KINDS.index(kind), 0.25, 64, 64)
    floor = floor_of(kind, 40, 131, 3, braid)
    assert parts(floor) == 1


@pytest.mark.parametrize("kind", PERFECT)
def test_a_perfect_maze_reaches_every_edge(kind):
    for height, width in ((8, 8), (9, 6), (4, 7), (15, 15)):
        for seed in range(20):
            floor = floor_of(kind, height, width, seed)
            assert floor.any(axis=0).all()
            assert floor.any(axis=1).all()
            if height % 2 and width % 2:  # a lattice of nodes, with pillars between them
                assert floor[::2, ::2].all()
                assert not floor[1::2, 1::2].any()


@pytest.mark.parametrize("kind", PERFECT)
@pytest.mark.parametrize("side", [2, 3, 4, 11])
def test_a_maze_of_two_lines_has_niches_wherever_one_fits(kind, side):
    for seed in range(20):
        floor = floor_of(kind, 2, side, seed)
        assert not (~floor & (ways(floor) == 1)).any()
        assert floor.sum() >= side + -(-side // 3)


EDGES = [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]
"""The lattice of 2 x 3 nodes, which has 15 spanning trees."""


def beside(node):
    return [a + b - node for a, b in EDGES if node in (a, b)]


def law_of_depth_first():
    """The probability of each tree, over all ways of the walk."""

    def walk(path, seen, tree, chance):
        if not path:
            law[tree] += chance
            return
        new = [node for node in beside(path[-1]) if node not in seen]
        if not new:
            walk(path[:-1], seen, tree, chance)
        for node in new:
            edge = tuple(sorted((path[-1], node)))
            walk([*path, node], seen | {node}, tree | {edge}, chance / len(new))

    law = Counter()
    for start in range(6):
        walk([start], frozenset([start]), frozenset(), Fraction(1, 6))
    return law


def law_of_prim():
    """The same, where each edge that leads out is equally likely to be next."""

    def grow(seen, tree, chance):
        out = [edge for edge in EDGES if (edge[0] in seen) != (edge[1] in seen)]
        if not out:
            law[tree] += chance
        for edge in out:
            grow(seen | set(edge), tree | {edge}, chance / len(out))

    law = Counter()
    for start in range(6):
        grow(frozenset([start]), frozenset(), Fraction(1, 6))
    return law


def law_of_kruskal():
    """The same, over all orders of the edges."""
    law = Counter()
    for order in itertools.permutations(EDGES):
        part, tree = list(range(6)), set()
        for a, b in order:
            if part[a] != part[b]:
                tree.add((a, b))
                part = [part[a] if one == part[b] else one for one in part]
        law[frozenset(tree)] += Fraction(1, 5040)
    return law


@pytest.mark.parametrize(
    ("kind", "law"), [("depth_first", law_of_depth_first), ("prim", law_of_prim), ("kruskal", law_of_kruskal)]
)
def test_the_law_of_a_perfect_maze(kind, law):
    exact, seen, draws = law(), Counter(), 6000
    assert len(exact) in (14, 15)  # depth first never leaves an H
    assert sum(exact.values()) == 1
    for seed in range(draws):
        floor = floor_of(kind, 3, 5, seed)
        tree = [(a, b) for a, b in EDGES if floor[a // 3 + b // 3, a % 3 + b % 3]]
        seen[frozenset(tree)] += 1
    trees = sorted(exact, key=sorted)
    assert set(seen) <= set(trees)
    expected = [float(exact[tree]) * draws for tree in trees]
    assert stats.chisquare([seen[tree] for tree in trees], expected).pvalue > 1e-3


def test_the_share_of_dead_ends_is_the_published_one():
    """Pullen, "Think Labyrinth: Maze algorithms", table of perfect mazes: 10, 32 (simplified Prim) and 30 percent."""
    for kind, published in (("depth_first", 0.10), ("prim", 0.32), ("kruskal", 0.30)):
        share = np.mean([dead_ends(floor_of(kind, 63, 63, seed)).sum() / 32**2 for seed in range(100)])
        assert abs(share - published) < 0.01


def test_depth_first_winds_most_and_prim_least():
    """The longest way of a maze (Buck 2015: long corridors here, many short dead ends there)."""
    longest = {}
    for kind in PERFECT:
        ways = []
        for seed in range(60):
            distances = shortest_path(graph(floor_of(kind, 17, 17, seed)), directed=False, unweighted=True)
            ways.append(distances[np.isfinite(distances)].max())
        longest[kind] = np.mean(ways)
    assert longest["depth_first"] > 1.5 * longest["kruskal"]
    assert longest["kruskal"] > 1.2 * longest["prim"]


@pytest.mark.parametrize("kind", PERFECT)
def test_braid_is_the_chance_of_a_dead_end_to_be_opened(kind):
    """One that stays was passed over by its own draw; one that is opened takes one other with it at most."""
    before = after = 0
    for seed in range(200):
        before += dead_ends(floor_of(kind, 15, 15, seed)).sum()
        after += dead_ends(floor_of(kind, 15, 15, seed, braid=0.3)).sum()
    assert 0.4 < after / before < 0.7


def test_a_braid_leads_to_other_dead_ends_first():
    """Buck (2015), chapter 9: so fewer walls have to be opened than where a dead end is opened to any side."""
    rng = np.random.default_rng(0)
    for kind in ("prim", "kruskal"):  # those with many dead ends
        opened = opened_at_random = 0
        for seed in range(100):
            floor = floor_of(kind, 15, 15, seed)
            opened += (floor_of(kind, 15, 15, seed, braid=1.0) & ~floor).sum()
            reference = floor.copy()
            for r, c in rng.permutation(np.argwhere(dead_ends(floor))):
                if ways(reference)[r, c] == 1:
                    sides = [(0, 1), (0, -1), (1, 0), (-1, 0)]
                    walls = [(r + a, c + b) for a, b in sides if 0 <= r + 2 * a < 15 and 0 <= c + 2 * b < 15]
                    walls = [wall for wall in walls if not reference[wall]]
                    reference[walls[rng.integers(len(walls))]] = True
            opened_at_random += (reference & ~floor).sum()
        assert opened < 0.95 * opened_at_random


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 2**62 - 1))
def test_rooms_are_rectangles_joined_to_a_tree(height, width, seed):
    floor = floor_of("rooms", height, width, seed)
    labels, count, doors = rooms_of(floor)
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        room = labels[rows, columns]
        assert (room == number).all()
        assert min(room.shape) >= 2
        assert max(room.shape) <= max(4, 3 + min(height, width) // 6)
    assert doors.sum() == count - 1
    assert floor.sum() == (labels > 0).sum() + doors.sum()
    assert all(len(neighbours(labels, r, c)) == 2 for r, c in np.argwhere(doors))
    assert not dead_ends(floor).any()


@settings(max_examples=60, deadline=None)
@given(st.integers(5, 30), st.integers(5, 30), st.integers(0, 2**62 - 1))
def test_braided_rooms_have_two_ways_out(height, width, seed):
    plain, floor = floor_of("rooms", height, width, seed), floor_of("rooms", height, width, seed, braid=1.0)
    labels, count, _ = rooms_of(plain)
    doors = np.argwhere(floor & (labels == 0))
    led_to = {number: [] for number in range(1, count + 1)}
    for r, c in doors:
        a, b = neighbours(labels, r, c)
        led_to[a].append(b)
        led_to[b].append(a)
    could_lead_to = {number: set() for number in led_to}
    for r, c in np.argwhere(labels == 0):
        for a, b in itertools.permutations(neighbours(labels, r, c), 2):
            could_lead_to[a].add(b)
    for number, rooms in led_to.items():
        assert len(set(rooms)) >= min(2, len(could_lead_to[number]))


def test_a_share_of_the_rooms_gets_a_second_door():
    """A quarter of those with one; a few less, as a door may serve two of them, and some have no other neighbour."""
    single = more = 0
    for seed in range(300):
        labels, count, doors = rooms_of(floor_of("rooms", 24, 24, seed))
        ways = Counter(room for r, c in np.argwhere(doors) for room in neighbours(labels, r, c))
        single += sum(ways[number] == 1 for number in range(1, count + 1))
        more += (floor_of("rooms", 24, 24, seed, braid=0.25) & (labels == 0) & ~doors).sum()
    assert 0.2 < more / single < 0.26


def test_obstacles_are_as_many_as_asked_for():
    for density in (0.0, 0.1, 0.25, 0.3):
        for height, width in ((8, 8), (12, 9), (64, 64)):
            for seed in range(5):
                floor = floor_of("open", height, width, seed, density=density)
                assert (~floor).sum() == int(density * height * width)


def test_why_obstacles_have_a_largest_density():
    """Beyond it, most obstacles find no place."""
    shares = [1.0 - floor_of("open", 40, 40, seed, density=0.99).mean() for seed in range(20)]
    assert DENSEST < np.mean(shares) < DENSEST + 0.02


def test_obstacles_are_scattered_over_the_whole_field():
    """Away from the edge, where they can lean against the wall, each cell is as likely as the other to be one."""
    walls = sum((~floor_of("open", 12, 12, seed)).astype(int) for seed in range(2000))
    inner = walls[3:-3, 3:-3] / 2000
    assert inner.std() < 2 * np.sqrt(0.25 * 0.75 / 2000)
    assert abs(inner.mean() - 0.25) < 0.05


# --- keys ---


def test_the_key_of_a_level_is_a_hash_of_its_seed():
    seeds = np.array([0, 1, 2, 2**40, 2**62 - 1], np.uint64)
    hashed = streams.mix64(seeds + LEVELS)
    assert [level_key(int(seed)) for seed in seeds] == [int(key) for key in hashed]


@njit
def carve_rows(kind, seeds, height, width, open_, work):
    """Levels one after the other, as in the reset of a batch."""
    for i in range(len(seeds)):
        carve(kind, 0.5, 0.25, level_key(seeds[i]), height, width, open_[i], work)


@pytest.mark.parametrize("kind", KINDS)
def test_a_level_does_not_depend_on_the_batch(kind):
    seeds = np.array([5, 2**40 + 1, 5, 17, 2**62 - 1])
    open_, work = np.empty((5, 80), np.uint8), np.empty(work_size(8, 10), np.int32)
    carve_rows(KINDS.index(kind), seeds, 8, 10, open_, work)
    for row, seed in zip(open_, seeds, strict=True):
        assert np.array_equal(row.reshape(8, 10) == 1, floor_of(kind, 8, 10, int(seed), braid=0.5))
