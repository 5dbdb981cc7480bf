"""Temporal-difference prediction: what a policy is worth, learned by following it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Finite, Probability
from rlcourse.agents.tabular.base import TabularAgent, tables
from rlcourse.agents.tabular.compiled import compiled
from rlcourse.agents.tabular.explore import StepPower, StepSize, share, visits_of
from rlcourse.agents.tabular.traces import ACCUMULATING, NEGLIGIBLE, REPLACING, Traces
from rlcourse.errors import UsageError

Tables = tables(__name__, "trace_decay", "traces", "V", "eligibility", "listed", "length")


@compiled
def update(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """The error delta = R + gamma V(S') - V(S); all traced states learn of it."""
    delta = r - me.V[i, x] if terminated else r + me.gamma * me.V[i, y] - me.V[i, x]
    before = me.eligibility[i, x]
    if before == 0.0:
        me.listed[i, me.length[i]] = x
        me.length[i] += 1
    if me.traces == ACCUMULATING:
        me.eligibility[i, x] = before + 1.0
    elif me.traces == REPLACING:
        me.eligibility[i, x] = 1.0
    else:
        me.eligibility[i, x] = 1.0 + (1.0 - share(me, visits_of(me.explorer, i, x))) * before
    decay = 0.0 if terminated or truncated else me.gamma * me.trace_decay
    kept = 0
    for k in range(me.length[i]):
        s = me.listed[i, k]
        me.V[i, s] += share(me, visits_of(me.explorer, i, s)) * delta * me.eligibility[i, s]
        me.eligibility[i, s] *= decay
        if me.eligibility[i, s] > NEGLIGIBLE:
            me.listed[i, kept] = s
            kept += 1
        else:
            me.eligibility[i, s] = 0.0
    me.length[i] = kept


@dataclass(frozen=True)
class TDPredictionConfig(AgentConfig):
    """Settings of `td_prediction`."""

    policy: list[int] | None = None
    """The policy that is evaluated: an action for each state; none: all actions alike."""
    exploration_final_eps: Probability = 0.0
    """Chance of a random action in the place of the policy's, which is evaluated with it."""
    trace_decay: Probability = 0.0
    """lambda: 0 is TD(0), 1 is Monte Carlo."""
    traces: Traces = "accumulating"
    """How a state that is visited again is marked, see `sarsa_lambda`."""
    learning_rate: Probability = 0.1
    """Step size alpha (Sutton & Barto 2018, example 6.2)."""
    step_size: StepSize = "constant"
    """As for `q_learning`, n being the visits of the state."""
    step_size_power: StepPower = 0.8
    """Of "polynomial", see `q_learning`."""
    gamma: Probability = 0.99
    """Discount of what comes a step later (stable-baselines3)."""
    initial_value: Finite = 0.0
    """Value of a state that was never visited."""


class TDPrediction(TabularAgent):
    """The value of a given policy, learned step by step from the value of the next state.

        delta = R + gamma V(S') - V(S)
        E(S) is marked;   V(s) <- V(s) + alpha delta E(s)  for all s;   E <- gamma lambda E

    With lambda = 0, V(S) <- V(S) + alpha [R + gamma V(S') - V(S)]. It learns values, not to act: it goes on following its
    policy, whatever that is worth.

    State beside that of every learner: `V float64 [S, X]`, and the traces `eligibility float64`, `listed int64 [S, X]`,
    `length int64 [S]`. In `Q`, 1 stands at the policy's action.

    Source: Sutton (1988), "Learning to predict by the methods of temporal differences"; Sutton & Barto (2018), sections 6.1
    and 12.2.
    """

    name = "td_prediction"
    config_class = TDPredictionConfig
    tables = Tables
    update = update
    of_episode = {"next_action": -1, "eligibility": 0.0, "length": 0}  # noqa: RUF012

    V: NDArray[np.float64]

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        config: Any = self.config
        state = super().initial_state(size)
        state["Q"][:] = 0.0
        if config.policy is not None:
            fits = len(config.policy) == self.n_states
            if not fits or min(config.policy) < 0 or max(config.policy) >= self.n_actions:
                raise UsageError(
                    f"{self.name}: policy must name an action of 0..{self.n_actions - 1} for each of the {self.n_states} "
                    f"states of {self.spec.id}"
                )
            state["Q"][:, np.arange(self.n_states), config.policy] = 1.0
        shape = (size, self.n_states)
        return {
            **state,
            "V": np.full(shape, float(config.initial_value)),
            "eligibility": np.zeros(shape),
            "listed": np.zeros(shape, np.int64),
            "length": np.zeros(size, np.int64),
        }

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """The policy that is evaluated; where all actions are alike, one of them, whatever is asked."""
        alike = self.config.policy is None  # type: ignore[attr-defined]
        return super().predict(observation, state, episode_start, deterministic and not alike)
