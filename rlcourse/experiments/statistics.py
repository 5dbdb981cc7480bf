"""What a handful of seeds says about an agent: mean, interquartile mean, intervals, paired comparisons.

Intervals are bootstrap intervals of the kind BCa, "bias-corrected and accelerated" (Efron 1987, J. Am.
Stat. Assoc. 82; Efron & Tibshirani 1993, chapter 14). Regret is skewed: a few unlucky members lose much.
The percentile interval of Agarwal et al. (2021) is symmetric in rank and misses on the long side; BCa
shifts the ranks by the bias and the skewness of the sample and errs an order of magnitude less in the size
of the sample (1/n instead of 1/sqrt(n)). A bootstrap of few members is too narrow, because it knows no
value that the sample never showed; the ranks are therefore widened as Student's t would (the "expanded"
interval of Hesterberg 2015, The American Statistician 69, section 5.4), after which a 95% interval of the
mean holds it in 95% of experiments with 60 members, 93% with ten, 89% with five (normal or exponential
figures). Members of several worlds are resampled within their world (stratified, as Agarwal et al. do).

Every function draws from a generator that the caller gives; `generator_for` makes one from the name of what
is estimated, so that the same results always get the same interval.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Statistic = Literal["mean", "iqm"]
Floats = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 2000
"""Resamples of an interval: 2000 put a BCa limit within about 2% of the interval's width (Efron 1987,
section 9: 1000 and more)."""
TRIM = 0.25
"""Share that the interquartile mean drops at each end."""
_BLOCK = 1 << 21
"""Numbers in one block of resampling counts (16 MB)."""


def generator_for(*names: str) -> np.random.Generator:
    """The generator that belongs to these names: the same names, the same draws, on every machine."""
    digest = hashlib.sha256("\x1f".join(names).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def trimmed(n: int, statistic: Statistic) -> int:
    """How many of `n` sorted values the statistic drops at each end: none, or `floor(n / 4)` for the IQM."""
    return 0 if statistic == "mean" else int(TRIM * n)


def iqm(values: Floats) -> Floats:
    """The interquartile mean over the last axis, `[..., S]` -> `[...]`.

    The lowest and the highest `floor(S / 4)` values are dropped and the rest averaged:
    `scipy.stats.trim_mean(values, 0.25)`, as in Agarwal et al. (2021, "Deep reinforcement learning at the
    edge of the statistical precipice", section 4). It hardly heeds outliers, yet uses half of the members
    where a median uses one.
    """
    values = np.sort(values, axis=-1)
    n = values.shape[-1]
    cut = trimmed(n, "iqm")
    return values[..., cut : n - cut].mean(axis=-1)


def estimate(values: Floats, statistic: Statistic) -> Floats:
    """Mean or IQM over the last axis, `[..., S]` -> `[...]`."""
    return values.mean(axis=-1) if statistic == "mean" else iqm(values)


def interval(
    values: Floats,
    rng: np.random.Generator,
    *,
    statistic: Statistic = "mean",
    strata: NDArray[np.int64] | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> tuple[Floats, Floats]:
    """The BCa bootstrap interval of the mean or the IQM over members.

    Whole members are resampled, so that one draw serves every leading entry: all metrics of a cell, or all
    points of a curve.

    Args:
        values: `[..., S]`, members last.
        rng: where the resamples come from.
        statistic: "mean" or "iqm".
        strata: which world each member belongs to, int `[S]`; members are resampled within their world.
            None: one world.
        confidence: share of experiments in which the interval should hold the truth.
        resamples: bootstrap resamples B.

    Returns:
        The lower and the upper limit, each `[...]`; NaN where a single member tells nothing of the spread,
        and the value itself where all members agree.
    """
    values = np.asarray(values, np.float64)
    lead, n = values.shape[:-1], values.shape[-1]
    table = values.reshape(-1, n)
    if n < 2:
        nothing = np.full(lead, np.nan)
        return nothing, nothing.copy()
    estimates = estimate(table, statistic)
    replicates = np.concatenate(
        [_replicate(table, counts, statistic) for counts in _resampling_counts(n, rng, strata, resamples)]
    )
    replicates.sort(axis=0)
    freedom = n - (1 if strata is None else len(np.unique(strata)))
    z = expanded_z(n, max(freedom, 1), confidence)
    ranks = _bca_ranks(replicates, estimates, _acceleration(table, statistic, strata), z)
    low, high = (_at_ranks(replicates, rank) for rank in ranks)
    same = table.min(axis=1) == table.max(axis=1)
    low[same] = high[same] = table[same, 0]
    return low.reshape(lead), high.reshape(lead)


def expanded_z(n: int, freedom: int, confidence: float = CONFIDENCE) -> float:
    """How many bootstrap standard errors make the interval: t sqrt(n / freedom); 1.96 for many members.

    The variance of a resample divides by n where an unbiased one divides by n - 1, and its spread is itself
    an estimate (Hesterberg 2015, section 5.4).
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + confidence / 2.0)) * math.sqrt(n / freedom)


def _resampling_counts(
    n: int, rng: np.random.Generator, strata: NDArray[np.int64] | None, resamples: int
) -> Iterator[Floats]:
    """How often each member is drawn, `[b, n]` for blocks of `b` resamples."""
    groups = [np.arange(n)] if strata is None else [np.flatnonzero(strata == s) for s in np.unique(strata)]
    block = max(1, min(resamples, _BLOCK // n))
    for start in range(0, resamples, block):
        b = min(block, resamples - start)
        counts = np.empty((b, n))
        for members in groups:
            size = len(members)
            drawn = rng.integers(size, size=(b, size)) + np.arange(b)[:, None] * size
            counts[:, members] = np.bincount(drawn.ravel(), minlength=b * size).reshape(b, size)
        yield counts


def _replicate(table: Floats, counts: Floats, statistic: Statistic) -> Floats:
    """The statistic of every resample, `[M, n]` and `[b, n]` -> `[b, M]`.

    A resample's sorted values are the sorted values of the sample, each as often as it was drawn; its
    trimmed mean weighs each by how much of it lies between the cuts. So both statistics are one matrix
    product.
    """
    n = table.shape[1]
    cut = trimmed(n, statistic)
    if cut == 0:
        return counts @ table.T / n
    out = np.empty((len(counts), len(table)))
    order = table.argsort(axis=1)
    for row, places in enumerate(order):
        upto = counts[:, places].cumsum(axis=1).clip(cut, n - cut)
        weights = np.diff(upto, axis=1, prepend=cut)
        out[:, row] = weights @ table[row, places] / (n - 2 * cut)
    return out


def _acceleration(table: Floats, statistic: Statistic, strata: NDArray[np.int64] | None) -> Floats:
    """BCa's acceleration, `[M, n]` -> `[M]`: sum(l^3) / (6 sum(l^2)^1.5), l the influence of a member.

    Source: Efron & Tibshirani (1993), eq. 14.15, by the jackknife; influences are centred within strata.
    """
    n = table.shape[1]
    influence = -_leave_one_out(table, statistic)
    groups = [np.arange(n)] if strata is None else [np.flatnonzero(strata == s) for s in np.unique(strata)]
    for members in groups:
        influence[:, members] -= influence[:, members].mean(axis=1, keepdims=True)
    square = (influence**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(square > 0.0, (influence**3).sum(axis=1) / (6.0 * square**1.5), 0.0)


def _leave_one_out(table: Floats, statistic: Statistic) -> Floats:
    """The statistic of all members but one, `[M, n]` -> `[M, n]`, from sums over the sorted values."""
    n = table.shape[1]
    cut = trimmed(n - 1, statistic)
    order = table.argsort(axis=1)
    ordered = np.take_along_axis(table, order, axis=1)
    sums = np.concatenate([np.zeros((len(table), 1)), ordered.cumsum(axis=1)], axis=1)
    inner = (
        sums[:, n - cut, None] - sums[:, cut, None]
    )  # one too many is kept: the one that is left out, or an end
    place = np.arange(n)
    dropped = np.where(
        place < cut, ordered[:, cut, None], np.where(place >= n - cut, ordered[:, n - cut - 1, None], ordered)
    )
    left = np.empty_like(table)
    np.put_along_axis(left, order, (inner - dropped) / (n - 1 - 2 * cut), axis=1)
    return left


def _bca_ranks(
    replicates: Floats, estimates: Floats, acceleration: Floats, z: float
) -> tuple[Floats, Floats]:
    """Where the limits stand among the replicates, `[M]` (Efron & Tibshirani 1993, eq. 14.10, 14.14)."""
    from scipy.special import ndtr, ndtri

    count = len(replicates)
    below = (
        (replicates < estimates).sum(axis=0) + (replicates <= estimates).sum(axis=0)
    ) / 2.0  # ties count half
    bias = ndtri(np.clip(below / count, 0.5 / count, 1.0 - 0.5 / count))
    shares = []
    for shifted in (bias - z, bias + z):
        shares.append(ndtr(bias + shifted / np.maximum(1.0 - acceleration * shifted, 1e-9)))
    return shares[0], shares[1]


def _at_ranks(replicates: Floats, shares: Floats) -> Floats:
    """The quantile of every sorted column `[B, M]` at its own share `[M]`, linear between neighbours."""
    place = shares * (len(replicates) - 1)
    lower = np.floor(place).astype(np.int64)
    upper = np.minimum(lower + 1, len(replicates) - 1)
    columns = np.arange(replicates.shape[1])
    low, high = replicates[lower, columns], replicates[upper, columns]
    return low + (place - lower) * (high - low)


@dataclass(frozen=True)
class Comparison:
    """Agent A against agent B on the same seeds, that is, on the same problems."""

    difference: float
    """Mean of A minus B."""
    low: float
    high: float
    """The 95% interval of the difference."""
    improvement: float
    """Share of seeds on which A has more than B (ties count half)."""
    improvement_low: float
    improvement_high: float
    """Its 95% interval."""


def compare(a: Floats, b: Floats, rng: np.random.Generator) -> Comparison:
    """Compare two agents seed by seed.

    Members with the same seed play the same problem, so what the problem gives or takes cancels in the
    difference: the interval is far narrower than the two intervals side by side suggest. The probability of
    improvement (Agarwal et al. 2021, section 4.3) is taken over the pairs too; its interval is Wilson's
    (1927), since a bootstrap of ten wins in ten would claim certainty.

    Args:
        a: figures of A, `[S]`.
        b: figures of B on the same seeds in the same order, `[S]`.
        rng: where the resamples come from.
    """
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    low, high = interval(difference, rng)
    share = float(((difference > 0) + 0.5 * (difference == 0)).mean())
    better_low, better_high = wilson(share, len(difference))
    return Comparison(float(difference.mean()), float(low), float(high), share, better_low, better_high)


def wilson(share: float, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a probability of which `share` of `n` independent trials were hits."""
    from scipy.special import ndtri

    z = float(ndtri(0.5 + confidence / 2.0))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
