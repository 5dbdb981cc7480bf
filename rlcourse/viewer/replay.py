"""A recorded game, played again: step by step in both directions, and checked against what it paid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlcourse.errors import StorageError, UsageError
from rlcourse.names import short_name
from rlcourse.version import __version__
from rlcourse.viewer.record import Record, as_check, read_record
from rlcourse.viewer.session import Session, check_actions
from rlcourse.viewer.show import Show
from rlcourse.viewer.status import with_status

SPEED = 4.0
"""Steps a second: a person follows."""


class Replay(Show):
    """A show of a recorded game.

    A step back is the game from its beginning up to there: every world can do that, and it is fast without pictures.

    Args:
        record: the game, or the file that holds it.

    Raises:
        StorageError: the file holds no game, or one that this world does not know: other options, or other actions.
    """

    fps = SPEED
    keys = ("space: pause", "left and right: step", "+ and -: speed", "Esc: leave")

    def __init__(self, record: Record | str | Path) -> None:
        name = "the record"
        if not isinstance(record, Record):
            name = str(record)
            record = read_record(record)
        self.record = record
        try:
            self.session = Session(record.env, record.env_kwargs)
            check_actions(self.session.env, record.env)
        except UsageError as error:
            raise StorageError(f"{name} cannot be replayed: {error}") from error
        space = self.session.env.action_space
        for number, episode in enumerate(record.episodes, start=1):
            for step, action in enumerate(episode.actions, start=1):
                if not space.contains(action):
                    self.session.close()
                    raise StorageError(
                        f"{name}: action {action} in step {step} of episode {number} is none of {record.env}, whose "
                        f"actions are {space}"
                    )
        self.title = f"replay: {short_name(record.env)}"
        # A frame for the beginning of every episode, and one for every action.
        self._starts = [0]
        for episode in record.episodes:
            self._starts.append(self._starts[-1] + 1 + len(episode.actions))
        self.place = 0
        self.difference = self._compare()
        self._rewind()

    @property
    def length(self) -> int:
        """Frames from the first to the last."""
        return self._starts[-1]

    def forward(self) -> bool:
        """See `Show.forward`."""
        if self.place + 1 >= self.length:
            return False
        self.place += 1
        self._play(self.place)
        return True

    def back(self) -> bool:
        """See `Show.back`."""
        if self.place == 0:
            return False
        goal = self.place - 1
        self._rewind()
        while self.place < goal:
            self.forward()
        return True

    def frame(self, keys: tuple[str, ...] = (), word: str = "") -> NDArray[np.uint8]:
        """See `Show.frame`."""
        caption = f"replay, frame {self.place + 1:,} of {self.length:,}" + (f"   {word}" if word else "")
        if self.difference:
            caption = f"This is not the game of the record!   {word}"
        return with_status(self.session.picture(), self.session.status(caption, keys))

    def close(self) -> None:
        """See `Show.close`."""
        self.session.close()

    def _rewind(self) -> None:
        self.place = 0
        self.session.episode = 0
        self._play(0)

    def _play(self, place: int) -> None:
        """What leads to the frame `place`, from the one before it."""
        number = int(np.searchsorted(self._starts, place, side="right")) - 1
        episode, step = self.record.episodes[number], place - self._starts[number]
        if step == 0:
            self.session.begin(episode.seed)
        elif self.session.end is None:  # in another version the episode may be over before its record is
            self.session.act(episode.actions[step - 1])

    def _compare(self) -> str:
        """Where the game differs from its record, in one sentence; empty where it does not."""
        session = self.session
        for number, episode in enumerate(self.record.episodes, start=1):
            session.begin(episode.seed)
            for step, (action, paid) in enumerate(
                zip(episode.actions, episode.rewards, strict=True), start=1
            ):
                where = f"in step {step} of episode {number}"
                if session.end is not None:
                    return self._differs(f"{where} the episode is over already")
                reward = as_check(session.act(action))
                if reward != paid:
                    return self._differs(f"{where} it pays {reward}, and not {paid}")
            if session.end != episode.end:
                ends = "goes on" if session.end is None else f"is {session.end}"
                was = "went on" if episode.end is None else f"was {episode.end}"
                return self._differs(f"episode {number} {ends} where it {was}")
        return ""

    def _differs(self, where: str) -> str:
        return (
            f"the replay is not the game that was recorded: {where} (recorded with rlcourse {self.record.version}, "
            f"this is {__version__})"
        )
