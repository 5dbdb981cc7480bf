"""A few operations on `[S, K]` tables that every strategy needs, without a loop over the members."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlcourse.streams import Streams

COLDEST = 1e-9
"""Temperature below which a Boltzmann law is as good as greedy; keeps the quotients finite."""


def argmax_random_ties(values: NDArray[np.float64], stream: Streams) -> NDArray[np.int64]:
    """The column of the maximum of every row; where several are equal, one of them with equal chances.

    Only the members that have a tie draw from their stream, so that a member's numbers do not depend on its neighbours.

    Args:
        values: `[S, K]`, no NaN.
        stream: the streams of the S members.

    Returns:
        int64 `[S]`.
    """
    from rlcourse.agents.bandits.compiled import argmax_ties  # numba: loaded when the first agent acts

    actions = np.empty(len(values), np.int64)
    argmax_ties(np.ascontiguousarray(values, np.float64), stream.state, actions)
    return actions


def softmax(preferences: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(x) / sum exp(x) along the last axis, shifted so that nothing overflows."""
    weights = np.exp(preferences - preferences.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def flip_coins(chances: NDArray[np.float64], stream: Streams) -> NDArray[np.float64]:
    """1 with these chances, else 0: makes rewards in [0, 1] binary without changing their means.

    Only the members whose chance is neither 0 nor 1 draw. Source: Agrawal & Goyal (2012), "Analysis of Thompson sampling
    for the multi-armed bandit problem", algorithm 2.

    Args:
        chances: float64 `[S]`, in [0, 1].
        stream: the streams of the S members.

    Returns:
        float64 `[S]` of zeros and ones.
    """
    rows = np.flatnonzero((chances > 0.0) & (chances < 1.0))
    if not len(rows):
        return chances
    coins = chances.copy()
    coins[rows] = stream.uniform(rows=rows) < chances[rows]
    return coins
