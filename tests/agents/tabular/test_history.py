"""A table over the last observations: it solves a short T-maze, and saves, parts and goes on like any other."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.agents.tabular.history import History
from rlcourse.errors import UsageError
from tests.agents.tabular.worlds import assert_same

SHORT: dict[str, Any] = {"length": 1, "max_steps": 20}


def test_numbers_are_those_of_the_definition() -> None:
    history = History(3, 3)
    assert history.n == 4**3
    seen = [2, 0, 1, 1, 2]
    x = history.begin(np.array([seen[0]]))
    for t in range(1, len(seen)):
        x = history.follow(x, np.array([seen[t]]))
        last = seen[max(0, t - 2) : t + 1][::-1]
        assert x.tolist() == [sum((one + 1) * 4**k for k, one in enumerate(last))]
    plain = History(3, 1)
    assert plain.n == 3
    assert plain.follow(np.array([0]), np.array([2])).tolist() == [2]


@pytest.mark.parametrize("name", ["q_learning", "sarsa_lambda"])
def test_two_observations_solve_the_shortest_t_maze_and_one_is_at_chance(name: str) -> None:
    """At the fork the observation before it holds the cue, if the corridor has one step only."""
    success = {}
    for depth in (1, 2):
        agent = make_agent(name, "TMaze-v0", seeds=10, env_kwargs=SHORT, history=depth, gamma=0.95)
        agent.learn(8_000)
        success[depth] = (rlcourse.evaluate(agent, 100) > 3.0).mean()
    assert success[2] == 1.0
    assert success[1] < 0.65


def test_saved_copied_and_in_pieces_it_goes_on_exactly(tmp_path: Any) -> None:
    settings: dict[str, Any] = {"seeds": [3, 5], "env_kwargs": SHORT, "history": 2}
    whole: Any = make_agent("q_learning", "TMaze-v0", **settings).learn(300)
    half: Any = make_agent("q_learning", "TMaze-v0", **settings).learn(101)
    twins = [load_agent(half.save(tmp_path / "agent")), copy.deepcopy(half), half]
    for twin in twins:
        assert_same(whole, twin.learn(199))  # type: ignore[arg-type]
    solo: Any = make_agent("q_learning", "TMaze-v0", **{**settings, "seeds": [5]}).learn(300)
    assert_same(whole, solo, [1])
    assert_same(whole.member(1), solo)


def test_a_longer_history_is_refused_before_memory_is_gone() -> None:
    with pytest.raises(UsageError, match="fewer seeds, a shorter history or a smaller world"):
        make_agent("q_learning", "TMaze-v0", history=11)
    with pytest.raises(UsageError, match="history=2 is not kept here"):
        make_agent(
            "self_play", "CandyDuel-v0", env_kwargs={"layout": "duel4"}, learner_settings={"history": 2}
        )


def test_replay_is_q_learning_on_the_last_steps() -> None:
    """Against a slow reference that follows the same draws."""
    from rlcourse.streams import Streams
    from tests.agents.tabular.worlds import build, watch

    agent: Any = build(
        "q_learning", 1, gradient_steps=3, buffer_size=5, exploration_final_eps=1.0, initial_value=0.5
    )
    stream = Streams(agent.stream.state.copy())
    Q = np.full((agent.n_states, agent.n_actions), 0.5)
    path = watch(agent, 40)[0]

    def improve(step: Any) -> None:
        target = step.r if step.terminated else step.r + 0.99 * Q[step.y].max()
        Q[step.x, step.a] += 0.1 * (target - Q[step.x, step.a])

    for t, step in enumerate(path):
        assert int(stream.uniform()[0] * agent.n_actions) == step.a
        improve(step)
        last = min(t + 1, 5)
        for _ in range(3):
            k = int(stream.integers(last)[0])
            improve(path[max(s for s in range(t + 1) if s % 5 == k)])
    np.testing.assert_allclose(agent.Q[0], Q)


def test_a_short_buffer_follows_a_world_that_changes() -> None:
    """The same number of updates after the walls have moved: what is remembered of the old ones is in the way."""
    earned = {}
    for size in (200, 100_000):
        agent: Any = make_agent(
            "q_learning", "BlockingMaze-v0", seeds=30, gamma=0.95, gradient_steps=10, buffer_size=size,
            exploration_final_eps=0.2, learning_rate=0.3,
        )  # fmt: skip
        before = agent.learn(1_000).earned.copy()
        earned[size] = (agent.learn(4_000).earned - before).mean()
    assert earned[200] > earned[100_000] * 1.05
