"""Convolution over time that never looks ahead, over sequences `[S, B, T, F]`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.nn.dropout import Dropout
from rlcourse.nn.initialise import draw_weights
from rlcourse.nn.linear import Linear, affine
from rlcourse.nn.stack import Stacked, member_of
from rlcourse.streams import Streams


class CausalConv1d(Stacked):
    """A dilated causal convolution: `[S, B, T, in] -> [S, B, T, out]`.

        y_t = b + sum_j x_{t - j d} W_{kernel - 1 - j},   x_t = 0 before the sequence, and before the episode

    Source: van den Oord et al. (2016), "WaveNet: a generative model for raw audio".

    Args:
        size: members S.
        n_in: features of a step before.
        n_out: features of a step after.
        kernel: steps that a step sees.
        dilation: d, the distance of one to the next.
        law: how the weights are drawn, see `rlcourse.nn.initialise`.
        gain: factor of the law.
    """

    def __init__(
        self,
        size: int,
        n_in: int,
        n_out: int,
        kernel: int,
        *,
        dilation: int = 1,
        law: str = "he",
        gain: float | None = None,
    ) -> None:
        super().__init__(size)
        self.n_in, self.n_out, self.kernel, self.dilation = n_in, n_out, kernel, dilation
        self.law, self.gain = law, gain
        self.weight = nn.Parameter(torch.zeros(size, kernel, n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(size, 1, n_out))

    @property
    def reach(self) -> int:
        """How many steps a step sees back."""
        return self.dilation * (self.kernel - 1)

    def draw(self, streams: Streams) -> None:
        """See `Stacked.draw`."""
        fan_in, fan_out = self.kernel * self.n_in, self.kernel * self.n_out
        rows = self.weight.detach().flatten(1, 2)  # an orthogonal draw is one of the whole window
        draw_weights(rows, streams, self.law, fan_in=fan_in, fan_out=fan_out, gain=self.gain)
        law = "uniform" if self.law == "uniform" else "zeros"
        draw_weights(self.bias, streams, law, fan_in=fan_in, fan_out=fan_out)

    def forward(self, x: Tensor, episode_start: Tensor | None = None) -> Tensor:
        """Convolve.

        Args:
            x: `[S, B, T, in]`.
            episode_start: bool `[S, B, T]`, whether an episode begins with that step: what was before does not reach it.
        """
        steps = x.shape[2]
        padded = functional.pad(x, (0, 0, self.reach, 0))
        taps = [padded.narrow(2, j * self.dilation, steps) for j in range(self.kernel)]
        if episode_start is not None:
            episode = functional.pad(episode_start.cumsum(-1), (self.reach, 0), value=-1)
            now = episode[..., self.reach :]
            for j in range(self.kernel - 1):
                same = episode.narrow(2, j * self.dilation, steps) == now
                taps[j] = taps[j] * same.unsqueeze(-1)
        return affine(torch.cat(taps, -1), self.weight.flatten(1, 2), self.bias)

    def member(self, k: int) -> Causal:
        """See `Stacked.member`."""
        one = nn.Conv1d(self.n_in, self.n_out, self.kernel, dilation=self.dilation).to(self.weight)
        with torch.no_grad():
            one.weight.copy_(self.weight[k].permute(2, 1, 0))
            assert one.bias is not None
            one.bias.copy_(self.bias[k, 0])
        return Causal(one)


class TemporalBlock(Stacked):
    """Two causal convolutions with a residual around them: `[S, B, T, in] -> [S, B, T, out]`.

        y = relu(x + drop(relu(conv(drop(relu(conv(x)))))))

    with a linear layer on x where the widths differ. Blocks of dilation 1, 2, 4 ... see back 2 (kernel - 1) times the sum.

    Source: Bai, Kolter & Koltun (2018), "An empirical evaluation of generic convolutional and recurrent networks for sequence
    modeling"; without their weight normalisation.

    Args:
        size: members S.
        n_in: features of a step before.
        n_out: features of a step after.
        kernel: steps that each convolution sees.
        dilation: of both.
        dropout: probability.
    """

    def __init__(
        self, size: int, n_in: int, n_out: int, *, kernel: int = 3, dilation: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__(size)
        self.first = CausalConv1d(size, n_in, n_out, kernel, dilation=dilation)
        self.second = CausalConv1d(size, n_out, n_out, kernel, dilation=dilation)
        self.dropout = Dropout(size, dropout)
        self.shortcut = Linear(size, n_in, n_out) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor, episode_start: Tensor | None = None) -> Tensor:
        """See the class and `CausalConv1d.forward`."""
        y = self.dropout(torch.relu(self.first(x, episode_start)))
        y = self.dropout(torch.relu(self.second(y, episode_start)))
        return torch.relu(self.shortcut(x) + y)

    def member(self, k: int) -> Block:
        """See `Stacked.member`."""
        parts = (self.first, self.second, self.dropout, self.shortcut)
        return Block(*(member_of(part, k) for part in parts))


class Causal(nn.Module):
    """One member of `CausalConv1d`: torch's convolution, padded on the left.

    Args:
        layer: the convolution.
    """

    def __init__(self, layer: nn.Conv1d) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """`[B, T, in] -> [B, T, out]`."""
        reach = self.layer.dilation[0] * (self.layer.kernel_size[0] - 1)
        y: Tensor = self.layer(functional.pad(x.transpose(1, 2), (reach, 0)))
        return y.transpose(1, 2)


class Block(nn.Module):
    """One member of `TemporalBlock`.

    Args:
        first: a `Causal`.
        second: a `Causal`.
        dropout: after each of the two.
        shortcut: on what goes around them.
    """

    def __init__(self, first: nn.Module, second: nn.Module, dropout: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.first, self.second, self.dropout, self.shortcut = first, second, dropout, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """`[B, T, in] -> [B, T, out]`."""
        y = self.dropout(torch.relu(self.first(x)))
        y = self.dropout(torch.relu(self.second(y)))
        return torch.relu(self.shortcut(x) + y)
