"""The laws of initialisation: moments, bounds, orthonormality, and streams that belong to the member."""

import numpy as np
import pytest
import torch
from torch import Tensor

from rlcourse.errors import UsageError
from rlcourse.nn.convolution import Conv2d
from rlcourse.nn.embedding import Embedding
from rlcourse.nn.initialise import LAWS, draw_weights
from rlcourse.nn.linear import Linear
from rlcourse.nn.recurrent import GRU
from rlcourse.nn.temporal import CausalConv1d
from rlcourse.streams import Streams

S = 4


def streams(seeds: range | list[int] = range(S)) -> Streams:
    return Streams.from_seeds(seeds, "weights")


def drawn(law: str, *shape: int, fan_in: int, fan_out: int, gain: float | None = None) -> Tensor:
    weight = torch.full((S, *shape), torch.nan, dtype=torch.float64)
    draw_weights(weight, streams(), law, fan_in=fan_in, fan_out=fan_out, gain=gain)
    return weight


def kurtosis(weight: Tensor) -> float:
    """3 of a normal law, 1.8 of a uniform one."""
    centred = weight - weight.mean()
    return float(centred.pow(4).mean() / centred.pow(2).mean() ** 2)


@pytest.mark.parametrize(("gain", "square"), [(None, 2.0), (1.0, 1.0), (0.5, 0.25)])
def test_he_is_normal(gain: float | None, square: float) -> None:
    """Variance gain^2 / fan_in: He et al. (2015), equation 10, have 2 / fan_in."""
    weight = drawn("he", 200, 300, fan_in=200, fan_out=300, gain=gain)
    n = weight.numel()
    assert abs(weight.mean()) < 4.5 * (square / 200 / n) ** 0.5
    assert abs(weight.var().item() * 200 / square - 1) < 4.5 * (2 / n) ** 0.5
    assert abs(kurtosis(weight) - 3.0) < 4.5 * (24 / n) ** 0.5


@pytest.mark.parametrize(
    ("law", "variance"),
    [
        ("xavier", 2 / 500),  # Glorot & Bengio (2010), equation 16
        ("uniform", 1 / (3 * 200)),
    ],
)
def test_uniform_laws(law: str, variance: float) -> None:
    """Bounds that are reached and not passed, and the variance of a uniform law, bound^2 / 3."""
    weight = drawn(law, 200, 300, fan_in=200, fan_out=300)
    n, bound = weight.numel(), (3 * variance) ** 0.5
    assert bound * (1 - 1e-3) < weight.abs().max() <= bound
    assert abs(weight.mean()) < 4.5 * (variance / n) ** 0.5
    assert abs(weight.var().item() / variance - 1) < 4.5 * (0.8 / n) ** 0.5
    assert abs(kurtosis(weight) - 1.8) < 0.02
    assert torch.allclose(
        drawn(law, 20, 30, fan_in=20, fan_out=30, gain=3.0), 3 * drawn(law, 20, 30, fan_in=20, fan_out=30)
    )


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (5, 2, 3, 3), (20, 2, 2, 1)])
@pytest.mark.parametrize("gain", [None, 2.0])
def test_orthogonal(shape: tuple[int, ...], gain: float | None) -> None:
    """Orthonormal rows, or columns where there are fewer of those, and other ones for every member."""
    square = 1.0 if gain is None else gain**2
    weight = drawn("orthogonal", *shape, fan_in=1, fan_out=1, gain=gain).flatten(2)
    rows, columns = weight.shape[1:]
    for of_member in weight:
        product = of_member @ of_member.T if rows <= columns else of_member.T @ of_member
        torch.testing.assert_close(
            product, square * torch.eye(min(rows, columns), dtype=torch.float64), atol=1e-5, rtol=0
        )
    assert not torch.allclose(weight[0], weight[1])


def test_orthogonal_is_uniform_over_the_rotations() -> None:
    """The mean of every entry is 0 and its variance 1 / n; QR alone would give a diagonal of one sign."""
    n, members = 3, 4_000
    weight = torch.zeros(members, n, n)
    draw_weights(weight, streams(range(members)), "orthogonal", fan_in=n, fan_out=n)
    assert weight.mean(0).abs().max() < 4.5 * (1 / n / members) ** 0.5
    assert (weight.square().mean(0) - 1 / n).abs().max() < 0.03
    determinants = torch.linalg.det(weight)
    assert abs((determinants > 0).double().mean() - 0.5) < 4.5 * 0.5 / members**0.5


def test_zeros() -> None:
    assert (drawn("zeros", 3, 2, fan_in=3, fan_out=2) == 0.0).all()


@pytest.mark.parametrize("law", LAWS)
def test_members_draw_from_their_own_streams(law: str) -> None:
    """Member 2 of four draws what it draws alone, and its stream ends where it ends alone."""
    many, one = torch.zeros(S, 5, 3), torch.zeros(1, 5, 3)
    of_many, of_one = streams(), streams([2])
    draw_weights(many, of_many, law, fan_in=5, fan_out=3)
    draw_weights(one, of_one, law, fan_in=5, fan_out=3)
    assert torch.equal(many[2], one[0])
    assert of_many.state[2] == of_one.state[0]
    if law != "zeros":
        assert len({tuple(member.flatten().tolist()) for member in many}) == S


def test_fans_are_those_of_one_member() -> None:
    """Of a window, of a row, of a gate; not of the whole stack."""
    conv = Conv2d(S, 16, 64, (3, 5))
    causal = CausalConv1d(S, 40, 64, 3)
    rows = Embedding(S, 500, 30)
    recurrent = GRU(S, 50, 80, law="he")
    for layer, weight, variance in (
        (conv, conv.weight, 2 / (16 * 15)),
        (causal, causal.weight, 2 / (40 * 3)),
        (rows, rows.weight, 1.0),
        (recurrent, recurrent.weight_in, 2 / 50),
        (recurrent, recurrent.weight_hidden, 2 / 80),
    ):
        layer.initialise(streams())
        assert abs(weight.var().item() / variance - 1) < 4.5 * (2 / weight.numel()) ** 0.5, layer


def test_recurrence_is_orthogonal_in_every_gate() -> None:
    layer = GRU(S, 4, 6)
    layer.initialise(streams())
    for gate in layer.weight_hidden.detach().split(6, dim=2):
        torch.testing.assert_close(
            gate @ gate.transpose(1, 2), torch.eye(6).expand(S, 6, 6), atol=1e-5, rtol=0
        )
    for gate in layer.weight_in.detach().split(6, dim=2):
        torch.testing.assert_close(
            gate @ gate.transpose(1, 2), torch.eye(4).expand(S, 4, 4), atol=1e-5, rtol=0
        )


def test_torchs_law_of_a_linear_layer() -> None:
    """Weights and bias as `torch.nn.Linear` draws them: by the largest of many."""
    ours = Linear(S, 64, 500, law="uniform")
    ours.initialise(streams())
    theirs = torch.nn.Linear(64, 500)
    assert ours.bias is not None
    for mine, other in ((ours.weight, theirs.weight), (ours.bias, theirs.bias)):
        assert abs(mine.abs().max() / other.abs().max() - 1) < 0.02


def test_unknown_law() -> None:
    with pytest.raises(UsageError, match="unknown initialisation 'orthogonl': did you mean orthogonal\\?"):
        draw_weights(torch.zeros(1, 2, 2), streams([0]), "orthogonl", fan_in=2, fan_out=2)


def test_draws_do_not_depend_on_the_precision_of_the_weights() -> None:
    single, double = torch.zeros(1, 3, 3), torch.zeros(1, 3, 3, dtype=torch.float64)
    for weight in (single, double):
        draw_weights(weight, streams([0]), "he", fan_in=3, fan_out=3)
    assert np.array_equal(single.numpy(), double.numpy())
