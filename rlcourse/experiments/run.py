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
from rlcourse.agents.population import parse_seeds
from rlcourse.errors import UsageError
from rlcourse.experiments.cell import Cell, join
from rlcourse.experiments.recorder import BanditRecorder

CHUNK = 500
"""Members that run in one process together: enough to hide NumPy's cost a call, few enough to stay in the cache."""


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
        steps: steps of each member; `None` plays the world's whole episode.
        agent_kwargs: settings of the agent. A bandit strategy that plans for a `horizon` plans for `steps`.
        env_kwargs: options of the world.
        points: checkpoints of the curves (at most one a step).
        jobs: processes that share the members; the figures do not depend on it.
        progress: draw a bar.

    Raises:
        UsageError: a wrong name, setting or option, a pairing that does not fit, or more steps than the episode has.
    """
    members = parse_seeds(seeds)
    call = dict(
        agent=agent, env=env, steps=steps, agent_kwargs=agent_kwargs or {}, env_kwargs=env_kwargs or {}, points=points
    )
    pieces = max(min(jobs, len(members)), -(-len(members) // CHUNK))
    chunks = [part.tolist() for part in np.array_split(np.array(members, object), pieces)]
    if jobs == 1 or len(chunks) == 1:
        return join([run_chunk(**call, seeds=chunk, progress=progress) for chunk in chunks])
    from joblib import Parallel, delayed

    return join(Parallel(n_jobs=jobs)(delayed(run_chunk)(**call, seeds=chunk) for chunk in chunks))


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
    learner, steps = _build(agent, env, seeds, steps, agent_kwargs, env_kwargs)
    recorder = BanditRecorder(learner.venv, checkpoints(steps, points))
    learner.venv = recorder
    learner.learn(steps, progress=progress)
    scores = recorder.scores()
    if recorder.has_regret:
        values = learner.venv.unwrapped.arm_values()  # type: ignore[attr-defined]
        chosen = np.take_along_axis(values, learner.recommendation()[:, None], axis=1)[:, 0]
        scores["simple_regret"] = values.max(axis=1) - chosen
    scores |= learner.final_scores()
    return Cell(
        agent=agent,
        env=learner.spec.id,
        agent_kwargs=agent_kwargs,
        env_kwargs=env_kwargs,
        seeds=seeds,
        n_steps=steps,
        steps=recorder.checkpoints,
        curves=recorder.curves,
        scores=scores,
        optimum=recorder.optimum(),
        wall_seconds=time.perf_counter() - started,
    )


def checkpoints(steps: int, points: int) -> NDArray[np.int64]:
    """At most `points` evenly spaced steps, the last one included."""
    if points < 1:
        raise UsageError(f"points={points} must be at least 1")
    return np.unique(np.linspace(0, steps, min(points, steps) + 1).round().astype(np.int64))[1:]


def _build(
    agent: str,
    env: Any,
    seeds: list[int],
    steps: int | None,
    agent_kwargs: dict[str, Any],
    env_kwargs: dict[str, Any],
) -> tuple[BanditAgent, int]:
    """The population and its budget; a strategy's `horizon` is the budget unless it is set."""
    kind = agent_class(agent)
    if not issubclass(kind, BanditAgent):
        raise UsageError(f"{agent} is no bandit strategy, and only those can be run in a cell")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1):
        raise UsageError(f"steps={steps!r} must be a whole number of at least 1")
    plans = {"horizon"} & {field.name for field in dataclasses.fields(kind.config_class)}
    settings = dict(agent_kwargs)
    if steps is not None and plans and settings.get("horizon") is None:
        settings["horizon"] = int(steps)
    learner = kind(env, seeds=seeds, env_kwargs=env_kwargs, **settings)
    rounds = learner.world_horizon()
    if steps is None:
        if rounds is None:
            raise UsageError(f"{learner.spec.id} does not say how long an episode is: give steps")
        steps = rounds
    if rounds is not None and steps > rounds:
        raise UsageError(
            f"steps={steps} is more than the {rounds} rounds of an episode of {learner.spec.id}: "
            f"ask for fewer, or give the world a longer one (env_kwargs, --env.horizon)"
        )
    return learner, int(steps)
