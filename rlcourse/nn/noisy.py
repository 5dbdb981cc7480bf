"""Linear layers with learned noise on their weights, which explore in place of epsilon."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlcourse.nn.initialise import draw_weights
from rlcourse.nn.linear import affine
from rlcourse.nn.stack import Stacked
from rlcourse.streams import Streams


class NoisyLinear(Stacked):
    """A linear layer whose weights are random, with a mean and a spread that are learned: `[S, B, in] -> [S, B, out]`.

        W = mu_w + sigma_w * f(e_in) f(e_out)^T,   b = mu_b + sigma_b * f(e_out),   f(e) = sign(e) sqrt(|e|)

    with standard normal e_in `[in]` and e_out `[out]` (factorised noise). In training mode the noise is that of the last
    `sample_noise`, before the first one none; in evaluation mode it is none.

    Source: Fortunato et al. (2018), "Noisy networks for exploration", equations 9 to 11 and section 3.2.

    Args:
        size: members S.
        n_in: inputs.
        n_out: outputs.
        sigma: sigma_0; the spreads begin at sigma_0 / sqrt(in).
    """

    noise_in: Tensor
    noise_out: Tensor

    def __init__(self, size: int, n_in: int, n_out: int, *, sigma: float = 0.5) -> None:
        super().__init__(size)
        self.n_in, self.n_out, self.sigma = n_in, n_out, sigma
        self.weight = nn.Parameter(torch.zeros(size, n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(size, 1, n_out))
        start = sigma / n_in**0.5
        self.weight_sigma = nn.Parameter(torch.full((size, n_in, n_out), start))
        self.bias_sigma = nn.Parameter(torch.full((size, 1, n_out), start))
        self.register_buffer("noise_in", torch.zeros(size, n_in, 1))
        self.register_buffer("noise_out", torch.zeros(size, 1, n_out))

    def draw(self, streams: Streams) -> None:
        """The means from U(-1 / sqrt(in), 1 / sqrt(in)), the spreads constant, no noise."""
        for mean in (self.weight, self.bias):
            draw_weights(mean, streams, "uniform", fan_in=self.n_in, fan_out=self.n_out)
        for spread in (self.weight_sigma, self.bias_sigma):
            nn.init.constant_(spread, self.sigma / self.n_in**0.5)
        self.drop_noise()

    def sample_noise(self, streams: Streams) -> None:
        """New noise for every member from its own stream, the same for a whole batch.

        Args:
            streams: of S members.
        """
        self.noise_in.copy_(torch.from_numpy(_scaled(streams.normal((self.n_in, 1)))))
        self.noise_out.copy_(torch.from_numpy(_scaled(streams.normal((1, self.n_out)))))

    def drop_noise(self) -> None:
        """No noise, until the next `sample_noise`."""
        self.noise_in.zero_()
        self.noise_out.zero_()

    def current(self) -> tuple[Tensor, Tensor]:
        """The weights `[S, in, out]` and biases `[S, 1, out]` of this moment."""
        if not self.training:
            return self.weight, self.bias
        weight = torch.addcmul(self.weight, self.weight_sigma, self.noise_in * self.noise_out)
        return weight, torch.addcmul(self.bias, self.bias_sigma, self.noise_out)

    def forward(self, x: Tensor) -> Tensor:
        """`[S, B, ..., in] -> [S, B, ..., out]`."""
        return affine(x, *self.current())

    def member(self, k: int) -> nn.Linear:
        """See `Stacked.member`: a linear layer with the weights of this moment, which are the means in evaluation mode."""
        weight, bias = self.current()
        one = nn.Linear(self.n_in, self.n_out).to(weight)
        with torch.no_grad():
            one.weight.copy_(weight[k].T)
            one.bias.copy_(bias[k, 0])
        return one


def sample_noise(network: nn.Module, streams: Streams) -> None:
    """New noise for all noisy layers of a network, in their order."""
    for part in network.modules():
        if isinstance(part, NoisyLinear):
            part.sample_noise(streams)


def _scaled(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The f of the paper."""
    return np.sign(normal) * np.sqrt(np.abs(normal))
