"""The agents of stable-baselines3 behind the protocol of ours: the peers in every table of deep agents."""

from rlcourse.agents.baselines.equal import equal_settings

__all__ = ["equal_settings"]
