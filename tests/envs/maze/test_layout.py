"""Maps as text: what is read is what is written, and what is wrong is named with its line and column."""

import gymnasium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.envs.maze.layout import Layout
from rlcourse.envs.maze.reading import layout_names, load_layout, parse
from rlcourse.errors import UsageError

from .maps import alternative_maps

FULL = """
// a remark
    S...   // another
    #.v2
    .#Z.
    ..TE

legend Z = candy -25.5
legend w = wall
reward exit = 10
reward move = -0.1
wind = 0 0 1 0

from step 7
    S...
    ..v2
    ..Z.
    ..TE
"""


def test_everything_a_map_can_say():
    layout = parse(FULL)
    assert layout.maps == (("S...", "#.v2", ".#Z.", "..TE"), ("S...", "..v2", "..Z.", "..TE"))
    assert layout.changes == (7,)
    assert layout.wind == (0, 0, 1, 0)
    assert dict(layout.rewards) == {"exit": 10.0, "move": -0.1}
    assert [layout.value(cell) for cell in layout.find("candy")] == [2.0, -25.5]
    assert layout.word((1, 2)) == "down"
    assert layout.word((1, 0)) == "wall"
    assert layout.word((1, 0), 1) == "floor"
    assert layout.find("trap") == [(3, 2)]


@pytest.mark.parametrize("name", layout_names())
def test_shipped_maps_round_trip(name):
    layout = load_layout(name)
    assert parse(str(layout)) == layout
    assert str(parse(str(layout))) == str(layout)


def test_a_map_by_path(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(FULL)
    assert load_layout(str(path)) == load_layout(FULL) == parse(FULL)
    path.write_text("S.q\n..E")
    with pytest.raises(UsageError, match=r"mine.txt: line 1, column 3: unknown character 'q'"):
        load_layout(str(path))
    with pytest.raises(UsageError, match="cannot be read"):
        load_layout(str(tmp_path / "none.txt"))
    with pytest.raises(UsageError, match="did you mean cliff"):
        load_layout("clif")
    with pytest.raises(UsageError, match="layout=3 must be"):
        load_layout(3)


def test_a_map_that_an_editor_of_windows_saved(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_bytes(b"\xef\xbb\xbfS.\r\n.E\r\n")
    assert load_layout(str(file)).maps == (("S.", ".E"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: there is no map"),
        ("S..\n.q.\n..E", "line 2, column 2: unknown character 'q'"),
        ("\n\n   S..\n   .q.\n   ..E", "line 4, column 5: unknown character 'q'"),
        ("S..\n.. .\n..E", "line 2, column 3: unknown character ' '"),
        ("S..\n..\n..E", "line 2, column 3: this row has 2 cells, the first has 3"),
        ("S..\n....\n..E", "line 2, column 4: this row has 4 cells, the first has 3"),
        ("...\n..E", "line 1: this map has no start"),
        ("S..\n...", "line 1: there is nothing to reach"),
        ("S#E\n.#.", "line 1, column 3: 'E': this exit cannot be reached"),
        ("S.E\n###\n..5", "line 3, column 3: '5': this candy cannot be reached"),
        ("S.E1", "line 1, column 4: '1': this candy cannot be reached"),
        ("SC1E\n##..", "line 1, column 3: '1': this candy cannot be reached"),
        ("S<E", "line 1, column 3: 'E': this exit cannot be reached"),
        ("S.E\n##.\nS#.", "line 3, column 1: 'S': no way leads from here to an exit"),
        ("S#S\n1#.", "line 1, column 3: 'S': no way leads from here to a candy"),
        ("S.E\n\nreward exits = 3", "line 3: unknown reward 'exits': did you mean exit"),
        ("S.E\n\nreward exit = much", "line 3: 'much' must be a number"),
        ("S.E\n\nreward exit = nan", "line 3: 'nan' must be a number"),
        ("S.E\n\nwind = 1 2", "line 3: 2 winds for a map of 3 columns"),
        ("S.E\n\nwind = a b c", "line 3: the wind is a whole number"),
        ("S.E\n\nlegend . = wall", "line 3: '.' has its meaning already"),
        ("S.E\n\nlegend q = wal", "line 3: unknown meaning 'wal': did you mean wall"),
        ("S.E\n\nlegend q = candy", "line 3: write 'candy VALUE'"),
        ("S.E\n\nlegend q = wall 3", "line 3: write 'wall' alone"),
        ("S.E\n\ncolour = red", "line 3: unknown setting 'colour'"),
        ("S.E\n\nS.E", "line 3: a second map needs a line 'from step N'"),
        ("S.E\n\nfrom step soon\nS.E", "line 3: write 'from step N'"),
        ("S.E\n\nfrom step 0\nS.E", "line 3: step 0 does not come after"),
        ("from step 5\nS.E", "line 1: there is no map above"),
        ("S.E\n\nfrom step 5", "there is no map below 'from step 5'"),
        ("S.E\n\nfrom step 5\nS.E\n...", "line 5: this map has 2 rows, the first has 1"),
        ("S.E\n...\n\nfrom step 5\nS.E\n1..", "line 6, column 1: '1': only walls and floor may change"),
        ("S.E\n\nfrom step 5\nS#E", "line 4, column 3: 'E': this exit cannot be reached"),
        ("S" + "1" * 63, "line 1, column 64: '1': a map has 62 candies at most"),
        ("or\nS.E", "line 1: there is no map above 'or'"),
        ("S.E\n\nor", "line 3: there is no map below 'or'"),
        ("S.E\nor\nS.q", "line 3, column 3: unknown character 'q'"),
        ("S.E\nor\n  S#E", "line 3, column 5: 'E': this exit cannot be reached"),
        ("S.E\nor\n.SE", "line 3: the maps around 'or' must have their starts in the same cells"),
        ("S12E\nor\nS21E", "line 3: the maps around 'or' must have the same candies, row by row: [1.0, 2.0]"),
        ("S1E\nor\nS1.", "line 3: the maps around 'or' must all have an exit, or none"),
        ("S.E\nor\n...E", "line 3, column 4: this row has 4 cells, the first has 3"),
        (
            "S.E\nor\nS.E\nfrom step 3\nS.E",
            "line 4: maps follow each other ('from step N') or are drawn ('or')",
        ),
    ],
)
def test_what_is_wrong_is_located(text, message):
    with pytest.raises(UsageError) as error:
        parse(text)
    assert message in str(error.value)


@settings(max_examples=100, deadline=None)
@given(alternative_maps)
def test_maps_with_alternatives_round_trip(text):
    layout = parse(text)
    assert layout.alternatives == text.count("or") + 1
    assert layout.phases == 1
    assert parse(str(layout)) == layout
    assert str(parse(str(layout))) == str(layout)


pieces = st.sampled_from(
    [*"#.SETC<>^v19qZ= /\n\n\n", "\nlegend Z = candy 3\n", "\nwind = 0 1\n", "\nfrom step 3\n", "\nor\n"]
)  # fmt: skip
rows = st.lists(st.text("S.#E1T", min_size=3, max_size=3), min_size=1, max_size=3).map("\n".join)


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(pieces, max_size=60).map("".join),
        st.lists(rows, min_size=2, max_size=3).map("\nor\n".join),
        st.lists(rows, min_size=2, max_size=3).map("\nfrom step 3\n".join),
    )
)
def test_a_map_is_read_or_refused_with_its_place(text):
    """Line, and column where it is one cell; and whatever is read can be printed, read again and played."""
    layout, message = None, "line 1"
    try:
        layout = parse(text)
    except UsageError as error:
        message = str(error)
    assert "\n" not in message
    assert "line " in message
    if layout is not None:
        assert isinstance(layout, Layout)
        assert parse(str(layout)) == layout
        env = None
        try:
            env = gymnasium.make("rlcourse/CandyMaze-v0", layout=str(layout), observation="position")
        except UsageError as error:
            message = str(error)
        assert env is not None or "a maze has a single start" in message
        if env is not None:
            env.reset(seed=0)
            env.step(1)
