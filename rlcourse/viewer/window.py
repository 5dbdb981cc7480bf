"""A window on the screen that shows pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pygame
from numpy.typing import NDArray

from rlcourse.errors import UsageError


class Window:
    """A window that opens with the first picture; a person may close it, and the program goes on without it.

    Args:
        title: what stands above it.
        fps: pictures a second at most; `show` waits where the pictures come faster.
    """

    def __init__(self, title: str, fps: int) -> None:
        self.title = title
        self.fps = fps
        self.closed = False
        self._screen: pygame.Surface | None = None
        self._clock: Any = None

    def show(self, image: NDArray[np.uint8]) -> bool:
        """Show `uint8 [H, W, 3]`; `False` once a person has closed the window, and nothing is shown any more.

        Raises:
            UsageError: there is no display.
        """
        if self.closed:
            return False
        size = (image.shape[1], image.shape[0])
        if not self._is_ours() or pygame.display.get_window_size() != size:
            try:
                pygame.display.init()
                self._screen = pygame.display.set_mode(size)
            except pygame.error as error:
                raise UsageError(
                    f"a window needs a display ({error}): use render_mode='rgb_array'"
                ) from error
            pygame.display.set_caption(self.title)
            self._clock = pygame.time.Clock()
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                self.close()
                return False
        assert self._screen is not None
        pygame.surfarray.blit_array(self._screen, image.transpose(1, 0, 2))
        pygame.display.flip()
        self._clock.tick(self.fps)
        return True

    def close(self) -> None:
        """Close the window; once is enough, twice does no harm."""
        if self._is_ours():
            pygame.display.quit()
        self._screen = None
        self.closed = True

    def _is_ours(self) -> bool:
        """Pygame has one window in a process; another `Window` may have taken it over."""
        return self._screen is not None and pygame.display.get_surface() is self._screen
