"""A progress bar with the time that is left, on stderr; nothing is loaded or drawn where it is not asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(total: int, text: str, *, show: bool = True) -> Iterator[Callable[[int], None]]:
    """Give a function that moves the bar on by so many; it draws at most ten times a second.

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

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(text, total=total)
        yield lambda count: bar.advance(task, count)
