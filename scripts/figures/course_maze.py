"""The maze of the course: returns while learning, and the map of the best moves.

python scripts/figures/course_maze.py [--seeds 200] [--out runs/figures]

Learners see the cell only, as in the course, which does not say what was visited and how much patience is left; it is enough
here. The best return is 9.75 (exact): six moves. The map is that of the Q-learners, after all episodes.
"""

import gymnasium
import numpy as np
from drawing import band, figure, finish, options, timed, with_interval

import rlcourse
from rlcourse.experiments.control_yardsticks import win_rate_from_every_cell
from rlcourse.experiments.episodes import learn_episodes
from rlcourse.experiments.plots import OKABE_ITO
from rlcourse.viewer.policy import policy_picture

EPISODES = 200
WORLD = {"observation": "position"}
AGENTS = {
    "Q-learning": "q_learning",
    "Sarsa": "sarsa",
    "Expected Sarsa": "expected_sarsa",
    "random": "random",
}


def main() -> None:
    chosen = options(__doc__, seeds=200)
    drawn, (axes, board) = figure(
        2,
        "The maze of the course: return while learning, step size 0.5",
        f"mean of {chosen.seeds} learners, band: 95% interval of the mean",
        (6.4, 7.2),
    )
    env = gymnasium.make("rlcourse/CourseMaze-v0", **WORLD).unwrapped
    env.reset(seed=0)
    rows = []
    for colour, (label, name) in zip((*OKABE_ITO[:3], "#888888"), AGENTS.items(), strict=True):
        settings = {} if name == "random" else {"learning_rate": 0.5}
        agent = rlcourse.make_agent(name, "CourseMaze-v0", seeds=chosen.seeds, env_kwargs=WORLD, **settings)
        learned = timed(label, lambda a=agent: learn_episodes(a, EPISODES))
        dashes = "--" if label == "Expected Sarsa" else "-"  # it lies on the line of Q-learning
        band(axes, np.arange(1, EPISODES + 1), learned.returns, label, color=colour, linestyle=dashes)
        last = learned.returns[-50:].mean(axis=0)
        rows.append((f"{label}: return of the last 50 episodes", "-", with_interval(last)))
        if name == "random":
            continue
        greedy = rlcourse.evaluate(agent, 1)[:, 0]
        rows.append((f"{label}: return of the best moves", "9.75 (exact)", with_interval(greedy)))
        rate = 100 * win_rate_from_every_cell(agent, env)
        rows.append((f"{label}: cells from which they win (%)", "-", with_interval(rate, 1)))
        if name == "q_learning":
            board.imshow(policy_picture(agent), interpolation="lanczos")
    axes.axhline(9.75, color="black", linewidth=0.9, linestyle=":")
    axes.set_ylabel("return")
    axes.set_xlabel("episode")
    axes.set_xlim(0, EPISODES)
    axes.set_ylim(-9, 10.5)
    axes.legend(loc="center right", frameon=False, fontsize="small")
    board.axis("off")
    finish(drawn, chosen, "course_maze", rows)


if __name__ == "__main__":
    main()
