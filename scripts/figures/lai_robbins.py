"""Regret against the lower bound of Lai & Robbins (1985): who grows like C ln T, and UCB1 below its own bound.

python scripts/figures/lai_robbins.py [--seeds 300] [--steps 10000] [--out runs/figures]

Two problems: nine Bernoulli arms with means 0.1, 0.2 ... 0.9, and two with 0.9 and 0.6. C ln T is what no good strategy can
beat for long; it speaks of slopes, so a curve may lie below it in the beginning.
"""

import numpy as np
from drawing import Line, draw, figure, finish, options, play, with_interval

from rlcourse.experiments.yardsticks import lai_robbins_constant, ucb1_bound

PROBLEMS = {"means 0.1, 0.2 ... 0.9": [i / 10 for i in range(1, 10)], "means 0.9, 0.6": [0.9, 0.6]}
AGENTS = {
    "UCB1": "ucb1",
    "MOSS": "moss",
    "UCB-tuned": "ucb_tuned",
    "KL-UCB": "kl_ucb",
    "IMED": "imed",
    "Thompson": "thompson",
}

LIMIT = ("KL-UCB", "IMED", "Thompson")
"""Proved to reach C in the limit."""


def main() -> None:
    chosen = options(__doc__, seeds=300, steps=10_000)
    drawn, panels = figure(
        len(PROBLEMS),
        "Regret on Bernoulli arms against the Lai-Robbins bound",
        f"mean of {chosen.seeds} runs, band: 95% interval of the mean",
    )
    rows = []
    for axes, (name, means) in zip(panels, PROBLEMS.items(), strict=True):
        lines = [Line(label, agent, {}) for label, agent in AGENTS.items()]
        play(lines, chosen, "Bandit-v0", chosen.steps, 1000, means=means, horizon=chosen.steps)
        constant = lai_robbins_constant(means)
        steps = lines[0].result.steps
        draw(axes, lines, "regret")
        axes.plot(
            steps,
            constant * np.log(steps),
            color="black",
            linewidth=1.6,
            linestyle=":",
            label=f"C ln T, C = {constant:.3f}",
        )
        axes.set_xscale("log")
        axes.set_xlim(steps[0], steps[-1])
        axes.set_ylim(0, 1.6 * max(line.result.curves["regret"][-1].mean() for line in lines[1:]))
        axes.set_xlabel("step T (logarithmic)")
        axes.set_ylabel("regret (reward lost)")
        axes.text(0.99, 0.03, name, transform=axes.transAxes, ha="right", fontweight="bold")
        axes.legend(loc="upper left", frameon=False, fontsize="small")
        decade = int(np.abs(steps - chosen.steps / 10).argmin())
        for line in lines:
            regret = line.result.curves["regret"]
            slope = (regret[-1] - regret[decade]) / np.log(steps[-1] / steps[decade])
            said = "1 in the limit" if line.label in LIMIT else "-"
            rows.append((f"{line.label}, {name}: slope / C", said, with_interval(slope / constant)))
        bound = float(ucb1_bound(means, chosen.steps))
        rows.append(
            (f"UCB1, {name}: regret", f"<= {bound:.0f}", with_interval(lines[0].result.scores["regret"], 1))
        )
    finish(drawn, chosen, "lai_robbins", rows, f", {chosen.steps} steps, slopes of the last decade")


if __name__ == "__main__":
    main()
