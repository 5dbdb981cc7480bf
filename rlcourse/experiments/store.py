"""Results on disk, as they arrive: one SQLite file in which every finished chunk of members is a row.

A row is committed whole or not at all, so a run that was killed has lost only the chunks that were on their
way; run again, it computes the members that are missing. A cell is known by the SHA-256 of all that decides
its figures, and members by their seeds, so the same cell in another suite, or with more seeds, goes on from
what is there.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rlcourse.errors import StorageError
from rlcourse.experiments.cell import Cell, join
from rlcourse.experiments.plan import CellPlan

APPLICATION_ID = 0x726C6372
"""Marks a SQLite file as ours ("rlcr")."""
SCHEMA_VERSION = 1

_SCHEMA = f"""
CREATE TABLE cells (key TEXT PRIMARY KEY, identity TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL REFERENCES cells (key),
    seeds TEXT NOT NULL,             -- JSON list: the members of the chunk
    wall_seconds REAL NOT NULL,
    sha256 TEXT NOT NULL,            -- of seeds and arrays
    arrays BLOB NOT NULL             -- safetensors: steps, curves/*, scores/*, optimum/*
);
CREATE INDEX chunks_of_cell ON chunks (key);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""


class Store:
    """The results of a folder, held by one process at a time (close it, or use it as a context).

    Args:
        path: the SQLite file; made if missing.

    Raises:
        StorageError: another process writes into it, or it is no file of ours, or damaged, or of a newer
        version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._errors():
            self._db = sqlite3.connect(self.path, timeout=0.0, isolation_level=None)
        try:
            with self._errors():
                self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        # An exclusive lock for as long as the file is open: the system frees it even after a kill.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        application = self._number("application_id")
        version = self._number("user_version")
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and application != APPLICATION_ID:
            raise StorageError(
                f"{self.path} is a SQLite file, but not one of rlcourse: choose another folder"
            )
        if version > SCHEMA_VERSION:
            raise StorageError(
                f"{self.path} has schema version {version}; this rlcourse reads up to {SCHEMA_VERSION}: "
                f"update rlcourse, or choose another folder"
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # with WAL, only a power cut may lose the last rows
        self._db.execute("BEGIN EXCLUSIVE")
        if not tables:
            for statement in _SCHEMA.split(";\n"):
                self._db.execute(statement)
        self._db.execute("COMMIT")
        if (damage := self._db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise StorageError(f"{self.path} is damaged ({damage.splitlines()[0]}): delete it to begin anew")

    def _number(self, pragma: str) -> int:
        return int(self._db.execute(f"PRAGMA {pragma}").fetchone()[0])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors as one sentence that says what to do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StorageError(f"{self.path} is in use: another bench runs in this folder") from None
            raise StorageError(f"{self.path} cannot be used: {error}") from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # or a message that quotes the damage
            raise StorageError(
                f"{self.path} is damaged or no SQLite file ({error}): delete it to begin anew"
            ) from error

    def missing(self, plan: CellPlan) -> list[int]:
        """The seeds of a cell that have no result yet."""
        with self._errors():
            rows = self._db.execute("SELECT seeds FROM chunks WHERE key = ?", (plan.key,)).fetchall()
        done = {seed for (seeds,) in rows for seed in self._members(seeds)}
        return [seed for seed in plan.seeds if seed not in done]

    def add(self, plan: CellPlan, cell: Cell) -> None:
        """Keep the result of some members of a cell; a kill after this returns does not lose it."""
        from safetensors.numpy import save

        arrays: dict[str, NDArray[Any]] = {"steps": cell.steps}
        for part in ("curves", "scores", "optimum"):
            arrays |= {f"{part}/{metric}": array for metric, array in getattr(cell, part).items()}
        blob = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        members = json.dumps(cell.seeds)
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT OR IGNORE INTO cells VALUES (?, ?)", (plan.key, plan.identity))
            self._db.execute(
                "INSERT INTO chunks (key, seeds, wall_seconds, sha256, arrays) VALUES (?, ?, ?, ?, ?)",
                (plan.key, members, cell.wall_seconds, _digest(members, blob), blob),
            )
            self._db.execute("COMMIT")

    def load(self, plan: CellPlan) -> Cell:
        """The members of a cell in the order of the plan's seeds, from all chunks that hold some of them.

        Raises:
            StorageError: a member is missing, or a row was altered.
        """
        wanted = set(plan.seeds)
        with self._errors():
            rows = self._db.execute(
                "SELECT seeds, wall_seconds, sha256, arrays FROM chunks WHERE key = ? ORDER BY id",
                (plan.key,),
            ).fetchall()
        parts = []
        for seeds, wall_seconds, digest, blob in rows:
            if _digest(seeds, blob) != digest:
                raise self._altered()
            listed = self._members(seeds)
            columns = [place for place, seed in enumerate(listed) if seed in wanted]
            wanted -= set(listed)
            if columns:
                parts.append(self._decode(plan, listed, columns, wall_seconds, blob))
        if wanted:
            raise StorageError(f"{self.path} lacks {len(wanted)} members of {plan.agent} in {plan.env}")
        return _ordered(join(parts), plan.seeds)

    def _members(self, seeds: str) -> list[int]:
        try:
            return [int(seed) for seed in json.loads(seeds)]
        except (ValueError, TypeError):
            raise self._altered() from None

    def _altered(self) -> StorageError:
        return StorageError(f"{self.path} was altered since it was written: delete it to begin anew")

    def _decode(
        self,
        plan: CellPlan,
        seeds: list[int],
        columns: list[int],
        wall_seconds: float,
        blob: bytes,
    ) -> Cell:
        from safetensors.numpy import load

        arrays = load(blob)

        def part(prefix: str) -> dict[str, NDArray[np.float64]]:
            names = sorted(name for name in arrays if name.startswith(prefix))  # the file has no order
            return {name.removeprefix(prefix): arrays[name][..., columns] for name in names}

        return Cell(
            agent=plan.agent_name,
            env=plan.env_id,
            agent_kwargs=plan.agent_kwargs,
            env_kwargs=plan.env_kwargs,
            seeds=[seeds[column] for column in columns],
            n_steps=plan.steps,
            steps=arrays["steps"],
            curves=part("curves/"),
            scores=part("scores/"),
            optimum=part("optimum/"),
            wall_seconds=wall_seconds * len(columns) / len(seeds),
        )

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _digest(seeds: str, blob: bytes) -> str:
    return hashlib.sha256(seeds.encode() + b"\0" + blob).hexdigest()


def _ordered(cell: Cell, seeds: list[int]) -> Cell:
    """The same members in another order."""
    if cell.seeds == seeds:
        return cell
    place = {seed: column for column, seed in enumerate(cell.seeds)}
    columns = [place[seed] for seed in seeds]
    for part in (cell.curves, cell.scores, cell.optimum):
        for metric in part:
            part[metric] = part[metric][..., columns]
    return Cell(**{**cell.__dict__, "seeds": list(seeds)})
