"""Observations of any space: how many copies of the world they come from, and how they are put into rows of members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from rlcourse.errors import UsageError


def leading_shape(space: gymnasium.Space[Any], observation: Any) -> tuple[int, ...]:
    """The dimensions in front of an observation: `()` of one copy, `(B,)` of a batch, `(S, N)` of N copies a member.

    Args:
        space: of a single observation.
        observation: arrays in the structure of the space (tuples, dictionaries); of a space without arrays, a sequence with
            an entry for each copy.

    Raises:
        UsageError: the observation is not of that structure.
    """
    while isinstance(space, (gymnasium.spaces.Dict, gymnasium.spaces.Tuple)):
        key: Any = next(iter(space.spaces)) if isinstance(space, gymnasium.spaces.Dict) else 0
        try:
            space, observation = space.spaces[key], observation[key]
        except (KeyError, IndexError, TypeError):
            raise UsageError(f"the observation is not of {space}") from None
    if space.shape is None:
        return (len(observation),)
    shape = np.shape(observation)
    cut = len(shape) - len(space.shape)
    if cut < 0 or shape[cut:] != space.shape:
        raise UsageError(f"the observation has the shape {list(shape)}, expected that of {say_space(space)}")
    return shape[:cut]


def in_rows(observation: Any, rows: tuple[int, ...]) -> Any:
    """A batch of observations `[B, ...]` as `[*rows, ...]`, in any structure of tuples and dictionaries."""
    return _each(observation, lambda array: array.reshape(*rows, *array.shape[1:]))


def _each(observation: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(observation, dict):
        return {key: _each(value, change) for key, value in observation.items()}
    if isinstance(observation, tuple) and all(
        isinstance(part, (np.ndarray, dict, tuple)) for part in observation
    ):
        return tuple(_each(part, change) for part in observation)
    return change(observation) if isinstance(observation, np.ndarray) else observation


def members_of(lead: tuple[int, ...], size: int) -> int:
    """The copies of each member, N, in the leading dimensions of an observation.

    Args:
        lead: `(S,)` or `(S, N)`; for a population of one also `()` and `(N,)`.
        size: S.

    Raises:
        UsageError: they lead with something else.
    """
    if size == 1 and len(lead) <= 1:
        return lead[0] if lead else 1
    if lead[:1] == (size,) and len(lead) <= 2:
        return lead[1] if len(lead) == 2 else 1
    raise UsageError(
        f"the observation leads with {list(lead)}, expected [{size}] or [{size}, N]: one for each member"
    )


def say_space(space: gymnasium.Space[Any]) -> str:
    """A space in a few words: of a Box the shape, not its bounds."""
    if isinstance(space, gymnasium.spaces.Box):
        return f"Box{list(space.shape)}"
    text = " ".join(str(space).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
