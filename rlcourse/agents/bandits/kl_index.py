"""The arm with the highest KL-UCB bound, compiled: most bounds are known to be lower without computing them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from rlcourse.streams_compiled import next_integer

compiled = njit(cache=True, error_model="numpy")
TOP = 1.0 - 2.0**-53
"""The largest number below 1."""


@compiled
def bernoulli_divergence(p: Any, q: Any) -> Any:
    """Kl(p, q) = p ln(p / q) + (1 - p) ln((1 - p) / (1 - q)), with 0 ln 0 = 0; for q in (0, 1)."""
    left = p * math.log(p / q) if p > 0.0 else 0.0
    right = (1.0 - p) * math.log((1.0 - p) / (1.0 - q)) if p < 1.0 else 0.0
    return left + right


@compiled
def bernoulli_upper(p: Any, level: Any) -> Any:
    """The largest q with kl(p, q) <= level, to about 1e-15 (relative to 1 - p where that is small).

    Newton's method from above, where it cannot overshoot because kl is convex in q. It begins at the lowest
    of four bounds: p + sqrt(level / 2) (Pinsker); the same with the largest variance between p and q, which
    is below 1 - p and below q; and the q of the equation without its term p ln(1 / q) >= 0.
    """
    if level <= 0.0 or p >= 1.0:
        return p
    if p <= 0.0:
        return -math.expm1(-level)
    rest = 1.0 - p
    constant = p * math.log(p) + rest * math.log(rest) - level
    q = p + min(math.sqrt(0.5 * level), math.sqrt(2.0 * level * rest))
    q = min(q, p + level + math.sqrt(level * (level + 2.0 * p)), -math.expm1(constant / rest), TOP)
    for _ in range(50):
        if q <= p:
            return p
        excess = constant - p * math.log(q) - rest * math.log1p(-q)
        step = excess * q * (1.0 - q) / (q - p)
        q -= step
        if step <= 1e-15:
            break
    return q


@njit(
    ["void(float64[:, ::1], float64[:, ::1], float64[:, ::1], uint64[::1], int64[::1])"],
    cache=True,
    error_model="numpy",
)
def argmax_kl_bound(pulls: Any, paid: Any, budget: Any, state: Any, out: Any) -> None:
    """The arm of every member with the largest q for which N kl(X, q) <= budget; ties by its own stream.

    An arm without pulls is beyond all others. A bound q is below the best one so far, b, exactly if N kl(X, b) >
    budget, and then need not be computed; so the arm with the most pulls, often the best, comes first.

    Args:
        pulls: N, float64 `[S, K]`.
        paid: N X, the sum of the rewards, each in [0, 1].
        budget: float64 `[S, K]`, at least 0.
        state: the states of the members' streams, uint64 `[S]`.
        out: where the arms are written, int64 `[S]`.
    """
    size, arms = pulls.shape
    bounds = np.empty(arms)
    for i in range(size):
        first = 0
        for a in range(1, arms):
            if pulls[i, a] > pulls[i, first]:
                first = a
        best = -1.0
        ties = 0
        for turn in range(arms):
            a = (first + turn) % arms
            n = pulls[i, a]
            bounds[a] = -2.0
            if n == 0.0:
                q = 2.0
            else:
                mean = min(max(paid[i, a] / n, 0.0), 1.0)
                # The margin leaves arms with the same bound, but for rounding, to be computed and compared.
                if mean < best and (
                    best > 1.0 or n * bernoulli_divergence(mean, min(best, TOP)) > budget[i, a] * (1.0 + 1e-9)
                ):
                    continue
                q = bernoulli_upper(mean, budget[i, a] / n)
            bounds[a] = q
            if q > best:
                best, ties = q, 1
            elif q == best:
                ties += 1
        pick = next_integer(state, i, ties) if ties > 1 else 0
        for a in range(arms):
            if bounds[a] == best:
                if pick == 0:
                    out[i] = a
                    break
                pick -= 1
