"""Fit a stack of networks to data: every member to the same or to its own, in batches and with streams of its own.

    model = Sequential(Linear(S, 2, 8), nn.Tanh(), Linear(S, 8, 1))
    model.initialise(Streams.from_seeds(range(S), "weights"))
    result = fit(model, train, validation, loss="logistic", epochs=200, patience=10, metrics=["accuracy"])
    result.best_loss            # [S]
    outputs = predict(model, test)      # [S, n, 1]

Member k of a stack ends where it would have ended alone. Killed and run again with the same `checkpoint` folder, it goes on
where it was, and ends in the same weights, bit for bit, as if it had not been killed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.checks import check_count, check_number, parse_seeds
from rlcourse.errors import UsageError, did_you_mean
from rlcourse.folders import output_folder
from rlcourse.nn.augment import make_augmentation
from rlcourse.nn.data import Dataset
from rlcourse.nn.losses import PerMember, ZeroOne, make_loss
from rlcourse.nn.metrics import check_metric
from rlcourse.nn.optimisers import LearningRate
from rlcourse.nn.predicting import predict
from rlcourse.nn.schedules import make_schedule
from rlcourse.nn.stack import Stacked
from rlcourse.nn.trainer import Trainer
from rlcourse.progress import progress_bar

__all__ = ["FitConfig", "FitResult", "fit", "predict"]


@dataclass(frozen=True)
class FitConfig:
    """How a stack is fitted."""

    loss: Any = "squared"
    """What `make_loss` takes."""
    optimiser: str = "adam"
    """One of `rlcourse.nn.optimisers.OPTIMISERS`."""
    optimiser_options: Mapping[str, Any] = field(default_factory=dict)
    """Further options of torch's class, as `weight_decay`."""
    learning_rate: LearningRate = 1e-3
    """One for all members, or one for each `[S]`."""
    schedule: Any = "constant"
    """What `make_schedule` takes: a factor of the learning rates, by the number of updates so far."""
    epochs: int = 100
    """How often all of the data are seen."""
    batch_size: int | None = 32
    """Rows of an update; `None` is all of them. The last ones of an epoch may be fewer: batch normalisation needs two."""
    ridge: PerMember = 0.0
    """What the squares of the weights cost, for all members or for each; see `penalty`."""
    l1: PerMember = 0.0
    """What the sizes of the weights cost."""
    max_grad_norm: float | None = None
    """The gradient of each member is clipped to this norm."""
    augment: Sequence[Any] = ()
    """What `make_augmentation` takes, one done after the other to every batch."""
    metrics: Sequence[str] = ()
    """What is measured on the validation part after every epoch."""
    patience: int | None = None
    """A member stops after so many epochs without a better loss on the validation part; `None` never."""
    min_delta: float = 0.0
    """By how much a loss has to be better."""
    restore_best: bool = True
    """With a validation part: give every member the weights of its best epoch at the end."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        loss = make_loss(self.loss)
        if isinstance(loss, ZeroOne):
            raise UsageError("loss='zero_one' is flat, so nothing is learned from it: try hinge or logistic")
        check_count("epochs", self.epochs)
        for name in ("batch_size", "patience"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        if self.max_grad_norm is not None:
            check_number("max_grad_norm", self.max_grad_norm, 0.0, open_low=True)
        check_number("min_delta", self.min_delta, 0.0)
        if not isinstance(self.restore_best, bool):
            raise UsageError(f"restore_best={self.restore_best!r} must be True or False")
        if not isinstance(self.optimiser_options, Mapping):
            raise UsageError(
                f"optimiser_options={self.optimiser_options!r} must be a mapping of names to values"
            )
        for name in ("augment", "metrics"):
            if isinstance(getattr(self, name), (str, Mapping)):
                raise UsageError(f"{name}={getattr(self, name)!r} must be a list")
        object.__setattr__(self, "loss", loss)
        object.__setattr__(self, "schedule", make_schedule(self.schedule))
        object.__setattr__(self, "augment", tuple(make_augmentation(one) for one in self.augment))
        object.__setattr__(self, "metrics", tuple(check_metric(name) for name in self.metrics))

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {one.name: _json(getattr(self, one.name)) for one in dataclasses.fields(self)}


@dataclass(frozen=True, eq=False)
class FitResult:
    """What came out, for each member; of E epochs, those of the member that took longest."""

    train_loss: NDArray[np.float64]
    """`[E, S]`, the mean over the batches of each epoch, without penalties; NaN after a member has stopped."""
    validation_loss: NDArray[np.float64] | None
    """`[E, S]` after each epoch; `None` without a validation part."""
    metrics: dict[str, NDArray[np.float64]]
    """By name, `[E, S]` on the validation part."""
    epochs: NDArray[np.int64]
    """`[S]`, after how many epochs a member stopped."""
    best_epoch: NDArray[np.int64]
    """`[S]`, the epoch, counted from 1, after which the loss was best; 0 is before the first one."""
    best_loss: NDArray[np.float64]
    """`[S]`, the loss then: on the validation part, and without one the last training loss."""


def fit(
    model: Stacked,
    data: Dataset,
    validation: Dataset | None = None,
    *,
    seeds: int | Sequence[int] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1,
    progress: bool = False,
    **settings: Any,
) -> FitResult:
    """Make the loss of every member small, from the weights that it has.

    Args:
        model: a stack `[S, B, ...] -> [S, B, ...]`; it is changed.
        data: what is learned from, shared by all members or with parts of S members.
        validation: what early stopping, best weights and metrics look at.
        seeds: S of them, which decide on the order of the rows and on augmentations; `None` is 0 .. S-1.
        checkpoint: a folder where it is written down how far it is. One that holds the same task already is gone on from:
            the same data, settings and network with the same first weights, and at least as many `epochs`.
        checkpoint_every: epochs between two writings.
        progress: draw a bar with the time that is left.
        settings: fields of `FitConfig`.

    Returns:
        Learning curves and results; the weights are in the model.

    Raises:
        UsageError: a wrong setting, or a checkpoint of another task.
        StorageError: a checkpoint that was truncated or altered.
    """
    if not isinstance(model, Stacked):
        raise UsageError(
            f"the model must be a stack, as rlcourse.nn.network.build makes it, got {type(model).__name__}"
        )
    for name, part in (("data", data), ("validation", validation)):
        if not isinstance(part, Dataset) and (name == "data" or part is not None):
            raise UsageError(f"{name} must be a Dataset(x, y), got {type(part).__name__}")
    config = _config(settings)
    check_count("checkpoint_every", checkpoint_every)
    members = list(range(model.size)) if seeds is None else parse_seeds(seeds)
    trainer = Trainer(model, data, validation, members, config)
    with ExitStack() as stack:
        folder = None if checkpoint is None else stack.enter_context(output_folder(checkpoint))
        if folder is not None:
            trainer.resume(folder)
        advance = stack.enter_context(progress_bar(config.epochs, "fit", show=progress))
        advance(trainer.epoch)
        while not trainer.done:
            trainer.run_epoch()
            advance(1)
            if folder is not None and (trainer.done or trainer.epoch % checkpoint_every == 0):
                trainer.write(folder)
    trainer.finish()
    curves = trainer.curves()
    validated = curves.pop("validation", None)
    train = curves.pop("train")
    return FitResult(
        train,
        validated,
        curves,
        epochs=trainer.epochs.copy(),
        best_epoch=trainer.epochs.copy() if validated is None else trainer.best_epoch.copy(),
        best_loss=train[-1].copy() if validated is None else trainer.best_loss.copy(),
    )


def _config(settings: dict[str, Any]) -> FitConfig:
    known = [one.name for one in dataclasses.fields(FitConfig)]
    for name in settings:
        if name not in known:
            raise UsageError(did_you_mean(name, known, kind="setting of fit"))
    return FitConfig(**settings)


def _json(value: Any) -> Any:
    if hasattr(value, "to_json"):
        return value.to_json()
    if isinstance(value, Mapping):
        return {str(key): _json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_json(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value
