"""A small maze and small agents of stable-baselines3, and how two populations are compared."""

import numpy as np
import pytest

from rlcourse.agents import make_agent

CORNER = {"layout": "S.2\n.#.\n..E", "max_steps": 30}
"""A candy worth 2 on one of the two ways to the exit."""
OF_PPO = {"n_steps": 32, "batch_size": 32, "n_epochs": 2, "net_arch": [16]}
OF_DQN = {
    "buffer_size": 150,
    "learning_starts": 20,
    "batch_size": 16,
    "target_update_interval": 40,
    "net_arch": [16],
}
QUICK = {
    "sb3:dqn": OF_DQN,
    "sb3:a2c": {"net_arch": [16]},
    "sb3:ppo": OF_PPO,
    "sb3:qrdqn": {**OF_DQN, "n_quantiles": 5},
    "sb3:recurrent_ppo": {**OF_PPO, "lstm_hidden_size": 8},
    "sb3:maskable_ppo": OF_PPO,
}
"""Settings with which everything happens within two hundred steps."""
CONTRIB = ("sb3:qrdqn", "sb3:recurrent_ppo", "sb3:maskable_ppo")


def build(name, seeds=1, env_kwargs=CORNER, world="CandyMaze-v0", **settings):
    if name in CONTRIB:
        pytest.importorskip("sb3_contrib")
    return make_agent(
        name, world, seeds=seeds, env_kwargs=env_kwargs, **{**QUICK[name], "jobs": 1, **settings}
    )


def same(a, b):
    """Whether two populations know the same, to the last bit."""
    mine, other = a.get_arrays(), b.get_arrays()
    assert mine.keys() == other.keys()
    for name in mine:
        np.testing.assert_array_equal(mine[name], other[name], err_msg=name)
