"""The folder of a run: made before it begins, gone again if nothing came of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from rlcourse.errors import UsageError


@contextlib.contextmanager
def output_folder(out: str | Path) -> Iterator[Path]:
    """Make the folder that a run writes into; where the run ends in an error, what was made and is empty goes.

    Args:
        out: the folder; what it holds already is left as it is.

    Raises:
        UsageError: it is a file, cannot be made, or cannot be written into; said before the run, not after it.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"out={str(out)!r} cannot be made: it is a file: name a folder")
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"out={str(out)!r} cannot be made: {error.strerror}") from None
        if not os.access(out, os.W_OK | os.X_OK):
            raise UsageError(f"out={str(out)!r} cannot be written into: name another folder")
        yield out
    except BaseException:
        for folder in made:  # the innermost first
            with contextlib.suppress(OSError):  # it is not empty, or was not made
                folder.rmdir()
        raise
