"""What `play` and `watch` do with their options: windows, records and GIFs."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from rlcourse.agents import load_agent, make_agent
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Agent
from rlcourse.cli_options import PlayOptions, WatchOptions
from rlcourse.cli_parse import is_folder
from rlcourse.errors import UsageError
from rlcourse.folders import output_file, run_name
from rlcourse.names import short_name
from rlcourse.viewer.gif import frame_time, write_gif
from rlcourse.viewer.play import play
from rlcourse.viewer.record import Record, write_record
from rlcourse.viewer.replay import Replay
from rlcourse.viewer.session import Game
from rlcourse.viewer.show import Show, frames, project
from rlcourse.viewer.watch import show_agent

# -------------------------------------------------------------------- play


def play_game(options: PlayOptions, env_kwargs: dict[str, Any]) -> None:
    """Let a person play, and record it; what was played is written also where the game ends in an error."""
    if options.env is None:
        raise UsageError("play needs --env ID (rlcourse list worlds names them), or --replay FILE")
    _check_speed(options.fps)
    with contextlib.ExitStack() as files:
        gif = files.enter_context(output_file(options.gif, ".gif")) if options.gif else None
        game = Game(options.env, env_kwargs, options.seed)
        out = files.enter_context(output_file(options.out or _free_name(game, env_kwargs), ".json"))
        try:
            play(game)
        finally:
            if game.record.steps:
                _write(out, game.record)
        if not game.record.steps:
            print("nothing was played, so nothing is recorded")
        elif gif is not None:
            _write_gif(gif, Replay(game.record), options.fps)


def show_replay(options: PlayOptions) -> str:
    """Show a recorded game; in one sentence, where it is no longer what it was."""
    for flag in ("env", "seed", "out"):
        if getattr(options, flag) is not None:
            raise UsageError(f"--replay shows a game as it was played: leave out --{flag}")
    _check_speed(options.fps)
    with contextlib.ExitStack() as files:
        gif = files.enter_context(output_file(options.gif, ".gif")) if options.gif else None
        _need_no_display(gif)
        replay = Replay(str(options.replay))
        if gif is not None:
            _write_gif(gif, replay, options.fps)
        else:
            project(replay, options.fps)
    if not replay.difference:
        print(f"{_count(replay.record.steps, 'step')}, and every reward is that of the record")
    return replay.difference


def _free_name(game: Game, env_kwargs: dict[str, Any]) -> Path:
    """A file under runs/ that is not there yet, named by what is played."""
    name = run_name("play", short_name(game.spec.id), **env_kwargs, seed=game.seed)
    endings = itertools.chain([""], map("-{}".format, itertools.count(2)))
    paths = (Path("runs") / f"{name}{ending}.json" for ending in endings)
    return next(path for path in paths if not path.exists())


def _write(out: Path, record: Record) -> None:
    """Write the game, and say where it is."""
    write_record(out, record)
    played = f"{_count(len(record.episodes), 'episode')}, {_count(record.steps, 'step')}"
    print(f"{played}; to see the game again: rlcourse play --replay {shlex.quote(str(out))}")


# -------------------------------------------------------------------- watch


def watch_agent(
    options: WatchOptions, agent_kwargs: dict[str, Any], env_kwargs: dict[str, Any], *, progress: bool
) -> None:
    """Show an agent in a window, until it is closed, or in a GIF."""
    if options.agent is None:
        raise UsageError("watch needs --agent NAME or DIR: rlcourse list agents names them")
    _check_speed(options.fps)
    with contextlib.ExitStack() as files:
        gif = files.enter_context(output_file(options.gif, ".gif")) if options.gif else None
        _need_no_display(gif)
        saved = is_folder(options.agent)
        agent = _saved(options) if saved else _named(options, agent_kwargs, env_kwargs)
        if options.steps is not None:
            agent.learn(options.steps, progress=progress)
        show = show_agent(
            agent,
            learning=not saved and isinstance(agent, BanditAgent),
            episodes=1 if gif is not None and options.episodes is None else options.episodes,
            seed=options.seed,
            env=options.env if saved else None,
            env_kwargs=env_kwargs if saved else None,
        )
        if gif is not None:
            _write_gif(gif, show, options.fps)
        else:
            project(show, options.fps)


def _named(options: WatchOptions, agent_kwargs: dict[str, Any], env_kwargs: dict[str, Any]) -> Agent:
    """A new learner."""
    if options.env is None:
        raise UsageError("watch needs --env ID: rlcourse list worlds names them")
    if options.member is not None:
        raise UsageError("--member chooses from a saved population: leave it out")
    agent = make_agent(
        str(options.agent), options.env, seeds=[options.seed], env_kwargs=env_kwargs, **agent_kwargs
    )
    if options.steps is not None and isinstance(agent, BanditAgent):
        rounds = agent.world_horizon()
        if rounds is not None and options.steps >= rounds:
            raise UsageError(
                f"steps={options.steps} is all of a game of {rounds} rounds, after which {agent.name} begins anew and "
                f"knows nothing: ask for fewer"
            )
    return agent


def _saved(options: WatchOptions) -> Agent:
    """A learner that was saved."""
    agent = load_agent(str(options.agent))
    if options.steps is not None and isinstance(agent, BanditAgent):
        raise UsageError(
            f"--steps lets an agent learn first, and {agent.name} has learned: a bandit strategy that was saved shows what "
            f"it knows"
        )
    return agent.member(options.member or 0)


# -------------------------------------------------------------------- both


def _write_gif(path: Path, show: Show, fps: float | None) -> None:
    """Write a show into a GIF, and say where it is."""
    try:
        count, more = write_gif(path, frames(show), show.fps if fps is None else fps)
    finally:
        show.close()
    print(f"{_count(count, 'frame')} in {path}")
    if more:
        print(
            f"rlcourse: the GIF ends after {count:,} frames, before the end of what there is to see",
            file=sys.stderr,
        )


def _need_no_display(gif: Path | None) -> None:
    """Where no window is opened, worlds of other people that start pygame shall not look for a display either."""
    if gif is not None:
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


def _check_speed(fps: float | None) -> None:
    if fps is not None:
        frame_time(fps)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
