"""Observations of any space: how many copies of the world they come from, and how they are put into rows of members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

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
    shape = _as_array(space, observation).shape
    cut = len(shape) - len(space.shape)
    if cut < 0 or shape[cut:] != space.shape:
        raise UsageError(f"the observation has the shape {list(shape)}, expected that of {say_space(space)}")
    return shape[:cut]


def checked_shape(space: gymnasium.Space[Any], observation: Any) -> tuple[int, ...]:
    """The `leading_shape` of an observation of which every part was looked at: it is one that the space contains.

    Of a Box the shape and the kind of numbers are looked at, not the bounds.

    Args:
        space: of a single observation: Discrete, MultiDiscrete, MultiBinary, Box, or a Dict or Tuple of those.
        observation: as for `leading_shape`.

    Raises:
        UsageError: the observation is not of that structure, or a number is not one of those that the space has.
    """
    lead = leading_shape(space, observation)
    _check_part(space, space, observation, lead)
    return lead


def holds_nothing(space: gymnasium.Space[Any]) -> bool:
    """Whether a space, or a part of it, has no numbers: a Box of shape [0], a Dict without entries."""
    if isinstance(space, (gymnasium.spaces.Dict, gymnasium.spaces.Tuple)):
        named = space.spaces.values() if isinstance(space, gymnasium.spaces.Dict) else space.spaces
        return not named or any(holds_nothing(part) for part in named)
    return 0 in (space.shape or ())


def _check_part(
    whole: gymnasium.Space[Any], space: gymnasium.Space[Any], observation: Any, lead: tuple[int, ...]
) -> None:
    """Refuse a part of an observation that is not one of `space`, or leads with something else than the first part."""
    if isinstance(space, (gymnasium.spaces.Dict, gymnasium.spaces.Tuple)):
        named = space.spaces.items() if isinstance(space, gymnasium.spaces.Dict) else enumerate(space.spaces)
        for key, inner in named:
            try:
                part = observation[key]
            except (KeyError, IndexError, TypeError):
                raise UsageError(f"the observation is not of {say_space(whole)}: it lacks {key!r}") from None
            _check_part(whole, inner, part, lead)
        return
    array = _as_array(space, observation)
    if array.shape != (*lead, *(space.shape or ())):
        raise UsageError(
            f"the observation has the shape {list(array.shape)} where {[*lead, *(space.shape or ())]} is expected, that of "
            f"{say_space(space)}"
        )
    if isinstance(space, gymnasium.spaces.Box):
        if array.dtype.kind not in "biuf":
            raise UsageError(f"the observation is {array.dtype}, expected numbers of {say_space(space)}")
        return
    if array.dtype.kind not in "biu":
        raise UsageError(f"the observation is {array.dtype}, expected whole numbers of {say_space(space)}")
    first: Any = getattr(space, "start", 0)
    count: Any = (
        space.nvec
        if isinstance(space, gymnasium.spaces.MultiDiscrete)
        else space.n
        if isinstance(space, gymnasium.spaces.Discrete)
        else 2
    )
    places = array.astype(np.int64, copy=False) - first
    if ((places < 0) | (places >= count)).any():
        raise UsageError(f"the observation is not one of {say_space(whole)}")


def _as_array(space: gymnasium.Space[Any], observation: Any) -> NDArray[Any]:
    """An observation as an array; UsageError for lists of different lengths."""
    try:
        return np.asarray(observation)
    except ValueError as error:
        raise UsageError(
            f"the observation is not of {say_space(space)}: its lists differ in length"
        ) from error


def rows_of_flags(episode_start: Any, rows: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Where an episode begins, bool `[S, N]`; `None` where nothing was said.

    Raises:
        UsageError: it is not one for each copy.
    """
    if episode_start is None:
        return None
    flags = np.asarray(episode_start, np.bool_)
    if flags.size != rows[0] * rows[1]:
        raise UsageError(
            f"episode_start has the shape {list(flags.shape)}, expected one for each of {list(rows)} copies"
        )
    return flags.reshape(rows)


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
