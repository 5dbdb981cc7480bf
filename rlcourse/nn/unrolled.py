"""Recurrent layers over a whole sequence, with the gradient through time written out.

Autograd would take the gradient of the hidden weights in every step and add them up; here the steps only keep what the gates
want, and one product over all steps gives the gradient of the weights. What the gates take from the inputs, biases included,
comes in as `inputs`, `[S, B, T, gates H]`; `keep`, `[S, B, T, 1]` or `None`, is 0 where an episode begins.

Source: Werbos (1990), "Backpropagation through time: what it does and how to do it".
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

sigmoid_backward = torch.ops.aten.sigmoid_backward
tanh_backward = torch.ops.aten.tanh_backward


class UnrolledRNN(Function):
    """`RNN` over a sequence: the outputs `[S, B, T, H]`."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, hidden: Tensor, keep: Tensor | None, tanh: bool
    ) -> Tensor:
        """See the class."""
        outputs, before = [], []
        for t, own in enumerate(inputs.unbind(2)):
            if keep is not None:
                hidden = hidden * keep[:, :, t]
            before.append(hidden)
            total = torch.baddbmm(own, hidden, weight)
            hidden = total.tanh_() if tanh else total.relu_()
            outputs.append(hidden)
        ctx.save_for_backward(weight, keep)
        ctx.outputs, ctx.before, ctx.tanh = outputs, before, tanh
        return torch.stack(outputs, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """From the gradients of the outputs to those of the arguments, in their order."""
        weight, keep = ctx.saved_tensors
        back, want = weight.transpose(1, 2), []
        d_hidden = torch.zeros_like(ctx.before[0])
        for t in reversed(range(len(ctx.outputs))):
            d_hidden = d_hidden + grads[0][:, :, t]
            y = ctx.outputs[t]
            want.append(tanh_backward(d_hidden, y) if ctx.tanh else d_hidden * (y > 0))
            d_hidden = torch.bmm(want[-1], back)
            if keep is not None:
                d_hidden.mul_(keep[:, :, t])
        d_inputs = torch.stack(want[::-1], 2)
        return d_inputs, of_weights(ctx.before, d_inputs), d_hidden, None, None


class UnrolledGRU(Function):
    """`GRU` over a sequence: the outputs `[S, B, T, H]`; `bias` is that of U_n h."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, hidden: Tensor, keep: Tensor | None
    ) -> Tensor:
        """See the class."""
        H = hidden.shape[2]
        to_gates, to_new = weight[..., : 2 * H], weight[..., 2 * H :]
        outputs, saved = [], []
        for t, own in enumerate(inputs.unbind(2)):
            if keep is not None:
                hidden = hidden * keep[:, :, t]
            r, z = torch.baddbmm(own[..., : 2 * H], hidden, to_gates).sigmoid_().chunk(2, dim=-1)
            old = torch.baddbmm(bias, hidden, to_new)
            n = torch.addcmul(own[..., 2 * H :], r, old).tanh_()
            saved.append((hidden, r, z, n, old))
            hidden = torch.lerp(n, hidden, z)
            outputs.append(hidden)
        ctx.save_for_backward(weight, keep)
        ctx.steps = saved
        return torch.stack(outputs, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """From the gradients of the outputs to those of the arguments, in their order."""
        weight, keep = ctx.saved_tensors
        back = weight.transpose(1, 2)
        want, from_hidden = [], []
        d_hidden = torch.zeros_like(ctx.steps[0][0])
        for t in reversed(range(len(ctx.steps))):
            hidden, r, z, n, old = ctx.steps[t]
            d_hidden = d_hidden + grads[0][:, :, t]
            d_n = tanh_backward(d_hidden - d_hidden * z, n)
            d_z = sigmoid_backward(d_hidden * (hidden - n), z)
            d_r = sigmoid_backward(d_n * old, r)
            want.append(torch.cat((d_r, d_z, d_n), -1))
            from_hidden.append(torch.cat((d_r, d_z, d_n * r), -1))
            d_hidden = torch.baddbmm(d_hidden * z, from_hidden[-1], back)
            if keep is not None:
                d_hidden.mul_(keep[:, :, t])
        d_own = torch.stack(from_hidden[::-1], 2)
        d_bias = d_own[..., 2 * hidden.shape[2] :].sum((1, 2)).unsqueeze(1)
        d_weight = of_weights([step[0] for step in ctx.steps], d_own)
        return torch.stack(want[::-1], 2), d_weight, d_bias, d_hidden, None


class UnrolledLSTM(Function):
    """`LSTM` over a sequence: the outputs `[S, B, T, H]` and the last cell `[S, B, H]`."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor, keep: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        H = hidden.shape[2]
        outputs, saved = [], []
        for t, own in enumerate(inputs.unbind(2)):
            if keep is not None:
                hidden, cell = hidden * keep[:, :, t], cell * keep[:, :, t]
            total = torch.baddbmm(own, hidden, weight)
            i, f = total[..., : 2 * H].sigmoid_().chunk(2, dim=-1)
            g, o = total[..., 2 * H : 3 * H].tanh_(), total[..., 3 * H :].sigmoid_()
            before, cell = cell, (f * cell).addcmul_(i, g)
            squashed = cell.tanh()
            saved.append((hidden, before, squashed, i, f, g, o))
            hidden = o * squashed
            outputs.append(hidden)
        ctx.save_for_backward(weight, keep)
        ctx.steps = saved
        return torch.stack(outputs, 2), cell

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """From the gradients of the outputs to those of the arguments, in their order."""
        weight, keep = ctx.saved_tensors
        back, want, d_cell = weight.transpose(1, 2), [], grads[1]
        d_hidden = torch.zeros_like(d_cell)
        for t in reversed(range(len(ctx.steps))):
            _, before, squashed, i, f, g, o = ctx.steps[t]
            d_hidden = d_hidden + grads[0][:, :, t]
            d_cell = d_cell + tanh_backward(d_hidden * o, squashed)
            d_i, d_f = sigmoid_backward(d_cell * g, i), sigmoid_backward(d_cell * before, f)
            d_g, d_o = tanh_backward(d_cell * i, g), sigmoid_backward(d_hidden * squashed, o)
            want.append(torch.cat((d_i, d_f, d_g, d_o), -1))
            d_hidden, d_cell = torch.bmm(want[-1], back), d_cell * f
            if keep is not None:
                d_hidden.mul_(keep[:, :, t])
                d_cell.mul_(keep[:, :, t])
        d_inputs = torch.stack(want[::-1], 2)
        return d_inputs, of_weights([step[0] for step in ctx.steps], d_inputs), d_hidden, d_cell, None


def of_weights(hidden: list[Tensor], want: Tensor) -> Tensor:
    """The gradient of the hidden weights: the states before the steps by what the gates of the steps want, in one product."""
    before = torch.stack(hidden, 2)
    return torch.bmm(before.flatten(1, 2).transpose(1, 2), want.flatten(1, 2))
