"""Suites: one TOML file says which agents meet in which worlds, for how long and with how many seeds.

Every `*.toml` in the folder `suites/` beside this file is a suite by the name of the file; a path to one
anywhere else works as well. Nothing else has to be edited. A suite reads so:

    title = "Epsilon on the ten-armed testbed"
    description = "How much exploration pays?"       # optional
    seeds = 200                # members of every cell: a count, or a list of seeds
    steps = 1000               # optional; left out, a member plays the world's whole episode
    points = 100               # optional: checkpoints of the curves

    [[worlds]]
    env = "Bandit-v0"
    settings = { law = "gaussian" }                  # optional: options of the world
    sweep = { arms = [2, 10] }                       # optional: one world for every combination
    label = "testbed"                                # optional: its name in tables and plots
    seeds = 100                                      # optional: instead of the suite's
    steps = 500                                      # optional: instead of the suite's
    main = "regret"                                  # optional: the metric that ranks the agents

    [[agents]]
    agent = "epsilon_greedy"
    settings = { initial_value = 0.0 }               # optional: settings of the agent
    preset = true                                    # optional: first those that were tuned for the world
    sweep = { epsilon = [0.01, 0.1] }                # optional: one agent for every combination
    label = "greedy"                                 # optional: its name in tables and plots
    only = ["testbed"]                               # optional: the worlds it plays in, by id or label
    # skip = ["testbed"]                             # or: the worlds that it does not play in
    seeds = 20                                       # optional: fewer members of a slow agent

An entry without a label is called by its name and what was set: `epsilon_greedy(epsilon=0.1)`. Members of
all agents share their seeds, hence their problems, so they can be compared pair by pair.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlcourse.agents import AGENTS
from rlcourse.agents.presets import preset
from rlcourse.checks import parse_seeds
from rlcourse.errors import UsageError, did_you_mean
from rlcourse.experiments.metrics import HIGHER_IS_BETTER
from rlcourse.experiments.plots import slug
from rlcourse.names import resolve_world, short_name

FOLDER = Path(__file__).parent / "suites"
POINTS = 100
MAIN_METRICS = tuple(HIGHER_IS_BETTER)

_SUITE_KEYS = ("title", "description", "seeds", "steps", "points", "worlds", "agents")
_WORLD_KEYS = ("env", "label", "settings", "sweep", "seeds", "steps", "main")
_AGENT_KEYS = ("agent", "label", "settings", "sweep", "preset", "only", "skip", "seeds")


@dataclass(frozen=True)
class WorldEntry:
    """A world of a suite, sweeps expanded."""

    env: str
    """Registered id, with the namespace."""
    label: str
    settings: dict[str, Any]
    seeds: list[int] | None
    steps: int | None
    main: str | None


@dataclass(frozen=True)
class AgentEntry:
    """An agent of a suite, sweeps expanded."""

    agent: str
    label: str
    settings: dict[str, Any]
    only: tuple[str, ...] | None
    """Ids and labels of its worlds; `None` plays in all."""
    skip: tuple[str, ...]
    """Ids and labels of worlds that it leaves out."""
    seeds: list[int] | None
    preset: bool = False
    """Whether settings that were tuned for the world come first."""

    def settings_in(self, world: WorldEntry) -> dict[str, Any]:
        """The settings that it has there.

        Raises:
            UsageError: there is no preset for this world.
        """
        return {**preset(self.agent, world.env), **self.settings} if self.preset else self.settings

    def plays_in(self, world: WorldEntry) -> bool:
        """Whether the suite pairs them."""
        names = {world.label, world.env, short_name(world.env)}
        return not names & set(self.skip) and (self.only is None or bool(names & set(self.only)))


@dataclass(frozen=True)
class Suite:
    """A suite as its file says it, names checked."""

    name: str
    title: str
    description: str
    seeds: list[int]
    steps: int | None
    points: int
    worlds: tuple[WorldEntry, ...]
    agents: tuple[AgentEntry, ...]
    path: Path

    def pairs(self) -> Iterable[tuple[WorldEntry, AgentEntry]]:
        """Every cell of the table, world by world, in the order of the file."""
        return ((world, agent) for world in self.worlds for agent in self.agents if agent.plays_in(world))


def suite_names() -> list[str]:
    """The names of the suites in the folder."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_suite(suite: str | Path) -> Suite:
    """Read a suite.

    Args:
        suite: the name of one in the folder, or a path to a TOML file.

    Raises:
        UsageError: there is none, or it is no TOML, or an entry is unknown or impossible; the message names
        file and entry.
    """
    path = Path(suite)
    if path.suffix != ".toml" and path.name == str(suite):
        if str(suite) not in suite_names():
            raise UsageError(did_you_mean(str(suite), suite_names(), kind="suite"))
        path = FOLDER / f"{suite}.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise UsageError(f"there is no suite {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no valid TOML: {error}") from None
    return parse_suite(content, path)


def parse_suite(content: dict[str, Any], path: Path) -> Suite:
    """The suite that a TOML file's content describes.

    Raises:
        UsageError: see `load_suite`.
    """
    table = _Table(content, str(path), _SUITE_KEYS)
    worlds = [world for entry in table.entries("worlds", _WORLD_KEYS) for world in _worlds(entry)]
    agents = [agent for entry in table.entries("agents", _AGENT_KEYS) for agent in _agents(entry, worlds)]
    for kind, labels in (("worlds", [w.label for w in worlds]), ("agents", [a.label for a in agents])):
        for label in labels:
            if labels.count(label) > 1:
                raise UsageError(f"{path}: two of the {kind} are called {label!r}: give one a label")
    pictures: dict[str, str] = {}
    for world in worlds:
        other = pictures.setdefault(slug(world.label).lower(), world.label)  # some disks do not tell A from a
        if other != world.label:
            raise UsageError(
                f"{path}: plots of {other!r} and {world.label!r} would be one file: give one another label"
            )
    suite = Suite(
        name=path.stem,
        title=table.get("title", str, path.stem),
        description=" ".join(table.get("description", str, "").split()),
        seeds=table.seeds() or list(range(10)),
        steps=table.count("steps"),
        points=table.count("points") or POINTS,
        worlds=tuple(worlds),
        agents=tuple(agents),
        path=path,
    )
    for world in worlds:
        if not any(agent.plays_in(world) for agent in agents):
            raise UsageError(f"{path}: no agent plays in {world.label}: every entry of agents leaves it out")
    return suite


def _worlds(entry: _Table) -> list[WorldEntry]:
    name = entry.get("env", str)
    env = entry.checked(lambda: resolve_world(name).id)
    main = entry.get("main", str, None)
    if main is not None and main not in MAIN_METRICS:
        raise UsageError(f"{entry.where}: {did_you_mean(main, MAIN_METRICS, kind='metric')}")
    return [
        WorldEntry(env, label, settings, entry.seeds(), entry.count("steps"), main)
        for label, settings in entry.sweep(short_name(env))
    ]


def _agents(entry: _Table, worlds: list[WorldEntry]) -> list[AgentEntry]:
    agent = entry.get("agent", str)
    if agent not in AGENTS:
        raise UsageError(f"{entry.where}: {did_you_mean(agent, AGENTS, kind='agent')}")
    if "only" in entry.content and "skip" in entry.content:
        raise UsageError(f"{entry.where}: say only or skip, not both")
    only = entry.get("only", list, None)
    skip = entry.get("skip", list, [])
    tuned = entry.content.get("preset", False)
    if not isinstance(tuned, bool):
        raise UsageError(f"{entry.where}: preset={tuned!r} must be true or false")
    known = {name for world in worlds for name in (world.label, world.env, short_name(world.env))}
    for key, names in (("only", only or []), ("skip", skip)):
        for name in names:
            if str(name) not in known:
                shown = {name for name in known if not name.startswith("rlcourse/")}
                hint = did_you_mean(str(name), shown, kind="world of the suite")
                raise UsageError(f"{entry.where}, {key}: {hint}")
    return [
        AgentEntry(
            agent, label, settings, None if only is None else tuple(only), tuple(skip), entry.seeds(), tuned
        )
        for label, settings in entry.sweep(agent)
    ]


class _Table:
    """A table of the file, and where it stands, for errors that say so."""

    def __init__(self, content: dict[str, Any], where: str, keys: tuple[str, ...]) -> None:
        self.content = content
        self.where = where
        for key in content:
            if key not in keys:
                raise UsageError(f"{where}: {did_you_mean(key, keys, kind='key')}")

    def get(self, key: str, kind: type, *default: Any) -> Any:
        """The value of a key, of the right type."""
        if key not in self.content:
            if default:
                return default[0]
            raise UsageError(f"{self.where}: {key} is missing")
        value = self.content[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            said = {str: "a text", int: "a whole number", list: "a list", dict: "a table"}[kind]
            raise UsageError(f"{self.where}: {key}={value!r} must be {said}")
        return value

    def count(self, key: str) -> int | None:
        """A whole number of at least 1, where it is given."""
        value: int | None = self.get(key, int, None)
        if value is not None and value < 1:
            raise UsageError(f"{self.where}: {key}={value} must be at least 1")
        return value

    def seeds(self) -> list[int] | None:
        """The list of seeds, where a count or a list is given."""
        if "seeds" not in self.content:
            return None
        return self.checked(lambda: parse_seeds(self.content["seeds"]))

    def checked(self, call: Callable[[], Any]) -> Any:
        """What the call gives; its error says where the entry stands."""
        try:
            return call()
        except UsageError as error:
            raise UsageError(f"{self.where}: {error}") from None

    def entries(self, key: str, keys: tuple[str, ...]) -> list[_Table]:
        """The tables `[[key]]`, of which there must be at least one."""
        tables = self.get(key, list, [])
        if not tables or not all(isinstance(table, dict) for table in tables):
            raise UsageError(f"{self.where}: needs at least one [[{key}]]")
        name = {"worlds": "env", "agents": "agent"}[key]
        return [
            _Table(table, f"{self.where}, [[{key}]] {place} ({table.get(name, '?')})", keys)
            for place, table in enumerate(tables, 1)
        ]

    def sweep(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """Label and settings for every combination of the swept values."""
        settings = self.get("settings", dict, {})
        swept = self.get("sweep", dict, {})
        for key, values in swept.items():
            if not isinstance(values, list) or not values:
                raise UsageError(f"{self.where}, sweep: {key}={values!r} must be a list of values to try")
            if key in settings:
                raise UsageError(f"{self.where}: {key} stands in settings and in sweep")
        label = self.get("label", str, None)
        if label is not None and not label.strip():
            raise UsageError(f"{self.where}: label={label!r} must say something")
        points = [dict(zip(swept, values, strict=True)) for values in itertools.product(*swept.values())]
        if label is not None:
            return [(make_label(label, point), settings | point) for point in points]
        return [(make_label(name, settings | point), settings | point) for point in points]


def make_label(name: str, settings: dict[str, Any]) -> str:
    """A name with what was set: `ucb(c=0.5)`."""
    said = ", ".join(f"{key}={_say(value)}" for key, value in settings.items())
    return f"{name}({said})" if said else name


def _say(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_say, value))}]"
    return str(value)
