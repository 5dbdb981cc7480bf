"""Every layer against torch's own module with the member's weights; members that do not touch each other; member = solo."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.nn.activations import ACTIVATIONS, activation
from rlcourse.nn.attention import PositionalEmbedding, SelfAttention, TransformerBlock
from rlcourse.nn.convolution import AvgPool2d, Conv2d, MaxPool2d
from rlcourse.nn.dropout import Dropout
from rlcourse.nn.embedding import Embedding
from rlcourse.nn.linear import Flatten, Linear, OneHotLinear
from rlcourse.nn.noisy import NoisyLinear
from rlcourse.nn.normalisation import BatchNorm1d, BatchNorm2d, LayerNorm
from rlcourse.nn.recurrent import GRU, LSTM, RNN
from rlcourse.nn.residual import Residual, residual_block
from rlcourse.nn.stack import Sequential, Stacked, member_of
from rlcourse.nn.temporal import CausalConv1d, TemporalBlock
from rlcourse.streams import Streams

S, B = 3, 4
SEEDS = [11, 7, 20_000]


@dataclass
class Case:
    make: Callable[[int], Stacked]
    shape: tuple[int, ...]
    """Of one sample."""
    indices: int = 0
    """The input is an index below it."""


def cnn(size: int) -> Stacked:
    return Sequential(Conv2d(size, 2, 4, 3), nn.ReLU(), MaxPool2d(2), Flatten(), Linear(size, 24, 3))


CASES = {
    "linear": Case(lambda s: Linear(s, 5, 12), (5,)),
    "linear of few outputs": Case(lambda s: Linear(s, 5, 2, law="uniform"), (5,)),
    "linear without bias": Case(lambda s: Linear(s, 5, 9, bias=False, law="orthogonal"), (7, 5)),
    "conv": Case(lambda s: Conv2d(s, 2, 5, 3), (2, 6, 7)),
    "conv of all options": Case(
        lambda s: Conv2d(s, 3, 4, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), law="uniform"),
        (3, 8, 5),
    ),
    "conv without bias": Case(lambda s: Conv2d(s, 2, 3, 2, bias=False, law="orthogonal"), (2, 4, 4)),
    "cnn": Case(cnn, (2, 6, 9)),
    "embedding": Case(lambda s: Embedding(s, 6, 3), (), indices=6),
    "embedding of many": Case(lambda s: Embedding(s, 6, 3), (2, 5), indices=6),
    "one-hot linear": Case(lambda s: OneHotLinear(s, 6, 3, law="uniform"), (), indices=6),
    "one-hot linear of many": Case(lambda s: OneHotLinear(s, 6, 3), (2, 5), indices=6),
    "one-hot linear without bias": Case(lambda s: OneHotLinear(s, 6, 3, bias=False), (5,), indices=6),
    "rnn": Case(lambda s: RNN(s, 3, 5), (6, 3)),
    "rnn of relu": Case(lambda s: RNN(s, 3, 5, activation="relu", law="uniform"), (6, 3)),
    "gru": Case(lambda s: GRU(s, 3, 5), (6, 3)),
    "gru of torch's law": Case(lambda s: GRU(s, 3, 5, law="uniform"), (6, 3)),
    "lstm": Case(lambda s: LSTM(s, 3, 5), (6, 3)),
    "lstm of torch's law": Case(lambda s: LSTM(s, 3, 5, law="uniform"), (6, 3)),
    "layer norm": Case(lambda s: LayerNorm(s, 5), (7, 5)),
    "layer norm of pictures": Case(lambda s: LayerNorm(s, (2, 3, 4)), (2, 3, 4)),
    "batch norm": Case(lambda s: BatchNorm1d(s, 5), (5,)),
    "batch norm of sequences": Case(lambda s: BatchNorm1d(s, 5), (5, 3)),
    "batch norm of pictures": Case(lambda s: BatchNorm2d(s, 3), (3, 4, 2)),
    "attention": Case(lambda s: SelfAttention(s, 6, 2), (5, 6)),
    "attention to all": Case(lambda s: SelfAttention(s, 6, 3, causal=False), (5, 6)),
    "transformer block": Case(lambda s: TransformerBlock(s, 6, 2), (5, 6)),
    "transformer block of relu": Case(
        lambda s: TransformerBlock(s, 4, 1, hidden=5, activation="relu", causal=False), (5, 4)
    ),
    "positions": Case(lambda s: PositionalEmbedding(s, 9, 4), (5, 4)),
    "causal convolution": Case(lambda s: CausalConv1d(s, 3, 4, 3, dilation=2), (8, 3)),
    "temporal block": Case(lambda s: TemporalBlock(s, 3, 4, kernel=2, dilation=3), (8, 3)),
    "temporal block of one width": Case(lambda s: TemporalBlock(s, 3, 3), (8, 3)),
    "residual": Case(lambda s: Residual(Linear(s, 4, 4)), (4,)),
    "residual with a shortcut": Case(lambda s: Residual(Linear(s, 4, 6), Linear(s, 4, 6)), (4,)),
    "residual block": Case(lambda s: residual_block(s, 3), (3, 5, 4)),
    "noisy": Case(lambda s: NoisyLinear(s, 5, 9), (5,)),
    "dropout of nothing": Case(lambda s: Sequential(Linear(s, 5, 9), Dropout(s, 0.0)), (5,)),
}


def made(case: Case, seeds: list[int] = SEEDS) -> Stacked:
    """A layer in float64 whose constant weights, too, differ from member to member."""
    layer = case.make(len(seeds))
    layer.initialise(Streams.from_seeds(seeds, "weights"))
    layer.double()
    shifts = Streams.from_seeds(seeds, "shifts")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 0.1 * torch.from_numpy(shifts.normal(tuple(parameter.shape[1:])))
    return layer


def inputs(case: Case, seeds: list[int] = SEEDS) -> Tensor:
    streams = Streams.from_seeds(seeds, "inputs")
    if case.indices:
        return torch.from_numpy(streams.integers(case.indices, (B, *case.shape)))
    return torch.from_numpy(streams.normal((B, *case.shape))).requires_grad_()


def outputs(result: Any) -> Tensor:
    """Without the last state of a recurrent layer."""
    y = result[0] if isinstance(result, tuple) else result
    assert isinstance(y, Tensor)
    return y


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_member_is_torchs_own_module(name: str) -> None:
    """The same outputs, and the same gradients of the inputs and of every weight."""
    case = CASES[name]
    layer, x = made(case), inputs(case)
    members = [layer.member(k) for k in range(S)]
    y = outputs(layer(x))
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=tuple(y.shape)))
    (y * weights).sum().backward()
    # The gradients take the place of the weights, so that `member` brings them into torch's layout.
    gradients = copy.deepcopy(layer)
    with torch.no_grad():
        for place, parameter in zip(gradients.parameters(), layer.parameters(), strict=True):
            place.copy_(torch.zeros_like(place) if parameter.grad is None else parameter.grad)
    for k, one in enumerate(members):
        assert type(one).__module__.startswith(("torch.", "rlcourse.nn."))
        assert not isinstance(one, Stacked)
        x_k = x[k].detach().clone().requires_grad_(not case.indices)
        y_k = outputs(one(x_k))
        close(y[k], y_k)
        (y_k * weights[k]).sum().backward()
        if not case.indices:
            assert x.grad is not None
            assert x_k.grad is not None
            close(x.grad[k], x_k.grad)
        expected = list(one.named_parameters())
        assert expected
        for (weight, of_one), found in zip(expected, gradients.member(k).parameters(), strict=True):
            assert of_one.grad is not None, weight
            close(found, of_one.grad)


@pytest.mark.parametrize("name", CASES)
def test_no_member_touches_another(name: str) -> None:
    """What one member loses moves no weight and no input of another, and something of its own."""
    case = CASES[name]
    layer, x = made(case), inputs(case)
    outputs(layer(x))[1].square().sum().backward()
    moved = 0.0
    for parameter in [*layer.parameters(), *([] if case.indices else [x])]:
        if parameter.grad is not None:
            assert (parameter.grad[[0, 2]] == 0.0).all()
            moved += float(parameter.grad[1].abs().sum())
    assert moved > 0.0


@pytest.mark.parametrize("name", CASES)
def test_member_is_solo(name: str) -> None:
    """Member 1 of three draws the weights and gives the outputs that it has alone."""
    case = CASES[name]
    many, one = made(case), made(case, SEEDS[1:2])
    x, x_one = inputs(case), inputs(case, SEEDS[1:2])
    close(outputs(many(x))[1], outputs(one(x_one))[0])
    alone = one.state_dict()
    for key, value in many.state_dict().items():
        assert torch.equal(value[1], alone[key][0]), key


@pytest.mark.parametrize("name", CASES)
def test_initialise_says_all(name: str) -> None:
    """Whatever was learned before is gone: the same streams give the same layer again."""
    layer = made(CASES[name])
    fresh = CASES[name].make(S)
    for each in (layer, fresh):
        each.float().initialise(Streams.from_seeds(SEEDS, "weights"))
    for key, value in fresh.state_dict().items():
        assert torch.equal(value, layer.state_dict()[key]), key


@pytest.mark.parametrize(
    "pool", [MaxPool2d(2), MaxPool2d(3, stride=2, padding=1), AvgPool2d((2, 3)), AvgPool2d(3, padding=1)]
)
def test_pooling_is_torchs(pool: MaxPool2d | AvgPool2d) -> None:
    case = Case(lambda s: Conv2d(s, 2, 3, 2), (2, 7, 8))
    pictures = outputs(made(case)(inputs(case)))  # a view, laid out as convolutions leave it
    for x in (pictures, pictures.contiguous()):
        y = pool(x)
        for k in range(S):
            close(y[k], member_of(pool, k)(x[k]))
        assert y.shape[3:] == pool.output_shape(*x.shape[3:])


def test_flatten_of_a_member_is_of_a_member() -> None:
    x = torch.randn(S, B, 2, 3, 4)
    assert Flatten()(x).shape == (S, B, 24)
    assert torch.equal(Flatten()(x)[1], member_of(Flatten(), 1)(x[1]))


@pytest.mark.parametrize("name", ["one-hot linear", "one-hot linear of many", "one-hot linear without bias"])
def test_one_hot_linear_is_linear_over_one_hot(name: str) -> None:
    """The same outputs and gradients as of the layer that sees the zeros, drawn the same."""
    case = CASES[name]
    layer, index = made(case), inputs(case)
    assert isinstance(layer, OneHotLinear)
    alike = made(Case(lambda s: Linear(s, 6, 3, bias=layer.bias is not None, law=layer.law), ()))
    results = layer(index), alike(functional.one_hot(index, 6).double())
    close(*results)
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=tuple(results[0].shape)))
    for y in results:
        (y * weights).sum().backward()
    for own, expected in zip(layer.parameters(), alike.parameters(), strict=True):
        assert torch.equal(own, expected)
        assert own.grad is not None
        assert expected.grad is not None
        close(own.grad, expected.grad)


@pytest.mark.parametrize("name", ["embedding", "one-hot linear"])
def test_embedding_refuses_rows_of_others(name: str) -> None:
    layer = made(CASES[name])
    for wrong in (6, -1):
        index = torch.zeros(S, B, dtype=torch.int64)
        index[1, 2] = wrong
        with pytest.raises(IndexError, match=f"index {wrong} is not in 0 to 5"):
            layer(index)
    assert layer(torch.zeros(S, 0, dtype=torch.int64)).shape == (S, 0, 3)


def test_activations_are_their_formulas() -> None:
    """Each against its formula in NumPy, and nothing is left out."""
    x = np.linspace(-4.0, 4.0, 33)
    erf = np.array([math.erf(v / 2**0.5) for v in x])
    formulas = {
        "identity": x,
        "step": (x >= 0).astype(float),
        "sigmoid": 1 / (1 + np.exp(-x)),
        "tanh": (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
        "relu": np.maximum(x, 0),
        "leaky_relu": np.where(x >= 0, x, 0.01 * x),
        "gelu": x * (1 + erf) / 2,
        "silu": x / (1 + np.exp(-x)),
        "softplus": np.log1p(np.exp(x)),
    }
    assert formulas.keys() == ACTIVATIONS.keys()
    for name, expected in formulas.items():
        np.testing.assert_allclose(
            activation(name)(torch.from_numpy(x)).numpy(), expected, atol=1e-12, err_msg=name
        )


def test_step_passes_the_gradient_straight_through() -> None:
    """Where it is near: Hubara et al. (2016), equation 4."""
    x = torch.tensor([-1.1, -1.0, 0.0, 1.0, 3.0], requires_grad=True)
    (activation("step")(x) * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 2.0, 3.0, 4.0, 0.0]
