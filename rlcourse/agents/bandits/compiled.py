"""The loops that run in every round, compiled: NumPy would need ten passes over the table for each.

All go member by member and touch nothing but that member's row and stream, so a member's numbers do not depend on the others.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from rlcourse.streams_compiled import GAMMA, fill_beta, next_integer


@njit(
    ["void(float64[:, ::1], uint64[::1], int64[::1])"],
    cache=True,
    error_model="numpy",
)
def argmax_ties(values: Any, state: Any, out: Any) -> None:
    """The column of every row's maximum; where several are equal, one of them by the member's own stream."""
    size, arms = values.shape
    for i in range(size):
        best = values[i, 0]
        at = 0
        ties = 1
        for a in range(1, arms):
            value = values[i, a]
            if value > best:
                best, at, ties = value, a, 1
            elif value == best:
                ties += 1
        if ties > 1:
            pick = next_integer(state, i, ties)
            a = at
            while pick > 0:
                a += 1
                if values[i, a] == best:
                    pick -= 1
            at = a
        out[i] = at


@njit(
    ["void(float64[:, ::1], float64[:, ::1], float64[::1], int64[::1], float64[::1])"],
    cache=True,
    error_model="numpy",
)
def sample_means(counts: Any, means: Any, t: Any, actions: Any, rewards: Any) -> None:
    """N(A) <- N(A) + 1;  Q(A) <- Q(A) + (R - Q(A)) / N(A)  (Sutton & Barto 2018, eq. 2.3)."""
    for i in range(len(actions)):
        a = actions[i]
        counts[i, a] += 1.0
        means[i, a] += (rewards[i] - means[i, a]) / counts[i, a]
        t[i] += 1.0


@njit(
    ["void(float64[:, ::1], float64[:, ::1], float64[::1], uint64[::1], int64[::1])"],
    cache=True,
    error_model="numpy",
)
def argmax_bound(means: Any, radius: Any, bonus: Any, state: Any, out: Any) -> None:
    """As `argmax_ties`, of the bounds Q(a) + bonus radius(a), which are not written down."""
    size, arms = means.shape
    for i in range(size):
        best = means[i, 0] + bonus[i] * radius[i, 0]
        at = 0
        ties = 1
        for a in range(1, arms):
            value = means[i, a] + bonus[i] * radius[i, a]
            if value > best:
                best, at, ties = value, a, 1
            elif value == best:
                ties += 1
        if ties > 1:
            pick = next_integer(state, i, ties)
            a = at
            while pick > 0:
                a += 1
                if means[i, a] + bonus[i] * radius[i, a] == best:
                    pick -= 1
            at = a
        out[i] = at


@njit(
    ["void(float64[:, ::1], float64[:, ::1], int64[::1])"],
    cache=True,
    error_model="numpy",
)
def shrink_radius(counts: Any, radius: Any, actions: Any) -> None:
    """radius(A) <- 1 / sqrt(N(A)), for the arms that were pulled."""
    for i in range(len(actions)):
        radius[i, actions[i]] = 1.0 / math.sqrt(counts[i, actions[i]])


@njit(
    ["void(float64[:, ::1], float64[:, ::1], uint64[::1], int64[::1])"],
    cache=True,
    error_model="numpy",
)
def argmax_beta(alpha: Any, beta: Any, state: Any, out: Any) -> None:
    """The column of the highest of one draw from Beta(alpha, beta) an arm; the draws of `Streams.beta`, in one go."""
    size, arms = alpha.shape
    ticks = np.empty(size * arms, np.uint64)
    for i in range(size):
        for a in range(arms):
            state[i] += GAMMA
            ticks[i * arms + a] = state[i]
    draws, work = np.empty(size * arms), np.empty(size * arms)
    fill_beta(ticks, alpha.reshape(-1), beta.reshape(-1), draws, work)
    for i in range(size):
        best = -1.0
        at = 0
        for a in range(arms):
            if draws[i * arms + a] > best:
                best, at = draws[i * arms + a], a
        out[i] = at


@njit(
    ["void(float64[:, ::1], float64[:, ::1], int64[::1], float64[::1])"],
    cache=True,
    error_model="numpy",
)
def count_successes(alpha: Any, beta: Any, actions: Any, success: Any) -> None:
    """alpha(A) <- alpha(A) + X;  beta(A) <- beta(A) + 1 - X  (Agrawal & Goyal 2012, algorithm 1)."""
    for i in range(len(actions)):
        alpha[i, actions[i]] += success[i]
        beta[i, actions[i]] += 1.0 - success[i]
