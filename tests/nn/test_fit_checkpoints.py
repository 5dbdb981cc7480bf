"""A fit that was killed and goes on ends as one that was not; a checkpoint of another task is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from rlcourse.errors import StorageError, UsageError
from rlcourse.nn.data import Dataset
from rlcourse.nn.fit import fit
from rlcourse.nn.optimisers import Optimiser
from rlcourse.nn.stack import Sequential
from rlcourse.nn.trainer import CHECKPOINT
from rlcourse.nn.transfer import freeze
from rlcourse.storage import read_folder, write_folder
from tests.nn.fitting import BUSY, TRAIN, VALIDATION, assert_equal, assert_same_results, network, weights


class Killed(BaseException):
    """As by a signal: nothing in the code under test catches it."""


@pytest.mark.parametrize("killed_at", [1, 5, 13, 21, 37])
@pytest.mark.parametrize("optimiser", ["adam", "nesterov"])
def test_killed_and_resumed_is_unbroken(
    killed_at: int, optimiser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of an epoch, and once more later: weights, buffers and curves are equal bit for bit."""
    settings = {**BUSY, "optimiser": optimiser, "epochs": 10, "patience": 4, "metrics": ["r2"]}
    unbroken = network(range(3))
    expected = fit(unbroken, TRAIN, VALIDATION, **settings)
    step, done = Optimiser.step, [0]

    def dies(self: Optimiser, loss: Tensor) -> None:
        done[0] += 1
        if done[0] in (killed_at, killed_at + 9):
            raise Killed
        step(self, loss)

    monkeypatch.setattr(Optimiser, "step", dies)
    deaths = 0
    while True:
        model = network(range(3))  # its weights are those of the checkpoint, once there is one
        try:
            result = fit(
                model, TRAIN, VALIDATION, checkpoint=tmp_path / "fit", checkpoint_every=2, **settings
            )
            break
        except Killed:
            deaths += 1
    assert deaths >= 1
    assert_equal(weights(model), weights(unbroken))
    assert_same_results(result, expected)


def test_more_epochs_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    unbroken = network(range(3))
    expected = fit(unbroken, TRAIN, VALIDATION, epochs=9, **BUSY)
    fit(network(range(3)), TRAIN, VALIDATION, epochs=4, checkpoint=tmp_path, **BUSY)
    model = network(range(3))
    assert_same_results(fit(model, TRAIN, VALIDATION, epochs=9, checkpoint=tmp_path, **BUSY), expected)
    assert_equal(weights(model), weights(unbroken))
    again = network(range(3))  # nothing is left to do
    assert_same_results(fit(again, TRAIN, VALIDATION, epochs=9, checkpoint=tmp_path, **BUSY), expected)
    assert_equal(weights(again), weights(unbroken))


def test_the_same_network_is_fitted_further_where_it_stands(tmp_path: Path) -> None:
    """In a notebook, the network is not built anew: it has the weights that the folder holds."""
    model, unbroken = network(range(3)), network(range(3))
    fit(model, TRAIN, VALIDATION, epochs=4, checkpoint=tmp_path, **BUSY)
    fit(model, TRAIN, VALIDATION, epochs=6, checkpoint=tmp_path, **BUSY)
    found = fit(model, TRAIN, VALIDATION, epochs=9, checkpoint=tmp_path, **BUSY)
    assert_same_results(found, fit(unbroken, TRAIN, VALIDATION, epochs=9, **BUSY))
    assert_equal(weights(model), weights(unbroken))
    again = network(range(3))  # and it still knows with which weights it began
    assert_same_results(fit(again, TRAIN, VALIDATION, epochs=9, checkpoint=tmp_path, **BUSY), found)


def test_fewer_epochs_than_a_checkpoint_has_are_refused(tmp_path: Path) -> None:
    fit(network(range(3)), TRAIN, epochs=4, checkpoint=tmp_path, **BUSY)
    model = network(range(3))
    before = weights(model)
    with pytest.raises(UsageError, match="a fit of 4 epochs, which is more than epochs=2") as caught:
        fit(model, TRAIN, epochs=2, checkpoint=tmp_path, **BUSY)
    assert "\n" not in str(caught.value)
    assert_equal(before, weights(model))


def test_a_checkpoint_of_another_task_or_a_broken_one_is_refused(tmp_path: Path) -> None:
    fit(network(range(3)), TRAIN, VALIDATION, epochs=2, checkpoint=tmp_path, **BUSY)

    def again(words: str, model: Any = None, data: Dataset = TRAIN, **changes: Any) -> None:
        settings = {**BUSY, "epochs": 3, "checkpoint": tmp_path, **changes}
        with pytest.raises((UsageError, StorageError), match=words) as caught:
            fit(model or network(range(3)), data, VALIDATION, **settings)
        assert "\n" not in str(caught.value)

    again("other learning_rate", learning_rate=0.5)
    again("other seeds", seeds=[1, 2, 3])
    again("other data", data=VALIDATION)
    again("other weights", model=network(range(3), hidden=8))
    again("other optimiser ", optimiser="rmsprop")
    again("other first weights", model=network([5, 6, 7]))
    again("another network .*p=0.2.*p=0.3", model=network(range(3), dropout=0.3))
    activated = Sequential(*(nn.ReLU() if isinstance(part, nn.Tanh) else part for part in network(range(3))))
    again("another network .*Tanh.*ReLU", model=activated)
    frozen = network(range(3))
    freeze(frozen, "parts.0.*")
    again(r"other frozen weights \(\[\], now \['parts.0.weight', 'parts.0.bias'\]\)", model=frozen)
    freeze(frozen, "*")
    again("nothing to learn: all weights are frozen", model=frozen)
    file = next(tmp_path.glob("arrays-*"))
    blob = file.read_bytes()
    file.write_bytes(blob[:-1] + bytes([blob[-1] ^ 1]))
    again("truncated or altered")
    file.write_bytes(blob)
    manifest, arrays = read_folder(CHECKPOINT, tmp_path)
    task = {name: manifest[name] for name in ("task", "first", "epoch", "step")}
    for wrong, words in (
        ({**arrays, "order": arrays["order"][:2]}, "'order' is uint64 .2., expected"),
        ({name: value for name, value in arrays.items() if name != "kept/parts.0.bias"}, "bias' is missing"),
        ({**arrays, "optimiser/0/exp_avg": arrays["order"]}, "the optimiser's array"),
        ({**arrays, "curves/train": arrays["curves/train"][:1]}, "the curve 'train'"),
    ):
        write_folder(CHECKPOINT, tmp_path, task, wrong)
        model = network(range(3))
        before = weights(model)
        again(words, model=model)
        assert_equal(before, weights(model))  # nothing was loaded
    write_folder(CHECKPOINT, tmp_path, {**task, "epoch": "two"}, arrays)
    again("how far it is")
    (tmp_path / "fit.json").write_text("{}")
    again("not an rlcourse fit")
