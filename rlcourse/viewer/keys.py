"""Which key is which action. Plain data: no window is needed to ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium

Step = tuple[int, int]

DIRECTIONS: dict[Step, tuple[str, tuple[str, ...]]] = {
    (0, -1): ("left", ("left", "a", "[4]")),
    (0, 1): ("right", ("right", "d", "[6]")),
    (-1, 0): ("up", ("up", "w", "[8]")),
    (1, 0): ("down", ("down", "s", "[2]")),
    (-1, -1): ("up left", ("q", "[7]")),
    (-1, 1): ("up right", ("e", "[9]")),
    (1, -1): ("down left", ("z", "y", "[1]")),  # Y is where others have their Z on a German keyboard
    (1, 1): ("down right", ("c", "[3]")),
    (0, 0): ("stay", ("space", "[5]")),
}
"""Rows and columns of a step -> its name, and the keys that make it (pygame's names; `[4]` is on the keypad)."""
ENTER = ("return", "enter")
NEW, UNDO, LEAVE = ("r",), ("u",), ("escape", "q")


@dataclass(frozen=True)
class Controls:
    """The keys of one world."""

    actions: Mapping[str, int] = field(default_factory=dict)
    """Key -> the action that it does at once."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    """Number that is typed, and then entered -> action; empty where every action has a key."""
    noun: str = "action"
    """What a number is the number of."""
    help: tuple[str, ...] = ()
    """What the keys of the actions do, in words."""
    leave: tuple[str, ...] = LEAVE
    """Keys that end the game; not those that move."""


def controls_for(env: gymnasium.Env[Any, Any]) -> Controls:
    """The keys of a world with Discrete actions.

    A world whose rules have `directions` (rows and columns that each action goes) is walked with arrows; in any other the
    keys are the numbers of its actions, which for a bandit are those on its machines.
    """
    rules = getattr(env.unwrapped, "rules", None)
    space = env.action_space
    assert isinstance(space, gymnasium.spaces.Discrete)
    first, count = int(space.start), int(space.n)
    steps = _directions(env, space)
    if steps:
        actions = {key: first + action for action, step in enumerate(steps) for key in DIRECTIONS[step][1]}
        return Controls(
            actions, help=_walking(steps), leave=tuple(key for key in LEAVE if key not in actions)
        )
    noun, verb = ("machine", "pull") if hasattr(rules, "n_arms") else ("action", "do")
    numbers = {str(number): number for number in range(first, first + count)}
    if all(len(text) == 1 for text in numbers):
        keys = f"{first} to {first + count - 1}" if count > 1 else f"{first}"
        return Controls(with_keypad(numbers), noun=noun, help=(f"{keys}: {verb} that {noun}",))
    return Controls(numbers=numbers, noun=noun, help=(f"a number and Enter: {verb} that {noun}",))


def action_names(world: Any) -> tuple[str, ...]:
    """A short name of every action of a world, or of a batch: the direction, or its number. Empty without Discrete actions."""
    space = getattr(world, "single_action_space", world.action_space)
    if not isinstance(space, gymnasium.spaces.Discrete):
        return ()
    steps = _directions(world, space)
    if steps:
        return tuple(DIRECTIONS[step][0] for step in steps)
    return tuple(str(space.start + place) for place in range(int(space.n)))


def _directions(world: Any, space: gymnasium.spaces.Discrete) -> list[Step]:
    """Where each action goes, in a world that is walked; else empty."""
    steps = list(getattr(getattr(world.unwrapped, "rules", None), "directions", ()))[: int(space.n)]
    return steps if len(steps) == space.n and set(steps) <= DIRECTIONS.keys() else []


def with_keypad(numbers: Mapping[str, int]) -> dict[str, int]:
    """The same with the keys of the keypad."""
    return {**numbers, **{f"[{text}]": action for text, action in numbers.items()}}


def _walking(steps: list[Step]) -> tuple[str, ...]:
    """The keys of a walker in words."""
    words = ["arrows or WASD: move"]
    if (-1, -1) in steps:
        words = ["arrows, WASD and QEZC, or the keypad: move"]
    if (0, 0) in steps:
        words.append("space: stay")
    return tuple(words)
