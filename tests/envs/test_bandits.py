"""The numbers of the stationary worlds, and what all bandits have in common."""

import math

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from rlcourse.errors import UsageError

from .variants import BANDITS


def batch(name, copies, **kwargs):
    env = gymnasium.make_vec(
        f"rlcourse/{name}", num_envs=copies, vectorization_mode="vector_entry_point", **kwargs
    ).unwrapped
    env.reset(seed=12345)
    return env


def within(sample, value, errors=4.0):
    """Whether the mean of a sample lies within so many standard errors of a value."""
    sample = np.asarray(sample, float)
    return abs(sample.mean() - value) <= errors * sample.std() / math.sqrt(sample.size) + 1e-12


def test_best_candy_machine():
    """1.6125 = E[max(1, 2 max p)]: by simulation, and by integrating P(max(1, 2 max p) > x)."""
    assert within(batch("CandyMachines-v0", 100_000, coins=1).best_values(), 1.6125)
    above, _ = integrate.quad(lambda x: 1.0 - (x / 2.0) ** 4, 1.0, 2.0)
    assert 1.0 + above == pytest.approx(1.6125)


def test_candy_machines_pay_what_they_say():
    env = batch("CandyMachines-v0", 50_000, probabilities=[0.25, 0.0, 1.0])
    for machine, mean in enumerate([1.0, 0.5, 0.0, 2.0]):
        _, rewards, _, _, info = env.step(np.full(50_000, machine))
        assert within(rewards, mean)
        assert set(np.unique(rewards)) <= ({1.0} if machine == 0 else {0.0, 2.0})
        assert np.all(info["regret"] == 2.0 - mean)


def test_ten_armed_testbed():
    """The mean of the best of ten N(0, 1) is 1.5387: by simulation, and by integrating the order statistic."""
    env = batch("Bandit-v0", 100_000, law="gaussian", horizon=1)
    assert within(env.best_values(), 1.5387)
    exact, _ = integrate.quad(lambda x: 10 * x * stats.norm.pdf(x) * stats.norm.cdf(x) ** 9, -9, 9)
    assert exact == pytest.approx(1.5387, abs=1e-4)
    values = env.arm_values()
    assert within(values, 0.0)
    assert within(values**2, 1.0)


LAWS = [
    ("bernoulli", {}, 0.3, 0.21, (0, 1)),
    ("gaussian", {"sigma": 2.0}, -1.5, 4.0, (-math.inf, math.inf)),
    ("uniform", {"width": 3.0}, 2.0, 9 / 12, (0.5, 3.5)),
    ("exponential", {}, 0.7, 0.49, (0, math.inf)),
    ("poisson", {}, 3.5, 3.5, (0, math.inf)),
    ("beta", {"concentration": 4.0}, 0.3, 0.21 / 5, (0, 1)),
]


@pytest.mark.parametrize(("law", "kwargs", "mean", "variance", "bounds"), LAWS, ids=[row[0] for row in LAWS])
def test_laws(law, kwargs, mean, variance, bounds):
    env = batch("Bandit-v0", 100_000, law=law, means=[mean], **kwargs)
    assert env.reward_range == bounds
    _, rewards, _, _, info = env.step(np.zeros(100_000, int))
    assert within(rewards, mean)
    assert within((rewards - mean) ** 2, variance)
    assert bounds[0] <= rewards.min() <= rewards.max() <= bounds[1]
    assert np.all(info["regret"] == 0.0)


def test_discrete_law():
    """Values come with their probabilities, an impossible one never; drawn rows are uniform on the simplex."""
    rows = [[0.2, 0.5, 0.3, 0.0], [0.0, 0.0, 0.0, 1.0]]
    env = batch("Bandit-v0", 50_000, law="discrete", values=[-1, 0, 2, 7], probabilities=rows)
    assert env.rules.arms == 2
    assert env.reward_range == (-1.0, 7.0)
    np.testing.assert_allclose(env.arm_values()[0], [0.4, 7.0])
    rewards = env.step(np.zeros(50_000, int))[1]
    values, counts = np.unique(rewards, return_counts=True)
    assert values.tolist() == [-1.0, 0.0, 2.0]
    assert stats.chisquare(counts, 50_000 * np.array([0.2, 0.5, 0.3])).pvalue > 1e-3
    drawn = batch("Bandit-v0", 20_000, law="discrete", arms=2)
    chances = drawn.get_state()["chances"]
    np.testing.assert_allclose(chances.sum(axis=-1), 1.0)
    # a coordinate of a uniform point of the three-cornered simplex has the law beta(1, 2)
    assert stats.kstest(chances[:, 0, 0], stats.beta(1, 2).cdf).pvalue > 1e-3


def test_one_law_an_arm():
    laws = ["bernoulli", "gaussian", "poisson", "discrete"]
    env = batch("Bandit-v0", 40_000, law=laws, means=[0.5, -2.0, 4.0, None], values=[5.0])
    assert env.reward_range == (-math.inf, math.inf)
    actions = np.arange(40_000) % 4
    rewards = env.step(actions)[1]
    for arm, (mean, sd) in enumerate([(0.5, 0.5), (-2.0, 1.0), (4.0, 2.0), (5.0, 0.0)]):
        sample = rewards[actions == arm]
        assert within(sample, mean)
        assert sample.std() == pytest.approx(sd, rel=0.03, abs=1e-9)


def test_reward_range_knows_the_means():
    assert batch("Bandit-v0", 1, law="uniform", width=0.5, means=[0.0, 2.0]).reward_range == (-0.25, 2.25)
    assert batch("Bandit-v0", 1, law="uniform").reward_range == (-0.5, 1.5)
    assert batch("Bandit-v0", 1, law="gaussian", sigma=0.0, means=[1.0, 2.0]).reward_range == (1.0, 2.0)
    assert batch("Bandit-v0", 1, law=["bernoulli", "exponential"]).reward_range == (0.0, math.inf)


WRONG = [
    ("Bandit-v0", {"arms": 0}, "arms=0"),
    ("Bandit-v0", {"law": "bernouli"}, "did you mean bernoulli"),
    ("Bandit-v0", {"law": ["gaussian", "gausian"]}, r"law\[1\].*gaussian"),
    ("Bandit-v0", {"law": 3}, "law=3"),
    ("Bandit-v0", {"means": [0.5, 1.2]}, r"means\[1\]=1.2"),
    ("Bandit-v0", {"means": [math.nan]}, r"means\[0\]=nan"),
    ("Bandit-v0", {"means": 0.5}, "means=0.5"),
    ("Bandit-v0", {"means": []}, "0 arms"),
    ("Bandit-v0", {"means": [0.1, 0.2], "arms": 3}, "arms"),
    ("Bandit-v0", {"law": "beta", "means": [0.0]}, r"means\[0\]=0.0.*\(0, 1\)"),
    ("Bandit-v0", {"law": "discrete", "means": [0.5]}, "follows from its probabilities"),
    ("Bandit-v0", {"law": "discrete", "probabilities": [[0.5, 0.6, 0.1]]}, "sum to 1"),
    ("Bandit-v0", {"law": "discrete", "probabilities": [[1.2, -0.2, 0.0]]}, "1.2"),
    ("Bandit-v0", {"values": [1, 2]}, "values=.*discrete"),
    ("Bandit-v0", {"prior": "gaussian"}, "bernoulli"),
    ("Bandit-v0", {"prior": "uniform", "prior_args": [0.0, 2.0]}, "prior_args"),
    ("Bandit-v0", {"prior": "uniform", "prior_args": [0.8, 0.2]}, "low <= high"),
    ("Bandit-v0", {"prior_args": [0.0, 1.0]}, "need a prior"),
    ("Bandit-v0", {"law": "gaussian", "sigma": -1.0}, "sigma=-1.0"),
    ("Bandit-v0", {"horizon": 2.5}, "horizon=2.5"),
    ("CandyMachines-v0", {"probabilities": [1.2]}, r"probabilities\[0\]=1.2"),
    ("CandyMachines-v0", {"coins": 1, "cost": 2}, "coins=1"),
    ("DriftingBandit-v0", {"drift": -0.1}, "drift=-0.1"),
    ("DriftingBandit-v0", {"drift": math.inf}, "drift=inf"),
    ("SwitchingBandit-v0", {"hazard": 1.2}, "hazard=1.2"),
    ("SwitchingBandit-v0", {"hazard": 0.1, "breakpoints": [3]}, "exclude each other"),
    ("SwitchingBandit-v0", {"breakpoints": [5, 5]}, "increase"),
    ("SwitchingBandit-v0", {"breakpoints": [0]}, r"breakpoints\[0\]=0"),
    ("SwitchingBandit-v0", {"means": [[0.5, 0.5]], "breakpoints": [5]}, "1 rows for 2 segments"),
    ("SwitchingBandit-v0", {"means": [[0.5, 1.5]]}, r"means\[0\]\[1\]=1.5"),
    ("SwitchingBandit-v0", {"arms": 7}, "arms=7"),
    ("ReactiveCandyMachines-v0", {"low": 0.8, "high": 0.2}, "low=0.8"),
    ("ReactiveCandyMachines-v0", {"rise": 1.2}, "rise=1.2"),
    ("RestlessBandit-v0", {"transitions": [[[0.5, 0.6], [0.5, 0.5]]]}, "sum to 1"),
    ("RestlessBandit-v0", {"transitions": [[[0.5, 0.5]]]}, "square"),
    ("RestlessBandit-v0", {"rewards": [[1.0, 2.0]], "arms": 2}, "arms"),
    ("RestlessBandit-v0", {"persistence": 1.2}, "persistence=1.2"),
    ("ContextualBandit-v0", {"payoff": "linaer"}, "did you mean linear"),
    ("ContextualBandit-v0", {"theta": [[1.0], [1.0, 2.0]]}, r"theta\[1\]"),
    ("ContextualBandit-v0", {"theta": [1.0, math.nan], "parameters": "shared"}, "nan"),
    ("ContextualBandit-v0", {"dim": 0}, "dim=0"),
    ("HiddenContextBandit-v0", {"stay": 1.2}, "stay=1.2"),
    ("HiddenContextBandit-v0", {"means": [[0.5, 0.5]], "cues": [[1.0], [1.0]]}, "regimes"),
    ("HiddenContextBandit-v0", {"transitions": [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]}, "square"),
    ("AdversarialBandit-v0", {"adversary": "fools-ucb"}, "did you mean fools_ucb"),
    ("AdversarialBandit-v0", {"table": [[0.5, 1.2]]}, "1.2"),
    ("AdversarialBandit-v0", {"table": [[0.5, 0.2]], "horizon": 3}, "horizon=3"),
    ("AdversarialBandit-v0", {"period": 0}, "period=0"),
    ("AdversarialBandit-v0", {"table": [[0.5, 0.2]], "adversary": "periodic"}, "exclude each other"),
    ("AdversarialBandit-v0", {"adversary": ["periodic"]}, "unknown choice"),
    ("AdversarialBandit-v0", {"period": 2**63}, "period=9223372036854775808 .* at most 9223372036854775807"),
    ("SwitchingBandit-v0", {"breakpoints": [3, 10**30]}, r"breakpoints\[1\]=1000.* at most"),
    ("DriftingBandit-v0", {"drift": 10**400}, "drift=1000.* must be a finite number"),
    ("Bandit-v0", {"law": "gaussian", "means": [10**400]}, r"means\[0\]=1000.* must be a finite number"),
    ("Bandit-v0", {"prior": "uniform", "prior_args": 5}, "prior_args=5 must be a list of numbers$"),
]


@pytest.mark.parametrize(("name", "kwargs", "message"), WRONG)
def test_impossible_options_are_named(name, kwargs, message):
    with pytest.raises(UsageError, match=message) as caught:
        gymnasium.make(f"rlcourse/{name}", **kwargs)
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_are_numbers():
    """Small integers of NumPy overflow where the world counts cells; in the rules they are Python's own."""
    for name, options in (
        ("CandyMachines-v0", {"machines": np.int8(127), "coins": np.uint8(200)}),
        (
            "Bandit-v0",
            {"arms": np.int8(100), "horizon": np.int16(9), "law": "gaussian", "sigma": np.float32(2)},
        ),
    ):
        plain = {
            option: getattr(value, "item", lambda value=value: value)() for option, value in options.items()
        }
        ours, theirs = batch(name, 4, **options), batch(name, 4, **plain)
        for arm in (99, 3):
            np.testing.assert_array_equal(ours.step(np.full(4, arm))[1], theirs.step(np.full(4, arm))[1])


def test_the_truth_that_was_told_does_not_change_with_the_world():
    env = batch("Bandit-v0", 3)
    values, best = env.arm_values(), env.best_values()
    before = values.copy(), best.copy()
    env.reset()
    assert np.array_equal(values, before[0])
    assert np.array_equal(best, before[1])
    assert not np.array_equal(env.best_values(), best)


@pytest.mark.parametrize("name", [name.removeprefix("rlcourse/") for name in BANDITS])
def test_memory_does_not_grow_with_the_horizon(name):
    option = "coins" if "Candy" in name else "horizon"
    sizes = [
        sum(array.nbytes for array in batch(name, 2, **{option: rounds}).get_state().values())
        for rounds in (10, 100_000)
    ]
    assert sizes[0] == sizes[1] < 4000


PROBABILITY = st.floats(0.0, 1.0)
COMMON = {"horizon": st.integers(1, 12)}
OPTIONS = {
    "CandyMachines-v0": {
        "coins": st.integers(3, 12),
        "machines": st.integers(2, 6),
        "cost": st.integers(1, 3),
    },
    "Bandit-v0": COMMON
    | {
        "arms": st.integers(1, 6),
        "law": st.sampled_from(
            ["bernoulli", "gaussian", "uniform", "exponential", "poisson", "beta", "discrete"]
        ),
        "sigma": st.floats(0.0, 10.0),
        "width": st.floats(0.0, 10.0),
        "concentration": st.floats(1e-3, 1e3),
    },
    "DriftingBandit-v0": COMMON
    | {
        "arms": st.integers(1, 6),
        "drift": st.floats(0, 2),
        "sigma": st.floats(0, 2),
        "initial": st.floats(-5, 5),
    },
    "SwitchingBandit-v0": COMMON | {"arms": st.integers(1, 6), "hazard": PROBABILITY},
    "ReactiveCandyMachines-v0": {
        "coins": st.integers(1, 12),
        "machines": st.integers(2, 6),
        "rise": PROBABILITY,
        "fall": PROBABILITY,
        "low": st.floats(0.0, 0.5),
        "high": st.floats(0.5, 1.0),
    },
    "RestlessBandit-v0": COMMON
    | {"arms": st.integers(1, 5), "states": st.integers(1, 5), "persistence": PROBABILITY},
    "ContextualBandit-v0": COMMON
    | {
        "arms": st.integers(1, 5),
        "dim": st.integers(1, 9),
        "payoff": st.sampled_from(["linear", "logistic", "quadratic"]),
        "parameters": st.sampled_from(["shared", "per_arm"]),
        "theta_norm": st.floats(0.01, 1e3),
        "sigma": st.floats(0.0, 2.0),
    },
    "HiddenContextBandit-v0": COMMON
    | {"arms": st.integers(1, 5), "regimes": st.integers(1, 5), "stay": PROBABILITY, "accuracy": PROBABILITY},
    "AdversarialBandit-v0": COMMON
    | {
        "arms": st.integers(1, 5),
        "period": st.integers(1, 5),
        "adversary": st.sampled_from(["switching", "wandering", "periodic", "fools_ucb"]),
    },
}


def test_every_bandit_has_random_options():
    assert {f"rlcourse/{name}" for name in OPTIONS} == set(BANDITS)


@pytest.mark.parametrize("name", OPTIONS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_options(name, data):
    """No option crashes; rewards keep to their range, regret is not negative (but for the adversary's)."""
    kwargs = data.draw(st.fixed_dictionaries(OPTIONS[name]))
    env = gymnasium.make_vec(
        f"rlcourse/{name}", num_envs=3, vectorization_mode="vector_entry_point", **kwargs
    ).unwrapped
    observations, _ = env.reset(seed=data.draw(st.integers(0, 2**70)))
    low, high = env.reward_range
    arms = env.single_action_space.n
    for t in range(15):
        assert observations in env.observation_space
        assert np.isfinite(env.arm_values()).all()
        assert np.isfinite(env.best_values()).all()
        observations, rewards, terminated, _, infos = env.step(np.array([t, t + 1, 2 * t]) % arms)
        assert not terminated.any()
        playing = infos.get("_regret", np.zeros(3, bool))
        assert np.all((low <= rewards) & (rewards <= high) | ~playing)
        if playing.any() and name != "AdversarialBandit-v0":
            assert infos["regret"].min() >= 0.0
