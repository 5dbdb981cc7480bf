"""What a population's policies are worth: returns of episodes played without learning."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Agent
from rlcourse.agents.observations import in_rows
from rlcourse.agents.population import make_population
from rlcourse.errors import UsageError
from rlcourse.progress import progress_bar
from rlcourse.streams import Streams

COPIES = 4096
"""Episodes that are played side by side at most, over all members."""
LONGEST = 10_000
"""Steps after which an episode is cut off where the world says no limit: a policy may walk in circles for ever."""


class Episodes(NamedTuple):
    """Episodes that were played without learning, each array `[S, episodes]`."""

    returns: NDArray[np.float64]
    """Undiscounted; NaN of a member that has diverged."""
    lengths: NDArray[np.int64]
    """Steps."""
    success: NDArray[np.bool_] | None
    """What the world said of their ends (`info["is_success"]`); `None` where it says nothing of that kind."""


def evaluate(
    agent: Agent,
    episodes: int = 100,
    *,
    deterministic: bool = True,
    env_kwargs: dict[str, Any] | None = None,
    progress: bool = False,
) -> NDArray[np.float64]:
    """Play episodes with the policies as they are now; nothing is learned and training is not disturbed.

    A bandit strategy is asked for the machines that it has been playing: the hidden problem of its current game is kept, the
    luck is fresh. All others play in worlds of their own, which begin anew; where walls or chances change, these stand as they
    do in the member's world now. Episode `j` of member `k` has a seed of its own,
    so neither the number of episodes nor the other members change it. A policy that draws its actions draws them for all its
    episodes from the member's one stream for predictions, which goes on: there the number of episodes matters, and a second
    evaluation is another one.

    Where a world has no time limit, an episode is cut off after 10,000 steps.

    Args:
        agent: the population.
        episodes: episodes for each member.
        deterministic: act by the best action known, or as while learning.
        env_kwargs: options of the world that are other ones than while learning, as `{"levels": "test"}`.
        progress: draw a bar.

    Returns:
        Undiscounted returns, float64 `[S, episodes]`; NaN of a member that has diverged.
    """
    return play(
        agent, episodes, deterministic=deterministic, env_kwargs=env_kwargs, progress=progress
    ).returns


def play(
    agent: Agent,
    episodes: int = 100,
    *,
    deterministic: bool = True,
    env_kwargs: dict[str, Any] | None = None,
    progress: bool = False,
) -> Episodes:
    """`evaluate`, with the lengths of the episodes, and whether they succeeded."""
    if isinstance(episodes, bool) or not isinstance(episodes, (int, np.integer)) or episodes < 1:
        raise UsageError(f"episodes={episodes!r} must be a whole number of at least 1")
    seeds = Streams.from_seeds(agent.seeds, "evaluation").bits(int(episodes)) >> np.uint64(1)
    width = max(1, COPIES // agent.size)
    parts = []
    with progress_bar(int(episodes), f"evaluate {agent.name}", show=progress) as advance:
        for start in range(0, int(episodes), width):
            parts.append(_play(agent, seeds[:, start : start + width], deterministic, env_kwargs or {}))
            advance(parts[-1].returns.shape[1])
    told = [part.success for part in parts if part.success is not None]
    returns = np.concatenate([part.returns for part in parts], axis=1)
    returns[agent.diverged] = np.nan
    return Episodes(
        returns,
        np.concatenate([part.lengths for part in parts], axis=1),
        np.concatenate(told, axis=1) if len(told) == len(parts) else None,
    )


def _play(
    agent: Agent, seeds: NDArray[np.uint64], deterministic: bool, env_kwargs: dict[str, Any]
) -> Episodes:
    """One episode for every seed `[S, N]`, side by side."""
    size, copies = seeds.shape
    venv = make_population(agent.spec, {**agent.env_kwargs, **env_kwargs}, size * copies)
    observation, info = _reset(agent, venv, seeds, anew=bool(env_kwargs))
    masks = info.get("action_mask")
    returns, lengths = np.zeros(size * copies), np.zeros(size * copies, np.int64)
    success, told = np.zeros(size * copies, np.bool_), False
    running = np.ones(size * copies, np.bool_)
    limit = agent.world_horizon() or LONGEST
    state = None
    episode_start = np.ones((size, copies), np.bool_)
    while True:
        if isinstance(agent, BanditAgent) and agent.needs_truth:
            truth = venv.unwrapped.arm_values()  # type: ignore[attr-defined]
            agent.tell(truth.reshape(size, copies, -1))
        if agent.needs_masks and masks is not None:
            agent.tell_masks(masks.reshape(size, copies, -1).astype(np.bool_))
        actions, state = agent.predict(
            in_rows(observation, (size, copies)), state, episode_start, deterministic
        )
        observation, rewards, terminated, truncated, infos = venv.step(actions.reshape(-1))
        returns[running] += rewards[running]
        lengths += running
        done, masks = terminated | truncated, infos.get("action_mask")
        if "is_success" in infos:
            told = True
            ended = done & running
            success[ended] = np.asarray(infos["is_success"])[ended]
        running &= ~done & (lengths < limit)
        if not running.any():
            break
        if done.any():  # it idles through further episodes until the last one is over
            observation, info = venv.reset(options={"reset_mask": done})
            if masks is not None:
                masks = np.where(done[:, None], info["action_mask"], masks)
        episode_start = done.reshape(size, copies)
    venv.close()
    table = (size, copies)
    return Episodes(returns.reshape(table), lengths.reshape(table), success.reshape(table) if told else None)


def _reset(
    agent: Agent, venv: VectorEnv[Any, Any, Any], seeds: NDArray[np.uint64], *, anew: bool
) -> tuple[Any, dict[str, Any]]:
    """Observations and infos at the beginning of the episodes.

    They are of a game in the problem that is being played; in a world that changes, as it stands now.

    A world of other people cannot be put into a state, and begins anew; so does one with other options (`anew`).
    """
    flat = [int(seed) for seed in seeds.reshape(-1)]
    world: Any = venv.unwrapped
    training: Any = agent.venv.unwrapped
    is_game, changes = hasattr(world, "arm_values"), getattr(training, "versions", lambda: None)() is not None
    if anew or not (is_game or changes) or not hasattr(world, "set_state"):
        return venv.reset(seed=flat)  # type: ignore[arg-type]  # a list is allowed, though not typed
    copies = seeds.shape[1]
    now = {
        name: array[:: agent.copies] for name, array in training.get_state().items()
    }  # each member's first world
    world.set_state({name: np.repeat(array, copies, axis=0) for name, array in now.items()})
    options = {"same_problem": is_game, "same_life": not is_game}
    return venv.reset(seed=flat, options=options)  # type: ignore[arg-type]
