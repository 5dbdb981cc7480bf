"""The switching bandit of Garivier & Moulines (2011), section 4: who follows the best arm when it changes.

python scripts/figures/switching.py [--seeds 300] [--out runs/figures]

Three Bernoulli arms with means .5, .3 and .4 over 10,000 rounds; between the rounds 3000 and 5000 the third pays .9. The
strategies for change are tuned for two changes as their papers say. The bonus of the paper's discounted UCB is that of UCB1
on some 280 remembered pulls, so it never stops exploring; with half of it, as the sliding window has, it fares far better.
"""

from drawing import Line, draw, figure, finish, legend_beside, options, play, with_interval

SWITCHES = (3000, 5000)
LINES = [
    Line("UCB1", "ucb1", {}),
    Line("discounted UCB", "discounted_ucb", {}),
    Line("sliding-window UCB", "sliding_window_ucb", {}),
    Line("Exp3.S", "exp3_s", {}),
    Line("GLR-klUCB", "glr_kl_ucb", {}),
    Line("CUSUM-UCB", "cusum_ucb", {}),
    Line("discounted Thompson", "discounted_thompson", {}),
    Line("Thompson", "thompson", {}),
    Line("discounted UCB, bonus of the theorem", "discounted_ucb", {"xi": 0.5}),
]
FORGETTING = ("discounted UCB", "sliding-window UCB")
"""The paper's two strategies, which are to beat UCB1 after a switch."""


def main() -> None:
    chosen = options(__doc__, seeds=300)
    play(LINES, chosen, "SwitchingBandit-v0", 10_000, 200)
    drawn, (regret, optimal) = figure(
        2,
        "Switching bandit (Garivier & Moulines 2011): .5, .3, .4, the third .9 in rounds 3000 - 5000",
        f"mean of {chosen.seeds} runs, band: 95% interval of the mean",
        (8.4, 7.0),
    )
    draw(regret, LINES, "regret")
    draw(optimal, LINES, "optimal", scale=100.0)
    regret.set_ylabel("regret (reward lost)")
    regret.set_ylim(bottom=0)
    optimal.set_ylabel("pulls of the best arm (%)")
    optimal.set_ylim(0, 100)
    for axes in (regret, optimal):
        axes.set_xlim(0, 10_000)
        axes.set_xlabel("round")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        for switch in SWITCHES:
            axes.axvline(switch, color="#888888", linewidth=0.8, linestyle=":")
    legend_beside(regret)
    rows = []
    for line in LINES:
        rows.append((f"{line.label}: regret", "-", with_interval(line.result.scores["regret"], 0)))
    for line in LINES:
        regret = line.result.curves["regret"]
        after = regret[-1] - regret[line.result.steps == SWITCHES[1]][0]
        said = "below UCB1" if line.label in FORGETTING else "-"
        rows.append((f"{line.label}: regret after {SWITCHES[1]}", said, with_interval(after, 0)))
    finish(drawn, chosen, "switching", rows)


if __name__ == "__main__":
    main()
