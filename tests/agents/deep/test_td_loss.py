"""The compiled losses of TD errors against those of torch, with autograd's gradient."""

from __future__ import annotations

import pytest
import torch

from rlcourse.agents.deep.heads import Scalar, Steps


@pytest.mark.parametrize("chosen", [True, False])
def test_losses_errors_and_gradients_are_those_of_torch(chosen: bool) -> None:
    g = torch.Generator().manual_seed(3)
    shape, n = (3, 50), 4
    outputs, after = (2.0 * torch.randn(*shape, n, generator=g) for _ in range(2))
    actions, best = (torch.randint(n, shape, generator=g) for _ in range(2))
    returns, discounts = torch.randn(shape, generator=g), torch.rand(shape, generator=g)
    weights = torch.rand(shape, generator=g)
    outputs.requires_grad_()
    head = Scalar(n)
    steps = Steps(actions, after, best if chosen else None, returns, discounts)
    losses, errors = head.losses(outputs, steps)
    expected, expected_errors = head.losses_by_torch(outputs, steps)
    assert bool((errors.abs() > 1.0).any())
    assert bool((errors.abs() < 1.0).any())
    torch.testing.assert_close((losses, errors), (expected, expected_errors))
    for loss in (lambda x: (x * weights).mean(dim=1).sum(), torch.sum):
        by_hand, by_autograd = (
            torch.autograd.grad(loss(x), outputs, retain_graph=True) for x in (losses, expected)
        )
        torch.testing.assert_close(by_hand, by_autograd)
    assert not errors.requires_grad


@pytest.mark.parametrize("where", [0, 2])
def test_what_is_no_number_stays_none(where: int) -> None:
    after = torch.zeros(1, 1, 4)
    after[0, 0, where] = torch.nan
    actions = torch.zeros(1, 1, dtype=torch.int64)
    outputs = torch.zeros(1, 1, 4, requires_grad=True)
    losses, _ = Scalar(4).losses(outputs, Steps(actions, after, None, torch.zeros(1, 1), torch.ones(1, 1)))
    assert bool(losses.isnan().all())
    (slope,) = torch.autograd.grad(losses.sum(), outputs)
    assert slope[0, 0].isnan().tolist() == [True, False, False, False]
