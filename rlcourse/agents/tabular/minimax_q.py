"""Minimax-Q: learn what can be had against whatever the opponent does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Count, Finite, Probability
from rlcourse.agents.tabular.base import TabularAgent, tables
from rlcourse.agents.tabular.compiled import borrow, compiled
from rlcourse.agents.tabular.explore import Epsilon, epsilon
from rlcourse.errors import UsageError

next_uniform = borrow("rlcourse.streams_compiled:next_uniform")
solve = borrow("rlcourse.mdp.compiled_games:solve")

Tables = tables(
    __name__, "V", "pi", "opponent_action", "tableau", "labels", "reply", "in_turn", "learning_rate_steps"
)


@dataclass(frozen=True)
class MinimaxQConfig(AgentConfig):
    """Settings of `minimax_q`."""

    exploration: Epsilon = "constant"
    """How epsilon, the chance of an action at random, changes; see the equations of `ExplorationConfig`."""
    exploration_initial_eps: Probability = 1.0
    """Epsilon at the start, where it falls (stable-baselines3)."""
    exploration_final_eps: Probability = 0.2
    """Epsilon at the end, or always with "constant" (Littman 1994, section 4, `explor`)."""
    exploration_steps: Count = 10_000
    """Steps in which epsilon falls: to the end with "linear", by e with "exponential", to the half with "inverse"."""
    learning_rate: Probability = 1.0
    """Step size alpha of the first step (Littman 1994, figure 1)."""
    learning_rate_steps: Count = 1_000_000
    """Steps in which alpha falls to a hundredth: alpha_t = alpha 0.01^(t / steps) (Littman 1994, section 4, `decay`)."""
    gamma: Probability = 0.9
    """Discount of what comes a round later (Littman 1994, section 4)."""
    initial_value: Finite = 0.0
    """Value of what was never tried. (Littman has 1, in a game that pays 0 or 1; of one that is fair, 0 is the value.)"""


@compiled
def act(me: Any, i: Any, x: Any) -> Any:
    """With chance epsilon an action at random, else one by pi."""
    chance = epsilon(me.explorer, i, x)
    u = next_uniform(me.stream, i)
    if u < chance:  # u / chance is uniform again
        return min(int(u / chance * me.pi.shape[2]), me.pi.shape[2] - 1)
    return by_chance(me.pi[i, x], (u - chance) / (1.0 - chance))


@compiled
def play(me: Any, i: Any, x: Any) -> Any:
    """An action by pi."""
    return by_chance(me.pi[i, x], next_uniform(me.stream, i))


@compiled
def by_chance(odds: Any, u: Any) -> Any:
    """The action to which a uniform number leads."""
    last = 0
    for a in range(len(odds)):
        if odds[a] > 0.0:
            last = a
            if u < odds[a]:
                return a
            u -= odds[a]
    return last


@compiled
def hear(me: Any, i: Any, b: Any) -> None:
    """The opponent did `b`; -1 is nothing."""
    me.opponent_action[i] = b


@compiled
def update(me: Any, i: Any, x: Any, a: Any, r: Any, y: Any, terminated: Any, truncated: Any) -> None:
    """Q(S, A, B) <- Q(S, A, B) + alpha [R + gamma V(S') - Q(S, A, B)];  V(S) <- max_pi min_b sum_a pi(a) Q(S, a, b)."""
    b = me.opponent_action[i]
    if b < 0 and not terminated:  # time was up before the answer
        return
    target = r if terminated else r + me.gamma * me.V[i, y]
    alpha = me.learning_rate * 0.01 ** ((me.t[i] - 1) / me.learning_rate_steps)
    for answer in range(me.Q.shape[3]):
        if (
            answer == b or b < 0
        ):  # the game ended before there was an answer: it would have been the same with each
            me.Q[i, x, a, answer] += alpha * (target - me.Q[i, x, a, answer])
    if me.in_turn:
        decide_in_turn(me, i, x)
    else:
        me.V[i, x] = solve(me.Q[i, x], me.tableau[i], me.labels[i], me.pi[i, x], me.reply[i])


@compiled
def decide_in_turn(me: Any, i: Any, x: Any) -> None:
    """V(x) = max_a min_b Q(x, a, b), as the opponent sees a before it answers; pi is even among the best."""
    odds = me.pi[i, x]
    best, ties = -np.inf, 0
    for a in range(len(odds)):
        worst = me.Q[i, x, a, 0]
        for b in range(1, me.Q.shape[3]):
            worst = min(worst, me.Q[i, x, a, b])
        odds[a] = worst
        ties = 1 if worst > best else ties + (worst == best)
        best = max(best, worst)
    for a in range(len(odds)):
        odds[a] = 1.0 / ties if odds[a] == best else 0.0
    me.V[i, x] = best


class MinimaxQ(TabularAgent):
    """Learn the values of the pairs of what both do, and play what is best against the worst answer.

        Q(S, A, B) <- Q(S, A, B) + alpha [R + gamma V(S') - Q(S, A, B)]
        V(S) = max_pi min_b sum_a pi(a) Q(S, a, b)             both at once: pi is mixed, the value that of a matrix game
        V(S) = max_a min_b Q(S, a, b)                          in turn: the opponent answers what it has seen

    B is what the opponent did, which it observes (`info["opponent_action"]`). It learns the same whoever the opponent is, if
    only all pairs are met again and again: what it secures, not how to profit from one opponent's weakness. The matrix games
    are solved exactly, by the simplex method.

    Where the game ends with the agent's own move, there is no answer, and the values of all are updated. (In a slippery duel,
    where the same move ends the game now and then, this weighs too much with answers that are rare.)

    State beside that of every learner: `Q float64 [S, X, A, B]`, `V float64 [S, X]`, `pi float64 [S, X, A]` (the policy
    without exploration), `opponent_action int64 [S]`.

    Source: Littman (1994), "Markov games as a framework for multi-agent reinforcement learning".
    """

    name = "minimax_q"
    config_class = MinimaxQConfig
    config: MinimaxQConfig
    tables = Tables
    act = act
    update = update
    hear = hear
    of_episode: ClassVar[dict[str, float]] = {"next_action": -1, "opponent_action": -1}
    derived = ("tableau", "labels", "reply", "in_turn")

    n_answers: int
    """B."""
    in_turn: bool
    """Whether the opponent moves after the agent."""
    V: NDArray[np.float64]
    pi: NDArray[np.float64]
    opponent_action: NDArray[np.int64]

    def _prepare(self) -> None:
        answers = self._said("opponent_actions")
        if answers is None:
            raise UsageError(
                f"minimax_q learns from what an opponent does and cannot learn in {self.spec.id}, which has none: it fits "
                "CandyDuel-v0"
            )
        self.n_answers, self.in_turn = answers, self._said("in_turn")
        super()._prepare()
        size, A, B = self.size, self.n_actions, self.n_answers
        self.tableau, self.labels = np.empty((size, A + 1, B + 1)), np.empty((size, A + B), np.int64)
        self.reply = np.empty((size, B))

    @property
    def pair_bytes(self) -> int:
        """See `TabularAgent.pair_bytes`: the values of all answers, the visits and the policy."""
        return 8 * self.n_answers + 16

    def initial_state(self, size: int) -> Arrays:
        """See the class."""
        X, A, value = self.n_states, self.n_actions, float(self.config.initial_value)
        return {
            "Q": np.full((size, X, A, self.n_answers), value),
            "V": np.full((size, X), value),
            "pi": np.full((size, X, A), 1.0 / A),
            "visits": np.zeros((size, X, A), np.int64),
            "t": np.zeros(size, np.int64),
            "next_action": np.full(size, -1, np.int64),
            "opponent_action": np.full(size, -1, np.int64),
        }

    def values(self) -> NDArray[np.float64]:
        """What every action is worth against the answer that is worst for it, `[S, X, A]`."""
        return np.asarray(self.Q.min(axis=3))

    def policy(self) -> NDArray[Any]:
        """See `TabularAgent.policy`: at once the chances of pi."""
        return super().policy() if self.in_turn else self.pi

    def best_actions(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """In turn the best action; at once one drawn by pi, for who can be foreseen can be beaten."""
        return super().best_actions(x) if self.in_turn else self.drawn_actions(x, play)

    def _listen(self, info: dict[str, Any]) -> None:
        self.opponent_action[:] = info["opponent_action"]
