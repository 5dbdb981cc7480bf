"""A person at the keyboard: what a key does to the game, and the window that waits for keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pygame
from numpy.typing import NDArray

from rlcourse.names import short_name
from rlcourse.viewer.keys import ENTER, NEW, UNDO, controls_for
from rlcourse.viewer.overlay import painter_of
from rlcourse.viewer.session import Game
from rlcourse.viewer.status import Status, place, with_status
from rlcourse.viewer.window import Press, Window

NO_DISPLAY = "a game is played where there is a screen"


class Player:
    """Hands keys and clicks on to a game; no window is needed.

    Args:
        game: what is played.
    """

    def __init__(self, game: Game) -> None:
        self.game = game
        self.controls = controls_for(game.env)
        self.typed = ""
        """Digits of a number that was not entered yet."""
        self.said = ""
        """What is wrong with the number that was entered."""
        self.left = False
        """The player has had enough."""
        self._spots = spots(game.env)

    def press(self, key: str) -> None:
        """Do what a key does; a key without a meaning does nothing."""
        game, controls = self.game, self.controls
        self.said = ""
        if key in controls.leave:
            self.left = True
        elif game.end is not None and key in ENTER + NEW:
            self.begin()
        elif controls.numbers and game.end is None and self._type(key):
            return
        elif key in controls.actions:
            game.act(controls.actions[key])
        elif key in NEW:
            self.begin()
        elif key in UNDO:
            game.undo()
            self.typed = ""

    def begin(self) -> None:
        """A new episode."""
        self.typed = ""
        self.game.begin()

    def click(self, at: tuple[int, int]) -> None:
        """Pull the machine at a point of the frame, where there is one."""
        left, _ = place(self.game.picture())
        for action, spot in enumerate(self._spots):
            if spot.collidepoint(at[0] - left, at[1]):
                self.typed = ""
                self.game.act(action)

    def frame(self) -> NDArray[np.uint8]:
        """The picture of the game with its status bar, `uint8 [H, W, 3]`."""
        return with_status(self.game.picture(), self.status())

    def status(self) -> Status:
        """What the bar says."""
        keys = [*self.controls.help]
        if self._spots:
            keys.append("or click on it")
        keys += ["R: new episode", *(["U: take back"] if self.game.can_undo else []), self._leaving()]
        caption = self.said
        if self.typed:
            caption = f"{self.controls.noun} {self.typed}_   Enter to go, Backspace to correct"
        return self.game.status(caption, tuple(keys))

    def _type(self, key: str) -> bool:
        """Whether the key belongs to a number; Enter acts on it, where there is an action of that number."""
        digit = key.strip("[]") or key
        numbers = self.controls.numbers
        if any(number.startswith(self.typed + digit) for number in numbers) or digit.isdecimal():
            self.typed = (self.typed + digit)[: max(map(len, numbers))]
        elif key == "backspace":
            self.typed = self.typed[:-1]
        elif key in ENTER:
            if self.typed in numbers:
                self.game.act(numbers[self.typed])
            elif self.typed:
                self.said = f"There is no {self.controls.noun} {self.typed}"
            self.typed = ""
        else:
            return False
        return True

    def _leaving(self) -> str:
        return "Esc or Q: leave" if "q" in self.controls.leave else "Esc: leave"


def spots(env: Any) -> list[pygame.Rect]:
    """Where in the picture the actions can be clicked, one place for each; empty where a world has no such places.

    A world has them where the module that paints it has a function `spots(rules)`.
    """
    painter = painter_of(env)
    return painter.spots(env.unwrapped.rules) if hasattr(painter, "spots") else []


def play(game: Game, window: Window | None = None) -> Game:
    """Open a window and let a person play, until they leave.

    Args:
        game: what is played; afterwards its `record` holds what was done.
        window: where; left out, one is opened.

    Returns:
        The game.

    Raises:
        UsageError: there is no display.
    """
    player = Player(game)
    window = window or Window(short_name(game.spec.id), instead=NO_DISPLAY)
    try:
        window.draw(player.frame())
        while not player.left:
            presses = window.presses(None)
            for press in presses:
                _hand_on(press, player)
            if presses and not player.left:
                window.draw(player.frame())
    finally:
        window.close()
        game.close()
    return game


def _hand_on(press: Press, player: Player) -> None:
    if press.closed:
        player.left = True
    elif player.left:  # what was pressed after Esc counts no more
        return
    elif press.at is not None:
        player.click(press.at)
    else:
        player.press(press.key)
