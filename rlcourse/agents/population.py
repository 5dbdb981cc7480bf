"""The worlds of a population: one native or synchronous vector environment with a copy for every learner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray

from rlcourse.errors import UsageError
from rlcourse.names import NAMESPACE
from rlcourse.native import native_batch

MOST_MEMBERS = 10_000_000
"""A count beyond it is a mistake: the arrays of so many learners take tens of gigabytes."""


def make_population(spec: EnvSpec, env_kwargs: dict[str, Any], size: int) -> VectorEnv[Any, Any, Any]:
    """`size` copies of a world in lockstep, in autoreset mode DISABLED: the learner says when a copy begins anew.

    Args:
        spec: the registered world; a native batch is used where it is one of ours, or we have one of it.
        env_kwargs: options of the world.
        size: number of copies.

    Raises:
        UsageError: the world refuses its options.
    """
    try:
        ours: Any = (spec.id, env_kwargs) if spec.id.startswith(NAMESPACE) else None
        if (ours := ours or native_batch(gymnasium.registry[spec.id], env_kwargs)) is not None:
            return gymnasium.make_vec(
                ours[0],
                num_envs=size,
                vectorization_mode="vector_entry_point",
                autoreset_mode="Disabled",
                **ours[1],
            )
        return SyncVectorEnv(
            [lambda: gymnasium.make(spec.id, **env_kwargs)] * size, autoreset_mode=AutoresetMode.DISABLED
        )
    except (
        TypeError
    ) as error:  # an option that the constructor does not have, or that is not the user's to say
        raise UsageError(f"{spec.id} refuses its options {env_kwargs}: {error}") from error


def begin(
    venv: VectorEnv[Any, Any, Any], seeds: Sequence[int], options: dict[str, Any] | None = None
) -> NDArray[Any]:
    """Reset every copy with a seed of its own; the first observations."""
    return venv.reset(seed=list(seeds), options=options)[0]  # type: ignore[arg-type]  # a list is allowed, though not typed


def parse_seeds(seeds: int | Sequence[int]) -> list[int]:
    """A count S gives the seeds 0 .. S-1; a list is taken as it is.

    Raises:
        UsageError: no seed at all, a negative or doubled one, or something that is no whole number.
    """
    if isinstance(seeds, (int, np.integer)) and not isinstance(seeds, bool):
        if seeds < 1:
            raise UsageError(f"seeds={seeds} must be at least 1, or a list of seeds")
        if seeds > MOST_MEMBERS:
            raise UsageError(
                f"seeds={seeds} is a count, and must be at most {MOST_MEMBERS}; a single seed is a list of one"
            )
        return list(range(int(seeds)))
    if (
        isinstance(seeds, (str, bytes, bool))
        or not isinstance(seeds, (Sequence, np.ndarray))
        or not np.shape(seeds)
        or not len(seeds)
    ):
        raise UsageError(f"seeds={seeds!r} must be a count or a non-empty list of whole numbers")
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise UsageError(f"seeds must be whole numbers of at least 0, got {seed!r}")
    if len(set(seeds)) != len(seeds):
        raise UsageError("the list of seeds names one twice: two members would be the same run")
    return [int(seed) for seed in seeds]
