"""What can be known exactly of what a population has learned: the best that is possible, and what its policies are worth.

All of it is solved in the finite models of the members' worlds; nothing is played. Where what is observed says in which state
the world is, or at least depends on nothing else, a policy over observations is one over states.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from hashlib import blake2b
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.control import ControlAgent
from rlcourse.agents.evaluation import LONGEST
from rlcourse.agents.random import RandomAgent
from rlcourse.agents.tabular.base import TabularAgent
from rlcourse.agents.tabular.planners import Planner
from rlcourse.agents.tabular.self_play import SelfPlay
from rlcourse.errors import UsageError
from rlcourse.experiments.control_yardsticks import distance_to_optimum, greedy_value, optimal_share
from rlcourse.mdp import FiniteMDP, finite_horizon, value_iteration
from rlcourse.streams import Streams

Floats = NDArray[np.float64]

ENOUGH = 0.95
"""Share of the best that `steps_to_95` waits for."""
LEVELS = 100
"""Levels over which the best is averaged where every episode has one of its own."""
LOOKS = 1 << 16
"""Observations that are shown to a population at once, over all members."""


class Yardstick:
    """What can be known exactly of policies in a finite world, as it stands.

    Args:
        mdp: its model.
        horizon: its time limit.
    """

    def __init__(self, mdp: FiniteMDP, horizon: int) -> None:
        self.mdp, self.horizon = mdp, horizon
        self._last: dict[int | None, dict[bytes, float]] = {}
        self.best = float(mdp.start_value(finite_horizon(mdp, horizon).V[0]))

    @cached_property
    def total(self) -> float | None:
        """The best without time limit; `None` where there is none."""
        try:
            return float(self.mdp.start_value(value_iteration(self.mdp, 1.0).V))
        except UsageError:
            return None

    def is_enough(self, policy: NDArray[Any]) -> NDArray[np.bool_]:
        """Which policies `[S, X]` are worth 95% of the best.

        Those that are not without the time limit, which takes less time to solve, are not asked under it.
        """
        if self.total is None:
            return np.zeros(len(policy), np.bool_)
        enough = self._worth(policy, None) >= self.total - (1.0 - ENOUGH) * abs(self.total)
        enough[enough] = self.gap(policy[enough]) <= (1.0 - ENOUGH) * abs(self.best)
        return enough

    def gap(self, policy: NDArray[Any]) -> Floats:
        """How much less than the best each policy is worth."""
        return self.best - self._worth(policy, self.horizon)

    def _worth(self, policy: NDArray[Any], horizon: int | None) -> Floats:
        """What each policy is worth under this time limit; each is solved once, and those of the last time are remembered."""
        keys = [blake2b(one.tobytes(), digest_size=16).digest() for one in policy]
        known = self._last.get(horizon, {})
        new = {key: row for row, key in enumerate(keys) if key not in known}
        if new:
            solved = greedy_value(self.mdp, policy[list(new.values())], 1.0, horizon)
            known = {**known, **dict(zip(new, solved.tolist(), strict=True))}
        self._last[horizon] = {key: known[key] for key in keys}
        return np.array([known[key] for key in keys], np.float64)


class Yardsticks:
    """The yardsticks of a population: one for all members, or one for each where their worlds stand differently.

    Args:
        yardsticks: by what the models depend on.
        keys: what the model of each member depends on.
        changes: whether the models change.
        best: the best return of each member's world, `[S]`; `None` is that of the yardsticks.
    """

    def __init__(
        self,
        yardsticks: dict[bytes, Yardstick],
        keys: list[bytes],
        changes: bool,
        best: Floats | None = None,
    ) -> None:
        self.yardsticks, self.keys, self.changes = yardsticks, keys, changes
        self.best = np.array([yardsticks[key].best for key in keys]) if best is None else best

    @classmethod
    def of(cls, learner: ControlAgent, before: Yardsticks | None = None) -> Yardsticks | None:
        """Those of a learner's worlds; `None` where they give no model, or an agent with a table observes other states.

        Where every episode has a level of its own, the best is the mean over `LEVELS` of them.

        Args:
            learner: the population.
            before: the yardsticks of a moment ago, which are used again where nothing has changed.
        """
        world: Any = learner.venv.unwrapped
        if hasattr(world, "arm_values"):
            return None
        if getattr(getattr(world, "rules", None), "level_an_episode", False):
            return before or _of_levels(learner)
        versions = world.versions() if hasattr(world, "versions") else None
        versions = None if versions is None else versions[:: learner.copies]  # of each member's first copy
        keys = [b""] * learner.size if versions is None else [row.tobytes() for row in versions]
        known = {} if before is None else before.yardsticks
        if keys == (None if before is None else before.keys):
            return before
        found: dict[bytes, Yardstick] = {}
        twin = gymnasium.make(learner.spec.id, **learner.env_kwargs)
        try:
            for row, key in enumerate(keys):
                if key not in found:
                    if key in known:
                        found[key] = known[key]
                        continue
                    one = _yardstick(learner, twin, row)
                    if one is None:
                        return None
                    found[key] = one
        finally:
            twin.close()
        return cls(found, keys, versions is not None)

    @property
    def n_states(self) -> int:
        """How many states the largest of the models has; 0 without models."""
        return max((one.mdp.n_states for one in self.yardsticks.values()), default=0)

    @property
    def has_total(self) -> bool:
        """Whether there is a best without a time limit."""
        return bool(self.yardsticks) and all(one.total is not None for one in self.yardsticks.values())

    def is_enough(self, learner: ControlAgent) -> NDArray[np.bool_]:
        """Whose greedy policy is worth 95% of the best, bool `[S]`."""
        policy = self._policy(learner)
        if policy is None:
            return np.zeros(learner.size, np.bool_)
        return self._each(lambda one, rows: one.is_enough(policy[rows]), np.bool_)

    def scores(self, learner: ControlAgent) -> dict[str, Floats]:
        """`gap` and `optimal` of every member, as far as they can be said."""
        policy = self._policy(learner)
        if policy is None:
            return {}
        found = {"gap": self._each(lambda one, rows: one.gap(policy[rows]), np.float64)}
        gamma = getattr(learner.config, "gamma", None)
        if gamma is not None and policy.ndim == 2:
            for metric, ask in (("optimal", optimal_share), ("distance", distance_to_optimum)):
                found[metric] = self._each(partial(_of_policies, ask, policy, gamma), np.float64)
        return found

    def _each(self, ask: Callable[[Yardstick, NDArray[np.intp]], NDArray[Any]], kind: Any) -> NDArray[Any]:
        """Ask every yardstick of its members."""
        answers = np.empty(len(self.keys), kind)
        for key, one in self.yardsticks.items():
            rows = np.array([row for row, mine in enumerate(self.keys) if mine == key])
            answers[rows] = ask(one, rows)
        return answers

    def _policy(self, learner: ControlAgent) -> NDArray[Any] | None:
        """The policy of every member over states; of the random player, chances; `None` where it depends on more."""
        if not self.yardsticks:
            return None
        if isinstance(learner, RandomAgent):
            mdp = next(iter(self.yardsticks.values())).mdp
            chances = np.full((mdp.n_states, mdp.n_actions), 1.0 / mdp.n_actions)
            return np.broadcast_to(chances, (learner.size, *chances.shape))
        if isinstance(learner, Planner) and learner.plan.shape[1] > 1:
            return None
        if isinstance(learner, (TabularAgent, SelfPlay)):
            return learner.policy()
        return None if self.changes else policy_by_sight(learner, next(iter(self.yardsticks.values())).mdp)


def _of_policies(
    ask: Callable[..., Floats],
    policy: NDArray[Any],
    gamma: float,
    one: Yardstick,
    rows: NDArray[np.intp],
) -> Floats:
    """A figure of the policies of these members."""
    return ask(one.mdp, policy[rows], gamma)


def _yardstick(learner: ControlAgent, twin: gymnasium.Env[Any, Any], row: int) -> Yardstick | None:
    """That of the world of member `row`; `twin` is a copy to put into its state."""
    world: Any = learner.venv.unwrapped
    try:
        if hasattr(world, "get_state") and hasattr(twin.unwrapped, "set_state"):
            first = row * learner.copies
            state = {name: array[first : first + 1] for name, array in world.get_state().items()}
            del state["finished"]
            twin.unwrapped.set_state(state)
        mdp = FiniteMDP.from_env(twin)
    except UsageError:
        return None
    if isinstance(learner, (TabularAgent, SelfPlay)) and mdp.n_states != learner.n_states:
        return None
    return Yardstick(mdp, learner.world_horizon() or LONGEST) if mdp.available.all() else None


def _of_levels(learner: ControlAgent) -> Yardsticks | None:
    """The mean of the best over levels as they are drawn, the same for all members."""
    best = best_of_levels(learner, learner.env_kwargs)
    return None if best is None else Yardsticks({}, [], False, np.full(learner.size, best))


def best_of_levels(learner: ControlAgent, env_kwargs: dict[str, Any]) -> float | None:
    """The best return where every episode has a level of its own, the mean over `LEVELS` of them; `None` without a model."""
    twin = gymnasium.make(learner.spec.id, **env_kwargs)
    seeds = Streams.from_seeds([0], "levels").bits(LEVELS)[0] >> np.uint64(1)
    found = []
    try:
        for seed in seeds.tolist():
            twin.reset(seed=seed)
            found.append(Yardstick(FiniteMDP.from_env(twin), learner.world_horizon() or LONGEST).best)
    except UsageError:
        return None
    finally:
        twin.close()
    return float(np.mean(found))


def policy_by_sight(learner: ControlAgent, mdp: FiniteMDP) -> NDArray[np.int64] | None:
    """What each member does in every state of a model, by what it sees there, int64 `[S, X]`.

    Args:
        learner: the population.
        mdp: the model of its world.

    Returns:
        `None` where what is seen depends on more than the state, or the agent remembers what it saw before.
    """
    space: Any = learner.venv.single_observation_space
    rules: Any = getattr(learner.venv.unwrapped, "rules", None)
    if isinstance(space, gymnasium.spaces.Discrete) and space.n == mdp.n_states and rules is None:
        seen: Any = np.arange(mdp.n_states) + int(space.start)
    elif hasattr(rules, "states_seen"):
        seen = rules.states_seen(learner.venv.unwrapped._state)  # type: ignore[attr-defined]
    else:
        return None
    if seen is None or len(seen) != mdp.n_states:
        return None
    policy = np.empty((learner.size, len(seen)), np.int64)
    width = max(1, LOOKS // learner.size)
    for start in range(0, len(seen), width):
        part = seen[start : start + width]
        shown = np.broadcast_to(part, (learner.size, *part.shape))
        first = np.ones(shown.shape[:2], np.bool_)
        policy[:, start : start + width], memory = learner.predict(shown, None, first)
        if memory is not None:
            return None
    return policy - learner.first_action
