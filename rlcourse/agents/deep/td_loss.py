"""Huber losses of TD errors on a processor, forward and backward in one compiled pass each."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from rlcourse.agents.deep.heads import Steps


def td_losses(outputs: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
    """See `Scalar.losses`; all float32 (actions int64), in this machine's memory."""
    losses, errors = _TDLosses.apply(outputs, *steps)
    return losses, errors


class _TDLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        outputs: Tensor,
        actions: Tensor,
        after: Tensor,
        best: Tensor | None,
        returns: Tensor,
        discounts: Tensor,
    ) -> tuple[Tensor, Tensor]:
        losses, errors = torch.empty_like(returns), torch.empty_like(returns)
        following = _NO_ACTIONS if best is None else best.numpy()
        td_forward(following, _arrays(outputs, actions, after, returns, discounts, losses, errors))
        ctx.save_for_backward(errors, actions)
        ctx.shape = outputs.shape
        ctx.mark_non_differentiable(errors)
        return losses, errors

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        errors, actions = ctx.saved_tensors
        found = errors.new_empty(ctx.shape)
        td_slopes(_arrays(errors, actions, grads[0].contiguous(), found))
        return found, None, None, None, None, None


_NO_ACTIONS = np.zeros((0, 0), np.int64)


def _arrays(*tensors: Tensor) -> tuple[NDArray[Any], ...]:
    return tuple(tensor.detach().numpy() for tensor in tensors)


@njit(cache=True, error_model="numpy", nogil=True)
def td_forward(best: Any, arrays: Any) -> None:
    """Losses and errors `[S, B]`; the next action is `best [S, B]`, or where that is empty the best one."""
    outputs, actions, after, returns, discounts, losses, errors = arrays
    members, batch, n = outputs.shape
    for s in range(members):
        for b in range(batch):
            if best.size:
                value = after[s, b, best[s, b]]
            else:
                value = after[s, b, 0]
                for a in range(1, n):
                    if after[s, b, a] > value or np.isnan(after[s, b, a]):
                        value = after[s, b, a]
            error = returns[s, b] + discounts[s, b] * value - outputs[s, b, actions[s, b]]
            size = abs(error)
            errors[s, b] = error
            losses[s, b] = np.float32(0.5) * error * error if size < 1.0 else size - np.float32(0.5)


@njit(cache=True, error_model="numpy", nogil=True)
def td_slopes(arrays: Any) -> None:
    """Slopes of the losses, times what is given for each `[S, B]`, to those of the outputs `[S, B, A]`."""
    errors, actions, grads, out = arrays
    members, batch = errors.shape
    out[:] = 0.0
    for s in range(members):
        for b in range(batch):
            slope = errors[s, b]
            if slope > 1.0:
                slope = np.float32(1.0)
            elif slope < -1.0:
                slope = np.float32(-1.0)
            out[s, b, actions[s, b]] = -slope * grads[s, b]
