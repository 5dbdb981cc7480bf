"""The tiles of `observation="rgb"`: 8 x 8 pixels for everything that can stand in a cell, drawn without pygame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlcourse import colours

SIZE = 8
FLOOR: colours.Colour = (238, 238, 241)
WALL: colours.Colour = (68, 74, 88)
CANDIES = (colours.YELLOW, colours.ORANGE, colours.PURPLE, colours.VERMILION)
"""From the cheapest to the dearest, as in the window; of more than four values, those between have mixed colours."""


def make_sprites(values: int) -> NDArray[np.uint8]:
    """Wall, floor, walker, the other one, visited floor, exit, trap, cliff, a candy for each value, `uint8 [n, 8, 8, 3]`."""
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    disc = np.hypot(x, y)
    tiles = [_plain(WALL), _plain(FLOOR)]
    tiles.append(_on_floor(disc < 3.6, colours.BLUE))
    tiles.append(_on_floor(np.abs(x) + np.abs(y) < 4.4, colours.VERMILION))
    tiles.append(_on_floor(disc < 1.0, colours.SKY_BLUE))
    exit_ = _plain(colours.GREEN)
    exit_[1:7, 2] = exit_[1:4, 3:5] = exit_[2, 5] = colours.WHITE
    tiles.append(exit_)
    trap = _on_floor(disc < 3.6, colours.BLACK)
    trap[(np.abs(np.abs(x) - np.abs(y)) < 0.5) & (disc < 2.4)] = colours.VERMILION
    tiles.append(trap)
    cliff = _plain(colours.VERMILION)
    cliff[0, ::2] = cliff[1, ::4] = FLOOR
    tiles.append(cliff)
    for rank in range(values):
        place = rank * (len(CANDIES) - 1) / max(values - 1, 1)
        if values <= len(CANDIES):
            place = round(place)
        red, green, blue = (
            int(np.interp(place, range(len(CANDIES)), channel)) for channel in zip(*CANDIES, strict=True)
        )
        colour = (red, green, blue)
        candy = _on_floor((disc < 2.6) | ((np.abs(x) > 2) & (np.abs(y) < 2)), colour)
        candy[(disc >= 1.8) & (disc < 2.6)] = [channel * 2 // 3 for channel in colour]
        tiles.append(candy)
    return np.array(tiles)


def _plain(colour: colours.Colour) -> NDArray[np.uint8]:
    return np.full((SIZE, SIZE, 3), colour, np.uint8)


def _on_floor(where: NDArray[np.bool_], colour: colours.Colour) -> NDArray[np.uint8]:
    tile = _plain(FLOOR)
    tile[where] = colour
    return tile
