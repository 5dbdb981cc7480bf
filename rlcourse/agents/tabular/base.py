"""What all learners with a table share: numbers for what is observed, tables `[S, states, actions]`, and the two drivers.

A learner is a class with a rule: a compiled function `update(me, i, x, a, r, y, terminated, truncated)` that says what member
`i` learns of one step. `me` are the tables of the population, with the settings of the configuration, by name. How an action
is chosen is another one, `act(me, i, x)`; most take `explore`. A rule that has chosen the next action already leaves it in
`me.next_action[i]`.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import time
from collections import namedtuple
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays, check_steps
from rlcourse.agents.config import AgentConfig
from rlcourse.agents.control import ControlAgent
from rlcourse.agents.observations import members_of, say_space
from rlcourse.agents.population import begin
from rlcourse.agents.tabular.compiled import compiled
from rlcourse.agents.tabular.explore import Explorer, TabularConfig, explore
from rlcourse.agents.tabular.history import History
from rlcourse.agents.tabular.states import StateNumbers
from rlcourse.errors import UsageError
from rlcourse.progress import progress_bar
from rlcourse.streams import Streams

MEMORY_LIMIT = 4 << 30
"""Bytes that the tables of a population may take: half of a small laptop."""
CHUNK_SECONDS = 0.1
"""A compiled loop comes back so often, to show how far it is and to be interrupted."""

COMMON = (
    "Q",
    "visits",
    "t",
    "next_action",
    "explorer",
    "stream",
    "scratch",
    "gamma",
    "learning_rate",
    "step_size",
    "step_size_power",
)
"""What every rule finds in its tables."""


def tables(module: str, *own: str, called: str = "Tables") -> Any:
    """The type of a rule's tables: the common ones, and its own arrays (`initial_state`) and settings by name.

    Args:
        module: `__name__` of the module.
        own: names of further arrays and settings.
        called: the name that the type has in the module, by which it is found again.
    """
    return namedtuple(called, (*COMMON, *own), module=module)


Tables = tables(__name__)


@compiled
def ignore(me: Any, i: Any, b: Any) -> None:
    """Do not look at what the other player did."""


class TabularAgent(ControlAgent):
    """A population with tables over the observations of a world, which must be finite, and its Discrete actions.

    Where an episode is truncated, what would have come after it is estimated as after any other step; where it is terminated,
    nothing comes.

    State of every learner: `Q float64 [S, X, A]` (action values), `visits int64 [S, X, A]` (how often each pair was taken),
    `t int64 [S]` (steps so far), `next_action int64 [S]` (chosen already, or -1). A subclass adds its own arrays in
    `initial_state`, each also an attribute.
    """

    config_class: ClassVar[type[AgentConfig]] = TabularConfig
    tables: Any = Tables
    """The type of the tables that the rule works on, see `tables`."""
    update: Any
    """The rule."""
    act: ClassVar[Any] = explore
    """How an action is chosen while learning."""
    hear: ClassVar[Any] = ignore
    """In a game of two, `hear(me, i, b)` tells the rule of member `i` what the other one did, before it learns of the step."""
    fixed: ClassVar[dict[str, Any]] = {}
    """Settings of `TabularConfig` that the rule needs and its configuration does not have, where they are not the default."""
    derived: ClassVar[tuple[str, ...]] = ()
    """Arrays that the rule reads beside the state, and that can be made of it: they are not saved."""
    of_episode: ClassVar[dict[str, float]] = {"next_action": -1}
    """Arrays that hold something of the current episode only, and what stands in them at its beginning."""

    states: StateNumbers
    Q: NDArray[np.float64]
    visits: NDArray[np.int64]
    t: NDArray[np.int64]
    next_action: NDArray[np.int64]

    # ---------------------------------------------------------------- what a learner says

    def initial_state(self, size: int) -> Arrays:
        """The arrays of `size` members that know nothing yet, by attribute name."""
        shape = (size, self.n_states, self.n_actions)
        return {
            "Q": np.full(shape, float(getattr(self.config, "initial_value", 0.0))),
            "visits": np.zeros(shape, np.int64),
            "t": np.zeros(size, np.int64),
            "next_action": np.full(size, -1, np.int64),
        }

    def values(self) -> NDArray[np.float64]:
        """How good every action looks, `[S, X, A]`: what the deterministic policy maximises and the viewer draws."""
        return self.Q

    def greedy_policy(self) -> NDArray[np.int64]:
        """The action that looks best in every state, the first of equal ones, int64 `[S, X]`."""
        return self.values().argmax(axis=2)

    def policy(self) -> NDArray[Any]:
        """What is done in every state, without exploration: actions int64 `[S, X]`, or chances float64 `[S, X, A]`."""
        return self.greedy_policy()

    # ---------------------------------------------------------------- the worlds

    @property
    def n_states(self) -> int:
        """X."""
        return self.history.n

    @property
    def pair_bytes(self) -> int:
        """What a state with an action takes in the tables of a member."""
        return 16

    def _prepare(self) -> None:
        space = self.venv.single_observation_space
        try:
            self.states = StateNumbers(space)
        except UsageError:
            ours = " (observation='index')" if "observation" in dir(self._said("rules")) else ""
            raise UsageError(
                f"{self.name} keeps a table of what is observed and cannot learn in {self.spec.id}, whose observations are "
                f"{say_space(space)}: it fits Discrete and MultiDiscrete observations{ours}, and tuples of those"
            ) from None
        self.history = History(self.states.n, getattr(self.config, "history", 1))
        if self.size * self.n_states * self.n_actions * self.pair_bytes > MEMORY_LIMIT:
            less = "fewer seeds, a shorter history" if self.history.depth > 1 else "fewer seeds"
            raise UsageError(
                f"{self.name} would keep {self.size:,} tables of {self.n_states:,} states x {self.n_actions} actions, more "
                f"than {MEMORY_LIMIT / 2**30:g} GiB: take {less} or a smaller world"
            )
        fresh = self.initial_state(self.size)
        self._names = tuple(fresh)
        for name, array in fresh.items():
            setattr(self, name, array)
        self._scratch = np.empty((self.size, self.n_actions))

    def _begin(self, observation: Any) -> None:
        self._x = np.ascontiguousarray(self.history.begin(self.states.read(observation)))

    # ---------------------------------------------------------------- the loop

    def learn(self, steps: int, *, progress: bool = False) -> Self:
        """See `Agent.learn`."""
        steps = check_steps(steps)
        with progress_bar(steps, f"{self.name} x {self.size}", show=progress) as advance:
            world = self._compiled_world()
            if world is None:
                self._learn_by_steps(steps, advance)
            else:
                self._learn_compiled(world, steps, advance)
        return self

    def _compiled_world(self) -> Any:
        """The arrays and the functions of a world that can be stepped in compiled code; `None` for any other."""
        offer = getattr(
            self.venv, "compiled_world", None
        )  # of the batch itself: what is wrapped wants to see steps
        plain = self.venv is self.venv.unwrapped and self.history.depth == 1
        return offer() if offer is not None and plain else None

    def _tables(self, stream: Streams, kind: Any = None) -> Any:
        """The tables and settings as the rule sees them; `kind`: of another type."""
        found: dict[str, Any] = {name: getattr(self, name) for name in (*self._names, *self.derived)}
        found |= {"stream": stream.state, "scratch": self._scratch, **self._numbers}
        found["explorer"] = Explorer(*(found[name] for name in Explorer._fields))
        kind = kind or self.tables
        return kind(**{name: found[name] for name in kind._fields})

    @functools.cached_property
    def _numbers(self) -> dict[str, Any]:
        """The settings as compiled code sees them; those that the configuration does not have, by default or as `fixed`."""
        found: dict[str, Any] = {}
        for config in (self.config, TabularConfig(**self.fixed)):
            hints = get_type_hints(type(config), include_extras=True)
            for field in dataclasses.fields(config):
                found.setdefault(field.name, _number(getattr(config, field.name), hints[field.name]))
        return found

    def _acting_tables(self, stream: Streams) -> Any:
        """Those that choosing an action needs: where it is `explore`, the same for all rules, which are compiled once."""
        return self._tables(stream, Tables if type(self).act is explore else None)

    def _account(self) -> Any:
        from rlcourse.agents.tabular.loops import Account

        return Account(self._over, self.episodes, self.earned, self.running)

    def keep_up(self) -> bool:
        """Whether the tables are other ones now, since the world has changed; for agents who know the world."""
        return False

    def _learn_by_steps(self, steps: int, advance: Callable[[int], None]) -> None:
        """One step of the whole population at a time, in worlds of any kind."""
        decide = _loop("decide_all", act=type(self).act)
        experience = _loop("experience_all", update=self.update)
        self.keep_up()
        me, account, actor = self._tables(self.stream), self._account(), self._acting_tables(self.stream)
        actions, stride = np.empty(self.size, np.int64), max(1, steps // 200)
        for count in range(1, steps + 1):
            if self._over.any():  # only now, so that what was learned in an episode can be asked for after it
                before = self._x
                self._begin(self.venv.reset(options={"reset_mask": self._over})[0])
                self._x = np.where(self._over, self._x, before)
            if self.keep_up():
                me, actor = self._tables(self.stream), self._acting_tables(self.stream)
            x = self._x
            decide(actor, x, actions)
            observation, rewards, terminated, truncated, info = self.venv.step(self.first_action + actions)
            self._x = np.ascontiguousarray(self.history.follow(x, self.states.read(observation)))
            self._listen(info)
            experience(me, account, x, actions, rewards, self._x, terminated, truncated)
            self.num_timesteps += 1
            if count % stride == 0 or count == steps:
                advance(count % stride or stride)

    def _learn_compiled(self, world: Any, steps: int, advance: Callable[[int], None]) -> None:
        """Steps in compiled code."""
        loop = _loop(
            "learn_range",
            act=type(self).act,
            update=self.update,
            step=world.step,
            restart=world.restart,
            observe=world.observe,
        )
        me, account = self._tables(self.stream), self._account()

        def run(first: int, last: int, piece: int) -> None:
            loop(me, account, world.arrays, first, last, piece)

        def moved(piece: int) -> None:
            self.num_timesteps += piece
            self._begin(self.venv.moved(self._over))  # type: ignore[attr-defined]

        in_pieces(run, self.size, steps, moved, advance)

    def _listen(self, info: dict[str, Any]) -> None:
        """What the worlds tell beside observation and reward; most rules do not look at it."""

    # ---------------------------------------------------------------- acting without learning

    def best_actions(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """The best that is known in states int64 `[S, N]`, int64 `[S, N]`."""
        return self.values()[np.arange(self.size)[:, None], x].argmax(axis=2)

    def drawn_actions(self, x: NDArray[np.int64], act: Any) -> NDArray[np.int64]:
        """Actions of the law `act` in states int64 `[S, N]`, from the stream of predictions, int64 `[S, N]`."""
        actions = np.empty(x.shape, np.int64)
        _loop("act_aside", act=act)(self._acting_tables(self._predict_stream), x, actions)
        return actions

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """See `Agent.predict`."""
        x = self.history.read(self.states.read(observation), state, episode_start)
        lead, memory = x.shape, x if self.history.depth > 1 else state
        x = np.ascontiguousarray(x.reshape(self.size, members_of(lead, self.size)))
        if deterministic:
            actions = self.best_actions(x)
        else:
            actions = self.drawn_actions(x, type(self).act)
        return (self.first_action + actions).reshape(lead), memory

    def action_values(self, observation: Any) -> NDArray[np.float64] | None:
        """See `Agent.action_values`; `None` where the table holds something else, or one observation is not enough."""
        unknown = hasattr(self, "V") or self.history.depth > 1
        return None if unknown else self._look_up(self.values(), observation)

    def state_values(self, observation: Any) -> NDArray[np.float64] | None:
        """See `Agent.state_values`."""
        V = getattr(self, "V", None)
        if V is None or self.history.depth > 1:
            return super().state_values(observation)
        return self._look_up(V, observation)

    def _look_up(self, table: NDArray[np.float64], observation: Any) -> NDArray[np.float64]:
        """The entries of a table `[S, X, ...]` for what is observed."""
        x = self.states.read(observation)
        rows = x.reshape(self.size, members_of(x.shape, self.size))
        found = table[np.arange(self.size)[:, None], rows]
        return found.reshape(*x.shape, *table.shape[2:])

    # ---------------------------------------------------------------- saving, restoring, parting

    def _array_attributes(self) -> dict[str, str]:
        return {
            **{f"state/{name}": name for name in self._names},
            **super()._array_attributes(),
            "observation": "_x",
        }

    def _restored(self, *, in_place: bool) -> None:
        super()._restored(in_place=in_place)
        if not in_place:
            self._begin(begin(self.venv, self.seeds))
            for name, empty in self.of_episode.items():
                getattr(self, name)[...] = empty


def _number(value: Any, hint: Any) -> Any:
    """A setting as compiled code sees it: a number of one type, a choice by its place."""
    if isinstance(value, str):
        return get_args(hint).index(value) if get_origin(hint) is Literal else value
    plain = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
    return float(value) if plain is float else value


@functools.cache
def _loop(name: str, **laws: Any) -> Any:
    """A loop with these laws: the rule's own, and those of the world where it is a part of the loop."""
    from rlcourse.agents.tabular import loops
    from rlcourse.agents.tabular.compiled import instantiate

    return instantiate(getattr(loops, name), (loops.decide, loops.experience), laws)


def in_pieces(
    run: Callable[[int, int, int], None],
    size: int,
    steps: int,
    moved: Callable[[int], None],
    advance: Callable[[int], None],
) -> None:
    """Steps in compiled code, the members shared among the cores, in pieces of a tenth of a second.

    Args:
        run: `run(first, last, piece)` makes so many steps of the members `first` to `last - 1`.
        size: members.
        steps: of each.
        moved: told after each piece how long it was.
        advance: the same, for the progress bar.
    """
    threads = min(size, _cores())
    bounds = [size * k // threads for k in range(threads + 1)]
    left, piece = steps, 1
    with ThreadPoolExecutor(threads) as pool:
        while left:
            piece = min(piece, left)
            started = time.perf_counter()
            parts = [pool.submit(run, first, last, piece) for first, last in itertools.pairwise(bounds)]
            try:
                for part in parts:
                    part.result()
            finally:  # also after an interrupt, every member makes the same number of steps
                for part in parts:
                    part.result()
                moved(piece)
            left -= piece
            advance(piece)
            piece = _next_piece(piece, time.perf_counter() - started)


def _cores() -> int:
    """Threads that compiled loops may use; NUMBA_NUM_THREADS limits them, also where processes share the cores."""
    given = os.environ.get("NUMBA_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) else len(os.sched_getaffinity(0))


def _next_piece(piece: int, seconds: float) -> int:
    """Steps that will take about `CHUNK_SECONDS`, but at most ten times as many as now: the first one compiles."""
    return max(1, min(10 * piece, int(piece * CHUNK_SECONDS / max(seconds, 1e-9))))
