"""The agents of stable-baselines3 saved, loaded and asked."""

import copy
import json
import pickle

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

import rlcourse
from rlcourse.agents import load_agent
from rlcourse.agents.storage import read_agent_folder, write_agent_folder
from rlcourse.errors import StorageError, UsageError
from tests.agents.baselines.small import CORNER, QUICK, build, same


@pytest.mark.parametrize("settings", [{}, {"vec_env": "native", "n_envs": 2}])
@pytest.mark.parametrize("name", QUICK)
def test_saved_and_loaded_it_goes_on_the_same(name, settings, tmp_path):
    agent = build(name, seeds=2, **settings).learn(140)
    observation = agent.venv.observation_space.sample()
    folder = agent.save(tmp_path / "agent")
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".safetensors"]
    twins = [load_agent(folder), copy.deepcopy(agent), pickle.loads(pickle.dumps(agent))]
    actions, _ = agent.predict(observation)
    assert actions.shape == (2,)
    assert actions.dtype == np.int64
    for twin in twins:
        assert (twin.predict(observation)[0] == actions).all()
    drawn = agent.predict(observation, deterministic=False)[0]
    assert (twins[0].predict(observation, deterministic=False)[0] == drawn).all()
    agent.learn(60)
    for twin in twins:
        assert twin.learn(60).num_timesteps == agent.num_timesteps == 200
        assert (twin.earned == agent.earned).all()
    same(agent, twins[0])


def test_before_anything_is_learned(tmp_path):
    agent = build("sb3:ppo", seeds=2)
    twin = load_agent(agent.save(tmp_path / "agent"))
    same(agent.learn(64), twin.learn(64))


def test_native_episodes_go_on():
    """In a world without chance, two calls of `learn` make the steps of one."""
    settings = {"vec_env": "native", "n_steps": 30, "batch_size": 30}
    twice = build("sb3:ppo", env_kwargs=CORNER, **settings).learn(30).learn(30)
    once = build("sb3:ppo", env_kwargs=CORNER, **settings).learn(60)
    assert twice.earned + twice.running == pytest.approx(once.earned + once.running, abs=1e-6)
    same(twice, once)


def test_what_broken_files_say(tmp_path):
    agent = build("sb3:dqn").learn(60)
    folder = agent.save(tmp_path / "agent")
    manifest, arrays = read_agent_folder(folder)
    for field in ("format", "format_version", "rlcourse", "arrays"):
        manifest.pop(field)

    def broken(change):
        changed = {name: array.copy() for name, array in arrays.items()}
        change(changed)
        return write_agent_folder(tmp_path / "broken", manifest, changed)

    weight = next(name for name in arrays if name.endswith("q_net.0.weight"))
    moment = next(name for name in arrays if name.endswith("exp_avg"))
    changes = {
        "missing for": lambda a: a.pop(weight),
        "unknown for": lambda a: a.update({"member/model/policy/more": a[weight]}),
        "expected torch.float32": lambda a: a.update({weight: a[weight][:, :3]}),
        "exp_avg.*expected": lambda a: a.update({moment: a[moment][:, :3]}),
        "is missing": lambda a: a.pop("member/counts"),
        "outside of the replay buffer": lambda a: a.update({"member/buffer/place": np.array([[999, 0]])}),
        "buffer/rewards.*expected": lambda a: a.update(
            {"member/buffer/rewards": a["member/buffer/rewards"][:, :4]}
        ),
        "random numbers": lambda a: a.update({"member/random/torch": a["member/random/torch"][:, :99]}),
        "members, not 1": lambda a: a.update({"member/running": np.zeros((2, 1))}),
        "one number for each copy": lambda a: a.update({"member/running": np.zeros((1, 3))}),
    }
    for message, change in changes.items():
        with pytest.raises(StorageError, match=message) as caught:
            load_agent(broken(change))
        assert "\n" not in str(caught.value)
    text = json.loads((folder / "agent.json").read_text())
    assert text["settings"]["buffer_size"] == 150


@pytest.mark.parametrize("name", ["sb3:ppo", "sb3:dqn", "sb3:recurrent_ppo"])
def test_their_own_evaluation_takes_a_member(name):
    agent = build(name, seeds=2).learn(96)
    one = agent.member(1)
    world = DummyVecEnv([lambda: gymnasium.make("rlcourse/CandyMaze-v0", **CORNER)] * 2)
    with pytest.warns(UserWarning, match="not wrapped with a ``Monitor``"):
        worth, _ = evaluate_policy(one, world, 4)
    np.testing.assert_allclose(
        worth, rlcourse.evaluate(agent, 2)[1].mean(), atol=1e-5
    )  # there is no chance in it


def test_asking_leaves_learning_alone():
    asked, left = build("sb3:ppo").learn(64), build("sb3:ppo").learn(64)
    rlcourse.evaluate(asked, 3, deterministic=False)
    asked.predict(np.zeros(1, np.int64), deterministic=False)
    asked.learn(64)
    left.learn(64)
    assert asked.earned == left.earned


def test_values():
    dqn, ppo = build("sb3:dqn", seeds=2).learn(60), build("sb3:ppo", seeds=2).learn(64)
    observation = np.arange(6).reshape(2, 3)
    values = dqn.action_values(observation)
    assert values.shape == (2, 3, dqn.n_actions)
    assert (values.argmax(axis=-1) == dqn.predict(observation)[0]).all()
    assert (dqn.state_values(observation) == values.max(axis=-1)).all()
    assert ppo.state_values(observation).shape == (2, 3)
    assert ppo.action_values(observation) is None


def test_what_is_drawn_is_epsilon_greedy_for_every_copy():
    """Where stable-baselines3 throws one coin for all."""
    agent = build("sb3:dqn", exploration_final_eps=0.5, exploration_fraction=0.01).learn(60)
    best = agent.predict(np.zeros(4000, np.int64))[0]
    drawn = agent.predict(np.zeros(4000, np.int64), deterministic=False)[0]
    other = (drawn != best).mean()
    rate = 0.5 * (agent.n_actions - 1) / agent.n_actions
    assert abs(other - rate) < 5 * np.sqrt(rate / 4000)


def test_a_memory_is_handed_on():
    agent = build("sb3:recurrent_ppo", seeds=2, world="TMaze-v0", env_kwargs={"length": 3}).learn(64)
    observation = agent.venv.observation_space.sample()
    _, state = agent.predict(observation, None, np.ones(2, np.bool_))
    once = [part.copy() for part in state[0]]
    _, later = agent.predict(observation, state, np.zeros(2, np.bool_))
    assert not np.allclose(later[0][0], once[0])
    _, again = agent.predict(observation, later, np.ones(2, np.bool_))
    np.testing.assert_allclose(again[0][0], once[0], atol=1e-6)


@pytest.mark.parametrize("name", ["sb3:dqn", "sb3:ppo", "sb3:recurrent_ppo"])
def test_what_cannot_be_asked_is_refused(name):
    agent = build(name, seeds=2, world="FrozenLake-v1", env_kwargs={})
    for wrong, says in (
        ([3, 99], r"not one of Discrete\(16\)"),
        ([-1, 3], r"not one of Discrete\(16\)"),
        ([2.5, 3], "expected whole numbers of"),
        ("up", "expected whole numbers of"),
    ):
        with pytest.raises(UsageError, match=says) as error:
            agent.predict(wrong)
        assert "\n" not in str(error.value)
    values = agent.action_values if name == "sb3:dqn" else agent.state_values
    if name != "sb3:recurrent_ppo":
        with pytest.raises(UsageError, match="not one of"):
            values([3, 99])
    seen = np.zeros((2, 3), np.int64)
    _, state = agent.predict(seen)
    agent.predict(seen, state)
    of_fewer = agent.predict(seen[:, 0])[1] or 0
    for bad in (3, (3,), (1, 2), [None, 3], (None, np.zeros(3)), of_fewer):
        with pytest.raises(
            UsageError, match=f"not what {name} remembers of .2, 3. copies: give what predict"
        ):
            agent.predict(seen, bad)
    with pytest.raises(UsageError, match="episode_start has the shape"):
        agent.predict(seen, None, np.zeros(5, np.bool_))


def test_masks_forbid():
    agent = build("sb3:maskable_ppo", seeds=2).learn(64)
    observation = np.zeros((2, 50), np.int64)
    masks = np.zeros((2, 50, agent.n_actions), np.bool_)
    masks[..., 2] = True
    assert (agent.predict(observation, deterministic=False, action_masks=masks)[0] == 2).all()
    agent.tell_masks(masks)
    assert (agent.predict(observation)[0] == 2).all()
    with pytest.raises(UsageError, match="action masks are"):
        agent.predict(observation, action_masks=masks[:, :3])
    # It never bumps, neither in training nor when it is evaluated: from the start two moves are possible.
    assert rlcourse.evaluate(agent, 3, deterministic=False).shape == (2, 3)
    native = build("sb3:maskable_ppo", vec_env="native", n_envs=2).learn(128)
    assert native.num_timesteps == 128


@pytest.mark.parametrize("checked", [True, False])
def test_one_that_diverges_says_so_in_a_line(monkeypatch, checked):
    """Whether torch checks the arguments of distributions, which some packages forbid it for all, or fails as it draws."""
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", checked)
    agent = build("sb3:ppo", seeds=1, learning_rate=1e30)
    with pytest.raises(
        UsageError, match="PPO with seed 0 has diverged, its weights are no finite numbers: a smaller"
    ):
        agent.learn(500)


def test_one_that_plays_on_though_it_has_diverged_has_no_score():
    agent = build("sb3:dqn", seeds=2)
    assert agent.diverged.tolist() == [False, False]
    agent.learn(140)
    arrays = agent.get_arrays()
    weights = [name for name in arrays if "model/policy/" in name]
    arrays[weights[0]].reshape(2, -1)[1, 0] = np.nan
    agent.set_arrays(arrays)
    assert agent.diverged.tolist() == [False, True]
    assert np.isnan(rlcourse.evaluate(agent, 2)).all(axis=1).tolist() == [False, True]
