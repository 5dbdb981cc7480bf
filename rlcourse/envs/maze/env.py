"""The two faces of all mazes: what they offer beyond Gymnasium, the finite model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlcourse.envs.maze.rules import MazeRules
from rlcourse.envs.scalar import WorldEnv
from rlcourse.envs.vector import WorldVectorEnv

if TYPE_CHECKING:
    from rlcourse.mdp import FiniteMDP

Table = dict[int, dict[int, list[tuple[float, int, float, bool]]]]


class MazeEnv(WorldEnv):
    """A maze as a `gymnasium.Env`."""

    rules: MazeRules
    _table: tuple[bytes, Table] | None = None

    def model(self) -> FiniteMDP:
        """The finite model of the world as it stands now, without what changes later, and without the time limit.

        Its states are the numbers that `observation="index"` shows; where visits or the return count, they are
        numbers of their own.

        Raises:
            UsageError: the world has too many states; the message says how many.
        """
        from rlcourse.envs.maze.model import build_model

        return build_model(self.rules, self._state)

    @property
    def P(self) -> Table:  # noqa: N802  (Gymnasium's name)
        """The model in Gymnasium's form: `P[state][action]`, a list of (probability, next state, reward, terminated).

        Kept until the world changes, since loops ask for `env.P[state][action]` again and again.
        """
        versions = self.versions()
        version = b"" if versions is None else versions.tobytes()
        if self._table is None or self._table[0] != version:
            self._table = (version, self.model().to_P())
        return self._table[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_table": None}  # made anew where it is asked for


class MazeVectorEnv(WorldVectorEnv):
    """Copies of a maze in lockstep."""

    rules: MazeRules
