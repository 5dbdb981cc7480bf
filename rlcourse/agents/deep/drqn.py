"""Deep recurrent Q-learning: DQN for worlds that do not show where one is, over what was seen in the episode so far.

    h_t = GRU(h_{t-1}, body(o_t)),   Q(h_t, .)
    y_t = R_{t+1} + gamma max_a Q'(h'_{t+1}, a),   loss = Huber(y_t - Q(h_t, A_t))

over pieces of episodes from replay. The first `burn_in` steps of a piece only warm the memory up, which begins at zero.

Source: Hausknecht & Stone (2015), "Deep recurrent Q-learning for partially observable MDPs"; burn-in: Kapturowski et al.
(2019), "Recurrent experience replay in distributed reinforcement learning".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rlcourse.agents.config import Count
from rlcourse.agents.deep.bodies import body, with_weights
from rlcourse.agents.deep.codec import Codec
from rlcourse.agents.deep.networks import argmax_actions
from rlcourse.agents.deep.replaying import ReplayAgent, ReplayConfig
from rlcourse.errors import UsageError
from rlcourse.nn.linear import Linear
from rlcourse.nn.stack import Stacked


@dataclass(frozen=True)
class DRQNConfig(ReplayConfig):
    """Settings of `drqn`."""

    memory: Literal["gru", "lstm"] = "gru"
    """Kind of memory."""
    memory_size: Count = 64
    """Units of the memory."""
    sequence_length: Count = 16
    """Steps to learn from in a piece of an episode."""
    burn_in: int = 16
    """Steps before them at most, which warm the memory up."""
    batch_size: Count = 16
    """Pieces in an update, of each member."""
    double: bool = True
    """The network chooses the next action, the target network says its value (van Hasselt et al. 2016)."""


class RecurrentQ(Stacked):
    """Rows to hidden units, a memory of them, and values of the actions.

    Args:
        codec: what a row is.
        size: members S.
        n_actions: A.
        config: `net_arch` and `activation`, or `body`; `memory`, `memory_size`.
    """

    def __init__(self, codec: Codec, size: int, n_actions: int, config: Any) -> None:
        from rlcourse.nn.recurrent import GRU, LSTM

        super().__init__(size)
        layers, n = body(codec, size, config)
        self.body = with_weights(layers, size, n)
        self.core = {"gru": GRU, "lstm": LSTM}[config.memory](size, n, config.memory_size)
        self.head = Linear(size, config.memory_size, n_actions, law="uniform")

    def step(self, rows: Tensor, state: Tensor, fresh: Tensor | None) -> tuple[Tensor, Tensor]:
        """Values `[S, B, A]` and the memory after one step, of rows `[S, B, ...]`."""
        output, state = self.core.step(self.body(rows), state, fresh)
        return self.head(output), state

    def unroll(self, rows: Tensor) -> Tensor:
        """Values `[S, B, T, A]` in sequences `[S, B, T, ...]`, from an empty memory."""
        features = self.body(rows.flatten(1, 2)).unflatten(1, rows.shape[1:3])
        return self.head(self.core(features)[0])


class DRQN(ReplayAgent):
    """DQN with a memory."""

    name = "drqn"
    config_class = DRQNConfig

    def build(self) -> None:
        """The network, its target, replay, and what the copies remember."""
        super().build()
        config = self.config
        if config.burn_in < 0:
            raise UsageError(f"{self.name}: burn_in={config.burn_in} must be at least 0")
        make = (self.codec, self.size, self.n_actions, config)
        self.q: RecurrentQ = self.add_network("q", RecurrentQ(*make))
        self.target: RecurrentQ = self.add_network("target", RecurrentQ(*make), like="q")
        self.optimiser = self.add_optimiser("q", self.q)
        self.replay = self.make_replay()
        copies = self.size * self.copies
        self._memory = np.zeros((copies, *self.q.core.state_shape), np.float32)
        self._fresh = np.ones(copies, np.bool_)

    def kept(self) -> dict[str, NDArray[Any]]:
        """Replay, and what is remembered."""
        return {**super().kept(), "memory": self._memory, "fresh": self._fresh}

    def act(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """See `DeepAgent.act`."""
        from rlcourse.agents.deep.acting import epsilon_greedy

        table = (self.size, self.copies)
        with torch.inference_mode():
            values, state = self.q.step(
                self.tensor(rows),
                self.tensor(self._memory.reshape(*table, *self._memory.shape[1:])),
                self.tensor(self._fresh.reshape(table)),
            )
        self._memory[...] = state.flatten(0, 1).cpu().numpy()
        self._fresh[:] = False
        return epsilon_greedy(values.contiguous().cpu().numpy(), self.epsilon, self.stream)

    def forget_episode(self, over: NDArray[np.bool_]) -> None:
        """See `DeepAgent.forget_episode`."""
        super().forget_episode(over)
        self._fresh |= over

    def first_memory(self, copies: int) -> Tensor | None:
        """See `DeepAgent.first_memory`."""
        return self.q.core.initial_state(copies)

    def choose(
        self, rows: Tensor, state: Any, episode_start: Any, deterministic: bool
    ) -> tuple[NDArray[np.int64], Any]:
        """See `DeepAgent.choose`."""
        state = self.q.core.initial_state(rows.shape[1]) if state is None else state
        fresh = None if episode_start is None else self.tensor(episode_start)
        values, state = self.q.step(rows, state, fresh)
        if deterministic:
            return argmax_actions(values), state
        from rlcourse.agents.deep.acting import epsilon_greedy

        return epsilon_greedy(values.contiguous().cpu().numpy(), self.epsilon, self._predict_stream), state

    def _values(self, rows: Tensor) -> NDArray[np.float32]:
        """At the beginning of an episode."""
        with torch.inference_mode():
            values, _ = self.q.step(rows, self.q.core.initial_state(rows.shape[1]), None)
        return values.contiguous().cpu().numpy()

    def update(self) -> None:
        """One step down the loss."""
        config = self.config
        places = self.replay.draw(self.stream, config.batch_size, half_life=config.recency_half_life)
        piece = self.replay.sequences(places, before=config.burn_in, length=config.sequence_length)
        with torch.no_grad():
            after = self.target.unroll(piece.rows)[:, :, 1:]
        values = self.q.unroll(piece.rows)
        with torch.no_grad():
            best = (values[:, :, 1:] if config.double else after).argmax(dim=-1, keepdim=True)
            y = piece.rewards + config.gamma * piece.bootstraps * after.gather(-1, best)[..., 0]
        q = values[:, :, :-1].gather(-1, piece.actions.unsqueeze(-1))[..., 0]
        losses = functional.smooth_l1_loss(q, y, reduction="none") * piece.counts
        self.optimiser.step((losses.sum(dim=(1, 2)) / piece.counts.sum(dim=(1, 2)).clamp(min=1.0)).sum())
