"""Planners: agents who know the world. The upper end of every table of finite worlds."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

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

Tables = tables(__name__, "plan", "which", "clock")


@compiled
def act(me: Any, i: Any, x: Any) -> Any:
    """What the plan says; after its last line, that one goes on."""
    return me.plan[me.which[i], min(me.clock[i], me.plan.shape[1] - 1), x]


@compiled
def update(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """There is nothing to learn; the clock of the episode goes on."""
    me.clock[i] = 0 if terminated or truncated else me.clock[i] + 1


class Scheme(NamedTuple):
    """What is known of a world as it stands."""

    values: NDArray[np.float64]
    """Of the actions, `[X, A]`."""
    lines: NDArray[np.int64]
    """The best actions, `[lines, X]`."""


@dataclass(frozen=True)
class PlannerConfig(AgentConfig):
    """Settings of `value_iteration` and `policy_iteration`."""

    gamma: Probability = 0.99
    """Discount of what comes a step later (stable-baselines3)."""


class Planner(TabularAgent):
    """An agent that reads the model of the world and follows the best plan; where the world changes, it plans anew.

    The model is that of `FiniteMDP.from_env`: our `model()`, or Gymnasium's `P`.

    State beside that of every agent with a table: `clock int64 [S]`, the steps in the episode. `Q` holds the values of the
    plan. It, `plan int64 [P, lines, X]` (the action in every state, a line for each step where the plan depends on the time)
    and `which int64 [S]` (the plan of each member) are made anew when an agent is loaded. Members whose worlds stand alike
    share a plan.

    Raises:
        UsageError: a world that gives no model, or whose observations are not the states of its model.
    """

    config_class: ClassVar[type[AgentConfig]] = PlannerConfig
    tables = Tables
    act = act
    update = update
    derived = ("plan", "which")
    of_episode = {"next_action": -1, "clock": 0}  # noqa: RUF012

    plan: NDArray[np.int64]
    which: NDArray[np.int64]
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
        self._versions: NDArray[np.float64] | None = None
        self._schemes: dict[bytes, Scheme] = {}
        self._settle([self._plan_for(None)], np.zeros(self.size, np.int64))

    def _plan_for(self, row: int | None) -> Scheme:
        """The plan for the world as it stands with member `row`; with `None`, as it stands with all of them."""
        if row is not None:
            world: Any = self.venv.unwrapped
            state = {name: array[row : row + 1] for name, array in world.get_state().items()}
            del state["finished"]
            twin: Any = self._twin.unwrapped
            twin.set_state(state)
        mdp = FiniteMDP.from_env(self._twin)
        if mdp.n_states != self.states.n or mdp.n_actions != self.n_actions:
            raise UsageError(
                f"{self.name} plans over the {mdp.n_states} states of the model of {self.spec.id}, but {self.states.n} "
                f"observations can be seen: choose the observation that shows the state (observation='index')"
            )
        best = self.make_plan(mdp)
        after = best.V if best.V.ndim == 1 else best.V[1]
        values = q_values(mdp, after, getattr(self.config, "gamma", 1.0))
        return Scheme(values, np.atleast_2d(best.policy))

    def _settle(self, schemes: list[Scheme], which: NDArray[np.int64]) -> None:
        """These are the plans now, and which of them each member has."""
        self.plan = np.ascontiguousarray([one.lines for one in schemes])
        self.which = which
        for k, one in enumerate(schemes):
            self.Q[which == k] = one.values

    def keep_up(self) -> bool:
        """Plan anew for the members whose world is another one than it was."""
        versions_of = getattr(self.venv.unwrapped, "versions", None)
        versions = None if versions_of is None else versions_of()
        if versions is None or (self._versions is not None and np.array_equal(versions, self._versions)):
            return False
        self._versions = versions
        distinct, first, which = np.unique(versions, axis=0, return_index=True, return_inverse=True)
        known, self._schemes = self._schemes, {}
        for version, row in zip(distinct, first, strict=True):
            key = version.tobytes()
            self._schemes[key] = known.get(key) or self._plan_for(int(row))
        self._settle(list(self._schemes.values()), which.reshape(-1))
        return True

    def _compiled_world(self) -> Any:
        """None where the world changes, which is looked after between two steps."""
        world: Any = self.venv.unwrapped
        changes = hasattr(world, "versions") and world.versions() is not None
        return None if changes else super()._compiled_world()

    def greedy_policy(self) -> NDArray[np.int64]:
        """The first line of each member's plan, int64 `[S, X]`."""
        self.keep_up()
        return self.plan[self.which, 0]

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """What the plan says, whatever is asked; the memory is the number of steps in each copy's episode."""
        self.keep_up()
        x = self.states.read(observation)
        lead = x.shape
        copies = members_of(lead, self.size)
        clock = np.zeros(lead, np.int64) if state is None else np.asarray(state, np.int64).reshape(lead)
        if episode_start is not None:
            clock = np.where(np.asarray(episode_start).reshape(lead), 0, clock)
        which = np.repeat(self.which, copies).reshape(lead)
        actions = self.plan[which, np.minimum(clock, self.plan.shape[1] - 1), x]
        return self.first_action + actions, clock + 1

    def _restored(self, *, in_place: bool) -> None:
        super()._restored(in_place=in_place)
        self._versions = None
        self.keep_up()


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
