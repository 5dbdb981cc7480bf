"""Pictures of mazes: every thing on the map is drawn, at every size, and the picture follows the game."""

import gymnasium
import numpy as np
import pytest

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.colours import BLUE, GREEN, PURPLE, VERMILION, YELLOW
from rlcourse.viewer.maze import HEADER, WALL


def picture(layout, actions=(), **options):
    env = gymnasium.make("rlcourse/CandyMaze-v0", render_mode="rgb_array", layout=layout, **options)
    env.reset(seed=0)
    for action in actions:
        env.step(action)
    return env.render()


def share(image, colour):
    """The share of the board's pixels that have nearly this colour."""
    near = np.abs(image[HEADER:].astype(int) - np.array(colour)).max(axis=2) < 12
    return near.mean()


@pytest.mark.parametrize("size", [4, 8, 16, 32, 64])
def test_walls_exit_and_walker_can_be_seen_at_every_size(size):
    rows = [
        "S" + "." * (size - 1),
        *("." + "#" * (size - 2) + "." for _ in range(size - 2)),
        "." * (size - 1) + "E",
    ]
    image = picture("\n".join(rows))
    assert max(image.shape) < 1000
    board = (size * min(72, 704 // size)) ** 2 / image[HEADER:, :, 0].size  # the rest is margin
    assert share(image, WALL) == pytest.approx(board * ((size - 2) / size) ** 2, rel=0.1)
    for colour in (BLUE, GREEN):
        assert share(image, colour) > 0.2 * board / size**2


def test_candies_are_told_apart_and_vanish():
    layout = "S123\n...E"
    image = picture(layout)
    for colour in (YELLOW, PURPLE, VERMILION):
        assert share(image, colour) > 0.005
    assert share(picture(layout, [1, 0]), YELLOW) < 0.001
    assert picture(layout, [1, 1]).shape == image.shape


@pytest.mark.parametrize("thing", ["T", "C", "<", "^", "5", "#"])
def test_what_stands_on_the_map_is_drawn(thing):
    plain = "S...E\n....."
    assert not np.array_equal(picture(plain), picture(plain[:-2] + thing + "."))
    assert not np.array_equal(picture(plain), picture(plain + "\n\nwind = 0 0 2 0 0"))


def test_the_walker_looks_where_it_went_and_visits_leave_a_mark():
    looks = [picture("...\n.S.\n..E", [action, 4], stay=True, max_steps=None) for action in range(4)]
    assert len({image.tobytes() for image in looks}) == 4
    plain = picture("S..E\n....", [1, 0], observation="full")
    marked = picture("S..E\n....", [1, 0], observation="full", revisit_reward=-0.06, move_reward=-0.05)
    assert not np.array_equal(plain[HEADER:], marked[HEADER:])


def test_walls_that_change_are_drawn_as_they_stand():
    layout = "S#.\n..E\n\nfrom step 1\nS..\n..E"
    before, after = picture(layout), picture(layout, [2])
    assert share(before, WALL) > 0.05
    assert share(after, WALL) < 0.001
