"""The streams: reference values, one tick a number, members that do not disturb each other, independence."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from rlcourse.streams import GAMMA, Streams, mix64, stream_keys

LAWS = {
    "bits": lambda s, shape=(), rows=None: s.bits(shape, rows),
    "uniform": lambda s, shape=(), rows=None: s.uniform(shape, rows),
    "integers": lambda s, shape=(), rows=None: s.integers(10, shape, rows),
    "integers_wide": lambda s, shape=(), rows=None: s.integers(3 * 2**61, shape, rows),
    "normal": lambda s, shape=(), rows=None: s.normal(shape, rows),
    "exponential": lambda s, shape=(), rows=None: s.exponential(shape, rows),
    "gamma": lambda s, shape=(), rows=None: s.gamma(0.7, shape, rows),
    "beta": lambda s, shape=(), rows=None: s.beta(0.8, 3.0, shape, rows),
    "poisson_small": lambda s, shape=(), rows=None: s.poisson(2.5, shape, rows),
    "poisson_large": lambda s, shape=(), rows=None: s.poisson(40.0, shape, rows),
}
every_law = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
MEMBERS = 2000  # enough for every law to try again somewhere


def new(members=MEMBERS, purpose="test"):
    return Streams.from_seeds(range(members), purpose)


def chi_square(counts, expected):
    counts, expected = np.ravel(counts), np.broadcast_to(expected, np.shape(counts)).ravel()
    return stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1)


def test_published_splitmix64_values():
    s = Streams(np.array([1234567], np.uint64))
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    expected += [4593380528125082431, 16408922859458223821]
    assert s.bits(5).tolist() == [expected]
    ticks = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * GAMMA
    assert mix64(ticks).tolist() == expected


@every_law
def test_shape_is_successive_draws_and_one_tick_each(law):
    together, one_by_one = new(), new()
    block = law(together, (2, 3))
    assert block.shape == (MEMBERS, 2, 3)
    singles = [law(one_by_one) for _ in range(6)]
    np.testing.assert_array_equal(block.reshape(MEMBERS, 6), np.stack(singles, axis=1))
    np.testing.assert_array_equal(together.state, one_by_one.state)
    skipped = new()
    skipped.skip(6)
    np.testing.assert_array_equal(together.state, skipped.state)
    skipped.skip(-6)
    np.testing.assert_array_equal(skipped.state, new().state)


@every_law
def test_rows_draw_alone_and_leave_the_others(law):
    full = law(new(), 3)
    mask = np.arange(MEMBERS) % 3 == 1
    for rows in (mask, np.flatnonzero(mask)[::-1]):
        s = new()
        np.testing.assert_array_equal(law(s, 3, rows), full[rows])
        moved = new()
        moved.skip(3, mask)
        np.testing.assert_array_equal(s.state, moved.state)
    nobody = law(new(), (), np.zeros(MEMBERS, bool))
    assert nobody.shape == (0,)


@every_law
def test_member_equals_solo(law):
    batch = new(20)
    draws = np.stack([law(batch), law(batch), law(batch)])
    for k in (0, 7, 19):
        solo = Streams.from_seeds([k], "test")
        np.testing.assert_array_equal([law(solo)[0] for _ in range(3)], draws[:, k])


def test_categorical_rows_and_solo():
    p = np.array([[0.2, 0.3, 0.5], [0.6, 0.0, 0.4]])
    batch = new(2)
    picks = np.stack([batch.categorical(p) for _ in range(200)])
    for k in range(2):
        solo = Streams.from_seeds([k], "test")
        assert picks[:, k].tolist() == [solo.categorical(p[k])[0] for _ in range(200)]
    shared, alone = new(2), new(2)
    np.testing.assert_array_equal(shared.categorical(p[0])[1:], alone.categorical(p[:1], rows=np.array([1])))
    assert alone.state[0] == new(2).state[0]


def test_parameters_broadcast_over_members_and_shape():
    a = np.array([[0.5], [2.0], [30.0]])
    whole = new(3).gamma(a, 4)
    for k in range(3):
        np.testing.assert_array_equal(whole[k], Streams.from_seeds([k], "test").gamma(a[k, 0], 4)[0])
    n = np.array([1, 10, 2**40])
    assert (new(3).integers(n) < n).all()
    with pytest.raises(ValueError, match="parameters of gamma must broadcast"):
        new(3).gamma(np.ones((5, 3)))


def test_state_is_shared_not_copied():
    state = stream_keys([1, 2], "x")
    s = Streams(state)
    other = s.copy()
    s.uniform()
    assert s.state is state
    assert (state != other.state).all()
    for twin in (pickle.loads(pickle.dumps(s)), copy.deepcopy(s), s.copy()):
        np.testing.assert_array_equal(twin.normal(5), Streams(state.copy()).normal(5))
    np.testing.assert_array_equal(s.state, state)
    world = {"state": state, "streams": s}
    twin = copy.deepcopy(world)
    assert twin["streams"].state is twin["state"]


def test_seeds_of_any_size_and_kind():
    np.testing.assert_array_equal(stream_keys(np.arange(5), "x"), stream_keys(range(5), "x"))
    np.testing.assert_array_equal(stream_keys([np.int32(3)], "x"), stream_keys((3,), "x"))
    # Frozen: a change here changes every published number.
    assert [hex(k) for k in stream_keys([0, 1, 2**64 + 1], "a").tolist()] == [
        "0xe1dc0a360cc2d460",
        "0xa196ec96717377c9",
        "0xc987aee121b05430",
    ]
    large = [2**64, 2**64 + 1, 2**65, 2**128, 2**128 + 2**64, 0, 1, 2]
    assert len(set(stream_keys(large, "x").tolist())) == len(large)
    assert stream_keys([], "x").shape == (0,)


@pytest.mark.parametrize(
    ("seeds", "error", "message"),
    [
        ([3, -1], ValueError, "seeds must be >= 0, got -1"),
        (np.array([3, -2]), ValueError, "seeds must be >= 0, got -2"),
        ([0.5], TypeError, "seeds must be integers, got 0.5"),
        (np.array([0.5]), TypeError, "seeds must be integers"),
        ([True], TypeError, "seeds must be integers, got True"),
        (["1"], TypeError, "seeds must be integers, got '1'"),
        (5, TypeError, "seeds must be a sequence of integers, got 5"),
        ("12", TypeError, "seeds must be a sequence of integers, got '12'"),
        (np.zeros((2, 2), int), ValueError, "seeds must be one-dimensional"),
    ],
)
def test_bad_seeds(seeds, error, message):
    with pytest.raises(error, match=message):
        stream_keys(seeds, "x")


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda s: s.integers(0), ValueError, r"n must be in \[1, 2\*\*63\], got 0"),
        (lambda s: s.integers(np.array([3, 0])), ValueError, "n must be in"),
        (lambda s: s.integers(2**63 + 1), ValueError, "n must be in"),
        (lambda s: s.integers(2.5), TypeError, "n must be integers, got float64"),
        (lambda s: s.gamma(0.0), ValueError, "a must be in"),
        (lambda s: s.gamma(np.inf), ValueError, "a must be in"),
        (lambda s: s.beta(1.0, [1.0, np.nan]), ValueError, "b must be in"),
        (lambda s: s.poisson(-1.0), ValueError, "lam must be in"),
        (lambda s: s.poisson(np.nan), ValueError, "lam must be in"),
        (lambda s: s.categorical([0.5, -0.5]), ValueError, "p must hold probabilities"),
        (lambda s: s.categorical([0.5, np.nan]), ValueError, "p must hold probabilities"),
        (lambda s: s.categorical([0.0, 0.0]), ValueError, "p must have a positive"),
        (lambda s: s.categorical([]), ValueError, "p must hold probabilities"),
        (lambda s: s.uniform(rows=np.array([True])), ValueError, "rows must be a mask of shape"),
        (lambda s: Streams(np.zeros(2)), TypeError, "state must be a writeable uint64 array"),
        (lambda s: Streams(np.zeros((2, 2), np.uint64)), ValueError, "state must be one-dimensional"),
    ],
)
def test_bad_arguments(draw, error, message):
    s = new(2)
    before = s.state.copy()
    with pytest.raises(error, match=message):
        draw(s)
    np.testing.assert_array_equal(s.state, before)


@pytest.mark.parametrize(
    "streams",
    [
        pytest.param(lambda: new(100_000).bits(4), id="neighbouring seeds"),
        pytest.param(lambda: Streams.from_seeds([3], "x").bits(400_000).reshape(-1, 4), id="one stream"),
        pytest.param(
            lambda: np.stack([new(100_000, p).bits() for p in ("a", "b", "agent", "noise")], axis=1),
            id="purposes",
        ),
        pytest.param(lambda: stream_keys(np.arange(400_000) * 2**20, "x").reshape(-1, 4), id="keys"),
    ],
)
def test_words_are_independent_of_their_neighbours(streams):
    words = streams()  # [n, 4]: neighbours along both axes
    n = len(words)
    bits = np.unpackbits(words.view(np.uint8), axis=None).reshape(-1, 64)
    balance = (bits.mean(axis=0) - 0.5) * 2 * np.sqrt(len(bits))
    assert abs(balance).max() < 5.0
    pairs = [(words[:, i], words[:, j]) for i in range(4) for j in range(i)] + [(words[:-1, 0], words[1:, 0])]
    for left, right in pairs:
        flips = np.unpackbits((left ^ right).view(np.uint8)).reshape(-1, 64).mean(axis=0)
        assert abs((flips - 0.5) * 2 * np.sqrt(len(left))).max() < 5.0
        assert abs(np.corrcoef(left / 2.0**64, right / 2.0**64)[0, 1]) < 5.0 / np.sqrt(n)
        for shift in (59, 0):  # the top five bits, the lowest five
            cell = (left >> np.uint64(shift) & np.uint64(31)) * np.uint64(32)
            cell += right >> np.uint64(shift) & np.uint64(31)
            assert 1e-5 < chi_square(np.bincount(cell, minlength=1024), len(left) / 1024) < 1 - 1e-5


def test_normals_of_neighbours_are_independent():
    x = new(100_000).normal(4)
    assert abs(np.corrcoef(x, rowvar=False) - np.eye(4)).max() < 5 / np.sqrt(len(x))
    assert abs(np.corrcoef(abs(x), rowvar=False) - np.eye(4)).max() < 5 / np.sqrt(len(x))
    assert abs(np.corrcoef(x[:-1, 0], x[1:, 0])[0, 1]) < 5 / np.sqrt(len(x))


@pytest.mark.parametrize("n", [2, 7, 3 * 2**30, 2**32, 2**32 + 1, 3 * 2**61, 2**63])
def test_integers_are_unbiased(n):
    x = new(50_000).integers(n, 4).ravel()
    assert x.min() >= 0
    assert x.max() <= n - 1
    cells = min(n, 96)
    edges = [-(-k * n // cells) for k in range(cells + 1)]
    counts = np.histogram(x.astype(np.float64), np.array(edges, np.float64))[0]
    expected = len(x) * np.diff(np.array(edges, dtype=object)).astype(float) / n
    assert chi_square(counts, expected) > 1e-4
    # Modulo bias would favour a half of the range, or odd or even integers.
    if n % 2 == 0:
        assert stats.binomtest(int((x & 1).sum()), len(x)).pvalue > 1e-4


def test_uniform_and_categorical():
    u = new(100_000).uniform(4).ravel()
    assert u.min() >= 0.0
    assert u.max() < 1.0
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert (u * 2**53 == np.floor(u * 2**53)).all()
    p = np.array([0.0, 0.1, 0.0, 0.35, 0.55, 0.0])
    counts = np.bincount(new(100_000).categorical(p), minlength=6)
    assert (counts[p == 0] == 0).all()
    assert chi_square(counts[p > 0], 100_000 * p[p > 0]) > 1e-3


@pytest.mark.parametrize("factor", [1.0, 0.1, 1.0 + 2.0**-52, 3.0, 1e-300, 5e-324])
def test_categorical_at_the_edges_of_the_uniform(factor, monkeypatch):
    p = np.array([0.0, 1.0, 0.0, 1.0, 0.0]) * factor
    for u, expected in ((0.0, 1), (1.0 - 2.0**-53, 3)):
        monkeypatch.setattr(Streams, "uniform", lambda self, u=u, rows=None: np.array([u]))
        assert new(1).categorical(p)[0] == expected
        assert new(1).categorical(p[None])[0] == expected


def test_import_is_light():
    code = "import sys, rlcourse.streams; print([m for m in ('numba', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
