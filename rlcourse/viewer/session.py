"""A game without its window: a world, where it stands, and what was done in it so far."""

from __future__ import annotations

import operator
import random
from collections import deque
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec, load_env_creator
from numpy.typing import NDArray

from rlcourse.agents.config import as_json
from rlcourse.errors import UsageError
from rlcourse.names import refusals, resolve_world, world_options
from rlcourse.viewer.record import Episode, Record, as_check
from rlcourse.viewer.status import Status

MOST_UNDOS = 1_000
"""Steps that can be taken back: a snapshot of a large world takes some kilobytes."""
SEEDS = 2**31
"""A game without a seed draws one below it, short enough to be typed again."""


class Session:
    """One copy of a world that is being played or shown.

    Args:
        env: the world: an id, an `EnvSpec`, or an environment made from one.
        env_kwargs: options of the world.

    Raises:
        UsageError: no such world, options that it refuses, or one that draws no picture.
    """

    def __init__(self, env: Any, env_kwargs: dict[str, Any] | None = None) -> None:
        self.spec = resolve_world(env)
        self.env_kwargs: dict[str, Any] = as_json({**world_options(self.spec), **(env_kwargs or {})})
        self.env = make_world(self.spec, self.env_kwargs)
        self.observation: Any = None
        self.episode = 0
        self.step = 0
        self.total = 0.0
        self.reward: float | None = None
        self.end: str | None = None

    def begin(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Reset the world: with a seed, or going on with its random streams as they are."""
        self.observation, _ = self.env.reset(seed=seed, options=options)
        self.episode += 1
        self.step, self.total, self.reward, self.end = 0, 0.0, None, None

    def act(self, action: Any) -> float:
        """One step; the reward."""
        self.observation, reward, terminated, truncated, _ = self.env.step(action)
        self.reward = float(reward)
        self.total += self.reward
        self.step += 1
        self.end = "terminated" if terminated else "truncated" if truncated else None
        return self.reward

    def picture(self) -> NDArray[np.uint8]:
        """The world as it draws itself, `uint8 [H, W, 3]`."""
        return check_picture(self.env.render(), self.spec.id)

    def status(self, caption: str = "", keys: tuple[str, ...] = ()) -> Status:
        """What the bar below the picture says."""
        return Status(self.reward, self.total, self.step, self.episode, self.end, caption, keys)

    def close(self) -> None:
        """Give back what the world holds. Some worlds of other people close pygame, so first close the window."""
        self.env.close()


class Game(Session):
    """A game that is played by hand and recorded.

    Args:
        env: see `Session`.
        env_kwargs: options of the world.
        seed: of the first episode; the others go on from there. `None` draws one.

    Raises:
        UsageError: see `Session`; also a world whose actions are not numbered, or a negative seed.
    """

    def __init__(self, env: Any, env_kwargs: dict[str, Any] | None = None, seed: int | None = None) -> None:
        super().__init__(env, env_kwargs)
        check_actions(self.env, self.spec.id)
        if seed is not None and seed < 0:
            raise UsageError(f"seed={seed} must be a whole number of at least 0")
        self.seed = random.SystemRandom().randrange(SEEDS) if seed is None else seed
        self.record = Record(self.spec.id, self.env_kwargs)
        self._past: deque[tuple[Any, ...]] = deque(maxlen=MOST_UNDOS)
        # A time limit around the world counts for itself, and cannot be turned back.
        self.can_undo = hasattr(self.env.unwrapped, "set_state") and not getattr(
            self.env.spec, "max_episode_steps", None
        )
        self.begin(self.seed)

    def begin(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """See `Session.begin`; a new episode in the record."""
        super().begin(seed, options)
        self.record.episodes.append(Episode(seed))
        self._past.clear()

    def act(self, action: Any) -> float:
        """See `Session.act`; nothing happens once the episode is over."""
        if self.end is not None:
            return 0.0
        if self.can_undo:
            state = self.env.unwrapped.get_state()  # type: ignore[attr-defined]
            self._past.append((state, self.observation, self.reward, self.total))
        reward = super().act(action)
        episode = self.record.episodes[-1]
        episode.actions.append(operator.index(action))
        episode.rewards.append(as_check(reward))
        episode.end = self.end
        return reward

    def undo(self) -> bool:
        """Take the last step of this episode back, exactly: the dice, too, lie as they lay. `False` if there is none."""
        if not self._past:
            return False
        state, self.observation, self.reward, self.total = self._past.pop()
        self.env.unwrapped.set_state(state)  # type: ignore[attr-defined]
        self.step -= 1
        self.end = None
        episode = self.record.episodes[-1]
        episode.actions.pop()
        episode.rewards.pop()
        episode.end = None
        return True


def make_world(spec: EnvSpec, env_kwargs: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """One copy of a world that draws itself as an array.

    Raises:
        UsageError: it cannot, or it refuses its options.
    """
    with refusals(spec, env_kwargs):
        check_draws(spec)
        return gymnasium.make(spec.id, render_mode="rgb_array", disable_env_checker=True, **env_kwargs)


def check_draws(spec: EnvSpec) -> None:
    """Refuse a world that says of itself that it draws no pictures."""
    maker = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    modes = getattr(maker, "metadata", {}).get("render_modes")
    if modes is not None and "rgb_array" not in modes:
        raise UsageError(f"{spec.id} draws no picture: it has no render_mode 'rgb_array'")


def check_actions(env: gymnasium.Env[Any, Any], name: str) -> None:
    """Refuse a world whose actions are not numbered: a key cannot say how far to turn a wheel."""
    if not isinstance(env.action_space, gymnasium.spaces.Discrete):
        raise UsageError(
            f"{name} cannot be played with keys: its actions are {env.action_space}, not Discrete"
        )


def check_picture(image: Any, name: str) -> NDArray[np.uint8]:
    """What a world gave as its picture, if it is one.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise UsageError(
            f"{name} draws no picture: render() gave {type(image).__name__}, not an array [H, W, 3]"
        )
    return image.astype(np.uint8, copy=False)
