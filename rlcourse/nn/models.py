"""Models by name: each is a function from the shape of a sample and its options to a list of parts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_type_hints

from typeguard import TypeCheckError, check_type

from rlcourse.errors import UsageError, did_you_mean
from rlcourse.nn.parts import Shape

_SAID = {
    Sequence[int]: "a list of whole numbers",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
}

Spec = list[str]
To = Literal["one", "sequence"]

HE = ("relu", "leaky_relu", "gelu", "silu")
"""Activations whose layers are drawn by He's law, which is made for them; the others by Xavier's."""


def model_spec(name: str, shape: Shape, options: dict[str, Any]) -> tuple[Spec, Shape]:
    """The parts of a model, and the shape of a sample, which of a sequence model's single number is `[T, F]`.

    Args:
        name: one of `MODELS`.
        shape: of a sample.
        options: of the model.

    Raises:
        UsageError: no such model, or a wrong option.
    """
    if name not in MODELS:
        raise UsageError(did_you_mean(name, MODELS, kind="model"))
    model = MODELS[name]
    known = list(inspect.signature(model).parameters)[1:]
    hints = get_type_hints(model)
    for key, value in options.items():
        if key not in known:
            raise UsageError(f"model {name!r}: {did_you_mean(key, known, kind='option')}")
        try:
            check_type(value, hints[key])
        except TypeCheckError:
            raise UsageError(
                f"model {name!r}: {key}={value!r} must be {_SAID.get(hints[key], hints[key])}"
            ) from None
    if "n_out" not in options:
        raise UsageError(f"model {name!r} needs n_out, the number of outputs")
    if name in SEQUENCES and len(shape) == 1:
        shape = (None, *shape)
    return model(shape, **options), shape


def linear(shape: Shape, *, n_out: int) -> Spec:
    """One linear layer: linear regression, logistic regression, a linear SVM, by the loss that it is trained with."""
    return [*_flat(shape), f"linear {n_out} law=xavier"]


def mlp(
    shape: Shape,
    *,
    n_out: int,
    hidden: Sequence[int] = (64, 64),
    activation: str = "relu",
    norm: Literal["layernorm", "batchnorm"] | None = None,
    dropout: float = 0.0,
    head_gain: float = 1.0,
) -> Spec:
    """A multi-layer perceptron.

    Args:
        shape: of a sample; pictures are flattened.
        n_out: outputs.
        hidden: units of each hidden layer.
        activation: after each hidden layer, see `rlcourse.nn.activations`.
        norm: between a hidden layer and its activation.
        dropout: probability, after each activation.
        head_gain: factor of the weights of the last layer.
    """
    spec = _flat(shape)
    for units in hidden:
        spec += _hidden(units, activation, norm, dropout)
    return [*spec, _head(n_out, activation, head_gain)]


def cnn(
    shape: Shape,
    *,
    n_out: int,
    channels: Sequence[int] = (16, 32),
    kernel: int = 3,
    pool: int = 1,
    hidden: Sequence[int] = (128,),
    activation: str = "relu",
    norm: Literal["layernorm", "batchnorm"] | None = None,
    dropout: float = 0.0,
    head_gain: float = 1.0,
) -> Spec:
    """Convolutions that keep rows and columns, then a perceptron.

    Args:
        shape: of a sample, [C, H, W].
        n_out: outputs.
        channels: of each convolution.
        kernel: rows and columns of the windows, odd.
        pool: of the windows whose largest number is taken after each convolution; 1 for none.
        hidden: units of each hidden layer.
        activation: after each convolution and each hidden layer.
        norm: before each activation.
        dropout: probability, after each hidden layer.
        head_gain: factor of the weights of the last layer.
    """
    spec: Spec = []
    for out in channels:
        spec.append(f"conv {out} {kernel} padding=same law={_law(activation)}")
        spec += [*([norm] if norm else []), activation]
        spec += [f"maxpool {pool}"] if pool != 1 else []
    spec.append("flatten")
    for units in hidden:
        spec += _hidden(units, activation, norm, dropout)
    return [*spec, _head(n_out, activation, head_gain)]


def rnn(shape: Shape, *, n_out: int, hidden: Sequence[int] = (64,), to: To = "one") -> Spec:
    """Simple recurrent layers: hidden units of each; `to` one output or a sequence of them."""
    return [*(f"rnn {units}" for units in hidden), *_ending(n_out, to)]


def gru(shape: Shape, *, n_out: int, hidden: Sequence[int] = (64,), to: To = "one") -> Spec:
    """Gated recurrent units: hidden units of each layer; `to` one output or a sequence of them."""
    return [*(f"gru {units}" for units in hidden), *_ending(n_out, to)]


def lstm(shape: Shape, *, n_out: int, hidden: Sequence[int] = (64,), to: To = "one") -> Spec:
    """LSTM layers: hidden units of each; `to` one output or a sequence of them."""
    return [*(f"lstm {units}" for units in hidden), *_ending(n_out, to)]


def transformer(
    shape: Shape,
    *,
    n_out: int,
    length: int,
    width: int = 64,
    heads: int = 4,
    blocks: int = 2,
    causal: bool = True,
    dropout: float = 0.0,
    to: To = "one",
) -> Spec:
    """Self-attention over the steps.

    Args:
        shape: of a sample, [T, F].
        n_out: outputs.
        length: the longest sequence.
        width: features of a step inside.
        heads: of each block.
        blocks: how many.
        causal: no step attends to a later one.
        dropout: probability, in each block.
        to: one output, of the last step, or one of every step.
    """
    block = f"transformer {heads} causal={str(causal).lower()} dropout={dropout}"
    spec = [f"linear {width} law=xavier", f"position {length}", *[block] * blocks, "layernorm"]
    return [*spec, *_ending(n_out, to)]


def tcn(
    shape: Shape,
    *,
    n_out: int,
    width: int = 64,
    kernel: int = 3,
    blocks: int = 3,
    dropout: float = 0.0,
    to: To = "one",
) -> Spec:
    """Temporal blocks of dilation 1, 2, 4 ...: a step sees 2 (kernel - 1) (2^blocks - 1) steps back.

    Args:
        shape: of a sample, [T, F].
        n_out: outputs.
        width: features of a step inside.
        kernel: steps that each convolution sees.
        blocks: how many.
        dropout: probability, in each block.
        to: one output, of the last step, or one of every step.
    """
    spec = [f"temporal {width} {kernel} dilation={2**i} dropout={dropout}" for i in range(blocks)]
    return [*spec, *_ending(n_out, to)]


def _flat(shape: Shape) -> Spec:
    return ["flatten"] if len([side for side in shape if side is not None]) > 1 else []


def _law(activation: str) -> str:
    return "he" if activation in HE else "xavier"


def _hidden(units: int, activation: str, norm: str | None, dropout: float) -> Spec:
    spec = [f"linear {units} law={_law(activation)}", *([norm] if norm else []), activation]
    return [*spec, f"dropout {dropout}"] if dropout else spec


def _head(n_out: int, activation: str, gain: float) -> str:
    return f"linear {n_out} law={_law(activation)} gain={gain}"


def _ending(n_out: int, to: str) -> Spec:
    return [*(["last"] if to == "one" else []), f"linear {n_out} law=xavier"]


MODELS: dict[str, Callable[..., Spec]] = {
    "linear": linear,
    "mlp": mlp,
    "cnn": cnn,
    "rnn": rnn,
    "gru": gru,
    "lstm": lstm,
    "transformer": transformer,
    "tcn": tcn,
}
"""By name."""
SEQUENCES = ("rnn", "gru", "lstm", "transformer", "tcn")
"""Those over sequences."""
