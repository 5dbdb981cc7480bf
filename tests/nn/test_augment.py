"""Augmentations: a turned maze is a maze, and the best actions turn with it."""

from __future__ import annotations

import json
from typing import Any

import gymnasium
import numpy as np
import pytest

from rlcourse.envs.maze.board import directions
from rlcourse.envs.maze.layout import STEPS
from rlcourse.errors import UsageError
from rlcourse.mdp import FiniteMDP, value_iteration
from rlcourse.nn.augment import (
    AUGMENTATIONS,
    DIRECTIONS,
    Symmetry,
    action_maps,
    make_augmentation,
    turn_grids,
)
from rlcourse.streams import Streams

MAZE = """
S.#.3
..#.T
.5>..
#.#.#
.9..E
""".strip()
GAMMA = 0.9
LEFT_TURN = str.maketrans("<>^v", "v^<>")
MIRROR = str.maketrans("<>", "><")


def turned_text(g: int) -> str:
    """The map as a person turns a sheet of paper; its one-ways are drawn anew."""
    rows = [list(row) for row in MAZE.splitlines()]
    if g >= 4:
        rows = [list("".join(reversed(row)).translate(MIRROR)) for row in rows]
    for _ in range(g % 4):
        rows = [[rows[r][c] for r in range(5)] for c in reversed(range(5))]
        rows = [list("".join(row).translate(LEFT_TURN)) for row in rows]
    return "\n".join("".join(row) for row in rows)


def worlds(layout: str) -> list[gymnasium.Env[Any, Any]]:
    options: dict[str, Any] = {"layout": layout}
    kinds: list[dict[str, Any]] = [
        {"observation": "planes"},
        {"observation": "window", "window": 5},
        {"observation": "index"},
    ]
    return [gymnasium.make("rlcourse/CandyMaze-v0", **options, **kind) for kind in kinds]


def action_values(env: gymnasium.Env[Any, Any]) -> np.ndarray:
    """Q*[state, action] by value iteration."""
    mdp = FiniteMDP.from_env(env)
    plan = value_iteration(mdp, GAMMA)
    continuing = np.zeros((mdp.n_states, mdp.n_actions))
    for state, actions in mdp.to_P().items():
        for action, outcomes in actions.items():
            continuing[state, action] = sum(
                p * (r + GAMMA * (not over) * plan.V[there]) for p, there, r, over in outcomes
            )
    return continuing


def apply(x: np.ndarray, g: int) -> np.ndarray:
    return turn_grids(x[None, None], np.array([[g]]))[0, 0]


def test_the_directions_are_those_of_the_mazes() -> None:
    assert tuple(STEPS.values()) == DIRECTIONS


@pytest.mark.parametrize("g", range(8))
def test_the_turned_maze_is_the_maze_turned(g: int) -> None:
    """Walk in both: observations turn, rewards agree, and the optimal actions of one are the turned ones of the other."""
    here, there = worlds(MAZE), worlds(turned_text(g))
    best_here, best_there = action_values(here[2]), action_values(there[2])
    to, symmetry = action_maps()[g], Symmetry("values")
    rng = np.random.default_rng(g)
    seen = set()
    for episode in range(40):
        mine = [env.reset(seed=episode)[0] for env in here]
        other = [env.reset(seed=episode)[0] for env in there]
        over = False
        while not over:
            for a, b in zip(mine[:2], other[:2], strict=True):
                np.testing.assert_array_equal(apply(a, g), b)
            values = best_here[mine[2]]
            carried = symmetry.carry(values[None, None], np.array([[g]]))[0, 0]
            np.testing.assert_allclose(carried, best_there[other[2]], atol=1e-6)
            optimal = {int(a) for a in np.flatnonzero(values > values.max() - 1e-6)}
            turned = best_there[other[2]]
            assert {int(to[a]) for a in optimal} == set(np.flatnonzero(turned > turned.max() - 1e-6).tolist())
            seen.add(int(mine[2]))
            action = int(rng.choice(sorted(optimal))) if rng.random() < 0.3 else int(rng.integers(4))
            mine_steps = [env.step(action) for env in here]
            other_steps = [env.step(int(to[action])) for env in there]
            mine, other = [step[0] for step in mine_steps], [step[0] for step in other_steps]
            assert [step[1:4] for step in mine_steps] == [step[1:4] for step in other_steps]
            over = bool(mine_steps[0][2] or mine_steps[0][3])
    assert len(seen) > 25  # the walk has been far enough for the test to mean something


def test_by_hand() -> None:
    left, right, up, down = range(4)
    maps = action_maps()
    assert maps[0].tolist() == [left, right, up, down]
    assert maps[1].tolist() == [down, up, left, right]  # a quarter turn to the left
    assert maps[4].tolist() == [right, left, up, down]  # mirrored
    grid = np.array([[1, 2], [3, 4]])
    assert apply(grid, 1).tolist() == [[2, 4], [1, 3]]
    assert apply(grid, 4).tolist() == [[2, 1], [4, 3]]


def test_the_eight_are_different_and_kings_turn_too() -> None:
    assert len({tuple(row) for row in action_maps().tolist()}) == 8
    kings = tuple(directions(True))[:8]
    maps = action_maps(kings)
    assert all(sorted(row) == list(range(8)) for row in maps.tolist())
    np.testing.assert_array_equal(maps[:, :4], action_maps())
    np.testing.assert_array_equal(maps[2][maps[2]], np.arange(8))  # half a turn twice
    with pytest.raises(UsageError, match="not closed"):
        Symmetry(directions=((0, 1), (0, -1)))


def batch(s: int = 3, b: int = 200, height: int = 4, width: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(2, size=(s, b, 2, height, width)).astype(np.uint8), rng.integers(6, size=(s, b))


def test_all_symmetries_come_and_staying_stays() -> None:
    x, y = batch()
    turned, actions = Symmetry()(x, y, Streams.from_seeds(range(3), "t"))
    assert turned.dtype == np.uint8
    used = set()
    for k in range(3):
        for i in range(200):
            fits = [
                g
                for g in range(8)
                if (apply(x[k, i], g) == turned[k, i]).all()
                and actions[k, i] == (action_maps()[g][y[k, i]] if y[k, i] < 4 else y[k, i])
            ]
            assert fits
            used.update(fits)
    assert used == set(range(8))


def test_a_grid_that_is_not_square_keeps_its_shape() -> None:
    x, y = batch(height=3, width=5)
    turned, _ = Symmetry()(x, y, Streams.from_seeds(range(3), "t"))
    assert turned.shape == x.shape
    for i in range(200):
        assert any((apply(x[0, i], g) == turned[0, i]).all() for g in (0, 2, 4, 6))


def test_a_sequence_is_turned_as_one() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random((2, 30, 7, 3, 4, 4)), rng.integers(5, size=(2, 30, 7))
    turned, actions = Symmetry()(x, y, Streams.from_seeds([5, 6], "t"))
    which = np.array(
        [[[(apply(x[k, i], g) == turned[k, i]).all() for g in range(8)] for i in range(30)] for k in range(2)]
    )
    assert (which.sum(-1) == 1).all()
    np.testing.assert_array_equal(actions, Symmetry().carry(y, which.argmax(-1)))
    values = rng.random((2, 30, 7, 5))
    carried = Symmetry("values").carry(values, which.argmax(-1))
    best = Symmetry("action").carry(values.argmax(-1), which.argmax(-1))
    np.testing.assert_array_equal(carried.argmax(-1), best)


def test_occlusion_and_noise() -> None:
    x = np.ones((2, 500, 3, 6, 6), np.float32)
    y = np.zeros((2, 500), np.int64)
    hidden, _ = make_augmentation("occlusion", side=3, chance=0.5)(x, y, Streams.from_seeds([0, 1], "t"))
    blank = hidden == 0.0
    assert (blank == blank[:, :, :1]).all()  # all channels alike
    sizes = blank[:, :, 0].sum((-1, -2))
    assert set(np.unique(sizes).tolist()) <= {0, 4, 6, 9}
    assert (sizes > 0).mean() == pytest.approx(0.5, abs=0.06)
    assert blank[:, :, 0].any(axis=(0, 1)).all()  # it comes everywhere
    noisy, _ = make_augmentation("noise", scale=0.3)(x, y, Streams.from_seeds([0, 1], "t"))
    assert noisy.dtype == np.float32
    assert (noisy - x).std() == pytest.approx(0.3, rel=0.02)
    assert (noisy[0] != noisy[1]).any()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_member_alone_and_json(name: str) -> None:
    x, y = batch()
    augmentation = make_augmentation(name)
    together = augmentation(x, y, Streams.from_seeds(range(3), "t"))
    before = x.copy()
    alone = augmentation(x[1:2], y[1:2], Streams.from_seeds([1], "t"))
    np.testing.assert_array_equal(x, before)
    for one, all_of_them in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one[0], all_of_them[1])
    assert make_augmentation(json.loads(json.dumps(augmentation.to_json()))) == augmentation


def test_refused() -> None:
    for spec, options, words in (
        ("symetry", {}, "did you mean symmetry"),
        ("symmetry", {"targets": "actions"}, "did you mean action"),
        ("occlusion", {"side": 0}, "side=0"),
        ("noise", {"scale": -1.0}, "scale=-1.0"),
    ):
        with pytest.raises(UsageError, match=words):
            make_augmentation(spec, **options)
    x, streams = np.full((1, 1, 1, 4, 4), 200, np.uint8), Streams.from_seeds([0], "t")
    for name, options, y, words in (
        ("symmetry", {}, np.zeros((1, 1)), "numbers of actions, and these are float64"),
        ("symmetry", {"targets": "values"}, np.zeros((1, 1)), r"needs \[S, B, ..., 4\], got \[1, 1\]"),
        ("symmetry", {"targets": "values"}, np.zeros((1, 1, 3)), r"got \[1, 1, 3\]"),
        ("occlusion", {"value": 0.5}, np.zeros((1, 1)), "value=0.5 does not fit into inputs of uint8"),
        ("occlusion", {"value": -1}, np.zeros((1, 1)), "value=-1 does not fit into inputs of uint8"),
        ("occlusion", {"value": 256}, np.zeros((1, 1)), "value=256 does not fit"),
    ):
        with pytest.raises(UsageError, match=words):
            make_augmentation(name, **options)(x, y, streams)
    assert make_augmentation("occlusion", value=255)(x, np.zeros((1, 1)), streams)[0].max() == 255
    assert 0.5 in make_augmentation("occlusion", value=0.5)(x / 1.0, np.zeros((1, 1)), streams)[0]
    for name in ("symmetry", "occlusion"):
        with pytest.raises(UsageError, match="needs grids"):
            make_augmentation(name)(np.zeros((1, 2, 3)), np.zeros((1, 2)), Streams.from_seeds([0], "t"))
