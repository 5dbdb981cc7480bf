"""Models by name against scikit-learn's and against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import f1_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC, LinearSVC

from rlcourse.errors import UsageError
from rlcourse.nn.closed_form import solve_ridge
from rlcourse.nn.data import Dataset, bootstrap, split
from rlcourse.nn.estimators import ESTIMATORS, make_estimator
from rlcourse.streams import Streams

RNG = np.random.default_rng(0)
N = 120
X = RNG.normal(size=(N, 4)) + np.array([1.0, 0.0, -2.0, 0.5])
TRUE = np.array([[1.0, 0.0], [-2.0, 1.0], [0.5, 0.5], [0.0, -1.0]])
NUMBERS = Dataset(X, X @ TRUE + 3.0 + 0.5 * RNG.normal(size=(N, 2)))
TWO = Dataset(X, (X @ TRUE[:, 0] + RNG.normal(size=N) > 0).astype(int))
FOUR_X, FOUR_Y = make_classification(
    N, 5, n_informative=4, n_redundant=0, n_classes=4, n_clusters_per_class=1, random_state=0
)
FOUR = Dataset(FOUR_X, FOUR_Y)
RATES = [1e-3, 1e-2, 0.1, 1.0]


@pytest.mark.parametrize("solver", ["closed_form", "gradient"])
def test_ridge_is_scikit_learns_for_every_strength_in_one_run(solver: Any) -> None:
    """Closed form to 1e-5, gradient to 1e-3; the loss is a mean over two outputs, so alpha is 2 n ridge."""
    model = make_estimator("ridge_regression", seeds=4, ridge=RATES, solver=solver)
    model.fit(NUMBERS)
    for k, ridge in enumerate(RATES):
        theirs = Ridge(alpha=2 * N * ridge).fit(X, NUMBERS.y)
        tolerance = 1e-5 if solver == "closed_form" else 1e-3
        np.testing.assert_allclose(model.coef[k], theirs.coef_.T, atol=tolerance)
        np.testing.assert_allclose(model.intercept[k], theirs.intercept_, atol=3 * tolerance)
        assert model.score(NUMBERS)[k] == pytest.approx(theirs.score(X, NUMBERS.y), abs=1e-4)


def test_the_closed_form_is_where_the_gradient_is_zero() -> None:
    """Of the loss as `fit` has it, with weighted rows, by torch."""
    import torch

    from rlcourse.nn.losses import make_loss, penalty
    from rlcourse.nn.network import build

    counts = RNG.random((3, N)).astype(np.float32)
    x = np.broadcast_to(NUMBERS.x, (3, *NUMBERS.x.shape))
    y = np.broadcast_to(NUMBERS.y, (3, *NUMBERS.y.shape))
    coef, intercept = solve_ridge(x, y, 0.05, counts)
    network = build("linear", 4, size=3, n_out=2).double()
    layer: Any = network.parts[0]
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(coef))
        layer.bias.copy_(torch.from_numpy(intercept[:, None]))
    tensors = [torch.from_numpy(np.array(a, np.float64)) for a in (x, y, counts)]
    loss = make_loss("squared")(network(tensors[0]), tensors[1], tensors[2])
    (loss + penalty(network, ridge=0.05)).sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() < 1e-7


def test_least_squares_of_members_with_data_of_their_own() -> None:
    drawn = bootstrap(NUMBERS, Streams.from_seeds(range(5), "t"))
    model = make_estimator("linear_regression", seeds=5, solver="closed_form")
    model.fit(drawn)
    for k in range(5):
        theirs = LinearRegression().fit(drawn.x[k], drawn.y[k])
        np.testing.assert_allclose(model.coef[k], theirs.coef_.T, atol=1e-4)


def test_of_too_many_features_the_shortest_weights_are_found() -> None:
    x, y = RNG.normal(size=(1, 6, 10)), RNG.normal(size=(1, 6, 1))
    coef, intercept = solve_ridge(x, y)
    np.testing.assert_allclose(x @ coef + intercept[:, None], y, atol=1e-10)
    centred = x[0] - x[0].mean(0)
    np.testing.assert_allclose(coef[0], np.linalg.pinv(centred) @ (y[0] - y[0].mean()), atol=1e-10)


def test_logistic_regression_is_scikit_learns() -> None:
    """To 1e-4, for four strengths of ridge in one run."""
    model = make_estimator("logistic_regression", seeds=4, ridge=RATES)
    model.fit(TWO)
    for k, ridge in enumerate(RATES):
        theirs = LogisticRegression(C=1 / (2 * N * ridge), tol=1e-10, max_iter=1000).fit(X, TWO.y)
        np.testing.assert_allclose(model.coef[k].T, theirs.coef_, atol=1e-4)
        np.testing.assert_allclose(model.intercept[k], theirs.intercept_, atol=1e-4)
        np.testing.assert_array_equal(model.predict(TWO)[k], theirs.predict(X))


def test_softmax_is_scikit_learns() -> None:
    """To 1e-3; biases up to a number that all classes may share."""
    model = make_estimator("softmax_classifier", seeds=2, ridge=[0.01, 0.1])
    model.fit(FOUR)
    for k, ridge in enumerate([0.01, 0.1]):
        theirs = LogisticRegression(C=1 / (2 * N * ridge), tol=1e-10, max_iter=2000).fit(FOUR_X, FOUR_Y)
        np.testing.assert_allclose(model.coef[k].T, theirs.coef_, atol=1e-3)
        ours = model.intercept[k] - model.intercept[k].mean()
        np.testing.assert_allclose(ours, theirs.intercept_ - theirs.intercept_.mean(), atol=1e-3)


def test_the_svm_is_scikit_learns() -> None:
    """To 2e-3: the hinge has corners, about which the gradient wanders until the steps are small."""
    rates = [0.01, 0.1]
    model = make_estimator("linear_svm", seeds=2, ridge=rates)
    model.fit(TWO, epochs=800, schedule={"name": "exponential", "factor": 1e-4 ** (1 / 800)})
    for k, ridge in enumerate(rates):
        theirs = SVC(kernel="linear", C=1 / (2 * N * ridge), tol=1e-8).fit(X, TWO.y)
        np.testing.assert_allclose(model.coef[k].T, theirs.coef_, atol=2e-3)
        np.testing.assert_allclose(model.intercept[k], theirs.intercept_, atol=4e-3)
        np.testing.assert_array_equal(model.predict(TWO)[k], theirs.predict(X))


@pytest.mark.parametrize("classes", [2, 4])
def test_the_squared_hinge_is_scikit_learns(classes: int) -> None:
    """To 1e-3; liblinear penalises the bias, too, but hardly so where it is scaled up."""
    data = TWO if classes == 2 else FOUR
    model = make_estimator("linear_svm", loss="squared_hinge", ridge=0.02)
    model.fit(data)
    theirs = LinearSVC(C=1 / (2 * N * 0.02), dual=False, intercept_scaling=1e3, tol=1e-10, max_iter=100_000)
    theirs.fit(data.x.astype(float), data.y)
    np.testing.assert_allclose(model.coef[0].T, theirs.coef_, atol=1e-3)
    np.testing.assert_allclose(model.intercept[0], np.atleast_1d(theirs.intercept_), atol=5e-3)


def test_several_labels_are_so_many_logistic_regressions() -> None:
    x, y = make_multilabel_classification(N, 6, n_classes=3, random_state=0)
    data = Dataset(x, y)
    model = make_estimator(
        "multi_label_classifier", ridge=0.05 / 3, normalise=True
    )  # a mean over three labels
    model.fit(data)
    scaled = (x - x.mean(0)) / x.std(0)
    theirs = OneVsRestClassifier(LogisticRegression(C=1 / (2 * N * 0.05), tol=1e-10)).fit(scaled, y)
    for label, one in enumerate(theirs.estimators_):
        np.testing.assert_allclose(model.coef[0][:, label], one.coef_[0], atol=1e-3)
    np.testing.assert_array_equal(model.predict(data)[0], theirs.predict(scaled))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_learns_and_beats_chance(name: str) -> None:
    """On a part of the data that it has not seen, every one of five seeds."""
    kind = ESTIMATORS[name]
    if kind.targets == "labels":
        data = Dataset(*make_multilabel_classification(400, 6, n_classes=3, random_state=0))
    elif kind.targets == "classes":
        data = Dataset(FOUR_X, FOUR_Y)
    else:
        data = NUMBERS
    train, test = split(data, 0.7, 0.3)
    settings: dict[str, Any] = (
        {"epochs": 60, "learning_rate": 0.1} if kind.model == "linear" else {"epochs": 20}
    )
    model = make_estimator(name, seeds=5, normalise=True)
    result = model.fit(train, test, **settings)
    assert result is not None
    chance = 0.0 if kind.targets == "numbers" else 0.25
    if kind.targets == "labels":  # the F1 of who says yes to everything
        chance = float(f1_score(test.y, np.ones_like(test.y), average="macro"))
    assert (model.score(test) > chance + 0.05).all()
    again = make_estimator(name, seeds=5, normalise=True)
    again.fit(train, test, **settings)
    np.testing.assert_array_equal(again.predict(test), model.predict(test))
    assert model.predict(test.x).shape[:2] == (5, len(test))


def test_one_row_of_inputs_decides_nothing_by_itself() -> None:
    """A test part that is far off does not move the normalisation."""
    train, test = split(NUMBERS, 0.5, 0.5)
    model = make_estimator("ridge_regression", normalise=True, solver="closed_form")
    model.fit(train)
    before = model.predict(train)
    model.predict(Dataset(test.x + 1e3, test.y))
    np.testing.assert_array_equal(before, model.predict(train))
    scaled = (train.x - train.x.mean(0)) / train.x.std(0)
    theirs = Ridge(alpha=2 * len(train) * 0.01).fit(scaled, train.y)
    np.testing.assert_allclose(model.coef[0], theirs.coef_.T, atol=1e-4)


def test_the_score_of_a_member_that_diverged_is_nan() -> None:
    """An SVM whose weights are no numbers would say class 0 of everything, and be right about half of it."""
    for name, data in (("linear_regression", NUMBERS), ("linear_svm", TWO)):
        model = make_estimator(name, seeds=2, ridge=[0.0, 1e10])
        model.fit(data, optimiser="sgd", learning_rate=[0.05, 1e8], epochs=50)
        score = model.score(data)
        assert score[0] > 0.5
        assert np.isnan(score[1])


@pytest.mark.parametrize("name", ["mlp_regressor", "ridge_regression"])
@pytest.mark.parametrize("normalise", [False, True])
def test_inputs_of_another_width_are_refused(name: str, normalise: bool) -> None:
    """Torch would broadcast one feature to four, and a single row to a row for every member."""
    options: dict[str, Any] = {"solver": "closed_form"} if name == "ridge_regression" else {}
    model = make_estimator(name, seeds=2, normalise=normalise, **options)
    model.fit(NUMBERS) if options else model.fit(NUMBERS, epochs=1)
    for x in (X[:, :1], X[:, :3], np.zeros((3, 5)), X[0], np.zeros((3, 4, 1))):
        with pytest.raises(UsageError, match=r"does not take the inputs .*built for \[4\]") as caught:
            model.predict(x)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="does not take the inputs"):
        model.score(Dataset(X[:, :1], NUMBERS.y))
    assert model.predict(X.tolist()).shape == (2, N, 2)
    if not options:
        with pytest.raises(UsageError, match=r"the inputs \[1\] of validation"):
            make_estimator(name, normalise=normalise).fit(NUMBERS, Dataset(X[:, :1], NUMBERS.y), epochs=1)


def test_arrays_are_fitted_and_scored_as_datasets_are() -> None:
    """scikit-learn's verbs with scikit-learn's arguments."""
    settings: dict[str, Any] = {"epochs": 3}
    of_arrays, of_data = (make_estimator("mlp_classifier", seeds=2, hidden=[8]) for _ in range(2))
    of_arrays.fit(X, TWO.y, **settings)
    of_data.fit(TWO, **settings)
    np.testing.assert_array_equal(of_arrays.predict(X), of_data.predict(TWO))
    np.testing.assert_array_equal(of_arrays.score(X, TWO.y), of_data.score(TWO))
    np.testing.assert_array_equal(of_arrays.score(X.tolist(), TWO.y.tolist()), of_data.score(TWO))
    np.testing.assert_array_equal(of_arrays.score(X, TWO.y, "roc_auc"), of_data.score(TWO, "roc_auc"))
    np.testing.assert_array_equal(of_arrays.score(X, TWO.y, metric="f1"), of_data.score(TWO, metric="f1"))
    with_part = of_arrays.fit(X, TWO.y, TWO, **settings)
    beside = of_data.fit(TWO, TWO, **settings)
    assert with_part is not None
    assert beside is not None
    np.testing.assert_array_equal(with_part.validation_loss, beside.validation_loss)
    wrong: list[tuple[Any, str]] = [
        (lambda: of_data.fit(X), r"fit needs a Dataset, or inputs and their targets: fit\(X, y\)"),
        (lambda: of_data.score(X), r"score needs a Dataset, or inputs and their targets: score\(X, y\)"),
        (lambda: of_data.score(X, "f1"), "score needs a Dataset"),
        (lambda: of_data.fit(X, TWO), "fit needs a Dataset"),
        (lambda: of_data.fit(TWO, TWO.y), "targets beside a Dataset"),
        (lambda: of_data.fit(TWO, TWO, TWO), "targets beside a Dataset"),
        (lambda: of_data.fit(X, TWO.y[:3]), "must have the same rows"),
        (lambda: of_data.fit(X, TWO.y, (X, TWO.y)), "validation must be a Dataset"),
    ]
    for call, words in wrong:
        with pytest.raises(UsageError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_options_that_no_data_will_mend_are_refused_at_once() -> None:
    for name, options, words in (
        ("mlp_classifier", {"hiden": [3]}, "hiden.*did you mean hidden"),
        ("mlp_classifier", {"hidden": [-3]}, "at least 1"),
        ("mlp_classifier", {"hidden": 3}, "hidden=3"),
        ("mlp_classifier", {"dropout": 2.0}, "p=2.0"),
        ("mlp_classifier", {"activation": "relo"}, "relo"),
        ("mlp_classifier", {"n_out": 3}, "as many outputs are made as the targets need"),
        ("mlp_classifier", {"loss": "hingo"}, "did you mean hinge"),
        ("linear_regression", {"hidden": [3]}, "hidden"),
        ("ridge_regression", {"seeds": 2, "ridge": [1, 2, 3], "solver": "closed_form"}, "or 2 of them"),
        ("ridge_regression", {"ridge": -1}, "ridge=-1"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            make_estimator(name, **options)
        assert "\n" not in str(caught.value)


def test_what_has_no_closed_form_is_said() -> None:
    model = make_estimator("ridge_regression", solver="closed_form")
    with pytest.raises(UsageError, match="the weights of all rows are 0"):
        model.fit(Dataset(X, NUMBERS.y, np.zeros(N)))
    with pytest.raises(UsageError, match=r"ridge=.* must be .* or 2 of them"):
        solve_ridge(np.stack([X, X]), np.stack([NUMBERS.y, NUMBERS.y]), [1.0, 2.0, 3.0])
    with pytest.raises(UsageError, match="must be one a row"):
        model.fit(Dataset(X, NUMBERS.y, np.ones((N, 2))))


def test_refused() -> None:
    for name, options, words in (
        ("ridge", {}, "ridge_regression"),
        ("logistic_regression", {"solver": "closed_form"}, "no closed form"),
        ("ridge_regression", {"solver": "closed"}, "did you mean closed_form"),
        ("softmax_classifier", {"n_classes": 1}, "n_classes=1"),
        ("mlp_classifier", {"seeds": 0}, "seeds=0"),
    ):
        with pytest.raises(UsageError, match=words):
            make_estimator(name, **options)
    for name, data, words in (
        ("linear_regression", TWO, "must be numbers"),
        ("softmax_classifier", NUMBERS, "must be classes"),
        ("multi_label_classifier", TWO, "labels must be"),
        ("softmax_classifier", Dataset(X, -TWO.y), "negative"),
    ):
        with pytest.raises(UsageError, match=words):
            make_estimator(name).fit(data)
    with pytest.raises(UsageError, match="there is a class 3"):
        make_estimator("softmax_classifier", n_classes=3).fit(FOUR)
    with pytest.raises(UsageError, match="option of make_estimator"):
        make_estimator("ridge_regression").fit(NUMBERS, ridge=0.1)
    with pytest.raises(UsageError, match="hiden"):
        make_estimator("mlp_regressor", hiden=[3]).fit(NUMBERS)
    with pytest.raises(UsageError, match="call fit first"):
        make_estimator("ridge_regression").predict(X)
    with pytest.raises(UsageError, match="neither a validation part"):
        make_estimator("ridge_regression", solver="closed_form").fit(NUMBERS, NUMBERS)
    fitted = make_estimator("mlp_regressor")
    fitted.fit(NUMBERS, epochs=1)
    with pytest.raises(UsageError, match="only linear"):
        _ = fitted.coef
