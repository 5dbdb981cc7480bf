"""Every deep agent learns: near the computed optimum in a small maze, and what only a memory can know in a T-maze."""

from __future__ import annotations

import functools
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

import rlcourse
from rlcourse.agents import make_agent
from rlcourse.agents.evaluation import play
from rlcourse.mdp import value_iteration
from tests.agents.deep.worlds import DEEP, fields

MAZE = {"layout": "S.2\n.#.\n..E", "max_steps": 30}
"""A candy worth 2 on one of two ways to the exit: whoever takes the shorter look is content with less."""

QUICK: dict[str, Any] = {
    "net_arch": (32,),
    "learning_rate": 3e-3,
    "gamma": 0.95,
    "learning_starts": 50,
    "batch_size": 32,
    "train_freq": 1,
    "target_update_interval": 25,
    "exploration_steps": 400,
    "v_min": -5.0,
    "v_max": 5.0,
    "n_atoms": 21,
    "memory_size": 16,
}
ACTOR = {"n_envs": 8, "learning_rate": 1e-2, "ent_coef": 0.02}
SETTINGS: dict[str, tuple[int, dict[str, Any]]] = {
    "naive_dqn": (1500, {"exploration_steps": 1000}),
    "rainbow": (800, {}),
    "drqn": (900, {"batch_size": 8, "sequence_length": 6, "burn_in": 2, "train_freq": 2}),
    "reinforce": (4000, {**ACTOR, "n_envs": 4}),
    "a2c": (6000, ACTOR),
    "recurrent_a2c": (6000, {**ACTOR, "n_steps": 8}),
    "ppo": (5000, {**ACTOR, "n_steps": 16, "batch_size": 64}),
    "recurrent_ppo": (4000, {**ACTOR, "n_steps": 16, "batch_size": 64}),
}
"""What an agent needs beside `QUICK`: steps and settings; another one gets 800 steps."""


def learned(
    name: str, world: str, options: dict[str, Any], steps: int, seeds: int = 3, **settings: Any
) -> Any:
    """A population after `steps`, in which the learning rate falls, so that what was found is not lost again."""
    settings = {**{key: value for key, value in QUICK.items() if key in fields(name)}, **settings}
    fall = (
        2 * steps if "exploration_steps" in fields(name) else steps
    )  # values must first come up to what is paid
    agent = make_agent(name, world, seeds=seeds, env_kwargs=options, anneal_steps=fall, **settings)
    return agent.learn(steps)


def shares(agent: Any, **how: Any) -> NDArray[np.float64]:
    """How much of the way from chance to the optimum each member goes, `[S]`."""
    chance, optimum = yardsticks()
    return (rlcourse.evaluate(agent, 20, **how).mean(axis=1) - chance) / (optimum - chance)


@functools.cache
def yardsticks() -> tuple[float, float]:
    """The return of one who walks at random, and the largest possible, undiscounted."""
    mdp = gymnasium.make("rlcourse/CandyMaze-v0", **MAZE).unwrapped.model()  # type: ignore[attr-defined]
    values, _ = value_iteration(mdp, gamma=1.0)
    chance = rlcourse.evaluate(make_agent("random", "CandyMaze-v0", seeds=4, env_kwargs=MAZE), 100).mean()
    return float(chance), float(mdp.start @ values)


@pytest.mark.parametrize("name", DEEP)
def test_learns_the_small_maze(name: str) -> None:
    """The mean of three seeds makes nine tenths of the way from chance to the optimum, each of them half of it."""
    steps, settings = SETTINGS.get(name, (1000, {}))
    agent = learned(name, "CandyMaze-v0", MAZE, steps, **settings)
    chance, optimum = yardsticks()
    assert optimum - chance > 4.0
    best = shares(agent)
    assert best.mean() > 0.9, best
    assert best.min() > 0.5, best
    drawn = shares(agent, deterministic=False)
    assert drawn.mean() > 0.8, drawn


@pytest.mark.parametrize(
    "settings",
    [
        {"dueling": True, "n_step": 3, "distribution": "quantile"},
        {"recency_half_life": 200.0, "tau": 0.1, "target_update_interval": 4},
    ],
    ids=str,
)
def test_dqn_learns_with_options_that_rainbow_has_not(settings: dict[str, Any]) -> None:
    best = shares(learned("dqn", "CandyMaze-v0", MAZE, 1000, seeds=10, **settings))
    assert best.mean() > 0.9, best


def test_deep_sarsa_learns_with_expectations() -> None:
    best = shares(learned("deep_sarsa", "CandyMaze-v0", MAZE, 1000, expected=True))
    assert best.mean() > 0.9, best


def test_ppo_learns_from_pictures() -> None:
    settings = {**ACTOR, "n_steps": 16, "batch_size": 64}
    best = shares(
        learned("ppo", "CandyMaze-v0", {**MAZE, "observation": "planes"}, 4000, seeds=2, **settings)
    )
    assert best.mean() > 0.9, best


# ---------------------------------------------------------------- memory

TMAZE = {"length": 2, "max_steps": 10}
"""Whoever forgets which arm was shown at the start is right half the time."""

REMEMBERING: list[tuple[str, int, dict[str, Any]]] = [
    (
        "drqn",
        2400,
        {
            "n_envs": 4,
            "sequence_length": 4,
            "burn_in": 6,
            "exploration_steps": 1000,
            "target_update_interval": 100,
        },
    ),
    ("dqn", 1200, {"frame_stack": 4}),
    ("recurrent_a2c", 5000, {**ACTOR, "n_steps": 12}),
    ("recurrent_ppo", 5000, {**ACTOR, "n_steps": 24, "batch_size": 96, "memory": "lstm"}),
    (
        "recurrent_ppo",
        5000,
        {**ACTOR, "n_steps": 24, "batch_size": 96, "memory": "attention", "memory_length": 8},
    ),
]


@pytest.mark.parametrize(("name", "steps", "settings"), REMEMBERING, ids=lambda value: str(value)[:99])
def test_a_memory_finds_the_way_in_the_t_maze(name: str, steps: int, settings: dict[str, Any]) -> None:
    success = play(learned(name, "TMaze-v0", TMAZE, steps, **settings), 40).success
    assert success is not None
    assert success.mean() > 0.9, success.mean(axis=1)


def test_who_has_none_is_right_by_chance() -> None:
    """At most half the time, but for the luck of 3 x 200 episodes (five deviations)."""
    agent = learned("ppo", "TMaze-v0", TMAZE, 5000, **{**ACTOR, "n_steps": 24, "batch_size": 96})
    success = play(agent, 200).success
    assert success is not None
    assert 0.3 < success.mean() < 0.5 + 5 * np.sqrt(0.25 / success.size)
