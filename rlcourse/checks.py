"""Checks of arguments: each gives the value in its normal form, or says in one line what would be right."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.errors import UsageError, did_you_mean

LARGEST = 2**63 - 1
"""The largest whole number of the arrays, which are int64."""
LARGEST_FLOAT = float(np.finfo(np.float64).max)
MOST_MEMBERS = 10_000_000
"""A count beyond it is a mistake: the arrays of so many learners take tens of gigabytes."""


def check_count(name: str, value: Any, at_least: int = 1) -> int:
    """A whole number of at least `at_least`, or a `UsageError` that names it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < at_least:
        raise UsageError(f"{name}={value!r} must be a whole number of at least {at_least}")
    if value > LARGEST:
        raise UsageError(f"{name}={value!r} must be a whole number of at most {LARGEST}")
    return int(value)


@contextlib.contextmanager
def enough_memory(what: str, n_bytes: int) -> Iterator[None]:
    """While arrays are made: where the system does not give the memory, say how much it would take.

    Args:
        what: the agent and the setting by which there are so many.
        n_bytes: of all of them.

    Raises:
        UsageError: there is not enough memory.
    """
    said = f"{what} would take {n_bytes / 2**30:,.1f} GiB of memory, more than there is: take a smaller one or fewer seeds"
    if n_bytes > LARGEST:
        raise UsageError(said)
    try:
        yield
    except MemoryError as error:
        raise UsageError(said) from error


def check_number(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, *, open_low: bool = False
) -> float:
    """A finite number in `[low, high]` (`(low, high]` with `open_low`), or a `UsageError` that names it."""
    fine = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    fine = fine and -LARGEST_FLOAT <= value <= LARGEST_FLOAT  # neither NaN nor infinite nor a huge int
    if not fine or not low <= value <= high or (open_low and value == low):
        bounds = f"{'above' if open_low else 'at least'} {low:g}" if math.isfinite(low) else ""
        if math.isfinite(high):
            bounds += f"{' and ' if bounds else ''}at most {high:g}"
        raise UsageError(f"{name}={value!r} must be a finite number{' ' + bounds if bounds else ''}")
    return float(value)


def check_numbers(
    name: str, values: Any, low: float = -math.inf, high: float = math.inf
) -> NDArray[np.float64]:
    """A non-empty list of finite numbers within the bounds, or a `UsageError` that names the wrong entry."""
    if not isinstance(values, (list, tuple, np.ndarray)) or len(values) == 0:
        raise UsageError(f"{name}={values!r} must be a list of numbers")
    return np.array([check_number(f"{name}[{i}]", value, low, high) for i, value in enumerate(values)])


def check_choice(name: str, value: Any, known: Iterable[str]) -> str:
    """One of the known words, or a `UsageError` with the nearest of them."""
    if not isinstance(value, str) or value not in known:
        raise UsageError(f"{name}: {did_you_mean(str(value), known, kind='choice')}")
    return value


def parse_seeds(seeds: int | Sequence[int]) -> list[int]:
    """A count S gives the seeds 0 .. S-1; a list is taken as it is.

    Raises:
        UsageError: no seed at all, a negative or doubled one, or something that is no whole number.
    """
    if isinstance(seeds, (int, np.integer)) and not isinstance(seeds, bool):
        if seeds < 1:
            raise UsageError(f"seeds={seeds} must be at least 1, or a list of seeds")
        if seeds > MOST_MEMBERS:
            raise UsageError(
                f"seeds={seeds} is a count, and must be at most {MOST_MEMBERS}; a single seed is a list of one"
            )
        return list(range(int(seeds)))
    if (
        isinstance(seeds, (str, bytes, bool))
        or not isinstance(seeds, (Sequence, np.ndarray))
        or not np.shape(seeds)
        or not len(seeds)
    ):
        raise UsageError(f"seeds={seeds!r} must be a count or a non-empty list of whole numbers")
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise UsageError(f"seeds must be whole numbers of at least 0, got {seed!r}")
    if len(set(seeds)) != len(seeds):
        raise UsageError("the list of seeds names one twice: two members would be the same run")
    return [int(seed) for seed in seeds]
