"""The rules of a world: what a family of worlds has to say, on arrays with a leading batch axis.

A world is a frozen dataclass of `Rules`: its fields are the JSON options of the world, its methods work on a
*state*, a dictionary of arrays `[B, ...]`. The faces in `rlcourse.envs.scalar` and
`rlcourse.envs.vector` make Gymnasium environments of it.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.errors import UsageError, did_you_mean

State = dict[str, NDArray[Any]]
Seen = NDArray[Any] | dict[str, NDArray[Any]]
"""Observations of a batch: an array `[B, ...]`, or a dictionary of arrays where the space is a `Dict`."""


class Outcome(NamedTuple):
    """What one step of a batch gives; every array leads with `[B]`."""

    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    info: dict[str, NDArray[Any]]


class CompiledWorld(NamedTuple):
    """Copies of a world as loops in compiled code step them, in place."""

    arrays: Any
    """A named tuple of arrays, the copies' state among them; handed to the functions as `world`."""
    step: Any
    """`step(world, i, action)`: moves copy `i`; reward, terminated, truncated."""
    restart: Any
    """`restart(world, i)`: begins its next episode."""
    observe: Any
    """`observe(world, i)`: the number of its state, which is what it observes."""


class CompiledGame(NamedTuple):
    """Copies of a game for two, as loops in compiled code play both sides, in place. Players are 0 and 1."""

    arrays: Any
    """A named tuple of arrays, the copies' state among them; handed to the functions as `game`."""
    in_turn: bool
    """Player 1 moves after player 0 has; else both at once."""
    turn: Any
    """`turn(game, i, w, action)`: player `w` of copy `i` moves; what player 0 and player 1 get, and whether it is over."""
    both: Any
    """`both(game, i, first, second)`: both move; the same."""
    close_round: Any
    """`close_round(game, i, over)`: after every round; whether the time is up."""
    begin: Any
    """`begin(game, i)`: begins the next game."""
    observe: Any
    """`observe(game, i, w)`: the number that player `w` observes."""


class Rules(ABC):
    """The rules of a world on arrays. Subclasses are frozen dataclasses; their fields are its options."""

    streams: ClassVar[tuple[str, ...]]
    """Names of the random streams that a sub-environment owns; `state[name]` is `uint64 [B]`."""

    problem: ClassVar[tuple[str, ...]] = ("problem",)
    """Those of the streams that decide what an episode is about. `reset(options={"hold": [...]})` keeps what the named
    ones drew last, `options={"same_problem": True}` what all of them drew."""

    derived: ClassVar[tuple[str, ...]] = ()
    """Arrays of the state that follow from the others: no snapshot has them, `rebuild` makes them."""

    reset_keys: ClassVar[tuple[str, ...]] = ()
    """The keys of `info` that `reset` gives, too: they depend on the state alone (see `reset_info`)."""

    painter: ClassVar[str]
    """`module:function` that draws one sub-environment; loaded when `render()` is called."""

    observation_space: gymnasium.Space[Any]
    """Of one sub-environment."""
    action_space: gymnasium.spaces.Discrete

    @abstractmethod
    def allocate(self, batch: int) -> State:
        """Fresh state arrays for `batch` sub-environments; `reset` fills them.

        The streams may be left out; they may also be views into an array of the rules' own.
        """

    def revive(self, state: State, rows: NDArray[np.intp]) -> None:  # noqa: B027  (most have nothing to do)
        """After `rows` were seeded: begin anew what outlasts an episode."""

    def check_state(self, state: State) -> None:  # noqa: B027  (most hold nothing that could break)
        """Refuse a snapshot, of the right shapes, whose numbers the rules could not go on from.

        Raises:
            UsageError: the array and what is wrong with it.
        """

    def versions(self, state: State) -> NDArray[np.float64] | None:
        """What the model of each copy depends on, a row a copy; `None` where no model ever changes."""
        return None

    def rebuild(self, state: State) -> None:  # noqa: B027  (most have nothing to do)
        """Make the `derived` arrays anew, after a snapshot was restored."""

    @abstractmethod
    def reset(self, state: State, rows: NDArray[np.intp], *, hold: Collection[str] = ()) -> None:
        """Begin an episode in the sub-environments `rows`; what the `problem` streams in `hold` drew last is kept."""

    @abstractmethod
    def step(self, state: State, actions: NDArray[np.int64]) -> Outcome:
        """Move every sub-environment by one action `[B]`, changing `state` in place."""

    def step_or_reset(self, state: State, actions: NDArray[np.int64], waiting: NDArray[np.bool_]) -> Outcome:
        """Move all but those that are `waiting` `[B]`, which begin an episode instead, with reward 0.

        Here, these are moved like the others, put back as they were (their streams too) and then reset.
        """
        rows = np.flatnonzero(waiting)
        before = {name: array[rows] for name, array in state.items()}
        outcome = self.step(state, actions)
        for name, array in state.items():
            array[rows] = before[name]
        self.reset(state, rows)
        outcome.rewards[rows] = 0.0
        outcome.terminated[rows] = False
        outcome.truncated[rows] = False
        for key, value in self.reset_info(state).items():
            outcome.info[key][rows] = value[rows]
        return outcome

    def step_one(self, state: State, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Move a batch of one: what `gymnasium.Env.step` gives. Rules may have a quicker way."""
        rewards, terminated, truncated, arrays = self.step(state, np.array([action], np.int64))
        info = {key: value[0] if value.ndim > 1 else value[0].item() for key, value in arrays.items()}
        seen = row_of(self.observe(state), 0)
        return seen, float(rewards[0]), bool(terminated[0]), bool(truncated[0]), info

    def compiled(self, state: State) -> CompiledWorld | None:
        """These copies for a loop in compiled code; `None` where the rules are not compiled, or no number is observed."""
        return None

    def reset_info(self, state: State) -> dict[str, NDArray[Any]]:
        """What `info` says after a reset, arrays `[B, ...]` for the `reset_keys`."""
        return {}

    @abstractmethod
    def observe(self, state: State) -> Seen:
        """The observations of the whole batch, a new array `[B, ...]`, or a dictionary of such."""

    @abstractmethod
    def describe(self, state: State, row: int) -> str:
        """The sub-environment `row` in a few lines of text, for `render_mode="ansi"`."""


def row_of(seen: Seen, row: int) -> Any:
    """The observation of one sub-environment."""
    if isinstance(seen, dict):
        return {name: part[row] for name, part in seen.items()}
    return seen[row]


def build_rules(rules_class: type[Rules], options: dict[str, Any]) -> Rules:
    """The rules with these options.

    Raises:
        UsageError: an option that the world does not have (with a suggestion), or a value that is impossible.
    """
    known = [field.name for field in dataclasses.fields(rules_class) if field.init]  # type: ignore[arg-type]
    for name in options:
        if name not in known:
            raise UsageError(did_you_mean(name, known, kind=f"option of {rules_class.__name__}"))
    plain = {
        name: value.item() if isinstance(value, np.generic) else value for name, value in options.items()
    }
    return rules_class(**plain)
