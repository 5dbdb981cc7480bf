"""The finite model of a duel, as the agent meets it: the opponent is part of the world."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze.duel import CandyDuel
from rlcourse.envs.maze.model import ModelBuilder, Rows, Successor


class DuelModelBuilder(ModelBuilder):
    """Builds the model of a duel against a random or a greedy opponent, or a saved one that does not draw."""

    rules: CandyDuel

    def successors(self, rows: Rows, actions: NDArray[np.int64], w: int = 0) -> Iterator[Successor]:
        """What the agent's actions and the answers to them can lead to."""
        if self.rules.moves == "alternating":
            for mine in super().successors(rows, actions):
                for reply, likely in self.answers(mine[0]):
                    yield from self.follow(mine, likely, reply, 1)
            return
        for reply, likely in self.answers(rows):  # at once: a coin says whose move counts first
            for mine in super().successors(rows, actions):
                yield from self.follow(mine, 0.5 * likely, reply, 1, at_once=True)
            for theirs in super().successors(rows, reply, 1):
                yield from self.follow(theirs, 0.5 * likely, actions, 0, at_once=True)

    def follow(
        self, first: Successor, likely: float, actions: NDArray[np.int64], w: int, *, at_once: bool = False
    ) -> Iterator[Successor]:
        """What walker `w` makes of what the first one has done.

        Args:
            first: where the first walker's move has led.
            likely: how likely the second walker's actions are.
            actions: these actions, `[B]`.
            w: the second walker.
            at_once: it moves also where the first move has ended the game.
        """
        after, chances, rewards, ended = first
        for draw, (then, more, earned, over) in enumerate(super().successors(after, actions, w)):
            if not at_once:
                then.core[ended], then.cells[ended] = after.core[ended], after.cells[ended]
                more[ended], earned[ended] = float(draw == 0), 0.0
            mine, theirs = (rewards, earned) if w == 1 else (earned, rewards)
            gain = mine - theirs if self.rules.zero_sum else mine
            yield then, chances * more * likely, gain, over | ended

    def answers(self, rows: Rows) -> Iterator[tuple[NDArray[np.int64], float]]:
        """The opponent's actions int64 `[B]`, and how likely each is."""
        if self.rules.opponent == "random":
            for reply in self.actions:
                yield np.full(len(rows.core), reply, np.int64), 1.0 / len(self.actions)
            return
        unused = {"opponent": np.zeros(len(rows.core), np.uint64)}
        state = {"core": rows.core, "cells": rows.cells, "odds": self.world(rows).odds, **unused}
        yield self.rules.replies(state, np.zeros(len(rows.core), np.bool_)), 1.0
