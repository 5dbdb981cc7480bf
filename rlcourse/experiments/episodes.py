"""Learning seen by episodes: return and length of each of the first ones, for every member."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from numpy.typing import NDArray

from rlcourse.agents.control import ControlAgent
from rlcourse.errors import UsageError

PIECE = 200
"""Steps between two looks at who has finished."""

After = Callable[[NDArray[np.intp], NDArray[np.int64]], None]


class Learned(NamedTuple):
    """What happened while learning, arrays `[episodes, S]`."""

    returns: NDArray[np.float64]
    """Undiscounted."""
    lengths: NDArray[np.int64]
    """Steps."""


def learn_episodes(agent: ControlAgent, episodes: int, *, after: After | None = None) -> Learned:
    """Let a population learn until every member has finished so many more episodes, and note each of them.

    Members finish at different times, and go on until the last one has; what they do then is learned, but not noted.

    Args:
        agent: the population.
        episodes: of each member; one that is going on is finished first, and not noted.
        after: called with members `[M]` whose episode is over, once they have learned from its last step, and with which one
            that was `[M]`, counted from 0.

    Raises:
        UsageError: no episodes.
    """
    if isinstance(episodes, bool) or not isinstance(episodes, (int, np.integer)) or episodes < 1:
        raise UsageError(f"episodes={episodes!r} must be a whole number of at least 1")
    worlds = agent.venv
    number = np.zeros(agent.size, np.int64)
    if agent.num_timesteps:
        number -= ~agent._over  # these are in the midst of one
    recorder = _Recorder(worlds, int(episodes), number, after)
    agent.venv = recorder
    try:
        while recorder.number.min() < episodes:
            agent.learn(PIECE)
            recorder.tell(np.flatnonzero(agent._over))
    finally:
        agent.venv = worlds
    return Learned(recorder.returns, recorder.lengths)


class _Recorder(VectorWrapper[Any, Any, Any, Any, Any]):
    """Stands between a population and its worlds and notes every episode.

    Args:
        env: the worlds.
        episodes: how many of each member.
        number: which episode each member is in, `[S]`; -1 is one that is not noted.
        after: see `learn_episodes`.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], episodes: int, number: NDArray[np.int64], after: After | None
    ) -> None:
        super().__init__(env)
        size = env.num_envs
        self.number, self.after = number, after
        self.returns, self.lengths = np.zeros((episodes, size)), np.zeros((episodes, size), np.int64)
        self.told = number.copy()  # the episodes before it have been told of

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        """An agent begins an episode anew only when it has learned from the last one."""
        self.tell(np.flatnonzero(options["reset_mask"]))
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        """Step the worlds, and add up."""
        result = self.env.step(actions)
        noted = np.flatnonzero((self.number >= 0) & (self.number < len(self.returns)))
        self.returns[self.number[noted], noted] += result[1][noted]
        self.lengths[self.number[noted], noted] += 1
        self.number += result[2] | result[3]
        return result

    def tell(self, members: NDArray[np.intp]) -> None:
        """Tell of the episodes of these members that are over."""
        fresh = members[self.told[members] < self.number[members]]
        which = self.told[fresh]
        noted = (which >= 0) & (which < len(self.returns))
        if self.after is not None and noted.any():
            self.after(fresh[noted], which[noted])
        self.told[fresh] = self.number[fresh]
