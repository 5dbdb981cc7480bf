"""What `fit` does in an epoch, and all that it has to remember of those before."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.errors import StorageError, UsageError
from rlcourse.nn.data import Dataset, batches
from rlcourse.nn.fingerprint import describe, digest_of
from rlcourse.nn.losses import Absolute, BinaryCrossEntropy, Huber, Squared, penalty, per_member
from rlcourse.nn.metrics import measure
from rlcourse.nn.normalisation import BatchNorm1d, BatchNorm2d
from rlcourse.nn.optimisers import Optimiser
from rlcourse.nn.predicting import outputs_of, predict, spread, to_tensor
from rlcourse.nn.stack import Stacked
from rlcourse.storage import Kind, read_folder, write_folder
from rlcourse.streams import Streams

if TYPE_CHECKING:
    from rlcourse.nn.fit import FitConfig

Array = NDArray[Any]
CHECKPOINT = Kind("fit", 2)


class Trainer:
    """A model on its way.

    Args:
        model: the stack that is fitted.
        data: what is learned from.
        validation: what is looked at after every epoch, or `None`.
        seeds: of the S members.
        config: the settings.

    Raises:
        UsageError: not one seed for each member, data of another number of members, or a setting that does not suit them.
    """

    def __init__(
        self,
        model: Stacked,
        data: Dataset,
        validation: Dataset | None,
        seeds: Sequence[int],
        config: FitConfig,
    ) -> None:
        size = model.size
        if len(seeds) != size:
            raise UsageError(f"seeds={list(seeds)!r} must be {size}, one a member")
        for name, part in (("data", data), ("validation", validation)):
            if part is not None and part.members not in (None, size):
                raise UsageError(f"{name} of {part.members} members for a stack of {size}")
        if validation is None and (config.patience is not None or config.metrics):
            raise UsageError("patience and metrics need a validation part")
        for name in ("ridge", "l1"):
            per_member(name, getattr(config, name), size)
        self.model, self.data, self.validation, self.config = model, data, validation, config
        self.seeds = list(seeds)
        self.device = next(model.parameters()).device
        for name, part in (("data", data), ("validation", validation)):
            if part is not None:
                self._try_out(name, part)
        self._check_last_batch()
        self.rates = per_member("learning_rate", config.learning_rate, size)
        self.optimiser = Optimiser(
            model.parameters(),
            config.optimiser,
            self.rates,
            max_grad_norm=config.max_grad_norm,
            **config.optimiser_options,
        )
        self.order = Streams.from_seeds(self.seeds, "nn/order")
        self.changes = Streams.from_seeds(self.seeds, "nn/augment")
        self.epoch = self.step = 0
        self.history: dict[str, list[Array]] = {}
        self.best_loss = np.full(size, np.inf)
        self.best_epoch = np.zeros(size, np.int64)
        self.epochs = np.zeros(size, np.int64)
        self.stopped = np.zeros(size, np.bool_)
        self.kept = self.state()
        self.first = digest_of(self.kept)
        self._all: tuple[Tensor, Tensor, Tensor | None] | None = None

    def _try_out(self, name: str, part: Dataset) -> None:
        """A few rows through the model and the loss, so that what does not fit is said before anything is learned."""
        row = part.take(_extremes(part))
        output = outputs_of(self.model, row, f" of {name}")
        _, target, weight = self._whole(row, slice(None))
        k = max(output.shape[-1], 2)
        labels = isinstance(self.config.loss, BinaryCrossEntropy)
        low, high = part.y.min(), part.y.max()
        if labels and not 0 <= low <= high <= 1:
            raise UsageError(f"the labels of {name} are {low} to {high}, and must be 0 to 1")
        alike = target.shape == output.shape and output.shape[-1] > 1  # labels, or numbers that are whole
        if target.dtype == torch.int64 and self._of_classes and not alike and not 0 <= low <= high < k:
            raise UsageError(f"the classes of {name} are {low} to {high}, and the model has 0 to {k - 1}")
        self.config.loss(output, target, weight)

    @property
    def _of_classes(self) -> bool:
        return not isinstance(self.config.loss, (Squared, Absolute, Huber, BinaryCrossEntropy))

    def _check_last_batch(self) -> None:
        """Batch normalisation has no variance of a single value: say so before the last batch of an epoch comes to it."""
        n, batch = len(self.data), self.config.batch_size
        smallest = n if batch is None else n % batch or batch
        norms = (BatchNorm1d, BatchNorm2d)
        if smallest > 1 or not any(isinstance(part, norms) for part in self.model.modules()):
            return
        trial = copy.deepcopy(self.model).train()  # running statistics and masks of the model itself stay
        x, _, _ = self._whole(self.data.take(np.zeros(1, np.int64)), slice(None))
        try:
            trial(x)
        except ValueError as error:
            better = next((size for size in range((batch or 1) + 1, n + 1) if n % size != 1), None)
            tip = "give it more rows" if better is None else f"take batch_size={better}"
            raise UsageError(
                f"{n} rows in batches of {batch or n} end with a batch of one, too few for batch normalisation: {tip}"
            ) from error

    @property
    def done(self) -> bool:
        """Whether nobody learns any more."""
        return self.epoch >= self.config.epochs or bool(self.stopped.all())

    def state(self) -> dict[str, Tensor]:
        """Copies of all weights and buffers, those of each member `[S, ...]`."""
        return {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def run_epoch(self) -> None:
        """See all data once, look at the validation part, and see who is better and who stops."""
        running = ~self.stopped
        self._record("train", self._learn())
        self.epoch += 1
        self.epochs[running] = self.epoch
        if self.validation is None:
            return
        loss = self._validate()
        better = running & (loss < self.best_loss - self.config.min_delta)
        self.best_loss[better] = loss[better]
        self.best_epoch[better] = self.epoch
        # Who has stopped is still moved with the others, which costs less than to take the stack apart, but keeps what it had.
        self._keep(better if self.config.restore_best else running)
        if self.config.patience is not None:
            self.stopped |= self.epoch - self.best_epoch >= self.config.patience

    def _keep(self, rows: NDArray[np.bool_]) -> None:
        if not rows.any():
            return
        at = torch.from_numpy(np.flatnonzero(rows)).to(self.device)
        for name, value in self.model.state_dict().items():
            self.kept[name][at] = value.detach()[at]

    def _learn(self) -> NDArray[np.float64]:
        """One epoch of updates; the mean training loss of each member."""
        config, total = self.config, np.zeros(self.model.size)
        self.model.train()
        for x, y, weight in self._batches():
            self.optimiser.set_learning_rate(self.rates * config.schedule(self.step))
            losses = config.loss(self.model(x), y, weight)
            cost = losses
            if np.any(config.ridge) or np.any(config.l1):
                cost = losses + penalty(self.model, ridge=config.ridge, l1=config.l1)
            self.optimiser.step(cost.sum())
            self.step += 1
            total += losses.detach().double().cpu().numpy() * (x.shape[1] / len(self.data))
        return total

    def _batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        config = self.config
        if config.batch_size is None and not config.augment:  # the same tensors every time
            if self._all is None:
                self._all = self._whole(self.data, slice(None))
            yield self._all
            return
        for rows in batches(len(self.data), config.batch_size, self.order):
            x, y, weight = self.data.gather(rows)
            for change in config.augment:
                x, y = change(x, y, self.changes)
            yield (
                to_tensor(x, self.device),
                to_tensor(y, self.device),
                None if weight is None else to_tensor(weight, self.device),
            )

    def _whole(self, data: Dataset, rows: slice) -> tuple[Tensor, Tensor, Tensor | None]:
        """Rows of the data for all members, without copies of what they share."""
        size = self.model.size
        x, y = (spread(array, data, rows, size, self.device) for array in (data.x, data.y))
        weight = None if data.weight is None else spread(data.weight, data, rows, size, self.device)
        return x, y, weight

    def _validate(self) -> NDArray[np.float64]:
        """The loss of each member on the validation part; metrics are written down with it."""
        assert self.validation is not None
        data = self.validation
        output = predict(self.model, data)
        _, y, weight = self._whole(data, slice(None))
        loss = self.config.loss(output, y, weight).double().cpu().numpy()
        self._record("validation", loss)
        shown = output.cpu().numpy()
        for name in self.config.metrics:
            self._record(name, measure(name, shown, data.y, data.weight, shared=data.members is None))
        return np.asarray(loss)

    def _record(self, name: str, values: NDArray[np.float64]) -> None:
        self.history.setdefault(name, []).append(np.where(self.stopped, np.nan, values))

    def curves(self) -> dict[str, NDArray[np.float64]]:
        """What was written down, by name `[E, S]`."""
        return {name: np.stack(rows) for name, rows in self.history.items()}

    def finish(self) -> None:
        """Give each member the weights that it keeps."""
        if self.validation is not None:
            self.model.load_state_dict(self.kept)
        self.model.eval()

    # ---------------------------------------------------------------- on disk

    def _task(self) -> dict[str, Any]:
        """What has to be the same for two runs to be parts of one."""
        settings = {name: value for name, value in self.config.to_json().items() if name != "epochs"}
        task = {
            **settings,
            "seeds": self.seeds,
            "data": self.data.digest(),
            "validation": None if self.validation is None else self.validation.digest(),
            "weights": {name: list(value.shape) for name, value in self.kept.items()},
            "network": describe(self.model),
            "frozen": [name for name, value in self.model.named_parameters() if not value.requires_grad],
        }
        normal: dict[str, Any] = json.loads(json.dumps(task))  # as it will be read: no tuples
        return normal

    def write(self, folder: Path) -> None:
        """Write down how far it is."""
        arrays = self._own()
        for lead, tensors in (("model", self.state()), ("kept", self.kept)):
            arrays.update({f"{lead}/{name}": value.cpu().numpy() for name, value in tensors.items()})
        arrays.update({f"optimiser/{name}": value for name, value in self.optimiser.get_arrays().items()})
        arrays.update({f"curves/{name}": value for name, value in self.curves().items()})
        manifest = {"task": self._task(), "first": self.first, "epoch": self.epoch, "step": self.step}
        write_folder(CHECKPOINT, folder, manifest, arrays)

    def _own(self) -> dict[str, Array]:
        """What it remembers beside weights, optimiser and curves: the arrays themselves."""
        return {
            "order": self.order.state,
            "changes": self.changes.state,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "stopped": self.stopped,
        }

    def resume(self, folder: Path) -> None:
        """Go on from what is written there, if anything is.

        Raises:
            UsageError: it is of another task, and the message says by which setting; or further than what is asked for.
            StorageError: it is truncated or altered.
        """
        if not (folder / CHECKPOINT.manifest).exists():
            return
        manifest, arrays = read_folder(CHECKPOINT, folder)
        said, ours = manifest.get("task"), self._task()
        if not isinstance(said, dict):
            raise StorageError(f"{folder / CHECKPOINT.manifest} does not say what was fitted")
        for name, value in ours.items():
            if said.get(name) != value:
                raise UsageError(
                    f"{folder} holds a fit with {_other(name, said.get(name), value)}: name another folder"
                )
        epoch, step = manifest.get("epoch"), manifest.get("step")
        if not isinstance(epoch, int) or not isinstance(step, int):
            raise StorageError(f"{folder / CHECKPOINT.manifest} does not say how far it is")
        weights = {
            f"{lead}/{name}": tensor for lead in ("model", "kept") for name, tensor in self.kept.items()
        }
        wanted = self._own() | {name: tensor.cpu().numpy() for name, tensor in weights.items()}
        for name, array in wanted.items():
            found = arrays.get(name)
            if found is None or found.shape != array.shape or found.dtype != array.dtype:
                got = "missing" if found is None else f"{found.dtype} {list(found.shape)}"
                raise StorageError(f"{folder}: {name!r} is {got}, expected {array.dtype} {list(array.shape)}")
        curves = _under(arrays, "curves/")
        for name, curve in curves.items():
            if curve.shape != (epoch, self.model.size):
                raise StorageError(
                    f"{folder}: the curve {name!r} is {list(curve.shape)}, expected {epoch} epochs"
                )
        first = manifest.get("first")
        # the weights that it began with, or those that it had come to: in a notebook, the same network is fitted further
        known = (first, *(digest_of(_tensors(arrays, lead)) for lead in ("model/", "kept/")))
        if self.first not in known:
            raise UsageError(
                f"{folder} holds a fit with other first weights: name another folder, or draw them from the same seeds"
            )
        if epoch > self.config.epochs:
            raise UsageError(
                f"{folder} holds a fit of {epoch} epochs, which is more than epochs={self.config.epochs}: "
                f"name another folder, or ask for at least {epoch}"
            )
        self.optimiser.set_arrays(_under(arrays, "optimiser/"))  # checks before it changes anything
        self.epoch, self.step, self.first = epoch, step, str(first)
        self.model.load_state_dict(_tensors(arrays, "model/"))
        self.kept = {name: value.to(self.device) for name, value in _tensors(arrays, "kept/").items()}
        self.history = {name: list(curve) for name, curve in curves.items()}
        for name, array in self._own().items():
            array[...] = arrays[name]


def _extremes(data: Dataset) -> Array:
    """The first row, and of whole numbers, which may be indices, those with the smallest and the largest."""
    if data.x.dtype.kind not in "iu" or data.x.dtype == np.uint8:
        return np.zeros(1, np.int64)
    rows = data.x if data.members is None else np.moveaxis(data.x, 1, 0)
    flat = rows.reshape(len(data), -1)
    if not flat.shape[1]:
        return np.zeros(1, np.int64)
    return np.unique([0, int(flat.min(1).argmin()), int(flat.max(1).argmax())])


def _other(name: str, was: Any, now: Any) -> str:
    """What is another one in a task, and how it differs where that can be said in a few words."""
    if name in ("data", "validation", "weights"):
        return f"other {name}"
    if name == "frozen":
        return f"other frozen weights ({was!r}, now {now!r})"
    if name == "network":
        lines = list(was) if isinstance(was, list) else []
        for before, after in zip(lines, now, strict=False):
            if before != after:
                return f"another network ({before!r}, now {after!r})"
        return "another network"
    return f"other {name} ({was!r}, now {now!r})"


def _under(arrays: dict[str, Array], lead: str) -> dict[str, Array]:
    return {name.removeprefix(lead): value for name, value in arrays.items() if name.startswith(lead)}


def _tensors(arrays: dict[str, Array], lead: str) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value.copy()) for name, value in _under(arrays, lead).items()}
