"""The finite models of a duel: as the agent meets it, the opponent a part of the world; and as a game of two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze.duel import CandyDuel
from rlcourse.envs.maze.model import ModelBuilder, Rows, Successor
from rlcourse.envs.rules import State
from rlcourse.errors import UsageError
from rlcourse.mdp import check_model_size
from rlcourse.mdp.games import FiniteGame, MatrixGames, Moves, TurnGame


class DuelModelBuilder(ModelBuilder):
    """Builds the model of a duel against a random or a greedy opponent, or a saved one that does not draw.

    A guest in the place of the opponent has no part in it: while it learns, there is no telling what it will do.
    """

    rules: CandyDuel

    def __init__(self, rules: CandyDuel, now: State) -> None:
        super().__init__(rules.with_guest(None), now)

    def successors(self, rows: Rows, actions: NDArray[np.int64], w: int = 0) -> Iterator[Successor]:
        """What the agent's actions and the answers to them can lead to."""
        if self.rules.in_turn:
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


class GameBuilder(DuelModelBuilder):
    """Builds a duel as a game: what every move, or every pair of moves at once, leads to."""

    reply = 0
    """What the opponent does, one action after another."""

    def answers(self, rows: Rows) -> Iterator[tuple[NDArray[np.int64], float]]:
        """The action that is looked at."""
        yield np.full(len(rows.core), self.reply, np.int64), 1.0

    def game(self) -> FiniteGame:
        """The game; what player 0 gets less what player 1 gets."""
        A, size = len(self.actions), self.rules.n_indices
        check_model_size(size, A if self.rules.in_turn else A * A, self.outcomes)
        rows, over = self.every_row()
        start = np.zeros(size)
        first, chances = self.starts()
        np.add.at(start, self.numbers(first), chances)
        seen = np.stack([self.numbers(rows, w) for w in range(2)])
        begin = start / start.sum(), seen
        if not self.rules.in_turn:
            return MatrixGames(*begin, self.moves(self.pairs(rows), over, (A, A)))
        halves = (self.moves(self.turns(rows, w), over, (A,)) for w in range(2))
        return TurnGame(*begin, *halves)

    def turns(self, rows: Rows, w: int) -> Iterator[Iterable[Successor]]:
        """What each action of one walker leads to."""
        for action in self.actions:
            outcomes = ModelBuilder.successors(self, rows, np.full(len(rows.core), action), w)
            yield ((after, odds, -gain if w else gain, ended) for after, odds, gain, ended in outcomes)

    def pairs(self, rows: Rows) -> Iterator[Iterable[Successor]]:
        """What each pair of actions leads to."""
        for action in self.actions:
            for reply in self.actions:
                self.reply = reply
                yield self.successors(rows, np.full(len(rows.core), action))

    def moves(
        self, moves: Iterable[Iterable[Successor]], over: NDArray[np.bool_], shape: tuple[int, ...]
    ) -> Moves:
        """The outcomes of all moves, of which there are `shape`, as arrays; in the states that are `over` nothing happens."""
        from scipy.sparse import csr_array

        size, count = len(over), int(np.prod(shape))
        reward = np.zeros((size, count))
        parts = []
        for move, outcomes in enumerate(moves):
            for after, chances, gains, ended in outcomes:
                odds = np.where(over, 0.0, chances)
                reward[:, move] += odds * gains
                goes_on = np.flatnonzero((odds > 0.0) & ~ended)
                parts.append((odds[goes_on], goes_on * count + move, self.numbers(after)[goes_on]))
        odds, pair, following = (np.concatenate(part) for part in zip(*parts, strict=True))
        matrix = csr_array((odds, (pair, following)), shape=(size * count, size))
        return Moves(reward.reshape(size, *shape), matrix)


def build_game(rules: CandyDuel, now: State) -> FiniteGame:
    """A duel as a game of two.

    Args:
        rules: the world; its opponent does not matter.
        now: the state of one copy, see `build_model`.

    Raises:
        UsageError: too many states, a game in which the one does not get what the other loses, or one whose states are more
            than places and candies.
    """
    if not rules.zero_sum:
        raise UsageError("zero_sum=False: only a game in which one gets what the other loses has a value")
    if rules.counts_history or rules.boxes:
        raise UsageError(
            "a duel in which visits, the return or closed boxes count has more states than places and candies can number"
        )
    return GameBuilder(rules, now).game()
