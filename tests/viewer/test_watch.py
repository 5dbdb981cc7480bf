"""Agents that are watched: they do what they would do unwatched, and their values are in the picture."""

import gymnasium
import numpy as np
import pytest

import rlcourse
from rlcourse.colours import BLUE, SKY_BLUE
from rlcourse.errors import UsageError
from rlcourse.viewer import overlay
from rlcourse.viewer.overlay import value_range, value_strip
from rlcourse.viewer.show import frames
from rlcourse.viewer.watch import show_agent

from ..agents.worlds import STRATEGIES, fitting_world
from .worlds import CORRIDOR


def same_state(one, other):
    mine, others = one.get_arrays(), other.get_arrays()
    assert mine.keys() == others.keys()
    for name, array in mine.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_learns_as_if_nobody_watched(name):
    """Step for step in its world, across the end of a game; and the one that was handed in is left as it was."""
    world, options = fitting_world(name)
    agent, twin = (rlcourse.make_agent(name, world, seeds=[4], env_kwargs=options) for _ in range(2))
    agent.learn(20)
    twin.learn(20)
    show = show_agent(agent, learning=True)
    sizes = {show.frame().shape}
    for _ in range(45):  # a game has sixty rounds
        assert show.forward()
    sizes.add(show.frame().shape)
    assert len(sizes) == 1
    same_state(agent, twin)
    same_state(show.agent, twin.learn(45))
    show.close()


def test_what_the_bar_says_of_a_learner():
    agent = rlcourse.make_agent("ucb1", "Bandit-v0", seeds=[1], env_kwargs={"horizon": 6, "law": "gaussian"})
    show = show_agent(agent.learn(2), learning=True, episodes=2)
    tap, ends = show.tap, []
    assert tap.pulls == 2
    assert tap.total == agent.venv.unwrapped.get_state()["paid"][0]
    while show.forward():
        state = show.agent.venv.unwrapped.get_state()
        assert tap.pulls == state["round"][0]
        assert tap.total == pytest.approx(state["paid"][0])
        ends.append(tap.end)
    assert ends == [None] * 3 + ["truncated"] + [None] * 5 + ["truncated"]
    assert tap.episode == 2


def test_a_saved_strategy_plays_the_machines_that_it_knows(tmp_path):
    agent = rlcourse.make_agent("ucb1", "Bandit-v0", seeds=3, env_kwargs={"arms": 4, "horizon": 50})
    agent.learn(50)
    agent.save(tmp_path)
    one = rlcourse.load_agent(tmp_path).member(2)
    show = show_agent(one, episodes=2, seed=9)
    truth = agent.venv.unwrapped.arm_values()[2]
    best = agent.means[2].argmax()
    episodes = []
    while True:
        world = show.session.env.unwrapped
        np.testing.assert_array_equal(world.arm_values(), truth)
        if not show.forward():
            break
        episodes.append(show.session.episode)
        if show.session.step:
            assert world.get_state()["last"][0] == best
    assert episodes == [1] * 50 + [2] * 51  # one more for the beginning of the second
    same_state(one, agent.member(2))


def test_perfect_knowledge_is_told_the_truth_that_is_drawn(monkeypatch):
    drawn = []
    monkeypatch.setattr("rlcourse.viewer.bandits.paint_value", lambda *what, **how: drawn.append(what[2]))
    agent = rlcourse.make_agent(
        "perfect_knowledge", "DriftingBandit-v0", seeds=[0], env_kwargs={"horizon": 9, "arms": 3}
    )
    for learning in (True, False):
        show = show_agent(agent, learning=learning, episodes=1)
        while True:
            drawn.clear()
            show.frame()
            world = show.tap.unwrapped if learning else show.session.env.unwrapped
            assert drawn == list(world.arm_values().reshape(-1))
            if not show.forward():
                break


# -------------------------------------------------------------------- an agent of another kind


class Walker:
    """What every agent has, and `action_values`: it likes to go right, and down where that is a wall."""

    name, size = "walker", 1

    def __init__(self, env, learned_in=None, **env_kwargs):
        self.spec = gymnasium.spec(env)
        self.env_kwargs = env_kwargs
        self.venv = gymnasium.make_vec(learned_in or env, num_envs=1, vectorization_mode="sync", **env_kwargs)
        self.starts = []

    def member(self, k):
        assert k == 0
        return self

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        self.starts.append(bool(episode_start[0]))
        assert observation.shape == (1,)
        assert (state is None) == self.starts[-1]
        return self.action_values(observation).argmax(axis=1) + self.spec_start(), "memory"

    def spec_start(self):
        return int(self.venv.single_action_space.start)

    def action_values(self, observation):
        values = np.zeros((len(observation), int(self.venv.single_action_space.n)))
        values[:, 1 if values.shape[1] == 4 else 2] = 0.5
        return values


def test_any_agent_shows_what_it_knows():
    walker = Walker("rlcourse/CandyMaze-v0", layout="S..E\n....")
    show = show_agent(walker, episodes=2, seed=1)
    assert len(list(frames(show))) == 4 + 4
    assert show.session.end == "terminated"
    assert show.session.total == pytest.approx(10.0 - 0.1)
    assert walker.starts == [True, False, False] * 2


def test_values_of_actions_stand_below_a_world_that_cannot_draw_them():
    show = show_agent(Walker(CORRIDOR, length=5), episodes=1)
    with_values = show.frame()
    plain = overlay.draw(show.session.env, show.session.picture, None, None)
    assert np.array_equal(plain, show.session.picture())
    assert len(with_values) > len(plain) + 56
    show.close()


def test_the_values_of_a_table_are_those_of_the_state_that_is_seen(monkeypatch):
    drawn = []
    monkeypatch.setattr("rlcourse.viewer.overlay.paint_value", lambda *what, **how: drawn.append(what[2]))
    maze = {"layout": "S.2\n..E", "start": "anywhere"}
    world = {"env": "rlcourse/CandyMaze-v0", "settings": maze}  # its own picture has no place for values
    agent = rlcourse.make_agent("q_learning", "FiniteWorld-v0", seeds=[3], env_kwargs=world).learn(2000)
    show, largest = show_agent(agent, episodes=3), 0.0
    while True:
        drawn.clear()
        show.frame()
        assert drawn == list(agent.Q[0, show.session.observation])
        largest = max(largest, *drawn)
        if not show.forward():
            break
    assert largest > 5.0  # the exit pays 10


def test_an_agent_without_values_is_shown_without():
    agent = rlcourse.make_agent("random", "CandyMaze-v0", seeds=[3])
    assert overlay.values_of(agent) is None
    show = show_agent(agent, episodes=1)
    assert np.array_equal(show.frame()[:300], show.session.picture()[:300])
    learner = rlcourse.make_agent("q_learning", "CandyMaze-v0", seeds=[3]).learn(200)
    assert not np.array_equal(show_agent(learner, episodes=1).frame()[:300], show.frame()[:300])


def test_a_world_may_draw_the_values_itself(monkeypatch):
    """It is given a function that tells the values of any observations."""
    asked = []

    def paint_values(rules, state, row, values):
        asked.append(values(np.arange(5)).shape)
        return np.full((50, 70, 3), 9, np.uint8)

    monkeypatch.setattr("rlcourse.viewer.maze.paint_values", paint_values, raising=False)
    show = show_agent(Walker("rlcourse/CandyMaze-v0"), episodes=1)
    assert (show.frame()[0, 240] == 9).all()
    assert asked == [(5, 4)]


def test_another_world_must_look_the_same_to_the_agent():
    show = show_agent(Walker("rlcourse/CandyMaze-v0"), env="CandyMazeSlippery-v0", episodes=1)
    assert show.session.spec.id == "rlcourse/CandyMazeSlippery-v0"
    with pytest.raises(UsageError, match="has learned with the observation space"):
        show_agent(Walker("rlcourse/CandyMaze-v0"), env="CliffWalk-v0")
    with pytest.raises(UsageError, match="has learned with the action space"):
        show_agent(Walker("rlcourse/CandyMaze-v0"), env_kwargs={"stay": True})


def test_what_cannot_be_watched():
    agent = rlcourse.make_agent("ucb1", "Bandit-v0", seeds=2)
    with pytest.raises(UsageError, match="population of 2"):
        show_agent(agent)
    with pytest.raises(UsageError, match="episodes=0"):
        show_agent(agent.member(0), episodes=0)
    with pytest.raises(UsageError, match="seed=-1"):
        show_agent(agent.member(0), seed=-1)
    with pytest.raises(UsageError, match="let it learn first"):
        show_agent(Walker("rlcourse/CandyMaze-v0"), learning=True)
    uneven = rlcourse.make_agent("ucb1", "tests/UnevenBandit-v0", seeds=[0])
    with pytest.raises(UsageError, match="draws no picture"):
        show_agent(uneven, learning=True).frame()


# -------------------------------------------------------------------- bars


def near(image, colour):
    return (np.abs(image.astype(int) - np.array(colour)).max(axis=2) < 12).sum(axis=1).max()


def test_bars_are_as_long_as_the_values():
    """The bar of the best value is dark; the longest row of its colour is as long as its share of the range."""
    bars = {}
    for values in ([1.0, 0.25], [0.5, -0.5], [-0.25, -1.0]):
        strip = value_strip(["a", "b"], np.array(values), 480)
        bars[tuple(values)] = near(strip, BLUE), near(strip, SKY_BLUE)
    full = bars[1.0, 0.25][0]
    assert full > 200
    assert bars[1.0, 0.25][1] == pytest.approx(full / 4, abs=3)
    assert bars[0.5, -0.5] == pytest.approx((full / 2, full / 2), abs=3)
    assert bars[-0.25, -1.0] == pytest.approx((full / 4, full), abs=3)


def test_range_of_the_bars():
    assert value_range(np.array([0.5, 1.5])) == (0.0, 1.5)
    assert value_range(np.array([0.5, 1.5]), (0.0, 2.0)) == (0.0, 2.0)
    assert value_range(np.array([-3.0, -np.inf, np.nan]), (-np.inf, np.inf)) == (-3.0, 0.0)
    assert value_range(np.array([0.0, 0.0])) == (0.0, 1.0)


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0], [-np.inf, 1e9, np.nan], [-np.inf] * 3, [1e-300, 0, 0]])
def test_any_values_can_be_drawn(values):
    assert value_strip("abc", np.array(values), 480).shape[1:] == (480, 3)


def test_more_actions_than_columns():
    assert len(value_strip([str(n) for n in range(20)], np.arange(20.0), 480)) > 3 * 56
