"""Run a suite: its cells over the cores, results on disk as they arrive, and at the end tables and plots."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlcourse.agents import agent_class
from rlcourse.checks import parse_seeds
from rlcourse.experiments.cell import Cell
from rlcourse.experiments.metrics import REFERENCES
from rlcourse.experiments.plan import CellPlan, plan_suite
from rlcourse.experiments.plots import plot_world, world_curves
from rlcourse.experiments.rows import Row, to_csv, to_records, world_rows
from rlcourse.experiments.run import CHUNK, run_chunk
from rlcourse.experiments.store import Store
from rlcourse.experiments.suites import Suite, load_suite
from rlcourse.experiments.tables import legend, to_markdown, to_terminal
from rlcourse.folders import output_folder
from rlcourse.pool import check_pool, unordered
from rlcourse.progress import progress_bar

if TYPE_CHECKING:
    from rich.console import Console

RESULTS = "results.sqlite"
SMALLEST_CHUNK = 50
"""Smaller populations lose more in calls than another core gains."""


@dataclass(frozen=True)
class Failure:
    """A cell that could not be run; the others were."""

    env: str
    agent: str
    error: str
    """One line."""
    traceback: str

    def __str__(self) -> str:
        return f"{self.agent} in {self.env}: {self.error}"


@dataclass(frozen=True)
class Report:
    """What a suite gave."""

    suite: Suite
    out: Path
    rows: list[Row]
    failures: list[Failure] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    """What was written: results, tables, plots."""

    @property
    def exit_code(self) -> int:
        """0, or 1 where a cell failed."""
        return 1 if self.failures else 0

    def to_json(self) -> dict[str, Any]:
        """Everything as one JSON object."""
        return {
            "suite": self.suite.name,
            "title": self.suite.title,
            "out": str(self.out),
            "rows": to_records(self.rows),
            "failures": [{"env": f.env, "agent": f.agent, "error": f.error} for f in self.failures],
            "files": [str(path) for path in self.files],
        }

    def to_markdown(self) -> str:
        """The tables as Markdown."""
        failures = [str(failure) for failure in self.failures]
        return to_markdown(self.rows, self._main(), title=self.suite.title, failures=failures)

    def print(self, console: Console) -> None:
        """The tables, and which files hold them, on a rich console."""
        for table in to_terminal(self.rows, self._main(), console.width):
            console.print(table)
            console.print()
        console.print(legend(self.rows), style="dim", highlight=False, width=min(console.width, 100))
        console.print(f"Written to {self.out}", highlight=False, soft_wrap=True)

    def _main(self) -> dict[str, str | None]:
        return {world.label: world.main for world in self.suite.worlds}


def run_suite(
    suite: str | Path | Suite,
    out: str | Path,
    *,
    seeds: int | Sequence[int] | None = None,
    jobs: int | None = None,
    backend: str = "loky",
    progress: bool = False,
) -> Report:
    """Run every cell of a suite, or what is missing of it, and write the tables and plots.

    Args:
        suite: name of a suite, path to one, or a `Suite`.
        out: folder of the results. What an earlier, perhaps killed, run left there is used.
        seeds: members of every cell instead of those that the suite says: a count, or a list.
        jobs: processes; `None` is one a core. The figures do not depend on it.
        backend: "loky", "ray" or "dask".
        progress: draw a bar with the time that is left, on stderr.

    Returns:
        The rows, and the cells that failed.

    Raises:
        UsageError: something in the suite or an argument is impossible, or the folder cannot be made; found
            before the first run.
        StorageError: the folder is in use, or its results are damaged or foreign.
    """
    if not isinstance(suite, Suite):
        suite = load_suite(suite)
    members = None if seeds is None else parse_seeds(seeds)
    jobs = check_pool(jobs, backend)
    plans = plan_suite(suite, seeds=members)
    with output_folder(out) as out, Store(out / RESULTS) as store:
        failures = _run_missing(plans, store, jobs, backend, progress)
        rows, plots = _summarise(plans, store, failures, out)
        report = Report(
            suite, out, rows, failures, [out / RESULTS, out / "table.csv", out / "table.md", *plots]
        )
        (out / "table.csv").write_text(to_csv(rows), encoding="utf-8")
        (out / "table.md").write_text(report.to_markdown(), encoding="utf-8")
    return report


def _run_missing(
    plans: list[CellPlan], store: Store, jobs: int, backend: str, progress: bool
) -> list[Failure]:
    """Run what the store lacks, in chunks of members; every result is stored when it comes.

    Members that are trained one after the other are chunks of their own: a kill loses less, and at the end no core waits.
    """
    missing = [(place, store.missing(plan)) for place, plan in enumerate(plans)]
    total = sum(len(seeds) for _, seeds in missing)
    size = max(SMALLEST_CHUNK, min(CHUNK, -(-total // (4 * jobs))))
    units = [
        (place, plans[place], seeds[start : start + width])
        for place, seeds in missing
        for width in [1 if agent_class(plans[place].agent_name).one_by_one else size]
        for start in range(0, len(seeds), width)
    ]
    # the longest first, so that no core waits at the end
    units.sort(key=lambda unit: -unit[1].steps * len(unit[2]))
    failed: dict[int, Failure] = {}
    with progress_bar(len(units), "chunks", show=progress and bool(units)) as advance:
        try:
            for place, result in unordered(_work, units, jobs=jobs, backend=backend):
                if isinstance(result, Cell):
                    store.add(plans[place], result)
                else:
                    failed.setdefault(place, Failure(plans[place].env, plans[place].agent, *result))
                advance(1)
        except BrokenProcessPool as error:
            for place, plan in enumerate(plans):
                if place not in failed and store.missing(plan):
                    reason = "a worker process died (out of memory?); run again, and it goes on from here"
                    failed[place] = Failure(plan.env, plan.agent, reason, str(error))
    return [failed[place] for place in sorted(failed)]


def _work(place: int, plan: CellPlan, seeds: list[int]) -> tuple[int, Cell | tuple[str, str]]:
    """One chunk of a cell, in a worker; a failure comes back as its line and its traceback."""
    try:
        cell = run_chunk(
            plan.agent_name, plan.env_id, seeds, plan.steps, plan.agent_kwargs, plan.env_kwargs, plan.points
        )
    except Exception as error:  # noqa: BLE001  (whatever it is, it must not take the other cells with it)
        line = " ".join(str(error).split()) or "no message"
        return place, (f"{type(error).__name__}: {line}", traceback.format_exc())
    return place, cell


def _summarise(
    plans: list[CellPlan], store: Store, failures: list[Failure], out: Path
) -> tuple[list[Row], list[Path]]:
    """Rows and plots, one world after another so that only its cells are in memory."""
    lost = {(failure.env, failure.agent) for failure in failures}
    agents = list(dict.fromkeys(plan.agent for plan in plans if plan.agent_name not in REFERENCES))
    rows: list[Row] = []
    files: list[Path] = []
    for env in dict.fromkeys(plan.env for plan in plans):
        cells = [
            (plan, store.load(plan))
            for plan in plans
            if plan.env == env and (plan.env, plan.agent) not in lost
        ]
        if cells:
            rows += world_rows(cells)
            files += plot_world(world_curves(cells), agents, out)
    return rows, files
