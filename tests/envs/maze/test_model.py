"""The finite model: exact optima that are known, and agreement with what happens when one plays."""

import copy
import functools
import pickle
import tracemalloc

import gymnasium
import numpy as np
import pytest

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.envs.maze import model
from rlcourse.envs.maze.rules import STREAM_COLUMNS
from rlcourse.envs.maze.world import LIFE
from rlcourse.errors import UsageError
from rlcourse.mdp import (
    FiniteMDP,
    check_model_size,
    epsilon_soft,
    evaluate_policy,
    finite_horizon,
    policy_iteration,
    value_iteration,
)
from tests.envs.variants import CASE_NAMES, CASES, MAZES, ODD_MAP


def make(name, **options):
    return gymnasium.make(f"rlcourse/{name}", **options).unwrapped


def best_return(name, **options):
    mdp = make(name, **options).model()
    values = [planner(mdp, 1.0).V @ mdp.start for planner in (value_iteration, policy_iteration)]
    assert values[0] == pytest.approx(values[1], abs=1e-9)
    return values[0]


def shortest(mdp, gamma=0.9):
    """Steps to a reward of 1, from the value gamma**(steps - 1) of the start."""
    return 1 + np.log(value_iteration(mdp, gamma, tol=1e-12).V @ mdp.start) / np.log(gamma)


@pytest.mark.parametrize(
    ("name", "options", "value"),
    [
        ("CourseMaze-v0", {}, 9.75),
        ("CliffWalk-v0", {}, -13.0),
        ("WindyGrid-v0", {}, -15.0),
        ("WindyGrid-v0", {"king_moves": True}, -7.0),
        ("WindyGrid-v0", {"king_moves": True, "stay": True}, -7.0),  # Sutton & Barto 2018, exercise 6.9
        ("CandyMaze-v0", {}, 19.55),
    ],
)
def test_best_returns(name, options, value):
    assert best_return(name, **options) == pytest.approx(value, abs=1e-9)


def test_best_policy_on_the_cliff_that_keeps_exploring():
    soft = epsilon_soft(make("CliffWalk-v0").model(), 0.1)
    by_backups = finite_horizon(soft, 2000).V[0]  # after so many steps nobody is left on the way
    for V in (value_iteration(soft, 1.0).V, policy_iteration(soft, 1.0).V, by_backups):
        assert soft.start_value(V) == pytest.approx(-20.708, abs=5e-4)
        np.testing.assert_allclose(V, by_backups, atol=1e-6)


def test_mazes_for_planners():
    assert shortest(make("DynaMaze-v0").model()) == pytest.approx(14)
    for name, change, before, after in (
        ("BlockingMaze-v0", 1000, 10, 16),
        ("ShortcutMaze-v0", 3000, 16, 10),
    ):
        env = make(name)
        env.reset(seed=0)
        for life, steps in ((0, before), (change - 1, before), (change, after)):
            state = env.get_state()
            state["core"][0, LIFE] = life
            env.set_state(state)
            assert shortest(env.model()) == pytest.approx(steps)


def is_numbered(name, kwargs):
    rules = gymnasium.make(name, **kwargs).unwrapped.rules
    return rules.observation == "index" and not rules.feedback


TABLES = [i for i, (name, kwargs) in enumerate(CASES) if name in MAZES and is_numbered(name, kwargs)]


@pytest.mark.parametrize(("name", "kwargs"), [CASES[i] for i in TABLES], ids=[CASE_NAMES[i] for i in TABLES])
def test_both_forms_are_one_model_in_the_numbers_that_are_seen(name, kwargs):
    env = gymnasium.make(name, **kwargs).unwrapped
    mdp = env.model()
    assert mdp.n_states == env.observation_space.n
    again = FiniteMDP.from_P(env.P, start=mdp.start)
    assert all(np.array_equal(getattr(mdp, key), getattr(again, key)) for key in ("prob", "next", "reward"))
    starts = {int(env.reset(seed=seed)[0]) for seed in range(100)}
    assert set(np.flatnonzero(mdp.start)) >= starts
    assert len(starts) > 0.5 * min(np.count_nonzero(mdp.start), 100)


SMALL_DUEL = "S.1.\n.#.>\n2..S\n"
PLAYED = {
    "four": ("CandyMaze-v0", {"slip": 0.3, "gusty": True, "layout": ODD_MAP, "stay": True}),
    "king": (
        "CandyMaze-v0",
        {"slip": 0.2, "gusty": True, "layout": ODD_MAP, "king_moves": True, "locked": True},
    ),
    "shipped": ("CandyMaze-v0", {"slip": 0.2}),
    "boxes": ("CandyMazeDrift-v0", {"drift_every": 10**6, "slip": 0.2}),
    "boxes and an exit": (
        "CandyMazeDrift-v0",
        {"layout": "S1.2\n.3.E\n", "drift": "none", "locked": True, "slip": 0.2},
    ),
    "two are seen": ("CandyMazePartial-v0", {"spawn": 2, "observation": "index"}),
    "three of six, drawn unevenly": (
        "CandyMazeDrift-v0",
        {"boxes": False, "spawn": 3, "drift": "walk", "drift_every": 10**6},
    ),
    "either of two": ("TMaze-v0", {"length": 3, "observation": "index", "shown_steps": None, "slip": 0.3}),
    "eight maps": ("DarkCandies-v0", {"observation": "index", "shown_steps": None, "slip": 0.1}),
    "level": ("CandyMazeLevels-v0", {"observation": "index", "size": 5, "candies": [1.0, 2.0], "slip": 0.2}),
    "against random": (
        "CandyDuel-v0",
        {"layout": SMALL_DUEL, "opponent": "random", "slip": 0.2},
    ),
    "against random, at once": (
        "CandyDuel-v0",
        {"layout": SMALL_DUEL, "opponent": "random", "moves": "simultaneous", "zero_sum": False},
    ),
    "against greedy": ("CandyDuel-v0", {"layout": SMALL_DUEL, "slip": 0.2, "zero_sum": False}),
    "against greedy, at once": (
        "CandyDuel-v0",
        {"layout": SMALL_DUEL, "moves": "simultaneous", "slip": 0.2, "move_reward": -0.25},
    ),
    "duel7": ("CandyDuel-v0", {"moves": "simultaneous"}),
}
"""Worlds whose model is compared with play. Where chances change, they do so too slowly to be seen."""


def alike(name, copies, **options):
    """Copies of a world with the same chances of the candies and the same level, their model, and what a reset has to hold."""
    env = gymnasium.make_vec(
        f"rlcourse/{name}",
        copies,
        vectorization_mode="vector_entry_point",
        autoreset_mode="Disabled",
        **{"max_steps": 50, **options},
    ).unwrapped
    env.reset(seed=3)
    state = env.get_state()
    state["odds"][:] = state["odds"][0]
    held = ["level"] if name == "CandyMazeLevels-v0" else []
    if held:
        state["core"][:] = state["core"][0]
        rng = np.random.default_rng(0)
        for stream in env.rules.streams:
            state[stream] = rng.integers(2**63, size=copies).astype(np.uint64)
            state["core"][:, STREAM_COLUMNS[stream]] = state[stream].view(np.int64)
    env.set_state(state)
    one = make(name, **{"max_steps": 50, **options})
    one.reset(seed=3)
    return env, one.model(), held


@pytest.mark.parametrize(("name", "options"), PLAYED.values(), ids=PLAYED.keys())
def test_the_model_agrees_with_a_million_steps(name, options):
    """Every transition seen is in the model with its reward; how often it is seen fits its chance to 6 sigma. So do starts."""
    copies, rounds = 2000, 500
    env, mdp, held = alike(name, copies, **options)
    X, A = mdp.n_states, mdp.n_actions
    rng = np.random.default_rng(0)
    before, _ = env.reset(options={"hold": held})
    starts = [before]
    steps = []
    for _ in range(rounds):
        actions = rng.integers(A, size=copies)
        seen, rewards, terminated, truncated, _ = env.step(actions)
        steps.append((before * A + actions, seen, rewards, terminated))
        done = terminated | truncated
        if done.any():
            seen = env.reset(options={"reset_mask": done, "hold": held})[0]
            starts.append(seen[done])
        before = seen
    assert env.get_state()["odds"].std(axis=0).max(initial=0.0) < 0.1  # one law for all, to the end
    pair, after, reward, over = (np.concatenate(part) for part in zip(*steps, strict=True))
    rewards = np.unique(np.concatenate([mdp.reward, reward]))
    pairs = np.repeat(np.arange(X * A), np.diff(mdp.first))

    def numbered(pair, after, reward, over):
        return ((pair * X + after) * len(rewards) + np.searchsorted(rewards, reward)) * 2 + over

    known = numbered(pairs, mdp.next, mdp.reward, mdp.terminated)
    assert (np.diff(known) > 0).all()
    found, often = np.unique(numbered(pair, after, reward, over), return_counts=True)
    assert np.isin(found, known).all()
    counts = np.zeros(len(known))
    counts[np.searchsorted(known, found)] = often
    assert counts.sum() == copies * rounds
    assert_as_likely(counts, np.bincount(pairs, counts, minlength=X * A)[pairs], mdp.prob)
    if not held:  # a level is asked for its model with the start that it has
        begun = np.bincount(np.concatenate(starts), minlength=X)
        assert_as_likely(begun, begun.sum(), mdp.start)


def assert_as_likely(counts, total, chances):
    assert not counts[chances == 0.0].any()
    spread = np.sqrt(np.maximum(total * chances * (1.0 - chances), 1.0))
    assert (np.abs(counts - total * chances) / spread).max() < 6


COUNTED = {
    "the course's maze, on ice": ("CourseMaze-v0", {"slip": 0.2}),
    "a duel": ("CandyDuel-v0", {"layout": "S..1\n#.S.\n", "opponent": "random", "revisit_reward": -0.5}),
    "a duel of the impatient": (
        "CandyDuel-v0",
        {
            "layout": "S.1\n#S.\n",
            "moves": "simultaneous",
            "zero_sum": False,
            "slip": 0.2,
            "move_reward": -0.5,
            "patience": 0.5,
        },
    ),
}


@pytest.mark.parametrize(("name", "options"), COUNTED.values(), ids=COUNTED.keys())
def test_a_model_that_counts_visits_and_returns_agrees_with_play(name, options):
    """The value of the random policy, by the model and by playing."""
    options = {**options, "observation": "position"}
    mdp = make(name, **options).model()
    assert mdp.reachable().sum() > 80
    policy = np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions)
    exact = evaluate_policy(mdp, policy, 1.0) @ mdp.start
    env = gymnasium.make_vec(
        f"rlcourse/{name}",
        20_000,
        vectorization_mode="vector_entry_point",
        autoreset_mode="NextStep",
        **{**options, "max_steps": 400},
    ).unwrapped
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    returns, running = np.zeros(20_000), np.ones(20_000, bool)
    while running.any():
        _, rewards, terminated, truncated, _ = env.step(rng.integers(4, size=20_000))
        assert not (truncated & running).any()
        returns += np.where(running, rewards, 0.0)
        running &= ~terminated
    assert returns.mean() == pytest.approx(exact, abs=5 * returns.std() / np.sqrt(20_000))


def test_too_many_states_are_counted():
    with pytest.raises(UsageError, match=r"92,358,976,733,184 states"):
        make("CandyMaze-v0", layout="S" + "1" * 40 + "E\n" + "." * 42).model()


def test_the_dictionary_is_kept_until_the_walls_change():
    env = make("BlockingMaze-v0", layout="S.E\n...\n\nfrom step 2\nS#E\n...\n")
    env.reset(seed=0)
    table = env.P
    env.step(3)
    assert env.P is table
    assert table[0][1][0][1] == 1
    env.step(2)
    assert env.P[0][1][0][1] == 0
    assert copy.deepcopy(env).P == pickle.loads(pickle.dumps(env)).P == env.P


def test_a_search_for_states_stops_before_memory_is_gone(monkeypatch):
    limit = 30 << 20
    monkeypatch.setattr(model, "check_model_size", functools.partial(check_model_size, limit=limit))
    env = make("CourseMaze-v0", layout="candy8")
    env.reset(seed=0)
    make("CourseMaze-v0").model()  # compiled before it is measured
    tracemalloc.start()
    with pytest.raises(UsageError, match=r"a model of [0-9,]+ states x 4 actions"):
        env.model()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1.5 * limit
