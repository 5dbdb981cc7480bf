"""The picture of a bandit shows what the player knows; the window opens, closes, and does no harm."""

import gymnasium
import numpy as np
import pygame
import pytest

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.errors import UsageError
from rlcourse.viewer.window import Window


def picture(**options):
    env = gymnasium.make("rlcourse/Bandit-v0", render_mode="rgb_array", **options).unwrapped
    env.reset(seed=0)
    for action in (0, 1, 1):
        env.step(action)
    return env.render()


def test_no_hidden_truth():
    """Worlds that look alike to the player look alike in the picture."""
    assert np.array_equal(picture(means=[0.0, 1.0, 0.3]), picture(means=[0.0, 1.0, 0.9]))
    assert not np.array_equal(picture(means=[0.0, 1.0]), picture(means=[1.0, 1.0]))  # another total


@pytest.mark.parametrize("arms", [2, 10, 11, 50])
def test_any_number_of_arms(arms):
    """The size depends on the number of arms only, and the last line of machines is inside."""
    image = picture(arms=arms)
    assert image.shape[1] == 960
    assert np.all(image[-5:] == image[-1, 0])


@pytest.fixture
def dummy(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield np.full((40, 60, 3), 200, np.uint8)
    pygame.display.quit()


def test_a_person_closes_the_window(dummy):
    window = Window("test", fps=1000)
    assert window.show(dummy)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    assert not window.show(dummy)
    assert not window.show(dummy)
    window.close()
    window.close()
    assert not pygame.display.get_init()


def test_two_windows_share_the_screen(dummy):
    first, second = Window("first", fps=1000), Window("second", fps=1000)
    assert first.show(dummy)
    assert second.show(dummy[:20])
    first.close()
    assert second.show(dummy)
    second.close()


def test_no_display(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    pygame.display.quit()
    with pytest.raises(UsageError, match="rgb_array"):
        Window("test", fps=10).show(np.zeros((4, 4, 3), np.uint8))
