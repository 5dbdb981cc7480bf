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

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Count, NonNegative, Probability
from rlcourse.agents.deep.base import arrays_below, hard_copy, soft_copy
from rlcourse.agents.deep.codec import Codec
from rlcourse.agents.deep.networks import argmax_actions, body
from rlcourse.agents.deep.replay import Replay
from rlcourse.agents.deep.values import ValueAgent, ValueConfig
from rlcourse.errors import UsageError
from rlcourse.nn.linear import Linear
from rlcourse.nn.stack import Sequential, Stacked


@dataclass(frozen=True)
class DRQNConfig(ValueConfig):
    """Settings of `drqn`."""

    memory: Literal["gru", "lstm"] = "gru"
    """Kind of memory."""
    memory_size: Count = 64
    """Units of the memory."""
    sequence_length: Count = 16
    """Steps to learn from in a piece of an episode."""
    burn_in: int = 16
    """Steps before them at most, which warm the memory up."""
    buffer_size: Count = 50_000
    """Observations that replay keeps for each member, shared among its copies of the world."""
    learning_starts: Count = 500
    """Environment steps before the first update."""
    batch_size: Count = 16
    """Pieces in an update, of each member."""
    train_freq: Count = 4
    """Steps of the population between updates."""
    gradient_steps: Count = 1
    """Updates each time."""
    target_update_interval: Count = 500
    """Environment steps between updates of the target network."""
    tau: Probability = 1.0
    """Share of the weights that the target network takes over."""
    double: bool = True
    """The network chooses the next action, the target network says its value (van Hasselt et al. 2016)."""
    recency_half_life: NonNegative = 0.0
    """A piece older by so many steps is drawn half as often; 0: all are drawn as often."""


class RecurrentQ(Stacked):
    """Rows to hidden units, a memory of them, and values of the actions.

    Args:
        codec: what a row is.
        size: members S.
        n_actions: A.
        config: `net_arch`, `activation`, `memory`, `memory_size`.
    """

    def __init__(self, codec: Codec, size: int, n_actions: int, config: Any) -> None:
        from rlcourse.nn.recurrent import GRU, LSTM

        super().__init__(size)
        layers, n = body(codec, size, config.net_arch, config.activation)
        # a body without weights of its own: what is observed goes into the memory as it is
        layers = (
            layers if any(isinstance(layer, Stacked) for layer in layers) else [*layers, Linear(size, n, n)]
        )
        self.body = Sequential(*layers)
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


class DRQN(ValueAgent):
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
        frames = config.buffer_size // self.copies
        if frames < 3:
            raise UsageError(
                f"{self.name}: buffer_size={config.buffer_size} must be at least 3 for each of n_envs={self.copies}"
            )
        self.replay = Replay(self.size, self.copies, frames, self.codec, self.device)
        copies = self.size * self.copies
        self._memory = np.zeros((copies, *self.q.core.state_shape), np.float32)
        self._fresh = np.ones(copies, np.bool_)

    def kept(self) -> dict[str, NDArray[Any]]:
        """Replay, and what is remembered."""
        kept = {f"replay/{name}": array for name, array in self.replay.get_arrays().items()}
        return {**kept, "memory": self._memory, "fresh": self._fresh}

    def check_kept(self, arrays: Arrays) -> None:
        """See `DeepAgent.check_kept`."""
        self.replay.check(arrays_below(arrays, "replay/"), self.n_actions)

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
        self._fresh |= over
        self.replay.cut(over)

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

    def observe(
        self,
        rows: NDArray[Any],
        actions: NDArray[np.int64],
        rewards: NDArray[np.float64],
        next_rows: NDArray[Any],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Into replay."""
        self.replay.add(rows, actions, rewards, next_rows, terminated, truncated)

    def train(self) -> None:
        """Every `train_freq` steps a few updates, every `target_update_interval` a new target."""
        config, step = self.config, self.num_timesteps // self.copies
        if self.num_timesteps >= config.learning_starts and step % config.train_freq == 0:
            self.anneal()
            for _ in range(config.gradient_steps):
                self.update()
        if step % max(1, config.target_update_interval // self.copies) == 0:
            if config.tau == 1.0:
                hard_copy(self.target, self.q)
            else:
                soft_copy(self.target, self.q, config.tau)

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
