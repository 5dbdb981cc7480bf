"""What an agent believes, drawn into the picture of its world."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pygame
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Agent
from rlcourse.colours import BLACK, BLUE, DIM, GREY, PAPER, SKY_BLUE, WHITE
from rlcourse.viewer.canvas import pixels, write
from rlcourse.viewer.keys import action_names

Values = Callable[[Any], NDArray[np.float64]]
"""Observations `[N, ...]` -> how good every action looks in each of them, `[N, A]`."""
MARGIN, COLUMN, ROW = 16, 92, 56
"""Margin, least width and height of an action in the strip below a picture, in pixels."""
MOST_ACTIONS = 64
"""With more of them there is no strip."""


def values_of(agent: Any) -> Values | None:
    """What a population of one believes: the `values` of a bandit strategy, the `action_values` of any other agent.

    Both are methods that take observations; `None` where an agent has neither.
    """
    if isinstance(agent, BanditAgent):
        return agent.values
    if getattr(type(agent), "action_values", None) is Agent.action_values:  # the one that has nothing to say
        return None
    return getattr(agent, "action_values", None)


def draw(
    world: Any,
    image: Callable[[], NDArray[np.uint8]],
    observation: Any,
    values: Values | None,
) -> NDArray[np.uint8]:
    """The picture of a world, with what an agent believes in it.

    A world draws it in its own way where the module that paints it has a function `paint_values(rules, state, row,
    values)`; it may ask for the values of any observations it likes. In other worlds the values of the actions stand in a
    strip below the picture.

    Args:
        world: a copy of the world, or a batch of which the first is drawn.
        image: draws it without values.
        observation: what the agent sees, `[1, ...]`.
        values: what it believes; `None` draws nothing.
    """
    if values is None:
        return image()
    painter = painter_of(world)
    if hasattr(painter, "paint_values"):
        return painter.paint_values(world.unwrapped.rules, world.unwrapped.get_state(), 0, values)
    plain, names = image(), action_names(world)
    found = np.asarray(values(observation), np.float64)
    if found.shape != (1, len(names)) or len(names) > MOST_ACTIONS:
        return plain
    return np.concatenate([*_widened(plain, value_strip(names, found[0], max(plain.shape[1], 480)))])


def painter_of(world: Any) -> Any:
    """The module that paints a world of ours; `None` for any other."""
    painter = getattr(getattr(world.unwrapped, "rules", None), "painter", None)
    return None if painter is None else importlib.import_module(painter.split(":")[0])


def value_range(values: NDArray[np.float64], bounds: tuple[float, float] = (0.0, 0.0)) -> tuple[float, float]:
    """From where to where the bars go: zero, the bounds (where they are finite) and all values are inside."""
    inside = [0.0, *values[np.isfinite(values)], *(bound for bound in bounds if math.isfinite(bound))]
    low, high = float(min(inside)), float(max(inside))
    return (low, high) if high > low else (low, low + 1.0)


def paint_value(
    surface: pygame.Surface, box: pygame.Rect, value: float, low: float, high: float, *, best: bool
) -> None:
    """A bar from zero to a value, and its number; the best one is darker and bold. Out of the race is a dash."""
    bar = pygame.Rect(box.x, box.y, box.width, round(0.35 * box.height))
    pygame.draw.rect(surface, WHITE, bar)
    zero = bar.x + round(bar.width * -low / (high - low))
    if math.isfinite(value):
        end = bar.x + round(bar.width * (value - low) / (high - low))
        filled = pygame.Rect(min(zero, end), bar.y, abs(end - zero), bar.height)
        pygame.draw.rect(surface, BLUE if best else SKY_BLUE, filled)
    pygame.draw.rect(surface, GREY, bar, 1)
    if low < 0.0:
        pygame.draw.line(surface, BLACK, (zero, bar.top - 2), (zero, bar.bottom + 1))
    text = f"{value:,.3f}" if abs(value) < 100.0 else f"{value:,.0f}" if math.isfinite(value) else "-"
    at = (box.centerx, bar.bottom + 0.38 * box.height)
    write(surface, text, at, 0.45 * box.height, align="center", bold=best, width=box.width)


def value_strip(names: Sequence[str], values: NDArray[np.float64], width: int) -> NDArray[np.uint8]:
    """The value of every action in a strip, `uint8 [H, width, 3]`."""
    columns = min(len(names), max(1, (width - MARGIN) // COLUMN))
    rows = math.ceil(len(names) / columns)
    surface = pygame.Surface((width, rows * ROW + MARGIN))
    surface.fill(PAPER)
    low, high = value_range(values)
    cell = (width - MARGIN) / columns
    best = values.max()
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        line, column = divmod(place, columns)
        box = pygame.Rect(0, 0, round(cell) - MARGIN, ROW - 24)
        box.topleft = (round(MARGIN + column * cell), line * ROW + 22)
        write(surface, name, (box.centerx, box.y - 10), 13, align="center", colour=DIM, width=box.width)
        paint_value(surface, box, float(value), low, high, best=bool(value == best))
    return pixels(surface)


def _widened(
    image: NDArray[np.uint8], strip: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture as wide as the strip."""
    spare = strip.shape[1] - image.shape[1]
    paper = np.array(PAPER, np.uint8)
    wide = np.empty((len(image), strip.shape[1], 3), np.uint8)
    wide[:] = paper
    wide[:, spare // 2 : spare // 2 + image.shape[1]] = image
    return wide, strip
