"""Worlds of other people, that draw themselves: one with negative actions, one with more actions than keys."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pygame


class Corridor(gymnasium.Env[int, int]):
    """Seven cells in a row; -1, 0 and 1 are left, stay and right; every fifth step slips back. The end pays 1."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012  (Gymnasium's own form)
    observation_space = gymnasium.spaces.Discrete(7)
    action_space = gymnasium.spaces.Discrete(3, start=-1)

    def __init__(self, render_mode: str | None = None, length: int = 7) -> None:
        self.render_mode = render_mode
        self.length = length
        self.cell = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.cell = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        slips = self.np_random.random() < 0.2
        self.cell = max(0, self.cell + (-1 if slips else int(action)))
        over = self.cell >= self.length - 1
        return self.cell, float(over) - 0.01, over, False, {}

    def render(self) -> np.ndarray:
        image = np.full((20, 10 * self.length, 3), 200, np.uint8)
        image[:, 10 * self.cell : 10 * self.cell + 10] = (0, 0, 255)
        return image

    def close(self) -> None:
        pygame.quit()  # as Gymnasium's own toy worlds do


class Doors(Corridor):
    """Twenty-five doors; number 17 is the right one, and pays nothing that is finite."""

    action_space = gymnasium.spaces.Discrete(25)

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.cell = 1
        return 1, np.inf if action == 17 else 0.0, action == 17, False, {}


class Mute(Corridor):
    """Says that it draws, and does not."""

    def render(self) -> None:  # type: ignore[override]
        return None


CORRIDOR, DOORS, MUTE = "tests/Corridor-v0", "tests/Doors-v0", "tests/Mute-v0"
gymnasium.register(CORRIDOR, entry_point=Corridor, max_episode_steps=30)
gymnasium.register(DOORS, entry_point=Doors)
gymnasium.register(MUTE, entry_point=Mute)
