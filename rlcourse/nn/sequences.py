"""Parts of a network that have to do with the axis of time, `[S, B, T, ...]`, and have no weights of their own."""

from __future__ import annotations

from torch import Tensor, nn

from rlcourse.nn.stack import Stacked, member_of


class Last(nn.Module):
    """The last step, from a sequence to one: `[S, B, T, F] -> [S, B, F]`."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x[..., -1, :]


class Mean(nn.Module):
    """The mean over the steps, from a sequence to one: `[S, B, T, F] -> [S, B, F]`."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x.mean(-2)


class EachStep(Stacked):
    """A part that knows no time, at every step: `[S, B, T, ...]` goes through it as `[S, B T, ...]`.

    Args:
        size: members S.
        part: stacked, or without weights.
    """

    def __init__(self, size: int, part: nn.Module) -> None:
        super().__init__(size)
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y: Tensor = self.part(x.flatten(1, 2))
        return y.unflatten(1, x.shape[1:3])

    def member(self, k: int) -> OneAtATime:
        """See `Stacked.member`."""
        return OneAtATime(member_of(self.part, k))


class OneAtATime(nn.Module):
    """One member of `EachStep`.

    Args:
        part: works on `[B, ...]`.
    """

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        """`[B, T, ...]` in and out."""
        y: Tensor = self.part(x.flatten(0, 1))
        return y.unflatten(0, x.shape[:2])


class OutputsOnly(nn.Module):
    """One of torch's recurrent modules without the last state, so that it can stand in a sequence of modules.

    Args:
        layer: gives outputs and a state.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """`[B, T, F] -> [B, T, H]`."""
        y: Tensor = self.layer(x)[0]
        return y
