"""The recorder: stands between a population and its world and adds up what happens, in constant memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from numpy.typing import NDArray

from rlcourse.envs.bandits.base import BanditRules


class BanditRecorder(VectorWrapper[Any, Any, Any, Any, Any]):
    """Adds up reward, pseudo-regret and optimal pulls of every member, and notes them at checkpoints.

    Args:
        env: the worlds; `info["regret"]` and `best_values()` are used where they are offered.
        checkpoints: increasing steps `[P]` at which the curves are noted.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], checkpoints: NDArray[np.int64]) -> None:
        super().__init__(env)
        self.checkpoints = checkpoints
        size = env.num_envs
        self._best_values = getattr(env.unwrapped, "best_values", None)
        self.has_regret = self._best_values is not None
        # Where much of the world stays hidden (HiddenContextBandit), knowing its rules does not spare all regret.
        rules = getattr(env.unwrapped, "rules", None)
        self._best_is_certain = getattr(type(rules), "best_values", None) is BanditRules.best_values
        self.metrics = ("reward", "regret", "optimal") if self.has_regret else ("reward",)
        self.sums = {metric: np.zeros(size) for metric in self.metrics}
        self.best = np.zeros(size)
        self.curves = {metric: np.empty((len(checkpoints), size)) for metric in self.metrics}
        self._last = {metric: np.zeros(size) for metric in self.metrics}
        self._step = 0
        self._point = 0

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step the worlds and add up."""
        if self._best_values is not None:
            self.best += self._best_values()
        result = self.env.step(actions)
        self.sums["reward"] += result[1]
        if self.has_regret:
            regret = result[4]["regret"]
            self.sums["regret"] += regret
            self.sums["optimal"] += regret <= 0.0
        self._step += 1
        if self._point < len(self.checkpoints) and self._step == self.checkpoints[self._point]:
            self._note()
        return result

    def _note(self) -> None:
        span = self._step - (self.checkpoints[self._point - 1] if self._point else 0)
        for metric in self.metrics:
            total = self.sums[metric]
            if metric == "regret":
                self.curves[metric][self._point] = total
            else:
                self.curves[metric][self._point] = (total - self._last[metric]) / span
                self._last[metric][:] = total
        self._point += 1

    def scores(self) -> dict[str, NDArray[np.float64]]:
        """The final figure of every metric, float64 `[S]`."""
        scores = {"reward": self.sums["reward"] / self._step}
        if self.has_regret:
            scores["regret"] = self.sums["regret"].copy()
            scores["optimal"] = self.sums["optimal"] / self._step
        scores["total_reward"] = self.sums["reward"].copy()
        return scores

    def optimum(self) -> dict[str, NDArray[np.float64]]:
        """What one who knows the world would expect in these rounds: metric -> float64 `[S]`, if known."""
        if not self.has_regret:
            return {}
        earned = {"reward": self.best / self._step, "total_reward": self.best.copy()}
        if not self._best_is_certain:
            return earned
        size = len(self.best)
        return earned | {
            "regret": np.zeros(size),
            "optimal": np.ones(size),
            "simple_regret": np.zeros(size),
        }
