"""Eligibility traces: every pair that was visited lately has a share in what happens now.

The trace of a pair fades by gamma lambda a step. Only those above `NEGLIGIBLE` are kept, as a list of pairs, so that a step
costs what is remembered, not what there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Probability
from rlcourse.agents.tabular.base import TabularAgent, tables
from rlcourse.agents.tabular.compiled import compiled
from rlcourse.agents.tabular.explore import TabularConfig, choose, highest, step_size

NEGLIGIBLE = 1e-10
"""A trace below it is dropped: what it could still move is lost in the rounding of the values."""

Traces = Literal["accumulating", "replacing", "dutch"]
ACCUMULATING, REPLACING, DUTCH = range(3)
Tables = tables(__name__, "trace_decay", "traces", "eligibility", "listed", "length")


@dataclass(frozen=True)
class TracesConfig(TabularConfig):
    """Settings of `sarsa_lambda` and `q_lambda`."""

    trace_decay: Probability = 0.9
    """lambda: 0 is one step, 1 is Monte Carlo (Sutton & Barto 2018, figure 12.10: best at about 0.9)."""
    traces: Traces = "replacing"
    """How a pair that is visited again is marked, e being its faded trace: "accumulating" e + 1, "replacing" 1, "dutch"
    1 + (1 - alpha) e (Singh & Sutton 1996; van Seijen & Sutton 2014)."""


class TracesAgent(TabularAgent):
    """A learner with eligibility traces.

    State beside that of every learner: `eligibility float64 [S, X A]` (the trace of each pair), `listed int64 [S, X A]` (the
    pairs that have one) and `length int64 [S]` (how many these are).
    """

    config_class = TracesConfig
    config: TracesConfig
    tables = Tables
    of_episode = {"next_action": -1, "eligibility": 0.0, "length": 0}  # noqa: RUF012

    eligibility: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        shape = (size, self.n_states * self.n_actions)
        return {
            **super().initial_state(size),
            "eligibility": np.zeros(shape),
            "listed": np.zeros(shape, np.int64),
            "length": np.zeros(size, np.int64),
        }


@compiled
def mark(me: Any, i: Any, x: Any, a: Any) -> None:
    """The trace of a pair that is visited."""
    pair = x * me.Q.shape[2] + a
    before = me.eligibility[i, pair]
    if before == 0.0:
        me.listed[i, me.length[i]] = pair
        me.length[i] += 1
    if me.traces == ACCUMULATING:
        me.eligibility[i, pair] = before + 1.0
    elif me.traces == REPLACING:
        me.eligibility[i, pair] = 1.0
    else:
        me.eligibility[i, pair] = 1.0 + (1.0 - step_size(me, i, x, a)) * before


@compiled
def spread(me: Any, i: Any, error: Any, decay: Any) -> None:
    """Q <- Q + alpha error E for all pairs, then E <- decay E."""
    kept = 0
    for k in range(me.length[i]):
        pair = me.listed[i, k]
        x, a = pair // me.Q.shape[2], pair % me.Q.shape[2]
        me.Q[i, x, a] += step_size(me, i, x, a) * error * me.eligibility[i, pair]
        me.eligibility[i, pair] *= decay
        if me.eligibility[i, pair] > NEGLIGIBLE:
            me.listed[i, kept] = pair
            kept += 1
        else:
            me.eligibility[i, pair] = 0.0
    me.length[i] = kept


@compiled
def update_sarsa(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """The error delta = R + gamma Q(S', A') - Q(S, A); all traced values learn of it."""
    target = r
    if not terminated:
        b = choose(me.explorer, i, y, me.Q[i, y])
        me.next_action[i] = b
        target += me.gamma * me.Q[i, y, b]
    mark(me, i, x, a)
    over = terminated or truncated
    spread(me, i, target - me.Q[i, x, a], 0.0 if over else me.gamma * me.trace_decay)


class SarsaLambda(TracesAgent):
    """Sarsa whose error is shared by all pairs that led to it, the more the later they were visited.

        delta = R + gamma Q(S', A') - Q(S, A)
        E(S, A) is marked;   Q(s, a) <- Q(s, a) + alpha delta E(s, a)  for all s, a;   E <- gamma lambda E

    Source: Rummery & Niranjan (1994); Sutton & Barto (2018), section 12.7.
    """

    name = "sarsa_lambda"
    update = update_sarsa


@compiled
def update_q(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """The error delta = R + gamma max_a Q(S', a) - Q(S, A); the traces end where an exploring action is taken."""
    target, greedy = r, False
    if not terminated:
        best = highest(me.Q[i, y])
        b = choose(me.explorer, i, y, me.Q[i, y])
        me.next_action[i] = b
        target += me.gamma * best
        greedy = me.Q[i, y, b] == best
    mark(me, i, x, a)
    goes_on = greedy and not truncated
    spread(me, i, target - me.Q[i, x, a], me.gamma * me.trace_decay if goes_on else 0.0)


class QLambda(TracesAgent):
    """Watkins' Q(lambda): Q-learning with traces, which are cut when an action is taken that does not look best.

        delta = R + gamma max_a Q(S', a) - Q(S, A)
        E(S, A) is marked;   Q(s, a) <- Q(s, a) + alpha delta E(s, a)  for all s, a
        E <- gamma lambda E  if A' is greedy,  else 0

    Source: Watkins (1989); Sutton & Barto (2018), section 12.10.
    """

    name = "q_lambda"
    update = update_q
