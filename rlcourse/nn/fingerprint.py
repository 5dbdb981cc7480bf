"""By what a network is known again: what it is made of, and a digest of its weights."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from torch import Tensor, nn


def describe(model: nn.Module) -> list[str]:
    """What a network is made of: a line for every part, with its name, its kind and its settings."""
    found = []
    for name, part in model.named_modules():
        settings = {
            key: value
            for key, value in sorted(vars(part).items())
            # what a whole network was built from is said by its parts
            if key not in ("training", "spec", "shapes") and not key.startswith("_") and _is_plain(value)
        }
        said = ", ".join(f"{key}={value!r}" for key, value in settings.items())
        found.append(f"{name or 'network'}: {type(part).__name__}({said})")
    return found


def digest_of(state: dict[str, Tensor]) -> str:
    """A fingerprint of weights and buffers."""
    found = hashlib.sha256()
    for name, value in sorted(state.items()):
        array = np.ascontiguousarray(value.detach().cpu().numpy())
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(_is_plain(one) for one in value)
    return value is None or isinstance(value, (bool, int, float, str))
