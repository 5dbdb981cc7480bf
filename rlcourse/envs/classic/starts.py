"""How the episodes of the classic control problems begin, compiled."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit

from rlcourse.streams_compiled import next_uniform

compiled: Any = functools.partial(njit, cache=True, error_model="numpy")()


@compiled
def begin_rows(
    body: Any,
    home: Any,
    clock: Any,
    problem: Any,
    rows: Any,
    drawn: Any,
    low: Any,
    high: Any,
    rounded: Any,
) -> None:
    """Begin an episode in the copies `rows`.

    Args:
        body: float64 `[B, V]`, the variables.
        home: float64 `[B, V]`, what they are at first: kept for who asks for the same start again.
        clock: int64 `[B]`.
        problem: uint64 `[B]`, the streams.
        rows: the copies.
        drawn: the first so many variables are uniform on `[low, high)`, the others 0; with -1, all are those of `home`.
        low: see `drawn`.
        high: see `drawn`.
        rounded: to float32.
    """
    for i in rows:
        for v in range(home.shape[1]):
            if drawn >= 0:
                x = low + (high - low) * next_uniform(problem, i) if v < drawn else 0.0
                home[i, v] = np.float32(x) if rounded else x
            body[i, v] = home[i, v]
        clock[i] = 0
