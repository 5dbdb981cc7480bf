"""Fitting: members apart, stopping, best weights, curves, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rlcourse.errors import UsageError
from rlcourse.nn.data import Dataset
from rlcourse.nn.fit import fit, predict
from rlcourse.nn.linear import Linear
from rlcourse.nn.losses import make_loss
from rlcourse.nn.metrics import measure
from rlcourse.nn.network import build
from rlcourse.nn.scaling import Normalise
from rlcourse.nn.stack import Sequential
from rlcourse.streams import Streams
from tests.nn.fitting import BUSY, RNG, TRAIN, VALIDATION, X, Y, assert_equal, network, weights

XOR = Dataset(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0]))


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared"])
def test_xor_is_learned_by_every_seed(loss: str) -> None:
    model = network(range(20), n_in=2, hidden=8, dropout=0.0)
    data = Dataset(XOR.x, XOR.y.astype(np.float32)[:, None]) if loss == "squared" else XOR
    fit(model, data, loss=loss, learning_rate=0.05, epochs=400, batch_size=None)
    cut = 0.5 if loss == "squared" else 0.0
    assert ((predict(model, XOR)[..., 0] > cut).numpy() == XOR.y).all()


def test_xor_is_not_learned_by_a_line() -> None:
    model = Sequential(Linear(5, 2, 1))
    model.initialise(Streams.from_seeds(range(5), "weights"))
    result = fit(model, XOR, XOR, loss="logistic", learning_rate=0.05, epochs=200, batch_size=None)
    assert measure("accuracy", predict(model, XOR), XOR.y).max() <= 0.75
    np.testing.assert_allclose(
        result.best_loss, np.log(2), atol=1e-3
    )  # the best line says one half everywhere


@pytest.mark.parametrize("optimiser", ["adam", "momentum"])
def test_a_member_is_its_solo_fit(optimiser: str) -> None:
    seeds = [3, 8, 5]
    settings = {**BUSY, "optimiser": optimiser, "epochs": 12, "patience": 3, "metrics": ["r2"]}
    together = network(seeds)
    rates = [0.01, 0.03, 0.02]
    all_of_them = fit(together, TRAIN, VALIDATION, seeds=seeds, **{**settings, "learning_rate": rates})
    for k, seed in enumerate(seeds):
        alone = network([seed])
        result = fit(alone, TRAIN, VALIDATION, seeds=[seed], **{**settings, "learning_rate": rates[k]})
        n = int(result.epochs[0])
        assert n == all_of_them.epochs[k]
        assert result.best_epoch[0] == all_of_them.best_epoch[k]
        for name in ("train_loss", "validation_loss"):
            np.testing.assert_allclose(
                getattr(result, name)[:, 0], getattr(all_of_them, name)[:n, k], rtol=1e-4
            )
        assert np.isnan(all_of_them.train_loss[n:, k]).all()
        for name, value in weights(together).items():
            torch.testing.assert_close(value[[k]], weights(alone)[name], rtol=1e-4, atol=1e-6)


def test_the_first_updates_are_those_of_torch() -> None:
    """Two epochs of plain gradient descent on all rows, against a loop that anyone would write."""
    model = network([0], dropout=0.0)
    one = model.member(0)
    steps = torch.optim.SGD(one.parameters(), lr=0.1)
    x, y = torch.from_numpy(TRAIN.x), torch.from_numpy(TRAIN.y)
    losses = []
    for step in range(2):
        steps.param_groups[0]["lr"] = 0.1 * 0.5**step
        loss = nn.functional.huber_loss(one(x), y)
        losses.append(loss.item())
        steps.zero_grad()
        loss.backward()
        steps.step()
    schedule = {"name": "exponential", "factor": 0.5}
    result = fit(
        model, TRAIN, loss="huber", optimiser="sgd", learning_rate=0.1, schedule=schedule, epochs=2, batch_size=None
    )  # fmt: skip
    np.testing.assert_allclose(result.train_loss[:, 0], losses, rtol=1e-5)
    np.testing.assert_allclose(result.best_loss, losses[-1:], rtol=1e-5)
    for ours, theirs in zip(model.member(0).parameters(), one.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_early_stopping_keeps_the_best_weights_while_others_go_on() -> None:
    """Twelve rows and a large network: all overfit, each at a time of its own."""
    small = Dataset(TRAIN.x[:12], TRAIN.y[:12])
    seeds = list(range(6))
    model = network(seeds, hidden=64, dropout=0.0)
    settings = {"learning_rate": 0.01, "batch_size": 4, "epochs": 120}
    result = fit(model, small, VALIDATION, patience=8, **settings)
    assert len(set(result.epochs.tolist())) > 1
    stopped = result.epochs < result.epochs.max()
    assert stopped.any()
    np.testing.assert_array_equal(result.epochs - result.best_epoch, 8)
    assert result.validation_loss is not None
    for k in seeds:
        curve = result.validation_loss[:, k]
        assert np.isnan(curve[result.epochs[k] :]).all()
        assert np.nanargmin(curve) + 1 == result.best_epoch[k]
        assert np.nanmin(curve) == result.best_loss[k]
        short = network([k], hidden=64, dropout=0.0)  # as if it had been known when to stop
        fit(short, small, seeds=[k], **{**settings, "epochs": int(result.best_epoch[k])})
        for name, value in weights(model).items():
            torch.testing.assert_close(value[[k]], weights(short)[name], rtol=1e-3, atol=1e-5)
    target = torch.from_numpy(VALIDATION.y).expand(6, -1, -1)
    again = make_loss("squared")(predict(model, VALIDATION), target)
    np.testing.assert_allclose(again.numpy(), result.best_loss, rtol=1e-6)


def test_without_restoring_a_member_keeps_the_weights_with_which_it_stopped() -> None:
    small = Dataset(TRAIN.x[:12], TRAIN.y[:12])
    settings = {"learning_rate": 0.01, "batch_size": 4, "restore_best": False}
    model = network(range(4), hidden=64, dropout=0.0)
    result = fit(model, small, VALIDATION, patience=8, epochs=120, **settings)
    k = int(result.epochs.argmin())
    assert result.epochs[k] < result.epochs.max()
    short = network([k], hidden=64, dropout=0.0)
    fit(short, small, seeds=[k], epochs=int(result.epochs[k]), **settings)
    for name, value in weights(model).items():
        torch.testing.assert_close(value[[k]], weights(short)[name], rtol=1e-3, atol=1e-5)


def test_no_member_touches_another() -> None:
    """One member learns from nonsense, until its weights are no numbers; the others do not notice."""
    x, y = np.stack([TRAIN.x] * 3), np.stack([TRAIN.y] * 3)
    wild = y.copy()
    wild[1] = 1e38
    settings: dict[str, Any] = {"optimiser": "sgd", "learning_rate": 0.05, "epochs": 5}
    calm, shaken = network(range(3)), network(range(3))
    fit(calm, Dataset(x, y, members=3), **settings)
    result = fit(shaken, Dataset(x, wild, members=3), **settings)
    assert not np.isfinite(result.train_loss[-1, 1])
    for name, value in weights(calm).items():
        assert torch.equal(value[[0, 2]], weights(shaken)[name][[0, 2]])


@pytest.mark.parametrize(("loss", "metric"), [("squared", "r2"), ("logistic", "roc_auc"), ("logistic", "f1")])
def test_a_member_that_diverges_in_a_sweep_has_no_measure(loss: str, metric: str) -> None:
    target = Y if loss == "squared" else (Y > 0).astype(int)
    data = Dataset(X, target)
    settings: dict[str, Any] = {
        "loss": loss,
        "metrics": [metric],
        "optimiser": "sgd",
        "epochs": 4,
        "ridge": 1e-3,
    }
    result = fit(network([0, 1]), data, data, learning_rate=[1e-2, 1e30], **settings)
    alone = fit(network([0]), data, data, learning_rate=1e-2, **settings)
    assert np.isnan(result.metrics[metric][-1, 1])
    np.testing.assert_allclose(result.metrics[metric][:, 0], alone.metrics[metric][:, 0], rtol=1e-4)


def test_rows_without_weight_are_not_learned_from() -> None:
    counts = np.zeros(len(TRAIN), np.float32)
    counts[:20] = 1.0
    some, same = network([0, 1], dropout=0.0), network([0, 1], dropout=0.0)
    settings: dict[str, Any] = {"epochs": 5, "batch_size": None, "learning_rate": 0.01}
    fit(some, Dataset(TRAIN.x, TRAIN.y, counts), **settings)
    fit(same, Dataset(TRAIN.x[:20], TRAIN.y[:20]), **settings)
    for name, value in weights(some).items():
        torch.testing.assert_close(value, weights(same)[name], rtol=1e-4, atol=1e-6)


def test_fitting_leaves_global_chance_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlcourse.progress.SECONDS_A_LINE", 0.0)  # of a stderr that is no terminal
    before = torch.get_rng_state()
    fit(network([0]), TRAIN, epochs=2, progress=True, **BUSY)
    assert torch.equal(before, torch.get_rng_state())
    assert "fit" in capsys.readouterr().err


def test_normalisation_takes_what_it_was_fitted_to() -> None:
    pictures = Dataset(RNG.normal(size=(6, 2, 3, 3)), np.zeros(6))
    of_channels = Normalise.fitted(pictures, 2, axes=(1, 2))
    assert of_channels(torch.zeros(2, 5, 2, 4, 4)).shape == (2, 5, 2, 4, 4)  # of any size
    for wrong in ((2, 5, 1, 3, 3), (2, 5, 3, 3), (2, 5)):
        with pytest.raises(UsageError, match="normalisation was fitted to inputs"):
            of_channels(torch.zeros(wrong))
    with pytest.raises(UsageError, match=r"fitted to inputs \[4\], and these are \[1\]"):
        Normalise.fitted(TRAIN, 2).member(0)(torch.zeros(5, 1))


def test_what_a_model_does_not_take_is_one_line_and_leaves_its_mode() -> None:
    model = network([0, 1])
    for x in (X[:, :1], X[:, :3], X[0]):
        with pytest.raises(UsageError, match="the model does not take the inputs") as caught:
            predict(model, x)
        assert "\n" not in str(caught.value)
    assert model.training


def test_bytes_are_seen_as_numbers_and_what_is_predicted_in_parts_is_the_same() -> None:
    x = RNG.integers(2, size=(5000, 3), dtype=np.uint8)
    model = network([0, 1], n_in=3)
    outputs = predict(model, x)
    assert outputs.shape == (2, 5000, 1)
    inputs = torch.from_numpy(x).float()
    for k in range(2):
        one = model.member(k).eval()
        with torch.no_grad():
            torch.testing.assert_close(outputs[k], one(inputs), rtol=1e-5, atol=1e-6)
    assert model.training  # as it was


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epoch": 3}, "did you mean epochs"),
        ({"loss": "zero_one"}, "try hinge"),
        ({"loss": "hingo"}, "did you mean hinge"),
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": 2.5}, "batch_size=2.5"),
        ({"patience": 3}, "need a validation part"),
        ({"metrics": ["r2"]}, "need a validation part"),
        ({"metrics": ["r3"]}, "unknown metric"),
        ({"seeds": [1]}, "must be 2, one a member"),
        ({"learning_rate": [0.1, 0.1, 0.1]}, "learning_rate="),
        ({"ridge": -1.0}, "ridge=-1.0"),
        ({"optimiser": "adamm"}, "did you mean adam"),
        ({"optimiser_options": {"betta": 1}}, "refuses its options"),
        ({"schedule": "linear"}, "needs steps"),
        ({"augment": ["turn"]}, "unknown augmentation"),
        ({"checkpoint_every": 0}, "checkpoint_every=0"),
        ({"learning_rate": "fast"}, "learning_rate='fast'"),
        ({"seeds": [1, 1]}, "names one twice"),
        ({"augment": "noise"}, "must be a list"),
        ({"metrics": "r2"}, "must be a list"),
        ({"checkpoint": __file__}, "it is a file"),
        ({"loss": "cross_entropy"}, "try logistic"),
        ({"optimiser_options": {"weight_decay": -1}}, "Invalid weight_decay"),
        ({"optimiser_options": {"foreach": True}}, "refuses its options"),
        ({"optimiser_options": 3}, "optimiser_options=3 must be a mapping"),
        ({"optimiser": ["adam"]}, "unknown optimiser"),
        ({"restore_best": "no"}, "restore_best='no' must be True or False"),
        ({"schedule": {"name": "polynomial", "steps": 5, "power": -1}}, "power=-1"),
    ],
)
def test_refused(settings: dict[str, Any], words: str) -> None:
    model = network([0, 1])
    before = weights(model)
    with pytest.raises(UsageError, match=words):
        fit(model, TRAIN, **settings)
    assert_equal(before, weights(model))
    with pytest.raises(UsageError, match="3 members for a stack of 2"):
        fit(model, Dataset(np.zeros((3, 5, 4)), np.zeros((3, 5)), members=3))


def test_what_is_no_stack_or_no_dataset_is_refused() -> None:
    model: Any = network([0, 1])
    for arguments, words in (
        ((torch.nn.Linear(4, 1), TRAIN), "must be a stack, .* got Linear"),
        ((None, TRAIN), "must be a stack, .* got NoneType"),
        ((model, X), r"data must be a Dataset\(x, y\), got ndarray"),
        ((model, (X, Y)), r"data must be a Dataset\(x, y\), got tuple"),
        ((model, TRAIN, X), r"validation must be a Dataset\(x, y\), got ndarray"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            fit(*arguments)
        assert "\n" not in str(caught.value)


def test_an_index_that_is_too_large_is_found_in_any_row() -> None:
    for part in ("embedding 5 4", "onehot 5"):
        model = build([part, "flatten", "linear 1"], (2,), size=2)
        before = weights(model)
        for wrong in (7, -1):
            x = np.array([[0, 0], [1, 4], [2, wrong], [3, 3]])
            own = np.stack([x % 5, x])
            for data in (Dataset(x, np.zeros(4)), Dataset(own, np.zeros((2, 4)), members=2)):
                with pytest.raises(
                    UsageError, match=r"the model does not take the inputs \[2\] of data"
                ) as caught:
                    fit(model, data, epochs=1)
                assert "\n" not in str(caught.value)
            with pytest.raises(UsageError, match="does not take the inputs"):
                predict(model, x)
        assert_equal(before, weights(model))


def test_a_last_batch_of_one_row_is_said_before_batch_normalisation_meets_it() -> None:
    model = build("mlp", 4, n_out=1, norm="batchnorm", dropout=0.5, size=2)
    data = Dataset(X[:33], Y[:33])
    before = weights(model)
    for batch, better in ((32, 33), (16, 17), (1, 2)):
        with pytest.raises(UsageError, match=f"a batch of one, .*: take batch_size={better + (batch == 1)}"):
            fit(model, data, batch_size=batch, epochs=1)
    with pytest.raises(UsageError, match="give it more rows"):
        fit(model, Dataset(X[:1], Y[:1]), epochs=1)
    assert_equal(before, weights(model))
    fit(model, data, batch_size=33, epochs=1)
    pictures = Dataset(RNG.normal(size=(5, 1, 3, 3)), np.zeros(5))  # of one row, nine values a channel
    fit(
        build("cnn", (1, 3, 3), n_out=1, channels=[2], norm="batchnorm", hidden=[], size=1),
        pictures,
        batch_size=4,
        epochs=1,
    )


def test_weights_of_rows_and_of_steps() -> None:
    """A weight of a row is that of all its steps, in the loss and in metrics; a weight of what is not there is refused."""
    x, y = RNG.normal(size=(12, 5, 3)), RNG.integers(2, size=(12, 5))
    counts = RNG.random(12)
    results = []
    for weight in (counts, np.repeat(counts[:, None], 5, axis=1)):
        data = Dataset(x, y, weight)
        model = build("gru", (3,), n_out=2, hidden=[4], to="sequence", size=2)
        results.append(fit(model, data, data, loss="cross_entropy", metrics=["accuracy"], epochs=2))
    np.testing.assert_allclose(results[0].metrics["accuracy"], results[1].metrics["accuracy"])
    np.testing.assert_allclose(results[0].train_loss, results[1].train_loss, rtol=1e-5)
    many = np.ones((12, 5))
    for loss, target, n_out in (("cross_entropy", y[:, 0], 2), ("squared", RNG.normal(size=(12, 5)), 5)):
        model = build("gru", (3,), n_out=n_out, hidden=[4], size=2)
        with pytest.raises(UsageError, match=r"weights \[2, 1, 5\] do not fit to outputs"):
            fit(model, Dataset(x, target, many), loss=loss, epochs=1)


def test_targets_of_another_kind_are_refused() -> None:
    for loss, y, words in (
        ("hinge", Y, "of classes, whole numbers, and the targets are torch.float32"),
        ("logistic", Y[:, None], "of classes, whole numbers"),
        ("hinge", np.full((len(Y), 1), 4), "are 4 to 4, and the model has 0 to 1"),
        ("binary_cross_entropy", np.full(len(Y), 2), "labels of data are 2 to 2, and must be 0 to 1"),
        (
            {"name": "cross_entropy", "class_weights": [1.0, 2.0, 3.0]},
            (Y > 0) * 1,
            "class_weights=.* must be 2",
        ),
    ):
        n_out = 1 if isinstance(loss, str) else 2
        with pytest.raises(UsageError, match=words):
            fit(build("linear", 4, n_out=n_out), Dataset(X, y), loss=loss, epochs=1)


def test_data_that_do_not_fit_to_the_model_are_refused_before_anything_is_learned() -> None:
    model = network([0, 1])
    before = weights(model)
    for data, loss, words in (
        (Dataset(X[:, :3], Y), "squared", r"does not take the inputs \[3\] of data"),
        (Dataset(X, np.stack([Y, Y], 1)), "squared", "do not fit to outputs"),
        (Dataset(X, (Y > 0) * 4), "hinge", "are 0 to 4, and the model has 0 to 1"),
        (Dataset(X, np.where(Y > 0, 1, -1)), "logistic", "are -1 to 1, and the model has 0 to 1"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            fit(model, data, loss=loss)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="of validation"):
        fit(model, TRAIN, Dataset(X[:, :3], Y))
    assert_equal(before, weights(model))
