"""What the command line prints: tables for people, one JSON object for programs."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import io
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.agents import AGENTS, agent_class
from rlcourse.experiments.statistics import generator_for, interval, iqm
from rlcourse.experiments.suites import load_suite, suite_names
from rlcourse.folders import run_name
from rlcourse.names import NAMESPACE, short_name

if TYPE_CHECKING:
    from rich.console import Console

    from rlcourse.agents.base import Agent
    from rlcourse.experiments.cell import Cell
    from rlcourse.experiments.sweep import Report

PIPE_WIDTH = 10_000
"""Columns where nobody looks on: a line of a table stays a line, for grep and cut."""


# -------------------------------------------------------------------- list


def worlds() -> None:
    """Every registered world of ours, with the first sentence of its docstring."""
    rows = []
    for env_id, spec in gymnasium.registry.items():
        if env_id.startswith(NAMESPACE):
            module, name = str(spec.entry_point).split(":")
            rows.append((short_name(env_id), _headline(getattr(importlib.import_module(module), name))))
    print_table("Worlds", ("id", "what it is"), rows)


def agents() -> None:
    """Every registered agent, with the first sentence of its docstring."""
    print_table("Agents", ("name", "what it does"), [(name, _headline(agent_class(name))) for name in AGENTS])


def agent_settings() -> None:
    """Every registered agent, with its settings and their defaults."""
    rows = []
    for name in AGENTS:
        fields = dataclasses.fields(agent_class(name).config_class)
        rows.append((name, ", ".join(f"{field.name}={_default(field)}" for field in fields)))
    print_table("Agents", ("name", "settings and their defaults"), rows)


def suites() -> None:
    """Every suite, with its title and its size."""
    rows = []
    for name in suite_names():
        suite = load_suite(name)
        cells = len(list(suite.pairs()))
        rows.append((name, suite.title, str(cells), f"{len(suite.seeds):,}"))
    print_table("Suites", ("name", "what it asks", "cells", "seeds"), rows, right=(2, 3))


def _headline(thing: type) -> str:
    """The first line of a docstring, without its full stop."""
    line = (inspect.getdoc(thing) or "").split("\n")[0]
    return line if line.endswith("...") else line.removesuffix(".")


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default_factory() if callable(field.default_factory) else field.default
    return value if isinstance(value, str) else repr(value)


# -------------------------------------------------------------------- train and evaluate


def folder_name(
    learner: Agent, agent_kwargs: dict[str, Any], env_kwargs: dict[str, Any], seeds: str, steps: int
) -> str:
    """The folder under runs/ of one training: the same command, the same folder."""
    settings = {**agent_kwargs, **env_kwargs, "seeds": seeds, "steps": steps}
    return str(Path("runs") / run_name(learner.name, short_name(learner.spec.id), **settings))


def summary(values: NDArray[np.float64], *names: str) -> dict[str, Any]:
    """Mean, interquartile mean and the 95% interval of the mean over members `[S]`; the names make it repeatable."""
    low, high = interval(values, generator_for(*names))
    return {
        "mean": float(values.mean()),
        "iqm": float(iqm(values)),
        "ci_low": float(low),
        "ci_high": float(high),
        "values": values.tolist(),
    }


def trained(cell: Cell, out: Path, *, as_json: bool) -> None:
    """The figures of a training, and where the agent is."""
    figures = {
        metric: summary(values, cell.env, cell.agent, metric) for metric, values in cell.scores.items()
    }
    for metric, best in cell.optimum.items():
        figures[metric]["optimum"] = float(best.mean())
    if as_json:
        print_json(
            {
                "agent": cell.agent,
                "env": cell.env,
                "agent_kwargs": cell.agent_kwargs,
                "env_kwargs": cell.env_kwargs,
                "seeds": cell.seeds,
                "steps": cell.n_steps,
                "wall_seconds": cell.wall_seconds,
                "steps_per_second": cell.steps_per_second,
                "out": str(out),
                "scores": figures,
            }
        )
        return
    rows = [
        (
            metric,
            _number(one["mean"]),
            _range(one),
            _number(one["iqm"]),
            _number(one.get("optimum", math.nan)),
        )
        for metric, one in figures.items()
    ]
    print_table(
        f"{cell.agent} in {short_name(cell.env)}: {_count(len(cell.seeds), 'seed')} x {_count(cell.n_steps, 'step')}",
        ("metric", "mean", "95% interval", "IQM", "optimum"),
        rows,
        right=(1, 2, 3, 4),
    )
    speed = _count(round(cell.steps_per_second), "step")
    print(f"{cell.wall_seconds:.1f} s, {speed} a second over all seeds; saved in {out}")


def evaluated(agent: Agent, returns: NDArray[np.float64], plot: Path | None, *, as_json: bool) -> None:
    """The returns `[S, episodes]` of an evaluation: each member's mean, and its interval over members; where a picture is."""
    figure = summary(returns.mean(axis=1), agent.spec.id, agent.name, "return")
    if as_json:
        print_json(
            {
                "agent": agent.name,
                "env": agent.spec.id,
                "seeds": agent.seeds,
                "episodes": returns.shape[1],
                "num_timesteps": agent.num_timesteps,
                "return": figure,
                **({} if plot is None else {"plot": str(plot)}),
            }
        )
        return
    episodes = _count(returns.shape[1], "episode")
    print_table(
        f"{agent.name} in {short_name(agent.spec.id)}: {_count(agent.size, 'seed')} x {episodes}",
        ("metric", "mean", "95% interval", "IQM", "worst seed", "best seed"),
        [
            (
                "return",
                _number(figure["mean"]),
                _range(figure),
                _number(figure["iqm"]),
                _number(min(figure["values"])),
                _number(max(figure["values"])),
            )
        ],
        right=(1, 2, 3, 4, 5),
    )
    if plot is not None:
        print(f"policy and values: {plot}")


# -------------------------------------------------------------------- bench


def benched(report: Report, *, as_json: bool) -> None:
    """The tables of a suite, and where its files are."""
    if as_json:
        print_json(report.to_json())
        return
    with terminal() as console:
        report.print(console)


# -------------------------------------------------------------------- printing


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()
) -> None:
    """A table on stdout, as wide as the terminal; in a pipe a line for every row, without colour."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        aligned = "right" if place in right else "left"
        table.add_column(column, justify=aligned, no_wrap=place == 0 or place in right)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    with terminal() as console:
        console.print(table)


@contextmanager
def terminal() -> Iterator[Console]:
    """A console on stdout; in a pipe it draws wide lines, which lose the blanks at their end."""
    from rich.console import Console

    if sys.stdout.isatty():
        yield Console()
        return
    text = io.StringIO()
    yield Console(file=text, width=PIPE_WIDTH, color_system=None)
    print("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def print_json(content: dict[str, Any]) -> None:
    """One JSON object on stdout; what is not a finite number becomes null."""
    print(json.dumps(_finite(content), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _number(value: float) -> str:
    """Four significant digits, or all before the point; a dash for what is not known."""
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def _range(figure: dict[str, Any]) -> str:
    if not math.isfinite(figure["ci_low"]):
        return "-"
    return f"{_number(figure['ci_low'])} .. {_number(figure['ci_high'])}"
