"""Mazes that change: a model that is trusted too long (Sutton & Barto 2018, examples 8.2 and 8.3, figures 8.4 and 8.5).

python scripts/figures/blocking_and_shortcut.py [--seeds 300] [--out runs/figures]

Reward so far of Dyna-Q and Dyna-Q+. After 1000 steps the way of the blocking maze closes and a longer one opens; after 3000 a
shorter way opens in the shortcut maze. The book says neither step size nor bonus nor planning steps, and the reward of Dyna-Q+
depends on them; `docs/tabular.md` shows by how much. Here are those, chosen for each maze apart, that come nearest to its
figures among the ones tried; epsilon is 0.1, discount 0.95.
"""

import numpy as np
from drawing import band, figure, finish, options, timed, with_interval

import rlcourse
from rlcourse.experiments.plots import OKABE_ITO

STRIDE = 25
WORLDS = {
    "Blocking maze": ("BlockingMaze-v0", 3_000, 1_000, {"planning_steps": 10, "kappa": 0.0001}),
    "Shortcut maze": ("ShortcutMaze-v0", 6_000, 3_000, {"planning_steps": 50, "kappa": 0.001}),
}
AGENTS = {"Dyna-Q+": "dyna_q_plus", "Dyna-Q": "dyna_q"}
SETTINGS = {"learning_rate": 1.0, "gamma": 0.95}
PUBLISHED = {
    ("Blocking maze", "Dyna-Q+"): "about 130",
    ("Blocking maze", "Dyna-Q"): "about 77",
    ("Shortcut maze", "Dyna-Q+"): "about 366",
    ("Shortcut maze", "Dyna-Q"): "about 297",
}


def rewards(name: str, world: str, steps: int, seeds: int, **settings):
    """The reward so far of every member after each stride, `[P, S]`."""
    agent = rlcourse.make_agent(name, world, seeds=seeds, **(SETTINGS | settings))
    sums = [np.zeros(seeds)]
    for _ in range(steps // STRIDE):
        agent.learn(STRIDE)
        sums.append(agent.earned + agent.running)
    return np.stack(sums)


def main() -> None:
    chosen = options(__doc__, seeds=300)
    drawn, panels = figure(
        2,
        "Reward so far in mazes that change",
        f"mean of {chosen.seeds} learners, band: 95% interval of the mean; dotted: the walls change",
        (7.2, 6.6),
    )
    rows = []
    for axes, (title, (world, steps, change, settings)) in zip(panels, WORLDS.items(), strict=True):
        for colour, (label, name) in zip(OKABE_ITO, AGENTS.items(), strict=False):
            given = {key: value for key, value in settings.items() if name == "dyna_q_plus" or key != "kappa"}
            found = timed(
                f"{title}, {label}",
                lambda n=name, w=world, s=steps, g=given: rewards(n, w, s, chosen.seeds, **g),
            )
            band(axes, STRIDE * np.arange(len(found)), found, label, color=colour)
            said = PUBLISHED[title, label]
            rows.append(
                (f"{title}, {label}: reward after {steps:,} steps", said, with_interval(found[-1], 0))
            )
            before = found[change // STRIDE]
            rows.append((f"{title}, {label}: before the change", "-", with_interval(before, 0)))
        axes.axvline(change, color="#888888", linewidth=0.9, linestyle=":")
        axes.set_ylabel(f"{title}: reward so far")
        axes.set_xlim(0, steps)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.legend(loc="upper left", frameon=False, fontsize="small")
    finish(drawn, chosen, "blocking_and_shortcut", rows)


if __name__ == "__main__":
    main()
