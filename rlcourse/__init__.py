"""rlcourse: reinforcement-learning and bandit worlds, and populations of agents that learn in them.

Importing the package registers its worlds with Gymnasium and does little more: everything heavy loads when first used.

    import rlcourse
    agent = rlcourse.make_agent("ucb1", "rlcourse/CandyMachines-v0", seeds=100)
    agent.learn(10_000)
    returns = rlcourse.evaluate(agent, episodes=10)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rlcourse.envs  # noqa: F401  (registers the worlds)
from rlcourse.version import __version__

if TYPE_CHECKING:
    from rlcourse.agents import load_agent, make_agent
    from rlcourse.agents.evaluation import evaluate

__all__ = ["__version__", "evaluate", "load_agent", "make_agent"]

_LAZY = {
    "make_agent": "rlcourse.agents",
    "load_agent": "rlcourse.agents",
    "evaluate": "rlcourse.agents.evaluation",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'rlcourse' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
