"""A row of slot machines: how often each was played, which one last, and what came out so far. No hidden truth.

Where a round comes with something to see, a context or a cue, it is in the picture; and what an agent believes of the
machines, where it is asked for.
"""

from __future__ import annotations

import math

import gymnasium
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
    PALE,
    PAPER,
    PURPLE,
    SKY_BLUE,
    VERMILION,
    WHITE,
    YELLOW,
)
from rlcourse.envs.bandits.base import BanditRules
from rlcourse.envs.rules import State
from rlcourse.viewer.canvas import fit, pixels, write
from rlcourse.viewer.overlay import Values, paint_value, value_range

WIDTH, HEADER, MARGIN = 960, 84, 20
"""Width of the picture, height of its head and its margins, in pixels."""
TALLEST, SMALLEST, LEVER = 280, 112, 18
"""Height of a machine, in pixels: if there is a single row of them, and at least; the room for its lever."""
PER_ROW = 10
"""Machines in a row; more of them stand in several rows."""
SEEN, VALUE = 34, 44
"""Height of a context and of a value, in pixels."""


def paint(
    rules: BanditRules, state: State, row: int, values: NDArray[np.float64] | None = None
) -> NDArray[np.uint8]:
    """The game of the copy `row` as a picture.

    Args:
        rules: the rules of the bandit.
        state: its state arrays.
        row: which copy.
        values: what an agent believes of every arm, `[K]`, to stand below the machines.

    Returns:
        `uint8 [H, W, 3]`; the size depends on the world only, and on whether there are values.
    """
    seen = _seen(rules, state, row)
    boxes, below = _boxes(rules, 0 if values is None else VALUE)
    surface = pygame.Surface((WIDTH, boxes[-1].bottom + below + MARGIN))
    surface.fill(PAPER)
    _paint_header(surface, rules, state, row)
    if seen is not None and seen.ndim < 2:
        _paint_seen(surface, rules, seen)
    pulls, last = state["pulls"][row], int(state["last"][row])
    for arm, body in enumerate(boxes):
        _paint_machine(surface, body, arm, pulls, arm == last)
        if seen is not None and seen.ndim == 2:
            _paint_vector(surface, pygame.Rect(body.x, body.bottom + 8, body.width, SEEN - 8), seen[arm])
    if values is not None:
        low, high = value_range(values, rules.reward_range)
        best = float(values.max())
        for body, value in zip(boxes, values, strict=True):
            under = pygame.Rect(body.x, body.bottom + below - VALUE + 10, body.width, VALUE - 10)
            paint_value(surface, under, float(value), low, high, best=bool(value == best))
    return pixels(surface)


def paint_values(rules: BanditRules, state: State, row: int, values: Values) -> NDArray[np.uint8]:
    """The picture with what an agent believes of every arm, in the round that it sees now."""
    return paint(rules, state, row, values(rules.observe(state)[row : row + 1])[0])


def spots(rules: BanditRules) -> list[pygame.Rect]:
    """Where the machines stand in the picture, to be clicked on."""
    return _boxes(rules, 0)[0]


def _boxes(rules: BanditRules, values: int) -> tuple[list[pygame.Rect], int]:
    """The machines, and the height of what is written below each."""
    arms, space = rules.n_arms, rules.observation_space
    columns = min(arms, PER_ROW)
    rows = math.ceil(arms / columns)
    tall = max(SMALLEST, TALLEST // rows)
    cell = (WIDTH - MARGIN) / columns
    wide = min(cell - LEVER - 10, 0.8 * tall)
    shape = space.shape or ()
    below = values + (SEEN if len(shape) == 2 else 0)
    plain = len(shape) == 2 or (isinstance(space, gymnasium.spaces.Discrete) and space.n == 1)
    top = HEADER + MARGIN + (0 if plain else SEEN)
    boxes = []
    for arm in range(arms):
        line, column = divmod(arm, columns)
        box = pygame.Rect(0, 0, round(wide), tall)
        centre = MARGIN / 2 + cell * (column + 0.5)
        box.midtop = (round(centre - LEVER / 3), top + line * (tall + below + MARGIN))
        boxes.append(box)
    return boxes, below


def _seen(rules: BanditRules, state: State, row: int) -> NDArray[np.float64] | None:
    """What the player sees in this round: a cue `[]`, a context `[dim]`, one for every arm `[K, dim]`, or nothing."""
    space = rules.observation_space
    if isinstance(space, gymnasium.spaces.Discrete) and space.n == 1:
        return None
    return np.asarray(rules.observe(state)[row], np.float64)


def _paint_seen(surface: pygame.Surface, rules: BanditRules, seen: NDArray[np.float64]) -> None:
    """The context, or the cue, below the header."""
    middle = HEADER + SEEN / 2 + 6
    if seen.ndim == 0:
        cues = int(rules.observation_space.n)  # type: ignore[attr-defined]
        write(surface, f"cue {seen:g}", (MARGIN, middle), 20, bold=True)
        write(surface, f"of the cues 0 to {cues - 1}", (MARGIN + 80, middle), 14, colour=DIM)
        return
    write(surface, "context", (MARGIN, middle), 16, bold=True)
    _paint_vector(surface, pygame.Rect(110, HEADER + 8, WIDTH - 110 - MARGIN, SEEN - 4), seen)


def _paint_vector(surface: pygame.Surface, box: pygame.Rect, vector: NDArray[np.float64]) -> None:
    """A bar for every entry of a vector of length 1, up or down; with its number, where there is room."""
    wide = box.width / len(vector)
    for place, entry in enumerate(vector):
        bar = pygame.Rect(round(box.x + place * wide), box.centery, max(1, round(min(0.7 * wide, 24))), 0)
        bar.height = max(1, round(abs(entry) * box.height / 2))
        if entry > 0:
            bar.bottom = box.centery
        pygame.draw.rect(surface, GREEN if entry > 0 else PURPLE, bar)
        pygame.draw.line(surface, GREY, (bar.x - 2, box.centery), (bar.right + 1, box.centery))
        if wide > 80:
            write(surface, f"{entry:+.2f}", (bar.right + 8, box.centery), 14)


def _paint_header(surface: pygame.Surface, rules: BanditRules, state: State, row: int) -> None:
    """The clock with a progress bar, and the total."""
    clock, total = int(state["round"][row]), float(state["paid"][row])
    pygame.draw.rect(surface, WHITE, (0, 0, WIDTH, HEADER))
    half = WIDTH / 2 - 2 * MARGIN
    write(surface, f"round {clock:,} of {rules.n_rounds:,}", (MARGIN, 32), 24, bold=True, width=half)
    mean = f"   ({total / clock:.3f} a round)" if clock else ""
    write(
        surface,
        f"total reward {total:,.6g}{mean}",
        (WIDTH - MARGIN, 32),
        24,
        align="right",
        width=half,
    )
    bar = pygame.Rect(MARGIN, 58, WIDTH - 2 * MARGIN, 8)
    pygame.draw.rect(surface, PALE, bar, border_radius=4)
    done = bar.copy()
    done.width = round(bar.width * min(clock / rules.n_rounds, 1.0))
    if done.width:
        pygame.draw.rect(surface, BLUE, done, border_radius=4)


def _paint_machine(
    surface: pygame.Surface, body: pygame.Rect, arm: int, pulls: NDArray[np.int64], last: bool
) -> None:
    """One machine: cap with its number, window with its pulls, bar and share of all pulls, lever.

    The bar is full for the machine that was played most, so that it can be read with fifty machines, too.
    """
    unit = body.height / 100
    round_corner = round(7 * unit)
    if last:  # a frame and a lever that is down: to be seen without colours, too
        frame = body.inflate(10, 10)
        pygame.draw.rect(surface, YELLOW, frame, border_radius=round_corner + 4)
        pygame.draw.rect(surface, BLACK, frame, 2, border_radius=round_corner + 4)
    _paint_lever(surface, body, unit, down=last)
    pygame.draw.rect(surface, SKY_BLUE, body, border_radius=round_corner)
    cap = pygame.Rect(body.x, body.y, body.width, round(24 * unit))
    corners = {"border_top_left_radius": round_corner, "border_top_right_radius": round_corner}
    pygame.draw.rect(surface, BLUE, cap, **corners)
    write(
        surface,
        str(arm),
        cap.center,
        16 * unit,
        colour=WHITE,
        align="center",
        bold=True,
        width=0.8 * cap.width,
    )

    window = pygame.Rect(0, 0, round(0.82 * body.width), round(32 * unit))
    window.midtop = (body.centerx, body.y + round(31 * unit))
    pygame.draw.rect(surface, WHITE, window, border_radius=round(3 * unit))
    inside = 0.88 * window.width
    size = fit(f"{int(pulls.max()):,}", 14 * unit, inside)  # one size for all machines
    write(surface, f"{int(pulls[arm]):,}", (window.centerx, window.y + 12 * unit), size, align="center")
    word = "pull" if pulls[arm] == 1 else "pulls"
    under = (window.centerx, window.y + 24 * unit)
    write(surface, word, under, max(0.55 * size, 10), align="center", colour=DIM, width=inside)

    bar = pygame.Rect(0, 0, window.width, round(9 * unit))
    bar.midtop = (body.centerx, body.y + round(68 * unit))
    pygame.draw.rect(surface, WHITE, bar)
    filled = bar.copy()
    filled.width = round(bar.width * pulls[arm] / max(int(pulls.max()), 1))
    pygame.draw.rect(surface, ORANGE, filled)
    pygame.draw.rect(surface, BLACK, bar, 1)
    share = 100 * pulls[arm] / max(int(pulls.sum()), 1)
    label = (body.centerx, body.y + 88 * unit)
    write(surface, f"{share:.1f}%", label, fit("100.0%", max(9 * unit, 11), inside), align="center")


def _paint_lever(surface: pygame.Surface, body: pygame.Rect, unit: float, *, down: bool) -> None:
    """A lever at the right side, up or down."""
    hinge = (body.right, body.y + round(44 * unit))
    knob = (body.right + LEVER - 6, body.y + round((60 if down else 28) * unit))
    pygame.draw.line(surface, BLACK, hinge, knob, max(3, round(1.5 * unit)))
    pygame.draw.circle(surface, VERMILION if down else GREY, knob, max(4, min(round(3 * unit), 8)))
