"""Gymnasium's form of a model, `P[state][action] = [(prob, next, reward, terminated), ...]`, read and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlcourse.errors import UsageError
from rlcourse.mdp.model import FiniteMDP
from rlcourse.mdp.validation import as_array


def read_env(env: gymnasium.Env[Any, Any], *, start: ArrayLike | int | None = None) -> FiniteMDP:
    """See `FiniteMDP.from_env`."""
    if not isinstance(env, (gymnasium.Env, gymnasium.vector.VectorEnv)):
        raise UsageError(f"a model is read from an environment (gymnasium.make gives one), not from {env!r}")
    world: Any = env.unwrapped
    name = world.spec.id if getattr(world, "spec", None) is not None else type(world).__name__
    if callable(getattr(world, "model", None)):
        model = world.model()
        if not isinstance(model, FiniteMDP):
            raise UsageError(f"model() of {name} must give a FiniteMDP, got {type(model).__name__}")
        if start is None:
            return model
        begin = start_distribution(start, model.n_states)
        return FiniteMDP(model.first, model.prob, model.next, model.reward, model.terminated, begin)
    if not hasattr(world, "P"):
        raise UsageError(f"{name} gives no model to plan with: it has neither model() nor Gymnasium's P")
    if start is None:
        for attribute in ("initial_state_distrib", "isd", "start_state_index"):
            start = getattr(world, attribute, None)
            if start is not None:
                break
        else:
            raise UsageError(
                f"{name} has P, but does not say where episodes begin: give start=, a state or the chance of each"
            )
    for space, what in ((env.observation_space, "observations"), (env.action_space, "actions")):
        if isinstance(space, gymnasium.spaces.Discrete) and space.start != 0:
            raise UsageError(f"the {what} of {name} are counted from {space.start}; planning counts from 0")
    n_actions = (
        int(world.action_space.n) if isinstance(world.action_space, gymnasium.spaces.Discrete) else None
    )
    return read_P(world.P, start=start, n_actions=n_actions)


def read_P(  # noqa: N802  (Gymnasium's name)
    P: Mapping[int, Any] | Sequence[Any], *, start: ArrayLike | int, n_actions: int | None = None
) -> FiniteMDP:
    """See `FiniteMDP.from_P`."""
    states = [key for key, _ in _items(P, "P")]
    if sorted(states) != list(range(len(states))):
        raise UsageError(f"the states of P must be 0..{len(states) - 1}")
    rows: list[tuple[Any, ...]] = []
    for x, actions in _items(P, "P"):
        for a, outcomes in _items(actions, f"P[{x}]"):
            if not isinstance(outcomes, (Sequence, np.ndarray)) or isinstance(outcomes, (str, bytes)):
                raise UsageError(f"P[{x}][{a}] must be a list of outcomes, got {type(outcomes).__name__}")
            for outcome in outcomes:
                if not isinstance(outcome, (tuple, list)) or len(outcome) != 4:
                    raise UsageError(
                        f"P[{x}][{a}] must be a list of (prob, next, reward, terminated), but has {outcome!r} in it"
                    )
                rows.append((x, a, *outcome))
    columns = list(zip(*rows, strict=True)) or [()] * 6
    return FiniteMDP.from_outcomes(
        *columns, start=start_distribution(start, len(states)), n_actions=n_actions
    )


def write_P(mdp: FiniteMDP) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:  # noqa: N802
    """See `FiniteMDP.to_P`."""
    outcomes = list(
        zip(mdp.prob.tolist(), mdp.next.tolist(), mdp.reward.tolist(), mdp.terminated.tolist(), strict=True)
    )
    first, A = mdp.first.tolist(), mdp.n_actions
    return {
        x: {
            a: outcomes[first[x * A + a] : first[x * A + a + 1]]
            for a in range(A)
            if first[x * A + a] < first[x * A + a + 1]
        }
        for x in range(mdp.n_states)
    }


def start_distribution(start: ArrayLike | int, states: int) -> NDArray[np.float64]:
    """Chances `[X]`: as given, or all on one state.

    Raises:
        UsageError: a state that does not exist, or chances for another number of states.
    """
    given = np.asarray(start)
    if given.ndim == 0 and given.dtype.kind in "iu":
        if not 0 <= int(given) < states:
            raise UsageError(f"start={start!r} is no state; there are {states}")
        return np.eye(1, states, int(given))[0]
    if given.shape != (states,):
        raise UsageError(f"start must be a state or chances of shape [{states}], got {list(given.shape)}")
    return as_array("start", given, np.float64)


def _items(table: Any, name: str) -> Iterator[tuple[int, Any]]:
    """Keys and values of a mapping, or of a sequence by its places."""
    if isinstance(table, Mapping):
        for key in table:
            if isinstance(key, bool) or not isinstance(key, (int, np.integer)):
                raise UsageError(f"the keys of {name} must be whole numbers, not {key!r}")
        return ((int(key), value) for key, value in table.items())
    if isinstance(table, (Sequence, np.ndarray)) and not isinstance(table, (str, bytes)):
        return iter(enumerate(table))
    raise UsageError(f"{name} must be a mapping or a sequence, got {type(table).__name__}")
