"""A game on disk: which world, which seeds, what was done, and what it paid. It is JSON, so that reading it runs no code."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlcourse.errors import StorageError
from rlcourse.folders import replace_file
from rlcourse.version import __version__

FORMAT = "rlcourse-game"
FORMAT_VERSION = 1
ENDS = ("terminated", "truncated")
"""How an episode ends in Gymnasium's words: by the rules of the world, or because its time is up."""


@dataclass
class Episode:
    """What was done from a reset to the next."""

    seed: int | None
    """What the world was reset with; `None` goes on with its random streams as they are."""
    actions: list[int] = field(default_factory=list)
    rewards: list[float | None] = field(default_factory=list)
    """What every action paid, as a check; `None` for what is no finite number."""
    end: str | None = None
    """One of `ENDS`, or `None` where the player left before the end."""


@dataclass
class Record:
    """A game from its beginning: the world, and the episodes that were played in it."""

    env: str
    """Id of the world."""
    env_kwargs: dict[str, Any]
    episodes: list[Episode] = field(default_factory=list)
    version: str = __version__
    """The version of rlcourse that it was played with."""

    @property
    def steps(self) -> int:
        """Actions in all."""
        return sum(len(episode.actions) for episode in self.episodes)


def as_check(reward: float) -> float | None:
    """A reward as a record keeps it."""
    return float(reward) if math.isfinite(reward) else None


def write_record(path: str | Path, record: Record) -> None:
    """Write a game, whole or not at all; a line for every episode."""
    head = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "rlcourse": record.version,
        "env": record.env,
        "env_kwargs": record.env_kwargs,
    }
    lines = [f"  {_json(key)}: {_json(value)},\n" for key, value in head.items()]
    episodes = ",\n".join("    " + _json(vars(episode)) for episode in record.episodes)
    text = "{\n" + "".join(lines) + f'  "episodes": [\n{episodes}\n  ]\n}}\n'
    replace_file(Path(path), text.encode())


def read_record(path: str | Path) -> Record:
    """The game in a file.

    Raises:
        StorageError: no such file, no JSON, something else than a game, a newer format, or a game that is not whole.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise StorageError(
            f"{path} is not readable JSON: it was truncated, or is no record of a game"
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StorageError(f"{path} is no record of a game: rlcourse play writes them")
    if content.get("format_version") != FORMAT_VERSION:
        raise StorageError(
            f"{path} has format version {content.get('format_version')!r}; this rlcourse ({__version__}) reads "
            f"version {FORMAT_VERSION}"
        )
    env, env_kwargs, episodes = (content.get(key) for key in ("env", "env_kwargs", "episodes"))
    if not isinstance(env, str) or not isinstance(env_kwargs, dict):
        raise StorageError(f"{path} does not say which world was played")
    if not isinstance(episodes, list) or not episodes:
        raise StorageError(f"{path} holds no episodes")
    read = [_read_episode(path, number, one) for number, one in enumerate(episodes, start=1)]
    if read[0].seed is None:
        raise StorageError(f"{path}: the first episode must have a seed")
    return Record(env, env_kwargs, read, str(content.get("rlcourse")))


def _read_episode(path: Path, number: int, content: Any) -> Episode:
    """One episode, checked."""
    if not isinstance(content, dict):
        raise StorageError(f"{path}: episode {number} is no object")
    seed, actions, rewards = (content.get(key) for key in ("seed", "actions", "rewards"))
    if seed is not None and (not _is_whole(seed) or seed < 0):
        raise StorageError(
            f"{path}: the seed of episode {number} must be a whole number of at least 0, or null"
        )
    if not isinstance(actions, list) or not all(map(_is_whole, actions)):
        raise StorageError(f"{path}: the actions of episode {number} must be a list of whole numbers")
    if not isinstance(rewards, list) or not all(one is None or _is_finite(one) for one in rewards):
        raise StorageError(f"{path}: the rewards of episode {number} must be a list of finite numbers")
    if len(rewards) != len(actions):
        raise StorageError(
            f"{path}: episode {number} has {len(actions)} actions and {len(rewards)} rewards, which should be as many"
        )
    end = content.get("end")
    if end is not None and end not in ENDS:
        raise StorageError(f"{path}: the end of episode {number} must be one of {', '.join(ENDS)}, or null")
    return Episode(seed, actions, [None if one is None else float(one) for one in rewards], end)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # JSON may hold 10^400
        return False


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False)
