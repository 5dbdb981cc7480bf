"""Several linear layers with activations in between as one step of autograd, forward and backward.

The products are those of the layers one after the other, in the same order, so the results are the same: with rectifiers to
the last bit, with tanh to the rounding of float32. What is saved is all around them: activations overwrite what they read,
forward and backward, and autograd keeps one record instead of one a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rlcourse.nn.linear import Linear, multiply, multiply_back

ACTIVATIONS = (nn.ReLU, nn.Tanh)
"""Of which the derivative is known from their output."""


def chain_at(parts: Sequence[nn.Module], start: int) -> int:
    """How many parts from `start` on are one chain: linear layers, and between each and the next one kind of activation."""
    if type(parts[start]) is not Linear or parts[start].bias is None:
        return 0
    end, kind = start + 1, None
    while end + 1 < len(parts):
        between, after = type(parts[end]), parts[end + 1]
        if between not in ACTIVATIONS or kind not in (None, between):
            break
        if type(after) is not Linear or after.bias is None:
            break
        end, kind = end + 2, between
    return end - start if kind else 0


def run_chain(parts: Sequence[Any], x: Tensor) -> Tensor:
    """`[S, B, in] -> [S, B, out]` through parts that `chain_at` found to be a chain."""
    weights = [tensor for layer in parts[::2] for tensor in (layer.weight, layer.bias)]
    relu = type(parts[1]) is nn.ReLU
    if not torch.is_grad_enabled():
        return _run(x, weights, relu)[-1]
    found: Tensor = _Chain.apply(x, relu, *weights)
    return found


def _run(x: Tensor, weights: Sequence[Tensor], relu: bool) -> list[Tensor]:
    """What goes into every layer, and what comes out of the last."""
    units, last = [x], len(weights) - 2
    if not relu:
        from rlcourse.nn.tanh import tanh_
    for k in range(0, last + 2, 2):
        x = multiply(x, weights[k], weights[k + 1])
        if k < last:
            x = x.relu_() if relu else tanh_(x)
        units.append(x)
    return units


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, relu: bool, *weights: Tensor) -> Tensor:
        *units, out = _run(x, weights, relu)
        ctx.save_for_backward(*units, *weights[::2])
        ctx.relu = relu
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        n = len(ctx.saved_tensors) // 2
        units, weights = ctx.saved_tensors[:n], ctx.saved_tensors[n:]
        wanted_x, _, *wanted = ctx.needs_input_grad
        found: list[Tensor | None] = [None] * (2 * n)
        grad = grads[0].contiguous()
        for k in reversed(range(n)):
            deeper = wanted_x or any(wanted[: 2 * k])
            back, found[2 * k] = multiply_back(grad, units[k], weights[k], (deeper, wanted[2 * k]))
            if wanted[2 * k + 1]:
                found[2 * k + 1] = grad.sum(1, keepdim=True)
            if back is None or k == 0:
                break
            if ctx.relu:
                torch.ops.aten.threshold_backward.grad_input(back, units[k], 0, grad_input=back)
            else:
                torch.ops.aten.tanh_backward.grad_input(back, units[k], grad_input=back)
            grad = back
        return back if wanted_x else None, None, *found
