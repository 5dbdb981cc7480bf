"""The agents of stable-baselines3 in worlds of all kinds, and their settings."""

import importlib.util

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import rlcourse
from rlcourse.agents import agent_class, load_agent, make_agent
from rlcourse.errors import UsageError
from tests.agents.baselines.small import CONTRIB, CORNER, QUICK, build, same


class Everything(gymnasium.Env):
    """A dictionary with a picture, a number and bits; the reward is the action."""

    def __init__(self, picture=False):
        parts = {
            "place": spaces.Discrete(3),
            "bits": spaces.MultiBinary(2),
            "vector": spaces.Box(-1, 1, (2,), np.float32),
        }
        self.observation_space = spaces.Box(0, 255, (36, 36, 3), np.uint8) if picture else spaces.Dict(parts)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        over = self.np_random.random() < 0.2
        return self.observation_space.sample(), float(action), bool(over), False, {}


EVERYTHING = "tests/EverythingForSB3-v0"
gymnasium.register(EVERYTHING, entry_point=Everything)


@pytest.mark.parametrize(
    ("world", "options", "policy"),
    [
        (EVERYTHING, {}, "MultiInputPolicy"),
        (EVERYTHING, {"picture": True}, "ActorCriticCnnPolicy"),
        (
            "CandyMazePartial-v0",
            {"observation": "window", "feedback": True, "max_steps": 20},
            "MultiInputPolicy",
        ),
        ("CandyMaze-v0", {**CORNER, "observation": "planes"}, "ActorCriticPolicy"),
        ("CandyMaze-v0", CORNER, "ActorCriticPolicy"),
        ("CartPole-v1", {"max_episode_steps": 20}, "ActorCriticPolicy"),
        ("Blackjack-v1", None, None),
    ],
)
def test_worlds_of_every_kind(world, options, policy, tmp_path):
    if policy is None:
        with pytest.raises(
            UsageError, match=r"Blackjack-v1, whose observations are Tuple.*it fits Box, Discrete"
        ):
            build("sb3:ppo", world=world, env_kwargs={})
        return
    agent = build("sb3:ppo", seeds=2, world=world, env_kwargs=options).learn(64)
    assert (
        policy.removesuffix("Policy") in type(agent._model(0).policy).__name__ or policy == "MultiInputPolicy"
    )
    if policy == "MultiInputPolicy":
        assert type(agent._model(0).policy).__name__ == "MultiInputActorCriticPolicy"
    assert (agent.episodes > 0).all()
    assert rlcourse.evaluate(agent, 2).shape == (2, 2)
    observation = agent.venv.observation_space.sample()
    twin = load_agent(agent.save(tmp_path / "agent"))
    assert (twin.predict(observation)[0] == agent.predict(observation)[0]).all()
    assert (twin.learn(32).earned == agent.learn(32).earned).all()


@pytest.mark.parametrize("world", ["CandyMaze-v0", EVERYTHING])
def test_a_replay_buffer_of_any_observation_is_saved(world, tmp_path):
    options, more = ({}, {}) if world == EVERYTHING else ({**CORNER, "observation": "planes"}, {"n_steps": 3})
    agent = build("sb3:dqn", world=world, env_kwargs=options, n_envs=2, **more).learn(200)
    twin = load_agent(agent.save(tmp_path / "agent"))
    assert twin.get_arrays()["member/buffer/rewards"].shape == (1, 75, 2)
    same(agent.learn(40), twin.learn(40))


@pytest.mark.parametrize("vec_env", ["dummy", "native"])
def test_a_world_that_changes_is_evaluated_as_the_member_left_it(vec_env):
    options = {"drift": "jump", "drift_every": 10, "drift_unit": "steps", "max_steps": 12}
    agent = build("sb3:ppo", seeds=2, world="CandyMazeDrift-v0", env_kwargs=options, vec_env=vec_env)
    before = agent.venv.unwrapped.versions()
    agent.learn(96)
    assert (agent.venv.unwrapped.versions() != before).any(axis=1).all()
    assert rlcourse.evaluate(agent, 2).shape == (2, 2)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("sb3:ppo", {"n_step": 3}, "unknown setting of sb3:ppo 'n_step': did you mean n_steps"),
        ("sb3:ppo", {"learning_rate": -1.0}, "learning_rate=-1.0 must be above 0"),
        ("sb3:ppo", {"net_arch": [16, 0]}, "net_arch"),
        ("sb3:ppo", {"policy": "RnnPolicy"}, "must be one of 'auto', 'MlpPolicy'"),
        ("sb3:ppo", {"policy": "CnnPolicy"}, "sb3:ppo cannot be made for rlcourse/CandyMaze-v0: "),
        ("sb3:ppo", {"n_steps": 1, "batch_size": 1}, "sb3:ppo cannot be made for"),
        ("sb3:dqn", {"gamma": 1.5}, "gamma=1.5 must be at least 0 and at most 1"),
        ("sb3:dqn", {"device": "abacus"}, "sb3:dqn cannot be made for"),
        ("sb3:a2c", {"jobs": 0}, "jobs=0 must be at least 1"),
        (
            "sb3:a2c",
            {"policy": "MultiInputPolicy"},
            "policy='MultiInputPolicy' is for dictionaries, and rlcourse/",
        ),
        ("sb3:dqn", {"buffer_size": 10**13}, "buffer_size=10000000000000 would take 149,011.6 GiB of memory"),
        ("sb3:dqn", {"buffer_size": 10**20}, "buffer_size=100000000000000000000 would take"),
        ("sb3:ppo", {"n_steps": 10**14}, "n_steps=100000000000000 would take 745,058.1 GiB of memory"),
    ],
)
def test_a_wrong_setting_is_one_line(name, settings, message):
    with pytest.raises(UsageError) as caught:
        build(name, **settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gpu_that_is_not_there_is_refused_as_our_agents_refuse_it(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    for name, device in (("dqn", "cuda"), ("sb3:ppo", "cuda"), ("sb3:dqn", "cuda:0")):
        with pytest.raises(UsageError) as caught:
            make_agent(name, "CartPole-v1", device=device)
        assert str(caught.value) == (
            f"{name}: device={device!r}, but torch sees none here: use device='auto' or 'cpu'"
        )
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(UsageError, match="device='cuda:1', but torch sees 1 here"):
        make_agent("sb3:ppo", "CartPole-v1", device="cuda:1")


class Shows(gymnasium.Env):
    """Samples of a space that is given by name."""

    SPACES = {  # noqa: RUF012
        "start": spaces.Discrete(4, start=5),
        "starts": spaces.MultiDiscrete([3, 4], start=[0, 1]),
        "entry": spaces.Dict(place=spaces.Discrete(4, start=-1)),
        "scalar": spaces.Box(-1, 1, ()),
        "nothing": spaces.Box(-1, 1, (0,)),
        "table": spaces.MultiDiscrete([[2, 3], [4, 5]]),
    }
    action_space = spaces.Discrete(2)

    def __init__(self, space):
        self.observation_space = self.SPACES[space]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}


SHOWS = "tests/ShowsForSB3-v0"
gymnasium.register(SHOWS, entry_point=Shows)


@pytest.mark.parametrize("name", ["sb3:dqn", "sb3:ppo"])
@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("start", r"observations are Discrete\(4, start=5\): it fits numbers that count from 0"),
        ("starts", "it fits numbers that count from 0"),
        ("entry", "it fits numbers that count from 0"),
        ("scalar", r"observations are Box\[\]: it fits a Box of one axis or more"),
        ("nothing", r"observations are Box\[0\]: .* and none that is empty"),
        ("table", "MultiDiscrete of one axis"),
    ],
)
def test_observations_that_it_cannot_read_are_refused_before_it_learns(name, space, message):
    with pytest.raises(UsageError, match=message) as caught:
        build(name, world=SHOWS, env_kwargs={"space": space})
    assert "\n" not in str(caught.value)


def test_wrong_worlds():
    with pytest.raises(UsageError, match=r"Pendulum-v1, whose actions are Box.*Discrete actions"):
        build("sb3:ppo", world="Pendulum-v1", env_kwargs={})
    with pytest.raises(UsageError, match="FrozenLake-v1 has no native batch: leave vec_env='dummy'"):
        build("sb3:ppo", world="FrozenLake-v1", env_kwargs={}, vec_env="native")
    with pytest.raises(UsageError, match=r"CartPole-v1, which does not tell which actions are possible"):
        build("sb3:maskable_ppo", world="CartPole-v1", env_kwargs={})


@pytest.mark.parametrize("name", CONTRIB)
def test_without_sb3_contrib_it_says_what_to_install(name, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda module: None if module == "sb3_contrib" else found(module)
    )
    with pytest.raises(
        UsageError, match=f"^{name} needs a package that is not installed: pip install sb3-contrib$"
    ):
        make_agent(name, "CandyMaze-v0")
    assert agent_class(name).config_class().gamma == 0.99


def test_defaults_are_theirs():
    """Every field that is an argument of the algorithm has its default there."""
    import inspect

    from rlcourse.agents.baselines.models import load

    for name in QUICK:
        if name in CONTRIB and importlib.util.find_spec("sb3_contrib") is None:
            continue
        kind = agent_class(name)
        parameters = inspect.signature(load(kind.algorithm).__init__).parameters
        for field, value in kind.config_class().arguments().items():
            assert parameters[field].default == value, f"{name}: {field}"
