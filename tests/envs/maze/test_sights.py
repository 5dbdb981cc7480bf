"""Whole maps, windows and vectors that are seen, against a slow reference, in random mazes of every kind."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from .sight_worlds import batch, scene, walks, worlds

SEEDS = st.integers(0, 2**32)


@settings(max_examples=60, deadline=None)
@given(worlds(), SEEDS)
def test_arrays_are_the_documented_ones(world, seed):
    """Channels, one-hot vectors and what `full` adds, at every step, for every copy and both walkers."""
    name, options = world
    kinds = ("planes", "onehot", "full")
    envs = {kind: batch(name, observation=kind, **options) for kind in kinds}
    one = envs["planes"]
    for seen in walks(envs, seed):
        for row in range(one.num_envs):
            slow = scene(one, row)
            expected = {"planes": slow.planes(), "onehot": slow.onehot(), "full": slow.full()}
            for kind in kinds:
                assert seen[kind].dtype == envs[kind].single_observation_space.dtype
                assert np.array_equal(seen[kind][row], expected[kind]), kind
        if one.rules.walkers == 2:
            others = one.rules.observe_as(one.get_state(), 1)
            assert np.array_equal(others[0], scene(one, 0, w=1).planes())


@settings(max_examples=60, deadline=None)
@given(worlds(), st.sampled_from([1, 3, 5, 7, 9]), st.booleans(), SEEDS)
def test_a_window_is_cut_from_the_whole_map(world, side, occlusion, seed):
    name, options = world
    env = batch(name, observation="window", window=side, occlusion=occlusion, **options)
    for seen in walks({"window": env}, seed):
        for row in range(env.num_envs):
            assert np.array_equal(seen["window"][row], scene(env, row).window(side, occlusion))
        if env.rules.walkers == 2:
            others = env.rules.observe_as(env.get_state(), 1)
            assert np.array_equal(others[0], scene(env, 0, w=1).window(side, occlusion))


@settings(max_examples=60, deadline=None)
@given(worlds(), SEEDS)
def test_a_picture_tells_as_much_as_the_channels(world, seed):
    """Two tiles are alike if and only if the same stands there."""
    name, options = world
    env = batch(name, observation="rgb", **options)
    tiles, meanings = {}, {}
    for seen in walks({"rgb": env}, seed):
        looks = [(scene(env, row), seen["rgb"][row]) for row in range(env.num_envs)]
        if env.rules.walkers == 2:
            looks.append((scene(env, 0, w=1), env.rules.observe_as(env.get_state(), 1)[0]))
        for slow, picture in looks:
            assert picture.shape == (8 * slow.height, 8 * slow.width, 3)
            for r in range(slow.height):
                for c in range(slow.width):
                    tile = picture[8 * r : 8 * r + 8, 8 * c : 8 * c + 8].tobytes()
                    meaning = slow.tile((r, c))
                    assert tiles.setdefault(meaning, tile) == tile
                    assert meanings.setdefault(tile, meaning) == meaning


@settings(max_examples=40, deadline=None)
@given(worlds(), st.sampled_from(["planes", "position", "onehot"]), SEEDS)
def test_feedback_is_the_last_action_and_the_last_reward(world, observation, seed):
    name, options = world
    env = batch(name, observation=observation, feedback=True, **options)
    plain = batch(name, observation=observation, **options)
    seen, bare = env.reset(seed=seed)[0], plain.reset(seed=seed)[0]
    assert seen["last_action"].tolist() == [0, 0, 0]
    assert seen["last_reward"].tolist() == [[0.0]] * 3
    rng = np.random.default_rng(seed)
    for _ in range(12):
        assert np.array_equal(seen["view"], bare)
        actions = rng.integers(env.single_action_space.n, size=3)
        seen, rewards, terminated, truncated, info = env.step(actions)
        bare = plain.step(actions)[0]
        for row in range(3):
            if terminated[row] or truncated[row]:
                assert (seen["last_action"][row], seen["last_reward"][row]) == (0, 0.0)
                last = info["final_obs"][row]
            else:
                last = {key: part[row] for key, part in seen.items()}
            assert last["last_action"] == actions[row] + 1
            assert last["last_reward"] == np.float32(rewards[row])


def test_pictures_tell_any_number_of_values_apart():
    """More values than there are colours in the palette: each candy has a colour of its own, from cheap to dear."""
    signs = "123456789"
    for count in range(1, 10):
        env = batch("CandyMaze-v0", copies=1, layout="S" + signs[:count] + "E\n", observation="rgb")
        picture = env.reset(seed=0)[0][0]
        tiles = [picture[:, 8 * c : 8 * c + 8].tobytes() for c in range(count + 2)]
        assert len(set(tiles)) == count + 2
