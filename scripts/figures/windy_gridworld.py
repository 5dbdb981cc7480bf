"""Windy gridworld: how fast Sarsa gets through (Sutton & Barto 2018, example 6.5; king's moves: exercise 6.9).

python scripts/figures/windy_gridworld.py [--seeds 500] [--out runs/figures]

Episodes that are finished by each step, epsilon = 0.1, step size 0.5, no discount. The best that a policy with epsilon = 0.1
can do is 17.05 steps an episode (exact). The step size of the book keeps the learner away from it; with 0.1 it gets there, in
the long run (here: 50,000 steps after the first 100,000).
"""

import gymnasium
import numpy as np
from drawing import band, figure, finish, options, timed, with_interval

import rlcourse
from rlcourse.experiments.control_yardsticks import greedy_value, policy_of
from rlcourse.experiments.plots import OKABE_ITO
from rlcourse.mdp import FiniteMDP, epsilon_soft, value_iteration

STEPS, STRIDE = 8_000, 40
WORLDS = {"four moves": {}, "king's moves": {"king_moves": True}}
PUBLISHED = {"four moves": ("about 170", "about 17", "15"), "king's moves": ("-", "-", "7")}


def in_the_long_run(world, seeds: int):
    """Steps of an episode of every member, with the smaller step size."""
    agent = rlcourse.make_agent(
        "sarsa", "WindyGrid-v0", seeds=seeds, env_kwargs=world, learning_rate=0.1, gamma=1.0
    )
    before = agent.learn(100_000).episodes.copy()
    return 50_000 / (agent.learn(50_000).episodes - before)


def main() -> None:
    chosen = options(__doc__, seeds=500)
    drawn, (axes,) = figure(
        1,
        "Windy gridworld: Sarsa, step size 0.5, epsilon 0.1",
        f"mean of {chosen.seeds} learners, band: 95% interval of the mean",
        (7.2, 4.4),
    )
    rows = []
    for colour, (label, world) in zip(OKABE_ITO, WORLDS.items(), strict=False):
        agent = rlcourse.make_agent(
            "sarsa", "WindyGrid-v0", seeds=chosen.seeds, env_kwargs=world, learning_rate=0.5, gamma=1.0
        )
        counts = [np.zeros(chosen.seeds)]

        def run(agent=agent, counts=counts) -> None:
            for _ in range(STEPS // STRIDE):
                agent.learn(STRIDE)
                counts.append(agent.episodes.astype(float))

        timed(label, run)
        episodes = np.stack(counts)
        band(axes, STRIDE * np.arange(len(episodes)), episodes, label, color=colour)
        mdp = FiniteMDP.from_env(gymnasium.make("rlcourse/WindyGrid-v0", **world))
        soft = epsilon_soft(mdp, 0.1)
        best = -float(soft.start_value(value_iteration(soft, 1.0).V))
        before = agent.episodes.copy()
        agent.learn(STEPS)
        late = STEPS / (agent.episodes - before)
        greedy = -greedy_value(mdp, policy_of(agent, mdp), horizon=1_000)
        count, steps, shortest = PUBLISHED[label]
        rows.append((f"{label}: episodes in {STEPS:,} steps", count, with_interval(episodes[-1], 1)))
        rows.append((f"{label}: steps an episode after that", steps, with_interval(late, 1)))
        rows.append((f"{label}: median of the learners", steps, f"{np.median(late):.1f}"))
        slow = timed(f"{label}, step size 0.1", lambda w=world: in_the_long_run(w, min(chosen.seeds, 100)))
        rows.append((f"{label}: step size 0.1, in the long run", steps, with_interval(slow)))
        rows.append((f"{label}: the same, best possible", "-", f"{best:.2f} (exact)"))
        found = 100 * np.isclose(greedy, float(shortest)).mean()
        rows.append(
            (f"{label}: shortest way", f"{shortest} (exact)", f"known to {found:.0f}% of the learners")
        )
    axes.set_xlim(0, STEPS)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("step")
    axes.set_ylabel("episodes finished")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(loc="upper left", frameon=False, fontsize="small")
    finish(drawn, chosen, "windy_gridworld", rows)


if __name__ == "__main__":
    main()
