"""Networks by what is observed: pictures get a convolution, a number out of n an embedding, all else a plain layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rlcourse.agents.deep.codec import Codec, Features
from rlcourse.nn.linear import Flatten, Linear
from rlcourse.nn.stack import Sequential, Stacked, member_of

FILTERS, KERNEL = 16, 3
"""Of the convolution: the one layer that MinAtar's network has (Young & Tian 2019), fit for boards of ten cells a side."""

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}

MakeLinear = Callable[..., Stacked]


def body(
    codec: Codec,
    size: int,
    net_arch: Sequence[int],
    activation: str = "relu",
    *,
    law: str = "he",
    gain: float | None = None,
    linear: MakeLinear = Linear,
) -> tuple[list[nn.Module], int]:
    """The layers from rows `[S, B, *row_shape]` to the last hidden units `[S, B, n]`, and n.

    Args:
        codec: what a row is.
        size: members S.
        net_arch: units of the hidden layers.
        activation: one of `ACTIVATIONS`.
        law: how weights are drawn.
        gain: factor of the law.
        linear: makes the fully connected layers, as `Linear` does.
    """
    act, hidden = ACTIVATIONS[activation], list(net_arch)
    layers: list[nn.Module]
    if codec.is_image:
        layers, n = convolutions(codec, size, act, law, gain)
    elif codec.n_indices is not None and hidden:
        from rlcourse.nn.embedding import Embedding

        # what a layer makes of a one among n zeros, without the product: its row of the weights
        layers, n = [Index(codec), Embedding(size, codec.n_indices, hidden[0]), act()], hidden.pop(0)
    else:
        layers, n = [Features(codec)], codec.n_features
    for width in hidden:
        layers += [linear(size, n, width, law=law, gain=gain), act()]
        n = width
    return layers, n


def convolutions(
    codec: Codec, size: int, act: type[nn.Module], law: str, gain: float | None
) -> tuple[list[nn.Module], int]:
    """The layers from an image to flat units, and how many these are."""
    from rlcourse.nn.convolution import Conv2d

    channels, height, width = codec.image_shape
    convolution = Conv2d(size, channels, FILTERS, KERNEL, padding=KERNEL // 2, law=law, gain=gain)
    return [Features(codec), convolution, act(), Flatten()], FILTERS * height * width


class Index(nn.Module):
    """Rows `[..., 1]` to whole numbers `[...]`."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, rows: Tensor) -> Tensor:
        """See the class."""
        return rows[..., 0].long()


class Dueling(Stacked):
    """Q(s, a) = V(s) + A(s, a) - mean_a A(s, a) (Wang et al. 2016, equation 9), of scalars or of M atoms each.

    Args:
        size: members S.
        n_in: hidden units.
        n_actions: A.
        n_atoms: M.
        linear: makes the two layers.
    """

    def __init__(
        self, size: int, n_in: int, n_actions: int, n_atoms: int = 1, linear: MakeLinear = Linear
    ) -> None:
        super().__init__(size)
        self.n_actions, self.n_atoms = n_actions, n_atoms
        self.value = linear(size, n_in, n_atoms, law="uniform")
        self.advantage = linear(size, n_in, n_actions * n_atoms, law="uniform")

    def forward(self, x: Tensor) -> Tensor:
        """`[S, B, n_in] -> [S, B, A M]`."""
        advantage = self.advantage(x).unflatten(-1, (self.n_actions, self.n_atoms))
        values = self.value(x).unsqueeze(-2) + advantage - advantage.mean(dim=-2, keepdim=True)
        return values.flatten(-2)

    def member(self, k: int) -> nn.Module:
        """See `Stacked.member`."""
        return _DuelingMember(
            member_of(self.value, k), member_of(self.advantage, k), self.n_actions, self.n_atoms
        )


class _DuelingMember(nn.Module):
    def __init__(self, value: nn.Module, advantage: nn.Module, n_actions: int, n_atoms: int) -> None:
        super().__init__()
        self.value, self.advantage, self.n_actions, self.n_atoms = value, advantage, n_actions, n_atoms

    def forward(self, x: Tensor) -> Tensor:
        advantage = self.advantage(x).unflatten(-1, (self.n_actions, self.n_atoms))
        values = self.value(x).unsqueeze(-2) + advantage - advantage.mean(dim=-2, keepdim=True)
        return values.flatten(-2)


def q_network(
    codec: Codec,
    size: int,
    n_actions: int,
    config: Any,
    *,
    n_atoms: int = 1,
    dueling: bool = False,
    linear: MakeLinear = Linear,
) -> Sequential:
    """Rows `[S, B, ...]` to values `[S, B, A M]`, by the settings `net_arch` and `activation`."""
    layers, n = body(codec, size, config.net_arch, config.activation, linear=linear)
    if dueling:
        head: Stacked = Dueling(size, n, n_actions, n_atoms, linear)
    else:
        # small first values, of the order of one over the root of the units, as torch's own layers have them
        head = linear(size, n, n_actions * n_atoms, law="uniform")
    return Sequential(*layers, head)


def policy_network(codec: Codec, size: int, n_out: int, config: Any, *, gain: float) -> Sequential:
    """Rows to `n_out` numbers with orthogonal weights: gain sqrt 2 within, `gain` of the last layer.

    So PPO's implementations have it: 0.01 for a policy, which begins nearly uniform, 1 for values (Huang et al. 2022, "The 37
    implementation details of proximal policy optimization", detail 2).
    """
    layers, n = body(codec, size, config.net_arch, config.activation, law="orthogonal", gain=2.0**0.5)
    return Sequential(*layers, Linear(size, n, n_out, law="orthogonal", gain=gain))


def argmax_actions(values: Tensor) -> Any:
    """The first of the best actions, int64, as NumPy has it."""
    return torch.argmax(values, dim=-1).cpu().numpy()
