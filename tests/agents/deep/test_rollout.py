"""Generalised advantages against the double sum that defines them, and against their two closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlcourse.agents.deep.codec import Codec
from rlcourse.agents.deep.rollout import Rollout
from rlcourse.errors import StorageError

B, T = 6, 12


def filled(seed: int = 0) -> tuple[Rollout, Any]:
    draw = np.random.default_rng(seed)
    rollout = Rollout(2, 3, T, Codec(spaces.Discrete(5)), torch.device("cpu"))
    for _ in range(T):
        assert not rollout.is_full
        rollout.begin(
            draw.integers(0, 5, (B, 1)),
            draw.integers(0, 3, B),
            draw.normal(size=B),
            draw.normal(size=B),
            np.zeros(B, bool),
        )
        rollout.end(draw.normal(size=B), draw.random(B) < 0.2)
    assert rollout.is_full
    return rollout, draw.normal(size=B).astype(np.float32)


@pytest.mark.parametrize("gae_lambda", [0.0, 0.5, 0.95, 1.0])
def test_advantages(gae_lambda: float) -> None:
    """Schulman et al. (2016), equation 16: A_t = sum_l (gamma lambda)^l delta_{t+l}, up to the end of the episode."""
    gamma = 0.9
    rollout, last = filled()
    advantages, returns = rollout.advantages(last, gamma, gae_lambda)
    for b in range(B):
        values = [*map(float, rollout.values[b]), float(last[b])]
        for t in range(T):
            total, plain, end = 0.0, 0.0, t
            for j in range(t, T):
                over = bool(rollout.ended[b, j])
                delta = float(rollout.rewards[b, j]) + gamma * (0.0 if over else values[j + 1]) - values[j]
                total += (gamma * gae_lambda) ** (j - t) * delta
                plain += gamma ** (j - t) * float(rollout.rewards[b, j])
                end = j
                if over:
                    break
            assert float(advantages[b, t]) == pytest.approx(total, abs=1e-5)
            assert float(returns[b, t]) == pytest.approx(total + values[t], abs=1e-5)
            if gae_lambda == 1.0:  # the rewards there were, and the value of where they stop
                rest = 0.0 if rollout.ended[b, end] else gamma ** (end - t + 1) * values[end + 1]
                assert float(returns[b, t]) == pytest.approx(plain + rest, abs=1e-5)
            if gae_lambda == 0.0:  # the error of one step
                after = 0.0 if rollout.ended[b, t] else values[t + 1]
                assert float(returns[b, t]) == pytest.approx(
                    float(rollout.rewards[b, t]) + gamma * after, abs=1e-5
                )
    assert rollout.ended.any()
    assert not rollout.ended.all(axis=1).any()


def test_flat_keeps_members_apart_and_steps_in_their_order() -> None:
    rollout, _ = filled()
    flat = rollout.flat(rollout.rows)
    assert flat.shape == (2, 3 * T, 1)
    np.testing.assert_array_equal(flat[1, T : 2 * T], rollout.rows[4])


def test_what_cannot_be_is_refused() -> None:
    rollout, _ = filled()
    rollout.clear()
    rollout.check(rollout.kept(), 3)
    for name, value in (("filled", T), ("filled", -1), ("filled", [1, 2]), ("actions", 3), ("actions", -1)):
        changed = rollout.kept()[name].copy()
        changed[...] = value if name == "filled" else changed
        if name == "actions":
            changed[0, 0] = value
        with pytest.raises(StorageError, match=f"kept/rollout/{name}"):
            rollout.check({**rollout.kept(), name: changed}, 3)
