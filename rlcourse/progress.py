"""A progress bar with the time that is left, on stderr; nothing is loaded or drawn where it is not asked for.

Where stderr is no terminal but a file, say of a run over night, a line a minute stands in the place of the bar.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

SECONDS_A_LINE = 60.0
"""Between two lines in a file, at least."""


@contextmanager
def progress_bar(total: int, text: str, *, show: bool = True) -> Iterator[Callable[[int], None]]:
    """Give a function that moves the bar on by so many; it draws at most ten times a second, or writes a line a minute.

    Args:
        total: what makes the bar full.
        text: what is being done.
        show: False draws nothing.
    """
    if not show:
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(total, text, lambda line: console.print(line, markup=False, highlight=False))
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(text, total=total)
        yield lambda count: bar.advance(task, count)


def _lines(total: int, text: str, write: Callable[[str], None]) -> Callable[[int], None]:
    """What writes how far it has come, once a minute."""
    started = written = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, written
        done += count
        now = time.monotonic()
        if now - written >= SECONDS_A_LINE:
            written = now
            write(f"{text}: {done} of {total} after {timedelta(seconds=round(now - started))}")

    return advance
