"""How many environment steps a second: ten seeds of DQN and PPO together, against stable-baselines3 in the same run.

    python scripts/speed_deep.py                       # both agents, CartPole-v1 and CandyMaze-v0, ten seeds
    python scripts/speed_deep.py --jobs 2              # the seeds shared by two processes, as `rlcourse bench` does it
    python scripts/speed_deep.py --seeds 1 10 100 --agents ppo --envs CartPole-v1
    python scripts/speed_deep.py --profile             # where the time of ours goes, too

Both sides have equal hyper-parameters (CleanRL's: DQN with batches of 128 every 10 steps, a net of 120 and 84 units; PPO with
4 copies x 128 steps, 4 passes in 4 minibatches, two nets of 64 and 64) and learn while they are timed. They take turns, and
the figures are medians. stable-baselines3 trains one seed, with all cores to itself; ten of them one after the other would be
as fast. With `--jobs` it is timed a second time, as many seeds of it side by side as there are processes.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import pstats
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def _work(make: Callable[..., Any], arguments: tuple[Any, ...], calls: Any) -> None:
    """Make something that learns, and learn so many steps whenever a number comes; with one thread, until `None` comes."""
    torch.set_num_threads(1)
    learn = make(*arguments)
    calls.send("ready")
    while (steps := calls.recv()) is not None:
        learn(steps)
        calls.send("done")


@contextmanager
def side_by_side(make: Callable[..., Any], calls: list[tuple[Any, ...]]) -> Iterator[Callable[[int], None]]:
    """`learn(steps)` of what `make` makes of each of `calls`, each in a process of its own, all at once."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for arguments in calls:
        here, there = context.Pipe()
        processes.append(context.Process(target=_work, args=(make, arguments, there), daemon=True))
        processes[-1].start()
        there.close()
        pipes.append(here)

    def learn(steps: int) -> None:
        for pipe in pipes:
            pipe.send(steps)
        for pipe in pipes:
            pipe.recv()

    try:
        for pipe in pipes:
            pipe.recv()
        yield learn
    finally:
        for pipe in pipes:
            pipe.send(None)
        for process in processes:
            process.join()


def learn_ours(name: str, env: str, seeds: int) -> Callable[[int], Any]:
    """`learn` of ours."""
    return ours(name, env, seeds).learn


def learn_theirs(name: str, env: str) -> Callable[[int], Any]:
    """`learn` of stable-baselines3's."""
    model = theirs(name, env)
    return lambda steps: model.learn(steps, reset_num_timesteps=False)


def profile(agent: Agent, steps: int) -> None:
    """Print where the time goes."""
    profiler = cProfile.Profile()
    profiler.runcall(agent.learn, steps)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(20)


def compare(name: str, env: str, seeds: int, steps: int, repeats: int, jobs: int) -> list[float]:
    """Steps a second: ours together, one of theirs, and `jobs` of theirs side by side (of one job: the same one)."""
    found: list[list[float]] = [[], [], []]
    learn = learn_theirs(name, env)
    if jobs == 1:
        together = learn_ours(name, env, seeds)
        for _ in range(repeats):
            found[0].append(rate(together, steps, seeds))
            found[1].append(rate(learn, steps))
        return [statistics.median(rates) for rates in (found[0], found[1], found[1])]
    parts = [(name, env, seeds * (k + 1) // jobs - seeds * k // jobs) for k in range(jobs)]
    with (
        side_by_side(learn_ours, parts) as together,
        side_by_side(learn_theirs, [(name, env)] * jobs) as several,
    ):
        for _ in range(repeats):
            found[0].append(rate(together, steps, seeds))
            found[1].append(rate(learn, steps))
            found[2].append(rate(several, steps, jobs))
    return [statistics.median(rates) for rates in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", nargs="+", default=["dqn", "ppo"], choices=["dqn", "ppo"])
    parser.add_argument("--envs", nargs="+", default=["CartPole-v1", "CandyMaze-v0"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[10])
    parser.add_argument("--steps", type=int, default=10_240, help="steps of each seed in a timing")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the seeds of ours")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    jobs = arguments.jobs
    if jobs < 1 or jobs > min(arguments.seeds):
        parser.error(f"--jobs {jobs} must be at least 1 and at most the number of seeds")
    table = Table(title=f"environment steps per second (medians; torch {torch.get_num_threads()} threads)")
    names = ["ours", "SB3", "ratio"]
    names += [f"{jobs} SB3", "ratio"] if jobs > 1 else []
    for column in ("agent", "world", "seeds", *names):
        table.add_column(column, justify="left" if column in ("agent", "world") else "right")
    for name in arguments.agents:
        for env in arguments.envs:
            for seeds in arguments.seeds:
                fast, slow, several = compare(name, env, seeds, arguments.steps, arguments.repeats, jobs)
                cells = [f"{fast:,.0f}", f"{slow:,.0f}", f"{fast / slow:.1f}"]
                cells += [f"{several:,.0f}", f"{fast / several:.1f}"] if jobs > 1 else []
                table.add_row(name, env, str(seeds), *cells)
                if arguments.profile:
                    profile(ours(name, env, seeds), arguments.steps)
    Console().print(table)


if __name__ == "__main__":
    main()
