"""From the name that a user writes to the world that Gymnasium has registered under it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from rlcourse.errors import UsageError, did_you_mean

NAMESPACE = "rlcourse/"
_OF_ONE_MAKING = {
    "render_mode",
    "num_envs",
    "vectorization_mode",
    "vector_kwargs",
    "wrappers",
    "autoreset_mode",
}


def resolve_world(env: Any) -> EnvSpec:
    """The registered spec of a world.

    Args:
        env: an id (`"rlcourse/Bandit-v0"`, or `"Bandit-v0"` for one of ours, or any Gymnasium id), an `EnvSpec`,
            or an environment that was made from a spec (its own options are kept, see `world_options`).

    Raises:
        UsageError: nothing is registered under that name, or the environment carries no spec to make copies from, or one
            with wrappers, which copies would lack.
    """
    if not isinstance(env, str):
        spec = env if isinstance(env, EnvSpec) else getattr(env, "spec", None)
        if not isinstance(spec, EnvSpec):
            raise UsageError(
                f"env must be a registered id or an environment made by gymnasium.make, which carries a spec to make "
                f"copies from; got {type(env).__name__}"
            )
        if spec.id not in gymnasium.registry:
            raise UsageError(
                f"{spec.id} is not registered: call gymnasium.register, so that copies can be made"
            )
        if spec.additional_wrappers:
            wrappers = ", ".join(wrapper.name for wrapper in spec.additional_wrappers)
            raise UsageError(
                f"{spec.id} comes in wrappers ({wrappers}), which copies of it would lack: register the wrapped world "
                f"under an id of its own, or give it without them"
            )
        return spec
    for name in (NAMESPACE + env, env):
        if name in gymnasium.registry:
            return gymnasium.registry[name]
    ours = {name.removeprefix(NAMESPACE) for name in gymnasium.registry if name.startswith(NAMESPACE)}
    message = did_you_mean(env.removeprefix(NAMESPACE), ours, kind="world")
    if "did you mean" not in message:  # perhaps one of Gymnasium's own
        other = did_you_mean(env, set(gymnasium.registry), kind="world")
        message = other if "did you mean" in other else message
    raise UsageError(message)


def world_options(spec: EnvSpec) -> dict[str, Any]:
    """The options that make a world like this one of its id: its kwargs, and its time limit if that is not the usual one.

    How the one environment was shown (`render_mode`) or batched (`num_envs` ...) is no matter of the world.
    """
    options = {name: value for name, value in spec.kwargs.items() if name not in _OF_ONE_MAKING}
    if spec.max_episode_steps != gymnasium.registry[spec.id].max_episode_steps:
        options["max_episode_steps"] = spec.max_episode_steps
    return options


@contextlib.contextmanager
def refusals(spec: EnvSpec, env_kwargs: dict[str, Any]) -> Iterator[None]:
    """While a world is made, whatever its constructor raises becomes one line, which keeps its cause.

    Args:
        spec: the world.
        env_kwargs: its options.

    Raises:
        UsageError: the world needs a package that is not installed, or it refuses its options.
    """
    try:
        yield
    except UsageError:
        raise
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        raise UsageError(f"{spec.id} needs a package that is not installed: {_first_line(error)}") from error
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        gymnasium.error.Error,
    ) as error:  # also an option that the constructor does not have, or that is not the user's to say
        said = _first_line(error)
        if not isinstance(
            error, (TypeError, ValueError)
        ):  # of which the text alone, such as '9x9', says too little
            said = f"{type(error).__name__} {said}".strip()
        options = f"refuses its options {env_kwargs}" if env_kwargs else "cannot be made"
        raise UsageError(f"{spec.id} {options}: {said}") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")


def short_name(env_id: str) -> str:
    """The id without our namespace, as tables and folders show it."""
    return env_id.removeprefix(NAMESPACE)
