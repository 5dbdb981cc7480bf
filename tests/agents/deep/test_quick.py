"""Acting in one compiled call: the same as torch's layers, for every kind of network that is plain enough."""

import numpy as np
import pytest
import torch

from rlcourse.agents import make_agent
from rlcourse.agents.deep import quick
from rlcourse.agents.deep.quick import QuickNetwork

WORLDS = [
    "CartPole-v1",
    "CandyMaze-v0",
    "Blackjack-v1",
    "CourseMaze-v0",
]  # a vector, a number, a tuple, a long vector


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", ["dqn", "ppo"])
def test_is_what_torch_says(name, world):
    agent = make_agent(name, world, seeds=3, n_envs=4, net_arch=(24, 8, 16))
    agent.learn(600)  # the weights have moved since the call was made
    rows = agent._rows.reshape(3, 4, *agent.codec.row_shape)
    networks = [agent.q] if name == "dqn" else [agent.policy.actor, agent.policy.critic]
    calls = [agent.quick] if name == "dqn" else list(agent.quick)
    for network, call in zip(networks, calls, strict=True):
        with torch.no_grad():
            expected = network(agent.tensor(rows)).numpy()
        np.testing.assert_allclose(call(rows), expected, rtol=1e-5, atol=2e-6)


def test_follows_weights_that_are_loaded():
    agent, other = (make_agent("dqn", "CartPole-v1", seeds=[seed]) for seed in (0, 1))
    rows = agent._rows.reshape(1, 1, 4)
    before = agent.quick(rows).copy()
    agent.set_arrays(other.get_arrays())
    after = agent.quick(rows)
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, other.quick(rows))


@pytest.mark.parametrize(
    ("name", "world", "settings"),
    [
        ("dqn", "CandyMazePartial-v0", {}),  # a convolution
        ("dqn", "CartPole-v1", {"dueling": True}),
        ("dqn", "CartPole-v1", {"noisy": True}),
        ("recurrent_ppo", "CartPole-v1", {}),
    ],
)
def test_others_are_left_to_torch(name, world, settings):
    assert make_agent(name, world, seeds=2, **settings).quick is None


def test_many_rows_go_to_torch():
    call = make_agent("dqn", "CartPole-v1", seeds=2).quick
    assert isinstance(call, QuickNetwork)
    assert call.fits(np.zeros((2, quick.MOST_ROWS, 4), np.float32))
    assert not call.fits(np.zeros((2, quick.MOST_ROWS + 1, 4), np.float32))
