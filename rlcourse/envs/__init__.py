"""The worlds. Every `register()` call of the package stands here; entry points are strings that load late."""

from __future__ import annotations

from gymnasium.envs.registration import register


def _register(name: str, entry_point: str) -> None:
    """One world, one line: `module:Name` of the faces `NameEnv` and `NameVectorEnv`."""
    register(
        id=f"rlcourse/{name}",
        entry_point=f"rlcourse.envs.{entry_point}Env",
        vector_entry_point=f"rlcourse.envs.{entry_point}VectorEnv",
    )


_register("CandyMachines-v0", "bandits.candy:CandyMachines")
_register("Bandit-v0", "bandits.stationary:Stationary")
_register("DriftingBandit-v0", "bandits.drifting:DriftingBandit")
_register("SwitchingBandit-v0", "bandits.switching:SwitchingBandit")
_register("ReactiveCandyMachines-v0", "bandits.reactive:ReactiveCandyMachines")
_register("RestlessBandit-v0", "bandits.restless:RestlessBandit")
_register("ContextualBandit-v0", "bandits.contextual:ContextualBandit")
_register("HiddenContextBandit-v0", "bandits.hidden:HiddenContextBandit")
_register("AdversarialBandit-v0", "bandits.adversarial:AdversarialBandit")
