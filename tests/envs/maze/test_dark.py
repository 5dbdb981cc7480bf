"""Candies and cue are shown in the first observations of an episode; then it is dark."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlcourse.envs.maze.world import REMAINING

from .maps import maps
from .sight_worlds import batch

ARRAYS = [
    {"observation": "planes"},
    {"observation": "onehot"},
    {"observation": "full", "revisit_reward": -0.5},
    {"observation": "window", "window": 5},
    {"observation": "window", "window": 7, "occlusion": True},
    {"observation": "rgb"},
    {"observation": "planes", "feedback": True},
]
KINDS = [f"{kind['observation']}-{'-'.join(list(kind)[1:])}" for kind in ARRAYS]


def view(seen):
    return seen["view"] if isinstance(seen, dict) else seen


@pytest.mark.parametrize("kind", ARRAYS, ids=KINDS)
@settings(max_examples=15, deadline=None)
@given(maps.filter(lambda text: any(value in text.split("\n\n")[0] for value in "123")), st.data())
def test_in_the_dark_all_candies_look_eaten_and_nothing_else_changes(kind, text, data):
    """A twin that always sees tells what is seen; with all its candies taken away, what is seen in the dark."""
    shown, boxes = data.draw(st.integers(1, 6)), data.draw(st.booleans())
    options = {"layout": text, "start": "map", "spawn": 1 if boxes else None, "boxes": boxes, **kind}
    env = batch("CandyMaze-v0", shown_steps=shown, **options)
    twin, eaten = batch("CandyMaze-v0", **options), batch("CandyMaze-v0", **options)
    seen = env.reset(seed=1)[0], twin.reset(seed=1)[0]
    eaten.reset(seed=1)
    clocks, rng = np.zeros(3, int), np.random.default_rng(data.draw(st.integers(0, 2**32)))
    for _ in range(12):
        state = twin.get_state()
        state["core"][:, REMAINING] = 0
        eaten.set_state(state)
        without = view(eaten.rules.observe(eaten.get_state()))
        expected = np.where((clocks < shown).reshape(-1, *[1] * (without.ndim - 1)), view(seen[1]), without)
        assert np.array_equal(view(seen[0]), expected)
        actions = rng.integers(env.single_action_space.n, size=3)
        steps = env.step(actions), twin.step(actions)
        assert all(np.array_equal(a, b) for a, b in zip(steps[0][1:4], steps[1][1:4], strict=True))
        seen = steps[0][0], steps[1][0]
        clocks = np.where(steps[0][2] | steps[0][3], 0, clocks + 1)


@pytest.mark.parametrize(
    ("kind", "cued"),
    [
        ({"observation": "senses"}, lambda seen: seen // 16),
        ({"observation": "onehot"}, lambda seen: seen[:, -2:] @ [1, 2]),
        ({"observation": "planes"}, lambda seen: seen[:, -2:].mean(axis=(2, 3)) @ [1, 2]),
        ({"observation": "window", "window": 3}, lambda seen: seen[:, -2:].mean(axis=(2, 3)) @ [1, 2]),
    ],
    ids=lambda part: part["observation"] if isinstance(part, dict) else "",
)
@pytest.mark.parametrize("shown", [1, 3, None])
def test_the_cue_says_which_map_it_is_while_it_is_shown(kind, cued, shown):
    env = batch("TMaze-v0", copies=20, length=6, shown_steps=shown, **kind)
    seen = env.reset(seed=0)[0]
    first = cued(seen)
    assert set(first) == {1, 2}
    for t in range(1, 6):
        seen = env.step(np.full(20, 1))[0]
        expected = first if shown is None or t < shown else np.zeros(20)
        assert np.array_equal(cued(seen), expected)


def test_a_cue_tells_the_truth():
    """1: the exit is above, 2: below."""
    env = batch("TMaze-v0", copies=200, length=2)
    cue = env.reset(seed=3)[0] // 16
    for _ in range(2):
        env.step(np.full(200, 1))
    info = env.step(np.where(cue == 1, 2, 3))[4]["final_info"]
    assert info["is_success"].all()
