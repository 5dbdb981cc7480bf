"""An update of a plain Q network in compiled code, one member after the other.

By torch, every operation of an update goes through all members before the next one begins. What a member needs for a whole
update, its weights and what its units say, fits into the cache of a core; that of ten members does not, and a call for each
operation costs more than its arithmetic where the networks are small. So here a member is taken from the batch to its gradient
in one go, and the members are shared by as many threads as torch has. The products are those of BLAS, the gradients those of
autograd up to the rounding of float32.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from rlcourse.agents.deep.quick import plain_layers
from rlcourse.agents.deep.replay import Batch
from rlcourse.agents.deep.td_loss import td_forward, td_slopes
from rlcourse.agents.threads import one_blas_thread, one_torch_thread
from rlcourse.nn.linear import OneHotLinear
from rlcourse.nn.optimisers import Optimiser
from rlcourse.nn.stack import Stacked
from rlcourse.nn.tanh import tanh_in_place

MOST_WORK = 1 << 24
"""Batch x weights of products, up to which a thread a member is the faster way where torch has more threads than there are
members. Measured with one member and two threads: with layers of 256 units and batches of 128 it is, with twice both not."""

kernel = njit(cache=True, error_model="numpy", fastmath={"contract", "nsz"}, nogil=True)


@kernel
def _activate(units: Any, bias: Any, is_last: Any, relu: Any) -> None:
    """Add the bias and apply the function of the hidden units, in place."""
    for i in range(len(units)):
        row = units[i]
        for c in range(len(row)):
            value = row[c] + bias[c]
            row[c] = np.float32(0.0) if relu and not is_last and value <= 0.0 else value
        if not relu and not is_last:
            tanh_in_place(row)


@kernel
def _look_up(numbers: Any, weight: Any, units: Any) -> None:
    """What the weights make of a one at each of `numbers` and zeros elsewhere."""
    for i in range(len(units)):
        units[i] = weight[numbers[i]]


@kernel
def _forward(s: Any, features: Any, numbers: Any, weights: Any, biases: Any, relu: Any, units: Any) -> None:
    """Member `s`: what all layers say, into `units`, arrays `[1, batch, width]`."""
    last = len(weights) - 1
    for k in range(last + 1):
        if k == 0 and numbers.size:
            _look_up(numbers[s], weights[0][s], units[0][0])
        else:
            np.dot(features[s] if k == 0 else units[k - 1][0], weights[k][s], units[k][0])
        _activate(units[k][0], biases[k][s, 0], k == last, relu)


@kernel
def _through_activation(slopes: Any, units: Any, relu: Any) -> None:
    """From the slopes of what the activation gave to those of what it took, in place."""
    for i in range(len(slopes)):
        slope, unit = slopes[i], units[i]
        if relu:
            for c in range(len(slope)):
                slope[c] = np.float32(0.0) if unit[c] <= 0.0 else slope[c]
        else:
            for c in range(len(slope)):
                slope[c] *= np.float32(1.0) - unit[c] * unit[c]


@kernel
def _sum_rows(rows: Any, out: Any) -> None:
    out[:] = 0.0
    for i in range(len(rows)):
        row = rows[i]
        for c in range(len(row)):
            out[c] += row[c]


@kernel
def _sum_looked_up(rows: Any, numbers: Any, out: Any) -> None:
    out[:] = 0.0
    for i in range(len(rows)):
        row, into = rows[i], out[numbers[i]]
        for c in range(len(row)):
            into[c] += row[c]


@kernel
def _backward(
    s: Any,
    features: Any,
    numbers: Any,
    weights: Any,
    relu: Any,
    units: Any,
    slopes: Any,
    of_weights: Any,
    of_biases: Any,
) -> None:
    """Member `s`: from the slopes of the outputs (the last of `slopes`) to those of its weights and biases."""
    for k in range(len(weights) - 1, -1, -1):
        own = slopes[k][0]
        _sum_rows(own, of_biases[k][s, 0])
        if k == 0 and numbers.size:
            _sum_looked_up(own, numbers[s], of_weights[0][s])
            continue
        np.dot((features[s] if k == 0 else units[k - 1][0]).T, own, of_weights[k][s])
        if k:
            np.dot(own, weights[k][s].T, slopes[k - 1][0])
            _through_activation(slopes[k - 1][0], units[k - 1][0], relu)


@kernel
def _update(
    seen: Any,
    following: Any,
    network: Any,
    target: Any,
    gradients: Any,
    work: Any,
    steps: Any,
    importance: Any,
    double: Any,
    relu: Any,
    errors: Any,
) -> None:
    """The gradients of all members, and their TD errors `[S, batch]`.

    Arrays:
        seen, following: features `[S, batch, F]` and numbers `[S, batch]`, of which one is empty.
        network, target: weights and biases of the layers.
        gradients: of those of `network`, written.
        work: what the units of a member say, and their slopes: `[1, batch, width]` of each layer.
        steps: actions, returns and discounts, `[S, batch]`.
        importance: weights of the losses, `[S, batch]`; empty: all are one.
    """
    (units, slopes), (actions, returns, discounts) = work, steps
    outputs, after = units[len(units) - 1], slopes[len(slopes) - 1]
    batch = actions.shape[1]
    losses, weight = np.empty((1, batch), np.float32), np.empty((1, batch), np.float32)
    best = np.empty((1, batch if double else 0), np.int64)
    for s in range(len(actions)):
        if double:
            _forward(s, following[0], following[1], network[0], network[1], relu, units)
            for b in range(batch):
                best[0, b] = np.argmax(outputs[0, b])
        _forward(s, following[0], following[1], target[0], target[1], relu, slopes)
        _forward(s, seen[0], seen[1], network[0], network[1], relu, units)
        error = errors[s : s + 1]
        taken, paid, discount = actions[s : s + 1], returns[s : s + 1], discounts[s : s + 1]
        td_forward(best, (outputs, taken, after, paid, discount, losses, error))
        for b in range(batch):
            weight[0, b] = (importance[s, b] if importance.size else np.float32(1.0)) / np.float32(batch)
        td_slopes((error, taken, weight, after))
        _backward(s, seen[0], seen[1], network[0], relu, units, slopes, gradients[0], gradients[1])


class FusedUpdate:
    """A step down DQN's loss for plain networks; `FusedUpdate.of` says whether they are.

    Args:
        q: the network.
        target: its target.
        optimiser: of the network.
        batch_size: of each member.
        double: the network chooses the next action.
    """

    def __init__(
        self, q: Stacked, target: Stacked, optimiser: Optimiser, *, batch_size: int, double: bool
    ) -> None:
        plain, other = plain_layers(q), plain_layers(target)
        assert plain is not None
        assert other is not None
        self.codec, self.relu, self.double = plain.codec, plain.relu, double
        self.is_index = isinstance(plain.layers[0], OneHotLinear)
        self.optimiser = optimiser
        gradients = {
            id(parameter): gradient
            for parameter, gradient in zip(optimiser.parameters, optimiser.gradients(), strict=True)
        }
        self._network = _arrays(plain.layers, lambda parameter: parameter)
        self._target = _arrays(other.layers, lambda parameter: parameter)
        self._gradients = _arrays(plain.layers, lambda parameter: gradients[id(parameter)])
        self._batch_size = batch_size
        self._work: list[Any] = []

    @classmethod
    def of(cls, agent: Any) -> Self | None:
        """Of a DQN; `None` where there is more to its networks than plain layers, or this would be the slower way."""
        config, plain = agent.config, plain_layers(agent.q)
        if plain is None or config.compile or config.noisy or agent.head.n_atoms > 1:
            return None
        products = sum(layer.weight.numel() for layer in plain.layers if not isinstance(layer, OneHotLinear))
        if torch.get_num_threads() > agent.size and config.batch_size * products > MOST_WORK:
            return None
        return cls(agent.q, agent.target, agent.optimiser, batch_size=config.batch_size, double=config.double)

    def fits(self) -> bool:
        """Whether all weights learn, as none is frozen now."""
        return all(parameter.requires_grad for parameter in self.optimiser.parameters)

    def __call__(self, batch: Batch) -> NDArray[np.float32]:
        """One step down the mean loss of every member; the TD errors before it, `[S, batch]`."""
        steps = batch.actions.numpy(), batch.returns.numpy(), batch.discounts.numpy()
        importance = _NOTHING if batch.weights is None else batch.weights.numpy()
        errors = np.empty(batch.actions.shape, np.float32)
        seen, following = self._inputs(batch.rows), self._inputs(batch.next_rows)
        arrays = seen, following, self._network, self._target, self._gradients, steps, importance, errors
        threads = min(torch.get_num_threads(), len(errors))
        bounds = [len(errors) * i // threads for i in range(threads + 1)]
        self._work += [self._new_work() for _ in range(threads - len(self._work))]
        parts = [
            (self._work[i], *(_members(array, bounds[i], bounds[i + 1]) for array in arrays))
            for i in range(threads)
        ]
        with one_blas_thread(), one_torch_thread():
            others = [_pool(threads - 1).submit(self._update, *part) for part in parts[1:]]
            self._update(*parts[0])
            for other in others:
                other.result()
            self.optimiser.step_as_written()
        return errors

    def _update(self, work: Any, seen: Any, following: Any, q: Any, target: Any, *rest: Any) -> None:
        """The gradients of some members."""
        gradients, steps, importance, errors = rest
        networks = q, target, gradients
        _update(seen, following, *networks, work, steps, importance, self.double, self.relu, errors)

    def _new_work(self) -> Any:
        """For a thread: what the units of a member say, and their slopes."""
        units = [np.zeros((1, self._batch_size, weight.shape[2]), np.float32) for weight in self._network[0]]
        return tuple(units), tuple(map(np.copy, units))

    def _inputs(self, rows: torch.Tensor) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        if self.is_index:
            return _NO_FEATURES, rows[..., 0].numpy().astype(np.int64)
        return self.codec.features_of(rows.numpy()), _NO_NUMBERS


def _members(arrays: Any, first: int, last: int) -> Any:
    """Those of some members, of arrays that lead with the members, in any structure of tuples."""
    if isinstance(arrays, tuple):
        return tuple(_members(array, first, last) for array in arrays)
    return arrays[first:last]


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads beside the one that asks."""
    return ThreadPoolExecutor(threads, thread_name_prefix="rlcourse-update")


if hasattr(os, "register_at_fork"):  # a forked process has the pool, but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


_NOTHING = np.zeros((0, 0), np.float32)
_NO_FEATURES = np.zeros((0, 0, 0), np.float32)
_NO_NUMBERS = np.zeros((0, 0), np.int64)


def _arrays(layers: Sequence[Any], of: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Weights and biases of layers as arrays, `of(parameter)` in their place."""
    weights = tuple(of(layer.weight).detach().numpy() for layer in layers)
    return weights, tuple(of(layer.bias).detach().numpy() for layer in layers)
