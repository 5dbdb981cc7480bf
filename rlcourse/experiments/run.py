"""Run one cell: an agent, a world, seeds and a budget, to curves, final figures and exact yardsticks."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents import agent_class
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Agent, check_steps
from rlcourse.agents.control import ControlAgent
from rlcourse.checks import parse_seeds
from rlcourse.errors import UsageError
from rlcourse.experiments.cell import Cell, join
from rlcourse.experiments.control import record_control
from rlcourse.experiments.recorder import BanditRecorder
from rlcourse.pool import check_pool, unordered
from rlcourse.progress import progress_bar

CHUNK = 500
"""Members that run together in one process: enough to hide NumPy's cost a call, few enough for the cache."""


def run_cell(
    agent: str,
    env: Any,
    *,
    seeds: int | Sequence[int] = 10,
    steps: int | None = None,
    agent_kwargs: dict[str, Any] | None = None,
    env_kwargs: dict[str, Any] | None = None,
    points: int = 200,
    jobs: int = 1,
    progress: bool = False,
) -> Cell:
    """Let a population of `agent` learn in `env` and record it.

    Args:
        agent: name of the agent.
        env: name of the world (or what `make_agent` takes).
        seeds: a count S or a list of seeds; every figure comes for every seed.
        steps: steps of each member; `None` plays the whole episode of a bandit.
        agent_kwargs: settings of the agent. A bandit strategy that plans for a `horizon` plans for `steps`.
        env_kwargs: options of the world.
        points: checkpoints of the curves (at most one a step).
        jobs: processes that share the members; the figures do not depend on it.
        progress: draw a bar.

    Raises:
        UsageError: a wrong name, setting or option, a pairing that does not fit, or more steps than an episode.
    """
    members = parse_seeds(seeds)
    jobs = check_pool(jobs, "loky")
    pieces = max(min(jobs, len(members)), -(-len(members) // CHUNK))
    chunks = [part.tolist() for part in np.array_split(np.array(members, object), pieces)]
    what = (steps, agent_kwargs or {}, env_kwargs or {}, points)
    if jobs == 1 or pieces == 1:
        return join([run_chunk(agent, env, chunk, *what, progress=progress) for chunk in chunks])
    parts: dict[int, Cell] = {}
    with progress_bar(pieces, f"{agent} x {len(members)}", show=progress) as advance:
        for cell in unordered(run_chunk, [(agent, env, chunk, *what) for chunk in chunks], jobs=jobs):
            parts[cell.seeds[0]] = cell
            advance(1)
    return join([parts[chunk[0]] for chunk in chunks])


def run_chunk(
    agent: str,
    env: Any,
    seeds: list[int],
    steps: int | None,
    agent_kwargs: dict[str, Any],
    env_kwargs: dict[str, Any],
    points: int = 200,
    progress: bool = False,
) -> Cell:
    """`run_cell` for some of its members, in this process."""
    started = time.perf_counter()
    learner, steps = build_learner(agent, env, seeds, steps, agent_kwargs, env_kwargs)
    cell = record(learner, steps, points=points, progress=progress)
    return dataclasses.replace(
        cell, agent_kwargs=agent_kwargs, env_kwargs=env_kwargs, wall_seconds=time.perf_counter() - started
    )


def record(learner: Agent, steps: int, *, points: int = 200, progress: bool = False) -> Cell:
    """Let a population that stands learn for `steps` more steps, and record these.

    Args:
        learner: the population; afterwards it knows what it has learned, and can be saved.
        steps: steps of each member.
        points: checkpoints of the curves (at most one a step).
        progress: draw a bar.
    """
    if not is_game(learner):
        assert isinstance(learner, ControlAgent)
        return record_control(learner, steps, checkpoints(steps, points), progress=progress)
    started = time.perf_counter()
    worlds = learner.venv
    recorder = BanditRecorder(worlds, checkpoints(steps, points))
    learner.venv = recorder
    try:
        learner.learn(steps, progress=progress)
    finally:
        learner.venv = worlds
    scores = recorder.scores()
    if recorder.has_regret and isinstance(learner, BanditAgent):
        values = worlds.unwrapped.arm_values()  # type: ignore[attr-defined]
        chosen = np.take_along_axis(values, learner.recommendation()[:, None], axis=1)[:, 0]
        scores["simple_regret"] = values.max(axis=1) - chosen
    if isinstance(learner, BanditAgent):
        scores |= learner.final_scores()
    return Cell(
        agent=learner.name,
        env=learner.spec.id,
        agent_kwargs=learner.settings,
        env_kwargs=learner.env_kwargs,
        seeds=learner.seeds,
        n_steps=steps,
        steps=recorder.checkpoints,
        curves=recorder.curves,
        scores=scores,
        optimum={metric: best for metric, best in recorder.optimum().items() if metric in scores},
        wall_seconds=time.perf_counter() - started,
    )


def is_game(learner: Agent) -> bool:
    """Whether an episode is all that there is: a game of bandits, which a cell plays once."""
    return isinstance(learner, BanditAgent) or hasattr(learner.venv.unwrapped, "arm_values")


def checkpoints(steps: int, points: int) -> NDArray[np.int64]:
    """At most `points` evenly spaced steps, the last one included."""
    if points < 1:
        raise UsageError(f"points={points} must be at least 1")
    return np.unique(np.linspace(0, steps, min(points, steps) + 1).round().astype(np.int64))[1:]


def build_learner(
    agent: str,
    env: Any,
    seeds: int | Sequence[int],
    steps: int | None,
    agent_kwargs: dict[str, Any],
    env_kwargs: dict[str, Any],
    *,
    many_episodes: bool = False,
) -> tuple[Agent, int]:
    """The population and its budget; a `horizon` that is not set is the budget, or a shorter episode.

    Args:
        agent: name of the agent.
        env: name of the world (or what `make_agent` takes).
        seeds: a count or a list.
        steps: steps of each member; `None` is the world's whole episode.
        agent_kwargs: settings of the agent.
        env_kwargs: options of the world.
        many_episodes: allow more steps than an episode has.

    Raises:
        UsageError: see `run_cell`.
    """
    kind = agent_class(agent)
    if steps is not None:
        steps = check_steps(steps)
    plans = "horizon" in {field.name for field in dataclasses.fields(kind.config_class)}
    plans = plans and agent_kwargs.get("horizon") is None
    settings = {**agent_kwargs, "horizon": int(steps)} if steps is not None and plans else agent_kwargs
    learner = kind(env, seeds=seeds, env_kwargs=env_kwargs, **settings)
    if not is_game(learner):
        if steps is None:
            raise UsageError(f"{learner.spec.id} goes on in episode after episode: say how many steps")
        return learner, steps
    rounds = learner.world_horizon()
    if steps is None:
        if rounds is None:
            raise UsageError(f"{learner.spec.id} does not say how long an episode is: give steps")
        steps = rounds
    if rounds is not None and steps > rounds:
        if not many_episodes:
            raise UsageError(
                f"steps={steps} is more than the {rounds} rounds of an episode of {learner.spec.id}: "
                f"ask for fewer, or give the world a longer one (env_kwargs, --env.horizon)"
            )
        if plans:  # every episode is a game of its own, and is planned for as such
            learner = kind(env, seeds=seeds, env_kwargs=env_kwargs, **agent_kwargs)
    return learner, int(steps)
