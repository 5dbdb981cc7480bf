"""Datasets in memory, their parts without leakage, and mini-batches in an order of each member's own.

data = Dataset(x, y)                                            # shared by all members
train, validation, test = split(data, 0.7, 0.15, 0.15, stratify=True)
for rows in batches(len(train), 32, streams):                   # one epoch: int64 [S, B]
    x, y, weight = train.gather(rows)                           # [S, B, ...]
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlcourse.checks import LARGEST, check_count, check_number
from rlcourse.errors import UsageError
from rlcourse.streams import Streams

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and targets, one of which belongs to the other by its row.

    Numbers with a fraction are kept as float32 and targets that are whole numbers as int64; whole inputs keep their dtype, so
    that pictures of bytes stay so.

    Raises:
        UsageError: arrays of different length, nothing in them, or numbers that are not finite or too large to be kept.
    """

    x: Array
    """Inputs `[n, ...]`; with `members`, `[S, n, ...]`."""
    y: Array
    """Targets `[n, ...]`: numbers, classes or labels; with `members`, `[S, n, ...]`."""
    weight: Array | None = None
    """How much each row counts in a loss, `[n]` (with time `[n, T]`, 0 for padding); with `members`, `[S, n]`."""
    members: int | None = None
    """S where every member has data of its own; `None` where all share them."""

    def __post_init__(self) -> None:
        """Refuse what does not fit, by name and value."""
        lead = 1 if self.members is None else 2
        for name in ("x", "y", "weight"):
            value = getattr(self, name)
            if value is None and name == "weight":
                continue
            try:
                array = np.asarray(value)
            except ValueError as error:
                raise UsageError(f"{name} is no array: its rows are of different length") from error
            if array.dtype.kind not in "biuf" or array.ndim < lead:
                raise UsageError(
                    f"{name} must be numbers [{'n' if lead == 1 else 'S, n'}, ...], got {array.dtype} {list(array.shape)}"
                )
            if array.dtype.kind == "f":
                if not np.isfinite(array).all():
                    raise UsageError(f"{name} holds numbers that are not finite")
                most = np.finfo(np.float32).max
                if array.size and max(array.max(), -array.min()) > most:
                    raise UsageError(f"{name} holds numbers that float32 has no room for, beyond {most:.3g}")
                array = array.astype(np.float32, copy=False)
            elif array.dtype == np.uint64 and array.size and array.max() > LARGEST:
                raise UsageError(f"{name} holds whole numbers that int64 has no room for")
            elif name == "y":
                array = array.astype(np.int64, copy=False)
            elif name == "weight":
                array = array.astype(np.float32)
            object.__setattr__(self, name, array)
            if array.shape[:lead] != self.x.shape[:lead]:
                raise UsageError(
                    f"{name} {list(array.shape)} and x {list(self.x.shape)} must have the same rows"
                )
        if self.members is not None and len(self.x) != check_count("members", self.members):
            raise UsageError(f"members={self.members}, but x leads with {len(self.x)}")
        if len(self) == 0:
            raise UsageError("a dataset must have at least one row")
        if self.weight is not None and not (self.weight >= 0.0).all():
            raise UsageError("weights must be at least 0")

    def __len__(self) -> int:
        """The rows n of each member."""
        return int(self.x.shape[0 if self.members is None else 1])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return tuple(self.x.shape[1 if self.members is None else 2 :])

    def take(self, rows: Array) -> Dataset:
        """Some of the rows: `[m]` the same ones for all members, `[S, m]` each member its own."""
        if rows.ndim == 2:
            x, y, weight = self.gather(rows)
            return Dataset(x, y, weight, members=len(rows))
        at = (slice(None), rows) if self.members is not None else rows
        return Dataset(self.x[at], self.y[at], None if self.weight is None else self.weight[at], self.members)

    def gather(self, rows: Array) -> tuple[Array, Array, Array | None]:
        """The rows `[S, B]` of each member: inputs and targets `[S, B, ...]`, and weights if there are any."""
        at: Any = rows if self.members is None else (np.arange(self.members)[:, None], rows)
        return self.x[at], self.y[at], None if self.weight is None else self.weight[at]

    def digest(self) -> str:
        """A fingerprint of all that is in it."""
        found = hashlib.sha256(repr(self.members).encode())
        for array in (self.x, self.y, self.weight):
            if array is not None:
                found.update(repr((array.shape, array.dtype.str)).encode())
                found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()


def split(
    data: Dataset,
    *shares: float,
    seed: int = 0,
    stratify: bool | ArrayLike = False,
    groups: str | ArrayLike | None = None,
) -> tuple[Dataset, ...]:
    """Parts that have no row in common, as for training, validation and test.

    Args:
        data: what is parted, at the same rows for all members.
        shares: how much each part gets; they sum to 1.
        seed: what decides.
        stratify: every class has its share in every part, to within two rows: `True` for the classes `y`, or other ones `[n]`.
        groups: rows `[n]` that belong together, as those of one maze or one episode, come into one part; `"duplicates"` keeps
            equal inputs together, which would else be learned in one part and asked for in the other.

    Returns:
        A dataset for each share, the rows in their old order.

    Raises:
        UsageError: shares that do not sum to 1, an empty part, groups of several classes that shall be stratified.
    """
    for i, share in enumerate(shares):
        check_number(f"shares[{i}]", share, 0.0, open_low=True)
    if not shares or abs(sum(shares) - 1.0) > 1e-9:
        raise UsageError(f"shares={list(shares)} must sum to 1")
    n = len(data)
    unit = _groups(data, groups)
    sizes = np.bincount(unit)
    streams = Streams.from_seeds([check_count("seed", seed, 0)], "nn/split")
    order = np.argsort(streams.bits((len(sizes),))[0], kind="stable")
    if stratify is not False:
        strata = _labels(data, data.y if stratify is True else stratify)
        of_unit = np.zeros(len(sizes), np.int64)
        of_unit[unit] = strata
        if (of_unit[unit] != strata).any():
            raise UsageError("groups can only be stratified where all rows of a group are of one class")
        # one class after the other; which comes first is left to chance, since the first rows go to the largest part
        place = np.argsort(streams.bits((int(strata.max()) + 1,))[0], kind="stable")
        order = order[np.argsort(place[of_unit[order]], kind="stable")]
    part = _deal(order, sizes, np.array(shares))[unit]
    parts = [np.flatnonzero(part == i) for i in range(len(shares))]
    for i, rows in enumerate(parts):
        if not len(rows):
            what = f"{n} rows" if groups is None else f"{len(sizes)} groups of {n} rows"
            raise UsageError(f"{what} are too few for a part of {shares[i]:g}")
    return tuple(data.take(rows) for rows in parts)


def _deal(order: Array, sizes: Array, shares: NDArray[np.float64]) -> Array:
    """Give each unit, in this order, to the part that is furthest behind its share of what has been dealt."""
    part = np.empty(len(sizes), np.int64)
    behind = np.zeros(len(shares))
    for unit in order:
        behind += shares * sizes[unit]
        part[unit] = to = int(behind.argmax())
        behind[to] -= sizes[unit]
    return part


def _groups(data: Dataset, groups: str | ArrayLike | None) -> NDArray[np.int64]:
    """The number of the group of each row, `[n]`."""
    if groups is None:
        return np.arange(len(data))
    if isinstance(groups, str):
        if groups != "duplicates":
            raise UsageError(f'groups={groups!r} must be an array of {len(data)} entries, or "duplicates"')
        if data.members is not None:
            raise UsageError('groups="duplicates" needs data that all members share')
        return np.unique(data.x.reshape(len(data), -1), axis=0, return_inverse=True)[1].reshape(-1)
    return _labels(data, groups)


def _labels(data: Dataset, labels: ArrayLike) -> NDArray[np.int64]:
    """Any labels `[n]` as numbers 0, 1, 2 ..."""
    array = np.asarray(labels)
    if array.shape != (len(data),):
        raise UsageError(f"labels of shape {list(array.shape)}, expected one for each of {len(data)} rows")
    return np.unique(array, return_inverse=True)[1]


def bootstrap(data: Dataset, streams: Streams) -> Dataset:
    """For each member as many rows as there are, drawn with replacement (Efron 1979, "Bootstrap methods")."""
    return data.take(streams.integers(len(data), (len(data),)))


def batches(n: int, batch_size: int | None, streams: Streams) -> Iterator[NDArray[np.int64]]:
    """One epoch: every row once, in an order that each member draws from its own stream.

    Args:
        n: rows.
        batch_size: B; the last batch is smaller where B does not divide n. `None` is all rows at once, in their own order.
        streams: of S members; each moves on by n numbers, before the first batch.

    Returns:
        Row numbers, int64 `[S, B]` a batch.
    """
    if batch_size is None:
        yield np.broadcast_to(np.arange(n), (len(streams), n))
        return
    order = np.argsort(streams.bits((n,)), axis=1, kind="stable")
    for start in range(0, n, batch_size):
        yield order[:, start : start + batch_size]


def count_steps(n: int, batch_size: int | None, epochs: int) -> int:
    """How many updates so many epochs are, as a schedule's `steps` wants to know."""
    return epochs * (1 if batch_size is None else -(-n // batch_size))
