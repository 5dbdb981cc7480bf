"""Cells of agents that act in episode after episode: the figures against planning, sampling, and learning without a record."""

from __future__ import annotations

import json
from typing import Any

import gymnasium
import numpy as np
import pytest

from rlcourse.agents import make_agent
from rlcourse.cli import main
from rlcourse.errors import UsageError
from rlcourse.experiments import run_cell
from rlcourse.experiments.control import checks_of
from rlcourse.experiments.exact import Yardsticks
from rlcourse.experiments.run import record
from rlcourse.mdp import FiniteMDP, evaluate_policy
from tests.agents.tabular.worlds import CORNER, assert_same

CLIFF = {"max_steps": 200}


def test_a_learner_at_the_cliff() -> None:
    cell = run_cell(
        "q_learning",
        "CliffWalk-v0",
        seeds=6,
        steps=30_000,
        points=30,
        env_kwargs=CLIFF,
        agent_kwargs={"learning_rate": 0.5, "gamma": 1.0},
    )
    assert set(cell.scores) == {
        "return", "online_return", "success", "optimal", "gap", "distance", "win_rate", "steps_to_95",
    }  # fmt: skip
    assert cell.scores["return"].tolist() == [-13.0] * 6
    assert cell.optimum["return"].tolist() == [-13.0] * 6
    np.testing.assert_allclose(cell.scores["gap"], 0.0, atol=1e-9)
    assert (cell.scores["distance"] >= 0.0).all()
    assert (cell.scores["win_rate"] > 0.5).all()
    assert ((cell.scores["optimal"] > 0.5) & (cell.scores["optimal"] <= 1.0)).all()
    assert (cell.scores["online_return"] < -40.0).all()
    assert cell.curves["online_return"].shape == (30, 6)
    assert (cell.curves["online_return"][-1] > cell.curves["online_return"][0]).all()
    assert set(cell.scores["steps_to_95"]) <= set(cell.steps.tolist())
    assert cell.scores["steps_to_95"].max() < 30_000


def test_before_a_member_has_finished_an_episode_its_curve_is_empty() -> None:
    """An acrobot that swings at random is stopped after 500 steps; each member has two."""
    cell = run_cell(
        "naive_dqn",
        "Acrobot-v1",
        seeds=2,
        steps=2000,
        points=10,
        agent_kwargs={"n_envs": 2, "net_arch": (4,)},
    )
    curve = cell.curves["online_return"]
    assert np.isnan(curve[:4]).all()
    assert not np.isnan(curve[5:]).any()
    assert (curve[-1] < 0.0).all()


def test_one_that_has_diverged_has_no_scores() -> None:
    """But what it was paid while learning it was paid; and the others keep theirs."""
    settings = {"n_steps": 8, "batch_size": 8, "n_envs": 1}
    cells = [
        run_cell("ppo", "CandyMaze-v0", seeds=2, steps=200, points=2, agent_kwargs=settings | more)
        for more in ({}, {"learning_rate": 1e30})
    ]
    assert cells[0].scores.keys() == cells[1].scores.keys()
    for metric in cells[0].scores:
        assert np.isfinite(cells[0].scores[metric]).all(), metric
        assert np.isnan(cells[1].scores[metric]).all() == (metric != "online_return"), metric


def test_recording_does_not_disturb_learning() -> None:
    settings: dict[str, Any] = {"seeds": 3, "env_kwargs": CORNER}
    recorded: Any = make_agent("sarsa", "CandyMaze-v0", **settings)
    cell = record(recorded, 500, points=7)
    plain: Any = make_agent("sarsa", "CandyMaze-v0", **settings).learn(500)
    recorded._predict_stream.state[:] = plain._predict_stream.state
    assert_same(recorded, plain)
    np.testing.assert_array_equal(cell.scores["online_return"], plain.earned / plain.episodes)
    again = run_cell("sarsa", "CandyMaze-v0", steps=500, points=7, jobs=2, **settings)
    for metric, values in cell.scores.items():
        np.testing.assert_array_equal(values, again.scores[metric], err_msg=metric)


def test_the_gap_of_a_policy_is_what_sampling_finds() -> None:
    """One that has learned little, on ice under a short time limit; and the random player."""
    options = {**CORNER, "slip": 0.4, "max_steps": 15}
    for name in ("q_learning", "random"):
        cell = run_cell(name, "CandyMaze-v0", seeds=300, steps=60, points=1, env_kwargs=options)
        sampled = cell.optimum["return"] - cell.scores["return"]
        error = (sampled - cell.scores["gap"]).std() / np.sqrt(300)
        assert abs(sampled.mean() - cell.scores["gap"].mean()) < 4.5 * error
        assert cell.scores["gap"].min() >= -1e-9
        assert cell.scores["gap"].max() > 1.0


def test_value_iteration_is_the_upper_end() -> None:
    cell = run_cell("value_iteration", "CandyMaze-v0", seeds=2, steps=100, env_kwargs=CORNER)
    assert cell.scores["optimal"].tolist() == [1.0, 1.0]
    np.testing.assert_allclose(cell.scores["gap"], 0.0, atol=1e-9)
    np.testing.assert_allclose(cell.scores["return"], cell.optimum["return"])
    assert cell.scores["steps_to_95"].tolist() == [cell.steps[0]] * 2


def test_who_comes_to_the_goal_too_late_is_not_worth_95_percent() -> None:
    """A random player finds every exit in the end, but the rooms are closed after 500 steps."""
    cell = run_cell("random", "FourRooms-v0", seeds=2, steps=40, points=2)
    assert cell.scores["gap"].min() > 0.3
    assert cell.scores["steps_to_95"].tolist() == [40.0, 40.0]


def test_a_short_run_in_a_world_of_many_states_is_looked_at_less_often(monkeypatch: Any) -> None:
    assert [checks_of(*case) for case in ((10_000, 50), (300, 12_000), (300, 600), (300, 0))] == [
        40,
        8,
        20,
        40,
    ]
    looks = []
    look = Yardsticks.is_enough

    def count(yardsticks: Yardsticks, learner: Any) -> Any:
        looks.append(learner.num_timesteps)
        return look(yardsticks, learner)

    monkeypatch.setattr(Yardsticks, "is_enough", count)
    for layout, fewest, most in (("duel3", 35, 41), ("duel4", 8, 9)):
        run_cell("random", "CandyDuel-v0", seeds=1, steps=320, env_kwargs={"layout": layout})
        assert fewest <= len(looks) <= most
        assert looks[-1] == 320
        looks.clear()


def test_what_cannot_be_known_is_left_out() -> None:
    cell = run_cell("random", "CartPole-v1", seeds=2, steps=100)
    assert set(cell.scores) == {"return", "online_return"}
    assert cell.optimum == {}
    assert run_cell("q_learning", "Blackjack-v1", seeds=2, steps=50).optimum == {}
    hidden = {**CORNER, "observation": "position"}
    assert run_cell("q_learning", "CandyMaze-v0", seeds=2, steps=50, env_kwargs=hidden).optimum == {}
    changed = run_cell("q_learning", "BlockingMaze-v0", seeds=2, steps=1_200, points=2)
    assert "steps_to_95" not in changed.scores
    assert "gap" in changed.scores
    limited = run_cell("finite_horizon", "CandyMaze-v0", seeds=1, steps=50, env_kwargs=CORNER)
    assert limited.scores["return"] == pytest.approx(limited.optimum["return"])


def test_the_gap_of_a_world_that_has_changed_is_that_of_the_world_as_it_is() -> None:
    """The shortcut opens after 3,000 steps: who goes the long way is then behind."""
    agent: Any = make_agent("dyna_q", "ShortcutMaze-v0", seeds=5, gamma=0.95).learn(2_900)
    before = record(agent, 50, points=1).scores["optimal"]
    after = record(agent, 100, points=1).scores["optimal"]
    assert (after < before).all()


def test_how_many_steps_must_be_said() -> None:
    with pytest.raises(UsageError, match="say how many steps"):
        run_cell("q_learning", "CliffWalk-v0")


def test_command_line(tmp_path: Any, capsys: Any) -> None:
    out = tmp_path / "agent"
    words = ["train", "--agent", "dyna_q", "--env", "CandyMaze-v0", "--env.max-steps", "50", "--seeds", "2"]
    assert main([*words, "--steps", "400", "--agent.planning-steps", "3", "--json", "--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"return", "online_return", "gap"} <= set(told["scores"])
    assert main(["evaluate", str(out), "--episodes", "3", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["return"]["values"]) == 2
    options = [
        "--env",
        "FiniteWorld-v0",
        "--env.env",
        "FrozenLake-v1",
        "--env.settings",
        '{"map_name": "8x8"}',
    ]
    assert main(["train", "--agent", "sarsa", *options, "--steps", "50", "--json", "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out)["env_kwargs"]["settings"] == {"map_name": "8x8"}
    assert main(["train", "--agent", "sarsa", "--env", "CartPole-v1", "--steps", "5"]) == 2
    assert "whose observations are Box[4]" in capsys.readouterr().err


def test_the_exact_value_is_that_of_the_policy() -> None:
    agent: Any = make_agent("q_learning", "FrozenLake-v1", seeds=3).learn(3_000)
    mdp = FiniteMDP.from_env(gymnasium.make("FrozenLake-v1"))
    cell = record(agent, 1)
    worth = mdp.start_value(evaluate_policy(mdp, agent.greedy_policy(), 1.0, horizon=100))
    np.testing.assert_allclose(cell.optimum["return"] - cell.scores["gap"], worth, atol=1e-12)


def test_where_chances_change_the_regret_is_that_to_a_clairvoyant() -> None:
    """The planner who plans anew has none, up to luck; a learner has some, and it grows; random has most."""
    options: dict[str, Any] = {"layout": "5.S.5\n.....\n5...5", "drift_every": 40, "max_steps": 30}
    cells = {
        name: run_cell(
            name, "CandyMazeDrift-v0", seeds=8, steps=6_000, points=30, env_kwargs=options,
            agent_kwargs={} if name == "random" else {"gamma": 1.0},
        )
        for name in ("value_iteration", "q_learning", "random")
    }  # fmt: skip
    regret = {name: cell.scores["regret"].mean() for name, cell in cells.items()}
    episodes = 6_000 / 10
    assert abs(regret["value_iteration"]) < 0.05 * episodes
    assert regret["random"] > regret["q_learning"] > 5 * abs(regret["value_iteration"])
    curve = cells["q_learning"].curves["regret"].mean(axis=1)
    assert curve.shape == (30,)
    assert curve[-1] > curve[14] > 0.0
    assert "steps_to_95" not in cells["q_learning"].scores
