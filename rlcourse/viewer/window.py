"""A window on the screen that shows pictures, and tells which keys were pressed in it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import pygame
from numpy.typing import NDArray

from rlcourse.errors import UsageError

UNSEEN = ("dummy", "offscreen")
"""Drivers that show nothing. SDL falls back to one of them where there is no display, and a window would wait for ever."""
PATIENCE = 0.2
"""The longest sleep in seconds: SDL does not wake up for Ctrl-C in the terminal."""
ROOM = 0.9
"""The share of the screen that a window takes at most; the rest is for its frame and the bars of the desktop."""


class Press(NamedTuple):
    """What a person did in the window."""

    key: str = ""
    """The name of the key, as pygame has it ("left", "a", "[4]" on the keypad); a digit is that digit on every keyboard."""
    at: tuple[int, int] | None = None
    """Where in the picture the mouse was clicked."""
    closed: bool = False
    """The window was closed."""


class Window:
    """A window that opens with the first picture; a person may close it, and the program goes on without it.

    Args:
        title: what stands above it.
        fps: pictures a second at most; `show` waits where the pictures come faster.
        instead: what a person without a display can do, for the error.
    """

    def __init__(self, title: str, fps: int = 0, instead: str = "use render_mode='rgb_array'") -> None:
        self.title = title
        self.fps = fps
        self.instead = instead
        self.closed = False
        self._screen: pygame.Surface | None = None
        self._clock: Any = None
        self._scale = 1.0

    def show(self, image: NDArray[np.uint8]) -> bool:
        """Show `uint8 [H, W, 3]` and wait for the clock; `False` once a person has closed the window.

        Raises:
            UsageError: there is no display.
        """
        if self.closed:
            return False
        self._open(image)
        if any(press.closed for press in self.presses(0.0)):
            self.close()
            return False
        self.draw(image)
        self._clock.tick(self.fps)
        return True

    def draw(self, image: NDArray[np.uint8]) -> None:
        """Show `uint8 [H, W, 3]` now; smaller, where the screen has no room for it.

        Raises:
            UsageError: there is no display.
        """
        self._open(image)
        assert self._screen is not None
        surface = pygame.surfarray.make_surface(image.transpose(1, 0, 2))
        if self._scale < 1.0:
            surface = pygame.transform.smoothscale(surface, self._screen.get_size())
        self._screen.blit(surface, (0, 0))
        pygame.display.flip()

    def presses(self, seconds: float | None) -> list[Press]:
        """What was done since the last call, in order.

        Args:
            seconds: how long to wait for something; `None` is for ever.
        """
        events = pygame.event.get()
        left = seconds
        while not events and (left is None or left > 0.0):
            nap = PATIENCE if left is None else min(left, PATIENCE)
            event = pygame.event.wait(max(1, round(1000 * nap)))
            events = ([] if event.type == pygame.NOEVENT else [event]) + pygame.event.get()
            left = None if left is None else left - nap
        return [press for event in events if (press := self._read(event)) is not None]

    def close(self) -> None:
        """Close the window; once is enough, twice does no harm."""
        if self._is_ours():
            pygame.display.quit()
        self._screen = None
        self.closed = True

    def _open(self, image: NDArray[np.uint8]) -> None:
        """Open the window, or open it anew for a picture of another size."""
        wide, high = image.shape[1], image.shape[0]
        if self._is_ours() and pygame.display.get_window_size() == self._fitting(wide, high):
            return
        try:
            _start_display()
            self._screen = pygame.display.set_mode(self._fitting(wide, high))
        except pygame.error as error:
            raise UsageError(f"a window needs a display ({error}): {self.instead}") from error
        pygame.display.set_caption(self.title)
        self._clock = pygame.time.Clock()

    def _fitting(self, wide: int, high: int) -> tuple[int, int]:
        """The size of the window for a picture: its own, or less on a small screen."""
        across, down = pygame.display.get_desktop_sizes()[0]
        self._scale = min(1.0, ROOM * across / wide, ROOM * down / high)
        return max(1, round(wide * self._scale)), max(1, round(high * self._scale))

    def _read(self, event: pygame.event.Event) -> Press | None:
        """The press that an event is; none where it is something else."""
        if event.type == pygame.QUIT:
            return Press(closed=True)
        if event.type == pygame.KEYDOWN:
            name = pygame.key.name(event.key)
            typed = getattr(event, "unicode", "")
            # A French keyboard gives its digits with shift; those of the keypad have names of their own.
            return Press(str(int(typed)) if typed.isdecimal() and not name.startswith("[") else name)
        if event.type == pygame.MOUSEBUTTONDOWN and event.button == pygame.BUTTON_LEFT:
            return Press(at=(round(event.pos[0] / self._scale), round(event.pos[1] / self._scale)))
        if event.type == pygame.WINDOWEXPOSED and self._is_ours():
            pygame.display.flip()  # it was covered
        return None

    def _is_ours(self) -> bool:
        """Pygame has one window in a process; another `Window` may have taken it over."""
        return self._screen is not None and pygame.display.get_surface() is self._screen


def _start_display() -> None:
    """Let SDL find the display.

    Raises:
        pygame.error: there is none.
    """
    silent = "XDG_RUNTIME_DIR" not in os.environ
    if silent:  # without it, libwayland writes a line of its own to stderr
        os.environ["XDG_RUNTIME_DIR"] = os.devnull
    try:
        pygame.display.init()
    finally:
        if silent:
            del os.environ["XDG_RUNTIME_DIR"]
    if pygame.display.get_driver() in UNSEEN and not os.environ.get("SDL_VIDEODRIVER"):
        pygame.display.quit()
        raise pygame.error("there is none")
