"""The page of the worlds is complete, and the script that makes it works for a world that is added."""

import importlib.util
from pathlib import Path

import gymnasium
import pytest
from PIL import Image

import rlcourse  # noqa: F401  (registers the worlds)

ROOT = Path(__file__).parents[1]
WORLDS = [name.removeprefix("rlcourse/") for name in gymnasium.registry if name.startswith("rlcourse/")]
ADVICE = "run python scripts/gallery.py, and commit docs/gallery.md with its pictures"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "scripts" / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("world", WORLDS)
def test_the_page_shows_every_world(world):
    page = (ROOT / "docs" / "gallery.md").read_text()
    assert f"\n## {world}\n" in page, ADVICE
    assert f"](gallery/{world}.png)" in page, ADVICE
    path = ROOT / "docs" / "gallery" / f"{world}.png"
    assert path.exists(), ADVICE
    assert path.stat().st_size < 30_000
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.mode == "P"
        assert max(image.size) >= 200


def test_the_page_shows_no_world_that_is_gone():
    pictures = {path.stem for path in (ROOT / "docs" / "gallery").glob("*.png")}
    assert pictures == set(WORLDS), ADVICE


def test_the_script_makes_a_page(script, tmp_path, monkeypatch):
    """Of two worlds; one of them is over before the picture is taken."""
    few = {name: gymnasium.registry[name] for name in ("rlcourse/CandyMachines-v0", "rlcourse/CandyMaze-v0")}
    few["rlcourse/CandyMaze-v0"] = gymnasium.envs.registration.EnvSpec(
        "rlcourse/CandyMaze-v0", entry_point=few["rlcourse/CandyMaze-v0"].entry_point, kwargs={"max_steps": 5}
    )
    monkeypatch.setattr(gymnasium, "registry", few)
    monkeypatch.setattr(gymnasium.envs.registration, "registry", few)
    script.main(str(tmp_path))
    page = (tmp_path / "gallery.md").read_text()
    assert page.startswith("# The worlds\n")
    assert "- [CandyMaze-v0](#candymaze-v0): Collect the candies of a maze and leave by the exit\n" in page
    assert "**Actions (`Discrete(5)` by default):** `Discrete(machines)`: the machine" in page
    assert "**Rewards:** A candy its value (1, 2, 3 and 5), the exit +10, any other step -0.05." in page
    assert sorted(path.name for path in (tmp_path / "gallery").iterdir()) == [
        "CandyMachines-v0.png",
        "CandyMaze-v0.png",
    ]


def test_sections_and_anchors(script):
    text = "Headline.\n\n## Rewards\n| a | b |\n|---|---|\n\nMore.\n\n## Episode End\nNever."
    assert script.section(text, "Rewards") == "| a | b |\n|---|---|\n\nMore."
    assert script.section(text, "Episode End") == "Never."
    assert script.section(text, "Nothing") == ""
    assert script.anchor("CandyMaze-v0") == "candymaze-v0"
