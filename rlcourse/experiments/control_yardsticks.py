"""How good a policy is in a finite world, exactly: nothing is sampled.

Policies are arrays of a whole population, int64 `[S, X]` or chances `[S, X, A]`, over the states of a model; `policy_of` gives
the greedy ones of a population whose observations are these states. The value of each is the solution of a linear system.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlcourse.errors import UsageError
from rlcourse.mdp import FiniteMDP, evaluate_policy, optimal_actions, value_iteration

if TYPE_CHECKING:
    from rlcourse.agents.base import Agent
    from rlcourse.envs.maze.env import MazeEnv

Floats = NDArray[np.float64]


def policy_of(agent: Agent, mdp: FiniteMDP) -> NDArray[np.int64]:
    """What every member does in every state of a model when it acts by the best it knows, int64 `[S, X]`.

    Args:
        agent: a population that observes the number of the state.
        mdp: the model of its world.

    Raises:
        UsageError: it observes something else, or chooses among other actions.
    """
    space: Any = agent.venv.single_observation_space
    actions: Any = agent.venv.single_action_space
    if getattr(space, "n", None) != mdp.n_states or actions.n != mdp.n_actions:
        raise UsageError(
            f"{agent.name} in {agent.spec.id} observes {space}, not the {mdp.n_states} states and {mdp.n_actions} actions of "
            f"the model: choose the observation that shows the state (observation='index')"
        )
    states = np.broadcast_to(np.arange(mdp.n_states) + space.start, (agent.size, mdp.n_states))
    fresh = np.ones(states.shape, np.bool_)
    return agent.predict(states, None, fresh)[0] - int(actions.start)


def greedy_value(mdp: FiniteMDP, policy: ArrayLike, gamma: float = 1.0, horizon: int | None = None) -> Floats:
    """The expected return of each policy from the start, float64 `[S]`; -inf for one that may lose without end.

    Args:
        mdp: the model.
        policy: `[S, X]` or `[S, X, A]`.
        gamma: discount; 1, as returns are reported.
        horizon: steps after which an episode is cut off; None: never.
    """
    return mdp.start_value(evaluate_policy(mdp, policy, gamma, horizon=horizon))


def distance_to_optimum(mdp: FiniteMDP, policy: ArrayLike, gamma: float) -> Floats:
    """max_x V*(x) - V_pi(x) over the states that can be reached, float64 `[S]`: what the worst start costs.

    Args:
        mdp: the model.
        policy: `[S, X]` or `[S, X, A]`.
        gamma: discount in [0, 1].
    """
    best, _ = value_iteration(mdp, gamma)
    return np.asarray((best - evaluate_policy(mdp, policy, gamma))[..., mdp.reachable()].max(axis=-1))


def value_error(mdp: FiniteMDP, V: ArrayLike, gamma: float) -> Floats:
    """Root mean square of V(x) - V*(x) over the states that can be reached, float64 `[S]`: how wrong the beliefs are.

    Args:
        mdp: the model.
        V: what the members believe, `[S, X]`, for instance `agent.values().max(axis=2)`.
        gamma: discount in [0, 1].
    """
    best, _ = value_iteration(mdp, gamma)
    error = (np.asarray(V, np.float64) - best)[..., mdp.reachable()]
    return np.asarray(np.sqrt((error**2).mean(axis=-1)))


def optimal_share(mdp: FiniteMDP, policy: ArrayLike, gamma: float) -> Floats:
    """The share of the states that can be reached in which the action is an optimal one, float64 `[S]`.

    Of a policy that draws its actions, the mean chance of an optimal one.

    Args:
        mdp: the model.
        policy: `[S, X]` or `[S, X, A]`.
        gamma: discount in [0, 1].
    """
    best, _ = value_iteration(mdp, gamma)
    good = optimal_actions(mdp, best, gamma, tol=max(1e-9, 4e-8 * gamma))
    given, states = np.asarray(policy), np.flatnonzero(mdp.reachable())
    if given.dtype.kind in "iu":
        return np.asarray(good[states, given[..., states]].mean(axis=-1))
    return np.asarray((given * good)[..., states, :].sum(axis=-1).mean(axis=-1))


def win_rate_from(mdp: FiniteMDP, policy: ArrayLike, states: ArrayLike, wins: ArrayLike) -> Floats:
    """The chance of each policy to win, the mean over games that begin in each of these states, float64 `[S]`.

    It is the chance to be absorbed by a winning end, the value of the policy if a win paid 1 and all else nothing: exactly 0
    or 1 from each state of a deterministic world, where a policy that walks in circles never wins.

    Args:
        mdp: the model.
        policy: `[S, X]` or `[S, X, A]`.
        states: int `[C]`.
        wins: bool `[K]`, the outcomes of the model that end a game with a win.

    Source: the course's `check_win_all`; Kemeny & Snell (1960), "Finite Markov chains", theorem 3.3.7.
    """
    won = np.asarray(wins, np.bool_) & mdp.terminated
    game = dataclasses.replace(mdp, reward=won.astype(np.float64))
    chances = evaluate_policy(game, policy, 1.0)[..., np.asarray(states, np.int64)]
    return np.asarray(np.clip(chances, 0.0, 1.0).mean(axis=-1))


def win_rate_from_every_cell(agent: Agent, env: MazeEnv) -> Floats:
    """The share of the cells of a maze from which each member's greedy policy wins, float64 `[S]`.

    The walker is put into every cell where a game can go on, all else as in `env` now (see `everywhere`). Where the agent
    observes the states of the world's model, the chance to win is computed; in a maze without chance it is played out, as long
    as the world's time limit, which is as exact.

    Args:
        agent: a population that has learned in this world, or in one that looks the same.
        env: the maze, unwrapped, after a reset.

    Raises:
        UsageError: the world is no maze, or one with chance whose states are not observed.
    """
    from rlcourse.envs.maze.everywhere import everywhere
    from rlcourse.envs.maze.rules import MazeRules

    rules: Any = getattr(env, "rules", None)
    if not isinstance(rules, MazeRules):
        raise UsageError(f"{env} is no maze: it has no cells to start from")
    _, copies = everywhere(rules, env._state)
    if rules.observation == "index" and not rules.feedback:
        mdp, states = env.model(), np.asarray(rules.observe(copies))
        return win_rate_from(mdp, policy_of(agent, mdp), states, _wins(rules, mdp))
    if rules.slip or rules.gusty or rules.boxes or rules.walkers > 1:
        raise UsageError(
            f"{agent.spec.id} has chance in it, and its observation is not the state: choose observation='index'"
        )
    return _play_out(agent, rules, copies)


def _wins(rules: Any, mdp: FiniteMDP) -> NDArray[np.bool_]:
    """The ends of an indexed model that are no traps, bool `[K]`."""
    from rlcourse.envs.maze.board import NUMBER, NUMBERS, R_TRAP, SLOT

    if rules.walkers > 1:
        raise UsageError("the win rate from every cell is that of a single walker")
    which, number = np.divmod(mdp.next >> rules.n_candies, rules.board.plan[NUMBERS])
    traps = np.zeros((rules.grid.alternatives, rules.board.plan[NUMBERS]), np.bool_)
    for m, tile in enumerate(rules.board.tile[: len(traps)]):
        traps[m, tile[NUMBER, (tile[SLOT] == R_TRAP) & (tile[NUMBER] >= 0)]] = True
    return mdp.terminated & ~traps[which, number]


def _play_out(agent: Agent, rules: Any, copies: dict[str, NDArray[Any]]) -> Floats:
    """A game of every member from each of the copies, side by side."""
    from rlcourse.agents.evaluation import LONGEST
    from rlcourse.agents.observations import in_rows

    size, starts = agent.size, len(copies["core"])
    state = rules.allocate(size * starts)
    for name, array in state.items():
        array[...] = np.tile(copies[name], (size, *(1,) * (array.ndim - 1)))
    won, running = np.zeros(size * starts, np.bool_), np.ones(size * starts, np.bool_)
    memory, first = None, np.ones((size, starts), np.bool_)
    for _ in range(rules.max_steps or LONGEST):
        seen = in_rows(rules.observe(state), (size, starts))
        actions, memory = agent.predict(seen, memory, first)
        outcome = rules.step(state, np.ascontiguousarray(actions.reshape(-1)))
        won |= running & outcome.info["is_success"]
        running &= ~(outcome.terminated | outcome.truncated)
        if not running.any():
            break
        first = np.zeros_like(first)
    return np.asarray(won.reshape(size, starts).mean(axis=1))
