"""The lower end of every table: the player who knows nothing."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import check_steps
from rlcourse.agents.control import ControlAgent
from rlcourse.agents.observations import leading_shape, members_of
from rlcourse.progress import progress_bar


class RandomAgent(ControlAgent):
    """Every action with equal chances in every step: P(A_t = a) = 1 / K. The lower bound of every table.

    It acts in any world with a Discrete action space, whatever is observed there.
    """

    name = "random"

    def learn(self, steps: int, *, progress: bool = False) -> Self:
        """Act for so many steps; there is nothing to learn (see `Agent.learn`)."""
        steps = check_steps(steps)
        stride = max(1, steps // 200)
        with progress_bar(steps, f"{self.name} x {self.size}", show=progress) as advance:
            for step in range(1, steps + 1):
                if self._over.any():
                    self.venv.reset(options={"reset_mask": self._over})
                actions = self.first_action + self.stream.integers(self.n_actions)
                _, rewards, terminated, truncated, _ = self.venv.step(actions)
                self.num_timesteps += 1
                self._over = terminated | truncated
                self._note(rewards)
                if step % stride == 0 or step == steps:
                    advance(step % stride or stride)
        return self

    def _note(self, rewards: NDArray[np.float64]) -> None:
        """Enter what was paid into the account."""
        self.running += rewards
        if self._over.any():
            self.episodes[self._over] += 1
            self.earned[self._over] += self.running[self._over]
            self.running[self._over] = 0.0

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """A uniform action, whatever is asked: there is no best action to one who chooses by chance."""
        lead = leading_shape(self.venv.single_observation_space, observation)
        copies = members_of(lead, self.size)
        actions = self._predict_stream.integers(self.n_actions, copies)
        return (self.first_action + actions).reshape(lead), state
