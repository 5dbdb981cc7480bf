"""The rules of a world: what a family of worlds has to say, on arrays with a leading batch axis.

A world is a frozen dataclass of `Rules`: its fields are the JSON options of the world, its methods work on a
*state*, a dictionary of arrays `[B, ...]`. The faces in `rlcourse.envs.base` make Gymnasium environments of
it.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.errors import UsageError, did_you_mean

State = dict[str, NDArray[Any]]


class Outcome(NamedTuple):
    """What one step of a batch gives; every array leads with `[B]`."""

    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    info: dict[str, NDArray[Any]]


class Rules(ABC):
    """The rules of a world on arrays. Subclasses are frozen dataclasses; their fields are its options."""

    streams: ClassVar[tuple[str, ...]]
    """Names of the random streams that a sub-environment owns; `state[name]` is `uint64 [B]`. A stream called
    "problem" decides what the episode is about, and can be held fixed (`options={"same_problem": True}`)."""

    painter: ClassVar[str]
    """`module:function` that draws one sub-environment; loaded when `render()` is called."""

    observation_space: gymnasium.Space[Any]
    """Of one sub-environment."""
    action_space: gymnasium.spaces.Discrete

    @abstractmethod
    def allocate(self, batch: int) -> State:
        """Fresh state arrays for `batch` sub-environments, streams excepted; `reset` fills them."""

    @abstractmethod
    def reset(self, state: State, rows: NDArray[np.intp], *, same_problem: bool) -> None:
        """Begin an episode in the sub-environments `rows`; `same_problem` keeps what the last was about."""

    @abstractmethod
    def step(self, state: State, actions: NDArray[np.int64]) -> Outcome:
        """Move every sub-environment by one action `[B]`, changing `state` in place."""

    @abstractmethod
    def observe(self, state: State) -> NDArray[Any]:
        """The observations of the whole batch, a new array `[B, ...]`."""

    @abstractmethod
    def describe(self, state: State, row: int) -> str:
        """The sub-environment `row` in a few lines of text, for `render_mode="ansi"`."""


def build_rules(rules_class: type[Rules], options: dict[str, Any]) -> Rules:
    """The rules with these options.

    Raises:
        UsageError: an option that the world does not have (with a suggestion), or a value that is impossible.
    """
    known = [field.name for field in dataclasses.fields(rules_class) if field.init]  # type: ignore[arg-type]
    for name in options:
        if name not in known:
            raise UsageError(did_you_mean(name, known, kind=f"option of {rules_class.__name__}"))
    plain = {
        name: value.item() if isinstance(value, np.generic) else value for name, value in options.items()
    }
    return rules_class(**plain)
