"""Norms over many arrays, compiled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"}, nogil=True)
def _add_squares(array: Any, out: Any) -> None:
    for s in range(len(out)):
        row, part = array[s], np.float32(0.0)
        for i in range(len(row)):
            part += row[i] * row[i]
        out[s] += part


def row_norms(size: int, arrays: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The Euclidean norm of row s of all arrays `[size, n]` together, for every s, float32 `[size]`."""
    squares = np.zeros(size)
    for array in arrays:
        _add_squares(array, squares)
    return np.sqrt(squares).astype(np.float32)
