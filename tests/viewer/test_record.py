"""A record of a game: what is written is read again; what is no whole record is refused in one line."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from rlcourse.errors import StorageError
from rlcourse.viewer.record import Episode, Record, as_check, read_record, write_record
from rlcourse.viewer.replay import Replay

RECORD = Record(
    "rlcourse/Bandit-v0",
    {"means": [0.1, 0.9]},
    [
        Episode(2**70, [1, 0, 1], [1.0, 0.1 + 0.2, -5e-324], None),
        Episode(None),
        Episode(3, [1], [None], "truncated"),
    ],
)


@pytest.fixture
def path(tmp_path):
    write_record(tmp_path / "game.json", RECORD)
    return tmp_path / "game.json"


def test_what_is_written_is_read(path):
    assert read_record(path) == RECORD
    assert read_record(path).steps == 4


def test_it_is_json_that_a_person_can_read(path):
    content = json.loads(path.read_text())
    assert list(content) == ["format", "format_version", "rlcourse", "env", "env_kwargs", "episodes"]
    assert len(path.read_text().splitlines()) == 12  # a line for each episode


def test_what_is_not_finite_is_kept_as_none():
    assert [as_check(value) for value in (1.5, float("inf"), float("-inf"), float("nan"))] == [
        1.5,
        None,
        None,
        None,
    ]


def changed(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


EPISODE = {"seed": 0, "actions": [0], "rewards": [0.0], "end": None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "rlcourse-agent"}, "is no record of a game"),
        ({"format_version": 2}, "format version 2; this rlcourse"),
        ({"env": 3}, "which world"),
        ({"env_kwargs": [1]}, "which world"),
        ({"episodes": []}, "no episodes"),
        ({"episodes": {}}, "no episodes"),
        ({"episodes": [3]}, "episode 1 is no object"),
        ({"episodes": [{**EPISODE, "seed": None}]}, "first episode must have a seed"),
        ({"episodes": [{**EPISODE, "seed": -1}]}, "the seed of episode 1"),
        ({"episodes": [{**EPISODE, "seed": True}]}, "the seed of episode 1"),
        ({"episodes": [EPISODE, {**EPISODE, "actions": [0.5]}]}, "the actions of episode 2"),
        ({"episodes": [{**EPISODE, "actions": [False]}]}, "the actions of episode 1"),
        ({"episodes": [{**EPISODE, "rewards": ["1"]}]}, "the rewards of episode 1"),
        ({"episodes": [{**EPISODE, "rewards": [float("nan")]}]}, "the rewards of episode 1"),
        ({"episodes": [{**EPISODE, "rewards": [10**400]}]}, "the rewards of episode 1"),
        ({"episodes": [{**EPISODE, "rewards": []}]}, "1 actions and 0 rewards"),
        ({"episodes": [{**EPISODE, "end": "won"}]}, "the end of episode 1"),
        ({"episodes": [{**EPISODE, "end": []}]}, "the end of episode 1"),
    ],
)
def test_what_is_wrong_is_named(path, changes, said):
    with pytest.raises(StorageError, match=said):
        read_record(changed(path, **changes))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "\x00\xff", "[" * 100_000, '{"format": "rlcourse-game"}']
)
def test_no_record_at_all(tmp_path, text):
    (tmp_path / "game.json").write_text(text)
    with pytest.raises(StorageError, match=r"game\.json"):
        read_record(tmp_path / "game.json")
    with pytest.raises(StorageError, match="cannot be read"):
        read_record(tmp_path / "nothing.json")
    with pytest.raises(StorageError, match="cannot be read"):
        read_record(tmp_path)


def test_truncated_anywhere(path):
    whole = path.read_bytes().rstrip()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(StorageError):
            read_record(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
@settings(deadline=None)
def test_anything_in_any_place_is_replayed_or_refused(tmp_path_factory, data):
    """Fuzzed values in the place of one of a real record: a replay, or a StorageError of one line."""
    content = {
        "format": "rlcourse-game",
        "format_version": 1,
        "rlcourse": "0",
        "env": "rlcourse/Bandit-v0",
        "env_kwargs": {"horizon": 3},
        "episodes": [{**EPISODE, "actions": [1, 2], "rewards": [0.0, 1.0]}],
    }
    place = data.draw(st.sampled_from(["env", "env_kwargs", "horizon", "episodes", *EPISODE]))
    value = data.draw(JSON)
    if place == "horizon":
        content["env_kwargs"]["horizon"] = value
    elif place in EPISODE:
        content["episodes"][0][place] = value
    else:
        content[place] = value
    path = tmp_path_factory.mktemp("fuzz") / "game.json"
    path.write_text(json.dumps(content))
    try:
        Replay(path).close()
    except StorageError as error:
        assert str(path) in str(error)  # noqa: PT017  (either is fine)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"env": "rlcourse/Bandits-v0"}, "did you mean Bandit-v0"),
        ({"env": "os:system"}, "unknown world"),
        ({"env": "Pendulum-v1", "env_kwargs": {}}, "not Discrete"),
        ({"env_kwargs": {"armz": 2}}, "did you mean arms"),
        ({"env_kwargs": {"arms": 0}}, "arms=0"),
        ({"env_kwargs": {"render_mode": "human"}}, "refuses its options"),
        ({"episodes": [{**EPISODE, "actions": [2]}]}, "action 2 in step 1 of episode 1"),
        ({"episodes": [{**EPISODE, "actions": [10**30]}]}, "action 1000000"),
        ({"episodes": [{**EPISODE, "actions": [-1]}]}, "action -1"),
    ],
)
def test_a_record_that_its_world_does_not_know(path, changes, said):
    with pytest.raises(StorageError, match=said):
        Replay(changed(path, **changes))
