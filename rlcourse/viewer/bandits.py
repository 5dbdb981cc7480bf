"""A row of slot machines: how often each was played, which one last, and what came out so far. No hidden truth."""

from __future__ import annotations

import math

import numpy as np
import pygame
from numpy.typing import NDArray

from rlcourse.colours import BLACK, BLUE, DIM, GREY, ORANGE, PALE, PAPER, SKY_BLUE, VERMILION, WHITE, YELLOW
from rlcourse.envs.bandits.base import BanditRules
from rlcourse.envs.rules import State
from rlcourse.viewer.canvas import fit, pixels, write

WIDTH, HEADER, MARGIN = 960, 84, 20
"""Width of the picture, height of its head and its margins, in pixels."""
TALLEST, SMALLEST, LEVER = 280, 112, 18
"""Height of a machine, in pixels: if there is a single row of them, and at least; the room for its lever."""
PER_ROW = 10
"""Machines in a row; more of them stand in several rows."""


def paint(rules: BanditRules, state: State, row: int) -> NDArray[np.uint8]:
    """The game of the copy `row` as a picture.

    Args:
        rules: the rules of the bandit.
        state: its state arrays.
        row: which copy.

    Returns:
        `uint8 [H, W, 3]`; the size depends on the number of arms only.
    """
    arms = rules.n_arms
    columns = min(arms, PER_ROW)
    rows = math.ceil(arms / columns)
    tall = max(SMALLEST, TALLEST // rows)
    surface = pygame.Surface((WIDTH, HEADER + rows * (tall + MARGIN) + MARGIN))
    surface.fill(PAPER)
    _paint_header(surface, rules, state, row)
    cell = (WIDTH - MARGIN) / columns
    wide = min(cell - LEVER - 10, 0.8 * tall)
    pulls, last = state["pulls"][row], int(state["last"][row])
    for arm in range(arms):
        line, column = divmod(arm, columns)
        centre = MARGIN / 2 + cell * (column + 0.5)
        body = pygame.Rect(0, 0, round(wide), tall)
        body.midtop = (round(centre - LEVER / 3), HEADER + MARGIN + line * (tall + MARGIN))
        _paint_machine(surface, body, arm, pulls, arm == last)
    return pixels(surface)


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
