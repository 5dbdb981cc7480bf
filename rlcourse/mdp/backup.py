"""One step of looking ahead: Q from V, and the actions that are best by it."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from rlcourse.errors import UsageError
from rlcourse.mdp.model import Bools, FiniteMDP, Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array

TIE = 1e-12
"""Relative difference below which two actions count as equal: a thousand roundings of float64."""


def check_gamma(gamma: float) -> float:
    """The discount as a float; UsageError outside [0, 1]."""
    return check_share("gamma", gamma)


def check_share(name: str, value: float) -> float:
    """A float in [0, 1]; UsageError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0.0 <= value <= 1.0:
        raise UsageError(f"{name}={value!r} must be a number in [0, 1]")
    return float(value)


def check_horizon(horizon: int) -> int:
    """The number of steps; UsageError if it is not whole or below 0."""
    try:
        steps = operator.index(horizon)
    except TypeError:
        steps = -1
    if isinstance(horizon, bool) or steps < 0:
        raise UsageError(f"horizon={horizon!r} must be a whole number, at least 0")
    return steps


def check_values(mdp: FiniteMDP, V: ArrayLike) -> Floats:
    """The values as float64 `[..., X]`; UsageError where they are for another number of states."""
    try:
        values = np.asarray(V, np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"V must be numbers: {error}") from None
    if values.ndim == 0 or values.shape[-1] != mdp.n_states:
        raise UsageError(f"V must end in {mdp.n_states} states, got shape {list(values.shape)}")
    return values


def transitions(mdp: FiniteMDP) -> csr_array[Any, tuple[int, int]]:
    """The transitions after which the episode goes on, sparse `[X*A, X]`."""
    from scipy.sparse import csr_array

    first, following, prob = mdp.continuing
    columns, rows = following.view(np.int32), first.view(np.int32)  # the indices of SciPy have signs
    return csr_array((prob, columns, rows), shape=(mdp.n_states * mdp.n_actions, mdp.n_states))


def q_values(mdp: FiniteMDP, V: ArrayLike, gamma: float) -> Floats:
    """What each action is worth if V is what the states are worth.

        Q(x, a) = r(x, a) + gamma sum_y P(y, not terminated | x, a) V(y)     (Sutton & Barto 2018, eq. 4.6)

    Args:
        mdp: the model.
        V: `[X]`, or any number of them, `[..., X]`.
        gamma: discount in [0, 1].

    Returns:
        Q, `[..., X, A]`; -inf for an action that is not available.

    Raises:
        UsageError: V is for another number of states, or gamma is outside [0, 1].
    """
    gamma = check_gamma(gamma)
    values = check_values(mdp, V)
    flat = values.reshape(-1, mdp.n_states)
    ahead = (transitions(mdp) @ flat.T).T.reshape(*values.shape[:-1], mdp.n_states, mdp.n_actions)
    return mdp.expected_reward + gamma * ahead


def optimal_actions(mdp: FiniteMDP, V: ArrayLike, gamma: float, *, tol: float = 1e-9) -> Bools:
    """The actions whose Q is within `tol` of the best, bool `[..., X, A]`; with V = V*, all that are optimal.

    With gamma = 1 being optimal by one step does not make a policy optimal: one that only walks among states of equal value
    never arrives. `value_iteration` gives a policy that does.

    Args:
        mdp: the model.
        V: `[..., X]`.
        gamma: discount in [0, 1].
        tol: how much worse than the best still counts; at least twice the error of V.

    Raises:
        UsageError: V is for another number of states, or gamma is outside [0, 1].
    """
    Q = q_values(mdp, V, gamma)
    best = Q.max(axis=-1, keepdims=True)
    return mdp.available & (best - Q <= tol)


def greedy_policy(mdp: FiniteMDP, V: ArrayLike, gamma: float) -> Ints:
    """argmax_a Q(x, a), int64 `[..., X]`; of actions that are equal but for rounding, the one with the lowest number.

    See `optimal_actions` for what this does not promise with gamma = 1.

    Args:
        mdp: the model.
        V: `[..., X]`.
        gamma: discount in [0, 1].

    Raises:
        UsageError: V is for another number of states, or gamma is outside [0, 1].
    """
    return first_best(q_values(mdp, V, gamma))


def first_best(Q: Floats) -> Ints:
    """The first action of `[..., X, A]` that is best but for rounding, int64 `[..., X]`."""
    best = Q.max(axis=-1, keepdims=True)
    slack = np.where(np.isfinite(best), TIE * np.abs(best), 0.0)
    return np.asarray((best - Q <= slack).argmax(axis=-1), np.int64)
