"""Colours that the colour-blind can tell apart, for windows, plots and observations."""

from __future__ import annotations

Colour = tuple[int, int, int]

# Okabe & Ito 2008, "Color universal design"
ORANGE: Colour = (230, 159, 0)
SKY_BLUE: Colour = (86, 180, 233)
GREEN: Colour = (0, 158, 115)
YELLOW: Colour = (240, 228, 66)
BLUE: Colour = (0, 114, 178)
VERMILION: Colour = (213, 94, 0)
PURPLE: Colour = (204, 121, 167)
BLACK: Colour = (30, 30, 34)
DIM: Colour = (95, 95, 102)
GREY: Colour = (150, 150, 156)
PALE: Colour = (226, 227, 231)
PAPER: Colour = (247, 247, 249)
WHITE: Colour = (255, 255, 255)
