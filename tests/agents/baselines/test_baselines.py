"""The agents of stable-baselines3 as populations: the protocol, and that nothing of them is lost or changed by it."""

import copy
import importlib.util
import json
import pickle
import random

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

import rlcourse
from rlcourse.agents import AGENTS, agent_class, load_agent, make_agent
from rlcourse.agents.storage import read_agent_folder, write_agent_folder
from rlcourse.errors import StorageError, UsageError
from rlcourse.mdp import finite_horizon

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


# ---------------------------------------------------------------- saved, loaded, asked


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


# ---------------------------------------------------------------- worlds, settings


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
    ],
)
def test_a_wrong_setting_is_one_line(name, settings, message):
    with pytest.raises(UsageError) as caught:
        build(name, **settings)
    assert message in str(caught.value)
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
