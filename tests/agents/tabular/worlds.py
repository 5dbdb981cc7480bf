"""Small worlds for learners with a table, what happened in them, and how two populations are compared."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import VectorWrapper

from rlcourse.agents import AGENTS, agent_class, make_agent
from rlcourse.agents.tabular.base import TabularAgent

LEARNERS = [name for name in AGENTS if issubclass(agent_class(name), TabularAgent)]

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
