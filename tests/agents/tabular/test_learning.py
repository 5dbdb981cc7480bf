"""Every learner learns: small worlds, several seeds, against the optimum that planning computes."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from rlcourse.agents import make_agent
from rlcourse.agents.tabular.base import TabularAgent
from rlcourse.mdp import FiniteMDP, evaluate_policy, value_iteration
from tests.agents.tabular.worlds import LEARNERS, in_random_model

SEEDS, GAMMA = 10, 0.95
WORLDS: dict[str, tuple[str, dict[str, Any], int, float]] = {
    "candy": ("rlcourse/CandyMaze-v0", {"layout": "S.2\n.#.\n..E", "max_steps": 60}, 20_000, 0.97),
    "lake": ("FrozenLake-v1", {"is_slippery": False}, 60_000, 0.97),
    "dyna": (
        "rlcourse/DynaMaze-v0",
        {"max_steps": 2000},
        200_000,
        0.9,
    ),  # one step more is 0.95, two are 0.9025
}
"""World, options, steps, and the share of the best value that the median learner must have."""
PLANNING = ("dyna_q", "dyna_q_plus", "prioritized_sweeping")
CONTROL = [name for name in LEARNERS if name != "td_prediction"]
SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    **{("dyna_q_plus", world): {"kappa": 1e-4} for world in WORLDS},
    ("tabular_reinforce", "dyna"): {"learning_rate": 1.0},  # rewards are at most 1 there, and rare
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", CONTROL)
def test_every_learner_learns(name: str, world: str) -> None:
    env, options, steps, share = WORLDS[world]
    mdp = FiniteMDP.from_env(gymnasium.make(env, **options))
    best = float(mdp.start_value(value_iteration(mdp, GAMMA).V))
    agent = make_agent(
        name,
        "FiniteWorld-v0",
        seeds=SEEDS,
        env_kwargs={"env": env, "settings": options},
        gamma=GAMMA,
        **SETTINGS.get((name, world), {}),
    )
    assert isinstance(agent, TabularAgent)
    agent.learn(2 * steps if name == "tabular_reinforce" else steps)
    value = mdp.start_value(evaluate_policy(mdp, agent.greedy_policy(), GAMMA))
    assert (value <= best + 1e-9).all()
    assert np.median(value) > (0.97 if name in PLANNING else share) * best
    assert value.mean() > 0.8 * best


@pytest.mark.parametrize("policy", [None, [0, 1, 2, 0, 1, 2, 0]])
@pytest.mark.parametrize("decay", [0.0, 0.8])
def test_prediction_finds_the_value_of_its_policy(policy: list[int] | None, decay: float) -> None:
    agent = in_random_model(
        "td_prediction",
        40,
        max_steps=10_000,
        policy=policy,
        exploration_final_eps=0.3,
        trace_decay=decay,
        step_size="polynomial",
        gamma=0.9,
    ).learn(100_000)
    mdp = FiniteMDP.from_env(gymnasium.make(agent.spec.id, **agent.env_kwargs))
    chances = np.full((7, 3), 1 / 3)
    if policy is not None:
        chances = 0.3 / 3 + 0.7 * np.eye(3)[policy]
    V = evaluate_policy(mdp, chances, 0.9)
    error = agent.V - V  # type: ignore[attr-defined]
    assert abs(error.mean(axis=0)).max() < 0.03
    assert error.std() < 0.1
