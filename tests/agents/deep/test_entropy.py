"""The weight of the policy's entropy falls as it is told, and what it weighs shows in the policy."""

import numpy as np
import pytest

from rlcourse.agents import make_agent
from rlcourse.agents.baselines import equal_settings
from rlcourse.errors import UsageError

FIELD = {"layout": "S..\n...\n..E", "max_steps": 20}


@pytest.mark.parametrize("name", ["a2c", "ppo", "recurrent_ppo"])
def test_falls_linearly_to_zero(name):
    agent = make_agent(name, "CandyMaze-v0", n_envs=4, ent_coef=0.2, ent_anneal_steps=400)
    assert agent.ent_coef == 0.2
    assert agent.learn(100).ent_coef == pytest.approx(0.15)
    assert agent.learn(500).ent_coef == 0.0
    assert make_agent(name, "CandyMaze-v0", n_envs=4, ent_coef=0.2).learn(64).ent_coef == 0.2


@pytest.mark.parametrize("name", ["a2c", "ppo"])
def test_a_policy_stays_open_only_as_long_as_that_is_worth_something(name):
    settings = {"n_envs": 8, "n_steps": 8, "learning_rate": 1e-2, "ent_coef": 0.5}
    if name == "ppo":
        settings["batch_size"] = 32

    def entropy(**more):
        agent = make_agent(name, "CandyMaze-v0", seeds=3, env_kwargs=FIELD, **settings, **more).learn(6000)
        observation, _ = agent.venv.reset(seed=0)
        chances = agent.action_chances(np.asarray(observation).reshape(3, -1)[:, :1])
        return -(chances * np.log(chances + 1e-12)).sum(axis=-1).mean()

    assert entropy() > 2.0 * entropy(ent_anneal_steps=2000)


def test_stable_baselines3_has_no_such_thing():
    with pytest.raises(UsageError, match="sb3:ppo has nothing like ent_anneal_steps=5"):
        equal_settings("ppo", {"ent_anneal_steps": 5})
