"""The folder of a run: named by what ran, made before it begins, gone again if nothing came of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlcourse.errors import UsageError

NAME_LENGTH = 120
"""The longest name that is spelled out; beyond it, a digest stands for the rest."""


def run_name(*parts: str, **settings: Any) -> str:
    """A name for the folder or the file of what ran: the same command, the same name.

    Args:
        parts: what ran, in which world.
        settings: what was set; a list is written as `0.1,0.5,0.9`.
    """
    spelled = [f"{key}={_plain(value)}" for key, value in settings.items()]
    name = re.sub(r"[^\w.=,-]+", "_", "-".join([*parts, *spelled]))
    if len(name) > NAME_LENGTH:
        name = f"{name[: NAME_LENGTH - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name


def _plain(value: Any) -> str:
    return ",".join(map(_plain, value)) if isinstance(value, (list, tuple)) else str(value)


def make_folder(folder: Path, called: str) -> None:
    """Make a folder into which something can be written; one that is there is left as it is.

    Args:
        folder: with its parents, where they are missing.
        called: how an error names it.

    Raises:
        UsageError: it is a file, cannot be made, or cannot be written into.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{called} cannot be made: it is a file: name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{called} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{called} cannot be written into: name another folder")


@contextlib.contextmanager
def output_folder(out: str | Path) -> Iterator[Path]:
    """Make the folder that a run writes into; what was made and is empty at the end, as after an error, goes again.

    Args:
        out: the folder; what it holds already is left as it is.

    Raises:
        UsageError: it is a file, cannot be made, or cannot be written into; said before the run, not after it.
    """
    out = Path(out)
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        make_folder(out, f"out={str(out)!r}")
        yield out
    finally:
        for folder in made:  # the innermost first
            with contextlib.suppress(OSError):  # it is not empty, or was not made
                folder.rmdir()


@contextlib.contextmanager
def output_file(out: str | Path, suffix: str) -> Iterator[Path]:
    """Make the folder of a file that is written at the end, so that nobody plays for an hour and then cannot save.

    Args:
        out: the file; one that is there is written over.
        suffix: what its name ends with (".gif").

    Raises:
        UsageError: another ending, a folder of that name, or a place where nothing can be written.
    """
    out = Path(out)
    if out.suffix.lower() != suffix:
        raise UsageError(f"{str(out)!r} must be the name of a {suffix} file")
    if out.is_dir():
        raise UsageError(f"{str(out)!r} cannot be written: it is a folder")
    if out.exists() and not os.access(out, os.W_OK):
        raise UsageError(f"{str(out)!r} cannot be written: name another file")
    with output_folder(out.parent):
        yield out


def replace_file(path: Path, blob: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as stream:
            stream.write(blob)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
