"""Snapshots from nowhere: compiled loops do not check bounds, so what comes from outside is checked before it gets to them."""

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.envs.maze import world as columns
from rlcourse.envs.maze.rules import STREAM_COLUMNS
from rlcourse.envs.maze.world import FIRST_WALKER, HOME, LAST, LAST_REWARD, POSITION, SCORE, WALKER
from rlcourse.errors import UsageError

WORLDS = {
    "candies": ("CandyMaze-v0", {"level_seed": 1, "size": 6}),
    "boxes": ("CandyMazeDrift-v0", {"drift_every": 2}),
    "a walk": ("CandyMazePartialDrift-v0", {"drift": "walk", "revisit_reward": -1.0, "drift_size": 20.0}),
    "a season by steps": (
        "CandyMazeDrift-v0",
        {"drift": "season", "drift_unit": "steps", "drift_size": 20.0},
    ),
    "levels": ("CandyMazeLevels-v0", {"size": 5, "n_levels": 4}),
    "a duel": ("CandyDuel-v0", {"observation": "planes"}),
    "alternatives": ("TMaze-v0", {"observation": "planes"}),
    "walls that change": ("BlockingMaze-v0", {}),
}
OF_THE_COPY = (
    "EPISODE", "SPAWNED", "FILLED", "DRIFTED", "LEVEL", "REMAINING", "WON", "CLOCK", "LIFE",
)  # fmt: skip
FREE = {"WON", "SCORE", "LAST_REWARD"}
"""Columns that say what has been: any number will do."""


def columns_of(core):
    """Every column of `core` by its number: its name, without that of the walker."""
    names = {getattr(columns, name): name for name in OF_THE_COPY}
    names |= {column: name for name, column in STREAM_COLUMNS.items()}
    for at in range(FIRST_WALKER, core.shape[1], WALKER):
        names |= {at + POSITION: "POSITION", at + SCORE: "SCORE", at + LAST_REWARD: "LAST_REWARD"}
        names |= {at + LAST: "LAST", at + HOME: "HOME"}
    return names


def made(key):
    name, options = WORLDS[key]
    env = gymnasium.make(f"rlcourse/{name}", **{"max_steps": 30, **options}).unwrapped
    env.reset(seed=0)
    return env


def test_every_column_has_a_name():
    core = made("a duel").get_state()["core"]
    assert sorted(columns_of(core)) == list(range(core.shape[1]))


def beyond(env):
    """The first number that is too large, by the name of the column."""
    rules = env.rules
    cells, candies = rules.height * rules.width, 2**rules.n_candies
    return {
        "POSITION": cells,
        "HOME": cells,
        "LAST": int(env.action_space.n),
        "LEVEL": {"CandyMazeLevels": 4, "TMaze": 2}.get(type(rules).__name__, 1),
        **dict.fromkeys(("SPAWNED", "REMAINING", "FILLED"), candies),
    }


@pytest.mark.parametrize("key", WORLDS)
def test_impossible_numbers_are_refused_in_every_column(key):
    """And nothing is changed by the attempt."""
    env = made(key)
    before = env.get_state()
    for column, name in columns_of(before["core"]).items():
        if name in FREE or name in STREAM_COLUMNS:
            continue
        largest = np.iinfo(np.int64).max
        for wrong in (-2, np.iinfo(np.int64).min, largest, beyond(env).get(name, largest)):
            state = env.get_state()
            state["core"][0, column] = wrong
            with pytest.raises(UsageError, match=r"state\['core'\] has a"):
                env.set_state(state)
            after = env.get_state()
            assert all(np.array_equal(before[part], after[part]) for part in before)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(WORLDS)), st.data())
def test_any_snapshot_is_refused_or_can_be_played(key, data):
    env = made(key)
    state = env.get_state()
    names = columns_of(state["core"])
    numbers = st.one_of(st.integers(-2, 70), st.integers(-(2**63), 2**63 - 1))
    for column in data.draw(st.lists(st.sampled_from(list(names)), min_size=1, max_size=3)):
        state["core"][0, column] = data.draw(numbers)
        if names[column] in STREAM_COLUMNS:
            state[names[column]] = state["core"][:, column].view(np.uint64)
    if state["cells"].size:
        state["cells"][:] = data.draw(st.integers(0, 255))
    if state["odds"].size:
        at = data.draw(st.integers(0, state["odds"].shape[1] - 1))
        state["odds"][0, at] = data.draw(
            st.floats(-100.0, 100.0) | st.sampled_from([np.nan, np.inf, -np.inf])
        )
    try:
        env.set_state(state)
    except UsageError:
        return
    rng = np.random.default_rng(0)
    walls = env.rules.always_walls(env.get_state())[0]
    for _ in range(40):
        seen, reward, terminated, truncated, _ = env.step(int(rng.integers(env.action_space.n)))
        assert np.isfinite(reward)
        assert env.observation_space.contains(seen)
        core = env.get_state()["core"][0]
        for at in range(FIRST_WALKER, len(core), WALKER):
            assert not walls[core[at + POSITION]]
        if terminated or truncated:
            env.reset()
            walls = env.rules.always_walls(env.get_state())[0]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 30.0, -1e300])
def test_chances_that_are_none_are_refused(wrong):
    """With the largest `drift_size`, weights up to the bound are numbers, and their shares are chances."""
    options = {"drift_size": 20.0, "tell_chances": True, "drift_every": 5}
    env = gymnasium.make("rlcourse/CandyMazeDrift-v0", **options).unwrapped
    env.reset(seed=0)
    state = env.get_state()
    state["odds"][0, 2] = wrong
    with pytest.raises(UsageError, match=r"state\['odds'\] has a chance that is none"):
        env.set_state(state)
    for possible in ([29.9] * 6, [-29.9] * 6, [29.9, *[-29.9] * 5]):
        state["odds"][0, :6] = possible
        env.set_state(state)
        _, info = env.reset()
        assert np.isfinite(info["chances"]).all()
        assert info["chances"].sum() == pytest.approx(1.0)


def test_a_snapshot_in_a_wall_is_refused():
    env = gymnasium.make("rlcourse/CandyMaze-v0", layout="S#E\n...").unwrapped
    env.reset(seed=0)
    for column in (POSITION, HOME):
        state = env.get_state()
        state["core"][0, FIRST_WALKER + column] = 1
        with pytest.raises(UsageError, match="in a wall"):
            env.set_state(state)
