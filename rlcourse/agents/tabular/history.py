"""The last observations as one state: a short memory for a table, where the present observation hides the state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class History:
    """Numbers for the last `depth` observations, of which there are `n` each; what came before the episode is a number, too.

        x_t = sum_k (n + 1)^k (o_{t-k} + 1),   k = 0 .. depth - 1

    With a depth of 1 it is the observation itself. There are (n + 1)^depth numbers: that is how far it goes.

    Args:
        n: the observations.
        depth: how many make a state.

    Source: McCallum (1996), "Reinforcement learning with selective perception and hidden state", section 2.3 (fixed windows).
    """

    def __init__(self, n: int, depth: int) -> None:
        self.depth = depth
        self.base = n + 1
        self.n = n if depth == 1 else self.base**depth

    def begin(self, observed: Ints) -> Ints:
        """The states after the first observations of episodes, of any shape."""
        return observed if self.depth == 1 else observed + 1

    def follow(self, before: Ints, observed: Ints) -> Ints:
        """The states when these observations come after the states `before`."""
        return observed if self.depth == 1 else (before * self.base + observed + 1) % self.n

    def read(self, observed: Ints, before: Any, fresh: Any) -> Ints:
        """The states where a caller keeps them: `before` from the last call or `None`, `fresh` where an episode has begun."""
        begun = self.begin(observed)
        if before is None or self.depth == 1:
            return begun
        after = self.follow(np.asarray(before, np.int64).reshape(observed.shape), observed)
        return after if fresh is None else np.where(np.asarray(fresh).reshape(observed.shape), begun, after)
