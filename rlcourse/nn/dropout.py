"""Dropout whose masks belong to the member."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from rlcourse.errors import UsageError
from rlcourse.nn.stack import Stacked
from rlcourse.streams import Streams, stream_keys


class Dropout(Stacked):
    """In training, each number is 0 with probability p and divided by 1 - p otherwise; in evaluation all stay.

    The mask of member `k` comes from a stream of its own that `initialise` starts, so that the member drops the same numbers
    in every population. Where the stream stands is a buffer, `stream int64 [S]`, and is saved with the weights.

    Source: Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting".

    Args:
        size: members S.
        p: probability, 0 <= p < 1.

    Raises:
        UsageError: p is out of range.
    """

    stream: Tensor

    def __init__(self, size: int, p: float = 0.5) -> None:
        super().__init__(size)
        if not 0.0 <= p < 1.0:
            raise UsageError(f"p={p!r} must be at least 0 and below 1")
        self.p = p
        keys = stream_keys(range(size), "dropout")
        self.register_buffer("stream", torch.from_numpy(keys.view(np.int64)))

    def draw(self, streams: Streams) -> None:
        """Start the streams of the masks."""
        self.stream.copy_(torch.from_numpy(streams.bits().view(np.int64)))

    def forward(self, x: Tensor) -> Tensor:
        """`[S, B, ...]` in and out."""
        if not self.training or self.p == 0.0:
            return x
        state = self.stream.cpu().numpy().view(np.uint64).copy()
        kept = Streams(state).uniform(tuple(x.shape[1:])) >= self.p
        self.stream.copy_(torch.from_numpy(state.view(np.int64)))
        return x * torch.from_numpy(kept).to(x.device) * (1.0 / (1.0 - self.p))

    def member(self, k: int) -> nn.Dropout:
        """See `Stacked.member`; in training, torch's own draws from torch's generator."""
        return nn.Dropout(self.p)
