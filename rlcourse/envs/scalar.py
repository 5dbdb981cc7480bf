"""A world as a `gymnasium.Env`."""

from __future__ import annotations

import copy
import operator
from typing import Any

import gymnasium
import numpy as np

from rlcourse.envs.face import RENDER_METADATA, Face
from rlcourse.envs.rules import State, row_of
from rlcourse.errors import UsageError


class WorldEnv(Face, gymnasium.Env[Any, Any]):
    """One copy of a world as a `gymnasium.Env`; subclasses name their `rules_class`.

    Args:
        render_mode: `None`, `"human"`, `"rgb_array"` or `"ansi"`.
        options: the fields of the rules, all JSON values.
    """

    metadata: dict[str, Any] = RENDER_METADATA

    def __init__(self, *, render_mode: str | None = None, **options: Any) -> None:
        self._build(1, render_mode, options)
        self.render_mode = render_mode
        self.observation_space = self.rules.observation_space
        self.action_space = self.rules.action_space
        self._window: Any = None
        self._actions = int(self.action_space.n)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode: observation, info.

        `options={"same_problem": True}` keeps the last problem, `{"hold": [...]}` parts of it (`Rules.problem`). With a seed,
        what outlasts an episode (walls and chances that change) begins anew, but not with `{"same_life": True}`.
        """
        super().reset(seed=seed)
        if seed is None and not self._started:
            seed = int(self.np_random.integers(2**63))
        self._begin(np.zeros(1, np.intp), None if seed is None else [seed], options)
        if self.render_mode == "human":
            self.render()
        info = {key: value[0] for key, value in self.rules.reset_info(self._state).items()}
        return row_of(self.rules.observe(self._state), 0), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One action: observation, reward, terminated, truncated, info."""
        if not self._started:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        try:
            index = operator.index(action)
        except TypeError:
            raise UsageError(f"action={action!r} must be an integer") from None
        if not 0 <= index < self._actions:
            raise UsageError(
                f"action {index} is outside 0..{self._actions - 1}, the actions of {type(self).__name__}"
            )
        result = self.rules.step_one(self._state, index)
        if self.render_mode == "human":
            self.render()
        return result

    def render(self) -> Any:
        """A text (`ansi`), an image `uint8 [H, W, 3]` (`rgb_array`), or a window on the screen (`human`)."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() needs a render_mode: pass render_mode='rgb_array' to gymnasium.make"
            )
            return None
        if not self._started:
            raise gymnasium.error.ResetNeeded("call reset() before render()")
        if self.render_mode == "ansi":
            return self.rules.describe(self._state, 0)
        image = self._paint(0)
        if self.render_mode == "rgb_array":
            return image
        if self._window is None:
            from rlcourse.viewer.window import Window

            self._window = Window(type(self).__name__.removesuffix("Env"), fps=self.metadata["render_fps"])
        self._window.show(image)
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None
        super().close()

    def get_state(self) -> State:
        """A copy of every state array, random streams included: all that the future depends on."""
        return self._snapshot()

    def set_state(self, state: State) -> None:
        """Go on from a snapshot that `get_state` gave.

        Raises:
            UsageError: the arrays are not those of this world with these options.
        """
        self._restore(state)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_window": None}  # a window is the screen's, not the world's

    def __deepcopy__(self, memo: dict[int, Any]) -> WorldEnv:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin
