"""Exploration and step sizes: the parts that every learner with a table can be given.

`choose` draws an action by the law that the configuration names, `policy` gives its probabilities, `expected` the mean under
them, `step_size` the share of an error that is corrected. All are about one member, `i`, in one state, `x`. The first three
take `me.explorer` and not `me`, so that they are compiled once for all rules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.config import AgentConfig, Count, Finite, NonNegative, Positive, Probability, Within
from rlcourse.agents.tabular.compiled import borrow, compiled

next_uniform = borrow("rlcourse.streams_compiled:next_uniform")
next_integer = borrow("rlcourse.streams_compiled:next_integer")

Exploration = Literal["constant", "linear", "exponential", "inverse", "glie", "softmax", "ucb", "count_bonus"]
Epsilon = Literal["constant", "linear", "exponential", "inverse", "glie"]
"""The laws that are an epsilon."""
CONSTANT, LINEAR, EXPONENTIAL, INVERSE, GLIE, SOFTMAX, UCB, COUNT_BONUS = range(8)
StepSize = Literal["constant", "average", "polynomial"]
AVERAGE, POLYNOMIAL = 1, 2
StepPower = Annotated[float, Within(0.5, 1.0, above=True)]


@dataclass(frozen=True)
class ExplorationConfig(AgentConfig):
    """How actions are chosen while learning.

    With chance epsilon an action at random, else one of those that look best:

        constant     epsilon = final
        linear       epsilon_t = initial + (final - initial) min(1, t / steps)
        exponential  epsilon_t = final + (initial - final) exp(-t / steps)
        inverse      epsilon_t = max(final, initial / (1 + t / steps))
        glie         epsilon(x) = min(1, initial / N(x)), N(x) the visits of the state: greedy in the limit with infinite
                     exploration (Singh, Jaakkola, Littman & Szepesvari 2000, "Convergence results for single-step
                     on-policy reinforcement-learning algorithms")

    or by what is known of the values:

        softmax      P(a) = exp(Q(x, a) / temperature) / sum_b exp(Q(x, b) / temperature)
        ucb          argmax_a Q(x, a) + bonus sqrt(ln N(x) / N(x, a))          (Auer, Cesa-Bianchi & Fischer 2002)
        count_bonus  argmax_a Q(x, a) + bonus / sqrt(N(x, a))                  (Strehl & Littman 2008, MBIE-EB)

    where actions that were never taken come first. An optimistic start is `initial_value` above all that can be had.
    """

    exploration: Exploration = "constant"
    """The law; see the equations of `ExplorationConfig`."""
    exploration_initial_eps: Probability = 1.0
    """Epsilon at the start, where it falls (stable-baselines3)."""
    exploration_final_eps: Probability = 0.1
    """Epsilon at the end, or always with "constant" (Sutton & Barto 2018, examples 6.5 and 6.6)."""
    exploration_steps: Count = 10_000
    """Steps in which epsilon falls: to the end with "linear", by e with "exponential", to the half with "inverse"."""
    temperature: Positive = 1.0
    """Of "softmax", in units of reward: the smaller, the greedier."""
    bonus: NonNegative = 1.0
    """Width of the bonus of "ucb" and "count_bonus", in units of reward."""


@dataclass(frozen=True)
class TabularConfig(ExplorationConfig):
    """What can be set of every learner of a table of action values."""

    learning_rate: Probability = 0.1
    """Step size alpha: the share of an error that is corrected (Sutton & Barto 2018, example 8.1)."""
    step_size: StepSize = "constant"
    """With "constant" alpha, which follows a world that changes and converges to a neighbourhood; with "average" 1 / n at the
    n-th visit of the pair; with "polynomial" n to the power of -`step_size_power`. The last two satisfy the condition for
    convergence with probability 1: sum alpha_n = infinity and sum alpha_n^2 < infinity (Robbins & Monro 1951)."""
    step_size_power: StepPower = 0.8
    """Of "polynomial", in (1/2, 1]: near 1/2 it is polynomial in the horizon, at 1 exponential (Even-Dar & Mansour 2003,
    "Learning rates for Q-learning", who find 0.85 best)."""
    gamma: Probability = 0.99
    """Discount of what comes a step later (stable-baselines3)."""
    history: Count = 1
    """Observations that make a state, the present one and those before it; more than one helps where the state is hidden, and
    makes the table larger by as many times as there are observations."""
    initial_value: Finite = 0.0
    """Value of a pair that was never visited; above all that can be had, the learner is curious (Sutton & Barto 2018,
    section 2.6)."""


class Explorer(NamedTuple):
    """What the laws of exploration read: tables, streams and settings."""

    visits: NDArray[np.int64]
    t: NDArray[np.int64]
    stream: NDArray[np.uint64]
    scratch: NDArray[np.float64]
    exploration: int
    exploration_initial_eps: float
    exploration_final_eps: float
    exploration_steps: int
    temperature: float
    bonus: float


@compiled
def highest(values: Any) -> Any:
    """The maximum of an array."""
    best = values[0]
    for a in range(1, len(values)):
        best = max(best, values[a])
    return best


@compiled
def best_action(explorer: Any, i: Any, values: Any) -> Any:
    """argmax; of several, one by the member's own stream."""
    best, at, ties = values[0], 0, 1
    for a in range(1, len(values)):
        if values[a] > best:
            best, at, ties = values[a], a, 1
        elif values[a] == best:
            ties += 1
    if ties > 1:
        pick = next_integer(explorer.stream, i, ties)
        for a in range(at, len(values)):
            if values[a] == best:
                if pick == 0:
                    return a
                pick -= 1
    return at


@compiled
def epsilon(explorer: Any, i: Any, x: Any) -> Any:
    """The chance of an action at random."""
    first, last = explorer.exploration_initial_eps, explorer.exploration_final_eps
    if explorer.exploration == CONSTANT:
        return last
    time = explorer.t[i] / explorer.exploration_steps
    if explorer.exploration == LINEAR:
        return first + (last - first) * min(1.0, time)
    if explorer.exploration == EXPONENTIAL:
        return last + (first - last) * math.exp(-time)
    if explorer.exploration == INVERSE:
        return max(last, first / (1.0 + time))
    return min(1.0, first / max(1, visits_of(explorer, i, x)))


@compiled
def visits_of(explorer: Any, i: Any, x: Any) -> Any:
    """N(x)."""
    total = 0
    for a in range(explorer.visits.shape[2]):
        total += explorer.visits[i, x, a]
    return total


@compiled
def with_bonus(explorer: Any, i: Any, x: Any, values: Any) -> None:
    """The values with the bonus of the rarely taken, in the member's scratch row."""
    row = explorer.scratch[i]
    factor = 1.0
    if explorer.exploration == UCB:
        factor = math.log(max(1, visits_of(explorer, i, x)))
    for a in range(len(values)):
        count = explorer.visits[i, x, a]
        row[a] = values[a] + explorer.bonus * math.sqrt(factor / count) if count > 0 else np.inf


@compiled
def choose(explorer: Any, i: Any, x: Any, values: Any) -> Any:
    """An action in state `x` that looks like `values [A]`, by the law of exploration."""
    if explorer.exploration < SOFTMAX:
        chance = epsilon(explorer, i, x)
        if chance > 0.0:  # who never explores draws nothing
            u = next_uniform(explorer.stream, i)
            if u < chance:  # u / chance is uniform again
                return min(int(u / chance * len(values)), len(values) - 1)
        return best_action(explorer, i, values)
    if explorer.exploration == SOFTMAX:
        policy(explorer, i, x, values)
        u = next_uniform(explorer.stream, i)
        for a in range(len(values) - 1):
            u -= explorer.scratch[i, a]
            if u < 0.0:
                return a
        return len(values) - 1
    with_bonus(explorer, i, x, values)
    return best_action(explorer, i, explorer.scratch[i])


@compiled
def policy(explorer: Any, i: Any, x: Any, values: Any) -> None:
    """The chance of every action under `choose`, in the member's scratch row `[A]`."""
    row = explorer.scratch[i]
    count = len(values)
    if explorer.exploration == SOFTMAX:
        top, total = highest(values), 0.0
        for a in range(count):
            row[a] = math.exp((values[a] - top) / explorer.temperature)
            total += row[a]
        for a in range(count):
            row[a] /= total
        return
    chance = 0.0
    if explorer.exploration < SOFTMAX:
        chance = epsilon(explorer, i, x)
        for a in range(count):
            row[a] = values[a]
    else:
        with_bonus(explorer, i, x, values)
    best, ties = highest(row), 0
    for a in range(count):
        ties += row[a] == best
    for a in range(count):
        row[a] = chance / count + ((1.0 - chance) / ties if row[a] == best else 0.0)


@compiled
def expected(explorer: Any, i: Any, x: Any, values: Any) -> Any:
    """sum_a pi(a|x) values(a), pi being the law of exploration."""
    total = 0.0
    if explorer.exploration < SOFTMAX:
        for a in range(len(values)):
            total += values[a]
        chance = epsilon(explorer, i, x)
        return chance * total / len(values) + (1.0 - chance) * highest(values)
    policy(explorer, i, x, values)
    for a in range(len(values)):
        total += explorer.scratch[i, a] * values[a]
    return total


@compiled
def share(me: Any, n: Any) -> Any:
    """The share of an error that is corrected at the n-th time, n = 1, 2, ..."""
    if me.step_size == AVERAGE:
        return 1.0 / n
    if me.step_size == POLYNOMIAL:
        return n**-me.step_size_power
    return me.learning_rate


@compiled
def step_size(me: Any, i: Any, x: Any, a: Any) -> Any:
    """The share of an error that is corrected in the value of this pair; a pair that is only imagined counts as new."""
    return share(me, max(1, me.visits[i, x, a]))


@compiled
def explore(me: Any, i: Any, x: Any) -> Any:
    """The action of a member in state `x`, by its action values `Q [S, X, A]`."""
    return choose(me.explorer, i, x, me.Q[i, x])
