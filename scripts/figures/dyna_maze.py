"""The Dyna maze: what practice in a learned model is worth (Sutton & Barto 2018, example 8.1, figure 8.2).

python scripts/figures/dyna_maze.py [--seeds 100] [--out runs/figures]

Steps of each episode with 0, 5 and 50 planning steps; step size 0.1, epsilon 0.1, discount 0.95. "Settled" is the first
episode that takes less than 1.5 times the steps of the best policy with epsilon = 0.1, on average over the learners.
"""

import gymnasium
import numpy as np
from drawing import band, figure, finish, options, timed, with_interval

import rlcourse
from rlcourse.experiments.episodes import learn_episodes
from rlcourse.experiments.plots import OKABE_ITO
from rlcourse.mdp import FiniteMDP, epsilon_soft, evaluate_policy, value_iteration

EPISODES = 50
PUBLISHED = {0: "about 25", 5: "about 5", 50: "about 3"}


def best_length() -> float:
    """Steps of the best policy that takes a random action with probability 0.1."""
    mdp = epsilon_soft(FiniteMDP.from_env(gymnasium.make("rlcourse/DynaMaze-v0")), 0.1)
    _, policy = value_iteration(mdp, 0.95)
    clock = FiniteMDP(mdp.first, mdp.prob, mdp.next, np.ones_like(mdp.reward), mdp.terminated, mdp.start)
    return float(clock.start_value(evaluate_policy(clock, policy, 1.0)))


def main() -> None:
    chosen = options(__doc__, seeds=100)
    best = best_length()
    drawn, (axes,) = figure(
        1,
        "Dyna maze: steps of an episode",
        f"mean of {chosen.seeds} learners, band: 95% interval of the mean; dotted: the best with epsilon = 0.1",
        (7.2, 4.4),
    )
    rows = []
    for colour, (planning, published) in zip(OKABE_ITO, PUBLISHED.items(), strict=False):
        name, settings = ("dyna_q", {"planning_steps": planning}) if planning else ("q_learning", {})
        agent = rlcourse.make_agent(name, "DynaMaze-v0", seeds=chosen.seeds, gamma=0.95, **settings)
        label = f"{planning} planning steps"
        lengths = timed(label, lambda a=agent: learn_episodes(a, EPISODES)).lengths.astype(float)
        band(axes, np.arange(1, EPISODES + 1), lengths, label, color=colour)
        settled = int((lengths.mean(axis=1) < 1.5 * best).argmax()) + 1
        rows.append((f"{label}: settled in episode", published, str(settled)))
        rows.append((f"{label}: steps of the first episode", "-", with_interval(lengths[0], 0)))
        rows.append(
            (f"{label}: steps of episodes 41 - 50", "-", with_interval(lengths[-10:].mean(axis=0), 1))
        )
    axes.axhline(best, color="black", linewidth=0.9, linestyle=":")
    axes.set_ylim(0, 800)
    axes.set_xlim(1, EPISODES)
    axes.set_xlabel("episode")
    axes.set_ylabel("steps")
    axes.legend(loc="upper right", frameon=False, fontsize="small")
    rows.append(("best with epsilon = 0.1", "-", f"{best:.2f} (exact)"))
    rows.append(("shortest way", "14", "14 (exact)"))
    finish(drawn, chosen, "dyna_maze", rows)


if __name__ == "__main__":
    main()
