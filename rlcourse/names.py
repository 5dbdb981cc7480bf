"""From the name that a user writes to the world that Gymnasium has registered under it."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from rlcourse.errors import UsageError, did_you_mean

NAMESPACE = "rlcourse/"


def resolve_world(env: Any) -> EnvSpec:
    """The registered spec of a world.

    Args:
        env: an id (`"rlcourse/Bandit-v0"`, or `"Bandit-v0"` for one of ours, or any Gymnasium id), an `EnvSpec`,
            or an environment that was made from a spec (its own kwargs are kept).

    Raises:
        UsageError: nothing is registered under that name, or the environment carries no spec to make copies from.
    """
    if isinstance(env, EnvSpec):
        return env
    if not isinstance(env, str):
        spec = getattr(env, "spec", None)
        if isinstance(spec, EnvSpec):
            return spec
        raise UsageError(
            f"env must be a registered id or an environment made by gymnasium.make, which carries a spec to make "
            f"copies from; got {type(env).__name__}"
        )
    for name in (NAMESPACE + env, env):
        if name in gymnasium.registry:
            return gymnasium.registry[name]
    ours = {name.removeprefix(NAMESPACE) for name in gymnasium.registry if name.startswith(NAMESPACE)}
    message = did_you_mean(env.removeprefix(NAMESPACE), ours, kind="world")
    if "did you mean" not in message:  # perhaps one of Gymnasium's own
        message = did_you_mean(env, ours | set(gymnasium.registry), kind="world")
    raise UsageError(message)


def short_name(env_id: str) -> str:
    """The id without our namespace, as tables and folders show it."""
    return env_id.removeprefix(NAMESPACE)
