"""Stacked recurrent layers over sequences `[S, B, T, F]`: the simple one, GRU and LSTM, gates in torch's order.

The state between two steps is one tensor `[S, B, *state_shape]`; where an episode begins, it is set to 0 before the step. What
the gates take from the inputs is one product over the whole sequence; only what they take from the state goes step by step.
`advance` says what a step does; over a sequence, `rlcourse.nn.unrolled` does the same with its gradient written out, which
takes half to three quarters of the time that autograd takes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.errors import UsageError
from rlcourse.nn.initialise import draw_weights
from rlcourse.nn.linear import affine
from rlcourse.nn.stack import Stacked
from rlcourse.nn.unrolled import UnrolledGRU, UnrolledLSTM, UnrolledRNN
from rlcourse.streams import Streams

Vectors = tuple[Tensor, ...]


class Recurrent(Stacked, ABC):
    """What the three have in common.

    Args:
        size: members S.
        n_in: features F of a step.
        n_hidden: features H of the output and of each vector of the state.
        law: how the weights are drawn, see `rlcourse.nn.initialise`; those of each gate apart, biases 0. "uniform" is torch's
            own law: all weights and biases from U(-1 / sqrt(H), 1 / sqrt(H)).
    """

    gates: int
    """Blocks of H columns in the weights."""
    vectors: int
    """Vectors of H numbers in the state."""

    def __init__(self, size: int, n_in: int, n_hidden: int, *, law: str = "orthogonal") -> None:
        super().__init__(size)
        self.n_in, self.n_hidden, self.law = n_in, n_hidden, law
        columns = self.gates * n_hidden
        self.weight_in = nn.Parameter(torch.zeros(size, n_in, columns))
        self.weight_hidden = nn.Parameter(torch.zeros(size, n_hidden, columns))
        self.bias_in = nn.Parameter(torch.zeros(size, 1, columns))
        self.bias_hidden = nn.Parameter(torch.zeros(size, 1, columns))

    @property
    def state_shape(self) -> tuple[int, ...]:
        """Of the state of one sequence: `(H,)`, or `(2, H)` of an LSTM, whose output comes first."""
        return (self.n_hidden,) if self.vectors == 1 else (self.vectors, self.n_hidden)

    def initial_state(self, batch: int) -> Tensor:
        """Zeros `[S, B, *state_shape]`."""
        return self.weight_in.new_zeros(self.size, batch, *self.state_shape)

    def draw(self, streams: Streams) -> None:
        """See `Stacked.draw`."""
        H = self.n_hidden
        for weight, inputs in ((self.weight_in, self.n_in), (self.weight_hidden, H)):
            fan_in = H if self.law == "uniform" else inputs
            for gate in weight.detach().split(H, dim=2):
                draw_weights(gate, streams, self.law, fan_in=fan_in, fan_out=H)
        for bias in (self.bias_in, self.bias_hidden):
            draw_weights(bias, streams, "uniform" if self.law == "uniform" else "zeros", fan_in=H, fan_out=H)

    def forward(
        self, x: Tensor, state: Tensor | None = None, episode_start: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """A whole sequence.

        Args:
            x: `[S, B, T, F]`.
            state: `[S, B, *state_shape]` before the first step; `None` is zeros.
            episode_start: bool `[S, B, T]`, whether an episode begins with that step: what was before does not reach it.

        Returns:
            The outputs `[S, B, T, H]` and the state after the last step.
        """
        vectors = self._vectors(self.initial_state(x.shape[1]) if state is None else state)
        keep = None if episode_start is None else (~episode_start).to(x.dtype).unsqueeze(-1)
        y, vectors = self.unroll(affine(x, self.weight_in, self.bias()), vectors, keep)
        return y, self._state(vectors)

    def step(self, x: Tensor, state: Tensor, episode_start: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One step, as for acting.

        Args:
            x: `[S, B, F]`.
            state: `[S, B, *state_shape]`.
            episode_start: bool `[S, B]`.

        Returns:
            The output `[S, B, H]` and the state after it.
        """
        if episode_start is not None:
            state = state * (~episode_start).to(x.dtype).reshape(*episode_start.shape, *(1,) * self.vectors)
        vectors = self.advance(affine(x, self.weight_in, self.bias()), self._vectors(state))
        return vectors[0], self._state(vectors)

    def bias(self) -> Tensor:
        """Of the gates `[S, 1, gates H]`: what can be added before the state is known."""
        return self.bias_in + self.bias_hidden

    @abstractmethod
    def advance(self, inputs: Tensor, vectors: Vectors) -> Vectors:
        """The state after one step.

        Args:
            inputs: what the gates take from the input and `bias`, `[S, B, gates H]`.
            vectors: of the state before it, each `[S, B, H]`.
        """

    @abstractmethod
    def unroll(self, inputs: Tensor, vectors: Vectors, keep: Tensor | None) -> tuple[Tensor, Vectors]:
        """All steps of a sequence.

        Args:
            inputs: as `advance` takes them, `[S, B, T, gates H]`.
            vectors: of the state before the first step.
            keep: `[S, B, T, 1]`, 0 where an episode begins and 1 elsewhere.

        Returns:
            The outputs `[S, B, T, H]` and the state after the last step.
        """

    def _vectors(self, state: Tensor) -> Vectors:
        return (state,) if self.vectors == 1 else state.unbind(2)

    def _state(self, vectors: Vectors) -> Tensor:
        return vectors[0] if self.vectors == 1 else torch.stack(vectors, 2)

    def _filled(self, one: nn.RNNBase, k: int) -> nn.RNNBase:
        """Torch's own module with the weights of member `k`."""
        weights = {
            "weight_ih_l0": self.weight_in[k].T,
            "weight_hh_l0": self.weight_hidden[k].T,
            "bias_ih_l0": self.bias_in[k, 0],
            "bias_hh_l0": self.bias_hidden[k, 0],
        }
        one = one.to(self.weight_in)
        one.load_state_dict({name: weight.detach() for name, weight in weights.items()})
        return one


class RNN(Recurrent):
    """The simple recurrent layer.

        h' = f(W x + b + U h + c)

    Source: Elman (1990), "Finding structure in time".

    Args:
        size: members S.
        n_in: features of a step.
        n_hidden: features of the output and of the state.
        activation: f, "tanh" or "relu".
        law: see `Recurrent`.

    Raises:
        UsageError: another activation.
    """

    gates, vectors = 1, 1

    def __init__(
        self, size: int, n_in: int, n_hidden: int, *, activation: str = "tanh", law: str = "orthogonal"
    ) -> None:
        super().__init__(size, n_in, n_hidden, law=law)
        if activation not in ("tanh", "relu"):
            raise UsageError(f"activation={activation!r} of a recurrent layer must be 'tanh' or 'relu'")
        self.activation = activation

    def advance(self, inputs: Tensor, vectors: Vectors) -> Vectors:
        """See `Recurrent.advance`."""
        total = torch.baddbmm(inputs, vectors[0], self.weight_hidden)
        return (torch.tanh(total) if self.activation == "tanh" else torch.relu(total),)

    def unroll(self, inputs: Tensor, vectors: Vectors, keep: Tensor | None) -> tuple[Tensor, Vectors]:
        """See `Recurrent.unroll`."""
        y = UnrolledRNN.apply(inputs, self.weight_hidden, *vectors, keep, self.activation == "tanh")
        return y, (y[:, :, -1],)

    def member(self, k: int) -> nn.RNNBase:
        """See `Stacked.member`; it returns the outputs and the last state, too."""
        one = nn.RNN(self.n_in, self.n_hidden, nonlinearity=self.activation, batch_first=True)
        return self._filled(one, k)


class GRU(Recurrent):
    """The gated recurrent unit.

        r = sigmoid(W_r x + b_r + U_r h + c_r)
        z = sigmoid(W_z x + b_z + U_z h + c_z)
        n = tanh(W_n x + b_n + r * (U_n h + c_n))
        h' = (1 - z) * n + z * h

    Source: Cho et al. (2014), "Learning phrase representations using RNN encoder-decoder"; with the reset gate after the
    product, as torch and cuDNN have it.

    Args:
        size: members S.
        n_in: features of a step.
        n_hidden: features of the output and of the state.
        law: see `Recurrent`.
    """

    gates, vectors = 3, 1

    def advance(self, inputs: Tensor, vectors: Vectors) -> Vectors:
        """See `Recurrent.advance`."""
        H, (hidden,) = self.n_hidden, vectors
        to_gates, to_new = self.weight_hidden[..., : 2 * H], self.weight_hidden[..., 2 * H :]
        r, z = torch.sigmoid(torch.baddbmm(inputs[..., : 2 * H], hidden, to_gates)).chunk(2, dim=-1)
        old = torch.baddbmm(self.bias_hidden[..., 2 * H :], hidden, to_new)
        n = torch.tanh(torch.addcmul(inputs[..., 2 * H :], r, old))
        return (torch.lerp(n, hidden, z),)

    def bias(self) -> Tensor:
        """See `Recurrent.bias`; c_n has to wait, as r multiplies it."""
        H = self.n_hidden
        return self.bias_in + functional.pad(self.bias_hidden[..., : 2 * H], (0, H))

    def unroll(self, inputs: Tensor, vectors: Vectors, keep: Tensor | None) -> tuple[Tensor, Vectors]:
        """See `Recurrent.unroll`."""
        bias = self.bias_hidden[..., 2 * self.n_hidden :]
        y = UnrolledGRU.apply(inputs, self.weight_hidden, bias, *vectors, keep)
        return y, (y[:, :, -1],)

    def member(self, k: int) -> nn.RNNBase:
        """See `Stacked.member`; it returns the outputs and the last state, too."""
        return self._filled(nn.GRU(self.n_in, self.n_hidden, batch_first=True), k)


class LSTM(Recurrent):
    """Long short-term memory.

        i, f, o = sigmoid(W x + b + U h + c), each with weights of its own;   g = tanh(W_g x + b_g + U_g h + c_g)
        c' = f * c + i * g
        h' = o * tanh(c')

    Source: Hochreiter & Schmidhuber (1997), with the forget gate of Gers, Schmidhuber & Cummins (2000).

    Args:
        size: members S.
        n_in: features of a step.
        n_hidden: features of the output and of each of the two vectors of the state, h and c.
        law: see `Recurrent`.
        forget_bias: added to the bias of f when the weights are drawn, so that the memory keeps before it has learned to:
            Jozefowicz, Zaremba & Sutskever (2015), "An empirical exploration of recurrent network architectures".
    """

    gates, vectors = 4, 2

    def __init__(
        self,
        size: int,
        n_in: int,
        n_hidden: int,
        *,
        law: str = "orthogonal",
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__(size, n_in, n_hidden, law=law)
        self.forget_bias = forget_bias

    def draw(self, streams: Streams) -> None:
        """See `Stacked.draw`."""
        super().draw(streams)
        with torch.no_grad():
            self.bias_in[..., self.n_hidden : 2 * self.n_hidden] += self.forget_bias

    def advance(self, inputs: Tensor, vectors: Vectors) -> Vectors:
        """See `Recurrent.advance`."""
        H, (hidden, cell) = self.n_hidden, vectors
        total = torch.baddbmm(inputs, hidden, self.weight_hidden)
        i, f = torch.sigmoid(total[..., : 2 * H]).chunk(2, dim=-1)
        cell = torch.addcmul(f * cell, i, torch.tanh(total[..., 2 * H : 3 * H]))
        return torch.sigmoid(total[..., 3 * H :]) * torch.tanh(cell), cell

    def unroll(self, inputs: Tensor, vectors: Vectors, keep: Tensor | None) -> tuple[Tensor, Vectors]:
        """See `Recurrent.unroll`."""
        y, cell = UnrolledLSTM.apply(inputs, self.weight_hidden, *vectors, keep)
        return y, (y[:, :, -1], cell)

    def member(self, k: int) -> nn.RNNBase:
        """See `Stacked.member`; it returns the outputs and the last state, as a pair `(h, c)`, too."""
        return self._filled(nn.LSTM(self.n_in, self.n_hidden, batch_first=True), k)


RECURRENT: dict[str, type[Recurrent]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}
"""By name."""
