"""The code in CONTRIBUTING.md is real: it runs, and passes what everything that is added has to pass."""

import re
import sys
import types
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import rlcourse
from rlcourse.agents import AGENTS
from rlcourse.experiments import load_suite
from rlcourse.mdp import FiniteMDP, epsilon_soft, q_values, value_iteration

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()


def example(name):
    """The code block below the mark `<!-- name -->`."""
    return re.search(rf"^<!-- {name} -->\n```\w+\n(.*?)^```$", TEXT, flags=re.S | re.M)[1]


@pytest.fixture
def module(monkeypatch):
    """Run an example as a module of its own."""

    def run(name):
        made = types.ModuleType(f"contributing_{name}")
        monkeypatch.setitem(sys.modules, made.__name__, made)
        exec(compile(example(name), f"CONTRIBUTING.md, {name}", "exec"), made.__dict__)
        return made

    return run


def test_strategy(module, monkeypatch):
    made = module("strategy")
    monkeypatch.setitem(AGENTS, "win_stay", f"{made.__name__}:WinStay")
    world = {"law": "bernoulli", "means": [0.1, 0.9]}
    agent = rlcourse.make_agent("win_stay", "Bandit-v0", seeds=3, env_kwargs=world)
    agent.learn(2000)
    # It leaves the bad arm with chance 0.45 and the good one with 0.05, so it sits on the good one 0.9 of the time.
    assert np.allclose(agent.counts[:, 1] / 2000, 0.9, atol=0.05)
    solo = rlcourse.make_agent("win_stay", "Bandit-v0", seeds=[2], env_kwargs=world).learn(2000)
    for name, array in agent.member(2).get_arrays().items():
        assert np.array_equal(array, solo.get_arrays()[name]), name


def test_rule(module, monkeypatch):
    made = module("rule")
    monkeypatch.setitem(AGENTS, "cautious", f"{made.__name__}:Cautious")
    lake = {"env": "FrozenLake-v1", "settings": {"is_slippery": False}}
    settings = {"learning_rate": 0.5, "gamma": 0.9, "exploration_final_eps": 1.0}
    agent = rlcourse.make_agent("cautious", "FiniteWorld-v0", seeds=3, env_kwargs=lake, **settings).learn(
        100_000
    )
    mdp = FiniteMDP.from_env(gymnasium.make("FrozenLake-v1", is_slippery=False))
    soft = value_iteration(epsilon_soft(mdp, 0.5), 0.9)  # the best there is if half of the steps are random
    visited = agent.visits[0] > 100
    assert visited.sum() > 35
    np.testing.assert_allclose(agent.Q[0][visited], q_values(mdp, soft.V, 0.9)[visited], atol=1e-6)


def test_deep(module, monkeypatch):
    made = module("deep")
    monkeypatch.setitem(AGENTS, "mellow_dqn", f"{made.__name__}:MellowDQN")
    world = {"layout": "S.2\n..E", "exit_reward": 1.0, "observation": "onehot"}
    settings = {"learning_starts": 100, "exploration_steps": 1000, "learning_rate": 3e-3}
    agent = rlcourse.make_agent("mellow_dqn", "CandyMaze-v0", seeds=3, env_kwargs=world, **settings).learn(
        3000
    )
    best = float(
        np.max(
            rlcourse.evaluate(
                rlcourse.make_agent(
                    "value_iteration", "CandyMaze-v0", env_kwargs={**world, "observation": "index"}
                ),
                1,
            )
        )
    )
    assert np.allclose(rlcourse.evaluate(agent, episodes=2), best)


def test_world(module, monkeypatch):
    made = module("world")
    entry = f"{made.__name__}:SwappingBandit"
    spec = gymnasium.envs.registration.EnvSpec(
        "rlcourse/SwappingBandit-v0", entry_point=f"{entry}Env", vector_entry_point=f"{entry}VectorEnv"
    )
    monkeypatch.setitem(gymnasium.registry, spec.id, spec)
    check_env(gymnasium.make(spec.id).unwrapped, skip_render_check=True)
    perfect = rlcourse.make_agent("perfect_knowledge", "SwappingBandit-v0", seeds=50).learn(2500)
    assert perfect.venv.unwrapped.get_state()["paid"].mean() / 2500 == pytest.approx(0.7, abs=0.005)
    assert (perfect.counts.min(axis=1) == 1000).all()  # the arm that is better in the second period alone


def test_suite(tmp_path):
    path = tmp_path / "who-follows-a-change.toml"
    path.write_text(example("suite"))
    assert len(list(load_suite(path).pairs())) == 2
