"""Whoever compiles a loop of their own around the kernels gets the numbers of the environment, and keeps its speed."""

import gymnasium
import numpy as np
import pytest
from numba import njit

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.envs.maze import loops
from rlcourse.envs.maze.kernel import index_of, move, reset_member, step_member
from rlcourse.envs.maze.world import FIRST_WALKER, SCORE, WALKER, World
from tests.envs.variants import ODD_MAP


@njit
def play(core, cells, odds, go, tile, plan, rule, actions, seen, rewards):
    """Every copy to the end of its actions, one copy after the other."""
    world = World(core, cells, odds, go, tile, plan, rule)
    for i in range(actions.shape[1]):
        for t in range(actions.shape[0]):
            reward, terminated, truncated = step_member(world, i, actions[t, i])
            if terminated or truncated:
                reset_member(world, i, 0)
            seen[t, i], rewards[t, i] = index_of(world, i, 0), reward


def batch(copies, **options):
    env = gymnasium.make_vec(
        "rlcourse/CandyMaze-v0",
        copies,
        vectorization_mode="vector_entry_point",
        autoreset_mode="SameStep",
        **options,
    ).unwrapped
    env.reset(seed=5)
    return env


def test_a_loop_of_ones_own():
    options = {"slip": 0.3, "gusty": True, "layout": ODD_MAP, "max_steps": 20}
    env = batch(6, **options)
    state, rules = env.get_state(), env.rules
    actions = np.random.default_rng(0).integers(4, size=(100, 6))
    seen, rewards = np.empty((100, 6), np.int64), np.empty((100, 6))
    play(*rules.world(state), actions, seen, rewards)
    for t in range(100):
        observations, got, *_ = env.step(actions[t])
        assert np.array_equal(observations, seen[t])
        assert np.array_equal(got, rewards[t])
    assert np.array_equal(env.get_state()["core"], state["core"])


@njit
def race(core, cells, odds, go, tile, plan, rule, first, second):
    """Two walkers for the candies of copy 0, turn by turn; what each of them earns."""
    world = World(core, cells, odds, go, tile, plan, rule)
    reset_member(world, 0, 0)
    earned = np.zeros(2)
    for t in range(len(first)):
        earned[0] += move(world, 0, 0, first[t])[0]
        earned[1] += move(world, 0, 1, second[t])[0]
    return earned


def test_actions_in_any_kind_of_array_use_the_rules_that_are_compiled():
    env = gymnasium.make_vec("rlcourse/CandyMaze-v0", 4, vectorization_mode="vector_entry_point")
    env.reset(seed=0)
    env.step(np.zeros(4, np.int64))
    compiled = len(loops.step_batch.signatures)
    for actions in (
        np.zeros((4, 2), np.int64)[:, 0],
        np.broadcast_to(np.int64(1), 4),
        np.zeros(4, ">i8"),
        [0] * 4,
    ):
        env.step(actions)
    assert len(loops.step_batch.signatures) == compiled


def test_two_walkers_share_the_candies():
    """The rules know walkers by number: a second one is a block of columns more."""
    rules = batch(1, layout="S1.\n..E", move_reward=0.0).rules
    core = np.zeros((1, FIRST_WALKER + 2 * WALKER), np.int64)
    cells, odds = np.zeros((1, 0), np.uint8), np.zeros((1, 0))
    left, right, down = 0, 1, 3
    earned = race(
        core, cells, odds, *rules.board, np.array([right, left, down]), np.array([right, right, down])
    )
    assert earned.tolist() == [1.0, 10.0]
    assert core[0, FIRST_WALKER + SCORE] == 1_000_000
    assert core[0, FIRST_WALKER + WALKER + SCORE] == pytest.approx(10_000_000)
