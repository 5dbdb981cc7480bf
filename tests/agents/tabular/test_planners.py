"""Planners: nobody does better, in a world that stands still and in one that changes."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium
import numpy as np
import pytest

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.errors import UsageError
from rlcourse.mdp import FiniteMDP, finite_horizon, value_iteration
from tests.agents.tabular.worlds import ICE, PLANNERS, assert_same

every_planner = pytest.mark.parametrize("name", PLANNERS)


@every_planner
@pytest.mark.parametrize("world", ["FrozenLake-v1", "rlcourse/CandyMaze-v0", "rlcourse/CliffWalk-v0"])
def test_nobody_does_better(name: str, world: str) -> None:
    options = ICE if "Candy" in world else {}
    mdp = FiniteMDP.from_env(gymnasium.make(world, **options))
    agent: Any = make_agent(name, world, seeds=3, env_kwargs=options)
    best = finite_horizon(mdp, agent.world_horizon()).V[0] @ mdp.start
    returns = rlcourse.evaluate(agent, 500)
    error = returns.std() / np.sqrt(returns.size)
    assert abs(returns.mean() - best) <= 5 * error + (1e-9 if name == "finite_horizon" else 0.12 * abs(best))
    if name != "finite_horizon":
        np.testing.assert_array_equal(agent.greedy_policy()[0], value_iteration(mdp, 0.99).policy)
    agent.learn(60)
    assert agent.num_timesteps == 60


def test_under_a_time_limit_the_plan_depends_on_the_time() -> None:
    """Two candies far apart, and time for one of them or for the exit."""
    options = {"layout": "S...E\n.###.\n1...9", "max_steps": 6}
    agent: Any = make_agent("finite_horizon", "CandyMaze-v0", env_kwargs=options).learn(60)
    mdp = FiniteMDP.from_env(gymnasium.make("rlcourse/CandyMaze-v0", **options))
    assert (agent.earned / agent.episodes)[0] == pytest.approx(finite_horizon(mdp, 6).V[0] @ mdp.start)
    assert len(np.unique(agent.plan[0], axis=0)) > 1
    np.testing.assert_allclose(rlcourse.evaluate(agent, 2), agent.earned[0] / agent.episodes[0])


@pytest.mark.parametrize("name", ["value_iteration", "policy_iteration"])
def test_a_clairvoyant_plans_anew_when_the_walls_change(name: str, tmp_path: Any) -> None:
    """Blocking maze: ten steps to the exit before step 1,000, then sixteen."""
    agent: Any = make_agent(name, "BlockingMaze-v0", seeds=2)
    agent.learn(1_000)
    assert agent.earned.tolist() == [100.0, 100.0]
    twins = [load_agent(agent.save(tmp_path / "agent")), copy.deepcopy(agent)]
    agent.learn(800)
    assert agent.earned.tolist() == [150.0, 150.0]
    for twin in twins:
        assert_same(agent, twin.learn(800))  # type: ignore[arg-type]


@every_planner
def test_worlds_that_do_not_fit(name: str) -> None:
    for world, options, words in (
        ("Blackjack-v1", {}, "gives no model to plan with"),
        ("CandyMaze-v0", {"observation": "position"}, "choose the observation that shows the state"),
        ("CartPole-v1", {}, "whose observations are Box"),
    ):
        with pytest.raises(UsageError, match=words):
            make_agent(name, world, env_kwargs=options)
    if name == "finite_horizon":
        with pytest.raises(UsageError, match="has none: value_iteration would fit"):
            make_agent(name, "CliffWalking-v1")


@every_planner
def test_member_equals_solo(name: str) -> None:
    population: Any = make_agent(name, "CandyMaze-v0", seeds=[3, 8], env_kwargs=ICE).learn(70)
    solo: Any = make_agent(name, "CandyMaze-v0", seeds=[8], env_kwargs=ICE).learn(70)
    assert_same(population, solo, [1])
    assert_same(population.member(1).learn(9), solo.learn(9))
