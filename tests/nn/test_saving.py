"""Networks on disk, and weights from one network in another."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from rlcourse.errors import StorageError, UsageError
from rlcourse.nn.network import Network, build
from rlcourse.nn.optimisers import Optimiser
from rlcourse.nn.saving import FORMAT, _digest, get_arrays, load_network, save_network, set_arrays
from rlcourse.nn.stack import Sequential
from rlcourse.nn.transfer import freeze, load_weights, replace_head, unfreeze
from rlcourse.streams import Streams

S = 3


def made(seeds: range = range(S), outputs: int = 2) -> Network:
    spec = ["conv 4 3", "batchnorm", "relu", "flatten", "dropout 0.3", f"linear {outputs}"]
    return build(spec, (2, 5, 5), size=len(seeds), streams=Streams.from_seeds(seeds, "weights"))


def pictures(size: int = S) -> torch.Tensor:
    return torch.from_numpy(Streams.from_seeds(range(size), "x").normal((4, 2, 5, 5)).astype(np.float32))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saved_is_loaded(tmp_path: Path, dtype: torch.dtype) -> None:
    """The same spec, weights, statistics and masks: it goes on as if nothing had been."""
    network = made().to(dtype)
    x = pictures().to(dtype)
    network(x)  # moves the running statistics and the streams of dropout
    path = save_network(network, tmp_path / "new" / "network.safetensors")
    found = load_network(path)
    assert (found.spec, found.shapes, found.size) == (network.spec, network.shapes, S)
    assert next(found.parameters()).dtype == dtype
    for _ in range(2):
        assert torch.equal(found(x), network(x))
    assert [file.name for file in path.parent.iterdir()] == ["network.safetensors"]


def test_sequences_of_indices_are_saved(tmp_path: Path) -> None:
    """`n_in` with a None, and a buffer that is not saved."""
    network = build(["embedding 5 3", "gru 4", "linear 2"], (None,), size=S)
    found = load_network(save_network(network, tmp_path / "n"))
    index = torch.randint(0, 5, (S, 2, 7))
    assert torch.equal(found(index), network(index))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return save_network(made(range(1)), tmp_path_factory.mktemp("saved") / "n").read_bytes()


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_fuzzed_files_give_one_line(saved: bytes, tmp_path: Path, data: st.DataObject) -> None:
    """Bytes changed, cut off, put in or all random: never anything but a StorageError."""
    how = data.draw(st.sampled_from(["change", "cut", "insert", "random"]))
    at = data.draw(st.integers(0, len(saved) - 1) | st.integers(0, 900))
    if how == "change":
        flip = data.draw(st.integers(1, 255))
        fuzzed = saved[:at] + bytes([saved[at] ^ flip]) + saved[at + 1 :]
    elif how == "cut":
        fuzzed = saved[:at]
    elif how == "insert":
        fuzzed = saved[:at] + data.draw(st.binary(min_size=1, max_size=9)) + saved[at:]
    else:
        fuzzed = data.draw(st.binary(max_size=200))
    path = tmp_path / "fuzzed"
    path.write_bytes(fuzzed)
    with pytest.raises(StorageError) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


def test_every_byte_counts(saved: bytes, tmp_path: Path) -> None:
    """One bit anywhere in the arrays, and at every tenth place of the header, is noticed."""
    header = 8 + int.from_bytes(saved[:8], "little")
    path = tmp_path / "altered"
    for at in [*range(0, header, 10), *range(header, len(saved), 97)]:
        path.write_bytes(saved[:at] + bytes([saved[at] ^ 1]) + saved[at + 1 :])
        with pytest.raises(StorageError):
            load_network(path)


def crafted(path: Path, content: object, arrays: dict[str, np.ndarray] | None = None) -> Path:
    """A file of a stranger, who knows how the checksum is made."""
    text = content if isinstance(content, str) else json.dumps(content)
    arrays = {"parts.0.weight": np.zeros((1, 2, 2), np.float32)} if arrays is None else arrays
    save_file(arrays, path, metadata={"format": FORMAT, "network": text, "sha256": _digest(text, arrays)})
    return path


FINE = {"format_version": 1, "spec": ["linear 2"], "n_in": [2], "size": 1}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("{", "does not say what the network is made of"),
        ("[" * 100_000, "does not say what the network is made of"),
        ([1], "does not say what the network is made of"),
        ({"spec": []}, "does not say what the network is made of"),
        ({**FINE, "format_version": 2}, "has format version 2; this rlcourse"),
        ({**FINE, "spec": ["linaer 2"]}, "unknown part of a network 'linaer'"),
        ({**FINE, "spec": 3}, "does not say what the network is made of"),
        ({**FINE, "spec": [3]}, "does not say what the network is made of"),
        ({**FINE, "size": "many"}, "does not say what the network is made of"),
        ({**FINE, "size": -1}, "does not say what the network is made of"),
        ({**FINE, "n_in": ["a"]}, "does not say what the network is made of"),
        ({**FINE, "n_in": [10**30]}, "does not say what the network is made of"),
        ({**FINE, "spec": [f"linear {10**12}"]}, "holds other arrays than its network has"),
        (FINE, "holds other arrays than its network has"),
    ],
)
def test_strangers_files_give_one_line(tmp_path: Path, content: object, line: str) -> None:
    """A right checksum over nonsense; a network of a terabyte is not made before its arrays are seen."""
    with pytest.raises(StorageError, match=line) as caught:
        load_network(crafted(tmp_path / "n", content))
    assert "\n" not in str(caught.value)


def test_what_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no network at"):
        load_network(tmp_path / "missing")
    with pytest.raises(StorageError, match="is not a safetensors file"):
        load_network(tmp_path)
    save_file({"a": np.zeros(2)}, tmp_path / "other")
    with pytest.raises(StorageError, match="is not an rlcourse network"):
        load_network(tmp_path / "other")


def test_arrays_that_do_not_fit_change_nothing() -> None:
    network, before = made(), get_arrays(made())
    name = "parts.0.weight"
    wrong = [
        ({k: v for k, v in before.items() if k != name}, f"misses the array '{name}'"),
        ({**before, "more": np.zeros(3)}, "has no place for the array 'more'"),
        ({**before, name: before[name][:1]}, r"is \[1, 4, 2, 3, 3\], expected \[3, 4, 2, 3, 3\]"),
        ({**before, name: before[name].astype(np.int64)}, "is of int64, expected torch.float32"),
    ]
    for arrays, line in wrong:
        arrays = {k: v + 1 if k == "parts.5.weight" else v for k, v in arrays.items()}
        with pytest.raises(StorageError, match=line):
            set_arrays(network, arrays)
        for key, value in get_arrays(network).items():
            assert np.array_equal(value, before[key])
    set_arrays(network, {key: value + 1 for key, value in before.items()})
    for key, value in get_arrays(network).items():
        assert np.array_equal(value, before[key] + 1)


def trained(network: Network) -> dict[str, np.ndarray]:
    before = get_arrays(network)
    optimiser = Optimiser(network.parameters(), "adam", 0.1)
    optimiser.step(network(pictures()).square().mean((1, 2)).sum())
    return {name: value != before[name] for name, value in get_arrays(network).items()}


def test_frozen_weights_stay() -> None:
    network = made()
    assert freeze(network, "parts.0.*", "*.bias") == [
        "parts.0.weight",
        "parts.0.bias",
        "parts.1.bias",
        "parts.5.bias",
    ]
    moved = trained(network)
    assert {name for name in dict(network.named_parameters()) if moved[name].any()} == {
        "parts.1.weight",
        "parts.5.weight",
    }
    assert unfreeze(network, "*") == list(dict(network.named_parameters()))
    assert trained(network)["parts.0.weight"].any()
    with pytest.raises(
        UsageError, match=r"unknown name of weights 'parts.0.wieght': did you mean parts.0.weight"
    ):
        freeze(network, "parts.0.wieght")


def test_a_new_head() -> None:
    """The rest is the same and apart from what it was copied from; the head is new, and the member's own."""
    network = made()
    freeze(network, "parts.0.*")
    network(pictures())
    new = replace_head(network, 7, streams=Streams.from_seeds([4, 5, 6], "head"))
    assert new.spec == (*network.spec[:-1], "linear 7")
    assert new.n_out == (7,)
    old, fresh = get_arrays(network), get_arrays(new)
    for name in old:
        if not name.startswith("parts.5."):
            assert np.array_equal(old[name], fresh[name])
    alone = replace_head(made(range(1)), "linear 7", streams=Streams.from_seeds([5], "head"))
    assert torch.equal(new.parts[5].weight[1], alone.parts[5].weight[0])
    moved = trained(new)
    assert moved["parts.1.weight"].any()
    assert not moved["parts.0.weight"].any()  # still frozen
    assert all(np.array_equal(value, old[name]) for name, value in get_arrays(network).items())
    assert next(replace_head(network.double(), "noisy 3").parameters()).dtype == torch.float64
    for wrong in (None, Sequential(network)):
        with pytest.raises(UsageError, match="of an estimator, take its network"):
            replace_head(wrong, 5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the last part of the network, 'relu', is no head"):
        replace_head(build(["linear 3", "relu"], 2), 5)


def test_weights_of_another_stack() -> None:
    target, source = made(), made(range(50, 50 + S))
    source(pictures())
    assert load_weights(target, source) == list(target.state_dict())
    for name, value in get_arrays(source).items():
        assert np.array_equal(value, get_arrays(target)[name])
    target = made()
    assert load_weights(target, source, member=2, only=["parts.0.*", "parts.1.running_mean"]) == [
        "parts.0.weight",
        "parts.0.bias",
        "parts.1.running_mean",
    ]
    found, before, given = get_arrays(target), get_arrays(made()), get_arrays(source)
    for k in range(S):
        assert np.array_equal(found["parts.0.weight"][k], given["parts.0.weight"][2])
    assert np.array_equal(found["parts.5.weight"], before["parts.5.weight"])


def test_layers_of_other_names_are_matched_in_their_order() -> None:
    """One part more before them shifts every name."""
    source = build(["linear 5", "dropout 0.5", "relu", "linear 2"], (2, 2), size=S)
    target = build(["flatten", "linear 5", "relu", "linear 2"], (2, 2), size=S)
    flat = build(["linear 5", "relu", "linear 2"], 4, size=S, streams=Streams.from_seeds([7, 8, 9], "w"))
    assert load_weights(target, flat) == ["parts.1.weight", "parts.1.bias", "parts.3.weight", "parts.3.bias"]
    x = torch.randn(S, 6, 2, 2)
    with torch.no_grad():
        torch.testing.assert_close(target(x), flat(x.flatten(2)))
    before = get_arrays(target)
    for wrong, words in (
        (source, r"'parts.1.weight' is \[3, 2, 5\] in the source, where it is 'parts.0.weight'"),
        (
            build(["linear 2"], 4, size=S),
            r"layers are others in their order, too: parts.0.weight \[4, 2\], where",
        ),
        (build(["linear 5", "layernorm", "relu", "linear 2"], 4, size=S), "'parts.1.weight' is|has no"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            load_weights(target, wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="member='a'"):
        load_weights(target, flat, member="a")  # type: ignore[arg-type]
    assert all(np.array_equal(value, before[name]) for name, value in get_arrays(target).items())


def test_one_member_goes_into_any_number() -> None:
    """A network trained alone begins ten; other heads stay out of it."""
    target, source = made(range(10)), made(range(1), outputs=9)
    load_weights(target, source, member=0, only="parts.[01].*")
    assert torch.equal(target.parts[0].weight[7], source.parts[0].weight[0])
    with pytest.raises(UsageError, match="1 members do not go into 10; say with member="):
        load_weights(target, source)
    with pytest.raises(UsageError, match="member=1 must be in 0 to 0"):
        load_weights(target, source, member=1)
    before = get_arrays(target)
    with pytest.raises(
        UsageError, match=r"'parts.5.weight' is \[10, 36, 9\] in the source, but \[10, 36, 2\] in the target"
    ):
        load_weights(target, source, member=0)
    with pytest.raises(UsageError, match=r"the source has no 'parts.5.weight'"):
        load_weights(target, build(["linear 3"], 2, size=10), only="parts.5.*")
    assert all(np.array_equal(value, before[name]) for name, value in get_arrays(target).items())
