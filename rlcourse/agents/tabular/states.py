"""Numbers for what is observed: every observation of a finite space is a row of the table."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rlcourse.agents.observations import checked_shape
from rlcourse.errors import UsageError


class StateNumbers:
    """Numbers 0 .. n - 1 for the observations of a finite space: the digits are its numbers, the last one counts fastest.

    Args:
        space: Discrete, MultiDiscrete, MultiBinary, or a Tuple or Dict of those.

    Raises:
        UsageError: the space is not finite.
    """

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        self.space = space
        self.leaves: list[tuple[tuple[Any, ...], int, NDArray[np.int64], NDArray[np.int64]]] = []
        self._collect(space, ())
        sizes = [int(size) for *_, counts in self.leaves for size in counts]
        self.n = math.prod(sizes)
        self.plain = isinstance(space, spaces.Discrete)

    def _collect(self, space: gymnasium.Space[Any], path: tuple[Any, ...]) -> None:
        """Note path, dimensions, first numbers and counts of every part."""
        if isinstance(space, spaces.Discrete):
            self.leaves.append((path, 0, np.array([space.start], np.int64), np.array([space.n], np.int64)))
        elif isinstance(space, spaces.MultiDiscrete):
            start = np.asarray(space.start, np.int64).reshape(-1)
            counts = np.asarray(space.nvec, np.int64).reshape(-1)
            self.leaves.append((path, len(space.shape), start, counts))
        elif isinstance(space, spaces.MultiBinary):
            size = math.prod(space.shape)
            ones = np.ones(size, np.int64)
            self.leaves.append((path, len(space.shape), 0 * ones, 2 * ones))
        elif isinstance(space, spaces.Tuple):
            for place, part in enumerate(space.spaces):
                self._collect(part, (*path, place))
        elif isinstance(space, spaces.Dict):
            for key, part in space.spaces.items():
                self._collect(part, (*path, key))
        else:
            raise UsageError(f"{space} is not finite")

    def read(self, observation: Any) -> NDArray[np.int64]:
        """The numbers of observations with any leading dimensions, int64 of that shape.

        Raises:
            UsageError: an observation that the space does not contain.
        """
        lead = checked_shape(self.space, observation)
        number = np.zeros(lead, np.int64)
        for path, dimensions, start, counts in self.leaves:
            part = observation
            for key in path:
                part = part[key]
            digits = np.asarray(part).astype(np.int64).reshape(*lead, len(counts)) - start
            if dimensions == 0:
                number = number * counts[0] + digits[..., 0]
                continue
            for place, count in enumerate(counts):
                number = number * count + digits[..., place]
        return number
