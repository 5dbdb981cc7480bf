"""The two drivers of every rule: a step of the whole population at a time, and compiled loops over worlds that are compiled.

`act`, `update`: the rule. `step`, `restart`, `observe`: the world. These names are filled in by `instantiate`. Both drivers
call the same functions in the same order for each member, so they give the same numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Account(NamedTuple):
    """What happens to the members, each array `[S]`."""

    over: NDArray[np.bool_]
    """The episode is over."""
    episodes: NDArray[np.int64]
    earned: NDArray[np.float64]
    running: NDArray[np.float64]


def act(me: Any, i: Any, x: Any) -> Any:  # replaced by the rule's own
    """The action of member `i` in state `x`."""
    raise NotImplementedError


update: Any = None
step: Any = None
restart: Any = None
observe: Any = None


def decide(me: Any, i: Any, x: Any) -> Any:
    """The action that was chosen already, by a rule that looks ahead, or one that is chosen now."""
    action = me.next_action[i]
    return action if action >= 0 else act(me, i, x)


def experience(
    me: Any,
    account: Any,
    i: Any,
    x: Any,
    a: Any,
    r: Any,
    y: Any,
    terminated: Any,
    truncated: Any,
) -> None:
    """Member `i` took action `a` in state `x`, got the reward `r`, and is in state `y`."""
    me.visits[i, x, a] += 1
    me.t[i] += 1
    me.next_action[i] = -1
    update(me, i, x, a, r, y, terminated, truncated)
    account.running[i] += r
    account.over[i] = terminated or truncated
    if account.over[i]:
        me.next_action[i] = -1
        account.episodes[i] += 1
        account.earned[i] += account.running[i]
        account.running[i] = 0.0


def decide_all(me: Any, x: Any, actions: Any) -> None:
    """The actions of all members, in the states `x [S]`."""
    for i in range(len(x)):
        actions[i] = decide(me, i, x[i])


def experience_all(
    me: Any, account: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any
) -> None:
    """One step of all members, arrays `[S]`."""
    for i in range(len(x)):
        experience(me, account, i, x[i], a[i], r[i], y[i], terminated[i], truncated[i])


def learn_range(me: Any, account: Any, world: Any, first: Any, last: Any, steps: Any) -> None:
    """So many steps of the members `first` to `last - 1`, one member after another."""
    for i in range(first, last):
        x = observe(world, i)
        for _ in range(steps):
            if account.over[i]:
                restart(world, i)
                x = observe(world, i)
            a = decide(me, i, x)
            r, terminated, truncated = step(world, i, a)
            y = observe(world, i)
            experience(me, account, i, x, a, r, y, terminated, truncated)
            x = y


def act_aside(me: Any, x: Any, actions: Any) -> None:
    """Actions as while learning in states `x [S, N]`, into `actions [S, N]`; nothing that was decided is used up."""
    for i in range(x.shape[0]):
        for n in range(x.shape[1]):
            actions[i, n] = act(me, i, x[i, n])
