"""The planners against linear programmes, brute force and published numbers."""

import itertools

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlcourse.errors import UsageError
from rlcourse.mdp import (
    FiniteMDP,
    epsilon_soft,
    evaluate_policy,
    finite_horizon,
    greedy_policy,
    optimal_actions,
    policy_iteration,
    q_values,
    value_iteration,
)
from rlcourse.mdp.planning import sweep_until

from .problems import by_dense_solve, by_linear_programme, chain, corners, dense, gambler, random_mdp

SEEDS = st.integers(0, 10**6)


def toy(name, **kwargs):
    return FiniteMDP.from_env(gymnasium.make(name, **kwargs))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.95, 0.999, 1.0])
@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("FrozenLake-v1", {}),
        ("FrozenLake-v1", {"is_slippery": False}),
        ("FrozenLake-v1", {"map_name": "8x8"}),
        ("CliffWalking-v1", {}),
        ("CliffWalking-v1", {"is_slippery": True}),
        ("Taxi-v4", {}),
    ],
)
def test_gymnasiums_worlds_against_a_linear_programme(name, kwargs, gamma):
    mdp = toy(name, **kwargs)
    right = by_linear_programme(mdp, gamma)
    for planner in (value_iteration, policy_iteration):
        V, policy = planner(mdp, gamma=gamma)
        np.testing.assert_allclose(V, right, rtol=1e-6, atol=1e-6 if gamma == 1.0 else 1.1e-8)
        np.testing.assert_allclose(evaluate_policy(mdp, policy, gamma), V, rtol=1e-7, atol=2e-8)


def test_published_values():
    lake = toy("FrozenLake-v1")
    assert lake.start @ value_iteration(lake, 1.0)[0] == pytest.approx(14 / 17, abs=1e-12)  # 0.82
    wide = toy("FrozenLake-v1", map_name="8x8")
    assert wide.start @ value_iteration(wide, 1.0)[0] == pytest.approx(1.0, abs=1e-9)
    cliff = toy("CliffWalking-v1")
    assert cliff.start @ value_iteration(cliff, 1.0)[0] == -13.0
    taxi = toy("Taxi-v4")
    assert taxi.start @ value_iteration(taxi, 1.0)[0] == pytest.approx(7.93, abs=1e-9)


def test_gambler():
    V, policy = value_iteration(gambler(), 1.0)
    assert V[[25, 50, 75]] == pytest.approx([0.16, 0.4, 0.64], abs=1e-12)
    assert policy[50] == 50
    best = optimal_actions(gambler(), V, 1.0)
    assert np.flatnonzero(best[50]).tolist() == [0, 50]
    assert np.flatnonzero(best[51]).tolist() == [0, 1, 49]  # as in figure 4.3, and to stake nothing
    # With a coin that favours the gambler, timid play of one coin: 1 - (q/p)^x over 1 - (q/p)^100.
    V, _ = policy_iteration(gambler(0.55), 1.0)
    ratio = 0.45 / 0.55
    np.testing.assert_allclose(V[1:100], (1 - ratio ** np.arange(1, 100)) / (1 - ratio**100), atol=1e-10)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5, 1.0])
def test_the_best_epsilon_soft_policy(epsilon):
    cliff = toy("CliffWalking-v1")
    soft = epsilon_soft(cliff, epsilon)
    V, policy = value_iteration(soft, 1.0)
    P, R = dense(cliff)
    chances = (1 - epsilon) * np.eye(4)[policy] + epsilon / 4
    np.testing.assert_allclose(V, by_dense_solve(cliff, chances, 1.0), rtol=1e-10)
    mixture = (1 - epsilon) * (R + P @ V) + epsilon * (R + P @ V).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(mixture.max(axis=1), V, rtol=1e-10)
    if epsilon == 0.1:
        assert soft.start @ V == pytest.approx(-20.708, abs=5e-4)
    with pytest.raises(UsageError, match=r"epsilon=1\.5"):
        epsilon_soft(cliff, 1.5)


def test_exploration_keeps_to_actions_that_are_available():
    mdp = random_mdp(3, missing=0.5)
    soft = epsilon_soft(mdp, 0.3)
    np.testing.assert_array_equal(soft.available, mdp.available)
    _, policy = value_iteration(soft, 0.9)
    uniform = mdp.available / mdp.available.sum(axis=1, keepdims=True)
    chances = 0.7 * np.eye(3)[policy] + 0.3 * uniform
    np.testing.assert_allclose(
        evaluate_policy(soft, policy, 0.9), by_dense_solve(mdp, chances, 0.9), rtol=1e-10
    )


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.sampled_from([0.0, 0.3, 0.9, 0.99]), st.integers(1, 8), st.integers(1, 4), st.floats(0, 0.5))
def test_random_models_with_discount(seed, gamma, states, actions, ending):
    mdp = random_mdp(seed, states=states, actions=actions, ending=ending)
    right = by_linear_programme(mdp, gamma)
    for tol in (1e-2, 1e-8):
        V, policy = value_iteration(mdp, gamma, tol=tol)
        assert np.abs(V - right).max() <= tol + 1e-9
        assert mdp.available[np.arange(states), policy].all()
    W, best = policy_iteration(mdp, gamma)
    np.testing.assert_allclose(W, right, atol=1e-9)
    np.testing.assert_allclose(by_dense_solve(mdp, best, gamma), right, atol=1e-9)


@settings(deadline=None, max_examples=120)
@given(SEEDS, st.integers(1, 7), st.integers(1, 3), st.integers(1, 2), st.floats(0.05, 0.5))
def test_random_models_without_discount(seed, states, actions, outcomes, ending):
    """Small whole rewards of both signs: loops that pay, that cost, that cancel, and places to rest are all common."""
    mdp = random_mdp(
        seed, states=states, actions=actions, outcomes=outcomes, ending=ending, rewards=[-2.0, -1.0, 0.0, 1.0]
    )
    right = by_linear_programme(mdp, 1.0)
    for planner in (value_iteration, policy_iteration):
        plan, refusal = outcome(planner, mdp)
        if plan is None:  # a loop pays, or some state cannot end, which the programme knows nothing of
            assert right is None or "there is none" in refusal
            continue
        V, policy = plan
        assert right is not None
        np.testing.assert_allclose(V, right, atol=1e-6)
        np.testing.assert_allclose(evaluate_policy(mdp, policy, 1.0), V, atol=1e-9)
        np.testing.assert_allclose(q_values(mdp, V, 1.0).max(axis=1), V, atol=1e-9)


def outcome(planner, mdp):
    """What it plans with gamma = 1, or what it says instead."""
    try:
        return planner(mdp, 1.0), ""
    except UsageError as error:
        return None, str(error)


def test_resting_beats_an_end_that_costs():
    mdp = chain([(1, 0.0), (0, 0.0)], [(0, 0.0), (1, -5.0, True)], [(0, -1.0), (2, 1.0, True)])
    for planner in (value_iteration, policy_iteration):
        V, policy = planner(mdp, 1.0)
        assert V.tolist() == [0.0, 0.0, 1.0]
        assert policy[1] == 0


def test_equal_actions_lead_to_the_end_all_the_same():
    """On the lake that is not slippery every safe move has Q = 1; a greedy policy may walk in circles, a plan must not."""
    lake = toy("FrozenLake-v1", is_slippery=False)
    for planner in (value_iteration, policy_iteration):
        V, policy = planner(lake, 1.0)
        assert evaluate_policy(lake, policy, 1.0)[0] == 1.0
        greedy = greedy_policy(lake, V, 1.0)
        assert evaluate_policy(lake, greedy, 1.0)[0] == 0.0


def test_a_loop_that_pays_has_no_optimum():
    loop = chain([(1, -1.0), (0, 5.0, True)], [(0, 1.5), (1, 0.0, True)])
    for planner in (value_iteration, policy_iteration):
        with pytest.raises(UsageError, match="from state 0 rewards can be collected for ever"):
            planner(loop, 1.0)
        assert planner(loop, 0.5).V[1] == pytest.approx(1.5 + 0.5 * 5.0)


def test_a_place_without_end_has_no_total_reward():
    trap = chain([(1, -1.0), (0, 0.0, True)], [(1, -1.0)])
    for planner in (value_iteration, policy_iteration):
        with pytest.raises(UsageError, match=r"from state 1 there is none \(1 such states\)"):
            planner(trap, 1.0)
        np.testing.assert_allclose(planner(trap, 0.9).V, [0.0, -10.0], atol=1e-8)


def test_ties_do_not_make_policy_iteration_go_in_circles():
    rng = np.random.default_rng(0)
    for gamma in (0.9, 0.999, 1.0):
        V, _ = policy_iteration(corners(), gamma)
        np.testing.assert_allclose(V, value_iteration(corners(), gamma).V, atol=1e-8)
    rows = [[(int(y), 0.1) for y in rng.integers(20, size=4)] for _ in range(20)]  # every policy is optimal
    np.testing.assert_allclose(policy_iteration(chain(*rows), 0.999).V, 100.0, rtol=1e-12)


def test_a_bound_that_float64_cannot_keep_is_refused():
    mdp = chain([(0, 1000.0)])
    with pytest.raises(UsageError, match="rounding alone can make"):
        value_iteration(mdp, 0.9999)
    assert value_iteration(mdp, 0.9999, tol=1e-3).V[0] == pytest.approx(1e7, abs=1e-3)


@pytest.mark.parametrize("tol", [1e-1, 1e-4, 1e-10])
def test_large_models_keep_the_bound(tol):
    mdp = random_mdp(1, states=3000, actions=2, outcomes=3, ending=0.01)
    V, sweeps = sweep_until(mdp, 0.95, tol)
    right, policy = policy_iteration(mdp, 0.95)
    assert np.abs(V - right).max() <= tol
    assert sweeps > 1
    assert np.abs(q_values(mdp, right, 0.95).max(axis=1) - right).max() < 1e-11
    assert mdp.available[np.arange(3000), policy].all()


@pytest.mark.parametrize(("cost", "gamma"), [(1.0, 0.9999), (1e6, 0.99), (0.0, 0.9)])
def test_large_models_need_no_bound_for_policy_iteration(cost, gamma):
    """It has no `tol`; the rounding of the sweeps that it begins with must not be its end."""
    size = 2100
    mdp = chain(*([(x + 1, -cost)] for x in range(size - 1)), [(size - 1, -cost, True)])
    V, _ = policy_iteration(mdp, gamma)
    left = size - np.arange(size)
    np.testing.assert_allclose(V, -cost * (1.0 - gamma**left) / (1.0 - gamma), rtol=1e-9)


def test_finite_horizon_against_all_plans():
    """Every plan of three steps on three states, one action for each state and time: 512 of them."""
    for seed in range(3):
        mdp = random_mdp(seed, states=3, actions=2, missing=0.0)
        P, R = dense(mdp)
        at = np.arange(3)
        V, policy = finite_horizon(mdp, 3, gamma=0.9)
        best = np.full(3, -np.inf)
        for plan in itertools.product(itertools.product(range(2), repeat=3), repeat=3):
            value = np.zeros(3)
            for actions in reversed(plan):
                value = R[at, actions] + 0.9 * P[at, actions] @ value
            best = np.maximum(best, value)
        np.testing.assert_allclose(V[0], best, rtol=1e-12)
        value = np.zeros(3)
        for t in (2, 1, 0):
            value = R[at, policy[t]] + 0.9 * P[at, policy[t]] @ value
            np.testing.assert_allclose(V[t], value, rtol=1e-12)


def test_finite_horizon_comes_to_the_stationary_optimum():
    lake = toy("FrozenLake-v1")
    V, policy = finite_horizon(lake, 100)
    assert (V.shape, policy.shape, policy.dtype) == ((101, 16), (100, 16), np.int64)
    assert (V[100] == 0).all()
    assert (np.diff(V[::-1, 0]) >= 0).all()
    best, stationary = value_iteration(lake, 1.0)
    cut = evaluate_policy(lake, stationary, 1.0, horizon=100)[0]
    assert cut <= V[0, 0] < best[0]  # 0.74 in a hundred steps, whatever one does
    assert V[0, 0] == pytest.approx(0.74, abs=0.01)
    np.testing.assert_allclose(finite_horizon(lake, 5000).V[0], best, atol=1e-9)
    cliff = toy("CliffWalking-v1")
    assert finite_horizon(cliff, 12).V[0, 36] == -12.0
    assert finite_horizon(cliff, 13).V[0, 36] == -13.0
    assert finite_horizon(cliff, 0).V.shape == (1, 48)


def test_q_values_and_optimal_actions():
    mdp = random_mdp(5, missing=0.4)
    P, R = dense(mdp)
    V = np.random.default_rng(0).normal(size=(2, 4, 6))
    Q = q_values(mdp, V, 0.8)
    np.testing.assert_allclose(Q, R + 0.8 * np.einsum("xay,sty->stxa", P, V), rtol=1e-12)
    assert (np.isneginf(Q) == ~mdp.available).all()
    np.testing.assert_array_equal(greedy_policy(mdp, V, 0.8), Q.argmax(axis=-1))
    best = optimal_actions(mdp, V, 0.8, tol=0.3)
    np.testing.assert_array_equal(best, Q.max(axis=-1, keepdims=True) - 0.3 <= Q)
    twins = chain([(0, 0.1 + 0.2, True), (0, 0.3, True)])
    assert greedy_policy(twins, [0.0], 0.9).tolist() == [0]
    twins = chain([(0, 0.3, True), (0, 0.1 + 0.2, True)])
    assert greedy_policy(twins, [0.0], 0.9).tolist() == [0]  # 0.1 + 0.2 > 0.3 by rounding


@pytest.mark.parametrize("gamma", [-0.1, 1.1, np.nan, "0.9", True, None])
def test_gamma_is_checked(gamma):
    mdp = corners()
    policy = np.zeros(16, np.int64)
    for call in (
        lambda: value_iteration(mdp, gamma),
        lambda: policy_iteration(mdp, gamma),
        lambda: finite_horizon(mdp, 3, gamma),
        lambda: evaluate_policy(mdp, policy, gamma),
        lambda: q_values(mdp, np.zeros(16), gamma),
    ):
        with pytest.raises(UsageError, match=r"must be a number in \[0, 1\]"):
            call()


def test_other_arguments_are_checked():
    mdp = corners()
    with pytest.raises(UsageError, match="tol=0 must be a number above 0"):
        value_iteration(mdp, 0.9, tol=0)
    for tol in ("1e-8", None, True):
        with pytest.raises(UsageError, match="must be a number above 0"):
            value_iteration(mdp, 0.9, tol=tol)
    with pytest.raises(UsageError, match="V must be numbers"):
        greedy_policy(mdp, ["a"] * 16, 0.9)
    for horizon in (-1, 2.5, "3", np.array([1, 2])):
        with pytest.raises(UsageError, match="must be a whole number, at least 0"):
            finite_horizon(mdp, horizon)
    with pytest.raises(UsageError, match=r"horizon=1,000,000,000 over 16 states would take 238\.4 GiB"):
        finite_horizon(mdp, 10**9)
    with pytest.raises(UsageError, match=r"V must end in 16 states, got shape \[3\]"):
        greedy_policy(mdp, np.zeros(3), 0.9)
