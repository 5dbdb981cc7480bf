"""Experiments: run one cell of a table, sweep a suite of them, keep the results, and say what they mean."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlcourse.experiments.cell import Cell
    from rlcourse.experiments.run import run_cell

__all__ = ["Cell", "run_cell"]

_LAZY = {"Cell": "rlcourse.experiments.cell", "run_cell": "rlcourse.experiments.run"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'rlcourse.experiments' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
