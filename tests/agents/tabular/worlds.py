"""Small worlds for learners with a table, what happened in them, and how two populations are compared."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.vector import VectorWrapper

from rlcourse.agents import AGENTS, agent_class, make_agent
from rlcourse.agents.tabular.base import TabularAgent
from rlcourse.agents.tabular.planners import Planner

TABULAR = [name for name in AGENTS if issubclass(agent_class(name), TabularAgent)]
PLANNERS = [name for name in TABULAR if issubclass(agent_class(name), Planner)]
LEARNERS = [name for name in TABULAR if name not in PLANNERS and name != "minimax_q"]

CORNER = {"layout": "S.2\n.#.\n..E", "max_steps": 30}
"""A candy worth 2 on one of the two ways to the exit."""
ICE = {**CORNER, "slip": 0.3, "max_steps": 12}
"""The same on ice; many episodes are truncated."""


def build(
    name: str, seeds: Any = 1, env_kwargs: dict[str, Any] | None = None, **settings: Any
) -> TabularAgent:
    """A population in the small candy maze."""
    agent = make_agent(name, "CandyMaze-v0", seeds=seeds, env_kwargs=env_kwargs or ICE, **settings)
    assert isinstance(agent, TabularAgent)
    return agent


def in_model(name: str, seeds: Any = 1, **settings: Any) -> TabularAgent:
    """A population in the model of the maze on ice: of a rule there is one compiled loop for all worlds that are models."""
    options = {"env": "rlcourse/CandyMaze-v0", "settings": ICE, "max_steps": ICE["max_steps"]}
    agent = make_agent(name, "FiniteWorld-v0", seeds=seeds, env_kwargs=options, **settings)
    assert isinstance(agent, TabularAgent)
    return agent


class Step(NamedTuple):
    """One step of one member."""

    x: int
    a: int
    r: float
    y: int
    terminated: bool
    truncated: bool


class Spy(VectorWrapper):
    """Keeps what happens to every member."""

    def __init__(self, env: Any, seen: Any) -> None:
        super().__init__(env)
        self.seen = np.array(seen)
        self.paths: list[list[Step]] = [[] for _ in range(env.num_envs)]

    def reset(self, **options: Any) -> Any:
        observation, info = self.env.reset(**options)
        self.seen = np.array(observation)
        return observation, info

    def step(self, actions: Any) -> Any:
        result = self.env.step(actions)
        observation, rewards, terminated, truncated, _ = result
        for k, path in enumerate(self.paths):
            path.append(
                Step(
                    int(self.seen[k]),
                    int(actions[k]),
                    float(rewards[k]),
                    int(observation[k]),
                    bool(terminated[k]),
                    bool(truncated[k]),
                )
            )
        self.seen = np.array(observation)
        return result


def watch(agent: TabularAgent, steps: int) -> list[list[Step]]:
    """Let the agent learn step by step, and keep the path of every member."""
    worlds = agent.venv
    spy = Spy(worlds, agent._x)
    agent.venv = spy
    agent.learn(steps)
    agent.venv = worlds
    return spy.paths


def assert_same(a: TabularAgent, b: TabularAgent, rows: Any = slice(None)) -> None:
    """All that the future of `b` depends on is, bit for bit, that of the members `rows` of `a`."""
    mine, others = a.get_arrays(), b.get_arrays()
    assert mine.keys() == others.keys()
    for name, array in mine.items():
        np.testing.assert_array_equal(array[rows], others[name], err_msg=name)
    assert a.num_timesteps == b.num_timesteps


class RandomModel(gymnasium.Env):
    """A model drawn at random, with rewards of which no two are equal; it is sampled by FiniteWorld-v0."""

    observation_space = gymnasium.spaces.Discrete(7)
    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self, branches: int = 2) -> None:
        draw = np.random.default_rng(5)
        self.initial_state_distrib = np.eye(7)[0]
        self.P = {
            x: {
                a: [
                    (1.0 / branches, int(draw.integers(7)), draw.normal(), bool(draw.random() < 0.15))
                    for _ in range(branches)
                ]
                for a in range(3)
            }
            for x in range(7)
        }


RANDOM_MODEL = "tests/RandomModel-v0"
gymnasium.register(RANDOM_MODEL, entry_point=RandomModel)


def in_random_model(
    name: str, seeds: Any = 3, max_steps: int = 12, branches: int = 2, **settings: Any
) -> TabularAgent:
    """A population in the random model."""
    options = {"env": RANDOM_MODEL, "settings": {"branches": branches}, "max_steps": max_steps}
    agent = make_agent(name, "FiniteWorld-v0", seeds=seeds, env_kwargs=options, **settings)
    assert isinstance(agent, TabularAgent)
    return agent
