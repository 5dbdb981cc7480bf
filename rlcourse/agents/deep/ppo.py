"""Proximal policy optimisation: several passes over what was just seen, with steps that do not go too far.

    r = pi(A|S) / pi_old(A|S)
    loss = - min(r x advantage, clip(r, 1 - eps, 1 + eps) x advantage) + vf_coef (G - V(S))^2 - ent_coef H(pi(.|S))

Source: Schulman et al. (2017), "Proximal policy optimization algorithms"; of the details of its implementations (Huang et al.
2022, "The 37 implementation details of PPO") here are: orthogonal weights, Adam with epsilon 1e-5, annealing (`anneal_steps`),
generalised advantages, minibatches of a new order in every pass, normalised advantages in each of them, clipped values
(`clip_range_vf`), one loss of both networks, one norm for both gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.agents.config import Count, NonNegative, Positive, Probability
from rlcourse.agents.deep.actor_critic import ActorCritic, ActorCriticConfig, Memory
from rlcourse.agents.deep.symmetries import Augment, Symmetries
from rlcourse.errors import UsageError


@dataclass(frozen=True)
class PPOConfig(ActorCriticConfig):
    """Settings of `ppo`."""

    learning_rate: Positive = 3e-4
    """Step size (stable-baselines3)."""
    adam_epsilon: Positive = 1e-5
    """What Adam adds to the root of the second moment (Huang et al. 2022, detail 3)."""
    n_envs: Count = 4
    """Copies of the world for each member (CleanRL)."""
    n_steps: Count = 128
    """Steps of each copy between updates (CleanRL)."""
    batch_size: Count = 128
    """Steps in a minibatch of a member (CleanRL: a quarter of 4 x 128)."""
    n_epochs: Count = 4
    """Passes over what was seen (CleanRL)."""
    gae_lambda: Probability = 0.95
    """Lambda of the advantages (Schulman et al. 2017)."""
    clip_range: Positive = 0.2
    """How far the ratio of chances may go, eps (Schulman et al. 2017)."""
    clip_range_vf: Positive | None = None
    """How far values may go from those before, in the unit of the return; any way where it is None (stable-baselines3)."""
    normalize_advantage: bool = True
    """Mean 0 and deviation 1 in every minibatch of a member (stable-baselines3)."""
    augment: Augment = "none"
    """Learn that turned and mirrored boards are the same, or not (see `rlcourse.agents.deep.symmetries`)."""
    augment_coef: NonNegative = 0.1
    """Weight of that (Raileanu et al. 2021)."""


class PPO(ActorCritic):
    """PPO with a clipped objective."""

    name = "ppo"
    config_class = PPOConfig

    def build(self) -> None:
        """See `ActorCritic.build`."""
        config, seen = self.config, self.config.n_envs * self.config.n_steps
        if seen % config.batch_size or (config.memory != "none" and config.batch_size % config.n_steps):
            whole = "" if config.memory == "none" else f" in whole sequences of n_steps={config.n_steps}"
            raise UsageError(
                f"{self.name}: batch_size={config.batch_size} must divide the n_envs x n_steps = {seen} steps of an "
                f"update{whole}"
            )
        super().build()
        self.symmetries = None
        if config.augment == "symmetries":
            if self.policy.remembers:
                raise UsageError(
                    f"{self.name}: augment='symmetries' turns single boards: leave memory at 'none'"
                )
            self.symmetries = Symmetries(self)

    def update(self, advantages: Tensor, returns: Tensor) -> None:
        """`n_epochs` passes over the rollout in minibatches, each in a new order."""
        from rlcourse.agents.deep.ppo_loss import Seen, ppo_loss
        from rlcourse.agents.deep.rollout import permutations

        rollout, config = self.rollout, self.config
        actions, log_chances, values = (
            rollout.flat(array) for array in (rollout.actions, rollout.log_chances, rollout.values)
        )
        seen = Seen(actions, log_chances, values, advantages, returns)
        steps = 1 if not self.policy.remembers else rollout.steps  # those with a memory stay in their order
        for _ in range(config.n_epochs):
            order = permutations(self.stream, advantages.shape[1] // steps)
            for chosen in np.split(order, advantages.shape[1] // config.batch_size, axis=1):
                at = self.tensor((chosen[:, :, None] * steps + np.arange(steps)).reshape(self.size, -1))
                preferences, values = self._look_again(chosen, at)
                loss = ppo_loss(preferences, values, seen, at, config, self.ent_coef)
                if self.symmetries is not None:
                    loss = (
                        loss
                        + config.augment_coef * self._differences(at, preferences, values).mean(dim=1).sum()
                    )
                self.optimiser.step(loss)

    def _differences(self, at: Tensor, preferences: Tensor, values: Tensor) -> Tensor:
        """How much policy and values of turned boards differ from those of the boards as they are, `[S, batch]`."""
        assert self.symmetries is not None
        which = self.symmetries.draw(self.stream, at.shape[1])
        turned, turned_values, _ = self.policy.step(
            self.symmetries.turn(self._rows_at(at), which), None, None
        )
        target = self.symmetries.carry_each(preferences.detach(), which).log_softmax(dim=-1)
        divergence = (target.exp() * (target - turned.log_softmax(dim=-1))).sum(dim=-1)
        return divergence + (values.detach() - turned_values) ** 2

    def _look_again(self, chosen: NDArray[np.int64], at: Tensor) -> tuple[Tensor, Tensor]:
        """Preferences and values in a minibatch as they are now: of the steps `at`, or of whole copies with a memory."""
        if self.policy.remembers:
            return self.unroll(chosen)
        preferences, values, _ = self.policy.step(self._rows_at(at), None, None)
        return preferences, values

    def _rows_at(self, at: Tensor) -> Tensor:
        """What was seen in the steps `at` `[S, batch]` of the rollout."""
        flat = self.rollout.flat(self.rollout.rows).flatten(0, 1)
        offset = torch.arange(self.size, device=self.device)[:, None] * (self.copies * self.rollout.steps)
        return flat.index_select(0, (at + offset).flatten()).unflatten(0, at.shape)


@dataclass(frozen=True)
class RecurrentPPOConfig(PPOConfig):
    """Settings of `recurrent_ppo`: minibatches are whole sequences of `n_steps`."""

    n_envs: Count = 8
    """Copies of the world for each member."""
    memory: Memory = "gru"
    """What is remembered within an episode."""
    batch_size: Count = 256
    """Steps in a minibatch of a member."""


class RecurrentPPO(PPO):
    """PPO with a memory; the state before each rollout is kept, and sequences are gone through from there.

    Source: the recurrent PPO of sb3-contrib, and Huang et al. (2022), section "5 LSTM implementation details".
    """

    name = "recurrent_ppo"
    config_class = RecurrentPPOConfig
