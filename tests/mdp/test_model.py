"""FiniteMDP: what it reads, what it refuses, what it gives back."""

import copy
import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from rlcourse.errors import UsageError
from rlcourse.mdp import FiniteMDP, check_model_size

from .problems import chain, random_mdp

FIELDS = ("first", "prob", "next", "reward", "terminated", "start")
TOYS = [
    ("FrozenLake-v1", {}),
    ("FrozenLake-v1", {"is_slippery": False, "map_name": "8x8"}),
    ("CliffWalking-v1", {}),
    ("CliffWalking-v1", {"is_slippery": True}),
    ("Taxi-v4", {}),
]


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in FIELDS)


def two_states(**changes):
    """Arrays of a small model by the constructor's own names, with changes."""
    arrays = {
        "first": [0, 2, 3, 4, 5],
        "prob": [0.5, 0.5, 1.0, 1.0, 1.0],
        "next": [0, 1, 1, 0, 1],
        "reward": [0.0, 1.0, 2.0, 0.0, 0.0],
        "terminated": [False, False, False, False, True],
        "start": [1.0, 0.0],
    }
    return FiniteMDP(**{**arrays, **changes})


@pytest.mark.parametrize(("name", "kwargs"), TOYS)
def test_gymnasiums_worlds_are_read_as_they_stand(name, kwargs):
    world = gymnasium.make(name, **kwargs).unwrapped
    mdp = FiniteMDP.from_env(gymnasium.make(name, **kwargs))
    assert (mdp.n_states, mdp.n_actions) == (world.observation_space.n, world.action_space.n)
    np.testing.assert_array_equal(mdp.start, world.initial_state_distrib)
    given = mdp.to_P()
    for x, actions in world.P.items():
        for a, outcomes in actions.items():
            chances = {}
            for p, *outcome in outcomes:
                if p > 0:
                    chances[tuple(outcome)] = chances.get(tuple(outcome), 0.0) + p
            read = {tuple(outcome): p for p, *outcome in given[x][a]}
            assert len(read) == len(given[x][a])
            assert read == pytest.approx(chances, abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_the_dictionary_form_goes_there_and_back(seed):
    mdp = random_mdp(seed, outcomes=4)
    P = mdp.to_P()
    assert same(FiniteMDP.from_P(P, start=mdp.start), mdp)
    full = random_mdp(seed, missing=0.0)
    as_lists = [[full.to_P()[x][a] for a in range(full.n_actions)] for x in range(full.n_states)]
    assert same(FiniteMDP.from_P(as_lists, start=full.start), full)
    assert all(
        type(v) is t
        for p in P[0].values()
        for o in p
        for v, t in zip(o, (float, int, float, bool), strict=True)
    )


def test_outcomes_in_any_order_are_sorted_merged_and_thinned():
    state, action = [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]
    prob, following = [1.0, 0.25, 0.5, 0.25, 0.0, 1.0], [1, 1, 0, 1, 1, 0]
    reward, over = [0.0, 1.0, 0.0, 1.0, 5.0, 3.0], [True, False, False, False, True, False]
    mdp = FiniteMDP.from_outcomes(state, action, prob, following, reward, over, start=[1.0, 0.0])
    assert mdp.to_P() == {
        0: {0: [(0.5, 0, 0.0, False), (0.5, 1, 1.0, False)], 1: [(1.0, 0, 3.0, False)]},
        1: {0: [(1.0, 1, 0.0, True)]},
    }
    np.testing.assert_array_equal(mdp.available, [[True, True], [True, False]])
    np.testing.assert_array_equal(mdp.expected_reward, [[0.5, 3.0], [0.0, -np.inf]])
    np.testing.assert_array_equal(mdp.ending, [[False, False], [True, False]])


def test_equal_outcomes_of_which_one_ends_stay_two():
    mdp = FiniteMDP.from_P({0: {0: [(0.5, 0, 1.0, True), (0.5, 0, 1.0, False)]}}, start=0)
    assert len(mdp.prob) == 2


def test_arrays_are_copies_that_cannot_be_written_to():
    start = np.array([1.0, 0.0])
    mdp = two_states(start=start)
    start[:] = 0.5
    assert mdp.start[0] == 1.0
    for twin in (mdp, pickle.loads(pickle.dumps(mdp)), copy.deepcopy(mdp)):
        assert same(twin, mdp)
        for name in FIELDS:
            with pytest.raises(ValueError, match="read-only"):
                getattr(twin, name)[0] = 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prob": [0.5, 0.4, 1.0, 1.0, 1.0]}, r"probabilities of state 0, action 0 sum to 0\.9, not 1"),
        ({"prob": [1.5, -0.5, 1.0, 1.0, 1.0]}, r"state 0, action 0 has a probability outside \(0, 1\]"),
        ({"prob": [0.5, np.nan, 1.0, 1.0, 1.0]}, "state 0, action 0 has a probability outside"),
        ({"next": [0, 1, 1, 2, 1]}, r"state 1, action 0 has a next state outside 0\.\.1"),
        ({"next": [0, 1, -1, 0, 1]}, "state 0, action 1 has a next state outside"),
        ({"next": [0.5, 1, 1, 0, 1]}, "next must be whole numbers"),
        ({"next": [np.nan, 1, 1, 0, 1]}, "next must be whole numbers"),
        ({"reward": [0.0, 1.0, np.inf, 0.0, 0.0]}, "state 0, action 1 has a reward that is not finite"),
        ({"reward": [0.0, 1.0]}, "reward has 2 entries, but prob has 5"),
        ({"first": [0, 2, 3, 4]}, "first has 4 entries"),
        ({"first": [0, 3, 2, 4, 5]}, "first must rise from 0"),
        ({"first": [0, 2, 3, 4, 4]}, "first must rise from 0 to the number of outcomes, 5"),
        ({"first": [0, 4, 5, 5, 5], "prob": [0.25, 0.25, 0.25, 0.25, 1.0]}, "state 1 has no action"),
        ({"start": [0.5, 0.4]}, r"start must be chances that sum to 1; they sum to 0\.9"),
        ({"start": [1.5, -0.5]}, "start must be chances"),
        ({"start": [[1.0, 0.0]]}, "start must have one dimension"),
        ({"reward": ["a"] * 5}, "reward must be an array of numbers"),
    ],
)
def test_what_is_wrong_is_named(changes, message):
    assert two_states().n_states == 2
    with pytest.raises(UsageError, match=message):
        two_states(**changes)


@pytest.mark.parametrize(
    ("P", "start", "message"),
    [
        ({0: {0: [(1.0, 0, 0.0)]}}, 0, r"P\[0\]\[0\] must be a list of"),
        ({0: {0: (1.0, 0, 0.0, True)}}, 0, r"P\[0\]\[0\] must be a list of"),
        ({1: {0: [(1.0, 0, 0.0, True)]}}, 0, r"states of P must be 0\.\.0"),
        ({0: 3}, 0, r"P\[0\] must be a mapping or a sequence, got int"),
        ({0: {}}, 0, "state 0 has no action"),
        ({0: {-1: [(1.0, 0, 0.0, True)]}}, 0, "action -1"),
        ({0: {0: [(1.0, 0, 0.0, True)]}}, 1, "start=1 is no state; there are 1"),
        ({0: {0: [(1.0, 0, 0.0, True)]}}, [0.5, 0.5], r"chances of shape \[1\], got \[2\]"),
        ({}, [], "first has 1 entries"),
        ({0: {0: 5}}, 0, r"P\[0\]\[0\] must be a list of outcomes, got int"),
        ({"a": {}}, 0, "the keys of P must be whole numbers, not 'a'"),
        ({0: {(0, 1): []}}, 0, r"the keys of P\[0\] must be whole numbers, not \(0, 1\)"),
        ({0.7: {}}, 0, "the keys of P must be whole numbers"),
        ({0: {0: [(1.0, 0, 0.0, True)]}}, ["a"], "start must be an array of numbers"),
    ],
)
def test_a_dictionary_that_is_wrong(P, start, message):
    with pytest.raises(UsageError, match=message):
        FiniteMDP.from_P(P, start=start)


def test_tables_and_outcomes_that_do_not_fit():
    with pytest.raises(
        UsageError, match=r"prob must be of shape \[states, actions, outcomes\], got \[2, 2\]"
    ):
        FiniteMDP.from_table(np.ones((2, 2)), 0, 0.0, True, start=[1.0, 0.0])
    with pytest.raises(UsageError, match=r"must fit the shape of prob, \[2, 2, 1\]"):
        FiniteMDP.from_table(np.ones((2, 2, 1)), np.zeros((3, 2, 1), int), 0.0, True, start=[1.0, 0.0])
    with pytest.raises(UsageError, match=r"of one length, got \[1, 2\]"):
        FiniteMDP.from_outcomes([0], [0], [1.0], [0, 0], [0.0], [True], start=[1.0])
    with pytest.raises(UsageError, match="given for state 3; start has 1"):
        FiniteMDP.from_outcomes([3], [0], [1.0], [0], [0.0], [True], start=[1.0])
    with pytest.raises(UsageError, match="given for action 2; there are 2"):
        FiniteMDP.from_outcomes([0], [2], [1.0], [0], [0.0], [True], start=[1.0], n_actions=2)
    for n_actions in (0, 1.5, "2", True):
        with pytest.raises(UsageError, match=r"n_actions=.* must be a whole number of at least 1"):
            FiniteMDP.from_outcomes([0], [0], [1.0], [0], [0.0], [True], start=[1.0], n_actions=n_actions)


class Bare(gymnasium.Env):
    """An environment with the attributes that a test gives it."""

    observation_space: gymnasium.Space = Discrete(1)
    action_space: gymnasium.Space = Discrete(2)

    def __init__(self, **attributes):
        for name, value in attributes.items():
            setattr(self, name, value)


ONE = {0: {0: [(1.0, 0, 1.0, True)]}}


def test_environments_say_where_episodes_begin_in_one_of_three_ways():
    for attributes in ({"initial_state_distrib": [1.0]}, {"isd": [1.0]}, {"start_state_index": 0}):
        mdp = FiniteMDP.from_env(Bare(P=ONE, **attributes))
        assert mdp.start.tolist() == [1.0]
        assert mdp.n_actions == 2
    with pytest.raises(UsageError, match="does not say where episodes begin: give start="):
        FiniteMDP.from_env(Bare(P=ONE))
    assert FiniteMDP.from_env(Bare(P=ONE), start=0).start.tolist() == [1.0]


def test_an_environment_with_a_model_is_asked_for_it():
    mdp = random_mdp(0)
    env = Bare(model=lambda: mdp)
    assert FiniteMDP.from_env(env) is mdp
    moved = FiniteMDP.from_env(env, start=2)
    assert moved.start.tolist() == [0, 0, 1, 0, 0, 0]
    assert np.array_equal(moved.prob, mdp.prob)
    with pytest.raises(UsageError, match="must give a FiniteMDP, got dict"):
        FiniteMDP.from_env(Bare(model=dict))


def test_environments_without_a_model_are_refused():
    with pytest.raises(UsageError, match="CartPole-v1 gives no model"):
        FiniteMDP.from_env(gymnasium.make("CartPole-v1"))
    with pytest.raises(UsageError, match=r"gymnasium\.make gives one.*not from 'CliffWalking-v1'"):
        FiniteMDP.from_env("CliffWalking-v1")
    with pytest.raises(UsageError, match="counted from 1"):
        FiniteMDP.from_env(Bare(P=ONE, isd=[1.0], action_space=Discrete(2, start=1)))
    assert FiniteMDP.from_env(Bare(P=ONE, isd=[1.0], action_space=Box(0, 1))).n_actions == 1


def test_reachable_states():
    assert chain([(1, 0.0), (2, 0.0, True)], [(1, 0.0)], [(0, 0.0)]).reachable().tolist() == [
        True,
        True,
        False,
    ]
    # In 400 of the taxi's 500 states a ride is on; in 4 more it has just ended, which nobody acts in.
    assert FiniteMDP.from_env(gymnasium.make("Taxi-v4")).reachable().sum() == 400


def test_size_is_told_before_anything_is_built():
    assert check_model_size(1000, 4, 3) == 1000 * 4 * (3 * 37 + 20)
    assert check_model_size(1000, 4, 3, beside=7) == 1000 * (4 * (3 * 37 + 20) + 7)
    with pytest.raises(UsageError, match=r"16,777,216 states x 4 actions x 3 outcomes would take 8\.2 GiB"):
        check_model_size(2**24, 4, 3)
    mdp = random_mdp(0, states=500, outcomes=3, missing=0.0)
    arrays = [getattr(mdp, name) for name in FIELDS[:-1]] + [*mdp.continuing, mdp.expected_reward]
    assert sum(a.nbytes for a in arrays) == pytest.approx(check_model_size(500, 3, 3), rel=0.1)


def test_importing_loads_neither_numba_nor_scipy():
    code = "import rlcourse.mdp, sys; print([name for name in ('numba', 'scipy') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
