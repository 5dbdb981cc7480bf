"""Datasets: nothing leaks from part to part, and every member sees every row in an order of its own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from rlcourse.errors import UsageError
from rlcourse.nn.data import Dataset, batches, bootstrap, count_steps, split
from rlcourse.nn.scaling import Normalise
from rlcourse.streams import Streams

RNG = np.random.default_rng(0)


def numbered(n: int, classes: Any = 3) -> Dataset:
    """Every input says its own row; classes of very different size."""
    y = np.minimum(RNG.geometric(0.5, n) - 1, classes - 1)
    return Dataset(np.arange(n)[:, None], y)


def rows_of(part: Dataset) -> list[int]:
    return [int(row) for row in part.x[:, 0]]


@pytest.mark.parametrize("shares", [(0.7, 0.15, 0.15), (0.5, 0.5), (1.0,)])
@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize("n", [23, 400])
def test_parts_are_apart_whole_and_of_the_right_size(
    shares: tuple[float, ...], stratify: bool, n: int
) -> None:
    data = numbered(n)
    parts = split(data, *shares, stratify=stratify, seed=3)
    assert sorted(row for part in parts for row in rows_of(part)) == list(range(n))
    for share, part in zip(shares, parts, strict=True):
        assert abs(len(part) - share * n) < 1.0
        np.testing.assert_array_equal(part.y, data.y[part.x[:, 0]])


def test_stratified_parts_have_their_share_of_every_class() -> None:
    data = numbered(600, 5)
    shares = (0.7, 0.15, 0.15)
    total = Counter(data.y.tolist())
    for seed in range(20):
        for share, part in zip(shares, split(data, *shares, stratify=True, seed=seed), strict=True):
            for label, count in Counter(part.y.tolist()).items():
                assert abs(count - share * total[label]) < 2.0


def test_a_split_is_its_seeds() -> None:
    data = numbered(50)
    first = [rows_of(part) for part in split(data, 0.8, 0.2, seed=1)]
    assert first == [rows_of(part) for part in split(data, 0.8, 0.2, seed=1)]
    assert first != [rows_of(part) for part in split(data, 0.8, 0.2, seed=2)]
    chosen = Counter(row for seed in range(2000) for row in rows_of(split(data, 0.8, 0.2, seed=seed)[1]))
    expected = 2000 * 0.2  # every row is as likely as any other to be tested: 4.5 standard deviations
    assert max(abs(chosen[row] - expected) for row in range(50)) < 4.5 * np.sqrt(2000 * 0.2 * 0.8)


def test_groups_stay_together() -> None:
    n = 300
    groups = RNG.integers(40, size=n)
    for seed in range(10):
        parts = split(numbered(n), 0.6, 0.2, 0.2, groups=groups, seed=seed)
        held = [set(groups[rows_of(part)].tolist()) for part in parts]
        assert sum(map(len, held)) == len(set(groups.tolist()))
        assert sum(map(len, parts)) == n
        assert abs(len(parts[0]) - 0.6 * n) < 20  # to within the largest groups


def test_equal_inputs_stay_together() -> None:
    x = RNG.integers(6, size=(200, 2))  # 36 different ones, each several times
    train, test = split(Dataset(x, np.zeros(200)), 0.8, 0.2, groups="duplicates")
    assert not {tuple(row) for row in train.x.tolist()} & {tuple(row) for row in test.x.tolist()}
    leaking = split(Dataset(x, np.zeros(200)), 0.8, 0.2)
    assert {tuple(row) for row in leaking[0].x.tolist()} & {tuple(row) for row in leaking[1].x.tolist()}


def test_groups_of_one_class_can_be_stratified() -> None:
    groups = np.repeat(np.arange(60), 5)
    labels = (groups % 3 == 0).astype(int)
    train, test = split(Dataset(np.arange(300)[:, None], labels), 0.8, 0.2, groups=groups, stratify=True)
    assert test.y.mean() == pytest.approx(1 / 3, abs=0.06)
    assert not set(groups[rows_of(train)]) & set(groups[rows_of(test)])
    with pytest.raises(UsageError, match="of one class"):
        split(
            Dataset(np.arange(4)[:, None], [0, 1, 0, 1]),
            0.5,
            0.5,
            groups=["a", "a", "b", "b"],
            stratify=True,
        )


def test_an_epoch_is_every_row_once_in_the_members_own_order() -> None:
    streams = Streams.from_seeds(range(4), "t")
    epoch = np.concatenate(list(batches(10, 3, streams)), axis=1)
    np.testing.assert_array_equal(np.sort(epoch, axis=1), np.tile(np.arange(10), (4, 1)))
    assert len({tuple(order) for order in epoch.tolist()}) == 4
    again = np.concatenate(list(batches(10, 3, streams)), axis=1)
    assert (again != epoch).any(axis=1).all()
    alone = Streams.from_seeds([2], "t")
    for order in (epoch, again):
        np.testing.assert_array_equal(np.concatenate(list(batches(10, 3, alone)), axis=1)[0], order[2])
    assert [rows.shape for rows in batches(10, 3, streams)] == [(4, 3)] * 3 + [(4, 1)]
    assert [rows.tolist() for rows in batches(3, None, alone)] == [[[0, 1, 2]]]
    assert count_steps(10, 3, 5) == 20
    assert count_steps(10, None, 5) == 5


def test_members_with_data_of_their_own() -> None:
    x, y = RNG.normal(size=(3, 8, 2)), RNG.integers(4, size=(3, 8))
    data = Dataset(x, y, weight=RNG.random((3, 8)), members=3)
    assert (len(data), data.shape) == (8, (2,))
    rows = np.array([[0, 7], [1, 1], [5, 2]])
    gathered, targets, weight = data.gather(rows)
    assert weight is not None
    for k in range(3):
        np.testing.assert_array_equal(gathered[k], x[k, rows[k]].astype(np.float32))
        np.testing.assert_array_equal(targets[k], y[k, rows[k]])
    train, test = split(data, 0.5, 0.5)
    assert (train.members, len(train), len(test)) == (3, 4, 4)


def test_a_bootstrap_draws_for_each_member() -> None:
    drawn = bootstrap(numbered(1000), Streams.from_seeds(range(5), "t"))
    assert (drawn.members, len(drawn)) == (5, 1000)
    for k in range(5):  # the share of different rows is 1 - 1/e
        assert len(np.unique(drawn.x[k])) / 1000 == pytest.approx(1 - np.exp(-1), abs=0.04)
    assert (drawn.x[0] != drawn.x[1]).any()


@pytest.mark.parametrize(("kind", "library"), [("standard", StandardScaler()), ("range", MinMaxScaler())])
def test_normalisation_is_that_of_the_training_part(kind: str, library: Any) -> None:
    x = RNG.normal(3.0, 5.0, (60, 4))
    x[:, 2] = 7.0  # never changes
    train, test = split(Dataset(x, np.zeros(60)), 0.5, 0.5)
    test.x[:] += 100.0
    layer = Normalise.fitted(train, 2, kind=kind)
    library.fit(train.x)
    for part in (train, test):
        ours = layer(torch.from_numpy(part.x).expand(2, -1, -1))
        for k in range(2):
            np.testing.assert_allclose(ours[k], library.transform(part.x), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(layer.member(1)(torch.from_numpy(part.x)), ours[1])


def test_normalisation_by_channel_and_by_member() -> None:
    x = RNG.normal(size=(2, 30, 3, 5, 5)) * np.array([1.0, 4.0, 9.0])[:, None, None] + 2.0
    x[1] *= 3.0
    data = Dataset(x, np.zeros((2, 30)), members=2)
    layer = Normalise.fitted(data, 2, axes=(1, 2))
    assert layer.shift.shape == (2, 1, 3, 1, 1)
    y = layer(torch.from_numpy(data.x))
    assert y.mean((1, 3, 4)).abs().max() < 1e-5
    assert (y.std((1, 3, 4)) - 1).abs().max() < 1e-2
    with pytest.raises(UsageError, match="2 members for a stack of 3"):
        Normalise.fitted(data, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[1.0], [2.0]], [1.0]), "the same rows"),
        (([], []), "at least one row"),
        (([[np.nan]], [0]), "not finite"),
        ((["a"], [0]), "must be numbers"),
        (([[1.0]], [0], [-1.0]), "at least 0"),
        (([[1.0]], [[0]], None, 2), "members=2"),
        (([[[1.0]]], [[0]], None, "a"), "members='a'"),
        (([[1, 2], [3]], [0, 1]), "rows are of different length"),
        (([[1e300]], [0]), r"x holds numbers that float32 has no room for, beyond 3.4e\+38"),
        (([[-1e39]], [0]), "float32 has no room"),
        (([[1.0]], [1e39]), "y holds numbers that float32 has no room for"),
        (([[1.0]], np.array([2**64 - 1], np.uint64)), "y holds whole numbers that int64 has no room for"),
    ],
)
def test_data_that_are_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Dataset(*arguments)


@pytest.mark.parametrize(
    ("shares", "options", "words"),
    [
        ((0.5, 0.4), {}, "must sum to 1"),
        ((), {}, "must sum to 1"),
        ((1.5, -0.5), {}, "shares"),
        ((0.99, 0.01), {}, "10 rows are too few"),
        ((0.5, 0.5), {"groups": np.zeros(10)}, "1 groups of 10 rows"),
        ((0.5, 0.5), {"groups": "dups"}, "duplicates"),
        ((0.5, 0.5), {"stratify": [1, 2]}, "one for each of 10 rows"),
    ],
)
def test_splits_that_are_refused(shares: tuple[float, ...], options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        split(numbered(10), *shares, **options)
