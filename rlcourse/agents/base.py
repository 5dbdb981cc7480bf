"""The protocol of every agent: a population of learners that `learn`, `predict`, `save`, and part into `member`s.

An agent is `S` independent learners, each with its own copy (or copies) of the world and its own random streams, stepping
in lockstep. Member `k` of a population equals the population of one with that member's seed.
"""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlcourse.agents.config import AgentConfig, as_json, build_config
from rlcourse.agents.storage import write_agent_folder
from rlcourse.checks import parse_seeds
from rlcourse.errors import StorageError, UsageError
from rlcourse.names import resolve_world, world_options
from rlcourse.streams import Streams

Arrays = dict[str, NDArray[Any]]


class Agent(ABC):
    """A population of `S` learners in one world.

    Args:
        env: a world: an id (`"rlcourse/Bandit-v0"`, `"Bandit-v0"`), an `EnvSpec`, or an environment made from one, of
            which copies are made with its options.
        seeds: how many learners (seeds 0 .. S-1), or the list of their seeds.
        env_kwargs: options of the world (JSON values).
        settings: fields of the configuration `config_class`.

    Raises:
        UsageError: an unknown setting, an impossible value, or a world in which this agent cannot learn; the message says
            what would fit.
    """

    name: ClassVar[str]
    """The name in the registry."""
    config_class: ClassVar[type[AgentConfig]] = AgentConfig
    needs_masks: ClassVar[bool] = False
    """Whether it asks to be told, before it acts, which actions are possible (`tell_masks`)."""
    one_by_one: ClassVar[bool] = False
    """Whether members are trained one after the other, so that it costs nothing to part a population."""

    config: AgentConfig
    venv: VectorEnv[Any, Any, Any]
    """The worlds of the learners, `S` copies (times the copies a learner)."""
    stream: Streams
    """The members' random numbers."""
    _predict_stream: Streams
    """Those that predictions draw from, so that asking does not disturb the learning."""

    def __init__(
        self,
        env: Any,
        *,
        seeds: int | Sequence[int] = 1,
        env_kwargs: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.spec = resolve_world(env)
        if env_kwargs is not None and not isinstance(env_kwargs, dict):
            raise UsageError(f"env_kwargs={env_kwargs!r} must be a dictionary of the world's options")
        self.env_kwargs = as_json({**world_options(self.spec), **(env_kwargs or {})})
        self.seeds = parse_seeds(seeds)
        self.settings = as_json(settings)
        self.config = build_config(self.config_class, self.settings, owner=self.name)
        self.num_timesteps = 0
        self._setup()

    @abstractmethod
    def _setup(self) -> None:
        """Make the worlds, refuse those that do not fit, and start the learners."""

    @property
    def size(self) -> int:
        """The number of learners S."""
        return len(self.seeds)

    @property
    def copies(self) -> int:
        """N, the copies of the world that each member acts in."""
        return 1

    @abstractmethod
    def learn(self, steps: int, *, progress: bool = False) -> Self:
        """Let every learner act and learn for `steps` environment steps; called again, it goes on.

        Args:
            steps: environment steps of each learner.
            progress: draw a bar with the time that is left.
        """

    @abstractmethod
    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """What the learners do now, without learning from it (the signature of stable-baselines3).

        Args:
            observation: `[S, ...]`, `[S, N, ...]`, or for a population of one also `[...]` and `[N, ...]`.
            state: memory of the agent, `None` at the start; handed back with the actions.
            episode_start: where an episode has just begun, the memory is cleared.
            deterministic: the best action known, or one drawn as while learning (from a stream of its own, so that
                training is not disturbed).

        Returns:
            Actions int64 with the leading shape of the observation, and the memory.
        """

    def tell_masks(self, masks: NDArray[np.bool_]) -> None:  # noqa: B027  (most do not ask)
        """What `info["action_mask"]` says of the observations that the next `predict` is about, bool `[S, N, A]`."""

    # ---------------------------------------------------------------- what an agent knows

    def action_values(self, observation: Any) -> NDArray[np.float64] | None:
        """How good every action looks, in the unit of the return; `None` for an agent that keeps no such values.

        Args:
            observation: as for `predict`.

        Returns:
            float64 with the leading shape of the observation, and A.
        """
        return None

    def state_values(self, observation: Any) -> NDArray[np.float64] | None:
        """How good it looks to be there: the value of the best action, where an agent keeps no other; `None` without values.

        Args:
            observation: as for `predict`.

        Returns:
            float64 with the leading shape of the observation.
        """
        values = self.action_values(observation)
        return None if values is None else values.max(axis=-1)

    # ---------------------------------------------------------------- what the world says of itself

    def _said(self, name: str) -> Any:
        """What the world says of itself beyond Gymnasium's interface; `None` where it says nothing.

        A batch of ours is asked itself, of a batch of other environments the first one.
        """
        for world in (
            self.venv.unwrapped,
            *(env.unwrapped for env in getattr(self.venv.unwrapped, "envs", ())[:1]),
        ):
            if (said := getattr(world, name, None)) is not None:
                return said
        return None

    def world_horizon(self) -> int | None:
        """The rounds that the world says an episode has, or its time limit; `None` where it has neither."""
        rounds = (
            self._said("n_rounds")
            or getattr(self._said("rules"), "max_steps", None)
            or self.env_kwargs.get("max_episode_steps", self.spec.max_episode_steps)
        )
        return None if rounds is None or rounds < 0 else int(rounds)  # -1 is Gymnasium's word for no limit

    # ---------------------------------------------------------------- saving, restoring, parting

    @abstractmethod
    def _array_attributes(self) -> dict[str, str]:
        """The arrays `[S, ...]` that the future depends on, streams and worlds apart: name in a file -> attribute."""

    def _take(self, arrays: Arrays) -> None:  # noqa: B027  (most keep nothing else)
        """Go on from these arrays, of the right shapes, that are no `_array_attributes`."""

    def _restored(self, *, in_place: bool) -> None:  # noqa: B027  (most have nothing to do)
        """After the arrays were replaced; `in_place`: the worlds were put where they had been, too."""

    def get_arrays(self) -> Arrays:
        """Copies of all that the future of the population depends on: knowledge, random streams, worlds."""
        arrays = {name: getattr(self, at).copy() for name, at in self._array_attributes().items()}
        arrays["streams/agent"] = self.stream.state.copy()
        arrays["streams/predict"] = self._predict_stream.state.copy()
        world = self.venv.unwrapped
        if hasattr(world, "get_state"):
            arrays |= {f"world/{name}": array for name, array in world.get_state().items()}
        return arrays

    def set_arrays(self, arrays: Arrays) -> None:
        """Go on from what `get_arrays` gave.

        Raises:
            StorageError: arrays that are not those of this agent in this world.
        """
        mine = self.get_arrays()
        for name in mine.keys() | arrays.keys():
            if name not in arrays or name not in mine:
                raise StorageError(
                    f"array {name!r} is {'missing' if name in mine else 'unknown'} for {self.name}"
                )
            if arrays[name].shape != mine[name].shape or arrays[name].dtype != mine[name].dtype:
                raise StorageError(
                    f"array {name!r} is {arrays[name].dtype}{list(arrays[name].shape)}, expected "
                    f"{mine[name].dtype}{list(mine[name].shape)}"
                )
        for name, attribute in self._array_attributes().items():
            setattr(self, attribute, arrays[name].copy())
        self.stream = Streams(arrays["streams/agent"].copy())
        self._predict_stream = Streams(arrays["streams/predict"].copy())
        self._take(arrays)
        world = {
            name.removeprefix("world/"): array for name, array in arrays.items() if name.startswith("world/")
        }
        if world:
            self.venv.unwrapped.set_state(world)  # type: ignore[attr-defined]
        self._restored(in_place=bool(world))

    def member(self, k: int) -> Self:
        """The learner in place `k` (0 .. S-1) as a population of one, at the same point of its life."""
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not -self.size <= k < self.size:
            raise UsageError(f"member({k!r}) of a population of {self.size}: choose from 0..{self.size - 1}")
        k %= self.size
        one = type(self)(self.spec, seeds=[self.seeds[k]], env_kwargs=self.env_kwargs, **self.settings)
        mine = {}
        for name, array in self.get_arrays().items():
            rows = len(array) // self.size  # one, or one for each copy of the world
            mine[name] = array[k * rows : (k + 1) * rows].copy()
        one.set_arrays(mine)
        one.num_timesteps = self.num_timesteps
        return one

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """Bool `[S]`: the members with a weight that is no finite number; what they do means nothing."""
        return np.zeros(self.size, np.bool_)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and deepcopy what `save` keeps; the worlds are made anew and put where they were."""
        arguments = (self.spec, self.seeds, self.env_kwargs, self.settings)
        return _revive, (type(self), arguments, self.get_arrays(), self.num_timesteps)

    def save(self, folder: str | Path) -> Path:
        """Write the population into a folder: arrays and JSON, no pickles. `load_agent` reads it.

        Our worlds are saved with it, so that learning goes on exactly. A world of other people cannot be: there the loaded
        population knows what it knew, and begins an episode in worlds that are reset with its seeds.

        Returns:
            The folder.

        Raises:
            UsageError: options of the world that JSON does not hold, such as a class.
        """
        manifest = {
            "agent": self.name,
            "settings": self.settings,
            "config": dataclasses.asdict(self.config),
            "env": self.spec.id,
            "env_kwargs": self.env_kwargs,
            "seeds": self.seeds,
            "num_timesteps": self.num_timesteps,
        }
        for name in ("settings", "env_kwargs"):
            try:
                json.dumps(manifest[name], allow_nan=False)
            except (TypeError, ValueError) as error:
                raise UsageError(
                    f"{self.name} cannot be saved: {name}={manifest[name]!r} must be JSON (numbers, texts, lists, "
                    f"dictionaries), and {error}; pickle keeps it all the same"
                ) from None
        return write_agent_folder(folder, manifest, self.get_arrays())

    @classmethod
    def from_saved(cls, manifest: dict[str, Any], arrays: Arrays, folder: str | Path) -> Self:
        """The agent that a folder's manifest and arrays describe.

        Raises:
            StorageError: they do not describe an agent that this version can build.
        """
        try:
            agent = cls(
                manifest["env"],
                seeds=manifest["seeds"],
                env_kwargs=manifest["env_kwargs"],
                **manifest["settings"],
            )
            agent.num_timesteps = int(manifest["num_timesteps"])
            agent.set_arrays(arrays)
        except KeyError as error:
            raise StorageError(f"{folder} cannot be loaded: its manifest lacks {error}") from error
        except (UsageError, StorageError, TypeError, ValueError) as error:
            raise StorageError(f"{folder} cannot be loaded: {error}") from error
        return agent

    def __repr__(self) -> str:
        settings = "".join(f", {key}={value!r}" for key, value in self.settings.items())
        return f"{type(self).__name__}({self.spec.id!r}, seeds={self.size}{settings})"


def _revive(kind: type[Agent], arguments: tuple[Any, ...], arrays: Arrays, num_timesteps: int) -> Agent:
    """The agent that `__reduce__` took apart."""
    spec, seeds, env_kwargs, settings = arguments
    agent = kind(spec, seeds=seeds, env_kwargs=env_kwargs, **settings)
    agent.set_arrays(arrays)
    agent.num_timesteps = num_timesteps
    return agent


def check_steps(steps: int) -> int:
    """A budget of steps; UsageError for what is none."""
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise UsageError(f"steps={steps!r} must be a whole number of at least 1")
    return int(steps)
