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


@pytest.mark.parametrize(
    "options",
    [
        {"slip": 0.3, "gusty": True, "layout": ODD_MAP, "stay": True},
        {"slip": 0.2, "gusty": True, "layout": ODD_MAP, "king_moves": True, "locked": True},
        {"slip": 0.2},
    ],
    ids=["four", "king", "shipped"],
)
def test_the_model_agrees_with_a_million_steps(options):
    """Every transition seen is in the model with its reward; how often it is seen fits its chance to 6 sigma."""
    copies, rounds = 2000, 500
    options = {"max_steps": 50, **options}
    env = gymnasium.make_vec(
        "rlcourse/CandyMaze-v0",
        copies,
        vectorization_mode="vector_entry_point",
        autoreset_mode="SameStep",
        **options,
    ).unwrapped
    mdp = make("CandyMaze-v0", **options).model()
    X, A = mdp.n_states, mdp.n_actions
    pairs = np.repeat(np.arange(X * A), np.diff(mdp.first))
    index = {
        (int(pair), int(after), float(reward), bool(over)): k
        for k, (pair, after, reward, over) in enumerate(
            zip(pairs, mdp.next, mdp.reward, mdp.terminated, strict=True)
        )
    }
    counts = np.zeros(len(pairs))
    before, _ = env.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        actions = rng.integers(A, size=copies)
        seen, rewards, terminated, _, infos = env.step(actions)
        after = seen.copy()
        if "final_obs" in infos:
            rows = np.flatnonzero(infos["_final_obs"])
            after[rows] = infos["final_obs"][rows].astype(np.int64)
        for key in zip(
            (before * A + actions).tolist(),
            after.tolist(),
            rewards.tolist(),
            terminated.tolist(),
            strict=True,
        ):
            counts[index[key]] += 1
        before = seen
    total = np.bincount(pairs, counts, minlength=X * A)[pairs]
    assert counts.sum() == copies * rounds
    spread = np.sqrt(np.maximum(total * mdp.prob * (1.0 - mdp.prob), 1.0))
    assert (np.abs(counts - total * mdp.prob) / spread).max() < 6


def test_a_model_that_counts_visits_and_returns_agrees_with_play():
    """The course's maze, on ice: the value of the random policy, by the model and by playing."""
    mdp = make("CourseMaze-v0", slip=0.2).model()
    assert mdp.reachable().sum() > 1000
    policy = np.full((mdp.n_states, mdp.n_actions), 0.25)
    exact = evaluate_policy(mdp, policy, 1.0) @ mdp.start
    env = gymnasium.make_vec(
        "rlcourse/CourseMaze-v0",
        20_000,
        vectorization_mode="vector_entry_point",
        slip=0.2,
        autoreset_mode="NextStep",
    ).unwrapped
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    returns, running = np.zeros(20_000), np.ones(20_000, bool)
    for _ in range(200):
        _, rewards, terminated, _, _ = env.step(rng.integers(4, size=20_000))
        returns += np.where(running, rewards, 0.0)
        running &= ~terminated
    assert not running.any()
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
