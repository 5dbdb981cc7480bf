"""Random maps and options for the property tests, and a slow walker that is written from the documentation."""

from hypothesis import strategies as st

from rlcourse.envs.maze.reading import parse
from rlcourse.errors import UsageError

STEPS = [(0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0)]
ONE_WAY = {"<": (0, -1), ">": (0, 1), "^": (-1, 0), "v": (1, 0)}


def reads(text):
    try:
        parse(text)
    except UsageError:
        return False
    return True


@st.composite
def map_texts(draw):
    """A map that can be read, most of it floor."""
    width, height = draw(st.integers(2, 6)), draw(st.integers(1, 6))
    cells = draw(
        st.lists(st.sampled_from("........##123T<>^vC"), min_size=width * height, max_size=width * height)
    )
    cells[0] = "S"
    cells[draw(st.integers(1, width * height - 1))] = draw(st.sampled_from("EEE1"))
    rows = ["".join(cells[r * width : (r + 1) * width]) for r in range(height)]
    wind = draw(st.lists(st.integers(0, 2), min_size=width, max_size=width))
    return "\n".join([*rows, "", "wind = " + " ".join(map(str, wind))])


maps = map_texts().filter(reads)


@st.composite
def alternatives(draw):
    """Two or three maps with `or` between them: the cells of the first in other orders, the candies as it numbers them."""
    text = draw(maps)
    rows, wind = text.split("\n\n")
    width, cells = rows.index("\n") if "\n" in rows else len(rows), list(rows.replace("\n", ""))
    values = [cell for cell in cells if cell.isdigit()]
    parts = [rows]
    for _ in range(draw(st.integers(1, 2))):
        order, again = draw(st.permutations(range(1, len(cells)))), iter(values)
        mixed = ["S", *(next(again) if cells[k].isdigit() else cells[k] for k in order)]
        parts.append("\n".join("".join(mixed[at : at + width]) for at in range(0, len(mixed), width)))
    return "\nor\n".join(parts) + f"\n\n{wind}"


@st.composite
def duel_texts(draw):
    """A map with two starts, and candies as the only goals."""
    width, height = draw(st.integers(2, 7)), draw(st.integers(2, 6))
    cells = draw(
        st.lists(st.sampled_from("........###123<>^v"), min_size=width * height, max_size=width * height)
    )
    cells[0] = cells[-1] = "S"
    rows = ["".join(cells[r * width : (r + 1) * width]) for r in range(height)]
    wind = draw(st.none() | st.lists(st.integers(0, 2), min_size=width, max_size=width))
    return "\n".join([*rows, *(["", "wind = " + " ".join(map(str, wind))] if wind else [])])


alternative_maps = alternatives().filter(reads)
duel_maps = duel_texts().filter(reads)


class SlowWalker:
    """One walker without slips and gusts, on the characters of the map."""

    def __init__(self, text, rewards, locked=False, patience=None):
        layout = parse(text)
        self.rows, self.wind = layout.maps[0], layout.wind or (0,) * layout.width
        self.rewards, self.locked, self.patience = rewards, locked, patience
        self.begin()

    def begin(self):
        self.at, self.visited, self.total = (0, 0), set(), 0.0
        self.candies = {
            (r, c): int(kind)
            for r, row in enumerate(self.rows)
            for c, kind in enumerate(row)
            if kind.isdigit()
        }

    def go(self, cell, step):
        r, c = cell[0] + step[0], cell[1] + step[1]
        if not (0 <= r < len(self.rows) and 0 <= c < len(self.rows[0])) or self.rows[r][c] == "#":
            return cell
        if ONE_WAY.get(self.rows[r][c], step) != step:
            return cell
        if step[0] and step[1] and "#" in (self.rows[r][cell[1]], self.rows[cell[0]][c]):
            return cell
        return r, c

    def lands(self, cell, step):
        """Where a step leads from this cell, the wind included."""
        wind = self.wind[cell[1]]
        if not wind:
            return self.go(cell, step)
        after = self.go(cell, (0, step[1])) if step[1] else cell
        rows = step[0] - wind
        for _ in range(abs(rows)):
            after = self.go(after, (1 if rows > 0 else -1, 0))
        return after

    def step(self, step):
        before = self.at
        reward, over = self._enter(before, self.lands(before, step), step)
        self.total += reward
        if self.patience is not None:
            over = over or round(self.total, 6) < -self.patience * len(self.rows) * len(self.rows[0])
        return reward, over

    def _enter(self, before, after, step):
        if after == before:
            return self.rewards[
                "bump" if step != (0, 0) and self.go(before, step) == before else "move"
            ], False
        self.at = after
        kind = self.rows[after[0]][after[1]]
        if kind == "E" and not (self.locked and self.candies):
            return self.rewards["exit"], True
        if kind == "T":
            return self.rewards["trap"], True
        if kind == "C":
            self.at = (0, 0)
            return self.rewards["cliff"], False
        seen = after in self.visited
        self.visited.add(after)
        if after in self.candies:
            value = self.candies.pop(after)
            return value, not self.candies and not any("E" in row for row in self.rows)
        return self.rewards["revisit" if seen else "move"], False
