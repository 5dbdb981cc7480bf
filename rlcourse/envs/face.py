"""What the two faces of a world share, `gymnasium.Env` and the native `gymnasium.vector.VectorEnv` over one set of rules.

The scalar world is a batch of one, so no dynamics are written twice. Every sub-environment owns its random
streams (`rlcourse.streams`), which are part of the state arrays; hence a snapshot of the arrays is a snapshot
of the world, and sub-environment `i` of a batch that was reset with seed `s` equals the scalar world reset
with `s + i`, whatever its neighbours do.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.rules import Rules, State, build_rules
from rlcourse.errors import UsageError, did_you_mean
from rlcourse.streams import stream_keys

RENDER_METADATA: dict[str, Any] = {"render_modes": ["human", "rgb_array", "ansi"], "render_fps": 10}


class Face:
    """What the scalar and the vector face share: the rules, the state arrays and their streams."""

    rules_class: ClassVar[type[Rules]]
    rules: Rules
    _state: State
    _batch: int
    _started: bool

    def _build(self, batch: int, render_mode: str | None, options: dict[str, Any]) -> None:
        modes = RENDER_METADATA["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise UsageError(f"render_mode={render_mode!r} is unknown: choose from {modes} or None")
        self.rules = build_rules(self.rules_class, options)
        self._batch = batch
        self._state = self._allocate()
        self._started = False

    def _allocate(self) -> State:
        state = self.rules.allocate(self._batch)
        for name in self.rules.streams:
            state.setdefault(name, np.zeros(self._batch, np.uint64))
        return state

    def _begin(
        self, rows: NDArray[np.intp], seeds: Sequence[int] | None, options: dict[str, Any] | None
    ) -> None:
        """Reset `rows`, re-keying their streams from `seeds` where these are given."""
        hold = self._held(options or {})
        if seeds is not None:
            for name in self.rules.streams:
                if name not in hold:
                    self._state[name][rows] = stream_keys(seeds, name)
            if not (self._started and (options or {}).get("same_life", False)):
                self.rules.revive(self._state, rows)
        self._started = True
        self.rules.reset(self._state, rows, hold=hold)

    def _held(self, options: dict[str, Any]) -> tuple[str, ...]:
        """The problem streams that `same_problem` or `hold` name."""
        known = self.rules.problem
        hold = options.get("hold", ())
        if isinstance(hold, str) or not isinstance(hold, Collection):
            raise UsageError(f"options['hold']={hold!r} must be a list of names, out of {', '.join(known)}")
        for name in hold:
            if name not in known:
                raise UsageError(f"options['hold']: {did_you_mean(str(name), known, kind='name')}")
        chosen = known if options.get("same_problem", False) else tuple(hold)
        if chosen and not self._started:
            raise UsageError(
                "options={'same_problem': True} keeps the last episode's problem, but there is none yet"
                if options.get("same_problem")
                else f"options['hold']={list(hold)!r} keeps what the last episode had, but there is none yet"
            )
        return chosen

    def versions(self) -> NDArray[np.float64] | None:
        """What the finite model of each copy depends on now, a row a copy; `None` in a world that never changes."""
        return self.rules.versions(self._state)

    def _paint(self, row: int) -> Any:
        module, function = self.rules.painter.split(":")
        return getattr(importlib.import_module(module), function)(self.rules, self._state, row)

    def _snapshot(self) -> State:
        derived = self.rules.derived
        return {name: array.copy() for name, array in self._state.items() if name not in derived}

    def _restore(self, state: State) -> None:
        mine = {name: array for name, array in self._state.items() if name not in self.rules.derived}
        if state.keys() != mine.keys():
            odd = sorted(state.keys() ^ mine.keys())
            raise UsageError(
                f"this state is not one of {type(self).__name__}: it differs in {', '.join(odd)}"
            )
        for name, array in mine.items():
            given = np.asarray(state[name])
            if given.shape != array.shape or given.dtype != array.dtype:
                raise UsageError(
                    f"state[{name!r}] is {given.dtype}{list(given.shape)}, "
                    f"this world's is {array.dtype}{list(array.shape)}"
                )
        self.rules.check_state(state)
        self._write(state)
        self._started = True

    def _write(self, state: State) -> None:
        """In place: some arrays may be views into others."""
        for name, array in self._state.items():
            if name not in self.rules.derived:
                array[...] = state[name]
        self.rules.rebuild(self._state)

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        self.__dict__.update(attributes)
        copied = self._state
        self._state = self._allocate()  # a copy has lost which arrays are views into others
        self._write(copied)


def check_seed(seed: Any) -> int:
    """A whole number of at least 0, of any size, or a `UsageError` that names it."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise UsageError(f"seed={seed!r} must be a whole number of at least 0")
    return int(seed)
