"""Tables: one row for each agent in a world and metric, as CSV, Markdown, JSON, and for the terminal."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcourse.experiments.cell import Cell
from rlcourse.experiments.plan import CellPlan
from rlcourse.experiments.statistics import Floats, estimate, interval

if TYPE_CHECKING:
    from rich.table import Table

REFERENCES = ("random", "perfect_knowledge")
"""The agents that learn nothing: between them the others are measured."""
HIGHER_IS_BETTER = {
    "reward": True,
    "regret": False,
    "optimal": True,
    "total_reward": True,
    "simple_regret": False,
}
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
    """For every metric how far the leader is ahead, with its interval; NaN where they share no seeds."""
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


# ---------------------------------------------------------------- for programs


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


# ---------------------------------------------------------------- for people


@dataclass(frozen=True)
class Ranking:
    """The agents of a world, best first, as texts."""

    env: str
    caption: str
    header: list[str]
    body: list[list[str]]
    tied: list[bool]
    """Whether a learner is not behind the best one, as far as these seeds can tell."""
    reference: list[bool]


def rankings(rows: Sequence[Row], main: dict[str, str | None]) -> list[Ranking]:
    """A ranking for every world, in the order of the rows.

    Args:
        rows: of all worlds.
        main: world -> the metric that ranks its agents; `None` takes regret where there is one, else reward.
    """
    worlds: dict[str, dict[str, dict[str, Row]]] = {}
    for row in rows:
        worlds.setdefault(row.env, {}).setdefault(row.agent, {})[row.metric] = row
    return [_ranking(env, list(agents.values()), main.get(env)) for env, agents in worlds.items()]


def _ranking(env: str, agents: list[dict[str, Row]], main: str | None) -> Ranking:
    metrics = {metric for agent in agents for metric in agent}
    main = main or ("regret" if "regret" in metrics else "reward")
    sign = -1.0 if HIGHER_IS_BETTER[main] else 1.0
    agents = sorted(agents, key=lambda agent: sign * agent[main].mean if main in agent else math.inf)
    known = any(math.isfinite(agent["reward"].gap) for agent in agents)
    earned = "total_reward" if main == "total_reward" else "reward"
    header = [
        "agent",
        "total" if earned == "total_reward" else "reward",
        *(["regret", "95% interval", "optimal", "gap"] if known else ["95% interval"]),
    ]
    if "stopping_time" in metrics:
        header.append("stops at")
    header.append("steps/s")
    width = max(
        (row.ci_high - row.ci_low for a in agents for m, row in a.items() if m == "regret"), default=1.0
    )
    body = []
    for agent in agents:
        reward = agent["reward"]
        line = [reward.agent, _number(agent[earned].mean, 4 if earned == "reward" else 0)]
        if known:
            regret, optimal = agent.get("regret"), agent.get("optimal")
            digits = 0 if width >= 2.0 else 2
            line += [_number(regret.mean, digits), _interval(regret, digits)] if regret else ["", ""]
            line += [f"{100 * optimal.mean:.1f}%" if optimal else "", _number(reward.gap, 4)]
        else:
            line.append(_interval(reward, 4))
        if "stopping_time" in metrics:
            line.append(_number(agent["stopping_time"].mean, 0) if "stopping_time" in agent else "")
        body.append([*line, _speed(reward.steps_per_second)])
    some = agents[0]["reward"]
    optima = [agent["reward"].optimum for agent in agents if math.isfinite(agent["reward"].optimum)]
    reference = [agent["reward"].agent_name in REFERENCES for agent in agents]
    seeds = sorted({agent["reward"].seeds for agent in agents})
    caption = (
        f"{'-'.join(f'{count:,}' for count in seeds[:: max(1, len(seeds) - 1)])} seeds x {some.steps:,} steps"
    )
    if optima and max(optima) - min(optima) < 1e-9:
        caption += f"; best possible reward {optima[0]:.4f} a step"
    return Ranking(
        env=env,
        caption=caption,
        header=header,
        body=body,
        tied=[
            not known_end and main in agent and agent[main].behind_low <= 0.0
            for known_end, agent in zip(reference, agents, strict=True)
        ],
        reference=reference,
    )


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else ""


def _speed(value: float) -> str:
    return f"{value / 1e6:.2f} M" if value >= 1e5 else f"{value:,.0f}"


def _interval(row: Row, digits: int) -> str:
    if not math.isfinite(row.ci_low):
        return ""
    return f"{_number(row.ci_low, digits)} .. {_number(row.ci_high, digits)}"


LEGEND = (
    "Per world, best first; means over the seeds, 95% bootstrap (BCa) interval of the mean. reward: per step; "
    "total: in all; regret: reward lost against the best arm, in all; optimal: share of pulls of a best arm; "
    "gap: reward per step below the best possible. *: not behind the best learner (differences over the same seeds, 95%)."
)


def to_markdown(
    rows: Sequence[Row], main: dict[str, str | None], *, title: str, failures: Sequence[str]
) -> str:
    """The rankings as Markdown."""
    parts = [f"# {title}", LEGEND]
    for ranking in rankings(rows, main):
        lines = [f"## {ranking.env}", "", f"{ranking.caption}.", ""]
        lines.append("| " + " | ".join(ranking.header) + " |")
        lines.append("|" + "|".join([":---"] + ["---:"] * (len(ranking.header) - 1)) + "|")
        for texts, tied, reference in zip(ranking.body, ranking.tied, ranking.reference, strict=True):
            name = f"_{texts[0]}_" if reference else f"**{texts[0]}** \\*" if tied else texts[0]
            lines.append("| " + " | ".join([name, *texts[1:]]) + " |")
        parts.append("\n".join(lines))
    if failures:
        parts.append("\n".join(["## Failed", "", *(f"- {failure}" for failure in failures)]))
    return "\n\n".join(parts) + "\n"


def to_terminal(rows: Sequence[Row], main: dict[str, str | None]) -> list[Table]:
    """The rankings as rich tables, at most 100 columns wide."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    tables = []
    for ranking in rankings(rows, main):
        table = Table(
            title=f"[bold]{ranking.env}[/bold]  {ranking.caption}",
            title_justify="left",
            title_style="",
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
        )
        for place, name in enumerate(ranking.header):
            table.add_column(
                name, justify="right" if place else "left", no_wrap=place > 0, overflow="fold", max_width=38
            )
        for texts, tied, reference in zip(ranking.body, ranking.tied, ranking.reference, strict=True):
            style = "dim" if reference else "bold" if tied else ""
            name = f"{texts[0]} *" if tied else texts[0]
            table.add_row(*(Text(text, style) for text in [name, *texts[1:]]))
        tables.append(table)
    return tables
