"""The two faces of all mazes: what they offer beyond Gymnasium, the finite model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlcourse.envs.base import WorldEnv, WorldVectorEnv
from rlcourse.envs.maze import kernel
from rlcourse.envs.maze.rules import MazeRules

if TYPE_CHECKING:
    from rlcourse.mdp import FiniteMDP


class MazeEnv(WorldEnv):
    """A maze as a `gymnasium.Env`."""

    rules: MazeRules

    def model(self) -> FiniteMDP:
        """The finite model of the world as it stands now; walls that change later are not in it, nor is the time limit.

        Its states are the numbers that `observation="index"` shows; where visits or the return count, they are
        numbers of their own.

        Raises:
            UsageError: the world has too many states; the message says how many.
        """
        from rlcourse.envs.maze.model import build_model

        return build_model(self.rules, int(self._state["core"][0, kernel.LIFE]))

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:  # noqa: N802  (Gymnasium's name)
        """The model in Gymnasium's form: `P[state][action]`, a list of (probability, next state, reward, terminated)."""
        return self.model().to_P()


class MazeVectorEnv(WorldVectorEnv):
    """Copies of a maze in lockstep."""

    rules: MazeRules
