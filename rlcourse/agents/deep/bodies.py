"""The body of a network: what lies between what is observed and the heads, chosen from the space or given part by part.

| what is observed | layers, where `body` is None |
|---|---|
| one number out of n (`Discrete`) | a one among n zeros, and the hidden layers; no product is computed with the zeros |
| a picture (a `Box` of three axes, or of two with bytes) | convolutions, flattened, and the hidden layers |
| a `Dict` or `Tuple` with pictures in it | convolutions for each, what comes out beside all else, and the hidden layers |
| all else | its numbers, whole numbers as one among zeros, and the hidden layers |

`body` takes the parts of `rlcourse.nn.parts` in the place of all that, such as

    body=("conv 32 3x3", "relu", "conv 32 3x3", "relu", "flatten", "linear 64", "relu")

In a `Dict` with pictures the parts up to the first `flatten` are those of every picture, each with weights of its own; what
comes after them sees the units of all pictures and the rest of the dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rlcourse.agents.deep.codec import Codec, Features, Picture
from rlcourse.errors import UsageError
from rlcourse.nn.linear import Flatten, Linear, OneHotLinear
from rlcourse.nn.stack import Sequential, Stacked, member_of

SMALL = ((16, 3, 1, 1),)
"""Filters, window, stride and padding of the one convolution of small boards: MinAtar's network (Young & Tian 2019), fit for
boards of ten cells a side, here padded so that no cell is lost."""
LARGE = ((32, 8, 4, 0), (64, 4, 2, 0), (64, 3, 1, 0))
"""Those of larger pictures (Mnih et al. 2015, "Human-level control through deep reinforcement learning")."""
LARGE_FROM = 36
"""Rows and columns from which on a picture is a large one: with fewer, nothing is left for the last of those windows."""

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}

_REMEMBERS = (
    "looks at a sequence, and a body sees one observation: set frame_stack, or memory where an agent has one"
)
REFUSED = {
    "dropout": "draws another network each time, so that what acted is not what learns: leave it out",
    "batchnorm": "mixes the observations of a batch, and one that acts sees a batch of one: use layernorm",
    **dict.fromkeys(
        ("rnn", "gru", "lstm", "attention", "transformer", "position", "causal", "temporal", "last", "mean"),
        _REMEMBERS,
    ),
}
"""Parts that no body of an agent can have, and why."""


MakeLinear = Callable[..., Stacked]
"""Makes fully connected layers, as `Linear` does."""


def body(
    codec: Codec,
    size: int,
    config: Any,
    *,
    law: str = "he",
    gain: float | None = None,
    linear: MakeLinear = Linear,
) -> tuple[list[nn.Module], int]:
    """The layers from rows `[S, B, *row_shape]` to the last hidden units `[S, B, n]`, and n.

    Args:
        codec: what a row is.
        size: members S.
        config: `body`; where it is None `net_arch`, units of the hidden layers, and `activation`, one of `ACTIVATIONS`.
        law: how weights are drawn, where a part names no law of its own.
        gain: factor of the law.
        linear: makes the fully connected layers that `net_arch` names.

    Raises:
        UsageError: a part of `body` does not fit.
    """
    if config.body is not None:
        return body_by_spec(codec, size, config.body, law=law, gain=gain, noisy=linear is not Linear)
    act, hidden = ACTIVATIONS[config.activation], list(config.net_arch)
    layers: list[nn.Module]
    if codec.is_image:
        layers, n = convolutions(codec.image_shape, size, act, law, gain)
        layers = [Features(codec), *layers]
    elif codec.pictures:
        found = [convolutions(picture.shape, size, act, law, gain) for picture in codec.pictures]
        layers = [Features(codec), Pictures(codec, size, [one for one, _ in found])]
        n = sum(units for _, units in found) + len(codec.columns_beside_pictures)
    elif codec.n_indices is not None and hidden:
        n = hidden.pop(0)
        layers = [Index(codec), OneHotLinear(size, codec.n_indices, n, law=law, gain=gain), act()]
    else:
        layers, n = [Features(codec)], codec.n_features
    for width in hidden:
        layers += [linear(size, n, width, law=law, gain=gain), act()]
        n = width
    return layers, n


def convolutions(
    shape: tuple[int, int, int], size: int, act: type[nn.Module], law: str, gain: float | None
) -> tuple[list[nn.Module], int]:
    """The layers from a picture of this `shape` [C, H, W] to flat units, and how many these are."""
    from rlcourse.nn.convolution import Conv2d, output_size

    channels, height, width = shape
    layers: list[nn.Module] = []
    for filters, kernel, stride, padding in LARGE if min(height, width) >= LARGE_FROM else SMALL:
        layer = Conv2d(size, channels, filters, kernel, stride=stride, padding=padding, law=law, gain=gain)
        layers += [layer, act()]
        channels = filters
        height, width = (output_size(side, kernel, stride, padding) for side in (height, width))
    return [*layers, Flatten()], channels * height * width


def body_by_spec(
    codec: Codec, size: int, spec: Sequence[str], *, law: str, gain: float | None, noisy: bool
) -> tuple[list[nn.Module], int]:
    """The layers that `spec` names, and how many units come out of them; arguments as those of `body`.

    Args:
        codec: what a row is.
        size: members S.
        spec: the parts.
        law: of linear layers and convolutions that name none.
        gain: factor of the law.
        noisy: somebody draws the noise of noisy layers.

    Raises:
        UsageError: a part does not fit, or what comes out of the last one is not flat.
    """
    from rlcourse.nn.parts import Shape, make_parts

    names = [(str(text).split() or [""])[0] for text in spec]
    for text, name in zip(spec, names, strict=True):
        if name in REFUSED:
            raise UsageError(f"body: {text!r} {REFUSED[name]}")
        if name == "noisy" and not noisy:
            raise UsageError(
                f"body: {text!r} needs an agent that draws the noise: dqn with noisy=True, rainbow"
            )
    drawn = {part: {"law": law, "gain": gain} for part in ("linear", "conv")}

    def made(these: Sequence[str], shape: Shape, before: int = 0) -> tuple[list[nn.Module], Shape]:
        try:
            parts, shapes = make_parts(these, size, shape, drawn, first=before + 1)
        except UsageError as error:
            raise UsageError(f"body: {error}") from None
        return parts, shapes[-1]

    layers: list[nn.Module] = [Features(codec)]
    of_pictures = 0
    shape: Shape = codec.image_shape if codec.is_image else (codec.n_features,)
    if names and names[0] in ("embedding", "onehot"):
        layers, shape = [Index(codec)], ()
        _check_index(codec, str(spec[0]))
    elif codec.pictures and "flatten" in names:
        of_pictures = names.index("flatten") + 1
        if of_pictures > 1:  # else pictures come flat, as all else does
            found = [made(spec[:of_pictures], picture.shape) for picture in codec.pictures]
            if not any(isinstance(part, Stacked) for part in found[0][0]):
                raise UsageError(
                    f"body={list(spec)!r}: the parts of pictures, up to 'flatten', have no weights"
                )
            layers.append(Pictures(codec, size, [parts for parts, _ in found]))
            units = sum(after[0] or 0 for _, after in found)
            shape = (units + len(codec.columns_beside_pictures),)
    parts, shape = made(spec[of_pictures:], shape, of_pictures)
    if len(shape) != 1 or shape[0] is None:
        raise UsageError(f"body={list(spec)!r} ends in {list(shape)}, not in units: add 'flatten'")
    layers += parts
    if codec.n_indices is not None:
        _look_up(codec, layers)
    return layers, shape[0]


def _look_up(codec: Codec, layers: list[nn.Module]) -> None:
    """Where a linear layer sees a one among zeros, put one in its place that takes the number itself."""
    from rlcourse.nn.embedding import OneHot

    first = 2 if any(isinstance(part, OneHot) for part in layers[1:2]) else 1
    for linear in layers[first : first + 1]:
        if type(linear) is Linear:
            n_in, n_out, bias = linear.n_in, linear.n_out, linear.bias is not None
            rows = OneHotLinear(linear.size, n_in, n_out, bias=bias, law=linear.law, gain=linear.gain)
            layers[: first + 1] = [Index(codec), rows]


def check_body(codec: Codec, config: Any) -> None:
    """Refuse a `body` that does not fit what is observed. Nothing is made: its tensors have shapes and no numbers.

    Raises:
        UsageError: see `body`.
    """
    if config.body is not None:
        with torch.device("meta"):
            body_by_spec(codec, 1, config.body, law="he", gain=None, noisy=getattr(config, "noisy", False))


def _check_index(codec: Codec, text: str) -> None:
    """Refuse `embedding N D` and `onehot N` of what is not one number, or of more numbers than N."""
    if codec.n_indices is None:
        raise UsageError(f"body: {text!r} takes an observation that is one number out of n, and nothing else")
    name, *rest = text.split()
    if rest and rest[0].isdigit() and int(rest[0]) < codec.n_indices:
        raise UsageError(
            f"body: {text!r} does not fit: {codec.n_indices} numbers are observed, so write '{name} {codec.n_indices} ...'"
        )


def with_weights(layers: list[nn.Module], size: int, n: int) -> Sequential:
    """The layers in one; where none of them has weights, a linear one of n units follows them."""
    bare = not any(isinstance(layer, Stacked) for layer in layers)
    return Sequential(*layers, Linear(size, n, n)) if bare else Sequential(*layers)


class Index(nn.Module):
    """Rows `[..., 1]` to whole numbers `[...]`."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, rows: Tensor) -> Tensor:
        """See the class."""
        return rows[..., 0].long()


class Pictures(Stacked):
    """Pictures among other features, each through layers of its own: `[S, B, n_features] -> [S, B, n]`.

    Their units come first, in the order of the pictures, then all other features as they are: so stable-baselines3's
    `CombinedExtractor` joins a dictionary.

    Args:
        codec: which features belong to pictures.
        size: members S.
        layers: for each picture, from `[S, B, C, H, W]` to flat units.
    """

    def __init__(self, codec: Codec, size: int, layers: Sequence[Sequence[nn.Module]]) -> None:
        super().__init__(size)
        self.codec = codec
        for i, these in enumerate(layers):
            self.add_module(f"picture{i}", Sequential(*these))
        self.register_buffer("beside", torch.tensor(codec.columns_beside_pictures), persistent=False)

    beside: Tensor
    """The columns of all other features."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return _joined(self.codec.pictures, list(self.children()), self.beside, x)

    def member(self, k: int) -> nn.Module:
        """See `Stacked.member`."""
        return _PicturesMember(self.codec, [member_of(part, k) for part in self.children()], self.beside)


class _PicturesMember(nn.Module):
    def __init__(self, codec: Codec, parts: list[nn.Module], beside: Tensor) -> None:
        super().__init__()
        self.codec, self.parts = codec, nn.ModuleList(parts)
        self.register_buffer("beside", beside.clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        beside: Any = self.beside
        return _joined(self.codec.pictures, list(self.parts), beside, x)


def _joined(pictures: Sequence[Picture], parts: Sequence[nn.Module], beside: Tensor, x: Tensor) -> Tensor:
    units = [part(picture.of(x)) for picture, part in zip(pictures, parts, strict=True)]
    return torch.cat([*units, x.index_select(-1, beside)], dim=-1)
