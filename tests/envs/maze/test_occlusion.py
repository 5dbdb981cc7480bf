"""Walls block the sight in a window: by hand, and what holds for walls in any place."""

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import rlcourse  # noqa: F401  (registers the worlds)

from .slow_sight import hidden

WALL, EXIT, UNSEEN = 0, 1, -1


def window(rows, side=7):
    """What the walker on the S sees, uint8 [channels, side, side]; the exit stands in the last row, all candies are seen."""
    layout = "\n".join([*rows, "." * len(rows[0]), "." * (len(rows[0]) - 1) + "E"])
    env = gymnasium.make(
        "rlcourse/CandyMazePartial-v0", layout=layout, spawn=None, start="map", window=side, occlusion=True
    )  # fmt: skip
    return env.reset(seed=0)[0]


def text(view):
    """A window as text: walls, what is not seen, candies, the rest."""
    signs = np.full(view.shape[1:], ".")
    signs[view[WALL] == 1] = "#"
    signs[view[4] == 1] = "1"
    signs[view[UNSEEN] == 1] = "?"
    assert not view[:-1, view[UNSEEN] == 1].any()  # of what is not seen nothing is told
    return ["".join(row) for row in signs]


@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        # nothing in the way: all is seen, and what lies outside the map is wall
        (
            ["1....1.", ".......", ".......", "...S...", ".......", ".......", "1......"],
            ["1....1.", ".......", ".......", ".......", ".......", ".......", "1......"],
        ),
        # a wall straight ahead hides what is behind it, and is seen itself; beside it one sees on
        (
            [".......", "...1...", "...#...", "...S#11", ".......", ".......", "......."],
            ["..???..", "...?...", "...#..?", "....#??", "......?", ".......", "......."],
        ),
        # a wall on the diagonal hides the diagonal behind it and what lies next to that, at the edge of the window too
        (
            [".......", ".1...1.", "..#.#..", "...S...", "..#....", ".1...1.", "......."],
            ["??...??", "??...??", "..#.#..", ".......", "..#....", "??...1.", "??....."],
        ),
    ],
)
def test_by_hand(rows, seen):
    assert text(window(rows)) == seen


def test_outside_of_the_map_is_wall_and_hides_what_is_outside():
    view = window(["S..", "...", "..."], side=5)
    assert text(view) == ["?????", "?####", "?#...", "?#...", "?#..."]


def unseen_by_the_world(walls):
    """The cells that are not seen where bool [side, side] are walls, in a world."""
    side = len(walls)
    middle = side // 2
    rows = [["#" if wall else "." for wall in line] for line in walls]
    rows[middle][middle] = "S"
    lines = ["".join(row) for row in rows]
    env = gymnasium.make(
        "rlcourse/CandyMaze-v0", layout=with_goal(lines, middle), observation="window", window=side, occlusion=True
    )  # fmt: skip
    return env.reset(seed=0)[0][UNSEEN] == 1


def with_goal(lines, middle):
    """A floor beside the start becomes the exit, which blocks no sight."""
    for r, c in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        row = lines[middle + r]
        if row[middle + c] == ".":
            lines[middle + r] = row[: middle + c] + "E" + row[middle + c + 1 :]
            return "\n".join(lines)
    raise AssertionError("no floor beside the start")


@st.composite
def wall_squares(draw, sides=(3, 5, 7, 9, 11)):
    """Walls bool [side, side] around a free middle, with floor beside it."""
    side = draw(st.sampled_from(sides))
    walls = draw(arrays(np.bool_, (side, side), elements=st.booleans(), fill=st.just(False)))
    walls[side // 2, side // 2] = walls[side // 2, side // 2 + 1] = False
    return walls


@settings(max_examples=80, deadline=None)
@given(wall_squares())
def test_what_is_seen_is_what_the_slow_lines_say(walls):
    side = len(walls)
    slow = np.array([[hidden(walls, (a, b)) for b in range(side)] for a in range(side)])
    assert np.array_equal(unseen_by_the_world(walls), slow)


@settings(max_examples=60, deadline=None)
@given(wall_squares(), st.integers(0, 3), st.booleans())
def test_sight_is_the_same_in_all_eight_symmetries(walls, turns, mirrored):
    middle = len(walls) // 2

    def turned(square):
        square = np.rot90(square, turns)
        return square.T if mirrored else square

    other = turned(walls).copy()
    assert np.array_equal(unseen_by_the_world(other), turned(unseen_by_the_world(walls)))
    assert not other[middle, middle]


@settings(max_examples=60, deadline=None)
@given(wall_squares(), st.data())
def test_what_holds_for_any_walls(walls, data):
    """The eight neighbours are seen; without walls all is; a wall less never hides anything; a ring of walls hides all."""
    side, middle = len(walls), len(walls) // 2
    unseen = unseen_by_the_world(walls)
    assert not unseen[middle - 1 : middle + 2, middle - 1 : middle + 2].any()
    assert not unseen_by_the_world(np.zeros_like(walls)).any()
    fewer = walls & data.draw(arrays(np.bool_, walls.shape))
    assert not (unseen_by_the_world(fewer) & ~unseen).any()
    distance = np.maximum.outer(*[np.abs(np.arange(side) - middle)] * 2)
    ring = data.draw(st.integers(2, max(2, middle)))
    ringed = np.where(distance == ring, True, walls & (distance > ring))
    assert np.array_equal(unseen_by_the_world(ringed), distance > ring)
