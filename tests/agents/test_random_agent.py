"""The one who knows nothing acts in every world, whatever is seen there."""

import copy

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.errors import UsageError
from tests.agents.tabular.worlds import ICE


class Everything(gymnasium.Env):
    """Shows everything at once; its actions count from 2."""

    observation_space = spaces.Dict(
        {
            "tuple": spaces.Tuple((spaces.Discrete(3), spaces.Box(-1, 1, (2, 2), np.float32))),
            "bits": spaces.MultiBinary(4),
        }
    )
    action_space = spaces.Discrete(3, start=2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        over = self.np_random.random() < 0.2
        return self.observation_space.sample(), float(action), bool(over), False, {}


EVERYTHING = "tests/Everything-v0"
gymnasium.register(EVERYTHING, entry_point=Everything)

WORLDS = [
    ("Bandit-v0", {"horizon": 20}),
    ("ContextualBandit-v0", {"horizon": 20}),
    ("CandyMaze-v0", ICE),
    ("CourseMaze-v0", {}),
    ("CandyMaze-v0", {**ICE, "observation": "planes"}),
    ("CartPole-v1", {}),
    ("Blackjack-v1", {}),
    (EVERYTHING, {}),
]


@pytest.mark.parametrize(("world", "options"), WORLDS)
def test_it_acts_everywhere(world, options, tmp_path):
    agent = make_agent("random", world, seeds=[3, 8], env_kwargs=options).learn(70)
    solo = make_agent("random", world, seeds=[8], env_kwargs=options).learn(70)
    assert agent.earned[1] == solo.earned[0]
    assert agent.episodes[1] == solo.episodes[0] > 0
    returns = rlcourse.evaluate(agent, 4)
    assert returns.shape == (2, 4)
    for twin in (load_agent(agent.save(tmp_path / "agent")), copy.deepcopy(agent), agent.member(0)):
        assert twin.learn(5).num_timesteps == 75
    observation = agent.venv.observation_space.sample()
    actions, _ = agent.predict(observation)
    assert actions.shape == (2,)


def test_all_actions_are_equally_likely():
    agent = make_agent("random", EVERYTHING, seeds=1).learn(3000)
    mean = (agent.earned + agent.running)[0] / 3000
    assert abs(mean - 3.0) < 5 * np.sqrt(2 / 3 / 3000)
    np.testing.assert_allclose(agent.episodes[0] / 3000, 0.2, atol=5 * 0.4 / np.sqrt(3000))


def test_it_refuses_actions_that_are_not_discrete():
    with pytest.raises(UsageError, match=r"Pendulum-v1, whose actions are Box.*Discrete actions"):
        make_agent("random", "Pendulum-v1")
