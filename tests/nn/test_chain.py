"""Linear layers as one step of autograd, against the same layers one after the other."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from rlcourse.nn.chain import chain_at
from rlcourse.nn.linear import Linear
from rlcourse.nn.stack import Sequential
from rlcourse.nn.tanh import tanh, tanh_
from rlcourse.streams import Streams

SIZE = 3


def network(activation: type[nn.Module], widths: tuple[int, ...] = (5, 32, 20, 2)) -> Sequential:
    parts: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        parts += [Linear(SIZE, n_in, n_out), activation()]
    built = Sequential(*parts[:-1])
    built.initialise(Streams.from_seeds(list(range(SIZE)), "network"))
    return built


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("frozen", [(), (0, 1), (0, 1, 2, 3), (4, 5), (1, 3)])
def test_outputs_and_gradients_are_those_of_the_parts(
    activation: type[nn.Module], frozen: tuple[int, ...]
) -> None:
    net = network(activation)
    assert chain_at(list(net), 0) == len(list(net))
    weights = [weight.requires_grad_(i not in frozen) for i, weight in enumerate(net.parameters())]
    moving = [weight for weight in weights if weight.requires_grad]
    x = torch.randn(SIZE, 64, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for wanted in (moving, [x, *moving]):
        out = net(x.detach() if wanted is moving else x)
        one_by_one = x
        for part in net:
            one_by_one = part(one_by_one)
        tolerance = {"rtol": 0.0, "atol": 0.0} if activation is nn.ReLU else {"rtol": 1e-4, "atol": 1e-6}
        torch.testing.assert_close(out, one_by_one, **tolerance)
        torch.testing.assert_close(
            torch.autograd.grad(out.square().sum(), wanted),
            torch.autograd.grad(one_by_one.square().sum(), wanted),
            **tolerance,
        )
        with torch.no_grad():
            assert torch.equal(net(x), out)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_gradients_are_differences(activation: type[nn.Module]) -> None:
    net = network(activation, (3, 10, 2)).double()
    x = torch.randn(
        SIZE, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True
    )
    weights = [weight.detach() for weight in net.parameters()]

    def run(x: torch.Tensor, *replaced: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(
            net, dict(zip(dict(net.named_parameters()), replaced, strict=True)), (x,)
        )

    assert torch.autograd.gradcheck(run, (x, *(weight.requires_grad_() for weight in weights)))


def test_what_is_one_chain() -> None:
    def parts(*kinds: str) -> list[nn.Module]:
        made = {
            "linear": lambda: Linear(1, 2, 2),
            "bare": lambda: Linear(1, 2, 2, bias=False),
            "relu": nn.ReLU,
        }
        return [{**made, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}[kind]() for kind in kinds]  # type: ignore[operator]

    assert chain_at(parts("linear", "relu", "linear", "relu"), 0) == 3
    assert chain_at(parts("linear", "relu", "linear", "tanh", "linear"), 0) == 3
    assert chain_at(parts("relu", "linear", "tanh", "linear"), 0) == 0
    assert chain_at(parts("relu", "linear", "tanh", "linear"), 1) == 3
    assert chain_at(parts("linear", "sigmoid", "linear"), 0) == 0
    assert chain_at(parts("linear", "relu", "bare"), 0) == 0
    assert chain_at(parts("linear", "linear"), 0) == 0


def test_the_fast_tangent() -> None:
    x = torch.cat([torch.linspace(-12.0, 12.0, 100_001), torch.logspace(-9.0, 0.0, 1_000)])
    exact = torch.tanh(x.double())
    error = (tanh_(x.clone()) - exact).abs() / exact.abs().clamp(min=1e-30)
    assert float(error.max()) < 3 * torch.finfo(torch.float32).eps
    special = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0])
    torch.testing.assert_close(tanh_(special.clone()), torch.tanh(special), equal_nan=True)
    strided = torch.randn(4, 6)[:, ::2]
    torch.testing.assert_close(tanh_(strided.clone()[:, :]), torch.tanh(strided))
    assert tanh_(torch.ones(2, dtype=torch.float64)).dtype == torch.float64


def test_the_fast_tangent_for_autograd() -> None:
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(2)).transpose(2, 3).requires_grad_()
    for weight in (1.0, torch.randn(2, 3, 5, 4)):
        (by_hand,) = torch.autograd.grad((tanh(x) * weight).sum(), x)
        (by_autograd,) = torch.autograd.grad((torch.tanh(x) * weight).sum(), x)
        torch.testing.assert_close(by_hand, by_autograd)
    torch.testing.assert_close(tanh(x), torch.tanh(x))
    assert tanh(x.double()).dtype == torch.float64
