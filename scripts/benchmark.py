"""Run a suite from a script and print its tables: `python scripts/benchmark.py [SUITE] [FOLDER]`.

The same as `rlcourse bench SUITE --out FOLDER`; killed and started again, it goes on where it was.
"""

from __future__ import annotations

import sys

from rich.console import Console

from rlcourse.experiments import load_suite, run_suite


def main(suite: str = "quick", out: str = "") -> int:
    experiment = load_suite(suite)
    report = run_suite(experiment, out or f"runs/{experiment.name}", progress=True)
    report.print(Console())
    return report.exit_code


if __name__ == "__main__":  # worker processes import this file
    sys.exit(main(*sys.argv[1:3]))
