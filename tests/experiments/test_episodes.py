"""Learning by episodes: what is noted is what happened, and the learner is not disturbed."""

import numpy as np
import pytest

from rlcourse.agents import make_agent
from rlcourse.errors import UsageError
from rlcourse.experiments.episodes import learn_episodes

ICE = {"layout": "S.2\n.#.\n..E", "slip": 0.3, "max_steps": 12}


def build(seeds=5):
    return make_agent("q_learning", "CandyMaze-v0", seeds=seeds, env_kwargs=ICE)


def test_returns_and_lengths_are_those_of_the_account():
    seen = []
    agent, twin = build(), build()
    learned = learn_episodes(
        agent, 7, after=lambda members, which: seen.extend(zip(members, which, strict=True))
    )
    assert learned.returns.shape == learned.lengths.shape == (7, 5)
    returns, lengths, tables = np.zeros((7, 5)), np.zeros((7, 5), int), {}
    steps = np.zeros(5, int)
    for _ in range(agent.num_timesteps):
        before = twin.episodes.copy(), twin.earned.copy()
        twin.learn(1)
        steps += 1
        for k in np.flatnonzero(twin.episodes > before[0]):
            if before[0][k] < 7:
                returns[before[0][k], k] = twin.earned[k] - before[1][k]
                lengths[before[0][k], k] = steps[k]
                tables[k, before[0][k]] = twin.Q[k].copy()
            steps[k] = 0
    np.testing.assert_allclose(learned.returns, returns, atol=1e-12)
    np.testing.assert_array_equal(learned.lengths, lengths)
    np.testing.assert_array_equal(agent.Q, twin.Q)  # as if nobody had looked
    assert sorted(seen) == sorted(tables)


def test_after_is_called_when_the_last_step_is_learned():
    agent, twin = build(3), build(3)
    tables = {}
    learn_episodes(
        agent,
        4,
        after=lambda m, e: tables.update({(k, n): agent.Q[k].copy() for k, n in zip(m, e, strict=True)}),
    )
    for _ in range(agent.num_timesteps):
        before = twin.episodes.copy()
        twin.learn(1)
        for k in np.flatnonzero((twin.episodes > before) & (before < 4)):
            np.testing.assert_array_equal(tables.pop((k, before[k])), twin.Q[k])
    assert not tables


def test_an_episode_that_goes_on_is_not_noted():
    whole = learn_episodes(build(4), 6).lengths
    agent = build(4).learn(6)
    assert not agent._over.all()
    later = learn_episodes(agent, 3).lengths
    for k in range(4):
        begun = np.concatenate([[0], np.cumsum(whole[:, k])])  # when each episode begins
        first = int(np.searchsorted(begun, 6))
        np.testing.assert_array_equal(later[:, k], whole[first : first + 3, k])


def test_no_episodes():
    for wrong in (0, True, 2.5):
        with pytest.raises(UsageError, match="episodes="):
            learn_episodes(build(), wrong)
