"""Normalisation of inputs, fitted on the training part alone and kept with the model's weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from rlcourse.errors import UsageError, did_you_mean
from rlcourse.nn.data import Dataset
from rlcourse.nn.stack import Stacked

KINDS = ("standard", "range")


class Normalise(Stacked):
    """(x - shift) / scale, feature by feature: the first part of a model, so that whoever has the model has it, too.

        model = Sequential(Normalise.fitted(train, S), Linear(S, 5, 1))

    Args:
        size: members S.
        shape: of shift and scale, what an input broadcasts with: `(n,)`, or `(C, 1, 1)` for channels of pictures.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, size: int, shape: Sequence[int]) -> None:
        super().__init__(size)
        self.register_buffer("shift", torch.zeros(size, 1, *shape))
        self.register_buffer("scale", torch.ones(size, 1, *shape))

    @classmethod
    def fitted(cls, data: Dataset, size: int, *, kind: str = "standard", axes: Sequence[int] = ()) -> Self:
        """One that brings these data, which have to be the training part, to a common scale.

        Args:
            data: shared by all members, or with parts of S members.
            size: members S.
            kind: `standard`, mean 0 and variance 1; or `range`, from 0 to 1.
            axes: axes of an input that share their statistics: (1, 2) of pictures `[C, H, W]`, (0,) of sequences `[T, n]`.

        Raises:
            UsageError: an unknown kind, or data of another number of members.
        """
        if kind not in KINDS:
            raise UsageError(did_you_mean(kind, KINDS, kind="normalisation"))
        if data.members not in (None, size):
            raise UsageError(f"data of {data.members} members for a stack of {size}")
        x = (data.x if data.members is not None else data.x[None]).astype(np.float64)
        over = (1, *(2 + axis % len(data.shape) for axis in axes))
        if kind == "standard":
            shift, scale = x.mean(over, keepdims=True), x.std(over, keepdims=True)
        else:
            shift = x.min(over, keepdims=True)
            scale = x.max(over, keepdims=True) - shift
        scale[scale < 1e-12 * np.abs(shift) + 1e-30] = 1.0  # what never changes is moved to 0, not blown up
        one = cls(size, shift.shape[2:])
        one.shift.copy_(torch.from_numpy(shift))
        one.scale.copy_(torch.from_numpy(scale))
        return one

    def forward(self, x: Tensor) -> Tensor:
        """`[S, B, ...]` in and out.

        Raises:
            UsageError: inputs of another shape than what it was fitted to, which torch might broadcast without a word.
        """
        _check_shape(x.shape[2:], self.shift.shape[2:])
        return (x - self.shift) / self.scale

    def member(self, k: int) -> nn.Module:
        """See `Stacked.member`."""
        return _Normalise(self.shift[k].clone(), self.scale[k].clone())


class _Normalise(nn.Module):
    shift: Tensor
    scale: Tensor

    def __init__(self, shift: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        _check_shape(x.shape[1:], self.shift.shape[1:])
        return (x - self.shift) / self.scale


def _check_shape(shape: Sequence[int], fitted: Sequence[int]) -> None:
    """Refuse inputs of another shape; an axis of length 1 shares its statistics."""
    alike = len(shape) == len(fitted)
    if not alike or any(side not in (1, length) for side, length in zip(fitted, shape, strict=True)):
        raise UsageError(f"normalisation was fitted to inputs {list(fitted)}, and these are {list(shape)}")
