"""The agents of stable-baselines3 as populations: the protocol, and that nothing of them is lost or changed by it."""

import random

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_util import make_vec_env

import rlcourse
from rlcourse.agents import AGENTS, make_agent
from rlcourse.mdp import finite_horizon
from tests.agents.baselines.small import CORNER, OF_PPO, QUICK, build, same


def test_every_agent_of_theirs_is_tested():
    assert {name for name in AGENTS if name.startswith("sb3:")} == set(QUICK)


# ---------------------------------------------------------------- what is learned is what stable-baselines3 learns


def theirs(kind, seed, **settings):
    """stable-baselines3 without us, its first episode that of our members."""
    world = make_vec_env("rlcourse/CandyMaze-v0", 1, env_kwargs=CORNER)
    arch = {"policy_kwargs": {"net_arch": settings.pop("net_arch")}}
    return kind("MlpPolicy", world, seed=seed, device="cpu", **settings, **arch)


@pytest.mark.parametrize(("name", "kind", "steps"), [("sb3:ppo", PPO, 128), ("sb3:dqn", DQN, 160)])
def test_a_member_is_the_model_of_its_seed(name, kind, steps):
    """The weights are those of stable-baselines3 alone, and the global random numbers are left as they were."""
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    agent = build(name, seeds=[3, 7]).learn(steps)
    assert (torch.get_rng_state() == before[0]).all()
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert random.getstate() == before[2]
    arrays = agent.get_arrays()
    for k, seed in enumerate(agent.seeds):
        model = theirs(kind, seed, **QUICK[name]).learn(steps)
        for part, tensor in model.policy.state_dict().items():
            np.testing.assert_array_equal(arrays[f"member/model/policy/{part}"][k], tensor.numpy())


@pytest.mark.parametrize("name", QUICK)
def test_a_member_does_not_depend_on_the_others(name):
    many = build(name, seeds=[4, 9]).learn(150)
    alone = build(name, seeds=[9]).learn(150)
    same(many.member(1), alone)
    assert many.num_timesteps == alone.num_timesteps == 150
    many.learn(70)
    alone.learn(70)
    same(many.member(1), alone)


@pytest.mark.parametrize("name", ["sb3:dqn", "sb3:ppo"])
def test_processes_change_nothing(name):
    here = build(name, seeds=3, jobs=1).learn(130)
    there = build(name, seeds=3, jobs=2).learn(130)
    for a, b in zip(here.get_arrays().items(), there.get_arrays().items(), strict=True):
        assert a[0] == b[0]
        np.testing.assert_array_equal(a[1], b[1], err_msg=a[0])


def optimum():
    mdp = gymnasium.make("rlcourse/CandyMaze-v0", **CORNER).unwrapped.model()
    return mdp.start @ finite_horizon(mdp, CORNER["max_steps"]).V[0]


OF_POLICIES = {"n_envs": 8, "learning_rate": 2e-3, "ent_coef": 0.05}
TO_LEARN = {
    "sb3:ppo": (3072, {**OF_POLICIES, "n_steps": 32, "batch_size": 128, "n_epochs": 6}),
    "sb3:a2c": (5000, {**OF_POLICIES, "n_steps": 8}),
    "sb3:dqn": (
        2500,
        {
            "buffer_size": 2500,
            "learning_starts": 200,
            "learning_rate": 1e-3,
            "target_update_interval": 100,
            "exploration_steps": 2000,
            "batch_size": 64,
            "net_arch": [64],
            "gamma": 0.95,
        },
    ),
}


@pytest.mark.parametrize("name", TO_LEARN)
def test_they_learn(name):
    """The best return there is, by dynamic programming, with every seed."""
    steps, settings = TO_LEARN[name]
    agent = make_agent(
        name, "CandyMaze-v0", seeds=3, env_kwargs=CORNER, vec_env="native", jobs=1, **settings
    ).learn(steps)
    np.testing.assert_allclose(rlcourse.evaluate(agent, 2).mean(axis=1), optimum(), atol=1e-6)


# ---------------------------------------------------------------- account, pieces


@pytest.mark.parametrize("settings", [{}, {"n_envs": 2}, {"vec_env": "native", "n_envs": 2}])
@pytest.mark.parametrize("name", ["sb3:ppo", "sb3:dqn"])
def test_the_account(name, settings):
    """Against what Monitor of stable-baselines3 says of the same run."""
    agent = build(name, seeds=2, env_kwargs={**CORNER, "max_steps": 9}, **settings)
    seen = []
    for _ in agent.follow([50, 30, 80], lambda steps: seen.append(steps)):
        seen.append((agent.num_timesteps, agent.episodes.copy(), agent.earned.copy(), agent.running.copy()))
    points = [entry for entry in seen if isinstance(entry, tuple)]
    assert sum(entry for entry in seen if isinstance(entry, int)) == 160
    assert [point[0] for point in points] == [50, 80, 160]
    assert (points[0][1] < points[1][1]).all()
    assert (points[1][1] < points[2][1]).all()
    whole = build(name, seeds=2, env_kwargs={**CORNER, "max_steps": 9}, **settings).learn(160)
    for part, total in zip(points[-1][1:], (whole.episodes, whole.earned, whole.running), strict=True):
        assert (part == total).all()
    if not settings and name == "sb3:ppo":
        world = make_vec_env("rlcourse/CandyMaze-v0", 1, env_kwargs={**CORNER, "max_steps": 9})
        arch = {"net_arch": OF_PPO["net_arch"]}
        rest = {key: value for key, value in OF_PPO.items() if key != "net_arch"}
        PPO("MlpPolicy", world, seed=1, device="cpu", policy_kwargs=arch, **rest).learn(160)
        monitor = world.envs[0]
        assert whole.episodes[1] == len(monitor.get_episode_rewards())
        assert whole.earned[1] == pytest.approx(sum(monitor.get_episode_rewards()), abs=1e-4)


def test_the_steps_are_not_exceeded():
    """stable-baselines3 would end its rollout; with copies, steps are rounded up to their number."""
    assert build("sb3:ppo").learn(45).num_timesteps == 45
    assert build("sb3:dqn").learn(45).num_timesteps == 45
    assert build("sb3:ppo", n_envs=4).learn(45).num_timesteps == 48
    agent = build("sb3:ppo")
    first = agent.get_arrays()
    agent.learn(31)  # a step less than a rollout: nothing is learned
    assert int(agent.get_arrays()["member/counts"][0, 1]) == 0
    assert "member/counts" not in first
    assert int(agent.learn(32).get_arrays()["member/counts"][0, 1]) > 0


def test_schedules_in_steps_go_on():
    agent = build("sb3:dqn", exploration_steps=200, exploration_final_eps=0.1).learn(100)
    rates = [float(agent.get_arrays()["member/exploration_rate"][0])]
    for steps in (50, 50, 50):
        agent.learn(steps)
        rates.append(float(agent.get_arrays()["member/exploration_rate"][0]))
    np.testing.assert_allclose(rates, [0.55, 0.325, 0.1, 0.1], atol=0.005)
    # An update at a step size of 0 changes nothing.
    still = build("sb3:ppo", anneal_steps=64).learn(64)
    weights = {name: array for name, array in still.get_arrays().items() if "policy/" in name}
    still.learn(64)
    assert all((still.get_arrays()[name] == array).all() for name, array in weights.items())
