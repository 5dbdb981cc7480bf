"""What all agents share whose knowledge outlasts an episode: the worlds, and the account of what was earned in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Agent
from rlcourse.agents.observations import say_space
from rlcourse.agents.population import begin, make_population
from rlcourse.errors import UsageError
from rlcourse.streams import Streams


class ControlAgent(Agent):
    """A population that acts in episode after episode, and keeps what it knows.

    An episode that is over begins anew when its member next learns, not before: the world stands as the member left it.

    Actions count from 0, also where those of a world begin at another number (`Discrete(3, start=1)`): action a is the
    world's start + a.
    """

    n_actions: int
    """A."""
    follows_account_alone: ClassVar[bool] = False
    """Whether in `follow` all pieces are learned before the account of the first is shown."""

    first_action: int

    episodes: NDArray[np.int64]
    """Episodes that each member has finished while learning, `[S]`."""
    earned: NDArray[np.float64]
    """The sum of their returns, undiscounted, `[S]`."""
    running: NDArray[np.float64]
    """The return of the episode that goes on, up to now, `[S]`."""
    _over: NDArray[np.bool_]
    """Which copies' episode is over, `[S N]`."""

    @property
    def world_seeds(self) -> list[int]:
        """The seeds of the worlds, `[S N]`: the first copy of a member has the member's own, the others have theirs of it."""
        if self.copies == 1:
            return self.seeds
        further = Streams.from_seeds(self.seeds, "copies").bits(self.copies - 1) >> np.uint64(1)
        return [
            seed for own, others in zip(self.seeds, further.tolist(), strict=True) for seed in (own, *others)
        ]

    def _setup(self) -> None:
        self.venv = make_population(self.spec, self.env_kwargs, self.size * self.copies)
        space = self.venv.single_action_space
        if not isinstance(space, gymnasium.spaces.Discrete):
            raise UsageError(
                f"{self.name} chooses one of a number of actions and cannot act in {self.spec.id}, whose actions are "
                f"{say_space(space)}: it fits worlds with Discrete actions"
            )
        self.n_actions, self.first_action = int(space.n), int(space.start)
        self.stream = Streams.from_seeds(self.seeds, "agent")
        self._predict_stream = Streams.from_seeds(self.seeds, "predict")
        self.episodes = np.zeros(self.size, np.int64)
        self.earned, self.running = np.zeros(self.size), np.zeros(self.size)
        self._over = np.zeros(self.size * self.copies, np.bool_)
        self._prepare()
        self._begin(begin(self.venv, self.world_seeds))

    def _prepare(self) -> None:
        """Refuse a world that does not fit, and make the knowledge of learners that know nothing."""

    def _begin(self, observation: Any) -> None:
        """The worlds have been reset, or read from a file: this is what is seen."""

    def follow(self, lengths: Sequence[int], advance: Callable[[int], None]) -> Iterator[None]:
        """Learn in pieces, and give way after each of them, when the account stands as it stood then.

        What the policy and the worlds are in between is another matter, see `follows_account_alone`.

        Args:
            lengths: steps of each piece.
            advance: told how many steps were made.
        """
        for steps in lengths:
            self.learn(steps)
            advance(steps)
            yield

    def _array_attributes(self) -> dict[str, str]:
        return {
            "log/episodes": "episodes",
            "log/earned": "earned",
            "log/running": "running",
            "over": "_over",
        }

    def _restored(self, *, in_place: bool) -> None:
        if not in_place:  # they have just been reset, with another episode
            self._over[:] = False
            self.running[:] = 0.0
