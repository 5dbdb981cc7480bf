"""The duel for PettingZoo: its own checks, and the same games as the Gymnasium world plays."""

import itertools
import warnings

import gymnasium
import numpy as np
import pytest

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.envs import candy_duel_v0
from rlcourse.envs.candy_duel_v0 import PLAYERS
from rlcourse.envs.maze.board import NUMBERS
from rlcourse.envs.maze.world import FIRST_WALKER, LAST, LEVEL, WALKER
from rlcourse.errors import UsageError

with warnings.catch_warnings():  # its tests load worlds of its own in a way that it has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

MOVES = ("alternating", "simultaneous")
OPTIONS = {
    "index": {},
    "planes": {"observation": "planes", "slip": 0.3},
    "window": {"observation": "window", "occlusion": True, "zero_sum": False},
    "full": {"observation": "full", "revisit_reward": -1.0},
}
each_game = pytest.mark.parametrize(
    ("moves", "options"),
    [(moves, options) for moves in MOVES for options in OPTIONS.values()],
    ids=[f"{moves}-{name}" for moves in MOVES for name in OPTIONS],
)
# A number that is observed is a scalar, as Discrete has it and all our worlds give it; this check would want an array of no
# dimensions, which is in the space as well, but is no key of a table.
scalars_are_fine = pytest.mark.filterwarnings("ignore:Observation is not a NumPy array:UserWarning")


@scalars_are_fine
@each_game
def test_checks_of_pettingzoo(moves, options):
    options = {"moves": moves, "max_steps": 40, **options}
    api_test(candy_duel_v0.env(**options), num_cycles=100)
    parallel_api_test(candy_duel_v0.parallel_env(**options), num_cycles=100)
    seed_test(lambda: candy_duel_v0.env(**options), num_cycles=60)
    parallel_seed_test(lambda: candy_duel_v0.parallel_env(**options), num_cycles=60)


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)
    return np.array_equal(a, b)


def games(options, seed, most=60):
    """A game of the Gymnasium world against the greedy opponent: first observation, then what each round was and led to."""
    env = gymnasium.make("rlcourse/CandyDuel-v0", opponent="greedy", max_steps=most, **options).unwrapped
    seen, info = env.reset(seed=seed)
    yield seen, info
    rng, over = np.random.default_rng(seed), False
    while not over:
        action = int(rng.integers(env.action_space.n))
        seen, reward, terminated, truncated, info = env.step(action)
        reply = int(env.get_state()["core"][0, FIRST_WALKER + WALKER + LAST])
        over = terminated or truncated
        yield action, reply, seen, reward, terminated, truncated, info["action_mask"]


@each_game
@pytest.mark.parametrize("seed", range(4))
def test_both_faces_play_the_game_of_the_gymnasium_world(moves, options, seed):
    """If the second player does what the greedy opponent did, the first one sees and earns the same, in turn and at once."""
    options = {"moves": moves, **options}
    game = games(options, seed)
    first, info = next(game)
    turns = candy_duel_v0.env(max_steps=60, **options)
    rounds = candy_duel_v0.parallel_env(max_steps=60, **options)
    turns.reset(seed=seed)
    seen, infos = rounds.reset(seed=seed)
    for view, told in ((turns.last()[0], turns.last()[4]), (seen["player_0"], infos["player_0"])):
        assert same(view, first)
        assert np.array_equal(told["action_mask"], info["action_mask"])
    for action, reply, expected, reward, terminated, truncated, mask in game:
        turns.step(action)
        if not any(turns.terminations.values()):
            assert turns.agent_selection == "player_1"
            turns.step(reply)
        if turns.agent_selection == "player_1":  # the first move has ended the game
            assert turns.last()[2]
            turns.step(None)
        assert turns.agent_selection == "player_0"
        by_turns = turns.last()
        both = rounds.step({"player_0": action, "player_1": reply})
        at_once = tuple(part["player_0"] for part in both)
        for seen, earned, ended, late, told in (by_turns, at_once):
            assert same(seen, expected)
            assert earned == pytest.approx(reward, abs=1e-12)
            assert (ended, late) == (terminated, truncated)
            assert np.array_equal(told["action_mask"], mask)
    assert not rounds.agents
    with pytest.raises(UsageError, match="the game is over"):
        rounds.step({"player_0": 0, "player_1": 0})


def swapped(seen, options, env):
    """What the first player sees, from where the second one stands."""
    if options.get("observation") == "planes":
        return seen[[0, 1, 2, 3, 5, 4, *range(6, len(seen))]]
    cells = env.unwrapped._game.rules.board.plan[NUMBERS]
    rest, candies = divmod(int(seen), 32)
    mine, theirs = divmod(rest, int(cells))
    return (theirs * int(cells) + mine) * 32 + candies


@pytest.mark.parametrize("options", [{}, {"observation": "planes"}], ids=["index", "planes"])
@pytest.mark.parametrize("moves", MOVES)
def test_each_player_sees_its_own_place_first(moves, options):
    env = candy_duel_v0.parallel_env(moves=moves, **options)
    seen, _ = env.reset(seed=2)
    rng = np.random.default_rng(0)
    while env.agents:
        assert np.array_equal(seen["player_1"], swapped(seen["player_0"], options, env))
        seen = env.step(dict(zip(PLAYERS, rng.integers(4, size=2), strict=True)))[0]


@pytest.mark.parametrize("zero_sum", [True, False])
@pytest.mark.parametrize("moves", MOVES)
def test_what_one_wins_the_other_loses(moves, zero_sum):
    """Or each has its own, and together they have all nine points when the last candy is taken."""
    ends = 0
    for seed in range(6):
        options = {"moves": moves, "zero_sum": zero_sum, "max_steps": 400}
        turns, rounds = candy_duel_v0.env(**options), candy_duel_v0.parallel_env(**options)
        turns.reset(seed=seed)
        rounds.reset(seed=seed)
        rng = np.random.default_rng(seed)
        totals, sums = np.zeros(2), []
        while rounds.agents:
            earned, ended = rounds.step(dict(zip(PLAYERS, rng.integers(4, size=2), strict=True)))[1:3]
            totals += list(earned.values())
            sums.append(sum(earned.values()))
        ends += ended["player_0"]
        for agent in turns.agent_iter():
            _, _, terminated, truncated, _ = turns.last()
            sums.append(sum(turns.rewards.values()) if agent in turns.rewards else 0.0)
            turns.step(None if terminated or truncated else int(rng.integers(4)))
        if zero_sum:
            assert not np.any(sums)
            assert totals[0] == -totals[1]
        elif ended["player_0"]:
            assert totals.sum() == 9.0
    assert ends > 0


@pytest.mark.parametrize("zero_sum", [True, False])
@pytest.mark.parametrize("moves", MOVES)
def test_the_last_reward_that_a_player_sees_is_the_one_it_is_paid(moves, zero_sum):
    """Since its own last move, with what the other one has done meanwhile."""
    env = candy_duel_v0.env(moves=moves, zero_sum=zero_sum, observation="planes", feedback=True)
    paid = 0
    for seed in range(5):
        env.reset(seed=seed)
        rng, actions = np.random.default_rng(seed), dict.fromkeys(PLAYERS, -1)
        for agent in env.agent_iter():
            seen, reward, terminated, truncated, _ = env.last()
            if terminated or truncated:
                break
            assert seen["last_reward"] == np.float32(reward)
            assert seen["last_action"] == actions[agent] + 1
            paid += reward != 0.0
            actions[agent] = int(rng.integers(4))
            env.step(actions[agent])
    assert paid > 10


def test_two_players_who_reach_for_one_candy():
    """At once, a fair coin decides; in turn, the first one has it."""
    layout = "S1S\n#2#\n"
    wins = []
    for moves, seed in itertools.product(MOVES, range(200)):
        env = candy_duel_v0.parallel_env(layout=layout, moves=moves, zero_sum=False, move_reward=0.0)
        seen, _ = env.reset(seed=seed)
        left = seen["player_0"] < seen["player_1"]
        actions = (1, 0) if left else (0, 1)
        earned = env.step(dict(zip(PLAYERS, actions, strict=True)))[1]
        assert sorted(earned.values()) == [0.0, 1.0]
        wins.append(earned["player_0"])
    assert all(wins[:200])
    assert 70 < sum(wins[200:]) < 130  # 4 standard deviations of 200 fair coins


@pytest.mark.parametrize("moves", MOVES)
def test_wrong_moves_are_refused_and_change_nothing(moves):
    env = candy_duel_v0.parallel_env(moves=moves)
    env.reset(seed=0)
    before = env._game.world.get_state()
    for actions, message in (
        ({"player_0": 0}, "actions are given for"),
        ({"player_0": 0, "player_1": 4}, r"action 4 is outside 0\.\.3"),
        ({"player_0": -1, "player_1": 0}, "action -1 is outside"),
        ({"player_0": 0, "player_1": 0.5}, "action 0.5 is outside"),
        ({"player_0": None, "player_1": 0}, "action None is outside"),
    ):
        with pytest.raises(UsageError, match=message):
            env.step(actions)
        after = env._game.world.get_state()
        assert all(np.array_equal(before[key], after[key]) for key in before)


def test_of_a_map_with_alternatives_both_players_meet_the_same():
    env = gymnasium.make(
        "rlcourse/CandyDuel-v0", layout="S1S\n...\nor\nS.S\n.1.\n", observation="planes"
    ).unwrapped
    levels = set()
    for seed in range(20):
        seen, _ = env.reset(seed=seed)
        state = env.get_state()
        levels.add(int(state["core"][0, LEVEL]))
        other = env.rules.observe_as(state, 1)[0]
        assert np.array_equal(other[6], seen[6])
    assert levels == {0, 1}


def test_wrong_options():
    for make in (candy_duel_v0.env, candy_duel_v0.raw_env, candy_duel_v0.parallel_env):
        with pytest.raises(UsageError, match="leave out 'opponent'"):
            make(opponent="greedy")
        with pytest.raises(UsageError, match="did you mean zero_sum"):
            make(zerosum=True)
        with pytest.raises(UsageError, match="render_mode='film'"):
            make(render_mode="film")


@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
def test_both_faces_draw_what_the_world_draws(mode):
    world = gymnasium.make("rlcourse/CandyDuel-v0", render_mode=mode).unwrapped
    world.reset(seed=1)
    for make in (candy_duel_v0.env, candy_duel_v0.parallel_env):
        env = make(render_mode=mode)
        env.reset(seed=1)
        assert np.array_equal(env.render(), world.render())
        env.close()


def test_a_map_that_was_read_is_not_read_again(tmp_path):
    file = tmp_path / "small.txt"
    file.write_text("1S1.\n.#..\n.S..\n\nreward move = 0\n")
    one = gymnasium.make("rlcourse/CandyDuel-v0", layout=str(file), max_steps=30).unwrapped
    many = gymnasium.make_vec(
        "rlcourse/CandyDuel-v0", 2, "vector_entry_point", layout=str(file), max_steps=30
    ).unwrapped
    one.reset(seed=0)
    many.reset(seed=0)
    file.unlink()
    assert one.model().n_states == one.observation_space.n
    many.invite(lambda seen: np.zeros(len(seen), np.int64))
    many.step(np.zeros(2, np.int64))
    assert many.rules.states_seen(many._state).shape == (one.observation_space.n,)
