"""Levels as maps: they can be read and solved, they are kept, and what cannot be is refused by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlcourse.envs.maze import generate
from rlcourse.envs.maze.generate import KINDS, PLACINGS, STARTS, LevelOptions, generate_layout, least_floor
from rlcourse.envs.maze.generate.field import DENSEST
from rlcourse.envs.maze.reading import parse
from rlcourse.errors import UsageError
from tests.envs.maze.floors import SIDES, floor_of, placed


@pytest.mark.parametrize("kind", KINDS)
def test_levels_differ(kind):
    options = LevelOptions(kind)
    assert len({str(generate_layout(options, seed)) for seed in range(1000)}) == 1000
    assert len({floor_of(kind, 8, 8, seed).tobytes() for seed in range(1000)}) > 950


PINNED = {
    "depth_first": ".......1 .###.##. .S...##. .######. ...#..E. .#.#b### .#..a...",
    "prim": "...#...a .#.#.### ........ .###.##. .#...##. .#.#.##S E#b#...1",
    "kruskal": "........ .###.##. ........ .#.####. .#.#1S.. .#.####b E#...a..",
    "rooms": ".......S .1..#... .####.## ........ ....#... ..E.#b.. ..a.#...",
    "open": ".###...a .....#.. E.##...# ...##... .#...#.S .#...... ..b..##1",
}
"""A seed gives the same level in every version: whoever published a figure on a level can find it again."""


@pytest.mark.parametrize("kind", KINDS)
def test_the_levels_of_a_seed_are_kept(kind):
    options = LevelOptions(
        kind, 7, 8, braid=0.5, candies=(1, 2.5, -4), placing=PLACINGS[KINDS.index(kind) % 3], start="far"
    )
    layout = generate_layout(options, 2**40 + 7)
    assert layout.maps[0] == tuple(PINNED[kind].split())
    assert layout.legend == (("a", "candy 2.5"), ("b", "candy -4.0"))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(KINDS),
    SIDES,
    SIDES,
    st.floats(0, 1),
    st.floats(0, DENSEST),
    st.lists(st.sampled_from([0, 1, 2, 5, 9, 10, 2.5, -3, 1e-9, 1e6]) | st.floats(-1e6, 1e6), max_size=9),
    st.sampled_from(PLACINGS),
    st.sampled_from(STARTS),
    st.integers(0, 2**62 - 1),
    st.none() | st.integers(0, 2**62 - 1),
)
def test_a_level_is_a_map_that_can_be_solved(
    kind, height, width, braid, density, candies, placing, start, seed, start_seed
):
    room = least_floor(KINDS.index(kind), density, height, width) - 2
    candies = candies[: max(room, 0)]
    options = LevelOptions(kind, height, width, braid, density, candies, placing, start)
    layout = generate_layout(options, seed, start_seed)
    assert parse(str(layout)) == layout  # it also says if something cannot be reached
    assert (layout.height, layout.width) == (height, width)
    assert len(layout.find("start")) == len(layout.find("exit")) == 1
    assert sorted(layout.value(cell) for cell in layout.find("candy")) == sorted(candies)
    assert not layout.rewards
    assert layout == generate_layout(options, seed, start_seed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_level(kind):
    values = [index - 20.5 for index in range(62)]
    layout = generate_layout(LevelOptions(kind, 64, 64, candies=values, placing="far"), 1)
    assert parse(str(layout)) == layout
    assert sorted(layout.value(cell) for cell in layout.find("candy")) == values


def test_the_map_shows_the_walls_and_the_values_in_their_order():
    layout = generate_layout(LevelOptions("rooms", 9, 12, candies=[7, 1.5, 7]), 4, start_seed=9)
    floor = floor_of("rooms", 9, 12, 4)
    start, exit_, *candies = (divmod(int(cell), 12) for cell in placed(floor, "uniform", 3, 4, start_seed=9))
    assert [[layout.word((r, c)) != "wall" for c in range(12)] for r in range(9)] == floor.tolist()
    assert (layout.find("start"), layout.find("exit")) == ([start], [exit_])
    assert [layout.value(cell) for cell in candies] == [7.0, 1.5, 7.0]
    assert layout.legend == (("a", "candy 1.5"),)


@pytest.mark.parametrize("placing", PLACINGS)
def test_the_same_level_with_another_start(placing):
    options = LevelOptions("kruskal", 12, 12, placing=placing)
    first = generate_layout(options, 3)
    others = [generate_layout(options, 3, start_seed) for start_seed in range(50)]
    assert generate_layout(options, 3, 3) == first
    assert len({layout.find("start")[0] for layout in others}) > 20
    for layout in others:
        assert layout.find("exit") == first.find("exit")
        assert layout.find("candy") == first.find("candy")
        assert layout.find("wall") == first.find("wall")


def test_train_and_test_levels_are_disjoint():
    train, test = generate.train_seeds(2**40), generate.test_seeds(2**62 - 2**40)
    assert (train[0], train[-1] + 1, test[0], test[-1] + 1) == (0, 2**40, 2**40, 2**62)
    assert generate.train_seeds(5) == range(5)
    assert generate.test_seeds(5) == range(2**40, 2**40 + 5)
    options = LevelOptions()
    shown = {str(generate_layout(options, seed)) for seed in generate.train_seeds(500)}
    assert not shown & {str(generate_layout(options, seed)) for seed in generate.test_seeds(500)}
    for ask in (generate.train_seeds, generate.test_seeds):
        with pytest.raises(UsageError, match="count=0 must be a whole number of at least 1"):
            ask(0)
        with pytest.raises(UsageError, match="the number of such level seeds"):
            ask(2**62)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"generator": "kruskals"}, "generator: unknown choice 'kruskals': did you mean kruskal?"),
        ({"height": 1}, "height=1 must be a whole number of at least 2"),
        ({"width": 8.0}, "width=8.0 must be a whole number of at least 2"),
        ({"width": 1001}, "width=1001 must be a whole number of at most 1000"),
        ({"braid": 1.5}, "braid=1.5 must be a finite number at least 0 and at most 1"),
        ({"density": 0.5}, "density=0.5 must be a finite number at least 0 and at most 0.4"),
        ({"candies": 3}, "candies=3 must be a list of numbers"),
        ({"candies": [1.0, float("nan")]}, "candies[1]=nan must be a finite number"),
        (
            {"candies": [2e6]},
            "candies[0]=2000000.0 must be a finite number at least -1e+06 and at most 1e+06",
        ),
        ({"candies": [1.0] * 63, "height": 64}, "candies: a map has 62 candies at most, not 63"),
        ({"placing": "near"}, "placing: unknown choice 'near'"),
        ({"start": "map"}, "start: unknown choice 'map'"),
        (
            {"height": 2, "width": 2, "candies": [1.0] * 5},
            "candies: 5 of them may find no floor beside start and exit in 2 x 2 cells, where at most 1 always do",
        ),
        (
            {"generator": "open", "height": 5, "width": 5, "candies": [1.0] * 18},
            "candies: 18 of them may find no floor beside start and exit in 5 x 5 cells, where at most 17 always do",
        ),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(UsageError) as error:
        LevelOptions(**options)
    assert message in str(error.value)


@pytest.mark.parametrize("seed", [-1, 2**62, 1.5, None, "7", True])
def test_seeds_that_cannot_be(seed):
    with pytest.raises(UsageError, match="level_seed="):
        generate_layout(LevelOptions(), seed)
    if seed is not None:
        with pytest.raises(UsageError, match="start_seed="):
            generate_layout(LevelOptions(), 0, seed)


def test_options_are_in_their_normal_form():
    options = LevelOptions(height=np.int64(9), braid=1, candies=np.array([1, 2]))
    assert options == LevelOptions(height=9, braid=1.0, candies=[1.0, 2.0])
    assert hash(options) == hash(LevelOptions(height=9, braid=1.0, candies=(1.0, 2.0)))
    assert LevelOptions(candies=()).candies == ()
