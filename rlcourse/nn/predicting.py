"""What a stack says of data, and how arrays become what it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.errors import UsageError
from rlcourse.nn.data import Dataset
from rlcourse.nn.network import Network
from rlcourse.nn.parts import Shape
from rlcourse.nn.scaling import Normalise
from rlcourse.nn.stack import Sequential, Stacked

Array = NDArray[Any]
ROWS = 4096
"""Rows that are predicted at once, so that the outputs of all layers fit into memory."""


def predict(model: Stacked, data: Dataset | Array) -> Tensor:
    """The outputs of every member, `[S, n, ...]`, in evaluation and without gradients.

    Args:
        model: a stack.
        data: a dataset, or inputs `[n, ...]` that all members share.

    Raises:
        UsageError: inputs that the model does not take.
    """
    if not isinstance(data, Dataset):
        data = Dataset(data, np.zeros(np.shape(data)[:1], np.int64))
    return outputs_of(model, data)


def outputs_of(model: Stacked, shared: Dataset, what: str = "") -> Tensor:
    """See `predict`; `what` says in an error whose the inputs are."""
    taken = _taken_by(model)
    if taken is not None and not _may_take(taken, shared.shape):
        sides = ", ".join("T" if side is None else str(side) for side in taken)
        raise UsageError(
            f"the model does not take the inputs {list(shared.shape)}{what}: it was built for [{sides}]"
        )
    device = next(model.parameters()).device
    was, outputs = model.training, []
    model.eval()
    try:
        with torch.no_grad():
            for start in range(0, len(shared), ROWS):
                rows = slice(start, start + ROWS)
                outputs.append(model(spread(shared.x, shared, rows, model.size, device)))
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, IndexError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise UsageError(f"the model does not take the inputs {list(shared.shape)}{what}: {why}") from error
    finally:
        model.train(was)
    return torch.cat(outputs, dim=1)


def _taken_by(model: Stacked) -> Shape | None:
    """The shape of a sample that the model was built for, where it says it."""
    parts = [model] if isinstance(model, Network) or not isinstance(model, Sequential) else list(model)
    first = next((part for part in parts if not isinstance(part, Normalise)), None)
    return first.n_in if isinstance(first, Network) else None


def _may_take(taken: Shape, shape: tuple[int, ...]) -> bool:
    """Whether the last axes are those; there may be others before them, as of time."""
    last = shape[len(shape) - len(taken) :]
    return len(shape) >= len(taken) and all(
        side in (None, length) for side, length in zip(taken, last, strict=True)
    )


def to_tensor(array: Array, device: torch.device) -> Tensor:
    """Bytes and bools as float32 and other whole numbers as int64, so that layers, losses and embeddings take them."""
    if array.dtype in (np.uint8, np.bool_, np.float64):
        array = array.astype(np.float32)
    elif array.dtype.kind in "iu":
        array = array.astype(np.int64, copy=False)
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def spread(array: Array, data: Dataset, rows: slice, size: int, device: torch.device) -> Tensor:
    """Rows `[S, B, ...]` of an array of the dataset for all members; what they share is not copied."""
    if data.members is not None:
        return to_tensor(array[:, rows], device)
    tensor = to_tensor(array[rows], device)
    return tensor.expand(size, *tensor.shape)
