"""The course's candy machines: how many candies each strategy collects for 10,000 coins, and what knowledge costs it.

python scripts/figures/candy_machines.py [--seeds 300] [--out runs/figures]

Machine 0 surely pays one candy; four others pay two with a hidden chance p ~ U(0, 1). The best machine pays 1.6125 candies
on average (exact). The cost of knowledge is the regret: the candies that one who knows the chances would have more.
"""

from drawing import Line, draw, figure, finish, legend_beside, options, play, with_interval

from rlcourse.experiments.yardsticks import best_candy_machine

COINS = 10_000
LINES = [
    Line("epsilon-first, uniform", "epsilon_first", {"exploration": "uniform"}),
    Line("epsilon-first, linear", "epsilon_first", {"exploration": "linear"}),
    Line("epsilon-first, softmax", "epsilon_first", {"exploration": "softmax"}),
    Line("epsilon-greedy, 0.1", "epsilon_greedy", {"epsilon": 0.1}),
    Line("UCB, c = 2", "ucb", {"c": 2.0}),
    Line("UCB-tuned", "ucb_tuned", {}),
    Line("Thompson", "thompson", {}),
    Line("random", "random", {}),
    Line("perfect knowledge", "perfect_knowledge", {}),
]
"""The course's strategies, then two that need no tuning, then the two ends."""


def main() -> None:
    chosen = options(__doc__, seeds=300)
    play(LINES, chosen, "CandyMachines-v0", COINS, 200)
    drawn, (axes,) = figure(
        1,
        "Candy machines: the cost of knowledge",
        f"mean of {chosen.seeds} games, band: 95% interval of the mean; random leaves the picture",
        (8.0, 4.4),
    )
    draw(axes, LINES, "regret")
    learners = [line for line in LINES if line.agent not in ("random", "perfect_knowledge")]
    axes.set_ylim(0, 1.1 * max(line.result.curves["regret"][-1].mean() for line in learners))
    axes.set_xlim(0, COINS)
    axes.set_xlabel("coins played")
    axes.set_ylabel("regret (candies lost)")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    legend_beside(axes)
    best = COINS * best_candy_machine()
    exact = {  # what theory expects of the two ends: candies, cost of knowledge
        "perfect knowledge": (f"{best:.0f} (exact)", "0 (exact)"),
        "random": (f"{COINS} (exact)", f"{best - COINS:.0f} (exact)"),
    }
    rows = []
    for place, (figure_name, metric) in enumerate((("candies", "total_reward"), ("cost", "regret"))):
        for line in LINES:
            said = exact.get(line.label, ("-", "-"))[place]
            rows.append((f"{line.label}: {figure_name}", said, with_interval(line.result.scores[metric], 0)))
    finish(drawn, chosen, "candy_machines", rows)


if __name__ == "__main__":
    main()
