"""How much memory the replay of ten seeds takes: 100,000 transitions each, of planes 6 x 8 x 8 in bytes.

    python scripts/memory_replay.py
    python scripts/memory_replay.py --seeds 10 --transitions 100000 --peer      # and stable-baselines3's buffer, for one seed

A DQN is filled to the brim with random play. The peak is that of the whole process; what it had before the agent was made
(Python, torch, numba) is said apart.
"""

from __future__ import annotations

import argparse
import resource
import time

import gymnasium
import numpy as np

from rlcourse import make_agent

PLANES = gymnasium.spaces.Box(0, 1, (6, 8, 8), np.uint8)


class Noise(gymnasium.Env[np.ndarray, int]):
    """Random planes; episodes of fifty steps."""

    observation_space = PLANES
    action_space = gymnasium.spaces.Discrete(4)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        """Begin an episode."""
        super().reset(seed=seed)
        self.t = 0
        return self._look(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Go on; nothing is paid."""
        self.t += 1
        return self._look(), 0.0, self.t == 50, False, {}

    def _look(self) -> np.ndarray:
        return self.np_random.integers(0, 2, PLANES.shape, np.uint8)


def megabytes() -> float:
    """The most that the process has had in memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--transitions", type=int, default=100_000)
    parser.add_argument("--peer", action="store_true", help="measure stable-baselines3's buffer, too")
    arguments = parser.parse_args()
    gymnasium.register("NoisePlanes-v0", entry_point=Noise)
    make_agent("dqn", "NoisePlanes-v0", seeds=1, learning_starts=50, buffer_size=1_000).learn(100)
    before = megabytes()
    never = 10 * arguments.transitions  # filling alone is measured; learning needs a batch more
    agent = make_agent(
        "dqn",
        "NoisePlanes-v0",
        seeds=arguments.seeds,
        buffer_size=arguments.transitions,
        learning_starts=never,
    )
    started = time.perf_counter()
    agent.learn(arguments.transitions)
    agent.update()
    seconds, peak = time.perf_counter() - started, megabytes()
    replay = agent.replay.n_bytes / 2**20
    print(
        f"{arguments.seeds} seeds x {arguments.transitions:,} transitions of {PLANES.shape} bytes, {seconds:.0f} s"
    )
    print(f"replay {replay:,.0f} MiB; process {before:,.0f} MiB before, {peak:,.0f} MiB at most")
    if arguments.peer:
        from stable_baselines3.common.buffers import ReplayBuffer

        peer = ReplayBuffer(arguments.transitions, PLANES, gymnasium.spaces.Discrete(4), device="cpu")
        arrays = (
            peer.observations,
            peer.next_observations,
            peer.actions,
            peer.rewards,
            peer.dones,
            peer.timeouts,
        )
        each = sum(array.nbytes for array in arrays) / 2**20
        print(
            f"stable-baselines3's buffer: {each:,.0f} MiB a seed, {arguments.seeds * each:,.0f} MiB for all"
        )


if __name__ == "__main__":
    main()
