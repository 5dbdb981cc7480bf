"""Files of deep agents from strangers: one clear line, no code that runs, and no compiled loop that leaves its arrays."""

from __future__ import annotations

import contextlib
import hashlib
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from rlcourse.agents import load_agent
from rlcourse.agents.storage import MANIFEST, read_agent_folder
from rlcourse.errors import StorageError
from tests.agents.deep.worlds import DEEP, WALK, assert_same, build

every_agent = pytest.mark.parametrize("name", DEEP)


def refused(folder: Path, words: str = ".") -> None:
    with pytest.raises(StorageError, match=words) as caught:
        load_agent(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def load_or_refuse(folder: Path) -> Any:
    """The agent, or `None` where it is refused by one line."""
    caught = None
    try:
        return load_agent(folder)
    except StorageError as error:
        caught = str(error)
    assert "\n" not in caught
    return None


def resign(folder: Path, arrays: dict[str, Any]) -> None:
    """Put other arrays in place of the saved ones, with checksums that fit."""
    for old in folder.glob("*.safetensors"):
        old.unlink()
    blob = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    (folder / "arrays-other.safetensors").write_bytes(blob)
    content = json.loads((folder / MANIFEST).read_text())
    del content["sha256"]
    content["arrays"] = {"file": "arrays-other.safetensors", "sha256": hashlib.sha256(blob).hexdigest()}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    (folder / MANIFEST).write_text(
        json.dumps({**content, "sha256": hashlib.sha256(text.encode()).hexdigest()})
    )


@contextlib.contextmanager
def no_pickles() -> Iterator[None]:
    """Whoever unpickles in here, or has torch do it, fails; but for Numba, which so reads its cache of machine code."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, verb in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
            real = getattr(owner, verb)

            def caught(*arguments: Any, real: Callable[..., Any] = real, **keywords: Any) -> Any:
                asked_by = sys._getframe(1).f_globals["__name__"]
                assert asked_by.partition(".")[0] == "numba", f"{asked_by} unpickles"
                return real(*arguments, **keywords)

            patch.setattr(owner, verb, caught)
        yield


def test_the_guard_against_pickles_catches() -> None:
    with no_pickles(), pytest.raises(AssertionError, match="unpickles"):
        pickle.loads(b"N.")


@every_agent
def test_a_folder_is_json_and_arrays_and_is_read_without_pickles(name: str, tmp_path: Path) -> None:
    folder = build(name, 2).learn(40).save(tmp_path / "agent")
    assert sorted(file.suffix for file in folder.iterdir()) == [".json", ".safetensors"]
    with no_pickles():
        assert load_agent(folder).num_timesteps == 40
    (file,) = folder.glob("*.safetensors")
    file.write_bytes(b"\x80\x04c__builtin__\nexec\n.")
    refused(folder, "truncated or altered")


@every_agent
def test_bytes_that_were_altered(name: str, tmp_path: Path) -> None:
    folder = build(name, 1).learn(20).save(tmp_path / "agent")
    draw = np.random.default_rng(0)
    for path in sorted(folder.iterdir()):
        blob = path.read_bytes()
        for _ in range(12):
            spoiled = bytearray(blob)
            at = int(draw.integers(len(blob)))
            if draw.random() < 0.5:
                spoiled[at] ^= 1 << int(draw.integers(8))
            else:
                del spoiled[at:]
            path.write_bytes(bytes(spoiled))
            if path.suffix == ".json" and _same_json(spoiled, blob):
                continue  # only the spaces between its words
            refused(folder)
        path.write_bytes(blob)
    assert load_agent(folder).num_timesteps == 20


def _same_json(a: bytes | bytearray, b: bytes) -> bool:
    try:
        return bool(json.loads(a) == json.loads(b))
    except ValueError:
        return False


@every_agent
def test_arrays_that_do_not_fit_with_checksums_that_do(name: str, tmp_path: Path) -> None:
    agent = build(name, 2).learn(40)
    folder = agent.save(tmp_path / "agent")
    _, arrays = read_agent_folder(folder)
    wider = build(name, 2, net_arch=(13,)).get_arrays()
    weights = next(
        key for key in sorted(arrays) if key.startswith("network/") and wider[key].shape != arrays[key].shape
    )
    changes: list[tuple[str, Callable[[], Any], str]] = [
        (weights, lambda: None, "is missing"),
        (weights, lambda: wider[weights], "expected"),
        (weights, lambda: arrays[weights].astype(np.float64), "is float64"),
        ("extra", lambda: np.zeros(2), "'extra' is unknown"),
        ("streams/agent", lambda: arrays["streams/agent"][:1], "is uint64"),
    ]
    for key, change, words in changes:
        changed = change()
        rest = {other: array for other, array in arrays.items() if other != key}
        resign(folder, rest if changed is None else {**rest, key: changed})
        refused(folder, words)
    resign(folder, arrays)
    assert load_agent(folder).num_timesteps == 40


@every_agent
def test_one_member_that_diverged_does_not_cost_the_others(name: str, tmp_path: Path) -> None:
    agent = build(name, 3).learn(40)
    for network in agent.networks.values():
        for parameter in network.parameters():
            with torch.no_grad():
                parameter[1] = torch.nan
    agent.learn(40)
    loaded = load_agent(agent.save(tmp_path / "agent"))
    assert_same(loaded, agent)
    assert_same(loaded.learn(40), agent.learn(40))
    assert all(
        bool(torch.isfinite(weights[[0, 2]]).all())
        for weights in loaded.networks[next(iter(loaded.networks))].parameters()
    )


@every_agent
@pytest.mark.parametrize("world", ["CandyMaze-v0", WALK])
def test_numbers_that_cannot_be_are_refused_or_do_no_harm(name: str, world: str, tmp_path: Path) -> None:
    """Every array of whole numbers in turn is filled with nonsense. What is taken all the same must go on learning."""
    options = {"seen": "vector"} if world == WALK else None
    agent = build(name, 2, world, options).learn(40)
    folder = agent.save(tmp_path / "agent")
    _, arrays = read_agent_folder(folder)
    draw = np.random.default_rng(1)
    for key, array in arrays.items():
        if array.dtype.kind not in "iu" or key.startswith(("streams/", "world/")) or not array.size:
            continue
        limits = np.iinfo(array.dtype)
        for spoiled in (
            np.full_like(array, limits.max),
            np.full_like(array, limits.min),
            draw.integers(limits.min, limits.max, array.shape, array.dtype),
        ):
            resign(folder, {**arrays, key: spoiled})
            if (loaded := load_or_refuse(folder)) is None:
                continue
            assert not key.startswith("kept/") or key in (
                "kept/seen",
                "kept/replay/frames",
                "kept/rollout/rows",
            ), key
            if key not in ("asked", "log/episodes"):
                loaded.learn(20)


@every_agent
def test_what_a_stranger_says_he_saw_is_refused(name: str, tmp_path: Path) -> None:
    """Of a number out of n: it would be a row of weights that is not there."""
    agent = build(name, 2).learn(40)
    folder = agent.save(tmp_path / "agent")
    _, arrays = read_agent_folder(folder)
    keys = [key for key in arrays if key in ("rows", "kept/seen", "kept/replay/frames", "kept/rollout/rows")]
    assert "rows" in keys
    for key in keys:
        for value in (-2, agent.codec.n_indices):
            spoiled = arrays[key].copy()
            spoiled.reshape(-1)[3 % spoiled.size] = value
            resign(folder, {**arrays, key: spoiled})
            refused(folder, f"array '{key}' holds")


@every_agent
def test_an_agent_of_other_settings_is_refused(name: str, tmp_path: Path) -> None:
    folder = build(name, 2).learn(20).save(tmp_path / "agent")
    content = json.loads((folder / MANIFEST).read_text())
    for changes in (
        {"settings": {**content["settings"], "net_arch": [13]}},
        {"settings": {**content["settings"], "net_arch": "wide"}},
        {"settings": {**content["settings"], "n_envs": 3}},
        {"env": "rlcourse/TMaze-v0", "env_kwargs": {}},
        {"env": "Pendulum-v1", "env_kwargs": {}},
        {"agent": "sarsa"},
        {"seeds": [0, 1, 2]},
    ):
        rest = {**content, **changes}
        del rest["sha256"]
        text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
        (folder / MANIFEST).write_text(
            json.dumps({**rest, "sha256": hashlib.sha256(text.encode()).hexdigest()})
        )
        refused(folder)
