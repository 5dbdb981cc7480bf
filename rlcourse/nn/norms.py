"""The gradients of all members clipped in one compiled loop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"}, nogil=True)
def _length(row: Any) -> Any:
    total = np.float32(0.0)
    for i in range(len(row)):
        total += row[i] * row[i]
    return total


@njit(cache=True, error_model="numpy", nogil=True)
def _clip_rows(block: Any, ends: Any, size: Any, max_norm: Any) -> None:
    for s in range(size):
        total, start = 0.0, 0
        for end in ends:
            width = (end - start) // size
            total += np.float64(_length(block[start + s * width : start + (s + 1) * width]))
            start = end
        scale = max_norm / (np.sqrt(total) + 1e-6)  # 1e-6 as in torch's clip_grad_norm_
        if not scale >= 1.0:  # a member whose norm is no number becomes none as a whole, as by torch
            start = 0
            for end in ends:
                width = (end - start) // size
                block[start + s * width : start + (s + 1) * width] *= scale
                start = end


def clip_rows(block: NDArray[np.float32], ends: NDArray[np.int64], size: int, max_norm: float) -> None:
    """Scale what belongs to each member down to `max_norm` where it is longer, in place.

    Args:
        block: arrays `[size, n]` one behind the other.
        ends: where each of them ends.
        size: members.
        max_norm: of all that belongs to a member.
    """
    _clip_rows(block, ends, size, float(max_norm))
