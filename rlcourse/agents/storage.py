"""Agents on disk, see `rlcourse.storage`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rlcourse.storage import Kind, read_folder, write_folder

AGENT = Kind("agent")
MANIFEST = AGENT.manifest


def write_agent_folder(folder: str | Path, manifest: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Path:
    """Write an agent, replacing the one that may be there.

    Args:
        folder: made if missing.
        manifest: JSON values that say what the agent is.
        arrays: all that it has learned; numeric or bool, of any shape.

    Returns:
        The folder.
    """
    return write_folder(AGENT, folder, manifest, arrays)


def read_agent_folder(folder: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The manifest and the arrays of a saved agent, checked against their digests.

    Raises:
        StorageError: nothing there, not an agent's folder, a newer format, or a file that was truncated or altered.
    """
    return read_folder(AGENT, folder)
