"""A vector for every value of a discrete input."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.nn.initialise import draw_weights
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
        self.register_buffer("first", torch.arange(size) * n_values, persistent=False)

    first: Tensor
    """Where the rows of each member begin among the rows of all."""

    def draw(self, streams: Streams) -> None:
        """See `Stacked.draw`."""
        draw_weights(self.weight, streams, self.law, fan_in=1, fan_out=self.width, gain=self.gain)

    def forward(self, index: Tensor) -> Tensor:
        """Rows for indices.

        Raises:
            IndexError: an index is not in {0, ..., n_values - 1}; it would be a row of another member.
        """
        if index.numel():
            low, high = index.aminmax()
            if low < 0 or high >= self.n_values:
                raise IndexError(f"index {int(low if low < 0 else high)} is not in 0 to {self.n_values - 1}")
        first = self.first.reshape(-1, *(1,) * (index.dim() - 1))
        return functional.embedding(index + first, self.weight.flatten(0, 1))

    def member(self, k: int) -> nn.Embedding:
        """See `Stacked.member`."""
        return nn.Embedding(self.n_values, self.width, _weight=copied(self.weight, k))
