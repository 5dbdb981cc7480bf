"""Networks of agents: a body, which reads what is observed, and the heads on it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rlcourse.agents.deep.bodies import MakeLinear, body
from rlcourse.agents.deep.codec import Codec
from rlcourse.nn.linear import Linear
from rlcourse.nn.stack import Sequential, Stacked, member_of


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
    """Rows `[S, B, ...]` to values `[S, B, A M]`, by the settings `net_arch` and `activation`, or `body`."""
    layers, n = body(codec, size, config, linear=linear)
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
    layers, n = body(codec, size, config, law="orthogonal", gain=2.0**0.5)
    return Sequential(*layers, Linear(size, n, n_out, law="orthogonal", gain=gain))


def argmax_actions(values: Tensor) -> Any:
    """The first of the best actions, int64, as NumPy has it."""
    return torch.argmax(values, dim=-1).cpu().numpy()
