"""Closed boxes: a candy is in exactly so many of them, and seen when its box is entered."""

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rlcourse.envs.maze.reading import parse
from rlcourse.envs.maze.world import FILLED, FIRST_WALKER, POSITION, REMAINING, SPAWNED

from .maps import maps
from .sight_worlds import batch

MOVE = -0.125
ROW = "S1.2.3\n"


def bits(numbers, count):
    return (np.asarray(numbers)[:, None] >> np.arange(count)) & 1


@settings(max_examples=80, deadline=None)
@given(maps.filter(lambda text: parse(text).values), st.data())
def test_every_box_is_opened_once_and_candies_are_conserved(text, data):
    """Box by box: what it pays, that it stays open, and that the world ends or opens its exit with the last candy."""
    layout = parse(text)
    candies = {r * layout.width + c: layout.value((r, c)) for r, c in layout.find("candy")}
    count = data.draw(st.integers(1, len(candies)))
    locked = data.draw(st.booleans())
    env = gymnasium.make(
        "rlcourse/CandyMaze-v0", layout=text, spawn=count, boxes=True, locked=locked, max_steps=None,
        observation="planes", move_reward=MOVE, bump_reward=MOVE, trap_reward=-7.0, cliff_reward=-5.0, exit_reward=9.0,
    ).unwrapped  # fmt: skip
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    for _ in range(3):
        env.reset(seed=int(rng.integers(2**32)))
        core = env.get_state()["core"][0]
        inside = {cell for k, cell in enumerate(candies) if int(core[SPAWNED]) >> k & 1}
        assert len(inside) == count
        opened, found = set(), set()
        before = int(core[FIRST_WALKER + POSITION])
        for _ in range(60):
            _, reward, terminated, _, info = env.step(int(rng.integers(4)))
            core = env.get_state()["core"][0]
            here = int(core[FIRST_WALKER + POSITION])
            if here != before and here in candies and here not in opened and len(found) < count:
                opened.add(here)
                if here in inside:
                    found.add(here)
                assert reward == (candies[here] if here in inside else MOVE)
            elif reward not in (-7.0, -5.0):
                assert reward in (MOVE, 9.0)
            closed = {cell for k, cell in enumerate(candies) if int(core[REMAINING]) >> k & 1}
            filled = {cell for k, cell in enumerate(candies) if int(core[FILLED]) >> k & 1}
            assert filled == inside - found
            assert closed == (set(candies) - opened if filled else set())
            word = layout.word((here // layout.width, here % layout.width))
            if word == "exit":
                assert terminated == (not locked or found == inside)
            elif word != "trap":
                assert terminated == (not layout.find("exit") and found == inside)
            assert info["is_success"] == (terminated and word != "trap")
            if terminated:
                break
            before = here


@pytest.mark.parametrize("count", [1, 2, 3])
def test_who_opens_all_boxes_finds_all_candies(count):
    env = batch("CandyMazeDrift-v0", 500, layout=ROW, spawn=count, observation="position", drift="none")
    env.reset(seed=0)
    spawned = bits(env.get_state()["core"][:, SPAWNED], 3)
    earned, steps = np.zeros(500), np.zeros(500)
    over = np.zeros(500, bool)
    for _ in range(5):
        _, rewards, terminated, _, _ = env.step(np.ones(500, np.int64))
        earned += np.where(over, 0.0, np.where(rewards > 0, rewards, 0.0))
        steps += ~over
        over |= terminated
    assert over.all()
    assert np.array_equal(earned, spawned @ [1.0, 2.0, 3.0])
    last = 2 - spawned[:, ::-1].argmax(axis=1)
    assert np.array_equal(steps, np.array([1, 3, 5])[last])


def test_an_empty_box_makes_the_others_likelier():
    """Given that the first box was empty, the second has the candy with the chance w2 / (w2 + w3)."""
    z = np.array([0.5, -0.2, 0.1])
    env = batch("CandyMazeDrift-v0", 20_000, layout=ROW, observation="index", drift_size=1.0)
    env.reset(seed=0)
    state = env.get_state()
    state["odds"][:, :3] = z
    env.set_state(state)
    env.reset()
    first = env.step(np.ones(20_000, np.int64))[1] > 0
    env.step(np.ones(20_000, np.int64))
    second = env.step(np.ones(20_000, np.int64))[1] > 0
    w = np.exp(z)
    assert stats.binomtest(int(first.sum()), 20_000, w[0] / w.sum()).pvalue > 1e-3
    open_ = ~first
    chance = w[1] / (w[1] + w[2])
    assert stats.binomtest(int(second[open_].sum()), int(open_.sum()), chance).pvalue > 1e-3
