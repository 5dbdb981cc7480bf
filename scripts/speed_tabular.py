"""How many steps a second: learners with tables over a population, against a plain Python loop in the same run.

    python scripts/speed_tabular.py                       # every learner, 100 members on a lake of 64 states
    python scripts/speed_tabular.py q_learning dyna_q

Three loops are timed: the compiled one over the model of the world (`FiniteWorld-v0`), the loop of steps over a native batch
of the same, and the peer: Q-learning as an ordinary Python loop on `FrozenLake-v1`. World and learning are in every figure;
of Dyna, each update of the model counts. Ratios travel between machines, absolute figures do not.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium.vector import VectorWrapper
from rich.console import Console
from rich.table import Table

from rlcourse.agents import AGENTS, agent_class, make_agent
from rlcourse.agents.tabular.base import TabularAgent
from rlcourse.agents.tabular.planners import Planner

LAKE: dict[str, Any] = {"map_name": "8x8", "is_slippery": False}


def plain_loop(steps: int) -> float:
    """Q-learning with lists of numbers on one environment; steps per second."""
    env = gymnasium.make("FrozenLake-v1", **LAKE)
    rng = random.Random(0)
    Q = [[0.0] * 4 for _ in range(64)]
    x, _ = env.reset(seed=0)
    start = time.perf_counter()
    for _ in range(steps):
        a = rng.randrange(4) if rng.random() < 0.1 else Q[x].index(max(Q[x]))
        y, r, terminated, truncated, _ = env.step(a)
        target = r if terminated else r + 0.99 * max(Q[y])
        Q[x][a] += 0.1 * (target - Q[x][a])
        x = env.reset()[0] if terminated or truncated else y
    return steps / (time.perf_counter() - start)


def rate(agent: TabularAgent, steps: int) -> float:
    """Updates per second of all members together."""
    start = time.perf_counter()
    agent.learn(steps)
    updates = 1 + getattr(agent.config, "planning_steps", 0)
    return agent.size * steps * updates / (time.perf_counter() - start)


def build(name: str, members: int, *, compiled: bool) -> TabularAgent:
    """A population on the lake, compiled and past its first steps."""
    agent = make_agent(
        name, "FiniteWorld-v0", seeds=members, env_kwargs={"env": "FrozenLake-v1", "settings": LAKE}
    )
    assert isinstance(agent, TabularAgent)
    if not compiled:
        agent.venv = VectorWrapper(agent.venv)  # what is wrapped is stepped
    agent.learn(50)
    return agent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agents", nargs="*", help="names of learners; none: all of them")
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    kinds = {name: agent_class(name) for name in AGENTS if "tabular" in AGENTS[name]}
    names = options.agents or [name for name, kind in kinds.items() if not issubclass(kind, Planner)]

    table = Table(title=f"{options.members} members on a lake of 64 states; M updates/s (medians)")
    for column in ("learner", "compiled", "x plain loop", "by steps", "x plain loop"):
        table.add_column(column, justify="left" if column == "learner" else "right")
    for name in names:
        loops: list[Callable[[], float]] = []
        for compiled, steps in ((True, options.steps), (False, max(100, options.steps // 100))):
            agent = build(name, options.members, compiled=compiled)
            loops.append(lambda agent=agent, steps=steps: rate(agent, steps))  # type: ignore[misc]
        loops.append(lambda: plain_loop(20_000))
        timings = [[loop() for loop in loops] for _ in range(options.repeats)]
        fast, stepped, plain = (statistics.median(column) for column in zip(*timings, strict=True))
        table.add_row(
            name, f"{fast / 1e6:.2f}", f"{fast / plain:.0f}", f"{stepped / 1e6:.3f}", f"{stepped / plain:.1f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
