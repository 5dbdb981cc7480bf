"""What all deep agents share that act by values: exploration by epsilon, and the greedy policy."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.agents.config import Count, Probability
from rlcourse.agents.deep.base import DeepAgent, DeepConfig
from rlcourse.agents.deep.heads import Head, Scalar
from rlcourse.agents.deep.networks import argmax_actions
from rlcourse.nn.stack import Stacked


@dataclass(frozen=True)
class ValueConfig(DeepConfig):
    """Settings of every deep agent that explores by epsilon."""

    exploration_initial_eps: Probability = 1.0
    """Chance of a random action at the beginning (Mnih et al. 2015)."""
    exploration_final_eps: Probability = 0.05
    """Chance of a random action after `exploration_steps` (stable-baselines3)."""
    exploration_steps: Count = 10_000
    """Environment steps over which the chance falls linearly (a fifth of a budget of 50,000; CleanRL takes half)."""
    exploration_period: Count | None = None
    """So many steps after its beginning exploration begins anew, for worlds that change; never where it is None."""


class ValueAgent(DeepAgent):
    """Acts by the network `q`: the best action, or with chance epsilon any."""

    config_class = ValueConfig

    q: Stacked
    head: Head

    def build(self) -> None:
        """One number an action; a subclass adds networks."""
        self.head = Scalar(self.n_actions)

    @property
    def epsilon(self) -> float:
        """The chance of a random action now."""
        config, t = self.config, self.num_timesteps
        if config.exploration_period is not None:
            t %= config.exploration_period
        share = min(1.0, t / config.exploration_steps)
        start, end = config.exploration_initial_eps, config.exploration_final_eps
        return float(start + share * (end - start))

    def act(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """See `DeepAgent.act`."""
        from rlcourse.agents.deep.acting import epsilon_greedy

        if self.quick is not None and self.quick.fits(rows):
            values = self.quick(rows)
            if self.head.n_atoms > 1:
                values = self.head.values(torch.from_numpy(values)).numpy()
        else:
            values = self._values(self.tensor(rows))
        return epsilon_greedy(np.ascontiguousarray(values), self.epsilon, self.stream)

    @functools.cached_property
    def quick(self) -> Any:
        """The network in one compiled call, for acting; `None` where it is not plain enough."""
        from rlcourse.agents.deep.quick import QuickNetwork

        return QuickNetwork.of(self.q)

    def choose(
        self, rows: Tensor, state: Any, episode_start: Any, deterministic: bool
    ) -> tuple[NDArray[np.int64], Any]:
        """See `DeepAgent.choose`."""
        if deterministic:
            return argmax_actions(self.head.values(self.q(rows))), None
        from rlcourse.agents.deep.acting import epsilon_greedy

        return epsilon_greedy(self._values(rows), self.epsilon, self._predict_stream), None

    def _values(self, rows: Tensor) -> NDArray[np.float32]:
        with torch.inference_mode():
            return self.head.values(self.q(rows)).contiguous().cpu().numpy()

    def action_values(self, observation: Any) -> NDArray[np.float64] | None:
        """See `Agent.action_values`."""
        rows, lead = self._asked_values(observation)
        return self._values(rows).astype(np.float64).reshape(*lead, self.n_actions)
