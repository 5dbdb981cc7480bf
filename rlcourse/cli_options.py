"""What each verb of the command line takes: one dataclass a verb, whose fields become its flags (read by `cli_parse`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

REQUIRED = "(required)"
Switch = FlagCreatePairsOff[Annotated[bool, arg(help_behavior_hint="")]]


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every verb takes."""

    debug: Switch = False
    """Show the whole traceback of an error, not its one line."""


@dataclass(frozen=True, kw_only=True)
class ListOptions(Common):
    """Show the worlds, the agents and the suites.

    Examples:
      rlcourse list
      rlcourse list agents --settings
    """

    what: Positional[Annotated[str, arg(metavar="[worlds|agents|suites]", help_behavior_hint="")]] = "all"
    """Which of the three; left out, all."""
    settings: Switch = False
    """What can be set of every agent, with its default, in the place of what it does."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Common):
    """Let a population of learners play one world, show how they did, and save them.

    The flags --agent.* and --env.* are the settings of the agent and the options of the world that you name; to see
    them, name both and ask for help. A list is written as words: --env.means 0.1 0.5 0.9. A world that comes with
    Gymnasium takes its own arguments in the same way, with JSON values.

    Examples:
      rlcourse train --agent ucb1 --env CandyMachines-v0
      rlcourse train --agent ucb --env CandyMachines-v0 --help
      rlcourse train --agent ucb --agent.c 0.5 --env Bandit-v0 --env.means 0.1 0.5 0.9 --steps 2000
    """

    agent: Annotated[str | None, arg(metavar="NAME", help_behavior_hint=REQUIRED)] = None
    """The agent (`rlcourse list agents` names them)."""
    env: Annotated[str | None, arg(metavar="ID", help_behavior_hint=REQUIRED)] = None
    """The world (`rlcourse list worlds` names them), or the id of any other Gymnasium world that fits the agent."""
    seeds: Annotated[str, arg(metavar="COUNT|LIST")] = "10"
    """How many learners, each with a seed of its own (0, 1, ...); or the list of their seeds, such as 3,5,8."""
    steps: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None
    """Steps of each learner; left out, one whole episode of a world that says how long it is."""
    preset: Switch = False
    """Begin with the settings that were tuned for this agent in this world; where there are none, that is an error."""
    out: Annotated[str | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Where to save the agent; left out, a folder under runs/ that is named by what ran."""
    json: Switch = False
    """Print one JSON object and nothing else."""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(Common):
    """Play episodes with a saved agent that no longer learns, and show what it earns.

    A bandit strategy plays the machines that it was playing when it was saved; the luck is new.

    Examples:
      rlcourse evaluate runs/ucb1-CandyMachines-v0-seeds=10-steps=10000 --episodes 20
      rlcourse evaluate runs/q_learning-CandyMaze-v0-seeds=10-steps=50000 --plot --member 3
    """

    folder: Positional[Annotated[str, arg(metavar="DIR")]]
    """The folder that `rlcourse train` saved the agent in."""
    episodes: Annotated[int, arg(metavar="N")] = 100
    """Episodes of every learner."""
    member: Annotated[int | None, arg(metavar="PLACE", help_behavior_hint="")] = None
    """Only the learner in this place (0, 1, ...); left out, all of them."""
    plot: Annotated[str | None, arg(metavar="[DIR/policy.png]", help_behavior_hint="")] = None
    """In a maze, draw what is known of every cell: the values, and the best actions."""
    json: Switch = False
    """Print one JSON object and nothing else."""


@dataclass(frozen=True, kw_only=True)
class BenchOptions(Common):
    """Run a suite, to one table with confidence intervals, and plots.

    Results are kept as they arrive. If the run is interrupted or killed, give the same command again: it goes on where
    it was and ends with the same numbers.

    Examples:
      rlcourse bench quick
      rlcourse bench candy-machines --seeds 100 --jobs 2
    """

    suite: Positional[Annotated[str, arg(metavar="SUITE")]]
    """The suite (`rlcourse list suites` names them), or the path of a TOML file."""
    seeds: Annotated[str | None, arg(metavar="COUNT|LIST", help_behavior_hint="")] = None
    """How many learners in every cell, or the list of their seeds; left out, what the suite says."""
    jobs: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None
    """Processes; left out, one a core. The numbers do not depend on it."""
    backend: Annotated[str, arg(metavar="loky|ray|dask")] = "loky"
    """Who runs the processes; ray and dask are extras: pip install 'rlcourse[ray]'."""
    out: Annotated[str | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Where the results go; left out, runs/SUITE."""
    json: Switch = False
    """Print one JSON object and nothing else."""


@dataclass(frozen=True, kw_only=True)
class PlayOptions(Common):
    """Play a world yourself, with the keyboard; or show a game that was recorded.

    The world waits for your keys; the window says which ones there are. The flags --env.* are the options of the
    world that you name; to see them, name it and ask for help. Any other Gymnasium world with numbered (Discrete)
    actions and a picture can be played too.

    Every game is recorded. A replay plays it again, step by step in both directions, and says so if it no longer pays
    what it paid.

    Examples:
      rlcourse play --env CandyMaze-v0
      rlcourse play --env CandyMaze-v0 --env.king-moves --seed 7 --out mine.json
      rlcourse play --replay mine.json
      rlcourse play --replay mine.json --gif mine.gif
    """

    env: Annotated[str | None, arg(metavar="ID", help_behavior_hint="")] = None
    """The world (`rlcourse list worlds` names them), or the id of another Gymnasium world."""
    seed: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None
    """Seed of the game; left out, every game is another one."""
    out: Annotated[str | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """The .json file of the record; left out, one under runs/ that is named by what was played."""
    replay: Annotated[str | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Show this record, and play nothing."""
    gif: Annotated[str | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Write a .gif of the replay (no display is needed), or of the game that was played."""
    fps: Annotated[float | None, arg(metavar="F", help_behavior_hint="")] = None
    """Steps a second of a replay and of a GIF; left out, 4."""


@dataclass(frozen=True, kw_only=True)
class WatchOptions(Common):
    """Watch an agent act, in a window or as a GIF, with its values in the picture.

    A bandit strategy that you name learns while you watch, from its first pull. Any other agent learns for --steps
    before, and then shows what it knows; so does one that was saved.

    The flags --agent.* and --env.* are the settings of the agent and the options of the world, as for train.

    Examples:
      rlcourse watch --agent ucb1 --env CandyMachines-v0
      rlcourse watch --agent ucb1 --env CandyMachines-v0 --env.coins 60 --gif ucb1.gif
      rlcourse watch --agent q_learning --env CandyMaze-v0 --steps 20000
      rlcourse watch --agent runs/ucb1-CandyMachines-v0-seeds=10-steps=10000 --member 3
    """

    agent: Annotated[str | None, arg(metavar="NAME|DIR", help_behavior_hint=REQUIRED)] = None
    """The agent (`rlcourse list agents` names them), or the folder that `rlcourse train` saved one in."""
    env: Annotated[str | None, arg(metavar="ID", help_behavior_hint="")] = None
    """The world; left out, that in which a saved agent has learned."""
    steps: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None
    """Steps of learning before there is anything to see."""
    episodes: Annotated[int | None, arg(metavar="E", help_behavior_hint="")] = None
    """Episodes; left out, 1 in a GIF, and in a window as many as you like."""
    seed: Annotated[int, arg(metavar="N")] = 0
    """Seed of the agent that you name, and of what is shown."""
    member: Annotated[int | None, arg(metavar="K", help_behavior_hint="")] = None
    """Which learner of a saved population; left out, the first."""
    fps: Annotated[float | None, arg(metavar="F", help_behavior_hint="")] = None
    """Steps a second, 0 for as fast as they come; left out, what suits the world."""
    gif: Annotated[str | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Write a .gif, and open no window: no display is needed."""
