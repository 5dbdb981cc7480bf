"""Games of two: matrix games against linear programs, duels against brute force and against their models."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium
import numpy as np
import pytest
from scipy.optimize import linprog

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.errors import UsageError
from rlcourse.mdp import finite_horizon, value_iteration
from rlcourse.mdp.games import best_response, exploitability, matrix_games, policy_value, solve_game

LINE = "S12S\n\nreward move = 0"
FIELD = "S.2\n.1.\n2.S\n\nreward move = 0"
MOVES = ("alternating", "simultaneous")
each_kind = pytest.mark.parametrize("moves", MOVES)


def duel(**options: Any) -> Any:
    env = gymnasium.make("rlcourse/CandyDuel-v0", **options).unwrapped
    env.reset(seed=0)
    return env


def random_policy(game: Any, player: int, seed: int) -> np.ndarray:
    weights = np.random.default_rng(seed).random((game.n_states, game.n_actions[player])) ** 3
    return weights / weights.sum(axis=1, keepdims=True)


def slow_value(payoff: np.ndarray) -> float:
    A, B = payoff.shape
    found = linprog(
        [0.0] * A + [-1.0],
        A_ub=np.hstack([-payoff.T, np.ones((B, 1))]),
        b_ub=np.zeros(B),
        A_eq=[[1.0] * A + [0.0]],
        b_eq=[1.0],
        bounds=[(0, None)] * A + [(None, None)],
    )
    return -found.fun


def test_matrix_games_are_linear_programs() -> None:
    """Of all shapes; half of them with whole numbers, of which many are ties."""
    draw = np.random.default_rng(1)
    for k in range(1500):
        shape = draw.integers(1, 7, size=2)
        payoff = draw.integers(-2, 3, shape).astype(float) if k % 2 else draw.normal(scale=10, size=shape)
        value, row, column = matrix_games(payoff)
        assert value == pytest.approx(slow_value(payoff), abs=1e-9)
        assert row.sum() == pytest.approx(1.0)
        assert column.sum() == pytest.approx(1.0)
        assert min(row.min(), column.min()) >= 0.0
        assert (row @ payoff).min() == pytest.approx(value, abs=1e-12)
        assert (payoff @ column).max() == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("kind", ["ties", "ties and noise", "many sizes", "discounted"])
def test_matrix_games_end_where_payoffs_are_nearly_equal(kind: str) -> None:
    """What one strategy secures is what the other one allows: that proves both, without another solver."""
    draw = np.random.default_rng(2)
    games = draw.integers(-1, 2, (50_000, 4, 4)).astype(float)
    if kind == "ties and noise":
        games += draw.normal(size=games.shape) * 10.0 ** draw.integers(-16, -6, (len(games), 1, 1))
    elif kind == "many sizes":
        games = draw.normal(size=games.shape) * 10.0 ** draw.integers(-14, 2, games.shape)
    elif kind == "discounted":
        games *= 0.9 ** draw.integers(0, 40, games.shape)
    values, rows, columns = matrix_games(games)
    scale = np.abs(games).max(axis=(1, 2)) + (games == 0.0).all(axis=(1, 2))
    gap = (np.einsum("xab,xb->xa", games, columns).max(axis=1) - values) / scale
    np.testing.assert_allclose(np.einsum("xab,xa->xb", games, rows).min(axis=1), values, atol=1e-12)
    assert np.abs(gap).max() < (1e-12 if kind in ("ties", "discounted") else 1e-6)
    assert (np.abs(gap) > 1e-9).mean() < 0.05


def test_matrix_games_that_are_known() -> None:
    value, row, column = matrix_games([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])  # rock, paper, scissors
    assert value == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose([row, column], 1 / 3)
    value, row, column = matrix_games([[3, -1], [-2, 1]])  # by hand: 1/7, at (3/7, 4/7) and (2/7, 5/7)
    assert value == pytest.approx(1 / 7)
    np.testing.assert_allclose(row, [3 / 7, 4 / 7])
    np.testing.assert_allclose(column, [2 / 7, 5 / 7])
    assert matrix_games([[2.0, 2.0]])[0] == 2.0
    for wrong in ([1.0, 2.0], [[np.nan]], np.zeros((2, 0))):
        with pytest.raises(UsageError, match="payoffs must be finite numbers"):
            matrix_games(wrong)


def brute(env: Any, rounds: int, gamma: float) -> float:
    """The value of a game in turn for player 0, by trying everything in the PettingZoo environment."""
    if rounds == 0:
        return 0.0
    world = env._game.world
    best = -np.inf
    before = world.get_state()
    for a in range(4):
        world.set_state(before)
        env._game.over[:] = False
        gain = env._game.move(0, a)[0]
        if env._game.over[0]:
            best = max(best, gain)
            continue
        middle, worst = world.get_state(), np.inf
        for b in range(4):
            world.set_state(middle)
            env._game.over[:] = False
            more = env._game.move(1, b)[0]
            if not env._game.over[0]:
                more += gamma * brute(env, rounds - 1, gamma)
            worst = min(worst, more)
        best = max(best, gain + worst)
    world.set_state(before)
    return best


def test_a_game_in_turn_against_brute_force() -> None:
    candy_duel_v0 = pytest.importorskip("rlcourse.envs.candy_duel_v0")
    env = candy_duel_v0.raw_env(layout=LINE)
    game = duel(layout=LINE).game()
    for seed, (rounds, gamma) in itertools.product(range(2), [(1, 1.0), (2, 0.5), (3, 0.9)]):
        env.reset(seed=seed)
        V = solve_game(game, gamma=gamma, horizon=rounds).V
        assert V[env.observe("player_0")] == pytest.approx(brute(env, rounds, gamma), abs=1e-12)


@each_kind
@pytest.mark.parametrize("opponent", ["greedy", "random"])
@pytest.mark.parametrize("slip", [0.0, 0.2])
def test_a_response_to_a_fixed_opponent_is_a_plan_for_its_model(
    moves: str, opponent: str, slip: float
) -> None:
    env = duel(layout=FIELD, moves=moves, opponent=opponent, slip=slip)
    game, mdp = env.game(), env.model()
    policy: Any = np.full((game.n_states, 4), 0.25)
    if opponent == "greedy":
        from rlcourse.envs.maze.duel_model import GameBuilder

        rows = GameBuilder(env.rules, env._state).every_row()[0]
        state = {"core": rows.core, "cells": rows.cells, "odds": np.zeros((len(rows.core), 0))}
        state["opponent"] = np.zeros(len(rows.core), np.uint64)
        policy = np.empty(game.n_states, np.int64)
        policy[game.seen[1]] = env.rules.replies(state, np.zeros(len(rows.core), np.bool_))
    found = best_response(game, 0, policy, gamma=0.9)
    V, _ = value_iteration(mdp, 0.9)
    np.testing.assert_allclose(found.V, V, atol=1e-7)
    assert found.value == pytest.approx(mdp.start_value(V), abs=1e-7)
    assert policy_value(game, found.policy, policy, gamma=0.9) == pytest.approx(found.value, abs=1e-7)
    cut = best_response(game, 0, policy, horizon=7)
    np.testing.assert_allclose(cut.V, finite_horizon(mdp, 7).V[0], atol=1e-12)


@each_kind
@pytest.mark.parametrize("layout", [FIELD, "duel3", "duel4"])
def test_a_solution_cannot_be_exploited_and_others_can(moves: str, layout: str) -> None:
    game = duel(layout=layout, moves=moves).game()
    solved = solve_game(game, gamma=0.9)
    assert exploitability(game, solved.first, solved.second, gamma=0.9) == pytest.approx(0.0, abs=1e-7)
    assert policy_value(game, solved.first, solved.second, gamma=0.9) == pytest.approx(solved.value, abs=1e-7)
    pairs = [[random_policy(game, w, seed) for seed in range(3)] for w in range(2)]
    several = exploitability(game, *pairs, gamma=0.9)
    assert several.shape == (3,)
    assert several.min() > 0.1
    for k in range(3):
        answers = [best_response(game, 1 - w, pairs[w][k], gamma=0.9) for w in range(2)]
        assert several[k] == pytest.approx(answers[0].value + answers[1].value)
        assert (
            -answers[0].value <= solved.value + 1e-7
        )  # no policy gets more than the value against the best answer
        assert -answers[1].value <= -solved.value + 1e-7
        alone = exploitability(game, solved.first, pairs[1][k], gamma=0.9)
        assert alone == pytest.approx(answers[1].value - solved.value, abs=1e-7)


@each_kind
def test_what_lies_between_two_players_belongs_to_neither(moves: str) -> None:
    """Both corners are alike and a coin deals them: at once the game is fair; in turn it is better to move first."""
    game = duel(layout="duel4", moves=moves).game()
    value = solve_game(game, gamma=0.9).value
    if moves == "simultaneous":
        assert value == pytest.approx(0.0, abs=1e-8)
    else:
        assert value > 0.5


def test_a_guess_has_to_be_mixed() -> None:
    """In duel3 both players have to mix their first move; rounded to actions, the solution loses."""
    game = duel(layout="duel3", moves="simultaneous").game()
    solved = solve_game(game, gamma=0.9)
    begin = np.flatnonzero(game.start)
    assert (solved.first[begin].max(axis=1) < 0.9).all()
    assert exploitability(game, solved.first.argmax(1), solved.second.argmax(1), gamma=0.9) > 0.5


def test_what_is_impossible_is_refused() -> None:
    game = duel(layout=LINE).game()
    even = np.full((game.n_states, 4), 0.25)
    for options, words in (
        ({}, "give a horizon, or gamma < 1"),
        ({"gamma": 1.5}, r"gamma=1\.5"),
        ({"horizon": 0}, "at least 1"),
        ({"gamma": 0.5, "tol": 0.0}, "tol=0"),
    ):
        with pytest.raises(UsageError, match=words):
            solve_game(game, **options)  # type: ignore[arg-type]
    for wrong in (even[1:], 2.0 * even, -even, np.full(game.n_states, 4), np.zeros(3, int)):
        with pytest.raises(UsageError, match="the policy of player 1 must be"):
            best_response(game, 0, wrong, gamma=0.5)
    with pytest.raises(UsageError, match="player=2"):
        best_response(game, 2, even, gamma=0.5)
    with pytest.raises(UsageError, match="they must be as many"):
        exploitability(game, [even, even], even, gamma=0.5)
    with pytest.raises(UsageError, match="zero_sum=False"):
        duel(layout=LINE, zero_sum=False).game()
    with pytest.raises(UsageError, match="more states than places and candies"):
        duel(layout=LINE, revisit_reward=-1.0, observation="planes").game()
