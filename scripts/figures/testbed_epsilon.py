"""Sutton & Barto (2018), figure 2.2: greedy against epsilon-greedy on the ten-armed testbed.

python scripts/figures/testbed_epsilon.py [--seeds 2000] [--out runs/figures]
"""

from drawing import Line, testbed

LINES = [
    Line(f"epsilon = {epsilon:g}" if epsilon else "greedy", "epsilon_greedy", {"epsilon": epsilon})
    for epsilon in (0.1, 0.01, 0.0)
]
PUBLISHED = {  # read from the figure
    ("epsilon = 0.1", "reward"): "1.38",
    ("epsilon = 0.01", "reward"): "1.31",
    ("greedy", "reward"): "1.05",
    ("epsilon = 0.1", "optimal"): "80",
    ("epsilon = 0.01", "optimal"): "60",
    ("greedy", "optimal"): "37",
}

if __name__ == "__main__":
    testbed("testbed_epsilon", "Ten-armed testbed: epsilon-greedy (S&B figure 2.2)", LINES, PUBLISHED)
