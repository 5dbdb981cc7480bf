"""Prioritised sweeping: practise where something has changed, and go backward from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import NonNegative
from rlcourse.agents.tabular.base import tables
from rlcourse.agents.tabular.compiled import compiled
from rlcourse.agents.tabular.dyna import MODEL, DynaConfig, ModelLearner, improve, memorise
from rlcourse.agents.tabular.explore import highest

QUEUE = ("threshold", "urgency", "heap", "place", "waiting")
LINKS = ("leads_to", "link_after", "link_before")
Tables = tables(__name__, *MODEL, *QUEUE, *LINKS)


# --- the queue: a binary heap of pairs, the most urgent on top ---


@compiled
def sift_up(me: Any, i: Any, k: Any) -> None:
    """Move the pair at `k` up until its parent is more urgent."""
    heap, place, urgency = me.heap[i], me.place[i], me.urgency[i]
    pair = heap[k]
    while k > 0 and urgency[heap[(k - 1) // 2]] < urgency[pair]:
        heap[k] = heap[(k - 1) // 2]
        place[heap[k]] = k
        k = (k - 1) // 2
    heap[k] = pair
    place[pair] = k


@compiled
def sift_down(me: Any, i: Any, k: Any) -> None:
    """Move the pair at `k` down until its children are less urgent."""
    heap, place, urgency, count = me.heap[i], me.place[i], me.urgency[i], me.waiting[i]
    pair = heap[k]
    while 2 * k + 1 < count:
        child = 2 * k + 1
        if child + 1 < count and urgency[heap[child + 1]] > urgency[heap[child]]:
            child += 1
        if urgency[heap[child]] <= urgency[pair]:
            break
        heap[k] = heap[child]
        place[heap[k]] = k
        k = child
    heap[k] = pair
    place[pair] = k


@compiled
def enqueue(me: Any, i: Any, pair: Any, urgency: Any) -> None:
    """Insert a pair, or raise its urgency; not below the threshold."""
    if urgency <= me.threshold:
        return
    if me.place[i, pair] < 0:
        me.urgency[i, pair] = urgency
        me.heap[i, me.waiting[i]] = pair
        me.waiting[i] += 1
        sift_up(me, i, me.waiting[i] - 1)
    elif urgency > me.urgency[i, pair]:
        me.urgency[i, pair] = urgency
        sift_up(me, i, me.place[i, pair])


@compiled
def most_urgent(me: Any, i: Any) -> Any:
    """Take the pair on top."""
    pair = me.heap[i, 0]
    me.place[i, pair] = -1
    me.waiting[i] -= 1
    if me.waiting[i] > 0:
        me.heap[i, 0] = me.heap[i, me.waiting[i]]
        sift_down(me, i, 0)
    return pair


# --- which pairs lead to a state: a doubly linked list for each state ---


@compiled
def unlink(me: Any, i: Any, pair: Any) -> None:
    """The pair leads to its state no longer."""
    before, after = me.link_before[i, pair], me.link_after[i, pair]
    if before >= 0:
        me.link_after[i, before] = after
    else:
        me.leads_to[i, me.model_y[i, pair]] = after
    if after >= 0:
        me.link_before[i, after] = before


@compiled
def link(me: Any, i: Any, pair: Any, y: Any) -> None:
    """The pair leads to `y`."""
    first = me.leads_to[i, y]
    me.link_before[i, pair], me.link_after[i, pair] = -1, first
    if first >= 0:
        me.link_before[i, first] = pair
    me.leads_to[i, y] = pair


# --- the rule ---


@compiled
def surprise(me: Any, i: Any, pair: Any) -> Any:
    """|R + gamma max_a Q(S', a) - Q(S, A)| by the model."""
    target = me.model_r[i, pair]
    if not me.model_over[i, pair]:
        target += me.gamma * highest(me.Q[i, me.model_y[i, pair]])
    return abs(target - me.Q[i, pair // me.Q.shape[2], pair % me.Q.shape[2]])


@compiled
def update(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """Memorise; then practise the most urgent pair, and see who is surprised by it, n times."""
    count = me.Q.shape[2]
    pair = x * count + a
    if me.model_y[i, pair] >= 0 and not me.model_over[i, pair]:
        unlink(me, i, pair)
    memorise(me, i, x, a, r, y, terminated)
    if not terminated:
        link(me, i, pair, y)
    enqueue(me, i, pair, surprise(me, i, pair))
    for _ in range(me.planning_steps):
        if me.waiting[i] == 0:
            break
        pair = most_urgent(me, i)
        s, b = pair // count, pair % count
        improve(me, i, s, b, me.model_r[i, pair], me.model_y[i, pair], me.model_over[i, pair])
        before = me.leads_to[i, s]
        while before >= 0:
            enqueue(me, i, before, surprise(me, i, before))
            before = me.link_after[i, before]


@dataclass(frozen=True)
class PrioritizedSweepingConfig(DynaConfig):
    """Settings of `prioritized_sweeping`."""

    threshold: NonNegative = 1e-4
    """theta: errors up to it, in units of reward, are let be."""


class PrioritizedSweeping(ModelLearner):
    """Dyna that practises the pairs whose values are most wrong, and then those that lead to them.

        Model(S, A) <- R, S';   P = |R + gamma max_a Q(S', a) - Q(S, A)|;   if P > theta, S, A into the queue with urgency P
        n times:  S, A = the most urgent;  R, S' = Model(S, A)
                  Q(S, A) <- Q(S, A) + alpha [R + gamma max_a Q(S', a) - Q(S, A)]
                  for all pairs that lead to S by the model:  into the queue, if their P > theta

    State beside that of `dyna_q`: the queue (`heap`, `place`, `urgency [S, X A]`, `waiting [S]`) and which pairs lead to each
    state (`leads_to [S, X]`, `link_after`, `link_before [S, X A]`).

    Source: Moore & Atkeson (1993); Peng & Williams (1993); Sutton & Barto (2018), section 8.4.
    """

    name = "prioritized_sweeping"
    config_class = PrioritizedSweepingConfig
    config: PrioritizedSweepingConfig
    tables = Tables
    update = update

    waiting: NDArray[np.int64]

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        state = super().initial_state(size)
        none = np.full(state["seen"].shape, -1, np.int64)
        return {
            **state,
            "urgency": np.zeros(none.shape),
            "heap": none.copy(),
            "place": none.copy(),
            "waiting": np.zeros(size, np.int64),
            "leads_to": np.full((size, self.n_states), -1, np.int64),
            "link_after": none.copy(),
            "link_before": none.copy(),
        }
