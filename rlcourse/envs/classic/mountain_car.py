"""MountainCar in batches: Moore (1990), as Gymnasium's `MountainCar-v0` has it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from rlcourse.envs.classic.base import Classic
from rlcourse.envs.classic.starts import compiled
from rlcourse.envs.options import check_number, set_field
from rlcourse.envs.vector import WorldVectorEnv

LOW, HIGH, GOAL = -1.2, 0.6, 0.5
MAX_SPEED = 0.07
FORCE, GRAVITY = 0.001, 0.0025


@compiled
def move(
    body: Any,
    clock: Any,
    actions: Any,
    max_steps: Any,
    goal_velocity: Any,
    rewards: Any,
    terminated: Any,
    truncated: Any,
) -> None:
    """One step of every copy: v += (a - 1) FORCE - cos(3 x) GRAVITY, x += v, both within their bounds; -1 a step."""
    for i in range(len(actions)):
        position, velocity = body[i, 0], body[i, 1]
        velocity += (actions[i] - 1) * FORCE + math.cos(3 * position) * (-GRAVITY)
        velocity = min(max(velocity, -MAX_SPEED), MAX_SPEED)
        position = min(max(position + velocity, LOW), HIGH)
        if position == LOW and velocity < 0:
            velocity = 0.0
        body[i, 0], body[i, 1] = position, velocity
        rewards[i] = -1.0
        clock[i] += 1
        terminated[i] = position >= GOAL and velocity >= goal_velocity
        truncated[i] = clock[i] >= max_steps


@dataclass(frozen=True)
class MountainCar(Classic):
    """The rules of `MountainCar-v0`."""

    goal_velocity: float = 0.0
    """How fast the car has to be at the goal."""
    max_steps: int | None = 200
    """Steps until an episode is truncated; `None` is never."""

    gymnasium_class: ClassVar[str] = "gymnasium.envs.classic_control.mountain_car:MountainCarEnv"
    variables: ClassVar[tuple[str, ...]] = ("position", "velocity")
    drawn: ClassVar[int] = 1
    bounds: ClassVar[tuple[float, float]] = (-0.6, -0.4)

    def __post_init__(self) -> None:
        """Refuse impossible options."""
        super().__post_init__()
        set_field(self, "goal_velocity", check_number("goal_velocity", self.goal_velocity))

    def _move(self, body: Any, clock: Any, actions: Any, *outcome: Any) -> None:
        move(body, clock, actions, self._limit, self.goal_velocity, *outcome)


class MountainCarVectorEnv(WorldVectorEnv):
    """Copies of Gymnasium's `MountainCar-v0` in lockstep."""

    rules_class = MountainCar
    rules: MountainCar
