"""What the figure scripts share: options, curves with bands, and a table of published figures beside ours."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from rlcourse.experiments import Cell, run_cell
from rlcourse.experiments.plots import LINE_STYLES, OKABE_ITO, REFERENCE_STYLES
from rlcourse.experiments.statistics import generator_for, interval

T = TypeVar("T")
LAST = 50
"""A figure "at step 1000" is the mean over the last 50 steps: hardly another point of the curve, and far less noise."""


@dataclass
class Line:
    """One curve of a figure."""

    label: str
    agent: str
    settings: dict[str, Any]
    cell: Cell | None = None

    @property
    def result(self) -> Cell:
        """The cell, which has been run."""
        assert self.cell is not None
        return self.cell

    def last(self, metric: str, scale: float = 1.0) -> NDArray[np.float64]:
        """The mean over the last steps of a curve that has a point for every step, `[S]`."""
        return scale * self.result.curves[metric][-LAST:].mean(axis=0)


def options(doc: str | None, *, seeds: int, **more: int) -> argparse.Namespace:
    """`--seeds`, `--jobs`, `--out` and whole numbers of the script's own."""
    first = (doc or "").splitlines()[0]
    parser = argparse.ArgumentParser(description=first)
    parser.add_argument("--seeds", type=int, default=seeds, help=f"independent runs (default {seeds})")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--out", type=Path, default=Path("runs/figures"), help="folder of the picture")
    for name, default in more.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    return parser.parse_args()


def play(
    lines: Sequence[Line], chosen: argparse.Namespace, env: str, steps: int, points: int, **env_kwargs: Any
) -> None:
    """Run every line in the same world on the same seeds."""
    console = Console(stderr=True)
    for line in lines:
        start = time.perf_counter()
        line.cell = run_cell(
            agent=line.agent,
            env=env,
            seeds=chosen.seeds,
            steps=steps,
            agent_kwargs=line.settings,
            env_kwargs=env_kwargs,
            points=points,
            jobs=chosen.jobs,
        )
        console.print(f"[dim]{line.label}: {time.perf_counter() - start:.1f} s[/dim]")


def style(line: Line, place: int) -> dict[str, Any]:
    """Colour and line of the `place`-th curve; those who learn nothing are grey and black."""
    if line.agent in REFERENCE_STYLES:
        color, dashes = REFERENCE_STYLES[line.agent]
        return {"color": color, "linestyle": dashes}
    dashes = LINE_STYLES[place // len(OKABE_ITO) % len(LINE_STYLES)]
    return {"color": OKABE_ITO[place % len(OKABE_ITO)], "linestyle": dashes}


def draw(axes: Axes, lines: Sequence[Line], metric: str, *, scale: float = 1.0, width: float = 1.3) -> None:
    """The mean of every line with its 95% band (1.96 standard errors either side)."""
    for place, line in enumerate(lines):
        values = scale * line.result.curves[metric]
        band(axes, line.result.steps, values, line.label, linewidth=width, **style(line, place))


def band(axes: Axes, x: Any, values: NDArray[np.float64], label: str, **look: Any) -> None:
    """The mean over the members of `values [P, S]` at `x [P]`, with its 95% band (1.96 standard errors either side)."""
    mean = values.mean(axis=1)
    half = 1.96 * values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    axes.plot(x, mean, label=label, **look)
    axes.fill_between(x, mean - half, mean + half, color=look["color"], alpha=0.2, linewidth=0)


def timed(label: str, work: Callable[[], T]) -> T:
    """What some work gives; how long it took is said on stderr."""
    start = time.perf_counter()
    result = work()
    Console(stderr=True).print(f"[dim]{label}: {time.perf_counter() - start:.1f} s[/dim]")
    return result


def figure(panels: int, title: str, note: str, size: tuple[float, float] = (7.2, 6.4)) -> tuple[Figure, Any]:
    """An empty figure with its panels one above the other, and a line that says what the bands are."""
    drawn = Figure(figsize=size, dpi=110, layout="constrained")
    FigureCanvasAgg(drawn)
    axes = drawn.subplots(panels, 1, squeeze=False)[:, 0]
    axes[0].set_title(title, loc="left", fontweight="bold", fontsize="medium")
    drawn.supxlabel(note, fontsize="small", color="#555555")
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(axis="y", color="#dddddd", linewidth=0.6)
    return drawn, axes


def legend_beside(axes: Axes, *, sort_by_end: bool = True) -> None:
    """The legend right of the data, in the order in which the curves end."""
    handles, labels = axes.get_legend_handles_labels()
    if sort_by_end:
        order = np.argsort([-float(np.asarray(handle.get_ydata())[-1]) for handle in handles])  # type: ignore[attr-defined]
        handles, labels = [handles[i] for i in order], [labels[i] for i in order]
    axes.legend(
        handles, labels, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small"
    )


def testbed(
    script: str, title: str, lines: Sequence[Line], published: dict[tuple[str, str], str], **env_kwargs: Any
) -> None:
    """A figure of the ten-armed testbed: reward and share of optimal pulls, and both at step 1000 beside the published.

    Args:
        script: name of the picture.
        title: what it shows.
        lines: its curves.
        published: (label, "reward" or "optimal") -> the figure as read from the book.
        env_kwargs: options of `Bandit-v0` other than `law="gaussian"`.
    """
    chosen = options(title, seeds=2000)
    play(lines, chosen, "Bandit-v0", 1000, 1000, law="gaussian", **env_kwargs)
    drawn, (reward, optimal) = figure(
        2, title, f"ten arms, mean of {chosen.seeds} problems, band: 95% interval of the mean"
    )
    best = float(lines[0].result.optimum["reward"].mean())
    reward.axhline(best, color="black", linewidth=0.8)
    note = f"best possible: {best:.3f} in these problems"
    reward.annotate(
        note, (1000, best), (0, 6), textcoords="offset points", ha="right", va="bottom", fontsize="small"
    )
    draw(reward, lines, "reward", width=0.9)
    draw(optimal, lines, "optimal", scale=100.0, width=0.9)
    floor = min(float(line.result.curves["reward"].mean(axis=1).min()) for line in lines)
    reward.set_ylim(floor - 0.05, best + 0.2)
    reward.set_ylabel("mean reward of a pull")
    optimal.set_ylabel("pulls of the best arm (%)")
    optimal.set_ylim(0, 100)
    for axes in (reward, optimal):
        axes.set_xlim(0, 1000)
        axes.set_xlabel("step")
    reward.legend(loc="lower right", frameon=False, fontsize="small")
    rows = []
    for metric, scale, digits in (("reward", 1.0, 3), ("optimal", 100.0, 1)):
        unit = "% optimal" if metric == "optimal" else "mean reward"
        for line in lines:
            said = published.get((line.label, metric), "-")
            rows.append((f"{line.label}: {unit}", said, with_interval(line.last(metric, scale), digits)))
    finish(drawn, chosen, script, rows, ", step 1000")


def with_interval(values: NDArray[np.float64], digits: int = 2) -> str:
    """The mean of `[S]` and its 95% bootstrap interval."""
    low, high = interval(values, generator_for("figure"))
    return f"{values.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def finish(
    drawn: Figure,
    chosen: argparse.Namespace,
    script: str,
    rows: Sequence[tuple[str, str, str]],
    about: str = "",
) -> None:
    """Print the published figures beside ours, and save the picture."""
    table = Table(title=f"{script}, {chosen.seeds} seeds{about}")
    for column in ("figure", "published", "ours [95% interval]"):
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    chosen.out.mkdir(parents=True, exist_ok=True)
    path = chosen.out / f"{script}.png"
    drawn.savefig(path, metadata={"Software": None})
    with Image.open(
        path
    ) as image:  # a chart needs no more than 256 colours, and is a third of the size with them
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    console = Console()
    console.print(table)
    console.print(f"[dim]{path}[/dim]")
