"""What n steps say: a window of the last steps of every member, from which values are corrected n steps late.

The window is a ring: the step number k of an episode stands at k modulo n. `count` is how many steps the episode has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Count
from rlcourse.agents.tabular.base import TabularAgent, tables
from rlcourse.agents.tabular.compiled import compiled
from rlcourse.agents.tabular.explore import TabularConfig, choose, expected, policy, step_size

Tables = tables(__name__, "n_steps", "count", "ring_x", "ring_a", "ring_r")


@dataclass(frozen=True)
class NStepConfig(TabularConfig):
    """Settings of `n_step_sarsa` and `tree_backup`."""

    n_steps: Count = 4
    """How many rewards are seen before a value is corrected (Sutton & Barto 2018, figure 7.2: best in between)."""


class NStepAgent(TabularAgent):
    """A learner with a window of the last n steps.

    State beside that of every learner: `count int64 [S]` (steps of the episode), `ring_x, ring_a int64 [S, n]` and
    `ring_r float64 [S, n]` (states, actions, rewards of the last n).
    """

    config_class = NStepConfig
    config: NStepConfig
    tables = Tables
    of_episode = {"next_action": -1, "count": 0}  # noqa: RUF012

    count: NDArray[np.int64]

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        shape = (size, self.config.n_steps)
        return {
            **super().initial_state(size),
            "count": np.zeros(size, np.int64),
            "ring_x": np.zeros(shape, np.int64),
            "ring_a": np.zeros(shape, np.int64),
            "ring_r": np.zeros(shape),
        }


@compiled
def remember(me: Any, i: Any, x: Any, a: Any, r: Any) -> None:
    """Put a step into the window, in the place of the one n steps before."""
    at = me.count[i] % me.n_steps
    me.ring_x[i, at], me.ring_a[i, at], me.ring_r[i, at] = x, a, r
    me.count[i] += 1


@compiled
def sarsa_return(me: Any, i: Any, start: Any, ahead: Any) -> Any:
    """G = R_{k+1} + gamma R_{k+2} + ... + gamma^m (what is ahead of the last step), k = `start`."""
    g = ahead
    for k in range(me.count[i] - 1, start - 1, -1):
        g = me.ring_r[i, k % me.n_steps] + me.gamma * g
    return g


@compiled
def correct_sarsa(me: Any, i: Any, start: Any, ahead: Any) -> None:
    """Q(S_k, A_k) <- Q(S_k, A_k) + alpha [G - Q(S_k, A_k)]."""
    x, a = me.ring_x[i, start % me.n_steps], me.ring_a[i, start % me.n_steps]
    me.Q[i, x, a] += step_size(me, i, x, a) * (sarsa_return(me, i, start, ahead) - me.Q[i, x, a])


@compiled
def update_sarsa(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """Correct the value of n steps ago; at the end of an episode, those of all steps that are left."""
    remember(me, i, x, a, r)
    ahead = 0.0
    if not terminated:
        b = choose(me.explorer, i, y, me.Q[i, y])
        me.next_action[i] = b
        ahead = me.Q[i, y, b]
    first = me.count[i] - me.n_steps
    if not (terminated or truncated):
        if first >= 0:
            correct_sarsa(me, i, first, ahead)
        return
    for start in range(max(0, first), me.count[i]):
        correct_sarsa(me, i, start, ahead)
    me.count[i] = 0


class NStepSarsa(NStepAgent):
    """Sarsa with the rewards of n steps, and the value of what comes after them.

        G_{t:t+n} = R_{t+1} + gamma R_{t+2} + ... + gamma^{n-1} R_{t+n} + gamma^n Q(S_{t+n}, A_{t+n})
        Q(S_t, A_t) <- Q(S_t, A_t) + alpha [G_{t:t+n} - Q(S_t, A_t)]

    At the end of an episode the last n steps get what is left of it; where it was truncated, with the value of the action
    that would have come next.

    Source: Sutton & Barto (2018), section 7.2.
    """

    name = "n_step_sarsa"
    update = update_sarsa


@compiled
def correct_tree(me: Any, i: Any, start: Any, ahead: Any) -> None:
    """G <- R_k + gamma [sum_{a != A_k} pi(a|S_k) Q(S_k, a) + pi(A_k|S_k) G], from the last step back to `start`."""
    g = me.ring_r[i, (me.count[i] - 1) % me.n_steps] + me.gamma * ahead
    for k in range(me.count[i] - 1, start, -1):
        x, taken = me.ring_x[i, k % me.n_steps], me.ring_a[i, k % me.n_steps]
        policy(me.explorer, i, x, me.Q[i, x])
        leaves = 0.0
        for a in range(me.Q.shape[2]):
            leaves += me.scratch[i, a] * (g if a == taken else me.Q[i, x, a])
        g = me.ring_r[i, (k - 1) % me.n_steps] + me.gamma * leaves
    x, taken = me.ring_x[i, start % me.n_steps], me.ring_a[i, start % me.n_steps]
    me.Q[i, x, taken] += step_size(me, i, x, taken) * (g - me.Q[i, x, taken])


@compiled
def update_tree(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """As for n-step Sarsa, but at every state on the way all actions are counted, as likely as they are."""
    remember(me, i, x, a, r)
    first = me.count[i] - me.n_steps
    if not (terminated or truncated):
        if first >= 0:
            correct_tree(me, i, first, expected(me.explorer, i, y, me.Q[i, y]))
        return
    for start in range(max(0, first), me.count[i]):
        correct_tree(me, i, start, 0.0 if terminated else expected(me.explorer, i, y, me.Q[i, y]))
    me.count[i] = 0


class TreeBackup(NStepAgent):
    """n steps without the luck of the draw: at each state the actions not taken count by their values.

        G_{t:t+n} = R_{t+1} + gamma sum_{a != A_{t+1}} pi(a|S_{t+1}) Q(S_{t+1}, a) + gamma pi(A_{t+1}|S_{t+1}) G_{t+1:t+n}
        Q(S_t, A_t) <- Q(S_t, A_t) + alpha [G_{t:t+n} - Q(S_t, A_t)]

    pi is the policy that is followed, so that one step of it is Expected Sarsa.

    Source: Precup, Sutton & Singh (2000), "Eligibility traces for off-policy policy evaluation"; Sutton & Barto (2018),
    section 7.5.
    """

    name = "tree_backup"
    update = update_tree
