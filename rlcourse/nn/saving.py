"""Stacks on disk: one safetensors file, so that loading a stranger's network runs no code.

The header of the file holds, as JSON, what the network is made of, and a SHA-256 over that and all arrays. The file is written
under another name and renamed; a kill while saving leaves what was there before.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rlcourse.errors import StorageError, UsageError
from rlcourse.folders import replace_file
from rlcourse.nn.network import Network
from rlcourse.version import __version__

FORMAT = "rlcourse-network"
FORMAT_VERSION = 1

Arrays = dict[str, NDArray[Any]]


def get_arrays(module: nn.Module) -> Arrays:
    """Copies of all weights and buffers of a module, by name, each `[S, ...]`."""
    return {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}


def set_arrays(module: nn.Module, arrays: Arrays) -> None:
    """Put back what `get_arrays` gave.

    Args:
        module: of the same parts.
        arrays: all of them; nothing is changed unless all fit.

    Raises:
        StorageError: one is missing, one too many, or one of another shape or kind of numbers.
    """
    own = module.state_dict()
    for name in own.keys() ^ arrays.keys():
        what = "misses" if name in own else "has no place for"
        raise StorageError(f"the network {what} the array {name!r}")
    for name, value in own.items():
        array = arrays[name]
        if list(array.shape) != list(value.shape):
            raise StorageError(f"the array {name!r} is {list(array.shape)}, expected {list(value.shape)}")
        if (array.dtype.kind == "f") != value.is_floating_point():
            raise StorageError(f"the array {name!r} is of {array.dtype}, expected {value.dtype}")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(torch.from_numpy(np.ascontiguousarray(arrays[name])))


def save_network(network: Network, path: str | Path) -> Path:
    """Write a network into one file, replacing the one that may be there.

    Args:
        network: of any size.
        path: of the file, such as "maze.safetensors"; its folder is made if missing.

    Returns:
        The path.
    """
    from safetensors.numpy import save

    path = Path(path)
    arrays = get_arrays(network)
    content = {
        "format_version": FORMAT_VERSION,
        "rlcourse": __version__,
        "spec": list(network.spec),
        "n_in": list(network.n_in),
        "size": network.size,
    }
    text = json.dumps(content, sort_keys=True)
    metadata = {"format": FORMAT, "network": text, "sha256": _digest(text, arrays)}
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, save(arrays, metadata=metadata))
    return path


def load_network(path: str | Path) -> Network:
    """The network that `save_network` wrote, in the precision that it had, on the CPU.

    Raises:
        StorageError: nothing there, not a network, a newer format, or a file that was truncated or altered.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except FileNotFoundError:
        raise StorageError(f"there is no network at {path}") from None
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise StorageError(f"{path} is not a safetensors file: {' '.join(str(error).split())}") from None
    if metadata.get("format") != FORMAT:
        raise StorageError(f"{path} is not an rlcourse network")
    text = metadata.get("network", "")
    if metadata.get("sha256") != _digest(text, arrays):
        raise StorageError(f"{path} was altered since it was saved: its checksum does not fit")
    try:
        content = json.loads(text)
        version = content["format_version"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise StorageError(f"{path} does not say what the network is made of") from None
    if version != FORMAT_VERSION:
        raise StorageError(
            f"{path} has format version {version!r}; this rlcourse ({__version__}) reads version {FORMAT_VERSION}"
        )
    try:
        made = list(content["spec"]), tuple(content["n_in"]), int(content["size"])
        with torch.device("meta"):  # costs no memory, whatever sizes a file may claim
            shapes = {name: list(value.shape) for name, value in Network(*made).state_dict().items()}
    except (UsageError, KeyError, TypeError, ValueError, RuntimeError) as error:
        line = str(error).partition("\n")[0]  # torch's own go on with where it was compiled
        raise StorageError(f"{path} does not say what the network is made of: {line}") from None
    if shapes != {name: list(array.shape) for name, array in arrays.items()}:
        raise StorageError(f"{path} holds other arrays than its network has")
    network = Network(*made)
    if all(array.dtype != np.float32 for array in arrays.values()):
        network.double()
    set_arrays(network, arrays)
    return network


def _digest(text: str, arrays: Arrays) -> str:
    """Over the JSON, and over name, type, shape and content of every array."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"\n{name} {array.dtype.str} {list(array.shape)}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
