"""What every learner with a table must do; a new one is tested the day it is registered."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.errors import UsageError
from tests.agents.tabular.worlds import ICE, LEARNERS, assert_same, build, in_model, watch

every_learner = pytest.mark.parametrize("name", LEARNERS)
every_kind = pytest.mark.parametrize(
    "name", ["q_learning", "n_step_sarsa", "monte_carlo", "tabular_actor_critic"]
)
"""From the next step, from several, from the end of an episode; and a policy."""
STEPS = 150
"""A dozen episodes in the small maze."""


@every_learner
def test_member_equals_solo(name: str) -> None:
    population = in_model(name, [11, 0, 5, 2**40]).learn(STEPS)
    for k, seed in ((0, 11), (3, 2**40)):
        assert_same(population, in_model(name, [seed]).learn(STEPS), [k])
        assert_same(population.member(k), in_model(name, [seed]).learn(STEPS))
    assert len(np.unique(population.visits, axis=0)) == 4


@every_learner
def test_learning_in_pieces_saved_copied_and_pickled_is_learning_at_once(name: str, tmp_path: Any) -> None:
    whole = in_model(name, 3).learn(STEPS)
    assert_same(whole, in_model(name, 3).learn(1).learn(37).learn(STEPS - 38))
    for cut in (0, 7, 65):
        agent = in_model(name, 3)
        if cut:
            agent.learn(cut)
        twins = [load_agent(agent.save(tmp_path / str(cut))), copy.deepcopy(agent)]
        twins.append(pickle.loads(pickle.dumps(agent)))
        for twin in twins:
            assert type(twin) is type(agent)
            assert_same(whole, twin.learn(STEPS - cut))
    assert whole.num_timesteps == STEPS


@every_learner
def test_asking_does_not_disturb_learning(name: str) -> None:
    agent, twin = in_model(name, 3).learn(50), in_model(name, 3).learn(50)
    table = np.arange(12).reshape(3, 4) % agent.n_states
    best, _ = agent.predict(table)
    if name != "td_prediction":  # which follows the policy that it evaluates: any action, here
        np.testing.assert_array_equal(best, np.take_along_axis(agent.greedy_policy(), table, axis=1))
    drawn, _ = agent.predict(table, deterministic=False)
    assert drawn.shape == best.shape == (3, 4)
    assert drawn.dtype == best.dtype == np.int64
    assert len(np.unique(agent.predict(np.zeros((3, 300), int), deterministic=False)[0])) > 1
    assert rlcourse.evaluate(agent, 3).shape == (3, 3)
    agent._predict_stream.state[:] = twin._predict_stream.state  # of its own
    assert_same(agent.learn(50), twin.learn(50))


@every_learner
def test_the_account_of_what_was_earned(name: str) -> None:
    agent = in_model(name, 2)
    total, over = np.zeros(2), np.zeros(2)
    for _ in range(60):
        before = agent.earned + agent.running
        agent.learn(1)
        total += agent.earned + agent.running - before
        over += agent._over
    np.testing.assert_allclose(total, agent.earned + agent.running)
    np.testing.assert_array_equal(agent.episodes, over)
    assert agent.episodes.min() > 3
    assert agent.visits.sum(axis=(1, 2)).tolist() == agent.t.tolist() == [60, 60]


@every_learner
@pytest.mark.parametrize("world", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v4", "Blackjack-v1"])
def test_worlds_of_gymnasium(name: str, world: str, tmp_path: Any) -> None:
    agent = make_agent(name, world, seeds=[4, 9]).learn(60)
    solo = make_agent(name, world, seeds=[9]).learn(60)
    np.testing.assert_array_equal(agent.visits[1:], solo.visits)
    np.testing.assert_array_equal(agent.values()[1:], solo.values())
    loaded = load_agent(agent.save(tmp_path / "agent"))
    np.testing.assert_array_equal(loaded.values(), agent.values())
    assert loaded.learn(40).visits.sum() == 200
    env = gymnasium.make(world)
    observation, _ = env.reset(seed=0)
    one = agent.member(1)
    for deterministic in (True, False):
        action, _ = one.predict(observation, deterministic=deterministic)
        assert action.shape == ()
        assert env.action_space.contains(np.int64(action))


@every_learner
def test_what_does_not_fit_is_refused(name: str) -> None:
    for world, words in (
        ("CartPole-v1", "whose observations are Box.*it fits Discrete and MultiDiscrete observations"),
        ("Pendulum-v1", "whose actions are Box.*it fits worlds with Discrete actions"),
        ("CourseMaze-v0", r"observation='index'"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            make_agent(name, world)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="more than 4 GiB"):
        make_agent(name, "CandyDuel-v0", seeds=2_000)


def test_observations_that_are_none_are_refused() -> None:
    agent = build("q_learning", 2)
    for wrong in (
        np.zeros((3, 2), int),
        np.zeros(2),
        [-1, 0],
        [0, agent.n_states],
        ["a", "b"],
        [[1], [2, 3]],
    ):
        with pytest.raises((UsageError, ValueError)):
            agent.predict(wrong)


@every_learner
@pytest.mark.parametrize(
    "options", [{"max_steps": 7}, {"env": "rlcourse/FourRooms-v0", "settings": {"max_steps": 40}}]
)
def test_the_compiled_loop_is_the_loop_of_steps(name: str, options: dict[str, Any]) -> None:
    """Bit for bit, also where the one goes on with what the other has begun."""
    compiled = make_agent(name, "FiniteWorld-v0", seeds=3, env_kwargs=options)
    assert compiled._compiled_world() is not None
    stepped = make_agent(name, "FiniteWorld-v0", seeds=3, env_kwargs=options)
    for _ in range(2):
        watch(stepped, STEPS)
        assert_same(stepped, compiled.learn(STEPS))
        stepped, compiled = compiled, stepped
    assert compiled.episodes.sum() > 5


@every_kind
def test_in_mazes_too_the_compiled_loop_is_the_loop_of_steps(name: str) -> None:
    """The loop is the same one, and so are the rules of the world; of these, the ones for mazes."""
    compiled, stepped = build(name, 3), build(name, 3)
    assert compiled._compiled_world() is not None
    for _ in range(2):
        watch(stepped, STEPS)
        assert_same(stepped, compiled.learn(STEPS))
        stepped, compiled = compiled, stepped
    assert compiled.episodes.sum() > 5


@every_kind
def test_the_compiled_loop_has_the_law_of_the_world(name: str) -> None:
    """A maze and its model: with another luck, the same distribution of what is earned in the first episodes."""
    options = {**ICE, "slip": 0.0}
    world = build(name, 400, options).learn(60)
    model = make_agent(
        name,
        "FiniteWorld-v0",
        seeds=400,
        env_kwargs={"env": "rlcourse/CandyMaze-v0", "settings": options},
    ).learn(60)
    gains = [(agent.earned + agent.running) for agent in (world, model)]
    error = np.sqrt(sum(gain.var() for gain in gains) / 400)
    assert abs(gains[0].mean() - gains[1].mean()) < 4.5 * error
    assert error > 0


def test_an_observation_that_the_world_does_not_have_is_refused() -> None:
    agent = make_agent("q_learning", "Blackjack-v1")
    for wrong, says in (
        ((9, 9, 5), "the observation is not one of Tuple"),
        ((9, 9), "it lacks 2"),
        ((9, 9.5, 1), "expected whole numbers of"),
        ((9, [[1], [1, 2]], 1), "its lists differ in length"),
    ):
        with pytest.raises(UsageError, match=says) as error:
            agent.predict(wrong)
        assert "\n" not in str(error.value)
