"""Our native batches as a `VecEnv`: the same steps as stable-baselines3's own `DummyVecEnv` over the scalar worlds."""

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor

from rlcourse.envs import SB3VecEnv, to_sb3
from rlcourse.errors import UsageError
from rlcourse.mdp import finite_horizon

WORLDS = {
    "index": ("CandyMaze-v0", {"max_steps": 30}),
    "planes": ("CandyMazeSlippery-v0", {"observation": "planes", "max_steps": 25}),
    "dictionary": (
        "CandyMazePartial-v0",
        {"observation": "window", "feedback": True, "max_steps": 20},
    ),
    "levels": ("CandyMazeLevels-v0", {"max_steps": 15}),
    "regret": ("Bandit-v0", {"horizon": 12}),
    "duel": ("CandyDuel-v0", {"observation": "planes", "moves": "simultaneous"}),
}


def equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return np.asarray(a).dtype == np.asarray(b).dtype and (np.asarray(a) == np.asarray(b)).all()


def same_numbers(a, b):
    """Of an info: a Python number here may be one of NumPy's there."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_numbers(a[key], b[key]) for key in a)
    return (np.asarray(a) == np.asarray(b)).all()


@pytest.mark.parametrize(("name", "options"), WORLDS.values(), ids=WORLDS)
def test_steps_are_those_of_the_scalar_worlds(name, options):
    ours = to_sb3(name, 3, 7, **options)
    theirs = make_vec_env(f"rlcourse/{name}", 3, env_kwargs=options)
    theirs.seed(7)
    ours.action_space.seed(0)
    assert equal(ours.reset(), theirs.reset())
    ends = 0
    for _ in range(150):
        actions = np.array([ours.action_space.sample() for _ in range(3)])
        observation, rewards, dones, infos = ours.step(actions)
        seen, paid, over, told = theirs.step(actions)
        assert equal(observation, seen)
        assert equal(rewards, paid)
        assert equal(dones, over)
        ends += dones.sum()
        for mine, other in zip(infos, told, strict=True):
            other.pop("episode", None)  # of Monitor
            assert mine.keys() == other.keys()
            for key in mine:
                assert same_numbers(mine[key], other[key])
    assert ends >= 3
    for mine, other in zip(ours.reset_infos, theirs.reset_infos, strict=True):
        assert mine.keys() == other.keys()
        assert all(equal(mine[key], other[key]) for key in mine)


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "MountainCar-v0"])
def test_gymnasiums_worlds_with_a_native_batch(name):
    env = to_sb3(name, 2, 0, max_episode_steps=10)
    env.reset()
    for _ in range(10):
        _, rewards, dones, infos = env.step(np.zeros(2, np.int64))
    assert rewards.dtype == np.float32
    if name != "CartPole-v1":  # where the pole has fallen before
        assert dones.all()
        assert [info["TimeLimit.truncated"] for info in infos] == [True, True]
        assert all(info["terminal_observation"].shape == env.observation_space.shape for info in infos)


def test_masks_are_those_of_the_places_where_the_copies_are_now():
    env = to_sb3("CandyMaze-v0", 4, 0, max_steps=6)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.env_method("action_masks")
    env.reset()
    assert env.has_attr("action_masks")
    rng = np.random.default_rng(0)
    for _ in range(40):
        masks = np.stack(env.env_method("action_masks"))
        assert masks.dtype == bool
        twin = [env.venv.rules.reset_info(env.venv._state)["action_mask"][i].astype(bool) for i in range(4)]
        assert (masks == twin).all()
        assert (env.env_method("action_masks", indices=[2])[0] == masks[2]).all()
        assert (env.get_attr("action_masks")[1]() == masks[1]).all()
        env.step(np.array([rng.choice(np.flatnonzero(mask)) for mask in masks]))
    assert not to_sb3("CartPole-v1").has_attr("action_masks")


def test_a_snapshot():
    env = to_sb3("CandyMazeSlippery-v0", 3, 5)
    env.reset()
    env.step(np.array([1, 2, 3]))
    snapshot = env.get_state()
    twin = to_sb3("CandyMazeSlippery-v0", 3)
    seen = twin.set_state(snapshot)
    observation, *_ = env.step(np.array([1, 1, 1]))
    again, *_ = twin.step(np.array([1, 1, 1]))
    assert (observation == again).all()
    assert seen.shape == (3,)
    assert (np.stack(env.env_method("action_masks")) == np.stack(twin.env_method("action_masks"))).all()


def test_what_single_copies_are_asked():
    env = to_sb3("CandyMaze-v0", 2, render_mode="rgb_array", observation="onehot")
    assert env.get_attr("observation") == ["onehot", "onehot"]
    assert env.get_attr("render_mode", indices=1) == ["rgb_array"]
    env.set_attr("note", 3)
    assert env.get_attr("note") == [3, 3]
    with pytest.raises(UsageError, match="for some copies"):
        env.set_attr("note", 4, indices=[0])
    with pytest.raises(UsageError, match="option of the world"):
        env.set_attr("observation", "index")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        env.get_attr("nothing")
    with pytest.raises(AttributeError, match="no objects with methods"):
        env.env_method("walk")
    assert env.env_is_wrapped(gymnasium.Wrapper) == [False, False]
    assert env.seed(3) == [3, 4]
    first = env.reset()
    assert env.render().ndim == 3
    assert len(env.get_images()) == len(env.env_method("render")) == 2
    env.set_options({"same_problem": True})
    assert equal(env.reset(), first)
    env.set_options([{}, {"same_problem": True}])
    with pytest.raises(UsageError, match="same options"):
        env.reset()
    env.close()


def test_what_is_wrong_is_said_in_a_line():
    with pytest.raises(UsageError, match="did you mean CandyMaze-v0"):
        to_sb3("CandyMase-v0")
    with pytest.raises(UsageError, match="did you mean max_steps"):
        to_sb3("CandyMaze-v0", max_step=3)
    with pytest.raises(
        UsageError, match=r"FrozenLake-v1 with the options .* has no native batch: use .*make_vec_env"
    ):
        to_sb3("FrozenLake-v1")
    with pytest.raises(UsageError, match="refuses its options"):
        to_sb3("CandyMaze-v0", num_envs=3)
    batch = gymnasium.make_vec("rlcourse/CandyMaze-v0", 2, vectorization_mode="vector_entry_point")
    with pytest.raises(UsageError, match="autoreset_mode='SameStep'"):
        SB3VecEnv(batch.unwrapped)


CORNER = {"layout": "S.2\n.#.\n..E", "max_steps": 30}


def test_its_agents_learn_in_it():
    """The best return there is, by dynamic programming: the candy lies on one of the two ways to the exit."""
    mdp = gymnasium.make("rlcourse/CandyMaze-v0", **CORNER).unwrapped.model()
    best = mdp.start @ finite_horizon(mdp, CORNER["max_steps"]).V[0]
    env = VecMonitor(to_sb3("CandyMaze-v0", 8, 0, **CORNER))
    settings = {"n_steps": 32, "batch_size": 128, "n_epochs": 6, "learning_rate": 2e-3, "ent_coef": 0.05}
    model = PPO("MlpPolicy", env, seed=1, device="cpu", **settings).learn(6144)
    assert model.ep_info_buffer[-1]["r"] > 0
    returns, _ = evaluate_policy(model, VecMonitor(to_sb3("CandyMaze-v0", 2, 9, **CORNER)), 4)
    assert returns == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("kind", [A2C, DQN])
def test_others_run_in_it(kind):
    env = to_sb3("CartPole-v1", 2, 0)
    settings = {"learning_starts": 20, "buffer_size": 200} if kind is DQN else {}
    model = kind("MlpPolicy", env, seed=0, device="cpu", **settings).learn(200)
    assert model.num_timesteps >= 200
