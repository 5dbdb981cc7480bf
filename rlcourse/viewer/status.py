"""The bar below a picture: what the last step paid, the return, how far the episode is, and what the keys do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pygame
from numpy.typing import NDArray

from rlcourse.colours import BLACK, DIM, GREEN, PALE, PAPER, VERMILION, WHITE, Colour
from rlcourse.viewer.canvas import measure, pixels, write

MARGIN, NARROWEST, SMALL = 16, 480, 240
"""Margin and least width of a frame, and the size below which a picture is enlarged, in pixels."""
FIRST, SECOND, KEYS = 36, 26, 20
"""Height of the lines: figures, caption, keys."""
GAP = 22
"""Between two keys that are explained, in pixels."""


@dataclass(frozen=True)
class Status:
    """Where a game stands."""

    reward: float | None = None
    """What the last step paid; `None` before the first."""
    total: float = 0.0
    """The return of the episode so far."""
    step: int = 0
    """Steps of the episode so far."""
    episode: int = 1
    """Counted from 1."""
    end: str | None = None
    """How the episode ended: "terminated", "truncated", or `None` while it goes on."""
    caption: str = ""
    """What else there is to say."""
    keys: tuple[str, ...] = ()
    """What the keys do, a few words each."""

    @property
    def ending(self) -> str:
        """The end of the episode in a sentence, in Gymnasium's words too; empty while it goes on."""
        if self.end is None:
            return ""
        why = "The episode is over" if self.end == "terminated" else "The time is up"
        return (
            f"{why} ({self.end}): return {number(self.total)} in {self.step:,} step{'s' * (self.step != 1)}"
        )


def number(value: float) -> str:
    """A figure as people write it: six digits, none of them idle, and nothing of the rounding of sums."""
    return f"{round(value, 9) + 0.0:,.6g}"


def signed(reward: float) -> str:
    """A reward with its sign: `+5`, `-0.05`, `0`."""
    return "0" if reward == 0 else f"{reward:+,.6g}"


def with_status(image: NDArray[np.uint8], status: Status) -> NDArray[np.uint8]:
    """A frame: the picture, and below it the bar.

    Args:
        image: `uint8 [H, W, 3]`.
        status: what the bar says.

    Returns:
        `uint8 [H', W', 3]`; the size depends on that of the picture and on the keys only.
    """
    image = enlarged(image)
    left, width = place(image)
    lines = _wrap(status.keys, width - 2 * MARGIN)
    high = FIRST + SECOND + (len(lines) * KEYS + 8 if lines else 0)
    frame = np.full((len(image) + high, width, 3), PAPER, np.uint8)
    if np.isin(image[:, 0], (PAPER, WHITE)).all():  # it is drawn on our paper, which goes on to the sides
        frame[: len(image)] = image[:, :1]
    frame[: len(image), left : left + image.shape[1]] = image
    bar = pygame.Surface((width, high))
    bar.fill(WHITE)
    pygame.draw.line(bar, PALE, (0, 0), (width, 0), 2)
    _write_figures(bar, status)
    line = status.ending or status.caption
    room = width - 2 * MARGIN
    write(bar, line, (MARGIN, FIRST + 10), 15, bold=bool(status.end), width=room)
    for count, keys in enumerate(lines):
        for x, text in keys:
            write(bar, text, (MARGIN + x, FIRST + SECOND + KEYS * (count + 0.5)), 13, colour=DIM)
    frame[len(image) :] = pixels(bar)
    return frame


def enlarged(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture that is very small, such as a screen of 1980, in larger dots."""
    times = max(1, SMALL // max(image.shape[:2]))
    return image.repeat(times, axis=0).repeat(times, axis=1) if times > 1 else image


def place(image: NDArray[np.uint8]) -> tuple[int, int]:
    """Where the picture begins in its frame, from the left, and how wide the frame is."""
    width = max(NARROWEST, image.shape[1])
    return (width - image.shape[1]) // 2, width


def _write_figures(bar: pygame.Surface, status: Status) -> None:
    """The reward in its colour and with its sign, the return, the step and the episode."""
    width = bar.get_width()
    column = (width - 2 * MARGIN) / 4
    reward = status.reward
    if reward is not None:
        colour: Colour = GREEN if reward > 0 else VERMILION if reward < 0 else DIM
        write(bar, "reward", (MARGIN, FIRST / 2 + 2), 13, colour=DIM)
        where = (MARGIN + measure("reward  ", 13), FIRST / 2 + 2)
        write(bar, signed(reward), where, 20, colour=colour, bold=True, width=column - 36)
    else:
        write(bar, "no reward yet", (MARGIN, FIRST / 2 + 2), 13, colour=DIM, width=column - 8)
    texts = (f"return {number(status.total)}", f"step {status.step:,}", f"episode {status.episode:,}")
    for place_, text in enumerate(texts, start=1):
        at = (width - MARGIN - (3 - place_) * column, FIRST / 2 + 2)
        write(bar, text, at, 16, colour=BLACK, align="right", width=column - 8)


def _wrap(texts: tuple[str, ...], room: float) -> list[list[tuple[float, str]]]:
    """The texts on as few lines as they need: for each line, where a text begins and the text."""
    lines: list[list[tuple[float, str]]] = []
    x = 0.0
    for text in texts:
        wide = measure(text, 13)
        if not lines or x + wide > room:
            lines.append([])
            x = 0.0
        lines[-1].append((x, text))
        x += wide + GAP
    return lines
