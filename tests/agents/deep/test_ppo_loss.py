"""The compiled loss of PPO against the same in torch, with autograd's gradient."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from rlcourse.agents.deep.ppo_loss import Seen, ppo_loss, ppo_losses

MEMBERS, BATCH, ACTIONS, KEPT = 3, 64, 4, 256


def draw(batch: int = BATCH) -> tuple[Tensor, Tensor, Seen, Tensor]:
    """A policy that moved a little from the one that acted, so that some ratios and values are beyond the clips."""
    g = torch.Generator().manual_seed(5)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g)

    steps = torch.stack([torch.randperm(KEPT, generator=g)[:batch] for _ in range(MEMBERS)])
    preferences = normal(MEMBERS, batch, ACTIONS)
    actions = torch.randint(ACTIONS, (MEMBERS, KEPT), generator=g)
    chosen = preferences.log_softmax(-1).gather(-1, actions.gather(1, steps)[..., None])[..., 0]
    log_before = normal(MEMBERS, KEPT)
    log_before.scatter_(1, steps, chosen + 0.3 * normal(MEMBERS, batch))
    values_before = normal(MEMBERS, KEPT)
    values = values_before.gather(1, steps) + 0.3 * normal(MEMBERS, batch)
    seen = Seen(actions, log_before, values_before, normal(MEMBERS, KEPT), normal(MEMBERS, KEPT))
    return preferences, values, seen, steps


def settings(**changed: Any) -> Any:
    usual = {
        "clip_range": 0.2,
        "clip_range_vf": None,
        "normalize_advantage": True,
        "vf_coef": 0.5,
    }
    return SimpleNamespace(**{**usual, **changed})


@pytest.mark.parametrize(
    "config",
    [
        settings(),
        settings(clip_range_vf=0.2),
        settings(normalize_advantage=False, vf_coef=2.0, clip_range=0.1),
    ],
)
@pytest.mark.parametrize("ent_coef", [0.0, 0.01, 0.5])
def test_it_is_the_loss_of_torch_and_its_gradient(config: Any, ent_coef: float) -> None:
    preferences, values, seen, steps = draw()
    preferences.requires_grad_()
    values.requires_grad_()
    found = ppo_loss(preferences, values, seen, steps, config, ent_coef)
    by_hand = torch.autograd.grad(3.0 * found, [preferences, values])
    expected = ppo_losses(preferences, values, seen.at(steps), config, ent_coef).mean(dim=1).sum()
    by_autograd = torch.autograd.grad(3.0 * expected, [preferences, values])
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(by_hand, by_autograd, atol=1e-6, rtol=1e-4)


def test_one_step_is_not_normalised() -> None:
    preferences, values, seen, steps = draw(batch=1)
    config = settings()
    expected = ppo_losses(preferences, values, seen.at(steps), config, 0.01).sum()
    torch.testing.assert_close(ppo_loss(preferences, values, seen, steps, config, 0.01), expected)
    assert torch.isfinite(expected)


def test_other_precisions_go_by_torch() -> None:
    preferences, values, seen, steps = draw()
    exact = ppo_loss(preferences.double(), values.double(), seen, steps, settings(), 0.01)
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact.float(), ppo_loss(preferences, values, seen, steps, settings(), 0.01))


def test_what_is_no_number_stays_none() -> None:
    preferences, values, seen, steps = draw()
    seen.advantages[1] = torch.nan
    preferences.requires_grad_()
    loss = ppo_loss(preferences, values, seen, steps, settings(normalize_advantage=False), 0.01)
    (slope,) = torch.autograd.grad(loss, preferences)
    assert bool(slope[1].isnan().all())
    assert bool(slope[[0, 2]].isfinite().all())


@pytest.mark.parametrize("far", [None, 0.2])
def test_values_that_are_no_numbers_stay_none(far: float | None) -> None:
    preferences, values, seen, steps = draw()
    values[1] = torch.nan
    values.requires_grad_()
    loss = ppo_loss(preferences, values, seen, steps, settings(clip_range_vf=far), 0.01)
    (slope,) = torch.autograd.grad(loss, values)
    assert bool(slope[1].isnan().all())
    assert bool(slope[[0, 2]].isfinite().all())
