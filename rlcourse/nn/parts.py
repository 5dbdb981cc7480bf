"""The parts that a network can be made of, by name; each says what shape it takes and what shape comes out.

| part | sample in | sample out |
|---|---|---|
| `linear N` | [..., F] | [..., N] |
| `noisy N` | [..., F] | [..., N] |
| `conv C KxK` | [C', H, W] | [C, H', W'] |
| `maxpool K`, `avgpool K` | [C, H, W] | [C, H', W'] |
| `residual` | [C, H, W] | the same |
| `flatten` | any | [features] |
| `embedding N D`, `onehot N` | [...] of indices | [..., D], [..., N] |
| `rnn H`, `gru H`, `lstm H` | [T, F] | [T, H] |
| `attention HEADS`, `transformer HEADS`, `position LENGTH` | [T, F] | the same |
| `causal C K`, `temporal C K` | [T, F] | [T, C] |
| `last`, `mean` | [T, F] | [F] |
| `layernorm`, `batchnorm`, `dropout P` and every activation | any | the same |

Options follow as `name=value`: the keyword arguments of the functions below. A shape that begins with `None` is that of a
sequence of any length; parts that know no time are applied to every step of it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_type_hints

from torch import nn
from typeguard import TypeCheckError, check_type

from rlcourse.errors import UsageError, did_you_mean
from rlcourse.nn.activations import ACTIVATIONS, activation
from rlcourse.nn.attention import PositionalEmbedding, SelfAttention, TransformerBlock
from rlcourse.nn.convolution import AvgPool2d, Conv2d, MaxPool2d, pair
from rlcourse.nn.dropout import Dropout
from rlcourse.nn.embedding import Embedding, OneHot
from rlcourse.nn.initialise import LAWS
from rlcourse.nn.linear import Flatten, Linear
from rlcourse.nn.noisy import NoisyLinear
from rlcourse.nn.normalisation import BatchNorm1d, BatchNorm2d, LayerNorm
from rlcourse.nn.recurrent import GRU, LSTM, RNN
from rlcourse.nn.residual import residual_block
from rlcourse.nn.sequences import EachStep, Last, Mean
from rlcourse.nn.temporal import CausalConv1d, TemporalBlock

Shape = tuple[int | None, ...]
"""Of one sample, without members and batch; the first axis is `None` where it is a sequence of any length."""
Made = tuple[nn.Module, Shape]
Pair = int | tuple[int, int]


def make_parts(
    spec: Sequence[str],
    size: int,
    shape: Shape,
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    first: int = 1,
) -> tuple[list[nn.Module], list[Shape]]:
    """Parts one after the other, and the shapes of a sample before the first and after each of them.

    Args:
        spec: a text for each, see `make_part`.
        size: members S.
        shape: of a sample before them.
        defaults: by the name of a part, how its weights are drawn where its text names no law of its own.
        first: number of the first part, for the error.

    Raises:
        UsageError: a part does not fit; the line names it.
    """
    parts, shapes = [], [shape]
    for i, text in enumerate(spec, first):
        try:
            part, shape = make_part(text, size, shapes[-1], defaults)
        except UsageError as error:
            raise UsageError(f"part {i} of the network, {text!r}: {error}") from None
        parts.append(part)
        shapes.append(shape)
    return parts, shapes


def make_part(
    text: str, size: int, shape: Shape, defaults: Mapping[str, Mapping[str, Any]] | None = None
) -> Made:
    """A part and the shape of a sample after it.

    Args:
        text: such as "conv 16 3x3 stride=2", see the table above.
        size: members S.
        shape: of a sample before it.
        defaults: see `make_parts`.

    Raises:
        UsageError: no such part, wrong arguments, or a shape that it does not take.
    """
    name, *words = str(text).split() or [""]
    if name in ACTIVATIONS:
        if words:
            raise UsageError(f"{name} takes no arguments, got {' '.join(words)!r}")
        return activation(name), shape
    if name not in PARTS:
        raise UsageError(did_you_mean(name, (*PARTS, *ACTIVATIONS), kind="part of a network"))
    maker = PARTS[name]
    arguments = [_value(word) for word in words if "=" not in word]
    options = {key: _value(value) for key, _, value in (word.partition("=") for word in words if "=" in word)}
    if "law" not in options:
        options = {**(defaults or {}).get(name, {}), **options}
    try:
        bound = inspect.signature(maker).bind(size, shape, *arguments, **options)
    except TypeError as error:
        raise UsageError(f"{error}; it is used as {_usage(name)!r}") from None
    hints = get_type_hints(maker)
    for key, value in bound.arguments.items():
        try:
            check_type(value, hints[key])
        except TypeCheckError:
            raise UsageError(f"{key}={value!r} does not fit into {_usage(name)!r}") from None
        if key in COUNTS and min(pair(value) if isinstance(value, tuple) else (value,)) < 1:
            raise UsageError(f"{key}={value!r} must be at least 1")
    if "law" in options and options["law"] not in LAWS:
        raise UsageError(did_you_mean(str(options["law"]), LAWS, kind="initialisation"))
    return maker(*bound.args, **bound.kwargs)


COUNTS = {"n", "channels", "kernel", "width", "heads", "length", "hidden", "stride", "dilation"}
"""Arguments that are at least 1."""


def _value(word: str) -> Any:
    """A number, a pair of integers such as 3x3, true, false, or the word itself."""
    for read in (int, float, lambda text: tuple(int(side) for side in text.split("x"))):
        try:
            return read(word)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(word, word)


def _usage(name: str) -> str:
    """How a part is written."""
    _, _, *parameters = inspect.signature(PARTS[name]).parameters.values()
    words = [name]
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY:
            words.append(f"[{parameter.name}={parameter.default}]")
        else:
            words.append(parameter.name.upper())
    return " ".join(words)


def _text(shape: Shape) -> str:
    """A shape as it is said to the user."""
    return "[" + ", ".join("T" if side is None else str(side) for side in shape) + "]"


def _features(shape: Shape) -> int:
    """The last axis, of features."""
    if not shape or shape[-1] is None:
        raise UsageError(f"it takes features [..., F], not {_text(shape)}")
    return shape[-1]


def _sequence(shape: Shape) -> int:
    """The features of a sequence."""
    if len(shape) != 2 or shape[0] is not None or shape[1] is None:
        raise UsageError(f"it takes a sequence [T, F], not {_text(shape)}")
    return shape[1]


def _picture(shape: Shape) -> tuple[int, int, int]:
    """Channels, rows and columns, of each step if it is a sequence of pictures."""
    sides = [side for side in shape if side is not None]
    if len(sides) != 3:
        raise UsageError(f"it takes pictures [C, H, W], not {_text(shape)}")
    return sides[0], sides[1], sides[2]


def _each(part: nn.Module, size: int, shape: Shape, after: tuple[int, ...]) -> Made:
    """A part that knows no time, at every step where there is time."""
    if shape[:1] == (None,):
        return EachStep(size, part), (None, *after)
    return part, after


def linear(
    size: int, shape: Shape, n: int, *, bias: bool = True, law: str = "he", gain: float | None = None
) -> Made:
    """`Linear`."""
    return Linear(size, _features(shape), n, bias=bias, law=law, gain=gain), (*shape[:-1], n)


def noisy(size: int, shape: Shape, n: int, *, sigma: float = 0.5) -> Made:
    """`NoisyLinear`."""
    return NoisyLinear(size, _features(shape), n, sigma=sigma), (*shape[:-1], n)


def conv(
    size: int,
    shape: Shape,
    channels: int,
    kernel: Pair,
    *,
    stride: Pair = 1,
    padding: Pair | Literal["same"] = 0,
    dilation: Pair = 1,
    bias: bool = True,
    law: str = "he",
    gain: float | None = None,
) -> Made:
    """`Conv2d`; `padding=same` keeps rows and columns, of an odd kernel and a stride of 1."""
    n_in, height, width = _picture(shape)
    if padding == "same":
        reach = [d * (k - 1) for d, k in zip(pair(dilation), pair(kernel), strict=True)]
        if pair(stride) != (1, 1) or any(r % 2 for r in reach):
            raise UsageError("padding=same takes an odd kernel and a stride of 1")
        padding = (reach[0] // 2, reach[1] // 2)
    layer = Conv2d(
        size,
        n_in,
        channels,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        bias=bias,
        law=law,
        gain=gain,
    )
    return _each(layer, size, shape, layer.output_shape(height, width))


def maxpool(size: int, shape: Shape, kernel: Pair, *, stride: Pair | None = None, padding: Pair = 0) -> Made:
    """`MaxPool2d`."""
    return _pool(MaxPool2d, size, shape, kernel, stride, padding)


def avgpool(size: int, shape: Shape, kernel: Pair, *, stride: Pair | None = None, padding: Pair = 0) -> Made:
    """`AvgPool2d`."""
    return _pool(AvgPool2d, size, shape, kernel, stride, padding)


def _pool(
    kind: type[MaxPool2d] | type[AvgPool2d],
    size: int,
    shape: Shape,
    kernel: Pair,
    stride: Pair | None,
    padding: Pair,
) -> Made:
    channels, height, width = _picture(shape)
    if any(2 * p > k for p, k in zip(pair(padding), pair(kernel), strict=True)):
        raise UsageError(f"padding={padding} must be at most half of the window, {kernel}")
    layer = kind(kernel, stride=stride, padding=padding)
    return _each(layer, size, shape, (channels, *layer.output_shape(height, width)))


def residual(size: int, shape: Shape) -> Made:
    """`residual_block`."""
    sides = _picture(shape)
    return _each(residual_block(size, sides[0]), size, shape, sides)


def flatten(size: int, shape: Shape) -> Made:
    """`Flatten`; of a sequence, every step."""
    return _each(Flatten(), size, shape, (math.prod(side for side in shape if side is not None),))


def embedding(size: int, shape: Shape, n: int, width: int, *, law: str = "he", gain: float = 1.0) -> Made:
    """`Embedding`."""
    return Embedding(size, n, width, law=law, gain=gain), (*shape, width)


def onehot(size: int, shape: Shape, n: int) -> Made:
    """`OneHot`."""
    return OneHot(n), (*shape, n)


def rnn(size: int, shape: Shape, n: int, *, activation: str = "tanh", law: str = "orthogonal") -> Made:
    """`RNN`."""
    return RNN(size, _sequence(shape), n, activation=activation, law=law), (None, n)


def gru(size: int, shape: Shape, n: int, *, law: str = "orthogonal") -> Made:
    """`GRU`."""
    return GRU(size, _sequence(shape), n, law=law), (None, n)


def lstm(size: int, shape: Shape, n: int, *, law: str = "orthogonal", forget_bias: float = 1.0) -> Made:
    """`LSTM`."""
    return LSTM(size, _sequence(shape), n, law=law, forget_bias=forget_bias), (None, n)


def attention(size: int, shape: Shape, heads: int, *, causal: bool = True, law: str = "xavier") -> Made:
    """`SelfAttention`."""
    return SelfAttention(size, _sequence(shape), heads, causal=causal, law=law), shape


def transformer(
    size: int,
    shape: Shape,
    heads: int,
    *,
    hidden: int | None = None,
    activation: str = "gelu",
    dropout: float = 0.0,
    causal: bool = True,
) -> Made:
    """`TransformerBlock`."""
    width = _sequence(shape)
    block = TransformerBlock(
        size, width, heads, hidden=hidden, activation=activation, dropout=dropout, causal=causal
    )
    return block, shape


def position(size: int, shape: Shape, length: int, *, gain: float = 0.02) -> Made:
    """`PositionalEmbedding`."""
    return PositionalEmbedding(size, length, _sequence(shape), gain=gain), shape


def causal(
    size: int,
    shape: Shape,
    channels: int,
    kernel: int,
    *,
    dilation: int = 1,
    law: str = "he",
    gain: float | None = None,
) -> Made:
    """`CausalConv1d`."""
    n_in = _sequence(shape)
    layer = CausalConv1d(size, n_in, channels, kernel, dilation=dilation, law=law, gain=gain)
    return layer, (None, channels)


def temporal(
    size: int, shape: Shape, channels: int, kernel: int, *, dilation: int = 1, dropout: float = 0.0
) -> Made:
    """`TemporalBlock`."""
    n_in = _sequence(shape)
    block = TemporalBlock(size, n_in, channels, kernel=kernel, dilation=dilation, dropout=dropout)
    return block, (None, channels)


def last(size: int, shape: Shape) -> Made:
    """`Last`."""
    return Last(), (_sequence(shape),)


def mean(size: int, shape: Shape) -> Made:
    """`Mean`."""
    return Mean(), (_sequence(shape),)


def layernorm(size: int, shape: Shape, *, eps: float = 1e-5) -> Made:
    """`LayerNorm`, over all axes but that of time."""
    axes = tuple(side for side in shape if side is not None)
    if not axes:
        raise UsageError(f"it takes features, not {_text(shape)}")
    return LayerNorm(size, axes, eps=eps), shape


def batchnorm(size: int, shape: Shape, *, momentum: float = 0.1, eps: float = 1e-5) -> Made:
    """`BatchNorm1d` of features, `BatchNorm2d` of pictures; of a sequence, over all of its steps."""
    axes = tuple(side for side in shape if side is not None)
    if len(axes) not in (1, 3):
        raise UsageError(f"it takes features [F] or pictures [C, H, W], not {_text(shape)}")
    kind = BatchNorm1d if len(axes) == 1 else BatchNorm2d
    return _each(kind(size, axes[0], momentum=momentum, eps=eps), size, shape, axes)


def dropout(size: int, shape: Shape, p: float) -> Made:
    """`Dropout`."""
    return Dropout(size, p), shape


_ALL = (
    *(linear, noisy, conv, maxpool, avgpool, residual, flatten, embedding, onehot, rnn, gru, lstm, attention),
    *(transformer, position, causal, temporal, last, mean, layernorm, batchnorm, dropout),
)
PARTS: dict[str, Callable[..., Made]] = {part.__name__: part for part in _ALL}
"""By the name that it has in a spec."""
