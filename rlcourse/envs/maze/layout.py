"""A map: what stands in each cell, where a step leads, what holds on this map alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

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
    """A map, as `reading.parse` reads it; `str(layout)` writes it, and `parse(str(layout)) == layout`."""

    maps: tuple[tuple[str, ...], ...]
    """The rows of characters of each map. Those that hold one after the other differ in their walls only."""
    changes: tuple[int, ...] = ()
    """The step of the world's life from which the second, third ... map holds; without changes, several maps are
    alternatives."""
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

    @property
    def phases(self) -> int:
        """How many maps hold one after the other."""
        return len(self.changes) + 1

    @property
    def alternatives(self) -> int:
        """Of how many maps each episode has one."""
        return 1 if self.changes else len(self.maps)

    def word(self, cell: Cell, which: int = 0) -> str:
        """What stands in a cell of the map number `which`: one of `WORDS`."""
        return self._meanings[self.maps[which][cell[0]][cell[1]]][0]

    def value(self, cell: Cell, which: int = 0) -> float:
        """The value of the candy in this cell."""
        return float(self._meanings[self.maps[which][cell[0]][cell[1]]][1])

    @cached_property
    def _meanings(self) -> dict[str, list[str]]:
        return {character: meaning.split() for character, meaning in [*STANDARD.items(), *self.legend]}

    def find(self, word: str, which: int = 0) -> list[Cell]:
        """The cells of this kind in the map number `which`, row by row."""
        return [cell for cell in self.cells() if self.word(cell, which) == word]

    def has(self, word: str) -> bool:
        """Whether there is a cell of this kind in any of the maps."""
        return any(self.find(word, which) for which in range(len(self.maps)))

    @property
    def values(self) -> list[float]:
        """The values of the candies in the order of `find("candy")`, which all alternatives share."""
        return [self.value(cell) for cell in self.find("candy")]

    def cells(self) -> Iterator[Cell]:
        """All cells, row by row."""
        return ((r, c) for r in range(self.height) for c in range(self.width))

    def target(self, cell: Cell, step: Cell, which: int = 0) -> Cell:
        """Where this step of one row and/or column leads: the same cell where a wall, the edge or a one-way bars it.

        A diagonal step does not cut corners: both cells beside it have to be open.
        """
        there = (cell[0] + step[0], cell[1] + step[1])
        if not (0 <= there[0] < self.height and 0 <= there[1] < self.width):
            return cell
        word = self.word(there, which)
        if word == "wall" or (word in STEPS and STEPS[word] != step):
            return cell
        if step[0] and step[1]:
            beside = ((there[0], cell[1]), (cell[0], there[1]))
            if any(self.word(one, which) == "wall" for one in beside):
                return cell
        return there

    def __str__(self) -> str:
        parts = ["\n".join(self.maps[0])]
        between = [f"from step {step}" for step in self.changes] or ["or"] * (len(self.maps) - 1)
        for line, rows in zip(between, self.maps[1:], strict=True):
            parts.append(f"{line}\n" + "\n".join(rows))
        settings = [f"legend {character} = {meaning}" for character, meaning in self.legend]
        settings += [f"reward {name} = {value!r}" for name, value in self.rewards]
        if self.wind:
            settings.append("wind = " + " ".join(map(str, self.wind)))
        return "\n\n".join([*parts, *(["\n".join(settings)] if settings else [])]) + "\n"


def reachable(layout: Layout, cells: list[Cell], which: int = 0, *, backward: bool = False) -> set[Cell]:
    """Where a walker can come to from `cells` by steps to the four sides; backward, from where it comes to them.

    Exits, traps and cliffs are not walked across.
    """
    ways: dict[Cell, list[Cell]] = {cell: [] for cell in layout.cells()}
    for cell in layout.cells():
        if layout.word(cell, which) not in ("exit", "trap", "cliff", "wall"):
            for step in STEPS.values():
                there = layout.target(cell, step, which)
                ways[there if backward else cell].append(cell if backward else there)
    seen, queue = set(cells), deque(cells)
    while queue:
        for there in ways[queue.popleft()]:
            if there not in seen:
                seen.add(there)
                queue.append(there)
    return seen
