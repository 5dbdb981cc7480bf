"""REINFORCE: after an episode, make what was done more likely, the more so the better it went on from there.

    G_t = R_{t+1} + gamma R_{t+2} + ...
    loss = - sum_t ln pi(A_t|S_t) (G_t - b(S_t))  +  vf_coef sum_t (G_t - b(S_t))^2,      both over the number of steps

The baseline b is a critic's value, or 0. Source: Williams (1992); Sutton & Barto (2018), sections 13.3 and 13.4 (without the
factor gamma^t, which nearly all implementations leave out).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Count, NonNegative, Positive
from rlcourse.agents.deep.actor_critic import log_chances_and_entropy
from rlcourse.agents.deep.base import DeepAgent, DeepConfig
from rlcourse.agents.deep.networks import argmax_actions
from rlcourse.agents.deep.policies import FeedForward
from rlcourse.agents.deep.replay import check_range
from rlcourse.checks import enough_memory
from rlcourse.errors import UsageError


@dataclass(frozen=True)
class ReinforceConfig(DeepConfig):
    """Settings of `reinforce`."""

    learning_rate: Positive = 1e-3
    """Step size."""
    optimiser: Literal["rmsprop", "sgd", "momentum", "nesterov"] = "rmsprop"
    """Name of the optimiser: one that counts no steps, since members learn when their own episodes end."""
    baseline: bool = True
    """Compare with the value that a critic expects (Sutton & Barto 2018, section 13.4)."""
    vf_coef: NonNegative = 0.5
    """Weight of the critic's loss (stable-baselines3)."""
    ent_coef: NonNegative = 0.01
    """Weight of the policy's entropy (Mnih et al. 2016)."""
    max_grad_norm: Positive | None = 0.5
    """The gradient of each member is clipped to this norm (stable-baselines3)."""
    activation: Literal["relu", "tanh"] = "tanh"
    """Function of the hidden units (stable-baselines3)."""
    max_episode_length: Count | None = None
    """Steps that are kept of an episode; None: as many as the world's time limit allows."""


class Reinforce(DeepAgent):
    """REINFORCE with a baseline. A member learns whenever an episode of it is over, from that episode alone."""

    name = "reinforce"
    config_class = ReinforceConfig

    def build(self) -> None:
        """Actor and critic, and room for the episodes that go on."""
        config = self.config
        length = config.max_episode_length or self.world_horizon()
        if length is None:
            raise UsageError(
                f"{self.name} learns from whole episodes, and {self.spec.id} does not say how long they are: "
                "give max_episode_length"
            )
        self.policy = self.add_network("policy", FeedForward(self.codec, self.size, self.n_actions, config))
        self.optimiser = self.add_optimiser("policy", self.policy)
        copies = self.size * self.copies
        with enough_memory(
            f"{self.name}: max_episode_length={length}", copies * length * (self.row_bytes + 12)
        ):
            self._seen: NDArray[Any] = np.zeros((copies, length, *self.codec.row_shape), self.codec.dtype)
            self._done = np.zeros((copies, length), np.int64)
            self._paid = np.zeros((copies, length), np.float32)
        self._length = np.zeros(copies, np.int64)

    def kept(self) -> dict[str, NDArray[Any]]:
        """The episodes that go on."""
        return {"seen": self._seen, "done": self._done, "paid": self._paid, "length": self._length}

    def check_kept(self, arrays: Arrays) -> None:
        """See `DeepAgent.check_kept`."""
        self.codec.check("kept/seen", arrays["seen"])
        check_range("done", arrays["done"], 0, self.n_actions - 1)
        check_range("length", arrays["length"], 0, self._done.shape[1])

    def act(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """An action by its chance."""
        from rlcourse.agents.deep.acting import softmax_actions

        with torch.inference_mode():
            preferences = self.policy.actor(self.tensor(rows)).contiguous().cpu().numpy()
        return softmax_actions(preferences, self.stream)[0]

    def choose(
        self, rows: Tensor, state: Any, episode_start: Any, deterministic: bool
    ) -> tuple[NDArray[np.int64], Any]:
        """See `DeepAgent.choose`."""
        from rlcourse.agents.deep.acting import softmax_actions

        preferences = self.policy.actor(rows)
        if deterministic:
            return argmax_actions(preferences), None
        return softmax_actions(preferences.contiguous().cpu().numpy(), self._predict_stream)[0], None

    def state_values(self, observation: Any) -> NDArray[np.float64] | None:
        """What the critic expects; `None` without one."""
        if not self.config.baseline:
            return None
        rows, lead = self._asked_values(observation)
        with torch.inference_mode():
            return self.policy.critic(rows)[..., 0].cpu().numpy().astype(np.float64).reshape(lead)

    def forget_episode(self, over: NDArray[np.bool_]) -> None:
        """See `DeepAgent.forget_episode`."""
        self._length[over] = 0

    def observe(
        self,
        rows: NDArray[Any],
        actions: NDArray[np.int64],
        rewards: NDArray[np.float64],
        next_rows: NDArray[Any],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Keep the step. Where an episode is cut off by its time limit, nothing is added for what would have come."""
        copies = np.flatnonzero(self._length < self._done.shape[1])
        t = self._length[copies]
        self._seen[copies, t], self._done[copies, t] = rows[copies], actions[copies]
        self._paid[copies, t] = rewards[copies]
        self._length[copies] += 1
        over = terminated | truncated
        if over.any():
            self.anneal()
            self._learn_from(over)

    def train(self) -> None:
        """It has learned in `observe`, when episodes ended."""

    def _learn_from(self, over: NDArray[np.bool_]) -> None:
        """One step for every member that has episodes among the copies `over` `[S N]`, from these."""
        longest = int(self._length[over].max())
        steps = np.where(over[:, None], np.arange(longest) < self._length[:, None], False)
        shape = (self.size, self.copies * longest)
        counts = self.tensor(steps.astype(np.float32).reshape(shape))
        returns = self.tensor(self._returns_to_go(longest, steps).reshape(shape))
        rows = self.tensor(self._seen[:, :longest].reshape(*shape, *self.codec.row_shape))
        preferences, values, _ = self.policy.step(rows, None, None)
        actions = self.tensor(self._done[:, :longest].reshape(shape))
        log_chances, entropy = log_chances_and_entropy(preferences, actions)
        baseline = values if self.config.baseline else torch.zeros_like(values)
        losses = -log_chances * (returns - baseline.detach()) - self.config.ent_coef * entropy
        if self.config.baseline:
            losses = losses + self.config.vf_coef * (returns - values) ** 2
        loss = (losses * counts).sum(dim=1) / counts.sum(dim=1).clamp(min=1.0)
        self.optimiser.step(loss.sum(), members=np.asarray(over.reshape(self.size, -1).any(axis=1)))

    def _returns_to_go(self, longest: int, steps: NDArray[np.bool_]) -> NDArray[np.float32]:
        """G_t of the steps, `[S N, longest]`, 0 after the end."""
        returns = np.zeros(steps.shape, np.float32)
        after = np.zeros(len(steps), np.float32)
        for t in range(longest - 1, -1, -1):
            after = np.where(steps[:, t], self._paid[:, t] + self.config.gamma * after, 0.0).astype(
                np.float32
            )
            returns[:, t] = after
        return returns
