"""The best policy by the model, played in the world, earns what the model says."""

import gymnasium
import numpy as np
import pytest

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.mdp import value_iteration

WORLDS = {
    "a candy in a box": ("CandyMazeDrift-v0", {"drift_every": 10**6}),
    "boxes on ice": ("CandyMazeDrift-v0", {"drift_every": 10**6, "slip": 0.3}),
    "two candies": ("CandyMazePartial-v0", {"observation": "index", "slip": 0.1}),
    "a duel": ("CandyDuel-v0", {"slip": 0.1}),
    "a duel, at once": ("CandyDuel-v0", {"moves": "simultaneous"}),
    "a duel for oneself": (
        "CandyDuel-v0",
        {"moves": "simultaneous", "zero_sum": False, "opponent": "random"},
    ),
    "candies on ice": ("CandyMazeSlippery-v0", {}),
}


@pytest.mark.parametrize(("name", "options"), WORLDS.values(), ids=WORLDS.keys())
def test_the_best_policy_earns_its_value(name, options):
    """Discounted returns of 10,000 episodes, to 5 standard errors; nothing is left to gain after a thousand steps."""
    copies, gamma, most = 10_000, 0.97, 1000
    one = gymnasium.make(f"rlcourse/{name}", max_steps=most, **options).unwrapped
    one.reset(seed=4)
    env = gymnasium.make_vec(
        f"rlcourse/{name}",
        copies,
        vectorization_mode="vector_entry_point",
        autoreset_mode="NextStep",
        max_steps=most,
        **options,
    ).unwrapped
    env.reset(seed=4)
    state = env.get_state()
    state["odds"][:] = state["odds"][0]
    env.set_state(state)
    mdp = one.model()
    V, policy = value_iteration(mdp, gamma, tol=1e-9)
    exact = mdp.start @ V
    seen, _ = env.reset()
    returns, running, discount = np.zeros(copies), np.ones(copies, bool), 1.0
    while running.any() and discount > 1e-9:
        seen, rewards, terminated, _, _ = env.step(policy[seen])
        returns += np.where(running, discount * rewards, 0.0)
        running &= ~terminated
        discount *= gamma
    spread = returns.std() / np.sqrt(copies)
    assert spread > 0.0
    assert abs(returns.mean() - exact) < 5 * spread
