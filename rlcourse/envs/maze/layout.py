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
world's life.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

from rlcourse.errors import UsageError, did_you_mean

STANDARD = {
    "#": "wall", ".": "floor", "S": "start", "E": "exit", "T": "trap", "C": "cliff",
    "<": "left", ">": "right", "^": "up", "v": "down",
    **{str(value): f"candy {value}" for value in range(10)},
}  # fmt: skip
"""What the characters mean without a legend."""
WORDS = ("wall", "floor", "start", "exit", "trap", "cliff", "left", "right", "up", "down", "candy")
"""What a character can mean; a candy has a value, too: `candy 5`."""
REWARDS = ("exit", "trap", "cliff", "move", "revisit", "bump")
"""The rewards that a map can set."""
LARGEST_REWARD = 1e6
"""Returns are counted in whole millionths: with this, 64 bits hold nine million steps of the largest reward."""
STEPS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
"""The directions, in the order of the actions 0-3: rows and columns to go."""
MOST_CANDIES = 62
"""The candies that are left are the bits of one integer."""

Cell = tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """A map, as `parse` reads it; `str(layout)` writes it, and `parse(str(layout)) == layout`."""

    maps: tuple[tuple[str, ...], ...]
    """The rows of characters; of several maps, the later ones differ in their walls only."""
    changes: tuple[int, ...] = ()
    """The step of the world's life from which the second, third ... map holds."""
    legend: tuple[tuple[str, str], ...] = ()
    """Further characters and what they mean, `("Z", "candy 25")`."""
    rewards: tuple[tuple[str, float], ...] = ()
    """What holds on this map, whatever the world: `("exit", 10.0)`."""
    wind: tuple[int, ...] = ()
    """How far every column's wind blows upward; empty where there is none."""

    @property
    def height(self) -> int:
        """Rows of cells."""
        return len(self.maps[0])

    @property
    def width(self) -> int:
        """Columns of cells."""
        return len(self.maps[0][0])

    def word(self, cell: Cell, phase: int = 0) -> str:
        """What stands in a cell of the map number `phase`: one of `WORDS`."""
        return self._meanings[self.maps[phase][cell[0]][cell[1]]][0]

    def value(self, cell: Cell) -> float:
        """The value of the candy in this cell."""
        return float(self._meanings[self.maps[0][cell[0]][cell[1]]][1])

    @cached_property
    def _meanings(self) -> dict[str, list[str]]:
        return {character: meaning.split() for character, meaning in [*STANDARD.items(), *self.legend]}

    def find(self, word: str) -> list[Cell]:
        """The cells of this kind in the first map, row by row."""
        return [cell for cell in self.cells() if self.word(cell) == word]

    def cells(self) -> Iterator[Cell]:
        """All cells, row by row."""
        return ((r, c) for r in range(self.height) for c in range(self.width))

    def target(self, cell: Cell, step: Cell, phase: int = 0) -> Cell:
        """Where this step of one row and/or column leads: the same cell where a wall, the edge or a one-way bars it.

        A diagonal step does not cut corners: both cells beside it have to be open.
        """
        there = (cell[0] + step[0], cell[1] + step[1])
        if not (0 <= there[0] < self.height and 0 <= there[1] < self.width):
            return cell
        word = self.word(there, phase)
        if word == "wall" or (word in STEPS and STEPS[word] != step):
            return cell
        if step[0] and step[1]:
            beside = ((there[0], cell[1]), (cell[0], there[1]))
            if any(self.word(one, phase) == "wall" for one in beside):
                return cell
        return there

    def __str__(self) -> str:
        parts = ["\n".join(self.maps[0])]
        for step, rows in zip(self.changes, self.maps[1:], strict=True):
            parts.append(f"from step {step}\n" + "\n".join(rows))
        settings = [f"legend {character} = {meaning}" for character, meaning in self.legend]
        settings += [f"reward {name} = {value!r}" for name, value in self.rewards]
        if self.wind:
            settings.append("wind = " + " ".join(map(str, self.wind)))
        return "\n\n".join([*parts, *(["\n".join(settings)] if settings else [])]) + "\n"


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
        within = False
        for number, line in enumerate(text.split("\n"), start=1):
            content = line.split("//")[0].rstrip()
            row = content.lstrip()
            if not row or "=" in row or row.startswith("from "):
                within = False
                if "=" in row:
                    self._setting(number, row)
                elif row:
                    self._change(number, row)
                    within = True
                continue
            if not within and self.maps:
                raise UsageError(f"line {number}: a second map needs a line 'from step N' above it")
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

    def _change(self, number: int, row: str) -> None:
        """A line `from step N`, above a second map."""
        found = re.fullmatch(r"from\s+step\s+(\d{1,15})", row, re.ASCII)
        if not found:
            raise UsageError(f"line {number}: write 'from step N', not {row!r}")
        step = int(found[1])
        if not self.maps or not self.maps[-1]:
            raise UsageError(f"line {number}: there is no map above 'from step {step}'")
        if step <= (self.changes[-1] if self.changes else 0):
            raise UsageError(f"line {number}: step {step} does not come after the step before")
        self.changes.append(step)
        self.maps.append([])

    def layout(self) -> Layout:
        if not self.maps:
            raise UsageError("line 1: there is no map in this text")
        if not self.maps[-1]:
            raise UsageError(f"there is no map below 'from step {self.changes[-1]}'")
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
        self._check_later_maps(layout)
        self._check_what_is_there(layout)
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

    def _check_what_is_there(self, layout: Layout) -> None:
        line = self.maps[0][0][0]
        starts, exits, candies = (layout.find(word) for word in ("start", "exit", "candy"))
        if not starts:
            raise UsageError(f"line {line}: this map has no start: put an 'S' into it")
        if not exits and not candies:
            raise UsageError(f"line {line}: there is nothing to reach: put an 'E' (exit) or a candy into it")
        if len(candies) > MOST_CANDIES:
            raise UsageError(
                f"{self._place(candies[MOST_CANDIES])}: a map has {MOST_CANDIES} candies at most"
            )
        for phase in range(len(layout.maps)):
            reached = reachable(layout, starts, phase)
            for cell in sorted(exits + candies):
                if cell not in reached:
                    raise UsageError(
                        f"{self._place(cell, phase)}: this {layout.word(cell)} cannot be reached"
                    )
            for goals, what in (
                ((exits, "an exit"),) if exits else (([candy], "a candy") for candy in candies)
            ):
                leading = reachable(layout, goals, phase, backward=True)
                for start in starts:
                    if start not in leading:
                        raise UsageError(f"{self._place(start, phase)}: no way leads from here to {what}")

    def _place(self, cell: Cell, phase: int = 0) -> str:
        number, column, row = self.maps[phase][cell[0]]
        return f"line {number}, column {column + cell[1]}: {row[cell[1]]!r}"


def reachable(layout: Layout, cells: list[Cell], phase: int = 0, *, backward: bool = False) -> set[Cell]:
    """Where a walker can come to from `cells` by steps to the four sides; backward, from where it comes to them.

    Exits, traps and cliffs are not walked across.
    """
    ways: dict[Cell, list[Cell]] = {cell: [] for cell in layout.cells()}
    for cell in layout.cells():
        if layout.word(cell, phase) not in ("exit", "trap", "cliff", "wall"):
            for step in STEPS.values():
                there = layout.target(cell, step, phase)
                ways[there if backward else cell].append(cell if backward else there)
    seen, queue = set(cells), deque(cells)
    while queue:
        for there in ways[queue.popleft()]:
            if there not in seen:
                seen.add(there)
                queue.append(there)
    return seen


def _number(line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST_REWARD:
        raise UsageError(f"line {line}: {text!r} must be a number (at most {LARGEST_REWARD:g})")
    return value
