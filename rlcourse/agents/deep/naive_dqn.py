"""Naive deep Q-learning: the tabular rule with a network in the place of the table, and why it does not work so well.

    y = R + gamma max_a Q(S', a)
    loss = (y - Q(S, A))^2          of the step that has just been made, and of no other

Steps that follow each other are alike, so the network forgets what it knew elsewhere; and y moves with the network that runs
after it. Replay and a target network were made against these two (see `dqn`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rlcourse.agents.config import Positive
from rlcourse.agents.deep.networks import q_network
from rlcourse.agents.deep.values import ValueAgent, ValueConfig


@dataclass(frozen=True)
class NaiveDQNConfig(ValueConfig):
    """Settings of `naive_dqn`."""

    max_grad_norm: Positive | None = None
    """The gradient is not clipped."""


class NaiveDQN(ValueAgent):
    """Q-learning with a network, online: no replay, no target network."""

    name = "naive_dqn"
    config_class = NaiveDQNConfig

    def build(self) -> None:
        """One network."""
        super().build()
        self.q = self.add_network("q", q_network(self.codec, self.size, self.n_actions, self.config))
        self.optimiser = self.add_optimiser("q", self.q)

    def observe(
        self,
        rows: NDArray[Any],
        actions: NDArray[np.int64],
        rewards: NDArray[np.float64],
        next_rows: NDArray[Any],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Learn from the step at once."""
        seen = self.tensor(rows.reshape(self.size, self.copies, *self.codec.row_shape))
        after = self.tensor(next_rows.reshape(seen.shape))
        table = (self.size, self.copies)
        goes_on = self.tensor((~terminated).astype(np.float32).reshape(table))
        with torch.no_grad():
            y = self.tensor(rewards.astype(np.float32).reshape(table))
            y = y + self.config.gamma * goes_on * self.q(after).amax(dim=-1)
        q = self.q(seen).gather(-1, self.tensor(actions.reshape(*table, 1)))[..., 0]
        self.anneal()
        self.optimiser.step(((y - q) ** 2).mean(dim=1).sum())

    def train(self) -> None:
        """Nothing is left to do."""
