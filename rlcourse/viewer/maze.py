"""A maze from above: the map, the candies that are left, where the walker is and which way it went."""

from __future__ import annotations

import functools

import numpy as np
import pygame
from numpy.typing import NDArray

from rlcourse.colours import (
    BLACK,
    BLUE,
    DIM,
    GREEN,
    GREY,
    ORANGE,
    PAPER,
    PURPLE,
    SKY_BLUE,
    VERMILION,
    WHITE,
    YELLOW,
    Colour,
)
from rlcourse.envs.maze import world
from rlcourse.envs.maze.board import CANDIES, MAX_STEPS, NEVER, UNITS
from rlcourse.envs.maze.layout import STEPS, Layout
from rlcourse.envs.maze.rules import MazeRules
from rlcourse.envs.rules import State
from rlcourse.viewer.canvas import pixels, write

LARGEST, SMALLEST, BOARD = 72, 8, 704
"""Side of a cell at most and at least, and of the board where cells are neither, in pixels."""
HEADER, MARGIN, NARROWEST = 56, 16, 360
"""Height of the head, margins, and the least width of a picture, in pixels."""
FINE = 2
"""The board is drawn so many times larger and then reduced, which smooths all edges."""
READABLE, CLEAR = 22, 16
"""Cells of this side have room for a number; in smaller ones than `CLEAR`, things fill the cell and there is no grid."""

FLOOR: Colour = (238, 238, 241)
WALL: Colour = (68, 74, 88)
SHADE: Colour = (206, 214, 226)
CANDY_COLOURS = (YELLOW, ORANGE, PURPLE, VERMILION)
"""From the cheapest to the dearest; the number says it, too, where there is room."""


def paint(rules: MazeRules, state: State, row: int) -> NDArray[np.uint8]:
    """The game of the copy `row` as a picture.

    Args:
        rules: the rules of the maze.
        state: its state arrays.
        row: which copy.

    Returns:
        `uint8 [H, W, 3]`; the size depends on the map only.
    """
    layout, which = rules.layout_of(state, row)
    side = max(SMALLEST, min(LARGEST, BOARD // max(layout.height, layout.width)))
    board = _still(layout, which, side * FINE).copy()
    _paint_visits(board, layout, state["cells"][row], side * FINE)
    _paint_candies(board, layout, int(state["core"][row, world.REMAINING]), side * FINE)
    walker = state["core"][row, world.FIRST_WALKER :]
    last = int(walker[world.LAST])
    facing = rules.directions[last] if last >= 0 else (0, 0)
    cell = divmod(int(walker[world.POSITION]), layout.width)
    _paint_walker(board, _box(cell, side * FINE), facing)
    board = pygame.transform.smoothscale(board, (layout.width * side, layout.height * side))

    width = max(NARROWEST, board.get_width() + 2 * MARGIN)
    surface = pygame.Surface((width, HEADER + board.get_height() + 2 * MARGIN))
    surface.fill(PAPER)
    _paint_header(surface, rules, state, row)
    surface.blit(board, ((width - board.get_width()) // 2, HEADER + MARGIN))
    return pixels(surface)


def _box(cell: tuple[int, int], side: int) -> pygame.Rect:
    return pygame.Rect(cell[1] * side, cell[0] * side, side, side)


def _paint_header(surface: pygame.Surface, rules: MazeRules, state: State, row: int) -> None:
    """The clock, the return, and how many candies are left."""
    core, plan = state["core"][row], rules.board.plan
    pygame.draw.rect(surface, WHITE, (0, 0, surface.get_width(), HEADER))
    limit = "" if plan[MAX_STEPS] == NEVER else f" of {int(plan[MAX_STEPS]):,}"
    half = surface.get_width() / 2 - 1.5 * MARGIN
    candies = int(plan[CANDIES])
    upper = HEADER / 2 - (9 if candies else 0)
    write(surface, f"step {int(core[world.CLOCK]):,}{limit}", (MARGIN, upper), 18, bold=True, width=half)
    score = int(core[world.FIRST_WALKER + world.SCORE]) / UNITS
    right = surface.get_width() - MARGIN
    write(surface, f"return {score:,.6g}", (right, upper), 18, align="right", width=half)
    if candies:
        left = int(core[world.REMAINING]).bit_count()
        write(surface, f"{candies - left} of {candies} candies", (MARGIN, upper + 22), 14, colour=DIM)


@functools.lru_cache(maxsize=16)
def _still(layout: Layout, which: int, side: int) -> pygame.Surface:
    """All that stays: floor, walls, exits, traps, cliffs, one-ways, wind, starts."""
    surface = pygame.Surface((layout.width * side, layout.height * side))
    surface.fill(WALL)
    for cell in layout.cells():
        word, box = layout.word(cell, which), _box(cell, side)
        if word == "wall":
            continue
        pygame.draw.rect(surface, FLOOR, box)
        if layout.wind:
            _paint_wind(surface, box, layout.wind[cell[1]])
        if word == "exit":
            _paint_exit(surface, box)
        elif word == "trap":
            _paint_trap(surface, box)
        elif word == "cliff":
            _paint_cliff(surface, box)
        elif word in STEPS:
            _paint_arrow(surface, box, STEPS[word], DIM, 0.3)
        elif word == "start" and len(layout.find("start")) < 10:
            pygame.draw.circle(surface, GREY, box.center, 0.36 * side, max(1, side // 24))
    line = max(1, side // 32)
    for cell in layout.cells():  # a grid between the cells of the floor
        if layout.word(cell, which) != "wall" and side >= CLEAR * FINE:
            pygame.draw.rect(surface, WHITE, _box(cell, side), line)
    return surface


def _paint_exit(surface: pygame.Surface, box: pygame.Rect) -> None:
    """A flag on a green field."""
    pygame.draw.rect(surface, GREEN, box)
    unit = box.width / 10
    x, y = box.x + 3.4 * unit, box.y
    pygame.draw.line(surface, WHITE, (x, y + 2 * unit), (x, y + 8.2 * unit), max(1, round(0.8 * unit)))
    cloth = [(x, y + 2 * unit), (x + 4.2 * unit, y + 3.6 * unit), (x, y + 5.2 * unit)]
    pygame.draw.polygon(surface, WHITE, cloth)


def _paint_trap(surface: pygame.Surface, box: pygame.Rect) -> None:
    """A black pit with a cross."""
    pygame.draw.circle(surface, BLACK, box.center, 0.42 * box.width)
    reach, thick = 0.18 * box.width, max(1, round(0.08 * box.width))
    for slope in (-1, 1):
        start = (box.centerx - reach, box.centery - slope * reach)
        pygame.draw.line(surface, VERMILION, start, (box.centerx + reach, box.centery + slope * reach), thick)


def _paint_cliff(surface: pygame.Surface, box: pygame.Rect) -> None:
    """An abyss: dark, with an edge of teeth."""
    pygame.draw.rect(surface, VERMILION, box)
    teeth = 3
    for tooth in range(teeth):
        x = box.x + tooth * box.width / teeth
        middle = x + box.width / teeth / 2
        points = [(x, box.y), (x + box.width / teeth, box.y), (middle, box.y + 0.3 * box.height)]
        pygame.draw.polygon(surface, FLOOR, points)


def _paint_wind(surface: pygame.Surface, box: pygame.Rect, strength: int) -> None:
    """A tint, and as many chevrons upward as the wind blows cells."""
    if not strength:
        return
    pygame.draw.rect(surface, SHADE, box)
    shown = min(strength, 3)
    for chevron in range(shown):
        offset = (chevron - (shown - 1) / 2) * 0.24 * box.height
        tip = (box.centerx, box.centery + offset - 0.09 * box.height)
        for to in (-1, 1):
            end = (box.centerx + to * 0.18 * box.width, tip[1] + 0.16 * box.height)
            pygame.draw.line(surface, SKY_BLUE, tip, end, max(1, box.width // 16))


def _paint_arrow(
    surface: pygame.Surface, box: pygame.Rect, step: tuple[int, int], colour: Colour, reach: float
) -> None:
    """An arrow that points where a step of rows and columns leads."""
    along = pygame.Vector2(step[1], step[0]) * reach * box.width
    aside = along.rotate(90) * 0.75
    centre = pygame.Vector2(box.center)
    middle = centre + 0.05 * along
    pygame.draw.polygon(surface, colour, [centre + along, middle + aside, middle - aside])
    pygame.draw.line(surface, colour, centre - along, middle, max(1, round(0.12 * box.width)))


def _paint_visits(surface: pygame.Surface, layout: Layout, visits: NDArray[np.uint8], side: int) -> None:
    """A dot in every cell that was entered, where that matters."""
    for number in np.flatnonzero(visits):
        box = _box(divmod(int(number), layout.width), side)
        pygame.draw.circle(surface, SKY_BLUE, box.center, max(2, 0.1 * side))


def _paint_candies(surface: pygame.Surface, layout: Layout, left: int, side: int) -> None:
    """A wrapped candy for each that is left, its colour by the rank of its value, the value on it."""
    candies = layout.find("candy")
    large = 1.0 if side >= CLEAR * FINE else 1.5
    ranks = sorted({layout.value(cell) for cell in candies})
    for bit, cell in enumerate(candies):
        if not left >> bit & 1:
            continue
        value, box = layout.value(cell), _box(cell, side)
        place = ranks.index(value) * (len(CANDY_COLOURS) - 1) / max(len(ranks) - 1, 1)
        colour = CANDY_COLOURS[round(place)]
        reach, thin = large * side, max(FINE, side // 40)
        for end in (-1, 1):
            inner = (box.centerx + end * 0.2 * reach, box.centery)
            x, y = box.centerx + end * 0.44 * min(reach, 1.1 * side), 0.2 * reach
            wrap = [inner, (x, box.centery - y), (x, box.centery + y)]
            pygame.draw.polygon(surface, colour, wrap)
            pygame.draw.polygon(surface, DIM, wrap, thin)
        pygame.draw.circle(surface, colour, box.center, 0.28 * reach)
        pygame.draw.circle(surface, DIM, box.center, 0.28 * reach, thin)
        if side >= READABLE * FINE:
            ink = WHITE if colour == VERMILION else BLACK
            write(
                surface, f"{value:g}", box.center, 0.34 * side, colour=ink, align="center", width=0.5 * side
            )


def _paint_walker(surface: pygame.Surface, box: pygame.Rect, facing: tuple[int, int]) -> None:
    """A blue round fellow whose eyes look where it went last."""
    side = box.width
    pygame.draw.circle(surface, WHITE, box.center, 0.4 * side)
    pygame.draw.circle(surface, BLUE, box.center, (0.36 if side >= CLEAR * FINE else 0.55) * side)
    centre = pygame.Vector2(box.center) + pygame.Vector2(facing[1], facing[0]) * 0.1 * side
    for eye in (-1, 1):
        at = centre + pygame.Vector2(eye * 0.13 * side, -0.04 * side)
        pygame.draw.circle(surface, WHITE, at, 0.09 * side)
        pupil = at + pygame.Vector2(facing[1], facing[0]) * 0.035 * side
        pygame.draw.circle(surface, BLACK, pupil, 0.045 * side)
