"""Experiments: run one cell of a table, sweep a suite of them, keep the results, and say what they mean."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlcourse.experiments.cell import Cell
    from rlcourse.experiments.run import run_cell
    from rlcourse.experiments.suites import Suite, load_suite, suite_names
    from rlcourse.experiments.sweep import Report, run_suite

__all__ = ["Cell", "Report", "Suite", "load_suite", "run_cell", "run_suite", "suite_names"]

_LAZY = {
    "Cell": "rlcourse.experiments.cell",
    "run_cell": "rlcourse.experiments.run",
    "Suite": "rlcourse.experiments.suites",
    "load_suite": "rlcourse.experiments.suites",
    "suite_names": "rlcourse.experiments.suites",
    "Report": "rlcourse.experiments.sweep",
    "run_suite": "rlcourse.experiments.sweep",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'rlcourse.experiments' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
