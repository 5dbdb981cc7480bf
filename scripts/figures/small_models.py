"""Two small models of the book, as worlds for `FiniteWorld-v0`, and learners in them; for the figures and for the tests."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from scipy.stats import norm

from rlcourse.agents.tabular.compiled import compiled
from rlcourse.agents.tabular.double_q_learning import DoubleQLearning
from rlcourse.agents.tabular.explore import choose
from rlcourse.agents.tabular.q_learning import QLearning
from rlcourse.experiments.episodes import learn_episodes

# -------------------------------------------------------------------- the random walk

WALK = "figures/RandomWalk-v0"
TRUTH = np.arange(-9, 10) / 10
"""The values of the nineteen states."""


class RandomWalk(gymnasium.Env[int, int]):
    """Nineteen states in a row, a step to either side with a half each; the left end pays -1, the right one +1.

    There is one action, so that a value of an action is the value of its state.

    Source: Sutton & Barto (2018), example 7.1.
    """

    observation_space = gymnasium.spaces.Discrete(19)
    action_space = gymnasium.spaces.Discrete(1)
    initial_state_distrib = np.eye(19)[9]
    P = {  # noqa: RUF012
        x: {
            0: [
                (0.5, max(x - 1, 0), -float(x == 0), x == 0),
                (0.5, min(x + 1, 18), float(x == 18), x == 18),
            ]
        }
        for x in range(19)
    }


gymnasium.register(WALK, entry_point=RandomWalk)


def walk_error(agent: Any, table: str, episodes: int = 10) -> np.ndarray:
    """Root mean square error over the states, the mean over the ends of the first episodes, for every member `[S]`.

    Args:
        agent: a population in the random walk.
        table: the attribute that holds its values, `[S, 19]` or `[S, 19, 1]`.
        episodes: how many.
    """
    errors = np.zeros((episodes, agent.size))

    def look(members: np.ndarray, which: np.ndarray) -> None:
        values = getattr(agent, table)[members].reshape(len(members), 19)
        with np.errstate(over="ignore"):  # a step size that is too large
            errors[which, members] = np.sqrt(((values - TRUTH) ** 2).mean(axis=1))

    learn_episodes(agent, episodes, after=look)
    return errors.mean(axis=0)


# -------------------------------------------------------------------- maximisation bias

BIAS = "figures/MaximisationBias-v0"
A, B, LEFT, RIGHT, MANY = 0, 1, 0, 1, 10


def luck(pieces: int = 400) -> np.ndarray:
    """So many equally likely numbers with the mean and variance of N(-0.1, 1), from the middle of its quantiles."""
    z = norm.ppf((np.arange(pieces) + 0.5) / pieces)
    return z / z.std() - 0.1


class MaximisationBias(gymnasium.Env[int, int]):
    """From A it goes right to the end, or left to B; from there ten actions lead to the end, each for N(-0.1, 1).

    Source: Sutton & Barto (2018), example 6.7.
    """

    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(MANY)
    initial_state_distrib = np.array([1.0, 0.0])
    P = {  # noqa: RUF012
        A: {a: [(1.0, B, 0.0, False) if a == LEFT else (1.0, A, 0.0, True)] for a in range(MANY)},
        B: {a: [(1.0 / 400, B, float(reward), True) for reward in luck()] for a in range(MANY)},
    }


gymnasium.register(BIAS, entry_point=MaximisationBias)


@compiled
def two_ways(me: Any, i: Any, x: Any) -> Any:
    """In A there are two actions, not ten; no value is ever learned from those of A."""
    return choose(me.explorer, i, x, me.Q[i, x, :2]) if x == 0 else choose(me.explorer, i, x, me.Q[i, x])


class BiasedQ(QLearning):
    """Q-learning in this world."""

    act = two_ways


class BiasedDoubleQ(DoubleQLearning):
    """Double Q-learning in this world."""

    act = two_ways


def shares_of_left(kind: Any, seeds: int, episodes: int = 300) -> np.ndarray:
    """Whether each member went left in each episode, `[episodes, S]`; step size 0.1, epsilon 0.1, no discount."""
    agent = kind("FiniteWorld-v0", seeds=seeds, env_kwargs={"env": BIAS}, learning_rate=0.1, gamma=1.0)
    return learn_episodes(agent, episodes).lengths == 2
