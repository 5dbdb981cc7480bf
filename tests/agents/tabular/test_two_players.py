"""Two players: self-play of any two rules, and minimax-Q."""

from __future__ import annotations

import copy
import functools
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.agents.tabular.base import _loop
from rlcourse.agents.tabular.loops import Account
from rlcourse.errors import UsageError
from rlcourse.mdp.games import best_response, exploitability, matrix_games, solve_game
from tests.agents.tabular.worlds import assert_same

MOVES = ("alternating", "simultaneous")
PAIRS = [("q_learning", "sarsa"), ("minimax_q", "q_learning"), ("sarsa_lambda", "minimax_q")]
each_kind = pytest.mark.parametrize("moves", MOVES)
each_pair = pytest.mark.parametrize(("learner", "opponent"), PAIRS)
SMALL = {"layout": "duel3", "max_steps": 12}
"""Episodes are short, so that many are truncated."""


def play(learner: str, opponent: str, seeds: Any = 3, moves: str = "alternating", **options: Any) -> Any:
    return make_agent(
        "self_play",
        "CandyDuel-v0",
        seeds=seeds,
        env_kwargs={**SMALL, "moves": moves, **options},
        learner=learner,
        opponent=opponent,
    )


@functools.cache
def game_of(layout: str, moves: str) -> Any:
    env = gymnasium.make("rlcourse/CandyDuel-v0", layout=layout, moves=moves).unwrapped
    env.reset(seed=0)
    return env.game()  # type: ignore[attr-defined]


@each_kind
@pytest.mark.parametrize("opponent", ["random", "greedy"])
def test_the_world_tells_what_the_opponent_did(moves: str, opponent: str) -> None:
    """It is the move by which the opponent comes to where it stands; nothing, where there was none."""
    options = {**SMALL, "moves": moves, "opponent": opponent}
    env = gymnasium.make("rlcourse/CandyDuel-v0", **options).unwrapped
    go = env.rules.board.go[0, 0]  # type: ignore[attr-defined]
    draw = np.random.default_rng(0)
    unmoved = 0
    for seed in range(60):
        env.reset(seed=seed)
        over = False
        while not over:
            walkers = env._state["core"][0, 14:].reshape(2, -1)  # type: ignore[attr-defined]
            stood = int(walkers[1, 0])
            _, _, terminated, truncated, info = env.step(int(draw.integers(4)))
            over, did = terminated or truncated, info["opponent_action"]
            assert isinstance(did, int)
            assert (did == -1) <= (terminated and moves == "alternating")
            unmoved += did == -1
            assert walkers[1, 0] == (stood if did == -1 else go[did, stood])
    assert (unmoved > 0) == (moves == "alternating")


@each_kind
@each_pair
def test_member_equals_solo_and_pieces_are_the_whole(
    learner: str, opponent: str, moves: str, tmp_path: Any
) -> None:
    whole = play(learner, opponent, [7, 0, 2**40], moves).learn(300)
    assert_same(whole, play(learner, opponent, [0], moves).learn(300), [1])
    assert_same(whole, whole.member(2), [2])
    for cut in (1, 44, 131):
        agent = play(learner, opponent, [7, 0, 2**40], moves).learn(cut)
        twins = [load_agent(agent.save(tmp_path / f"{cut}")), copy.deepcopy(agent)]
        twins += [pickle.loads(pickle.dumps(agent)), agent]
        for twin in twins:
            assert_same(whole, twin.learn(300 - cut))
    assert whole.num_timesteps == 300
    assert min(whole.episodes) > 10


def slow(agent: Any, rounds: int) -> None:
    """The same in the PettingZoo environment, step by step, by the players' own rules."""
    from rlcourse.envs import candy_duel_v0

    in_turn = agent.env_kwargs["moves"] == "alternating"
    env = candy_duel_v0.raw_env(**agent.env_kwargs)
    seat, names = agent.players, ["player_0", "player_1"]
    me = [one._tables(one.stream) for one in seat]
    account = [Account(one._over, one.episodes, one.earned, one.running) for one in seat]
    env.reset(seed=agent.seeds[0])

    def decide(w: int, x: int) -> int:
        action = np.empty(1, np.int64)
        _loop("decide_all", act=type(seat[w]).act)(me[w], np.array([x]), action)
        return int(action[0])

    def learn(w: int, x: int, a: int, r: float, b: int) -> None:
        if hasattr(seat[w], "opponent_action"):
            seat[w].opponent_action[:] = b
        y, over, late = env.observe(names[w]), env.terminations[names[w]], env.truncations[names[w]]
        _loop("experience_all", update=type(seat[w]).update)(
            me[w], account[w], *(np.array([v]) for v in (x, a, float(r), y, over, late))
        )

    waiting: Any = None
    for _ in range(rounds):
        if env.terminations["player_0"] or env.truncations["player_0"]:
            env.reset()
            waiting = None
        x, y = (int(env.observe(name)) for name in names)
        a = decide(0, x)
        if not in_turn:
            b = decide(1, y)
            env.step(a)
            env.step(b)
            learn(0, x, a, env.rewards["player_0"], b)
            learn(1, y, b, env.rewards["player_1"], a)
            continue
        env.step(a)
        mine, b = env.rewards["player_0"], -1
        if waiting is not None:
            gamma = seat[1].config.gamma
            learn(1, *waiting[:2], waiting[2] + gamma * env.rewards["player_1"], a)
            waiting = None
        if not env.terminations["player_0"]:
            y = int(env.observe("player_1"))
            b = decide(1, y)
            env.step(b)
            mine += env.rewards["player_0"]
            if env.terminations["player_1"] or env.truncations["player_1"]:
                learn(0, x, a, mine, b)
                learn(1, y, b, env.rewards["player_1"], -1)
                continue
            waiting = (y, b, env.rewards["player_1"])
        learn(0, x, a, mine, b)


@each_kind
@each_pair
@pytest.mark.parametrize("options", [{}, {"slip": 0.3}, {"zero_sum": False}])
def test_the_compiled_loop_is_the_loop_of_steps(
    learner: str, opponent: str, moves: str, options: dict[str, Any]
) -> None:
    pytest.importorskip("pettingzoo")
    fast, steps = (play(learner, opponent, [5], moves, **options) for _ in range(2))
    fast.learn(400)
    slow(steps, 400)
    for quick, patient in zip(fast.players, steps.players, strict=True):
        for name in quick._names:
            np.testing.assert_array_equal(getattr(quick, name), getattr(patient, name), err_msg=name)
        assert np.abs(quick.Q).max() > 0.1


@each_kind
def test_what_one_earns_the_other_loses(moves: str) -> None:
    pair = play("q_learning", "sarsa", 20, moves).learn(500)
    first, second = pair.players
    np.testing.assert_array_equal(first.episodes, second.episodes)
    np.testing.assert_allclose(first.earned, -second.earned, atol=1e-9)
    assert np.abs(first.earned).max() > 1.0
    assert pair.earned is first.earned
    assert (first.t == 500).all()
    assert (first.stream.state != second.stream.state).all()
    assert not np.array_equal(first.Q, second.Q)


def test_a_player_is_an_agent_of_its_own(tmp_path: Any) -> None:
    pair = play("q_learning", "sarsa", 4).learn(2000)
    kept = copy.deepcopy(pair)
    for w, name in enumerate(("q_learning", "sarsa")):
        one = pair.player(w)
        assert one.name == name
        assert one.num_timesteps == 2000
        np.testing.assert_array_equal(one.Q, pair.players[w].Q)
        assert rlcourse.evaluate(one, 3).shape == (4, 3)
        assert_same(load_agent(one.save(tmp_path / name)).learn(50), one.learn(50))
        assert not one.episodes.any() or (one.episodes >= pair.players[w].episodes).all()
    pair.players[0]._predict_stream = kept.players[0]._predict_stream
    assert_same(pair, kept)  # nothing of that has touched the pair
    np.testing.assert_array_equal(rlcourse.evaluate(pair, 5), rlcourse.evaluate(pair.player(0), 5))
    world = gymnasium.make("rlcourse/CandyDuel-v0", opponent=str(tmp_path / "sarsa"), layout="duel3")
    world.reset(seed=0)
    assert world.step(0)[4]["opponent_action"] in range(4)


@each_kind
def test_minimax_q_is_littman(moves: str) -> None:
    """Step by step against the equations; what is secured, against the solver of the games."""
    options = {**SMALL, "moves": moves, "opponent": "random"}
    agent: Any = make_agent("minimax_q", "CandyDuel-v0", seeds=3, env_kwargs=options, learning_rate_steps=200)
    ended = 0
    for t in range(250):
        Q, V, visits = agent.Q.copy(), agent.V.copy(), agent.visits.copy()
        x = np.where(agent._over, -1, agent._x)
        before = agent.earned + agent.running
        agent.learn(1)
        gain = agent.earned + agent.running - before
        for k in range(3):
            state, action = np.argwhere(agent.visits[k] - visits[k])[0]
            assert x[k] in (-1, state)
            b = int(agent.opponent_action[k])
            left = int(agent._x[k]) & 3
            target = gain[k] + (0.0 if left == 0 else 0.9 * V[k, agent._x[k]])
            alpha = 0.01 ** (t / 200)
            answers = slice(None) if b < 0 else b
            ended += b < 0
            Q[k, state, action, answers] += alpha * (target - Q[k, state, action, answers])
            M = Q[k, state]
            if moves == "simultaneous":
                V[k, state] = matrix_games(M)[0]
                assert (agent.pi[k, state] @ M).min() == pytest.approx(V[k, state], abs=1e-12)
            else:
                V[k, state] = M.min(axis=1).max()
                best = M.min(axis=1) == V[k, state]
                np.testing.assert_allclose(agent.pi[k, state], best / best.sum())
        np.testing.assert_allclose(agent.Q, Q, atol=1e-12)
        np.testing.assert_allclose(agent.V, V, atol=1e-9)
    assert (ended > 0) == (moves == "alternating")


@each_kind
def test_minimax_q_is_a_population(moves: str, tmp_path: Any) -> None:
    def build(seeds: Any) -> Any:
        options = {**SMALL, "moves": moves, "opponent": "random"}
        return make_agent("minimax_q", "CandyDuel-v0", seeds=seeds, env_kwargs=options)

    whole = build([3, 9]).learn(120)
    assert_same(whole, build([9]).learn(120), [1])
    half = build([3, 9]).learn(50)
    assert_same(whole, load_agent(half.save(tmp_path / "half")).learn(70))
    assert_same(whole, copy.deepcopy(half).learn(70))
    state = int(np.argmax(whole.pi[0].min(axis=1) < 0.2))
    drawn = whole.predict(np.full((2, 4000), state))[0][0]
    shares = np.bincount(drawn, minlength=4) / 4000
    expected = whole.pi[0, state] if moves == "simultaneous" else np.eye(4)[whole.pi[0, state].argmax()]
    np.testing.assert_allclose(shares, expected, atol=0.04)
    explored = np.bincount(whole.predict(np.full((2, 4000), state), deterministic=False)[0][0], minlength=4)
    np.testing.assert_allclose(explored / 4000, 0.8 * whole.pi[0, state] + 0.05, atol=0.04)


def test_in_turn_self_play_comes_to_the_value_of_the_game() -> None:
    """Five pairs of each rule; random players are exploited by 1.7."""
    game = game_of("duel3", "alternating")
    even = np.full((game.n_states, 4), 0.25)
    assert exploitability(game, even, even, gamma=0.9) > 1.5
    for rule, settings in (("q_learning", {"gamma": 0.9}), ("minimax_q", {"learning_rate_steps": 50_000})):
        pair: Any = make_agent(
            "self_play",
            "CandyDuel-v0",
            seeds=5,
            env_kwargs={"layout": "duel3", "max_steps": 30},
            learner=rule,
            learner_settings=settings,
        )
        early = exploitability(game, *(one.policy() for one in pair.learn(1_000).players), gamma=0.9)
        late = exploitability(game, *(one.policy() for one in pair.learn(49_000).players), gamma=0.9)
        assert early.mean() > 0.4
        assert late.max() < 0.1


def test_at_once_minimax_q_is_safe_and_independent_learners_are_not() -> None:
    """A guess (`duel3`): who always does the same is exploited by 0.81 at least, one of the two roles."""
    game = game_of("duel3", "simultaneous")
    value = solve_game(game, gamma=0.9).value
    found = {}
    for rule, settings in (
        ("q_learning", {"gamma": 0.9}),
        ("sarsa", {"gamma": 0.9}),
        ("minimax_q", {"learning_rate_steps": 50_000, "exploration_final_eps": 0.5}),
    ):
        pair: Any = make_agent(
            "self_play",
            "CandyDuel-v0",
            seeds=5,
            env_kwargs={"layout": "duel3", "max_steps": 30, "moves": "simultaneous"},
            learner=rule,
            learner_settings=settings,
        )
        policies = [one.policy() for one in pair.learn(50_000).players]
        found[rule] = exploitability(game, *policies, gamma=0.9)
        if rule == "minimax_q":
            for policy in policies[0]:
                assert best_response(game, 1, policy, gamma=0.9).value < -value + 0.2
    assert found["q_learning"].min() > 0.5
    assert found["sarsa"].min() > 0.5
    assert found["minimax_q"].max() < 0.25


def test_the_response_to_a_fixed_opponent_is_learned() -> None:
    """Against the greedy one in duel3: almost all that the plan for its model is worth."""
    options = {"layout": "duel3", "max_steps": 30, "moves": "simultaneous", "opponent": "greedy"}
    agent: Any = make_agent("q_learning", "CandyDuel-v0", seeds=10, env_kwargs=options, gamma=0.9).learn(4000)
    env: Any = gymnasium.make("rlcourse/CandyDuel-v0", **options).unwrapped
    env.reset(seed=0)
    mdp = env.model()
    best = mdp.start_value(rlcourse.mdp.value_iteration(mdp, 0.9).V)
    worth = mdp.start_value(rlcourse.mdp.evaluate_policy(mdp, agent.greedy_policy(), 0.9))
    assert best > 0.3  # more than the game is worth
    assert worth.mean() > best - 0.15


def test_what_does_not_fit_is_refused() -> None:
    for name, world, words in (
        ("minimax_q", "CandyMaze-v0", "learns from what an opponent does .* fits CandyDuel-v0"),
        ("minimax_q", "FrozenLake-v1", "fits CandyDuel-v0"),
        ("self_play", "CandyMaze-v0", "plays both sides of a game .* fits CandyDuel-v0"),
        ("self_play", "CartPole-v1", "fits CandyDuel-v0"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            make_agent(name, world)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="observation='index' or 'position'"):
        make_agent("self_play", "CandyDuel-v0", env_kwargs={"observation": "senses"})
    with pytest.raises(UsageError, match="learner: unknown agent with a table 'q_lerning': did you mean"):
        make_agent("self_play", "CandyDuel-v0", learner="q_lerning")
    for name in ("ucb1", "value_iteration", "self_play"):
        with pytest.raises(UsageError, match="opponent: unknown agent with a table"):
            make_agent("self_play", "CandyDuel-v0", opponent=name)
    with pytest.raises(UsageError, match=r"sarsa: gamma=2\.0"):
        make_agent("self_play", "CandyDuel-v0", learner="sarsa", learner_settings={"gamma": 2.0})
    with pytest.raises(UsageError, match="exploration='softmax'"):
        make_agent("minimax_q", "CandyDuel-v0", exploration="softmax")
    with pytest.raises(UsageError, match=r"player\(2\)"):
        play("sarsa", "sarsa").player(2)
