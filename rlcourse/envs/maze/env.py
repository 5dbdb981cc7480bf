"""The two faces of all mazes."""

from __future__ import annotations

from rlcourse.envs.base import WorldEnv, WorldVectorEnv
from rlcourse.envs.maze.rules import MazeRules


class MazeEnv(WorldEnv):
    """A maze as a `gymnasium.Env`."""

    rules: MazeRules


class MazeVectorEnv(WorldVectorEnv):
    """Copies of a maze in lockstep."""

    rules: MazeRules
