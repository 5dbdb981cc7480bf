"""The window that shows what goes on by itself: when the next step is due, and what the keys do. Its clock is made up."""

import numpy as np
import pygame
import pytest

from rlcourse.errors import UsageError
from rlcourse.viewer.canvas import fit, pixels, write
from rlcourse.viewer.show import FASTEST, SLOWEST, Projector, Show, frames, project
from rlcourse.viewer.window import Press, Window


class Counting(Show):
    """Counts its steps, up to `length`."""

    title, fps = "counting", 10.0

    def __init__(self, length=1000):
        self.length, self.place, self.closed, self.words = length, 0, False, []

    def forward(self):
        if self.place == self.length:
            return False
        self.place += 1
        return True

    def back(self):
        if self.place == 0:
            return False
        self.place -= 1
        return True

    def frame(self, keys=(), word=""):
        self.words.append(word)
        return np.full((20, 30, 3), self.place % 256, np.uint8)

    def close(self):
        self.closed = True


class Scripted:
    """A window in which a person presses keys at times that are known beforehand; waiting moves the clock."""

    def __init__(self, *script):
        self.script = sorted(script)
        self.time = 0.0
        self.drawn = []
        self.closed = False

    def now(self):
        return self.time

    def draw(self, image):
        self.drawn.append((round(self.time, 6), int(image[0, 0, 0])))

    def presses(self, seconds):
        until = float("inf") if seconds is None else self.time + seconds
        if self.script and self.script[0][0] <= until:
            at, key = self.script.pop(0)
            self.time = max(self.time, at)
            return [Press(closed=True) if key == "close" else Press(key)]
        assert seconds is not None, "the window would wait for ever"
        self.time = until
        return []

    def close(self):
        self.closed = True


def shown(*script, length=1000, fps=None):
    show, window = Counting(length), Scripted(*script)
    project(show, fps, window, window.now)
    assert show.closed
    assert window.closed
    return show, window


def test_steps_come_at_their_time():
    show, window = shown((1.05, "close"))
    assert show.place == 10  # ten a second
    assert window.drawn == [(round(0.1 * place, 6), place) for place in range(11)]
    assert shown((1.05, "escape"), fps=4)[0].place == 4
    assert shown((1.05, "q"), fps=0.5)[0].place == 0


def test_a_key_without_a_meaning_changes_nothing():
    """In particular it does not put off the next step."""
    plain, disturbed = shown((1.05, "close")), shown(*((0.03 * n, "x") for n in range(34)), (1.05, "close"))
    assert disturbed[0].place == plain[0].place


def test_many_steps_share_a_frame():
    show, window = shown((1.01, "close"), fps=300)
    assert show.place == pytest.approx(300, abs=15)
    assert len(window.drawn) <= 32


def test_space_pauses_and_goes_on():
    show, window = shown((0.35, "space"), (5.0, "space"), (5.25, "close"))
    assert show.place == 3 + 1 + 2  # at once when it goes on, and then every tenth of a second
    assert "paused" in show.words
    assert not [at for at, _ in window.drawn if 0.4 < at < 5.0]


def test_arrows_step_and_pause():
    show, _ = shown((0.35, "right"), (1.0, "right"), (2.0, "left"), (3.0, "left"), (9.0, "close"))
    assert show.place == 3 + 2 - 2


def test_speed_keys():
    projector = Projector(Counting(), 10.0)
    for key, speed in [("+", 20.0), ("=", 40.0), ("[+]", 80.0), ("-", 40.0), ("[-]", 20.0)]:
        projector.take(Press(key))
        assert projector.fps == speed
    for _ in range(40):
        projector.take(Press("+"))
    assert projector.fps == FASTEST
    for _ in range(40):
        projector.take(Press("-"))
    assert projector.fps == SLOWEST
    fast = Projector(Counting(), 0.0)
    fast.take(Press("+"))
    assert fast.fps == 0.0
    assert fast.pause == 0.0
    fast.take(Press("-"))
    assert fast.fps == FASTEST


def test_at_the_end_the_last_picture_stays():
    show, window = shown((50.0, "left"), (60.0, "space"), (70.0, "close"), length=3)
    assert show.words[4] == "end"
    assert window.drawn[-1][1] == 3  # a step back, and on again
    assert [at for at, _ in window.drawn if 1.0 < at < 50.0] == []


def test_frames_of_a_gif_have_no_keys():
    show = Counting(4)
    assert [int(frame[0, 0, 0]) for frame in frames(show)] == [0, 1, 2, 3, 4]
    assert set(show.words) == {""}


# -------------------------------------------------------------------- a real window, on a screen that nobody sees


@pytest.fixture
def screen(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.display.init()
    pygame.event.clear()
    yield
    pygame.display.quit()


@pytest.mark.parametrize("closing", [pygame.event.Event(pygame.QUIT), None])
def test_closing_the_window_ends_it(screen, closing):
    show = Counting()
    pygame.event.post(closing or pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE, mod=0, unicode=""))
    project(show, fps=0)
    assert show.closed
    assert not pygame.display.get_init()


def test_the_window_says_what_it_cannot_do(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    pygame.display.quit()
    show = Counting()
    with pytest.raises(UsageError, match="--gif FILE makes a picture without one"):
        project(show)
    assert show.closed


def test_keys_are_known_by_their_names(screen):
    window = Window("test")
    window.draw(np.zeros((20, 30, 3), np.uint8))
    pygame.event.clear()
    for code, unicode in [
        (pygame.K_LEFT, ""),
        (pygame.K_KP4, "4"),
        (pygame.K_4, "$"),
        (pygame.K_LEFTBRACKET, "["),
    ]:
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=code, mod=0, unicode=unicode))
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_QUOTE, mod=0, unicode="4"))
    pygame.event.post(
        pygame.event.Event(pygame.KEYDOWN, key=pygame.K_3, mod=0, unicode="\N{ARABIC-INDIC DIGIT THREE}")
    )
    assert [press.key for press in window.presses(0.0)] == ["left", "[4]", "4", "[", "4", "3"]
    assert window.presses(0.0) == []
    window.close()


@pytest.mark.parametrize("text", ["q_learning acts; bars: its values", "a long line of text " * 2, "0", ""])
@pytest.mark.parametrize("width", [120, 160.5, 448])
@pytest.mark.parametrize("bold", [False, True])
def test_text_fits_its_room(text, width, bold):
    size = fit(text, 15, width, bold=bold)
    surface = pygame.Surface((1000, 40))
    write(surface, text, (0, 20), 15, colour=(255, 255, 255), bold=bold, width=width)
    written = np.nonzero(pixels(surface).any(axis=(0, 2)))[0]
    assert size <= 15
    assert written.max(initial=0) <= width + 2
