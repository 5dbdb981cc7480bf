"""Sutton & Barto (2018), figure 2.6: each strategy of the chapter over its one parameter, mean reward of 1000 steps.

python scripts/figures/testbed_parameters.py [--seeds 2000] [--out runs/figures]
"""

from fractions import Fraction

import numpy as np
from drawing import Line, figure, finish, options, play, style, with_interval

# label -> (agent, the parameter, its fixed settings, powers of two that the book draws, what the book says of the best)
STUDIES = {
    "epsilon-greedy (epsilon)": ("epsilon_greedy", "epsilon", {}, range(-7, -1)),
    "gradient bandit (step size)": ("gradient_bandit", "step_size", {}, range(-5, 2)),
    "UCB (c)": ("ucb", "c", {}, range(-4, 3)),
    "optimistic greedy, step 0.1 (Q1)": (
        "optimistic_greedy",
        "initial_value",
        {"step_size": 0.1},
        range(-2, 3),
    ),
}
# What the figure shows, as far as it can be read.
PUBLISHED = {
    "epsilon-greedy (epsilon)": "an inner maximum, lowest of the four",
    "gradient bandit (step size)": "an inner maximum",
    "UCB (c)": "best of the four, top near c = 1",
    "optimistic greedy, step 0.1 (Q1)": "second, top near Q1 = 1",
}


def main() -> None:
    chosen = options(__doc__, seeds=2000)
    drawn, (axes,) = figure(
        1,
        "Ten-armed testbed: a parameter study (S&B figure 2.6)",
        f"mean of {chosen.seeds} problems, bars: 95% interval of the mean",
        (7.2, 4.4),
    )
    rows = []
    for place, (label, (agent, parameter, fixed, powers)) in enumerate(STUDIES.items()):
        lines = [Line(f"{agent} {2.0**p:g}", agent, {**fixed, parameter: 2.0**p}) for p in powers]
        play(lines, chosen, "Bandit-v0", 1000, 1, law="gaussian")
        table = np.stack([line.result.scores["reward"] for line in lines])
        mean = table.mean(axis=1)
        half = 1.96 * table.std(axis=1, ddof=1) / np.sqrt(chosen.seeds)
        axes.errorbar(
            2.0 ** np.array(powers),
            mean,
            yerr=half,
            label=label,
            marker="o",
            markersize=3,
            **style(lines[0], place),
        )
        top = int(mean.argmax())
        best = f"{with_interval(table[top], 3)} at {Fraction(2.0 ** powers[top])}"
        rows.append((f"{label}: best", PUBLISHED[label], best))
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: str(Fraction(value).limit_denominator(128)))
    axes.set_xticks(2.0 ** np.arange(-7, 3))
    axes.set_xlabel("the parameter in brackets")
    axes.set_ylabel("mean reward of the first 1000 steps")
    axes.set_ylim(1.0, 1.62)
    axes.legend(loc="upper left", ncols=2, frameon=False, fontsize="small")
    finish(drawn, chosen, "testbed_parameters", rows)


if __name__ == "__main__":
    main()
