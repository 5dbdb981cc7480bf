"""Folders of arrays (safetensors) plus JSON, so that loading a stranger's file runs no code.

A folder holds `<kind>.json` (what it is, and the SHA-256 of its arrays and of itself) and `arrays-<digest>.safetensors`. Both
are written under another name and renamed, the JSON last; a kill while saving leaves what was there before.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.errors import StorageError
from rlcourse.folders import make_folder, replace_file
from rlcourse.version import __version__


@dataclass(frozen=True)
class Kind:
    """What is kept in a folder."""

    name: str
    """In a word, as the errors say it: "agent"."""
    version: int = 1
    """Of the format."""

    @property
    def manifest(self) -> str:
        """The name of the JSON file."""
        return f"{self.name}.json"

    @property
    def format(self) -> str:
        """How the JSON says what it is."""
        return f"rlcourse-{self.name}"


def write_folder(
    kind: Kind, folder: str | Path, manifest: dict[str, Any], arrays: dict[str, NDArray[Any]]
) -> Path:
    """Write one, replacing what may be there.

    Args:
        kind: what it is.
        folder: made if missing.
        manifest: JSON values that say more of it.
        arrays: numeric or bool, of any shape.

    Returns:
        The folder.

    Raises:
        UsageError: the folder cannot be made, as there is a file of that name, or nothing can be written into it.
    """
    from safetensors.numpy import save

    folder = Path(folder)
    make_folder(folder, repr(str(folder)))
    blob = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    digest = hashlib.sha256(blob).hexdigest()
    file = f"arrays-{digest[:16]}.safetensors"
    replace_file(folder / file, blob)
    content = {
        "format": kind.format,
        "format_version": kind.version,
        "rlcourse": __version__,
        **manifest,
        "arrays": {"file": file, "sha256": digest},
    }
    content["sha256"] = _digest(content)
    replace_file(folder / kind.manifest, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
    for old in (
        *folder.glob("arrays-*.safetensors"),
        *folder.glob("*.part"),
    ):  # *.part: of a save that was killed
        if old.name != file:
            old.unlink()
    return folder


def read_folder(kind: Kind, folder: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The manifest and the arrays, checked against their digests.

    Raises:
        StorageError: nothing there, another kind of folder, a newer format, or a file that was truncated or altered.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    folder = Path(folder)
    path = folder / kind.manifest
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise StorageError(
            f"{folder} holds no saved {kind.name}: there is no {kind.manifest} in it"
        ) from None
    except (ValueError, RecursionError):
        raise StorageError(f"{path} is not readable JSON: it was truncated or altered") from None
    if not isinstance(content, dict) or content.get("format") != kind.format:
        raise StorageError(f"{path} is not an rlcourse {kind.name}")
    if content.get("format_version") != kind.version:
        raise StorageError(
            f"{path} has format version {content.get('format_version')!r}; this rlcourse ({__version__}) reads "
            f"version {kind.version}"
        )
    said = content.pop("sha256", None)
    if said != _digest(content):
        raise StorageError(f"{path} was altered since it was saved: its checksum does not fit")
    arrays = content.get("arrays")
    if not isinstance(arrays, dict) or not arrays.keys() >= {"file", "sha256"}:
        raise StorageError(f"{path} does not say where its arrays are")
    file = str(arrays["file"])
    if Path(file).name != file:
        raise StorageError(f"{path} names arrays outside its own folder")
    try:
        blob = (folder / file).read_bytes()
    except OSError:
        raise StorageError(f"{folder / file} is missing or cannot be read") from None
    if hashlib.sha256(blob).hexdigest() != arrays["sha256"]:
        raise StorageError(
            f"{folder / file} was truncated or altered since it was saved: its checksum does not fit"
        )
    try:
        return content, load(blob)
    except SafetensorError as error:
        raise StorageError(f"{folder / file} is not a safetensors file: {error}") from None


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
