"""What a population's policies are worth: returns of episodes played without learning."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.population import begin, make_population
from rlcourse.errors import UsageError
from rlcourse.progress import progress_bar
from rlcourse.streams import Streams

COPIES = 4096
"""Episodes that are played side by side at most, over all members."""


def evaluate(
    agent: BanditAgent, episodes: int = 100, *, deterministic: bool = True, progress: bool = False
) -> NDArray[np.float64]:
    """Play episodes with the policies as they are now; nothing is learned and training is not disturbed.

    A bandit strategy is asked for the machines that it has been playing: the hidden problem of its current game is kept, the
    luck is fresh. Episode `j` of member `k` has a seed of its own, so neither the number of episodes nor the other members
    change it. A policy that draws its actions draws them for all its episodes from the member's one stream for predictions,
    which goes on: there the number of episodes matters, and a second evaluation is another one.

    Args:
        agent: the population.
        episodes: episodes for each member.
        deterministic: act by the best action known, or as while learning.
        progress: draw a bar.

    Returns:
        Undiscounted returns, float64 `[S, episodes]`.
    """
    if isinstance(episodes, bool) or not isinstance(episodes, (int, np.integer)) or episodes < 1:
        raise UsageError(f"episodes={episodes!r} must be a whole number of at least 1")
    seeds = Streams.from_seeds(agent.seeds, "evaluation").bits(int(episodes)) >> np.uint64(1)
    width = max(1, COPIES // agent.size)
    parts = []
    with progress_bar(int(episodes), f"evaluate {agent.name}", show=progress) as advance:
        for start in range(0, int(episodes), width):
            parts.append(_play(agent, seeds[:, start : start + width], deterministic))
            advance(parts[-1].shape[1])
    return np.concatenate(parts, axis=1)


def _play(agent: BanditAgent, seeds: NDArray[np.uint64], deterministic: bool) -> NDArray[np.float64]:
    """One episode for every seed `[S, N]`, side by side."""
    size, copies = seeds.shape
    venv = make_population(agent.spec, agent.env_kwargs, size * copies)
    observation = _reset(agent, venv, seeds)
    returns = np.zeros(size * copies)
    running = np.ones(size * copies, np.bool_)
    state = None
    episode_start = np.ones((size, copies), np.bool_)
    while True:
        if agent.needs_truth:
            truth = venv.unwrapped.arm_values()  # type: ignore[attr-defined]
            agent.tell(truth.reshape(size, copies, -1))
        table = observation.reshape(size, copies, *observation.shape[1:])
        actions, state = agent.predict(table, state, episode_start, deterministic)
        observation, rewards, terminated, truncated, _ = venv.step(actions.reshape(-1))
        returns[running] += rewards[running]
        done = terminated | truncated
        running &= ~done
        if not running.any():
            break
        if done.any():  # it idles through further episodes until the last one is over
            observation, _ = venv.reset(options={"reset_mask": done})
        episode_start = done.reshape(size, copies)
    venv.close()
    return returns.reshape(size, copies)


def _reset(agent: BanditAgent, venv: VectorEnv[Any, Any, Any], seeds: NDArray[np.uint64]) -> NDArray[Any]:
    """Begin the episodes, in the problem of the agent's current game where the world can be put into it."""
    flat = [int(seed) for seed in seeds.reshape(-1)]
    world, training = venv.unwrapped, agent.venv.unwrapped
    if not hasattr(world, "set_state"):
        return begin(venv, flat)
    copies = seeds.shape[1]
    world.set_state({name: np.repeat(array, copies, axis=0) for name, array in training.get_state().items()})  # type: ignore[attr-defined]
    return begin(venv, flat, {"same_problem": True})
