"""Which small world fits which bandit strategy: found by trying, so that a new strategy needs no line here."""

from __future__ import annotations

import functools
import math
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.agents import AGENTS, agent_class, make_agent
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.errors import UsageError

STRATEGIES = [name for name in AGENTS if issubclass(agent_class(name), BanditAgent)]

ROUNDED = [name for name in STRATEGIES if ".deep." in AGENTS[name]]
"""Strategies with a network: the products of a batch are rounded by its size, so that a member is its solo run up to that."""

ROUNDS = 60
"""An episode of every world below."""

CANDIDATES: list[tuple[str, dict[str, Any]]] = [
    ("CandyMachines-v0", {"coins": ROUNDS}),
    ("Bandit-v0", {"arms": 4, "law": "gaussian", "horizon": ROUNDS}),
    ("ContextualBandit-v0", {"payoff": "logistic", "arms": 3, "dim": 2, "horizon": ROUNDS}),
    ("ContextualBandit-v0", {"arms": 3, "dim": 2, "horizon": ROUNDS}),
]


@functools.cache
def fitting_world(name: str) -> tuple[str, dict[str, Any]]:
    """The first candidate that the strategy accepts."""
    refusals = []
    for world, options in CANDIDATES:
        try:
            make_agent(name, world, env_kwargs=options)
        except UsageError as error:
            refusals.append(str(error))
        else:
            return world, options
    raise AssertionError(f"no candidate world fits {name}: {refusals}")


def build(name: str, seeds: int | list[int] = 1, **settings: Any) -> BanditAgent:
    """A population of the strategy in its fitting world; networks train more often and less each time than they would."""
    world, options = fitting_world(name)
    if name in ROUNDED:
        settings = {"train_freq": 20, "gradient_steps": 2, "buffer_size": 100, **settings}
    agent = make_agent(name, world, seeds=seeds, env_kwargs=options, **settings)
    assert isinstance(agent, BanditAgent)
    return agent


def assert_same(a: BanditAgent, b: BanditAgent, rows: Any = slice(None)) -> None:
    """All that the future of `b` depends on is, bit for bit, that of the members `rows` of `a`; see `ROUNDED`."""
    mine, others = a.get_arrays(), b.get_arrays()
    assert mine.keys() == others.keys()
    rounded = a.name in ROUNDED and a.size != b.size
    for name, array in mine.items():
        if rounded and array.dtype.kind == "f":
            np.testing.assert_allclose(array[rows], others[name], rtol=1e-4, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(array[rows], others[name], err_msg=name)
    assert a.num_timesteps == b.num_timesteps


def observations(agent: BanditAgent, *lead: int) -> NDArray[Any]:
    """Samples of what the agent's world shows, `[*lead, ...]`."""
    space = agent.venv.single_observation_space
    space.seed(0)
    flat = np.stack([np.asarray(space.sample()) for _ in range(math.prod(lead))])
    return flat.reshape(lead + flat.shape[1:])


def ask(agent: BanditAgent, *lead: int, deterministic: bool = True) -> tuple[NDArray[np.int64], Any]:
    """A prediction for sampled observations with these leading dimensions; one who is told the truth is told first."""
    if agent.needs_truth:
        copies = math.prod(lead) // agent.size
        agent.tell(np.repeat(agent.venv.unwrapped.arm_values()[:, None], copies, axis=1))
    return agent.predict(observations(agent, *lead), deterministic=deterministic)


def needs_more_than_rewards(name: str) -> bool:
    """A strategy that wants to see a context, or to be told the truth."""
    return "Contextual" in fitting_world(name)[0] or agent_class(name).needs_truth  # type: ignore[attr-defined]


class UnevenBandit(gymnasium.Env[int, int]):
    """Three coins; the game may end after any round, so that the members of a population get out of step."""

    observation_space = gymnasium.spaces.Discrete(1)
    action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        won = self.np_random.random() < 0.3 * (action + 1)
        over = self.np_random.random() < 0.1
        return 0, float(won), bool(over), False, {}


UNEVEN = "tests/UnevenBandit-v0"
gymnasium.register(UNEVEN, entry_point=UnevenBandit)


def watch(agent: BanditAgent, steps: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Let the agent learn, and keep what it did: actions and rewards, `[steps, S]` each."""
    actions, rewards = [], []
    update = agent.update

    def spy(observation: Any, pulled: NDArray[np.int64], paid: NDArray[np.float64]) -> None:
        actions.append(pulled.copy())
        rewards.append(paid.copy())
        update(observation, pulled, paid)

    agent.update = spy  # type: ignore[method-assign]
    agent.learn(steps)
    del agent.update
    return np.array(actions), np.array(rewards)
