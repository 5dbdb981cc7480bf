"""What every picture needs: text, and a surface as an array."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pygame
import pygame.freetype
from numpy.typing import NDArray

from rlcourse.colours import BLACK, Colour


@functools.cache
def _font(bold: bool) -> Any:
    """Pygame's own font: the same on every machine, and no display is needed."""
    if not pygame.freetype.get_init():
        pygame.freetype.init()
    # Some worlds of other people end with pygame.quit(), after which a font is of no use.
    pygame.register_quit(_font.cache_clear)
    font = pygame.freetype.Font(None)
    font.strong = bold
    font.origin = (
        True  # text is placed by its baseline, so that words without descenders stand on the same line
    )
    return font


def measure(text: str, size: float, *, bold: bool = False) -> int:
    """How wide `text` is, in pixels, its last blank included."""
    font = _font(bold)
    return font.get_rect(text + "|", size=size).width - font.get_rect("|", size=size).width


def fit(text: str, size: float, width: float, *, bold: bool = False) -> float:
    """The height at which `text` is at most `width` wide: `size`, or less."""
    for _ in range(4):  # letters of whole pixels do not shrink in proportion
        wide = _font(bold).get_rect(text, size=size).width
        if wide <= width:
            break
        size *= width / wide
    return size


def write(
    surface: pygame.Surface,
    text: str,
    at: tuple[float, float],
    size: float,
    *,
    colour: Colour = BLACK,
    align: str = "left",
    bold: bool = False,
    width: float | None = None,
) -> None:
    """Write one line of text.

    Args:
        surface: what to write on.
        text: the line.
        at: x of the left edge, the centre or the right edge (as `align` says), and y of the vertical centre.
        size: height of the font in pixels.
        colour: red, green, blue.
        align: "left", "center" or "right".
        bold: heavier strokes.
        width: the space there is; a longer text is written smaller.
    """
    font = _font(bold)
    if width is not None:
        size = fit(text, size, width, bold=bold)
    box = font.get_rect(text, size=size)
    x = at[0] - {"left": 0.0, "center": box.width / 2, "right": float(box.width)}[align]
    # centred by the height of a digit
    height = font.get_rect("0", size=size).height
    font.render_to(surface, (round(x), round(at[1] + height / 2)), text, colour, size=size)


def pixels(surface: pygame.Surface) -> NDArray[np.uint8]:
    """The picture as an array `uint8 [H, W, 3]`, a copy."""
    return np.ascontiguousarray(pygame.surfarray.array3d(surface).transpose(1, 0, 2))
