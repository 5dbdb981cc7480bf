"""Networks of an actor and its critic, with a memory or without: what to do in a step, and in whole sequences of steps.

All have two ways in, which agree:

    step(rows [S, B, ...], state, fresh [S, B])            -> preferences [S, B, A], values [S, B], state
    unroll(rows [S, B, T, ...], state, fresh [S, B, T])    -> preferences [S, B, T, A], values [S, B, T]

`state` is what was remembered before the first of these steps, `fresh` says where an episode begins, and nothing is
remembered. The chances of the actions are the softmax of the preferences.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rlcourse.agents.deep.bodies import body, with_weights
from rlcourse.agents.deep.codec import Codec
from rlcourse.agents.deep.networks import policy_network
from rlcourse.errors import UsageError
from rlcourse.nn.linear import Linear
from rlcourse.nn.stack import Sequential, Stacked

POLICY_GAIN, VALUE_GAIN = 0.01, 1.0
"""Of the last layers: the policy begins nearly uniform (Huang et al. 2022, detail 2)."""


class Policy(Stacked, ABC):
    """An actor and a critic for each member."""

    state_shape: tuple[int, ...] = ()
    """What each copy remembers, float32; `()` is nothing."""
    remembers = False

    def initial_state(self, copies: int) -> Tensor:
        """Nothing is remembered, `[S, B, *state_shape]`."""
        device = next(iter(self.parameters())).device
        return torch.zeros(self.size, copies, *self.state_shape, device=device)

    @abstractmethod
    def step(self, rows: Tensor, state: Any, fresh: Any) -> tuple[Tensor, Tensor, Any]:
        """See the module."""

    @abstractmethod
    def unroll(self, rows: Tensor, state: Any, fresh: Tensor) -> tuple[Tensor, Tensor]:
        """See the module."""


class FeedForward(Policy):
    """Two networks that share nothing, as stable-baselines3 has them for vectors."""

    def __init__(self, codec: Codec, size: int, n_actions: int, config: Any) -> None:
        super().__init__(size)
        self.actor = policy_network(codec, size, n_actions, config, gain=POLICY_GAIN)
        self.critic = policy_network(codec, size, 1, config, gain=VALUE_GAIN)

    def step(self, rows: Tensor, state: Any, fresh: Any) -> tuple[Tensor, Tensor, Any]:
        """See `Policy`."""
        return self.actor.forward(rows), self.critic.forward(rows)[..., 0], None

    def unroll(self, rows: Tensor, state: Any, fresh: Tensor) -> tuple[Tensor, Tensor]:
        """See `Policy`: the steps go along with the batch."""
        lead = rows.shape[:3]
        flat = rows.flatten(1, 2)
        preferences, values, _ = self.step(flat, None, None)
        return preferences.reshape(*lead, -1), values.reshape(lead)


class Recurrent(Policy):
    """One body, a GRU or an LSTM on it, and two layers that read what it remembers (Mnih et al. 2016).

    Args:
        codec: what a row is.
        size: members S.
        n_actions: A.
        config: `net_arch` or `body`, the layers before the memory; `memory`; `memory_size`, its units.
    """

    remembers = True

    def __init__(self, codec: Codec, size: int, n_actions: int, config: Any) -> None:
        from rlcourse.nn.recurrent import GRU, LSTM

        super().__init__(size)
        layers, n = body(codec, size, config, law="orthogonal", gain=2.0**0.5)
        self.body = with_weights(layers, size, n)
        self.core = {"gru": GRU, "lstm": LSTM}[config.memory](size, n, config.memory_size)
        self.state_shape = self.core.state_shape
        self.actor = Linear(size, config.memory_size, n_actions, law="orthogonal", gain=POLICY_GAIN)
        self.critic = Linear(size, config.memory_size, 1, law="orthogonal", gain=VALUE_GAIN)

    def step(self, rows: Tensor, state: Any, fresh: Any) -> tuple[Tensor, Tensor, Any]:
        """See `Policy`."""
        output, state = self.core.step(self.body(rows), state, fresh)
        return self.actor(output), self.critic(output)[..., 0], state

    def unroll(self, rows: Tensor, state: Any, fresh: Tensor) -> tuple[Tensor, Tensor]:
        """See `Policy`."""
        features = self.body(rows.flatten(1, 2)).unflatten(1, rows.shape[1:3])
        outputs, _ = self.core(features, state, fresh)
        return self.actor(outputs), self.critic(outputs)[..., 0]


class Attention(Policy):
    """Looks back at the last `memory_length` steps of its episode, a transformer block of one layer on top of the body.

    What is remembered are the features of the steps before, and for each place whether it holds one (1) or not (0). A step
    looks at itself and at those steps; how far back one lies is told by a bias that falls with the distance, by another slope
    in every head (Press et al. 2022, "Train short, test long"). One layer, since the features of a step then do not depend on
    what was before it, so that `step` and `unroll` agree.

    Args:
        codec: what a row is.
        size: members S.
        n_actions: A.
        config: `net_arch` or `body`; `memory_size`, the width D; `memory_length`, K; `memory_heads`.
    """

    remembers = True

    def __init__(self, codec: Codec, size: int, n_actions: int, config: Any) -> None:
        from rlcourse.nn.normalisation import LayerNorm

        super().__init__(size)
        width, self.length, self.heads = config.memory_size, config.memory_length, config.memory_heads
        if width % self.heads:
            raise UsageError(f"memory_heads={self.heads} must divide memory_size={width}")
        layers, n = body(codec, size, config, law="orthogonal", gain=2.0**0.5)
        self.body = Sequential(*layers, Linear(size, n, width, law="orthogonal"))
        self.project = Linear(size, width, 3 * width, law="xavier")
        self.out = Linear(size, width, width, law="xavier")
        self.hidden, self.narrow = (
            Linear(size, width, 2 * width),
            Linear(size, 2 * width, width, law="xavier"),
        )
        self.norm1, self.norm2, self.norm3 = (LayerNorm(size, width) for _ in range(3))
        self.actor = Linear(size, width, n_actions, law="orthogonal", gain=POLICY_GAIN)
        self.critic = Linear(size, width, 1, law="orthogonal", gain=VALUE_GAIN)
        self.state_shape = (self.length - 1, width + 1)

    def step(self, rows: Tensor, state: Any, fresh: Any) -> tuple[Tensor, Tensor, Any]:
        """See `Policy`."""
        begins = torch.zeros(rows.shape[:2], dtype=torch.bool, device=rows.device) if fresh is None else fresh
        outputs, state = self._run(rows.unsqueeze(2), state, begins.unsqueeze(2))
        return self.actor(outputs)[:, :, 0], self.critic(outputs)[:, :, 0, 0], state

    def unroll(self, rows: Tensor, state: Any, fresh: Tensor) -> tuple[Tensor, Tensor]:
        """See `Policy`."""
        outputs, _ = self._run(rows, state, fresh)
        return self.actor(outputs), self.critic(outputs)[..., 0]

    def _run(self, rows: Tensor, state: Tensor, fresh: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs `[S, B, T, D]` and what is remembered after the last step."""
        features = self.body(rows.flatten(1, 2)).unflatten(1, rows.shape[1:3])
        before = self.length - 1
        tokens = torch.cat([state[..., :-1], features], dim=2)
        episode = torch.cat([state[..., -1] - 1.0, fresh.cumsum(dim=2).float()], dim=2)  # -1: holds no step
        there, back = (
            torch.arange(tokens.shape[2], device=rows.device),
            before + torch.arange(rows.shape[2], device=rows.device),
        )
        age = back[:, None] - there[None, :]
        seen = (age >= 0) & (age < self.length) & (episode[:, :, before:, None] == episode[:, :, None, :])
        x = features + self._attend(self.norm1(tokens), age, seen)
        x = x + self.narrow(torch.relu(self.hidden(self.norm2(x))))
        valid = (episode[:, :, -before:] == episode[:, :, -1:]).float() if before else episode[:, :, :0]
        return self.norm3(x), torch.cat(
            [tokens[:, :, tokens.shape[2] - before :], valid.unsqueeze(-1)], dim=-1
        )

    def _attend(self, tokens: Tensor, age: Tensor, seen: Tensor) -> Tensor:
        """What the last T tokens see of all K - 1 + T, `[S, B, T, D]`."""
        S, B, C, D = tokens.shape
        q, k, v = (
            self.project(tokens).reshape(S, B, C, 3, self.heads, D // self.heads).permute(3, 0, 1, 4, 2, 5)
        )
        slopes = 2.0 ** (-8.0 * (torch.arange(self.heads, device=tokens.device) + 1.0) / self.heads)
        bias = (-slopes[:, None, None] * age).masked_fill(~seen.unsqueeze(2), -torch.inf)
        y = functional.scaled_dot_product_attention(q[..., -len(age) :, :], k, v, attn_mask=bias)
        return self.out(y.transpose(2, 3).reshape(S, B, -1, D))


def make_policy(codec: Codec, size: int, n_actions: int, config: Any) -> Policy:
    """The actor and critic that the setting `memory` names."""
    kinds: dict[str, Any] = {
        "none": FeedForward,
        "gru": Recurrent,
        "lstm": Recurrent,
        "attention": Attention,
    }
    policy: Policy = kinds[config.memory](codec, size, n_actions, config)
    return policy
