"""Networks by a spec: shapes, members, sequences, and the line that names the part that does not fit."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rlcourse.errors import UsageError
from rlcourse.nn.linear import Linear
from rlcourse.nn.models import MODELS
from rlcourse.nn.network import Network, build
from rlcourse.nn.optimisers import Optimiser
from rlcourse.nn.parts import PARTS
from rlcourse.nn.stack import Sequential, Stacked
from rlcourse.streams import Streams

SEEDS = [5, 1, 12]
S, B, T = len(SEEDS), 4, 6

NETWORKS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "linear": ("linear", 4, {"n_out": 2}),
    "linear of pictures": ("linear", (2, 3, 3), {"n_out": 2}),
    "mlp": ("mlp", 4, {"n_out": 2, "hidden": [8, 5], "activation": "tanh"}),
    "mlp of all options": (
        "mlp",
        (2, 2, 2),
        {"n_out": 2, "hidden": [8], "norm": "layernorm", "dropout": 0.2, "head_gain": 0.01},
    ),
    "mlp without a hidden layer": ("mlp", 4, {"n_out": 2, "hidden": []}),
    "cnn": ("cnn", (2, 6, 5), {"n_out": 3, "channels": [4, 5], "hidden": [7]}),
    "cnn of all options": (
        "cnn",
        (2, 6, 6),
        {"n_out": 3, "channels": [4], "pool": 2, "hidden": [7], "norm": "batchnorm", "activation": "silu"},
    ),
    "rnn": ("rnn", 4, {"n_out": 2, "hidden": [5, 6]}),
    "gru to a sequence": ("gru", (None, 4), {"n_out": 2, "hidden": [5], "to": "sequence"}),
    "lstm": ("lstm", 4, {"n_out": 2, "hidden": [5]}),
    "transformer": ("transformer", 4, {"n_out": 2, "length": T, "width": 8, "heads": 2}),
    "transformer to a sequence": (
        "transformer",
        4,
        {"n_out": 2, "length": T, "width": 8, "heads": 2, "causal": False, "dropout": 0.1, "to": "sequence"},
    ),
    "tcn": ("tcn", 4, {"n_out": 2, "width": 5, "kernel": 2, "blocks": 2}),
    "tcn to a sequence": ("tcn", 4, {"n_out": 2, "width": 5, "dropout": 0.1, "to": "sequence"}),
    "a list": (
        ["conv 16 3x3", "relu", "maxpool 2", "flatten", "linear 64", "relu", "linear 4"],
        (6, 8, 8),
        {},
    ),
    "pictures over time": (
        [
            *("conv 4 3 padding=1 stride=2", "batchnorm", "relu", "residual", "avgpool 2x1", "flatten"),
            *("layernorm", "lstm 5", "causal 6 2 dilation=2", "attention 2", "linear 3"),
        ],
        (None, 2, 6, 5),
        {},
    ),
    "an index": (["embedding 7 5", "relu", "linear 2 bias=false law=orthogonal gain=0.01"], (), {}),
    "indices over time": (["embedding 7 4", "position 6", "gru 3", "mean", "noisy 2 sigma=0.1"], (None,), {}),
    "one-hot": (["onehot 7", "linear 9"], (), {}),
}


def made(name: str, seeds: list[int] = SEEDS) -> Network:
    spec, n_in, options = NETWORKS[name]
    network = build(
        spec, n_in, size=len(seeds), streams=Streams.from_seeds(seeds, "weights"), **options
    ).double()
    assert isinstance(network, Network)
    return network


def inputs(network: Network, seeds: list[int] = SEEDS) -> Tensor:
    shape = (B, *(T if side is None else side for side in network.n_in))
    streams = Streams.from_seeds(seeds, "inputs")
    if network.spec[0].startswith(("embedding", "onehot")):
        return torch.from_numpy(streams.integers(7, shape))
    return torch.from_numpy(streams.normal(shape))


def test_every_model_and_every_part_is_here() -> None:
    assert {spec for spec, _, _ in NETWORKS.values() if isinstance(spec, str)} == MODELS.keys()
    used = {text.split()[0] for name in NETWORKS for text in made(name).spec}
    assert used >= PARTS.keys()


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_are_inferred(name: str) -> None:
    """Of every part, as what comes out of it has them."""
    network = made(name)
    x = inputs(network)
    for part, shape in zip(network, network.shapes[1:], strict=True):
        result = part(x)
        x = result[0] if isinstance(result, tuple) else result
        assert x.shape == (S, B, *(T if side is None else side for side in shape))
    assert network.n_out == network.shapes[-1]


@pytest.mark.parametrize("name", NETWORKS)
def test_members(name: str) -> None:
    """A member as an ordinary module, in both modes; the same alone; and no loss touches another."""
    network, x = made(name), inputs(made(name))
    for mode in (False, True):
        network.train(mode)
        chance = mode and any("dropout" in text and "dropout=0.0" not in text for text in network.spec)
        for k in range(S):
            one = network.member(k).train(mode)
            assert not any(isinstance(part, Stacked) for part in one.modules())
            if not chance:
                torch.testing.assert_close(network(x)[k], one(x[k]), rtol=1e-9, atol=1e-12)
    network, alone = made(name), made(name, SEEDS[1:2])
    y = network(x)
    torch.testing.assert_close(y[1], alone(inputs(alone, SEEDS[1:2]))[0], rtol=1e-9, atol=1e-12)
    y[1].square().sum().backward()
    for parameter in network.parameters():
        if parameter.grad is not None:
            assert (parameter.grad[[0, 2]] == 0.0).all()


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_steps_are_the_sequence(kind: str) -> None:
    """Pictures through a CNN and two recurrent layers: step by step, and on from a state, as at once."""
    network = build(
        ["conv 3 2", "relu", "flatten", f"{kind} 5", "tanh", f"{kind} 4", "linear 2"], (None, 2, 3, 3), size=S
    ).double()
    x, start = inputs(network), torch.zeros(S, B, T, dtype=torch.bool)
    start[1, 2, 3] = start[0, 0, 0] = True
    whole, after = network.run(x, None, start)
    assert torch.equal(network(x, start), whole)
    state = network.initial_state(B)
    for t in range(T):
        y, state = network.step(x[:, :, t], state, start[:, :, t])
        torch.testing.assert_close(y, whole[:, :, t])
    for found, expected in zip(state, after, strict=True):
        torch.testing.assert_close(found, expected)
    _, between = network.run(x[:, :, :4], None, start[:, :, :4])
    second, _ = network.run(x[:, :, 4:], between, start[:, :, 4:])
    torch.testing.assert_close(second, whole[:, :, 4:])


def test_a_step_of_one_output_is_the_last() -> None:
    network = build("gru", 3, n_out=2, size=S).double()
    x = inputs(network)
    state = network.initial_state(B)
    for t in range(T):
        y, state = network.step(x[:, :, t], state)
    torch.testing.assert_close(y, network(x))


@pytest.mark.parametrize("name", ["transformer", "tcn", "indices over time"])
def test_some_parts_have_no_step(name: str) -> None:
    network = made(name)
    with pytest.raises(UsageError, match="sees a whole sequence and has no single step"):
        network.step(inputs(network)[:, :, 0], network.initial_state(B))


@pytest.mark.parametrize("name", ["transformer to a sequence", "tcn to a sequence"])
def test_episodes_reach_the_parts(name: str) -> None:
    """The second half as an episode of its own; positions are those of the sequence."""
    network = made(name).eval()
    x, start = inputs(network), torch.zeros(S, B, T, dtype=torch.bool)
    start[:, :, 3] = True
    other = x.clone()
    other[:, :, :3] += 1.0
    y, moved = network(x, start), network(other, start)
    torch.testing.assert_close(y[:, :, 3:], moved[:, :, 3:])
    assert not torch.allclose(y[:, :, :3], moved[:, :, :3])
    assert not torch.allclose(network(x)[:, :, 3:], network(other)[:, :, 3:])


def test_seeds_are_those_from_0_where_none_are_given() -> None:
    default = build("mlp", 4, n_out=2, size=3)
    said = build("mlp", 4, n_out=2, size=3, streams=Streams.from_seeds(range(3), "weights"))
    for a, b in zip(default.parameters(), said.parameters(), strict=True):
        assert torch.equal(a, b)


LINES = [
    (
        ["conv 16 3x3", "conv 4 9"],
        (6, 8, 8),
        "part 2 of the network, 'conv 4 9': a window of 9 does not fit into 6",
    ),
    (["linear 4", "conv 3 3"], 4, r"part 2 .*: it takes pictures \[C, H, W\], not \[4\]"),
    (["gru 4"], 4, r"it takes a sequence \[T, F\], not \[4\]"),
    (["conv 4 3", "gru 3"], (None, 2, 5, 5), r"it takes a sequence \[T, F\], not \[T, 4, 3, 3\]"),
    (["linear 3"], (), r"it takes features \[..., F\], not \[\]"),
    (["linear 3"], (None,), r"it takes features \[..., F\], not \[T\]"),
    (["batchnorm"], (3, 3), r"it takes features \[F\] or pictures \[C, H, W\], not \[3, 3\]"),
    (["layernorm"], (None,), r"it takes features, not \[T\]"),
    (["lnear 4"], 4, "unknown part of a network 'lnear': did you mean linear"),
    ([""], 4, "unknown part of a network ''"),
    (["linear"], 4, "missing a required argument: 'n'; it is used as 'linear N "),
    (["linear 4 5"], 4, "too many positional arguments; it is used as"),
    (["linear 4 foo=1"], 4, "unexpected keyword argument 'foo'; it is used as"),
    (["linear 0"], 4, "n=0 must be at least 1"),
    (["linear 4.5"], 4, "n=4.5 does not fit into 'linear N "),
    (["linear 4 law=hee"], 4, "unknown initialisation 'hee': did you mean he"),
    (["relu 3"], 4, "relu takes no arguments, got '3'"),
    (["conv 4 3x3x3"], (1, 5, 5), r"kernel=\(3, 3, 3\) does not fit into 'conv CHANNELS KERNEL "),
    (["conv 4 3x0"], (1, 5, 5), r"kernel=\(3, 0\) must be at least 1"),
    (["conv 4 3 stride=0"], (1, 5, 5), "stride=0 must be at least 1"),
    (["conv 4 3 padding=-1"], (1, 5, 5), "padding=-1 must be at least 0"),
    (["conv 4 3 padding=sam"], (1, 5, 5), "padding='sam' does not fit"),
    (["conv 4 2 padding=same"], (1, 5, 5), "padding=same takes an odd kernel and a stride of 1"),
    (["conv 4 3", "maxpool 2 padding=2"], (1, 5, 5), "padding=2 must be at most half of the window, 2"),
    (["dropout 2"], 4, "p=2 must be at least 0 and below 1"),
    (["attention 3"], (None, 4), "heads=3 must divide the width, 4"),
    (["relu"], 4, "has no part with weights"),
    ([], 4, "has no part with weights"),
    (["linear 2"], (3, 0), r"n_in=\(3, 0\) must be lengths of at least 1; only the first may be None"),
    (["linear 2"], (3, None), "only the first may be None"),
]


@pytest.mark.parametrize(("spec", "n_in", "line"), LINES, ids=[" + ".join(spec) for spec, _, _ in LINES])
def test_one_line_names_what_does_not_fit(spec: list[str], n_in: Any, line: str) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        build(spec, n_in)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "options", "line"),
    [
        ("mpl", {"n_out": 2}, "unknown model 'mpl': did you mean mlp"),
        ("mlp", {}, "model 'mlp' needs n_out"),
        ("mlp", {"n_out": 2, "hiden": [3]}, "model 'mlp': unknown option 'hiden': did you mean hidden"),
        ("mlp", {"n_out": 2, "hidden": 3}, "model 'mlp': hidden=3 must be a list of whole numbers"),
        ("mlp", {"n_out": 0}, "n=0 must be at least 1"),
        ("mlp", {"n_out": 2, "activation": "tahn"}, "unknown part of a network 'tahn': did you mean tanh"),
        ("gru", {"n_out": 2, "to": "all"}, "model 'gru': to='all' must be"),
        ("cnn", {"n_out": 2}, r"it takes pictures \[C, H, W\], not \[4\]"),
        (["linear 2"], {"n_out": 2}, "a list of parts has no options, got n_out"),
    ],
)
def test_wrong_models(model: Any, options: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        build(model, 4, **options)


def test_a_wrong_shape_of_samples() -> None:
    with pytest.raises(UsageError, match=r"n_in=4\.5 must be a whole number, or a sequence"):
        build("mlp", 4.5, n_out=2)  # type: ignore[arg-type]


XOR = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
ANSWER = torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=torch.float64)


def test_xor_by_hand() -> None:
    """Three threshold units: OR, AND, and "the first but not the second". A member with other weights is another function."""
    network = build(["linear 2", "step", "linear 1", "step"], 2, size=2)
    first, _, second, _ = network
    assert isinstance(first, Linear)
    assert isinstance(second, Linear)
    assert first.bias is not None
    assert second.bias is not None
    with torch.no_grad():
        first.weight[:] = torch.ones(2, 2)
        first.bias[:] = torch.tensor([-0.5, -1.5])  # OR fires from one, AND from two
        second.weight[0, :, 0] = torch.tensor([1.0, -1.0])
        second.weight[1, :, 0] = torch.tensor([0.0, 1.0])
        second.bias[:] = -0.5
    y = network(XOR.expand(2, 4, 2).float())[..., 0]
    assert torch.equal(y[0], ANSWER)
    assert torch.equal(y[1], torch.tensor([0.0, 0.0, 0.0, 1.0]))  # AND alone


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "step"])
def test_xor_is_learned(activation: str) -> None:
    """By nearly all of twenty members with eight hidden units, through the threshold too; a linear model by none."""
    size = 20
    hidden = build("mlp", 2, n_out=1, hidden=[8], activation=activation, size=size).double()
    straight = build("linear", 2, n_out=1, size=size).double()
    x = XOR.expand(size, 4, 2)
    right = []
    for network in (hidden, straight):
        optimiser = Optimiser(network.parameters(), "adam", 0.05)
        for _ in range(500):
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(x)[..., 0], ANSWER.expand(size, 4), reduction="none"
            )
            optimiser.step(loss.mean(1).sum())
        right.append(((network(x)[..., 0] > 0) == (ANSWER > 0.5)).all(1).double().mean().item())
    assert right[0] >= 0.8
    assert right[1] == 0.0


def test_a_sequence_model_learns_what_needs_memory() -> None:
    """Whether the first of six bits was 1: a GRU knows at the end, the last bit alone does not tell."""
    rng = np.random.default_rng(0)
    network = build("gru", 1, n_out=1, hidden=[8], size=2).double()
    optimiser = Optimiser(network.parameters(), "adam", 0.03)
    for _ in range(150):
        x = torch.from_numpy(rng.integers(0, 2, (2, 32, T, 1)).astype(float))
        loss = nn.functional.binary_cross_entropy_with_logits(
            network(x)[..., 0], x[:, :, 0, 0], reduction="none"
        )
        optimiser.step(loss.mean(1).sum())
    x = torch.from_numpy(rng.integers(0, 2, (2, 200, T, 1)).astype(float))
    assert (((network(x)[..., 0] > 0) == (x[:, :, 0, 0] > 0.5)).double().mean(1) == 1.0).all()


@pytest.mark.parametrize("size", [0, -1, 2.0])
def test_a_stack_of_nobody_is_refused(size: Any) -> None:
    with pytest.raises(UsageError, match=f"size={size} must be a whole number of at least 1"):
        build("mlp", 3, n_out=2, size=size)


def test_rows_without_an_axis_of_features_are_refused() -> None:
    """They would be the features of a single row."""
    with pytest.raises(UsageError, match=r"inputs must be \[S, B, ..., 3\], got \[2, 3\]"):
        Linear(2, 3, 4)(torch.zeros(2, 3))


def test_parts_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one size, got \[2, 3\]"):
        Sequential(Linear(2, 1, 1), Linear(3, 1, 1))
