"""Candies by chance: so many of the cells, drawn one after the other in proportion to their weights."""

import itertools

import numpy as np
import pytest
from scipy import stats

from rlcourse.envs.maze.world import FILLED, REMAINING, SPAWNED

from .sight_worlds import batch

Z = np.array([0.3, -1.2, 0.9, 0.0, -0.4, 1.1])
"""Logarithms of the weights of the six cells of the map `orchard`, in units of `drift_size`."""


def subset_chances(weights, count):
    """The chance of every set of `count` cells, by all orders in which they can be drawn without putting back."""
    chances = {}
    for order in itertools.permutations(range(len(weights)), count):
        chance, left = 1.0, sum(weights)
        for k in order:
            chance *= weights[k] / left
            left -= weights[k]
        key = sum(1 << k for k in order)
        chances[key] = chances.get(key, 0.0) + chance
    return chances


def test_the_slow_reference_knows_what_is_known():
    assert subset_chances([1, 1, 1, 1], 2) == pytest.approx(dict.fromkeys([3, 5, 6, 9, 10, 12], 1 / 6))
    assert subset_chances([3, 1], 1) == pytest.approx({1: 0.75, 2: 0.25})
    assert subset_chances([3, 1], 2) == pytest.approx({3: 1.0})
    # first 1 then 2, or first 2 then 1, out of the weights 1, 2, 3
    assert subset_chances([1, 2, 3], 2)[3] == pytest.approx(1 / 6 * 2 / 5 + 2 / 6 * 1 / 4)


def copies_with(z, copies=20_000, **options):
    """Copies whose chances are those of `z`, at the beginning of an episode."""
    env = batch("CandyMazeDrift-v0", copies=copies, drift_every=1_000, **options)
    env.reset(seed=1)
    state = env.get_state()
    if len(z):
        state["odds"][:, : len(z)] = z
    env.set_state(state)
    return env, env.reset()


@pytest.mark.parametrize("boxes", [True, False], ids=["boxes", "seen"])
@pytest.mark.parametrize("count", range(1, 7))
def test_sets_of_cells_are_as_frequent_as_their_chances(count, boxes):
    env, _ = copies_with(Z, spawn=count, boxes=boxes, drift_size=1.5, observation="planes")
    core = env.get_state()["core"]
    spawned = core[:, SPAWNED]
    assert np.array_equal(core[:, FILLED], spawned)
    assert np.array_equal(core[:, REMAINING], np.full_like(spawned, 63) if boxes else spawned)
    exact = subset_chances(np.exp(1.5 * Z).tolist(), count)
    assert set(spawned) <= set(exact)
    observed = np.array([np.count_nonzero(spawned == key) for key in exact])
    expected = len(spawned) * np.array(list(exact.values()))
    common = expected >= 5  # the rare ones together, as the test wants it
    observed = np.append(observed[common], observed[~common].sum())
    expected = np.append(expected[common], expected[~common].sum())
    filled = expected > 0
    if filled.sum() > 1:
        assert stats.chisquare(observed[filled], expected[filled]).pvalue > 1e-3


@pytest.mark.parametrize("count", [1, 2, 5])
def test_without_drift_all_sets_are_alike(count):
    env, _ = copies_with([], spawn=count, drift="none", observation="planes")
    _, observed = np.unique(env.get_state()["core"][:, SPAWNED], return_counts=True)
    assert len(observed) == len(list(itertools.combinations(range(6), count)))
    assert stats.chisquare(observed).pvalue > 1e-3


@pytest.mark.parametrize("drift", ["jump", "walk", "season", "none"])
def test_what_is_told_is_what_is_drawn_from(drift):
    """One candy: over many copies, each with chances of its own, a cell has it as often as was told."""
    copies = 20_000
    env = batch(
        "CandyMazeDrift-v0", copies=copies, drift=drift, drift_every=3, tell_chances=True, max_steps=2
    )  # fmt: skip
    info = env.reset(seed=5)[1]
    for _ in range(4):
        told = info["chances"]
        assert np.allclose(told.sum(axis=1), 1.0)
        assert (told > 0).all()
        if drift == "none":
            assert np.allclose(told, 1 / 6)
        there = (env.get_state()["core"][:, SPAWNED, None] >> np.arange(6)) & 1
        assert (there.sum(axis=1) == 1).all()
        for low, high in itertools.pairwise(
            [0.0, 0.02, 0.1, 0.2, 0.4, 0.7, 1.0]
        ):  # calibrated at every level
            chosen = (told > low) & (told <= high)
            spread = np.sqrt((told * (1 - told))[chosen].sum())
            assert abs((there - told)[chosen].sum()) < 4.5 * max(spread, 1e-9)
        first = env.step(np.zeros(copies, np.int64))[4]
        assert np.array_equal(first["chances"], told)
        info = env.step(np.zeros(copies, np.int64))[4]


def test_chances_are_told_only_if_asked():
    assert "chances" not in batch("CandyMazeDrift-v0").reset(seed=0)[1]
    weights = np.exp(2.0 * Z)
    _, (_, info) = copies_with(Z, copies=2, tell_chances=True)
    assert np.allclose(info["chances"], weights / weights.sum())
