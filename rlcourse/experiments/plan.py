"""The plan of a suite: every cell with its settings resolved and tried out once, and its identity."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import rlcourse
from rlcourse.errors import UsageError
from rlcourse.experiments.run import build_learner
from rlcourse.experiments.statistics import generator_for
from rlcourse.experiments.suites import Suite

_PACKAGE = Path(rlcourse.__file__).parent
_DECISIVE = (
    "agents/**/*.py",
    "envs/**/*.py",
    "mdp/*.py",
    "nn/*.py",
    "streams*.py",
    *(f"experiments/{name}.py" for name in ("run", "recorder", "control")),
)


@dataclass(frozen=True)
class CellPlan:
    """A cell of a table that can be run."""

    suite: str
    env: str
    """Label of the world."""
    agent: str
    """Label of the agent."""
    env_id: str
    env_kwargs: dict[str, Any]
    agent_name: str
    agent_kwargs: dict[str, Any]
    seeds: list[int]
    steps: int
    points: int
    main: str | None
    """The metric that ranks the agents of this world, where the suite says one."""
    identity: str
    """Canonical JSON of all that decides the figures of a member, its seed excepted."""

    @property
    def key(self) -> str:
        """SHA-256 of the identity: the same cell has the same key in every suite and on every machine."""
        return hashlib.sha256(self.identity.encode()).hexdigest()

    def generator(self, purpose: str) -> np.random.Generator:
        """Where the resamples of the intervals come from: the same for the same cell, members and purpose."""
        world, agent = [self.env_id, self.env_kwargs], [self.agent_name, self.agent_kwargs]
        return generator_for(json.dumps([world, agent, self.steps, self.seeds], sort_keys=True), purpose)


def plan_suite(suite: Suite, *, seeds: list[int] | None = None) -> list[CellPlan]:
    """Every cell of a suite, each built once with one member: nothing impossible waits for its turn.

    Args:
        suite: what to plan.
        seeds: instead of the seeds that the suite says, everywhere.

    Raises:
        UsageError: a setting, an option, a budget or a pairing is impossible; the message names file, agent
        and world.
    """
    plans = []
    for world, agent in suite.pairs():
        chosen = seeds or agent.seeds or world.seeds or suite.seeds
        try:
            settings = agent.settings_in(world)
            learner, steps = build_learner(
                agent.agent, world.env, chosen[:1], world.steps or suite.steps, settings, world.settings
            )
        except UsageError as error:
            raise UsageError(f"{suite.path}: {agent.label} in {world.label}: {error}") from None
        plans.append(
            CellPlan(
                suite=suite.name,
                env=world.label,
                agent=agent.label,
                env_id=world.env,
                env_kwargs=world.settings,
                agent_name=agent.agent,
                agent_kwargs=settings,
                seeds=chosen,
                steps=steps,
                points=suite.points,
                main=world.main,
                identity=_identity(learner, steps, suite.points),
            )
        )
    return plans


def _identity(learner: Any, steps: int, points: int) -> str:
    """Names, resolved settings and options, budget, versions: changing any of them changes the results."""
    world = learner.venv.unwrapped
    rules = getattr(world, "rules", None)  # our worlds; others are told by the options that were given
    content = {
        "agent": learner.name,
        "settings": dataclasses.asdict(learner.config),
        "env": learner.spec.id,
        "options": dataclasses.asdict(rules) if rules is not None else learner.env_kwargs,
        "steps": steps,
        "points": points,
        "rlcourse": rlcourse.__version__,
        "code": code_digest(*sorted({_source(type(learner)), _source(type(world))})),
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _source(kind: type) -> str:
    return inspect.getsourcefile(kind) or ""


@lru_cache
def code_digest(*files: str) -> str:
    """SHA-256 of the code that decides the figures, so that an edited strategy does not find old results.

    Args:
        files: source files outside the package that count as well.
    """
    paths = {path for pattern in _DECISIVE for path in _PACKAGE.glob(pattern)}
    outside = [Path(file) for file in files if file and Path(file) not in paths]
    digest = hashlib.sha256()
    for path in [*sorted(paths), *outside]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
