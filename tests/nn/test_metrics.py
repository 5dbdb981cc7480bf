"""Metrics against scikit-learn's and by hand; bias and variance on problems with a known answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics

from rlcourse.errors import UsageError
from rlcourse.nn.bias_variance import squared_decomposition, zero_one_decomposition
from rlcourse.nn.metrics import METRICS, NUMBERS, confusion_matrix, measure

RNG = np.random.default_rng(0)
S, N = 3, 80
TARGETS: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "two": (RNG.normal(size=(S, N, 1)), RNG.integers(2, size=N)),
    "four": (RNG.normal(size=(S, N, 4)), RNG.integers(4, size=N)),
    "labels": (RNG.normal(size=(S, N, 4)), RNG.integers(2, size=(N, 4))),
    "numbers": (RNG.normal(size=(S, N, 2)), RNG.normal(size=(N, 2))),
}


def by_hand(name: str, kind: str, output: np.ndarray, target: np.ndarray, weight: Any) -> float:
    """The call that a user of scikit-learn would write."""
    if kind == "numbers":
        return float(
            getattr(metrics, "r2_score" if name == "r2" else name)(target, output, sample_weight=weight)
        )
    decision = {"two": output[:, 0] > 0, "four": output.argmax(1), "labels": output > 0}[kind]
    if name == "accuracy":
        return float(metrics.accuracy_score(target, decision, sample_weight=weight))
    if name == "roc_auc":
        if kind == "four":
            likely = np.exp(output) / np.exp(output).sum(1, keepdims=True)
            return float(metrics.roc_auc_score(target, likely, multi_class="ovr", sample_weight=weight))
        score = expit(output[:, 0]) if kind == "two" else output
        return float(metrics.roc_auc_score(target, score, sample_weight=weight))
    average: Any = "binary" if kind == "two" else "macro"
    return float(getattr(metrics, f"{name}_score")(target, decision, average=average, sample_weight=weight))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", METRICS)
def test_every_metric_of_every_member(name: str, kind: str, weighted: bool) -> None:
    output, target = TARGETS[kind]
    weight = np.abs(RNG.normal(size=N)) if weighted else None
    if (kind == "numbers") != (name in NUMBERS):
        with pytest.raises(UsageError, match="targets are"):
            measure(name, output, target, weight)
        return
    found = measure(name, output, target, weight)
    for k in range(S):
        assert found[k] == pytest.approx(by_hand(name, kind, output[k], target, weight), rel=1e-6)
    own = np.stack([np.roll(target, k, axis=0) for k in range(S)])
    apart = measure(name, output, own, shared=False)
    for k in range(S):
        assert apart[k] == pytest.approx(by_hand(name, kind, output[k], own[k], None), rel=1e-6)


def test_by_hand() -> None:
    output = np.array([[[2.0], [-1.0], [3.0], [-2.0]], [[1.0], [1.0], [-1.0], [-1.0]]])
    target = np.array([1, 1, 0, 0])
    assert measure("accuracy", output, target).tolist() == [0.5, 1.0]
    assert measure("precision", output, target).tolist() == [0.5, 1.0]
    assert measure("roc_auc", output, target).tolist() == [0.5, 1.0]  # 2 > -2, -1 > -2; 2 < 3, -1 < 3
    assert confusion_matrix(output, target).tolist() == [[[1, 1], [1, 1]], [[2, 0], [0, 2]]]
    assert confusion_matrix(output, np.zeros(4, int)).tolist()[0] == [[2, 2], [0, 0]]


def test_what_is_not_defined_is_nan_without_a_warning() -> None:
    output = np.array([[[2.0], [-1.0]]])
    assert math.isnan(measure("roc_auc", output, np.array([1, 1]))[0])
    assert math.isnan(measure("roc_auc", np.zeros((1, 3, 4)), np.array([0, 1, 2]))[0])
    assert math.isnan(measure("roc_auc", np.zeros((1, 2, 2)), np.array([[0, 1], [1, 1]]))[0])
    assert math.isnan(measure("r2", output[:, :1], np.array([1.0]))[0])
    assert math.isnan(measure("accuracy", output, np.array([0, 1]), np.zeros(2))[0])
    assert measure("precision", -np.abs(output), np.array([1, 1]))[0] == 0.0


def test_time_is_flattened() -> None:
    output, target = RNG.normal(size=(2, 10, 5, 3)), RNG.integers(3, size=(10, 5))
    weight = RNG.integers(2, size=(10, 5)).astype(float)
    expected = (output.argmax(-1) == target)[:, weight > 0].mean(-1)
    np.testing.assert_allclose(measure("accuracy", output, target, weight), expected)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", METRICS)
def test_a_member_that_diverged_has_no_measure_and_the_others_keep_theirs(
    name: str, kind: str, wrong: float
) -> None:
    output, target = TARGETS[kind]
    if (kind == "numbers") != (name in NUMBERS):
        return
    shaken = output.copy()
    shaken[1, 3] = wrong
    found, expected = measure(name, shaken, target), measure(name, output, target)
    assert np.isnan(found[1])
    np.testing.assert_array_equal(found[[0, 2]], expected[[0, 2]])


def test_who_diverged_took_nothing_for_anything() -> None:
    output = np.array([[[1.0, 2.0], [2.0, 1.0]], [[np.nan, np.nan], [1.0, 0.0]]])
    assert confusion_matrix(output, np.array([1, 0])).tolist() == [[[1, 0], [0, 1]], [[0, 0], [0, 0]]]


def test_large_numbers_of_float32_do_not_overflow() -> None:
    output = np.full((1, 3, 1), 1e30, np.float32)
    assert measure("mean_squared_error", output, np.zeros(3, np.float32))[0] == pytest.approx(1e60)


def test_a_weight_of_a_row_is_that_of_all_its_steps() -> None:
    output, target = RNG.normal(size=(2, 10, 5, 3)), RNG.integers(3, size=(10, 5))
    weight = RNG.random(10)
    each = np.repeat(weight[:, None], 5, axis=1)
    np.testing.assert_array_equal(
        measure("accuracy", output, target, weight), measure("accuracy", output, target, each)
    )


def test_refused() -> None:
    with pytest.raises(UsageError, match="did you mean accuracy"):
        measure("acuracy", np.zeros((1, 2, 1)), np.zeros(2, int))
    three = np.zeros((2, 5, 3))
    for output, target, options, words in (
        (np.zeros((1, 2, 1)), np.zeros(3, int), {}, "do not fit"),
        (three, np.zeros((4, 5), int), {"shared": False}, "targets of 4 members for outputs of 2"),
        (three, np.full(5, 3), {}, "classes of the targets are 3 to 3, expected 0 to 2"),
        (three[:, :, :1], np.full(5, -1), {}, "classes of the targets are -1 to -1, expected 0 to 1"),
        (three, np.full((5, 3), 2), {}, "labels of the targets are 2 to 2, expected 0 to 1"),
        (three, np.zeros(5, int), {"weight": np.ones((5, 3))}, r"weights \[5, 3\] do not fit"),
        (np.zeros((2, 5)), np.zeros(5, int), {}, r"outputs must be \[S, n, ..., K\]"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            measure("accuracy", output, target, **options)
        assert "\n" not in str(caught.value)
    for target, words in (
        (np.array([0.0, 1, 2, 0, 0]), "of classes, and the targets are numbers"),
        (np.zeros((5, 3), int), "of classes, and the targets are labels"),
        (np.array([0, 1, 2, 3, 7]), "are 0 to 7, expected 0 to 2"),
    ):
        with pytest.raises(UsageError, match=words):
            confusion_matrix(three, target)
    with pytest.raises(UsageError, match="two members or more"):
        squared_decomposition(np.zeros((1, 4)), np.zeros(4))
    with pytest.raises(UsageError, match="do not fit"):
        squared_decomposition(np.zeros((2, 4)), np.zeros(3))


def test_squared_parts_are_those_of_known_predictors() -> None:
    """Members that are off by a constant and by noise of their own: every part is known."""
    members, n = 4000, 200
    truth = np.sin(np.arange(n) / 20.0)
    predictions = truth + 0.5 + 0.3 * RNG.normal(size=(members, n))
    target = truth + 0.2 * RNG.normal(size=n)
    parts = squared_decomposition(predictions, target, truth)
    assert parts.bias == pytest.approx(0.25, rel=0.02)
    assert parts.variance == pytest.approx(0.09, rel=0.02)
    assert parts.noise == pytest.approx(0.04, rel=0.35)  # of only 200 targets: three standard errors
    mixed = (
        2.0 * ((target - truth) * (predictions.mean(0) - truth)).mean()
    )  # nothing, on average over the noise
    assert parts.error == pytest.approx(parts.bias + parts.variance + parts.noise - mixed)
    exact = squared_decomposition(predictions, target)
    np.testing.assert_allclose(exact.each_error, exact.each_bias + exact.each_variance)
    assert exact.noise == 0.0


def test_least_squares_has_the_variance_that_theory_says() -> None:
    """Fixed design: the predictions of least squares vary by sigma^2 h, h the diagonal of the hat matrix, without bias."""
    n, sigma, members = 30, 0.4, 5000
    x = np.stack([np.ones(n), np.linspace(-1, 1, n)], 1)
    truth = x @ np.array([0.5, -2.0])
    hat = x @ np.linalg.solve(x.T @ x, x.T)
    predictions = (truth + sigma * RNG.normal(size=(members, n))) @ hat.T
    parts = squared_decomposition(predictions, truth, truth)
    np.testing.assert_allclose(parts.each_variance, sigma**2 * np.diag(hat), rtol=0.12)
    assert parts.variance == pytest.approx(
        sigma**2 * 2 / n, rel=0.05
    )  # trace of the hat matrix: two parameters
    assert parts.bias < 3 * parts.variance / members


@pytest.mark.parametrize("classes", [2, 5])
def test_zero_one_parts_sum_to_the_error(classes: int) -> None:
    predictions, target = RNG.integers(classes, size=(11, 300)), RNG.integers(classes, size=300)
    parts = zero_one_decomposition(predictions, target)
    np.testing.assert_allclose(parts.each_error, (predictions != target).mean(0))
    np.testing.assert_allclose(parts.each_error, parts.each_bias + parts.each_variance)


def test_zero_one_by_hand() -> None:
    """Three voters: a sure hit, a majority that hits, a majority that errs, all wrong (Domingos 2000)."""
    predictions = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]])
    parts = zero_one_decomposition(predictions, np.ones(4, int))
    np.testing.assert_allclose(parts.each_bias, [0, 0, 1, 1])
    np.testing.assert_allclose(parts.each_variance, [0, 1 / 3, -1 / 3, 0])
    np.testing.assert_allclose(parts.each_error, [0, 1 / 3, 2 / 3, 1])
