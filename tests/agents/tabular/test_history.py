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
