"""What the classic control problems share: the state, its first values and the time limit.

They are not registered: under Gymnasium's own ids they stand in for its environments where many copies are needed
(`rlcourse.native`). The physics is that of Gymnasium's scalar environments, in float64; observations are float32, and the
spaces are those of the environment itself.
"""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Collection
from functools import cached_property
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.classic.starts import begin_rows
from rlcourse.envs.options import LARGEST, check_count
from rlcourse.envs.rules import Outcome, Rules, State
from rlcourse.errors import UsageError


class Classic(Rules):
    """The rules of a classic control problem; subclasses are frozen dataclasses with a field `max_steps`.

    State: `body float64 [B, V]` (the variables of the physics, as Gymnasium orders them), `home float64 [B, V]` (what
    they were when the episode began) and `clock int64 [B]`; the stream "problem" draws the first values.
    """

    streams: ClassVar[tuple[str, ...]] = ("problem",)
    painter: ClassVar[str] = "rlcourse.viewer.classic:paint"

    gymnasium_class: ClassVar[str]
    """`module:class` of Gymnasium's environment."""
    variables: ClassVar[tuple[str, ...]]
    """Names of the V variables."""
    drawn: ClassVar[int]
    """So many of them are drawn, uniformly; the others begin at 0."""
    bounds: ClassVar[tuple[float, float]]
    """Of the first values."""
    rounded: ClassVar[bool] = False
    """Whether the first values are rounded to float32."""

    max_steps: int | None

    def __post_init__(self) -> None:
        """Refuse an impossible time limit."""
        if self.max_steps is not None:
            check_count("max_steps", self.max_steps)

    @classmethod
    def peer(cls, **arguments: Any) -> gymnasium.Env[Any, Any]:
        """Gymnasium's environment, without wrappers."""
        module, name = cls.gymnasium_class.split(":")
        return getattr(importlib.import_module(module), name)(**arguments)

    @cached_property
    def observation_space(self) -> gymnasium.Space[Any]:  # type: ignore[override]
        """That of Gymnasium's environment."""
        return self.peer().observation_space

    @cached_property
    def action_space(self) -> gymnasium.spaces.Discrete:  # type: ignore[override]
        """That of Gymnasium's environment."""
        return self.peer().action_space  # type: ignore[return-value]

    def allocate(self, batch: int) -> State:
        """See `Rules.allocate`."""
        shape = (batch, len(self.variables))
        return {"body": np.zeros(shape), "home": np.zeros(shape), "clock": np.zeros(batch, np.int64)}

    def check_state(self, state: State) -> None:
        """See `Rules.check_state`: variables have to be finite, clocks before the time limit or on it."""
        for name in ("body", "home"):
            if not np.isfinite(state[name]).all():
                raise UsageError(f"state[{name!r}] has a number that is not finite")
        clock = np.asarray(state["clock"])
        if (clock < 0).any() or (clock > self._limit).any():
            raise UsageError("state['clock'] has a number that this world does not have")

    @cached_property
    def _limit(self) -> int:
        return LARGEST if self.max_steps is None else self.max_steps

    def reset(self, state: State, rows: NDArray[np.intp], *, hold: Collection[str] = ()) -> None:
        """See `Rules.reset`; the problem is what the variables are at first."""
        arrays = (state["body"], state["home"], state["clock"], state["problem"])
        begin_rows(*arrays, rows, -1 if "problem" in hold else self.drawn, *self.bounds, self.rounded)

    def step(self, state: State, actions: NDArray[np.int64]) -> Outcome:
        """See `Rules.step`. An episode can end and be truncated in the same step, as in Gymnasium's `TimeLimit`."""
        batch = len(actions)
        rewards = np.empty(batch)
        terminated, truncated = np.empty(batch, np.bool_), np.empty(batch, np.bool_)
        self._move(state["body"], state["clock"], actions, rewards, terminated, truncated)
        return Outcome(rewards, terminated, truncated, {})

    @abstractmethod
    def _move(
        self,
        body: NDArray[np.float64],
        clock: NDArray[np.int64],
        actions: NDArray[np.int64],
        rewards: NDArray[np.float64],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """One step of every copy, in place."""

    def observe(self, state: State) -> NDArray[Any]:
        """See `Rules.observe`."""
        return state["body"].astype(np.float32)

    def describe(self, state: State, row: int) -> str:
        """The clock and the variables."""
        said = (
            f"{name} {value:+.4f}" for name, value in zip(self.variables, state["body"][row], strict=True)
        )
        return f"step {state['clock'][row]}\n" + "\n".join(said)
