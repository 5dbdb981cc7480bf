"""Record a population that acts in episode after episode: what it earned, what its policy is worth, how far that is from best.

Metrics:

    return         mean return of evaluation episodes, played by the policy as it is in the end
    online_return  mean return of the episodes that were finished while learning; in curves since the last checkpoint
    success        share of the evaluation episodes that the world calls a success, where it says so
    optimal        share of the states, among those that can be reached, where the greedy action is optimal
    gap            how much less the greedy policy is worth than the best there is, exactly, from the start
    distance       how much less at most, from any state that can be reached, by the discount of the agent
    win_rate       share of the cells of a maze from which the greedy policy wins
    steps_to_95    steps until it was worth 95% of the best, at the grain of some forty checkpoints; the whole budget if it
                   never was
    regret         in a world that changes: what the episodes paid less than a clairvoyant would expect, who knows how the
                   world stands, summed over all of them; how it stands is looked at when a checkpoint is passed

`return`, `gap`, `regret` and their optimum are undiscounted and under the time limit of the world. `optimal` is by the
discount of the agent. All but the first three need a finite model, whose states are what is observed. In a world that changes
all figures but the regret are of the world as each member leaves it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.control import ControlAgent
from rlcourse.agents.evaluation import LONGEST, play
from rlcourse.agents.random import RandomAgent
from rlcourse.agents.tabular.base import TabularAgent
from rlcourse.agents.tabular.planners import Planner
from rlcourse.agents.tabular.self_play import SelfPlay
from rlcourse.errors import UsageError
from rlcourse.experiments.cell import Cell
from rlcourse.experiments.control_yardsticks import (
    distance_to_optimum,
    greedy_value,
    optimal_share,
    win_rate_from_every_cell,
)
from rlcourse.mdp import FiniteMDP, finite_horizon, value_iteration
from rlcourse.progress import progress_bar

Floats = NDArray[np.float64]

EPISODES = 20
"""Evaluation episodes of each member."""
CHECKS = 40
"""How often at most it is looked whether a policy is worth enough: each time it is solved for every member."""
ENOUGH = 0.95
"""Share of the best that `steps_to_95` waits for."""


def record_control(
    learner: ControlAgent, steps: int, checkpoints: NDArray[np.int64], *, progress: bool = False
) -> Cell:
    """Let a population that stands learn for `steps` more steps, and record these.

    Args:
        learner: the population; afterwards it knows what it has learned, and can be saved.
        steps: steps of each member.
        checkpoints: increasing steps `[P]`, the last one is `steps`.
        progress: draw a bar.
    """
    started = time.perf_counter()
    begun, earned_before = learner.episodes.copy(), learner.earned.copy()
    curves = {"online_return": np.empty((len(checkpoints), learner.size))}
    reached = np.full(learner.size, steps, np.float64)
    waiting = np.ones(learner.size, np.bool_)
    regret = np.zeros(learner.size)
    shown = learner.running.copy()
    exact = Yardsticks.of(learner)
    changes = exact is not None and exact.changes
    grain = -(-len(checkpoints) // CHECKS)
    if changes:
        curves["regret"] = np.empty((len(checkpoints), learner.size))
    with progress_bar(steps, f"{learner.name} x {learner.size}", show=progress) as advance:
        pieces = learner.follow(np.diff(checkpoints, prepend=0).tolist(), advance)
        for place, point in enumerate(checkpoints):
            episodes, earned = learner.episodes.copy(), learner.earned.copy()
            next(pieces)
            shown = _mean_return(learner, episodes, earned, shown)
            curves["online_return"][place] = shown
            if exact is not None and changes:  # the clairvoyant of the span that has just passed
                regret += (learner.episodes - episodes) * exact.best - (learner.earned - earned)
                curves["regret"][place] = regret
                exact = Yardsticks.of(learner, exact)
            elif exact is not None and waiting.any() and (place % grain == 0 or point == steps):
                fine = waiting & exact.is_enough(learner)
                reached[fine] = point
                waiting &= ~fine
    played = play(learner, EPISODES)
    scores = {
        "return": played.returns.mean(axis=1),
        "online_return": _mean_return(learner, begun, earned_before, learner.running),
    }
    if played.success is not None:
        scores["success"] = played.success.mean(axis=1)
    optimum: dict[str, Floats] = {}
    if exact is not None:
        scores |= exact.scores(learner)
        optimum = {"return": exact.best.copy()}
        if changes:
            scores["regret"] = regret.copy()
        else:
            optimum["online_return"] = exact.best.copy()
        for metric, best in (("gap", 0.0), ("optimal", 1.0), ("distance", 0.0), ("regret", 0.0)):
            if metric in scores:
                optimum[metric] = np.full(learner.size, best)
        won = None if changes else _win_rate(learner)
        if won is not None:
            scores["win_rate"] = won
        if not changes and "gap" in scores and exact.has_total:
            scores["steps_to_95"] = reached
    return Cell(
        agent=learner.name,
        env=learner.spec.id,
        agent_kwargs=learner.settings,
        env_kwargs=learner.env_kwargs,
        seeds=learner.seeds,
        n_steps=steps,
        steps=checkpoints,
        curves=curves,
        scores=scores,
        optimum=optimum,
        wall_seconds=time.perf_counter() - started,
    )


def _mean_return(
    learner: ControlAgent, episodes: NDArray[np.int64], earned: Floats, otherwise: Floats
) -> Floats:
    """The mean return `[S]` of the episodes finished since the account stood so; `otherwise` where there was none."""
    count = learner.episodes - episodes
    return np.where(count > 0, (learner.earned - earned) / np.maximum(count, 1), otherwise)


class Yardstick:
    """What can be known exactly of policies in a finite world, as it stands.

    Args:
        mdp: its model.
        horizon: its time limit.
    """

    def __init__(self, mdp: FiniteMDP, horizon: int) -> None:
        self.mdp, self.horizon = mdp, horizon
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
        distinct, member = np.unique(policy, axis=0, return_inverse=True)
        return greedy_value(self.mdp, distinct, 1.0, horizon)[member.reshape(-1)]


class Yardsticks:
    """The yardsticks of a population: one for all members, or one for each where their worlds stand differently.

    Args:
        yardsticks: by what the models depend on.
        keys: what the model of each member depends on.
    """

    def __init__(self, yardsticks: dict[bytes, Yardstick], keys: list[bytes], changes: bool) -> None:
        self.yardsticks, self.keys, self.changes = yardsticks, keys, changes
        self.best = np.array([yardsticks[key].best for key in keys])

    @classmethod
    def of(cls, learner: ControlAgent, before: Yardsticks | None = None) -> Yardsticks | None:
        """Those of a learner's worlds; `None` where they give no model, or one of other states than are observed.

        Args:
            learner: the population.
            before: the yardsticks of a moment ago, which are used again where nothing has changed.
        """
        if not isinstance(learner, (TabularAgent, SelfPlay, RandomAgent)):
            return None
        world: Any = learner.venv.unwrapped
        versions = world.versions() if hasattr(world, "versions") else None
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
    def has_total(self) -> bool:
        """Whether there is a best without a time limit."""
        return all(one.total is not None for one in self.yardsticks.values())

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
        """The policy of every member; of the random player, chances; `None` where it depends on the time."""
        if isinstance(learner, RandomAgent):
            mdp = next(iter(self.yardsticks.values())).mdp
            chances = np.full((mdp.n_states, mdp.n_actions), 1.0 / mdp.n_actions)
            return np.broadcast_to(chances, (learner.size, *chances.shape))
        if isinstance(learner, Planner) and learner.plan.shape[1] > 1:
            return None
        assert isinstance(learner, (TabularAgent, SelfPlay))
        return learner.policy()


def _of_policies(
    ask: Callable[..., Floats],
    policy: NDArray[Any],
    gamma: float,
    one: Yardstick,
    rows: NDArray[np.intp],
) -> Floats:
    """A figure of the policies of these members."""
    return ask(one.mdp, policy[rows], gamma)


def _win_rate(learner: ControlAgent) -> Floats | None:
    """From how many cells each member wins; `None` outside of mazes for one walker."""
    rules: Any = getattr(learner.venv.unwrapped, "rules", None)
    if getattr(rules, "walkers", 0) != 1 or not isinstance(learner, TabularAgent):
        return None
    twin = gymnasium.make(learner.spec.id, **learner.env_kwargs)
    twin.reset(seed=0)
    try:
        return win_rate_from_every_cell(learner, twin.unwrapped)  # type: ignore[arg-type]
    finally:
        twin.close()


def _yardstick(learner: ControlAgent, twin: gymnasium.Env[Any, Any], row: int) -> Yardstick | None:
    """That of the world of member `row`; `twin` is a copy to put into its state."""
    world: Any = learner.venv.unwrapped
    try:
        if hasattr(world, "get_state") and hasattr(twin.unwrapped, "set_state"):
            state = {name: array[row : row + 1] for name, array in world.get_state().items()}
            del state["finished"]
            twin.unwrapped.set_state(state)
        mdp = FiniteMDP.from_env(twin)
    except UsageError:
        return None
    if isinstance(learner, (TabularAgent, SelfPlay)) and mdp.n_states != learner.n_states:
        return None
    return Yardstick(mdp, learner.world_horizon() or LONGEST) if mdp.available.all() else None
