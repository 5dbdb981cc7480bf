"""How many environment steps a second: ten seeds of DQN and PPO together, against stable-baselines3 in the same run.

    python scripts/speed_deep.py                       # both agents, CartPole-v1 and CandyMaze-v0, ten seeds
    python scripts/speed_deep.py --seeds 1 10 100 --agents ppo --envs CartPole-v1
    python scripts/speed_deep.py --profile             # where the time of ours goes, too

Both sides have equal hyper-parameters (CleanRL's: DQN with batches of 128 every 10 steps, a net of 120 and 84 units; PPO with
4 copies x 128 steps, 4 passes in 4 minibatches, two nets of 64 and 64) and learn while they are timed. They take turns, and
the figures are medians. stable-baselines3 trains one seed; ten of them one after the other would be as fast.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import torch
from rich.console import Console
from rich.table import Table

from rlcourse import make_agent
from rlcourse.agents.base import Agent
from rlcourse.names import resolve_world

DQN: dict[str, Any] = {
    "learning_rate": 2.5e-4,
    "buffer_size": 10_000,
    "learning_starts": 1_000,
    "batch_size": 128,
    "train_freq": 10,
    "target_update_interval": 500,
    "gamma": 0.99,
    "max_grad_norm": 10.0,
}
PPO: dict[str, Any] = {
    "learning_rate": 2.5e-4,
    "n_steps": 128,
    "batch_size": 128,
    "n_epochs": 4,
    "gae_lambda": 0.95,
    "gamma": 0.99,
    "clip_range": 0.2,
    "ent_coef": 0.01,
    "vf_coef": 0.5,
    "max_grad_norm": 0.5,
}
WARM_UP = 2_048
"""Steps before the clock starts: more than `learning_starts`."""


def ours(name: str, env: str, seeds: int) -> Agent:
    """Ours, past its first updates."""
    if name == "dqn":
        agent = make_agent(name, env, seeds=seeds, net_arch=(120, 84), exploration_steps=25_000, **DQN)
    else:
        agent = make_agent(name, env, seeds=seeds, net_arch=(64, 64), n_envs=4, **PPO)
    return agent.learn(WARM_UP)


def theirs(name: str, env: str) -> Any:
    """The same of stable-baselines3, past its first updates."""
    import stable_baselines3 as sb3
    from stable_baselines3.common.env_util import make_vec_env

    world = resolve_world(env).id
    if name == "dqn":
        model: Any = sb3.DQN(
            "MlpPolicy",
            gymnasium.make(world),
            exploration_fraction=0.5,
            policy_kwargs={"net_arch": [120, 84]},
            device="cpu",
            **DQN,
        )
    else:
        model = sb3.PPO("MlpPolicy", make_vec_env(world, 4), device="cpu", **PPO)
    return model.learn(WARM_UP)


def rate(learn: Callable[[int], Any], steps: int, seeds: int = 1) -> float:
    """Environment steps a second, of all seeds together."""
    started = time.perf_counter()
    learn(steps)
    return steps * seeds / (time.perf_counter() - started)


def profile(agent: Agent, steps: int) -> None:
    """Print where the time goes."""
    profiler = cProfile.Profile()
    profiler.runcall(agent.learn, steps)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", nargs="+", default=["dqn", "ppo"], choices=["dqn", "ppo"])
    parser.add_argument("--envs", nargs="+", default=["CartPole-v1", "CandyMaze-v0"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[10])
    parser.add_argument("--steps", type=int, default=10_240, help="steps of each seed in a timing")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    table = Table(title=f"environment steps per second (medians; torch {torch.get_num_threads()} threads)")
    for column in ("agent", "world", "seeds", "rlcourse, together", "stable-baselines3", "ratio"):
        table.add_column(column, justify="left" if column in ("agent", "world") else "right")
    for name in arguments.agents:
        for env in arguments.envs:
            peer = theirs(name, env)
            for seeds in arguments.seeds:
                agent = ours(name, env, seeds)
                mine, other = [], []
                for _ in range(arguments.repeats):
                    mine.append(rate(agent.learn, arguments.steps, seeds))
                    other.append(
                        rate(
                            lambda steps, peer=peer: peer.learn(steps, reset_num_timesteps=False),
                            arguments.steps,
                        )
                    )
                fast, slow = statistics.median(mine), statistics.median(other)
                table.add_row(name, env, str(seeds), f"{fast:,.0f}", f"{slow:,.0f}", f"{fast / slow:.1f}")
                if arguments.profile:
                    profile(agent, arguments.steps)
    Console().print(table)


if __name__ == "__main__":
    main()
