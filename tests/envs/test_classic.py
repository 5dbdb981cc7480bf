"""The native batches of Gymnasium's classic control problems, against Gymnasium's own environments."""

import copy
import math
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from scipy.stats import kstest

from rlcourse.agents import load_agent, make_agent
from rlcourse.agents.population import make_population
from rlcourse.envs.classic.acrobot import AcrobotVectorEnv
from rlcourse.envs.classic.cart_pole import CartPoleVectorEnv
from rlcourse.envs.classic.mountain_car import MountainCarVectorEnv
from rlcourse.envs.vector import WorldVectorEnv
from rlcourse.errors import UsageError

FACES = {
    "CartPole-v1": CartPoleVectorEnv,
    "CartPole-v0": CartPoleVectorEnv,
    "Acrobot-v1": AcrobotVectorEnv,
    "MountainCar-v0": MountainCarVectorEnv,
}
WORLDS = [
    ("CartPole-v1", {}),
    ("CartPole-v1", {"sutton_barto_reward": True, "max_episode_steps": 25}),
    ("Acrobot-v1", {"max_episode_steps": 60}),
    ("MountainCar-v0", {}),
    ("MountainCar-v0", {"goal_velocity": 0.02}),
]


def batch_of(name, options, size):
    return make_population(gymnasium.spec(name), options, size)


def act(rng, venv, observation):
    """Actions that also come to the ends of the worlds: a car is pushed along, all else is left to chance."""
    n = venv.single_action_space.n
    drawn = rng.integers(n, size=venv.num_envs)
    if n == 3 and observation.shape[1] == 2:
        pushed = np.where(observation[:, 1] >= 0, 2, 0)
        return np.where(rng.random(venv.num_envs) < 0.8, pushed, drawn)
    return drawn


@pytest.mark.filterwarnings("ignore:.*out of date:DeprecationWarning", "ignore:.*CartPole-v0")
@pytest.mark.parametrize("name", FACES)
def test_a_population_is_a_batch_with_the_spaces_of_the_environment(name):
    venv = batch_of(name, {}, 3)
    env = gymnasium.make(name)
    assert type(venv.unwrapped) is FACES[name]
    assert venv.single_observation_space == env.observation_space
    assert venv.single_action_space == env.action_space
    assert venv.unwrapped.rules.max_steps == env.spec.max_episode_steps


@pytest.mark.parametrize(("name", "options"), WORLDS)
def test_steps_are_those_of_the_environment(name, options):
    """Both are put into the same state at the start of an episode, and then go their own way to its end."""
    venv, rng = batch_of(name, options, 4), np.random.default_rng(3)
    peers = [gymnasium.make(name, **options) for _ in range(venv.num_envs)]
    observation, _ = venv.reset(seed=5)
    ends = {"terminated": 0, "truncated": 0}

    def join(rows):
        body = venv.unwrapped.get_state()["body"]
        for row in rows:
            peers[row].reset(seed=0)
            peers[row].unwrapped.state = body[row].copy()

    join(range(venv.num_envs))
    for _ in range(1000):
        actions = act(rng, venv, observation)
        observation, rewards, terminated, truncated, _ = venv.step(actions)
        assert observation.dtype == np.float32
        assert rewards.dtype == np.float64
        body = venv.unwrapped.get_state()["body"]
        for row, peer in enumerate(peers):
            seen, reward, over, late, _ = peer.step(actions[row])
            np.testing.assert_allclose(body[row], peer.unwrapped.state, rtol=0, atol=1e-12)
            np.testing.assert_allclose(observation[row], seen, rtol=1e-7, atol=1e-12)
            assert (reward, over, late) == (rewards[row], terminated[row], truncated[row])
        ends["terminated"] += terminated.sum()
        ends["truncated"] += truncated.sum()
        if (done := terminated | truncated).any():
            observation, _ = venv.reset(options={"reset_mask": done})
            join(np.flatnonzero(done))
    assert ends["terminated" if name != "Acrobot-v1" else "truncated"] > 3


def test_cart_pole_is_equal_to_the_last_bit_where_the_cosines_are():
    angles = np.random.default_rng(0).uniform(-0.5, 0.5, 1000)
    if any(np.cos(x) != math.cos(x) or np.sin(x) != math.sin(x) for x in angles):
        pytest.skip("NumPy and the C library round cosines differently here")
    venv, peer, rng = batch_of("CartPole-v1", {}, 1), gymnasium.make("CartPole-v1"), np.random.default_rng(1)
    for episode in range(200):
        venv.reset(seed=episode)
        peer.reset(seed=0)
        peer.unwrapped.state = venv.unwrapped.get_state()["body"][0]
        over = False
        while not over:
            action = rng.integers(2)
            observation, _, terminated, truncated, _ = venv.step(np.array([action]))
            seen, *_ = peer.step(action)
            assert (observation[0] == seen).all()
            assert (venv.unwrapped.get_state()["body"][0] == peer.unwrapped.state).all()
            over = terminated[0] or truncated[0]


def test_an_acrobot_ends_with_its_tip_up():
    venv, peer = batch_of("Acrobot-v1", {}, 2), gymnasium.make("Acrobot-v1")
    venv.reset(seed=0)
    state = venv.unwrapped.get_state()
    state["body"][:] = [[3.0, 0.1, 0.5, 0.2], [0.0, 0.0, 0.0, 0.0]]
    venv.unwrapped.set_state(state)
    peer.reset(seed=0)
    peer.unwrapped.state = state["body"][0].copy()
    observation, rewards, terminated, _, _ = venv.step(np.array([1, 1]))
    seen, reward, over, _, _ = peer.step(1)
    np.testing.assert_allclose(observation[0], seen, rtol=1e-7)
    assert over
    assert list(terminated) == [True, False]
    assert list(rewards) == [reward, -1.0] == [0.0, -1.0]


def test_the_last_step_can_end_and_truncate_at_once():
    one, peer = batch_of("MountainCar-v0", {"max_episode_steps": 1}, 1), gymnasium.make("MountainCar-v0")
    one.reset(seed=0)
    state = one.unwrapped.get_state()
    state["body"][:] = [0.49, 0.05]
    one.unwrapped.set_state(state)
    _, _, terminated, truncated, _ = one.step(np.array([2]))
    assert terminated[0]
    assert truncated[0]
    peer.reset(seed=0)
    peer.unwrapped.state = (0.49, 0.05)
    assert peer.step(2)[2]


@pytest.mark.parametrize(
    ("name", "low", "high", "drawn"),
    [
        ("CartPole-v1", -0.05, 0.05, 4),
        ("Acrobot-v1", -0.1, 0.1, 4),
        ("MountainCar-v0", -0.6, -0.4, 1),
    ],
)
def test_first_states_are_uniform(name, low, high, drawn):
    venv = batch_of(name, {}, 2000)
    venv.reset(seed=11)
    body = venv.unwrapped.get_state()["body"]
    for column in body.T[:drawn]:
        assert kstest(column, "uniform", (low, high - low)).pvalue > 1e-4
    assert (body[:, drawn:] == 0).all()
    assert np.abs(np.corrcoef(body[:, :drawn].T) - np.eye(drawn)).max() < 0.1
    env = gymnasium.make(name)
    first = np.array([env.reset(seed=seed)[0] for seed in range(300)])
    mine = venv.reset(seed=0)[0]
    np.testing.assert_allclose(
        first.mean(axis=0), mine.mean(axis=0), atol=4 * (high - low) / np.sqrt(12 * 300)
    )


@pytest.mark.parametrize(("name", "options"), WORLDS)
def test_a_copy_does_not_depend_on_its_neighbours(name, options):
    many, alone = batch_of(name, options, 3), batch_of(name, options, 1)
    observation, _ = many.reset(seed=[4, 9, 2])
    seen, _ = alone.reset(seed=[9])
    rng = np.random.default_rng(0)
    for _ in range(300):
        assert (observation[1] == seen[0]).all()
        actions = act(rng, many, observation)
        observation, reward, terminated, truncated, _ = many.step(actions)
        seen, *outcome, _ = alone.step(actions[1:2])
        assert [part[0] for part in outcome] == [reward[1], terminated[1], truncated[1]]
        if (done := terminated | truncated).any():
            observation, _ = many.reset(options={"reset_mask": done})
            if done[1]:
                seen, _ = alone.reset()


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize(("name", "options"), WORLDS[1:4])
def test_autoreset_and_snapshots(name, options, mode):
    limit = options.get("max_episode_steps", 200)
    venv = FACES[name](3, autoreset_mode=mode, max_steps=limit)
    observation, _ = venv.reset(seed=1)
    rng, finished, begun = np.random.default_rng(0), np.zeros(3, bool), 0
    for step in range(3 * limit):
        if step == limit:
            snapshot = venv.get_state()
            twins = [
                copy.deepcopy(venv),
                pickle.loads(pickle.dumps(venv)),
                FACES[name](3, autoreset_mode=mode, max_steps=limit),
            ]
            twins[-1].set_state(snapshot)
        actions = act(rng, venv, observation)
        observation, rewards, terminated, truncated, infos = venv.step(actions)
        if step >= limit:
            for twin in twins:
                same = twin.step(actions)
                for a, b in zip(same[:4], (observation, rewards, terminated, truncated), strict=True):
                    assert (a == b).all()
        done = terminated | truncated
        clock = venv.get_state()["clock"]
        if mode == "NextStep":
            assert (clock[finished] == 0).all()
            assert (rewards[finished] == 0).all()
            finished = done
        elif done.any():
            assert (clock[done] == 0).all()
            assert all(last.shape == observation[0].shape for last in infos["final_obs"][done])
        begun += done.sum()
    assert begun >= 3


def test_the_same_start_again():
    venv = batch_of("CartPole-v1", {}, 3)
    first, _ = venv.reset(seed=0)
    venv.step(np.array([0, 1, 0]))
    again, _ = venv.reset(options={"same_problem": True})
    assert (first == again).all()
    other, _ = venv.reset()
    assert (first != other).any(axis=1).all()


def test_learning_goes_on_exactly_after_a_load(tmp_path):
    agent = make_agent("random", "CartPole-v1", seeds=3).learn(100)
    twin = load_agent(agent.save(tmp_path / "agent"))
    agent.learn(200)
    twin.learn(200)
    for name in ("earned", "episodes", "running"):
        assert (getattr(agent, name) == getattr(twin, name)).all()


@pytest.mark.parametrize("options", [{"sutton_barto_reward": 1}, {"disable_env_checker": True}])
def test_options_that_we_do_not_have_are_left_to_gymnasium(options):
    assert isinstance(batch_of("CartPole-v1", options, 2).unwrapped, SyncVectorEnv)
    assert not isinstance(batch_of("Pendulum-v1", {}, 2).unwrapped, WorldVectorEnv)


def test_no_time_limit():
    agent = make_agent("random", "MountainCar-v0", env_kwargs={"max_episode_steps": -1})
    assert agent.venv.unwrapped.rules.max_steps is None
    assert agent.world_horizon() is None
    agent.learn(1000)
    assert agent.episodes[0] == 0


def test_what_is_wrong_is_said_in_a_line():
    with pytest.raises(UsageError, match="refuses its options"):
        batch_of("CartPole-v1", {"gravity": 3.0}, 2)
    with pytest.raises(UsageError, match="max_steps=-3 must be a whole number of at least 1"):
        batch_of("CartPole-v1", {"max_episode_steps": -3}, 2)
    venv = batch_of("CartPole-v1", {}, 2)
    venv.reset(seed=0)
    for actions, message in (
        ([0, 2], "action 2 is outside 0..1"),
        ([-1, 0], "action -1 is outside 0..1"),
        ([0.0, 1.0], "expected integers"),
        ([0], "expected integers"),
    ):
        with pytest.raises(UsageError, match=message):
            venv.step(np.array(actions))
    state = venv.unwrapped.get_state()
    for name, value, message in (("body", np.nan, "not finite"), ("clock", 501, "does not have")):
        broken = {key: array.copy() for key, array in state.items()}
        broken[name][0] = value
        with pytest.raises(UsageError, match=message):
            venv.unwrapped.set_state(broken)


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "MountainCar-v0"])
def test_pictures_are_those_of_the_environment(name):
    venv = FACES[name](2, render_mode="rgb_array")
    venv.reset(seed=3)
    peer = gymnasium.make(name, render_mode="rgb_array")
    peer.reset(seed=0)
    peer.unwrapped.state = venv.get_state()["body"][1].copy()
    assert (venv.render()[1] == peer.render()).all()
    text = FACES[name](1, render_mode="ansi")
    text.reset(seed=0)
    assert "velocity" in text.render()[0]
