"""The worlds. Every `register()` call of the package stands here; entry points are strings that load late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gymnasium.envs.registration import register

if TYPE_CHECKING:
    from rlcourse.envs.sb3 import SB3VecEnv, to_sb3

__all__ = ["SB3VecEnv", "to_sb3"]


def _register(name: str, entry_point: str) -> None:
    """One world, one line: `module:Name` of the faces `NameEnv` and `NameVectorEnv`."""
    register(
        id=f"rlcourse/{name}",
        entry_point=f"rlcourse.envs.{entry_point}Env",
        vector_entry_point=f"rlcourse.envs.{entry_point}VectorEnv",
        order_enforce=False,  # the faces see to it themselves, at no cost
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
_register("CourseMaze-v0", "maze.course:CourseMaze")
_register("CandyMaze-v0", "maze.candy:CandyMaze")
_register("CandyMazeLevels-v0", "maze.levels:CandyMazeLevels")
_register("CandyMazeSlippery-v0", "maze.candy:CandyMazeSlippery")
_register("CandyMazePartial-v0", "maze.partial:CandyMazePartial")
_register("CandyMazeDrift-v0", "maze.drift:CandyMazeDrift")
_register("CandyMazePartialDrift-v0", "maze.drift:CandyMazePartialDrift")
_register("CandyDuel-v0", "maze.duel:CandyDuel")
_register("TMaze-v0", "maze.memory:TMaze")
_register("DarkCandies-v0", "maze.memory:DarkCandies")
_register("CliffWalk-v0", "maze.gridworlds:CliffWalk")
_register("WindyGrid-v0", "maze.gridworlds:WindyGrid")
_register("FourRooms-v0", "maze.gridworlds:FourRooms")
_register("DynaMaze-v0", "maze.planning:DynaMaze")
_register("BlockingMaze-v0", "maze.planning:BlockingMaze")
_register("ShortcutMaze-v0", "maze.planning:ShortcutMaze")
_register("FiniteWorld-v0", "finite.world:FiniteWorld")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rlcourse.envs' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module("rlcourse.envs.sb3"), name)
