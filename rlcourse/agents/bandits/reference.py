"""The upper end of every table of bandits: the player who is told everything."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.errors import UsageError


class PerfectKnowledge(BanditAgent):
    """Told the true value of every arm before each round: A_t = argmax_a q_t(a). The upper bound of every table.

    The truth comes through one door: where `needs_truth` is set, the runner calls `tell` with the world's `arm_values()`.
    In a world with a hidden regime these are the exact expectations of one who knows its rules (see the world).

    Raises:
        UsageError: a world that has no `arm_values()`.
    """

    name = "perfect_knowledge"
    needs_truth = True

    truth: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """`truth float64 [S, K]`: what was told last."""
        return {**super().initial_state(size), "truth": np.zeros((size, self.n_arms))}

    def _check_world(self) -> None:
        if not hasattr(self.venv.unwrapped, "arm_values"):
            raise UsageError(
                f"{self.name} is told the truth by arm_values(), which {self.spec.id} does not offer"
            )

    def tell(self, values: NDArray[np.float64]) -> None:
        """The true value of every arm in this round, `[S, K]`; before `predict` also `[S, N, K]`, for N copies a member."""
        self._told = values
        if values.shape == self.truth.shape:
            self.truth[:] = values

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The truly best arm."""
        return self.greedy(self.truth)

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The truth."""
        return self.truth

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """The best arm by what was told last.

        Raises:
            UsageError: nothing was told, or for another number of copies than are observed.
        """
        lead, columns = self._columns(observation)
        told = getattr(self, "_told", None)
        if told is None or told.size != self.size * len(columns) * self.n_arms:
            raise UsageError(
                f"{self.name} must be told the arms' values (env.unwrapped.arm_values()) before it predicts"
            )
        return told.argmax(axis=-1).reshape(lead), state
