"""How many pulls a second: every strategy over a population, against a plain Python loop in the same run.

    python scripts/speed_bandits.py                         # every strategy, 1000 members x 2000 pulls
    python scripts/speed_bandits.py ucb1 --steps 10000      # the headline: UCB1, 1000 members x 10,000 pulls

World, learning and regret are all in the figure. The peer is the loop that a textbook or a policy library runs: one member,
one pull at a time, UCB1 on ten Bernoulli arms. Ratios travel between machines, absolute figures do not.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time

from rich.console import Console
from rich.table import Table

from rlcourse.agents import AGENTS
from rlcourse.errors import UsageError
from rlcourse.experiments import run_cell

ARMS = 10


def plain_loop(pulls: int) -> float:
    """UCB1 as an ordinary Python loop with its regret; pulls per second."""
    rng = random.Random(0)
    means = [rng.random() for _ in range(ARMS)]
    best = max(means)
    counts, sums, regret = [0] * ARMS, [0.0] * ARMS, 0.0
    start = time.perf_counter()
    for t in range(pulls):
        if t < ARMS:
            arm = t
        else:
            bonus = 2.0 * math.log(t)
            index = [sums[a] / counts[a] + math.sqrt(bonus / counts[a]) for a in range(ARMS)]
            arm = index.index(max(index))
        reward = 1.0 if rng.random() < means[arm] else 0.0
        counts[arm] += 1
        sums[arm] += reward
        regret += best - means[arm]
    return pulls / (time.perf_counter() - start)


def population(agent: str, members: int, steps: int, jobs: int) -> float:
    """Pulls per second of a whole cell, all processes together."""
    world, options = ("ContextualBandit-v0", CONTEXTUAL[agent]) if agent in CONTEXTUAL else ("Bandit-v0", {})
    start = time.perf_counter()
    run_cell(agent=agent, env=world, env_kwargs=options, seeds=members, steps=steps, jobs=jobs, points=100)
    return members * steps / (time.perf_counter() - start)


CONTEXTUAL: dict[str, dict[str, object]] = {
    "lin_ucb": {"arms": ARMS, "dim": 10},
    "lin_thompson": {"arms": ARMS, "dim": 10},
    "epsilon_greedy_ridge": {"arms": ARMS, "dim": 10},
    "logistic_thompson": {"arms": ARMS, "dim": 10, "payoff": "logistic"},
}
"""Strategies that look at a context, and the options of the world in which they are timed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agents", nargs="*", help="names of strategies; none: all of them")
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    table = Table(
        title=f"{options.members} members x {options.steps} pulls, {ARMS} arms, {options.jobs} processes"
    )
    for column in ("strategy", "M pulls/s", "min - max", "x plain loop"):
        table.add_column(column, justify="left" if column == "strategy" else "right")
    for agent in options.agents or AGENTS:
        rates, peers = [], []
        try:
            population(
                agent, options.members, 50, options.jobs
            )  # starts the processes, compiles what is compiled
            for _ in range(options.repeats):
                peers.append(plain_loop(20_000))
                rates.append(population(agent, options.members, options.steps, options.jobs) / 1e6)
        except UsageError as error:
            table.add_row(agent, "-", str(error)[:40], "-")
            continue
        rate = statistics.median(rates)
        ratio = rate * 1e6 / statistics.median(peers)
        table.add_row(agent, f"{rate:.2f}", f"{min(rates):.2f} - {max(rates):.2f}", f"{ratio:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
