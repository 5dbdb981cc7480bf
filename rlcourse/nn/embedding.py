"""A vector for every value of a discrete input."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.nn.initialise import draw_weights
from rlcourse.nn.linear import rows_of
from rlcourse.nn.stack import Stacked, copied
from rlcourse.streams import Streams


class Embedding(Stacked):
    """Row `index` of a table of the member's own: int64 `[S, B, ...] -> [S, B, ..., width]`.

    Args:
        size: members S.
        n_values: how many indices there are, from 0.
        width: numbers a row.
        law: how the rows are drawn, with a fan of one: "he" gives N(0, gain^2).
        gain: factor of the law; 1 is torch's.
    """

    def __init__(self, size: int, n_values: int, width: int, *, law: str = "he", gain: float = 1.0) -> None:
        super().__init__(size)
        self.n_values, self.width, self.law, self.gain = n_values, width, law, gain
        self.weight = nn.Parameter(torch.zeros(size, n_values, width))

    def draw(self, streams: Streams) -> None:
        """See `Stacked.draw`."""
        draw_weights(self.weight, streams, self.law, fan_in=1, fan_out=self.width, gain=self.gain)

    def forward(self, index: Tensor) -> Tensor:
        """Rows for indices.

        Raises:
            IndexError: an index is not in {0, ..., n_values - 1}.
        """
        return rows_of(self.weight, index)

    def member(self, k: int) -> nn.Embedding:
        """See `Stacked.member`."""
        return nn.Embedding(self.n_values, self.width, _weight=copied(self.weight, k))


class OneHot(nn.Module):
    """1 at the index and 0 elsewhere: int64 `[S, B, ...] -> [S, B, ..., n_values]`, in the precision of the network.

    Args:
        n_values: how many indices there are, from 0.
    """

    def __init__(self, n_values: int) -> None:
        super().__init__()
        self.n_values = n_values
        # goes along when the network is moved to another precision
        self.register_buffer("one", torch.ones(()), persistent=False)

    one: Tensor

    def forward(self, index: Tensor) -> Tensor:
        """See the class."""
        return functional.one_hot(index, self.n_values).to(self.one.dtype)
