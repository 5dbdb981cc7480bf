"""The errors that a user can mend, and the sentence that says how.

`UsageError` is a `ValueError`: one line, which names the wrong argument, its value, and what would be right.
The command line prints that line and ends with exit code 2; from Python it is raised as it stands.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """An argument is wrong; the message says which one, what it was and what would be right."""


class StorageError(RuntimeError):
    """A saved file is missing, truncated, altered or foreign; nothing was loaded and nothing was changed."""


def did_you_mean(name: str, known: Iterable[str], *, kind: str) -> str:
    """One sentence for an unknown name: the nearest known ones, or all of them where none is near.

    Args:
        name: what the user wrote.
        known: the names that exist.
        kind: what they are names of ("agent", "world"), for the sentence.
    """
    names = sorted(known)
    if not names:
        return f"unknown {kind} {name!r}: there is none"
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if not near:
        near = [candidate for candidate in names if name.lower() in candidate.lower()][:3]
    if near:
        return f"unknown {kind} {name!r}: did you mean {' or '.join(near)}?"
    return f"unknown {kind} {name!r}: choose from {', '.join(names)}"
