"""Episodes that are played without learning: in the problem that was learned, with luck of their own."""

import numpy as np
import pytest

import rlcourse
from rlcourse.agents import evaluation, make_agent
from rlcourse.errors import UsageError
from tests.agents.worlds import ROUNDS, STRATEGIES, UNEVEN, assert_same, build


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("trained", [0, 20, ROUNDS])
def test_training_is_not_disturbed(name, trained):
    agent, twin = build(name, 3), build(name, 3)
    if trained:
        agent.learn(trained), twin.learn(trained)
    for deterministic in (True, False):
        assert rlcourse.evaluate(agent, 2, deterministic=deterministic).shape == (3, 2)
    agent._predict_stream.state[:] = (
        twin._predict_stream.state
    )  # of its own, so that training does not depend on it
    assert_same(agent, twin)
    assert_same(agent.learn(30), twin.learn(30))


def test_an_episode_has_its_own_luck(monkeypatch):
    """Neither the number of episodes nor how many are played side by side nor the other members change it."""
    agent = build("ucb1", [4, 7]).learn(20)
    returns = rlcourse.evaluate(agent, 9)
    assert len(np.unique(returns)) > 2
    np.testing.assert_array_equal(rlcourse.evaluate(agent, 5), returns[:, :5])
    np.testing.assert_array_equal(rlcourse.evaluate(agent.member(1), 9), returns[1:])
    monkeypatch.setattr(evaluation, "COPIES", 4)
    np.testing.assert_array_equal(rlcourse.evaluate(agent, 9), returns)


def test_the_problem_that_was_learned_is_kept():
    options = {"law": "gaussian", "horizon": 100}
    agent = make_agent("sequential_halving", "Bandit-v0", seeds=50, env_kwargs=options).learn(100)
    truth = agent.venv.unwrapped.arm_values()
    expected = np.take_along_axis(truth, agent.recommendation()[:, None], axis=1)
    assert (
        abs(rlcourse.evaluate(agent, 20) / 100 - expected).max() < 0.5
    )  # five standard errors of a mean of 100
    best = rlcourse.evaluate(make_agent("perfect_knowledge", "Bandit-v0", seeds=50, env_kwargs=options), 20)
    fresh = make_agent("random", "Bandit-v0", seeds=50, env_kwargs=options)
    assert abs(best / 100 - fresh.venv.unwrapped.best_values()[:, None]).max() < 0.5


def test_games_that_end_at_different_times_count_to_their_own_end():
    returns = rlcourse.evaluate(make_agent("random", UNEVEN, seeds=4), 300)
    assert len(np.unique(returns)) > 5
    error = returns.std() / np.sqrt(returns.size)
    assert abs(returns.mean() - 0.6 * 10) < 5 * error  # 0.6 a round, ten rounds on average


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "3", None, True])
def test_numbers_of_episodes_that_are_none_are_refused(wrong):
    with pytest.raises(UsageError, match="episodes="):
        rlcourse.evaluate(build("ucb1"), wrong)
