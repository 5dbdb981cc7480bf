"""Observations as rows of numbers: what replay keeps of them, and what a network makes of the rows.

A row is an observation in its own dtype: an image as it is, everything else flat. Only the network turns rows into features,
so that nothing is kept twice, and pictures in bytes stay bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn

from rlcourse.agents.observations import say_space
from rlcourse.errors import StorageError, UsageError

UNSEEN = -1
"""In place of a number out of n, where there was no observation yet."""
WIDEST = 1 << 16
"""Whole numbers from a wider range stay as they are: it says what they could be, as an integer's own range does, not what they
are, and brought into [0, 1] they would hardly differ."""


@dataclass(frozen=True)
class ToUnit:
    """How plain numbers are brought into [0, 1]: (x - shift) x scale."""

    shift: float | Tensor = 0.0
    scale: float | Tensor = 1.0
    """Of all entries, or of each one where their ranges differ."""

    @classmethod
    def of(cls, space: spaces.Box) -> ToUnit:
        """By the ranges of its whole numbers; others, and those of no range or of a wide one, stay as they are."""
        if np.dtype(space.dtype).kind not in "iu":
            return cls()
        low, high = space.low.astype(np.float64), space.high.astype(np.float64)
        width = high - low
        fits = (width > 0.0) & (width < WIDEST)
        shift, scale = np.where(fits, low, 0.0), np.where(fits, 1.0 / np.where(fits, width, 1.0), 1.0)
        if shift.size and (shift == shift.flat[0]).all() and (scale == scale.flat[0]).all():
            return cls(float(shift.flat[0]), float(scale.flat[0]))
        return cls(torch.from_numpy(shift).float(), torch.from_numpy(scale).float())

    def laid_out(self, how: Callable[[Tensor], Tensor]) -> ToUnit:
        """The same for entries that were laid out anew."""
        if isinstance(self.shift, Tensor) and isinstance(self.scale, Tensor):
            return ToUnit(how(self.shift), how(self.scale))
        return self

    @property
    def changes_nothing(self) -> bool:
        """Whether all numbers stay as they are."""
        return isinstance(self.shift, float) and (self.shift, self.scale) == (0.0, 1.0)

    def __call__(self, rows: Tensor) -> Tensor:
        """float32."""
        x = rows.float()
        if isinstance(self.shift, Tensor) and isinstance(self.scale, Tensor):
            return (x - self.shift.to(x.device)) * self.scale.to(x.device)
        if self.shift:
            x = x - self.shift
        return x if self.scale == 1.0 else x * self.scale


@dataclass(frozen=True)
class Part:
    """Some columns of a row: numbers, or one number out of `n`."""

    start: int
    width: int
    n: int = 0
    """0: plain numbers. Else one whole number of 0 .. n-1, which becomes n features."""
    to_unit: ToUnit = ToUnit()
    """What becomes of plain numbers."""

    @property
    def n_features(self) -> int:
        """Columns of features that these columns become."""
        return self.n or self.width


@dataclass(frozen=True)
class Picture:
    """A picture among flat features."""

    starts: tuple[int, ...]
    """The first of its columns, in each frame."""
    axes: tuple[int, ...]
    """As it was observed."""
    channels_last: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels of all frames, rows and columns."""
        channels, height, width = channels_first(self.axes, self.channels_last)
        return channels * len(self.starts), height, width

    def of(self, features: Tensor) -> Tensor:
        """Out of the features `[..., n_features]` the picture `[..., C, H, W]`."""
        n = int(np.prod(self.axes))
        axes = self.axes if len(self.axes) == 3 else (1, *self.axes)
        frames = [features[..., start : start + n].unflatten(-1, axes) for start in self.starts]
        if self.channels_last:
            frames = [frame.movedim(-1, -3) for frame in frames]
        return torch.cat(frames, dim=-3)


class Codec:
    """How the observations of a space are kept as rows, and what features the rows have.

    Args:
        space: of one observation: Discrete, MultiDiscrete, MultiBinary, Box, or a Dict or Tuple of those.
        frames: so many observations, the last ones, make a row.

    Raises:
        UsageError: a space of another kind.
    """

    def __init__(self, space: gymnasium.Space[Any], frames: int = 1) -> None:
        self.space, self.frames = space, frames
        leaves = list(_leaves(space))
        self._leaves = leaves
        image = leaves[0][1] if len(leaves) == 1 else None
        self.is_image = is_picture(image)
        self.pictures: list[Picture] = []
        """Those among other observations; none where all that is observed is one picture."""
        if is_picture(image):
            self._set_image(image)
        else:
            self._set_flat()

    def _set_image(self, space: spaces.Box) -> None:
        self.axes = space.shape
        self.channels_last = channels_are_last(space.shape)
        channels, height, width = channels_first(space.shape, self.channels_last)
        self.image_shape = (channels * self.frames, height, width)
        """Channels, rows and columns of the features."""
        self.dtype: np.dtype[Any] = np.dtype(space.dtype or np.float32)
        self.frame_shape: tuple[int, ...] = (channels, height, width)
        self._to_unit = ToUnit.of(space).laid_out(self._channels_first)
        self.n_features = int(np.prod(self.image_shape))

    def _channels_first(self, picture: Tensor) -> Tensor:
        """Of every frame, laid out as the features are, where `picture` is as it is observed."""
        if len(self.axes) == 2:
            picture = picture[None]
        elif self.channels_last:
            picture = picture.movedim(-1, -3)
        return picture.repeat(self.frames, 1, 1)

    def _set_flat(self) -> None:
        kinds: list[np.dtype[Any]] = []
        parts, start = [], 0
        columns, shown = 0, []  # features so far, and the first one of each picture
        for _, leaf in self._leaves:
            if is_picture(leaf):
                shown.append((columns, leaf.shape))
            if isinstance(leaf, spaces.Discrete):
                found = [Part(start, 1, int(leaf.n))]
                kinds.append(np.dtype(np.int32))
            elif isinstance(leaf, spaces.MultiDiscrete):
                found = [Part(start + i, 1, int(n)) for i, n in enumerate(leaf.nvec.reshape(-1))]
                kinds.append(np.dtype(np.int32))
            elif isinstance(leaf, spaces.MultiBinary):
                found = [Part(start, int(np.prod(leaf.shape)))]
                kinds.append(np.dtype(np.int8))
            else:
                found = [Part(start, int(np.prod(leaf.shape)), 0, ToUnit.of(leaf).laid_out(torch.flatten))]
                kinds.append(np.dtype(leaf.dtype))
            parts += found
            columns += sum(part.n_features for part in found)
            start = found[-1].start + found[-1].width
        self.frame_shape = (start,)
        wide = np.result_type(*kinds)
        self.dtype = np.dtype(np.float32) if wide.kind == "f" or wide.itemsize > 4 else wide
        self.parts = [
            replace(part, start=part.start + frame * start) for frame in range(self.frames) for part in parts
        ]
        self.n_features = sum(part.n_features for part in self.parts)
        self.pictures = [
            Picture(tuple(at + f * columns for f in range(self.frames)), axes, channels_are_last(axes))
            for at, axes in shown
        ]

    @property
    def columns_beside_pictures(self) -> list[int]:
        """The columns of the features that belong to no picture."""
        covered = {
            column
            for picture in self.pictures
            for start in picture.starts
            for column in range(start, start + int(np.prod(picture.axes)))
        }
        return [column for column in range(self.n_features) if column not in covered]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of a row."""
        first, *rest = self.frame_shape
        return (first * self.frames, *rest)

    @property
    def n_indices(self) -> int | None:
        """n, where a row is one number out of n and nothing else; else `None`."""
        return None if self.is_image or len(self.parts) != 1 or not self.parts[0].n else self.parts[0].n

    # ---------------------------------------------------------------- in numpy, for acting and keeping

    def read(self, observation: Any, lead: int = 1) -> NDArray[Any]:
        """Observations as single frames: `[*lead, *frame_shape]`, of the row's dtype.

        Args:
            observation: in the structure of the space.
            lead: how many leading axes it has.
        """
        if self.is_image:
            array = np.asarray(self._leaf(observation, self._leaves[0][0])).astype(self.dtype, copy=False)
            if len(self.axes) == 2:
                return array[..., None, :, :]
            return np.moveaxis(array, -1, -3) if self.channels_last else array
        columns = []
        for path, leaf in self._leaves:
            array = np.asarray(self._leaf(observation, path))
            array = array.reshape(*array.shape[:lead], -1)
            if isinstance(leaf, (spaces.Discrete, spaces.MultiDiscrete)):
                array = array - np.reshape(leaf.start, -1)
            columns.append(array)
        if len(columns) == 1:
            return columns[0].astype(self.dtype, copy=False)
        return np.concatenate(columns, axis=-1, dtype=self.dtype, casting="unsafe")

    def _leaf(self, observation: Any, path: tuple[Any, ...]) -> Any:
        for key in path:
            observation = observation[key]
        return observation

    def unseen(self, lead: tuple[int, ...]) -> NDArray[Any]:
        """Rows of before anything was seen."""
        rows = np.zeros((*lead, *self.row_shape), self.dtype)
        if not self.is_image:
            for part in self.parts:
                if part.n:
                    rows[..., part.start] = UNSEEN
        return rows

    def follow(
        self, rows: NDArray[Any] | None, frame: NDArray[Any], fresh: NDArray[np.bool_] | None = None
    ) -> NDArray[Any]:
        """The rows after another frame was seen: the oldest frame goes.

        Args:
            rows: before it, `[*lead, *row_shape]`; `None`: nothing was seen before.
            frame: `[*lead, *frame_shape]`.
            fresh: bool `[*lead]`: where an episode begins, nothing was seen before.
        """
        if self.frames == 1:
            return frame
        lead = frame.shape[: frame.ndim - len(self.frame_shape)]
        rows = self.unseen(lead) if rows is None else rows
        if fresh is not None and fresh.any():
            rows = rows.copy()
            rows[fresh] = self.unseen(())
        axis, first = len(lead), self.frame_shape[0]
        kept = rows[(slice(None),) * axis + (slice(first, None),)]
        return np.concatenate([kept, frame], axis=axis)

    def check(self, name: str, rows: NDArray[Any]) -> None:
        """Refuse rows `[..., *row_shape]` of the array `name` of a file that this codec cannot have made.

        Raises:
            StorageError: a number out of n is none of them.
        """
        for part in [] if self.is_image or not rows.size else self.parts:
            these = rows[..., part.start]
            lowest = UNSEEN if self.frames > 1 else 0
            if part.n and not (lowest <= these.min() and these.max() < part.n):
                raise StorageError(f"array {name!r} holds observations that are not among {part.n}")

    # ---------------------------------------------------------------- in torch, for learning

    def features(self, rows: Tensor) -> Tensor:
        """float32 features of rows `[..., *row_shape]`: an image `[..., C, H, W]`, or flat `[..., n_features]`."""
        if self.is_image:
            return self._to_unit(rows)
        if len(self.parts) == 1 and not self.parts[0].n:
            return self.parts[0].to_unit(rows)
        columns = []
        for part in self.parts:
            these = rows[..., part.start : part.start + part.width]
            if part.n:
                columns.append((these == torch.arange(part.n, device=rows.device)).float())
            else:
                columns.append(part.to_unit(these))
        return torch.cat(columns, dim=-1)

    def features_of(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """`features` of arrays."""
        plain = not self.is_image and len(self.parts) == 1 and not self.parts[0].n
        if plain and rows.dtype == np.float32 and self.parts[0].to_unit.changes_nothing:
            return np.ascontiguousarray(rows)
        return np.ascontiguousarray(self.features(torch.from_numpy(np.ascontiguousarray(rows))).numpy())


class Features(nn.Module):
    """The first layer of every network: rows to features."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, rows: Tensor) -> Tensor:
        """`[..., *row_shape]` to features."""
        return self.codec.features(rows)


def is_picture(space: gymnasium.Space[Any] | None) -> TypeGuard[spaces.Box]:
    """Whether a network sees it as a picture: a Box of three axes, or one of two with a byte for each point."""
    if not isinstance(space, spaces.Box):
        return False
    in_bytes = (
        space.dtype == np.uint8 and float(np.min(space.low)) == 0.0 and float(np.max(space.high)) == 255.0
    )
    return len(space.shape) == 3 or (len(space.shape) == 2 and in_bytes)


def channels_are_last(axes: tuple[int, ...]) -> bool:
    """Which axis of a picture is that of its channels, the last one or the first; two axes are rows and columns.

    Boards are mostly square. Else the channels are the shortest axis at one of the ends, as stable-baselines3 takes it, which
    would be wrong for more channels than there are cells a side.
    """
    if len(axes) == 2:
        return False
    first, middle, last = axes
    return last < first if (first == middle) == (middle == last) else first == middle


def channels_first(axes: tuple[int, ...], channels_last: bool) -> tuple[int, int, int]:
    """Channels, rows and columns of a picture that is observed with these axes."""
    if len(axes) == 2:
        return 1, axes[0], axes[1]
    return (axes[2], axes[0], axes[1]) if channels_last else (axes[0], axes[1], axes[2])


def _leaves(space: gymnasium.Space[Any], path: tuple[Any, ...] = ()) -> Any:
    """The plain spaces that a space is made of, each with the keys that lead to it."""
    if isinstance(space, spaces.Dict):
        for key, inner in space.spaces.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(space, spaces.Tuple):
        for place, inner in enumerate(space.spaces):
            yield from _leaves(inner, (*path, place))
    elif isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary, spaces.Box)):
        yield path, space
    else:
        raise UsageError(
            f"a network cannot read {say_space(space)}: it fits Discrete, MultiDiscrete, MultiBinary and Box observations, "
            "and Dicts and Tuples of those"
        )
