"""Ridge regression without a gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlcourse.errors import UsageError
from rlcourse.nn.losses import PerMember, per_member

Floats = NDArray[np.float64]


def solve_ridge(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    ridge: PerMember = 0.0,
    weight: NDArray[np.floating] | None = None,
) -> tuple[Floats, Floats]:
    """The weights and biases that make mean (x W + b - y)^2 + ridge x sum W^2 smallest; of several, the shortest weights.

    With centred X = U D V' and n rows of K outputs, W = V D / (D^2 + n K ridge) U' Y (Hastie, Tibshirani & Friedman 2009,
    "The elements of statistical learning", equation 3.47); the bias is not penalised.

    Args:
        x: `[S, n, features]`; `[1, n, features]` is shared by all members.
        y: `[S, n, K]`, the mean is over rows and outputs.
        ridge: for all members or for each `[S]`.
        weight: `[S, n]`, how much each row counts.

    Returns:
        W `[S, features, K]` and b `[S, K]`; S is 1 where data and ridge are the same for all.

    Raises:
        UsageError: a member of which no row counts, or a ridge of another number of members.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    size = len(x) if len(x) > 1 else np.size(ridge)
    counts = np.ones(x.shape[:2]) if weight is None else weight.astype(np.float64)
    if counts.shape != x.shape[:2]:
        raise UsageError(f"weights {list(counts.shape)} must be one a row, {list(x.shape[:2])}")
    if not counts.any(axis=1).all():
        raise UsageError("the weights of all rows are 0: nothing is left to be solved")
    counts = counts / counts.sum(1, keepdims=True)
    mean_x, mean_y = (np.einsum("sn,snf->sf", counts, array)[:, None] for array in (x, y))
    root = np.sqrt(counts)[..., None]
    u, d, vt = np.linalg.svd((x - mean_x) * root, full_matrices=False)
    smallest = d.max(1, keepdims=True) * max(x.shape[1:]) * np.finfo(np.float64).eps
    penalties = per_member("ridge", ridge, size)[:, None] * y.shape[2]
    shrunk = np.where(d > smallest, d, 0.0) / np.maximum(d**2 + penalties, np.finfo(np.float64).tiny)
    coef = np.swapaxes(vt, 1, 2) @ (shrunk[..., None] * (np.swapaxes(u, 1, 2) @ ((y - mean_y) * root)))
    return coef, (mean_y - mean_x @ coef)[:, 0]
