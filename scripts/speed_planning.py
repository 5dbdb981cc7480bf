"""How fast planning is: a slippery grid of 100,000 states to 1e-8, against NumPy and SciPy in the same run.

    python scripts/speed_planning.py                    # 317 x 317 cells, gamma 0.99
    python scripts/speed_planning.py --size 64 --gamma 0.999

A move goes astray to either side with chance 0.1 each and costs 1; every other cell of every other row is a pillar; the corner
ends the episode. The peers do what a page of NumPy or a toolbox for Markov decision processes does: all states at once, from
the values of the sweep before, as gathers or as one sparse matrix; they stop by the same bound. Times leave out the
compiling, which is shown apart: once a machine, then it is read from disk. Policy iteration includes the value iteration that
it begins with on large models.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_array

from rlcourse.mdp import FiniteMDP, evaluate_policy, policy_iteration, value_iteration
from rlcourse.mdp.backup import transitions
from rlcourse.mdp.planning import sweep_until

MOVES = np.array([(0, -1), (0, 1), (-1, 0), (1, 0)])
SIDES = np.array([(2, 3), (2, 3), (0, 1), (0, 1)])


def slippery_grid(size: int) -> FiniteMDP:
    """A `size` x `size` grid whose last corner ends the episode; pillars are states too, in which the episode ends."""
    wall = np.zeros((size, size), np.bool_)
    wall[1:-1:2, 1:-1:2] = True
    row, column = np.divmod(np.arange(size * size), size)
    ahead = np.stack([np.arange(4), SIDES[:, 0], SIDES[:, 1]], axis=1)  # [A, B]: where action a can lead
    to_row = np.clip(row[:, None, None] + MOVES[ahead, 0], 0, size - 1)
    to_column = np.clip(column[:, None, None] + MOVES[ahead, 1], 0, size - 1)
    here = np.arange(size * size)[:, None, None]
    following = np.where(wall[to_row, to_column], here, to_row * size + to_column)
    over = following == size * size - 1
    over |= wall.reshape(-1)[:, None, None]
    prob = np.broadcast_to([0.8, 0.1, 0.1], following.shape)
    start = (here.reshape(-1) == 0).astype(np.float64)
    return FiniteMDP.from_table(prob, following, np.float64(-1.0), over, start=start)


def numpy_sweeps(mdp: FiniteMDP, gamma: float, tol: float) -> tuple[np.ndarray, int]:
    """Value iteration by gathers from padded arrays `[X, A, B]`."""
    X, A, B = mdp.n_states, mdp.n_actions, 3
    place = np.arange(len(mdp.prob)) - np.repeat(mdp.first[:-1], np.diff(mdp.first))
    pair = np.repeat(np.arange(X * A), np.diff(mdp.first))
    following, prob = np.zeros((X * A, B), np.int64), np.zeros((X * A, B))
    following[pair, place] = mdp.next
    prob[pair, place] = np.where(mdp.terminated, 0.0, mdp.prob)
    following, prob = following.reshape(X, A, B), prob.reshape(X, A, B)
    return until(
        lambda V: (mdp.expected_reward + gamma * (prob * V[following]).sum(axis=2)).max(axis=1), X, gamma, tol
    )


def scipy_sweeps(mdp: FiniteMDP, gamma: float, tol: float) -> tuple[np.ndarray, int]:
    """Value iteration by one sparse matrix `[X*A, X]`."""
    matrix: csr_array = transitions(mdp)
    shape = mdp.expected_reward.shape
    return until(
        lambda V: (mdp.expected_reward + gamma * (matrix @ V).reshape(shape)).max(axis=1),
        mdp.n_states,
        gamma,
        tol,
    )


def until(
    backup: Callable[[np.ndarray], np.ndarray], X: int, gamma: float, tol: float
) -> tuple[np.ndarray, int]:
    """Sweeps until gamma / (1 - gamma) times the greatest change is at most `tol`."""
    V, sweeps = np.zeros(X), 0
    while True:
        new = backup(V)
        sweeps += 1
        if gamma * np.abs(new - V).max() <= tol * (1.0 - gamma):
            return new, sweeps
        V = new


def timed(work: Callable[[], object], repeats: int) -> tuple[float, object]:
    """Median seconds, and what came of it."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=317)
    parser.add_argument("--gamma", type=float, default=0.99)
    parser.add_argument("--tol", type=float, default=1e-8)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    gamma, tol = options.gamma, options.tol

    compiling, _ = timed(lambda: __import__("rlcourse.mdp.compiled"), 1)
    building, mdp = timed(lambda: slippery_grid(options.size), 1)
    console = Console()
    console.print(f"{mdp}: built in {building:.2f} s; compiled code ready in {compiling:.2f} s")

    def planner(kind: Callable[..., object], *args: object) -> Callable[[], object]:
        return lambda: kind(mdp, *args)

    table = Table(title=f"gamma {gamma}, to {tol:g}")
    for column in ("planner", "sweeps", "seconds", "x SciPy", "max |V - V of the first row|"):
        table.add_column(column, justify="left" if column == "planner" else "right")
    rows = [
        ("value iteration", planner(sweep_until, gamma, tol), options.repeats),
        ("SciPy, all states at once", planner(scipy_sweeps, gamma, tol), 1),
        ("NumPy, all states at once", planner(numpy_sweeps, gamma, tol), 1),
        ("policy iteration", planner(policy_iteration, gamma), 1),
        ("value iteration, gamma 1", planner(value_iteration, 1.0), 1),
    ]
    results = [(name, *timed(work, repeats)) for name, work, repeats in rows]
    peer = results[1][1]
    for name, seconds, result in results:
        sweeps = f"{result[1]}" if isinstance(result[1], int) else "-"
        away = "-" if "gamma 1" in name else f"{np.abs(result[0] - results[0][2][0]).max():.1e}"
        table.add_row(name, sweeps, f"{seconds:.2f}", f"{peer / seconds:.1f}", away)
    console.print(table)

    small = slippery_grid(16)
    rng = np.random.default_rng(0)
    policies = rng.integers(small.n_actions, size=(100, small.n_states))
    together, _ = timed(lambda: evaluate_policy(small, policies, gamma), options.repeats)
    apart, _ = timed(lambda: [evaluate_policy(small, policy, gamma) for policy in policies], options.repeats)
    console.print(
        f"100 policies on {small.n_states} states: {together * 1e3:.0f} ms, one by one {apart * 1e3:.0f} ms"
    )


if __name__ == "__main__":
    main()
