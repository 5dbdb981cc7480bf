"""Cliff walking: who learns the way along the brink, and who pays for it (Sutton & Barto 2018, example 6.6, figure 6.3).

python scripts/figures/cliff_walking.py [--seeds 200] [--out runs/figures]

The return while learning, epsilon = 0.1, no discount, against the step size: over the first 100 episodes, and in the long run
(here: 40,000 steps after the first 20,000). And learning curves at step size 0.5. The best that a policy with epsilon = 0.1
can do is -20.708 (exact); without exploration it is -13. The published curves are those of van Seijen, van Hasselt, Whiteson
& Wiering (2009), read off.
"""

import gymnasium
import numpy as np
from drawing import band, figure, finish, options, timed, with_interval

import rlcourse
from rlcourse.experiments.episodes import learn_episodes
from rlcourse.experiments.plots import OKABE_ITO
from rlcourse.mdp import FiniteMDP, epsilon_soft, value_iteration

AGENTS = {"Sarsa": "sarsa", "Q-learning": "q_learning", "Expected Sarsa": "expected_sarsa"}
ALPHAS = np.arange(1, 11) / 10
EPISODES, BLOCK = 500, 10
"""Of the learning curves; each point is the mean over ten episodes, as in the book."""
PUBLISHED = {"Sarsa": "about -30", "Q-learning": "about -50", "Expected Sarsa": "about -25"}


def learner(name: str, alpha: float, seeds: int):
    return rlcourse.make_agent(name, "CliffWalk-v0", seeds=seeds, learning_rate=alpha, gamma=1.0)


def performance(name: str, alpha: float, seeds: int):
    """Return of an episode over the first 100, and in the long run, of every member."""
    agent = learner(name, alpha, seeds)
    interim = learn_episodes(agent, 100).returns.mean(axis=0)
    agent.learn(20_000)
    earned, episodes = agent.earned.copy(), agent.episodes.copy()
    agent.learn(40_000)
    return interim, (agent.earned - earned) / np.maximum(agent.episodes - episodes, 1)


def main() -> None:
    chosen = options(__doc__, seeds=200)
    mdp = epsilon_soft(FiniteMDP.from_env(gymnasium.make("rlcourse/CliffWalk-v0")), 0.1)
    best = float(mdp.start_value(value_iteration(mdp, 1.0).V))
    drawn, (alphas, curves) = figure(
        2,
        "Cliff walking: return of an episode while learning",
        f"mean of {chosen.seeds} learners, band: 95% interval of the mean; dotted: the best with epsilon = 0.1",
        (8.4, 7.4),
    )
    rows, where = [], int(np.argmin(np.abs(ALPHAS - 0.5)))
    for colour, (label, name) in zip(OKABE_ITO, AGENTS.items(), strict=False):
        found = [
            timed(f"{label}, {alpha:.1f}", lambda a=alpha, n=name: performance(n, a, chosen.seeds))
            for alpha in ALPHAS
        ]
        interim, final = (np.stack(part) for part in zip(*found, strict=True))
        band(alphas, ALPHAS, final, f"{label}: in the long run", color=colour, marker="o", markersize=3)
        band(
            alphas,
            ALPHAS,
            interim,
            f"{label}: first 100",
            color=colour,
            linestyle="--",
            marker="s",
            markersize=3,
        )
        learned = timed(
            f"{label}, curve", lambda n=name: learn_episodes(learner(n, 0.5, chosen.seeds), EPISODES)
        )
        tens = learned.returns.reshape(-1, BLOCK, chosen.seeds).mean(axis=1)
        band(curves, np.arange(BLOCK, EPISODES + 1, BLOCK) - BLOCK / 2, tens, label, color=colour)
        rows.append(
            (f"{label}, step size 0.5: in the long run", PUBLISHED[label], with_interval(final[where], 1))
        )
        rows.append((f"{label}, step size 0.5: first 100", "-", with_interval(interim[where], 1)))
        last = learned.returns[-100:].mean(axis=0)
        rows.append((f"{label}, step size 0.5: episodes 401 - 500", PUBLISHED[label], with_interval(last, 1)))
        top = int(final.mean(axis=1).argmax())
        at = f"{with_interval(final[top], 1)} at {ALPHAS[top]:.1f}"
        rows.append((f"{label}: best in the long run", "-", at))
    for axes in (alphas, curves):
        axes.axhline(best, color="black", linewidth=0.9, linestyle=":")
        axes.set_ylabel("return of an episode")
    alphas.set_ylim(-160, 0)
    alphas.set_xlabel("step size")
    curves.set_ylim(-100, 0)
    curves.set_xlim(0, EPISODES)
    curves.set_xlabel("episode, step size 0.5")
    alphas.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small")
    curves.legend(loc="lower right", frameon=False, fontsize="small")
    rows.append(("best with epsilon = 0.1", "-20.708 (exact)", f"{best:.3f}"))
    finish(drawn, chosen, "cliff_walking", rows)


if __name__ == "__main__":
    main()
