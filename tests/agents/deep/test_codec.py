"""Observations as rows and as features, against what is written out by hand."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rlcourse.agents.deep.codec import UNSEEN, Codec
from rlcourse.errors import UsageError


def features(codec: Codec, rows: NDArray[Any]) -> list[Any]:
    return codec.features(torch.from_numpy(np.ascontiguousarray(rows))).tolist()


CASES: list[tuple[spaces.Space[Any], Any, Any, list[float], list[float]]] = [
    # space, observation, dtype of the row, row, features
    (spaces.Discrete(3), 2, np.int32, [2], [0, 0, 1]),
    (spaces.Discrete(3, start=-5), -4, np.int32, [1], [0, 1, 0]),
    (spaces.MultiDiscrete([2, 3]), [1, 0], np.int32, [1, 0], [0, 1, 1, 0, 0]),
    (spaces.MultiDiscrete([2, 3], start=[4, -1]), [4, 1], np.int32, [0, 2], [1, 0, 0, 0, 1]),
    (
        spaces.MultiDiscrete([[2, 1], [1, 2]], start=[[0, 3], [5, 7]]),
        [[1, 3], [5, 8]],
        np.int32,
        [1, 0, 0, 1],
        [0, 1, 1, 1, 0, 1],
    ),
    (spaces.MultiBinary(3), [1, 0, 1], np.int8, [1, 0, 1], [1, 0, 1]),
    (spaces.MultiBinary([2, 2]), [[1, 0], [0, 1]], np.int8, [1, 0, 0, 1], [1, 0, 0, 1]),
    (spaces.Box(-3.0, 9.0, (2,)), [0.5, -2.0], np.float32, [0.5, -2.0], [0.5, -2.0]),
    (spaces.Box(-np.inf, np.inf, (2,), np.float64), [1e3, -2.0], np.float32, [1e3, -2.0], [1e3, -2.0]),
    (spaces.Box(0.0, 1.0, ()), 0.25, np.float32, [0.25], [0.25]),
    (
        spaces.Box(0.0, 1.0, (2, 2)),
        [[0.0, 0.5], [0.25, 1.0]],
        np.float32,
        [0, 0.5, 0.25, 1],
        [0, 0.5, 0.25, 1],
    ),
    (spaces.Box(0, 255, (2,), np.uint8), [255, 51], np.uint8, [255, 51], [1, 0.2]),
    (spaces.Box(0, 1, (2,), np.uint8), [1, 0], np.uint8, [1, 0], [1, 0]),
    (spaces.Box(-10, 30, (3,), np.int16), [-10, 0, 30], np.int16, [-10, 0, 30], [0, 0.25, 1]),
    (spaces.Box(0, 2**16 - 1, (1,), np.uint16), [13107], np.uint16, [13107], [0.2]),
    # a range that says what the numbers could be, not what they are
    (spaces.Box(0, 2**40, (1,), np.int64), [7], np.float32, [7], [7]),
    (spaces.Box(-np.inf, np.inf, (2,), np.int64), [5, -7], np.float32, [5, -7], [5, -7]),
    (spaces.Box(-(2**31), 2**31 - 1, (2,), np.int32), [5, -7], np.int32, [5, -7], [5, -7]),
    (spaces.Box(0, np.inf, (1,), np.int32), [3], np.int32, [3], [3]),
    # ranges of their own; one of them is a wide one, another none
    (
        spaces.Box(np.array([0, 0, -5, 0, 3]), np.array([1, 1000, 5, 2**40, 3]), dtype=np.int64),
        [1, 10, 0, 9, 3],
        np.float32,
        [1, 10, 0, 9, 3],
        [1, 0.01, 0.5, 9, 3],
    ),
    (
        spaces.Tuple(
            (spaces.Box(np.array([[0], [0]]), np.array([[4], [8]]), dtype=np.int8), spaces.Discrete(2))
        ),
        ([[1], [1]], 1),
        np.int32,
        [1, 1, 1],
        [0.25, 0.125, 0, 1],
    ),
    (
        spaces.Tuple((spaces.Discrete(2), spaces.MultiBinary(1))),
        (1, [1]),
        np.int32,
        [1, 1],
        [0, 1, 1],
    ),
    (
        spaces.Dict({"b": spaces.Box(0, 4, (1,), np.uint8), "a": spaces.Discrete(2, start=1)}),  # by name
        {"b": [1], "a": 2},
        np.int32,
        [1, 1],
        [0, 1, 0.25],
    ),
    (
        spaces.Dict(
            {
                "inner": spaces.Tuple((spaces.Box(0.0, 1.0, (2,)), spaces.Dict({"n": spaces.Discrete(2)}))),
                "pixels": spaces.Box(0, 255, (1, 2, 1), np.uint8),
            }
        ),
        {"inner": ([0.5, 1.0], {"n": 0}), "pixels": [[[0], [255]]]},
        np.float32,
        [0.5, 1.0, 0, 0, 255],
        [0.5, 1.0, 1, 0, 0, 1],
    ),
]


def batch_of(space: spaces.Space[Any], observation: Any) -> Any:
    """The observation as a batch of one."""
    if isinstance(space, spaces.Dict):
        return {key: batch_of(inner, observation[key]) for key, inner in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(batch_of(inner, part) for inner, part in zip(space.spaces, observation, strict=True))
    return np.asarray(observation, space.dtype)[None]


@pytest.mark.parametrize(
    ("space", "observation", "dtype", "row", "expected"), CASES, ids=lambda v: str(v)[:40]
)
def test_rows_and_features(space: Any, observation: Any, dtype: Any, row: Any, expected: Any) -> None:
    codec = Codec(space)
    rows = codec.read(batch_of(space, observation))
    assert rows.dtype == codec.dtype == dtype
    assert rows.shape == (1, *codec.row_shape) == (1, len(row))
    np.testing.assert_array_equal(rows[0], row)
    assert features(codec, rows) == [pytest.approx(expected)]
    assert codec.n_features == len(expected)
    assert codec.n_indices == (space.n if isinstance(space, spaces.Discrete) else None)
    # before anything was seen: no number out of n, zero of all else
    unseen = codec.unseen((2,))
    assert unseen.shape == (2, *codec.row_shape)
    for part in codec.parts:
        these = unseen[0, part.start : part.start + part.width]
        np.testing.assert_array_equal(these, UNSEEN if part.n else 0)


@pytest.mark.parametrize("channels_last", [True, False])
def test_channels_of_a_picture_with_ranges_of_their_own(channels_last: bool) -> None:
    high = np.broadcast_to(np.array([1, 10, 200]).reshape(3, 1, 1), (3, 4, 5))
    picture = high // 2
    if channels_last:
        high, picture = np.moveaxis(high, 0, -1), np.moveaxis(picture, 0, -1)
    codec = Codec(spaces.Box(np.zeros_like(high), high, dtype=np.int16), frames=2)
    rows = codec.follow(codec.follow(None, codec.read(picture[None])), codec.read(picture[None]))
    found = np.array(features(codec, rows))
    assert found.shape == (1, 6, 4, 5)
    for channel, expected in enumerate([0.0, 0.5, 0.5, 0.0, 0.5, 0.5]):
        np.testing.assert_allclose(found[0, channel], expected, rtol=1e-6)


def test_frames_of_numbers_out_of_n() -> None:
    codec = Codec(spaces.Discrete(2, start=7), frames=3)
    assert codec.row_shape == (3,)
    assert codec.n_indices is None
    rows = codec.follow(None, codec.read(np.array([7, 8])))
    assert rows.tolist() == [[UNSEEN, UNSEEN, 0], [UNSEEN, UNSEEN, 1]]
    assert features(codec, rows) == [[0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]]
    rows = codec.follow(rows, codec.read(np.array([8, 8])))
    assert rows.tolist() == [[UNSEEN, 0, 1], [UNSEEN, 1, 1]]
    before = rows.copy()
    begun = codec.follow(rows, codec.read(np.array([7, 7])), np.array([True, False]))
    assert begun.tolist() == [[UNSEEN, UNSEEN, 0], [1, 1, 0]]
    np.testing.assert_array_equal(rows, before)  # it is still what was seen before


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_images(last: bool, dtype: Any) -> None:
    """Channels first in the end, the oldest frame first among them, in the dtype of the world."""
    draw = np.random.default_rng(0)
    shape = (5, 4, 3) if last else (3, 5, 4)
    space = spaces.Box(0, 255, shape, dtype)
    codec = Codec(space, frames=2)
    assert codec.is_image
    assert codec.image_shape == (6, 5, 4)
    seen = draw.integers(0, 256, (2, 7, *shape)).astype(dtype)  # two steps of seven copies
    rows = codec.follow(None, codec.read(seen[0]))
    rows = codec.follow(rows, codec.read(seen[1]))
    first = seen.transpose(0, 1, 4, 2, 3) if last else seen
    np.testing.assert_array_equal(rows, np.concatenate([first[0], first[1]], axis=1))
    assert rows.dtype == dtype
    scale = 1.0 if dtype is np.float32 else 255.0
    expected = rows.astype(np.float32) / scale
    np.testing.assert_allclose(codec.features(torch.from_numpy(rows)), expected, rtol=1e-6)
    fresh = np.arange(7) == 2
    rows = codec.follow(rows, codec.read(seen[0]), fresh)
    assert not rows[2, :3].any()
    np.testing.assert_array_equal(rows[3, :3], first[1, 3])


def test_an_image_of_another_dtype_than_the_space_says_becomes_that() -> None:
    codec = Codec(spaces.Box(0, 255, (3, 8, 8), np.uint8))
    assert codec.read(np.full((2, 3, 8, 8), 7, np.int64)).dtype == np.uint8


def test_a_single_image_within_a_dictionary_is_one() -> None:
    codec = Codec(spaces.Dict({"image": spaces.Box(0, 1, (2, 5, 5), np.uint8)}))
    assert codec.is_image
    assert codec.read({"image": np.ones((4, 2, 5, 5), np.uint8)}).shape == (4, 2, 5, 5)


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(1, 4), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_rows_are_the_last_frames_of_the_episode(begins: list[bool], frames: int, seed: int) -> None:
    """Against a list that is cut where an episode begins."""
    codec = Codec(spaces.Box(-9.0, 9.0, (2,)), frames)
    seen = np.random.default_rng(seed).normal(size=(len(begins), 1, 2)).astype(np.float32)
    episode: list[NDArray[np.float32]] = []
    rows = None
    for frame, begin in zip(seen, begins, strict=True):
        episode = [] if begin else episode
        episode.append(frame[0])
        rows = codec.follow(rows, codec.read(frame), np.array([begin]))
        last = [np.zeros(2, np.float32)] * frames + episode
        np.testing.assert_array_equal(rows[0], np.concatenate(last[-frames:]))


def test_other_spaces_are_refused() -> None:
    for space in (
        spaces.Text(3),
        spaces.Graph(spaces.Box(0, 1, (2,)), None),
        spaces.Sequence(spaces.Discrete(2)),
    ):
        for whole in (space, gymnasium.spaces.Dict({"a": spaces.Discrete(2), "b": space})):
            with pytest.raises(UsageError, match=r"a network cannot read .*it fits Discrete, MultiDiscrete"):
                Codec(whole)
