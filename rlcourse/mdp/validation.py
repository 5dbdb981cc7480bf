"""What makes arrays a model: shapes, chances that sum to 1, states that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlcourse.errors import UsageError

if TYPE_CHECKING:
    from rlcourse.mdp.model import FiniteMDP

SUM_TOLERANCE = 1e-9
"""How far probabilities may sum from 1: room for the rounding of thirds and tenths, not for a forgotten outcome."""
_MOST = 1 << 31
"""Outcomes that the 32-bit indices of planning cannot count any more."""


def check_model(mdp: FiniteMDP) -> None:
    """Refuse what is no model; the arrays are of the right kind and of one dimension already.

    Raises:
        UsageError: see `FiniteMDP`; names the state and the action.
    """
    X, K = len(mdp.start), len(mdp.prob)
    if X == 0 or len(mdp.first) < X + 1 or (len(mdp.first) - 1) % X:
        raise UsageError(f"first has {len(mdp.first)} entries; {X} states with A actions need {X} * A + 1")
    A = mdp.n_actions
    for name in ("next", "reward", "terminated"):
        if len(getattr(mdp, name)) != K:
            raise UsageError(f"{name} has {len(getattr(mdp, name))} entries, but prob has {K}")
    counts = np.diff(mdp.first)
    if mdp.first[0] != 0 or mdp.first[-1] != K or (counts < 0).any():
        raise UsageError(f"first must rise from 0 to the number of outcomes, {K}")
    if K >= _MOST:
        raise UsageError(f"{K:,} outcomes are too many; {_MOST - 1:,} are the most")
    pair = np.repeat(np.arange(X * A), counts)
    for bad, what in (
        (~((mdp.prob > 0.0) & (mdp.prob <= 1.0 + SUM_TOLERANCE)), "a probability outside (0, 1]"),
        ((mdp.next < 0) | (mdp.next >= X), f"a next state outside 0..{X - 1}"),
        (~np.isfinite(mdp.reward), "a reward that is not finite"),
    ):
        if bad.any():
            k = int(bad.argmax())
            value = (
                float(mdp.prob[k]),
                int(mdp.next[k]),
                float(mdp.reward[k]),
                bool(mdp.terminated[k]),
            )
            raise UsageError(f"{_place(pair[k], A)} has {what}: (prob, next, reward, terminated) = {value}")
    total = np.bincount(pair, mdp.prob, minlength=X * A)
    wrong = (np.abs(total - 1.0) > SUM_TOLERANCE) & (counts > 0)
    if wrong.any():
        at = int(wrong.argmax())
        raise UsageError(f"the probabilities of {_place(at, A)} sum to {total[at]:.10g}, not 1")
    idle = ~mdp.available.any(axis=1)
    if idle.any():
        raise UsageError(
            f"state {int(idle.argmax())} has no action ({int(idle.sum())} such states); give a state in which all is over "
            "an outcome to itself that is terminated"
        )
    if not (mdp.start >= 0.0).all() or not abs(mdp.start.sum() - 1.0) <= SUM_TOLERANCE:
        raise UsageError(f"start must be chances that sum to 1; they sum to {mdp.start.sum():.10g}")


def as_array(name: str, values: ArrayLike, kind: type[np.generic]) -> NDArray[Any]:
    """A fresh one-dimensional array of this kind; integers are not made from fractions."""
    try:
        array = np.asarray(values)
        with np.errstate(invalid="ignore"):  # NaN to an integer: refused below
            out = np.array(array, dtype=kind, order="C")
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} must be an array of numbers: {error}") from error
    if out.ndim != 1:
        raise UsageError(f"{name} must have one dimension, got shape {list(out.shape)}")
    if kind is np.int64 and array.dtype.kind == "f" and not np.array_equal(out, array):
        raise UsageError(f"{name} must be whole numbers")
    return out


def _place(pair: int | np.integer[Any], actions: int) -> str:
    return f"state {int(pair) // actions}, action {int(pair) % actions}"
