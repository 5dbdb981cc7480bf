from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from rlcourse.experiments.cell import Cell
from rlcourse.experiments.plan import CellPlan
from rlcourse.experiments.plots import OKABE_ITO, Curve, _limits, plot_world, slug, world_curves
from rlcourse.experiments.rows import to_csv, to_records, world_rows
from rlcourse.experiments.tables import legend, rankings, to_markdown, to_terminal

G = np.random.default_rng(0)


def cell(agent: str, regret: float, *, members: int = 30, **changes: object) -> tuple[CellPlan, Cell]:
    seeds = list(range(members))
    plan = CellPlan("s", "World-v0", agent, "World-v0", {}, agent, {}, seeds, 1000, 4, None, agent)
    figures = G.gamma(20.0, regret / 20.0, size=members) if regret else np.zeros(members)
    reward = 1.5 - figures / 1000.0
    steps = np.array([250, 500, 750, 1000])
    result = Cell(
        agent=agent,
        env="World-v0",
        agent_kwargs={},
        env_kwargs={},
        seeds=seeds,
        n_steps=1000,
        steps=steps,
        curves={
            "reward": np.stack([reward] * 4),
            "regret": figures * steps[:, None] / 1000.0,
            "optimal": np.full((4, members), 0.5),
        },
        scores={"reward": reward, "regret": figures, "optimal": np.full(members, 0.5)},
        optimum={"reward": np.full(members, 1.5), "regret": np.zeros(members), "optimal": np.ones(members)},
        wall_seconds=2.0,
    )
    return replace(plan, **changes), result


CELLS = [
    cell("random", 900.0),
    cell("ucb", 50.0),
    cell("ucb1", 53.0),
    cell("softmax", 200.0),
    cell("perfect_knowledge", 0.0),
]


def test_the_first_columns_are_as_documented() -> None:
    header = to_csv(world_rows(CELLS)).splitlines()[0]
    assert header.startswith(
        "suite,env,agent,seeds,steps,metric,mean,iqm,ci_low,ci_high,optimum,gap,steps_per_second,wall_seconds,"
    )


def test_the_same_cells_give_the_same_text() -> None:
    assert to_csv(world_rows(CELLS)) == to_csv(world_rows(CELLS))


def test_who_is_not_behind_the_best_learner() -> None:
    ranking = rankings(world_rows(CELLS), {})[0]
    assert [line[0] for line in ranking.body] == ["perfect_knowledge", "ucb", "ucb1", "softmax", "random"]
    assert ranking.tied == [False, True, True, False, False]
    assert ranking.reference == [True, False, False, False, True]
    rows = {row.agent: row for row in world_rows(CELLS) if row.metric == "regret"}
    assert (rows["ucb"].behind, rows["ucb"].behind_low, rows["ucb"].behind_high) == (0.0, 0.0, 0.0)
    assert rows["softmax"].behind_low > 100.0
    assert rows["perfect_knowledge"].behind_high < 0.0
    reward = {row.agent: row for row in world_rows(CELLS) if row.metric == "reward"}
    assert reward["softmax"].behind == pytest.approx(
        rows["softmax"].behind / 1000.0
    )  # worse is positive, always


def test_one_that_has_diverged_is_last_and_leads_nothing() -> None:
    spoilt = cell("exp3", 60.0)
    for values in spoilt[1].scores.values():
        values[3] = np.nan
    for cells in ([spoilt, *CELLS], [*CELLS, spoilt]):
        ranking = rankings(world_rows(cells), {})[0]
        names = [line[0] for line in ranking.body]
        assert names == ["perfect_knowledge", "ucb", "ucb1", "softmax", "random", "exp3"]
        assert ranking.tied == [False, True, True, False, False, False]
        assert ranking.body[-1][1:4] == ["", "", ""]


def test_the_main_metric_ranks() -> None:
    turned = [(plan, replace(c, scores={**c.scores, "reward": c.scores["regret"]})) for plan, c in CELLS]
    assert rankings(world_rows(turned), {"World-v0": "reward"})[0].body[0][0] == "random"
    assert rankings(world_rows(turned), {"World-v0": None})[0].body[0][0] == "perfect_knowledge"


def test_what_is_unknown_is_an_empty_field() -> None:
    plan, lonely = cell("ucb", 50.0, members=1)
    rows = world_rows([(plan, replace(lonely, scores={"reward": lonely.scores["reward"]}, optimum={}))])
    fields = dict(zip(*[line.split(",") for line in to_csv(rows).splitlines()], strict=False))
    assert fields["ci_low"] == fields["optimum"] == fields["gap"] == fields["sd"] == ""
    assert to_records(rows)[0]["ci_low"] is None
    assert math.isnan(rows[0].gap)
    assert rankings(rows, {})[0].header == ["agent", "reward", "95% interval", "steps/s"]
    assert rankings(rows, {})[0].caption == "1 seed x 1,000 steps"


def test_agents_with_other_seeds_are_not_compared_in_pairs() -> None:
    rows = world_rows([*CELLS, cell("thompson", 900.0, members=12)])
    assert math.isnan(next(row for row in rows if row.agent == "thompson").behind)
    assert rankings(rows, {})[0].caption.startswith("12-30 seeds x 1,000 steps")


def test_the_terminal_table_fits() -> None:
    long = cell("epsilon_first(epsilon=0.01, exploration=softmax)", 12345.0)
    console = Console(file=io.StringIO(), width=100)
    for table in to_terminal(world_rows([*CELLS, long]), {}):
        console.print(table)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert "30 seeds x 1,000 steps; best possible reward 1.5000 a step" in lines[0]
    assert any(line.startswith(" ucb *") or line.startswith("ucb *") for line in lines)


@pytest.mark.parametrize(
    ("width", "missing"),
    [(80, set()), (62, {"steps/s"}), (53, {"steps/s", "gap"}), (51, {"steps/s", "gap"})],
)
def test_a_narrow_terminal_goes_without_the_columns_that_are_least_needed(
    width: int, missing: set[str]
) -> None:
    long = cell("thompson", 12.0, env="World-v0([bold]label[/] of [/nothing] that is no markup)")
    rows = world_rows([*CELLS[1:4], long])
    console = Console(file=io.StringIO(), width=width)
    for table in to_terminal(rows, {}, width):
        console.print(table)
    text = console.file.getvalue()
    assert {name for name in ("steps/s", "gap", "optimal", "regret") if name not in text} == missing
    assert "[bold]label[/] of [/nothing]" in text  # a label is text, whatever stands in it
    assert all(f"\n{name}" in text for name in ("ucb ", "ucb1 ", "softmax "))
    assert max(map(len, text.splitlines())) <= width


def test_a_wide_terminal_keeps_names_on_one_line() -> None:
    long = cell("epsilon_first(epsilon=0.01, exploration=softmax)", 50.0)
    console = Console(file=io.StringIO(), width=140)
    for table in to_terminal(world_rows([*CELLS, long]), {}, 140):
        console.print(table)
    assert "\nepsilon_first(epsilon=0.01, exploration=softmax) *" in console.file.getvalue()


def test_markdown_lists_rankings_and_failures() -> None:
    text = to_markdown(world_rows(CELLS), {}, title="Title", failures=["x in y: z"])
    assert text.startswith("# Title\n")
    assert "| **ucb** \\* | " in text
    assert "| softmax | " in text
    assert "- x in y: z" in text


def test_the_legend_explains_the_columns_that_there_are() -> None:
    bandit = world_rows(CELLS)
    maze = [replace(row, env="Maze-v0", metric="return") for row in bandit]
    assert "gap: reward per step below the best possible" in legend(bandit)
    assert "episodes" not in legend(bandit)
    assert "gap: how much less return" in legend(maze)
    assert "reward" not in legend(maze)
    both = legend([*bandit, *maze])
    assert both.index("Where there is episode after episode, return") < both.index(
        "In bandits, reward: per step"
    )
    assert legend(bandit) in to_markdown(bandit, {}, title="Title", failures=[])


def test_one_who_collapses_does_not_flatten_the_others() -> None:
    def curve(agent: str, values: list[float]) -> Curve:
        mean = {"online_return": np.array(values)}
        return Curve("Cliff", agent, agent, 9, np.arange(1, len(values) + 1), mean, mean, mean)

    learners = [curve(f"q{k}", [-2_000.0, -400.0, *[-20.0 - k] * 38]) for k in range(6)]
    bottom, top = _limits([*learners, curve("lost", [-30_000.0] * 40)], "online_return", 1.0)
    assert -20.0 < top < 0.0
    assert -200.0 < bottom < -25.0
    steady = [curve(f"q{k}", [0.0, *np.linspace(1.0, 9.0, 9)]) for k in range(3)]
    bottom, top = _limits(steady, "online_return", 1.0)
    assert bottom < 0.0
    assert top > 9.0


def test_pictures_are_written_for_every_metric_and_for_twenty_agents(tmp_path: Path) -> None:
    cells = CELLS + [cell(f"ucb(c={k})", 60.0 + k) for k in range(20)]
    labels = [plan.agent for plan, _ in cells if plan.agent not in ("random", "perfect_knowledge")]
    files = plot_world(world_curves(cells), labels, tmp_path)
    assert [path.name for path in files] == [f"{m}-World-v0.png" for m in ("regret", "optimal", "reward")]
    assert len(labels) > len(OKABE_ITO)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)


def test_curves_carry_mean_and_interval() -> None:
    plan, one = CELLS[1]
    curve = world_curves([(plan, one)])[0]
    np.testing.assert_allclose(curve.mean["regret"], one.curves["regret"].mean(axis=1))
    assert (curve.low["regret"] < curve.mean["regret"]).all()
    assert (curve.mean["regret"] < curve.high["regret"]).all()


def test_a_line_begins_where_all_members_have_something_to_show(tmp_path: Path) -> None:
    shown = np.array([[np.nan, np.nan, 3.0], [2.0, np.nan, 4.0], [2.0, 3.0, 4.0], [5.0, 6.0, 7.0]])
    some, none = (
        replace(one, curves={"online_return": curve})
        for (_, one), curve in zip(CELLS[1:3], (shown, np.full_like(shown, np.nan)), strict=True)
    )
    curves = world_curves([(CELLS[1][0], some), (CELLS[2][0], none)])
    np.testing.assert_array_equal(curves[0].mean["online_return"], [np.nan, np.nan, 3.0, 6.0])
    assert np.isnan(curves[0].low["online_return"]).tolist() == [True, True, False, False]
    assert np.isnan(curves[0].high["online_return"]).tolist() == [True, True, False, False]
    bottom, top = _limits(curves, "online_return", 1.0)
    assert 2.0 < bottom < 3.0
    assert 6.0 < top < 7.0
    for lines in (curves, curves[1:]):  # of the second world nothing is known at all
        (path,) = plot_world(lines, ["ucb", "ucb1"], tmp_path)
        assert path.stat().st_size > 10_000


def test_slugs_are_names_of_files() -> None:
    assert slug("Bandit-v0(law=gaussian, arms=3)") == "Bandit-v0-law=gaussian-arms=3"
    assert slug("a/b: c\\d") == "a-b-c-d"
