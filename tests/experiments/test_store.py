from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rlcourse.errors import StorageError
from rlcourse.experiments.cell import Cell
from rlcourse.experiments.plan import CellPlan
from rlcourse.experiments.store import APPLICATION_ID, SCHEMA_VERSION, Store

PLAN = CellPlan("s", "w", "a", "rlcourse/Bandit-v0", {}, "ucb1", {}, [0, 1, 2, 3, 4], 10, 2, None, "{}")


def result(seeds: list[int]) -> Cell:
    """A cell in which every figure says whose it is."""
    column = np.array(seeds, np.float64)
    return Cell(
        agent="ucb1",
        env="rlcourse/Bandit-v0",
        agent_kwargs={},
        env_kwargs={},
        seeds=seeds,
        n_steps=10,
        steps=np.array([5, 10]),
        curves={"regret": np.stack([column, column + 100.0])},
        scores={"regret": column + 100.0, "reward": column},
        optimum={"regret": column * 0.0},
        wall_seconds=float(len(seeds)),
    )


def test_chunks_come_back_as_one_cell_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    with Store(tmp_path / "new" / "r.sqlite") as store:
        assert store.missing(PLAN) == [0, 1, 2, 3, 4]
        store.add(PLAN, result([4, 1]))
        assert store.missing(PLAN) == [0, 2, 3]
    with Store(tmp_path / "new" / "r.sqlite") as store:
        store.add(PLAN, result([0, 2, 3]))
        cell = store.load(PLAN)
        assert cell.seeds == [0, 1, 2, 3, 4]
        assert cell.scores["reward"].tolist() == [0, 1, 2, 3, 4]
        assert cell.curves["regret"].tolist() == [[0, 1, 2, 3, 4], [100, 101, 102, 103, 104]]
        assert cell.optimum["regret"].shape == (5,)
        assert cell.steps.tolist() == [5, 10]
        assert cell.wall_seconds == 5.0
        some = store.load(replace(PLAN, seeds=[3, 1]))
        assert some.scores["reward"].tolist() == [3, 1]
        assert some.wall_seconds == 2.0


def test_another_cell_has_its_own_members(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as store:
        store.add(PLAN, result([0, 1, 2, 3, 4]))
        other = replace(PLAN, identity='{"epsilon":0.2}')
        assert store.missing(other) == PLAN.seeds
        with pytest.raises(StorageError, match="lacks 5 members of a in w"):
            store.load(other)


def test_members_that_are_there_twice_count_once(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as store:
        store.add(PLAN, result([0, 1, 2]))
        store.add(PLAN, result([2, 3, 4]))
        assert store.load(PLAN).scores["reward"].tolist() == [0, 1, 2, 3, 4]


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with (
        Store(tmp_path / "r.sqlite"),
        pytest.raises(StorageError, match="in use: another bench runs in this folder"),
    ):
        Store(tmp_path / "r.sqlite")
    Store(tmp_path / "r.sqlite").close()


def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE diary (day TEXT)")
        db.commit()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="not one of rlcourse"):
        Store(path)
    assert path.read_bytes() == before


def test_a_text_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    path.write_text("dear diary, " * 200)
    with pytest.raises(StorageError, match=r"damaged or no SQLite file .*: delete it to begin anew"):
        Store(path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    Store(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        db.commit()
    with pytest.raises(StorageError, match=f"schema version {SCHEMA_VERSION + 1}; this rlcourse reads up to"):
        Store(path)


def test_a_damaged_file_is_never_read_as_results(tmp_path: Path) -> None:
    """Sixty-four bytes turned, wherever they are: an error, or (in the free room of a page) no harm."""
    path = tmp_path / "r.sqlite"
    plan = replace(PLAN, seeds=list(range(400)))
    with Store(path) as store:
        store.add(plan, result(plan.seeds))
        whole = store.load(plan)
    sound = path.read_bytes()
    refused = 0
    for start in range(0, len(sound) - 64, len(sound) // 40):
        blob = bytearray(sound)
        blob[start : start + 64] = bytes(byte ^ 0xFF for byte in blob[start : start + 64])
        path.write_bytes(blob)
        try:
            with Store(path) as store:
                found = store.load(plan) if not store.missing(plan) else whole
        except StorageError:
            refused += 1
        else:
            np.testing.assert_array_equal(found.curves["regret"], whole.curves["regret"])
            np.testing.assert_array_equal(found.scores["reward"], whole.scores["reward"])
    assert refused > 15


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    plan = replace(PLAN, seeds=list(range(400)))
    with Store(path) as store:
        store.add(plan, result(plan.seeds))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(StorageError, match="delete it to begin anew"), Store(path) as store:
        store.load(plan)
