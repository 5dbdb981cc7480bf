"""Run a suite from a script and print its tables: `python scripts/benchmark.py [SUITE] [FOLDER]`.

The same as `rlcourse bench SUITE --out FOLDER`; killed and started again, it goes on where it was.
"""

from __future__ import annotations

import sys

from rich.console import Console

from rlcourse.experiments import run_suite


def main(suite: str = "quick", out: str = "") -> int:
    report = run_suite(suite, out or f"runs/{suite}", progress=True)
    report.print(Console())
    best = min(
        (row for row in report.rows if row.metric == "regret" and row.agent_name != "perfect_knowledge"),
        key=lambda row: row.gap,
    )
    print(
        f"least regret: {best.agent} in {best.env}, {best.mean:.0f} [{best.ci_low:.0f}, {best.ci_high:.0f}]"
    )
    return report.exit_code


if __name__ == "__main__":  # worker processes import this file
    sys.exit(main(*sys.argv[1:3]))
