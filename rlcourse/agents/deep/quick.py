"""What a small network says of a few observations, in one compiled call.

While a population acts, each member looks at one or a few observations at a time. torch then spends many times longer on
getting ready for its products than on the products. Here a whole network of plain layers is one loop over the weights, which
are torch's own memory. The results are the same up to the rounding of float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray
from torch import nn

from rlcourse.agents.deep.bodies import Index
from rlcourse.agents.deep.codec import Codec, Features
from rlcourse.nn.linear import Linear, OneHotLinear
from rlcourse.nn.stack import Sequential
from rlcourse.nn.tanh import tanh_in_place

MOST_ROWS = 16
"""Observations of each member up to which this is the faster way (measured for two layers of 64 to 256 units)."""

kernel = njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "arcp", "nsz"}, nogil=True)


@kernel
def _add_scaled(out: Any, factor: Any, row: Any) -> None:
    for c in range(len(out)):
        out[c] += factor * row[c]


@kernel
def _add_four(out: Any, factors: Any, rows: Any, a: Any, b: Any, c: Any, d: Any) -> None:
    """Four rows in one pass over `out`, which is read and written once for all of them."""
    fa, fb, fc, fd = factors[a], factors[b], factors[c], factors[d]
    ra, rb, rc, rd = rows[a], rows[b], rows[c], rows[d]
    for i in range(len(out)):
        out[i] += fa * ra[i] + fb * rb[i] + fc * rc[i] + fd * rd[i]


@kernel
def _add_product(out: Any, x: Any, weight: Any, used: Any) -> None:
    """Add x W to `out`, over the inputs that are not zero: half of them are, behind a rectifier. `used` is work space."""
    n = 0
    for i in range(len(weight)):
        used[n] = i
        n += x[i] != 0.0
    fours = n - n % 4
    for i in range(0, fours, 4):
        _add_four(out, x, weight, used[i], used[i + 1], used[i + 2], used[i + 3])
    for i in range(fours, n):
        _add_scaled(out, x[used[i]], weight[used[i]])


@kernel
def _relu(x: Any) -> None:
    for c in range(len(x)):
        x[c] = max(x[c], np.float32(0.0))


@kernel
def _forward(
    features: Any, numbers: Any, weights: Any, biases: Any, relu: Any, work: Any, used: Any, out: Any
) -> None:
    """`features [S, N, F]`; or, where F is 0, `numbers [S, N]` of rows of the first weights.

    `work [2, widest]` and `used` (as long as the longest input) are work space.
    """
    members, copies, _ = out.shape
    layers = len(weights)
    for s in range(members):
        for j in range(copies):
            for k in range(layers):
                weight = weights[k]
                width = weight.shape[2]
                after = out[s, j] if k == layers - 1 else work[(k + 1) % 2, :width]
                after[:] = biases[k][s, 0]
                if k == 0 and features.shape[2] == 0:
                    after += weight[s, numbers[s, j]]
                else:
                    before = features[s, j] if k == 0 else work[k % 2]
                    _add_product(after, before, weight[s], used)
                if k < layers - 1:
                    if relu:
                        _relu(after)
                    else:
                        tanh_in_place(after)


class PlainLayers(NamedTuple):
    """What a plain network is made of."""

    codec: Codec
    """What its rows are."""
    layers: list[Any]
    """The linear layers; the first is a `OneHotLinear` where a number goes into it as such."""
    relu: bool
    """Whether hidden units are rectified; else they are tanh."""


def plain_layers(network: nn.Module) -> PlainLayers | None:
    """The layers of a network; `None` where there is more to it than plain ones, or it is not in this machine's memory."""
    if not isinstance(network, Sequential):
        return None
    first, *parts = network
    if not isinstance(first, Index) and (not isinstance(first, Features) or first.codec.is_image):
        return None
    layers, activations = parts[::2], parts[1::2]
    plain = all(isinstance(layer, Linear) and layer.bias is not None for layer in layers)
    kinds = {type(activation) for activation in activations}
    if not plain or len(kinds) > 1 or not kinds <= {nn.ReLU, nn.Tanh}:
        return None
    if any(parameter.device.type != "cpu" for parameter in network.parameters()):
        return None
    return PlainLayers(first.codec, layers, kinds == {nn.ReLU})


class QuickNetwork:
    """A network of plain layers for acting; `QuickNetwork.of` says whether a network is one.

    Args:
        codec: what its rows are.
        layers: the linear layers; the first is a `OneHotLinear` where a number goes into it as such.
        relu: whether hidden units are rectified; else they are tanh.
    """

    def __init__(self, codec: Codec, layers: list[Any], relu: bool) -> None:
        self.codec, self.relu = codec, relu
        self.is_index = isinstance(layers[0], OneHotLinear)
        self.weights = tuple(layer.weight.detach().numpy() for layer in layers)
        self.biases = tuple(layer.bias.detach().numpy() for layer in layers)
        self._work = np.zeros((2, max(weight.shape[2] for weight in self.weights)), np.float32)
        self._used = np.zeros(max(weight.shape[1] for weight in self.weights), np.int64)
        self._numbers = np.zeros((0, 0), np.int64)

    @classmethod
    def of(cls, network: nn.Module) -> Self | None:
        """The same network; `None` where there is more to it than plain layers, or it is not in this machine's memory."""
        plain = plain_layers(network)
        return None if plain is None else cls(*plain)

    def fits(self, rows: NDArray[Any]) -> bool:
        """Whether so few rows `[S, N, ...]` are asked for that this is the faster way."""
        return rows.shape[1] <= MOST_ROWS

    def __call__(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """The outputs `[S, N, A]` for rows `[S, N, *row_shape]`."""
        out = np.empty((*rows.shape[:2], self.weights[-1].shape[2]), np.float32)
        if self.is_index:
            features, numbers = np.empty((*rows.shape[:2], 0), np.float32), rows[..., 0].astype(np.int64)
        else:
            features, numbers = self.codec.features_of(rows), self._numbers
        _forward(features, numbers, self.weights, self.biases, self.relu, self._work, self._used, out)
        return out
