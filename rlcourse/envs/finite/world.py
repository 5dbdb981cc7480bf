"""Any world with a finite model, sampled from the model: the same law, at the speed of compiled code."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.options import LARGEST, check_count
from rlcourse.envs.rules import CompiledWorld, Outcome, Rules, State
from rlcourse.envs.scalar import WorldEnv
from rlcourse.envs.vector import WorldVectorEnv
from rlcourse.errors import UsageError

if TYPE_CHECKING:
    from rlcourse.mdp import FiniteMDP


@dataclass(frozen=True)
class FiniteWorld(Rules):
    """The rules of `FiniteWorld-v0`.

    State: `position int64 [B]`, `home int64 [B]` (where the episode began) and `clock int64 [B]`; the stream "problem" draws
    the start, "noise" the outcomes.
    """

    env: str = "FrozenLake-v1"
    """The id of a world with a finite model: `model()`, as ours have it, or Gymnasium's `P`."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The options of that world."""
    max_steps: int | None = None
    """Steps until an episode is truncated; `None` is the time limit that the world is registered with."""

    streams: ClassVar[tuple[str, ...]] = ("problem", "noise")
    painter: ClassVar[str] = "rlcourse.viewer.finite:paint"

    def __post_init__(self) -> None:
        """Refuse a world that has no model."""
        if self.max_steps is not None:
            check_count("max_steps", self.max_steps)
        missing = np.argwhere(~self.model.available)
        if len(missing):
            x, a = missing[0]
            raise UsageError(
                f"{self.env} has states without some of its actions, such as state {x} without action {a}: only worlds "
                f"with all actions everywhere can be sampled"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("env", "settings", "max_steps")}

    def __setstate__(self, options: dict[str, Any]) -> None:
        self.__dict__.update(options)

    def __deepcopy__(self, memo: dict[int, Any]) -> FiniteWorld:
        return self  # nothing in it changes

    @cached_property
    def _registered(self) -> tuple[FiniteMDP, int | None]:
        """The model, and the time limit."""
        from rlcourse.mdp import FiniteMDP

        if not isinstance(self.env, str):
            raise UsageError(f"env={self.env!r} must be the id of a world")
        if not isinstance(self.settings, dict):
            raise UsageError(f"settings={self.settings!r} must be a dictionary of the options of {self.env}")
        try:
            world = gymnasium.make(self.env, **self.settings)
        except (gymnasium.error.Error, TypeError) as error:
            raise UsageError(f"{self.env} cannot be made with {self.settings}: {error}") from error
        if hasattr(world.unwrapped, "get_state"):
            world.reset(seed=0)  # ours give the model of how they stand
        limit = getattr(getattr(world.unwrapped, "rules", None), "max_steps", None)
        spec = world.spec
        try:
            return FiniteMDP.from_env(world), limit or (None if spec is None else spec.max_episode_steps)
        finally:
            world.close()

    @property
    def model(self) -> FiniteMDP:
        """The model that is sampled."""
        return self._registered[0]

    @property
    def n_rounds(self) -> int | None:
        """Steps until an episode is truncated, or `None`."""
        return self.max_steps or self._registered[1]

    @cached_property
    def observation_space(self) -> gymnasium.spaces.Discrete:  # type: ignore[override]
        """The state."""
        return gymnasium.spaces.Discrete(self.model.n_states)

    @cached_property
    def action_space(self) -> gymnasium.spaces.Discrete:  # type: ignore[override]
        """The actions of the world."""
        return gymnasium.spaces.Discrete(self.model.n_actions)

    @cached_property
    def _arrays(self) -> tuple[Any, ...]:
        """The first fields of `kernel.Model`."""
        mdp = self.model
        starts = np.flatnonzero(mdp.start)
        begin = np.cumsum(mdp.start[starts])
        begin[-1] = 2.0
        up_to = np.empty(len(mdp.prob))
        for low, high in zip(mdp.first[:-1], mdp.first[1:], strict=True):
            up_to[low:high] = np.cumsum(mdp.prob[low:high])
        up_to[mdp.first[1:] - 1] = 2.0
        limit = self.n_rounds or 0
        tables = (mdp.first, up_to, mdp.next, mdp.reward, mdp.terminated, begin, starts)
        return (*(np.array(table) for table in tables), mdp.n_actions, limit)

    def _world(self, state: State) -> Any:
        from rlcourse.envs.finite.kernel import Model

        return Model(*self._arrays, *(state[name] for name in Model._fields[len(self._arrays) :]))

    def compiled(self, state: State) -> CompiledWorld:
        """See `Rules.compiled`."""
        from rlcourse.envs.finite import kernel

        return CompiledWorld(self._world(state), kernel.step_member, kernel.restart, kernel.index_of)

    def allocate(self, batch: int) -> State:
        """See `Rules.allocate`."""
        return {name: np.zeros(batch, np.int64) for name in ("position", "home", "clock")}

    def check_state(self, state: State) -> None:
        """See `Rules.check_state`: places have to be states of this model, clocks before the time limit."""
        states = self.model.n_states
        for name, most in (
            ("position", states),
            ("home", states),
            ("clock", (self.n_rounds or LARGEST - 1) + 1),
        ):
            array = np.asarray(state[name])
            if (array < 0).any() or (array >= most).any():
                raise UsageError(f"state[{name!r}] has a number that this world does not have")

    def reset(self, state: State, rows: NDArray[np.intp], *, hold: Collection[str] = ()) -> None:
        """See `Rules.reset`; the problem is the start."""
        from rlcourse.envs.finite import kernel

        kernel.reset_rows(self._world(state), rows, "problem" in hold)

    def step(self, state: State, actions: NDArray[np.int64]) -> Outcome:
        """See `Rules.step`."""
        from rlcourse.envs.finite import kernel

        batch = len(actions)
        rewards = np.empty(batch)
        terminated, truncated = np.empty(batch, np.bool_), np.empty(batch, np.bool_)
        kernel.step_batch(self._world(state), actions, rewards, terminated, truncated)
        return Outcome(rewards, terminated, truncated, {})

    def observe(self, state: State) -> NDArray[Any]:
        """See `Rules.observe`."""
        return state["position"].copy()

    def describe(self, state: State, row: int) -> str:
        """The clock and the state."""
        return f"step {state['clock'][row]}\nstate {state['position'][row]} of {self.model.n_states}"


class FiniteWorldEnv(WorldEnv):
    """Any world with a finite model, sampled from the model: for learners with a table, in compiled code.

    ## Description
    The states, actions, chances and rewards of another world, such as `FrozenLake-v1`, `Taxi-v4` or `CliffWalk-v0`, without
    that world: an outcome is drawn from the arrays of its model. The law is the same, the luck is another.

    ## Action Space
    `Discrete(A)`: the actions of the world.

    ## Observation Space
    `Discrete(X)`: the number of the state.

    ## Rewards
    Those of the world.

    ## Starting State
    Drawn as the model says; `options={"same_problem": True}` keeps it.

    ## Episode End
    Terminated where the model says; truncated after `max_steps`.

    ## Arguments
    `env="FrozenLake-v1"`, `settings={}` (the options of that world), `max_steps=None` (its own time limit).

    ## Version History
    v0: first version.
    """

    rules_class = FiniteWorld
    rules: FiniteWorld

    def model(self) -> FiniteMDP:
        """The model that is sampled."""
        return self.rules.model


class FiniteWorldVectorEnv(WorldVectorEnv):
    """Copies of `FiniteWorldEnv` in lockstep."""

    rules_class = FiniteWorld
    rules: FiniteWorld

    @property
    def n_rounds(self) -> int | None:
        """Steps until an episode is truncated, or `None`."""
        return self.rules.n_rounds
