"""The worlds of a population: one native or synchronous vector environment with a copy for every learner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray

from rlcourse.names import NAMESPACE, refusals
from rlcourse.native import native_batch


def make_population(spec: EnvSpec, env_kwargs: dict[str, Any], size: int) -> VectorEnv[Any, Any, Any]:
    """`size` copies of a world in lockstep, in autoreset mode DISABLED: the learner says when a copy begins anew.

    A world of other people is stepped one copy after the other, also where its id has a `vector_entry_point` of its own. By
    Gymnasium's interface such a batch has one seed for all copies, and it begins them anew when it likes: what a member meets
    would depend on how many others there are, and member k would not be the solo run with its seed.

    Args:
        spec: the registered world; a native batch is used where it is one of ours, or we have one of it.
        env_kwargs: options of the world.
        size: number of copies.

    Raises:
        UsageError: the world refuses its options, or needs a package that is not installed.
    """
    with refusals(spec, env_kwargs):
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


def begin(
    venv: VectorEnv[Any, Any, Any], seeds: Sequence[int], options: dict[str, Any] | None = None
) -> NDArray[Any]:
    """Reset every copy with a seed of its own; the first observations."""
    return venv.reset(seed=list(seeds), options=options)[0]  # type: ignore[arg-type]  # a list is allowed, though not typed
