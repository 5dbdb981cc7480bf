"""What an agent knows, on the map: the right numbers in the right cells, and arrows that point where the actions lead."""

import gymnasium
import numpy as np
import pygame
import pytest

import rlcourse
from rlcourse.agents import make_agent
from rlcourse.agents.control import ControlAgent
from rlcourse.envs.maze import world as columns_of
from rlcourse.envs.maze.everywhere import everywhere
from rlcourse.errors import UsageError
from rlcourse.mdp import FiniteMDP, q_values, value_iteration
from rlcourse.viewer import field
from rlcourse.viewer.knowledge import greedy_shares, knowledge_of
from rlcourse.viewer.maze import HEADER, MARGIN, WALL, paint_values, whole_state
from rlcourse.viewer.policy import policy_picture, save_policy_picture

DIRECTIONS = [(0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0)]
"""Left, right, up, down, the diagonals, staying."""


def at_start(env_id, **options):
    """Rules and state of a world at the start of an episode, and the world."""
    world = gymnasium.make(f"rlcourse/{env_id}", **options).unwrapped
    world.reset(seed=0)
    return world.rules, whole_state(world.rules, world.get_state()), world


def planned(env_id, gamma=0.9, seeds=1, **options):
    """A population whose table holds the optimal values, and these."""
    agent = make_agent("q_learning", env_id, seeds=seeds, env_kwargs=options)
    mdp = FiniteMDP.from_env(at_start(env_id, **options)[2])
    V, _ = value_iteration(mdp, gamma)
    agent.Q[:] = q_values(mdp, V, gamma)
    return agent, V


# -------------------------------------------------------------------- what is known


@pytest.mark.parametrize(
    ("env_id", "options"),
    [
        ("CandyMaze-v0", {}),
        ("CandyMazeSlippery-v0", {"king_moves": True, "stay": True}),
        ("CliffWalk-v0", {}),
        ("CandyMaze-v0", {"layout": "S.2\n.#.\nT.E", "locked": True}),
    ],
)
def test_the_values_of_an_optimal_agent_are_those_of_planning(env_id, options):
    agent, V = planned(env_id, **options)
    rules, state, world = at_start(env_id, **options)
    known = knowledge_of(agent, rules, state)
    layout = rules.grid
    full, candies = (1 << rules.n_candies) - 1, layout.find("candy")
    opened = [cell for cell in layout.cells() if layout.word(cell) != "wall"]
    for cell in layout.cells():
        word = layout.word(cell)
        if word in ("wall", "trap", "cliff") or (word == "exit" and not rules.locked):
            assert np.isnan(known.V[cell])
            assert np.isnan(known.share[cell]).all()
            continue
        left = full & ~(1 << candies.index(cell)) if cell in candies else full
        number = (opened.index(cell) << rules.n_candies) + left
        assert known.V[cell] == pytest.approx(V[number], abs=1e-6)
        assert known.share[cell].sum() == pytest.approx(1.0)
    assert known.Q.shape == (*known.V.shape, world.action_space.n)


def test_a_situation_on_the_way():
    """The candies that are gone are gone in all cells."""
    rules, _, world = at_start("CandyMaze-v0", layout="S12\n..E")
    world.step(1)
    cells, copies = everywhere(rules, world.get_state())
    np.testing.assert_array_equal(cells, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(rules.observe(copies) & 3, [2, 2, 0, 2, 2])


def test_the_last_candy_ends_where_there_is_no_exit():
    rules, state, _ = at_start("CandyMaze-v0", layout="S.1\n###")
    np.testing.assert_array_equal(everywhere(rules, state)[0], [0, 1])


def test_walls_of_the_time_and_of_the_level():
    rules, _, world = at_start("ShortcutMaze-v0", layout="S#.\n..E\n\nfrom step 1\nS..\n..E")
    assert 1 not in everywhere(rules, world.get_state())[0]
    world.step(3)
    assert 1 in everywhere(rules, world.get_state())[0]
    rules, state, _ = at_start("CandyMazeLevels-v0")
    layout, _ = rules.layout_of(state, 0)
    cells = {divmod(int(cell), layout.width) for cell in everywhere(rules, state)[0]}
    assert cells == {cell for cell in layout.cells() if layout.word(cell) not in ("wall", "exit")}


def test_the_mean_over_members_and_how_many_choose():
    agent, V = planned("CandyMaze-v0", seeds=4, layout="S..\n..E")
    agent.Q[3] = 0.0  # knows nothing: a quarter of a vote for each
    agent.Q[2, :, 1], agent.Q[2, :, 2:] = 5.0, 0.0  # to the right, always
    agent.Q[2, :, 0] = 0.0
    rules, state, _ = at_start("CandyMaze-v0", layout="S..\n..E")
    known = knowledge_of(agent, rules, state)
    assert known.V[0, 0] == pytest.approx((2 * V[0] + 5.0) / 4)
    # two are optimal: right or down, half a vote each
    np.testing.assert_allclose(known.share[0, 0], np.array([0.25, 2.25, 0.25, 1.25]) / 4)
    one = knowledge_of(agent.member(2), rules, state)
    np.testing.assert_allclose(one.share[0, 0], [0, 1, 0, 0])


def test_ties():
    np.testing.assert_allclose(greedy_shares(np.array([1.0, 1.0 + 1e-13, 0.0])), [0.5, 0.5, 0.0])
    np.testing.assert_allclose(greedy_shares(np.array([[0.0, -1e-3], [-5.0, -5.0]])), [[1, 0], [0.5, 0.5]])


class Reader(ControlAgent):
    """Goes right while the first candy is there, else down; it sees an array, and keeps no values."""

    name = "reader"

    def learn(self, steps, *, progress=False):
        return self

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.where(observation[..., -1] > 0, 1, 3), state


def test_an_agent_without_values_that_sees_an_array():
    options = {"layout": "S.1\n..E", "observation": "onehot"}
    agent = Reader("rlcourse/CandyMaze-v0", seeds=3, env_kwargs=options)
    rules, state, _ = at_start("CandyMaze-v0", **options)
    known = knowledge_of(agent, rules, state)
    assert known.V is None
    assert known.Q is None
    np.testing.assert_array_equal(known.share[0, 0], [0, 1, 0, 0])
    np.testing.assert_array_equal(known.share[0, 2], [0, 0, 0, 1])  # who stands there has taken it
    assert policy_picture(agent).ndim == 3


# -------------------------------------------------------------------- shapes and colours


@pytest.mark.parametrize("directions", [DIRECTIONS[:4], DIRECTIONS[:8]])
def test_wedges_fill_the_cell_and_lie_where_their_action_leads(directions):
    areas = []
    for (rows, columns), shape in zip(directions, field.wedges(directions), strict=True):
        x, y = shape.T
        areas.append(0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))))
        assert np.sign(np.round(shape.mean(axis=0), 9)).tolist() == [columns, rows]
        assert np.abs(shape).max() == pytest.approx(0.5)
    assert sum(areas) == pytest.approx(1.0)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_arrow_points_where_its_action_leads_and_its_area_is_the_share(direction):
    image = pygame.Surface((200, 200))
    share = np.zeros((1, 1, 9))
    share[0, 0, DIRECTIONS.index(direction)] = 1.0
    plain = np.full((1, 1), np.nan)
    image.fill((255, 255, 255))
    field.paint_arrows(image, share, plain, field.scale_of(plain), 200, DIRECTIONS)
    inked = pygame.surfarray.array3d(image)[:, :, 0].T < 128
    rows, columns = np.nonzero(inked)
    centre = np.array([rows.mean(), columns.mean()]) - 99.5
    away = 200 * 0.1 * np.array(direction)
    assert (np.sign(centre[away != 0]) == np.sign(away[away != 0])).all()
    assert (np.abs(centre[away == 0]) < 1.5).all()
    if direction != (0, 0):  # the head, which is the wider half, is in front
        along = (np.stack([rows, columns], axis=1) - 99.5) @ (np.array(direction) / np.hypot(*direction))
        assert np.count_nonzero(along > 33) > 1.5 * np.count_nonzero(along <= 33)
    image.fill((255, 255, 255))
    field.paint_arrows(image, 0.5 * share, plain, field.scale_of(plain), 200, DIRECTIONS)
    half = np.count_nonzero(pygame.surfarray.array3d(image)[:, :, 0] < 128)
    assert half == pytest.approx(0.5 * np.count_nonzero(inked), rel=0.1)


def test_colours_are_viridis_and_grow_lighter_with_the_value():
    from matplotlib import colormaps

    scale = field.Scale(-2.0, 6.0)
    for value, share in ((-2.0, 0.0), (2.0, 0.5), (6.0, 1.0), (-50.0, 0.0), (50.0, 1.0)):
        assert np.abs(np.array(scale.colour(value)) / 255 - colormaps["viridis"](share)[:3]).max() < 0.01
    light = [np.dot(scale.colour(value), [0.299, 0.587, 0.114]) for value in np.linspace(-2, 6, 30)]
    assert (np.diff(light) > 0).all()


def test_a_fall_off_the_cliff_leaves_the_colours_to_the_others():
    V = np.array([[-10.0, -1.0, np.nan]])
    Q = np.array([[[-10.0, -12.0], [-100.0, -1.0], [np.nan, np.nan]]])
    assert field.scale_of(V) == (-10.0, -1.0, False)
    assert field.scale_of(V, Q) == (-19.0, -1.0, True)
    assert field.scale_of(V, Q[:, :1]) == (-12.0, -1.0, False)
    assert field.scale_of(np.full((2, 2), np.nan)).colour(3.0) == field.scale_of(np.zeros((1, 1))).colour(0.0)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.00"), (-0.001, "0.00"), (-9.994, "-9.99"), (9.996, "10.0"), (123.4, "123")]
)
def test_numbers_are_short(value, text):
    assert field.short(value) == text


# -------------------------------------------------------------------- pictures


def cell_of(image, rules, cell, side):
    """The pixels of a cell in the live picture."""
    x = (image.shape[1] - side * rules.width) // 2 + cell[1] * side
    y = HEADER + MARGIN + cell[0] * side
    return image[y : y + side, x : x + side].astype(int)


POSITION = columns_of.FIRST_WALKER + columns_of.POSITION
LAYOUT = "...\n.S.\n..E\n###"


@pytest.mark.parametrize("action", range(8))
def test_the_arrow_in_the_live_picture_points_where_the_walker_would_go(action):
    """The maze itself says where: the walker takes the action."""
    rules, state, world = at_start("CandyMaze-v0", layout="....\n.S..\n....\n...E", king_moves=True)
    start = np.array([1, 1])
    world.step(action)
    step = np.array(divmod(int(world.get_state()["core"][0, POSITION]), rules.width)) - start
    best = np.zeros(8)
    best[action] = 1e-6  # too little to be seen as a colour

    def values(seen):  # two cells keep the colours in place
        return np.array([best + {0: 1.0, 3: -1.0}.get(int(x), 0.0) for x in seen])

    cell = cell_of(paint_values(rules, state, 0, values), rules, (2, 2), 72)
    ground = np.array(field.Scale(-1.0, 1.0).colour(0.0))
    assert np.abs(cell[36, 10] - ground).max() < 40 or np.abs(cell[10, 36] - ground).max() < 40
    rows, columns = np.nonzero(arrow_ink(cell))
    assert len(rows) > 50
    away = np.array([rows.mean(), columns.mean()]) - 35.5
    assert np.sign(np.round(away / 6.0)).tolist() == np.sign(step).tolist()


def arrow_ink(cell):
    """White in a cell, without the grid at its edges and the thin lines between its wedges."""
    white = cell.min(axis=2) > 200
    white[:4] = white[-4:] = white[:, :4] = white[:, -4:] = False
    filled = white.copy()
    for axis in (0, 1):
        for shift in (-1, 1):
            filled &= np.roll(white, shift, axis)
    return filled


def test_walls_have_no_colour_and_floors_have_that_of_their_value():
    options = {"layout": LAYOUT, "stay": True}
    rules, state, _ = at_start("CandyMaze-v0", **options)
    image = paint_values(rules, state, 0, lambda seen: np.repeat(seen[:, None] / 7.0, 5, axis=1))
    for column in range(3):
        assert np.abs(cell_of(image, rules, (3, column), 72)[10:-10, 10:-10] - np.array(WALL)).max() == 0
    scale = field.Scale(0.0, 1.0)
    for number, cell in ((0, (0, 0)), (2, (0, 2)), (6, (2, 0)), (7, (2, 1))):
        pixel = cell_of(image, rules, cell, 72)[8, 36]
        assert np.abs(pixel - np.array(scale.colour(number / 7.0))).max() <= 3


@pytest.mark.parametrize(
    ("env_id", "options"),
    [
        ("CourseMaze-v0", {"observation": "position"}),
        ("CliffWalk-v0", {}),
        ("CandyMaze-v0", {"size": 64, "level_seed": 1}),
        ("CandyMaze-v0", {"king_moves": True, "stay": True}),
        ("CandyMazeDrift-v0", {}),
        ("WindyGrid-v0", {}),
    ],
)
def test_pictures_of_mazes_of_all_sizes(env_id, options, tmp_path):
    agent = make_agent("q_learning", env_id, seeds=2, env_kwargs=options)
    blank = policy_picture(agent)
    agent.learn(300)
    path = save_policy_picture(agent, tmp_path / "deep" / "one.png")
    image = pygame.surfarray.array3d(pygame.image.load(path)).transpose(1, 0, 2)
    assert image.shape == blank.shape
    assert not np.array_equal(image, blank)
    assert max(image.shape) < 1600
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"one of a maze, and rlcourse/CandyMachines-v0 is none"):
        policy_picture(make_agent("ucb1", "CandyMachines-v0"))
    with pytest.raises(UsageError, match=r"must be a \.png file"):
        save_policy_picture(make_agent("random", "CourseMaze-v0"), tmp_path / "one.gif")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        save_policy_picture(make_agent("random", "CourseMaze-v0"), tmp_path / "file" / "one.png")


def test_drawing_does_not_disturb_learning():
    drawn, twin = (make_agent("q_learning", "CandyMaze-v0", seeds=2).learn(50) for _ in range(2))
    policy_picture(drawn)
    mine, others = drawn.learn(50).get_arrays(), twin.learn(50).get_arrays()
    for name, array in mine.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)


def test_the_values_of_an_agent_have_the_shape_of_what_is_observed():
    agent = make_agent("q_learning", "CandyMaze-v0", seeds=2)
    agent.Q[:] = np.random.default_rng(0).random(agent.Q.shape)
    seen = np.array([[0, 5, 7], [1, 5, 9]])
    Q = agent.action_values(seen)
    assert Q.shape == (2, 3, 4)
    np.testing.assert_array_equal(Q[1, 2], agent.Q[1, 9])
    np.testing.assert_array_equal(agent.state_values(seen), Q.max(axis=2))
    np.testing.assert_array_equal(agent.action_values(seen[:, 0]), Q[:, 0])
    np.testing.assert_array_equal(agent.member(1).action_values(5), agent.Q[1, 5])
    np.testing.assert_array_equal(agent.member(1).action_values(seen[1]), Q[1])
    for name, env_id in (("random", "CandyMaze-v0"), ("ucb1", "Bandit-v0")):
        assert rlcourse.make_agent(name, env_id).action_values(np.zeros(1, int)) is None
        assert rlcourse.make_agent(name, env_id).state_values(np.zeros(1, int)) is None
