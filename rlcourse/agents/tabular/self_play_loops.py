"""The compiled loop of two learners that play each other, member against member.

`decide_0`, `experience_0`, `hear_0` and those of player 1: the rules. `turn`, `both`, `close_round`, `begin`, `observe`: the
game. These names are filled in by `instantiate`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Waiting(NamedTuple):
    """What player 1 did last and has not yet learned of, since player 0 has not answered; each array `[S]`."""

    x: NDArray[np.int64]
    a: NDArray[np.int64]
    """-1 is nothing."""
    r: NDArray[np.float64]
    """What it has brought so far."""


def close(account: Any, i: Any) -> None:
    """The game is over for one who has nothing to learn of its end."""
    account.over[i] = True
    account.episodes[i] += 1
    account.earned[i] += account.running[i]
    account.running[i] = 0.0


turn: Any = None
both: Any = None
close_round: Any = None
begin: Any = None
observe: Any = None
decide_0: Any = None
decide_1: Any = None
experience_0: Any = None
experience_1: Any = None
hear_0: Any = None
hear_1: Any = None


def play_at_once(
    one: Any,
    other: Any,
    account: Any,
    others: Any,
    waiting: Any,
    game: Any,
    first: Any,
    last: Any,
    rounds: Any,
) -> None:
    """So many rounds of the members `first` to `last - 1`, in which both players move at once.

    `one` and `other` are the tables of players 0 and 1, `account` and `others` their accounts.
    """
    for i in range(first, last):
        x, y = observe(game, i, 0), observe(game, i, 1)
        for _ in range(rounds):
            if account.over[i]:
                begin(game, i)
                x, y = observe(game, i, 0), observe(game, i, 1)
            a, b = decide_0(one, i, x), decide_1(other, i, y)
            mine, theirs, over = both(game, i, a, b)
            truncated = close_round(game, i, over)
            next_x, next_y = observe(game, i, 0), observe(game, i, 1)
            hear_0(one, i, b)
            hear_1(other, i, a)
            experience_0(one, account, i, x, a, mine, next_x, over, truncated)
            experience_1(other, others, i, y, b, theirs, next_y, over, truncated)
            x, y = next_x, next_y


def play_in_turn(
    one: Any,
    other: Any,
    account: Any,
    others: Any,
    waiting: Any,
    game: Any,
    first: Any,
    last: Any,
    rounds: Any,
) -> None:
    """The same, where player 1 moves after player 0.

    A step of player 1 goes from its move to its next one, or to the end of the game. What player 0 does in between belongs to
    the next round, so its rewards are discounted: then one gets what the other loses, discounted or not.
    """
    for i in range(first, last):
        for _ in range(rounds):
            if account.over[i]:
                begin(game, i)
            x = observe(game, i, 0)
            a = decide_0(one, i, x)
            mine, theirs, over = turn(game, i, 0, a)
            y = observe(game, i, 1)
            if waiting.a[i] >= 0:
                others.running[i] += (1.0 - other.gamma) * theirs  # the account knows no discount
                reward = waiting.r[i] + other.gamma * theirs
                hear_1(other, i, a)
                experience_1(other, others, i, waiting.x[i], waiting.a[i], reward, y, over, False)
                waiting.a[i] = -1
            else:
                others.running[i] += theirs
                if over:  # before player 1 has moved at all
                    close(others, i)
            b = np.int64(-1)
            if not over:
                b = decide_1(other, i, y)
                gain, theirs, over = turn(game, i, 1, b)
                mine += gain
            truncated = close_round(game, i, over)
            hear_0(one, i, b)
            experience_0(one, account, i, x, a, mine, observe(game, i, 0), over, truncated)
            if b >= 0:
                if over or truncated:
                    hear_1(other, i, np.int64(-1))
                    experience_1(other, others, i, y, b, theirs, observe(game, i, 1), over, truncated)
                else:
                    waiting.x[i], waiting.a[i], waiting.r[i] = y, b, theirs
