"""Copies of a world as a native `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlcourse.envs.face import RENDER_METADATA, Face, check_seed
from rlcourse.envs.options import check_count
from rlcourse.envs.rules import CompiledWorld, State, row_of
from rlcourse.errors import UsageError

_INT64 = np.dtype(np.int64)
_FEW = 32
"""Up to so many numbers, Python looks through a list sooner than NumPy starts."""


class WorldVectorEnv(Face, gymnasium.vector.VectorEnv[Any, Any, Any]):
    """`num_envs` copies of a world in lockstep, as a native `gymnasium.vector.VectorEnv`.

    Args:
        num_envs: how many copies.
        autoreset_mode: `AutoresetMode` or its value: "NextStep" (Gymnasium's default), "SameStep",
            "Disabled".
        render_mode: as in `WorldEnv`; `render()` gives a tuple with a picture a copy.
        options: the fields of the rules, all JSON values.

    Raises:
        UsageError: an impossible option.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        num_envs = check_count("num_envs", num_envs)
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError:
            known = ", ".join(repr(mode.value) for mode in AutoresetMode)
            raise UsageError(f"autoreset_mode={autoreset_mode!r} is unknown: choose from {known}") from None
        if render_mode == "human":
            raise UsageError("render_mode='human' shows one world: use it with gymnasium.make, not make_vec")
        self._build(num_envs, render_mode, options)
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.metadata = {**RENDER_METADATA, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = self.rules.observation_space
        self.single_action_space = self.rules.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._shape = (num_envs,)
        self._n_actions = int(self.single_action_space.n)
        self._never_resets = self.autoreset_mode is AutoresetMode.DISABLED
        self._resets_at_once = self.autoreset_mode is AutoresetMode.SAME_STEP
        self._finished = np.zeros(num_envs, np.bool_)
        self._any_finished = False
        self._all = np.ones(num_envs, np.bool_)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes in all copies, or in those of `options["reset_mask"]` (`bool [num_envs]`).

        Args:
            seed: an int (copy `i` gets `seed + i`), one seed a copy, or `None` to go on with the streams as
                they are.
            options: `reset_mask`, `same_problem`, `hold`, `same_life`; never altered.

        Returns:
            Observations `[num_envs, ...]` and the info of the copies that were reset.

        Raises:
            UsageError: a list of seeds of another length, or a mask of another shape or dtype or without a
                True.
        """
        mask = (options or {}).get("reset_mask")
        if mask is None:
            rows = np.arange(self.num_envs)
        else:
            if not isinstance(mask, np.ndarray) or mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
                raise UsageError(f"options['reset_mask'] must be a bool array of shape ({self.num_envs},)")
            rows = np.flatnonzero(mask)
            if not rows.size:
                raise UsageError("options['reset_mask'] must be True for at least one copy")
            if not self._started and rows.size < self.num_envs:
                raise UsageError(
                    "options['reset_mask'] leaves copies out, but the first reset is of all copies"
                )
        if seed is None and self._started:
            self._begin(rows, None, options)
        else:
            self._begin_rows(rows, self._seeds(seed), options)
        self._finished[rows] = False
        self._any_finished = bool(self._finished.any())
        present = self._all if mask is None else mask
        return self.rules.observe(self._state), self._infos(self.rules.reset_info(self._state), present)

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, (int, np.integer)):
            return [check_seed(seed) + i for i in range(self.num_envs)]
        if isinstance(seed, (str, bytes)) or not isinstance(seed, (Sequence, np.ndarray)):
            raise UsageError(f"seed={seed!r} must be a whole number, a list with one for each copy, or None")
        if len(seed) != self.num_envs:
            raise UsageError(
                f"seed has {len(seed)} entries for {self.num_envs} copies: give one each, or one int"
            )
        return [None if one is None else check_seed(one) for i, one in enumerate(seed)]

    def _begin_rows(
        self, rows: NDArray[np.intp], seeds: list[int | None], options: dict[str, Any] | None
    ) -> None:
        """Reset `rows`: first those with a seed of their own, then those that go on with their streams."""
        chosen = [seeds[row] for row in rows]
        if not self._started and None in chosen:
            entropy = self.np_random.integers(2**63, size=self.num_envs)
            chosen = [
                int(entropy[row]) if one is None else one for row, one in zip(rows, chosen, strict=True)
            ]
        if None not in chosen:
            self._begin(rows, chosen, options)
            return
        seeded = np.array([one is not None for one in chosen])
        if seeded.any():
            self._begin(rows[seeded], [one for one in chosen if one is not None], options)
        self._begin(rows[~seeded], None, options)

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One action a copy: observations, rewards, terminated, truncated, info (arrays with `_key` masks).

        Raises:
            UsageError: an action outside the space, or (mode DISABLED) a copy whose episode is over.
        """
        if not self._started:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        actions = self._as_actions(actions)
        if not self._any_finished:
            outcome = self.rules.step(self._state, actions)
            stepped = self._all
        elif self._never_resets:
            over = np.flatnonzero(self._finished)
            raise UsageError(
                f"copy {over[0]} is finished: with autoreset_mode='Disabled' "
                "call reset(options={'reset_mask': ...})"
            )
        else:  # NEXT_STEP: the finished copies begin anew instead of moving
            stepped = ~self._finished
            outcome = self.rules.step_or_reset(self._state, actions, self._finished)
        rewards, terminated, truncated, _ = outcome
        infos = self._infos(outcome.info, stepped, everyone=True)
        done = terminated | truncated
        self._any_finished = bool(np.count_nonzero(done))
        if self._resets_at_once:
            if self._any_finished:
                infos = self._same_step(done, outcome.info)
                self._any_finished = False
        else:
            self._finished = done
        return self.rules.observe(self._state), rewards, terminated, truncated, infos

    def _as_actions(self, given: Any) -> NDArray[np.int64]:
        """The actions as rules want them. This is looked at in every step, so what is right already has to cost little."""
        actions = given
        # Compiled rules would be compiled anew for every other kind of array.
        if type(actions) is not np.ndarray or actions.dtype != _INT64 or not actions.flags.carray:
            actions = np.asarray(given)
            if actions.dtype.kind in "iu":
                actions = np.require(actions, np.int64, ("C", "W"))
        if actions.shape != self._shape or actions.dtype != _INT64:
            raise UsageError(
                f"actions are {actions.dtype}{list(actions.shape)}, expected integers [{self.num_envs}]"
            )
        n = self._n_actions
        if self.num_envs <= _FEW:
            numbers = actions.tolist()
            fine = max(numbers) < n and min(numbers) >= 0
        else:  # one look: a negative action is a huge unsigned one
            fine = int(actions.view(np.uint64).max()) < n
        if not fine:
            wrong = actions[(actions < 0) | (actions >= n)][0]
            raise UsageError(f"action {wrong} is outside 0..{n - 1}, the actions of {type(self).__name__}")
        return actions

    def _same_step(self, done: NDArray[np.bool_], info: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """Reset the finished copies at once; the last observations go to `final_obs`, `final_info`."""
        last = self.rules.observe(self._state)
        final_obs = np.full(self.num_envs, None, dtype=object)
        rows = np.flatnonzero(done)
        for row in rows:
            final_obs[row] = row_of(last, int(row))
        self._begin(rows, None, None)
        infos: dict[str, Any] = {"final_obs": final_obs, "_final_obs": done.copy()}
        infos["final_info"] = self._infos(info, done)
        infos["_final_info"] = done.copy()
        infos.update(self._infos({**info, **self.rules.reset_info(self._state)}, ~done, everyone=True))
        return infos

    def _infos(
        self, info: dict[str, NDArray[Any]], present: NDArray[np.bool_], *, everyone: bool = False
    ) -> dict[str, Any]:
        """Gymnasium's vector infos: every key with a `_key` mask, zeros where a copy has none.

        Args:
            info: arrays `[num_envs, ...]`.
            present: the copies that it is about.
            everyone: the other copies were reset, so they have the keys that a reset gives.
        """
        infos: dict[str, Any] = {}
        for key, value in info.items():
            who = self._all if everyone and key in self.rules.reset_keys else present
            if who is not self._all:
                if not who.any():
                    continue
                value = np.where(
                    who.reshape((-1,) + (1,) * (value.ndim - 1)), value, np.zeros((), value.dtype)
                )
            infos[key] = value
            infos["_" + key] = who.copy()
        return infos

    def compiled_world(self) -> CompiledWorld | None:
        """The copies for a loop in compiled code, which says with `moved` when it is done; `None` where there is none."""
        return self.rules.compiled(self._state) if self._started else None

    def moved(self, over: NDArray[np.bool_]) -> Any:
        """A compiled loop has moved the copies: what they observe now.

        Args:
            over: bool `[num_envs]`, the copies whose episode is over.
        """
        self._finished = over.copy()
        self._any_finished = bool(over.any())
        return self.rules.observe(self._state)

    def render(self) -> tuple[Any, ...] | None:
        """A picture (`rgb_array`) or a text (`ansi`) for every copy."""
        if self.render_mode is None:
            return None
        if self.render_mode == "ansi":
            return tuple(self.rules.describe(self._state, row) for row in range(self.num_envs))
        return tuple(self._paint(row) for row in range(self.num_envs))

    def get_state(self) -> State:
        """A copy of every state array, and of which copies wait for a reset (`finished`)."""
        return {**self._snapshot(), "finished": self._finished.copy()}

    def set_state(self, state: State) -> None:
        """Go on from a snapshot that `get_state` gave.

        Raises:
            UsageError: the arrays are not those of this world with these options and as many copies.
        """
        rest = {name: array for name, array in state.items() if name != "finished"}
        if "finished" not in state:
            raise UsageError("this state is not one of a vector environment: it lacks 'finished'")
        finished = np.asarray(state["finished"])
        if finished.shape != self._finished.shape or finished.dtype != np.bool_:
            raise UsageError(
                f"state['finished'] is {finished.dtype}{list(finished.shape)}, expected bool[{self.num_envs}]"
            )
        self._restore(rest)
        self._finished = finished.copy()
        self._any_finished = bool(self._finished.any())
