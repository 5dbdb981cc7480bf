"""Layers with chance in them: dropout, noisy linear; and batch normalisation, which remembers."""

import numpy as np
import pytest
import torch

from rlcourse.errors import UsageError
from rlcourse.nn.attention import TransformerBlock
from rlcourse.nn.dropout import Dropout
from rlcourse.nn.linear import Linear
from rlcourse.nn.noisy import NoisyLinear, sample_noise
from rlcourse.nn.normalisation import BatchNorm1d, BatchNorm2d
from rlcourse.nn.stack import Sequential
from rlcourse.streams import Streams

SEEDS = [3, 8, 5]
S = len(SEEDS)


def streams(seeds: list[int] | range = SEEDS, purpose: str = "weights") -> Streams:
    return Streams.from_seeds(seeds, purpose)


def test_dropout_keeps_its_share_and_the_mean() -> None:
    layer = Dropout(S, 0.3)
    layer.initialise(streams())
    n = 40_000
    y = layer(torch.ones(S, n, 5))
    assert set(y.unique().tolist()) == {0.0, float(torch.tensor(1.0) / 0.7)}
    deviation = (0.3 * 0.7 / (5 * n)) ** 0.5
    assert ((y == 0.0).double().mean((1, 2)) - 0.3).abs().max() < 4.5 * deviation
    assert not torch.equal(y[0], y[1])
    layer.eval()
    x = torch.randn(S, 4, 5)
    assert torch.equal(layer(x), x)


def test_dropout_drops_the_gradient_of_what_it_dropped() -> None:
    layer = Dropout(S, 0.5)
    layer.initialise(streams())
    x = torch.ones(S, 4, 50, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_masks_are_the_members_own() -> None:
    """Member 1 of three drops what it drops alone, batch after batch."""
    many, one = Dropout(S), Dropout(1)
    many.initialise(streams())
    one.initialise(streams(SEEDS[1:2]))
    x = torch.randn(S, 6, 7)
    for _ in range(3):
        assert torch.equal(many(x)[1], one(x[1:2])[0])


def test_masks_go_on_after_loading() -> None:
    """Where the streams stand is part of what is saved, and evaluation does not move them."""
    layer, other = (Sequential(Linear(S, 4, 40), Dropout(S)) for _ in range(2))
    layer.initialise(streams())
    x = torch.randn(S, 6, 4)
    layer(x)
    other.load_state_dict(layer.state_dict())
    other.eval()
    other(x)
    other.train()
    assert torch.equal(layer(x), other(x))
    assert "parts.1.stream" in layer.state_dict()


def test_dropout_in_a_transformer_block() -> None:
    """Three masks a pass, all from one stream; in evaluation none."""
    layer = TransformerBlock(S, 4, 2, dropout=0.4)
    layer.initialise(streams())
    x = torch.randn(S, 2, 5, 4)
    before = layer.dropout.stream.clone()
    assert not torch.equal(layer(x), layer(x))
    ahead = Streams(before.numpy().view(np.uint64).copy())
    ahead.skip(2 * (2 * 5 * 4 + 2 * 5 * 16 + 2 * 5 * 4))
    assert np.array_equal(ahead.state, layer.dropout.stream.numpy().view(np.uint64))
    layer.eval()
    torch.testing.assert_close(layer(x)[1], layer.member(1).eval()(x[1]))


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_dropout_refuses(p: float) -> None:
    with pytest.raises(UsageError, match="must be at least 0 and below 1"):
        Dropout(S, p)


def noisy(seeds: list[int] | range = SEEDS, n_in: int = 6, n_out: int = 9) -> NoisyLinear:
    layer = NoisyLinear(len(seeds), n_in, n_out)
    layer.initialise(streams(seeds))
    return layer.double()


def test_noise_is_factorised() -> None:
    """Equations 9 to 11 of Fortunato et al. (2018), written out over the same normal numbers."""
    layer = noisy()
    layer.sample_noise(streams(purpose="noise"))
    again = streams(purpose="noise")
    e_in, e_out = again.normal(6), again.normal(9)
    x = np.random.default_rng(0).normal(size=(S, 4, 6))
    mu, mu_b = layer.weight.detach().numpy(), layer.bias.detach().numpy()[:, 0]
    for k in range(S):
        f_in = np.sign(e_in[k]) * np.sqrt(abs(e_in[k]))
        f_out = np.sign(e_out[k]) * np.sqrt(abs(e_out[k]))
        sigma = 0.5 / np.sqrt(6.0)
        w = mu[k] + sigma * np.outer(f_in, f_out)
        expected = x[k] @ w + mu_b[k] + sigma * f_out
        for found in (layer(torch.from_numpy(x))[k], layer.member(k)(torch.from_numpy(x[k]))):
            np.testing.assert_allclose(
                found.detach().numpy(), expected, rtol=1e-5, atol=1e-6
            )  # made in float32


def test_gradients_of_the_spread() -> None:
    """d y / d sigma is the input times the noise; the noise itself learns nothing."""
    layer = noisy()
    layer.sample_noise(streams(purpose="noise"))
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(S, 4, 6)))
    layer(x).sum().backward()
    f_in, f_out = layer.noise_in, layer.noise_out
    assert layer.weight_sigma.grad is not None
    assert layer.bias_sigma.grad is not None
    torch.testing.assert_close(layer.weight_sigma.grad, x.sum(1).unsqueeze(2) * f_in * f_out)
    torch.testing.assert_close(layer.bias_sigma.grad, 4.0 * f_out)


def test_noise_of_a_member_is_its_own() -> None:
    """Member 1 has the noise that it has alone; the mean in evaluation mode and before the first draw."""
    network = Sequential(noisy(), torch.nn.ReLU(), noisy(n_in=9))
    alone = Sequential(noisy(SEEDS[1:2]), torch.nn.ReLU(), noisy(SEEDS[1:2], n_in=9))
    x = torch.randn(S, 4, 6, dtype=torch.float64)
    quiet = network(x)
    many, one = streams(purpose="noise"), streams(SEEDS[1:2], "noise")
    for _ in range(2):
        sample_noise(network, many)
        sample_noise(alone, one)
        loud = network(x)
        torch.testing.assert_close(loud[1], alone(x[1:2])[0], rtol=1e-10, atol=1e-12)
        assert not torch.allclose(loud, quiet)
        torch.testing.assert_close(loud[2], network.member(2)(x[2]))
    network.eval()
    assert torch.equal(network(x), quiet)
    torch.testing.assert_close(quiet[2], network.member(2)(x[2]))
    network.train()
    for layer in network:
        if isinstance(layer, NoisyLinear):
            layer.drop_noise()
    assert torch.equal(network(x), quiet)


def test_noisy_starts_as_in_the_paper() -> None:
    """Section 3.2: means of variance 1 / (3 in), spreads of sigma_0 / sqrt(in)."""
    layer = noisy([1], 400, 300)
    limit = 400**-0.5
    assert layer.weight.abs().max() <= limit
    assert abs(layer.weight.var().item() * 3 * 400 - 1) < 0.01
    assert torch.allclose(layer.weight_sigma, torch.tensor(0.5 * limit, dtype=torch.float64))
    assert torch.allclose(layer.bias_sigma, torch.tensor(0.5 * limit, dtype=torch.float64))


@pytest.mark.parametrize("pictures", [False, True])
def test_batch_norm_remembers_as_torch_does(pictures: bool) -> None:
    """Outputs and running statistics over three batches, then in evaluation mode, for members of different scale."""
    shape = (4, 3, 2) if pictures else (4,)
    layer = (BatchNorm2d if pictures else BatchNorm1d)(S, 4, momentum=0.3).double()
    members = [layer.member(k) for k in range(S)]
    scale = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64).reshape(S, *(1,) * (1 + len(shape)))
    for seed in range(3):
        x = scale * torch.from_numpy(np.random.default_rng(seed).normal(1.0, size=(S, 5, *shape)))
        y = layer(x)
        for k, one in enumerate(members):
            torch.testing.assert_close(y[k], one(x[k]), rtol=1e-9, atol=1e-12)
    for k, one in enumerate(members):
        torch.testing.assert_close(layer.running_mean[k], one.running_mean)
        torch.testing.assert_close(layer.running_var[k], one.running_var)
    layer.eval()
    for k, one in enumerate(members):
        torch.testing.assert_close(layer(x)[k], one.eval()(x[k]), rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(layer.member(k)(x[k]), one(x[k]), rtol=1e-9, atol=1e-12)


def test_batch_norm_needs_a_batch() -> None:
    layer = BatchNorm1d(S, 4)
    with pytest.raises(ValueError, match="more than one value a channel"):
        layer(torch.zeros(S, 1, 4))
    assert layer.eval()(torch.zeros(S, 1, 4)).shape == (S, 1, 4)
