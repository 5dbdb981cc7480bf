"""The agents of stable-baselines3 in experiments and at the command line, by their names with a colon."""

import json
import sqlite3
from contextlib import closing

import numpy as np

from rlcourse.agents import load_agent, make_agent
from rlcourse.cli import main
from rlcourse.experiments import run_cell, run_suite

SHORT = {"n_steps": 32, "batch_size": 32, "n_epochs": 1, "net_arch": [8], "jobs": 1}
WORLD = {"layout": "S.2\n.#.\n..E", "max_steps": 10}
SUITE = """
title = "Peers"
description = "A network of theirs, and who knows nothing."
seeds = 2

[[worlds]]
env = "CandyMaze-v0"
settings = {layout = "S.2\\n.#.\\n..E", max_steps = 10}
steps = 128

[[agents]]
agent = "random"

[[agents]]
agent = "sb3:ppo"
settings = {n_steps = 32, batch_size = 32, n_epochs = 1, net_arch = [8]}
"""


def test_a_cell():
    cell = run_cell(
        "sb3:ppo", "CandyMaze-v0", seeds=2, steps=128, agent_kwargs=SHORT, env_kwargs=WORLD, points=4
    )
    assert cell.steps.tolist() == [32, 64, 96, 128]
    assert cell.curves["online_return"].shape == (4, 2)
    assert cell.scores["return"].shape == cell.scores["success"].shape == (2,)
    agent = make_agent("sb3:ppo", "CandyMaze-v0", seeds=2, env_kwargs=WORLD, **SHORT)
    shown = []
    for _ in agent.follow([32, 96], lambda steps: None):
        shown.append((agent.earned.copy(), agent.episodes.copy()))
    (first, some), (earned, episodes) = shown
    assert (some > 0).all()
    np.testing.assert_allclose(cell.curves["online_return"][0], first / some)
    np.testing.assert_allclose(cell.scores["online_return"], earned / episodes)


def test_what_would_need_a_look_while_it_learns_is_left_out():
    """All is learned before the account is shown: a look in between would be one at the end."""
    cell = run_cell(
        "sb3:ppo", "CandyMaze-v0", seeds=1, steps=128, agent_kwargs=SHORT, env_kwargs=WORLD, points=4
    )
    assert "gap" in cell.scores
    assert "steps_to_95" not in cell.scores
    assert "steps_to_95" in run_cell("random", "CandyMaze-v0", seeds=1, steps=128, env_kwargs=WORLD).scores
    moving = {"drift": "jump", "drift_every": 10, "drift_unit": "steps", "max_steps": 12}
    twins = {
        name: run_cell(name, "CandyMazeDrift-v0", seeds=1, steps=64, agent_kwargs=settings, env_kwargs=moving)
        for name, settings in (("sb3:ppo", {**SHORT, "vec_env": "native"}), ("random", {}))
    }
    assert "regret" in twins["random"].scores
    assert "regret" not in {**twins["sb3:ppo"].scores, **twins["sb3:ppo"].curves, **twins["sb3:ppo"].optimum}
    # the world has its own random numbers, so after as many steps both leave the same one
    assert twins["sb3:ppo"].optimum["return"] == twins["random"].optimum["return"]


def test_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = "train --agent sb3:a2c --env CandyMaze-v0 --seeds 1 --steps 60 --agent.net-arch 8 --env.max-steps 10 --json"
    assert main(words.split()) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["agent"] == "sb3:a2c"
    (folder,) = (tmp_path / "runs").iterdir()
    assert ":" not in folder.name
    assert load_agent(folder).num_timesteps == 60
    assert main(["evaluate", str(folder), "--episodes", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert (
        main(["train", "--agent", "sb3:a2c", "--env", "CandyMaze-v0", "--steps", "9", "--agent.n-step", "3"])
        == 2
    )
    assert "did you mean n-steps" in capsys.readouterr().err


def test_a_suite(tmp_path):
    path = tmp_path / "peers.toml"
    path.write_text(SUITE)
    run_suite(str(path), jobs=1, out=tmp_path / "out")
    table = (tmp_path / "out" / "table.csv").read_text()
    assert "sb3:ppo" in table
    assert all(":" not in file.name for file in (tmp_path / "out").iterdir())
    with closing(sqlite3.connect(tmp_path / "out" / "results.sqlite")) as results:
        query = "SELECT seeds FROM chunks JOIN cells USING (key) WHERE identity LIKE '%sb3%' ORDER BY id"
        assert [seeds for (seeds,) in results.execute(query)] == ["[0]", "[1]"]  # each kept when it comes
