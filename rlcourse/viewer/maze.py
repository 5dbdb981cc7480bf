"""A maze from above: the map, the candies that are left, where the walker is and which way it went."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

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
from rlcourse.envs.maze.board import MAX_STEPS, NEVER, SHOWN, UNITS
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
    """The game of the copy `row` as a picture; what the walker cannot see is dimmed.

    Args:
        rules: the rules of the maze.
        state: its state arrays.
        row: which copy.

    Returns:
        `uint8 [H, W, 3]`; the size depends on the map only.
    """
    return _framed(rules, state, row, paint_board(rules, state, row, side_of(rules)))


def paint_values(
    rules: MazeRules, state: State, row: int, values: Callable[[Any], NDArray[np.float64]]
) -> NDArray[np.uint8]:
    """`paint`, with what an agent knows: the values of its actions as colours, and arrows for the best ones.

    Args:
        rules: the rules of the maze.
        state: its state arrays, or a snapshot.
        row: which copy.
        values: what it knows: observations `[N, ...]` -> values of the actions `[N, A]`. It is asked for every cell, with the
            candies as they are now.

    Returns:
        `uint8 [H, W, 3]`; the size depends on the map only.
    """
    from rlcourse.viewer.policy import paint_live

    whole = whole_state(rules, state)
    return _framed(rules, whole, row, paint_live(rules, whole, row, values))


def whole_state(rules: MazeRules, snapshot: State) -> State:
    """A snapshot with the arrays that follow from it."""
    state = rules.allocate(len(snapshot["core"]))
    for name in state.keys() - set(rules.derived):
        state[name][...] = snapshot[name]
    rules.rebuild(state)
    return state


def side_of(rules: MazeRules, largest: int = LARGEST, board: int = BOARD) -> int:
    """The side of a cell in pixels, such that the board has about the side `board`."""
    return max(SMALLEST, min(largest, board // max(rules.height, rules.width)))


def paint_board(
    rules: MazeRules,
    state: State,
    row: int,
    side: int,
    *,
    walkers: bool = True,
    beneath: Callable[[pygame.Surface, int], None] | None = None,
) -> pygame.Surface:
    """The cells alone.

    Args:
        rules: the rules of the maze.
        state: its state arrays.
        row: which copy.
        side: of a cell, in pixels.
        walkers: whether the walkers are drawn, and what they see is lit.
        beneath: draws onto the still map, of the given side of a cell, before all that moves is drawn; then candies are
            small, in a corner, so that they do not hide what it drew.
    """
    layout, which = rules.layout_of(state, row)
    board = _still(layout, which, side * FINE, rules.disguised).copy()
    if beneath is not None:
        beneath(board, side * FINE)
    _paint_visits(board, layout, state["cells"][row], side * FINE)
    cells = [divmod(int(cell), layout.width) for cell in rules.candy_cells(state, row)]
    room = 1.0 if beneath is None else 0.45
    _paint_candies(board, rules, cells, state["core"][row], side * FINE, room)
    lit = None
    if walkers:
        _paint_walkers(board, rules, layout, state["core"][row], side * FINE)
        lit = rules.sight.lit(rules.world(state), row)
    if lit is not None:
        _dim(board, lit, side * FINE)
    return pygame.transform.smoothscale(board, (layout.width * side, layout.height * side))


def _framed(rules: MazeRules, state: State, row: int, board: pygame.Surface) -> NDArray[np.uint8]:
    """The board with its head and margins."""
    width = max(NARROWEST, board.get_width() + 2 * MARGIN)
    surface = pygame.Surface((width, HEADER + board.get_height() + 2 * MARGIN))
    surface.fill(PAPER)
    _paint_header(surface, rules, state, row)
    surface.blit(board, ((width - board.get_width()) // 2, HEADER + MARGIN))
    return pixels(surface)


def _box(cell: tuple[int, int], side: int) -> pygame.Rect:
    return pygame.Rect(cell[1] * side, cell[0] * side, side, side)


def _paint_header(surface: pygame.Surface, rules: MazeRules, state: State, row: int) -> None:
    """The clock, the return of each walker, how many candies were found, and the cue while it is shown."""
    core, plan = state["core"][row], rules.board.plan
    pygame.draw.rect(surface, WHITE, (0, 0, surface.get_width(), HEADER))
    limit = "" if plan[MAX_STEPS] == NEVER else f" of {int(plan[MAX_STEPS]):,}"
    half = surface.get_width() / 2 - 1.5 * MARGIN
    notes = _notes(rules, core)
    upper, lower = HEADER / 2 - (9 if notes else 0), HEADER / 2 + 13
    write(surface, f"step {int(core[world.CLOCK]):,}{limit}", (MARGIN, upper), 18, bold=True, width=half)
    scores = [
        int(core[world.FIRST_WALKER + w * world.WALKER + world.SCORE]) / UNITS for w in range(rules.walkers)
    ]
    right = surface.get_width() - MARGIN
    if len(scores) == 1:
        write(surface, f"return {scores[0]:,.6g}", (right, upper), 18, align="right", width=half)
    else:
        text = f"blue {scores[0]:,.6g} : {scores[1]:,.6g} red"
        write(surface, text, (right, upper), 18, align="right", width=half)
    if notes:
        write(surface, ", ".join(notes), (MARGIN, lower), 14, colour=DIM, width=2 * half)


def _notes(rules: MazeRules, core: NDArray[np.int64]) -> list[str]:
    """What the head says in its second line."""
    notes = []
    dark = core[world.CLOCK] >= rules.board.plan[SHOWN]
    remaining, spawned = int(core[world.REMAINING]).bit_count(), int(core[world.SPAWNED]).bit_count()
    if rules.boxes:
        found = spawned - int(core[world.FILLED]).bit_count()
        notes.append(f"{found} of {spawned} candies found, {remaining} of {rules.n_candies} boxes closed")
    elif spawned:
        notes.append(f"{spawned - remaining} of {spawned} candies")
    if rules.cue:
        told = "the cue is over" if dark else f"cue {int(core[world.LEVEL]) + 1} of {rules.grid.alternatives}"
        notes.append(told)
    elif dark:
        notes.append("it is dark")
    return notes


@functools.lru_cache(maxsize=16)
def _still(layout: Layout, which: int, side: int, disguised: bool) -> pygame.Surface:
    """All that stays: floor, walls, exits, traps (which can look like exits), cliffs, one-ways, wind, starts."""
    surface = pygame.Surface((layout.width * side, layout.height * side))
    surface.fill(WALL)
    for cell in layout.cells():
        word, box = layout.word(cell, which), _box(cell, side)
        if word == "wall":
            continue
        pygame.draw.rect(surface, FLOOR, box)
        if layout.wind:
            _paint_wind(surface, box, layout.wind[cell[1]])
        if word == "exit" or (word == "trap" and disguised):
            _paint_exit(surface, box)
        elif word == "trap":
            _paint_trap(surface, box)
        elif word == "cliff":
            _paint_cliff(surface, box)
        elif word in STEPS:
            _paint_arrow(surface, box, STEPS[word], DIM, 0.3)
        elif word == "start" and len(layout.find("start", which)) < 10:
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


def _paint_candies(
    surface: pygame.Surface,
    rules: MazeRules,
    cells: list[tuple[int, int]],
    core: NDArray[np.int64],
    side: int,
    room: float,
) -> None:
    """What is left in the candy cells: candies, closed boxes, or the ghosts of candies that are not shown any more.

    They take the whole cell, or a smaller `room` in its corner.
    """
    ranks = sorted(set(rules.values))
    dark = core[world.CLOCK] >= rules.board.plan[SHOWN]
    target = pygame.Surface(surface.get_size(), pygame.SRCALPHA) if dark else surface
    for bit, (value, cell) in enumerate(zip(rules.values, cells, strict=True)):
        if core[world.REMAINING] >> bit & 1:
            box = _box(cell, side)
            if room < 1.0:
                box = pygame.Rect(
                    box.x + side // 32, box.y + side // 32, round(room * side), round(room * side)
                )
            if rules.boxes:
                _paint_closed_box(target, box)
            else:
                _paint_candy(target, box, value, ranks.index(value) / max(len(ranks) - 1, 1))
    if dark:
        target.set_alpha(70)
        surface.blit(target, (0, 0))


def _paint_candy(surface: pygame.Surface, box: pygame.Rect, value: float, rank: float) -> None:
    """A wrapped candy, its colour by the rank of its value (0 cheapest, 1 dearest), the value on it."""
    side = box.width
    colour = CANDY_COLOURS[round(rank * (len(CANDY_COLOURS) - 1))]
    reach, thin = (1.0 if side >= CLEAR * FINE else 1.5) * side, max(FINE, side // 40)
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
        write(surface, f"{value:g}", box.center, 0.34 * side, colour=ink, align="center", width=0.5 * side)


def _paint_closed_box(surface: pygame.Surface, box: pygame.Rect) -> None:
    """A parcel with a ribbon and a question mark."""
    side = box.width
    parcel = pygame.Rect(0, 0, round(0.72 * side), round(0.62 * side))
    parcel.center = box.center
    thin = max(FINE, side // 40)
    pygame.draw.rect(surface, ORANGE, parcel, border_radius=round(0.06 * side))
    pygame.draw.rect(surface, DIM, parcel, thin, border_radius=round(0.06 * side))
    lid = pygame.Rect(parcel.x, parcel.y, parcel.width, round(0.18 * side))
    pygame.draw.rect(surface, YELLOW, lid, border_radius=round(0.06 * side))
    pygame.draw.rect(surface, DIM, lid, thin, border_radius=round(0.06 * side))
    if side >= READABLE * FINE:
        at = (box.centerx, parcel.y + 0.4 * side)
        write(surface, "?", at, 0.3 * side, align="center", bold=True)


def _paint_walkers(
    surface: pygame.Surface, rules: MazeRules, layout: Layout, core: NDArray[np.int64], side: int
) -> None:
    """The walkers, the agent on top; two in one cell stand side by side."""
    places = [
        core[world.FIRST_WALKER + w * world.WALKER : world.FIRST_WALKER + (w + 1) * world.WALKER]
        for w in range(rules.walkers)
    ]
    together = len({int(one[world.POSITION]) for one in places}) < len(places)
    for w in reversed(range(len(places))):
        last = int(places[w][world.LAST])
        facing = rules.directions[last] if last >= 0 else (0, 0)
        box = _box(divmod(int(places[w][world.POSITION]), layout.width), side)
        if together:
            box = box.move((2 * w - 1) * 0.2 * side, 0)
        _paint_walker(surface, box, facing, other=w == 1)


def _paint_walker(
    surface: pygame.Surface, box: pygame.Rect, facing: tuple[int, int], *, other: bool = False
) -> None:
    """A blue round fellow whose eyes look where it went last; the other one is red and square."""
    side = box.width
    reach = (0.36 if side >= CLEAR * FINE else 0.55) * side
    if other:
        for size, colour in ((2 * reach + 0.08 * side, WHITE), (2 * reach, VERMILION)):
            square = pygame.Rect(0, 0, round(0.9 * size), round(0.9 * size))
            square.center = box.center
            pygame.draw.rect(surface, colour, square, border_radius=round(0.12 * side))
    else:
        pygame.draw.circle(surface, WHITE, box.center, reach + 0.04 * side)
        pygame.draw.circle(surface, BLUE, box.center, reach)
    centre = pygame.Vector2(box.center) + pygame.Vector2(facing[1], facing[0]) * 0.1 * side
    for eye in (-1, 1):
        at = centre + pygame.Vector2(eye * 0.13 * side, -0.04 * side)
        pygame.draw.circle(surface, WHITE, at, 0.09 * side)
        pupil = at + pygame.Vector2(facing[1], facing[0]) * 0.035 * side
        pygame.draw.circle(surface, BLACK, pupil, 0.045 * side)


def _dim(surface: pygame.Surface, lit: NDArray[np.bool_], side: int) -> None:
    """A veil over the cells that are not seen."""
    veil = pygame.Surface(surface.get_size(), pygame.SRCALPHA)
    for cell in np.argwhere(~lit):
        veil.fill((*BLACK, 150), _box((int(cell[0]), int(cell[1])), side))
    surface.blit(veil, (0, 0))
