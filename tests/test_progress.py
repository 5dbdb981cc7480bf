"""Progress: a bar in a terminal, a line a minute in a file, nothing where it is not asked for."""

import sys

import pytest

from rlcourse import progress
from rlcourse.cli import main


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_file_has_a_line_a_minute(clock, capsys):
    with progress.progress_bar(40, "chunks [a]") as advance:
        for seconds in (59.0, 1.0, 30.0, 29.0, 3601.0):
            clock.now += seconds
            advance(5)
    out, lines = capsys.readouterr()
    assert out == ""
    assert lines.splitlines() == ["chunks [a]: 10 of 40 after 0:01:00", "chunks [a]: 25 of 40 after 1:02:00"]


def test_a_terminal_has_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress.progress_bar(4, "chunks") as advance:
        advance(4)
    assert "4/4" in capsys.readouterr().err


def test_not_asked_for_nothing_is_written(clock, capsys):
    with progress.progress_bar(4, "chunks", show=False) as advance:
        clock.now += 100.0
        advance(4)
    assert capsys.readouterr() == ("", "")


def test_the_command_line_writes_lines_to_a_file(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(progress, "SECONDS_A_LINE", 0.0)
    words = [
        "--agent",
        "ucb1",
        "--env",
        "Bandit-v0",
        "--steps",
        "200",
        "--out",
        str(tmp_path / "x"),
        "--json",
    ]
    assert main(["train", *words]) == 0
    out, lines = capsys.readouterr()
    assert out.startswith("{")
    assert lines.splitlines()[-1].startswith("ucb1 x 10: 200 of 200 after 0:")
