"""Small worlds and small networks for deep agents, and how two populations are compared."""

from __future__ import annotations

import dataclasses
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from numpy.typing import NDArray

from rlcourse.agents import AGENTS, agent_class, make_agent
from rlcourse.agents.deep.base import DeepAgent
from rlcourse.agents.deep.policies import FeedForward

DEEP = [name for name in AGENTS if issubclass(agent_class(name), DeepAgent)]
every_agent = pytest.mark.parametrize("name", DEEP)

STEPS = 60
"""Some updates of small agents, and the end of some episodes; the ring of replay is full once."""

SMALL: dict[str, Any] = {
    "net_arch": (12,),
    "learning_starts": 16,
    "batch_size": 8,
    "buffer_size": 60,
    "train_freq": 2,
    "target_update_interval": 10,
    "n_atoms": 7,
    "sequence_length": 4,
    "burn_in": 3,
    "memory_size": 8,
    "memory_length": 4,
    "memory_heads": 2,
    "n_steps": 8,
    "n_epochs": 2,
    "n_envs": 2,
}
"""Settings with which an update comes soon and costs little; an agent takes those that it has."""

ICE = {"layout": "S.2\n.#.\n..E", "max_steps": 12, "slip": 0.3}
"""A candy worth 2 on one of the two ways to the exit, on ice; many episodes are truncated."""


def fields(name: str) -> set[str]:
    """The settings that an agent has."""
    return {field.name for field in dataclasses.fields(agent_class(name).config_class)}


def agent_memory(name: str) -> str:
    """The kind of memory of an agent that may have one."""
    return str(agent_class(name).config_class().memory)


def remembers(name: str) -> bool:
    """Whether an agent has a memory where nothing else is said."""
    return "memory" in fields(name) and agent_memory(name) != "none"


def small(name: str, **settings: Any) -> dict[str, Any]:
    """`SMALL` for this agent, with further settings."""
    return {**{key: value for key, value in SMALL.items() if key in fields(name)}, **settings}


def build(
    name: str,
    seeds: Any = 3,
    env: str = "CandyMaze-v0",
    env_kwargs: dict[str, Any] | None = None,
    **settings: Any,
) -> Any:
    """A population of small networks, in the small candy maze where nothing else is said."""
    options = ICE if env == "CandyMaze-v0" and env_kwargs is None else env_kwargs
    return make_agent(name, env, seeds=seeds, env_kwargs=options, **small(name, **settings))


def assert_same(a: DeepAgent, b: DeepAgent, but: tuple[str, ...] = ()) -> None:
    """All that the future of both depends on is the same, bit for bit."""
    mine, others = a.get_arrays(), b.get_arrays()
    assert mine.keys() == others.keys()
    for name in mine.keys() - set(but):
        np.testing.assert_array_equal(mine[name], others[name], err_msg=name)
    assert a.num_timesteps == b.num_timesteps


def of_member(agent: DeepAgent, k: int) -> dict[str, NDArray[Any]]:
    """The arrays of one member."""
    found = {}
    for name, array in agent.get_arrays().items():
        rows = len(array) // agent.size
        found[name] = array[k * rows : (k + 1) * rows]
    return found


def spy_actions(agent: DeepAgent) -> list[NDArray[np.int64]]:
    """What the copies do from now on, `[S, N]` each."""
    done: list[NDArray[np.int64]] = []
    act = agent.act

    def spy(rows: NDArray[Any]) -> NDArray[np.int64]:
        done.append(act(rows).copy())
        return done[-1]

    agent.act = spy  # type: ignore[method-assign]
    return done


def count_updates(agent: DeepAgent) -> list[int]:
    """A list of one number, which counts the steps of the optimisers from now on."""
    count = [0]

    def counting(step: Any) -> Any:
        def spy(*args: Any, **kwargs: Any) -> None:
            count[0] += 1
            step(*args, **kwargs)

        return spy

    for optimiser in agent.optimisers.values():
        for name in ("step", "step_as_written"):
            setattr(optimiser, name, counting(getattr(optimiser, name)))
    return count


class Walk(gymnasium.Env[Any, int]):
    """Another people's world: a random walk that pays by the place, and ends after a while or is cut off.

    Args:
        seen: what is observed: "dict", "start" (a number that does not begin at 0), "image" or "vector".
    """

    action_space = spaces.Discrete(3, start=1)

    def __init__(self, seen: str = "dict") -> None:
        self.seen = seen
        self.observation_space = {
            "dict": spaces.Dict(
                {
                    "place": spaces.Discrete(9),
                    "last": spaces.MultiDiscrete([4, 5]),
                    "signs": spaces.MultiBinary(2),
                    "both": spaces.Tuple((spaces.Box(-1.0, 1.0, (2,)), spaces.Box(0, 9, (), np.int16))),
                }
            ),
            "start": spaces.Discrete(9, start=-4),
            "image": spaces.Box(0, 255, (3, 3, 2), np.uint8),
            "vector": spaces.Box(-np.inf, np.inf, (2,), np.float64),
        }[seen]

    def _look(self) -> Any:
        x = self.x
        if self.seen == "start":
            return x
        if self.seen == "image":
            image = np.zeros((3, 3, 2), np.uint8)
            image[divmod(x + 4, 3)] = 255, 10 * self.t
            return image
        if self.seen == "vector":
            return np.array([x, self.t], np.float64)
        return {
            "place": x + 4,
            "last": np.array([self.last, min(self.t, 4)]),
            "signs": np.array([x > 0, x < 0], np.int8),
            "both": (np.array([x / 4, 0.5], np.float32), np.array(min(self.t, 9), np.int16)),
        }

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.x, self.t, self.last = int(self.np_random.integers(-1, 2)), 0, 0
        return self._look(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.x = int(np.clip(self.x + action - 2, -4, 4))
        self.t, self.last = self.t + 1, int(action)
        return self._look(), float(self.x), abs(self.x) == 4, self.t >= 12, {}


WALK = "tests/Walk-v0"
gymnasium.register(WALK, entry_point=Walk, max_episode_steps=12)


def body_of(agent: Any) -> Any:
    """The first network whose parts are the body and a head, or the body alone."""
    network = next(iter(agent.networks.values()))
    if isinstance(network, FeedForward):
        return network.actor
    return network if hasattr(network, "parts") else network.body
