"""What a walker sees, slowly: from the characters of the map and the columns of the state, as the documentation has it."""

import math
from fractions import Fraction

import numpy as np

from rlcourse.envs.maze.world import CLOCK, FIRST_WALKER, LEVEL, LIFE, POSITION, REMAINING, SCORE, WALKER

CHANNELS = ("wall", "exit", "trap", "cliff")


class Scene:
    """How a copy of a maze stands; `layout` and `which` are its map.

    Args:
        rules: the options of the world.
        state: the state arrays.
        row: which copy.
        layout: its map; the one of the options if not given.
        w: who looks.
    """

    def __init__(self, rules, state, row, layout=None, w=0):
        core = state["core"][row]
        self.layout = layout = layout or rules.grid
        self.which = sum(core[LIFE] >= step for step in layout.changes)
        if layout.alternatives > 1:
            self.which = core[LEVEL]
        self.height, self.width = layout.height, layout.width
        self.dark = rules.shown_steps is not None and core[CLOCK] >= rules.shown_steps
        self.alternative = None if self.dark or not rules.cue else int(core[LEVEL])
        self.cues = layout.alternatives if rules.cue else 0
        blocks = [core[FIRST_WALKER + k * WALKER :] for k in range(rules.walkers)]
        blocks = blocks[w:] + blocks[:w]
        self.walkers = [divmod(int(block[POSITION]), self.width) for block in blocks]
        self.score = int(blocks[0][SCORE]) / 1e6
        self.tracked = rules.tracked
        visits = state["cells"][row] >> w & 1 if rules.tracked else np.zeros(self.height * self.width, int)
        self.visited = {divmod(int(cell), self.width) for cell in np.flatnonzero(visits)}
        self.kinds = sorted(set(rules.values))
        self.numbered = []  # as the options name them: row by row on a map, in the order of `candies` on a level
        for value in rules.values:
            cells = [cell for cell in layout.find("candy", self.which) if cell not in self.numbered]
            self.numbered.append(next(cell for cell in cells if layout.value(cell, self.which) == value))
        left = int(core[REMAINING])
        self.left = {cell: rules.values[k] for k, cell in enumerate(self.numbered) if left >> k & 1}
        self.lit = {} if self.dark else self.left
        self.disguised = rules.disguised

    def thing(self, cell):
        """The channel of what stands here, or None."""
        word = self.layout.word(cell, self.which)
        if cell in self.lit:
            return f"candy {self.lit[cell]}"
        if word == "trap" and self.disguised:
            return "exit"
        return word if word in CHANNELS else None

    def names(self, alone):
        """The channels in their order; `alone` without one's own walker."""
        return [
            *CHANNELS,
            *([] if alone else ["me"]),
            *["other"] * (len(self.walkers) - 1),
            *["visited"] * self.tracked,
            *(f"candy {value}" for value in self.kinds),
            *(f"cue {k}" for k in range(self.cues)),
        ]

    def holds(self, name, cell):
        """Whether this channel has a one in this cell."""
        if name == "me":
            return self.walkers[0] == cell
        if name == "other":
            return self.walkers[1] == cell
        if name == "visited":
            return cell in self.visited
        if name.startswith("cue"):
            return name == f"cue {self.alternative}"
        return self.thing(cell) == name

    def planes(self):
        """uint8 [channels, H, W]."""
        return self.cut(range(self.height), range(self.width), alone=False)

    def cut(self, rows, columns, *, alone):
        """These rows and columns of the planes; beyond the edge is wall and nothing else, but for the cue."""
        out = np.zeros((len(self.names(alone)), len(rows), len(columns)), np.uint8)
        for channel, name in enumerate(self.names(alone)):
            for a, r in enumerate(rows):
                for b, c in enumerate(columns):
                    inside = 0 <= r < self.height and 0 <= c < self.width
                    if inside or name.startswith("cue"):
                        out[channel, a, b] = self.holds(name, (r, c))
                    else:
                        out[channel, a, b] = name == "wall"
        return out

    def window(self, side, occlusion):
        """uint8 [channels, side, side]; with `occlusion` nothing is seen behind walls, and the last channel says where."""
        (r, c), half = self.walkers[0], side // 2
        out = self.cut(range(r - half, r + half + 1), range(c - half, c + half + 1), alone=True)
        if not occlusion:
            return out
        unseen = np.array([[hidden(out[0], (a, b)) for b in range(side)] for a in range(side)], np.uint8)
        for name, channel in zip(self.names(alone=True), out, strict=True):
            if not name.startswith("cue"):
                channel[unseen == 1] = 0
        return np.concatenate([out, unseen[None]])

    def onehot(self):
        """float32: the cell of each walker, the candies that are seen, the cue."""
        cells = np.zeros((len(self.walkers), self.height, self.width), np.float32)
        for k, cell in enumerate(self.walkers):
            cells[k][cell] = 1.0
        candies = [float(cell in self.lit) for cell in self.numbered]
        cue = [float(k == self.alternative) for k in range(self.cues)]
        return np.concatenate([cells.reshape(-1), np.array(candies + cue, np.float32)])

    def full(self):
        """As `onehot`, the visited cells where they count, the return."""
        cells = [(r, c) for r in range(self.height) for c in range(self.width)] if self.tracked else []
        visited = [float(cell in self.visited) for cell in cells]
        return np.concatenate([self.onehot(), np.array([*visited, self.score], np.float32)])

    def tile(self, cell):
        """What a picture shows in this cell: whoever stands there, else the thing, else the floor."""
        for k, walker in enumerate(self.walkers):
            if walker == cell:
                return ("me", "other")[k]
        return self.thing(cell) or ("visited" if cell in self.visited else "floor")


def lines_to(a, b, half):
    """The cells strictly between the middle of a window and a cell, on two lines: a half is rounded up, or down."""
    length = max(abs(a - half), abs(b - half))
    for nearest in (lambda x: math.floor(x + Fraction(1, 2)), lambda x: math.ceil(x - Fraction(1, 2))):
        yield [
            tuple(half + nearest(Fraction(part * step, length)) for part in (a - half, b - half))
            for step in range(1, length)
        ]


def hidden(walls, cell):
    """Whether a wall stands on both lines from the middle of the window to this cell."""
    return all(any(walls[there] for there in line) for line in lines_to(*cell, len(walls) // 2))
