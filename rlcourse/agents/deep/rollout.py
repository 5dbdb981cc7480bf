"""What was seen, done and paid since the last update of an actor and its critic, and the advantages of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.agents.base import Arrays
from rlcourse.agents.deep.codec import Codec
from rlcourse.agents.deep.replay import check_range
from rlcourse.errors import StorageError
from rlcourse.streams import Streams
from rlcourse.streams_compiled import next_integer

kernel = njit(cache=True, error_model="numpy", nogil=True)


class Rollout:
    """`T` steps of the `S x N` copies, arrays `[S N, T, ...]`: one sequence a copy.

    Args:
        size: members S.
        copies: copies of the world of each member N.
        steps: T.
        codec: what an observation is kept as.
        device: where batches go.
    """

    def __init__(self, size: int, copies: int, steps: int, codec: Codec, device: torch.device) -> None:
        self.size, self.copies, self.steps, self.codec, self.device = size, copies, steps, codec, device
        shape = (size * copies, steps)
        self.rows: NDArray[Any] = np.zeros((*shape, *codec.row_shape), codec.dtype)
        self.actions: NDArray[np.int64] = np.zeros(shape, np.int64)
        self.rewards: NDArray[np.float32] = np.zeros(shape, np.float32)
        self.values: NDArray[np.float32] = np.zeros(shape, np.float32)
        self.log_chances: NDArray[np.float32] = np.zeros(shape, np.float32)
        self.ended: NDArray[np.bool_] = np.zeros(shape, np.bool_)
        self.begun: NDArray[np.bool_] = np.zeros(shape, np.bool_)
        self.filled: NDArray[np.int64] = np.zeros(size, np.int64)

    ARRAYS = ("rows", "actions", "rewards", "values", "log_chances", "ended", "begun", "filled")

    def kept(self) -> Arrays:
        """All that it holds."""
        return {name: getattr(self, name) for name in self.ARRAYS}

    def check(self, arrays: Arrays, n_actions: int) -> None:
        """Refuse what `kept` cannot have given, of A = `n_actions`.

        Raises:
            StorageError: more steps than there is room for, or an action that is none.
        """
        self.codec.check("kept/rollout/rows", arrays["rows"])
        check_range("rollout/actions", arrays["actions"], 0, n_actions - 1)
        check_range("rollout/filled", arrays["filled"], 0, self.steps - 1)
        if (arrays["filled"] != arrays["filled"][0]).any():
            raise StorageError("array 'kept/rollout/filled' holds another number of steps for every member")

    @property
    def is_full(self) -> bool:
        """Whether T steps are in it."""
        return bool(self.filled[0] == self.steps)

    def begin(
        self, rows: NDArray[Any], actions: Any, values: Any, log_chances: Any, begun: NDArray[np.bool_]
    ) -> None:
        """The first half of a step: what was seen, done and thought of it; arrays `[S N, ...]`."""
        t = int(self.filled[0])
        self.rows[:, t], self.actions[:, t], self.begun[:, t] = rows, actions, begun
        self.values[:, t], self.log_chances[:, t] = values, log_chances

    def end(self, rewards: NDArray[Any], ended: NDArray[np.bool_]) -> None:
        """The second half: what was paid, and where the episode is over; arrays `[S N]`."""
        t = int(self.filled[0])
        self.rewards[:, t], self.ended[:, t] = rewards, ended
        self.filled += 1

    def clear(self) -> None:
        """Begin the next one."""
        self.filled[:] = 0

    def advantages(
        self, last_values: NDArray[np.float32], gamma: float, gae_lambda: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Generalised advantage estimates and the returns that critics learn from them, both float32 `[S N, T]`.

            delta_t = R_{t+1} + gamma V(S_{t+1}) - V(S_t),    A_t = delta_t + gamma lambda A_{t+1},    G_t = A_t + V(S_t)

        without what comes after the end of an episode. Source: Schulman et al. (2016), equation 16.

        Args:
            last_values: V of what is seen after the last step, `[S N]`.
            gamma: discount.
            gae_lambda: lambda.
        """
        advantages = np.empty_like(self.values)
        _gae(self.rewards, self.values, self.ended, last_values, float(gamma), float(gae_lambda), advantages)
        return advantages, advantages + self.values

    def flat(self, array: NDArray[Any]) -> Tensor:
        """`[S N, T, ...]` as a tensor `[S, N T, ...]`."""
        return torch.from_numpy(array).reshape(self.size, -1, *array.shape[2:]).to(self.device)


@kernel
def _gae(rewards: Any, values: Any, ended: Any, last: Any, gamma: Any, gae_lambda: Any, out: Any) -> None:
    copies, steps = rewards.shape
    for b in range(copies):
        advantage, after = np.float64(0.0), np.float64(last[b])
        for t in range(steps - 1, -1, -1):
            if ended[b, t]:
                advantage = after = np.float64(0.0)
            delta = rewards[b, t] + gamma * after - values[b, t]
            advantage = delta + gamma * gae_lambda * advantage
            out[b, t] = advantage
            after = values[b, t]


@kernel
def _permutations(stream: Any, out: Any) -> None:
    members, n = out.shape
    for s in range(members):
        for i in range(n):
            out[s, i] = i
        for i in range(n - 1, 0, -1):
            j = next_integer(stream, s, i + 1)
            out[s, i], out[s, j] = out[s, j], out[s, i]


def permutations(streams: Streams, n: int) -> NDArray[np.int64]:
    """An order of 0 .. n-1 for each member, int64 `[S, n]` (Fisher & Yates)."""
    out = np.empty((len(streams), n), np.int64)
    _permutations(streams.state, out)
    return out
