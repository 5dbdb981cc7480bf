"""What strategies for changing worlds are tuned by: how long the game is, and how often it changes."""

from __future__ import annotations

from dataclasses import dataclass

from rlcourse.agents.config import AgentConfig, Count


@dataclass(frozen=True)
class ChangingConfig(AgentConfig):
    """Settings from which the papers derive the memory of a strategy, or the threshold of its alarm."""

    horizon: Count | None = None
    """Rounds T that the tuning is for; none: what the world says."""
    changes: Count = 2
    """Breakpoints Y that are expected within the horizon; the game that Garivier & Moulines (2011) simulate
    has two."""
