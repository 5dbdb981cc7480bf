"""Optimisers: the first steps by the formulas written out, and members that are clipped and stepped apart."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlcourse.errors import StorageError, UsageError
from rlcourse.nn.linear import Linear
from rlcourse.nn.optimisers import OPTIMISERS, Optimiser, clip_members
from rlcourse.nn.stack import Sequential
from rlcourse.streams import Streams

S = 3
Array = NDArray[np.float64]


def sgd(
    g: Array, w: Array, m: dict[str, Any], lr: float, momentum: float = 0.0, nesterov: bool = False
) -> Array:
    """Sutskever et al. (2013), in torch's form: the velocity holds gradients and the rate comes last."""
    m["v"] = g if "v" not in m else momentum * m["v"] + g
    return w - lr * (g + momentum * m["v"] if nesterov else m["v"])


def rmsprop(g: Array, w: Array, m: dict[str, Any], lr: float) -> Array:
    """Tieleman & Hinton (2012)."""
    m["s"] = 0.99 * m.get("s", 0.0) + 0.01 * g**2
    return w - lr * g / (np.sqrt(m["s"]) + 1e-8)


def adam(g: Array, w: Array, m: dict[str, Any], lr: float, decay: float = 0.0) -> Array:
    """Kingma & Ba (2015), algorithm 1; with a decay apart from the gradient, Loshchilov & Hutter (2019), algorithm 2."""
    m["t"] = m.get("t", 0) + 1
    m["m"] = 0.9 * m.get("m", 0.0) + 0.1 * g
    m["v"] = 0.999 * m.get("v", 0.0) + 0.001 * g**2
    mean, square = m["m"] / (1 - 0.9 ** m["t"]), m["v"] / (1 - 0.999 ** m["t"])
    return w - lr * decay * w - lr * mean / (np.sqrt(square) + 1e-8)


FORMULAS: dict[str, Any] = {
    "sgd": sgd,
    "momentum": lambda g, w, m, lr: sgd(g, w, m, lr, 0.9),
    "nesterov": lambda g, w, m, lr: sgd(g, w, m, lr, 0.9, True),
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": lambda g, w, m, lr: adam(g, w, m, lr, 0.01),
}


def start() -> tuple[Array, list[Array]]:
    """Weights `[S, 2, 4]`, and the factors of three linear losses, which are their gradients."""
    generator = np.random.default_rng(0)
    return generator.normal(size=(S, 2, 4)), [generator.normal(size=(S, 2, 4)) for _ in range(3)]


def stepped(name: str, rates: Any, members: slice = slice(None), **options: Any) -> list[Array]:
    """The weights after each of three steps."""
    weights, gradients = start()
    parameter = nn.Parameter(torch.from_numpy(weights[members].copy()))
    optimiser = Optimiser([parameter], name, rates, **options)
    after = []
    for gradient in gradients:
        optimiser.step((parameter * torch.from_numpy(gradient[members])).sum())
        after.append(parameter.detach().numpy().copy())
    return after


@pytest.mark.parametrize("name", OPTIMISERS)
def test_first_steps_are_the_formulas(name: str) -> None:
    weights, gradients = start()
    memory: dict[str, Any] = {}
    for found, gradient in zip(stepped(name, 0.03), gradients, strict=True):
        weights = FORMULAS[name](gradient, weights, memory, 0.03)
        np.testing.assert_allclose(found, weights, rtol=1e-9)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_rate_of_a_member_is_its_rate_alone(name: str) -> None:
    """A sweep over learning rates, 0 included, is as many runs."""
    rates = [0.03, 0.001, 0.0]
    together = stepped(name, rates)
    for k, rate in enumerate(rates):
        alone = stepped(name, rate, slice(k, k + 1))
        for found, expected in zip(together, alone, strict=True):
            np.testing.assert_allclose(found[k], expected[0], rtol=1e-6)
    assert np.array_equal(together[-1][2], start()[0][2])  # a rate of 0 moves nothing


def test_weight_decay_and_other_options_go_to_torch() -> None:
    weights, gradients = start()
    found = stepped("sgd", 0.1, weight_decay=0.5)[0]
    np.testing.assert_allclose(found, weights - 0.1 * (gradients[0] + 0.5 * weights), rtol=1e-9)


def network(seeds: list[int]) -> Sequential:
    made = Sequential(Linear(len(seeds), 3, 8), nn.Tanh(), Linear(len(seeds), 8, 2))
    made.initialise(Streams.from_seeds(seeds, "weights"))
    made.double()
    return made


def data(seeds: list[int]) -> tuple[Tensor, Tensor]:
    streams = Streams.from_seeds(seeds, "data")
    return torch.from_numpy(streams.normal((16, 3))), torch.from_numpy(100.0 * streams.normal((16, 2)))


def loss_of(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return (model(x) - y).square().mean((1, 2)).sum()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_member_trains_as_alone(name: str) -> None:
    """Twenty clipped steps of three members, and of each alone."""
    seeds, rates = [4, 9, 2], [0.01, 0.002, 0.005]
    together = network(seeds)
    optimiser = Optimiser(together.parameters(), name, rates, max_grad_norm=1.0)
    for _ in range(20):
        optimiser.step(loss_of(together, *data(seeds)))
    for k, seed in enumerate(seeds):
        alone = network([seed])
        of_one = Optimiser(alone.parameters(), name, rates[k], max_grad_norm=1.0)
        for _ in range(20):
            of_one.step(loss_of(alone, *data([seed])))
        for found, expected in zip(together.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(found[k], expected[0], rtol=1e-5, atol=1e-8)


def test_clipping_is_torchs_for_every_member() -> None:
    """The norms before and the gradients after, by `clip_grad_norm_` of each member alone; short ones stay."""
    seeds = [4, 9, 2]
    model = network(seeds)
    loss_of(model, *data(seeds)).backward()
    parameters = list(model.parameters())
    with torch.no_grad():
        for parameter in parameters:
            assert parameter.grad is not None
            parameter.grad[1] *= 1e-6
    before = [parameter.grad.clone() for parameter in parameters if parameter.grad is not None]
    norms = clip_members(parameters, 0.7)
    for k in range(S):
        alone = [torch.zeros_like(grad[k], requires_grad=True) for grad in before]
        for place, grad in zip(alone, before, strict=True):
            place.grad = grad[k].clone()
        norm = nn.utils.clip_grad_norm_(alone, 0.7)
        torch.testing.assert_close(norms[k], norm)
        for parameter, place in zip(parameters, alone, strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(parameter.grad[k], place.grad)
    assert norms[0] > 0.7 > norms[1]


@pytest.mark.parametrize("name", OPTIMISERS)
def test_goes_on_from_its_arrays(name: str) -> None:
    """Ten steps are five, saved and loaded, and five."""
    seeds = [4, 9, 2]
    whole, first = network(seeds), network(seeds)
    of_whole, of_first = (Optimiser(model.parameters(), name, 0.01) for model in (whole, first))
    for _ in range(10):
        of_whole.step(loss_of(whole, *data(seeds)))
    for _ in range(5):
        of_first.step(loss_of(first, *data(seeds)))
    second = network(seeds)
    second.load_state_dict(first.state_dict())
    of_second = Optimiser(second.parameters(), name, 0.01)
    of_second.set_arrays(of_first.get_arrays())
    for _ in range(5):
        of_second.step(loss_of(second, *data(seeds)))
    for found, expected in zip(second.parameters(), whole.parameters(), strict=True):
        assert torch.equal(found, expected)


def test_only_what_may_move_moves() -> None:
    model = network([1, 2])
    first = next(iter(model.parameters()))
    first.requires_grad_(False)
    before = first.clone()
    optimiser = Optimiser(model.parameters(), "adamw", 0.1)
    optimiser.step(loss_of(model, *data([1, 2])))
    assert len(optimiser.parameters) == 3
    assert torch.equal(first, before)


def test_refuses() -> None:
    parameters = [nn.Parameter(torch.zeros(S, 2))]
    with pytest.raises(UsageError, match="unknown optimiser 'adm': did you mean adam"):
        Optimiser(parameters, "adm")
    with pytest.raises(UsageError, match="optimiser 'sgd' refuses its options"):
        Optimiser(parameters, "sgd", betas=(0.9, 0.9))
    for wrong in (-1.0, [0.1, 0.2], [0.1, 0.2, float("nan")]):
        with pytest.raises(UsageError, match="learning_rate="):
            Optimiser(parameters, "sgd", wrong)
    optimiser = Optimiser(parameters, "adam")
    with pytest.raises(StorageError, match="the optimiser has no array '7/exp_avg'"):
        optimiser.set_arrays({"7/exp_avg": np.zeros((S, 2))})
    with pytest.raises(StorageError, match=r"is \[3, 5\], expected \[3, 2\]"):
        optimiser.set_arrays({"0/exp_avg": np.zeros((S, 5))})


@pytest.mark.parametrize("name", OPTIMISERS)
def test_joined_weights_move_as_apart(name: str) -> None:
    """Clipped, some members resting, a parameter frozen for a while, and saved in between: the same to float32.

    Adam counts steps, and all joined weights share a count: what was frozen for a while goes on by another step than apart.
    """
    seeds, frozen = [4, 9, 2], () if "adam" in name else (4, 5)
    apart, joined = network(seeds), network(seeds)
    for model, of in ((apart, {}), (joined, {"joined": True})):
        rates = [0.02, 0.01, 0.005]
        optimiser = Optimiser(model.parameters(), name, rates, max_grad_norm=0.5, **of)
        first = next(iter(model.parameters()))
        for t in range(12):
            first.requires_grad_(t not in frozen)
            before = first.clone()
            resting = None if "adam" in name or t % 3 else np.array([True, False, True])
            optimiser.step(loss_of(model, *data(seeds)), resting)
            assert torch.equal(first, before) == (t in frozen)
            if t == 7:
                arrays = optimiser.get_arrays()
                optimiser = Optimiser(model.parameters(), name, rates, max_grad_norm=0.5, **of)
                optimiser.set_arrays(arrays)
    for found, expected in zip(joined.parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(found.grad, expected.grad)
        assert bool((found.grad != 0.0).any())


def test_joined_weights_that_were_moved() -> None:
    model = network([1, 2])
    optimiser = Optimiser(model.parameters(), joined=True)
    first = next(iter(model.parameters()))
    first.data = first.data.clone()
    with pytest.raises(RuntimeError, match="were moved"):
        optimiser.step(loss_of(model, *data([1, 2])))


@pytest.mark.parametrize("joined", [False, True])
def test_a_member_without_numbers_is_lost_as_a_whole_and_alone(joined: bool) -> None:
    model = network([1, 2])
    optimiser = Optimiser(model.parameters(), "sgd", max_grad_norm=1.0, joined=joined)
    x, y = data([1, 2])
    y = y.clone()
    y[0, 0] = torch.nan
    optimiser.step(loss_of(model, x, y))
    for weights in model.parameters():
        assert bool(weights[0].isnan().all())
        assert bool(weights[1].isfinite().all())


@pytest.mark.parametrize("joined", [False, True])
def test_nothing_to_move(joined: bool) -> None:
    with pytest.raises(UsageError, match="nothing to learn: all weights are frozen"):
        Optimiser([], joined=joined)


@pytest.mark.parametrize("joined", [False, True])
def test_gradients_that_are_written_move_as_those_of_a_loss(joined: bool) -> None:
    seeds = [3, 4]
    models = [network(seeds) for _ in range(2)]
    by_loss, written = (
        Optimiser(model.parameters(), learning_rate=0.1, max_grad_norm=0.5, joined=joined) for model in models
    )
    for _ in range(3):
        loss = loss_of(models[1], *data(seeds))
        gradients = torch.autograd.grad(loss, list(models[1].parameters()))
        for place, gradient in zip(written.gradients(), gradients, strict=True):
            place.copy_(gradient)
        written.step_as_written()
        by_loss.step(loss_of(models[0], *data(seeds)))
        for one, other in zip(*(model.parameters() for model in models), strict=True):
            torch.testing.assert_close(one, other)
