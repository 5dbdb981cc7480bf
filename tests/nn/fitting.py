"""Small data and a small network to be fitted, and how two fits are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rlcourse.nn.data import Dataset, split
from rlcourse.nn.dropout import Dropout
from rlcourse.nn.fit import FitResult
from rlcourse.nn.linear import Linear
from rlcourse.nn.stack import Sequential
from rlcourse.streams import Streams

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
Y = X @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.3 * RNG.normal(size=90)
TRAIN, VALIDATION = split(Dataset(X, Y[:, None]), 2 / 3, 1 / 3)
BUSY: dict[str, Any] = {
    "optimiser": "adam",
    "learning_rate": 0.01,
    "batch_size": 16,
    "augment": [{"name": "noise", "scale": 0.1}],
    "schedule": {"name": "cosine", "steps": 60},
    "max_grad_norm": 1.0,
    "ridge": 1e-3,
}


def network(seeds: Any, n_in: int = 4, hidden: int = 16, dropout: float = 0.2) -> Sequential:
    size = len(seeds)
    model = Sequential(Linear(size, n_in, hidden), nn.Tanh(), Dropout(size, dropout), Linear(size, hidden, 1))
    model.initialise(Streams.from_seeds(seeds, "weights"))
    return model


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def assert_same_results(a: FitResult, b: FitResult) -> None:
    for name, value in vars(a).items():
        if name == "metrics":
            assert value.keys() == b.metrics.keys()
            for metric, curve in value.items():
                np.testing.assert_array_equal(curve, b.metrics[metric])
        else:
            np.testing.assert_array_equal(value, getattr(b, name))
