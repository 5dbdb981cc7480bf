"""A few operations on `[S, K]` tables that every strategy needs, without a loop over the members."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.streams import Streams


def argmax_random_ties(values: NDArray[np.float64], stream: Streams) -> NDArray[np.int64]:
    """The column of the maximum of every row; where several are equal, one of them with equal chances.

    Only the members that have a tie draw from their stream, so that a member's numbers do not depend on its neighbours.

    Args:
        values: `[S, K]`, no NaN.
        stream: the streams of the S members.

    Returns:
        int64 `[S]`.
    """
    size, arms = values.shape
    first = values.argmax(axis=1)
    best = values.reshape(-1).take(np.arange(0, size * arms, arms) + first)
    equal = values == best[:, None]
    if np.count_nonzero(equal) == size:
        return first
    where = np.flatnonzero(equal) // arms
    rows = np.unique(where[1:][where[1:] == where[:-1]])
    tied = equal[rows]
    pick = stream.integers(np.count_nonzero(tied, axis=1), rows=rows)
    first[rows] = (tied.cumsum(axis=1) > pick[:, None]).argmax(axis=1)
    return first


def softmax(preferences: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(x) / sum exp(x) along the last axis, shifted so that nothing overflows."""
    weights = np.exp(preferences - preferences.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def rows_of(mask: NDArray[Any]) -> NDArray[np.intp]:
    """The members for which the mask holds."""
    return np.flatnonzero(mask)
