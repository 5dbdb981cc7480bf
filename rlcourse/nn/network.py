"""Networks by a short spec: a list of parts, or the name of a model that stands for such a list.

    build(["conv 16 3x3", "relu", "maxpool 2", "flatten", "linear 64", "relu", "linear 4"], n_in=(6, 8, 8), size=10)
    build("mlp", n_in=4, n_out=2, hidden=[64, 64], activation="tanh", size=10)

The parts are those of `rlcourse.nn.parts`, the models those of `rlcourse.nn.models`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from rlcourse.checks import check_count
from rlcourse.errors import UsageError
from rlcourse.nn.attention import PositionalEmbedding, SelfAttention, TransformerBlock
from rlcourse.nn.parts import Shape, make_parts
from rlcourse.nn.recurrent import Recurrent
from rlcourse.nn.sequences import EachStep, Last, Mean, OutputsOnly
from rlcourse.nn.stack import Sequential, member_of
from rlcourse.nn.temporal import CausalConv1d, TemporalBlock
from rlcourse.streams import Streams

State = tuple[Tensor, ...]
"""Of the recurrent parts, in their order."""

EPISODIC = (SelfAttention, TransformerBlock, CausalConv1d, TemporalBlock)
"""Parts over time that know of episodes and have no state."""


class Network(Sequential):
    """A stack of S networks with one spec: `[S, B, *n_in] -> [S, B, *n_out]`.

    Args:
        spec: the parts in their order.
        n_in: shape of a sample; `None` first is a sequence of any length.
        size: members S.

    Raises:
        UsageError: a part does not fit; the line names it.
    """

    def __init__(self, spec: Sequence[str], n_in: Shape, size: int) -> None:
        parts, shapes = make_parts(spec, size, n_in)
        if not any(True for part in parts for _ in part.parameters()):
            raise UsageError(f"spec={list(spec)!r} has no part with weights")
        super().__init__(*parts)
        self.spec = tuple(spec)
        self.shapes = shapes

    @property
    def n_in(self) -> Shape:
        """Shape of a sample."""
        return self.shapes[0]

    @property
    def n_out(self) -> Shape:
        """Shape of what comes out for a sample."""
        return self.shapes[-1]

    def forward(self, x: Tensor, episode_start: Tensor | None = None) -> Tensor:
        """`[S, B, *n_in] -> [S, B, *n_out]`, a sequence from a state of zeros; see `run`."""
        return self.run(x, None, episode_start)[0]

    def run(
        self, x: Tensor, state: State | None = None, episode_start: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """A whole sequence, with the state of the recurrent parts.

        Args:
            x: `[S, B, T, ...]`.
            state: before the first step, see `initial_state`; `None` is zeros.
            episode_start: bool `[S, B, T]`, whether an episode begins with that step: what was before does not reach it.

        Returns:
            The outputs and the state after the last step.
        """
        before = iter(() if state is None else state)
        after = []
        for part in self.parts:
            if isinstance(part, Recurrent):
                x, last = part(x, next(before, None), episode_start)
                after.append(last)
            elif isinstance(part, EPISODIC):
                x = part(x, episode_start)
            else:
                x = part(x)
        return x, tuple(after)

    def step(self, x: Tensor, state: State, episode_start: Tensor | None = None) -> tuple[Tensor, State]:
        """One step of a sequence, as for acting.

        Args:
            x: `[S, B, ...]`, without the axis of time.
            state: see `initial_state`.
            episode_start: bool `[S, B]`.

        Returns:
            The output `[S, B, ...]` and the state after it.

        Raises:
            UsageError: a part needs to see the whole sequence.
        """
        for text, part in zip(self.spec, self.parts, strict=True):
            if isinstance(part, (*EPISODIC, PositionalEmbedding, Mean)):
                raise UsageError(f"{text!r} sees a whole sequence and has no single step")
        before, after = iter(state), []
        for part in self.parts:
            if isinstance(part, Recurrent):
                x, last = part.step(x, next(before), episode_start)
                after.append(last)
            elif isinstance(part, EachStep):
                x = part.part(x)
            elif not isinstance(part, Last):
                x = part(x)
        return x, tuple(after)

    def initial_state(self, batch: int) -> State:
        """Zeros `[S, B, *state_shape]` for every recurrent part; nothing where there is none."""
        return tuple(part.initial_state(batch) for part in self.parts if isinstance(part, Recurrent))

    def member(self, k: int) -> nn.Sequential:
        """See `Stacked.member`; recurrent parts start from zeros."""
        ones = ((part, member_of(part, k)) for part in self.parts)
        return nn.Sequential(
            *(OutputsOnly(one) if isinstance(part, Recurrent) else one for part, one in ones)
        )


def build(
    spec: str | Sequence[str],
    n_in: int | Sequence[int | None],
    *,
    size: int = 1,
    streams: Streams | None = None,
    **options: Any,
) -> Network:
    """A network with its weights drawn.

    Args:
        spec: the name of a model, see `rlcourse.nn.models`; or a list of parts, see `rlcourse.nn.parts`.
        n_in: shape of a sample, or its features; `()` is an index, `(None, F)` a sequence of any length.
        size: members S.
        streams: of S members, from which the weights are drawn; `None` are those of the seeds 0 to S - 1.
        options: of the model, with `n_out` among them; a list of parts has none.

    Raises:
        UsageError: no such model, an option that it does not have, or a part that does not fit, which the line names.
    """
    from rlcourse.nn.models import model_spec

    check_count("size", size)
    if not isinstance(n_in, (int, Sequence)):
        raise UsageError(f"n_in={n_in!r} must be a whole number, or a sequence of them")
    shape: Shape = (n_in,) if isinstance(n_in, int) else tuple(n_in)
    if not all(side is None or side >= 1 for side in shape) or None in shape[1:]:
        raise UsageError(f"n_in={n_in!r} must be lengths of at least 1; only the first may be None, for time")
    if isinstance(spec, str):
        parts, shape = model_spec(spec, shape, options)
    elif options:
        raise UsageError(f"a list of parts has no options, got {', '.join(options)}")
    else:
        parts = list(spec)
    network = Network(parts, shape, size)
    network.initialise(Streams.from_seeds(range(size), "weights") if streams is None else streams)
    return network
