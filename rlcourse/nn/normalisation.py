"""Normalisation of activations, with the statistics of each member alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.nn.convolution import apart, beside
from rlcourse.nn.stack import Stacked
from rlcourse.streams import Streams


class LayerNorm(Stacked):
    """Mean 0 and variance 1 over the last axes of every sample, then scale and shift: `[S, B, ..., *shape]` in and out.

        y = w (x - mean) / sqrt(var + eps) + b

    Source: Ba, Kiros & Hinton (2016), "Layer normalization".

    Args:
        size: members S.
        shape: the length of the last axis, or of the last axes.
        eps: added to the variance.
    """

    def __init__(self, size: int, shape: int | Sequence[int], *, eps: float = 1e-5) -> None:
        super().__init__(size)
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size, *self.shape))
        self.bias = nn.Parameter(torch.zeros(size, *self.shape))

    def draw(self, streams: Streams) -> None:
        """Scale 1 and shift 0; nothing is random."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        own = (self.size, *(1,) * (x.dim() - 1 - len(self.shape)), *self.shape)
        y = functional.layer_norm(x, self.shape, eps=self.eps)
        return torch.addcmul(self.bias.reshape(own), y, self.weight.reshape(own))

    def member(self, k: int) -> nn.LayerNorm:
        """See `Stacked.member`."""
        one = nn.LayerNorm(self.shape, eps=self.eps).to(self.weight)
        with torch.no_grad():
            one.weight.copy_(self.weight[k])
            one.bias.copy_(self.bias[k])
        return one


class _BatchNorm(Stacked):
    """Batch normalisation of any number of axes after the channels."""

    ordinary: type[nn.BatchNorm1d] | type[nn.BatchNorm2d]
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, size: int, channels: int, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(size)
        self.channels, self.eps, self.momentum = channels, eps, momentum
        self.weight = nn.Parameter(torch.ones(size, channels))
        self.bias = nn.Parameter(torch.zeros(size, channels))
        self.register_buffer("running_mean", torch.zeros(size, channels))
        self.register_buffer("running_var", torch.ones(size, channels))

    def draw(self, streams: Streams) -> None:
        """Scale 1, shift 0, running mean 0 and variance 1; nothing is random."""
        for ones in (self.weight, self.running_var):
            nn.init.ones_(ones)
        for zeros in (self.bias, self.running_mean):
            nn.init.zeros_(zeros)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.training and x.shape[1] * math.prod(x.shape[3:]) < 2:
            raise ValueError("batch normalisation in training needs more than one value a channel")
        y = functional.batch_norm(  # torch's statistics are of a channel, and here each member has channels of its own
            beside(x),
            self.running_mean.view(-1),
            self.running_var.view(-1),
            self.weight.flatten(),
            self.bias.flatten(),
            self.training,
            self.momentum,
            self.eps,
        )
        return apart(y, self.size)

    def member(self, k: int) -> nn.BatchNorm1d | nn.BatchNorm2d:
        """See `Stacked.member`; with the running statistics, in the same mode."""
        one = self.ordinary(self.channels, eps=self.eps, momentum=self.momentum).to(self.weight)
        with torch.no_grad():
            one.weight.copy_(self.weight[k])
            one.bias.copy_(self.bias[k])
            for theirs, ours in ((one.running_mean, self.running_mean), (one.running_var, self.running_var)):
                assert theirs is not None  # there, as it tracks them
                theirs.copy_(ours[k])
        return one.train(self.training)


class BatchNorm1d(_BatchNorm):
    """Mean 0 and variance 1 of every feature over the batch of a member: `[S, B, C]` or `[S, B, C, T]` in and out.

        y = w (x - mean) / sqrt(var + eps) + b

    In training with the statistics of the batch, in evaluation with running ones, which move by `momentum` a batch.

    Source: Ioffe & Szegedy (2015), "Batch normalization".

    Args:
        size: members S.
        channels: C.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
    """

    ordinary = nn.BatchNorm1d


class BatchNorm2d(_BatchNorm):
    """As `BatchNorm1d`, of every channel over the batch and the pixels: `[S, B, C, H, W]` in and out.

    Args:
        size: members S.
        channels: C.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
    """

    ordinary = nn.BatchNorm2d
