"""Symmetries of the square in reinforcement learning: the turned transition is walked in the turned maze."""

import gymnasium
import numpy as np
import pytest
import torch

from rlcourse.agents import make_agent
from rlcourse.agents.deep.codec import Codec
from rlcourse.agents.deep.symmetries import Symmetries
from rlcourse.errors import UsageError

MAZE = ["S.#.2", ".1...", ".##..", "3..#.", "..#.E"]
PLANES = {"observation": "planes", "max_steps": 50}
SMALL = {"net_arch": (16,), "n_envs": 2}
SETTINGS = {
    "dqn": {**SMALL, "learning_starts": 20, "batch_size": 8, "augment": "symmetries"},
    "ppo": {**SMALL, "n_steps": 16, "batch_size": 16, "augment": "symmetries"},
}
each = pytest.mark.parametrize("name", ["dqn", "ppo"])


def turned_text(g):
    """The map after g % 4 quarter turns to the left, mirrored before where g >= 4, letter by letter."""
    rows = [list(row[::-1] if g >= 4 else row) for row in MAZE]
    for _ in range(g % 4):
        rows = [[row[c] for row in rows] for c in range(len(rows[0]) - 1, -1, -1)]
    return "\n".join("".join(row) for row in rows)


@pytest.mark.parametrize("g", range(8))
def test_a_turned_transition_is_one_of_the_turned_maze(g):
    """200 random steps in both worlds, the actions of one carried into the other."""
    agent = make_agent(
        "dqn", "CandyMaze-v0", env_kwargs={**PLANES, "layout": "\n".join(MAZE)}, augment="symmetries"
    )
    symmetries, which = agent.symmetries, torch.tensor([[g]])
    plain = gymnasium.make("rlcourse/CandyMaze-v0", layout="\n".join(MAZE), **PLANES)
    turned = gymnasium.make("rlcourse/CandyMaze-v0", layout=turned_text(g), **PLANES)
    read = agent.codec.read

    def turn(observation):
        return symmetries.turn(torch.from_numpy(np.array(read(observation[None])))[None], which)[0, 0].numpy()

    rng = np.random.default_rng(g)
    here, there = plain.reset(seed=1)[0], turned.reset(seed=1)[0]
    moved = 0
    for _ in range(200):
        assert np.array_equal(turn(here), read(there[None])[0])
        action = int(rng.integers(4))
        other = int(symmetries.carry(torch.tensor([[action]]), which))
        after, reward, terminated, truncated, _ = plain.step(action)
        there, paid, gone, late, _ = turned.step(other)
        assert (reward, terminated, truncated) == (paid, gone, late)
        moved += not np.array_equal(after, here)
        here = after
        if terminated or truncated:
            here, there = plain.reset(seed=2)[0], turned.reset(seed=2)[0]
    assert moved > 50


def test_values_of_actions_are_put_in_the_order_of_the_turned_board():
    agent = make_agent("dqn", "CandyMaze-v0", env_kwargs=PLANES, augment="symmetries")
    values = torch.arange(8 * 4).reshape(1, 8, 4).float()
    which = torch.arange(8)[None]
    carried = agent.symmetries.carry_each(values, which)
    for action in range(4):
        there = agent.symmetries.carry(torch.full((1, 8), action), which)
        assert torch.equal(carried.gather(-1, there[..., None])[..., 0], values[..., action])


def test_replay_is_turned_as_it_is_drawn():
    """The same draws as without, then a symmetry each: transitions of turned worlds, all eight of them."""
    plain, turning = (
        make_agent(
            "dqn",
            "CandyMaze-v0",
            seeds=2,
            env_kwargs=PLANES,
            batch_size=256,
            learning_starts=10_000,
            augment=augment,
        )
        for augment in ("none", "symmetries")
    )
    before, after = plain.learn(100).sample(), turning.learn(100).sample()
    assert torch.equal(before.returns, after.returns)
    seen = set()
    for s in range(2):
        for k in range(256):
            fits = [
                g
                for g in range(8)
                if torch.equal(
                    turning.symmetries.turn(before.rows[s, k][None, None], torch.tensor([[g]]))[0, 0],
                    after.rows[s, k],
                )
            ]
            assert fits
            (g,) = fits[:1]
            seen.add(g)
            one = torch.tensor([[g]])
            assert turning.symmetries.carry(before.actions[s, k][None, None], one) == after.actions[s, k]
            assert torch.equal(
                turning.symmetries.turn(before.next_rows[s, k][None, None], one)[0, 0], after.next_rows[s, k]
            )
    assert seen == set(range(8))


@each
def test_a_member_learns_as_alone_and_pieces_as_at_once(name):
    def build(seeds):
        return make_agent(name, "CandyMaze-v0", seeds=seeds, env_kwargs=PLANES, **SETTINGS[name])

    together = build([4, 7]).learn(96)
    alone, pieces = build([7]).learn(96), build([4, 7]).learn(50).learn(46)
    mine, theirs, parts = together.member(1).get_arrays(), alone.get_arrays(), pieces.get_arrays()
    for key, array in together.get_arrays().items():
        assert np.array_equal(array, parts[key]), key
    for key, array in mine.items():
        assert np.allclose(array.astype(float), theirs[key].astype(float), atol=1e-3), key
    assert np.array_equal(mine["streams/agent"], theirs["streams/agent"])


@each
def test_turned_boards_become_alike(name):
    """What three members think of a board and of its turned ones differs less than without augmentation."""
    spread = {}
    for augment in ("none", "symmetries"):
        more = {"augment_coef": 1.0} if name == "ppo" else {"exploration_steps": 2000}
        agent = make_agent(
            name, "CandyMaze-v0", seeds=3, env_kwargs=PLANES, **{**SETTINGS[name], **more, "augment": augment}
        ).learn(1_000 if name == "ppo" else 2_000)
        symmetries = Symmetries(agent)
        rows = agent._rows.reshape(3, 2, *agent.codec.row_shape)[:, :1].repeat(8, axis=1)
        which = torch.arange(8).expand(3, 8)
        with torch.no_grad():
            boards = symmetries.turn(agent.tensor(rows), which)
            out = agent.q(boards) if name == "dqn" else agent.policy.step(boards, None, None)[0].softmax(-1)
        back = torch.stack(
            [
                out.gather(-1, symmetries.carry(torch.full((3, 8), a), which)[..., None])[..., 0]
                for a in range(4)
            ]
        )
        spread[augment] = float(back.std(dim=2).mean())
    assert spread["symmetries"] < 0.7 * spread["none"], spread


def test_the_channels_of_boards():
    """Square boards say themselves which axis is the channels', also where there are more of these than cells a side."""
    for shape, last in (
        ((9, 7, 7), False),
        ((7, 7, 9), True),
        ((3, 84, 84), False),
        ((84, 84, 3), True),
        ((3, 10, 12), False),
    ):
        codec = Codec(gymnasium.spaces.Box(0, 1, shape, np.uint8))
        assert codec.channels_last == last
        assert codec.image_shape[0] == shape[2 if last else 0]


@pytest.mark.parametrize(
    ("name", "world", "options", "settings", "says"),
    [
        ("dqn", "CandyMaze-v0", {}, {}, "fits worlds that show square boards"),
        (
            "ppo",
            "CandyMaze-v0",
            {"observation": "planes", "layout": "S..\n..E"},
            {},
            "fits worlds that show square boards",
        ),
        ("dqn", "CartPole-v1", {}, {}, "CartPole-v1 with these options is none"),
        ("recurrent_ppo", "CandyMaze-v0", {"observation": "planes"}, {}, "leave memory at 'none'"),
        ("deep_sarsa", "CandyMaze-v0", {"observation": "planes"}, {}, "deep_sarsa has no augment"),
    ],
)
def test_what_cannot_be_turned_is_refused(name, world, options, settings, says):
    with pytest.raises(UsageError, match=says) as error:
        make_agent(name, world, env_kwargs=options, augment="symmetries", **settings)
    assert "\n" not in str(error.value)
