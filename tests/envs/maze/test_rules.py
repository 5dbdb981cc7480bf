"""The compiled rules against a slow walker; chance, starts and walls that change; what people read."""

import pickle

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.envs.maze.board import UNITS
from rlcourse.envs.maze.reading import parse
from rlcourse.envs.maze.world import FIRST_WALKER, HOME, REMAINING, SCORE
from rlcourse.errors import UsageError

from .maps import STEPS, SlowWalker, maps

REWARDS = {"exit": 7.0, "trap": -4.0, "cliff": -2.5, "move": -0.125, "revisit": -0.25, "bump": -0.75}
REWARD_OPTIONS = {f"{name}_reward": value for name, value in REWARDS.items()}


def make(**options):
    return gymnasium.make("rlcourse/CandyMaze-v0", **options).unwrapped


@settings(max_examples=150, deadline=None)
@given(maps, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([None, 0.5]), st.integers(0, 2**32))
def test_the_compiled_rules_are_the_documented_ones(text, king, stay, locked, patience, seed):
    """Every step: reward, end, cell, candies and mask, as the slow walker says."""
    env = make(
        layout=text, observation="position", king_moves=king, stay=stay, locked=locked, patience=patience,
        max_steps=None, **REWARD_OPTIONS,
    )  # fmt: skip
    steps = STEPS[: 8 if king else 4] + ([(0, 0)] if stay else [])
    assert env.action_space.n == len(steps)
    slow = SlowWalker(text, REWARDS, locked, patience)
    width = parse(text).width
    _, info = env.reset(seed=0)
    for action in np.random.default_rng(seed).integers(len(steps), size=60):
        open_ways = [step == (0, 0) or slow.go(slow.at, step) != slow.at for step in steps]
        assert info["action_mask"].tolist() == open_ways
        seen, reward, terminated, truncated, info = env.step(action)
        assert (reward, terminated) == slow.step(steps[action])
        assert not truncated
        assert divmod(int(seen), width) == slow.at
        core = env.get_state()["core"][0]
        assert int(core[REMAINING]).bit_count() == len(slow.candies)
        assert core[FIRST_WALKER + SCORE] == pytest.approx(slow.total * UNITS, abs=1)
        if terminated:
            slow.begin()
            _, info = env.reset()


def test_slips_go_to_both_sides_and_gusts_blow_evenly():
    env = gymnasium.make_vec(
        "rlcourse/CandyMaze-v0", 30_000, vectorization_mode="vector_entry_point", observation="position", slip=0.3,
        layout=".....\n.....\nS...E\n.....\n.....\n\nwind = 0 0 0 0 0",
    ).unwrapped  # fmt: skip
    env.reset(seed=0)
    env.step(np.full(30_000, 1))
    seen = env.step(np.full(30_000, 1))[0]
    straight = (seen == 12).mean()
    assert straight == pytest.approx(0.49, abs=0.02)  # 0.7 squared
    assert (seen == 6).mean() == pytest.approx((seen == 16).mean(), abs=0.02)
    windy = gymnasium.make_vec(
        "rlcourse/WindyGrid-v0",
        30_000,
        vectorization_mode="vector_entry_point",
        observation="position",
        gusty=True,
    ).unwrapped
    windy.reset(seed=0)
    for _ in range(4):
        seen = windy.step(np.full(30_000, 1))[0]
    rows = np.bincount(seen // 10, minlength=7) / 30_000
    assert rows[1:4] == pytest.approx([1 / 3] * 3, abs=0.02)  # the wind of 1 blows 0, 1 or 2 rows
    assert rows[[0, 4, 5, 6]].sum() == 0


def test_starts_are_drawn_from_the_map_or_from_all_floor():
    text = "S.#S\n..2.\n##.E"
    for start, count in (("map", 2), ("anywhere", 7)):
        env = gymnasium.make_vec(
            "rlcourse/CandyMaze-v0", 7000, vectorization_mode="vector_entry_point",
            observation="position", layout=text, start=start,
        ).unwrapped  # fmt: skip
        seen, _ = env.reset(seed=0)
        assert len(np.unique(seen)) == count
        assert np.bincount(seen).max() < 1.15 * 7000 / count
        again, _ = env.reset(options={"same_problem": True})
        assert np.array_equal(seen, again)
        assert (env.get_state()["core"][:, FIRST_WALKER + HOME] == seen).all()


def test_walls_change_in_the_life_of_a_copy_and_a_seed_begins_it_anew():
    env = gymnasium.make("rlcourse/BlockingMaze-v0", max_steps=300).unwrapped
    short = [1] * 5 + [2] * 5
    env.reset(seed=0)

    def shortest_works():
        env.reset()
        return [env.step(action)[2] for action in short][-1]

    assert shortest_works()
    env.reset(seed=0)
    for step in range(1000):
        if step % 300 == 0:
            env.reset()
        before = env.rules.phase(env.get_state(), 0)
        assert before == 0
        env.step(3)
    assert env.rules.phase(env.get_state(), 0) == 1
    assert not shortest_works()
    env.reset(seed=0)
    assert shortest_works()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"slip": 1.5}, "slip=1.5"),
        ({"observation": "windo"}, "unknown choice 'windo'"),
        ({"start": "everywhere"}, "start"),
        ({"stay": 1}, "stay=1 must be true or false"),
        ({"patience": -1}, "patience=-1"),
        ({"exit_reward": "much"}, "exit_reward='much'"),
        ({"move_reward": -1e7}, "move_reward=-10000000.0 must be"),
        ({"max_steps": 0}, "max_steps=0"),
        ({"revisit_reward": -1.0}, "observation='index'"),
        ({"layout": "S.C\nS.E"}, "single start"),
        ({"layout": "S" + "1" * 60 + "E\n" + "." * 62}, "cannot number the states of a map with 60 candies"),
    ],
)
def test_impossible_options_are_named(given, message):
    with pytest.raises(UsageError, match=message):
        make(**given)


def test_a_copy_keeps_the_map_of_a_file_that_is_gone(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("S..\n..E\n", "utf-8")
    env = make(layout=str(file))
    env.reset(seed=0)
    dump = pickle.dumps(env)
    file.unlink()
    twin = pickle.loads(dump)
    assert [twin.step(action)[0] for action in (1, 3, 1)] == [1, 4, 5]


def test_text_for_people():
    env = gymnasium.make("rlcourse/CandyMaze-v0", layout="S2\n.E", render_mode="ansi", stay=True)
    env.reset(seed=0)
    assert env.render() == "step 0, return 0\n  @2\n  .E"
    env.step(1)
    assert env.render() == "step 1, return 2, went right\n  S@\n  .E"
    env.step(4)
    assert env.render() == "step 2, return 1.95, stayed\n  S@\n  .E"
