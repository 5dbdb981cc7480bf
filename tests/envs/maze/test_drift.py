"""Chances that change: when they may, by which law, and by a stream of their own."""

import numpy as np
import pytest
from scipy import stats

from rlcourse.envs.maze.world import EPISODE, LIFE, SPAWNED

from .sight_worlds import batch

SIZE = 2.0


def lives(copies, episodes, plan=None, hold=(), seed=3, **options):
    """The beginnings of some episodes: clocks int64 [E, B, 2] (episode, step of the life), log chances [E, B, 6], candies.

    `plan` are the lengths of the episodes; `hold` those before which the candies are held.
    """
    env = batch("CandyMazeDrift-v0", copies, tell_chances=True, drift_size=SIZE, max_steps=100_000, **options)
    info = env.reset(seed=seed)[1]
    clocks, logs, candies = [], [], []
    for number in range(episodes):
        core = env.get_state()["core"]
        clocks.append(core[:, [EPISODE, LIFE]])
        logs.append(np.log(info["chances"]))
        candies.append(core[:, SPAWNED])
        for _ in range(plan[number % len(plan)] if plan else 1):
            env.step(np.zeros(copies, np.int64))  # at the left edge: nobody gets anywhere
        held = {"hold": ["candies"]} if number + 1 in hold else None
        info = env.reset(options=held)[1]
    return np.array(clocks), np.array(logs), np.array(candies)


def odds_apart(logs):
    """z_0 - z_1, z_2 - z_3, z_4 - z_5 of every copy, `[E, B, 3]`: independent, and free of the common factor."""
    return (logs[..., ::2] - logs[..., 1::2]) / SIZE


def test_jumps_come_at_multiples_and_nowhere_else():
    clocks, logs, _ = lives(5, 23, drift="jump", drift_every=4)
    assert np.array_equal(clocks[:, 0, 0], np.arange(23))
    for episode in range(1, 23):
        same = (logs[episode] == logs[episode - 1]).all(axis=1)
        assert same.all() if episode % 4 else not same.any()


@pytest.mark.parametrize("plan", [[3], [7], [1, 12, 2], [25]], ids=str)
def test_jumps_by_steps_depend_on_the_step_alone(plan):
    """However long the episodes are, and if no episode begins between two jumps: what holds after a jump is the same."""
    every = 10
    clocks, logs, _ = lives(4, 60, [1], drift="jump", drift_every=every, drift_unit="steps")
    regimes = {life // every: logs[e] for e, life in enumerate(clocks[:, 0, 1])}
    assert len({part.tobytes() for part in regimes.values()}) == len(regimes) == 6
    clocks, logs, _ = lives(4, 12, plan, drift="jump", drift_every=every, drift_unit="steps")
    compared = 0
    for e, life in enumerate(clocks[:, 0, 1]):
        if life // every in regimes:
            assert np.array_equal(logs[e], regimes[life // every])
            compared += 1
    assert compared >= 3


@pytest.mark.parametrize("drift", ["jump", "walk"])
def test_logarithms_of_chances_are_normal(drift):
    """Of standard deviation `drift_size`, at the first look and at later ones; cells are independent."""
    _, logs, _ = lives(3000, 9, drift=drift, drift_every=4)
    apart = odds_apart(logs)
    for episode in (0, 4, 8):
        assert stats.kstest(apart[episode].ravel(), "norm", args=(0.0, np.sqrt(2.0))).pvalue > 1e-3
        correlation = np.corrcoef(apart[episode].T)
        assert np.abs(correlation - np.eye(3)).max() < 5 / np.sqrt(3000)


@pytest.mark.parametrize(
    ("unit", "plan", "every"), [("episodes", [1], 5), ("steps", [3], 8), ("steps", [1, 6], 20)], ids=str
)
def test_a_walk_forgets_exponentially(unit, plan, every):
    """Ornstein-Uhlenbeck: the correlation over a time t is exp(-t / every)."""
    clocks, logs, _ = lives(4000, 12, plan, drift="walk", drift_every=every, drift_unit=unit)
    apart, time = odds_apart(logs), clocks[:, 0, ["episodes", "steps"].index(unit)]
    for first, last in ((0, 1), (0, 2), (3, 4), (2, 7), (0, 11)):
        expected = np.exp(-(time[last] - time[first]) / every)
        measured = np.corrcoef(apart[first].ravel(), apart[last].ravel())[0, 1]
        spread = (1 - expected**2) / np.sqrt(apart[0].size)
        assert abs(measured - expected) < 5 * spread
    for episode in range(12):  # and it stays where it began: no drift of the variance
        assert np.var(apart[episode]) == pytest.approx(2.0, abs=5 * 2 * np.sqrt(2 / apart[0].size))


@pytest.mark.parametrize(("unit", "plan", "every"), [("episodes", [1], 6), ("steps", [2], 12)], ids=str)
def test_seasons_come_again(unit, plan, every):
    """A cosine a cell, each a sixth of a season later than the one before, from a phase that every copy has of its own."""
    clocks, logs, _ = lives(400, 13, plan, drift="season", drift_every=every, drift_unit=unit)
    time = clocks[:, 0, ["episodes", "steps"].index(unit)] / every
    assert np.allclose(logs[:7], logs[6:])
    z = logs - logs.mean(axis=2, keepdims=True)  # six cosines around the circle sum to zero
    assert np.allclose((z**2).mean(axis=2), SIZE**2)
    angle = 2 * np.pi * (time[:, None, None] - np.arange(6) / 6)
    wave = np.exp(1j * angle)
    # z = size sqrt(2) Re(wave exp(2 pi i offset)): the offset by projection, which has to be the same at all times
    offset = np.angle((z * wave.conj()).sum(axis=2)) / (2 * np.pi) % 1.0
    assert np.allclose(np.exp(2j * np.pi * offset), np.exp(2j * np.pi * offset[0]))
    rebuilt = SIZE * np.sqrt(2) * np.cos(angle + 2 * np.pi * offset[:, :, None])
    assert np.allclose(z, rebuilt)
    assert stats.kstest(offset[0], "uniform").pvalue > 1e-3


@pytest.mark.parametrize("drift", ["jump", "walk", "season"])
def test_chances_do_not_depend_on_candies_or_neighbours(drift):
    """Held candies, another stream of candies and another batch leave the chances of a copy as they are."""
    options = {"drift": drift, "drift_every": 3}
    _, logs, candies = lives(6, 12, **options)
    _, held, kept = lives(6, 12, hold=range(2, 9), **options)
    assert np.array_equal(logs, held)
    assert (kept[2:9] == kept[1]).all()
    assert not (candies[2:9] == candies[1]).all()
    _, alone, _ = lives(1, 12, seed=3 + 4, **options)
    assert np.array_equal(alone[:, 0], logs[:, 4])

    envs = [batch("CandyMazeDrift-v0", 6, tell_chances=True, **options) for _ in range(2)]
    for env in envs:
        env.reset(seed=3)
    state = envs[1].get_state()
    state["candies"] = state["candies"] + np.uint64(12345)
    state["core"] = state["core"].copy()
    envs[1].set_state(state)
    different = False
    for _ in range(10):
        told = [env.reset()[1]["chances"] for env in envs]
        assert np.array_equal(*told)
        spawned = [env.get_state()["core"][:, SPAWNED] for env in envs]
        different |= not np.array_equal(*spawned)
    assert different


@pytest.mark.parametrize("drift", ["jump", "walk", "season"])
def test_a_seed_begins_a_new_life(drift):
    env = batch("CandyMazeDrift-v0", 4, drift=drift, drift_every=3, tell_chances=True)

    def life():
        info = env.reset(seed=9)[1]
        assert not env.get_state()["core"][:, [EPISODE, LIFE]].any()
        told = [info["chances"]]
        for _ in range(7):
            env.step(np.full(4, 1))
            told.append(env.reset()[1]["chances"])
        return np.array(told)

    first = life()
    for _ in range(5):
        env.reset()
    assert np.array_equal(life(), first)
