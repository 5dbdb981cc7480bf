"""The laws by which actions are drawn, and what they cost in random numbers."""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from rlcourse.agents.deep.acting import epsilon_greedy, softmax_actions
from rlcourse.agents.deep.rollout import permutations
from rlcourse.streams import Streams

DRAWS = 20_000
LEVEL = 1e-4
"""Of the tests, each of which is made with fixed seeds: a true law fails one in ten thousand times, once for all."""


def test_epsilon_greedy_has_its_law() -> None:
    values = np.tile(np.array([[0.1, 0.7, 0.7, -1.0]], np.float32), (2, DRAWS, 1)).reshape(2, DRAWS, 4)
    actions = epsilon_greedy(values, 0.3, Streams.from_seeds([3, 4], "test"))
    for k in range(2):
        counts = np.bincount(actions[k], minlength=4)
        expected = DRAWS * (0.3 / 4 + np.array([0.0, 0.7, 0.0, 0.0]))  # of equal values the first
        assert stats.chisquare(counts, expected).pvalue > LEVEL
    assert (actions[0] != actions[1]).any()


def test_the_greedy_draw_nothing() -> None:
    streams = Streams.from_seeds([1, 2], "test")
    before = streams.state.copy()
    values = np.random.default_rng(0).normal(size=(2, 50, 3)).astype(np.float32)
    np.testing.assert_array_equal(epsilon_greedy(values, 0.0, streams), values.argmax(-1))
    np.testing.assert_array_equal(streams.state, before)


def test_softmax_has_its_law_and_says_its_chances() -> None:
    preferences = np.array([[1.0, -0.5, 0.3], [80.0, 80.5, -200.0]], np.float32)
    shown = np.repeat(preferences[:, None], DRAWS, axis=1)
    actions, log_chances = softmax_actions(shown, Streams.from_seeds([3, 4], "test"))
    logs = torch.from_numpy(preferences).double().log_softmax(-1).numpy()
    for k in range(2):
        expected = DRAWS * np.exp(logs[k])
        likely = expected > 1e-9
        counts = np.bincount(actions[k], minlength=3)
        assert not counts[~likely].any()
        assert stats.chisquare(counts[likely], expected[likely]).pvalue > LEVEL
        np.testing.assert_allclose(log_chances[k], logs[k][actions[k]], rtol=1e-6, atol=1e-6)


def test_members_draw_from_their_own_streams() -> None:
    preferences = np.random.default_rng(1).normal(size=(3, 40, 5)).astype(np.float32)
    seeds = [7, 8, 9]
    together, _ = softmax_actions(preferences, Streams.from_seeds(seeds, "test"))
    noisy = epsilon_greedy(preferences, 0.5, Streams.from_seeds(seeds, "test"))
    for k, seed in enumerate(seeds):
        alone, _ = softmax_actions(preferences[k : k + 1], Streams.from_seeds([seed], "test"))
        np.testing.assert_array_equal(together[k], alone[0])
        one = epsilon_greedy(preferences[k : k + 1], 0.5, Streams.from_seeds([seed], "test"))
        np.testing.assert_array_equal(noisy[k], one[0])


def test_permutations_are_permutations_and_all_as_likely() -> None:
    streams = Streams.from_seeds([1], "test")
    for n in (1, 2, 9):
        np.testing.assert_array_equal(np.sort(permutations(streams, n)), [np.arange(n)])
    many = permutations(Streams.from_seeds(range(DRAWS), "orders"), 4)
    counts = np.unique(many @ [64, 16, 4, 1], return_counts=True)[1]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > LEVEL
