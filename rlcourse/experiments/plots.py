"""Learning curves as PNG: regret, share of optimal pulls and reward of every agent in a world."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.experiments.statistics import Floats, interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rlcourse.experiments.cell import Cell
    from rlcourse.experiments.plan import CellPlan

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800")
"""Colours that colour-blind readers can tell apart (Okabe & Ito 2008; their yellow darkened, to be seen on white)."""
LINE_STYLES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1.2)))
BEST_STYLES = {
    "perfect_knowledge": ("#000000", "-"),
    "value_iteration": ("#000000", "-"),
    "policy_iteration": ("#000000", "--"),
    "finite_horizon": ("#000000", "-."),
}
REFERENCE_STYLES = {"random": ("#888888", ":"), **BEST_STYLES}
"""Grey and black for those between which the learners stand."""
RESAMPLES = 1000


@dataclass(frozen=True)
class _Metric:
    title: str
    label: str
    percent: bool = False
    of_episodes: str = ""
    """What it is called of agents that act in episode after episode, if that is another thing."""


METRICS = {
    "regret": _Metric(
        "Regret",
        "reward lost so far against the best arm",
        of_episodes="return lost so far against a clairvoyant",
    ),
    "optimal": _Metric("Optimal pulls", "pulls of a best arm (%)", percent=True),
    "reward": _Metric("Reward", "mean reward per step"),
    "online_return": _Metric("Return while learning", "mean return of the episodes since the last point"),
}


@dataclass(frozen=True)
class Curve:
    """Mean over the members of one agent, with its 95% interval, by metric, at `steps [P]`."""

    env: str
    agent: str
    agent_name: str
    seeds: int
    steps: NDArray[np.int64]
    mean: dict[str, Floats]
    low: dict[str, Floats]
    high: dict[str, Floats]


def world_curves(cells: Sequence[tuple[CellPlan, Cell]]) -> list[Curve]:
    """The curves of the agents of a world; whole members are resampled, so an interval holds for each step.

    NaN until all members have something to show: those who finish an episode first are not like the others.
    """
    curves = []
    for plan, cell in cells:
        metrics = [metric for metric in METRICS if metric in cell.curves]
        table = np.stack([cell.curves[metric] for metric in metrics])
        limits = interval(np.nan_to_num(table), plan.generator("curves"), resamples=RESAMPLES)
        mean = table.mean(axis=-1)
        low, high = (np.where(np.isnan(mean), np.nan, limit) for limit in limits)
        curves.append(
            Curve(
                env=plan.env,
                agent=plan.agent,
                agent_name=plan.agent_name,
                seeds=len(plan.seeds),
                steps=cell.steps,
                mean=dict(zip(metrics, mean, strict=True)),
                low=dict(zip(metrics, low, strict=True)),
                high=dict(zip(metrics, high, strict=True)),
            )
        )
    return curves


def plot_world(curves: Sequence[Curve], agents: Sequence[str], out: Path) -> list[Path]:
    """One picture a metric, `regret-<world>.png` and so on.

    Args:
        curves: of all agents of one world.
        agents: labels of all learners of the suite, so that one keeps its colour from world to world.
        out: folder that they are written into.

    Returns:
        The files.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    files = []
    for metric, about in METRICS.items():
        shown = [curve for curve in curves if metric in curve.mean]
        if not shown:
            continue
        width = 7.2 + 0.075 * max(len(curve.agent) for curve in shown)  # the legend stands beside the lines
        figure = Figure(figsize=(width, 5.2), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        _draw(figure.add_subplot(), shown, agents, metric, about)
        path = out / f"{metric}-{slug(curves[0].env)}.png"
        figure.savefig(path, metadata={"Software": None})
        files.append(path)
    return files


def slug(label: str) -> str:
    """A label as a part of a file's name."""
    return re.sub(r"[^\w.=+-]+", "-", label).strip("-")


def _draw(axes: Axes, curves: Sequence[Curve], agents: Sequence[str], metric: str, about: _Metric) -> None:
    scale = 100.0 if about.percent else 1.0
    bottom, top = _limits(curves, metric, scale)
    # the legend reads as the lines end; those that never begin come last
    ordered = sorted(curves, key=lambda curve: -np.nan_to_num(curve.mean[metric][-1], nan=-np.inf))
    alpha = min(0.15, 1.5 / len(curves))  # many bands on top of each other must not hide the lines
    for curve in ordered:
        color, style = _style(curve, agents)
        mean = scale * curve.mean[metric]
        outside = " ↑" if mean[-1] > top else " ↓" if mean[-1] < bottom else ""
        label = f"{_final(mean[-1], metric)}{outside}  {curve.agent}"
        axes.plot(curve.steps, mean, color=color, linestyle=style, label=label, lw=1.6)
        low, high = scale * curve.low[metric], scale * curve.high[metric]
        axes.fill_between(curve.steps, low, high, color=color, alpha=alpha, linewidth=0)
    axes.set_xlim(0, max(curve.steps[-1] for curve in curves))
    axes.set_ylim(bottom, top)
    episodes = any("online_return" in curve.mean for curve in curves)  # not the pulls of a game
    axes.set_xlabel("step" if episodes else "step (pulls)")
    axes.set_ylabel(about.of_episodes if episodes and about.of_episodes else about.label)
    axes.set_title(f"{about.title}: {curves[0].env}", loc="left", fontweight="bold", pad=20)
    counts = sorted({curve.seeds for curve in curves})
    seeds = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    note = f"mean of {seeds} seeds, with its 95% interval as a band; in the legend: where the line ends"
    axes.text(0.0, 1.02, note, transform=axes.transAxes, fontsize="small", color="#555555")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    if max(-bottom, top) > 1000.0:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small", handlelength=3.2
    )


def _final(value: float, metric: str) -> str:
    """Where a line ends, for the legend."""
    if math.isnan(value):
        return "no episode ended"
    if metric == "regret":
        return f"{value:,.0f}" if abs(value) >= 10.0 or value == 0.0 else f"{value:.2f}"
    if METRICS[metric].percent or abs(value) >= 100.0:
        return f"{value:,.1f}"
    return f"{value:.3f}"


def _style(curve: Curve, agents: Sequence[str]) -> tuple[str, Any]:
    """Colour and line of an agent; the references stand apart."""
    if curve.agent_name in REFERENCE_STYLES:
        return REFERENCE_STYLES[curve.agent_name]
    place = agents.index(curve.agent)  # of the learners alone
    return OKABE_ITO[place % len(OKABE_ITO)], LINE_STYLES[place // len(OKABE_ITO) % len(LINE_STYLES)]


def _limits(curves: Sequence[Curve], metric: str, scale: float) -> tuple[float, float]:
    """What the vertical axis shows: the learners.

    A random player, or a learner who loses several times what most of them lose, may leave the picture; so may a beginning
    that was very much worse than most of what follows.
    """
    learners = [curve for curve in curves if curve.agent_name not in REFERENCE_STYLES] or list(curves)
    shown = [*learners, *(curve for curve in curves if curve.agent_name in BEST_STYLES)]
    values = scale * _known(shown, metric)
    if not len(values):
        return -1.0, 1.0
    low, high = float(values.min()), float(values.max())
    if metric == "regret" and low >= 0.0:
        high = min(
            1.08 * high, 1.6 * float(np.quantile([curve.mean[metric].max() for curve in learners], 0.75))
        )
        return (-0.02 * high, high) if high > 0.0 else (-0.02, 1.0)
    if metric == "optimal":
        return -2.0, 102.0
    of_learners = scale * _known(learners, metric)
    if metric == "online_return" and len(of_learners):
        most = high - float(np.quantile(of_learners, 0.25))
        if high - low > 10.0 * most > 0.0:
            low = high - 4.0 * most
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _known(curves: Sequence[Curve], metric: str) -> Floats:
    """All that the lines show."""
    values = np.concatenate([curve.mean[metric] for curve in curves])
    return values[~np.isnan(values)]
