"""One cell of a table: what a population of one agent did in one world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cell:
    """The results of `S` members over `n_steps` steps each, at `P` checkpoints.

    Metrics of bandits: `reward` (mean per step: since the last checkpoint in `curves`, over the whole run
    in `scores`), `regret` (cumulative pseudo-regret), `optimal` (share of pulls without regret, over the
    same spans as `reward`); in `scores` also `total_reward`, `simple_regret` (of the arm that the strategy
    would settle on) and what the strategy reports of itself, such as `stopping_time`. Those of worlds with
    episode after episode: see `rlcourse.experiments.control`.
    """

    agent: str
    env: str
    agent_kwargs: dict[str, Any]
    env_kwargs: dict[str, Any]
    seeds: list[int]
    n_steps: int
    steps: NDArray[np.int64]
    """The checkpoints, `[P]`, in steps."""
    curves: dict[str, NDArray[np.float64]]
    """Metric -> `[P, S]`."""
    scores: dict[str, NDArray[np.float64]]
    """Metric -> final figure of every member, `[S]`."""
    optimum: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """Metric -> what one who knows the world would expect, `[S]`: exact, from the world, along the rounds
    played."""
    wall_seconds: float = 0.0
    """Time of the run, summed over the processes that shared it."""

    @property
    def steps_per_second(self) -> float:
        """Environment steps of all members together for each second of one process."""
        return len(self.seeds) * self.n_steps / self.wall_seconds if self.wall_seconds > 0 else float("nan")


def join(cells: Sequence[Cell]) -> Cell:
    """The cell of all members, from cells that differ in their seeds alone."""
    first = cells[0]

    def stack(part: str) -> dict[str, NDArray[np.float64]]:
        return {
            metric: np.concatenate([getattr(cell, part)[metric] for cell in cells], axis=-1)
            for metric in getattr(first, part)
        }

    return Cell(
        agent=first.agent,
        env=first.env,
        agent_kwargs=first.agent_kwargs,
        env_kwargs=first.env_kwargs,
        seeds=[seed for cell in cells for seed in cell.seeds],
        n_steps=first.n_steps,
        steps=first.steps,
        curves=stack("curves"),
        scores=stack("scores"),
        optimum=stack("optimum"),
        wall_seconds=sum(cell.wall_seconds for cell in cells),
    )
