"""Dyna: learn a model on the way, and practise in it between the steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Count, NonNegative
from rlcourse.agents.tabular.base import TabularAgent, tables
from rlcourse.agents.tabular.compiled import borrow, compiled
from rlcourse.agents.tabular.explore import TabularConfig
from rlcourse.agents.tabular.q_learning import improve

next_integer = borrow("rlcourse.streams_compiled:next_integer")
MODEL = ("planning_steps", "seen", "n_seen", "model_r", "model_y", "model_over")
Tables = tables(__name__, *MODEL, "kappa", "tried_at")


@compiled
def memorise(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any) -> None:
    """Model(S, A) <- R, S'."""
    pair = x * me.Q.shape[2] + a
    if me.model_y[i, pair] < 0:
        me.seen[i, me.n_seen[i]] = pair
        me.n_seen[i] += 1
    me.model_r[i, pair], me.model_y[i, pair], me.model_over[i, pair] = r, y, terminated


@compiled
def update_dyna(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """Learn, memorise, practise."""
    improve(me, i, x, a, r, y, terminated)
    memorise(me, i, x, a, r, y, terminated)
    for _ in range(me.planning_steps):
        pair = me.seen[i, next_integer(me.stream, i, me.n_seen[i])]
        s, b = pair // me.Q.shape[2], pair % me.Q.shape[2]
        improve(me, i, s, b, me.model_r[i, pair], me.model_y[i, pair], me.model_over[i, pair])


@dataclass(frozen=True)
class DynaConfig(TabularConfig):
    """Settings of `dyna_q`."""

    planning_steps: Count = 10
    """Steps in the model for each step in the world (Sutton & Barto 2018, figure 8.2: 5 and 50; none is `q_learning`)."""


class ModelLearner(TabularAgent):
    """A learner with a model: the last outcome of each pair, which is right where the world is deterministic.

    State beside that of every learner: `model_y int64`, `model_r float64`, `model_over bool [S, X A]` (next state, or -1 where
    none is known; reward; whether it ended the episode), `seen int64 [S, X A]` (the pairs that have a model) and
    `n_seen int64 [S]` (how many these are).
    """

    config_class = DynaConfig
    config: DynaConfig

    model_y: NDArray[np.int64]
    model_r: NDArray[np.float64]
    model_over: NDArray[np.bool_]

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        shape = (size, self.n_states * self.n_actions)
        return {
            **super().initial_state(size),
            "seen": np.zeros(shape, np.int64),
            "n_seen": np.zeros(size, np.int64),
            "model_r": np.zeros(shape),
            "model_y": np.full(shape, -1, np.int64),
            "model_over": np.zeros(shape, np.bool_),
        }


DynaTables = tables(__name__, *MODEL, called="DynaTables")


class DynaQ(ModelLearner):
    """Q-learning from what happens, and from what is remembered to have happened.

        Q(S, A) <- Q(S, A) + alpha [R + gamma max_a Q(S', a) - Q(S, A)];   Model(S, A) <- R, S'
        n times:  S, A = any pair seen before;  R, S' = Model(S, A);  the same with these

    Source: Sutton (1990), "Integrated architectures for learning, planning, and reacting"; Sutton & Barto (2018), section 8.2.
    """

    name = "dyna_q"
    tables = DynaTables
    update = update_dyna


@compiled
def update_curious(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """As Dyna-Q, but practice pays more the longer a pair was not tried in the world."""
    count = me.Q.shape[2]
    improve(me, i, x, a, r, y, terminated)
    for b in range(count):  # all actions of the state are practised, the untried as if they led back to it
        if me.model_y[i, x * count + b] < 0:
            memorise(me, i, x, b, 0.0, x, False)
    memorise(me, i, x, a, r, y, terminated)
    me.tried_at[i, x * count + a] = me.t[i]
    for _ in range(me.planning_steps):
        pair = me.seen[i, next_integer(me.stream, i, me.n_seen[i])]
        s, b = pair // count, pair % count
        bonus = me.kappa * math.sqrt(me.t[i] - me.tried_at[i, pair])
        improve(me, i, s, b, me.model_r[i, pair] + bonus, me.model_y[i, pair], me.model_over[i, pair])


@dataclass(frozen=True)
class DynaPlusConfig(DynaConfig):
    """Settings of `dyna_q_plus`."""

    kappa: NonNegative = 0.001
    """Weight of the bonus, in units of reward (Sutton & Barto 2018, section 8.3: small)."""


class DynaQPlus(ModelLearner):
    """Dyna-Q that trusts its model the less the older it is: for worlds that change.

        in practice  R + kappa sqrt(tau)  in the place of R,  tau the steps since the pair was tried in the world

    Actions that were never tried in a state that was visited are practised, too, as if they led back to it without reward.

    State beside that of `dyna_q`: `tried_at int64 [S, X A]`, the step at which each pair was tried last.

    Source: Sutton (1990); Sutton & Barto (2018), section 8.3.
    """

    name = "dyna_q_plus"
    config_class = DynaPlusConfig
    config: DynaPlusConfig
    tables = Tables
    update = update_curious

    tried_at: NDArray[np.int64]

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        state = super().initial_state(size)
        return {**state, "tried_at": np.zeros_like(state["seen"])}
