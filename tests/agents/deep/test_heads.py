"""The heads against slow loops, written after the papers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rlcourse.agents.deep.heads import Categorical, Quantile, Scalar, Steps
from rlcourse.agents.deep.networks import Dueling
from rlcourse.nn.noisy import NoisyLinear, sample_noise
from rlcourse.streams import Streams

S, B, A, M = 2, 7, 3, 5
GAMMA = 0.9


def drawn(atoms: int) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    discounts = torch.full((S, B), GAMMA)
    discounts[0, 2] = discounts[1, 4] = 0.0
    return {
        "outputs": 2.0 * torch.randn(S, B, A * atoms, generator=draw),
        "actions": torch.randint(A, (S, B), generator=draw),
        "after": 2.0 * torch.randn(S, B, A * atoms, generator=draw),
        "best": torch.randint(A, (S, B), generator=draw),
        "returns": torch.randn(S, B, generator=draw),
        "discounts": discounts,
    }


def steps_of(x: dict[str, Tensor]) -> Steps:
    return Steps(**{name: x[name] for name in Steps._fields})


def huber(x: float) -> float:
    return 0.5 * x * x if abs(x) <= 1.0 else abs(x) - 0.5


def test_scalar() -> None:
    x = drawn(1)
    losses, errors = Scalar(A).losses(x["outputs"], steps_of(x))
    for s in range(S):
        for b in range(B):
            target = x["returns"][s, b] + x["discounts"][s, b] * x["after"][s, b, x["best"][s, b]]
            error = float(target - x["outputs"][s, b, x["actions"][s, b]])
            assert float(errors[s, b]) == pytest.approx(error, abs=1e-6)
            assert float(losses[s, b]) == pytest.approx(huber(error), abs=1e-6)


def test_quantile_huber() -> None:
    """Dabney et al. (2018), equations 9 and 10 and algorithm 1, kappa 1: sum_i mean_j rho_{tau_i}(T theta_j - theta_i)."""
    x = drawn(M)
    losses, errors = Quantile(A, M).losses(x["outputs"], steps_of(x))
    for s in range(S):
        for b in range(B):
            own = x["outputs"][s, b].reshape(A, M)[x["actions"][s, b]].tolist()
            theirs = x["after"][s, b].reshape(A, M)[x["best"][s, b]].tolist()
            target = [float(x["returns"][s, b]) + float(x["discounts"][s, b]) * theta for theta in theirs]
            total = 0.0
            for i in range(M):
                tau = (2 * i + 1) / (2 * M)
                for j in range(M):
                    u = target[j] - own[i]
                    total += abs(tau - (1.0 if u < 0 else 0.0)) * huber(u) / M
            assert float(losses[s, b]) == pytest.approx(total, rel=1e-5)
            assert float(errors[s, b]) == pytest.approx(sum(target) / M - sum(own) / M, abs=1e-5)
    values = Quantile(A, M).values(x["outputs"])
    np.testing.assert_allclose(values, x["outputs"].reshape(S, B, A, M).mean(-1), rtol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(-2.0, 2.0), (-0.1, 0.3), (-40.0, 60.0)])
def test_categorical_projection(low: float, high: float) -> None:
    """Bellemare et al. (2017), algorithm 1."""
    x = drawn(M)
    head = Categorical(A, M, low, high)
    losses, errors = head.losses(x["outputs"], steps_of(x))
    step = (high - low) / (M - 1)
    z = [low + i * step for i in range(M)]
    for s in range(S):
        for b in range(B):
            p = torch.softmax(x["after"][s, b].reshape(A, M)[x["best"][s, b]].double(), 0).tolist()
            m = [0.0] * M
            for j in range(M):
                moved = min(max(float(x["returns"][s, b]) + float(x["discounts"][s, b]) * z[j], low), high)
                at = (moved - low) / step
                down, up = math.floor(at), math.ceil(at)
                if down == up:
                    m[down] += p[j]
                else:
                    m[down] += p[j] * (up - at)
                    m[up] += p[j] * (at - down)
            own = x["outputs"][s, b].reshape(A, M)[x["actions"][s, b]].double().log_softmax(0).tolist()
            loss = -sum(mi * li for mi, li in zip(m, own, strict=True))
            divergence = loss + sum(mi * math.log(mi) for mi in m if mi > 0)
            assert sum(m) == pytest.approx(1.0)
            assert float(losses[s, b]) == pytest.approx(loss, rel=1e-4)
            assert float(errors[s, b]) == pytest.approx(divergence, rel=1e-3, abs=1e-5)
    chances = x["outputs"].reshape(S, B, A, M).softmax(-1)
    np.testing.assert_allclose(head.values(x["outputs"]), chances @ torch.tensor(z), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("head", [Scalar(A), Quantile(A, M), Categorical(A, M, -3.0, 3.0)], ids=str)
def test_gradients_flow_through_the_taken_action_alone(head: Any) -> None:
    x = drawn(head.n_atoms)
    for name in ("outputs", "after"):
        x[name].requires_grad_()
    losses, errors = head.losses(x["outputs"], steps_of({**x, "after": x["after"].detach()}))
    assert not errors.requires_grad
    losses.sum().backward()
    moved = x["outputs"].grad.reshape(S, B, A, -1).abs().sum(-1) > 0
    expected = torch.nn.functional.one_hot(x["actions"], A).bool()
    assert torch.equal(moved, expected)


@pytest.mark.parametrize("atoms", [1, M])
def test_dueling_identity(atoms: int) -> None:
    """The mean over actions is V, and what is left is A, less its mean; of each atom."""
    dueling = Dueling(S, 4, A, atoms)
    dueling.initialise(Streams.from_seeds([3, 4], "test"))
    x = torch.randn(S, B, 4)
    values = dueling(x).reshape(S, B, A, atoms)
    torch.testing.assert_close(values.mean(2), dueling.value(x))
    advantage = dueling.advantage(x).reshape(S, B, A, atoms)
    torch.testing.assert_close(values[:, :, 1] - values[:, :, 0], advantage[:, :, 1] - advantage[:, :, 0])
    for k in range(S):
        torch.testing.assert_close(dueling.member(k)(x[k]), dueling(x)[k])


def test_dueling_of_noisy_layers_explores_only_while_learning() -> None:
    def noisy(size: int, n_in: int, n_out: int, **law: Any) -> NoisyLinear:
        return NoisyLinear(size, n_in, n_out)

    dueling = Dueling(S, 4, A, 1, noisy)
    streams = Streams.from_seeds([3, 4], "test")
    dueling.initialise(streams)
    x = torch.randn(S, B, 4)
    still = dueling.eval()(x)
    seen = []
    for _ in range(2):
        sample_noise(dueling, streams)
        torch.testing.assert_close(dueling.eval()(x), still)
        seen.append(dueling.train()(x))
    assert not torch.allclose(seen[0], seen[1])
    assert not torch.allclose(seen[0], still)
