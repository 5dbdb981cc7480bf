"""Options of every maze: what is impossible is one line that names it, also for an option that is added later."""

import dataclasses
import importlib
import math

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.errors import UsageError
from tests.envs.variants import MAZES

GARBAGE = [
    None, True, False, -1, 0, 1, 2, 2.5, -0.5, 1e400, -math.inf, math.nan, 10**30, 2**63 - 1, 2**63, 1j, np.float64("nan"),
    "", "x", "none", "index", b"x", [], [1], [[]], [None], ["x", 1], (), ("x",), {}, {"a": 1}, set(), object(), np.arange(2),
]  # fmt: skip


def rules_of(name):
    module, face = gymnasium.spec(name).entry_point.split(":")
    return getattr(importlib.import_module(module), face).rules_class


FIELDS = [(name, field.name) for name in MAZES for field in dataclasses.fields(rules_of(name))]


@pytest.mark.parametrize(("name", "option"), FIELDS, ids=[f"{name[9:]}-{option}" for name, option in FIELDS])
def test_garbage_is_refused_by_name(name, option):
    """Or it is no garbage for this option: then there is a world, which can be reset."""
    kind, refused = rules_of(name), 0
    for value in GARBAGE:
        try:
            rules = kind(**{option: value})
        except UsageError as error:
            refused += 1
            message = str(error)
        else:
            message = option
            assert rules.observation_space is not None
        assert option in message or (
            option == "size" and "2 x 2 cells" in message
        )  # too small for the candies
        assert "\n" not in message
    assert refused > len(GARBAGE) // 2


numbers = st.one_of(
    st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=5), st.lists(st.integers(), max_size=2)
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MAZES), st.data())
def test_any_two_options_together_are_a_world_or_one_line(name, data):
    kind = rules_of(name)
    fields = [field.name for field in dataclasses.fields(kind) if field.name not in ("layout", "size")]
    chosen = {
        option: data.draw(st.one_of(numbers, st.sampled_from(GARBAGE), st.just(getattr(kind(), option))))
        for option in data.draw(st.lists(st.sampled_from(fields), min_size=1, max_size=2, unique=True))
    }
    message = ""
    try:
        env = gymnasium.make(name, **chosen).unwrapped
    except UsageError as error:
        message = str(error)
    else:
        if str(chosen.get("opponent", "greedy")) in ("greedy", "random"):
            seen, _ = env.reset(seed=0)
            assert env.observation_space.contains(seen)
            env.step(0)
    assert "\n" not in message
    assert not message or any(option in message for option in chosen)


@pytest.mark.parametrize(
    ("name", "chosen", "message"),
    [
        ("CandyMaze-v0", {"layout": "S.E\n.1.", "spawn": 2}, "spawn=2 is more than the 1 candy cells"),
        ("CandyMaze-v0", {"boxes": True}, "boxes needs spawn=N"),
        ("CandyMaze-v0", {"drift": "jump"}, "drift='jump' needs spawn=N"),
        ("CandyMaze-v0", {"tell_chances": True}, "tell_chances needs spawn=N"),
        ("CandyMaze-v0", {"cue": True}, "the layout has no 'or'"),
        ("CandyMaze-v0", {"window": 4}, "window=4 must be odd"),
        ("CandyMaze-v0", {"window": 65}, "window=65 must be odd, and at most 63"),
        ("CandyMaze-v0", {"shown_steps": 3}, "with shown_steps choose another"),
        ("CandyMaze-v0", {"patience": 0.5}, "with patience=0.5 the return counts, too"),
        ("CandyMaze-v0", {"size": 1001}, "size=1001 must be a whole number of at most 1000"),
        ("CandyMaze-v0", {"layout": "course", "size": 4}, "leave out level_seed, size"),
        ("CandyMazeDrift-v0", {"spawn": 2}, "with spawn=2 the candies found count"),
        ("CandyMazeDrift-v0", {"drift_size": 21}, "drift_size=21"),
        ("CandyMazeLevels-v0", {"layout": "course"}, "leave the layout out"),
        ("CandyMazeLevels-v0", {"levels": "tests"}, "did you mean test"),
        ("CandyMazeLevels-v0", {"start": "map"}, "start"),
        ("CandyMazeLevels-v0", {"n_levels": 2**41}, "n_levels=2199023255552 must be at most"),
        ("CandyDuel-v0", {"opponent": "gredy"}, "did you mean greedy"),
        ("CandyDuel-v0", {"layout": "course"}, "its map has no exit"),
        # alternatives are looked at, too, not only the first map
        ("CandyDuel-v0", {"layout": "S1S\n...\nor\nS1S\n.T."}, "its map has no trap"),
        ("CandyMaze-v0", {"layout": "S.S\n.E.\nor\nS.S\nCE."}, "a maze has a single start"),
        ("TMaze-v0", {"length": 1001}, "length=1001 must be at most 1000"),
        ("DarkCandies-v0", {"forks": 7}, "forks=7 must be at most 6"),
    ],
)
def test_what_does_not_go_together_is_said(name, chosen, message):
    with pytest.raises(UsageError) as error:
        gymnasium.make(f"rlcourse/{name}", **chosen)
    assert message in str(error.value)
