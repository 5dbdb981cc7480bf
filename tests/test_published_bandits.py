"""Known numbers of the bandit literature: what the strategies must land on, each within an interval that is stated."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import rel_entr

from rlcourse.errors import UsageError
from rlcourse.experiments import Cell, run_cell
from rlcourse.experiments.yardsticks import (
    best_candy_machine,
    best_of_normals,
    lai_robbins_constant,
    ucb1_bound,
)
from tests.envs.variants import BANDITS


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """The mean over members and its standard error."""
    return float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))


# ---------------------------------------------------------------- the ten-armed testbed

LAST = 50  # "at step 1000" is the mean over the last 50 steps, in which no curve moves by more than 0.01
READING = 0.03  # how well a reward can be read from the book's figures (the axis has a mark every 0.5)
READING_SHARE = 3.0  # the same for per cent of optimal pulls (a mark every 20)


def testbed(agent: str, **settings: object) -> tuple[np.ndarray, np.ndarray]:
    """Reward and per cent of optimal pulls at step 1000, for each of 2000 problems as in the book.

    How rich the 2000 problems happen to be is known exactly, and is taken out of the reward: only its expectation over
    problems is left, 1.5387 for the best arm.
    """
    cell = run_cell(
        agent, "Bandit-v0", seeds=2000, steps=1000, agent_kwargs=settings, env_kwargs={"law": "gaussian"}
    )
    count = LAST * len(cell.steps) // cell.n_steps
    reward = cell.curves["reward"][-count:].mean(axis=0) - cell.optimum["reward"] + best_of_normals(10)
    return reward, 100.0 * cell.curves["optimal"][-count:].mean(axis=0)


testbed.__test__ = False


def assert_read(values: np.ndarray, published: float, reading: float) -> None:
    """Within what can be read, and 4 standard errors."""
    mean, error = mean_and_error(values)
    assert abs(mean - published) <= reading + 4.0 * error, f"{mean:.4f} +- {error:.4f}, published {published}"
    assert 4.0 * error < 2.0 * reading, "too few runs to say anything"


@pytest.mark.parametrize(
    ("agent", "settings", "reward", "optimal"),
    [  # Sutton & Barto (2018), figures 2.2, 2.3 and 2.4, read at step 1000
        ("epsilon_greedy", {"epsilon": 0.1}, 1.38, 80.0),
        ("epsilon_greedy", {"epsilon": 0.01}, 1.31, 60.0),
        ("epsilon_greedy", {"epsilon": 0.0}, 1.05, 37.0),
        ("ucb", {"c": 2.0}, 1.48, None),
        ("optimistic_greedy", {"initial_value": 5.0, "step_size": 0.1}, None, 85.0),
    ],
)
def test_the_testbed_lands_on_the_published_curves(agent, settings, reward, optimal):
    rewards, shares = testbed(agent, **settings)
    if reward is not None:
        assert_read(rewards, reward, READING)
    if optimal is not None:
        assert_read(shares, optimal, READING_SHARE)


def test_the_best_possible_reward_of_the_testbed():
    assert best_of_normals(10) == pytest.approx(1.53875, abs=1e-5)  # tables of normal order statistics
    assert best_of_normals(1) == pytest.approx(0.0, abs=1e-9)
    assert best_of_normals(2) == pytest.approx(1.0 / math.sqrt(math.pi))
    cell = run_cell("random", "Bandit-v0", seeds=4000, steps=1, env_kwargs={"law": "gaussian"})
    mean, error = mean_and_error(cell.optimum["reward"])
    assert abs(mean - best_of_normals(10)) <= 4.0 * error  # s.e. 0.009


# ---------------------------------------------------------------- Lai and Robbins

NINE = [i / 10 for i in range(1, 10)]


@pytest.mark.parametrize(
    ("means", "constant"),
    [(NINE, 7.5165), ([0.9, 0.6], 0.964), ([0.9, 0.8], 2.252), ([0.55, 0.45], 4.983)],
)
def test_lai_robbins_constants(means, constant):
    digits = len(str(constant).split(".")[1])
    assert round(lai_robbins_constant(means), digits) == constant
    assert lai_robbins_constant(means[::-1]) == pytest.approx(lai_robbins_constant(means))


def test_constants_at_the_edges():
    assert lai_robbins_constant([0.5, 0.5]) == 0.0  # nothing can be lost
    assert lai_robbins_constant([0.0, 0.5]) == pytest.approx(0.5 / math.log(2.0))
    assert lai_robbins_constant([1.0, 0.5]) == 0.0  # one failure tells the second from a sure arm
    for means in ([], [0.2, 1.2], [math.nan]):
        with pytest.raises(UsageError, match="means="):
            lai_robbins_constant(means)


MEANS = [0.9, 0.6]
RUNS = 1000
HORIZON = 10_000


def bernoulli(agent: str, means: list[float], runs: int) -> Cell:
    return run_cell(agent, "Bandit-v0", seeds=runs, steps=HORIZON, env_kwargs={"means": means}, points=20)


def growth(cell: Cell) -> np.ndarray:
    """Regret between T = 1000 and 10,000 over C ln 10, of every member: 1 where it grows like the constant."""
    regret = cell.curves["regret"]
    decade = regret[-1] - regret[cell.steps == HORIZON // 10][0]
    return decade / math.log(10.0) / lai_robbins_constant(MEANS)


def kl(p: float, q: float) -> float:
    return float(rel_entr(p, q) + rel_entr(1.0 - p, 1.0 - q))


def kl_ucb_pulls(T: float) -> float:
    """Pulls n of the worse arm without noise: n kl(mu, u) = ln T, where u is the bound of the best arm after T pulls."""
    best, worse = MEANS
    bound = brentq(lambda q: T * kl(best, q) - math.log(T), best, 1.0 - 1e-12)
    return math.log(T) / kl(worse, bound)


def imed_pulls(T: float) -> float:
    """The same for IMED, where both indices are alike: n kl(mu, mu*) + ln n = ln T."""
    best, worse = MEANS
    return float(brentq(lambda n: n * kl(worse, best) + math.log(n) - math.log(T), 1e-3, T))


@pytest.mark.parametrize(("agent", "pulls"), [("kl_ucb", kl_ucb_pulls), ("imed", imed_pulls)])
def test_regret_of_index_strategies_grows_like_the_lai_robbins_constant(agent, pulls):
    # The constant is a limit: 10,000 pulls still see the terms of lower order. What the index says without noise includes
    # them: slopes of 1.39 C for KL-UCB (the bound of the best arm itself still falls) and 0.84 C for IMED (its ln N_a). Noise
    # shifts every boundary by about one pull, hardly the slope: 10% of C is granted for it, and 4 standard errors (0.15).
    gap = MEANS[0] - MEANS[1]
    expected = gap * (pulls(HORIZON) - pulls(HORIZON / 10)) / math.log(10.0) / lai_robbins_constant(MEANS)
    mean, error = mean_and_error(growth(bernoulli(agent, MEANS, RUNS)))
    assert abs(mean - expected) <= 0.1 + 4.0 * error, f"{mean:.3f} +- {error:.3f}, expected {expected:.3f}"
    assert 0.7 < mean < 1.5


def thompson_without_the_package(runs: int) -> tuple[np.ndarray, np.ndarray]:
    """Regret of Thompson sampling at T = 1000 and 10,000, from NumPy's own generator."""
    rng = np.random.default_rng(2012)
    wins, losses, rows = np.ones((runs, 2)), np.ones((runs, 2)), np.arange(runs)
    worse = np.zeros(runs)
    for t in range(1, HORIZON + 1):
        arm = rng.beta(wins, losses).argmax(axis=1)
        won = rng.random(runs) < np.array(MEANS)[arm]
        wins[rows, arm] += won
        losses[rows, arm] += ~won
        worse += arm
        if t == HORIZON // 10:
            early = worse.copy()
    gap = MEANS[0] - MEANS[1]
    return gap * early, gap * worse


def test_regret_of_thompson_sampling_grows_like_the_lai_robbins_constant():
    # Of lower order here: a draw beats mu* with a chance of about exp(-n kl) / sqrt(4 pi n kl), which makes 0.90 C of the
    # slope once mu* is known; what was pulled early, before it was known, is pulled less now, so that the slope lies lower
    # still. [0.6, 0.9] is therefore asked for, and that a loop of its own in NumPy agrees within 4 standard errors.
    slope, error = mean_and_error(growth(bernoulli("thompson", MEANS, RUNS)))
    early, late = thompson_without_the_package(500)
    other, other_error = mean_and_error((late - early) / math.log(10.0) / lai_robbins_constant(MEANS))
    assert 0.6 <= slope <= 0.9
    assert abs(slope - other) <= 4.0 * math.hypot(error, other_error)


@pytest.mark.parametrize(("means", "runs"), [(NINE, 500), (MEANS, 500)])
def test_ucb1_stays_below_its_bound(means, runs):
    cell = bernoulli("ucb1", means, runs)
    regret = cell.curves["regret"]
    upper = regret.mean(axis=1) + 4.0 * regret.std(axis=1, ddof=1) / math.sqrt(runs)
    assert (upper < ucb1_bound(means, cell.steps)).all()
    assert (np.diff(regret, axis=0) >= 0.0).all()


def test_the_bound_of_ucb1():
    gap, n = 0.3, 1000
    expected = 8.0 * math.log(n) / gap + (1.0 + math.pi**2 / 3.0) * gap
    assert ucb1_bound(MEANS, n) == pytest.approx(expected)
    assert ucb1_bound(NINE, [1, 10, 100]).shape == (3,)


# ---------------------------------------------------------------- the switching bandit


def test_forgetting_beats_ucb1_after_the_switch():
    # Garivier & Moulines (2011): after round 5000 the third arm pays as little as before, but remembers better days.
    # UCB1 needs thousands of rounds to believe it. Paired on the same problems and rewards, beyond 4 standard errors.
    runs, switch = 100, 5000
    regret = {
        agent: run_cell(agent, "SwitchingBandit-v0", seeds=runs, points=20)
        for agent in ("ucb1", "discounted_ucb", "sliding_window_ucb")
    }
    after, total = {}, {}
    for agent, cell in regret.items():
        curve = cell.curves["regret"]
        total[agent] = curve[-1]
        after[agent] = curve[-1] - curve[cell.steps == switch][0]
    for agent in ("discounted_ucb", "sliding_window_ucb"):
        mean, error = mean_and_error(after["ucb1"] - after[agent])
        assert mean > 4.0 * error
        assert mean > 0.2 * after["ucb1"].mean()  # no hair's breadth: at least a fifth of what UCB1 loses
        mean, error = mean_and_error(total["ucb1"] - total[agent])
        assert mean > 4.0 * error


# ---------------------------------------------------------------- the candy machines, and the two ends of every table


def test_the_best_candy_machine_pays_1_6125():
    assert best_candy_machine() == 1.6125
    cell = run_cell("random", "CandyMachines-v0", seeds=4000, steps=1)
    mean, error = mean_and_error(cell.optimum["reward"])
    assert abs(mean - best_candy_machine()) <= 4.0 * error  # s.e. 0.005
    assert error < 0.006
    cell = run_cell("perfect_knowledge", "CandyMachines-v0", seeds=4000, steps=100)
    mean, error = mean_and_error(cell.scores["reward"])
    assert abs(mean - best_candy_machine()) <= 4.0 * error  # s.e. 0.006


@pytest.mark.parametrize("machines", [2, 3, 8])
def test_the_formula_of_the_best_candy_machine(machines):
    rng = np.random.default_rng(machines)
    best = np.maximum(1.0, 2.0 * rng.random((100_000, machines - 1)).max(axis=1))
    mean, error = mean_and_error(best)
    assert abs(mean - best_candy_machine(machines)) <= 4.0 * error


@pytest.mark.parametrize("world", [name.removeprefix("rlcourse/") for name in BANDITS])
def test_perfect_knowledge_attains_the_optimum(world):
    steps = None if world == "AdversarialBandit-v0" else 500  # its best fixed arm is that of the whole game
    cell = run_cell("perfect_knowledge", world, seeds=200, steps=steps)
    if world != "HiddenContextBandit-v0":  # there even the exact filter, not knowing the regime, has regret
        np.testing.assert_allclose(cell.scores["regret"], 0.0, atol=1e-6)
    mean, error = mean_and_error(cell.scores["total_reward"] - cell.optimum["total_reward"])
    assert abs(mean) <= 4.0 * error + 1e-6


@pytest.mark.parametrize(
    ("world", "options", "steps", "expected"),
    [
        ("Bandit-v0", {"means": NINE}, 1000, 1000 * 0.4),
        ("Bandit-v0", {"means": [-1.0, 0.0, 4.0], "law": "gaussian", "arms": 3}, 1000, 1000 * 3.0),
        ("CandyMachines-v0", {"probabilities": [0.1, 0.2, 0.3, 0.9]}, 1000, 1000 * (1.8 - 4.0 / 5.0)),
        # 8000 rounds of .5, .3, .4 and 2000 of .5, .3, .9
        ("SwitchingBandit-v0", {}, 10_000, 8000 * 0.1 + 2000 * (0.9 - 1.7 / 3.0)),
    ],
)
def test_the_regret_of_random_is_its_expectation(world, options, steps, expected):
    cell = run_cell("random", world, seeds=200, steps=steps, env_kwargs=options, points=1)
    mean, error = mean_and_error(cell.scores["regret"])
    assert abs(mean - expected) <= 4.0 * error
    assert error < 0.01 * expected
