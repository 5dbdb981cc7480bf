"""How actions are chosen from values and preferences, with the members' own random numbers; compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rlcourse.streams import Streams
from rlcourse.streams_compiled import next_integer, next_uniform

kernel = njit(cache=True, error_model="numpy", nogil=True)


@kernel
def _epsilon_greedy(values: Any, epsilon: Any, stream: Any, out: Any) -> None:
    members, copies, n = values.shape
    for s in range(members):
        for j in range(copies):
            if epsilon > 0.0 and next_uniform(stream, s) < epsilon:
                out[s, j] = next_integer(stream, s, n)
                continue
            best = 0
            for a in range(1, n):
                if values[s, j, a] > values[s, j, best]:
                    best = a
            out[s, j] = best


@kernel
def _softmax(preferences: Any, stream: Any, out: Any, log_chance: Any) -> None:
    members, copies, n = preferences.shape
    for s in range(members):
        for j in range(copies):
            highest = preferences[s, j, 0]
            for a in range(1, n):
                highest = max(highest, preferences[s, j, a])
            total = 0.0
            for a in range(n):
                total += np.exp(np.float64(preferences[s, j, a] - highest))
            left = next_uniform(stream, s) * total
            chosen = n - 1
            for a in range(n):
                left -= np.exp(np.float64(preferences[s, j, a] - highest))
                if left < 0.0:
                    chosen = a
                    break
            out[s, j] = chosen
            log_chance[s, j] = np.float64(preferences[s, j, chosen] - highest) - np.log(total)


def epsilon_greedy(values: NDArray[np.float32], epsilon: float, streams: Streams) -> NDArray[np.int64]:
    """The best action of `values [S, N, A]`, or with chance `epsilon` any action; int64 `[S, N]`."""
    out = np.empty(values.shape[:2], np.int64)
    _epsilon_greedy(values, float(epsilon), streams.state, out)
    return out


def softmax_actions(
    preferences: NDArray[np.float32], streams: Streams
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Actions drawn from softmax of `preferences [S, N, A]`, int64 `[S, N]`, and the logarithms of their chances."""
    out, log_chance = np.empty(preferences.shape[:2], np.int64), np.empty(preferences.shape[:2], np.float32)
    _softmax(preferences, streams.state, out, log_chance)
    return out, log_chance
