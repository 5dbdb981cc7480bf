"""How good the outputs of a stack are, for each member apart: scikit-learn's metrics by name.

| name | of | |
|---|---|---|
| `accuracy` | classes, labels | share of right ones; of several labels, all have to be right |
| `precision` `recall` `f1` | classes, labels | of class 1 where there are two classes, else the mean over the classes |
| `roc_auc` | classes, labels | area under the ROC curve; of more than two classes, each against the rest, and the mean |
| `r2` | numbers | 1 - squared error / variance of the targets |
| `mean_squared_error` `mean_absolute_error` | numbers | |

What outputs `[S, n, ..., K]` mean, follows from the targets, as in `rlcourse.nn.losses`: classes `[n, ...]`, with a number for
each or with one number that is positive for class 1; labels 0 or 1 of the outputs' shape; numbers.

A member that has diverged, whose outputs are not all finite, has no measure: NaN, and the others keep theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from rlcourse.errors import UsageError, did_you_mean

Array = NDArray[Any]


class Judged:
    """Outputs and targets of one member, side by side.

    Args:
        output: `[n, ..., K]`.
        target: `[n, ...]` or `[n, ..., K]`.
        weight: `[n]` or `[n, ...]`, how much each row or item counts.

    Raises:
        UsageError: shapes that do not fit, or a class that has no output.
    """

    def __init__(self, output: Array, target: Array, weight: Array | None) -> None:
        k = output.shape[-1]
        items = output.shape[:-1]
        self.output = output.reshape(-1, k)
        self.diverged = not np.isfinite(self.output).all()
        self.numbers = target.dtype.kind == "f"
        alike = target.shape == output.shape
        if not alike and target.shape != items:
            raise UsageError(f"targets {list(target.shape)} do not fit to outputs {list(output.shape)}")
        self.weight = None
        if weight is not None:
            if not 1 <= weight.ndim <= len(items) or weight.shape != items[: weight.ndim]:
                raise UsageError(f"weights {list(weight.shape)} do not fit to outputs {list(output.shape)}")
            over = weight.reshape(*weight.shape, *(1,) * (len(items) - weight.ndim))
            self.weight = np.broadcast_to(over, items).reshape(-1)
        self.labels = alike and k > 1 and not self.numbers
        self.target = target.reshape(-1, k) if self.labels or (self.numbers and alike) else target.reshape(-1)
        self.two = k == 1 or (k == 2 and not self.labels)
        if not self.numbers and target.size:
            low, high, most = int(target.min()), int(target.max()), 1 if self.labels else max(k, 2) - 1
            if not 0 <= low <= high <= most:
                what = "labels" if self.labels else "classes"
                raise UsageError(f"the {what} of the targets are {low} to {high}, expected 0 to {most}")

    @property
    def decision(self) -> Array:
        """The classes `[n]` or the labels `[n, K]` that the outputs speak for."""
        if self.labels:
            return (self.output > 0.0).astype(np.int64)
        return (
            (self.output[:, 0] > 0.0).astype(np.int64) if self.output.shape[1] == 1 else self.output.argmax(1)
        )

    @property
    def average(self) -> str:
        """How scikit-learn has to sum up classes."""
        return "binary" if self.two else "macro"


def _accuracy(one: Judged) -> float:
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(one.target, one.decision, sample_weight=one.weight))


def _of_class(name: str) -> Callable[[Judged], float]:
    def measured(one: Judged) -> float:
        from sklearn import metrics

        score = getattr(metrics, name)
        # who never speaks for a class has no precision; 0 is scikit-learn's own choice, which it makes with a warning
        return float(
            score(one.target, one.decision, average=one.average, sample_weight=one.weight, zero_division=0.0)
        )

    return measured


def _roc_auc(one: Judged) -> float:
    from sklearn.metrics import roc_auc_score

    k = one.output.shape[1]
    if one.labels:
        if (one.target == one.target[0]).all(0).any():
            return math.nan
        return float(roc_auc_score(one.target, one.output, sample_weight=one.weight))
    if len(np.unique(one.target)) < max(k, 2):
        return math.nan  # there is no curve where a class is missing
    if one.two:
        score = one.output[:, 0] if k == 1 else one.output[:, 1] - one.output[:, 0]
        return float(roc_auc_score(one.target, score, sample_weight=one.weight))
    likely = softmax(one.output.astype(np.float64), axis=1)
    return float(roc_auc_score(one.target, likely, multi_class="ovr", sample_weight=one.weight))


def _of_numbers(name: str) -> Callable[[Judged], float]:
    def measured(one: Judged) -> float:
        from sklearn import metrics

        if name == "r2_score" and len(one.target) < 2:
            return math.nan
        target = one.target if one.target.ndim == 2 else one.target[:, None]
        # in float64, in which the square of what float32 holds is finite
        outputs = one.output.astype(np.float64)
        return float(getattr(metrics, name)(target, outputs, sample_weight=one.weight))

    return measured


METRICS: dict[str, Callable[[Judged], float]] = {
    "accuracy": _accuracy,
    "precision": _of_class("precision_score"),
    "recall": _of_class("recall_score"),
    "f1": _of_class("f1_score"),
    "roc_auc": _roc_auc,
    "r2": _of_numbers("r2_score"),
    "mean_squared_error": _of_numbers("mean_squared_error"),
    "mean_absolute_error": _of_numbers("mean_absolute_error"),
}
NUMBERS = ("r2", "mean_squared_error", "mean_absolute_error")
"""Those that compare numbers."""


def check_metric(name: str) -> str:
    """The name of a metric.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in METRICS:
        raise UsageError(did_you_mean(str(name), METRICS, kind="metric"))
    return name


def measure(
    name: str, output: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, *, shared: bool = True
) -> NDArray[np.float64]:
    """A metric of every member, `[S]`; NaN where it is not defined, and of a member whose outputs are not all finite.

    Args:
        name: one of `METRICS`.
        output: `[S, n, ..., K]`.
        target: the same for all members, `[n, ...]`; with `shared=False`, `[S, n, ...]`.
        weight: how much each row `[n]` counts, or each item `[n, ...]`; with `shared=False`, led by S.
        shared: see `target`.

    Raises:
        UsageError: an unknown metric, one that does not suit the targets, shapes that do not fit, or a class without output.
    """
    metric = METRICS[check_metric(name)]
    members = _outputs(output)
    found = np.empty(len(members))
    for k, judged in enumerate(_judge(members, np.asarray(target), weight, shared)):
        if judged.numbers != (name in NUMBERS):
            raise UsageError(
                f"{name} is of {'numbers' if name in NUMBERS else 'classes'}, and the targets are {target_kind(judged)}"
            )
        unseen = judged.weight is not None and not judged.weight.any()
        found[k] = math.nan if unseen or judged.diverged else metric(judged)
    return found


def target_kind(judged: Judged) -> str:
    """What the targets are, in a word."""
    return "numbers" if judged.numbers else "labels" if judged.labels else "classes"


def confusion_matrix(output: ArrayLike, target: ArrayLike, *, shared: bool = True) -> NDArray[np.int64]:
    """How often each class (row) was taken for each class (column) by every member, int64 `[S, K, K]`.

    Args:
        output: `[S, n, ..., K]`; of one number, K is 2.
        target: classes `[n, ...]`; with `shared=False`, `[S, n, ...]`.
        shared: see `target`.

    Returns:
        The counts; of a member whose outputs are not all finite, zeros, since it takes nothing for anything.

    Raises:
        UsageError: targets that are no classes, a class that has no output, or shapes that do not fit.
    """
    from sklearn import metrics

    members = _outputs(output)
    k = max(members.shape[-1], 2)
    found = np.zeros((len(members), k, k), np.int64)
    for counts, one in zip(found, _judge(members, np.asarray(target), None, shared), strict=True):
        if one.numbers or one.labels:
            raise UsageError(f"a confusion matrix is of classes, and the targets are {target_kind(one)}")
        if not one.diverged:
            counts[:] = metrics.confusion_matrix(one.target, one.decision, labels=range(k))
    return found


def _outputs(output: ArrayLike) -> Array:
    members = np.asarray(output)
    if members.ndim < 3:
        raise UsageError(f"outputs must be [S, n, ..., K], got {list(members.shape)}")
    return members


def _judge(output: Array, target: Array, weight: ArrayLike | None, shared: bool) -> list[Judged]:
    weights = None if weight is None else np.asarray(weight)
    for name, array in (("targets", target), ("weights", weights)):
        if not shared and array is not None and len(array) != len(output):
            raise UsageError(f"{name} of {len(array)} members for outputs of {len(output)}")
    if shared:
        return [Judged(one, target, weights) for one in output]
    return [Judged(one, target[k], None if weights is None else weights[k]) for k, one in enumerate(output)]
