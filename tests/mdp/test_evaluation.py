"""The value of a policy against dense systems, published numbers, and simulation."""

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlcourse.errors import UsageError
from rlcourse.mdp import FiniteMDP, evaluate_policy, value_iteration
from rlcourse.mdp import evaluation as module

from .problems import by_dense_solve, chain, corners, dense, random_mdp, random_policies


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.99]), st.integers(1, 8), st.booleans())
def test_against_dense_systems(seed, gamma, states, soft):
    mdp = random_mdp(seed, states=states)
    policies = random_policies(mdp, seed, 5, soft=soft)
    right = np.stack([by_dense_solve(mdp, policy, gamma) for policy in policies])
    V = evaluate_policy(mdp, policies, gamma)
    assert V.shape == (5, states)
    np.testing.assert_allclose(V, right, rtol=1e-10, atol=1e-12)
    for k in range(5):
        np.testing.assert_allclose(evaluate_policy(mdp, policies[k], gamma), V[k], rtol=1e-12, atol=1e-13)


def test_any_dimensions_in_front_and_any_blocks(monkeypatch):
    mdp = random_mdp(0, ending=0.4)
    policies = random_policies(mdp, 0, 12)
    V = evaluate_policy(mdp, policies, 1.0)
    np.testing.assert_array_equal(
        evaluate_policy(mdp, policies.reshape(3, 2, 2, 6), 1.0), V.reshape(3, 2, 2, 6)
    )
    chances = np.eye(3)[policies]
    np.testing.assert_array_equal(evaluate_policy(mdp, chances, 1.0), V)
    np.testing.assert_allclose(evaluate_policy(mdp, chances.astype(np.float32), 1.0), V)
    assert evaluate_policy(mdp, policies[:0], 1.0).shape == (0, 6)
    monkeypatch.setattr(module, "_BLOCK", 20)
    np.testing.assert_allclose(evaluate_policy(mdp, policies, 1.0), V, rtol=1e-13)


def test_sweeps_and_factors_agree(monkeypatch):
    mdp = random_mdp(2, states=300, ending=0.01)
    policies = random_policies(mdp, 2, 4, soft=True)
    direct = evaluate_policy(mdp, policies, 0.99)
    monkeypatch.setattr(module, "SMALL", 10)
    swept = evaluate_policy(mdp, policies, 0.99)
    assert not np.array_equal(direct, swept)
    np.testing.assert_allclose(swept, direct, rtol=0, atol=1e-14 / 0.01 * np.abs(direct).max())


def test_published_values():
    uniform = np.full((16, 4), 0.25)
    V = evaluate_policy(corners(), uniform, 1.0)
    book = [0, -14, -20, -22, -14, -18, -20, -20, -20, -20, -18, -14, -22, -20, -14, 0]
    np.testing.assert_allclose(V, book, atol=1e-11)  # Sutton & Barto (2018), figure 4.1
    walk = FiniteMDP.from_P(
        {
            x: {
                0: [(1.0, max(x - 1, 0), 0.0, x == 0)],
                1: [(1.0, min(x + 1, 4), float(x == 4), x == 4)],
            }
            for x in range(5)
        },
        start=2,
    )
    V = evaluate_policy(walk, np.full((5, 2), 0.5), 1.0)
    np.testing.assert_allclose(V, np.arange(1, 6) / 6, atol=1e-14)  # example 6.2


def test_against_simulation():
    """Twenty thousand episodes on the lake, cut off after a hundred steps as Gymnasium does."""
    env = gymnasium.make("FrozenLake-v1")
    mdp = FiniteMDP.from_env(env)
    _, policy = value_iteration(mdp, 0.99)
    rng = np.random.default_rng(0)
    P = dense(mdp)[0][np.arange(16), policy]
    win = mdp.expected_reward[np.arange(16), policy]
    x, alive, wins = np.zeros(20_000, np.int64), np.ones(20_000, np.bool_), 0.0
    for _ in range(env.spec.max_episode_steps):
        draw = rng.random(20_000)
        wins += (alive & (draw < win[x])).sum()
        totals = np.cumsum(np.concatenate([win[:, None], P], axis=1), axis=1)
        place = (draw[:, None] >= totals[x]).sum(axis=1)
        alive &= (place >= 1) & (place <= 16)
        x = np.where(alive, place - 1, 0)
    expected = evaluate_policy(mdp, policy, 1.0, horizon=100)[0]
    assert wins / 20_000 == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 20_000))


def test_a_horizon_cuts_off():
    mdp = random_mdp(1)
    policies = random_policies(mdp, 1, 3)
    P, R = dense(mdp)
    at = np.arange(6)
    for k, policy in enumerate(policies):
        value = np.zeros(6)
        for steps in range(5):
            V = evaluate_policy(mdp, policies, 0.9, horizon=steps)
            np.testing.assert_allclose(V[k], value, rtol=1e-12)
            value = R[at, policy] + 0.9 * P[at, policy] @ value
    np.testing.assert_allclose(
        evaluate_policy(mdp, policies, 0.9, horizon=1000), evaluate_policy(mdp, policies, 0.9), atol=1e-12
    )
    for horizon in (-1, 2.5, "3", True):
        with pytest.raises(UsageError, match="must be a whole number, at least 0"):
            evaluate_policy(mdp, policies, 0.9, horizon=horizon)


def test_policies_that_never_end():
    cliff = FiniteMDP.from_env(gymnasium.make("CliffWalking-v1"))
    members = np.stack([np.zeros(48, np.int64), value_iteration(cliff, 1.0).policy, np.full(48, 1)])
    V = evaluate_policy(cliff, members, 1.0)
    assert V[:, 36].tolist() == [-np.inf, -13.0, -np.inf]  # up for ever, the best, into the cliff for ever
    assert cliff.start_value(V).tolist() == [-np.inf, -13.0, -np.inf]
    assert V[2, 11] == -np.inf
    assert V[2, 47] == -1.0
    lake = FiniteMDP.from_env(gymnasium.make("FrozenLake-v1", is_slippery=False))
    assert (evaluate_policy(lake, np.zeros(16, np.int64), 1.0) == 0.0).all()  # left for ever costs nothing


@pytest.mark.parametrize(
    ("rows", "right"),
    [
        ([[(0, 1.0)]], [np.inf]),
        ([[(1, 5.0)], [(1, 0.0)]], [5.0, 0.0]),
        ([[(1, 2.0)], [(0, -1.0)]], [np.inf, np.inf]),
        ([[(1, 1.0)], [(0, -2.0)], [(0, 9.0)]], [-np.inf, -np.inf, -np.inf]),
        ([[(1, 1.0)], [(0, -1.0)], [(0, 9.0)], [(3, 4.0, True)]], [np.nan, np.nan, np.nan, 4.0]),
    ],
)
def test_total_reward_of_loops(rows, right):
    mdp = chain(*rows)
    np.testing.assert_array_equal(evaluate_policy(mdp, np.zeros(len(rows), np.int64), 1.0), right)


def test_a_chance_of_both_infinities_is_no_number():
    P = {
        0: {0: [(0.5, 1, 0.0, False), (0.5, 2, 0.0, False)]},
        1: {0: [(1.0, 1, 1.0, False)]},
        2: {0: [(1.0, 2, -1.0, False)]},
        3: {0: [(0.5, 1, 0.0, False), (0.5, 3, 0.0, True)]},
    }
    V = evaluate_policy(FiniteMDP.from_P(P, start=3), np.zeros(4, np.int64), 1.0)
    np.testing.assert_array_equal(V, [np.nan, np.inf, -np.inf, np.inf])


def climb(cells):
    """Cells in a row, the exit beyond the last one: action 0 goes up with a chance of 1/10, else down, action 1 of 9/10."""
    prob, following = np.zeros((cells + 1, 2, 2)), np.zeros((cells + 1, 2, 2), np.int64)
    prob[:, :] = [[0.9, 0.1], [0.1, 0.9]]
    for x in range(cells):
        following[x] = [max(x - 1, 0), x + 1]
    following[cells] = cells
    ended = np.zeros(prob.shape, np.bool_)
    ended[cells - 1, :, 1] = ended[cells] = True
    reward = np.where(np.arange(cells + 1) < cells, -1.0, 0.0)[:, None, None] * np.ones(prob.shape)
    return FiniteMDP.from_table(prob, following, reward, ended, start=np.eye(cells + 1)[0])


@pytest.mark.parametrize("cells", [1, 5, 9, 14, 18, 25, 60])
def test_who_hardly_ever_ends_never_ends(cells):
    """From cell k one is at k + 1 after e_k = (1 + (1 - p) e_{k-1}) / p steps; up to some 10^13 float64 can tell."""
    right = []
    for p in (0.1, 0.9):
        steps = [1.0 / p]
        for _ in range(1, cells):
            steps.append((1.0 + (1.0 - p) * steps[-1]) / p)
        right.append(-sum(steps))
    V = evaluate_policy(climb(cells), np.tile([[0], [1], [0]], cells + 1), 1.0)[:, 0]
    if cells < 14:
        np.testing.assert_allclose(V, [right[0], right[1], right[0]], rtol=1e-6)
    else:
        assert right[0] < -3e13
        assert V[[0, 2]].tolist() == [-np.inf, -np.inf]
        np.testing.assert_allclose(V[1], right[1], rtol=1e-10)


def test_infinities_where_nothing_begins_play_no_part():
    mdp = chain([(0, 3.0, True)], [(1, -1.0)])
    V = evaluate_policy(mdp, np.zeros((2, 2), np.int64), 1.0)
    assert V.tolist() == [[3.0, -np.inf]] * 2
    assert mdp.start_value(V).tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (np.zeros(3, np.int64), r"a policy must be integers \[\.\.\., 2\]"),
        (np.zeros(2), "a policy must be integers"),
        (np.array([0, 2]), r"takes an action outside 0\.\.1"),
        (np.array([0, -1]), "takes an action outside"),
        (np.array([0, 1]), "takes action 1 in state 1, where it is not available"),
        (np.array([[1.0, 0.0], [0.5, 0.5]]), "takes action 1 in state 1, where it is not available"),
        (np.array([[1.0, 0.0], [0.5, 0.0]]), "chances that sum to 1 in every state"),
        (np.array([[1.5, -0.5], [1.0, 0.0]]), "chances that sum to 1"),
        (np.array([[np.nan, 1.0], [1.0, 0.0]]), "chances that sum to 1"),
    ],
)
def test_policies_that_do_not_fit(policy, message):
    mdp = chain([(0, 1.0), (1, 0.0)], [(1, 0.0, True)])
    with pytest.raises(UsageError, match=message):
        evaluate_policy(mdp, policy, 0.9)
