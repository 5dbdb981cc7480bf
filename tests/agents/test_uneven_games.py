"""Members whose games end at different times, and worlds that do not say how long a game is."""

import numpy as np
import pytest

from rlcourse.agents import agent_class, make_agent
from rlcourse.errors import UsageError
from tests.agents.worlds import STRATEGIES, UNEVEN, assert_same, build

ENDS = {13: [0], 29: [1, 2], 41: [2], 44: [0]}
"""After which rounds whose games are ended by hand."""
PLANNERS = ["discounted_ucb", "sliding_window_ucb", "sequential_halving"]


def play(agent, members, rounds=55):
    """Learn for some rounds, ending the games of `members` (the numbers of the agent's own) after those of `ENDS`."""
    for round_ in range(1, rounds + 1):
        agent.learn(1)
        for ended in ENDS.get(round_, []):
            if ended in members:
                agent._over[members.index(ended)] = True
    return agent


@pytest.mark.parametrize("name", STRATEGIES)
def test_member_equals_solo_in_games_of_different_lengths(name):
    population = play(build(name, [3, 5, 8]), [0, 1, 2])
    assert population.t.tolist() == [11.0, 26.0, 14.0]
    for k, seed in enumerate([3, 5, 8]):
        assert_same(population, play(build(name, [seed]), [k]), [k])


@pytest.mark.parametrize("name", PLANNERS)
def test_who_plans_for_a_horizon_asks_for_it(name):
    with pytest.raises(UsageError, match=f"{name} plans for a horizon") as error:
        make_agent(name, UNEVEN)
    assert "\n" not in str(error.value)
    population = make_agent(name, UNEVEN, seeds=4, horizon=50).learn(120)
    for k in range(4):
        assert_same(population, make_agent(name, UNEVEN, seeds=[k], horizon=50).learn(120), [k])


def test_what_was_learned_in_a_game_can_be_asked_for_after_it():
    agent = make_agent("ucb1", "Bandit-v0", seeds=3, env_kwargs={"means": [0.1, 0.9], "horizon": 300}).learn(
        300
    )
    assert agent.t.tolist() == [300.0] * 3
    assert agent.recommendation().tolist() == [1, 1, 1]
    agent.learn(1)
    assert agent.t.tolist() == [1.0] * 3


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_recommends_an_arm(name):
    agent = build(name, 3)
    if agent_class(name).needs_truth:
        pytest.skip("is told, and recommends what it was told")
    agent.learn(20)
    arms = agent.recommendation()
    assert arms.shape == (3,)
    assert ((arms >= 0) & (arms < agent.n_arms)).all()
    assert all(score.shape == (3,) and score.dtype == np.float64 for score in agent.final_scores().values())
