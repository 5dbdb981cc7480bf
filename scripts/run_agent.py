"""An agent against a world, from a script: `python scripts/run_agent.py [AGENT] [WORLD]`."""

from __future__ import annotations

import sys

import rlcourse


def main(name: str = "thompson", world: str = "CandyMachines-v0") -> None:
    agent = rlcourse.make_agent(name, world, seeds=20)
    agent.learn(2_000, progress=True)
    returns = rlcourse.evaluate(agent, episodes=1)  # a whole game with what was learned, [seeds, episodes]
    spread = returns.mean(axis=1).std(ddof=1)
    print(f"{name}: {returns.mean():,.1f} a game, standard deviation over seeds {spread:,.1f}")
    random = rlcourse.make_agent("random", world, seeds=20)
    print(f"random: {rlcourse.evaluate(random, episodes=1, deterministic=False).mean():,.1f} a game")


if __name__ == "__main__":
    main(*sys.argv[1:3])
