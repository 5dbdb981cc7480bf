"""Published figures, over many members: the cliff, the wind, the mazes of chapter 8, the random walk."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from rlcourse.agents import make_agent
from rlcourse.mdp import FiniteMDP, epsilon_soft, evaluate_policy, value_iteration


def population(name: str, world: str, seeds: int, **settings: Any) -> Any:
    return make_agent(name, world, seeds=seeds, **settings)


@pytest.mark.parametrize(
    ("name", "low", "high"), [("q_learning", -55, -42), ("sarsa", -30, -23), ("expected_sarsa", -25, -19)]
)
def test_return_while_learning_at_the_cliff(name: str, low: float, high: float) -> None:
    """Sutton & Barto (2018), figures 6.3 and 6.4, alpha = 0.5: about -50, -25 to -30 and -20 to -25."""
    agent = population(name, "CliffWalk-v0", 200, learning_rate=0.5, gamma=1.0).learn(4_000)
    episodes, earned = agent.episodes.copy(), agent.earned.copy()
    agent.learn(4_000)
    returns = (agent.earned - earned) / (agent.episodes - episodes)
    assert low < returns.mean() < high
    assert returns.std() / np.sqrt(200) < 1.0


def test_q_learning_walks_at_the_brink_and_sarsa_keeps_away() -> None:
    """Example 6.6: the best policy, which falls while exploring, and a safer one, which does not."""
    mdp = FiniteMDP.from_env(gymnasium.make("rlcourse/CliffWalk-v0"))
    worth: dict[str, Any] = {}
    for name in ("q_learning", "expected_sarsa"):
        agent = population(name, "CliffWalk-v0", 20, learning_rate=0.5, gamma=1.0).learn(30_000)
        policy = agent.greedy_policy()
        worth[name] = mdp.start_value(evaluate_policy(mdp, policy, 1.0))
    assert (worth["q_learning"] == -13.0).all()
    assert (worth["expected_sarsa"] < -13.0).mean() > 0.9
    assert np.median(worth["expected_sarsa"]) >= -17.0


def test_sarsa_in_the_wind() -> None:
    """Example 6.5: some 170 episodes in 8,000 steps, and about 17 steps an episode in the end: the best of the policies that
    explore so takes 17.05."""
    mdp = epsilon_soft(FiniteMDP.from_env(gymnasium.make("rlcourse/WindyGrid-v0")), 0.1)
    best = -float(mdp.start_value(value_iteration(mdp, 1.0).V))
    assert best == pytest.approx(17.048, abs=1e-3)
    agent = population("sarsa", "WindyGrid-v0", 200, learning_rate=0.5, gamma=1.0).learn(8_000)
    episodes = agent.episodes.copy()
    assert 150 < episodes.mean() < 185
    agent.learn(8_000)
    assert best < np.median(8_000 / (agent.episodes - episodes)) < best + 4.5


def test_planning_steps_in_the_dyna_maze() -> None:
    """Example 8.1: episodes until the learner walks 14 steps or little more: about 25, 5 and 3 with 0, 5 and 50."""
    settled = {}
    for n in (0, 5, 50):
        name, extra = ("dyna_q", {"planning_steps": n}) if n else ("q_learning", {})
        agent = population(name, "DynaMaze-v0", 30, gamma=0.95, **extra)
        lengths: list[list[int]] = [[] for _ in range(30)]
        begun = np.zeros(30, np.int64)
        for t in range(1, 8_001):
            agent.learn(1)
            for k in np.flatnonzero(agent._over):
                lengths[k].append(t - begun[k])
                begun[k] = t
            if min(map(len, lengths)) >= 40:
                break
        mean = np.array([one[:40] for one in lengths]).mean(axis=0)
        settled[n] = int((mean < 25).argmax()) + 1
    assert 15 <= settled[0] <= 35
    assert 4 <= settled[5] <= 8
    assert 2 <= settled[50] <= 4


@pytest.mark.parametrize(
    ("world", "steps", "plus", "plain"),
    [("BlockingMaze-v0", 3_000, 130, 77), ("ShortcutMaze-v0", 6_000, 366, 297)],
)
def test_the_bonus_of_dyna_q_plus(world: str, steps: int, plus: float, plain: float) -> None:
    """Figures 8.4 and 8.5: what Dyna-Q+ and Dyna-Q have earned in the end (read off a figure)."""
    settings: Any = {"gamma": 0.95, "planning_steps": 50, "learning_rate": 0.5}
    curious = population("dyna_q_plus", world, 30, **settings).learn(steps)
    content = population("dyna_q", world, 30, **settings).learn(steps)
    gains = [(agent.earned + agent.running).mean() for agent in (curious, content)]
    assert gains[0] == pytest.approx(plus, rel=0.2)
    assert gains[1] == pytest.approx(plain, rel=0.2)
    assert gains[0] > 1.15 * gains[1]


class RandomWalk(gymnasium.Env):
    """Five states between two ends; the right one pays 1 (example 6.2)."""

    observation_space = gymnasium.spaces.Discrete(5)
    action_space = gymnasium.spaces.Discrete(2)
    initial_state_distrib = np.eye(5)[2]
    P = {  # noqa: RUF012
        x: {
            a: [(1.0, min(max(x + 2 * a - 1, 0), 4), float(x + a == 5), x + 2 * a - 1 in (-1, 5))]
            for a in range(2)
        }
        for x in range(5)
    }


RANDOM_WALK = "tests/RandomWalk-v0"
gymnasium.register(RANDOM_WALK, entry_point=RandomWalk)


def test_random_walk() -> None:
    """Example 6.2: with V = 0.5 at the start and alpha = 0.05, the RMS error after 100 episodes is about 0.04 to 0.05."""
    settings: Any = {"gamma": 1.0, "initial_value": 0.5, "learning_rate": 0.05}
    truth = np.arange(1, 6) / 6
    agent = population("td_prediction", "FiniteWorld-v0", 200, env_kwargs={"env": RANDOM_WALK}, **settings)
    error = np.full(200, np.nan)
    while np.isnan(error).any():
        agent.learn(1)
        fresh = (agent.episodes == 100) & np.isnan(error)
        error[fresh] = np.sqrt(((agent.V[fresh] - truth) ** 2).mean(axis=1))
    assert 0.035 < error.mean() < 0.06
    assert abs(np.sqrt(((0.5 - truth) ** 2).mean()) - 0.2357) < 1e-3
