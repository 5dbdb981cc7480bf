"""Replay against slow references in plain Python: lists of episodes, and loops over them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from scipy import stats

from rlcourse.agents.deep.codec import Codec
from rlcourse.agents.deep.replay import LEAST_PRIORITY, Replay
from rlcourse.agents.deep.replay_kernels import CLOSING, TRUNCATED
from rlcourse.streams import Streams

LEVEL = 1e-4
CPU = torch.device("cpu")
S, N, CAPACITY = 2, 3, 24


class Step(NamedTuple):
    """One transition, as the reference keeps it."""

    t: int
    x: float
    a: int
    r: float
    y: float
    terminated: bool
    truncated: bool


class Story:
    """Random episodes of S x N copies, put into replay, and what it must hold of them.

    Every observation is another number, so what is found can be traced back.
    """

    def __init__(
        self, steps: int, *, prioritized: bool = False, capacity: int = CAPACITY, seed: int = 0
    ) -> None:
        self.codec = Codec(spaces.Box(-np.inf, np.inf, (1,)))
        self.replay = Replay(S, N, capacity, self.codec, CPU, prioritized=prioritized)
        self.capacity = capacity
        self.draw = np.random.default_rng(seed)
        self.copies: list[list[Step]] = [[] for _ in range(S * N)]
        self.new = 0
        self.seen = self._observe(S * N)
        for _ in range(steps):
            self.step()

    def _observe(self, n: int) -> NDArray[np.float32]:
        self.new += n
        return np.arange(self.new - n, self.new, dtype=np.float32)[:, None]

    def step(self) -> None:
        n = S * N
        actions, rewards = self.draw.integers(0, 4, n), self.draw.normal(size=n)
        following = self._observe(n)
        # both at once is possible, and another chance in every copy
        terminated = self.draw.random(n) < np.linspace(0.02, 0.3, n)
        truncated = self.draw.random(n) < np.linspace(0.3, 0.02, n)
        self.replay.add(self.seen, actions, rewards, following, terminated, truncated)
        for b in range(n):
            ends = bool(terminated[b]), bool(truncated[b])
            self.copies[b].append(
                Step(
                    len(self.copies[b]),
                    float(self.seen[b, 0]),
                    int(actions[b]),
                    float(rewards[b]),
                    float(following[b, 0]),
                    *ends,
                )
            )
        over = terminated | truncated
        self.seen = np.where(over[:, None], self._observe(n), following)

    def held(self, b: int) -> list[Step]:
        """The transitions of a copy that its ring of frames holds: one frame each, and one after a truncation."""
        frames, held = 1, []  # the newest observation takes one
        for step in reversed(self.copies[b]):
            frames += 1 + (step.truncated and not step.terminated)
            if frames > self.capacity:
                # the observation after a truncation may be left alone
                break
            held.append(step)
        return held[::-1]

    def find(self, place: int) -> tuple[int, Step]:
        """Which transition is in a place."""
        b, i = divmod(int(place), self.capacity)
        x = float(self.replay.frames[b, i, 0])
        (step,) = [step for step in self.held(b) if step.x == x]
        return b, step

    def places_of(self, s: int) -> list[int]:
        found = []
        for b in range(s * N, (s + 1) * N):
            xs = {step.x for step in self.held(b)}
            for i in range(self.capacity):
                if i < self.replay.filled[b] and self.replay.kinds[b, i] <= TRUNCATED:
                    assert float(self.replay.frames[b, i, 0]) in xs
                    found.append(b * self.capacity + i)
        return found


def both(story: Story) -> NDArray[np.int64]:
    """All places of both members, the shorter list filled up with its first."""
    lists = [story.places_of(s) for s in range(S)]
    n = max(map(len, lists))
    return np.array([places + places[:1] * (n - len(places)) for places in lists])


STORIES = pytest.mark.parametrize("steps", [1, 2, 5, 20, 23, 24, 25, 100])


@STORIES
def test_it_holds_the_last_transitions_and_nothing_else(steps: int) -> None:
    story = Story(steps)
    for s in range(S):
        held = sorted(step.x for b in range(s * N, (s + 1) * N) for step in story.held(b))
        found = sorted(float(story.replay.frames.reshape(-1)[place]) for place in story.places_of(s))
        assert found == held
    assert len(story.replay) == story.replay.filled.max() <= CAPACITY


@STORIES
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_returns_discounts_and_what_comes_after(steps: int, n: int) -> None:
    story, gamma = Story(steps, seed=steps), 0.9
    places = both(story)
    batch = story.replay.gather(places, n_steps=n, gamma=gamma)
    for s, k in np.ndindex(places.shape):
        b, step = story.find(places[s, k])
        assert b // N == s
        path, total, discount = story.copies[b], 0.0, 1.0
        for later in path[step.t : step.t + n]:
            total += discount * later.r
            discount *= gamma
            last = later
            if later.terminated or later.truncated:
                break
        assert float(batch.rows[s, k, 0]) == step.x
        assert int(batch.actions[s, k]) == step.a
        assert float(batch.returns[s, k]) == pytest.approx(total, abs=1e-5)
        if last.terminated:  # then nothing comes, also where it was cut off at the same time
            assert float(batch.discounts[s, k]) == 0.0
        else:
            assert float(batch.discounts[s, k]) == pytest.approx(discount)
            assert float(batch.next_rows[s, k, 0]) == last.y


@STORIES
def test_next_actions(steps: int) -> None:
    story = Story(steps, seed=1)
    places = both(story)
    batch = story.replay.gather(places, n_steps=1, gamma=0.9)
    found = story.replay.next_actions(batch, torch.full(places.shape, 99))
    for s, k in np.ndindex(places.shape):
        b, step = story.find(places[s, k])
        if step.terminated:
            continue  # whatever it is, it counts nothing
        later = story.copies[b][step.t + 1 :]
        known = later[0].a if later and not step.truncated else 99
        assert int(found[s, k]) == known


@STORIES
@pytest.mark.parametrize(("before", "length"), [(0, 1), (0, 4), (3, 4), (9, 5)])
def test_sequences(steps: int, before: int, length: int) -> None:
    story = Story(steps, seed=2)
    places = both(story)
    piece = story.replay.sequences(places, before=before, length=length)
    for s, k in np.ndindex(places.shape):
        b, step = story.find(places[s, k])
        held = {one.t: one for one in story.held(b)}
        first = step.t  # as far back as the episode, the ring and `before` allow
        while first - 1 in held and step.t - first < before:
            if held[first - 1].terminated or held[first - 1].truncated:
                break
            first -= 1
        t = first
        for j in range(before + length):
            counts = float(piece.counts[s, k, j])
            if t is not None and t < len(story.copies[b]):
                one = story.copies[b][t]
                assert float(piece.rows[s, k, j, 0]) == one.x
                assert int(piece.actions[s, k, j]) == one.a
                assert float(piece.rewards[s, k, j]) == pytest.approx(one.r, abs=1e-6)
                assert float(piece.bootstraps[s, k, j]) == (not one.terminated)
                assert counts == (step.t <= t < step.t + length)
                if not one.terminated:
                    assert float(piece.rows[s, k, j + 1, 0]) == one.y
                t = None if one.terminated or one.truncated else t + 1
            else:  # after the end, or after what is known
                assert counts == 0.0
                assert float(piece.bootstraps[s, k, j]) == float(piece.rewards[s, k, j]) == 0.0


@pytest.mark.parametrize("steps", [5, 15, 100])
@pytest.mark.parametrize("half_life", [0.0, 1e9])
def test_every_transition_is_as_likely(steps: int, half_life: float) -> None:
    """Also where the copies hold another number each. A half-life without end is no other law, and is no slower."""
    story = Story(steps, seed=3)
    draws = story.replay.draw(Streams.from_seeds([1, 2], "test"), 30_000, half_life=half_life)
    if steps == 15:  # not yet full, and truncations took frames of their own
        assert len(set(story.replay.filled[:N])) > 1
    for s in range(S):
        places, counts = np.unique(draws[s], return_counts=True)
        assert places.tolist() == story.places_of(s)
        assert stats.chisquare(counts).pvalue > LEVEL


@pytest.mark.parametrize("steps", [12, 100])
def test_recent_transitions_are_as_much_more_likely_as_the_half_life_says(steps: int) -> None:
    codec = Codec(spaces.Box(-np.inf, np.inf, (1,)))
    replay, half_life = Replay(1, 2, 24, codec, CPU), 5.0
    for t in range(steps):
        end = np.array([t % 4 == 3, t % 7 == 0])  # terminations take no frame of their own
        one = np.full((2, 1), t, np.float32)
        replay.add(one, np.zeros(2, int), np.zeros(2), one + 1, end, np.zeros(2, bool))
    draws = replay.draw(Streams.from_seeds([1], "test"), 40_000, half_life=half_life)
    age = steps - 1 - replay.frames.reshape(-1)[draws[0]].astype(int)
    held = min(steps, 23)
    chances = 0.5 ** (np.arange(held) / half_life)
    counts = np.bincount(age, minlength=held)
    assert stats.chisquare(counts, 40_000 * chances / chances.sum()).pvalue > LEVEL
    copies = np.bincount(draws[0] // 24)
    assert stats.chisquare(copies).pvalue > LEVEL


@pytest.mark.parametrize("half_life", [1e-9, 0.01, 1.0, 1e12, 1e300])
def test_draws_come_to_an_end_whatever_the_half_life(half_life: float) -> None:
    """Right after a truncation the newest frame holds no transition."""
    codec = Codec(spaces.Box(-np.inf, np.inf, (1,)))
    replay = Replay(1, 1, 3, codec, CPU)
    zero, no, yes = np.zeros((1, 1), np.float32), np.zeros(1, bool), np.ones(1, bool)
    for truncated in (yes, yes, no, yes, no, no, yes):
        replay.add(zero, np.zeros(1, int), np.zeros(1), zero, no, truncated)
        places = replay.draw(Streams.from_seeds([1], "test"), 50, half_life=half_life)
        assert (replay.kinds[0, places] <= TRUNCATED).all()
        if half_life < 1.0:
            newest = replay.at[0] - (2 if truncated[0] else 1)
            assert (places == newest % 3).all()


def test_an_episode_that_is_left_was_truncated() -> None:
    story = Story(0, prioritized=True)
    zeros, no = np.zeros(S * N), np.zeros(S * N, bool)
    ended = np.arange(S * N) % 2 == 0
    for t in range(40):
        story.replay.add(
            np.full((S * N, 1), t, np.float32),
            zeros.astype(int),
            zeros,
            np.full((S * N, 1), t + 1, np.float32),
            no,
            no,
        )
    story.replay.add(
        np.full((S * N, 1), 40, np.float32),
        zeros.astype(int),
        zeros,
        np.full((S * N, 1), 41, np.float32),
        ended,
        no,
    )
    before = {name: array.copy() for name, array in story.replay.get_arrays().items()}
    story.replay.cut(no)
    for name, array in story.replay.get_arrays().items():
        np.testing.assert_array_equal(array, before[name])
    over = np.arange(S * N) < N
    story.replay.cut(over)
    story.replay.cut(over)  # once is enough
    for b in range(S * N):
        went_on = not ended[b] and over[b]
        last = (int(before["at"][b]) - 1) % CAPACITY
        place = np.array([[b * CAPACITY + last]])
        batch = story.replay.gather(place, n_steps=3, gamma=0.5)
        assert float(batch.next_rows[0, 0, 0]) == 41.0
        assert float(batch.discounts[0, 0]) == (0.0 if ended[b] else 0.5)
        assert int(story.replay.at[b]) == (last + 1 + went_on) % CAPACITY
        assert (story.replay.kinds[b, (last + 1) % CAPACITY] == CLOSING) == went_on
    story.replay.check(story.replay.get_arrays(), 4)


# ---------------------------------------------------------------- priorities


class SlowPriorities:
    """Priorities in a dictionary, by the observation of the transition."""

    def __init__(self) -> None:
        self.of: list[dict[float, float]] = [{} for _ in range(S)]
        self.highest = [1.0] * S


@pytest.mark.parametrize("steps", [3, 30, 90])
def test_priorities_against_a_dictionary(steps: int) -> None:
    story, slow, alpha = Story(0, prioritized=True, capacity=13), SlowPriorities(), 0.7
    streams, draw = Streams.from_seeds([1, 2], "test"), np.random.default_rng(5)
    for _ in range(steps):
        story.step()
        for s in range(S):
            for b in range(s * N, (s + 1) * N):
                slow.of[s][story.copies[b][-1].x] = slow.highest[s]
        places, _ = story.replay.draw_by_priority(streams, 4, 0.5)
        errors = draw.normal(size=(S, 4)).astype(np.float32) * 3
        story.replay.set_priorities(places, errors, alpha)
        for s, k in np.ndindex(places.shape):
            priority = (abs(float(errors[s, k])) + LEAST_PRIORITY) ** alpha
            slow.of[s][story.find(places[s, k])[1].x] = priority
            slow.highest[s] = max(slow.highest[s], priority)
    for s in range(S):
        held = {step.x for b in range(s * N, (s + 1) * N) for step in story.held(b)}
        half = story.replay.tree.shape[1] // 2
        leaves = story.replay.tree[s, half:]
        expected = np.zeros(half)
        for place in story.places_of(s):
            expected[place - s * N * story.capacity] = slow.of[s][story.find(place)[1].x]
        np.testing.assert_allclose(leaves, expected, rtol=1e-6)
        assert np.count_nonzero(leaves) == len(held)
        assert story.replay.tree[s, 1] == pytest.approx(expected.sum())
        assert story.replay.highest[s] == pytest.approx(slow.highest[s])
    # the law of the draw, and the weights of Schaul et al. (2016), algorithm 1
    beta, batch, times = 0.6, 8, 1000
    counts = np.zeros((S, N * story.capacity))
    for _ in range(times):
        places, weights = story.replay.draw_by_priority(streams, batch, beta)
        for s in range(S):
            local = places[s] - s * N * story.capacity
            np.add.at(counts[s], local, 1)
            chances = story.replay.tree[s, half:][local] / story.replay.tree[s, 1]
            w = (len(story.places_of(s)) * chances) ** -beta
            np.testing.assert_allclose(weights[s], w / w.max(), rtol=1e-5)
    for s in range(S):
        chances = story.replay.tree[s, half : half + N * story.capacity] / story.replay.tree[s, 1]
        some = chances > 0
        assert not counts[s][~some].any()
        # draws are stratified, so counts vary less than multinomial ones: the statistic is no larger than theirs
        statistic = stats.chisquare(counts[s][some], batch * times * chances[some]).statistic
        assert statistic < stats.chi2.ppf(1 - LEVEL, some.sum() - 1)


def test_a_stratified_draw_takes_one_of_every_share() -> None:
    """With equal priorities and as many draws as transitions, neighbours are drawn at most twice."""
    codec = Codec(spaces.Box(-np.inf, np.inf, (1,)))
    replay = Replay(1, 1, 17, codec, CPU, prioritized=True)
    one, no = np.zeros((1, 1), np.float32), np.zeros(1, bool)
    for _ in range(16):
        replay.add(one, np.zeros(1, int), np.zeros(1), one, no, no)
    for seed in range(20):
        places, weights = replay.draw_by_priority(Streams.from_seeds([seed], "test"), 16, 1.0)
        np.testing.assert_array_equal(places, [np.arange(16)])
        np.testing.assert_array_equal(weights, 1.0)


# ---------------------------------------------------------------- memory


def test_observations_are_kept_once_in_their_own_dtype() -> None:
    codec = Codec(spaces.Box(0, 1, (6, 8, 8), np.uint8))
    replay = Replay(2, 4, 1000, codec, CPU)
    assert replay.frames.dtype == np.uint8
    assert replay.frames.nbytes == 2 * 4 * 1000 * 6 * 64
    per_frame = 6 * 64 + 4 + 4 + 1  # observation, action, reward, kind
    assert replay.n_bytes < 2 * 4 * (1000 * per_frame + 16) + 64
    draw = np.random.default_rng(0)
    seen = draw.integers(0, 2, (8, 6, 8, 8)).astype(np.uint8)
    following = 1 - seen
    no = np.zeros(8, bool)
    replay.add(seen, np.zeros(8, int), np.zeros(8), following, no, no)
    batch = replay.gather(np.arange(8).reshape(2, 4) * 1000, n_steps=1, gamma=1.0)
    assert batch.rows.dtype == torch.uint8
    np.testing.assert_array_equal(batch.rows.reshape(seen.shape), seen)
    np.testing.assert_array_equal(batch.next_rows.reshape(seen.shape), following)


def test_what_cannot_be_is_refused() -> None:
    from rlcourse.errors import StorageError

    story = Story(60, prioritized=True)
    arrays = story.replay.get_arrays()
    story.replay.check(arrays, 4)

    def spoil(name: str, at: Any, value: Any) -> dict[str, Any]:
        changed = arrays[name].copy()
        changed[at] = value
        return {**arrays, name: changed}

    i = int(arrays["at"][0])
    half = arrays["tree"].shape[1] // 2
    for name, at, value in (
        ("at", 0, CAPACITY),
        ("at", 0, -1),
        ("at", 1, (arrays["at"][1] + 1) % CAPACITY),
        ("filled", 0, CAPACITY + 1),
        ("filled", 0, -1),
        ("actions", (0, 3), 4),
        ("actions", (0, 3), -1),
        ("kinds", (0, 3), 5),
        ("kinds", (0, i), 0),
        ("kinds", (0, (i + 1) % CAPACITY), 4),
        ("kinds", (slice(None), slice(None)), 4),
        ("tree", (0, half), np.nan),
        ("tree", (0, 1), 1e9),
        ("tree", (1, half + N * CAPACITY), 1.0),
    ):
        with pytest.raises(
            StorageError, match=f"'kept/replay/{'kinds' if (name, at) == ('at', 1) else name}'"
        ):
            story.replay.check(spoil(name, at, value), 4)
