"""Replay keeps single observations: what it puts side by side is, bit for bit, what a replay of whole rows has kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlcourse.agents import load_agent
from rlcourse.agents.deep.codec import Codec
from rlcourse.agents.deep.replay import Replay
from rlcourse.agents.deep.replaying import ReplayAgent
from rlcourse.errors import StorageError
from rlcourse.streams import Streams
from tests.agents.deep.worlds import ICE, assert_same, build

CPU = torch.device("cpu")
S, N = 2, 3

SPACES: dict[str, spaces.Space[Any]] = {
    "vector": spaces.Box(-9.0, 9.0, (2,)),
    "image": spaces.Box(0, 255, (2, 4, 4), np.uint8),
    "index": spaces.Discrete(50),
    "both": spaces.Dict({"n": spaces.MultiDiscrete([5, 9]), "x": spaces.Box(0, 255, (3,), np.uint8)}),
}


class Whole(Codec):
    """Rows of several observations as if they were one."""

    def __init__(self, codec: Codec) -> None:
        self.space = spaces.Box(-np.inf, np.inf, codec.row_shape)
        self.frames, self.is_image, self.parts, self.pictures = 1, True, [], []
        self.frame_shape, self.dtype = codec.row_shape, codec.dtype


class Both:
    """Two replays that see the same: of single observations, and of whole rows."""

    def __init__(self, space: str, frames: int, *, capacity: int = 13, prioritized: bool = False) -> None:
        self.codec = Codec(SPACES[space], frames)
        self.single, self.whole = (
            Replay(S, N, capacity, codec, CPU, prioritized=prioritized)
            for codec in (self.codec, Whole(self.codec))
        )
        self.draw = np.random.default_rng(frames)
        self.rows = self.codec.follow(None, self._frames())

    def _frames(self) -> Any:
        shape = (S * N, *self.codec.frame_shape)
        top = 5 if self.codec.dtype == np.int32 else 200
        return self.draw.integers(0, top, shape).astype(self.codec.dtype)

    def step(self) -> None:
        n = S * N
        actions, rewards = self.draw.integers(0, 4, n), self.draw.normal(size=n)
        following = self.codec.follow(self.rows, self._frames())
        terminated = self.draw.random(n) < np.linspace(0.02, 0.3, n)
        truncated = self.draw.random(n) < np.linspace(0.3, 0.02, n)
        left = self.draw.random(n) < 0.05  # an episode that is left without an end
        for replay in (self.single, self.whole):
            replay.add(self.rows, actions, rewards, following, terminated, truncated)
        over = terminated | truncated | left
        self.check()  # before it: the last observation of an episode is still there
        for replay in (self.single, self.whole):
            replay.cut(over)
        begun = self.codec.follow(following, self._frames(), over)
        self.rows = np.where(over.reshape(-1, *(1,) * (begun.ndim - 1)), begun, following)

    def check(self) -> None:
        a, b = self.single, self.whole
        for name in ("kinds", "at", "filled", "actions", "rewards", "tree"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        a.check(a.get_arrays(), 4)
        streams = [Streams.from_seeds([len(a), 7], "test") for _ in range(2)]
        if a.tree.size:
            places, other = (r.draw_by_priority(s, 40, 0.5)[0] for r, s in zip((a, b), streams, strict=True))
        else:
            half_life = 4.0 if self.draw.random() < 0.5 else 0.0
            places, other = (r.draw(s, 40, half_life=half_life) for r, s in zip((a, b), streams, strict=True))
        np.testing.assert_array_equal(places, other)
        for n in (1, 3):
            mine, theirs = (r.gather(places, n_steps=n, gamma=0.9) for r in (a, b))
            for name in ("rows", "next_rows", "actions", "returns", "discounts"):
                np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)
            assert mine.rows.shape == (S, 40, *self.codec.row_shape)
            assert mine.rows.dtype == theirs.rows.dtype
        if a.tree.size:
            errors = self.draw.normal(size=places.shape).astype(np.float32)
            for replay in (a, b):
                replay.set_priorities(places, errors, 0.6)
            return
        mine_too, theirs_too = (r.sequences(places, before=3, length=4) for r in (a, b))
        for one, two in zip(mine_too, theirs_too, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("frames", [2, 4, 20])
def test_batches_are_those_of_whole_rows(space: str, frames: int) -> None:
    """In rings that are not full, full, and gone over many times; 20 is longer than the ring."""
    both = Both(space, frames)
    for _ in range(90):
        both.step()
    assert (both.single.depths.max() == frames - 1) == (frames < 20)


def test_batches_by_priority_too() -> None:
    both = Both("vector", 4, prioritized=True)
    for _ in range(60):
        both.step()


def test_every_observation_is_kept_once() -> None:
    """A hundredth more than without a stack, and not four times as much."""
    codec = Codec(spaces.Box(0, 1, (9, 8, 8), np.uint8))
    plain = Replay(1, 1, 10_000, codec, CPU)
    stacked = Replay(1, 1, 10_000, Codec(codec.space, 4), CPU)
    assert stacked.frames.nbytes == plain.frames.nbytes + 3 * 9 * 64
    assert plain.n_bytes < stacked.n_bytes < 1.01 * plain.n_bytes


@pytest.mark.parametrize("name", ["dqn", "rainbow", "drqn", "deep_sarsa"])
@pytest.mark.parametrize("observation", ["index", "planes"])
def test_agents_learn_bit_for_bit_what_they_learned_from_whole_rows(
    name: str, observation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**ICE, "observation": observation}
    single = build(name, 2, env_kwargs=options, frame_stack=3).learn(90)

    def make_replay(agent: ReplayAgent, *, prioritized: bool = False) -> Replay:
        frames, whole = agent.config.buffer_size // agent.copies, Whole(agent.codec)
        return Replay(agent.size, agent.copies, frames, whole, agent.device, prioritized=prioritized)

    monkeypatch.setattr(ReplayAgent, "make_replay", make_replay)
    whole = build(name, 2, env_kwargs=options, frame_stack=3).learn(90)
    mine, theirs = single.get_arrays(), whole.get_arrays()
    assert mine.keys() - theirs.keys() == {"kept/replay/heads", "kept/replay/depths"}
    for key in theirs.keys() - {"kept/replay/frames"}:
        np.testing.assert_array_equal(mine[key], theirs[key], err_msg=key)


@pytest.mark.parametrize("name", ["dqn", "drqn"])
def test_it_goes_on_over_a_file_as_at_once(name: str, tmp_path: Any) -> None:
    whole = build(name, 2, frame_stack=4).learn(120)
    half = build(name, 2, frame_stack=4).learn(70)
    assert_same(load_agent(half.save(tmp_path / "agent")).learn(50), whole)
    solo = build(name, [1], frame_stack=4).learn(70)
    for key, array in solo.replay.get_arrays().items():
        mine = half.member(1).replay.get_arrays()[key]
        np.testing.assert_array_equal(mine, array, err_msg=key)


def test_what_is_no_step_after_the_one_before_begins_an_episode() -> None:
    """As where an expert's steps are put in between: two stories do not run together in one row."""
    codec = Codec(spaces.Box(-9.0, 9.0, (1,)), 2)
    replay, no = Replay(1, 1, 9, codec, CPU), np.zeros(1, bool)

    def add(*rows: list[float]) -> None:
        seen, following = (np.array([row], np.float32) for row in rows)
        replay.add(seen, np.zeros(1, int), np.zeros(1), following, no, no)

    add([0, 1], [1, 2])
    add([1, 2], [2, 3])
    add([0, 7], [7, 8])
    add([7, 8], [8, 9])
    assert replay.rows_at(np.arange(5)).tolist() == [[0, 1], [1, 2], [0, 7], [7, 8], [8, 9]]


def test_what_cannot_be_is_refused() -> None:
    both = Both("vector", 3)
    for _ in range(40):
        both.step()
    replay = both.single
    arrays = replay.get_arrays()
    replay.check(arrays, 4)
    for name, value in (("heads", 15), ("heads", -1), ("depths", 3)):
        spoiled = arrays[name].copy()
        spoiled.flat[0] = value
        with pytest.raises(StorageError, match=f"kept/replay/{name}"):
            replay.check({**arrays, name: spoiled}, 4)
