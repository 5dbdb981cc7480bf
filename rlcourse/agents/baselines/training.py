"""Let one model of stable-baselines3 learn: a function of its arrays, its plan and the steps, in this process or another."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from rlcourse.agents.baselines.models import (
    Arrays,
    Plan,
    alone,
    follow_schedules,
    make_model,
    make_world,
    put_together,
    resume_world,
    seeds_of_copies,
    take_apart,
)
from rlcourse.errors import UsageError

NO_LOG = 10**9
"""Updates between two reports of stable-baselines3, which nobody reads here."""
SHOWN = 1000
"""Steps after which a progress bar moves on."""


class Learned(NamedTuple):
    """What came of it."""

    arrays: Arrays
    """The model, see `take_apart`; `running float64 [N]`, the returns of the episodes that go on; `world/...` of a native
    batch."""
    account: NDArray[np.float64]
    """`[marks, 4]`: at each mark the steps made, the episodes finished, the sum of their returns, the mean of those that go
    on."""
    stands: Arrays | None
    """The state of the first copy of the world, where it can be had."""


class Ledger(BaseCallback):
    """Keeps the account, and ends the learning when the steps are made.

    stable-baselines3 would go on to the end of the rollout; what was collected of one that is not complete is not learned
    from.

    Args:
        marks: increasing numbers of steps; the account is noted when so many are made, and the last ends it.
        running: float64 `[N]`, the returns of the episodes that go on.
        advance: told how many steps were made.
    """

    def __init__(
        self, marks: Sequence[int], running: NDArray[np.float64], advance: Callable[[int], None] | None
    ) -> None:
        super().__init__()
        self.marks, self.running, self.advance = marks, running, advance
        self.episodes, self.earned = 0, 0.0
        self.account: list[tuple[float, ...]] = []
        self.first, self.shown = 0, 0

    def _on_training_start(self) -> None:
        self.first = self.model.num_timesteps

    def _on_step(self) -> bool:
        self.running += self.locals["rewards"]
        dones = self.locals["dones"]
        if dones.any():
            self.episodes += int(dones.sum())
            self.earned += float(self.running[dones].sum())
            self.running[dones] = 0.0
        made = self.model.num_timesteps - self.first
        while len(self.account) < len(self.marks) and made >= self.marks[len(self.account)]:
            self.account.append((made, self.episodes, self.earned, self.running.mean()))
        over = len(self.account) == len(self.marks)
        if self.advance is not None and (over or made - self.shown >= SHOWN):
            self.advance(min(made, self.marks[-1]) - self.shown)
            self.shown = min(made, self.marks[-1])
        return not over or self._rollout_is_complete()

    def _rollout_is_complete(self) -> bool:
        """Whether the model is about to learn from what it has collected."""
        model: Any = self.model
        if isinstance(model, OnPolicyAlgorithm):
            return bool(model.rollout_buffer.pos + 1 >= model.n_steps)
        return bool(self.locals["num_collected_steps"] >= model.train_freq.frequency)


def train(
    plan: Plan,
    seed: int,
    arrays: Arrays | None,
    marks: Sequence[int],
    advance: Callable[[int], None] | None = None,
) -> Learned:
    """Let the member with this seed go on from `arrays` (`None`: from nothing) until the last of the marks.

    Args:
        plan: what decides it.
        seed: its seed.
        arrays: of `Learned`.
        marks: numbers of steps from now on, at which the account is noted.
        advance: told how many steps were made.
    """
    with alone():
        world: Any = make_world(plan)
        running = np.zeros(plan.config.n_envs)
        try:
            model = make_model(plan, seed, world)
            if arrays is not None:
                put_together(model, arrays)
                place = {
                    name.removeprefix("world/"): array
                    for name, array in arrays.items()
                    if name.startswith("world/")
                }
                if place:
                    model._last_obs = resume_world(model.env, place)
                    model._last_episode_starts = np.ones(plan.config.n_envs, np.bool_)
                    running = arrays["running"].copy()
                else:
                    made = model.num_timesteps
                    model.env.unwrapped._seeds = seeds_of_copies(seed, plan.config.n_envs, made)
            follow_schedules(model, plan.config, model.num_timesteps + marks[-1])
            ledger = Ledger(marks, running, advance)
            try:
                model.learn(marks[-1], callback=ledger, log_interval=NO_LOG, reset_num_timesteps=False)
            except (
                ValueError,
                RuntimeError,
            ):  # of a distribution that such weights do not make, checked or not
                if all(bool(weight.isfinite().all()) for weight in model.policy.parameters()):
                    raise
                raise UsageError(
                    f"stable-baselines3's {type(model).__name__} with seed {seed} has diverged, its weights are no finite "
                    "numbers: a smaller learning_rate or max_grad_norm helps"
                ) from None
            found = {**take_apart(model), "running": ledger.running}
            native = hasattr(world, "get_state")
            if native:
                found |= {f"world/{name}": array for name, array in world.get_state().items()}
            return Learned(found, np.array(ledger.account, np.float64), _first_copy(world, native))
        finally:
            world.close()


def _first_copy(world: Any, native: bool) -> Arrays | None:
    """The state of the first copy, each array `[1, ...]`."""
    if native:
        return {name: array[:1] for name, array in world.get_state().items() if name != "finished"}
    one = world.unwrapped.envs[0].unwrapped
    return one.get_state() if hasattr(one, "get_state") else None


def marks_of(lengths: Sequence[int]) -> list[int]:
    """The ends of pieces of these lengths."""
    return list(itertools.accumulate(lengths))
