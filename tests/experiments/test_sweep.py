from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from rlcourse.errors import StorageError, UsageError
from rlcourse.experiments import run_cell, run_suite, sweep
from rlcourse.experiments.rows import TIMING
from rlcourse.experiments.store import Store
from rlcourse.pool import check_pool, unordered

SUITE = """
title = "Small"
seeds = 120
steps = 60
points = 5
[[worlds]]
env = "CandyMachines-v0"
[[agents]]
agent = "random"
[[agents]]
agent = "ucb"
sweep = { c = [0.5, 1.0] }
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "small.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than these runs, and one test looks at them."""
    if request.function is not test_the_files_are_there:
        monkeypatch.setattr(sweep, "plot_world", lambda *_: [])


@pytest.fixture(scope="module")
def unbroken(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    out = tmp_path_factory.mktemp("unbroken")
    run_suite(suite, out, jobs=1)
    return table(out)


def table(out: Path) -> list[dict[str, str]]:
    """The table without the columns that tell the time."""
    with (out / "table.csv").open() as file:
        return [{k: v for k, v in row.items() if k not in TIMING} for row in csv.DictReader(file)]


def count_runs(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    runs: list[list[int]] = []
    real = sweep.run_chunk

    def counted(agent: str, env: Any, seeds: list[int], *rest: Any) -> Any:
        runs.append(seeds)
        return real(agent, env, seeds, *rest)

    monkeypatch.setattr(sweep, "run_chunk", counted)
    return runs


def test_the_table_says_what_the_cells_say(unbroken: list[dict[str, str]]) -> None:
    assert list(unbroken[0])[:10] == [
        "suite",
        "env",
        "agent",
        "seeds",
        "steps",
        "metric",
        "mean",
        "iqm",
        "ci_low",
        "ci_high",
    ]
    assert [row["agent"] for row in unbroken[::5]] == ["random", "ucb(c=0.5)", "ucb(c=1)"]
    cell = run_cell("ucb", "CandyMachines-v0", seeds=120, steps=60, agent_kwargs={"c": 0.5})
    rows = {row["metric"]: row for row in unbroken if row["agent"] == "ucb(c=0.5)"}
    assert list(rows) == ["reward", "regret", "optimal", "total_reward", "simple_regret"]
    for metric, row in rows.items():
        mean, optimum = cell.scores[metric].mean(), cell.optimum[metric].mean()
        assert float(row["mean"]) == pytest.approx(mean, rel=1e-9)
        assert float(row["optimum"]) == pytest.approx(optimum, rel=1e-9)
        worse = optimum - mean if metric in ("reward", "optimal", "total_reward") else mean - optimum
        assert float(row["gap"]) == pytest.approx(worse, rel=1e-9, abs=1e-9)
        assert float(row["ci_low"]) < mean < float(row["ci_high"])
        assert float(row["iqm_ci_low"]) <= float(row["iqm"]) <= float(row["iqm_ci_high"])


def test_the_files_are_there(suite: Path, tmp_path: Path) -> None:
    report = run_suite(suite, tmp_path / "a" / "b", jobs=1, seeds=[4, 2])
    assert report.exit_code == 0
    assert {path.name for path in report.files} == {
        "results.sqlite",
        "table.csv",
        "table.md",
        "regret-CandyMachines-v0.png",
        "optimal-CandyMachines-v0.png",
        "reward-CandyMachines-v0.png",
    }
    for path in report.files:
        assert path.stat().st_size > 500
        assert path.suffix != ".png" or path.read_bytes().startswith(b"\x89PNG")
    said = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert said["failures"] == []
    assert said["rows"][0]["seeds"] == 2


def test_the_table_does_not_depend_on_the_number_of_processes(
    suite: Path, unbroken: list[dict[str, str]], tmp_path: Path
) -> None:
    run_suite(suite, tmp_path, jobs=2)
    assert table(tmp_path) == unbroken


def test_a_second_run_computes_nothing_and_says_the_same(
    suite: Path, unbroken: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = count_runs(monkeypatch)
    run_suite(suite, tmp_path, jobs=1)
    assert sum(map(len, runs)) == 360
    assert table(tmp_path) == unbroken
    whole = (tmp_path / "table.csv").read_bytes()
    runs.clear()
    run_suite(suite, tmp_path, jobs=1)
    assert not runs
    assert (tmp_path / "table.csv").read_bytes() == whole  # the timing too: it was stored


def test_more_seeds_go_on_from_those_that_are_there(
    suite: Path, unbroken: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_suite(suite, tmp_path, jobs=1, seeds=70)
    runs = count_runs(monkeypatch)
    run_suite(suite, tmp_path, jobs=1)
    assert runs == [list(range(70, 120))] * 3
    assert table(tmp_path) == unbroken


KILLED = """
import os, signal, sys
from rlcourse.experiments import run_suite
from rlcourse.experiments.store import Store

class Dying:
    '''A connection that dies before, or right after, its third chunk is committed.'''
    def __init__(self, db):
        self.db, self.commits = db, 0
    def execute(self, text, *rest):
        self.commits += text == "COMMIT"
        if self.commits == 4 and sys.argv[3] == "before":  # the first commit makes the tables
            os.kill(os.getpid(), signal.SIGKILL)
        result = self.db.execute(text, *rest)
        if self.commits == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    def close(self):
        self.db.close()

opened = Store._open
def dying(store):
    store._db = Dying(store._db)
    opened(store)
Store._open = dying
run_suite(sys.argv[1], sys.argv[2], jobs=1)
"""


@pytest.mark.parametrize(("when", "kept"), [("before", 2), ("after", 3)])
def test_killed_and_run_again_it_ends_in_the_same_table(
    suite: Path,
    unbroken: list[dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
    kept: int,
) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(suite), str(out), when], check=False, timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    assert not (out / "table.csv").exists()
    runs = count_runs(monkeypatch)
    run_suite(suite, out, jobs=1)
    assert sum(map(len, runs)) < 360
    with Store(out / "results.sqlite") as store:
        chunks = store._db.execute("SELECT count(*) FROM chunks").fetchone()[0]
    assert chunks - len(runs) == kept
    assert table(out) == unbroken


def test_a_cell_that_fails_does_not_take_the_others_with_it(
    suite: Path, unbroken: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sweep.run_chunk

    def fragile(
        agent: str, env: Any, seeds: list[int], steps: int, settings: dict[str, Any], *rest: Any
    ) -> Any:
        if settings == {"c": 1.0}:
            raise FloatingPointError("nan\nin arm 3")
        return real(agent, env, seeds, steps, settings, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "run_chunk", fragile)
        report = run_suite(suite, tmp_path, jobs=1)
    assert report.exit_code == 1
    assert [str(failure) for failure in report.failures] == [
        "ucb(c=1) in CandyMachines-v0: FloatingPointError: nan in arm 3"
    ]
    assert "fragile" in report.failures[0].traceback
    assert {row["agent"] for row in table(tmp_path)} == {"random", "ucb(c=0.5)"}
    assert "nan in arm 3" in (tmp_path / "table.md").read_text()
    assert report.to_json()["failures"][0]["agent"] == "ucb(c=1)"
    assert run_suite(suite, tmp_path, jobs=1).exit_code == 0
    assert table(tmp_path) == unbroken


def test_a_worker_that_dies_leaves_what_was_done(
    suite: Path, unbroken: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(function: Any, calls: Any, **_: Any) -> Any:
        for call in calls[:-1]:
            yield function(*call)
        raise BrokenProcessPool("killed by signal 9")

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "unordered", dying)
        report = run_suite(suite, tmp_path, jobs=2)
    assert report.exit_code == 1
    assert len(report.failures) == 1
    assert "a worker process died" in str(report.failures[0])
    assert run_suite(suite, tmp_path, jobs=1).exit_code == 0
    assert table(tmp_path) == unbroken


def test_two_benches_in_one_folder_are_refused(suite: Path, tmp_path: Path) -> None:
    with (
        Store(tmp_path / "results.sqlite"),
        pytest.raises(StorageError, match="another bench runs in this folder"),
    ):
        run_suite(suite, tmp_path, jobs=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jobs": 0}, "jobs=0 must be a whole number of at least 1"),
        ({"backend": "loki"}, "unknown backend 'loki': did you mean loky"),
        ({"seeds": 0}, "seeds=0 must be at least 1"),
    ],
)
def test_wrong_arguments_leave_no_folder(
    suite: Path, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run_suite(suite, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_out_must_be_a_folder(suite: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="is a file: name a folder"):
        run_suite(suite, tmp_path / "out", jobs=1)


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_a_backend_that_is_not_installed_is_named(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=rf"pip install 'rlcourse\[{backend}\]'"):
        check_pool(2, backend)


def interrupts_are_ignored(_: int) -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_workers_leave_an_interrupt_to_the_process_that_ends_them() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert list(unordered(interrupts_are_ignored, [(0,), (1,)], jobs=2)) == [True, True]
    assert signal.getsignal(signal.SIGINT) is before
