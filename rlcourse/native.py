"""Worlds of Gymnasium that have a native batch here: from the registered spec to that of the batch.

Gymnasium's own vector environments draw the luck of all copies from one stream, so that a copy depends on its neighbours;
and a `SyncVectorEnv` steps one copy after the other. The batches that stand in for them are of `rlcourse.envs.vector`: every
copy has its own stream, they can be put into a state, and a step of ten copies takes microseconds.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from gymnasium.envs.registration import EnvSpec

_CLASSIC = "gymnasium.envs.classic_control."
_HERE = "rlcourse.envs.classic."

NATIVE: dict[str, tuple[str, dict[str, type | tuple[type, ...]]]] = {
    _CLASSIC + "cartpole:CartPoleEnv": (
        _HERE + "cart_pole:CartPoleVectorEnv",
        {"sutton_barto_reward": bool},
    ),
    _CLASSIC + "mountain_car:MountainCarEnv": (
        _HERE + "mountain_car:MountainCarVectorEnv",
        {"goal_velocity": (int, float)},
    ),
    _CLASSIC + "acrobot:AcrobotEnv": (_HERE + "acrobot:AcrobotVectorEnv", {}),
}
"""The entry point of the environment -> that of the batch, and the options that both have."""


def native_batch(spec: EnvSpec, env_kwargs: dict[str, Any]) -> tuple[EnvSpec, dict[str, Any]] | None:
    """The spec of a native batch of the same world, and its options; `None` where there is none.

    Args:
        spec: of a registered world.
        env_kwargs: options, as `gymnasium.make` takes them.
    """
    if not isinstance(spec.entry_point, str) or spec.entry_point not in NATIVE or spec.additional_wrappers:
        return None
    entry_point, known = NATIVE[spec.entry_point]
    options = {**spec.kwargs, **env_kwargs}
    limit = options.pop("max_episode_steps", None)
    if limit is None:
        limit = spec.max_episode_steps
    if any(name not in known or not isinstance(value, known[name]) for name, value in options.items()):
        return None
    if isinstance(limit, bool) or not isinstance(limit, (int, type(None))) or limit == 0:
        return None
    options["max_steps"] = None if limit == -1 else limit  # -1 is Gymnasium's word for no limit
    batch = dataclasses.replace(spec, vector_entry_point=entry_point, kwargs={}, max_episode_steps=None)
    return batch, options
