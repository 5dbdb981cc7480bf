"""Record a population that acts in episode after episode: what it earned, what its policy is worth, how far that is from best.

Metrics:

    return         mean return of evaluation episodes, played by the policy as it is in the end
    online_return  mean return of the episodes that were finished while learning; in curves since the last checkpoint (where
                   there was none, the last ones before; NaN until a member has finished one)
    test_return    the same on levels that were not met while learning, where the world is one of generated levels
    success        share of the evaluation episodes that the world calls a success, where it says so
    optimal        share of the states, among those that can be reached, where the greedy action is optimal
    gap            how much less the greedy policy is worth than the best there is, exactly, from the start
    distance       how much less at most, from any state that can be reached, by the discount of the agent
    win_rate       share of the cells of a maze from which the greedy policy wins
    steps_to_95    steps until it was worth 95% of the best, at the grain of some forty checkpoints, or fewer where the world
                   has more states than the members make steps; the whole budget if it never was
    regret         in a world that changes: what the episodes paid less than a clairvoyant would expect, who knows how the
                   world stands, summed over all of them; how it stands is looked at when a checkpoint is passed

`return`, `gap`, `regret` and their optimum are undiscounted and under the time limit of the world. `optimal` is by the
discount of the agent. All but the first three need a finite model, whose states are what is observed. In a world that changes
all figures but the regret are of the world as each member leaves it. `steps_to_95` and `regret` need an agent whose policy and
worlds can be looked at while it learns.
"""

from __future__ import annotations

import time
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.control import ControlAgent
from rlcourse.agents.evaluation import play
from rlcourse.agents.random import RandomAgent
from rlcourse.errors import UsageError
from rlcourse.experiments.cell import Cell
from rlcourse.experiments.control_yardsticks import win_rate_from_every_cell
from rlcourse.experiments.exact import Yardsticks, best_of_levels
from rlcourse.progress import progress_bar

Floats = NDArray[np.float64]

EPISODES = 20
"""Evaluation episodes of each member."""
CHECKS = 40
"""How often at most it is looked whether a policy is worth enough: each time it is solved for every member."""
FEWEST_CHECKS = 8
"""How often it is at least, with as many checkpoints."""
STATES_A_STEP = 40
"""For each step, states at most at which a policy is looked at, so that looking does not take longer than learning by far."""


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
    shown = np.full(learner.size, np.nan)
    exact = Yardsticks.of(learner)
    changes = exact is not None and exact.changes
    on_the_way = None if learner.follows_account_alone else exact
    grain = -(-len(checkpoints) // checks_of(steps, 0 if exact is None else exact.n_states))
    if changes and on_the_way is not None:
        curves["regret"] = np.empty((len(checkpoints), learner.size))
    with progress_bar(steps, f"{learner.name} x {learner.size}", show=progress) as advance:
        pieces = learner.follow(np.diff(checkpoints, prepend=0).tolist(), advance)
        for place, point in enumerate(checkpoints):
            episodes, earned = learner.episodes.copy(), learner.earned.copy()
            next(pieces)
            shown = _mean_return(learner, episodes, earned, shown)
            curves["online_return"][place] = shown
            if on_the_way is not None and changes:  # the clairvoyant of the span that has just passed
                regret += (learner.episodes - episodes) * on_the_way.best - (learner.earned - earned)
                curves["regret"][place] = regret
                on_the_way = Yardsticks.of(learner, on_the_way)
            elif on_the_way is not None and waiting.any() and (place % grain == 0 or point == steps):
                fine = waiting & on_the_way.is_enough(learner)
                reached[fine] = point
                waiting &= ~fine
    if changes:  # as the members leave it
        exact = Yardsticks.of(learner, on_the_way or exact)
    played = play(learner, EPISODES)
    scores = {
        "return": played.returns.mean(axis=1),
        "online_return": _mean_return(learner, begun, earned_before, learner.running),
    }
    unseen = _unseen_levels(learner)
    if unseen:
        scores["test_return"] = play(learner, EPISODES, env_kwargs=unseen).returns.mean(axis=1)
    if played.success is not None:
        scores["success"] = played.success.mean(axis=1)
    optimum: dict[str, Floats] = {}
    if exact is not None:
        scores |= exact.scores(learner)
        optimum = {"return": exact.best.copy()}
        best = best_of_levels(learner, {**learner.env_kwargs, **unseen}) if unseen else None
        if best is not None:
            optimum["test_return"] = np.full(learner.size, best)
        if "regret" in curves:
            scores["regret"] = regret.copy()
        if not changes:
            optimum["online_return"] = exact.best.copy()
        for metric, best in (("gap", 0.0), ("optimal", 1.0), ("distance", 0.0), ("regret", 0.0)):
            if metric in scores:
                optimum[metric] = np.full(learner.size, best)
        won = None if changes else _win_rate(learner)
        if won is not None:
            scores["win_rate"] = won
        if on_the_way is not None and not changes and "gap" in scores and exact.has_total:
            scores["steps_to_95"] = reached
    if learner.diverged.any():  # whose policies mean nothing; what was paid on the way was paid
        for metric in scores.keys() - {"online_return", "regret"}:
            scores[metric] = np.where(learner.diverged, np.nan, scores[metric])
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


def checks_of(steps: int, n_states: int) -> int:
    """How often at most it is looked whether a policy is worth enough.

    Args:
        steps: of each member.
        n_states: of the model in which the policies are solved.
    """
    return min(CHECKS, max(FEWEST_CHECKS, STATES_A_STEP * steps // max(n_states, 1)))


def _unseen_levels(learner: ControlAgent) -> dict[str, Any]:
    """The options of a world of training levels with which it is one of test levels; empty for any other world."""
    rules: Any = getattr(learner.venv.unwrapped, "rules", None)
    return {"levels": "test", "n_levels": None} if getattr(rules, "levels", None) == "train" else {}


def _mean_return(
    learner: ControlAgent, episodes: NDArray[np.int64], earned: Floats, otherwise: Floats
) -> Floats:
    """The mean return `[S]` of the episodes finished since the account stood so; `otherwise` where there was none."""
    count = learner.episodes - episodes
    return np.where(count > 0, (learner.earned - earned) / np.maximum(count, 1), otherwise)


def _win_rate(learner: ControlAgent) -> Floats | None:
    """From how many cells each member wins; `None` outside of mazes for one walker."""
    rules: Any = getattr(learner.venv.unwrapped, "rules", None)
    if getattr(rules, "walkers", 0) != 1 or isinstance(learner, RandomAgent):
        return None
    twin = gymnasium.make(learner.spec.id, **learner.env_kwargs)
    twin.reset(seed=0)
    try:
        return win_rate_from_every_cell(learner, twin.unwrapped)  # type: ignore[arg-type]
    except UsageError:  # there is chance in it, and more to a state than is seen
        return None
    finally:
        twin.close()
