"""How large a model may be: asked before its states are enumerated."""

from __future__ import annotations

from rlcourse.errors import UsageError

MEMORY_LIMIT = 4 << 30
"""Bytes that a model may take, planning included: half of a small laptop."""
_BYTES_OUTCOME = 25 + 12
"""An outcome: probability, next state, reward (8 each), terminated (1); once more without reward for planning (8 + 4)."""
_BYTES_PAIR = 8 + 4 + 8
"""A state-action pair: where its outcomes begin, the same for planning, the expected reward."""


def check_model_size(
    states: int, actions: int, outcomes: int = 1, *, beside: int = 0, limit: int = MEMORY_LIMIT
) -> int:
    """The bytes that a model and planning on it will take; to be asked before the states are enumerated.

    Args:
        states: X.
        actions: A.
        outcomes: of one state-action pair, at most.
        beside: bytes that a state takes beside, while the model is made.
        limit: bytes that are allowed.

    Raises:
        UsageError: it would take more than the limit; says how many states there are.
    """
    size = states * (actions * (outcomes * _BYTES_OUTCOME + _BYTES_PAIR) + beside)
    if size > limit:
        raise UsageError(
            f"a model of {states:,} states x {actions} actions x {outcomes} outcomes would take {size / 2**30:,.1f} GiB, "
            f"more than the limit of {limit / 2**30:,.1f} GiB: take a smaller world, or an agent that needs no model"
        )
    return size
