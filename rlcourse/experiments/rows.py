"""Rows: what each metric of each cell says, as numbers, CSV and JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlcourse.experiments.cell import Cell
from rlcourse.experiments.metrics import HIGHER_IS_BETTER, REFERENCES
from rlcourse.experiments.plan import CellPlan
from rlcourse.experiments.statistics import Floats, estimate, interval

TIMING = ("steps_per_second", "wall_seconds")
"""The columns that differ from run to run."""


@dataclass(frozen=True)
class Row:
    """What one metric of one cell says. NaN, an empty field in the file, stands where nothing is known."""

    suite: str
    env: str
    """Label of the world."""
    agent: str
    """Label of the agent."""
    seeds: int
    """Members."""
    steps: int
    """Steps of each."""
    metric: str
    mean: float
    """Over the members."""
    iqm: float
    """Interquartile mean over the members."""
    ci_low: float
    ci_high: float
    """95% interval of the mean."""
    optimum: float
    """What one who knows the world would expect, averaged over the members."""
    gap: float
    """How much worse than the optimum the mean is: positive is worse, whichever way the metric goes."""
    steps_per_second: float
    """Steps of all members together for each second of one process."""
    wall_seconds: float
    """Seconds of one process."""
    iqm_ci_low: float
    iqm_ci_high: float
    """95% interval of the interquartile mean."""
    behind: float
    behind_low: float
    behind_high: float
    """How much worse than the best learner of this world, with the 95% interval of the paired difference over
    the same seeds."""
    sd: float
    """Standard deviation over the members."""
    env_id: str
    env_settings: str
    """JSON."""
    agent_name: str
    agent_settings: str
    """JSON."""


def world_rows(cells: Sequence[tuple[CellPlan, Cell]]) -> list[Row]:
    """The rows of one world, in the order of the cells, metrics in the order of `HIGHER_IS_BETTER`, others after.

    Args:
        cells: plan and result of every agent that ran in the world.
    """
    leaders = _leaders(cells)
    return [row for plan, cell in cells for row in _cell_rows(plan, cell, leaders)]


def _leaders(cells: Sequence[tuple[CellPlan, Cell]]) -> dict[str, tuple[CellPlan, Cell]]:
    """The best learner of the world by metric, references apart."""
    best: dict[str, tuple[CellPlan, Cell]] = {}
    for plan, cell in cells:
        for metric, higher in HIGHER_IS_BETTER.items():
            if metric not in cell.scores or plan.agent_name in REFERENCES:
                continue
            if np.isnan(cell.scores[metric]).any():  # a member has diverged
                continue
            if metric in best:
                ahead = cell.scores[metric].mean() - best[metric][1].scores[metric].mean()
                if (ahead if higher else -ahead) <= 0:
                    continue
            best[metric] = (plan, cell)
    return best


def _cell_rows(plan: CellPlan, cell: Cell, leaders: dict[str, tuple[CellPlan, Cell]]) -> list[Row]:
    metrics = sorted(cell.scores, key=_metric_order)
    scores = np.stack([cell.scores[metric] for metric in metrics])
    means, iqms = estimate(scores, "mean"), estimate(scores, "iqm")
    low, high = interval(scores, plan.generator("mean"), statistic="mean")
    iqm_low, iqm_high = interval(scores, plan.generator("iqm"), statistic="iqm")
    behind = _behind(plan, cell, leaders)
    rows = []
    for i, metric in enumerate(metrics):
        optimum = float(cell.optimum[metric].mean()) if metric in cell.optimum else math.nan
        better = 1.0 if HIGHER_IS_BETTER.get(metric, True) else -1.0
        rows.append(
            Row(
                suite=plan.suite,
                env=plan.env,
                agent=plan.agent,
                seeds=len(plan.seeds),
                steps=plan.steps,
                metric=metric,
                mean=float(means[i]),
                iqm=float(iqms[i]),
                ci_low=float(low[i]),
                ci_high=float(high[i]),
                optimum=optimum,
                gap=better * (optimum - float(means[i])),
                steps_per_second=cell.steps_per_second,
                wall_seconds=cell.wall_seconds,
                iqm_ci_low=float(iqm_low[i]),
                iqm_ci_high=float(iqm_high[i]),
                behind=behind[metric][0],
                behind_low=behind[metric][1],
                behind_high=behind[metric][2],
                sd=float(scores[i].std(ddof=1)) if scores.shape[1] > 1 else math.nan,
                env_id=plan.env_id,
                env_settings=json.dumps(plan.env_kwargs, sort_keys=True),
                agent_name=plan.agent_name,
                agent_settings=json.dumps(plan.agent_kwargs, sort_keys=True),
            )
        )
    return rows


def _metric_order(metric: str) -> tuple[int, str]:
    known = list(HIGHER_IS_BETTER)
    return (known.index(metric) if metric in known else len(known), metric)


def _behind(
    plan: CellPlan, cell: Cell, leaders: dict[str, tuple[CellPlan, Cell]]
) -> dict[str, tuple[float, float, float]]:
    """For every metric how far the leader is ahead, with its interval; NaN where their seeds are not the same."""
    found = dict.fromkeys(cell.scores, (math.nan, math.nan, math.nan))
    shared = [
        m for m in HIGHER_IS_BETTER if m in cell.scores and m in leaders and leaders[m][1].seeds == cell.seeds
    ]
    if shared:
        table: Floats = np.stack([leaders[m][1].scores[m] - cell.scores[m] for m in shared])
        table *= np.array([[1.0 if HIGHER_IS_BETTER[m] else -1.0] for m in shared])
        low, high = interval(table, plan.generator("behind"))
        for i, metric in enumerate(shared):
            found[metric] = (float(table[i].mean()), float(low[i]), float(high[i]))
    return found


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV with a header; numbers with ten digits, an empty field where nothing is known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in dataclasses.fields(Row)]
    writer.writerow(names)
    for row in rows:
        writer.writerow([_field(getattr(row, name)) for name in names])
    return text.getvalue()


def _field(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}" if math.isfinite(value) else ""
    return str(value)


def to_records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON objects; null where nothing is known, settings as objects."""
    records = []
    for row in rows:
        record = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in dataclasses.asdict(row).items()
        }
        record["env_settings"] = json.loads(row.env_settings)
        record["agent_settings"] = json.loads(row.agent_settings)
        records.append(record)
    return records
