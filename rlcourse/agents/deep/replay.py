"""Experience replay of a population: every observation once, in its own dtype, and draws from the members' own streams."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.agents.base import Arrays
from rlcourse.agents.deep.codec import Codec
from rlcourse.errors import StorageError
from rlcourse.streams import Streams


class Batch(NamedTuple):
    """Transitions of every member; all lead with `[S, batch]`."""

    rows: Tensor
    """What was observed, `[S, batch, *row_shape]`, as it is kept."""
    actions: Tensor
    """int64."""
    returns: Tensor
    """float32: R_1 + gamma R_2 + ... of n steps, of as many as there were."""
    discounts: Tensor
    """float32: gamma^n, 0 where nothing comes after."""
    next_rows: Tensor
    """What was observed n steps later."""
    weights: Tensor | None
    """float32, the importance weights of a draw by priority."""
    places: NDArray[np.int64]
    """Where the transitions are kept."""
    next_places: NDArray[np.int64]


class Sequences(NamedTuple):
    """Pieces of episodes of every member, L steps each; all lead with `[S, batch]`."""

    rows: Tensor
    """`[S, batch, L + 1, *row_shape]`."""
    actions: Tensor
    """int64 `[S, batch, L]`."""
    rewards: Tensor
    """float32 `[S, batch, L]`."""
    bootstraps: Tensor
    """float32 `[S, batch, L]`, 0 where nothing comes after."""
    counts: Tensor
    """float32 `[S, batch, L]`, 1 for steps to learn from, 0 for those that only warm the memory up or come after the end."""


class Replay:
    """Rings of frames, one for each of the `S x N` copies of the world.

    A frame is what was observed, the action, the reward and whether the episode went on. The observation after it is the
    next frame's; only after a truncation it takes a frame of its own. So `capacity` frames hold `capacity - 1` transitions,
    less the truncations among them.

    Where a row of the codec is several observations, the frames are single ones, and a batch puts side by side what a row was:
    those before it, up to the beginning of its episode. For the oldest transitions a few more frames than `capacity` are kept.

    Args:
        size: members S.
        copies: copies of the world of each member N.
        capacity: frames that each copy keeps.
        codec: what an observation is kept as.
        device: where batches go.
        prioritized: keep priorities, to draw by them.
    """

    def __init__(
        self,
        size: int,
        copies: int,
        capacity: int,
        codec: Codec,
        device: torch.device,
        *,
        prioritized: bool = False,
    ) -> None:
        total = size * copies
        self.size, self.copies, self.capacity, self.codec, self.device = size, copies, capacity, codec, device
        # one block, not filled before it is used: the system gives memory as frames are written
        self._before = codec.frames - 1
        room = capacity + self._before
        self.frames: NDArray[Any] = np.zeros((total, room, *codec.frame_shape), codec.dtype)
        self.actions: NDArray[np.int32] = np.zeros((total, capacity), np.int32)
        self.rewards: NDArray[np.float32] = np.zeros((total, capacity), np.float32)
        self.kinds: NDArray[np.uint8] = np.zeros((total, capacity), np.uint8)
        self.at: NDArray[np.int64] = np.zeros(total, np.int64)
        self.filled: NDArray[np.int64] = np.zeros(total, np.int64)
        stacked = self._before > 0
        self.heads: NDArray[np.int64] = np.zeros((total, 1 if stacked else 0), np.int64)
        self.depths: NDArray[np.uint16] = np.zeros((total, capacity if stacked else 0), np.uint16)
        leaves = 1 << (copies * capacity - 1).bit_length() if prioritized else 0
        self.tree: NDArray[np.float64] = np.zeros((size, 2 * leaves))
        self.highest: NDArray[np.float64] = np.ones(size)
        self._share_memory()

    def _share_memory(self) -> None:
        """Views of the rings: as bytes for writing, flat as a tensor for gathering."""
        self._bytes = self.frames.reshape(*self.frames.shape[:2], -1).view(np.uint8)
        self._flat = torch.from_numpy(self.frames.reshape(-1, *self.codec.frame_shape))
        self._unseen = torch.from_numpy(Codec(self.codec.space).unseen(()))

    def __len__(self) -> int:
        """Frames that the fullest ring holds."""
        return int(self.filled.max())

    @property
    def n_bytes(self) -> int:
        """What it takes when it is full."""
        return sum(array.nbytes for array in self.get_arrays().values())

    def add(
        self,
        rows: NDArray[Any],
        actions: NDArray[np.int64],
        rewards: NDArray[np.float64],
        next_rows: NDArray[Any],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """One transition of every copy, arrays `[S N, ...]`."""
        from rlcourse.agents.deep import replay_kernels as kernels

        kernels.write(
            self._bytes,
            self.actions,
            self.rewards,
            self.kinds,
            self.at,
            self.filled,
            self.heads,
            self.depths,
            self._before,
            self._newest(rows),
            actions,
            rewards,
            self._newest(next_rows),
            terminated,
            truncated,
        )
        if self.tree.size:
            kernels.note_new(self.tree, self.highest, self.kinds, self.at, self.copies)

    def _newest(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        """The newest observation of each row, as bytes `[S N, ...]`."""
        rows = rows[:, -self.codec.frame_shape[0] :]
        return np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)

    def cut(self, over: NDArray[np.bool_]) -> None:
        """The copies `over` `[S N]` begin anew: where the episode that was seen last did not end, it was truncated."""
        from rlcourse.agents.deep import replay_kernels as kernels

        kernels.cut(
            self.tree,
            self.kinds,
            self.at,
            self.filled,
            self.heads,
            self.frames.shape[1],
            self.copies,
            over,
        )

    # ---------------------------------------------------------------- drawing

    def draw(self, streams: Streams, batch_size: int, *, half_life: float = 0.0) -> NDArray[np.int64]:
        """Places of transitions, int64 `[S, batch]`, each as likely as another, or the recent ones more.

        Args:
            streams: of the members.
            batch_size: of each member.
            half_life: a transition that is older by so many steps is half as likely; 0: all are as likely.
        """
        from rlcourse.agents.deep import replay_kernels as kernels

        places = np.empty((self.size, batch_size), np.int64)
        kernels.draw(self.kinds, self.at, self.filled, self.copies, streams.state, float(half_life), places)
        return places

    def draw_by_priority(
        self, streams: Streams, batch_size: int, beta: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Places in proportion to their priorities, int64 `[S, batch]`, and importance weights float32."""
        from rlcourse.agents.deep import replay_kernels as kernels

        places = np.empty((self.size, batch_size), np.int64)
        weights = np.empty((self.size, batch_size), np.float32)
        kernels.draw_by_priority(
            self.tree, self.kinds, self.copies, streams.state, float(beta), places, weights
        )
        return places, weights

    def set_priorities(self, places: NDArray[np.int64], errors: NDArray[np.float32], alpha: float) -> None:
        """The priority of a place is its TD error to the power of `alpha` from now on."""
        from rlcourse.agents.deep import replay_kernels as kernels

        kernels.set_priorities(
            self.tree, self.highest, self.kinds, self.copies, places, errors, float(alpha), LEAST_PRIORITY
        )

    def gather(
        self,
        places: NDArray[np.int64],
        *,
        n_steps: int,
        gamma: float,
        weights: NDArray[np.float32] | None = None,
    ) -> Batch:
        """The transitions in these places, `n_steps` long each."""
        from rlcourse.agents.deep import replay_kernels as kernels

        shape = places.shape
        taken, after = np.empty(shape, np.int64), np.empty(shape, np.int64)
        returns, discounts = np.empty(shape, np.float32), np.empty(shape, np.float32)
        kernels.look_ahead(
            places, self.actions, self.rewards, self.kinds, n_steps, gamma, taken, returns, discounts, after
        )
        return Batch(
            self.rows_at(places),
            self._tensor(taken),
            self._tensor(returns),
            self._tensor(discounts),
            self.rows_at(after),
            None if weights is None else self._tensor(weights),
            places,
            after,
        )

    def next_actions(self, batch: Batch, otherwise: Tensor) -> Tensor:
        """What was done in the observations after the transitions, int64 `[S, batch]`; `otherwise` where nothing was yet."""
        from rlcourse.agents.deep import replay_kernels as kernels

        out = np.empty(batch.places.shape, np.int64)
        kernels.next_actions(batch.next_places, self.actions, self.kinds, otherwise.cpu().numpy(), out)
        return self._tensor(out)

    def sequences(self, places: NDArray[np.int64], *, before: int, length: int) -> Sequences:
        """The episodes around these places: up to `before` steps before each, and `length` from it on."""
        from rlcourse.agents.deep import replay_kernels as kernels

        shape = (*places.shape, before + length)
        out = np.empty((*places.shape, before + length + 1), np.int64)
        taken, paid = np.empty(shape, np.int64), np.empty(shape, np.float32)
        bootstraps, counts = np.empty(shape, np.float32), np.empty(shape, np.float32)
        kernels.sequences(
            places,
            self.actions,
            self.rewards,
            self.kinds,
            self.filled,
            before,
            length,
            out,
            taken,
            paid,
            bootstraps,
            counts,
        )
        return Sequences(
            self.rows_at(out),
            self._tensor(taken),
            self._tensor(paid),
            self._tensor(bootstraps),
            self._tensor(counts),
        )

    def rows_at(self, places: NDArray[np.int64]) -> Tensor:
        """The observations in these places, `[*places.shape, *row_shape]`."""
        if self._before:
            return self._stacked_at(places)
        found = self._flat.index_select(0, torch.from_numpy(places.reshape(-1)))
        return found.reshape(*places.shape, *self.codec.row_shape).to(self.device)

    def _stacked_at(self, places: NDArray[np.int64]) -> Tensor:
        """The same, where a row is several observations: up to the beginning of the episode, then `Codec.unseen`."""
        from rlcourse.agents.deep import replay_kernels as kernels

        flat = np.ascontiguousarray(places.reshape(-1))
        where = np.empty((len(flat), self.codec.frames), np.int64)
        unseen = np.empty(where.shape, np.bool_)
        kernels.stack(self.frames.shape[1], self.at, self.heads, self.depths, flat, where, unseen)
        found = self._flat.index_select(0, torch.from_numpy(where.reshape(-1)))
        if unseen.any():
            found[torch.from_numpy(unseen.reshape(-1))] = self._unseen
        return found.reshape(*places.shape, *self.codec.row_shape).to(self.device)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    # ---------------------------------------------------------------- saving

    ARRAYS = ("frames", "actions", "rewards", "kinds", "at", "filled", "tree", "highest")
    OF_STACKS = ("heads", "depths")

    def get_arrays(self) -> Arrays:
        """All that it holds: arrays `[S N, ...]`, of `tree` and `highest` `[S, ...]`."""
        names = (*self.ARRAYS, *self.OF_STACKS) if self._before else self.ARRAYS
        return {name: getattr(self, name) for name in names}

    def check(self, arrays: Arrays, n_actions: int) -> None:
        """Refuse what `get_arrays` cannot have given.

        Args:
            arrays: of the same shapes.
            n_actions: A.

        Raises:
            StorageError: places beside the rings, frames of no kind, or sums that are none.
        """
        from rlcourse.agents.deep.replay_kernels import CLOSING, OPEN, TRUNCATED

        kinds, at, filled = arrays["kinds"], arrays["at"], arrays["filled"]
        copies, frames = np.arange(len(kinds)), np.arange(self.capacity)
        check_range("replay/at", at, 0, self.capacity - 1)
        check_range("replay/filled", filled, 0, self.capacity)
        Codec(self.codec.space).check("kept/replay/frames", arrays["frames"])
        if self._before:
            check_range("replay/heads", arrays["heads"], 0, self.frames.shape[1] - 1)
            check_range("replay/depths", arrays["depths"], 0, self._before)
        check_range("replay/actions", arrays["actions"], 0, n_actions - 1)
        check_range("replay/kinds", kinds, 0, OPEN)
        used, is_open = frames < filled[:, None], kinds == OPEN
        is_open[copies, at] ^= filled > 0  # the newest frame of a ring in use is the only open one
        ends = (kinds == TRUNCATED) & used
        held = (kinds <= TRUNCATED) & used
        if (
            is_open.any()
            or (np.roll(kinds, -1, axis=1)[ends] != CLOSING).any()
            or (~held.any(axis=1) & (filled > 0)).any()
        ):
            raise StorageError("array 'kept/replay/kinds' holds frames in an order that cannot be")
        tree, half = arrays["tree"], arrays["tree"].shape[1] // 2
        if half:
            leaves = np.zeros((self.size, half))
            leaves[:, : self.copies * self.capacity] = held.reshape(self.size, -1)
            sums = tree[:, 2::2] + tree[:, 3::2]
            if (
                not np.isfinite(tree).all()
                or ((tree[:, half:] > 0.0) != (leaves > 0.0)).any()
                or (tree[:, 1:half] != sums).any()
            ):
                raise StorageError("array 'kept/replay/tree' holds sums of priorities that cannot be")


def check_range(name: str, array: NDArray[Any], low: int, high: int) -> None:
    """Refuse whole numbers outside of `low` .. `high`.

    Raises:
        StorageError: there are some.
    """
    if array.size and not (low <= array.min() and array.max() <= high):
        raise StorageError(f"array {'kept/' + name!r} holds numbers that are not in {low} .. {high}")


LEAST_PRIORITY = 1e-6
"""Added to every error, so that no transition is never drawn again (Schaul et al. 2016, section 3.3)."""
