"""Policy gradients on a table: preferences for actions, and a critic that says what to expect of each state.

The policy is softmax of the preferences H, so that the gradient of ln pi(A|S) by H(S, a) is 1{a = A} - pi(a|S).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Positive, Probability
from rlcourse.agents.tabular.base import TabularAgent, tables
from rlcourse.agents.tabular.compiled import compiled
from rlcourse.agents.tabular.episodes import PATH, EpisodeConfig, EpisodeLearner, keep
from rlcourse.agents.tabular.explore import policy
from rlcourse.agents.tabular.traces import NEGLIGIBLE

Tables = tables(
    __name__,
    "critic_learning_rate",
    "trace_decay",
    "V",
    "fade",
    "actor_trace",
    "critic_trace",
    "listed",
    "length",
)
ReinforceTables = tables(__name__, "critic_learning_rate", "V", *PATH, called="ReinforceTables")


@dataclass(frozen=True)
class GradientConfig(AgentConfig):
    """Settings of every learner of a policy."""

    learning_rate: Positive = 0.2
    """Step size of the preferences (the actor)."""
    critic_learning_rate: Probability = 0.1
    """Step size of the values (the critic)."""
    gamma: Probability = 0.99
    """Discount of what comes a step later (stable-baselines3)."""


class PolicyLearner(TabularAgent):
    """A learner of preferences, which stand in `Q`, and of values `V float64 [S, X]`."""

    config_class: ClassVar[type[AgentConfig]] = GradientConfig
    fixed = {"exploration": "softmax", "temperature": 1.0}  # noqa: RUF012

    V: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        return {**super().initial_state(size), "V": np.zeros((size, self.n_states))}


# --- actor-critic ---


@compiled
def update_actor_critic(
    me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any
) -> None:
    """The error delta = R + gamma V(S') - V(S) moves values and preferences along their traces."""
    delta = r - me.V[i, x] if terminated else r + me.gamma * me.V[i, y] - me.V[i, x]
    if me.critic_trace[i, x] == 0.0:
        me.listed[i, me.length[i]] = x
        me.length[i] += 1
    me.critic_trace[i, x] += 1.0
    policy(me.explorer, i, x, me.Q[i, x])
    for b in range(me.Q.shape[2]):
        me.actor_trace[i, x, b] += me.fade[i] * ((b == a) - me.scratch[i, b])
    over = terminated or truncated
    decay = 0.0 if over else me.gamma * me.trace_decay
    kept = 0
    for k in range(me.length[i]):
        s = me.listed[i, k]
        me.V[i, s] += me.critic_learning_rate * delta * me.critic_trace[i, s]
        for b in range(me.Q.shape[2]):
            me.Q[i, s, b] += me.learning_rate * delta * me.actor_trace[i, s, b]
        me.critic_trace[i, s] *= decay
        if me.critic_trace[i, s] > NEGLIGIBLE:
            for b in range(me.Q.shape[2]):
                me.actor_trace[i, s, b] *= decay
            me.listed[i, kept] = s
            kept += 1
        else:
            me.critic_trace[i, s] = 0.0
            for b in range(me.Q.shape[2]):
                me.actor_trace[i, s, b] = 0.0
    me.length[i] = kept
    me.fade[i] = 1.0 if over else me.fade[i] * me.gamma


@dataclass(frozen=True)
class ActorCriticConfig(GradientConfig):
    """Settings of `tabular_actor_critic`."""

    trace_decay: Probability = 0.0
    """lambda of actor and critic: 0 is the one-step actor-critic."""


class TabularActorCritic(PolicyLearner):
    """An actor that does more of what turned out better than the critic expected.

        delta = R + gamma V(S') - V(S)
        z_w <- gamma lambda z_w + grad V(S);            V <- V + alpha_w delta z_w
        z_h <- gamma lambda z_h + gamma^t grad ln pi(A|S);   H <- H + alpha_h delta z_h

    With lambda = 0 these are the one-step equations.

    State beside `Q` (the preferences H) and `V`: `fade float64 [S]` (gamma^t), the traces `actor_trace [S, X, A]` and
    `critic_trace [S, X]`, `listed int64 [S, X]` (the states that have some) and `length int64 [S]` (how many these are).

    Source: Barto, Sutton & Anderson (1983); Sutton & Barto (2018), section 13.5.
    """

    name = "tabular_actor_critic"
    config_class = ActorCriticConfig
    tables = Tables
    update = update_actor_critic
    of_episode = {  # noqa: RUF012
        "next_action": -1,
        "fade": 1.0,
        "actor_trace": 0.0,
        "critic_trace": 0.0,
        "length": 0,
    }

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        state = super().initial_state(size)
        return {
            **state,
            "fade": np.ones(size),
            "actor_trace": np.zeros(state["Q"].shape),
            "critic_trace": np.zeros((size, self.n_states)),
            "listed": np.zeros((size, self.n_states), np.int64),
            "length": np.zeros(size, np.int64),
        }


# --- REINFORCE ---


@compiled
def update_reinforce(
    me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any
) -> None:
    """At the end of an episode, for each of its steps: delta = G - V(S) moves value and preferences."""
    full = keep(me, i, x, a, r)
    if not (terminated or truncated or full):
        return
    g = 0.0 if terminated else me.V[i, y]
    for k in range(me.length[i] - 1, -1, -1):
        g = me.path_r[i, k] + me.gamma * g
        me.path_r[i, k] = g  # from here on the returns
    fade = 1.0
    for k in range(me.length[i]):
        s, b = me.path_x[i, k], me.path_a[i, k]
        delta = me.path_r[i, k] - me.V[i, s]
        me.V[i, s] += me.critic_learning_rate * delta
        policy(me.explorer, i, s, me.Q[i, s])
        for c in range(me.Q.shape[2]):
            me.Q[i, s, c] += me.learning_rate * fade * delta * ((c == b) - me.scratch[i, c])
        fade *= me.gamma
    me.length[i] = 0


@dataclass(frozen=True)
class ReinforceConfig(GradientConfig, EpisodeConfig):
    """Settings of `tabular_reinforce`."""


class TabularReinforce(EpisodeLearner, PolicyLearner):
    """Do more of what was followed by a return above the average: REINFORCE with a baseline.

        for each step t of an episode:  delta = G_t - V(S_t)
        V(S_t) <- V(S_t) + alpha_w delta;   H <- H + alpha_h gamma^t delta grad ln pi(A_t|S_t)

    Source: Williams (1992); Sutton & Barto (2018), section 13.4.
    """

    name = "tabular_reinforce"
    config_class = ReinforceConfig
    tables = ReinforceTables
    update = update_reinforce
