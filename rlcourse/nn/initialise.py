"""How weights are drawn: laws by name, with the fan of one member, from the member's own stream.

| name | law | source |
|---|---|---|
| `he` | N(0, gain^2 / fan_in), gain sqrt 2 for ReLU | He et al. (2015), "Delving deep into rectifiers" |
| `xavier` | U(-l, l), l = gain sqrt(6 / (fan_in + fan_out)) | Glorot & Bengio (2010) |
| `orthogonal` | gain x a random matrix with orthonormal rows or columns | Saxe et al. (2014) |
| `uniform` | U(-l, l), l = 1 / sqrt(fan_in) | torch's default for linear and convolutional layers |
| `zeros` | 0 | |
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from rlcourse.errors import UsageError, did_you_mean
from rlcourse.streams import Streams

Law = Literal["he", "xavier", "orthogonal", "uniform", "zeros"]
LAWS: tuple[str, ...] = get_args(Law)

GAINS = {"he": 2.0**0.5, "xavier": 1.0, "orthogonal": 1.0, "uniform": 1.0, "zeros": 0.0}
"""The gain of each law where none is given."""


def draw_weights(
    weight: Tensor, streams: Streams, law: str, *, fan_in: int, fan_out: int, gain: float | None = None
) -> None:
    """Fill weights `[S, ...]` in place, those of each member from its own stream.

    Args:
        weight: `[S, fan_in, fan_out]` or, of a convolution, any `[S, ...]` of `fan_in * fan_out` or more entries a member.
        streams: of S members.
        law: one of `LAWS`.
        fan_in: inputs of a unit, of one member.
        fan_out: units that an input reaches, of one member.
        gain: factor of the law; `None` is that of `GAINS`.

    Raises:
        UsageError: there is no such law.
    """
    if law not in LAWS:
        raise UsageError(did_you_mean(str(law), LAWS, kind="initialisation"))
    gain = GAINS[law] if gain is None else gain
    shape = tuple(weight.shape[1:])
    if law == "zeros":
        values = np.zeros((len(weight), *shape))
    elif law == "he":
        values = streams.normal(shape) * (gain / np.sqrt(fan_in))
    elif law == "orthogonal":
        values = gain * _orthogonal(streams, shape)
    else:
        limit = gain * (np.sqrt(6.0 / (fan_in + fan_out)) if law == "xavier" else 1.0 / np.sqrt(fan_in))
        values = (2.0 * streams.uniform(shape) - 1.0) * limit
    with torch.no_grad():
        weight.copy_(torch.from_numpy(values.astype(np.float32)))


def _orthogonal(streams: Streams, shape: tuple[int, ...]) -> np.ndarray:
    """Matrices `[S, *shape]`, the first axis of a member against all others, with orthonormal rows or columns."""
    rows, columns = shape[0], int(np.prod(shape[1:]))
    normal = streams.normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q *= np.sign(np.diagonal(r, axis1=1, axis2=2))[
        :, None, :
    ]  # the law does not depend on how QR chooses signs
    return (q.transpose(0, 2, 1) if rows < columns else q).reshape(-1, *shape)
