"""Settings that were tuned for a world: `preset("ppo", "CartPole-v1")`. They stand in `presets.toml`, with their sources."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any

from rlcourse.errors import UsageError
from rlcourse.names import resolve_world, short_name

FILE = Path(__file__).with_name("presets.toml")


@functools.cache
def presets() -> dict[str, dict[str, dict[str, Any]]]:
    """All of them: world -> agent -> settings."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def preset(agent: str, env: str) -> dict[str, Any]:
    """The settings that were tuned for this agent in this world.

    Those of an agent of stable-baselines3 are equal to those of ours, so that the two can be compared; only an
    `exploration_bonus` is left out, which it has not.

    Args:
        agent: name of the agent.
        env: id of the world.

    Raises:
        UsageError: there are none; the message says for which worlds there are.
    """
    from rlcourse.agents import agent_class
    from rlcourse.agents.baselines.equal import TWINS, equal_settings

    name = short_name(resolve_world(env).id)
    agent_class(agent)  # refuses a name that there is not
    ours = {twin: own for own, twin in TWINS.items()}.get(agent)
    if ours is not None and agent not in presets().get(name, {}):
        return equal_settings(ours, {**preset(ours, env), "exploration_bonus": 0.0})
    found = presets().get(name, {}).get(agent)
    if found is None:
        worlds = [world for world, agents in presets().items() if agent in agents]
        known = f"there is one for {', '.join(worlds)}" if worlds else "it has none"
        raise UsageError(f"no preset of {agent} for {name}: {known}")
    return dict(found)
