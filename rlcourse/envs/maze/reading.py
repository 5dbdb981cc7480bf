"""Maps as text that a person can edit: what stands in each cell, and what holds on this map alone.

    // anything after two slashes is a remark
    S.#.
    ..v2
    .#Z.
    ..TE

    legend Z = candy 25
    reward exit = 10
    wind = 0 0 1 0

`#` wall, `.` floor, `S` start (one of them is drawn, if there are several), `E` exit, a digit a candy of that
value, `T` trap, `C` cliff, `<` `>` `^` `v` floor that can be entered only in that direction. Without an exit, the
last candy ends the episode. Walls may change: a second map, below a line `from step 1000`, holds from that step of the
world's life. What an episode is about may be drawn: of several maps with lines `or` between them, each episode has one.
"""

from __future__ import annotations

import math
import re
from importlib import resources
from pathlib import Path

from rlcourse.envs.maze.layout import (
    LARGEST_REWARD,
    MOST_CANDIES,
    REWARDS,
    STANDARD,
    WORDS,
    Cell,
    Layout,
    reachable,
)
from rlcourse.errors import UsageError, did_you_mean


def layout_names() -> list[str]:
    """The names of the maps that come with the package."""
    folder = resources.files("rlcourse.envs.maze") / "layouts"
    return sorted(file.name.removesuffix(".txt") for file in folder.iterdir() if file.name.endswith(".txt"))


def load_layout(source: str) -> Layout:
    """A map by its name, from a file, or from the text itself.

    Args:
        source: the name of a map that comes with the package, the path of a text file (it ends in `.txt`), or a
            text of several lines.

    Raises:
        UsageError: there is no such map, or its text is wrong; the message says in which line and column.
    """
    if not isinstance(source, str):
        raise UsageError(f"layout={source!r} must be the name of a map, the path of one, or its text")
    if "\n" in source:
        return parse(source)
    if source in layout_names():
        return parse((resources.files("rlcourse.envs.maze") / "layouts" / f"{source}.txt").read_text("utf-8"))
    if not source.endswith(".txt"):
        raise UsageError(
            f"layout: {did_you_mean(source, layout_names(), kind='map')} (or the path of a .txt file)"
        )
    try:
        text = Path(source).read_text("utf-8-sig")  # some editors of Windows begin with a mark
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"layout={source!r} cannot be read: {error}") from None
    try:
        return parse(text)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None


def parse(text: str) -> Layout:
    """Read a map.

    Raises:
        UsageError: with line and column of what is wrong: an unknown character, rows of different length, no
            start, a candy or an exit that cannot be reached, and the like.
    """
    return _Reader(text).layout()


class _Reader:
    """Reads one text; keeps where each row of the first map stands in it, for the messages."""

    def __init__(self, text: str) -> None:
        self.maps: list[list[tuple[int, int, str]]] = []  # line, column and characters of every row
        self.changes: list[int] = []
        self.legend: dict[str, str] = {}
        self.rewards: dict[str, float] = {}
        self.wind: tuple[int, ...] = ()
        self.wind_line = 0
        self.above = (0, "")  # the line above the last map, and its number
        within = False
        for number, line in enumerate(text.split("\n"), start=1):
            content = line.split("//")[0].rstrip()
            row = content.lstrip()
            if not row or "=" in row or row == "or" or row.startswith("from "):
                within = False
                if "=" in row:
                    self._setting(number, row)
                elif row:
                    self._next_map(number, row)
                    within = True
                continue
            if not within and self.maps:
                raise UsageError(f"line {number}: a second map needs a line 'from step N' or 'or' above it")
            if not self.maps:
                self.maps.append([])
            within = True
            self.maps[-1].append((number, len(content) - len(row) + 1, row))

    def _setting(self, number: int, row: str) -> None:
        """A line `name = value`."""
        name, value = (part.strip() for part in row.split("=", 1))
        words = name.split()
        if words == ["wind"]:
            if not re.fullmatch(r"\d{1,3}(\s+\d{1,3})*", value, re.ASCII):
                raise UsageError(f"line {number}: the wind is a whole number for every column, not {value!r}")
            self.wind, self.wind_line = tuple(int(one) for one in value.split()), number
        elif len(words) == 2 and words[0] == "reward":
            if words[1] not in REWARDS:
                raise UsageError(f"line {number}: {did_you_mean(words[1], REWARDS, kind='reward')}")
            self.rewards[words[1]] = _number(number, value)
        elif len(words) == 2 and words[0] == "legend" and len(words[1]) == 1:
            self._legend(number, words[1], value)
        else:
            raise UsageError(
                f"line {number}: unknown setting {name!r}: choose from 'wind', 'reward NAME', 'legend CHARACTER'"
            )

    def _legend(self, number: int, character: str, value: str) -> None:
        if character in STANDARD or character == "/" or not character.isprintable():
            raise UsageError(f"line {number}: {character!r} has its meaning already: take another character")
        word, *more = value.split() or [""]
        if word not in WORDS:
            raise UsageError(f"line {number}: {did_you_mean(word, WORDS, kind='meaning')}")
        if len(more) != (word == "candy"):
            wanted = "'candy VALUE'" if word == "candy" else f"{word!r} alone"
            raise UsageError(f"line {number}: write {wanted}, not {value!r}")
        self.legend[character] = f"candy {_number(number, more[0])!r}" if more else word

    def _next_map(self, number: int, row: str) -> None:
        """A line `from step N` or `or`, above a second map."""
        found = re.fullmatch(r"from\s+step\s+(\d{1,15})", row, re.ASCII)
        if not found and row != "or":
            raise UsageError(f"line {number}: write 'from step N', not {row!r}")
        if not self.maps or not self.maps[-1]:
            raise UsageError(f"line {number}: there is no map above {row!r}")
        if len(self.maps) > 1 and bool(found) != bool(self.changes):
            raise UsageError(
                f"line {number}: maps follow each other ('from step N') or are drawn ('or'), not both"
            )
        if found:
            step = int(found[1])
            if step <= (self.changes[-1] if self.changes else 0):
                raise UsageError(f"line {number}: step {step} does not come after the step before")
            self.changes.append(step)
        self.maps.append([])
        self.above = number, row

    def layout(self) -> Layout:
        if not self.maps:
            raise UsageError("line 1: there is no map in this text")
        if not self.maps[-1]:
            raise UsageError(f"line {self.above[0]}: there is no map below {self.above[1]!r}")
        first = self.maps[0]
        for rows in self.maps:
            self._check_rows(rows, len(first), len(first[0][2]))
        if self.wind and len(self.wind) != len(first[0][2]):
            raise UsageError(
                f"line {self.wind_line}: {len(self.wind)} winds for a map of {len(first[0][2])} columns"
            )
        layout = Layout(
            maps=tuple(tuple(row for _, _, row in rows) for rows in self.maps),
            changes=tuple(self.changes),
            legend=tuple(sorted(self.legend.items())),
            rewards=tuple(sorted(self.rewards.items())),
            wind=self.wind if any(self.wind) else (),
        )
        if self.changes:
            self._check_later_maps(layout)
        self._check_what_is_there(layout)
        self._check_alternatives(layout)
        return layout

    def _check_rows(self, rows: list[tuple[int, int, str]], height: int, width: int) -> None:
        known = {**STANDARD, **self.legend}
        for number, column, row in rows:
            for offset, character in enumerate(row):
                if character not in known:
                    raise UsageError(
                        f"line {number}, column {column + offset}: unknown character {character!r} (a line "
                        f"'legend {character} = candy 5' would give it a meaning)"
                    )
            if len(row) != width:
                raise UsageError(
                    f"line {number}, column {column + min(len(row), width)}: "
                    f"this row has {len(row)} cells, the first has {width}"
                )
        if len(rows) != height:
            raise UsageError(f"line {rows[-1][0]}: this map has {len(rows)} rows, the first has {height}")

    def _check_later_maps(self, layout: Layout) -> None:
        for phase in range(1, len(layout.maps)):
            for cell in layout.cells():
                words = {layout.word(cell), layout.word(cell, phase)}
                same = layout.maps[0][cell[0]][cell[1]] == layout.maps[phase][cell[0]][cell[1]]
                if not same and words != {"wall", "floor"}:
                    raise UsageError(f"{self._place(cell, phase)}: only walls and floor may change")

    def _check_alternatives(self, layout: Layout) -> None:
        """The maps of which one is drawn begin alike, and have the same candies, wherever they lie."""
        for which in range(1, layout.alternatives):
            line = self.maps[which][0][0]
            if layout.find("start", which) != layout.find("start"):
                raise UsageError(
                    f"line {line}: the maps around 'or' must have their starts in the same cells"
                )
            if [layout.value(cell, which) for cell in layout.find("candy", which)] != layout.values:
                raise UsageError(
                    f"line {line}: the maps around 'or' must have the same candies, row by row: {layout.values}"
                )
            if bool(layout.find("exit", which)) != bool(layout.find("exit")):
                raise UsageError(f"line {line}: the maps around 'or' must all have an exit, or none")

    def _check_what_is_there(self, layout: Layout) -> None:
        for which in range(layout.alternatives):
            line = self.maps[which][0][0]
            if not layout.find("start", which):
                raise UsageError(f"line {line}: this map has no start: put an 'S' into it")
            if not layout.find("exit", which) and not layout.find("candy", which):
                raise UsageError(
                    f"line {line}: there is nothing to reach: put an 'E' (exit) or a candy into it"
                )
            candies = layout.find("candy", which)
            if len(candies) > MOST_CANDIES:
                raise UsageError(
                    f"{self._place(candies[MOST_CANDIES], which)}: a map has {MOST_CANDIES} candies at most"
                )
        for which in range(len(layout.maps)):
            self._check_ways(layout, which)

    def _check_ways(self, layout: Layout, which: int) -> None:
        """All that a map holds can be reached, and whoever is on a start can reach an exit, or every candy."""
        starts, exits, candies = (layout.find(word, which) for word in ("start", "exit", "candy"))
        reached = reachable(layout, starts, which)
        for cell in sorted(exits + candies):
            if cell not in reached:
                raise UsageError(
                    f"{self._place(cell, which)}: this {layout.word(cell, which)} cannot be reached"
                )
        for goals, what in ((exits, "an exit"),) if exits else (([candy], "a candy") for candy in candies):
            leading = reachable(layout, goals, which, backward=True)
            for start in starts:
                if start not in leading:
                    raise UsageError(f"{self._place(start, which)}: no way leads from here to {what}")

    def _place(self, cell: Cell, which: int = 0) -> str:
        number, column, row = self.maps[which][cell[0]]
        return f"line {number}, column {column + cell[1]}: {row[cell[1]]!r}"


def _number(line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST_REWARD:
        raise UsageError(f"line {line}: {text!r} must be a number (at most {LARGEST_REWARD:g})")
    return value
