"""What every deep agent must do in worlds of all kinds, and what it refuses."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
import torch

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.agents.deep.base import DeepAgent
from rlcourse.errors import UsageError
from tests.agents.deep.worlds import (
    STEPS,
    WALK,
    build,
    every_agent,
    fields,
    remembers,
    small,
)


@every_agent
@pytest.mark.parametrize("seen", ["dict", "start", "image", "vector"])
def test_worlds_of_other_people(name: str, seen: str, tmp_path: Any) -> None:
    frames = 2 if seen in ("start", "image") else 1
    agent = build(name, [4, 9], WALK, {"seen": seen}, frame_stack=frames).learn(STEPS)
    loaded = load_agent(agent.save(tmp_path / seen))
    assert loaded.learn(20).num_timesteps == STEPS + 20
    env = gymnasium.make(WALK, seen=seen)
    observation, _ = env.reset(seed=0)
    action, _ = agent.member(1).predict(observation, None, np.array(True))
    assert action.shape == ()
    assert env.action_space.contains(np.int64(action))
    env.step(int(action))
    assert rlcourse.evaluate(agent, 2).shape == (2, 2)


MAZES: list[tuple[str, dict[str, Any]]] = [
    ("CandyMaze-v0", {"observation": "planes"}),
    ("CandyMazePartial-v0", {}),
    ("CandyMazePartial-v0", {"feedback": True}),
    ("CandyMaze-v0", {"observation": "rgb"}),
    ("CourseMaze-v0", {}),
    ("TMaze-v0", {"length": 2, "feedback": True}),
]


@every_agent
@pytest.mark.parametrize(("world", "options"), MAZES, ids=str)
def test_kinds_of_observations(name: str, world: str, options: dict[str, Any]) -> None:
    if options.get("observation") == "rgb":
        options = {**options, "layout": "S.2\n..E"}
    agent = build(name, 2, world, options)
    agent.learn(32)
    assert rlcourse.evaluate(agent, 2).shape == (2, 2)
    image = isinstance(agent.venv.single_observation_space, gymnasium.spaces.Box) and not options.get(
        "feedback"
    )
    if image and len(agent.venv.single_observation_space.shape) == 3:
        assert agent.codec.is_image
        assert agent.codec.dtype == agent.venv.single_observation_space.dtype == np.uint8


@every_agent
def test_what_does_not_fit_is_refused_in_one_line(name: str) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("Pendulum-v1", {}, "whose actions are Box.*it fits worlds with Discrete actions"),
        ("CartPole-v1", {"learning_rat": 0.1}, "learning_rat.*did you mean.*learning_rate"),
        ("CartPole-v1", {"learning_rate": -0.1}, "learning_rate=-0.1 must be above 0"),
        ("CartPole-v1", {"gamma": 1.5}, "gamma=1.5 must be at least 0 and at most 1"),
        ("CartPole-v1", {"n_envs": 0}, "n_envs=0 must be at least 1"),
        ("CartPole-v1", {"net_arch": 64}, "net_arch=64 must be a list"),
        ("CartPole-v1", {"net_arch": [64, 0]}, "net_arch=.* must be at least 1"),
        ("CartPole-v1", {"net_arch": [6.5]}, "net_arch=.* must be a list"),
        ("CartPole-v1", {"activation": "relo"}, "activation='relo' must be one of 'relu', 'tanh'"),
        ("CartPole-v1", {"optimiser": "adagrad"}, "optimiser='adagrad' must be one of"),
        ("CartPole-v1", {"device": "gpu"}, "device='gpu' must be one of 'auto', 'cpu', 'cuda'"),
        ("CartPole-v1", {"frame_stack": True}, "frame_stack=True must be a whole number"),
    ]
    if not torch.cuda.is_available():
        wrong.append(("CartPole-v1", {"device": "cuda"}, "device='cuda', but torch sees none here"))
    if "buffer_size" in fields(name):
        wrong.append(
            ("CartPole-v1", {"buffer_size": 5, "n_envs": 2}, "buffer_size=5 must be at least 3 for each")
        )
    if "n_epochs" in fields(name):
        wrong.append(("CartPole-v1", {"batch_size": 7}, "batch_size=7 must divide the n_envs x n_steps ="))
    if remembers(name) and "n_epochs" in fields(name):
        half = {"batch_size": 4, "n_steps": 8, "n_envs": 2}
        wrong.append(("CartPole-v1", half, "in whole sequences of n_steps=8"))
    if "memory_heads" in fields(name):
        heads = {"memory": "attention", "memory_size": 8, "memory_heads": 3}
        wrong.append(("CartPole-v1", heads, "memory_heads=3 must divide memory_size=8"))
    if "burn_in" in fields(name):
        wrong.append(("CartPole-v1", {"burn_in": -1}, "burn_in=-1 must be at least 0"))
    for world, settings, words in wrong:
        with pytest.raises(UsageError, match=words) as caught:
            make_agent(name, world, **settings)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)
    agent = make_agent(name, "CartPole-v1", **small(name))
    for steps in (0, -3, 1.5, True):
        with pytest.raises(UsageError, match="must be a whole number of at least 1"):
            agent.learn(steps)
    with pytest.raises(UsageError, match="observation"):
        agent.predict(np.zeros(3, np.float32))


@every_agent
@pytest.mark.parametrize("frames", [1, 2])
def test_an_observation_that_the_world_does_not_have_is_refused(name: str, frames: int) -> None:
    more = {"max_episode_length": 20} if "max_episode_length" in fields(name) else {}
    cards = build(name, 1, "Blackjack-v1", {}, frame_stack=frames, **more)
    ice = build(name, 2, "FrozenLake-v1", {}, frame_stack=frames)
    pole = build(name, 1, "CartPole-v1", {}, frame_stack=frames)
    wrong: list[tuple[DeepAgent, Any, str]] = [
        (cards, (99, 99, 5), r"not one of Tuple\(Discrete\(32\), Discrete\(11\), Discrete\(2\)\)"),
        (cards, (9, 9, -1), "not one of Tuple"),
        (cards, (9, 9), "it lacks 2"),
        (cards, (9, [9, 9], 1), r"has the shape \[2\] where \[\] is expected"),
        (ice, [3, 16], r"not one of Discrete\(16\)"),
        (ice, [-1, 3], r"not one of Discrete\(16\)"),
        (ice, [0.5, 3], r"is float64, expected whole numbers of Discrete\(16\)"),
        (ice, [[1], [1, 2]], "its lists differ in length"),
        (pole, ["a", "b", "c", "d"], r"expected numbers of Box\[4\]"),
    ]
    for agent, seen, says in wrong:
        for ask in (agent.predict, agent.state_values):
            with pytest.raises(UsageError, match=says) as caught:
                ask(seen)
            assert "\n" not in str(caught.value)
    assert cards.predict((31, 10, 1))[0].shape == ()


@every_agent
@pytest.mark.parametrize("frames", [1, 2])
def test_a_memory_that_is_none_is_refused(name: str, frames: int) -> None:
    agent = build(name, 2, frame_stack=frames)
    seen = np.zeros((2, 3), np.int64)
    _, state = agent.predict(seen)
    agent.predict(seen, state)
    wrong: list[Any] = [3, (3,), (1, 2), [None, None], np.zeros(2), (np.zeros(3), None)]
    if state is not None:
        wrong.append(agent.predict(seen[:, 0])[1])  # of one copy each
        wrong.append(tuple(None if part is None else part[:, :2] for part in state))
    for bad in wrong:
        with pytest.raises(
            UsageError, match=f"not what {name} remembers of .2, 3. copies: give what predict"
        ):
            agent.predict(seen, bad)
    with pytest.raises(
        UsageError, match=r"episode_start has the shape \[5\], expected one for each of \[2, 3\]"
    ):
        agent.predict(seen, state, np.zeros(5, np.bool_))


class Words(gymnasium.Env[str, int]):
    observation_space = gymnasium.spaces.Text(5)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        return "a", {}


gymnasium.register("tests/Words-v0", entry_point=Words, max_episode_steps=5)


@every_agent
def test_a_space_that_no_network_reads_is_refused(name: str) -> None:
    with pytest.raises(
        UsageError, match=f"{name} in tests/Words-v0: a network cannot read Text.*it fits Discrete"
    ):
        make_agent(name, "tests/Words-v0")


class Shows(gymnasium.Env[Any, int]):
    """Samples of a space that is given by name."""

    SPACES: ClassVar[dict[str, gymnasium.Space[Any]]] = {
        "nothing": gymnasium.spaces.Box(-1, 1, (0,)),
        "half": gymnasium.spaces.Dict(a=gymnasium.spaces.Box(-1, 1, (0,)), b=gymnasium.spaces.Discrete(3)),
    }
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, space: str) -> None:
        self.observation_space = self.SPACES[space]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.observation_space.sample(), {}


gymnasium.register("tests/Shows-v0", entry_point=Shows, max_episode_steps=5)


@every_agent
@pytest.mark.parametrize("space", ["nothing", "half"])
def test_a_space_that_holds_no_number_is_refused(name: str, space: str) -> None:
    with pytest.raises(
        UsageError, match=f"{name} cannot learn in tests/Shows-v0, .* leave that part out"
    ) as caught:
        make_agent(name, "tests/Shows-v0", env_kwargs={"space": space})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [10**13, 10**20])
@pytest.mark.parametrize(
    ("name", "world", "setting", "each"),
    [
        ("dqn", "CartPole-v1", "buffer_size", 25),
        ("drqn", "CartPole-v1", "buffer_size", 25),
        ("a2c", "CartPole-v1", "n_steps", 38),
        ("reinforce", "CartPole-v1", "max_episode_length", 28),
        ("neural_greedy", "ContextualBandit-v0", "buffer_size", 28),
    ],
)
def test_what_takes_more_memory_than_there_is_says_how_much(
    name: str, world: str, setting: str, each: int, count: int
) -> None:
    one = {"n_envs": 1} if "n_envs" in fields(name) else {}
    with pytest.raises(UsageError, match=f"{name}: {setting}={count} would take") as caught:
        make_agent(name, world, **{setting: count, **one})
    said = re.search(r"take ([\d,.]+) GiB of memory, more than there is", str(caught.value))
    assert said is not None
    assert float(said[1].replace(",", "")) == pytest.approx(each * count / 2**30)


def test_only_some_settings_go_together() -> None:
    for name, settings, words in (
        ("dqn", {"prioritized": True, "recency_half_life": 5.0}, "choose one"),
        ("dqn", {"distribution": "categorical", "v_min": 1.0, "v_max": 1.0}, "must be a range"),
        ("dqn", {"distribution": "categorical", "n_atoms": 1}, "of n_atoms >= 2"),
        ("deep_sarsa", {"double": True}, "no double and no distribution"),
        ("deep_sarsa", {"distribution": "quantile"}, "no double and no distribution"),
        ("reinforce", {"optimiser": "adam"}, "optimiser='adam' must be one of"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            make_agent(name, "CartPole-v1", **settings)
        assert name in str(caught.value)


def test_lists_are_taken_for_tuples_and_kept_as_given(tmp_path: Any) -> None:
    agent: Any = make_agent("dqn", "CartPole-v1", net_arch=[8, 4])
    assert agent.config.net_arch == (8, 4)
    assert load_agent(agent.save(tmp_path / "a")).config == agent.config
    linear: DeepAgent = make_agent("dqn", "CartPole-v1", net_arch=[])  # type: ignore[assignment]
    assert [tuple(p.shape) for p in linear.networks["q"].parameters()] == [(1, 4, 2), (1, 1, 2)]


@every_agent
def test_the_account_of_what_was_earned(name: str) -> None:
    agent = build(name, 2, n_envs=3, **({"batch_size": 24} if "n_epochs" in fields(name) else {}))
    total, over, step = np.zeros(2), np.zeros(2, int), agent.venv.step

    def spy(actions: Any) -> Any:
        nonlocal total, over
        result = step(actions)
        total = total + np.reshape(result[1], (2, 3)).sum(axis=1)
        over = over + np.reshape(result[2] | result[3], (2, 3)).sum(axis=1)
        return result

    agent.venv.step = spy
    agent.learn(150)
    np.testing.assert_allclose(agent.earned + 3 * agent.running, total)
    np.testing.assert_array_equal(agent.episodes, over)
    assert over.min() > 5


def test_who_explores_by_noise_explores_anew_in_every_prediction() -> None:
    agent = build("rainbow", 2).learn(60)
    before = agent.get_arrays()
    rows = np.tile(agent._rows[:1], (200, *(1,) * (agent._rows.ndim - 1)))
    seen = rows.reshape(100, 2, *rows.shape[1:])[..., 0] if rows.ndim == 2 else rows
    explored = [agent.predict(one, deterministic=False)[0] for one in seen]
    best = [agent.predict(one)[0] for one in seen]
    assert len({tuple(actions) for actions in explored}) > 1
    assert len({tuple(actions) for actions in best}) == 1
    after = agent.get_arrays()
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {"streams/predict"}


def test_arrays_that_must_not_be_written_are_copied() -> None:
    array = np.zeros((2, 4), np.float32)
    array.flags.writeable = False
    build("dqn", 2).tensor(array).add_(1.0)
    assert not array.any()
