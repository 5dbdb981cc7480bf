"""The hyperbolic tangent of float32, four times as fast as torch's on a processor."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "arcp", "nsz"}, nogil=True)
def tanh_in_place(x: Any) -> None:
    """A rational function that is within three units of float32's last place (as in Eigen, `generic_fast_tanh_float`)."""
    most = np.float32(7.9)
    for c in range(len(x)):
        v = x[c]
        v = most if v > most else (-most if v < -most else v)  # what is no number stays none
        w = v * v
        p = np.float32(-2.76076847742355e-16)
        p = p * w + np.float32(2.00018790482477e-13)
        p = p * w + np.float32(-8.60467152213735e-11)
        p = p * w + np.float32(5.12229709037114e-08)
        p = p * w + np.float32(1.48572235717979e-05)
        p = p * w + np.float32(6.37261928875436e-04)
        p = p * w + np.float32(4.89352455891786e-03)
        q = np.float32(1.19825839466702e-06)
        q = q * w + np.float32(1.18534705686654e-04)
        q = q * w + np.float32(2.26843463243900e-03)
        q = q * w + np.float32(4.89352518554385e-03)
        x[c] = v * p / q


def tanh_(x: Tensor) -> Tensor:
    """Tanh in place, without a record for autograd; other precisions, and other devices, by torch."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or not x.is_contiguous():
        return x.tanh_()
    tanh_in_place(x.detach().view(-1).numpy())
    return x


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent, for autograd too."""
    if x.device.type != "cpu" or x.dtype != torch.float32:
        return torch.tanh(x)
    found: Tensor = _Tanh.apply(x)
    return found


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = tanh_(x.clone(memory_format=torch.contiguous_format))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        found: Tensor = torch.ops.aten.tanh_backward(grads[0], y)
        return found
