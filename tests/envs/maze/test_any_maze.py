"""What holds in every maze, whatever its map and its options."""

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.envs.maze.board import UNITS
from rlcourse.envs.maze.reading import parse
from rlcourse.envs.maze.world import FILLED, FIRST_WALKER, LEVEL, POSITION, REMAINING, SCORE, SPAWNED
from rlcourse.envs.rules import row_of

from .maps import alternative_maps, maps

OBSERVATIONS = ("position", "senses", "onehot", "full", "planes", "window", "rgb")
free_options = st.fixed_dictionaries(
    {},
    optional={
        "slip": st.floats(0.0, 1.0),
        "gusty": st.booleans(),
        "king_moves": st.booleans(),
        "stay": st.booleans(),
        "locked": st.booleans(),
        "patience": st.floats(0.0, 2.0),
        "max_steps": st.integers(1, 30),
        "observation": st.sampled_from(OBSERVATIONS),
        "window": st.sampled_from([1, 3, 5, 9]),
        "occlusion": st.booleans(),
        "feedback": st.booleans(),
        "shown_steps": st.integers(1, 8),
        "revisit_reward": st.floats(-2.0, 1.0),
    },
)


@st.composite
def mazes(draw):
    """Any map, alternatives too, and any options that go with it."""
    text = draw(st.one_of(maps, alternative_maps))
    layout, chosen = parse(text), {"observation": "position", **draw(free_options)}
    if layout.alternatives > 1:
        chosen["cue"] = draw(st.booleans())
    if not layout.has("cliff"):
        chosen["start"] = draw(st.sampled_from(["map", "anywhere"]))
    if layout.values:
        chosen["spawn"] = draw(st.none() | st.integers(1, len(layout.values)))
    if chosen.get("spawn"):
        chosen["boxes"], chosen["tell_chances"] = draw(st.booleans()), draw(st.booleans())
        chosen["drift"] = draw(st.sampled_from(["none", "jump", "walk", "season"]))
        chosen["drift_every"], chosen["drift_size"] = draw(st.integers(1, 9)), draw(st.floats(0.0, 20.0))
        chosen["drift_unit"] = draw(st.sampled_from(["episodes", "steps"]))
    numbered = not chosen.keys() & {"patience", "revisit_reward", "shown_steps"}
    if numbered and (not chosen.get("boxes") or chosen["spawn"] == 1) and draw(st.booleans()):
        chosen["observation"] = "index"
    return text, chosen


def bits(numbers, count):
    return (np.asarray(numbers)[:, None] >> np.arange(count)) & 1


@settings(max_examples=200, deadline=None)
@given(mazes(), st.integers(0, 2**32))
def test_what_holds_in_every_maze(maze, seed):
    """Walkers stay in the maze and out of walls; rewards are those that are named; candies are paid once, where they are."""
    text, chosen = maze
    env = gymnasium.make_vec(
        "rlcourse/CandyMaze-v0", 5, vectorization_mode="vector_entry_point", layout=text, **chosen
    ).unwrapped
    layout, rules = env.rules.grid, env.rules
    walls = np.array(
        [
            [layout.word(cell, which) in ("wall", "cliff") for cell in layout.cells()]
            for which in range(layout.alternatives)
        ]
    )
    values, count = np.array(rules.values), len(rules.values)
    named = np.array(list(rules.rewards.values()))
    seen, info = env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    paid, ends = np.zeros(5), np.zeros(5, bool)
    for _ in range(40):
        core = env.get_state()["core"]
        spawned, left, filled = (bits(core[:, column], count) for column in (SPAWNED, REMAINING, FILLED))
        assert (spawned.sum(axis=1) == (chosen.get("spawn") or count)).all()
        assert (filled <= spawned).all()
        if not chosen.get("boxes"):
            assert (left <= spawned).all()
        if chosen.get("tell_chances"):
            assert info["chances"].sum(axis=1) == pytest.approx(np.ones(5))
        actions = rng.integers(env.single_action_space.n, size=5)
        before = left if not chosen.get("boxes") else filled
        seen, rewards, terminated, truncated, info = env.step(actions)
        assert all(env.single_observation_space.contains(row_of(seen, i)) for i in range(5))
        core = env.get_state()["core"]
        cells = core[:, FIRST_WALKER + POSITION]
        assert ((cells >= 0) & (cells < walls.shape[1])).all()
        assert not walls[core[:, LEVEL], cells].any()
        there = bits(core[:, FILLED if chosen.get("boxes") else REMAINING], count)
        eaten = np.where(ends[:, None], 0, before - there)
        assert ((eaten == 0) | (eaten == 1)).all()
        assert (eaten.sum(axis=1) <= 1).all()
        got = eaten.sum(axis=1) == 1
        assert np.array_equal(rewards[got], (eaten @ values)[got] if count else rewards[got])
        assert (np.isin(rewards, named) | got | ends).all()
        paid = np.where(ends, 0.0, paid + rewards)
        assert np.allclose(core[:, FIRST_WALKER + SCORE] / UNITS, paid, atol=1e-4)
        assert not (terminated & truncated).any()
        assert info["action_mask"].shape == (5, env.single_action_space.n)
        ends = terminated | truncated
