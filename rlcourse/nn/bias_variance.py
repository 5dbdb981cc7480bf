"""Why a population errs: by what all members have in common, by what they differ in, and by what nobody can know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlcourse.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Decomposition:
    """Parts of the expected error; of each item `[n]`, and as means over the items."""

    each_error: Floats
    """The mean error of the members, `[n]`."""
    each_bias: Floats
    """Squared error: the square of the bias. 0-1 loss: 1 where the main prediction is wrong."""
    each_variance: Floats
    """Squared error: the variance over the members. 0-1 loss: the net variance, which is negative where it helps."""
    each_noise: Floats
    """How far the target is off the truth, where the truth was given; else 0, and the noise is part of the bias."""

    @property
    def error(self) -> float:
        """Mean over the items."""
        return float(self.each_error.mean())

    @property
    def bias(self) -> float:
        """Mean over the items; of the squared error, of the square."""
        return float(self.each_bias.mean())

    @property
    def variance(self) -> float:
        """Mean over the items."""
        return float(self.each_variance.mean())

    @property
    def noise(self) -> float:
        """Mean over the items."""
        return float(self.each_noise.mean())


def squared_decomposition(
    predictions: ArrayLike, target: ArrayLike, truth: ArrayLike | None = None
) -> Decomposition:
    """The squared error of a population that was trained on data sets of its own, one a member.

        E (f_k - y)^2 = (mean_k f_k - truth)^2 + var_k f_k + (y - truth)^2

    Without the truth, y stands in its place, and the equation is exact. With it, it holds on average over the noise. The bias
    of S members is too large by variance / S, as their mean is not yet that of all possible ones.

    Source: Geman, Bienenstock & Doursat (1992), "Neural networks and the bias/variance dilemma".

    Args:
        predictions: f, `[S, n]`, two members or more.
        target: y, `[n]`.
        truth: the mean of y given the input, `[n]`, where it is known.
    """
    f = _members(predictions)
    y = np.asarray(target, np.float64)
    centre = y if truth is None else np.asarray(truth, np.float64)
    _check(f, y, centre)
    return Decomposition(
        each_error=((f - y) ** 2).mean(0),
        each_bias=(f.mean(0) - centre) ** 2,
        each_variance=f.var(0),
        each_noise=(y - centre) ** 2,
    )


def zero_one_decomposition(predictions: ArrayLike, target: ArrayLike) -> Decomposition:
    """The share of wrong classes of a population that was trained on data sets of its own, one a member.

    The main prediction is the class that most members speak for (of several, the smallest). The bias is 1 where it is wrong.
    The variance is the share of members that differ from it: where it is right, each of them errs; where it is wrong, those
    who hit the target err less, and their share is taken off. So for any number of classes

        error = bias + (variance where unbiased) - (share of hits where biased)

    Noise is not told apart from bias, as in the experiments of the source.

    Source: Domingos (2000), "A unified bias-variance decomposition", sections 2 and 3.

    Args:
        predictions: classes, `[S, n]`, two members or more.
        target: classes, `[n]`.
    """
    f = _members(predictions).astype(np.int64)
    y = np.asarray(target, np.int64)
    _check(f, y, y)
    k = int(max(f.max(), y.max())) + 1
    votes = (f[:, :, None] == np.arange(k)).sum(0)
    main = votes.argmax(1)
    biased = main != y
    hits = (f == y).mean(0)
    differ = (f != main).mean(0)
    return Decomposition(
        each_error=1.0 - hits,
        each_bias=biased.astype(np.float64),
        each_variance=np.where(biased, -hits, differ),
        each_noise=np.zeros(len(y)),
    )


def _members(predictions: ArrayLike) -> Floats:
    f = np.asarray(predictions, np.float64)
    if f.ndim == 3 and f.shape[2] == 1:
        f = f[..., 0]
    if f.ndim != 2 or len(f) < 2:
        raise UsageError(f"predictions must be [S, n] of two members or more, got {list(f.shape)}")
    return f


def _check(f: NDArray[np.generic], *others: NDArray[np.generic]) -> None:
    for other in others:
        if other.shape != f.shape[1:]:
            raise UsageError(
                f"targets of shape {list(other.shape)} do not fit to predictions {list(f.shape)}"
            )
