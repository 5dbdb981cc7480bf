"""The stacked linear layer, and the parts around it that have no weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from rlcourse.errors import UsageError
from rlcourse.nn.initialise import draw_weights
from rlcourse.nn.stack import Stacked
from rlcourse.streams import Streams

FEW = 8
"""Outputs up to which the transposed product is the faster one: MKL's kernels want a long last axis (measured: 4 x)."""


class Linear(Stacked):
    """y = x W + b for every member: `[S, B, in] -> [S, B, out]`; further axes, as of time, go along with B.

    Args:
        size: members S.
        n_in: inputs.
        n_out: outputs.
        bias: add one, which begins at 0.
        law: how the weights are drawn, see `rlcourse.nn.initialise`.
        gain: factor of the law.
    """

    def __init__(
        self,
        size: int,
        n_in: int,
        n_out: int,
        *,
        bias: bool = True,
        law: str = "he",
        gain: float | None = None,
    ) -> None:
        super().__init__(size)
        self.n_in, self.n_out, self.law, self.gain = n_in, n_out, law, gain
        self.weight = nn.Parameter(torch.zeros(size, n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(size, 1, n_out)) if bias else None

    def draw(self, streams: Streams) -> None:
        """See `Stacked.draw`."""
        draw_weights(self.weight, streams, self.law, fan_in=self.n_in, fan_out=self.n_out, gain=self.gain)
        if self.bias is not None:
            if self.law == "uniform":  # torch's own layers draw both from one law
                draw_weights(self.bias, streams, "uniform", fan_in=self.n_in, fan_out=self.n_out)
            else:
                nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`[S, B, ..., in] -> [S, B, ..., out]`."""
        return affine(x, self.weight, self.bias)

    def member(self, k: int) -> nn.Linear:
        """See `Stacked.member`."""
        one = nn.Linear(self.n_in, self.n_out, bias=self.bias is not None).to(self.weight)
        with torch.no_grad():
            one.weight.copy_(self.weight[k].T)
            if self.bias is not None:
                one.bias.copy_(self.bias[k, 0])
        return one


class OneHotLinear(Linear):
    """What a linear layer makes of a one at `index` and zeros elsewhere: int64 `[S, B, ...] -> [S, B, ..., out]`.

    Row `index` of the weights and the bias, without the product. Weights, how they are drawn, and gradients are those of the
    linear layer, whose arguments it takes.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Outputs for indices.

        Raises:
            IndexError: an index is not in {0, ..., in - 1}.
        """
        y = rows_of(self.weight, x)
        return y if self.bias is None else y + self.bias.reshape(-1, *(1,) * (x.dim() - 1), self.n_out)

    def member(self, k: int) -> nn.Linear:
        """See `Stacked.member`."""
        one = _OneHotMember(self.n_in, self.n_out, bias=self.bias is not None).to(self.weight)
        one.load_state_dict(super().member(k).state_dict())
        return one


class _OneHotMember(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        y = functional.embedding(input, self.weight.T)
        return y if self.bias is None else y + self.bias


def rows_of(weight: Tensor, index: Tensor) -> Tensor:
    """The rows `index` of each member's own weights: `[S, n, width]` at int64 `[S, B, ...]` gives `[S, B, ..., width]`.

    Raises:
        IndexError: an index is not in {0, ..., n - 1}; it would be a row of another member.
    """
    size, n, _ = weight.shape
    if index.numel():
        low, high = index.aminmax()
        if low < 0 or high >= n:
            raise IndexError(f"index {int(low if low < 0 else high)} is not in 0 to {n - 1}")
    first = torch.arange(0, size * n, n, device=index.device).reshape(-1, *(1,) * (index.dim() - 1))
    return functional.embedding(index + first, weight.flatten(0, 1))


def affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The product x W + b, `[S, B, ..., in]` by `[S, in, out]` and `[S, 1, out]`."""
    if x.dim() < 3:
        raise UsageError(f"inputs must be [S, B, ..., {weight.shape[1]}], got {list(x.shape)}")
    rows = x if x.dim() == 3 else x.reshape(x.shape[0], -1, x.shape[-1])
    if is_narrow(rows, weight) and not torch.compiler.is_compiling():
        y = _Narrow.apply(rows, weight)
        y = y if bias is None else y + bias
    elif bias is None:
        y = torch.bmm(rows, weight)
    else:
        y = torch.baddbmm(bias, rows, weight)
    return y if x.dim() == 3 else y.reshape(*x.shape[:-1], weight.shape[2])


def is_narrow(rows: Tensor, weight: Tensor) -> bool:
    """Whether the transposed product is the faster one."""
    return weight.shape[2] <= FEW and rows.shape[1] > 1


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The product x W, or x W + b, `[S, B, in] -> [S, B, out]`, without a record for autograd."""
    if is_narrow(x, weight):
        y = torch.bmm(weight.transpose(1, 2), x.transpose(1, 2)).transpose(1, 2).contiguous()
        return y if bias is None else y.add_(bias)
    return torch.bmm(x, weight) if bias is None else torch.baddbmm(bias, x, weight)


def multiply_back(
    grad: Tensor, x: Tensor, weight: Tensor, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of x and of W by that of `multiply`'s result, a contiguous one; `None` where it is not wanted."""
    back = torch.bmm(grad, weight.transpose(1, 2)) if wanted[0] else None
    if not wanted[1]:
        return back, None
    if is_narrow(x, weight):
        return back, torch.bmm(grad.transpose(1, 2), x).transpose(1, 2)
    return back, torch.bmm(x.transpose(1, 2), grad)


class _Narrow(torch.autograd.Function):
    """The product x W where W has few columns, by products whose last axis is long, forward and backward.

    Autograd's own way back from transposed factors would hand on a transposed gradient, over which all that follows is slow.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return multiply(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        return multiply_back(grads[0].contiguous(), x, weight, ctx.needs_input_grad)


class Flatten(nn.Module):
    """`[S, B, ...] -> [S, B, features]`."""

    def forward(self, x: Tensor) -> Tensor:
        """All axes after the batch in one."""
        return x.flatten(2)

    def member(self, k: int) -> nn.Flatten:
        """See `Stacked.member`."""
        return nn.Flatten()
