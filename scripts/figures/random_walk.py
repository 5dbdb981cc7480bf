"""The random walk with nineteen states: how far to look ahead (Sutton & Barto 2018, figures 7.2 and 12.6).

python scripts/figures/random_walk.py [--seeds 200] [--out runs/figures]

Error of the values, root mean square over the states, mean over the first ten episodes, against the step size: for n-step TD,
and for TD(lambda) with accumulating traces.
"""

import numpy as np
from drawing import band, figure, finish, options, timed, with_interval
from small_models import WALK, walk_error

import rlcourse
from rlcourse.experiments.plots import OKABE_ITO

N_STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
LAMBDAS = (0.0, 0.4, 0.8, 0.9, 0.95, 0.975, 1.0)
HIGHEST = 0.55
"""The error of who has learned nothing; the book's figures end there."""


def alphas(reach: float) -> np.ndarray:
    """Step sizes: finer for those who look far ahead and so need small ones."""
    return np.round(np.linspace(0.1, 1.0, 10) * reach, 4)


def error_of(kind: str, parameter: str, value: float, alpha: float, seeds: int) -> np.ndarray:
    agent = rlcourse.make_agent(
        kind,
        "FiniteWorld-v0",
        seeds=seeds,
        env_kwargs={"env": WALK},
        gamma=1.0,
        learning_rate=float(alpha),
        exploration_final_eps=0.0,
        **{parameter: value},
    )
    return walk_error(agent, "V" if kind == "td_prediction" else "Q")


def main() -> None:
    chosen = options(__doc__, seeds=200)
    drawn, panels = figure(
        2,
        "Random walk with 19 states: error of the first ten episodes",
        f"mean of {chosen.seeds} learners, band: 95% interval of the mean",
        (7.2, 8.0),
    )
    studies = (
        ("n_step_sarsa", "n_steps", N_STEPS, "n = {}", lambda n: 1.0 if n <= 4 else 4.0 / n),
        ("td_prediction", "trace_decay", LAMBDAS, "lambda = {}", lambda x: min(1.0, 2.5 * (1.0 - x) + 0.06)),
    )
    published = {"n_step_sarsa": "0.27 at n = 4, 0.4", "td_prediction": "0.28 at 0.8, 0.4"}
    rows = []
    for axes, (kind, parameter, values, words, reach) in zip(panels, studies, strict=True):
        best = {}
        for place, value in enumerate(values):
            label = words.format(value)
            steps = alphas(reach(value))
            errors = timed(
                label,
                lambda s=steps, v=value, k=kind, p=parameter: np.stack(
                    [error_of(k, p, v, alpha, chosen.seeds) for alpha in s]
                ),
            )
            shown = np.minimum(np.nan_to_num(errors, nan=10.0, posinf=10.0), 10.0)
            colour, dashes = OKABE_ITO[place % len(OKABE_ITO)], "-" if place < len(OKABE_ITO) else "--"
            band(axes, steps, shown, label, color=colour, linestyle=dashes, marker="o", markersize=2)
            at = int(shown.mean(axis=1).argmin())
            best[label] = (shown[at].mean(), f"{with_interval(shown[at], 3)} at step size {steps[at]:g}")
            rows.append((f"{label}: least error", "-", best[label][1]))
        winner = min(best, key=lambda label: best[label][0])
        rows.append((f"best of these ({kind})", published[kind], f"{winner}: {best[winner][1]}"))
        axes.set_ylim(0.2, HIGHEST)
        axes.set_xlim(0, 1)
        axes.set_xlabel("step size")
        axes.set_ylabel("error of the values (RMS)")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small")
    panels[1].set_title("TD(lambda)", loc="left", fontsize="small")
    panels[0].set_ylabel("n-step TD: error of the values (RMS)")
    finish(drawn, chosen, "random_walk", rows)


if __name__ == "__main__":
    main()
