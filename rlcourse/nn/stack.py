"""What a stacked layer is: S layers in one, each with weights of its own that it drew from its own stream."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from rlcourse.streams import Streams


class Stacked(nn.Module):
    """S networks of one shape, trained side by side; member `k` sees `x[k]` and nothing else.

    A subclass says what its own weights are drawn from (`draw`), and what one member is as an ordinary module (`member`).

    Args:
        size: the number of members S.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def initialise(self, streams: Streams) -> None:
        """Draw the weights of every member from its own stream: those of the parts in their order, then its own.

        Args:
            streams: of S members. Member `k` draws the same weights in every population.
        """
        for part in self.children():
            if isinstance(part, Stacked):
                part.initialise(streams)
        self.draw(streams)

    def draw(self, streams: Streams) -> None:
        """Draw the weights that are its own, not those of its parts."""

    def member(self, k: int) -> nn.Module:
        """Member `k` as an ordinary `torch.nn.Module` with copies of its weights: `[B, ...]` in, the same out of it."""
        raise NotImplementedError(f"{type(self).__name__} does not say what a member of it is")


class Sequential(Stacked):
    """One part after the other.

    Args:
        parts: stacked modules of one size, or modules without weights: that work on `[S, B, ...]` as they do on `[B, ...]`, or
            that say with `member(k)` what works on `[B, ...]`.
    """

    def __init__(self, *parts: nn.Module) -> None:
        sizes = {part.size for part in parts if isinstance(part, Stacked)}
        if len(sizes) != 1:
            raise ValueError(f"the parts of a stack must have one size, got {sorted(sizes)}")
        super().__init__(sizes.pop())
        self.parts = nn.ModuleList(parts)

    def initialise(self, streams: Streams) -> None:
        """See `Stacked.initialise`."""
        for part in self.parts:
            if isinstance(part, Stacked):
                part.initialise(streams)

    def forward(self, x: Tensor) -> Tensor:
        """`[S, B, ...]` through all parts.

        Their `forward` is called as it is, without hooks of torch's on the parts: in small networks the way through
        `Module.__call__` costs a third of the time. Linear layers with activations between them are run as one.
        """
        if self._machine_code is not None and not torch.is_inference_mode_enabled():
            found: Tensor = self._machine_code(x)
            return found
        from rlcourse.nn.chain import chain_at, run_chain

        parts: list[Any] = list(self.parts._modules.values())
        at = 0
        while at < len(parts):
            n = chain_at(parts, at) if x.dim() == 3 else 0
            if n:
                x = run_chain(parts[at : at + n], x)
            elif type(parts[at]) is nn.Tanh:
                from rlcourse.nn.tanh import tanh

                x = tanh(x)
            else:
                x = parts[at].forward(x)
            at += n or 1
        return x

    _machine_code: Any = None

    def compile_for_training(self) -> None:
        """Have torch.compile make machine code of it, for each shape that it meets outside of inference mode.

        Copies and pickles of it are without.
        """
        from torch._dynamo import config

        config.cache_size_limit = max(config.cache_size_limit, 64)  # one for all networks of a process
        self._machine_code = torch.compile(self._part_by_part, dynamic=False)

    def _part_by_part(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part.forward(x)
        return x

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_machine_code"}

    def member(self, k: int) -> nn.Module:
        """See `Stacked.member`."""
        return nn.Sequential(*(member_of(part, k) for part in self.parts))

    def __iter__(self) -> Iterator[nn.Module]:
        return iter(self.parts)


def member_of(part: nn.Module, k: int) -> nn.Module:
    """Member `k` of a stacked module, or what stands for a module without weights in every member."""
    member: Any = getattr(part, "member", None)
    one: nn.Module = copy.deepcopy(part) if member is None else member(k)
    return one


def copied(parameter: Tensor, k: int) -> nn.Parameter:
    """The weights of member `k`, out of `[S, ...]`, as a parameter of an ordinary module."""
    return nn.Parameter(parameter.detach()[k].clone())
