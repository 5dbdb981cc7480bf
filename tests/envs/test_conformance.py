"""Every registered world keeps what the faces promise; a world that is added is tested the day it is added."""

import copy
import json
import os
import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode

from rlcourse.envs.bandits.base import BanditEnv
from rlcourse.envs.rules import row_of
from rlcourse.errors import UsageError

from .variants import BANDITS, CASE_NAMES, CASES, IDS, MAZES, VARIANTS

each_case = pytest.mark.parametrize(("name", "kwargs"), CASES, ids=CASE_NAMES)
each_world = pytest.mark.parametrize(
    ("name", "kwargs"), [next(case for case in CASES if case[0] == name) for name in IDS], ids=IDS
)
MODES = list(AutoresetMode)


def native(name, kwargs, copies=4, **more):
    return gymnasium.make_vec(
        name, num_envs=copies, vectorization_mode="vector_entry_point", **kwargs, **more
    ).unwrapped


def actions_for(env, steps, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(env.single_action_space.n, size=(steps, env.num_envs))


def same(a, b):
    return data_equivalence(a, b, exact=True)


def same_seen(a, b):
    """Whether two observations are equal; numbers may be scalars or arrays."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_seen(a[name], b[name]) for name in a)
    return same(np.asarray(a), np.asarray(b))


def test_every_world_has_variants():
    assert {name.removeprefix("rlcourse/") for name in IDS} == set(VARIANTS)


@each_case
def test_gymnasium_checker(name, kwargs):
    check_env(gymnasium.make(name, **kwargs).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@each_case
def test_native_batch_equals_gymnasium_sync(name, kwargs, mode):
    """Observations, rewards, ends and infos are equal bit for bit, over several episodes."""
    ours = native(name, kwargs, autoreset_mode=mode)
    theirs = gymnasium.make_vec(
        name, num_envs=4, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **kwargs
    )
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert same(ours.reset(seed=11), theirs.reset(seed=11))
    done, ends = np.zeros(4, bool), 0
    for actions in actions_for(ours, 40):
        if mode is AutoresetMode.DISABLED and done.any():
            options = {"reset_mask": done}
            assert same(ours.reset(options=options), theirs.reset(options=dict(options)))
            assert options.keys() == {"reset_mask"}
        a, b = ours.step(actions), theirs.step(actions)
        assert same(a, b)
        assert a[1].dtype == np.float64
        done = a[2] | a[3]
        ends += done.sum()
    assert ends > 0
    theirs.close()
    ours.close()


@each_case
def test_copy_equals_the_scalar_world(name, kwargs):
    """Copy i of a batch reset with seed s is the scalar world with seed s + i, whatever the batch size."""
    seed = 2**40
    batches = [native(name, kwargs, copies, autoreset_mode="SameStep") for copies in (3, 7)]
    plans = actions_for(batches[1], 30)
    first = [batch.reset(seed=seed)[0] for batch in batches]
    steps = [[batch.step(plan[: batch.num_envs]) for plan in plans] for batch in batches]
    for i in range(7):
        env = gymnasium.make(name, **kwargs).unwrapped
        assert same_seen(env.reset(seed=seed + i)[0], row_of(first[1], i))
        if i < 3:
            assert same(row_of(first[0], i), row_of(first[1], i))
        for t, plan in enumerate(plans):
            observation, reward, terminated, truncated, _ = env.step(plan[i])
            if terminated or truncated:
                observation, _ = env.reset()
            for batch in steps[i >= 3 :]:
                assert same_seen(observation, row_of(batch[t][0], i))
                assert (reward, terminated, truncated) == tuple(part[i] for part in batch[t][1:4])


@each_case
def test_seeding(name, kwargs):
    """A list of seeds is one for each copy; without a seed the streams go on; a first reset needs no seed."""
    env, twin = native(name, kwargs), native(name, kwargs)
    plans = actions_for(env, 5)
    env.reset(seed=5)
    twin.reset(seed=[5, 6, 7, 8])
    assert same(env.get_state(), twin.get_state())
    for state in (env, twin):
        for plan in plans:
            state.step(plan)
        state.reset()
    assert same(env.get_state(), twin.get_state())
    native(name, kwargs).reset()
    with pytest.raises(UsageError, match="seed has 2 entries for 4 copies"):
        env.reset(seed=[1, 2])


@each_case
def test_partial_reset(name, kwargs):
    """A mask resets its copies only, and the caller's options are not altered."""
    env = native(name, kwargs, autoreset_mode="Disabled")
    with pytest.raises(UsageError, match="first reset is of all copies"):
        env.reset(options={"reset_mask": np.array([True, False, False, True])})
    env.reset(seed=1)
    env.step(actions_for(env, 1)[0])
    before = env.get_state()
    mask = np.array([True, False, False, True])
    options = {"reset_mask": mask, "same_problem": True}
    env.reset(options=options)
    assert list(options) == ["reset_mask", "same_problem"]
    assert options["reset_mask"] is mask
    assert mask.tolist() == [True, False, False, True]
    after = env.get_state()
    for key in before:
        assert np.array_equal(before[key][1:3], after[key][1:3])
    for wrong in ([True, False, False, True], np.ones(3, bool), np.ones(4), np.zeros(4, bool)):
        with pytest.raises(UsageError, match="reset_mask"):
            env.reset(options={"reset_mask": wrong})


@each_world
def test_disabled_mode_refuses_to_step_a_finished_copy(name, kwargs):
    env = native(name, kwargs, autoreset_mode="Disabled")
    env.reset(seed=0)
    plans = iter(actions_for(env, 1000))
    done = np.zeros(4, bool)
    while not done.any():
        _, _, terminated, truncated, _ = env.step(next(plans))
        done = terminated | truncated
    with pytest.raises(UsageError, match="is finished"):
        env.step(next(plans))


@each_case
def test_same_problem_keeps_the_problem(name, kwargs):
    env = native(name, kwargs)
    with pytest.raises(UsageError, match="there is none yet"):
        env.reset(options={"same_problem": True})
    env.reset(seed=3)
    for plan in actions_for(env, 3):
        env.step(plan)
    before = env.get_state()
    streams = env.rules.problem
    for options in ({"same_problem": True}, {"hold": list(streams)}):
        env.reset(options=options)
        after = env.get_state()
        for key in (*streams, "theta", "payoffs", "upto", "table", "initial", "totals", "chances"):
            if key in before:
                assert np.array_equal(before[key], after[key])
    with pytest.raises(UsageError, match="unknown name 'everything'"):
        env.reset(options={"hold": ["everything"]})
    with pytest.raises(UsageError, match="must be a list of names"):
        env.reset(options={"hold": streams[0]})


def play(env, plans):
    return [env.step(plan) for plan in plans]


@each_case
@pytest.mark.parametrize("how", ["pickle", "deepcopy", "state"])
def test_copies_go_on_identically(name, kwargs, how):
    """Half an episode, a copy, and both go on: the scalar world (after rendering too) and the batch."""
    scalar = gymnasium.make(name, render_mode="rgb_array", **kwargs).unwrapped
    batch = native(name, kwargs, autoreset_mode="NextStep")
    plans = actions_for(batch, 25)
    for env, some in ((scalar, plans[:, 0]), (batch, plans)):
        env.reset(seed=9)
        play(env, some[:3])
        if env is scalar:
            env.render()
        if how == "state":
            twin = gymnasium.make(name, **kwargs).unwrapped if env is scalar else native(name, kwargs)
            twin.reset(seed=1)
            twin.set_state(env.get_state())
        else:
            twin = pickle.loads(pickle.dumps(env)) if how == "pickle" else copy.deepcopy(env)
        assert same(play(env, some[3:]), play(twin, some[3:]))
        assert same(env.get_state(), twin.get_state())


@each_world
def test_a_snapshot_is_a_copy_and_is_checked(name, kwargs):
    env = gymnasium.make(name, **kwargs).unwrapped
    env.reset(seed=0)
    snapshot = env.get_state()
    kept = copy.deepcopy(snapshot)
    env.step(0)
    assert same(snapshot, kept)
    env.set_state(snapshot)
    env.step(0)
    assert same(snapshot, kept)
    with pytest.raises(UsageError, match="differs in"):
        env.set_state({**snapshot, "odd": np.zeros(1)})
    name_of_one = next(iter(snapshot))
    with pytest.raises(UsageError, match=name_of_one):
        env.set_state({**snapshot, name_of_one: np.zeros((2, 2))})
    with pytest.raises(UsageError, match="finished"):
        native(name, kwargs).set_state(snapshot)
    batch = native(name, kwargs)
    batch.reset(seed=0)
    for finished in (np.zeros(1, bool), np.zeros(4)):
        with pytest.raises(UsageError, match=r"expected bool\[4\]"):
            batch.set_state({**batch.get_state(), "finished": finished})


@each_case
def test_spec_is_json_and_makes_the_world_again(name, kwargs):
    env = gymnasium.make(name, **kwargs)
    assert json.loads(json.dumps(env.spec.kwargs)) == kwargs
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert same(env.reset(seed=2), again.reset(seed=2))
    assert same(env.step(0), again.step(0))


@each_case
def test_options_of_the_caller_are_not_altered(name, kwargs):
    before = copy.deepcopy(kwargs)
    env = gymnasium.make(name, **kwargs)
    env.reset(seed=0)
    env.step(0)
    assert kwargs == before


@each_world
def test_unknown_options_and_wrong_arguments(name, kwargs):
    option = next(iter(kwargs))
    with pytest.raises(UsageError, match=f"did you mean .*{option}"):
        gymnasium.make(name, **{option + "s": 1})
    with pytest.raises(UsageError, match="render_mode='video'"):
        native(name, kwargs, render_mode="video")
    with pytest.raises(UsageError, match="autoreset_mode='Never'"):
        native(name, kwargs, autoreset_mode="Never")
    with pytest.raises(UsageError, match="num_envs=0"):
        native(name, kwargs, copies=0)
    for copies in (-1, 2.5, "3", True, None):
        with pytest.raises(UsageError, match="num_envs="):
            native(name, kwargs, copies=copies)
    env, batch = gymnasium.make(name, **kwargs).unwrapped, native(name, kwargs)
    for seed in (-1, 1.5, "abcd", True, [1, 2.5, 3, 4], [0, 1, 2, -3], ["a"] * 4, {1, 2, 3, 4}):
        with pytest.raises(UsageError, match="seed="):
            batch.reset(seed=seed)
    for one in (env, batch):
        with pytest.raises(gymnasium.error.ResetNeeded):
            one.step(0 if one is env else np.zeros(4, np.int64))
        one.reset(seed=0)
    twin = native(name, kwargs)
    twin.reset(seed=0)
    for wrong in (-1, env.action_space.n):
        with pytest.raises(UsageError, match=f"action {wrong} is outside"):
            env.step(wrong)
        with pytest.raises(UsageError, match=f"action {wrong} is outside"):
            batch.step(np.array([0, 0, wrong, 0]))
    with pytest.raises(UsageError, match="must be an integer"):
        env.step(0.5)
    for actions in (np.zeros(3, np.int64), np.zeros(4), np.zeros((4, 1), np.int64)):
        with pytest.raises(UsageError, match="expected integers"):
            batch.step(actions)
    assert same(batch.step([0, 0, 0, 0]), twin.step(np.zeros(4, np.int8)))


def cases_of(names):
    chosen = [i for i, (name, _) in enumerate(CASES) if name in names]
    return pytest.mark.parametrize(
        ("name", "kwargs"), [CASES[i] for i in chosen], ids=[CASE_NAMES[i] for i in chosen]
    )


@cases_of(BANDITS)
def test_bandits_truncate_and_tell_only_the_regret(name, kwargs):
    env = gymnasium.make(name, **kwargs).unwrapped
    assert isinstance(env, BanditEnv)
    _, info = env.reset(seed=0)
    assert info == {}
    low, high = env.reward_range
    for t in range(env.n_rounds):
        assert env.arm_values().shape == (env.action_space.n,)
        assert np.isfinite(env.best_value())
        _, reward, terminated, truncated, info = env.step(t % env.action_space.n)
        assert not terminated
        assert truncated == (t == env.n_rounds - 1)
        assert list(info) == ["regret"]
        assert low <= reward <= high
    env.step(0)  # after the end: harmless


@cases_of(MAZES)
def test_mazes_tell_only_the_mask_and_success(name, kwargs):
    """The mask is there from the reset on, for every copy, and says which moves change the place."""
    env = gymnasium.make(name, **kwargs).unwrapped
    _, info = env.reset(seed=0)
    batch = native(name, kwargs)
    told = {"chances", "_chances"} if kwargs.get("tell_chances") else set()
    assert batch.reset(seed=0)[1].keys() == {"action_mask", "_action_mask"} | told
    for t in range(kwargs["max_steps"]):
        assert list(info)[:1] == ["action_mask"]
        assert info.get("is_success", False) is False
        assert info["action_mask"].dtype == np.int8
        assert env.action_space.contains(env.action_space.sample(mask=info["action_mask"]))
        _, _, terminated, truncated, info = env.step(t % env.action_space.n)
        infos = batch.step(np.full(4, t % env.action_space.n))[4]
        heard = {"opponent_action", "_opponent_action"} if "Duel" in name else set()
        assert infos.keys() == {"action_mask", "_action_mask", "is_success", "_is_success"} | heard | told
        assert infos["_action_mask"].all()
        if terminated:
            assert isinstance(info["is_success"], bool)
            break
        assert truncated == (t + 1 == kwargs["max_steps"])
    env.step(0)  # after the end: harmless


@each_case
def test_rendering(name, kwargs):
    env = gymnasium.make(name, render_mode="rgb_array", **kwargs).unwrapped
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.render()
    env.reset(seed=0)
    first = env.render()
    assert first.dtype == np.uint8
    assert first.ndim == 3
    assert first.shape[2] == 3
    assert len(np.unique(first @ np.array([65536, 256, 1]))) > 3  # colours
    env.step(0)
    assert env.render().shape == first.shape
    assert not np.array_equal(env.render(), first)
    env.close()
    env.close()
    text = gymnasium.make(name, render_mode="ansi", **kwargs).unwrapped
    text.reset(seed=0)
    assert len(text.render().splitlines()) > 1
    batch = native(name, kwargs, copies=2, render_mode="rgb_array")
    batch.reset(seed=0)
    assert same(batch.render()[0], first)
    assert native(name, kwargs).render() is None


def test_human_is_for_one_world():
    with pytest.raises(UsageError, match="human"):
        native(IDS[0], {}, render_mode="human")


HEADLESS = """
import gymnasium, rlcourse, sys
env = gymnasium.make("rlcourse/CandyMachines-v0", render_mode=sys.argv[1])
env.reset(seed=0)
for _ in range(3):
    env.step(1)
    image = env.render()
env.close()
env.close()
print(None if image is None else image.shape)
import pygame
print(pygame.display.get_init())
"""


@pytest.mark.parametrize("mode", ["rgb_array", "human"])
def test_headless(mode):
    """Pictures need no display at all; a window works on SDL's dummy driver, and closes twice."""
    environment = {
        k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    }
    if mode == "human":
        environment["SDL_VIDEODRIVER"] = "dummy"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEADLESS, mode],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    shape, display = done.stdout.splitlines()[-2:]
    assert display == "False"
    assert (shape == "None") == (mode == "human")


def test_import_is_light():
    code = "import rlcourse, sys; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["numba", "torch", "pygame", "matplotlib", "scipy", "stable_baselines3"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
