"""The verbs `play` and `watch`: whole games at the command line, their files, and how they fail."""

import json
import os
import re
import subprocess
import sys

import pygame
import pytest
from PIL import Image

import rlcourse
from rlcourse.viewer.record import read_record

from .test_cli import refused, run

GAME = ["play", "--env", "CandyMaze-v0", "--seed", "3"]
WATCH = ["watch", "--agent", "ucb1", "--env", "Bandit-v0", "--env.arms", "3", "--env.horizon", "12"]


@pytest.fixture
def screen(monkeypatch, tmp_path):
    """A screen that nobody sees, in an empty folder; the keys that are named were pressed."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.chdir(tmp_path)

    def press(*names):
        pygame.display.init()
        pygame.event.clear()
        for name in names:
            code, unicode = pygame.key.key_code(name), name if len(name) == 1 else ""
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=code, mod=0, unicode=unicode))

    yield press
    pygame.display.quit()


@pytest.fixture
def no_screen(monkeypatch, tmp_path):
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    monkeypatch.chdir(tmp_path)
    pygame.display.quit()


def frames_of(path):
    with Image.open(path) as image:
        return image.n_frames, image.size


# -------------------------------------------------------------------- play and replay


def test_a_game_is_played_recorded_and_replayed(capsys, screen, tmp_path):
    screen("right", "s", "u", "down", "down", "r", "right", "escape")
    code, out, err = run(capsys, *GAME, "--out", "games/mine.json", "--gif", "mine.gif")
    assert (code, err) == (0, "")
    assert "2 episodes, 4 steps; to see the game again: rlcourse play --replay games/mine.json\n" in out
    assert "6 frames in mine.gif\n" in out
    assert frames_of("mine.gif")[0] == 6
    record = read_record(tmp_path / "games/mine.json")
    assert [episode.actions for episode in record.episodes] == [[1, 3, 3], [1]]
    assert record.episodes[0].seed == 3

    screen("space", "right", "left", "escape")
    code, out, err = run(capsys, "play", "--replay", "games/mine.json")
    assert (code, err) == (0, "")
    assert out == "4 steps, and every reward is that of the record\n"


def test_a_gif_of_a_replay_needs_no_display(capsys, screen, monkeypatch):
    screen("right", "down", "escape")
    run(capsys, *GAME, "--out", "game.json")
    pygame.display.quit()
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    code, out, err = run(capsys, "play", "--replay", "game.json", "--gif", "game.gif", "--fps", "5")
    assert (code, err) == (0, "")
    assert out == "3 frames in game.gif\n2 steps, and every reward is that of the record\n"
    assert frames_of("game.gif")[0] == 3


def test_a_world_of_other_people(capsys, screen, tmp_path):
    screen("1", "0", "1", "q")
    words = ["--env.is-slippery", "false", "--out", "game.json", "--gif", "game.gif"]
    code, out, err = run(capsys, "play", "--env", "FrozenLake-v1", *words)
    assert (code, err) == (0, "")
    assert "4 frames in game.gif" in out
    assert frames_of("game.gif")[1][0] == 480
    assert json.loads((tmp_path / "game.json").read_text())["env_kwargs"]["is_slippery"] is False


def test_the_default_file_is_named_by_what_was_played_and_nothing_is_overwritten(capsys, screen, tmp_path):
    for _ in range(2):
        screen("right", "escape")
        code, _, err = run(capsys, *GAME, "--env.slip", "0.2")
        assert (code, err) == (0, "")
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == ["play-CandyMaze-v0-slip=0.2-seed=3-2.json", "play-CandyMaze-v0-slip=0.2-seed=3.json"]


def test_nothing_played_leaves_nothing_behind(capsys, screen, tmp_path):
    screen("escape")
    assert run(capsys, *GAME) == (0, "nothing was played, so nothing is recorded\n", "")
    assert list(tmp_path.iterdir()) == []


def test_what_was_played_before_ctrl_c_is_kept(capsys, screen, monkeypatch, tmp_path):
    screen("right", "down")
    presses = rlcourse.viewer.window.Window.presses

    def interrupted(self, seconds):
        done = presses(self, 0.0)
        if not done:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr("rlcourse.viewer.window.Window.presses", interrupted)
    code, out, err = run(capsys, *GAME, "--out", "mine.json")
    assert (code, err) == (130, "rlcourse: interrupted\n")
    assert "1 episode, 2 steps" in out
    assert read_record(tmp_path / "mine.json").episodes[0].actions == [1, 3]


def test_a_replay_that_differs_is_one_line_and_code_1(capsys, screen, tmp_path):
    screen("right", "escape")
    run(capsys, *GAME, "--out", "mine.json")
    text = (tmp_path / "mine.json").read_text()
    (tmp_path / "mine.json").write_text(text.replace("-0.05", "-0.5").replace(rlcourse.__version__, "0.0.1"))
    code, out, err = run(capsys, "play", "--replay", "mine.json", "--gif", "mine.gif")
    assert code == 1
    assert out == "2 frames in mine.gif\n"
    assert err.startswith(
        "rlcourse: the replay is not the game that was recorded: in step 1 of episode 1 it pays -0.05"
    )
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "text", ["", "{}", "[1, 2", '{"format": "rlcourse-game", "format_version": 99}', "\x00" * 50]
)
@pytest.mark.parametrize("gif", [[], ["--gif", "game.gif"]])
def test_what_is_no_record_is_one_line_and_code_1(capsys, screen, tmp_path, text, gif):
    (tmp_path / "game.json").write_text(text)
    assert "game.json" in refused(capsys, "play", "--replay", "game.json", *gif, code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["game.json"]


# -------------------------------------------------------------------- watch


def test_a_strategy_in_a_gif(capsys, no_screen):
    code, out, err = run(capsys, *WATCH, "--gif", "new/a.gif")
    assert (code, err) == (0, "")
    assert out == "13 frames in new/a.gif\n"
    count, size = frames_of("new/a.gif")
    assert count == 13
    assert size[0] == 960
    with Image.open("new/a.gif") as image:
        assert image.info["duration"] == 100
    assert "25 frames" in run(capsys, *WATCH, "--gif", "b.gif", "--episodes", "2", "--fps", "25")[1]
    with Image.open("b.gif") as image:
        assert image.info["duration"] == 40


def test_learning_before_there_is_anything_to_see(capsys, no_screen):
    assert "9 frames" in run(capsys, *WATCH, "--steps", "4", "--gif", "a.gif")[1]
    assert "steps=12 is all of a game of 12 rounds" in refused(
        capsys, *WATCH, "--steps", "12", "--gif", "a.gif"
    )


def test_the_same_command_gives_the_same_gif(capsys, no_screen, tmp_path):
    for name in "ab":
        run(capsys, *WATCH, "--gif", f"{name}.gif")
    run(capsys, *WATCH, "--seed", "1", "--gif", "c.gif")
    blobs = [(tmp_path / f"{name}.gif").read_bytes() for name in "abc"]
    assert blobs[0] == blobs[1] != blobs[2]


def test_a_saved_agent_brings_its_world_along(capsys, no_screen):
    train = ["train", "--agent", "ucb1", "--env", "Bandit-v0", "--env.horizon", "9", "--env.arms", "3"]
    assert run(capsys, *train, "--seeds", "4", "--out", "saved")[0] == 0
    watch = ["watch", "--agent", "./saved", "--gif", "a.gif"]
    assert "10 frames" in run(capsys, *watch)[1]
    assert "10 frames" in run(capsys, *watch, "--member", "3")[1]
    assert "6 frames" in run(capsys, *watch, "--env.horizon", "5")[1]
    assert (
        "8 frames"
        in run(capsys, *watch, "--env", "DriftingBandit-v0", "--env.arms", "3", "--env.horizon", "7")[1]
    )
    assert "action space Discrete(3); this world has Discrete(4)" in refused(
        capsys, *watch, "--env.arms", "4"
    )
    assert "member(4) of a population of 4" in refused(capsys, *watch, "--member", "4")
    assert "--agent.c cannot be set" in refused(capsys, *watch, "--agent.c", "2")
    assert "did you mean horizon" in refused(capsys, *watch, "--env.horizn", "2")
    assert "has learned" in refused(capsys, *watch, "--steps", "2")
    code, out, _ = run(capsys, *watch, "--help")
    assert code == 0
    assert re.search(r"--env\.horizon INT\s.*?\(default: 9\)", " ".join(out.replace("│", " ").split()))


def test_a_long_gif_is_cut_with_a_word(capsys, no_screen, monkeypatch):
    monkeypatch.setattr("rlcourse.viewer.gif.MOST_FRAMES", 5)
    code, out, err = run(capsys, *WATCH, "--gif", "a.gif")
    assert (code, out) == (0, "5 frames in a.gif\n")
    assert err == "rlcourse: the GIF ends after 5 frames, before the end of what there is to see\n"


def test_a_window_is_closed_by_a_key(capsys, screen):
    screen("right", "space", "escape")
    assert run(capsys, *WATCH, "--fps", "0") == (0, "", "")


# -------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["play"], "play needs --env"),
        (["play", "--env", "CandyMase-v0"], "did you mean CandyMaze-v0"),
        (["play", "--env", "CandyMaze-v0", "--env.slipp", "1"], "did you mean slip?"),
        (["play", "--env", "CandyMaze-v0", "--sede", "1"], "did you mean --seed"),
        (["play", "--env", "CandyMaze-v0", "--agent", "ucb"], "unknown flag '--agent'"),
        (["play", "--env", "Pendulum-v1"], "not Discrete"),
        ([*GAME, "--seed", "-1"], "seed=-1"),
        ([*GAME, "--seed", "x"], "--seed='x' must be a whole number"),
        ([*GAME, "--out", "mine.txt"], "must be the name of a .json file"),
        ([*GAME, "--gif", "mine.png"], "must be the name of a .gif file"),
        ([*GAME, "--fps", "-1"], "fps=-1.0"),
        (["play", "--replay", "x.json", "--env", "CandyMaze-v0"], "leave out --env"),
        (["play", "--replay", "x.json", "--seed", "1"], "leave out --seed"),
        (["play", "--replay", "x.json", "--out", "y.json"], "leave out --out"),
        (["watch"], "watch needs --agent"),
        (["watch", "--agent", "ucb"], "watch needs --env"),
        (["watch", "--agent", "ubc", "--env", "Bandit-v0"], "did you mean ucb?"),
        ([*WATCH, "--agent.c", "2"], "ucb1 has no settings"),
        ([*WATCH, "--env.armz", "2"], "did you mean arms?"),
        ([*WATCH, "--member", "1"], "--member chooses from a saved population"),
        ([*WATCH, "--episodes", "0"], "episodes=0"),
        ([*WATCH, "--steps", "0"], "steps=0"),
        ([*WATCH, "--fps", "nan"], "fps=nan"),
        ([*WATCH, "--gif", "a.mp4"], "must be the name of a .gif file"),
        ([*WATCH], "a window needs a display"),
        ([*GAME], "a window needs a display"),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else "",
)
def test_wrong_arguments_are_one_line_and_code_2(capsys, no_screen, tmp_path, words, said):
    assert said in refused(capsys, *words)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_an_agent_is_one_line_and_code_1(capsys, no_screen, tmp_path):
    assert "holds no saved agent" in refused(capsys, "watch", "--agent", "./nothing", code=1)
    (tmp_path / "empty").mkdir()
    assert "holds no saved agent" in refused(capsys, "watch", "--agent", "empty", code=1)


def test_a_file_that_cannot_be_written_is_refused_before_the_game(capsys, no_screen, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.gif").mkdir()
    assert "cannot be made" in refused(capsys, *GAME, "--out", "file/mine.json")
    assert "it is a folder" in refused(capsys, *WATCH, "--gif", "folder.gif")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is a display always")
def test_without_a_display_nothing_waits_for_keys_in_an_invisible_window(tmp_path):
    """SDL falls back to a driver that shows nothing, where nobody has chosen one."""
    chosen = ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")
    done = subprocess.run(
        [sys.executable, "-m", "rlcourse", *GAME],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name not in chosen},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rlcourse: a window needs a display")
    assert done.stderr.count("\n") == 1
