"""Acrobot in batches: Sutton (1996), by the equations of the book, as Gymnasium's `Acrobot-v1` has it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.classic.base import Classic
from rlcourse.envs.classic.starts import compiled
from rlcourse.envs.rules import State
from rlcourse.envs.vector import WorldVectorEnv

DT = 0.2
"""Seconds between two steps."""
M = 1.0
"""Mass of each link, kg; both links are 1 m long, with the centre of mass at LC and a moment of inertia of 1."""
LC = 0.5
G = 9.8
MAX_SPEED_1, MAX_SPEED_2 = 4 * math.pi, 9 * math.pi


@compiled
def derivative(theta1: Any, theta2: Any, dtheta1: Any, dtheta2: Any, torque: Any) -> Any:
    """The angular accelerations of both links (Sutton & Barto 1998, section 11.3)."""
    d1 = M * LC**2 + M * (1.0 + LC**2 + 2 * LC * math.cos(theta2)) + 2.0
    d2 = M * (LC**2 + LC * math.cos(theta2)) + 1.0
    phi2 = M * LC * G * math.cos(theta1 + theta2 - math.pi / 2.0)
    phi1 = (
        -M * LC * dtheta2**2 * math.sin(theta2)
        - 2 * M * LC * dtheta2 * dtheta1 * math.sin(theta2)
        + (M * LC + M) * G * math.cos(theta1 - math.pi / 2)
        + phi2
    )
    ddtheta2 = (torque + d2 / d1 * phi1 - M * LC * dtheta1**2 * math.sin(theta2) - phi2) / (
        M * LC**2 + 1.0 - d2**2 / d1
    )
    return -(d2 * ddtheta2 + phi1) / d1, ddtheta2


@compiled
def wrapped(angle: Any) -> Any:
    """The same angle within [-pi, pi]."""
    while angle > math.pi:
        angle -= 2 * math.pi
    while angle < -math.pi:
        angle += 2 * math.pi
    return angle


@compiled
def move(
    body: Any,
    clock: Any,
    actions: Any,
    max_steps: Any,
    rewards: Any,
    terminated: Any,
    truncated: Any,
) -> None:
    """One step of every copy: a fourth-order Runge-Kutta step of DT under a constant torque; -1 until the tip is up."""
    half = DT / 2.0
    for i in range(len(actions)):
        torque = actions[i] - 1.0
        a, b, da, db = body[i, 0], body[i, 1], body[i, 2], body[i, 3]
        dda1, ddb1 = derivative(a, b, da, db, torque)
        da2, db2 = da + half * dda1, db + half * ddb1
        dda2, ddb2 = derivative(a + half * da, b + half * db, da2, db2, torque)
        da3, db3 = da + half * dda2, db + half * ddb2
        dda3, ddb3 = derivative(a + half * da2, b + half * db2, da3, db3, torque)
        da4, db4 = da + DT * dda3, db + DT * ddb3
        dda4, ddb4 = derivative(a + DT * da3, b + DT * db3, da4, db4, torque)
        a = wrapped(a + DT / 6.0 * (da + 2 * da2 + 2 * da3 + da4))
        b = wrapped(b + DT / 6.0 * (db + 2 * db2 + 2 * db3 + db4))
        da += DT / 6.0 * (dda1 + 2 * dda2 + 2 * dda3 + dda4)
        db += DT / 6.0 * (ddb1 + 2 * ddb2 + 2 * ddb3 + ddb4)
        body[i, 0], body[i, 1] = a, b
        body[i, 2] = min(max(da, -MAX_SPEED_1), MAX_SPEED_1)
        body[i, 3] = min(max(db, -MAX_SPEED_2), MAX_SPEED_2)
        up = -math.cos(a) - math.cos(b + a) > 1.0
        rewards[i] = 0.0 if up else -1.0
        clock[i] += 1
        terminated[i], truncated[i] = up, clock[i] >= max_steps


@compiled
def look(body: Any, seen: Any) -> None:
    """Both angles as cosine and sine, and both angular velocities, into float32 `[B, 6]`."""
    for i in range(len(body)):
        for j in range(2):
            seen[i, 2 * j] = math.cos(body[i, j])
            seen[i, 2 * j + 1] = math.sin(body[i, j])
            seen[i, 4 + j] = body[i, 2 + j]


@dataclass(frozen=True)
class Acrobot(Classic):
    """The rules of `Acrobot-v1`."""

    max_steps: int | None = 500
    """Steps until an episode is truncated; `None` is never."""

    gymnasium_class: ClassVar[str] = "gymnasium.envs.classic_control.acrobot:AcrobotEnv"
    variables: ClassVar[tuple[str, ...]] = ("angle 1", "angle 2", "angular velocity 1", "angular velocity 2")
    drawn: ClassVar[int] = 4
    bounds: ClassVar[tuple[float, float]] = (-0.1, 0.1)
    rounded: ClassVar[bool] = True

    def _move(self, body: Any, clock: Any, actions: Any, *outcome: Any) -> None:
        move(body, clock, actions, self._limit, *outcome)

    def observe(self, state: State) -> NDArray[Any]:
        """See `Rules.observe`."""
        body = state["body"]
        seen = np.empty((len(body), 6), np.float32)
        look(body, seen)
        return seen


class AcrobotVectorEnv(WorldVectorEnv):
    """Copies of Gymnasium's `Acrobot-v1` in lockstep."""

    rules_class = Acrobot
    rules: Acrobot
