"""Stacked convolution and pooling over pictures `[S, B, C, H, W]`.

All members go through one grouped convolution over `[B, S C, H, W]`, a group for each. On two CPU cores that is the fastest
of what was measured for ten members and 128 planes 6x8x8, forward and backward: windows laid out as rows for one `bmm` take
one and a half to four times as long, a loop over the members one to two times (and ten times for eight planes).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.errors import UsageError
from rlcourse.nn.initialise import draw_weights
from rlcourse.nn.stack import Stacked
from rlcourse.streams import Streams

Pair = int | tuple[int, int]


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """The length of an axis after a convolution or a pooling of it.

        out = floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1

    Source: Dumoulin & Visin (2016), "A guide to convolution arithmetic for deep learning", relationship 15.

    Args:
        size: length of the axis before.
        kernel: length of the window, >= 1.
        stride: from one window to the next, >= 1.
        padding: zeros on either side, >= 0.
        dilation: from one entry of the window to the next, >= 1.

    Raises:
        UsageError: an argument is out of range, or the window is longer than the padded axis.
    """
    arguments = {"size": (size, 1), "kernel": (kernel, 1), "stride": (stride, 1), "padding": (padding, 0)}
    for name, (value, least) in {**arguments, "dilation": (dilation, 1)}.items():
        if value < least:
            raise UsageError(f"{name}={value} must be at least {least}")
    reach = dilation * (kernel - 1) + 1
    if reach > size + 2 * padding:
        raise UsageError(
            f"a window of {reach} does not fit into {size} and a padding of {padding} on either side"
        )
    return (size + 2 * padding - reach) // stride + 1


def pair(value: Pair) -> tuple[int, int]:
    """Of rows and of columns, where one number stands for both."""
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


class Conv2d(Stacked):
    """Cross-correlation with a bias for every member: `[S, B, in, H, W] -> [S, B, out, H', W']`, see `output_size`.

        y[o] = b[o] + sum_i w[o, i] * x[i]

    Args:
        size: members S.
        n_in: channels of the input.
        n_out: channels of the output.
        kernel: rows and columns of the window; one number for a square.
        stride: as `kernel`.
        padding: as `kernel`.
        dilation: as `kernel`.
        bias: add one, which begins at 0.
        law: how the weights are drawn, see `rlcourse.nn.initialise`.
        gain: factor of the law.
    """

    def __init__(
        self,
        size: int,
        n_in: int,
        n_out: int,
        kernel: Pair,
        *,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        bias: bool = True,
        law: str = "he",
        gain: float | None = None,
    ) -> None:
        super().__init__(size)
        self.n_in, self.n_out, self.law, self.gain = n_in, n_out, law, gain
        self.kernel, self.stride, self.padding = pair(kernel), pair(stride), pair(padding)
        self.dilation = pair(dilation)
        self.weight = nn.Parameter(torch.zeros(size, n_out, n_in, *self.kernel))
        self.bias = nn.Parameter(torch.zeros(size, n_out)) if bias else None

    def draw(self, streams: Streams) -> None:
        """See `Stacked.draw`."""
        window = self.kernel[0] * self.kernel[1]
        fan_in, fan_out = self.n_in * window, self.n_out * window
        draw_weights(self.weight, streams, self.law, fan_in=fan_in, fan_out=fan_out, gain=self.gain)
        if self.bias is not None:
            law = "uniform" if self.law == "uniform" else "zeros"  # torch's own layers draw both from one law
            draw_weights(self.bias, streams, law, fan_in=fan_in, fan_out=fan_out)

    def forward(self, x: Tensor) -> Tensor:
        """`[S, B, in, H, W] -> [S, B, out, H', W']`."""
        y = functional.conv2d(
            beside(x),
            self.weight.flatten(0, 1),
            None if self.bias is None else self.bias.flatten(),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.size,
        )
        return apart(y, self.size)

    def member(self, k: int) -> nn.Conv2d:
        """See `Stacked.member`."""
        one = nn.Conv2d(
            self.n_in,
            self.n_out,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            bias=self.bias is not None,
        ).to(self.weight)
        with torch.no_grad():
            one.weight.copy_(self.weight[k])
            if one.bias is not None and self.bias is not None:
                one.bias.copy_(self.bias[k])
        return one

    def output_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Channels, rows and columns of what comes out, for a picture of so many rows and columns."""
        sides = zip((height, width), self.kernel, self.stride, self.padding, self.dilation, strict=True)
        rows, columns = (output_size(*side) for side in sides)
        return self.n_out, rows, columns


class _Pool(nn.Module):
    """The windows of a pooling."""

    def __init__(self, kernel: Pair, *, stride: Pair | None = None, padding: Pair = 0) -> None:
        super().__init__()
        self.kernel, self.padding = pair(kernel), pair(padding)
        self.stride = self.kernel if stride is None else pair(stride)

    def output_shape(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of what comes out, for a picture of so many rows and columns."""
        sides = zip((height, width), self.kernel, self.stride, self.padding, strict=True)
        rows, columns = (output_size(*side) for side in sides)
        return rows, columns


class MaxPool2d(_Pool):
    """The largest of every window: `[S, B, C, H, W] -> [S, B, C, H', W']`.

    Args:
        kernel: rows and columns of the window; one number for a square.
        stride: from one window to the next; `None` sets them side by side.
        padding: on either side, never the largest.
    """

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return apart(functional.max_pool2d(beside(x), self.kernel, self.stride, self.padding), len(x))

    def member(self, k: int) -> nn.MaxPool2d:
        """See `Stacked.member`."""
        return nn.MaxPool2d(self.kernel, self.stride, self.padding)


class AvgPool2d(_Pool):
    """The mean of every window: `[S, B, C, H, W] -> [S, B, C, H', W']`.

    Args:
        kernel: rows and columns of the window; one number for a square.
        stride: from one window to the next; `None` sets them side by side.
        padding: zeros on either side, which count.
    """

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return apart(functional.avg_pool2d(beside(x), self.kernel, self.stride, self.padding), len(x))

    def member(self, k: int) -> nn.AvgPool2d:
        """See `Stacked.member`."""
        return nn.AvgPool2d(self.kernel, self.stride, self.padding)


def beside(x: Tensor) -> Tensor:
    """The channels of all members side by side: `[S, B, C, ...] -> [B, S C, ...]`, a view of what `apart` gave."""
    return x.transpose(0, 1).flatten(1, 2)


def apart(x: Tensor, size: int) -> Tensor:
    """The inverse of `beside`: `[B, S C, ...] -> [S, B, C, ...]`, a view."""
    return x.unflatten(1, (size, -1)).transpose(0, 1)
