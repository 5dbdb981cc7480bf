"""The Kullback-Leibler divergence between Bernoulli laws, over tables; its inverse is compiled, in `kl_index`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

TINY = 1e-300
"""Stands for 0 inside logarithms, where its weight is 0 as well."""


def kl_bernoulli(p: ArrayLike, q: ArrayLike) -> NDArray[np.float64]:
    """d(p, q) = p ln(p / q) + (1 - p) ln((1 - p) / (1 - q)), with 0 ln 0 = 0; infinite where q rules out what p allows.

    Args:
        p: means in [0, 1].
        q: means in [0, 1], of a shape that broadcasts with `p`.

    Returns:
        float64 of the common shape.
    """
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    other_p, other_q = 1.0 - p, 1.0 - q
    divergence = p * np.log(np.maximum(p, TINY) / np.maximum(q, TINY))
    divergence += other_p * np.log(np.maximum(other_p, TINY) / np.maximum(other_q, TINY))
    impossible = ((q <= 0.0) & (p > 0.0)) | ((q >= 1.0) & (p < 1.0))
    return np.where(impossible, np.inf, np.maximum(divergence, 0.0))
