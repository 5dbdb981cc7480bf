"""A finite model: its states as a field of squares, the present one marked."""

from __future__ import annotations

import math

import numpy as np
import pygame
from numpy.typing import NDArray

from rlcourse.colours import BLUE, DIM, PALE, PAPER, WHITE
from rlcourse.envs.finite.world import FiniteWorld
from rlcourse.envs.rules import State
from rlcourse.viewer.canvas import pixels, write

WIDTH, HEADER, MARGIN = 480, 56, 16
"""Width of the picture, height of its head and its margins, in pixels."""


def paint(rules: FiniteWorld, state: State, row: int) -> NDArray[np.uint8]:
    """The copy `row` as a picture.

    Args:
        rules: the rules of the world.
        state: its state arrays.
        row: which copy.

    Returns:
        `uint8 [H, W, 3]`; the size depends on the number of states only.
    """
    count, at = rules.model.n_states, int(state["position"][row])
    columns = math.ceil(math.sqrt(count))
    side = (WIDTH - 2 * MARGIN) / columns
    surface = pygame.Surface((WIDTH, HEADER + math.ceil(side * math.ceil(count / columns)) + MARGIN))
    surface.fill(PAPER)
    clock = int(state["clock"][row])
    write(surface, f"state {at:,} of {count:,}", (MARGIN, HEADER / 2), 20, bold=True, width=WIDTH * 0.6)
    write(surface, f"step {clock:,}", (WIDTH - MARGIN, HEADER / 2), 20, colour=DIM, align="right")
    for x in range(count):
        line, column = divmod(x, columns)
        left, right = MARGIN + round(column * side), MARGIN + round((column + 1) * side)
        top, bottom = HEADER + round(line * side), HEADER + round((line + 1) * side)
        gap = 2 if side >= 8 else 0
        box = pygame.Rect(left, top, right - left - gap, bottom - top - gap)
        pygame.draw.rect(surface, BLUE if x == at else PALE, box)
        if side >= 40:
            middle = (float(box.centerx), float(box.centery))
            write(surface, str(x), middle, side / 3, colour=WHITE if x == at else DIM, align="center")
    return pixels(surface)
