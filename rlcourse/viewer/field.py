"""Values as colours and a policy as arrows, on the cells of a map.

Shapes are polygons in a cell whose middle is the origin and whose sides are 1 long, x to the right and y downward, so that
one set of shapes serves every size. Directions are (rows, columns), as the rules have them.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import pygame
from numpy.typing import NDArray

from rlcourse.colours import BLACK, WHITE, Colour
from rlcourse.viewer.canvas import write

Floats = NDArray[np.float64]
Direction = tuple[int, int]
RARE = 0.05
"""An action that fewer members would take has no arrow."""
REACH = 0.33
"""Length of an arrow that all members agree on, in sides of a cell."""
SMALLEST_ARROW, SMALLEST_WEDGE, SMALLEST_NUMBER = 9, 14, 44
"""Sides of a cell, in pixels, from which on there is room for each."""


# -------------------------------------------------------------------- shapes


def wedges(directions: list[Direction]) -> list[Floats]:
    """The part of a cell that belongs to each direction, polygons `[P, 2]`: together they fill the cell.

    Four triangles; with the diagonals, eight wedges of 45 degrees. Staying is a square in the middle, on top of the others.
    """
    diagonals = any(rows and columns for rows, columns in directions)
    half = 0.5 * math.tan(math.pi / 8) if diagonals else 0.5
    shapes = []
    for rows, columns in directions:
        x, y = 0.5 * columns, 0.5 * rows
        if rows and columns:
            shape = [(0, 0), (2 * half * x, y), (x, y), (x, 2 * half * y)]
        elif rows or columns:
            aside = np.array([-rows, columns]) * half
            shape = [(0, 0), (x - aside[0], y - aside[1]), (x + aside[0], y + aside[1])]
        else:
            shape = [(-0.14, -0.14), (0.14, -0.14), (0.14, 0.14), (-0.14, 0.14)]
        shapes.append(np.array(shape, np.float64))
    return shapes


@functools.lru_cache(maxsize=4096)
def arrow(direction: Direction, share: float = 1.0) -> Floats:
    """An arrow from the middle of a cell, its area in proportion to the share of members; a square for staying."""
    if direction == (0, 0):
        return np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * 0.11 * math.sqrt(share)
    along = np.array([direction[1], direction[0]]) / math.hypot(*direction)
    aside = np.array([-along[1], along[0]])
    head = 0.5
    outline = [(0, -0.1), (head, -0.1), (head, -0.36), (1, 0), (head, 0.36), (head, 0.1), (0, 0.1)]
    return np.array([a * along + b * aside for a, b in outline]) * REACH * math.sqrt(share)


# -------------------------------------------------------------------- colours


class Scale(NamedTuple):
    """What colour a number has: viridis from `low` to `high`, which is dark to light in shades of grey, too."""

    low: float
    high: float
    clipped: bool = False
    """Numbers below `low` have its colour."""

    def colour(self, value: float) -> Colour:
        """The colour of a number."""
        span = self.high - self.low
        share = 0.5 if span <= 0.0 else min(max((value - self.low) / span, 0.0), 1.0)
        red, green, blue = _viridis()[round(share * 255)]
        return int(red), int(green), int(blue)


def scale_of(V: Floats, Q: Floats | None = None) -> Scale:
    """The colours of the values of states, or of those of actions.

    What is far worse than the worst state, such as a fall off a cliff, is as dark as can be, and leaves the colours to the
    others.
    """
    finite = V[np.isfinite(V)]
    if not finite.size:
        return Scale(0.0, 0.0)
    low, high = float(finite.min()), float(finite.max())
    if Q is None:
        return Scale(low, high)
    finite = Q[np.isfinite(Q)]
    worst, high = float(finite.min()), max(high, float(finite.max()))
    floor = low - (high - low) if high > low else worst
    return Scale(max(worst, floor), high, worst < floor)


@functools.cache
def _viridis() -> NDArray[np.uint8]:
    from matplotlib import colormaps

    return np.round(255 * colormaps["viridis"](np.linspace(0, 1, 256))[:, :3]).astype(np.uint8)


def ink(ground: Colour) -> Colour:
    """Black or white, whichever can be read on this colour."""
    return BLACK if 0.299 * ground[0] + 0.587 * ground[1] + 0.114 * ground[2] > 140 else WHITE


def short(value: float) -> str:
    """A number in at most five characters or so."""
    if not math.isfinite(value):
        return str(value)
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0.0 else text


# -------------------------------------------------------------------- painting


def paint_states(surface: pygame.Surface, V: Floats, scale: Scale, side: int) -> None:
    """The cells in the colours of their values `[H, W]`; those without one are left as they are."""
    for r, c in np.argwhere(np.isfinite(V)):
        surface.fill(scale.colour(V[r, c]), _box(r, c, side))


def paint_actions(
    surface: pygame.Surface, Q: Floats, scale: Scale, side: int, directions: list[Direction]
) -> None:
    """The wedges of the cells in the colours of their actions' values `[H, W, A]`."""
    shapes = wedges(directions)
    line = max(1, side // 60)
    for r, c in np.argwhere(np.isfinite(Q).any(axis=-1)):
        for action, shape in enumerate(shapes):
            points = _place(shape, r, c, side)
            pygame.draw.polygon(surface, scale.colour(Q[r, c, action]), points)
            if side >= 2 * SMALLEST_WEDGE:
                pygame.draw.lines(surface, WHITE, True, points, line)


def paint_grid(surface: pygame.Surface, known: NDArray[np.bool_], side: int) -> None:
    """White lines between the cells `[H, W]` that are known."""
    for r, c in np.argwhere(known):
        pygame.draw.rect(surface, WHITE, _box(r, c, side), max(1, side // 48))


def paint_arrows(
    surface: pygame.Surface,
    share: Floats,
    ground: Floats,
    scale: Scale,
    side: int,
    directions: list[Direction],
) -> None:
    """An arrow for every action that is the best one of some members, `share [H, W, A]`.

    Args:
        surface: what to draw on.
        share: see `Knowledge`.
        ground: the values whose colours are beneath, `[H, W]`; NaN where that is the plain floor.
        scale: their colours.
        side: of a cell, in pixels.
        directions: of the actions.
    """
    for r, c, action in np.argwhere(share > RARE):
        points = _place(arrow(directions[action], float(share[r, c, action])), r, c, side)
        value = ground[r, c]
        colour = ink(scale.colour(value)) if math.isfinite(value) else BLACK
        pygame.draw.polygon(surface, colour, points)
        if side >= 60:
            pygame.draw.lines(surface, BLACK if colour == WHITE else WHITE, True, points, 1)


def paint_numbers(surface: pygame.Surface, V: Floats, scale: Scale, side: int) -> None:
    """The value of every cell at its lower edge; on a surface that is not reduced any more."""
    for r, c in np.argwhere(np.isfinite(V)):
        at = ((c + 0.5) * side, (r + 0.9) * side)
        colour = ink(scale.colour(V[r, c]))
        write(surface, short(V[r, c]), at, 0.16 * side, colour=colour, align="center", width=0.9 * side)


def paint_start(
    surface: pygame.Surface, cell: tuple[int, int], ground: Floats, scale: Scale, side: int
) -> None:
    """An S in the corner of a cell where episodes begin, as on the maps."""
    value = ground[cell]
    colour = ink(scale.colour(value)) if math.isfinite(value) else BLACK
    at = ((cell[1] + 0.06) * side, (cell[0] + 0.14) * side)
    write(surface, "S", at, 0.18 * side, colour=colour, bold=True)


def paint_action_numbers(
    surface: pygame.Surface, Q: Floats, scale: Scale, side: int, directions: list[Direction]
) -> None:
    """The value of every action in its wedge."""
    away, room = (0.34, 0.27) if len(directions) <= 5 else (0.36, 0.24)
    for r, c, action in np.argwhere(np.isfinite(Q)):
        rows, columns = directions[action]
        at = ((c + 0.5 + away * columns) * side, (r + 0.5 + away * rows) * side)
        value = Q[r, c, action]
        colour = ink(scale.colour(value))
        write(surface, short(value), at, 0.14 * side, colour=colour, align="center", width=room * side)


def paint_scale(surface: pygame.Surface, box: pygame.Rect, scale: Scale, title: str) -> None:
    """A bar with the colours from low to high, their numbers below, and what they mean."""
    title_height, text = 20, 13
    bar = pygame.Rect(box.x, box.y + title_height, box.width, 14)
    write(surface, title, (box.x, box.y + 8), text, width=box.width)
    steps = 64 if scale.high > scale.low else 1
    for k in range(steps):
        value = scale.low + (scale.high - scale.low) * (k + 0.5) / steps
        left, right = (bar.x + round(bar.width * at / steps) for at in (k, k + 1))
        surface.fill(scale.colour(value), (left, bar.y, right - left, bar.height))
    y = bar.bottom + 11
    if steps == 1:
        write(surface, short(scale.low), (bar.centerx, y), text, align="center")
        return
    lowest = f"{short(scale.low)} or less" if scale.clipped else short(scale.low)
    write(surface, lowest, (bar.x, y), text)
    middle = 0.5 * (scale.low + scale.high)
    write(surface, short(middle), (bar.centerx, y), text, align="center")
    write(surface, short(scale.high), (bar.right, y), text, align="right")


SCALE_HEIGHT = 58
"""What `paint_scale` takes, in pixels."""


def _box(r: int, c: int, side: int) -> pygame.Rect:
    return pygame.Rect(int(c) * side, int(r) * side, side, side)


def _place(shape: Floats, r: int, c: int, side: int) -> list[tuple[float, float]]:
    """A shape in the cell of this row and column, in pixels."""
    return ((shape + np.array([c + 0.5, r + 0.5])) * side).tolist()
