"""What is true of layers over time only: steps, states, episodes, and that nothing looks ahead."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from rlcourse.errors import UsageError
from rlcourse.nn.attention import PositionalEmbedding, SelfAttention, TransformerBlock, visible
from rlcourse.nn.recurrent import GRU, LSTM, RECURRENT, RNN, Recurrent
from rlcourse.nn.stack import Stacked
from rlcourse.nn.temporal import CausalConv1d, TemporalBlock
from rlcourse.streams import Streams

S, B, T, F = 2, 3, 9, 4


def made(layer: Stacked) -> Stacked:
    layer.initialise(Streams.from_seeds(range(S), "weights"))
    return layer.double()


def sequences(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape or (S, B, T, F)))


def episodes() -> Tensor:
    """Starts in the middle, one after another, at the first step and nowhere."""
    start = torch.zeros(S, B, T, dtype=torch.bool)
    start[0, 0, [0, 4, 7]] = True
    start[0, 1, [3, 4]] = True
    start[1, 2, 5] = True
    return start


def pieces(start: Tensor) -> list[tuple[int, int]]:
    """The episodes of one sequence, `[T]`: from, to."""
    bounds = sorted({0, len(start), *torch.nonzero(start).flatten().tolist()})
    return list(itertools.pairwise(bounds))


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", RECURRENT)
def test_state_is_torchs(kind: str) -> None:
    """From a state that is not 0, and with the state after it."""
    layer = made(RECURRENT[kind](S, F, 5))
    assert isinstance(layer, Recurrent)
    x, state = sequences(), sequences(S, B, *layer.state_shape)
    y, after = layer(x, state)
    for k in range(S):
        theirs = (
            tuple(part.unsqueeze(0).contiguous() for part in state[k].unbind(1))
            if kind == "lstm"
            else state[k][None]
        )
        y_k, after_k = layer.member(k)(x[k], theirs)
        close(y[k], y_k)
        close(after[k], torch.stack([part[0] for part in after_k], 1) if kind == "lstm" else after_k[0])


@pytest.mark.parametrize("layer", [RNN(S, F, 5), GRU(S, F, 5), LSTM(S, F, 5)], ids=RECURRENT)
def test_steps_are_the_sequence(layer: Recurrent) -> None:
    """Step by step, in two halves and at once: the same, episodes and gradients included."""
    made(layer)
    x, start = sequences().requires_grad_(), episodes()
    whole, after = layer(x, None, start)
    state, outputs = layer.initial_state(B), []
    for t in range(T):
        y, state = layer.step(x[:, :, t], state, start[:, :, t])
        outputs.append(y)
    close(torch.stack(outputs, 2), whole)
    close(state, after)
    first, between = layer(x[:, :, :5], None, start[:, :, :5])
    second, last = layer(x[:, :, 5:], between, start[:, :, 5:])
    close(torch.cat([first, second], 2), whole)
    close(last, after)
    gradients = [
        torch.autograd.grad((result.square()).sum(), [x, *layer.parameters()], retain_graph=True)
        for result in (whole, torch.stack(outputs, 2), torch.cat([first, second], 2))
    ]
    for other in gradients[1:]:
        for a, b in zip(gradients[0], other, strict=True):
            close(a, b)


@pytest.mark.parametrize(
    "layer",
    [
        RNN(S, F, 5),
        GRU(S, F, 5),
        LSTM(S, F, 5),
        SelfAttention(S, F, 2),
        TransformerBlock(S, F, 2),
        CausalConv1d(S, F, 5, 3),
        CausalConv1d(S, F, 5, 3, dilation=2),
        TemporalBlock(S, F, 5, kernel=2, dilation=3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_episodes_are_sequences_of_their_own(layer: Stacked) -> None:
    """A sequence with a new episode in it gives what the episodes give apart."""
    made(layer)
    x, start = sequences(), episodes()
    y = layer(x, None, start)[0] if isinstance(layer, Recurrent) else layer(x, start)
    without = layer(x)[0] if isinstance(layer, Recurrent) else layer(x)
    for k in range(S):
        for b in range(B):
            for begin, end in pieces(start[k, b]):
                piece = x[:, b : b + 1, begin:end]
                alone = layer(piece)
                alone = alone[0] if isinstance(layer, Recurrent) else alone
                close(y[k, b, begin:end], alone[k, 0])
    assert not torch.allclose(y[0, 0], without[0, 0])  # the boundaries matter
    close(y[0, 2], without[0, 2])  # where there is none


@pytest.mark.parametrize(
    "layer", [SelfAttention(S, F, 2), TransformerBlock(S, F, 2), TemporalBlock(S, F, 5)], ids=["a", "b", "c"]
)
def test_nothing_looks_ahead(layer: Stacked) -> None:
    made(layer)
    x = sequences().requires_grad_()
    layer(x)[:, :, 4].square().sum().backward()
    assert x.grad is not None
    assert (x.grad[:, :, 5:] == 0.0).all()
    assert (x.grad[:, :, 4] != 0.0).any()


def test_attention_to_all_looks_ahead_within_the_episode() -> None:
    layer = made(SelfAttention(S, F, 2, causal=False))
    x, start = sequences().requires_grad_(), episodes()
    layer(x, start)[0, 0, 5].square().sum().backward()
    assert x.grad is not None
    seen = (x.grad[0, 0] != 0.0).any(-1)
    assert seen.tolist() == [4 <= t < 7 for t in range(T)]


@pytest.mark.parametrize("kind", [SelfAttention, TransformerBlock])
@pytest.mark.parametrize("causal", [True, False])
def test_member_of_attention_knows_the_episodes(kind: type[Stacked], causal: bool) -> None:
    """Torch's modules with the masks made of the same starts."""
    layer = made(kind(S, F, 2, causal=causal))  # type: ignore[call-arg]
    x, start = sequences(), episodes()
    y = layer(x, start)
    for k in range(S):
        close(y[k], layer.member(k)(x[k], start[k]))


def test_visible() -> None:
    """Written out, for two episodes of two steps."""
    start = torch.tensor([True, False, True, False])
    assert visible(4, None, causal=False) is None
    expected = {True: ["1000", "1100", "0010", "0011"], False: ["1100", "1100", "0011", "0011"]}
    for causal, rows in expected.items():
        mask = visible(4, start, causal=causal)
        assert mask is not None
        assert ["".join(str(int(v)) for v in row) for row in mask] == rows
    mask = visible(3, None)
    assert mask is not None
    assert mask.tolist() == [[True, False, False], [True, True, False], [True, True, True]]


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (2, 1), (3, 4), (2, 8)])
def test_reach_of_a_causal_convolution(kernel: int, dilation: int) -> None:
    """A step sees itself and as far back as it says, and not a step further."""
    layer = made(CausalConv1d(S, F, 5, kernel, dilation=dilation))
    assert isinstance(layer, CausalConv1d)
    x = sequences(S, B, 15, F).requires_grad_()
    layer(x)[:, :, 12].square().sum().backward()
    assert x.grad is not None
    seen = torch.nonzero((x.grad != 0.0).any(0).any(0).any(-1)).flatten().tolist()
    assert seen == [12 - j * dilation for j in reversed(range(kernel))]
    assert layer.reach == dilation * (kernel - 1)


def test_forget_bias() -> None:
    """An LSTM begins with a bias of 1 on its forget gate alone; the second block, in torch's order."""
    layer = LSTM(S, F, 5)
    layer.initialise(Streams.from_seeds(range(S), "weights"))
    assert (layer.bias_in[..., 5:10] == 1.0).all()
    assert layer.bias_in.sum() == 5.0 * S
    assert layer.bias_hidden.abs().sum() == 0.0


def test_bad_arguments() -> None:
    with pytest.raises(UsageError, match="activation='gelu' of a recurrent layer must be 'tanh' or 'relu'"):
        RNN(S, F, 5, activation="gelu")
    with pytest.raises(UsageError, match="heads=3 must divide the width, 4"):
        SelfAttention(S, 4, 3)
    with pytest.raises(UsageError, match="activation='tanh' of a transformer block must be 'gelu' or 'relu'"):
        TransformerBlock(S, 4, 2, activation="tanh")
    with pytest.raises(UsageError, match="a sequence of 6 steps is longer than the 5 places there are"):
        PositionalEmbedding(S, 5, F)(torch.zeros(S, B, 6, F))
