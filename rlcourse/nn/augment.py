"""More data from the same data: what is done to a batch while learning, drawn from the streams of the members.

| name | what it does |
|---|---|
| `symmetry` | turns and mirrors grids, and carries actions along |
| `noise` | adds normal noise |
| `occlusion` | blanks a square of a grid |

Each is a frozen dataclass that is called with a batch `x [S, B, ...]`, its targets `y [S, B, ...]` and the streams of the S
members, and gives new ones. Grids have rows and columns as their last axes: `[S, B, ..., H, W]`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.checks import check_choice, check_count, check_number
from rlcourse.errors import UsageError
from rlcourse.nn.named import make_named, spec_of
from rlcourse.streams import Streams

Array = NDArray[Any]
Directions = tuple[tuple[int, int], ...]

DIRECTIONS: Directions = ((0, -1), (0, 1), (-1, 0), (1, 0))
"""The rows and columns that the actions 0-3 of the mazes go: left, right, up, down."""


class Augmentation(ABC):
    """A change of inputs after which their targets are still known."""

    @abstractmethod
    def __call__(self, x: Array, y: Array, streams: Streams) -> tuple[Array, Array]:
        """The changed batch; the arrays that were given stay as they are."""

    def to_json(self) -> dict[str, Any]:
        """What `make_augmentation` makes the same one from: the name and the fields."""
        return spec_of(AUGMENTATIONS, self)


@dataclass(frozen=True)
class Symmetry(Augmentation):
    """One of the eight symmetries of the square for each item; of a grid that is not square, one of the four it has.

    A walker who goes left in a maze goes down in the maze turned to the left. So `targets` says what targets are:

    - `action`: numbers of actions `[S, B, ...]`, which are replaced;
    - `values`: something for every action `[S, B, ..., A]`, as action values or probabilities, which is put in another order;
    - `none`: neither, as the value of a state, which stays.

    Actions beyond the directions, as staying, stay what they are. With time `[S, B, T, ..., H, W]`, a whole sequence is turned
    alike.
    """

    targets: str = "action"
    directions: Directions = DIRECTIONS
    """Rows and columns that each action goes."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_choice("targets", self.targets, ("action", "values", "none"))
        directions = tuple((int(row), int(column)) for row, column in self.directions)
        object.__setattr__(self, "directions", directions)
        action_maps(directions)

    def __call__(self, x: Array, y: Array, streams: Streams) -> tuple[Array, Array]:
        """See `Augmentation`."""
        if x.ndim < 4:
            raise UsageError(f"symmetry needs grids [S, B, ..., H, W], got {list(x.shape)}")
        height, width = x.shape[-2:]
        known = np.arange(8) if height == width else np.arange(0, 8, 2)
        which = known[streams.integers(len(known), (x.shape[1],))]
        return turn_grids(x, which), self.carry(y, which)

    def carry(self, y: Array, which: Array) -> Array:
        """Targets after the symmetries `which [S, B]`."""
        if self.targets == "none":
            return y
        maps = action_maps(self.directions)
        n = len(self.directions)
        which = which.reshape(*which.shape, *(1,) * (y.ndim - 2))
        if self.targets == "action":
            if y.dtype.kind not in "iu":
                raise UsageError(
                    f"symmetry carries targets that are numbers of actions, and these are {y.dtype}: "
                    "say with targets= what they are, values or none"
                )
            return np.where((y >= 0) & (y < n), maps[which, y.clip(0, n - 1)], y)
        if y.ndim < 3 or y.shape[-1] < n:
            raise UsageError(f"symmetry with targets='values' needs [S, B, ..., {n}], got {list(y.shape)}")
        back = np.argsort(maps, axis=1)  # what stands at action a came from action back[a]
        carried = y.copy()
        back = np.broadcast_to(back[which[..., 0]], (*y.shape[:-1], n))
        carried[..., :n] = np.take_along_axis(y[..., :n], back, axis=-1)
        return carried


@dataclass(frozen=True)
class Noise(Augmentation):
    """Independent normal noise on every number of the input."""

    scale: float = 0.1
    """Its standard deviation."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_number("scale", self.scale, 0.0)

    def __call__(self, x: Array, y: Array, streams: Streams) -> tuple[Array, Array]:
        """See `Augmentation`."""
        return (x + self.scale * streams.normal(x.shape[1:])).astype(np.float32), y


@dataclass(frozen=True)
class Occlusion(Augmentation):
    """A square of a grid, anywhere in it, that shows nothing in any channel (DeVries & Taylor 2017, "Cutout")."""

    side: int = 2
    """Of the square, in cells; at the edge, a part of it lies outside."""
    value: float = 0.0
    """What is put there."""
    chance: float = 1.0
    """How likely it happens to an item."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_count("side", self.side)
        check_number("value", self.value)
        check_number("chance", self.chance, 0.0, 1.0)

    def __call__(self, x: Array, y: Array, streams: Streams) -> tuple[Array, Array]:
        """See `Augmentation`."""
        if x.ndim < 4:
            raise UsageError(f"occlusion needs grids [S, B, ..., H, W], got {list(x.shape)}")
        if x.dtype.kind != "f" and not _holds(x.dtype, self.value):
            raise UsageError(f"occlusion with value={self.value!r} does not fit into inputs of {x.dtype}")
        height, width = x.shape[-2:]
        middle = streams.integers(np.array([height, width]), (x.shape[1], 2))
        first = middle - self.side // 2
        rows, columns = np.arange(height), np.arange(width)
        inside_rows = (rows >= first[..., :1]) & (rows < first[..., :1] + self.side)
        inside_columns = (columns >= first[..., 1:]) & (columns < first[..., 1:] + self.side)
        hidden = inside_rows[..., :, None] & inside_columns[..., None, :]
        hidden &= (streams.uniform((x.shape[1],)) < self.chance)[..., None, None]
        hidden = hidden.reshape(*hidden.shape[:2], *(1,) * (x.ndim - 4), height, width)
        return np.where(hidden, np.asarray(self.value, x.dtype), x), y


AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "symmetry": Symmetry,
    "noise": Noise,
    "occlusion": Occlusion,
}


def make_augmentation(spec: Any, **options: Any) -> Augmentation:
    """An augmentation by its name, by a mapping with `name` and options, or one that is made already.

    Raises:
        UsageError: an unknown name or option, or a value out of range.
    """
    return make_named(AUGMENTATIONS, "augmentation", spec, options)


def _holds(dtype: np.dtype[Any], value: float) -> bool:
    """Whether whole numbers of that kind, or truth values, have this one among them."""
    low, high = (0, 1) if dtype == np.bool_ else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return low <= value <= high and float(value).is_integer()


def turn_grids(x: Array, which: Array) -> Array:
    """Grids `[S, B, ..., H, W]` under the symmetries `which [S, B]`.

    Symmetry g is `g % 4` quarter turns to the left, after left and right have changed places where g >= 4. Those
    with an odd number of turns need square grids.
    """
    height, width = x.shape[-2:]
    flat = x.reshape(*x.shape[:2], -1, height * width)
    return np.take_along_axis(flat, cell_maps(height, width)[which][:, :, None, :], axis=-1).reshape(x.shape)


@lru_cache
def cell_maps(height: int, width: int) -> Array:
    """From which cell each cell of a grid comes, `[8, H W]`."""
    cells = np.arange(height * width).reshape(height, width)
    found = [np.rot90(cells[:, ::-1] if g >= 4 else cells, g % 4).reshape(-1) for g in range(8)]
    return np.stack(found)


@lru_cache
def action_maps(directions: Directions = DIRECTIONS) -> Array:
    """What each action becomes under each symmetry of `turn_grids`, int64 `[8, len(directions)]`.

    Raises:
        UsageError: a direction whose mirror image is not among them.
    """
    maps = np.empty((8, len(directions)), np.int64)
    for g in range(8):
        for action, (row, column) in enumerate(directions):
            column = -column if g >= 4 else column
            for _ in range(g % 4):  # a turn to the left takes right to up, and up to left
                row, column = -column, row
            if (row, column) not in directions:
                raise UsageError(
                    f"directions={directions} are not closed under turns: {(row, column)} is missing"
                )
            maps[g, action] = directions.index((row, column))
    return maps
