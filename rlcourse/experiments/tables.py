"""Tables for people: the agents of each world, best first, as Markdown and for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rlcourse.experiments.metrics import HIGHER_IS_BETTER, REFERENCES
from rlcourse.experiments.rows import Row

if TYPE_CHECKING:
    from rich.console import Group

LEAST_NEEDED = ("steps/s", "gap")
"""The columns that a narrow terminal goes without, the first one first; the files have them all."""
BETWEEN = 3
"""Blanks between two columns."""


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
        main: world -> the metric that ranks its agents; `None` takes regret where there is one, else return or reward.
    """
    worlds: dict[str, dict[str, dict[str, Row]]] = {}
    for row in rows:
        worlds.setdefault(row.env, {}).setdefault(row.agent, {})[row.metric] = row
    return [_ranking(env, list(agents.values()), main.get(env)) for env, agents in worlds.items()]


def _ranking(env: str, agents: list[dict[str, Row]], main: str | None) -> Ranking:
    metrics = {metric for agent in agents for metric in agent}
    control = "return" in metrics
    main = main or ("regret" if "regret" in metrics else "return" if control else "reward")
    sign = -1.0 if HIGHER_IS_BETTER[main] else 1.0

    def place(agent: dict[str, Row]) -> float:
        """Last, where there is no score, as of one that has diverged."""
        mean = agent[main].mean if main in agent else math.nan
        return math.inf if math.isnan(mean) else sign * mean

    agents = sorted(agents, key=place)
    header, body = _control_columns(agents, metrics) if control else _game_columns(agents, metrics, main)
    first = "return" if control else "reward"
    some = agents[0][first]
    optima = [agent[first].optimum for agent in agents if math.isfinite(agent[first].optimum)]
    reference = [agent[first].agent_name in REFERENCES for agent in agents]
    seeds = sorted({agent[first].seeds for agent in agents})
    count = f"{seeds[0]:,}" if len(seeds) == 1 else f"{seeds[0]:,}-{seeds[-1]:,}"
    caption = f"{count} seed{'' if seeds == [1] else 's'} x {some.steps:,} steps"
    if optima and max(optima) - min(optima) < 1e-9:
        caption += f"; best possible {first} {optima[0]:.4f}" + ("" if control else " a step")
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


Columns = tuple[list[str], list[list[str]]]


def _control_columns(agents: list[dict[str, Row]], metrics: set[str]) -> Columns:
    """Header and lines of agents that act in episode after episode."""
    digits = 2 if max(abs(agent["return"].mean) for agent in agents) < 100.0 else 1
    optional = {
        "test_return": ("unseen levels", lambda row: _number(row.mean, digits)),
        "success": ("success", lambda row: f"{100 * row.mean:.1f}%"),
        "optimal": ("optimal", lambda row: f"{100 * row.mean:.1f}%"),
        "gap": ("gap", lambda row: _number(row.mean, digits)),
        "regret": ("regret", lambda row: _number(row.mean, 0)),
        "steps_to_95": ("95% after", lambda row: _number(row.mean, 0)),
    }
    shown = [metric for metric in optional if metric in metrics]
    header = [
        "agent",
        "return",
        "95% interval",
        "online",
        *(optional[metric][0] for metric in shown),
        "steps/s",
    ]
    body = []
    for agent in agents:
        row = agent["return"]
        line = [row.agent, _number(row.mean, digits), _interval(row, digits)]
        line.append(_number(agent["online_return"].mean, digits))
        line += [optional[metric][1](agent[metric]) if metric in agent else "" for metric in shown]
        body.append([*line, _speed(row.steps_per_second)])
    return header, body


def _game_columns(agents: list[dict[str, Row]], metrics: set[str], main: str) -> Columns:
    """Header and lines of strategies for bandits."""
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
    return header, body


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else ""


def _speed(value: float) -> str:
    return f"{value / 1e6:.2f} M" if value >= 1e5 else f"{value:,.0f}"


def _interval(row: Row, digits: int) -> str:
    if not math.isfinite(row.ci_low):
        return ""
    return f"{_number(row.ci_low, digits)} .. {_number(row.ci_high, digits)}"


_LEGEND_FIRST = "Per world, best first; means over the seeds, 95% bootstrap (BCa) interval of the mean."
_LEGEND_CONTROL = (
    "return: of the policy in the end; online: of the episodes while learning; success: share of episodes; optimal: share of "
    "states with an optimal action; gap: how much less return the policy brings than the best one, exactly; regret: return "
    "lost against a clairvoyant, in all; 95% after: steps until the policy was worth 95% of the best."
)
_LEGEND_GAMES = (
    "reward: per step; total: in all; regret: reward lost against the best arm, in all; optimal: share of pulls of a best "
    "arm; gap: reward per step below the best possible."
)
_LEGEND_LAST = "*: not behind the best learner (differences over the same seeds, 95%)."


def legend(rows: Sequence[Row]) -> str:
    """What the columns mean; bandits and worlds of episodes have columns of the same name."""
    control = {row.env for row in rows if row.metric == "return"}
    games = {row.env for row in rows} - control
    parts = [_LEGEND_CONTROL] * bool(control) + [_LEGEND_GAMES] * bool(games)
    if control and games:
        parts = [f"Where there is episode after episode, {_LEGEND_CONTROL}", f"In bandits, {_LEGEND_GAMES}"]
    return " ".join([_LEGEND_FIRST, *parts, _LEGEND_LAST])


def to_markdown(
    rows: Sequence[Row], main: dict[str, str | None], *, title: str, failures: Sequence[str]
) -> str:
    """The rankings as Markdown."""
    parts = [f"# {title}", legend(rows)]
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


def to_terminal(rows: Sequence[Row], main: dict[str, str | None], width: int = 100) -> list[Group]:
    """The rankings as rich tables; where the width is short they lose the `LEAST_NEEDED` columns, then long names wrap.

    Args:
        rows: of all worlds.
        main: world -> the metric that ranks its agents (see `rankings`).
        width: columns of the terminal.
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    groups = []
    for ranking in rankings(rows, main):
        ranking = _narrowed(ranking, width)
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for place, name in enumerate(ranking.header):
            table.add_column(name, justify="right" if place else "left", no_wrap=place > 0, overflow="fold")
        for texts, tied, reference in zip(ranking.body, ranking.tied, ranking.reference, strict=True):
            style = "dim" if reference else "bold" if tied else ""
            table.add_row(*(Text(text, style) for text in [_starred(texts[0], tied), *texts[1:]]))
        groups.append(Group(Text.assemble((ranking.env, "bold"), "  ", ranking.caption), table))
    return groups


def _starred(name: str, tied: bool) -> str:
    return f"{name} *" if tied else name


def _narrowed(ranking: Ranking, width: int) -> Ranking:
    """The same ranking with as many of its columns as fit; a name may wrap between its words."""
    for name in LEAST_NEEDED:
        names = [_starred(line[0], tied) for line, tied in zip(ranking.body, ranking.tied, strict=True)]
        needed = max(len(word) for text in names for word in text.split())
        for column in list(zip(ranking.header, *ranking.body, strict=True))[1:]:
            needed += BETWEEN + max(map(len, column))
        if needed <= width:
            break
        if name in ranking.header:
            place = ranking.header.index(name)
            body = [line[:place] + line[place + 1 :] for line in ranking.body]
            ranking = replace(ranking, header=[text for text in ranking.header if text != name], body=body)
    return ranking
