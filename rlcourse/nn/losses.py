"""Losses by name: how wrong outputs are, for each member apart.

| name | loss of output f and target y | source |
|---|---|---|
| `squared` | (f - y)^2 | |
| `absolute` | abs(f - y) | |
| `huber` | (f - y)^2 / 2 up to delta, delta (abs(f - y) - delta / 2) beyond | Huber (1964) |
| `zero_one` | 1 if the class is wrong, else 0; not to be learned from | |
| `hinge` | max(0, 1 - s f), s = 1 for the class and -1 for all others | Cortes & Vapnik (1995) |
| `squared_hinge` | max(0, 1 - s f)^2 | |
| `logistic` | log(1 + exp(-s f)) | |
| `cross_entropy` | -log softmax(f)_y | |
| `binary_cross_entropy` | -y log sigmoid(f) - (1 - y) log(1 - sigmoid(f)) for each of several labels | |

A loss gives `[S]`, each member's mean over its own batch. What an optimiser steps down is their sum, so that no member's
gradient depends on how many there are:

    loss = make_loss("cross_entropy", label_smoothing=0.1)
    optimiser.step(loss(outputs, targets).sum())

Outputs are `[S, B, ...]`. Numbers are compared with targets of the same shape. Classes are whole numbers `[S, B]`: an output
`[S, B, K]` has a number for each, an output `[S, B, 1]` one number that is positive for class 1. With time, `[S, B, T, ...]`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.checks import check_number, check_numbers
from rlcourse.errors import UsageError
from rlcourse.nn.named import make_named, spec_of

PerMember = float | Sequence[float] | NDArray[np.floating[Any]]


class Loss(ABC):
    """How wrong outputs are."""

    @abstractmethod
    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of every number or item, `[S, B, ...]`, before any mean."""

    def weigh(self, target: Tensor) -> Tensor | None:
        """What each item counts in the mean, `[S, B, ...]`, where `each` has been multiplied by it; `None` is 1."""
        return None

    def __call__(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The mean loss of each member, `[S]`.

        Args:
            output: `[S, B, ...]`.
            target: see the module.
            weight: `[S, B]`, or `[S, B, T]` where outputs have time: how much each item counts, as 0 for what is padding. The
                mean is then weighted, and 0 for a member of which nothing counts.

        Raises:
            UsageError: shapes that do not fit.
        """
        each = self.each(output, target)
        counts = self.weigh(target)
        if weight is not None:
            if weight.dim() > max(2, output.dim() - 1) or weight.shape != output.shape[: weight.dim()]:
                raise UsageError(
                    f"weights {list(weight.shape)} do not fit to outputs {list(output.shape)}: one for each of "
                    f"{list(output.shape[: max(2, output.dim() - 1)])}, or for each row {list(output.shape[:2])}"
                )
            weight = weight.reshape(*weight.shape, *(1,) * (each.dim() - weight.dim())).expand_as(each)
            each = each * weight
            counts = weight if counts is None else counts * weight
        if counts is None:
            return each.flatten(1).mean(1)
        return each.flatten(1).sum(1) / counts.flatten(1).sum(1).clamp(min=torch.finfo(each.dtype).tiny)

    def to_json(self) -> dict[str, Any]:
        """What `make_loss` makes the same one from: the name and the fields."""
        return spec_of(LOSSES, self)


@dataclass(frozen=True)
class Squared(Loss):
    """The square of the difference; its mean over a member's batch is the mean squared error."""

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """See `Loss.each`."""
        return (output - _alike(output, target)).square()


@dataclass(frozen=True)
class Absolute(Loss):
    """The size of the difference."""

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """See `Loss.each`."""
        return (output - _alike(output, target)).abs()


@dataclass(frozen=True)
class Huber(Loss):
    """Squared near the target and absolute far from it (Huber 1964, "Robust estimation of a location parameter")."""

    delta: float = 1.0
    """From which difference on."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_number("delta", self.delta, 0.0, open_low=True)

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """See `Loss.each`."""
        return functional.huber_loss(output, _alike(output, target), reduction="none", delta=self.delta)


@dataclass(frozen=True)
class ZeroOne(Loss):
    """Whether the class is wrong. It is flat, so nothing is learned from it."""

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """See `Loss.each`."""
        wrong = (decide(output) != _classes(output, target)) | output.isnan().any(-1)
        return wrong.to(output.dtype)


@dataclass(frozen=True)
class Hinge(Loss):
    """The margin's shortfall, one class against the rest, summed (Cortes & Vapnik 1995, "Support-vector networks")."""

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """See `Loss.each`."""
        return (1.0 - _margins(output, target)).clamp(min=0.0).sum(-1)


@dataclass(frozen=True)
class SquaredHinge(Loss):
    """The square of the margin's shortfall, summed over the classes: one against the rest."""

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """See `Loss.each`."""
        return (1.0 - _margins(output, target)).clamp(min=0.0).square().sum(-1)


@dataclass(frozen=True)
class Logistic(Loss):
    """log(1 + exp(-margin)), summed over the classes: one against the rest."""

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """See `Loss.each`."""
        return functional.softplus(-_margins(output, target)).sum(-1)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """The negative log-likelihood of the class under the softmax of the outputs `[S, B, ..., K]`.

    Targets are classes `[S, B, ...]`, or probabilities of the classes `[S, B, ..., K]`. As torch's `CrossEntropyLoss`.
    """

    label_smoothing: float = 0.0
    """This share of the target is spread over all classes (Szegedy et al. 2016, section 7)."""
    class_weights: tuple[float, ...] | None = None
    """How much each class counts, `[K]`; the mean over a batch is weighted by them where targets are classes."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_number("label_smoothing", self.label_smoothing, 0.0, 1.0)
        if self.class_weights is not None:
            weights = check_numbers("class_weights", self.class_weights, 0.0)
            object.__setattr__(self, "class_weights", tuple(weights.tolist()))

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """See `Loss.each`."""
        if target.dtype != torch.int64:
            target = _alike(output, target)
        elif target.shape != output.shape[:-1]:
            raise UsageError(
                f"classes {list(target.shape)} do not fit to outputs {list(output.shape)}; expected {list(output.shape[:-1])}"
            )
        k = output.shape[-1]
        if k == 1:
            raise UsageError("cross_entropy needs an output for each class, and there is one: try logistic")
        if self.class_weights is not None and len(self.class_weights) != k:
            raise UsageError(
                f"class_weights={list(self.class_weights)} must be {k}, one for each class of the outputs"
            )
        flat = target.reshape(-1, k) if target.shape == output.shape else target.reshape(-1)
        loss = functional.cross_entropy(
            output.reshape(-1, k),
            flat,
            weight=self._weights(output),
            label_smoothing=self.label_smoothing,
            reduction="none",
        )
        return loss.reshape(output.shape[:-1])

    def weigh(self, target: Tensor) -> Tensor | None:
        """See `Loss.weigh`."""
        weights = self._weights(target)
        return None if weights is None or target.dtype != torch.int64 else weights[target]

    def _weights(self, beside: Tensor) -> Tensor | None:
        if self.class_weights is None:
            return None
        dtype = beside.dtype if beside.is_floating_point() else torch.float32
        return torch.tensor(self.class_weights, dtype=dtype, device=beside.device)


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """The negative log-likelihood of several labels, each of which is there or not: targets 0 or 1 of the outputs' shape."""

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """See `Loss.each`."""
        target = _alike(output, target).to(output.dtype)
        return functional.binary_cross_entropy_with_logits(output, target, reduction="none")


LOSSES: dict[str, type[Loss]] = {
    "squared": Squared,
    "absolute": Absolute,
    "huber": Huber,
    "zero_one": ZeroOne,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
    "logistic": Logistic,
    "cross_entropy": CrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
}


def make_loss(spec: Any = "squared", **options: Any) -> Loss:
    """A loss by its name, by a mapping with `name` and options, or one that is made already.

    Raises:
        UsageError: an unknown name or option, or a value out of range.
    """
    return make_named(LOSSES, "loss", spec, options)


def decide(output: Tensor) -> Tensor:
    """The classes that outputs `[S, B, ..., K]` speak for, int64 `[S, B, ...]`; of a single output, 1 where it is positive."""
    return (output[..., 0] > 0).long() if output.shape[-1] == 1 else output.argmax(-1)


def penalty(model: nn.Module, *, ridge: PerMember = 0.0, l1: PerMember = 0.0) -> Tensor:
    """What large weights cost each member, `[S]`: ridge x sum w^2 + l1 x sum abs(w).

    Biases are left out, and so are the scales of normalisation: moving or scaling the data is no complexity.

    Args:
        model: a stack.
        ridge: one for all members, or one for each `[S]` (Hoerl & Kennard 1970, "Ridge regression").
        l1: the same (Tibshirani 1996, "Regression shrinkage and selection via the lasso").

    Raises:
        UsageError: a negative one, or not one for each member.
    """
    weights = [
        parameter
        for name, parameter in model.named_parameters()
        # of a weight, a member has a matrix or more; of a scale, a row
        if name.rpartition(".")[2].startswith("weight") and parameter.dim() > 2
    ]
    total = torch.zeros(len(next(model.parameters())), device=next(model.parameters()).device)
    for name, factor, cost in (("ridge", ridge, torch.square), ("l1", l1, torch.abs)):
        rates = per_member(name, factor, len(total))
        if rates.any():
            sums = torch.stack([cost(weight).flatten(1).sum(1) for weight in weights]).sum(0)
            total = total + sums * torch.from_numpy(rates).to(sums)
    return total


def per_member(name: str, value: PerMember, size: int) -> NDArray[np.float64]:
    """A number of at least 0 for each member, `[S]` or `[1]`, out of one for all of them or a list."""
    try:
        rates = np.atleast_1d(np.asarray(value, np.float64))
    except (TypeError, ValueError):
        rates = np.empty(0)
    if rates.shape not in ((1,), (size,)) or not ((rates >= 0.0) & (rates < np.inf)).all():
        raise UsageError(f"{name}={value!r} must be a number of at least 0, or {size} of them, one a member")
    return rates


def _alike(output: Tensor, target: Tensor) -> Tensor:
    """The target in the output's shape; of one output, the last axis may be missing.

    Torch would broadcast `[S, B]` against `[S, B, 1]` without a word, and every item would be compared with every other.
    """
    if target.shape == output.shape[:-1] and output.shape[-1] == 1:
        target = target[..., None]
    if target.shape != output.shape:
        raise UsageError(f"targets {list(target.shape)} do not fit to outputs {list(output.shape)}")
    return target


def _classes(output: Tensor, target: Tensor) -> Tensor:
    """Classes `[S, B, ...]` of outputs `[S, B, ..., K]`; of one output, the last axis may be there."""
    if output.shape[-1] == 1 and target.shape == output.shape:
        target = target[..., 0]
    if target.shape != output.shape[:-1]:
        raise UsageError(f"classes {list(target.shape)} do not fit to outputs {list(output.shape)}")
    if target.is_floating_point():
        raise UsageError(f"this loss is of classes, whole numbers, and the targets are {target.dtype}")
    return target.long()


def _margins(output: Tensor, target: Tensor) -> Tensor:
    """Margins s f, `[S, B, ..., K]`: the output of the class, and minus the outputs of all other classes."""
    classes = _classes(output, target)
    if output.shape[-1] == 1:
        return output * (2 * classes - 1)[..., None]
    return output * (2 * functional.one_hot(classes, output.shape[-1]) - 1)
