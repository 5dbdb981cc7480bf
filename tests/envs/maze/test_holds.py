"""Parts of a problem can be held while the others are drawn anew: which map, where one starts, where the candies lie."""

import gymnasium
import numpy as np
import pytest

from rlcourse.envs.maze.world import FIRST_WALKER, HOME, LEVEL, POSITION, SPAWNED, WALKER
from rlcourse.errors import UsageError
from tests.envs.variants import CASE_NAMES, CASES, MAZES

PARTS = ("level", "start", "candies")
COPIES = 40
CHOSEN = [i for i, (name, _) in enumerate(CASES) if name in MAZES]
each_maze = pytest.mark.parametrize(
    ("name", "kwargs"), [CASES[i] for i in CHOSEN], ids=[CASE_NAMES[i] for i in CHOSEN]
)


def drawn(env):
    """What was drawn for the episode, by the part of the problem: arrays that lead with the copies."""
    core = env.get_state()["core"]
    homes = [core[:, at + HOME] for at in range(FIRST_WALKER, core.shape[1], WALKER)]
    return {"level": core[:, LEVEL], "start": np.stack(homes, axis=1), "candies": core[:, SPAWNED]}


@each_maze
@pytest.mark.parametrize("hold", [[], ["level"], ["start"], ["candies"], ["level", "candies"], list(PARTS)])
def test_what_is_held_stays_and_the_rest_is_drawn(name, kwargs, hold):
    env = gymnasium.make_vec(
        name, COPIES, vectorization_mode="vector_entry_point", autoreset_mode="Disabled", **kwargs
    ).unwrapped
    env.reset(seed=7)
    first = drawn(env)
    some = {part: first[part][0] for part in PARTS}
    varies = {part: not (first[part] == some[part]).all() for part in PARTS}
    own_maps = varies["level"] and "go" in env.rules.derived
    for _ in range(3):
        env.step(np.zeros(COPIES, np.int64))
        maps = [str(env.rules.layout_of(env._state, row)[0]) for row in range(COPIES)] if own_maps else []
        env.reset(options={"hold": hold})
        now = drawn(env)
        for part in PARTS:
            fresh_level = part == "start" and own_maps and "level" not in hold
            if part in hold and not fresh_level:
                assert np.array_equal(now[part], first[part])
            else:
                assert (not np.array_equal(now[part], first[part])) == varies[part]
        core = env.get_state()["core"]
        for at in range(FIRST_WALKER, core.shape[1], WALKER):
            assert np.array_equal(core[:, at + POSITION], core[:, at + HOME])
        if own_maps and "level" in hold:  # the same walls, exits and candies; the start is what was said
            again = [str(env.rules.layout_of(env._state, row)[0]) for row in range(COPIES)]
            assert [text.replace("S", ".") for text in maps] == [text.replace("S", ".") for text in again]
        first = now


@each_maze
def test_a_seed_draws_what_is_not_held(name, kwargs):
    """Held parts stay through a new seed; the others are those of the seed."""
    env, fresh = (
        gymnasium.make_vec(name, 8, vectorization_mode="vector_entry_point", **kwargs).unwrapped
        for _ in range(2)
    )
    fresh.reset(seed=5)
    wanted = drawn(fresh)
    for part in PARTS:
        env.reset(seed=1)
        before = drawn(env)
        env.reset(seed=5, options={"hold": [part]})
        now = drawn(env)
        own_maps = "go" in env.rules.derived
        if part != "start" or not own_maps:  # a new level has a new start
            assert np.array_equal(now[part], before[part])
        if part != "level" or not own_maps:  # where a start lies depends on the level
            for other in set(PARTS) - {part}:
                assert np.array_equal(now[other], wanted[other])


def test_names_that_are_no_part_are_refused():
    env = gymnasium.make("rlcourse/CandyMazeDrift-v0").unwrapped
    env.reset(seed=0)
    with pytest.raises(UsageError, match="did you mean candies"):
        env.reset(options={"hold": ["candy"]})
    for private in ("drift", "noise"):
        with pytest.raises(UsageError, match=f"unknown name '{private}'"):
            env.reset(options={"hold": [private]})
