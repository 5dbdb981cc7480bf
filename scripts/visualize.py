"""Watch an agent, from a script: `python scripts/visualize.py [AGENT] [WORLD] [GIF]`, in a window or as a GIF.

The same as `rlcourse watch --agent AGENT --env WORLD [--gif GIF]`.
"""

from __future__ import annotations

import sys

import rlcourse
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.viewer.gif import write_gif
from rlcourse.viewer.show import frames, project
from rlcourse.viewer.watch import show_agent


def main(name: str = "thompson", world: str = "CandyMachines-v0", gif: str = "") -> None:
    agent = rlcourse.make_agent(name, world, seeds=[0])
    learning = isinstance(agent, BanditAgent)  # a bandit strategy learns while it is watched
    if not learning:
        agent.learn(20_000, progress=True)
    show = show_agent(agent, learning=learning, episodes=1)
    if gif:
        count, _ = write_gif(gif, frames(show), show.fps)
        print(f"{count} frames in {gif}")
    else:
        project(show)  # space pauses, right is one step, + and - change the speed, Esc ends it


if __name__ == "__main__":
    main(*sys.argv[1:4])
