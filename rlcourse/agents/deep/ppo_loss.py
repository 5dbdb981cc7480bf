"""The loss of PPO over a minibatch: in torch, and on a processor with its gradient in one compiled pass.

Of networks of a hundred units, autograd's way through the twenty small steps of this loss takes as long as that through the
networks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from rlcourse.agents.deep.actor_critic import log_chances_and_entropy


class Seen(NamedTuple):
    """What a rollout says of its steps, tensors `[S, N T]`."""

    actions: Tensor
    log_chances: Tensor
    """Ln pi_old(A|S)."""
    values: Tensor
    """V_old(S)."""
    advantages: Tensor
    returns: Tensor

    def at(self, steps: Tensor) -> Seen:
        """The same of the steps int64 `[S, batch]`."""
        return Seen._make(array.gather(1, steps) for array in self)


def ppo_loss(
    preferences: Tensor, values: Tensor, seen: Seen, steps: Tensor, config: Any, ent_coef: float
) -> Tensor:
    """The loss of every member, a mean over its minibatch, summed over the members: a scalar.

    Args:
        preferences: of the actions as they are now, `[S, batch, A]`.
        values: V as it is now, `[S, batch]`.
        seen: of the whole rollout.
        steps: int64 `[S, batch]`, the steps of the rollout that these are.
        config: `clip_range`, `clip_range_vf`, `normalize_advantage`, `vf_coef`.
        ent_coef: weight of the entropy now.
    """
    if preferences.device.type == "cpu" and preferences.dtype == torch.float32:
        found: Tensor = _Compiled.apply(preferences, values, seen, steps, config, float(ent_coef))
        return found
    return ppo_losses(preferences, values, seen.at(steps), config, ent_coef).mean(dim=1).sum()


def ppo_losses(preferences: Tensor, values: Tensor, seen: Seen, config: Any, ent_coef: float) -> Tensor:
    """The loss of every step, `[S, batch]`; arguments as for `ppo_loss`, `seen` of these steps alone."""
    log_chances, entropy = log_chances_and_entropy(preferences, seen.actions)
    advantages, eps, far = seen.advantages, config.clip_range, config.clip_range_vf
    if config.normalize_advantage and advantages.shape[1] > 1:
        spread = advantages.std(dim=1, keepdim=True)
        advantages = (advantages - advantages.mean(dim=1, keepdim=True)) / (spread + 1e-8)
    ratio = (log_chances - seen.log_chances).exp()
    policy = -torch.minimum(ratio * advantages, ratio.clamp(1.0 - eps, 1.0 + eps) * advantages)
    if far is not None:
        values = seen.values + (values - seen.values).clamp(-far, far)
    losses: Tensor = policy + config.vf_coef * (seen.returns - values) ** 2 - ent_coef * entropy
    return losses


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        preferences: Tensor,
        values: Tensor,
        seen: Seen,
        steps: Tensor,
        config: Any,
        ent_coef: float,
    ) -> Tensor:
        slopes = torch.empty_like(preferences), torch.empty_like(values)
        far = np.inf if config.clip_range_vf is None else config.clip_range_vf
        tensors = (preferences, values, *seen, steps)
        loss = _loss_and_slopes(
            tuple(tensor.detach().numpy() for tensor in tensors),
            (config.clip_range, far, config.vf_coef, ent_coef),
            config.normalize_advantage,
            slopes[0].numpy(),
            slopes[1].numpy(),
        )
        ctx.save_for_backward(*slopes)
        return preferences.new_tensor(loss)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        by_preferences, by_values = ctx.saved_tensors
        return by_preferences * grads[0], by_values * grads[0], None, None, None, None


@njit(cache=True, error_model="numpy", nogil=True)
def _loss_and_slopes(arrays: Any, settings: Any, normalize: Any, by_preferences: Any, by_values: Any) -> Any:
    """The loss; what it grows by with preferences `[S, batch, A]` and values `[S, batch]` goes into the last two."""
    preferences, values, actions, log_before, values_before, advantages, returns, steps = arrays
    eps, far, vf_coef, ent_coef = settings
    members, batch, n = preferences.shape
    total = 0.0
    for s in range(members):
        mean, scale = 0.0, 1.0
        if normalize and batch > 1:
            for b in range(batch):
                mean += advantages[s, steps[s, b]]
            mean /= batch
            squares = 0.0
            for b in range(batch):
                squares += (advantages[s, steps[s, b]] - mean) ** 2
            scale = 1.0 / (np.sqrt(squares / (batch - 1)) + 1e-8)
        for b in range(batch):
            t = steps[s, b]
            row, out, action = preferences[s, b], by_preferences[s, b], actions[s, t]
            highest = row[0]
            for a in range(1, n):
                highest = max(highest, row[a])
            weight = 0.0
            for a in range(n):
                out[a] = np.exp(row[a] - highest)
                weight += out[a]
            log_weight = np.log(weight) + highest
            entropy = 0.0
            for a in range(n):
                entropy -= out[a] / weight * (row[a] - log_weight)
            advantage = (advantages[s, t] - mean) * scale
            ratio = np.exp(row[action] - log_weight - log_before[s, t])
            free, held = ratio * advantage, min(max(ratio, 1.0 - eps), 1.0 + eps) * advantage
            pull = 0.0 if free > held else -free  # no slope where the clipped one is the smaller
            for a in range(n):
                chance, log_chance = out[a] / weight, row[a] - log_weight
                slope = pull * ((a == action) - chance) + ent_coef * chance * (log_chance + entropy)
                out[a] = slope / batch
            moved = values[s, b] - values_before[s, t]
            beyond = moved > far or moved < -far
            value = values_before[s, t] + (far if moved > far else -far) if beyond else values[s, b]
            error = value - returns[s, t]
            by_values[s, b] = (0.0 if beyond else 2.0 * vf_coef * error) / batch
            total += (-min(free, held) + vf_coef * error * error - ent_coef * entropy) / batch
    return total
