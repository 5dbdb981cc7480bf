"""How often each member has met an observation, by a hash of its bytes; compiled.

Source: Tang et al. (2017), "#Exploration: a study of count-based exploration for deep reinforcement learning", section 2.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rlcourse.streams_compiled import bits_at


@njit(cache=True, error_model="numpy")
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
    """Count the observations of the copies, and say how often each was met, this time included, int64 `[S N]`.

    Args:
        rows: `[S N, ...]`.
        visits: int32 `[S, bins]`, counted up in place.
    """
    out = np.empty(len(rows), np.int64)
    _count(np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8), visits, out)
    return out
