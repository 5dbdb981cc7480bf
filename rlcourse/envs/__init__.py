"""The worlds. Every `register()` call of the package stands here; entry points are strings, so nothing else loads."""

from __future__ import annotations

from gymnasium.envs.registration import register


def _register(name: str, entry_point: str) -> None:
    """One world, one line: `module:Class` of the scalar face; the vector face has the same name with `VectorEnv`."""
    register(
        id=f"rlcourse/{name}",
        entry_point=f"rlcourse.envs.{entry_point}Env",
        vector_entry_point=f"rlcourse.envs.{entry_point}VectorEnv",
    )


_register("CandyMachines-v0", "bandits.candy:CandyMachines")
_register("Bandit-v0", "bandits.stationary:Stationary")
