"""Planners: agents who know the world. The upper end of every table of finite worlds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Probability
from rlcourse.agents.observations import members_of
from rlcourse.agents.tabular.base import TabularAgent, tables
from rlcourse.agents.tabular.compiled import compiled
from rlcourse.errors import UsageError
from rlcourse.mdp import (
    FiniteMDP,
    Plan,
    finite_horizon,
    policy_iteration,
    q_values,
    value_iteration,
)

Tables = tables(__name__, "plan", "clock")


@compiled
def act(me: Any, i: Any, x: Any) -> Any:
    """What the plan says; after its last line, that one goes on."""
    return me.plan[min(me.clock[i], len(me.plan) - 1), x]


@compiled
def update(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """There is nothing to learn; the clock of the episode goes on."""
    me.clock[i] = 0 if terminated or truncated else me.clock[i] + 1


@dataclass(frozen=True)
class PlannerConfig(AgentConfig):
    """Settings of `value_iteration` and `policy_iteration`."""

    gamma: Probability = 0.99
    """Discount of what comes a step later (stable-baselines3)."""


class Planner(TabularAgent):
    """An agent that reads the model of the world and follows the best plan; where the world changes, it plans anew.

    The model is that of `FiniteMDP.from_env`: our `model()`, or Gymnasium's `P`.

    State beside that of every agent with a table: `clock int64 [S]`, the steps in the episode. `Q` holds the values of the
    plan; it and `plan int64 [lines, X]` (the action in every state, a line for each step where the plan depends on the time)
    are made anew when an agent is loaded.

    Raises:
        UsageError: a world that gives no model, or whose observations are not the states of its model.
    """

    config_class: ClassVar[type[AgentConfig]] = PlannerConfig
    tables = Tables
    act = act
    update = update
    derived = ("plan",)
    of_episode = {"next_action": -1, "clock": 0}  # noqa: RUF012

    plan: NDArray[np.int64]
    clock: NDArray[np.int64]

    @abstractmethod
    def make_plan(self, mdp: FiniteMDP) -> Plan:
        """The best values and actions in this model."""

    def initial_state(self, size: int) -> Arrays:
        """`clock int64 [S]`."""
        return {**super().initial_state(size), "clock": np.zeros(size, np.int64)}

    def _prepare(self) -> None:
        super()._prepare()
        self._twin = gymnasium.make(self.spec.id, **self.env_kwargs)
        if hasattr(self._twin.unwrapped, "get_state"):
            self._twin.reset(seed=self.seeds[0])
        self._phase: Any = None
        self._read_model()

    def _read_model(self) -> None:
        """Plan for the world as it stands now."""
        mdp = FiniteMDP.from_env(self._twin)
        if mdp.n_states != self.states.n or mdp.n_actions != self.n_actions:
            raise UsageError(
                f"{self.name} plans over the {mdp.n_states} states of the model of {self.spec.id}, but {self.states.n} "
                f"observations can be seen: choose the observation that shows the state (observation='index')"
            )
        best = self.make_plan(mdp)
        self.plan = np.ascontiguousarray(np.atleast_2d(best.policy))
        after = best.V if best.V.ndim == 1 else best.V[1]
        self.Q[:] = q_values(mdp, after, getattr(self.config, "gamma", 1.0))

    def _keep_up(self) -> None:
        """Plan anew if the world is another one than it was."""
        world: Any = self.venv.unwrapped
        phase_of = getattr(getattr(world, "rules", None), "phase", None)
        if phase_of is None:
            return
        state = world.get_state()
        phase = phase_of(state, 0)  # all members have lived equally long
        if phase != self._phase:
            self._phase = phase
            del state["finished"]
            twin: Any = self._twin.unwrapped
            twin.set_state({name: array[:1] for name, array in state.items()})
            self._read_model()

    def _learn_by_steps(self, steps: int, advance: Callable[[int], None]) -> None:
        left = steps
        while left:  # a step at a time, if the world may change between two of them
            self._keep_up()
            piece = left if self._phase is None else 1
            super()._learn_by_steps(piece, advance)
            left -= piece

    def greedy_policy(self) -> NDArray[np.int64]:
        """The first line of the plan, int64 `[S, X]`."""
        return np.repeat(self.plan[:1], self.size, axis=0)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """What the plan says, whatever is asked; the memory is the number of steps in each copy's episode."""
        x = self.states.read(observation)
        lead = x.shape
        members_of(lead, self.size)
        clock = np.zeros(lead, np.int64) if state is None else np.asarray(state, np.int64).reshape(lead)
        if episode_start is not None:
            clock = np.where(np.asarray(episode_start).reshape(lead), 0, clock)
        actions = self.plan[np.minimum(clock, len(self.plan) - 1), x]
        return self.first_action + actions, clock + 1

    def _restored(self, *, in_place: bool) -> None:
        super()._restored(in_place=in_place)
        self._keep_up()


class ValueIteration(Planner):
    """The best plan by value iteration, and the steps that it takes.

        V(x) <- max_a [ r(x, a) + gamma sum_y P(y | x, a) V(y) ]

    Source: Bellman (1957); Sutton & Barto (2018), section 4.4. See `rlcourse.mdp.value_iteration`.
    """

    name = "value_iteration"

    def make_plan(self, mdp: FiniteMDP) -> Plan:
        """See `rlcourse.mdp.value_iteration`."""
        return value_iteration(mdp, self.config.gamma)  # type: ignore[attr-defined]


class PolicyIteration(Planner):
    """The best plan by policy iteration, and the steps that it takes.

        V <- solution of V = r_pi + gamma P_pi V;     pi(x) <- argmax_a Q(x, a)

    Source: Howard (1960); Sutton & Barto (2018), section 4.3. See `rlcourse.mdp.policy_iteration`.
    """

    name = "policy_iteration"

    def make_plan(self, mdp: FiniteMDP) -> Plan:
        """See `rlcourse.mdp.policy_iteration`."""
        return policy_iteration(mdp, self.config.gamma)  # type: ignore[attr-defined]


class FiniteHorizon(Planner):
    """The best plan under the time limit of the world, by backward induction: no policy has a higher expected return.

        V[t](x) = max_a [ r(x, a) + sum_y P(y | x, a) V[t+1](y) ],    V[H] = 0

    What is best depends on the time that is left, which the agent counts.

    Raises:
        UsageError: a world without a time limit.

    Source: Bellman (1957); Puterman (2005), section 4.5. See `rlcourse.mdp.finite_horizon`.
    """

    name = "finite_horizon"
    config_class: ClassVar[type[AgentConfig]] = AgentConfig

    def make_plan(self, mdp: FiniteMDP) -> Plan:
        """See `rlcourse.mdp.finite_horizon`."""
        limit = self.world_horizon()
        if limit is None:
            raise UsageError(
                f"{self.name} plans under a time limit, and {self.spec.id} has none: value_iteration would fit, or "
                f"max_episode_steps"
            )
        return finite_horizon(mdp, limit)
