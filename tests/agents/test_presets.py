"""Presets: every one of them can be built, and says what it is for where there is none."""

import pytest

from rlcourse.agents import make_agent
from rlcourse.agents.presets import preset, presets
from rlcourse.errors import UsageError

ALL = [(world, agent) for world, agents in presets().items() for agent in agents]


@pytest.mark.parametrize(("world", "agent"), ALL)
def test_builds(world, agent):
    settings = preset(agent, world)
    learner = make_agent(agent, world, seeds=1, **settings)
    for name, value in settings.items():
        said = getattr(learner.config, name)
        assert (list(said) if isinstance(said, tuple) else said) == value, name


@pytest.mark.parametrize("world", ["CartPole-v1", "CandyMaze-v0"])
def test_the_twins_of_stable_baselines3_have_the_same(world):
    """All but the bonus, which they have not."""
    ours, theirs = preset("ppo", world), preset("sb3:ppo", world)
    assert (ours.pop("exploration_bonus", 0.0) > 0.0) == (world == "CandyMaze-v0")
    assert {name: theirs[name] for name in ours} == ours
    make_agent("sb3:ppo", world, seeds=1, **theirs)


def test_the_result_is_a_copy():
    preset("ppo", "CartPole-v1")["gamma"] = 0.0
    assert preset("ppo", "CartPole-v1")["gamma"] == 0.98


@pytest.mark.parametrize(
    ("agent", "world", "says"),
    [
        ("ppo", "Taxi-v4", "no preset of ppo for Taxi-v4: there is one for CartPole-v1"),
        ("dqx", "CartPole-v1", "unknown agent 'dqx': did you mean dqn"),
        ("rainbow", "CartPole-v1", "no preset of rainbow for CartPole-v1: it has none"),
    ],
)
def test_where_there_is_none(agent, world, says):
    with pytest.raises(UsageError, match=says):
        preset(agent, world)
