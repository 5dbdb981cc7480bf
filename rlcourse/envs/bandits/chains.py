"""Small Markov chains, many at once: draws by inversion, and the sums that go with them.

Everything here adds column by column. So a row of a batch is rounded like the same row alone, which NumPy's own sums and
matrix products do not promise, and for the few columns of a bandit it is quicker, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PAST_ALL = 2.0
"""A level that no uniform number reaches."""


def cumulate(chances: Floats) -> Floats:
    """The distribution functions of probabilities `[..., M]`, for `choose`.

    From the last possible outcome on they are above every level, however the sum was rounded, so that an outcome of
    probability 0 is never drawn.
    """
    upto = np.cumsum(chances, axis=-1)
    return np.where(upto >= upto[..., -1:], PAST_ALL, upto)


def choose(upto: Floats, level: Floats) -> NDArray[np.int64]:
    """Outcomes `[...]` by inversion: `upto [..., M]` comes from `cumulate`, `level [...]` is uniform on [0, 1)."""
    outcome = np.zeros(level.shape, np.int64)
    for column in range(upto.shape[-1] - 1):
        outcome += upto[..., column] <= level
    return outcome


def dot(a: Floats, b: Floats) -> Floats:
    """The sum of `a b` over the last axis; the other axes broadcast."""
    total = a[..., 0] * b[..., 0]
    for column in range(1, a.shape[-1]):
        total += a[..., column] * b[..., column]
    return total


def weigh(belief: Floats, likelihood: Floats) -> Floats:
    """Bayes' rule on beliefs `[B, R]`: b(r) L(r) / sum over r of b(r) L(r)."""
    return belief * likelihood / dot(belief, likelihood)[:, None]


def predict(belief: Floats, transitions: Floats) -> Floats:
    """Beliefs `[B, R]` a move later: b'(q) = sum over r of b(r) P(q | r), with P `[R, R]`, row = from."""
    columns = belief.T.copy()
    after = transitions[0][:, None] * columns[0]
    for r in range(1, len(columns)):
        after += transitions[r][:, None] * columns[r]
    return after.T
