"""stable-baselines3 and our worlds: its checker has nothing to say, its agents run unchanged, and they learn what there is."""

import warnings

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy as play

from rlcourse.mdp import evaluate_policy, finite_horizon

from .variants import CASE_NAMES, CASES

# What it says of arrays with three axes is about pictures for its CnnPolicy. Planes and windows are none, but channels of
# ones and zeros of a map that may be small: they are for MlpPolicy and MultiInputPolicy, which flatten them. The last one is
# about a table of contexts, one row an arm.
NO_PICTURES = (
    "It seems that your observation space .* is an image but",
    "Treating image space as channels-last",
    "The minimal resolution for an image is 36x36",
    "Your observation .* has an unconventional shape",
)


@pytest.mark.parametrize(("name", "kwargs"), CASES, ids=CASE_NAMES)
def test_its_checker(name, kwargs):
    with warnings.catch_warnings():
        for text in NO_PICTURES:
            warnings.filterwarnings("ignore", text, UserWarning)
        check_env(gymnasium.make(name, **kwargs), skip_render_check=True)


SEEN = {
    "index": ("CandyMaze-v0", "MlpPolicy", {}),
    "onehot": ("CandyMaze-v0", "MlpPolicy", {"observation": "onehot"}),
    "planes": ("CandyMaze-v0", "MlpPolicy", {"observation": "planes"}),
    "window and feedback": (
        "CandyMazePartial-v0", "MultiInputPolicy", {"observation": "window", "feedback": True},
    ),
    "pictures": ("CandyMazeLevels-v0", "CnnPolicy", {"observation": "rgb"}),
    "memory": ("TMaze-v0", "MlpPolicy", {"length": 3}),
    "duel": ("CandyDuel-v0", "MlpPolicy", {"observation": "planes", "moves": "simultaneous"}),
}  # fmt: skip
AGENTS = {
    "dqn": (DQN, {"buffer_size": 300, "learning_starts": 50, "batch_size": 16}),
    "ppo": (PPO, {"n_steps": 64, "batch_size": 32, "n_epochs": 1}),
}


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("seen", SEEN)
def test_its_agents_run_unchanged(agent, seen):
    """Through `gymnasium.make` and nothing else; it finds the end of episodes and their success where it looks for them."""
    kind, settings = AGENTS[agent]
    name, policy, options = SEEN[seen]
    env = gymnasium.make(f"rlcourse/{name}", max_steps=20, **options)
    model = kind(policy, env, seed=0, device="cpu", **settings)
    model.learn(200)
    assert model.num_timesteps >= 200
    assert len(model.ep_info_buffer) >= 200 // 20 - 1
    assert len(model.ep_success_buffer) == len(model.ep_info_buffer)
    returns, lengths = play(model, model.get_env(), n_eval_episodes=2, return_episode_rewards=True)
    assert np.isfinite(returns).all()
    assert all(1 <= length <= 20 for length in lengths)


CANDIES = "S.3.\n.#.#\n5..E\n"
STEPS = 40
TO_LEARN = {"layout": CANDIES, "exit_reward": 2.0, "max_steps": STEPS}
LEARNERS = {
    "dqn": (
        DQN,
        5_000,
        {
            "learning_rate": 2e-3,
            "buffer_size": 5_000,
            "learning_starts": 200,
            "batch_size": 64,
            "target_update_interval": 200,
            "train_freq": 2,
            "exploration_fraction": 0.6,
        },
    ),
    "ppo": (
        PPO,
        10_240,
        {
            "learning_rate": 2e-3,
            "n_steps": 64,
            "batch_size": 128,
            "n_epochs": 6,
            "ent_coef": 0.01,
        },
    ),
}


def maze_and_its_values():
    """The model, the best return within the limit, and the return of random play."""
    mdp = gymnasium.make("rlcourse/CandyMaze-v0", **TO_LEARN).unwrapped.model()
    random = np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions)
    return mdp, mdp.start @ finite_horizon(mdp, STEPS).V[0], mdp.start @ evaluate_policy(mdp, random, 1.0)


def learned(model, mdp):
    """float [X, A]: what it does in every state of the model."""
    cells = np.flatnonzero([sign != "#" for sign in CANDIES.replace("\n", "")])
    seen = np.zeros((mdp.n_states, 12 + 2), np.float32)
    for x in range(mdp.n_states):
        seen[x, cells[x // 4]] = 1.0
        seen[x, 12:] = x % 2, x // 2 % 2
    return np.eye(mdp.n_actions)[model.predict(seen, deterministic=True)[0]]


def worth(mdp, policy):
    """The return of a policy within the limit, by going back from the end."""
    V, pair = np.zeros(mdp.n_states), np.repeat(np.arange(mdp.n_states * mdp.n_actions), np.diff(mdp.first))
    for _ in range(STEPS):
        gain = mdp.prob * (mdp.reward + np.where(mdp.terminated, 0.0, V[mdp.next]))
        V = (policy * np.bincount(pair, gain).reshape(policy.shape)).sum(axis=1)
    return mdp.start @ V


@pytest.mark.parametrize(("agent", "seed"), [("ppo", 0), ("ppo", 1), ("ppo", 2), ("dqn", 0)])
def test_its_agents_learn_the_maze(agent, seed):
    """Nearly the best return that there is, 9.7, where random play has less than 5; of both candies none may be missed."""
    kind, steps, settings = LEARNERS[agent]
    mdp, best, random = maze_and_its_values()
    assert best == pytest.approx(9.7)
    assert random < 5.0
    options = {**TO_LEARN, "observation": "onehot"}
    env = make_vec_env("rlcourse/CandyMaze-v0", 8 if agent == "ppo" else 1, seed=seed, env_kwargs=options)
    model = kind("MlpPolicy", env, seed=seed, policy_kwargs={"net_arch": [64]}, device="cpu", **settings)
    model.learn(steps)
    assert worth(mdp, learned(model, mdp)) > best - 0.5
