"""Saved agents: what is not whole is refused by one clear line, and nothing that was there is lost."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from rlcourse.agents import load_agent, make_agent
from rlcourse.agents.storage import MANIFEST, read_agent_folder, write_agent_folder
from rlcourse.errors import StorageError, UsageError
from tests.agents.worlds import assert_same


def trained(seeds: int = 3, steps: int = 30) -> Any:
    return make_agent("ucb1", "CandyMachines-v0", seeds=seeds, env_kwargs={"coins": 100}).learn(steps)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return trained().save(tmp_path / "agent")


def refused(folder: Path | str, words: str) -> None:
    with pytest.raises(StorageError, match=words) as caught:
        load_agent(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "agent"
    file.write_text("mine")
    for place, says in (
        (file, "it is a file: name a folder"),
        (file / "below", "cannot be made: Not a directory"),
    ):
        with pytest.raises(UsageError, match=says) as caught:
            trained().save(place)
        assert "\n" not in str(caught.value)
        assert repr(str(place)) in str(caught.value)
    assert file.read_text() == "mine"


def arrays_of(folder: Path) -> Path:
    (file,) = folder.glob("arrays-*.safetensors")
    return file


def sign(content: dict[str, Any]) -> str:
    """The manifest as text with the checksum that belongs to it."""
    content = {key: value for key, value in content.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return json.dumps({**content, "sha256": hashlib.sha256(text.encode()).hexdigest()})


def edit(folder: Path, **changes: Any) -> None:
    """Alter the manifest as one would who knows how it is signed."""
    path = folder / MANIFEST
    path.write_text(sign({**json.loads(path.read_text()), **changes}))


def replace_arrays(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Put other arrays in place of the saved ones, with checksums that fit."""
    _, arrays = read_agent_folder(folder)
    change(arrays)
    arrays_of(folder).unlink()
    blob = save(arrays)
    (folder / "arrays-other.safetensors").write_bytes(blob)
    edit(folder, arrays={"file": "arrays-other.safetensors", "sha256": hashlib.sha256(blob).hexdigest()})


def test_a_folder_holds_json_and_arrays_and_nothing_else(folder: Path) -> None:
    assert sorted(file.suffix for file in folder.iterdir()) == [".json", ".safetensors"]
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["agent"] == "ucb1"
    assert manifest["env"] == "rlcourse/CandyMachines-v0"
    assert manifest["seeds"] == [0, 1, 2]
    assert manifest["num_timesteps"] == 30


def test_missing(tmp_path: Path, folder: Path) -> None:
    refused(tmp_path / "nowhere", "holds no saved agent")
    refused(tmp_path, "holds no saved agent")
    refused(folder / MANIFEST, "holds no saved agent")
    arrays_of(folder).unlink()
    refused(folder, "missing")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated(folder: Path, share: float) -> None:
    for path in (arrays_of(folder), folder / MANIFEST):
        blob = path.read_bytes()
        path.write_bytes(blob[: int(share * len(blob))])
        refused(folder, "truncated or altered")


def test_one_altered_byte(folder: Path) -> None:
    path = arrays_of(folder)
    blob = path.read_bytes()
    for place in (0, len(blob) // 2, len(blob) - 1):
        path.write_bytes(blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :])
        refused(folder, "altered")
    path.write_bytes(blob)
    assert load_agent(folder).num_timesteps == 30


def test_an_altered_manifest(folder: Path) -> None:
    path = folder / MANIFEST
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "num_timesteps": 31}))
    refused(folder, "altered since it was saved")


@pytest.mark.parametrize(
    "text", ["", "[]", "17", '{"format": "zip"}', "\x00\xff", "{" * 100_000, '{"format": NaN}']
)
def test_foreign(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_bytes(text.encode("latin-1"))
    refused(tmp_path, "not an rlcourse agent|not readable JSON")


@pytest.mark.parametrize("version", [2, 0, None, "1"])
def test_another_format(folder: Path, version: Any) -> None:
    edit(folder, format_version=version)
    refused(folder, "format version")


@pytest.mark.parametrize(
    "changes",
    [
        {"agent": "ucb17"},
        {"agent": ["ucb1"]},
        {"env": "CandyMachine-v0"},
        {"env": 3},
        {"env_kwargs": {"coins": -1}},
        {"env_kwargs": {"coinz": 1}},
        {"env_kwargs": 4},
        {"settings": {"c": 1.0}},
        {"settings": None},
        {"seeds": [1, 1]},
        {"seeds": []},
        {"seeds": "many"},
        {"seeds": [0, 1]},
        {"num_timesteps": "far"},
        {"num_timesteps": None},
        {"arrays": None},
        {"arrays": {}},
        {"arrays": {"file": "../arrays", "sha256": ""}},
        {"arrays": {"file": "..", "sha256": ""}},
    ],
    ids=str,
)
def test_a_manifest_of_nonsense_with_a_fitting_checksum(folder: Path, changes: dict[str, Any]) -> None:
    edit(folder, **changes)
    refused(folder, ".")


def test_a_manifest_that_lacks_an_entry(folder: Path) -> None:
    path = folder / MANIFEST
    whole = json.loads(path.read_text())
    for key in ("agent", "settings", "env", "env_kwargs", "seeds", "num_timesteps", "arrays", "sha256"):
        rest = {name: value for name, value in whole.items() if name != key}
        path.write_text(json.dumps(rest) if key == "sha256" else sign(rest))
        refused(folder, ".")


def test_arrays_of_another_agent(folder: Path) -> None:
    replace_arrays(folder, lambda arrays: arrays.pop("state/means"))
    refused(folder, "'state/means' is missing")


def test_arrays_that_are_unknown(folder: Path) -> None:
    replace_arrays(folder, lambda arrays: arrays.update(extra=np.zeros(3)))
    refused(folder, "'extra' is unknown")


def test_arrays_of_another_shape_or_type(folder: Path) -> None:
    replace_arrays(folder, lambda arrays: arrays.update({"state/t": np.zeros(4)}))
    refused(folder, "'state/t' is float64")


def test_arrays_that_are_no_safetensors(folder: Path) -> None:
    arrays_of(folder).unlink()
    blob = b"\x80\x04\x95 anything"
    (folder / "arrays-other.safetensors").write_bytes(blob)
    edit(folder, arrays={"file": "arrays-other.safetensors", "sha256": hashlib.sha256(blob).hexdigest()})
    refused(folder, "not a safetensors file")


def test_saving_again_replaces_and_leaves_no_litter(tmp_path: Path) -> None:
    agent = trained()
    folder = agent.save(tmp_path / "agent")
    first = arrays_of(folder)
    (folder / "agent.jsonabc.part").write_text("the rest of a save that was killed")
    agent.learn(10).save(folder)
    assert arrays_of(folder) != first
    assert len(list(folder.iterdir())) == 2
    assert_same(agent, load_agent(folder))


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_kill_while_saving_leaves_the_agent_that_was_there(
    tmp_path: Path, deaths: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Die when the arrays are to be renamed into place, or the manifest."""
    agent = trained()
    folder = agent.save(tmp_path / "agent")
    before = load_agent(folder)
    replace, calls = os.replace, []

    def killed(source: Any, target: Any) -> None:
        calls.append(target)
        if len(calls) == deaths:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        agent.learn(10).save(folder)
    monkeypatch.undo()
    assert_same(before, load_agent(folder))
    agent.save(folder)
    assert len(list(folder.iterdir())) == 2
    assert_same(agent, load_agent(folder))


def test_arrays_of_all_kinds_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {
        "matrix": np.arange(6.0).reshape(2, 3).T,  # not contiguous
        "empty": np.zeros((0, 3), np.float32),
        "scalar": np.array(7, np.int64),
        "mask": np.array([True, False]),
        "words": np.array([2**64 - 1], np.uint64),
        "odd": np.array([np.nan, -0.0, np.inf]),
    }
    _, loaded = read_agent_folder(write_agent_folder(tmp_path / "a", {"agent": "x"}, arrays))
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)


def test_a_setting_that_is_no_json_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError)):
        write_agent_folder(tmp_path / "a", {"settings": {"x": object()}}, {})
    with pytest.raises(ValueError, match="JSON"):
        write_agent_folder(tmp_path / "a", {"settings": {"x": float("nan")}}, {})
    assert not (tmp_path / "a" / MANIFEST).exists()


def test_options_of_a_world_that_are_no_json_are_named(tmp_path: Path) -> None:
    agent = make_agent("random", "CandyMaze-v0")
    agent.env_kwargs = {"kind": int}
    with pytest.raises(UsageError, match=r"random cannot be saved: env_kwargs=.* must be JSON"):
        agent.save(tmp_path / "agent")
    assert not (tmp_path / "agent").exists()
