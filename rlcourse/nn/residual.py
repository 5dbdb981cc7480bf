"""What a part adds to its own input."""

from __future__ import annotations

from torch import Tensor, nn

from rlcourse.nn.convolution import Conv2d
from rlcourse.nn.stack import Sequential, Stacked, member_of


class Residual(Stacked):
    """y = x + body(x), where the body keeps the shape, or y = shortcut(x) + body(x).

    Source: He et al. (2016), "Deep residual learning for image recognition".

    Args:
        body: a stacked module.
        shortcut: a stacked module; `None` is the identity.
    """

    def __init__(self, body: Stacked, shortcut: Stacked | None = None) -> None:
        super().__init__(body.size)
        self.body = body
        self.shortcut: nn.Module = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: Tensor) -> Tensor:
        """`[S, B, ...]` in and out."""
        y: Tensor = self.shortcut(x) + self.body(x)
        return y

    def member(self, k: int) -> Plus:
        """See `Stacked.member`."""
        return Plus(member_of(self.body, k), member_of(self.shortcut, k))


class Plus(nn.Module):
    """One member of `Residual`.

    Args:
        body: what is added.
        shortcut: what it is added to.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """`[B, ...]` in and out."""
        y: Tensor = self.shortcut(x) + self.body(x)
        return y


def residual_block(size: int, channels: int) -> Residual:
    """Two 3x3 convolutions, each after a ReLU, with a residual around them: `[S, B, C, H, W]` in and out.

    Source: Espeholt et al. (2018), "IMPALA", figure 3.

    Args:
        size: members S.
        channels: C.
    """
    first = Conv2d(size, channels, channels, 3, padding=1)
    second = Conv2d(size, channels, channels, 3, padding=1)
    return Residual(Sequential(nn.ReLU(), first, nn.ReLU(), second))
