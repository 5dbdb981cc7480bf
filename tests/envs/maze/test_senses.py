"""What can be felt: which of the four sides are barred."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rlcourse.envs.maze.world import FIRST_WALKER, POSITION

from .maps import STEPS, SlowWalker, maps
from .sight_worlds import batch

REWARDS = dict.fromkeys(("exit", "trap", "cliff", "move", "revisit", "bump"), 0.0)


def test_on_the_way_through_a_t_maze():
    """Left 1, right 2, up 4, down 8; 16 and 32 are the cue, felt at the start only."""
    env = batch("TMaze-v0", copies=30, length=4)
    seen = env.reset(seed=0)[0]
    assert set(seen) == {1 + 4 + 8 + 16, 1 + 4 + 8 + 32}
    for expected in (4 + 8, 4 + 8, 4 + 8, 2):
        seen = env.step(np.full(30, 1))[0]
        assert set(seen) == {expected}
    seen = env.step(np.full(30, 0))[0]
    assert set(seen) == {4 + 8}
    assert env.single_observation_space.n == 48


@settings(max_examples=80, deadline=None)
@given(maps, st.booleans(), st.booleans(), st.integers(0, 2**32))
def test_sides_are_barred_as_on_the_map(text, king, stay, seed):
    """Walls, the edge, one-ways from behind; with king's moves the four sides as well."""
    env = batch("CandyMaze-v0", layout=text, observation="senses", king_moves=king, stay=stay)
    assert env.single_observation_space.n == 16
    slow = SlowWalker(text, REWARDS)
    width = len(slow.rows[0])
    rng = np.random.default_rng(seed)
    seen = env.reset(seed=seed)[0]
    for _ in range(20):
        cells = env.get_state()["core"][:, FIRST_WALKER + POSITION]
        for number, cell in zip(seen, cells, strict=True):
            here = divmod(int(cell), width)
            barred = [slow.go(here, step) == here for step in STEPS[:4]]
            assert number == sum(2**side for side in range(4) if barred[side])
        seen = env.step(rng.integers(env.single_action_space.n, size=3))[0]
