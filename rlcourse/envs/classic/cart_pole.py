"""CartPole in batches: Barto, Sutton & Anderson (1983), as Gymnasium's `CartPole-v1` has it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from rlcourse.envs.classic.base import Classic
from rlcourse.envs.classic.starts import compiled
from rlcourse.envs.vector import WorldVectorEnv
from rlcourse.errors import UsageError

GRAVITY = 9.8
MASS_POLE = 0.1
TOTAL_MASS = MASS_POLE + 1.0
HALF_LENGTH = 0.5
POLE_MASS_LENGTH = MASS_POLE * HALF_LENGTH
FORCE = 10.0
TAU = 0.02
"""Seconds between two steps."""
X_LIMIT = 2.4
ANGLE_LIMIT = 12 * 2 * math.pi / 360


@compiled
def move(
    body: Any,
    clock: Any,
    actions: Any,
    max_steps: Any,
    sutton_barto_reward: Any,
    rewards: Any,
    terminated: Any,
    truncated: Any,
) -> None:
    """One step of every copy: Euler's method on the equations of Florian (2007), in Gymnasium's order of operations."""
    for i in range(len(actions)):
        x, x_dot, theta, theta_dot = body[i, 0], body[i, 1], body[i, 2], body[i, 3]
        force = FORCE if actions[i] == 1 else -FORCE
        cos, sin = math.cos(theta), math.sin(theta)
        temp = (force + POLE_MASS_LENGTH * (theta_dot * theta_dot) * sin) / TOTAL_MASS
        theta_acc = (GRAVITY * sin - cos * temp) / (
            HALF_LENGTH * (4.0 / 3.0 - MASS_POLE * (cos * cos) / TOTAL_MASS)
        )
        x_acc = temp - POLE_MASS_LENGTH * theta_acc * cos / TOTAL_MASS
        x = x + TAU * x_dot
        theta = theta + TAU * theta_dot
        body[i, 0], body[i, 1] = x, x_dot + TAU * x_acc
        body[i, 2], body[i, 3] = theta, theta_dot + TAU * theta_acc
        fallen = x < -X_LIMIT or x > X_LIMIT or theta < -ANGLE_LIMIT or theta > ANGLE_LIMIT
        if sutton_barto_reward:
            rewards[i] = -1.0 if fallen else 0.0
        else:
            rewards[i] = 1.0
        clock[i] += 1
        terminated[i], truncated[i] = fallen, clock[i] >= max_steps


@dataclass(frozen=True)
class CartPole(Classic):
    """The rules of `CartPole-v1` (and, with `max_steps=200`, v0)."""

    sutton_barto_reward: bool = False
    """0 for a step and -1 for the fall, instead of 1 for every step."""
    max_steps: int | None = 500
    """Steps until an episode is truncated; `None` is never."""

    gymnasium_class: ClassVar[str] = "gymnasium.envs.classic_control.cartpole:CartPoleEnv"
    variables: ClassVar[tuple[str, ...]] = ("position", "velocity", "angle", "angular velocity")
    drawn: ClassVar[int] = 4
    bounds: ClassVar[tuple[float, float]] = (-0.05, 0.05)

    def __post_init__(self) -> None:
        """Refuse impossible options."""
        super().__post_init__()
        if not isinstance(self.sutton_barto_reward, bool):
            raise UsageError(f"sutton_barto_reward={self.sutton_barto_reward!r} must be True or False")

    def _move(self, body: Any, clock: Any, actions: Any, *outcome: Any) -> None:
        move(body, clock, actions, self._limit, self.sutton_barto_reward, *outcome)


class CartPoleVectorEnv(WorldVectorEnv):
    """Copies of Gymnasium's `CartPole-v1` in lockstep."""

    rules_class = CartPole
    rules: CartPole
