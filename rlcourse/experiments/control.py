"""Record a population that acts in episode after episode: what it earned, what its policy is worth, how far that is from best.

Metrics:

    return         mean return of evaluation episodes, played by the policy as it is in the end
    online_return  mean return of the episodes that were finished while learning; in curves since the last checkpoint
    success        share of the evaluation episodes that the world calls a success, where it says so
    optimal        share of the states, among those that can be reached, where the greedy action is optimal
    gap            how much less the greedy policy is worth than the best there is, exactly, from the start
    steps_to_95    steps until it was worth 95% of the best, at the grain of the checkpoints; the whole budget if it never was

`return`, `gap` and their optimum are undiscounted and under the time limit of the world. `optimal` is by the discount of the
agent. The last three need a finite model, whose states are what is observed.
"""

from __future__ import annotations

import time
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
from rlcourse.mdp import FiniteMDP, evaluate_policy, finite_horizon, optimal_actions, value_iteration
from rlcourse.progress import progress_bar

Floats = NDArray[np.float64]

EPISODES = 20
"""Evaluation episodes of each member."""
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
    yardstick = Yardstick.of(learner)
    begun, earned_before = learner.episodes.copy(), learner.earned.copy()
    curve = np.empty((len(checkpoints), learner.size))
    reached = np.full(learner.size, steps, np.float64)
    waiting = np.ones(learner.size, np.bool_)
    last, shown = 0, learner.running.copy()
    with progress_bar(steps, f"{learner.name} x {learner.size}", show=progress) as advance:
        for place, point in enumerate(checkpoints):
            episodes, earned = learner.episodes.copy(), learner.earned.copy()
            learner.learn(int(point) - last)
            advance(int(point) - last)
            last = int(point)
            shown = _mean_return(learner, episodes, earned, shown)
            curve[place] = shown
            if yardstick is not None and waiting.any():
                fine = waiting & yardstick.is_enough(learner)
                reached[fine] = point
                waiting &= ~fine
    episodes_played = play(learner, EPISODES)
    scores = {
        "return": episodes_played.returns.mean(axis=1),
        "online_return": _mean_return(learner, begun, earned_before, learner.running),
    }
    if episodes_played.success is not None:
        scores["success"] = episodes_played.success.mean(axis=1)
    optimum: dict[str, Floats] = {}
    now = None if yardstick is None else Yardstick.of(learner)
    if yardstick is not None and now is not None:
        scores |= now.scores(learner)
        best = np.full(learner.size, now.best)
        optimum = {"return": best, "online_return": best.copy()}
        if "gap" in scores:
            optimum["gap"] = np.zeros(learner.size)
        if "optimal" in scores:
            optimum["optimal"] = np.ones(learner.size)
        if yardstick.same_world(now) and yardstick.total is not None and "gap" in scores:
            scores["steps_to_95"] = reached
    return Cell(
        agent=learner.name,
        env=learner.spec.id,
        agent_kwargs=learner.settings,
        env_kwargs=learner.env_kwargs,
        seeds=learner.seeds,
        n_steps=steps,
        steps=checkpoints,
        curves={"online_return": curve},
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
        try:
            self.total: float | None = float(mdp.start_value(value_iteration(mdp, 1.0).V))
        except UsageError:  # without discount there is no optimum
            self.total = None

    @classmethod
    def of(cls, learner: ControlAgent) -> Yardstick | None:
        """That of a learner's world; `None` where it gives no model, or one of other states than are observed."""
        if not isinstance(learner, (TabularAgent, SelfPlay, RandomAgent)):
            return None
        twin = gymnasium.make(learner.spec.id, **learner.env_kwargs)
        try:
            world: Any = learner.venv.unwrapped
            if hasattr(world, "get_state"):  # all members have lived equally long
                state = {name: array[:1] for name, array in world.get_state().items() if name != "finished"}
                twin.unwrapped.set_state(state)  # type: ignore[attr-defined]
            mdp = FiniteMDP.from_env(twin)
            if not isinstance(learner, RandomAgent) and mdp.n_states != learner.n_states:
                return None
            if not mdp.available.all():
                return None
            return cls(mdp, learner.world_horizon() or LONGEST)
        except UsageError:
            return None
        finally:
            twin.close()

    def same_world(self, other: Yardstick) -> bool:
        """Whether nothing has changed."""
        names = ("first", "prob", "next", "reward", "terminated")
        return all(
            np.array_equal(getattr(self.mdp, name), getattr(other.mdp, name), equal_nan=False)
            for name in names
        )

    def _policy(self, learner: ControlAgent) -> NDArray[Any] | None:
        """The policy of every member; of the random player, chances; `None` where it depends on the time."""
        if isinstance(learner, RandomAgent):
            chances = np.full((self.mdp.n_states, self.mdp.n_actions), 1.0 / self.mdp.n_actions)
            return np.broadcast_to(chances, (learner.size, *chances.shape))
        if isinstance(learner, Planner) and len(learner.plan) > 1:
            return None
        assert isinstance(learner, (TabularAgent, SelfPlay))
        return learner.policy()

    def is_enough(self, learner: ControlAgent) -> NDArray[np.bool_]:
        """Whose greedy policy is worth 95% of the best, bool `[S]`; without the time limit, which takes less time to solve."""
        policy = self._policy(learner)
        if policy is None or self.total is None:
            return np.zeros(learner.size, np.bool_)
        distinct, member = np.unique(policy, axis=0, return_inverse=True)
        worth = self.mdp.start_value(evaluate_policy(self.mdp, distinct, 1.0))
        return np.asarray(worth >= self.total - (1.0 - ENOUGH) * abs(self.total))[member.reshape(-1)]

    def scores(self, learner: ControlAgent) -> dict[str, Floats]:
        """`gap` and `optimal` of every member, as far as they can be said."""
        policy = self._policy(learner)
        if policy is None:
            return {}
        distinct, member = np.unique(policy, axis=0, return_inverse=True)
        worth = self.mdp.start_value(evaluate_policy(self.mdp, distinct, 1.0, horizon=self.horizon))
        found = {"gap": self.best - worth[member.reshape(-1)]}
        gamma = getattr(learner.config, "gamma", None)
        if gamma is not None and policy.ndim == 2:
            best = optimal_actions(self.mdp, value_iteration(self.mdp, gamma).V, gamma, tol=1e-7)
            where = np.flatnonzero(self.mdp.reachable())
            found["optimal"] = best[where, policy[:, where]].mean(axis=1)
        return found
