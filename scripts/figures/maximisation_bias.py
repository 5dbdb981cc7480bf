"""Maximisation bias: luck that is taken for value (Sutton & Barto 2018, example 6.7, figure 6.5).

python scripts/figures/maximisation_bias.py [--seeds 10000] [--out runs/figures]

Going left leads to ten actions that lose 0.1 on average, with a spread of 1; going right ends without reward. Step size 0.1,
epsilon 0.1, no discount: who knows better goes left in 5% of the episodes.
"""

import numpy as np
from drawing import band, figure, finish, options, timed, with_interval
from small_models import BiasedDoubleQ, BiasedQ, shares_of_left

from rlcourse.experiments.plots import OKABE_ITO

EPISODES = 300
LEARNERS = {"Q-learning": BiasedQ, "Double Q-learning": BiasedDoubleQ}
PUBLISHED = {"Q-learning": "well above 5", "Double Q-learning": "about 5"}


def main() -> None:
    chosen = options(__doc__, seeds=10_000)
    drawn, (axes,) = figure(
        1,
        "Maximisation bias: how many go left",
        f"mean of {chosen.seeds:,} learners, band: 95% interval of the mean; dotted: the best with epsilon = 0.1",
        (7.2, 4.4),
    )
    rows = []
    for colour, (label, kind) in zip(OKABE_ITO, LEARNERS.items(), strict=False):
        left = 100.0 * timed(label, lambda k=kind: shares_of_left(k, chosen.seeds, EPISODES))
        band(axes, np.arange(1, EPISODES + 1), left, label, color=colour)
        top = int(left.mean(axis=1).argmax())
        rows.append((f"{label}: at its worst (%), episode {top + 1}", "-", with_interval(left[top], 1)))
        rows.append(
            (f"{label}: episode 300 (%)", PUBLISHED[label], with_interval(left[-10:].mean(axis=0), 1))
        )
    axes.axhline(5.0, color="black", linewidth=0.9, linestyle=":")
    axes.set_ylim(0, 100)
    axes.set_xlim(1, EPISODES)
    axes.set_xlabel("episode")
    axes.set_ylabel("go left (%)")
    axes.legend(loc="upper right", frameon=False, fontsize="small")
    finish(drawn, chosen, "maximisation_bias", rows)


if __name__ == "__main__":
    main()
