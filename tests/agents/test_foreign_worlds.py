"""Worlds of other people, and worlds that are given as an environment: which copies are made, and what they say."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.errors import UsageError
from tests.agents.worlds import STRATEGIES, assert_same, needs_more_than_rewards


class Kiosk(gymnasium.Env):
    """Three arms that pay 0, 1 and 2 with growing chances; its actions count from 5."""

    observation_space = gymnasium.spaces.Discrete(1, start=3)
    action_space = gymnasium.spaces.Discrete(3, start=5)
    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012
    reward_range = (0, 2)

    def __init__(self, luck=0.5, render_mode=None):
        self.luck, self.render_mode = luck, render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 3, {}

    def step(self, action):
        assert self.action_space.contains(action)
        return 3, int(self.np_random.binomial(action - 5, self.luck)), False, False, {}


KIOSK = "tests/Kiosk-v0"
gymnasium.register(KIOSK, entry_point=Kiosk, max_episode_steps=50)


@pytest.mark.parametrize("name", [name for name in STRATEGIES if not needs_more_than_rewards(name)])
def test_every_strategy_plays_a_foreign_world_over_many_episodes(name, tmp_path):
    """Its range and its time limit are known; actions begin where it says; it is saved, loaded and taken apart."""
    agent = make_agent(name, KIOSK, seeds=[4, 9]).learn(120)
    assert agent.world_horizon() == 50
    assert agent.t.tolist() == [20.0, 20.0]  # two games are over
    assert (agent.reward_low, agent.reward_high) == (0.0, 2.0)
    assert_same(make_agent(name, KIOSK, seeds=[9]).learn(120), agent.member(1))
    loaded = load_agent(agent.save(tmp_path / "agent"))
    assert_same(agent, loaded)
    for learner in (agent, loaded.learn(40)):
        for deterministic in (True, False):
            actions, _ = learner.predict(np.full((2, 4), 3), deterministic=deterministic)
            assert actions.shape == (2, 4)
            assert actions.dtype == np.int64
            assert ((actions >= 5) & (actions < 8)).all()
    returns = rlcourse.evaluate(agent, 3)
    assert returns.shape == (2, 3)
    assert ((returns >= 0) & (returns <= 100)).all()


def test_a_population_of_one_fits_the_loop_of_stable_baselines3():
    """Its evaluate_policy: observations of a vector environment, a state handed back, flags where episodes begin."""
    agent = make_agent("ucb1", KIOSK, seeds=3).learn(49).member(1)
    envs = SyncVectorEnv([lambda: gymnasium.make(KIOSK)] * 4)
    observations, _ = envs.reset(seed=0)
    state, starts = None, np.ones(4, bool)
    for _ in range(60):
        actions, state = agent.predict(observations, state=state, episode_start=starts, deterministic=True)
        assert actions.shape == (4,)
        observations, _, terminated, truncated, _ = envs.step(actions)
        starts = terminated | truncated


def test_an_environment_stands_for_its_options_and_its_time_limit(tmp_path):
    env = gymnasium.make(KIOSK, luck=0.9, max_episode_steps=7, render_mode="rgb_array")
    agent = make_agent("ucb1", env, env_kwargs={"luck": 1.0}).learn(9)
    assert agent.env_kwargs == {"luck": 1.0, "max_episode_steps": 7}
    assert agent.t.tolist() == [2.0]
    assert agent.world_horizon() == 7
    loaded = load_agent(agent.save(tmp_path / "agent"))
    assert loaded.t.tolist() == [2.0]
    assert loaded.learn(8).t.tolist() == [1.0]  # its new world had an episode of seven rounds
    assert rlcourse.evaluate(agent, 2).max() <= 14.0


@pytest.mark.parametrize("mode", ["human", "rgb_array", None])
def test_how_an_environment_is_shown_is_not_copied(mode):
    env = gymnasium.make("rlcourse/Bandit-v0", arms=3, render_mode=mode)
    assert make_agent("ucb1", env).env_kwargs == {"arms": 3}
    batch = gymnasium.make_vec("rlcourse/Bandit-v0", num_envs=5, arms=3)
    assert make_agent("ucb1", batch, seeds=2).learn(5).env_kwargs == {"arms": 3}


def test_what_copies_would_lack_is_refused():
    wrapped = gymnasium.wrappers.TransformReward(gymnasium.make(KIOSK), lambda reward: -reward)
    with pytest.raises(UsageError, match=r"Kiosk-v0 comes in wrappers \(TransformReward\)"):
        make_agent("ucb1", wrapped)
    with pytest.raises(UsageError, match="unknown option of Bandit 'max_episode_steps'"):
        make_agent("ucb1", gymnasium.make("rlcourse/Bandit-v0", max_episode_steps=9))
    with pytest.raises(UsageError, match="Nowhere-v0 is not registered"):
        make_agent("ucb1", gymnasium.envs.registration.EnvSpec("Nowhere-v0", entry_point=Kiosk))
    with pytest.raises(UsageError, match="carries a spec"):
        make_agent("ucb1", Kiosk())


def test_a_batch_of_other_people_is_not_used_since_it_has_one_seed_for_all():
    """A member is the solo run with its seed, whatever the id says of batches."""

    def batch(num_envs, **options):
        raise AssertionError("the batch was made")

    name = "tests/KioskWithBatch-v0"
    gymnasium.register(name, entry_point=Kiosk, vector_entry_point=batch, max_episode_steps=50)
    agent = make_agent("q_learning", name, seeds=[4, 7]).learn(120)
    assert isinstance(agent.venv, SyncVectorEnv)
    alone = make_agent("q_learning", name, seeds=[7]).learn(120)
    assert agent.earned[1] == alone.earned[0]
    assert_same(agent, alone, slice(1, 2))


class Moody(Kiosk):
    """Its constructor raises what it is told to."""

    def __init__(self, mood):
        raise {
            "key": KeyError("9x9"),
            "value": ValueError("mood is bad\nvery bad"),
            "assert": AssertionError(),
            "attribute": AttributeError("'str' object has no attribute 'shape'"),
            "file": FileNotFoundError(2, "No such file or directory", "mood.txt"),
            "driver": gymnasium.error.DependencyNotInstalled("Mood is not installed, run `pip install mood`"),
            "import": ModuleNotFoundError("No module named 'mood'"),
            "gymnasium": gymnasium.error.InvalidAction("no action"),
        }[mood]


MOODY = "tests/Moody-v0"
gymnasium.register(MOODY, entry_point=Moody)


@pytest.mark.parametrize("agent", ["random", "q_learning", "dqn", "ppo", "ucb1", "sb3:ppo"])
@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("key", "refuses its options {'mood': 'key'}: KeyError '9x9'"),
        ("value", "refuses its options {'mood': 'value'}: mood is bad"),
        ("assert", "refuses its options {'mood': 'assert'}: AssertionError"),
        ("attribute", "refuses its options {'mood': 'attribute'}: AttributeError 'str' object has no attribute 'shape'"),
        ("file", "refuses its options {'mood': 'file'}: FileNotFoundError [Errno 2] No such file or directory: 'mood.txt'"),
        ("driver", "needs a package that is not installed: Mood is not installed, run `pip install mood`"),
        ("import", "needs a package that is not installed: No module named 'mood'"),
        ("gymnasium", "refuses its options {'mood': 'gymnasium'}: InvalidAction no action"),
    ],
)  # fmt: skip
def test_what_the_constructor_of_a_world_raises_is_one_line_with_its_cause(agent, mood, said):
    if agent.startswith("sb3"):
        pytest.importorskip("stable_baselines3")
    with pytest.raises(UsageError) as caught:
        make_agent(agent, MOODY, env_kwargs={"mood": mood})
    assert str(caught.value) == f"{MOODY} {said}"
    assert caught.value.__cause__ is not None


def test_a_world_that_cannot_be_made_at_all_has_no_options_to_blame():
    with pytest.raises(
        UsageError, match=r"Moody-v0 cannot be made: .*missing 1 required positional argument: 'mood'"
    ):
        make_agent("random", MOODY)
    with pytest.raises(
        UsageError, match=r"FrozenLake-v1 refuses its options .*'map_name': '9x9'.*KeyError '9x9'"
    ):
        rlcourse.evaluate(make_agent("random", "FrozenLake-v1"), 2, env_kwargs={"map_name": "9x9"})


@pytest.mark.parametrize("wrong", [5, [("arms", 3)], {"num_envs": 3}, {"autoreset_mode": "SameStep"}, {1: 2}])
@pytest.mark.parametrize("world", ["Bandit-v0", KIOSK])
def test_options_that_are_none_are_refused(world, wrong):
    with pytest.raises(UsageError) as caught:
        make_agent("ucb1", world, env_kwargs=wrong)
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_can_be_saved(tmp_path):
    options = {"arms": np.int64(3), "means": np.array([0.1, 0.5, 0.9]), "horizon": np.int8(20)}
    agent = make_agent(
        "moss", "Bandit-v0", seeds=np.array([7, 1]), env_kwargs=options, horizon=np.int64(20)
    ).learn(30)
    plain = {"arms": 3, "means": [0.1, 0.5, 0.9], "horizon": 20}
    twin = make_agent("moss", "Bandit-v0", seeds=[7, 1], env_kwargs=plain, horizon=20).learn(30)
    assert_same(agent, twin)
    assert json.loads(json.dumps(agent.env_kwargs)) == plain
    assert_same(load_agent(agent.save(tmp_path / "agent")).learn(5), twin.learn(5))
    assert make_agent("ucb", "Bandit-v0", c=np.float32(0.5)).config.c == 0.5


@pytest.mark.parametrize(
    "wrong", [np.array(3), [], {1}, "3", None, 2.0, [1.0], [True], [1, 1], [-1], 0, [[1]]]
)
def test_seeds_that_are_none_are_refused(wrong):
    with pytest.raises(UsageError, match="seed") as caught:
        make_agent("ucb1", "Bandit-v0", seeds=wrong)
    assert "\n" not in str(caught.value)
