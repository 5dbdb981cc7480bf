"""What all bandit strategies share: the loop of pull, pay, learn, and the sample means of the arms.

A strategy is a class with two methods that read like its paper: `select` says which arm every member pulls, `update` takes
in what it paid. All its knowledge stands in arrays with a leading member axis, made by `initial_state`; this base saves,
restores, slices and restarts them.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar, Self

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.arrays import argmax_random_ties
from rlcourse.agents.base import Agent, Arrays, check_steps
from rlcourse.agents.population import begin, make_population
from rlcourse.errors import UsageError
from rlcourse.progress import progress_bar
from rlcourse.streams import Streams


class BanditAgent(Agent):
    """A population of one strategy. An episode is a game: when the world begins anew, so does the member's knowledge.

    A game that is over begins anew when its member next learns, not before: what was learned in it can still be asked for.

    Arms count from 0, also where the actions of a world begin at another number (`Discrete(3, start=1)`): arm a is the
    action start + a. A world of yours may say what ours say: `reward_range = (low, high)`, which no reward leaves, and
    `n_rounds`, the rounds of an episode (else its time limit is taken).

    State of every strategy: `t float64 [S]` (pulls so far), `counts float64 [S, K]` (pulls of each arm) and
    `means float64 [S, K]` (its sample mean). A subclass adds its own arrays in `initial_state`, each also an attribute.
    """

    plays_each_arm_first: ClassVar[bool] = False
    """Pull every arm once, in a random order of the member's own, before `select` is asked."""
    needs_bounded_rewards: ClassVar[str | None] = None
    """For a strategy that is defined on bounded rewards alone: what would fit an unbounded world instead."""
    needs_truth: ClassVar[bool] = False
    """The runner tells the true value of every arm before each pull (`tell`)."""
    looks: ClassVar[bool] = False
    """Its `values` depend on what is observed; a plain strategy's do not."""
    fitting_observation: ClassVar[str] = "nothing to observe, such as Bandit-v0"
    """Which observation it is made for, as the refusal of a world says it."""

    n_arms: int
    """K."""
    reward_low: float
    reward_high: float
    """No reward leaves these bounds, infinite where the world has none."""
    reward_scale: float
    """What a bonus for rewards in [0, 1] is multiplied with: the width of the range, 1 where there are no bounds."""
    offset: NDArray[np.int64]
    """Where each member's row begins in a flat `[S, K]` table, `[S]`: `table.reshape(-1)[offset + actions]` are the cells of
    the arms that were pulled."""
    t: NDArray[np.float64]
    counts: NDArray[np.float64]
    means: NDArray[np.float64]

    # ---------------------------------------------------------------- what a strategy says

    def initial_state(self, size: int) -> Arrays:
        """The arrays of `size` members that know nothing yet, by attribute name."""
        return {
            "t": np.zeros(size),
            "counts": np.zeros((size, self.n_arms)),
            "means": np.zeros((size, self.n_arms)),
        }

    @abstractmethod
    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm that every member pulls now, int64 `[S]`.

        Args:
            observation: what the members see, `[S, ...]`; a plain strategy does not look.
        """

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Take in what the pulls paid: here the incremental sample mean (Sutton & Barto 2018, eq. 2.3).

        Args:
            observation: what was seen before the pull, `[S, ...]`.
            actions: int64 `[S]`.
            rewards: float64 `[S]`.
        """
        from rlcourse.agents.bandits.compiled import sample_means  # numba: loaded when the first agent acts

        sample_means(self.counts, self.means, self.t, actions, rewards)

    def values(self, observation: Any) -> NDArray[np.float64]:
        """How good every arm looks, `[S, K]`: what the deterministic policy maximises and the viewer draws."""
        return self.means

    def recommendation(self) -> NDArray[np.int64]:
        """The arm that every member would settle on now, int64 `[S]`; what simple regret is measured of."""
        return self._decide(self._observation)

    def final_scores(self) -> dict[str, NDArray[np.float64]]:
        """Figures that only the strategy itself knows, such as when it stopped exploring: name -> float64 `[S]`."""
        return {}

    # ---------------------------------------------------------------- the worlds

    def _setup(self) -> None:
        self.venv = make_population(self.spec, self.env_kwargs, self.size)
        world = self.venv.unwrapped
        space = self.venv.single_action_space
        observed = self.venv.single_observation_space
        plain = isinstance(observed, gymnasium.spaces.Discrete) and observed.n == 1
        if not isinstance(space, gymnasium.spaces.Discrete) or not (plain or hasattr(world, "arm_values")):
            raise UsageError(
                f"{self.name} is a bandit strategy and cannot learn in {self.spec.id}, whose observation decides what an "
                f"action does: it fits worlds with Discrete actions and {self.fitting_observation}"
            )
        self.n_arms = int(space.n)
        self.first_action = int(space.start)
        low, high = self._said("reward_range") or (-math.inf, math.inf)
        self.reward_low, self.reward_high = float(low), float(high)
        if self.needs_bounded_rewards:
            self.require_bounded_rewards(self.needs_bounded_rewards)
        self.reward_scale = high - low if 0.0 < high - low < math.inf else 1.0
        self._check_world()
        self.offset = np.arange(0, self.size * self.n_arms, self.n_arms)
        self.stream = Streams.from_seeds(self.seeds, "agent")
        self._predict_stream = Streams.from_seeds(self.seeds, "predict")
        fresh = self.initial_state(self.size)
        self._names = tuple(fresh)
        for name, array in fresh.items():
            setattr(self, name, array)
        self._warming_up = self.plays_each_arm_first
        if self.plays_each_arm_first:
            self._order = self.stream.uniform(self.n_arms).argsort(axis=1)
        self._observation = begin(self.venv, self.seeds)
        self._over = np.zeros(self.size, np.bool_)

    def _check_world(self) -> None:
        """Refuse, with a `UsageError`, a world that lacks what this strategy needs."""

    def require_bounded_rewards(self, fitting: str) -> None:
        """Refuse a world whose rewards have no known bounds, and name the strategies that would fit."""
        if not math.isfinite(self.reward_high - self.reward_low):
            raise UsageError(
                f"{self.name} needs bounded rewards, and {self.spec.id} with these options has none: {fitting} would fit"
            )

    def planned_horizon(self) -> int:
        """The rounds T that a strategy with a setting `horizon` is tuned for: the setting, else what the world says.

        Raises:
            UsageError: neither says it.
        """
        rounds = getattr(self.config, "horizon", None) or self.world_horizon()
        if rounds is None:
            raise UsageError(
                f"{self.name} plans for a horizon, which {self.spec.id} does not say: give horizon=ROUNDS"
            )
        return int(rounds)

    def scaled(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rewards of any shape brought to [0, 1] by the bounds of the world, which must be finite."""
        return np.clip((rewards - self.reward_low) / self.reward_scale, 0.0, 1.0)

    # ---------------------------------------------------------------- the loop

    def act(self, observation: Any) -> NDArray[np.int64]:
        """`select`, after the first round of every arm where the strategy asks for one."""
        if not self._warming_up:
            return self.select(observation)
        if not (self.t < self.n_arms).any():
            self._warming_up = False
            return self.select(observation)
        young = np.flatnonzero(self.t < self.n_arms)
        if len(young) == self.size:
            return self._order[young, self.t[young].astype(np.int64)]
        unmoved = self.stream.state[young]
        with np.errstate(divide="ignore", invalid="ignore"):
            actions = self.select(observation)
        self.stream.state[young] = unmoved  # they were not asked, so they have drawn nothing
        actions[young] = self._order[young, self.t[young].astype(np.int64)]
        return actions

    def learn(self, steps: int, *, progress: bool = False) -> Self:
        """See `Agent.learn`."""
        steps = check_steps(steps)
        stride = max(1, steps // 200)
        with progress_bar(steps, f"{self.name} x {self.size}", show=progress) as advance:
            for step in range(1, steps + 1):
                if self._over.any():  # only now, so that what was learned in a game can be asked for after it
                    self._restart(self._over)
                if self.needs_truth:
                    self.tell(self.venv.unwrapped.arm_values())  # type: ignore[attr-defined]
                observation = self._observation
                actions = self.act(observation)
                self._observation, rewards, terminated, truncated, _ = self.venv.step(
                    self.first_action + actions
                )
                self.update(observation, actions, rewards)
                self.num_timesteps += 1
                self._over = terminated | truncated
                if step % stride == 0 or step == steps:
                    advance(step % stride or stride)
        return self

    def tell(self, values: NDArray[np.float64]) -> None:
        """The door for the truth: the true value of every arm now, `[S, K]`. Only `needs_truth` strategies are told."""
        raise UsageError(f"{self.name} takes no truth")

    def _restart(self, done: NDArray[np.bool_]) -> None:
        """Begin a new game where one is over: a new episode of the world, and no knowledge of the old one."""
        self._observation, _ = self.venv.reset(options={"reset_mask": done})
        rows = np.flatnonzero(done)
        for name, array in self.initial_state(len(rows)).items():
            getattr(self, name)[rows] = array
        if self.plays_each_arm_first:
            self._order[rows] = self.stream.uniform(self.n_arms, rows=rows).argsort(axis=1)
            self._warming_up = True

    # ---------------------------------------------------------------- acting without learning

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """See `Agent.predict`."""
        lead, columns = self._columns(observation)
        if deterministic and not self.looks:
            actions = [self._decide(columns[0])] * len(columns)
        else:
            decide = self._decide if deterministic else self._act_aside
            actions = [decide(column) for column in columns]
        stacked = np.stack(actions, axis=1).reshape(lead).astype(np.int64)
        stacked += self.first_action
        return stacked, state

    def _columns(self, observation: Any) -> tuple[tuple[int, ...], list[NDArray[Any]]]:
        """The leading shape of an observation, and its copies one after another, each `[S, ...]`."""
        shape = self.venv.single_observation_space.shape or ()
        try:
            observation = np.asarray(observation)
        except ValueError:  # rows of different lengths
            observation = np.asarray(None)
        lead = observation.shape[: observation.ndim - len(shape)]
        if observation.dtype.kind not in "biuf" or observation.shape != lead + shape or not observation.size:
            raise UsageError(
                f"the observation is {observation.dtype}{list(observation.shape)}, expected numbers, for each copy "
                f"{list(shape)}"
            )
        if self.size == 1 and len(lead) <= 1:
            table = observation.reshape(1, -1, *shape)
        elif lead[:1] == (self.size,) and len(lead) <= 2:
            table = observation.reshape(self.size, -1, *shape)
        else:
            raise UsageError(
                f"the observation leads with {list(lead)}, expected [{self.size}] or [{self.size}, N]: one for each member"
            )
        return lead, [np.ascontiguousarray(table[:, n]) for n in range(table.shape[1])]

    def _decide(self, observation: NDArray[Any]) -> NDArray[np.int64]:
        return self.values(observation).argmax(axis=1)

    def _act_aside(self, observation: NDArray[Any]) -> NDArray[np.int64]:
        """One act as while learning, from the stream for predictions, after which all is as it was."""
        before = {name: getattr(self, name).copy() for name in self._names}
        stream, warming = self.stream, self._warming_up
        self.stream = self._predict_stream
        try:
            return self.act(observation)
        finally:
            self.stream, self._warming_up = stream, warming
            for name, array in before.items():
                setattr(self, name, array)

    # ---------------------------------------------------------------- saving, restoring, parting

    def _array_attributes(self) -> dict[str, str]:
        attributes = {f"state/{name}": name for name in self._names}
        if self.plays_each_arm_first:
            attributes["order"] = "_order"
        return attributes | {"observation": "_observation", "over": "_over"}

    def _restored(self, *, in_place: bool) -> None:
        self._warming_up = self.plays_each_arm_first

    def greedy(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """The best of the arms, ties broken at random."""
        return argmax_random_ties(values, self.stream)
