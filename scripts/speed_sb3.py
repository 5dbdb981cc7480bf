"""How much faster stable-baselines3 learns in our native batches than in its own `DummyVecEnv` of the same world.

Environment steps per second of PPO and A2C with the settings of stable-baselines3, and of the worlds alone under a random
policy; the two kinds of batch take turns, and the figures are medians.

    python scripts/speed_sb3.py --copies 8 --steps 8192
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

from rlcourse.envs import to_sb3
from rlcourse.names import resolve_world

WORLDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("CartPole-v1", {}),
    ("Acrobot-v1", {}),
    ("CandyMaze-v0", {"observation": "onehot"}),
    ("CandyMazePartial-v0", {"observation": "window"}),
)
AGENTS: dict[str, Callable[[VecEnv, int], Any]] = {
    "PPO": lambda env, copies: PPO(
        "MlpPolicy", env, n_steps=1024 // copies, batch_size=256, n_epochs=4, seed=0, device="cpu"
    ),
    "A2C": lambda env, copies: A2C("MlpPolicy", env, n_steps=16, seed=0, device="cpu"),
}


def walk(env: VecEnv, steps: int) -> float:
    """Steps per second of the world alone."""
    actions = np.random.default_rng(0).integers(
        env.action_space.n, size=(steps // env.num_envs, env.num_envs)
    )
    env.reset()
    started = time.perf_counter()
    for action in actions:
        env.step(action)
    return actions.size / (time.perf_counter() - started)


def learn(make: Callable[[VecEnv, int], Any], env: VecEnv, steps: int) -> float:
    """Steps per second of an agent that learns."""
    model = make(env, env.num_envs)
    started = time.perf_counter()
    model.learn(steps)
    return model.num_timesteps / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--copies", type=int, default=8, help="copies of the world")
    parser.add_argument("--steps", type=int, default=8192, help="environment steps of a run")
    parser.add_argument("--repeats", type=int, default=5, help="runs, of which the median is taken")
    options = parser.parse_args()
    torch.set_num_threads(1)

    table = Table(title=f"{options.copies} copies, steps per second, median of {options.repeats}")
    for column in ("world", "who acts", "DummyVecEnv", "native", "ratio"):
        table.add_column(column, justify="left" if column in ("world", "who acts") else "right")
    for name, settings in WORLDS:
        spec = resolve_world(name)

        def theirs(spec: Any = spec, settings: dict[str, Any] = settings) -> VecEnv:
            return make_vec_env(spec.id, options.copies, seed=0, env_kwargs=settings)

        def ours(spec: Any = spec, settings: dict[str, Any] = settings) -> VecEnv:
            return VecMonitor(to_sb3(spec.id, options.copies, 0, **settings))

        runs: dict[str, Callable[[VecEnv, int], float]] = {
            "a random policy": walk,
            **{
                agent: lambda env, steps, make=make: learn(make, env, steps)  # type: ignore[misc]
                for agent, make in AGENTS.items()
            },
        }
        for who, run in runs.items():
            run(ours(), 10 * options.copies)  # compiles
            pairs = [
                (run(theirs(), options.steps), run(ours(), options.steps)) for _ in range(options.repeats)
            ]
            slow, fast = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(fast / slow for slow, fast in pairs)
            table.add_row(name, who, f"{slow:,.0f}", f"{fast:,.0f}", f"{ratio:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
