"""The package as it is installed: a light import, a complete wheel, a README whose commands are there to be copied."""

import importlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import gymnasium
import pytest

import rlcourse
from rlcourse.agents import AGENTS, agent_class
from rlcourse.experiments import suite_names

ROOT = Path(__file__).parents[1]
HEAVY = (
    "torch",
    "numba",
    "pygame",
    "matplotlib",
    "PIL",
    "scipy",
    "rich",
    "tyro",
    "typeguard",
    "joblib",
    "safetensors",
    "stable_baselines3",
)


def loaded_by(code):
    """The heavy packages that a fresh interpreter has loaded after `code`."""
    ask = f"{code}\nimport sys\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.splitlines()[-1].split()


def test_import_loads_nothing_heavy():
    assert loaded_by("import rlcourse") == []


def test_help_loads_the_flags_and_nothing_else():
    assert loaded_by("from rlcourse.cli import main\nmain(['--help'])") == []
    for verb in ("train", "watch"):
        words = [verb, "--agent", "ucb", "--env", "Bandit-v0", "--help"]
        assert loaded_by(f"from rlcourse.cli import main\nmain({words!r})") == ["tyro"]
    words = ["play", "--env", "Bandit-v0", "--help"]
    assert loaded_by(f"from rlcourse.cli import main\nmain({words!r})") == ["tyro"]


def test_lazy_names():
    assert {"make_agent", "load_agent", "evaluate", "__version__"} <= set(dir(rlcourse))
    for name in rlcourse.__all__:
        assert getattr(rlcourse, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'make_agents'"):
        _ = rlcourse.make_agents


@pytest.mark.parametrize("name", AGENTS)
def test_registered_agents_are_importable_and_say_what_they_are(name):
    kind = agent_class(name)
    assert kind.name == name
    assert getattr(importlib.import_module("rlcourse.agents"), kind.__name__) is kind
    assert kind.__doc__


@pytest.mark.parametrize("env_id", [name for name in gymnasium.registry if name.startswith("rlcourse/")])
def test_registered_worlds_are_importable_and_say_what_they_are(env_id):
    spec = gymnasium.registry[env_id]
    for entry in (spec.entry_point, spec.vector_entry_point):
        module, name = entry.split(":")
        assert getattr(importlib.import_module(module), name).__doc__


def test_version_is_written_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", rlcourse.__version__)


def test_constraints_pin_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    for requirement in project["dependencies"] + project["optional-dependencies"]["dev"]:
        name = re.match(r"[\w-]+", requirement)[0].lower()
        assert name in pinned or name.replace("-", "_") in pinned, f"{name} is not in constraints.txt"
    assert not any("+" in version for version in pinned.values())


def test_quick_start_is_two_blocks_of_one_line():
    readme = (ROOT / "README.md").read_text()
    section = readme.split("\n## Quick start\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```bash\n(.*?)^```$", section, flags=re.S | re.M)[:2]
    main, tests = (block.splitlines() for block in blocks)
    assert len(main) == len(tests) == 1
    assert "rlcourse bench quick" in main[0]
    assert "-m pytest" in tests[0]


def test_readme_names_everything_that_is_registered():
    readme = (ROOT / "README.md").read_text()
    worlds = [name.removeprefix("rlcourse/") for name in gymnasium.registry if name.startswith("rlcourse/")]
    for name in [*AGENTS, *worlds, *suite_names()]:
        assert f"`{name}`" in readme, f"README.md does not name {name}"


@pytest.mark.parametrize("place", range(5))
def test_python_of_the_readme_runs(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), flags=re.S | re.M)
    assert len(blocks) == 5
    exec(blocks[place], {})


def test_links_lead_into_the_package():
    for name in ("envs", "agents"):
        assert (ROOT / name).resolve() == ROOT / "rlcourse" / name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names in a wheel that is built of a copy of the tree."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "rlcourse", source / "rlcourse", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("envs", "agents"):
        (source / name).symlink_to(f"rlcourse/{name}")
    (source / "tests").mkdir()
    (source / "tests" / "__init__.py").touch()
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist", source],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    (built,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


def test_wheel_claims_one_name(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert tops == {"rlcourse", f"rlcourse-{rlcourse.__version__}.dist-info"}


def test_wheel_holds_everything_that_runs(wheel):
    for path in (ROOT / "rlcourse").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(ROOT).as_posix() in wheel
    assert "rlcourse/py.typed" in wheel
    assert "rlcourse/experiments/suites/quick.toml" in wheel
