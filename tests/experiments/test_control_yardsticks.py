"""Yardsticks of policies, against cases that are worked out by hand and against play."""

import time

import gymnasium
import numpy as np
import pytest

import rlcourse
from rlcourse.agents import make_agent
from rlcourse.errors import UsageError
from rlcourse.experiments.control_yardsticks import (
    distance_to_optimum,
    greedy_value,
    optimal_share,
    policy_of,
    value_error,
    win_rate_from,
    win_rate_from_every_cell,
)
from rlcourse.experiments.exact import Yardstick
from rlcourse.mdp import FiniteMDP, value_iteration

LEFT, RIGHT, UP, DOWN = range(4)

# Three states in a row: 0 goes on (to the right) or stays, at -1 a step; 1 comes to the end for 5, or back; 2 is out of reach.
CHAIN = FiniteMDP.from_P(
    {
        0: {0: [(1.0, 0, -1.0, False)], 1: [(1.0, 1, -1.0, False)]},
        1: {0: [(1.0, 0, -1.0, False)], 1: [(0.5, 2, 5.0, True), (0.5, 0, -1.0, False)]},
        2: {0: [(1.0, 2, 0.0, False)], 1: [(1.0, 2, 9.0, True)]},
    },
    start=0,
)
POLICIES = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0]])


def world(env_id, **options):
    env = gymnasium.make(f"rlcourse/{env_id}", **options).unwrapped
    env.reset(seed=0)
    return env


def test_values_by_hand():
    """V(0) = -1 + V(1) and V(1) = 2.5 + 0.5 (-1 + V(0)): V(0) = 2, V(1) = 3."""
    np.testing.assert_allclose(greedy_value(CHAIN, POLICIES), [2.0, -np.inf, -np.inf])
    np.testing.assert_allclose(greedy_value(CHAIN, POLICIES, horizon=3), [-1 + 2.5 - 0.5 - 0.5, -3.0, -3.0])
    # discounted by a half: V(0) = -1 + V(1) / 2, V(1) = 2 + V(0) / 4
    best = np.array([0.0, 2.0])
    np.testing.assert_allclose(value_iteration(CHAIN, 0.5).V[:2], best, atol=1e-7)
    always = np.array([-2.0, 2.0 + -2.0 / 4])  # 0 stays for ever; 1 falls back to it
    back = np.array([-2.0, -2.0])
    np.testing.assert_allclose(
        distance_to_optimum(CHAIN, POLICIES, 0.5),
        [0.0, (best - always).max(), (best - back).max()],
        atol=1e-7,
    )


def test_shares_of_optimal_actions_by_hand():
    np.testing.assert_allclose(optimal_share(CHAIN, POLICIES, 0.5), [1.0, 0.5, 0.5])  # state 2 does not count
    even = np.full((1, 3, 2), 0.5)
    np.testing.assert_allclose(optimal_share(CHAIN, even, 0.5), [0.5])


def test_errors_of_beliefs_by_hand():
    V = np.array([[0.0, 2.0, 99.0], [3.0, -2.0, 0.0]])
    np.testing.assert_allclose(value_error(CHAIN, V, 0.5), [0.0, np.sqrt((9 + 16) / 2)], atol=1e-7)


def test_ties_are_all_optimal():
    env = world("CandyMaze-v0", layout="S..\n...\n..E")
    mdp = FiniteMDP.from_env(env)
    for first, second in ((RIGHT, DOWN), (DOWN, RIGHT)):
        policy = np.full(9, first)
        policy[[2, 5] if first == RIGHT else [6, 7]] = second
        assert optimal_share(mdp, policy[None], 0.99).item() == 1.0


def test_winning_by_hand():
    """0 goes on and 1 tries: it ends with a win for sure. Who stays, or turns back, never wins."""
    np.testing.assert_allclose(win_rate_from(CHAIN, POLICIES, [0, 1], CHAIN.terminated), [1.0, 0.25, 0.0])
    half = FiniteMDP.from_P(
        {
            0: {0: [(0.2, 0, 0.0, False), (0.3, 1, 1.0, True), (0.5, 1, -1.0, True)]},
            1: {0: [(1.0, 1, 0.0, True)]},
        },
        start=0,
    )
    won = win_rate_from(half, np.zeros((1, 2), int), [0], half.reward > 0)
    assert won.item() == pytest.approx(0.3 / 0.8)


MAZE = {"layout": "S#.\n..T\n.#E\n..."}
"""With a trap beside one way to the exit."""


def test_every_cell_of_a_maze_by_hand():
    """Numbers of the open cells: 0 S, 1 (0,2), 2 (1,0), 3 (1,1), 4 T, 5 (2,0), 6 E, 7 8 9 the lowest row."""
    agent = make_agent("q_learning", "CandyMaze-v0", seeds=3, env_kwargs=MAZE)
    agent.Q[:, 0, DOWN] = agent.Q[:, 2, DOWN] = agent.Q[:, 3, LEFT] = agent.Q[:, 5, DOWN] = 1.0
    agent.Q[:, [7, 8], RIGHT] = agent.Q[:, 9, UP] = agent.Q[:, 1, DOWN] = 1.0
    agent.Q[1, 3, LEFT], agent.Q[1, 3, RIGHT] = 0.0, 1.0  # into the trap, as from (0, 2)
    agent.Q[2, 7, RIGHT], agent.Q[2, 7, UP] = 0.0, 1.0  # to and fro: only 8 and 9 win
    exact = [7 / 8, 6 / 8, 2 / 8]
    np.testing.assert_allclose(win_rate_from_every_cell(agent, world("CandyMaze-v0", **MAZE)), exact)
    # played out, with what is seen in another form
    seen = make_agent("q_learning", "CandyMaze-v0", seeds=3, env_kwargs={**MAZE, "observation": "position"})
    opened = np.flatnonzero(seen_as_open(MAZE["layout"]))
    seen.Q[:, opened] = agent.Q
    env = world("CandyMaze-v0", **MAZE, observation="position")
    np.testing.assert_allclose(win_rate_from_every_cell(seen, env), exact)


def seen_as_open(layout):
    return np.array([character != "#" for character in layout.replace("\n", "")])


def test_the_courses_check_win_all():
    """In the course's maze patience counts: a policy by hand wins from everywhere, one that bumps from one cell only."""
    options = {"observation": "position"}
    agent = make_agent("q_learning", "CourseMaze-v0", seeds=2, env_kwargs=options)
    ways = {0: DOWN, 4: RIGHT, 5: DOWN, 9: RIGHT, 10: RIGHT, 11: DOWN, 2: RIGHT, 3: DOWN, 7: DOWN, 12: LEFT}
    for cell, action in ways.items():
        agent.Q[0, cell, action] = 1.0
    agent.Q[1, :, DOWN] = 1.0
    # the lower left corner is walled in: nobody wins from there; of the nine others, three lie above the exit
    rate = win_rate_from_every_cell(agent, world("CourseMaze-v0", **options))
    np.testing.assert_allclose(rate, [9 / 10, 3 / 10])


@pytest.mark.parametrize("slip", [0.0, 0.3])
def test_the_chance_to_win_is_how_often_it_is_won(slip):
    options = {"layout": "S..\n.#T\n..E", "slip": slip, "max_steps": 500, "start": "anywhere"}
    agent = make_agent("q_learning", "CandyMaze-v0", seeds=4, env_kwargs=options).learn(150)
    exact = win_rate_from_every_cell(agent, world("CandyMaze-v0", **options))
    started = FiniteMDP.from_env(world("CandyMaze-v0", **options)).start
    assert np.count_nonzero(started) == 6  # the starts are the cells from which a game can go on
    from rlcourse.agents.evaluation import play

    episodes = 400
    won = play(agent, episodes).success.mean(axis=1)
    assert np.abs(won - exact).max() < 4.5 * np.sqrt(0.25 / episodes)
    assert exact.min() > 0.0


def test_a_planner_is_at_the_optimum_and_a_fool_is_not():
    env = world("CandyMaze-v0")
    mdp = FiniteMDP.from_env(env)
    V, policy = value_iteration(mdp, 0.99)
    both = np.stack([policy, np.zeros_like(policy)])
    assert distance_to_optimum(mdp, both, 0.99)[0] == pytest.approx(0.0, abs=1e-6)
    assert optimal_share(mdp, both, 0.99)[0] == 1.0
    assert value_error(mdp, V[None], 0.99).item() == 0.0
    assert distance_to_optimum(mdp, both, 0.99)[1] > 5.0
    assert 0.0 < optimal_share(mdp, both, 0.99)[1] < 0.6
    assert greedy_value(mdp, both, horizon=200)[0] > 10.0
    assert greedy_value(mdp, both, horizon=200)[1] == pytest.approx(-0.05 * 200)


def test_policies_of_agents():
    agent = make_agent("q_learning", "FrozenLake-v1", seeds=3).learn(500)
    mdp = FiniteMDP.from_env(gymnasium.make("FrozenLake-v1"))
    np.testing.assert_array_equal(policy_of(agent, mdp), agent.greedy_policy())
    assert policy_of(rlcourse.make_agent("random", "FrozenLake-v1", seeds=2), mdp).shape == (2, 16)
    with pytest.raises(UsageError, match=r"observation='index'"):
        policy_of(make_agent("q_learning", "CliffWalk-v0"), mdp)


def test_what_has_no_exact_answer_is_refused():
    agent = make_agent("q_learning", "CandyMazeSlippery-v0", env_kwargs={"observation": "position"})
    with pytest.raises(UsageError, match="has chance in it"):
        win_rate_from_every_cell(agent, world("CandyMazeSlippery-v0", observation="position"))
    with pytest.raises(UsageError, match="is no maze"):
        win_rate_from_every_cell(agent, gymnasium.make("FrozenLake-v1").unwrapped)


def test_each_policy_is_solved_once(monkeypatch):
    """However many members have it, and not again when nothing has been learned in between."""
    solved = []

    def count(mdp, policy, gamma, horizon):
        solved.append(len(policy))
        return greedy_value(mdp, policy, gamma, horizon)

    monkeypatch.setattr("rlcourse.experiments.exact.greedy_value", count)
    yardstick = Yardstick(CHAIN, 3)
    gap = yardstick.best - greedy_value(CHAIN, POLICIES, horizon=3)
    for rows, new in (([0, 1, 1, 0], [2]), ([1, 0, 0, 1], []), ([2, 2, 1], [1]), ([0], [1]), ([], [])):
        np.testing.assert_array_equal(yardstick.gap(POLICIES[rows]), gap[rows])
        assert solved == new
        solved.clear()
    assert yardstick.is_enough(POLICIES[[1, 0, 2]]).tolist() == [False, True, False]
    uniform = np.full((2, 3, 2), 0.5)
    np.testing.assert_array_equal(
        yardstick.gap(uniform), yardstick.best - greedy_value(CHAIN, uniform, horizon=3)
    )


def test_policies_over_many_states_are_compared_at_once(monkeypatch):
    """Ten members in a game of two of 48,672 states: by columns it took a minute."""
    monkeypatch.setattr("rlcourse.experiments.exact.greedy_value", lambda mdp, policy, *_: policy[:, 0])
    policies = np.zeros((10, 50_000), np.int64)
    policies[:, 0] = np.arange(10) // 2
    begun = time.perf_counter()
    assert (Yardstick(CHAIN, 3).gap(policies) == Yardstick(CHAIN, 3).best - policies[:, 0]).all()
    assert time.perf_counter() - begun < 5.0
