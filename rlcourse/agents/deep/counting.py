"""What is counted in every step of a population: episodes and what they paid, and observations that were met; compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rlcourse.streams_compiled import bits_at

kernel = njit(cache=True, error_model="numpy", nogil=True)


@kernel
def note_step(
    rewards: Any,
    terminated: Any,
    truncated: Any,
    over: Any,
    returns: Any,
    running: Any,
    episodes: Any,
    earned: Any,
) -> None:
    """Enter a step of all copies into the account of their members, in place.

    Args:
        rewards: float64 `[S N]`.
        terminated: bool `[S N]`.
        truncated: bool `[S N]`.
        over: bool `[S N]`, becomes true where an episode is over.
        returns: float64 `[S N]`, what each copy was paid in the episode that it is in.
        running: float64 `[S]`, becomes their mean.
        episodes: int64 `[S]`, how many are over.
        earned: float64 `[S]`, what those paid.
    """
    copies = len(rewards) // len(running)
    for s in range(len(running)):
        total = 0.0
        for b in range(s * copies, (s + 1) * copies):
            returns[b] += rewards[b]
            over[b] = terminated[b] or truncated[b]
            if over[b]:
                episodes[s] += 1
                earned[s] += returns[b]
                returns[b] = 0.0
            total += returns[b]
        running[s] = total / copies


@kernel
def _count(seen: Any, visits: Any, out: Any) -> None:
    members, bins = visits.shape
    copies = len(seen) // members
    for b in range(len(seen)):
        word = np.uint64(0)
        for byte in seen[b]:
            word = bits_at(word ^ np.uint64(byte) + np.uint64(0x9E3779B97F4A7C15))
        s, at = b // copies, np.int64(word % np.uint64(bins))
        visits[s, at] += 1
        out[b] = visits[s, at]


def count_visits(rows: NDArray[Any], visits: NDArray[np.int32]) -> NDArray[np.int64]:
    """Count the observations of the copies by a hash of their bytes; how often each was met, this time included, `[S N]`.

    Source: Tang et al. (2017), "#Exploration: a study of count-based exploration for deep reinforcement learning",
    section 2.2.

    Args:
        rows: `[S N, ...]`.
        visits: int32 `[S, bins]`, counted up in place.
    """
    out = np.empty(len(rows), np.int64)
    _count(np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8), visits, out)
    return out
