from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from rlcourse.experiments.statistics import (
    _leave_one_out,
    compare,
    estimate,
    expanded_z,
    generator_for,
    interval,
    iqm,
    wilson,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 10, 101])
def test_iqm_is_scipys_trimmed_mean(n: int) -> None:
    values = rng(n).exponential(size=(3, n))
    np.testing.assert_allclose(iqm(values), stats.trim_mean(values, 0.25, axis=1), rtol=1e-14)


def test_iqm_drops_the_quarters() -> None:
    assert iqm(np.array([1e9, 3.0, 2.0, -1e9])) == 2.5


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
@pytest.mark.parametrize("n", [2, 3, 5, 8, 9, 13])
def test_leave_one_out_is_the_statistic_without_one(statistic: str, n: int) -> None:
    values = rng(n).normal(size=(2, n))
    slow = np.stack([estimate(np.delete(values, i, axis=1), statistic) for i in range(n)], axis=1)
    np.testing.assert_allclose(_leave_one_out(values, statistic), slow, rtol=1e-12)


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
@pytest.mark.parametrize("n", [12, 60])
def test_interval_agrees_with_scipys_bca(statistic: str, n: int) -> None:
    values = rng(5).exponential(size=n)
    low, high = interval(values, rng(1), statistic=statistic, resamples=40_000)
    told = stats.bootstrap(
        (values,),
        (lambda x, axis: estimate(np.moveaxis(x, axis, -1), statistic)),
        n_resamples=40_000,
        method="BCa",
        confidence_level=2.0 * float(ndtr(expanded_z(n, n - 1))) - 1.0,
        rng=rng(2),
    ).confidence_interval
    width = told.high - told.low
    assert abs(low - told.low) < 0.03 * width
    assert abs(high - told.high) < 0.03 * width


def test_blocks_of_resamples_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = rng(3).normal(size=(4, 30))
    whole = interval(values, rng(1), statistic="iqm", resamples=500)
    monkeypatch.setattr("rlcourse.experiments.statistics._BLOCK", 30 * 7)
    np.testing.assert_allclose(interval(values, rng(1), statistic="iqm", resamples=500), whole, rtol=1e-12)


def coverage(draw, truth: float, statistic: str, n: int, experiments: int = 400) -> float:
    samples = draw(rng(11), (experiments, n))
    limits = [
        interval(sample, rng(i), statistic=statistic, resamples=1000) for i, sample in enumerate(samples)
    ]
    return float(np.mean([low <= truth <= high for low, high in limits]))


def test_coverage_on_skewed_data() -> None:
    """Of 400 experiments, 95% should hold the truth; the standard deviation of that count is 1.1 points."""
    assert 0.91 < coverage(lambda g, shape: g.exponential(size=shape), 1.0, "mean", 60) < 0.98
    middle = stats.expon.ppf([0.25, 0.75])
    truth = stats.expon.expect(lambda x: x, lb=middle[0], ub=middle[1]) / 0.5
    assert 0.91 < coverage(lambda g, shape: g.exponential(size=shape), truth, "iqm", 60) < 0.98


@pytest.mark.parametrize(("n", "said"), [(5, 0.89), (10, 0.93)])
def test_coverage_with_few_members_is_what_the_docstring_says(n: int, said: float) -> None:
    assert abs(coverage(lambda g, shape: g.normal(size=shape), 0.0, "mean", n) - said) < 0.045


def test_strata_take_the_difference_between_worlds_out_of_the_interval() -> None:
    g = rng(0)
    strata = np.repeat([0, 1], 50)
    values = g.normal(size=100) + 100.0 * strata
    plain = interval(values, rng(1))
    within = interval(values, rng(1), strata=strata)
    assert plain[1] - plain[0] > 15.0
    half = 1.96 * np.sqrt(values[:50].var() / 50 + values[50:].var() / 50) / 2
    np.testing.assert_allclose(within, [values.mean() - half, values.mean() + half], atol=0.03)


def test_strata_are_resampled_each_in_its_own_size() -> None:
    strata = np.array([0, 0, 0, 1, 1])
    values = np.where(strata == 0, 2.0, 7.0)  # nothing varies within a world, so nothing is uncertain
    low, high = interval(values, rng(0), strata=strata)
    assert low == pytest.approx(4.0)
    assert high == pytest.approx(4.0)


def test_one_member_has_no_interval_and_equal_members_have_a_point() -> None:
    assert np.isnan(interval(np.array([3.0]), rng())).all()
    assert interval(np.full(8, 0.1), rng()) == (0.1, 0.1)
    assert interval(np.full((2, 8), 0.1), rng(), statistic="iqm")[0].tolist() == [0.1, 0.1]


def test_curves_keep_their_shape_and_are_fast() -> None:
    values = rng(0).exponential(size=(200, 1000))
    started = time.process_time()
    low, high = interval(values, rng(1))
    assert time.process_time() - started < 5.0
    assert low.shape == high.shape == (200,)
    assert (low < values.mean(axis=1)).all()
    assert (values.mean(axis=1) < high).all()


def test_generator_depends_on_every_name() -> None:
    assert generator_for("a", "b").random() == generator_for("a", "b").random()
    assert generator_for("a", "b").random() != generator_for("ab", "").random()


def test_comparison_on_the_same_problems_sees_what_separate_intervals_hide() -> None:
    g = rng(4)
    problem = g.normal(scale=10.0, size=100)
    a = problem + 0.5 + g.normal(scale=0.5, size=100)
    b = problem + g.normal(scale=0.5, size=100)
    separate_a, separate_b = interval(a, rng(1)), interval(b, rng(1))
    assert separate_a[0] < separate_b[1]  # they overlap
    result = compare(a, b, rng(2))
    assert result.low > 0.2
    assert result.difference == pytest.approx((a - b).mean())
    assert result.improvement == pytest.approx((a > b).mean())
    assert 0.5 < result.improvement_low < result.improvement < result.improvement_high < 1.0


def test_ties_count_half_and_certainty_is_never_claimed() -> None:
    result = compare(np.ones(10), np.ones(10), rng())
    assert (result.difference, result.low, result.high, result.improvement) == (0.0, 0.0, 0.0, 0.5)
    result = compare(np.arange(10) + 1.0, np.arange(10) * 1.0, rng())
    assert result.improvement == 1.0
    assert result.improvement_low < 0.8


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (50, 200)])
def test_wilson_is_scipys(hits: int, n: int) -> None:
    told = stats.binomtest(hits, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(hits / n, n), (told.low, told.high), atol=1e-12)
