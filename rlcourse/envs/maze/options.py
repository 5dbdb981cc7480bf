"""The options of all mazes, and what is impossible among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import ClassVar

from rlcourse.envs.maze.board import DRIFTS
from rlcourse.envs.maze.layout import LARGEST_REWARD, REWARDS, Layout
from rlcourse.envs.maze.reading import load_layout
from rlcourse.envs.options import LARGEST, check_choice, check_count, check_number
from rlcourse.errors import UsageError

KINDS = ("index", "position", "senses", "onehot", "full", "planes", "window", "rgb")
"""The kinds of observation, see `observe`."""
LARGEST_WINDOW = 63
"""A window beyond it shows a maze of any size that is drawn."""
LARGEST_DRIFT = 20.0
"""With it one cell has all the chances."""


@dataclass(frozen=True)
class MazeOptions:
    """What can be chosen of a maze.

    A reward is, in this order: the option's, the map's (`reward exit = 10`), the world's (`own_rewards`); without
    either, `revisit` and `bump` are those of a move.
    """

    layout: str | None = "candy8"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""
    observation: str = "index"
    """What is seen: index, position, senses, onehot, full, planes, window or rgb."""
    window: int = 7
    """Side of the square around the walker that the observation `window` shows; odd."""
    occlusion: bool = False
    """Walls block the sight in a window."""
    feedback: bool = False
    """The last action and the last reward are seen, too: the observation is a dictionary."""
    shown_steps: int | None = None
    """The candies, and the cue, are seen in the first so many observations of an episode; `None` is always."""
    cue: bool = False
    """Of a map with alternatives, it is seen which one it is."""
    max_steps: int | None = 10_000
    """Steps until an episode is truncated; `None` is never."""
    slip: float = 0.0
    """Probability that a step goes off at a right angle, to either side alike."""
    gusty: bool = False
    """Where the wind blows, it is one stronger, one weaker or as it is, with a third each."""
    king_moves: bool = False
    """Diagonal steps, too: the actions 4-7 are up left, up right, down left, down right."""
    stay: bool = False
    """One more action, the last, that stays."""
    start: str = "map"
    """Where episodes start: on the starts of the map, or anywhere on its floor."""
    locked: bool = False
    """The exit opens when all candies are collected; before, it is plain floor."""
    spawn: int | None = None
    """How many candies an episode has, drawn from the candy cells of the map; `None` is one in each."""
    boxes: bool = False
    """The candy cells are closed boxes: whether there is a candy in one is seen when it is entered."""
    drift: str = "none"
    """How the chances of the candy cells change: none, jump, walk or season."""
    drift_every: int = 200
    """Episodes (or steps) from one jump to the next, of a season, or until a walk has forgotten where it was."""
    drift_unit: str = "episodes"
    """What `drift_every` counts: episodes or steps."""
    drift_size: float = 2.0
    """Standard deviation of the logarithm of a cell's chance; at 0 all are alike."""
    tell_chances: bool = False
    """`info["chances"]` says how likely each candy cell was when the episode began."""
    patience: float | None = None
    """An episode is lost (terminated) once its return is below -patience x the number of cells; `None` is never."""
    exit_reward: float | None = None
    """Reward for entering the exit; it ends the episode."""
    trap_reward: float | None = None
    """Reward for entering a trap; it ends the episode."""
    cliff_reward: float | None = None
    """Reward for falling off the cliff, back to the start."""
    move_reward: float | None = None
    """Reward for any other step."""
    revisit_reward: float | None = None
    """Reward for entering a cell that was entered before in this episode."""
    bump_reward: float | None = None
    """Reward for staying where one was, at a wall, the edge or the wrong side of a one-way."""

    own_rewards: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"exit": 10.0, "trap": -10.0, "cliff": -1.0, "move": -0.05}
    )
    """The world's rewards, for maps that say nothing else."""
    known_starts: ClassVar[tuple[str, ...]] = ("map", "anywhere")
    walkers: ClassVar[int] = 1
    disguised: ClassVar[bool] = False
    """Traps look like exits."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value.

        Raises:
            UsageError: an option of a wrong kind or value, or options that do not go together.
        """
        self.check_values()
        self.check_map()
        self.check_index()

    def check_values(self) -> None:
        """Each option for itself."""
        check_choice("observation", self.observation, KINDS)
        check_choice("start", self.start, self.known_starts)
        check_choice("drift", self.drift, DRIFTS)
        check_choice("drift_unit", self.drift_unit, ("episodes", "steps"))
        for name in ("window", "drift_every"):
            check_count(name, getattr(self, name))
        if self.window % 2 == 0 or self.window > LARGEST_WINDOW:
            raise UsageError(f"window={self.window} must be odd, and at most {LARGEST_WINDOW}")
        for name in ("max_steps", "shown_steps", "spawn"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        check_number("slip", self.slip, 0.0, 1.0)
        check_number("drift_size", self.drift_size, 0.0, LARGEST_DRIFT)
        if self.patience is not None:
            check_number("patience", self.patience, 0.0, 1e6)
        for name in (
            "gusty", "king_moves", "stay", "locked", "occlusion", "feedback", "cue", "boxes", "tell_chances",
        ):  # fmt: skip
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name}={getattr(self, name)!r} must be true or false")
        for name in REWARDS:
            value = getattr(self, f"{name}_reward")
            if value is not None:
                check_number(f"{name}_reward", value, -LARGEST_REWARD, LARGEST_REWARD)

    def check_map(self) -> None:
        """The options with the map."""
        starts, candies = len(self.grid.find("start")), self.n_candies
        if self.grid.has("cliff") and (self.start == "anywhere" or starts > 1):
            raise UsageError("a cliff leads back to the start: with one, a maze has a single start")
        if self.spawn is not None and self.spawn > candies:
            raise UsageError(f"spawn={self.spawn} is more than the {candies} candy cells of the map")
        for name in ("boxes", "tell_chances"):
            if getattr(self, name) and self.spawn is None:
                raise UsageError(f"{name} needs spawn=N, how many of the candy cells hold a candy")
        if self.drift != "none" and self.spawn is None:
            raise UsageError(
                f"drift={self.drift!r} needs spawn=N: with a candy in every cell, there is no chance to change"
            )
        if self.cue and self.grid.alternatives == 1:
            raise UsageError(
                "cue says which of several maps it is: the layout has no 'or', so it has one map"
            )

    def check_index(self) -> None:
        """Whether a number can say all of the state, if it has to."""
        if self.observation != "index":
            return
        candies, cells = self.n_candies, self.height * self.width
        if cells**self.walkers * self.grid.alternatives << candies > LARGEST:
            raise UsageError(
                f"observation='index' cannot number the states of a map with {candies} candies: choose another observation"
            )
        if self.counts_history:
            counting = "visits count" if self.tracked else "the return counts"
            reason = (
                f"revisit_reward={self.rewards['revisit']:g}"
                if self.tracked
                else f"patience={self.patience:g}"
            )
            raise UsageError(
                f"observation='index' numbers position and candies, but with {reason} {counting}, too: "
                "choose 'full' (all of it) or 'position'"
            )
        if self.boxes and self.spawn != 1:
            raise UsageError(
                f"observation='index' numbers position and closed boxes, but with spawn={self.spawn} the candies found count, "
                "too: choose spawn=1 or another observation"
            )
        if self.shown_steps is not None:
            raise UsageError(
                "observation='index' shows the candies: with shown_steps choose another, such as 'planes'"
            )

    @cached_property
    def grid(self) -> Layout:
        """The map."""
        return self.own_layout() if self.layout is None else load_layout(self.layout)

    def own_layout(self) -> Layout:
        """The map of a world that makes its own, where no layout is given."""
        raise UsageError(
            "layout=None: this world needs a map: a name, the path of a .txt file, or the text itself"
        )

    @property
    def height(self) -> int:
        """Rows of cells."""
        return self.grid.height

    @property
    def width(self) -> int:
        """Columns of cells."""
        return self.grid.width

    @property
    def values(self) -> list[float]:
        """The values of the candies, in the order in which they are numbered."""
        return self.grid.values

    @property
    def n_candies(self) -> int:
        """The candy cells of the map."""
        return len(self.values)

    @cached_property
    def rewards(self) -> dict[str, float]:
        """The rewards that hold, by name."""
        given = {name: getattr(self, f"{name}_reward") for name in REWARDS}
        chosen = {name: float(value) for name, value in given.items() if value is not None}
        found = {**self.own_rewards, **dict(self.grid.rewards), **chosen}
        return {"revisit": found["move"], "bump": found["move"], **found}

    @property
    def tracked(self) -> bool:
        """Whether it matters which cells were entered before."""
        return self.rewards["revisit"] != self.rewards["move"]

    @property
    def counts_history(self) -> bool:
        """Whether more than position and candies decides what comes: the visits, or the return so far."""
        return self.tracked or self.patience is not None
