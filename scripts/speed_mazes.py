"""How fast the mazes are: one copy through Gymnasium against FrozenLake-v1, 4096 copies at once, and the first use.

    python scripts/speed_mazes.py                 # all three
    python scripts/speed_mazes.py --copies 1024   # a smaller batch

The peer runs in the same process, turn by turn. Ratios travel between machines, absolute figures do not. The first use
is a fresh process whose cache of compiled code is empty, and then one that finds it filled.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import gymnasium
import numpy as np
from rich.console import Console
from rich.table import Table

import rlcourse

FIRST_USE = """
import time
start = time.perf_counter()
import gymnasium, rlcourse
env = gymnasium.make("rlcourse/CandyMaze-v0")
env.reset(seed=0)
env.step(0)
batch = gymnasium.make_vec("rlcourse/CandyMaze-v0", 8, vectorization_mode="vector_entry_point")
batch.reset(seed=0)
batch.step(batch.action_space.sample())
print(time.perf_counter() - start)
"""


def one_copy(name: str, steps: int) -> float:
    """Steps a second of `env.step` and the resets between, random actions, as `gymnasium.make` gives it."""
    env = gymnasium.make(name)
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(env.action_space.n, size=steps).tolist()
    start = time.perf_counter()
    for action in actions:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    return steps / (time.perf_counter() - start)


def many_copies(name: str, copies: int, rounds: int, observation: str) -> float:
    """Steps a second of the native vector environment, random actions, autoreset on."""
    env = gymnasium.make_vec(
        f"rlcourse/{name}", copies, vectorization_mode="vector_entry_point", observation=observation
    )
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(env.single_action_space.n, size=(rounds, copies))
    for action in actions[:20]:
        env.step(action)
    start = time.perf_counter()
    for action in actions:
        env.step(action)
    return copies * rounds / (time.perf_counter() - start)


def first_use(cache: str) -> float:
    """Seconds from the start of Python's imports to the first steps, with this folder for compiled code."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_USE],
        env={**os.environ, "NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000, help="steps of one copy")
    parser.add_argument("--copies", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=500, help="steps of all copies")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    console = Console()
    console.print(f"rlcourse {rlcourse.__version__}")

    one_copy("rlcourse/CandyMaze-v0", 100)
    peers, ours = [], []
    for _ in range(options.repeats):
        peers.append(one_copy("FrozenLake-v1", options.steps))
        ours.append(one_copy("rlcourse/CandyMaze-v0", options.steps))
    ratios = [one / peer for one, peer in zip(ours, peers, strict=True)]
    table = Table(title="one copy: env.step through gymnasium.make")
    for column in ("world", "k steps/s", "x FrozenLake-v1"):
        table.add_column(column, justify="left" if column == "world" else "right")
    table.add_row("FrozenLake-v1", f"{statistics.median(peers) / 1e3:.0f}", "1.0")
    table.add_row(
        "CandyMaze-v0",
        f"{statistics.median(ours) / 1e3:.0f}",
        f"{statistics.median(ratios):.1f} ({min(ratios):.1f} - {max(ratios):.1f})",
    )
    console.print(table)

    table = Table(title=f"{options.copies} copies: native vector environment, autoreset on, one thread")
    for column in ("world", "observation", "M steps/s", "min - max"):
        table.add_column(column, justify="left" if column in ("world", "observation") else "right")
    for name, observation in (
        ("CandyMaze-v0", "index"),
        ("CandyMazeSlippery-v0", "index"),
        ("CandyMaze-v0", "planes"),
        ("CourseMaze-v0", "full"),
    ):
        rounds = options.rounds if observation == "index" else options.rounds // 5
        rates = [many_copies(name, options.copies, rounds, observation) / 1e6 for _ in range(options.repeats)]
        table.add_row(
            name, observation, f"{statistics.median(rates):.1f}", f"{min(rates):.1f} - {max(rates):.1f}"
        )
    console.print(table)

    with tempfile.TemporaryDirectory() as cache:
        cold, warm = first_use(cache), first_use(cache)
    console.print(f"first use: {cold:.1f} s with compilation, {warm:.1f} s from the cache on disk")


if __name__ == "__main__":
    main()
