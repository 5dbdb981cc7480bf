"""Models by name that are fitted to data: scikit-learn's verbs, for S members at once.

| name | outputs | loss | targets |
|---|---|---|---|
| `linear_regression` | linear | squared | numbers `[n]` or `[n, K]` |
| `ridge_regression` | linear | squared + ridge x sum w^2 | numbers |
| `logistic_regression` | linear | logistic | classes `[n]`; of more than two, one against the rest |
| `linear_svm` | linear | hinge, or `loss="squared_hinge"` | classes; of more than two, one against the rest |
| `softmax_classifier` | linear | cross-entropy | classes |
| `multi_label_classifier` | linear | binary cross-entropy | labels 0 or 1, `[n, K]` |
| `mlp_regressor` | a perceptron | squared | numbers |
| `mlp_classifier` | a perceptron | cross-entropy | classes |
| `mlp_multi_label` | a perceptron | binary cross-entropy | labels |

    model = make_estimator("mlp_classifier", seeds=10, hidden=[32], normalise=True)
    model.fit(train, validation, epochs=50, patience=5)
    model.score(test)       # accuracy of every member, [10]
    model.fit(X, y)         # arrays, as scikit-learn has it; and score(X, y)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from rlcourse.checks import check_count, parse_seeds
from rlcourse.errors import UsageError, did_you_mean
from rlcourse.nn.closed_form import solve_ridge
from rlcourse.nn.data import Dataset
from rlcourse.nn.fit import FitResult, fit, predict
from rlcourse.nn.linear import Linear
from rlcourse.nn.losses import PerMember, decide, make_loss, per_member
from rlcourse.nn.metrics import measure
from rlcourse.nn.models import model_spec
from rlcourse.nn.network import Network, build
from rlcourse.nn.scaling import Normalise
from rlcourse.nn.stack import Sequential
from rlcourse.streams import Streams

Targets = Literal["numbers", "classes", "labels"]


@dataclass(frozen=True)
class Kind:
    """What a name stands for."""

    model: str
    """A name of `rlcourse.nn.models.MODELS`."""
    targets: Targets
    loss: str
    ridge: float = 0.0
    """Where none is given."""
    single: bool = False
    """Whether one output is enough for two classes."""


ESTIMATORS: dict[str, Kind] = {
    "linear_regression": Kind("linear", "numbers", "squared"),
    "ridge_regression": Kind("linear", "numbers", "squared", ridge=1e-2),
    "logistic_regression": Kind("linear", "classes", "logistic", single=True),
    "linear_svm": Kind("linear", "classes", "hinge", ridge=1e-3, single=True),
    "softmax_classifier": Kind("linear", "classes", "cross_entropy"),
    "multi_label_classifier": Kind("linear", "labels", "binary_cross_entropy"),
    "mlp_regressor": Kind("mlp", "numbers", "squared"),
    "mlp_classifier": Kind("mlp", "classes", "cross_entropy"),
    "mlp_multi_label": Kind("mlp", "labels", "binary_cross_entropy"),
}

LINEAR: Mapping[str, Any] = {"batch_size": None, "optimiser": "adam", "learning_rate": 0.1, "epochs": 500}
"""How linear models are fitted where nothing else is said: all rows at once, as there is one valley to go down."""
SCORES = {"numbers": "r2", "classes": "accuracy", "labels": "f1"}
"""The metric of `score`."""


@dataclass
class Estimator:
    """S models of one kind, each with weights from its own seed."""

    kind: Kind
    seeds: Sequence[int]
    loss: Any
    ridge: PerMember
    normalise: bool
    solver: Literal["gradient", "closed_form"]
    n_classes: int | None
    options: Mapping[str, Any]
    model: Sequential | None = field(default=None, init=False)

    @property
    def size(self) -> int:
        """S."""
        return len(self.seeds)

    @property
    def network(self) -> Network:
        """The network, without the normalisation that may stand before it.

        Raises:
            UsageError: nothing has been fitted yet.
        """
        network = list(self._fitted)[-1]
        assert isinstance(network, Network)
        return network

    def fit(
        self,
        data: Dataset | ArrayLike,
        y: Dataset | ArrayLike | None = None,
        validation: Dataset | None = None,
        **settings: Any,
    ) -> FitResult | None:
        """Fit all members from new weights: `fit(data)`, `fit(data, validation)`, or `fit(X, y)` as scikit-learn has it.

        Args:
            data: what is learned from, a dataset, or inputs `[n, ...]` that all members share; normalisation looks at nothing
                else.
            y: targets `[n, ...]` of inputs; of a dataset, which has its own, the validation part may stand here.
            validation: see `rlcourse.nn.fit.fit`.
            settings: of `rlcourse.nn.fit.fit`, but loss and ridge, which belong to the model.

        Returns:
            The learning curves; `None` of a closed form, which has none.

        Raises:
            UsageError: targets of another kind, or a wrong setting.
        """
        if isinstance(data, Dataset) and isinstance(y, Dataset) and validation is None:
            y, validation = None, y
        data = _dataset("fit", data, y)
        for name in ("loss", "ridge"):
            if name in settings:
                raise UsageError(f"{name} is an option of make_estimator, not of fit")
        streams = Streams.from_seeds(self.seeds, "weights")
        network = build(
            self.kind.model,
            data.shape,
            size=self.size,
            streams=streams,
            n_out=self._outputs(data),
            **self.options,
        )
        parts = [Normalise.fitted(data, self.size)] if self.normalise else []
        model = Sequential(*parts, network)
        if self.solver == "closed_form":
            if settings or validation is not None:
                raise UsageError(
                    "solver='closed_form' takes neither a validation part nor settings of the gradient"
                )
            self.model = model
            self._solve(data)
            return None
        if self.kind.model == "linear":
            settings = {**LINEAR, **settings}
        result = fit(model, data, validation, seeds=self.seeds, loss=self.loss, ridge=self.ridge, **settings)
        self.model = model
        return result

    def outputs(self, data: Dataset | NDArray[Any]) -> Tensor:
        """What comes out of every member, `[S, n, K]`: numbers, or how much speaks for each class or label."""
        return predict(self._fitted, data)

    def predict(self, data: Dataset | NDArray[Any]) -> NDArray[Any]:
        """Numbers float32 `[S, n, K]`, classes int64 `[S, n]`, or labels int64 `[S, n, K]`."""
        outputs = self.outputs(data)
        if self.kind.targets == "classes":
            return decide(outputs).cpu().numpy()
        shown = outputs.cpu().numpy()
        return (shown > 0.0).astype(np.int64) if self.kind.targets == "labels" else shown

    def score(
        self, data: Dataset | ArrayLike, y: ArrayLike | None = None, metric: str | None = None
    ) -> NDArray[np.float64]:
        """A metric of every member, `[S]`: `score(data)`, or `score(X, y)` as scikit-learn has it.

        Args:
            data: a dataset, or inputs.
            y: targets of inputs; of a dataset, the metric may stand here.
            metric: one of `rlcourse.nn.metrics.METRICS`; `None` is R^2 of numbers, accuracy of classes, F1 of labels.
        """
        if isinstance(data, Dataset) and isinstance(y, str) and metric is None:
            y, metric = None, y
        data = _dataset("score", data, y)
        name = SCORES[self.kind.targets] if metric is None else metric
        outputs = self.outputs(data).cpu().numpy()
        return measure(name, outputs, data.y, data.weight, shared=data.members is None)

    @property
    def coef(self) -> NDArray[np.float32]:
        """Weights of a linear model, `[S, n_in, K]`; with `normalise`, those of normalised inputs."""
        return self._layer.weight.detach().cpu().numpy()

    @property
    def intercept(self) -> NDArray[np.float32]:
        """Biases of a linear model, `[S, K]`."""
        bias = self._layer.bias
        assert bias is not None
        return bias.detach()[:, 0].cpu().numpy()

    @property
    def _fitted(self) -> Sequential:
        if self.model is None:
            raise UsageError("nothing has been fitted yet: call fit first")
        return self.model

    @property
    def _layer(self) -> Linear:
        layers = [part for part in self.network if isinstance(part, Linear)]
        if self.kind.model != "linear":
            raise UsageError("only linear models have coefficients")
        return layers[0]

    def _outputs(self, data: Dataset) -> int:
        """How many outputs the targets need."""
        numbers = data.y.dtype.kind == "f"
        axes = data.y.ndim - (data.members is not None)
        wanted = self.kind.targets
        if numbers != (wanted == "numbers") or axes > 2 or (wanted == "classes" and axes != 1):
            shape = "[n]" if wanted == "classes" else "[n, K]"
            raise UsageError(
                f"targets must be {wanted}, {shape} {'float' if wanted == 'numbers' else 'int'}; "
                f"got {data.y.dtype} {list(data.y.shape)}"
            )
        if wanted == "classes":
            if data.y.min() < 0:
                raise UsageError("classes are counted from 0, and there is a negative one")
            k = max(int(data.y.max()) + 1, 2)
            if self.n_classes is not None:
                if k > self.n_classes:
                    raise UsageError(f"n_classes={self.n_classes}, and there is a class {k - 1}")
                k = self.n_classes
            return 1 if k == 2 and self.kind.single else k
        if wanted == "labels" and (axes != 2 or not ((data.y == 0) | (data.y == 1)).all()):
            raise UsageError("labels must be 0 or 1, [n, K]")
        return int(data.y.shape[-1]) if axes == 2 else 1

    def _solve(self, data: Dataset) -> None:
        """The minimum of the loss in closed form."""
        everyone = np.broadcast_to(
            np.arange(len(data)), (1 if data.members is None else self.size, len(data))
        )
        x, y, weight = data.gather(everyone)
        x, y = x.reshape(*x.shape[:2], -1), y.reshape(*y.shape[:2], -1)
        for part in list(self._fitted)[:-1]:
            x = part(torch.from_numpy(x)).numpy()
        coef, intercept = solve_ridge(x, y, self.ridge, weight)
        layer = self._layer
        assert layer.bias is not None
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(coef))
            layer.bias.copy_(torch.from_numpy(intercept[:, None]))


def _dataset(verb: str, data: Any, y: Any) -> Dataset:
    """The dataset of `verb(data)` or of `verb(X, y)`."""
    if isinstance(data, Dataset):
        if y is not None:
            raise UsageError(f"{verb} got targets beside a Dataset, which has its own")
        return data
    if y is None or isinstance(y, (str, Dataset)):
        raise UsageError(f"{verb} needs a Dataset, or inputs and their targets: {verb}(X, y)")
    return Dataset(data, y)


def make_estimator(
    name: str,
    *,
    seeds: int | Sequence[int] = 1,
    loss: Any = None,
    ridge: PerMember | None = None,
    normalise: bool = False,
    solver: Literal["gradient", "closed_form"] = "gradient",
    n_classes: int | None = None,
    **options: Any,
) -> Estimator:
    """S models of a kind, to be fitted.

    Args:
        name: one of `ESTIMATORS`.
        seeds: a count S, or a list of seeds, which decide on first weights and on the order of the data.
        loss: another loss than that of the kind, see `rlcourse.nn.losses`.
        ridge: what the squares of the weights cost, for all members or one for each `[S]`: a sweep in one run. The loss is a
            mean over n rows, so scikit-learn's `Ridge(alpha)` is `ridge = alpha / n`, and its `C` of classifiers is
            `ridge = 1 / (2 n C)`.
        normalise: bring inputs to mean 0 and variance 1, as fitted on the training part.
        solver: `closed_form` solves linear and ridge regression without a gradient.
        n_classes: where not every class need be in the training part.
        options: of the network, as `hidden`, see `rlcourse.nn.models`.

    Raises:
        UsageError: an unknown name, or an option that does not suit it.
    """
    if name not in ESTIMATORS:
        raise UsageError(did_you_mean(str(name), ESTIMATORS, kind="estimator"))
    kind = ESTIMATORS[name]
    if solver not in ("gradient", "closed_form"):
        raise UsageError(did_you_mean(str(solver), ("gradient", "closed_form"), kind="solver"))
    if solver == "closed_form" and (kind.model, kind.loss, loss) != ("linear", "squared", None):
        raise UsageError(f"{name} has no closed form: only linear and ridge regression have one")
    if n_classes is not None:
        check_count("n_classes", n_classes, 2)
    if loss is not None:
        make_loss(loss)
    members = parse_seeds(seeds)
    per_member("ridge", kind.ridge if ridge is None else ridge, len(members))
    if "n_out" in options:
        raise UsageError("n_out is no option of an estimator: as many outputs are made as the targets need")
    spec, shape = model_spec(kind.model, (1,), {**options, "n_out": 1})
    with torch.device("meta"):  # costs no memory, and says now what could not be built later
        Network(spec, shape, 1)
    return Estimator(
        kind,
        members,
        kind.loss if loss is None else loss,
        kind.ridge if ridge is None else ridge,
        normalise,
        solver,
        n_classes,
        options,
    )
