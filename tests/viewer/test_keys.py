"""Every action of every world can be done with keys, and a key goes where it says."""

import gymnasium
import pytest

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.viewer.keys import ENTER, NEW, UNDO, action_names, controls_for

from ..envs.variants import IDS
from .worlds import CORRIDOR, DOORS

FIELD = "...\n.S.\n..E"
WAYS = {
    "left": (0, -1),
    "right": (0, 1),
    "up": (-1, 0),
    "down": (1, 0),
    "a": (0, -1),
    "d": (0, 1),
    "w": (-1, 0),
    "s": (1, 0),
    "[4]": (0, -1),
    "[8]": (-1, 0),
    "q": (-1, -1),
    "e": (-1, 1),
    "z": (1, -1),
    "c": (1, 1),
    "[7]": (-1, -1),
    "[3]": (1, 1),
    "space": (0, 0),
    "[5]": (0, 0),
}


def maze(**options):
    env = gymnasium.make("rlcourse/CandyMaze-v0", layout=FIELD, render_mode="ansi", **options)
    env.reset(seed=0)
    return env


@pytest.mark.parametrize("key", WAYS)
def test_a_key_goes_where_it_says(key):
    """The way is read off the text of the map, which knows no keys."""
    env = maze(king_moves=True, stay=True)
    env.step(controls_for(env).actions[key])
    rows = [line.strip() for line in env.render().splitlines()[1:]]
    row = next(number for number, line in enumerate(rows) if "@" in line)
    assert (row - 1, rows[row].index("@") - 1) == WAYS[key]


def test_a_key_without_its_action_does_nothing():
    plain = controls_for(maze())
    assert set(plain.actions.values()) == {0, 1, 2, 3}
    assert not {"q", "e", "z", "c", "space"} & plain.actions.keys()
    assert plain.leave == ("escape", "q")
    kings = controls_for(maze(king_moves=True))
    assert "space" not in kings.actions
    assert kings.leave == ("escape",)  # Q is a move


@pytest.mark.parametrize("name", [*IDS, "FrozenLake-v1", CORRIDOR, DOORS])
def test_every_action_has_a_key_or_a_number(name):
    env = gymnasium.make(name)
    controls = controls_for(env)
    space = env.action_space
    every = set(range(int(space.start), int(space.start + space.n)))
    assert {*controls.actions.values(), *controls.numbers.values()} == every
    others = {*ENTER, *NEW, *UNDO, *controls.leave, "backspace"}
    assert not others & controls.actions.keys()
    assert controls.help
    assert len(action_names(env)) == len(every)


def test_numbers_are_those_on_the_machines():
    assert controls_for(gymnasium.make("rlcourse/Bandit-v0", arms=10)).actions["7"] == 7
    assert controls_for(gymnasium.make("rlcourse/Bandit-v0", arms=10)).actions["[7]"] == 7
    many = controls_for(gymnasium.make("rlcourse/Bandit-v0", arms=11))
    assert many.actions == {}
    assert many.numbers["10"] == 10
    assert controls_for(gymnasium.make(CORRIDOR)).numbers == {"-1": -1, "0": 0, "1": 1}


def test_names_of_actions():
    assert action_names(maze(king_moves=True, stay=True))[:5] == ("left", "right", "up", "down", "up left")
    assert action_names(maze(king_moves=True, stay=True))[-1] == "stay"
    assert action_names(gymnasium.make(CORRIDOR)) == ("-1", "0", "1")
    assert action_names(gymnasium.make("Pendulum-v1")) == ()
