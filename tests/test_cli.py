"""The command line: what it says, what it saves, how it fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rlcourse
from rlcourse.agents import AGENTS
from rlcourse.cli import VERBS, main

WORLD = ["--env", "Bandit-v0", "--env.horizon", "100"]
TRAIN = ["train", "--agent", "epsilon_greedy", *WORLD, "--seeds", "3"]


def run(capsys, *words):
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys, *words, code=2):
    """The one line of an error."""
    got, out, err = run(capsys, *words)
    assert got == code, err
    assert out == ""
    assert err.startswith("rlcourse: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert "Traceback" not in err
    return err


def process(*words, **settings):
    return subprocess.run(
        [sys.executable, "-m", "rlcourse", *words], capture_output=True, text=True, timeout=120, **settings
    )


# -------------------------------------------------------------------- help


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_names_every_verb(capsys, words):
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    for verb in VERBS:
        assert f"\n  {verb} " in out


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_fits_80_columns_and_gives_examples(capsys, verb, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = run(capsys, verb, "--help")
    assert (code, err) == (0, "")
    prose, examples = out.split("Examples:\n")
    assert max(map(len, prose.splitlines())) <= 80
    assert f"rlcourse {verb}" in examples


def test_flags_are_made_of_the_settings_and_options(capsys):
    code, out, _ = run(capsys, "train", "--agent", "epsilon_greedy", "--env", "CandyMachines-v0", "--help")
    assert code == 0
    text = " ".join(out.replace("│", " ").split())
    for flag, sentence, default in [
        ("--agent.epsilon FLOAT", "Chance of a random arm in every round", "0.1"),
        ("--agent.step-size", "Constant step size of the estimates", "None"),
        ("--env.coins INT", "Coins to begin with", "10000"),
        ("--env.probabilities FLOAT ...|None", "Win probabilities of the machines", "None"),
    ]:
        assert flag in text
        assert sentence in text
        assert f"(default: {default})" in text


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_has_flags(capsys, agent):
    code, out, _ = run(capsys, "train", "--agent", agent, "--env", "Bandit-v0", "--help")
    assert code == 0
    assert "--env.law" in out
    assert "JSON" in out  # the table of probabilities, a list of lists


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"rlcourse {rlcourse.__version__}\n", "")


# -------------------------------------------------------------------- list


def test_list_shows_everything_that_is_registered(capsys):
    code, out, err = run(capsys, "list")
    assert (code, err) == (0, "")
    for name in AGENTS:
        assert f"\n {name} " in out
    for name in ("CandyMachines-v0", "Bandit-v0", "quick"):
        assert f"\n {name} " in out


def test_list_of_one_kind_is_plain_text_with_a_line_a_row(capsys):
    _, out, _ = run(capsys, "list", "agents")
    assert "\x1b" not in out
    assert "Bandit-v0" not in out.split()
    rows = [line for line in out.splitlines() if line.startswith(" ")]
    assert len(rows) == len(AGENTS) + 2  # the header and the rule below it
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_list_of_settings_gives_every_default(capsys):
    _, out, _ = run(capsys, "list", "agents", "--settings")
    assert " epsilon_greedy           epsilon=0.1, step_size=None, initial_value=0.0\n" in out
    assert run(capsys, "list", "--settings")[1] == out
    assert "those of the agents" in refused(capsys, "list", "worlds", "--settings")
    assert "unknown list 'agent': did you mean agents?" in refused(capsys, "list", "agent", "--settings")


# -------------------------------------------------------------------- train and evaluate


def test_train_saves_what_evaluate_reads(capsys, tmp_path):
    code, out, err = run(capsys, *TRAIN, "--agent.epsilon", "0.2", "--out", tmp_path / "agent")
    assert (code, err) == (0, "")
    assert "epsilon_greedy in Bandit-v0: 3 seeds x 100 steps" in out
    for metric in ("reward", "regret", "optimal"):
        assert f" {metric} " in out
    assert str(tmp_path / "agent") in out
    agent = rlcourse.load_agent(tmp_path / "agent")
    assert agent.config.epsilon == 0.2
    assert agent.env_kwargs == {"horizon": 100}
    assert agent.num_timesteps == 100

    code, out, err = run(capsys, "evaluate", tmp_path / "agent", "--episodes", "7")
    assert (code, err) == (0, "")
    assert "3 seeds x 7 episodes" in out


def test_json_is_one_object_on_stdout(capsys, tmp_path):
    code, out, err = run(capsys, *TRAIN, "--out", tmp_path / "agent", "--json")
    assert (code, err) == (0, "")
    trained = json.loads(out)
    assert trained["agent"] == "epsilon_greedy"
    assert trained["seeds"] == [0, 1, 2]
    regret = trained["scores"]["regret"]
    assert regret["ci_low"] <= regret["mean"] <= regret["ci_high"]
    assert len(regret["values"]) == 3
    assert regret["optimum"] == 0.0

    code, out, err = run(capsys, "evaluate", tmp_path / "agent", "--episodes", "5", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["return"]["mean"] > 0.0


def test_evaluate_draws_what_is_known_of_a_maze(capsys, tmp_path):
    folder = tmp_path / "agent"
    agent = rlcourse.make_agent(
        "q_learning", "CourseMaze-v0", seeds=3, env_kwargs={"observation": "position"}
    )
    agent.learn(50).save(folder)
    code, out, err = run(capsys, "evaluate", folder, "--episodes", "2", "--plot")
    assert (code, err) == (0, "")
    assert f"policy and values: {folder / 'policy.png'}" in out
    assert (folder / "policy.png").read_bytes()[:4] == b"\x89PNG"
    one = tmp_path / "one.png"
    words = ["evaluate", folder, "--plot", one, "--member", "2", "--episodes", "2", "--json"]
    shown = json.loads(run(capsys, *words)[1])
    assert shown["plot"] == str(one)
    assert shown["seeds"] == [2]
    assert one.read_bytes() != (folder / "policy.png").read_bytes()
    assert "choose from 0..2" in refused(capsys, "evaluate", folder, "--member", "3")
    assert "must be a .png file" in refused(capsys, "evaluate", folder, "--plot", "one.pdf")


def test_one_seed_has_no_interval_and_json_says_null(capsys, tmp_path):
    words = ["train", "--agent", "random", *WORLD, "--seeds", "1", "--out", tmp_path / "agent"]
    _, out, _ = run(capsys, *words, "--json")
    assert json.loads(out)["scores"]["reward"]["ci_low"] is None
    _, out, _ = run(capsys, *words)
    assert "nan" not in out


def test_the_same_command_gives_the_same_figures(capsys, tmp_path):
    scores = []
    for _ in range(2):
        _, out, _ = run(capsys, *TRAIN, "--out", tmp_path / "agent", "--json")
        scores.append(json.loads(out)["scores"])
    assert scores[0] == scores[1]


def test_seeds_as_a_list_are_members_of_the_count(capsys, tmp_path):
    _, out, _ = run(capsys, *TRAIN, "--out", tmp_path / "all", "--json")
    every = json.loads(out)["scores"]["regret"]["values"]
    _, out, _ = run(capsys, *TRAIN, "--seeds", "2,0", "--out", tmp_path / "some", "--json")
    assert json.loads(out)["scores"]["regret"]["values"] == [every[2], every[0]]
    _, out, _ = run(capsys, *TRAIN, "--seeds=2,", "--out", tmp_path / "one", "--json")
    assert json.loads(out)["seeds"] == [2]


def test_values_of_every_kind_reach_the_world(capsys, tmp_path):
    words = ["--env.law", "gaussian", "--env.means", "0.1", "None", "-0.5", "--env.sigma", "0.5"]
    code, _, err = run(capsys, *TRAIN, *words, "--agent.step-size", "None", "--out", tmp_path / "agent")
    assert (code, err) == (0, "")
    agent = rlcourse.load_agent(tmp_path / "agent")
    assert agent.env_kwargs == {"horizon": 100, "law": "gaussian", "means": [0.1, None, -0.5], "sigma": 0.5}
    assert agent.settings == {}

    table = ["--env.law", "discrete", "--env.probabilities", "[[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]"]
    code, _, err = run(capsys, *TRAIN, *table, "--out", tmp_path / "other")
    assert (code, err) == (0, "")
    assert rlcourse.load_agent(tmp_path / "other").env_kwargs["probabilities"][1] == [0.1, 0.2, 0.7]


def test_more_steps_than_an_episode_play_several(capsys, tmp_path):
    code, out, err = run(capsys, *TRAIN, "--steps", "250", "--out", tmp_path / "agent", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["steps"] == 250
    assert rlcourse.load_agent(tmp_path / "agent").num_timesteps == 250


def test_default_folder_is_named_by_what_ran(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, *TRAIN, "--env.means", "0.1", "0.9", "--json")
    assert code == 0
    folder = Path(json.loads(out)["out"])
    assert folder.parent == Path("runs")
    assert folder.name == "epsilon_greedy-Bandit-v0-means=0.1,0.9-horizon=100-seeds=3-steps=100"
    assert (tmp_path / folder / "agent.json").exists()


def test_foreign_world_takes_json_values(capsys, tmp_path):
    words = ["train", "--agent", "q_learning", "--env", "FrozenLake-v1", "--steps", "20", "--out", tmp_path]
    code, out, _ = run(capsys, *words, "--env.is-slippery", "false", "--env.map_name", "8x8", "--json")
    assert code == 0
    assert json.loads(out)["env_kwargs"] == {"is_slippery": False, "map_name": "8x8"}
    err = refused(
        capsys, *words[:2], "ucb1", *words[3:], "--env.is-slippery", "false", "--env.map_name", "8x8"
    )
    assert "FrozenLake-v1" in err  # a bandit strategy does not fit, but the options were understood
    err = refused(capsys, *words, "--env.map_name")
    assert "--env.map_name needs a value" in err


# -------------------------------------------------------------------- bench


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(
        'title = "Tiny"\nseeds = 4\n'
        '[[worlds]]\nenv = "Bandit-v0"\nsettings = { horizon = 60 }\n'
        '[[agents]]\nagent = "random"\n'
        '[[agents]]\nagent = "epsilon_greedy"\n'
    )
    return path


def test_bench_prints_and_writes_the_table_and_resumes(capsys, tmp_path, suite):
    words = ["bench", suite, "--jobs", "1", "--out", tmp_path / "out"]
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    assert "epsilon_greedy" in out
    assert "\x1b" not in out
    table = (tmp_path / "out" / "table.csv").read_text()
    assert table.startswith("suite,env,agent,seeds,steps,metric,mean,iqm,ci_low,ci_high,optimum,gap,")
    assert list((tmp_path / "out").glob("*.png"))

    code, out, err = run(capsys, *words, "--json")  # nothing is left to run
    assert (code, err) == (0, "")
    assert {row["agent"] for row in json.loads(out)["rows"]} == {"random", "epsilon_greedy"}
    assert (tmp_path / "out" / "table.csv").read_text() == table

    code, out, _ = run(capsys, *words, "--seeds", "2,7", "--json")
    assert code == 0
    assert {row["seeds"] for row in json.loads(out)["rows"]} == {2}


# -------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "unknown verb 'trian': did you mean train?"),
        (["--seeds", "3"], "give a verb first"),
        (["list", "world"], "did you mean worlds?"),
        (["list", "agents", "stray"], "cannot place 'stray'"),
        (
            ["train", "--agent", "dqn", "--env", "CartPole-v1", "--agent.double", "true"],
            "--agent.double takes no value, got 'true': write --agent.double for yes and --agent.no-double for no",
        ),
        (["train"], "train needs --agent"),
        (["train", "--agent", "ucb"], "train needs --env"),
        (["train", "--agent"], "--agent needs a value"),
        (["train", "--agent", "ucb2", "--env", "Bandit-v0"], "unknown agent 'ucb2': did you mean ucb"),
        (["train", "--agent", "ucb", "--env", "Bandits-v0"], "did you mean Bandit-v0"),
        (
            ["train", "--agent", "ucb", "--env", "zzz"],
            "world 'zzz': choose from AdversarialBandit-v0, Bandit-v0",
        ),
        (["train", "--agent", "ucb", "--env", "Taxi-v3"], "unknown world 'Taxi-v3': did you mean Taxi-v4"),
        ([*TRAIN, "--stpes", "10"], "unknown flag '--stpes': did you mean --steps"),
        (
            [*TRAIN, "--agent.epsilom", "0.1"],
            "unknown setting of epsilon_greedy 'epsilom': did you mean epsilon?",
        ),
        ([*TRAIN, "--env.horizn", "10"], "unknown option of Bandit-v0 'horizn': did you mean horizon?"),
        ([*TRAIN, "--agent.epsilon", "abc"], "--agent.epsilon='abc' must be a number"),
        ([*TRAIN, "--agent.epsilon"], "--agent.epsilon needs a value: a number"),
        ([*TRAIN, "--agent.epsilon", "1.2"], "epsilon=1.2 must be at least 0 and at most 1"),
        ([*TRAIN, "--agent.epsilon", "-0.1"], "epsilon=-0.1 must be"),
        ([*TRAIN, "--agent.epsilon", "nan"], "epsilon=nan must be"),
        ([*TRAIN, "--env.means", "0.1", "x"], "--env.means='0.1 x' must be"),
        ([*TRAIN, "--env.means", "0.1", "1.2"], "means[1]=1.2"),
        ([*TRAIN, "--env.means", "0.1,0.9"], "(each a number or None), such as --env.means 0.1 0.9"),
        (
            ["train", "--agent", "dqn", "--env", "CartPole-v1", "--agent.net-arch", "32,32"],
            "--agent.net-arch='32,32' must be a list (each a whole number), such as --agent.net-arch 32 32",
        ),
        (
            ["train", "--agent", "dqn", "--env", "CartPole-v1", "--agent.net_arch=[32,32]"],
            "--agent.net-arch='[32,32]' must be a list (each a whole number), such as --agent.net-arch 32 32",
        ),
        ([*TRAIN, "--env.law", "bernouli"], "did you mean bernoulli?"),
        ([*TRAIN, "--env.arms", "0"], "arms=0"),
        ([*TRAIN, "--env.probabilities", "[[0.1,"], "--env.probabilities='[[0.1,' must be JSON"),
        ([*TRAIN, "--seeds", "ten"], "--seeds='ten' must be a count"),
        ([*TRAIN, "--seeds", "0"], "seeds=0 must be at least 1"),
        ([*TRAIN, "--seeds", "99999999999999999999"], "is a count, and must be at most 10000000"),
        ([*TRAIN, "--seeds", "3,3"], "names one twice"),
        ([*TRAIN, "--steps", "0"], "steps=0 must be"),
        ([*TRAIN, "--steps", "1.5"], "--steps='1.5' must be a whole number"),
        (["train", "--agent", "ucb1", *WORLD, "--agent.c", "2"], "ucb1 has no settings"),
        (["train", "--agent.c", "2", *WORLD], "--agent.c needs --agent"),
        (["train", "--agent", "ucb", "--env", "CartPole-v1"], "cannot learn in CartPole-v1"),
        (
            ["train", "--agent", "dqn", "--env", "FrozenLake-v1", "--env.map-name", "9x9"],
            "FrozenLake-v1 refuses its options {'map_name': '9x9'}: KeyError '9x9'",
        ),
        (["evaluate"], "evaluate needs DIR"),
        (["evaluate", "x", "--episodes", "many"], "--episodes='many' must be a whole number"),
        (["bench"], "bench needs SUITE"),
        (["bench", "qick"], "did you mean quick?"),
        (["bench", "quick", "--backend", "lky"], "did you mean loky?"),
        (["bench", "quick", "--jobs", "0"], "jobs=0"),
        (["bench", "nowhere.toml"], "nowhere.toml"),
    ],
    ids=lambda value: " ".join(value)[-50:] if isinstance(value, list) else "",
)
def test_wrong_arguments_are_one_line_and_code_2(capsys, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, *words)
    assert list(tmp_path.iterdir()) == []  # nothing was begun


def test_a_file_in_the_place_of_the_folder(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "folder"):
        assert "cannot be made" in refused(capsys, *TRAIN, "--out", out)
        assert "cannot be made" in refused(capsys, "bench", "quick", "--out", out)


def test_a_folder_that_cannot_be_written_into_is_refused_before_the_run(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("rlcourse.experiments.run.record", None)
    assert "cannot be written into" in refused(capsys, *TRAIN, "--out", tmp_path)
    assert tmp_path.exists()


def test_what_cannot_be_loaded_is_one_line_and_code_1(capsys, tmp_path):
    assert "no agent.json" in refused(capsys, "evaluate", tmp_path / "missing", code=1)
    (tmp_path / "agent.json").write_text("{}")
    assert "not an rlcourse agent" in refused(capsys, "evaluate", tmp_path, code=1)


def test_any_other_failure_is_one_line_and_code_1(capsys, tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise OSError("no space\nleft")

    monkeypatch.setattr("rlcourse.agents.base.write_agent_folder", broken)
    err = refused(capsys, *TRAIN, "--out", tmp_path / "agent", code=1)
    assert "OSError: no space left (--debug shows where)" in err
    code, _, err = run(capsys, *TRAIN, "--out", tmp_path / "agent", "--debug")
    assert code == 1
    assert "Traceback (most recent call last)" in err


def test_debug_shows_the_traceback_of_a_wrong_argument(capsys):
    code, _, err = run(capsys, "train", "--agent", "ucb2", "--env", "Bandit-v0", "--debug")
    assert code == 2
    assert "Traceback (most recent call last)" in err
    assert err.splitlines()[-1].startswith("rlcourse: unknown agent")


def test_interrupt_is_one_line_and_code_130(capsys, tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("rlcourse.experiments.run.record", interrupted)
    assert "interrupted" in refused(capsys, *TRAIN, "--out", tmp_path / "new" / "agent", code=130)
    assert list(tmp_path.iterdir()) == []  # no empty folder is left
    monkeypatch.setattr("rlcourse.experiments.load_suite", interrupted, raising=False)
    assert "same command again" in refused(capsys, "bench", "quick", code=130)


def test_what_was_in_the_folder_stays_when_a_run_is_interrupted(capsys, tmp_path, monkeypatch):
    test_interrupt_is_one_line_and_code_130(capsys, tmp_path, monkeypatch)
    (tmp_path / "old").mkdir()
    refused(capsys, *TRAIN, "--out", tmp_path / "old", code=130)
    assert (tmp_path / "old").exists()


# -------------------------------------------------------------------- as a program


def test_python_m_rlcourse_and_its_exit_code():
    done = process("--version")
    assert (done.returncode, done.stdout) == (0, f"rlcourse {rlcourse.__version__}\n")
    done = process("trian")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "rlcourse: unknown verb 'trian': did you mean train?\n"


@pytest.mark.skipif(os.name != "posix", reason="needs a shell with pipes")
def test_a_reader_that_stops_reading_is_no_error():
    """`rlcourse list | head -1`, with a pipe that is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "rlcourse", "list"], stdout=pipe, stderr=subprocess.PIPE, timeout=120
        )
    assert (done.returncode, done.stderr) == (0, b"")
