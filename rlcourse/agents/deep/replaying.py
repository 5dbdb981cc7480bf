"""What all learners of values share that learn from replay, with a target network: when they learn, and what they keep."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Count, NonNegative, Probability
from rlcourse.agents.deep.base import arrays_below, hard_copy, soft_copy
from rlcourse.agents.deep.replay import Replay
from rlcourse.agents.deep.values import ValueAgent, ValueConfig
from rlcourse.checks import enough_memory
from rlcourse.errors import UsageError


@dataclass(frozen=True)
class ReplayConfig(ValueConfig):
    """Settings of every agent with replay."""

    buffer_size: Count = 50_000
    """Observations that replay keeps for each member, shared among its copies of the world."""
    learning_starts: Count = 500
    """Environment steps before the first update."""
    batch_size: Count = 64
    """Transitions of an update, of each member."""
    train_freq: Count = 4
    """Steps of the population between updates (Mnih et al. 2015)."""
    gradient_steps: Count = 1
    """Updates each time."""
    target_update_interval: Count = 500
    """Environment steps between updates of the target network."""
    tau: Probability = 1.0
    """Share of the weights that the target network takes over: 1 is a copy, less is an average (Lillicrap et al. 2016)."""
    recency_half_life: NonNegative = 0.0
    """What is older by so many steps is drawn half as often, for worlds that change; 0: all is drawn as often."""


class ReplayAgent(ValueAgent):
    """Keeps every step in `replay`, and learns from batches of it; `target` is a copy of `q` that stands still in between."""

    config_class = ReplayConfig

    target: Any
    replay: Replay

    @abstractmethod
    def update(self) -> None:
        """One step down the loss."""

    def make_replay(self, *, prioritized: bool = False) -> Replay:
        """An empty replay by the settings.

        Raises:
            UsageError: it would hold no transition, or more than there is memory for.
        """
        frames = self.config.buffer_size // self.copies
        if frames < 3:
            raise UsageError(
                f"{self.name}: buffer_size={self.config.buffer_size} must be at least 3 for each of n_envs={self.copies}"
            )
        leaves = 2 << (self.copies * frames - 1).bit_length() if prioritized else 0
        each = self.row_bytes // self.config.frame_stack + 9  # one observation, action, reward and kind
        n_bytes = self.size * (self.copies * frames * each + 8 * leaves)
        with enough_memory(f"{self.name}: buffer_size={self.config.buffer_size}", n_bytes):
            return Replay(self.size, self.copies, frames, self.codec, self.device, prioritized=prioritized)

    def kept(self) -> dict[str, NDArray[Any]]:
        """Replay."""
        return {f"replay/{name}": array for name, array in self.replay.get_arrays().items()}

    def check_kept(self, arrays: Arrays) -> None:
        """See `DeepAgent.check_kept`."""
        self.replay.check(arrays_below(arrays, "replay/"), self.n_actions)

    def forget_episode(self, over: NDArray[np.bool_]) -> None:
        """See `DeepAgent.forget_episode`."""
        self.replay.cut(over)

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
