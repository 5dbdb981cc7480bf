"""Checks of a world's options, beside those of all arguments (`rlcourse.checks`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.checks import LARGEST, LARGEST_FLOAT, check_choice, check_count, check_number, check_numbers
from rlcourse.errors import UsageError

__all__ = [
    "LARGEST",
    "LARGEST_FLOAT",
    "check_choice",
    "check_count",
    "check_number",
    "check_numbers",
    "check_stochastic",
    "check_table",
    "set_field",
]


def set_field(rules: Any, name: str, value: Any) -> None:
    """Write a normalised option back into the frozen dataclass while it is being built."""
    object.__setattr__(rules, name, value)


def check_table(
    name: str, values: Any, low: float = -math.inf, high: float = math.inf
) -> NDArray[np.float64]:
    """A table of finite numbers, rows of equal length, or a `UsageError` that names what is wrong."""
    if not isinstance(values, (list, tuple, np.ndarray)) or len(values) == 0:
        raise UsageError(f"{name}={values!r} must be a list of rows of numbers")
    rows = [check_numbers(f"{name}[{i}]", row, low, high) for i, row in enumerate(values)]
    for i, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise UsageError(f"{name}[{i}] has {len(row)} entries, {name}[0] has {len(rows[0])}")
    return np.array(rows)


def check_stochastic(name: str, values: Any) -> NDArray[np.float64]:
    """A matrix of probabilities whose rows sum to 1, or a `UsageError` that names the wrong row or entry."""
    matrix = check_table(name, values, 0.0, 1.0)
    for i, total in enumerate(matrix.sum(axis=1)):
        if abs(total - 1.0) > 1e-9:
            raise UsageError(f"{name}[{i}]={matrix[i].tolist()!r} must sum to 1, not to {total:g}")
    return matrix
