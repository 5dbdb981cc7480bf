"""The command `rlcourse`: one verb, one function. Nothing heavy loads before a verb needs it.

Exit codes: 0 done, 1 a run that failed, 2 a wrong argument, 130 interrupted. An error is one line on stderr; `--debug` shows
its traceback.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlcourse.errors import UsageError, did_you_mean
from rlcourse.version import __version__


class RunError(RuntimeError):
    """Some of what was asked for could not be run; the rest was."""


HELP = """\
usage: rlcourse VERB ...

Reinforcement-learning worlds, and populations of agents that learn in them, many seeds at a time.

verbs:
{verbs}

examples:
  rlcourse list agents
  rlcourse train --agent ucb1 --env CandyMachines-v0 --seeds 10
  rlcourse bench quick
  rlcourse play --env CandyMaze-v0

rlcourse VERB --help explains a verb; rlcourse --version prints the version.
"""


def show_list(words: list[str]) -> None:
    """Show the worlds, the agents and the suites."""
    from rlcourse.cli_options import ListOptions
    from rlcourse.cli_parse import parse

    options = parse(ListOptions, words, "list")
    what = "agents" if options.settings and options.what == "all" else options.what
    from rlcourse import cli_show

    agents = cli_show.agent_settings if options.settings else cli_show.agents
    parts = {"worlds": cli_show.worlds, "agents": agents, "suites": cli_show.suites}
    if what != "all" and what not in parts:
        raise UsageError(did_you_mean(what, parts, kind="list"))
    if options.settings and what != "agents":
        raise UsageError(f"--settings shows those of the agents: leave out {what!r}")
    for name, show in parts.items():
        if what in ("all", name):
            show()


def train(words: list[str]) -> None:
    """Let a population of learners play one world, and save them."""
    from rlcourse.cli_parse import parse_seeds_flag, parse_train

    options, agent_kwargs, env_kwargs = parse_train(words)
    if options.agent is None:
        raise UsageError("train needs --agent NAME: rlcourse list agents names them")
    if options.env is None:
        raise UsageError("train needs --env ID: rlcourse list worlds names them")
    from rlcourse import cli_show
    from rlcourse.experiments.run import build_learner, record
    from rlcourse.folders import output_folder

    if options.preset:
        from rlcourse.agents.presets import preset

        agent_kwargs = {**preset(options.agent, options.env), **agent_kwargs}
    seeds = parse_seeds_flag(options.seeds)
    learner, steps = build_learner(
        options.agent, options.env, seeds, options.steps, agent_kwargs, env_kwargs, many_episodes=True
    )
    folder = options.out or cli_show.folder_name(learner, agent_kwargs, env_kwargs, options.seeds, steps)
    with output_folder(folder) as out:
        cell = record(learner, steps, progress=True)
        learner.save(out)
    cli_show.trained(cell, out, as_json=options.json)


def evaluate(words: list[str]) -> None:
    """Play episodes with a saved agent, and show what it earns."""
    from rlcourse.cli_parse import parse_evaluate

    options = parse_evaluate(words)
    from rlcourse import cli_show
    from rlcourse.agents import load_agent
    from rlcourse.agents.evaluation import evaluate as play

    agent: Any = load_agent(options.folder)
    if options.member is not None:
        agent = agent.member(options.member)
    plot = None
    if options.plot is not None:
        from rlcourse.viewer.policy import save_policy_picture

        plot = save_policy_picture(agent, options.plot or Path(options.folder) / "policy.png")
    returns = play(agent, options.episodes, progress=True)
    cli_show.evaluated(agent, returns, plot, as_json=options.json)


def bench(words: list[str]) -> None:
    """Run a suite of experiments, or go on with it, to tables and plots."""
    from rlcourse.cli_options import BenchOptions
    from rlcourse.cli_parse import parse, parse_seeds_flag

    options = parse(BenchOptions, words, "bench")
    from rlcourse import cli_show
    from rlcourse.experiments import load_suite, run_suite

    suite = load_suite(options.suite)
    report = run_suite(
        suite,
        options.out or Path("runs") / suite.name,
        seeds=None if options.seeds is None else parse_seeds_flag(options.seeds),
        jobs=options.jobs,
        backend=options.backend,
        progress=True,
    )
    cli_show.benched(report, as_json=options.json)
    if report.failures:
        first = report.failures[0]
        if options.debug:
            print(first.traceback, end="", file=sys.stderr)
        others = f" (and {len(report.failures) - 1} cells more)" if len(report.failures) > 1 else ""
        raise RunError(f"{first}{others}")


def play(words: list[str]) -> None:
    """Play a world yourself, with the keyboard, or replay a recorded game."""
    from rlcourse.cli_parse import parse_play

    options, env_kwargs = parse_play(words)
    from rlcourse import cli_view

    if options.replay is None:
        cli_view.play_game(options, env_kwargs)
    elif difference := cli_view.show_replay(options):
        raise RunError(difference)


def watch(words: list[str]) -> None:
    """Watch an agent act, in a window or as a GIF."""
    from rlcourse.cli_parse import parse_watch

    options, agent_kwargs, env_kwargs = parse_watch(words)
    from rlcourse import cli_view

    cli_view.watch_agent(options, agent_kwargs, env_kwargs, progress=True)


VERBS: dict[str, Callable[[list[str]], None]] = {
    "list": show_list,
    "train": train,
    "evaluate": evaluate,
    "bench": bench,
    "play": play,
    "watch": watch,
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the words after `rlcourse`; `None` takes those of the process.

    Returns:
        The exit code.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        _run(words)
        sys.stdout.flush()
    except SystemExit as end:  # a help text was printed
        return _code(end)
    except BrokenPipeError:  # the reader has seen enough, as in `rlcourse list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        hint = ": give the same command again, and it goes on" if words[:1] == ["bench"] else ""
        return _complain(f"interrupted{hint}", 130)
    except UsageError as error:
        return _complain(str(error), 2, debug="--debug" in words)
    except Exception as error:  # noqa: BLE001  (the door of the program: whatever it is becomes one line and a code)
        known = type(error).__module__.startswith("rlcourse")
        text = str(error) if known else f"{type(error).__name__}: {error} (--debug shows where)"
        return _complain(text, 1, debug="--debug" in words)
    return 0


def _run(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help"):
        width = max(map(len, VERBS))
        lines = (f"  {name:<{width}}  {(verb.__doc__ or '').splitlines()[0]}" for name, verb in VERBS.items())
        print(HELP.format(verbs="\n".join(lines)), end="")
    elif words[0] == "--version":
        print(f"rlcourse {__version__}")
    elif words[0] in VERBS:
        VERBS[words[0]](words[1:])
    elif words[0].startswith("-"):
        raise UsageError(f"give a verb first, then its flags: {', '.join(VERBS)} (got {words[0]!r})")
    else:
        raise UsageError(did_you_mean(words[0], VERBS, kind="verb"))


def _complain(text: str, code: int, *, debug: bool = False) -> int:
    """One line on stderr, and the exit code; the traceback before it where it is asked for."""
    if debug:
        traceback.print_exc()
    print(f"rlcourse: {' '.join(text.split())}", file=sys.stderr)
    return code


def _code(end: SystemExit) -> int:
    return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
