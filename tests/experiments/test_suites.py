from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlcourse.agents import make_agent
from rlcourse.errors import UsageError
from rlcourse.experiments.plan import code_digest, plan_suite
from rlcourse.experiments.suites import Suite, load_suite, suite_names

SMALL = """
title = "Small"
seeds = 5
steps = 20
[[worlds]]
env = "CandyMachines-v0"
[[worlds]]
env = "Bandit-v0"
settings = { law = "gaussian" }
steps = 10
[[agents]]
agent = "random"
[[agents]]
agent = "epsilon_greedy"
sweep = { epsilon = [0.01, 0.1], initial_value = [0.0, 1] }
only = ["CandyMachines-v0"]
[[agents]]
agent = "ucb"
settings = { c = 0.5 }
seeds = [3, 1]
"""


@pytest.fixture
def parse(tmp_path: Path):
    def parse(text: str) -> Suite:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return load_suite(path)

    return parse


def test_labels_sweeps_and_pairs(parse) -> None:
    suite = parse(SMALL)
    assert [world.label for world in suite.worlds] == ["CandyMachines-v0", "Bandit-v0(law=gaussian)"]
    assert [agent.label for agent in suite.agents] == [
        "random",
        "epsilon_greedy(epsilon=0.01, initial_value=0)",
        "epsilon_greedy(epsilon=0.01, initial_value=1)",
        "epsilon_greedy(epsilon=0.1, initial_value=0)",
        "epsilon_greedy(epsilon=0.1, initial_value=1)",
        "ucb(c=0.5)",
    ]
    assert [agent.label for world, agent in suite.pairs() if world.label.startswith("Bandit")] == [
        "random",
        "ucb(c=0.5)",
    ]


def test_plan_resolves_seeds_and_steps(parse) -> None:
    plans = {(plan.env, plan.agent): plan for plan in plan_suite(parse(SMALL))}
    assert len(plans) == 8
    assert plans["CandyMachines-v0", "random"].seeds == [0, 1, 2, 3, 4]
    assert plans["CandyMachines-v0", "random"].steps == 20
    assert plans["Bandit-v0(law=gaussian)", "ucb(c=0.5)"].seeds == [3, 1]
    assert plans["Bandit-v0(law=gaussian)", "ucb(c=0.5)"].steps == 10
    assert {tuple(plan.seeds) for plan in plan_suite(parse(SMALL), seeds=[7])} == {(7,)}


def test_steps_left_out_are_the_worlds_episode(parse) -> None:
    suite = parse(
        '[[worlds]]\nenv = "CandyMachines-v0"\nsettings = {coins = 33}\n[[agents]]\nagent = "random"'
    )
    assert suite.title == "mine"
    assert plan_suite(suite)[0].steps == 33


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Small"', "titel = 1", "mine.toml: unknown key 'titel': did you mean title?"),
        ('title = "Small"', "title = 1", "mine.toml: title=1 must be a text"),
        ("seeds = 5", "seeds = 0", "mine.toml: seeds=0 must be at least 1"),
        ("seeds = 5", "seeds = true", "mine.toml: seeds=True must be a count"),
        ("steps = 20", "steps = 0", "mine.toml: steps=0 must be at least 1"),
        ("steps = 20", "steps = 1.5", "mine.toml: steps=1.5 must be a whole number"),
        ("steps = 20", "steps = ", "is no valid TOML: "),
        ("[[agents]]", "[[agent]]", "unknown key 'agent': did you mean agents?"),
        (
            '"random"',
            '"randon"',
            "[[agents]] 1 (randon): unknown agent 'randon': did you mean random or rainbow?",
        ),
        (
            '"Bandit-v0"',
            '"Bandi-v0"',
            "[[worlds]] 2 (Bandi-v0): unknown world 'Bandi-v0': did you mean Bandit-v0",
        ),
        ('env = "CandyMachines-v0"', "", "[[worlds]] 1 (?): env is missing"),
        ('env = "CandyMachines-v0"', 'env = "Bandit-v0"\nlabel = " "', "label=' ' must say something"),
        (
            'env = "CandyMachines-v0"',
            'env = "Bandit-v0"\nlabel = "a b"\n[[worlds]]\nenv = "Bandit-v0"\nlabel = "A/b"\n'
            '[[worlds]]\nenv = "CandyMachines-v0"',
            "plots of 'a b' and 'A/b' would be one file",
        ),
        ('only = ["CandyMachines-v0"]', "only = [[1]]", "unknown world of the suite '[1]'"),
        ('env = "CandyMachines-v0"', 'env = "Bandit-v0"\nmain = "speed"', "unknown metric 'speed'"),
        (
            "settings = { c = 0.5 }",
            "setting = {}",
            "[[agents]] 3 (ucb): unknown key 'setting': did you mean settings?",
        ),
        ("settings = { c = 0.5 }", "settings = []", "[[agents]] 3 (ucb): settings=[] must be a table"),
        ("epsilon = [0.01, 0.1]", "epsilon = 0.1", "(epsilon_greedy), sweep: epsilon=0.1 must be a list"),
        ("epsilon = [0.01, 0.1]", "epsilon = []", "(epsilon_greedy), sweep: epsilon=[] must be a list"),
        (
            "settings = { c = 0.5 }",
            "settings = {c = 1}\nsweep = {c = [1]}",
            "c stands in settings and in sweep",
        ),
        (
            'only = ["CandyMachines-v0"]',
            'only = ["Candy-v0"]',
            "unknown world of the suite 'Candy-v0': did you mean",
        ),
        ('only = ["CandyMachines-v0"]', "only = []\nskip = []", "say only or skip, not both"),
        (
            'agent = "ucb"\nsettings = { c = 0.5 }',
            'agent = "random"',
            "two of the agents are called 'random'",
        ),
        ("seeds = [3, 1]", "seeds = [1, 1]", "[[agents]] 3 (ucb): the list of seeds names one twice"),
    ],
)
def test_errors_name_file_and_entry_in_one_line(parse, old: str, new: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(UsageError) as caught:
        parse(SMALL.replace(old, new))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("mine.toml") == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("c = 0.5", "c = -1.0", "ucb(c=-1) in CandyMachines-v0: ucb: c=-1.0 must be at least 0"),
        ("c = 0.5", "see = 1", "unknown setting of ucb 'see'"),
        ('law = "gaussian"', 'law = "gauss"', "random in Bandit-v0(law=gauss): law: unknown choice 'gauss'"),
        ("steps = 10", "steps = 10001", "steps=10001 is more than the 10000 rounds"),
        (
            'agent = "random"',
            'agent = "thompson"',
            "thompson in Bandit-v0(law=gaussian): thompson needs bounded",
        ),
    ],
)
def test_what_is_impossible_is_found_before_the_first_run(parse, old: str, new: str, message: str) -> None:
    suite = parse(SMALL.replace(old, new))
    with pytest.raises(UsageError) as caught:
        plan_suite(suite)
    assert message in str(caught.value)
    assert "mine.toml: " in str(caught.value)


def test_a_world_that_nobody_plays_in_is_refused(parse) -> None:
    with pytest.raises(UsageError, match=r"no agent plays in Bandit-v0\(law=gaussian\)"):
        parse(SMALL.replace("[[agents]]", '[[agents]]\nskip = ["Bandit-v0"]').replace("only", "# only"))


def test_unknown_suites() -> None:
    with pytest.raises(UsageError, match="unknown suite 'quik': did you mean quick"):
        load_suite("quik")
    with pytest.raises(UsageError, match="there is no suite"):
        load_suite("nowhere/quick.toml")
    with pytest.raises(UsageError, match="there is no suite"):
        load_suite(Path("quick.toml"))


def key(parse, text: str) -> str:
    return plan_suite(parse(text))[-1].key


def test_the_key_tells_apart_what_gives_other_figures_and_nothing_else(parse) -> None:
    base = key(parse, SMALL)
    assert key(parse, SMALL.replace("c = 0.5", "c = 0.25")) != base
    assert key(parse, SMALL.replace("steps = 10", "steps = 11")) != base
    assert key(parse, SMALL.replace('law = "gaussian"', 'law = "gaussian", arms = 3')) != base
    assert key(parse, SMALL.replace("title", "points = 3\ntitle")) != base
    assert key(parse, SMALL.replace('law = "gaussian"', 'law = "gaussian", arms = 10')) == base  # the default
    assert key(parse, SMALL.replace("seeds = [3, 1]", 'label = "mine"')) == base
    content = json.loads(plan_suite(parse(SMALL))[-1].identity)
    assert content["settings"] == {"c": 0.5}
    assert content["options"]["sigma"] == 1.0


def test_the_key_depends_on_code_outside_the_package(tmp_path: Path) -> None:
    file = tmp_path / "strategy.py"
    file.write_text("1")
    before = code_digest(str(file))
    file.write_text("2")
    code_digest.cache_clear()
    assert code_digest(str(file)) != before
    assert code_digest() != before


@pytest.mark.parametrize("name", suite_names())
def test_shipped_suites_can_be_built_whole(name: str) -> None:
    suite = load_suite(name)
    assert suite.title != name
    assert suite.description
    plans = plan_suite(suite)
    for world in suite.worlds:
        names = {plan.agent_name for plan in plans if plan.env == world.label}
        assert "random" in names, "a table needs its two ends"
        if not {"perfect_knowledge", "value_iteration"} & names:  # then there is nobody who could stand there
            with pytest.raises(UsageError):
                make_agent("value_iteration", world.env, env_kwargs=world.settings)


def test_the_suites_are_there() -> None:
    bandits = {"quick", "candy-machines", "bandits", "changing-bandits", "contextual-bandits"}
    assert bandits | {"mazes", "slippery-mazes"} <= set(suite_names())
