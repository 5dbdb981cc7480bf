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
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv
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


def many_copies(env: VectorEnv, rounds: int) -> float:
    """Steps a second of a native vector environment, random actions, autoreset on."""
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(env.single_action_space.n, size=(rounds, env.num_envs))
    for action in actions[:20]:
        env.step(action)
    start = time.perf_counter()
    for action in actions:
        env.step(action)
    return env.num_envs * rounds / (time.perf_counter() - start)


def native(name: str, copies: int, **options: Any) -> VectorEnv:
    """Our own vector environment."""
    return gymnasium.make_vec(f"rlcourse/{name}", copies, vectorization_mode="vector_entry_point", **options)


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
    console = Console(width=110)
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

    title = f"{options.copies} copies: native vector environment, autoreset on, one thread"
    table = Table(title=title)
    for column in ("world", "options", "M steps/s", "min - max", "x CartPole-v1"):
        table.add_column(column, justify="left" if column in ("world", "options") else "right")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("CandyMaze-v0", {}),
        ("CandyMazeSlippery-v0", {}),
        ("CandyMaze-v0", {"observation": "planes"}),
        ("CandyMaze-v0", {"observation": "window"}),
        ("CandyMazePartial-v0", {}),
        ("CandyMazeDrift-v0", {}),
        ("CandyMazeLevels-v0", {}),
        ("CourseMaze-v0", {}),
        ("CandyDuel-v0", {}),
    ]
    worlds = [native(name, options.copies, **kwargs) for name, kwargs in cases]
    peer = gymnasium.make_vec("CartPole-v1", options.copies, vectorization_mode="vector_entry_point")
    rates = np.zeros((options.repeats, len(cases)))
    ratios = np.zeros((options.repeats, len(cases)))
    for turn in range(options.repeats):
        theirs = many_copies(peer, options.rounds // 10)
        for k, world in enumerate(worlds):
            rates[turn, k] = many_copies(world, options.rounds if k < 2 else options.rounds // 5)
        ratios[turn] = rates[turn] / theirs
    for k, (name, kwargs) in enumerate(cases):
        said = " ".join(f"{key}={value}" for key, value in kwargs.items())
        rate = rates[:, k] / 1e6
        spread = f"{rate.min():.1f} - {rate.max():.1f}"
        table.add_row(name, said, f"{np.median(rate):.1f}", spread, f"{np.median(ratios[:, k]):.1f}")
    console.print(table)

    with tempfile.TemporaryDirectory() as cache:
        cold, warm = first_use(cache), first_use(cache)
    console.print(f"first use: {cold:.1f} s with compilation, {warm:.1f} s from the cache on disk")


if __name__ == "__main__":
    main()
