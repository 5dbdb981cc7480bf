"""Activations by name.

| name | function |
|---|---|
| `identity` | x |
| `step` | 1 if x >= 0, else 0 |
| `sigmoid` | 1 / (1 + exp(-x)) |
| `tanh` | (exp(x) - exp(-x)) / (exp(x) + exp(-x)) |
| `relu` | max(0, x) |
| `leaky_relu` | x if x >= 0, else 0.01 x |
| `gelu` | x P(Z <= x), Z standard normal |
| `silu` | x / (1 + exp(-x)) |
| `softplus` | log(1 + exp(x)) |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.autograd import Function

from rlcourse.errors import UsageError, did_you_mean


class _StraightThrough(Function):
    """A step forward, the identity backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


class Step(nn.Module):
    """The threshold unit of McCulloch & Pitts (1943): 1 where x >= 0, else 0.

    Its derivative is 0 wherever it exists, so nothing could be learned through it. Backward it passes the gradient on as the
    identity would: the straight-through estimator of Bengio, Leonard & Courville (2013).
    """

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y: Tensor = _StraightThrough.apply(x)
        return y


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "step": Step,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}
"""Name -> what makes the module; all of them work on any shape."""


def activation(name: str) -> nn.Module:
    """The activation of a name, see the table above.

    Raises:
        UsageError: there is none.
    """
    if name not in ACTIVATIONS:
        raise UsageError(did_you_mean(str(name), ACTIVATIONS, kind="activation"))
    return ACTIVATIONS[name]()
