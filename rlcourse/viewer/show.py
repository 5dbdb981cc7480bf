"""What is watched: a game that goes on by itself, step by step, in a window or into frames of a GIF."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from rlcourse.viewer.window import Press, Window

MOST_FRAMES = 30
"""Frames a second at most; where more steps are asked for, a frame shows several of them."""
SLOWEST, FASTEST = 0.25, 16_384.0
"""Steps a second, between which + and - double and halve."""
NO_DISPLAY = "--gif FILE makes a picture without one"


class Show(ABC):
    """A game that goes on by itself. Subclasses play it."""

    title: str
    """What stands above the window."""
    fps: float
    """Steps a second, where nobody asks for another speed."""
    keys: tuple[str, ...] = ("space: pause", "right: one step", "+ and -: speed", "Esc: leave")

    @abstractmethod
    def forward(self) -> bool:
        """One step on, or on to the next episode; `False` at the end, where nothing happens."""

    def back(self) -> bool:
        """One step back, where a show can; `False` where it cannot."""
        return False

    @abstractmethod
    def frame(self, keys: tuple[str, ...] = (), word: str = "") -> NDArray[np.uint8]:
        """The picture with its status bar, `uint8 [H, W, 3]`.

        Args:
            keys: what the keys do, for the bar; none in a GIF.
            word: what the window says ("paused").
        """

    def close(self) -> None:  # noqa: B027  (most have nothing to give back)
        """Give back what the game holds."""


def frames(show: Show) -> Iterator[NDArray[np.uint8]]:
    """Every picture of a show from where it is to its end, for a GIF."""
    yield show.frame()
    while show.forward():
        yield show.frame()


class Projector:
    """Runs a show in a window: when the next step is due, and what the keys do. It knows no clock.

    Args:
        show: what is shown.
        fps: steps a second; 0 is as fast as they come.
    """

    def __init__(self, show: Show, fps: float) -> None:
        self.show = show
        self.fps = fps
        self.paused = False
        self.over = False
        self.left = False

    @property
    def pause(self) -> float | None:
        """Seconds from one frame to the next; `None` where none comes by itself."""
        if self.paused or self.over:
            return None
        return 1.0 / min(self.fps, MOST_FRAMES) if self.fps else 0.0

    def advance(self) -> None:
        """Go on by as many steps as belong to a frame."""
        for _ in range(max(1, round(self.fps / MOST_FRAMES))):
            self.step()

    def step(self) -> None:
        """Go on by one step."""
        self.over = not self.show.forward()

    def take(self, press: Press) -> None:
        """Do what a key says."""
        key = press.key
        if press.closed or key in ("escape", "q"):
            self.left = True
        elif key == "space":
            self.paused = not self.paused
        elif key in ("right", "left"):
            self.paused = True
            if key == "right":
                self.step()
            elif self.show.back():
                self.over = False
        elif key in ("+", "=", "[+]"):
            self.fps = min(FASTEST, 2.0 * self.fps)
        elif key in ("-", "[-]"):
            self.fps = max(SLOWEST, self.fps / 2.0) if self.fps else FASTEST

    def frame(self) -> NDArray[np.uint8]:
        """What the window shows."""
        speed = f"{self.fps:g} steps a second" if self.fps else "as fast as can be"
        return self.show.frame(self.show.keys, "end" if self.over else "paused" if self.paused else speed)


def project(
    show: Show,
    fps: float | None = None,
    window: Window | None = None,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Show it in a window, until a person closes it.

    Args:
        show: what is shown.
        fps: steps a second, 0 for as fast as they come; left out, the show's own speed.
        window: where; left out, one is opened.
        now: the clock, in seconds.

    Raises:
        UsageError: there is no display.
    """
    projector = Projector(show, show.fps if fps is None else fps)
    window = window or Window(show.title, instead=NO_DISPLAY)
    try:
        window.draw(projector.frame())
        due = now() + (projector.pause or 0.0)
        while not projector.left:
            wait = None if projector.pause is None else max(0.0, due - now())
            presses = window.presses(wait)
            for press in presses:
                projector.take(press)
            if projector.pause is not None and now() >= due:
                projector.advance()
                due = now() + (projector.pause or 0.0)
            elif not presses:
                continue
            if not projector.left:
                window.draw(projector.frame())
    finally:
        window.close()
        show.close()
