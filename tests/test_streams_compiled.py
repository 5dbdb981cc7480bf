"""The compiled laws: the same bits as `Streams`, and the right distributions."""

import itertools

import numpy as np
import pytest
from numba import njit
from scipy import stats

from rlcourse import streams
from rlcourse import streams_compiled as compiled
from rlcourse.streams import GAMMA, RETRY, Streams, mix64

MEMBERS = 5000
P = np.array([0.0, 0.2, 0.0, 0.5, 0.3, 0.0])


def new(members=MEMBERS):
    return Streams.from_seeds(range(members), "compiled")


@njit
def one_of_each(state, i, a, b, lam, n, p, real, whole):
    real[i, 0] = compiled.next_uniform(state, i)
    real[i, 1] = compiled.next_normal(state, i)
    real[i, 2] = compiled.next_exponential(state, i)
    real[i, 3] = compiled.next_gamma(state, i, a[i])
    real[i, 4] = compiled.next_beta(state, i, a[i], b[i])
    whole[i, 0] = np.int64(compiled.next_bits(state, i))
    whole[i, 1] = compiled.next_integer(state, i, n[i])
    whole[i, 2] = compiled.next_integer(state, i, 6)
    whole[i, 3] = compiled.next_poisson(state, i, lam[i])
    whole[i, 4] = compiled.next_categorical(state, i, p)


@njit
def all_of_each(state, a, b, lam, n, p, real, whole):
    for i in range(len(state)):
        one_of_each(state, i, a, b, lam, n, p, real, whole)


def test_numpy_and_numba_give_the_same_bits():
    spread = np.random.default_rng(0)
    a, b = np.exp(spread.normal(0, 3, (2, MEMBERS)))
    lam = np.exp(spread.normal(2, 3, MEMBERS))
    n = (2.0 ** spread.uniform(0, 62.9, MEMBERS)).astype(np.int64)
    looped, drawn = new(), new()
    real, whole = np.empty((MEMBERS, 5)), np.empty((MEMBERS, 5), np.int64)
    all_of_each(looped.state, a, b, lam, n, P, real, whole)
    expected = [drawn.uniform(), drawn.normal(), drawn.exponential(), drawn.gamma(a), drawn.beta(a, b)]
    np.testing.assert_array_equal(real, np.stack(expected, axis=1))
    expected = [drawn.bits().view(np.int64), drawn.integers(n), drawn.integers(6)]
    expected += [drawn.poisson(lam), drawn.categorical(P)]
    np.testing.assert_array_equal(whole, np.stack(expected, axis=1))
    np.testing.assert_array_equal(looped.state, drawn.state)


@pytest.mark.parametrize("members", [2, 3, 200])
@pytest.mark.parametrize("law", ["uniform", "integers", "integers of rows"])
def test_the_compiled_passes_give_the_bits_of_numpy(law, members, monkeypatch):
    rows = np.arange(members)[::-2]

    def draw(stream):
        if law == "uniform":
            return np.stack([stream.uniform() for _ in range(5)])
        return np.stack([stream.integers(3 * 2**61, rows=rows if "rows" in law else None) for _ in range(5)])

    fast, slow = new(members), new(members)
    quick = draw(fast)
    monkeypatch.setattr(streams, "loops", None)
    np.testing.assert_array_equal(quick, draw(slow))
    np.testing.assert_array_equal(fast.state, slow.state)


def integer_by_definition(tick, n):
    """Lemire's method with Python's unbounded integers, a quarter of the words rejected at n = 3 * 2**61."""
    words = (int(mix64((tick + k * RETRY) % 2**64)) for k in itertools.count())
    return next(word * n >> 64 for word in words if word * n % 2**64 >= 2**64 % n)


@pytest.mark.parametrize("n", [3 * 2**61, 2**62 + 2**61 + 12345, 2**63 - 1, 10])
def test_integers_follow_their_definition(n):
    expected = [integer_by_definition((state + int(GAMMA)) % 2**64, n) for state in new(500).state.tolist()]
    np.testing.assert_array_equal(new(500).integers(n), expected)
    np.testing.assert_array_equal(new(500).integers(np.full(500, n)), expected)
    solo = [Streams.from_seeds([k], "compiled").integers(n)[0] for k in range(500)]
    np.testing.assert_array_equal(solo, expected)
    state = new(500).state
    np.testing.assert_array_equal([compiled.next_integer(state, i, n) for i in range(500)], expected)


@pytest.mark.parametrize("factor", [1.0, 0.1, 1.0 + 2.0**-52, 3.0, 1e-300])
def test_categorical_never_gives_probability_zero(factor):
    last_uniform = np.uint64(2**64 - 1)  # invert the hash, to reach the largest uniform below 1
    tick = unmix64(int(last_uniform))
    p = np.array([0.0, 1.0, 0.0, 1.0, 0.0]) * factor
    assert compiled.uniform_at(np.uint64(tick)) == 1.0 - 2.0**-53
    assert compiled.categorical_at(np.uint64(tick), p) == 3
    assert compiled.categorical_at(np.uint64(0), p) == 1  # the hash of 0 is 0
    before = np.array([(tick - int(GAMMA)) % 2**64], np.uint64)
    assert Streams(before).categorical(p).tolist() == [3]


def unmix64(z):
    """The inverse of `mix64`."""
    z ^= z >> 31 ^ z >> 62
    z = z * pow(0x94D049BB133111EB, -1, 2**64) % 2**64
    z ^= z >> 27 ^ z >> 54
    z = z * pow(0xBF58476D1CE4E5B9, -1, 2**64) % 2**64
    return z ^ z >> 30 ^ z >> 60


def assert_follows(x, law, cells=200):
    """Chi-square in cells of equal probability, and Kolmogorov-Smirnov, which sees a shift of all of them."""
    edges = np.unique(law.ppf(np.linspace(0, 1, cells + 1)[1:-1]))
    probability = np.diff(law.cdf(edges), prepend=0.0, append=1.0)
    counts = np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1)
    used = probability > 5.0 / len(x)
    statistic = ((counts - len(x) * probability)[used] ** 2 / (len(x) * probability[used])).sum()
    assert stats.chi2.sf(statistic, used.sum() - 1) > 1e-4
    difference = counts.cumsum() / len(x) - probability.cumsum()
    assert abs(difference).max() < 2.2 / np.sqrt(len(x))  # p = 1e-4 for a continuous law


def assert_moments(x, mean, variance, kurtosis):
    """Mean and variance to five standard errors; `kurtosis` is the excess one."""
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / x.size)
    assert abs(x.var() - variance) < 5 * variance * np.sqrt((kurtosis + 2) / x.size)


def check(x, law):
    mean, variance, _, kurtosis = law.stats(moments="mvsk")
    assert_moments(x, mean, variance, kurtosis)
    assert_follows(x, law)


def test_normal_and_exponential():
    x = new(100_000).normal(10).ravel()
    check(x, stats.norm())
    # Wedge and tail of the ziggurat: where its layers begin and end, and beyond its edge at 3.654.
    edges = compiled._X[1:-1]
    law = stats.norm()
    probability = np.diff(2 * law.cdf(np.sort(edges)) - 1, prepend=0.0, append=1.0)
    counts = np.bincount(np.searchsorted(np.sort(edges), abs(x)), minlength=256)
    assert stats.chi2.sf(((counts - 1e6 * probability) ** 2 / (1e6 * probability)).sum(), 255) > 1e-4
    tail = np.array([compiled._normal_outside(t, np.uint64(0), -4.0) for t in new(30_000).state])
    assert stats.kstest(law.cdf(tail) / law.cdf(-compiled._TAIL), "uniform").pvalue > 1e-3
    check(new(100_000).exponential(10).ravel(), stats.expon())


@pytest.mark.parametrize("a", [0.05, 0.5, 0.999, 1.0, 1.5, 7.0, 1e3, 1e7])
def test_gamma(a):
    check(new(100_000).gamma(a, 3).ravel(), stats.gamma(a))


@pytest.mark.parametrize(
    ("a", "b"), [(1, 1), (0.5, 0.5), (0.2, 3), (3, 0.2), (1, 5), (2, 5), (800, 30), (1e5, 2e5)]
)
def test_beta(a, b):
    check(new(100_000).beta(a, b, 3).ravel(), stats.beta(a, b))


def test_beta_where_its_gammas_underflow():
    """Tiny parameters: nearly all mass at 0 and 1, in the proportion b to a, and never NaN."""
    for a, b in ((1e-3, 2e-3), (1e-8, 3e-8), (1e-60, 1e-60), (1e-310, 2e-310)):
        x = new(100_000).beta(a, b)
        assert abs((x > 0.5).mean() - a / (a + b)) < 0.01
    x = new(100_000).beta(0.01, 0.02)
    for t in (1e-200, 1e-50, 1e-6, 0.5, 1 - 1e-6):
        assert stats.binomtest(int((x <= t).sum()), len(x), stats.beta(0.01, 0.02).cdf(t)).pvalue > 1e-4
    x = new(100_000).gamma(1e-3)
    for t in (1e-300, 1e-50, 1e-6, 0.5):
        assert stats.binomtest(int((x <= t).sum()), len(x), stats.gamma(1e-3).cdf(t)).pvalue > 1e-4
    extreme = np.array([5e-324, 1e-308, 1.0, 1e300])
    grid = new(16).beta(np.repeat(extreme, 4), np.tile(extreme, 4))
    assert ((grid >= 0) & (grid <= 1)).all()


@pytest.mark.parametrize("lam", [0.05, 1.0, 9.9, 10.0, 12.5, 30.0, 1e3, 1e6])
def test_poisson(lam):
    check(new(100_000).poisson(lam, 3).ravel(), stats.poisson(lam))


@pytest.mark.parametrize("lam", [1e9, 1e15, 2.0**62])
def test_poisson_of_huge_means(lam):
    z = (new(100_000).poisson(lam) - lam) / np.sqrt(lam)  # normal, but for a skewness of lam**-0.5
    check(z, stats.norm())


def test_parameters_out_of_range_end_without_a_check():
    s = new(4)
    wrong = np.array([np.nan, 0.0, -1.0, np.inf])
    assert np.isnan(s.gamma(wrong, check=False)).all()
    assert np.isnan(s.beta(wrong, 1.0, check=False)).all()
    assert np.isnan(s.beta(1.0, wrong, check=False)).all()
    assert s.poisson(wrong, check=False).tolist() == [-1, 0, -1, -1]
