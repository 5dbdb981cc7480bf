"""Sutton & Barto (2018), figure 2.4: upper confidence bounds against epsilon-greedy.

python scripts/figures/testbed_ucb.py [--seeds 2000] [--out runs/figures]
"""

from drawing import Line, testbed

LINES = [
    Line("UCB, c = 2", "ucb", {"c": 2.0}),
    Line("epsilon = 0.1", "epsilon_greedy", {"epsilon": 0.1}),
]
PUBLISHED = {("UCB, c = 2", "reward"): "1.48", ("epsilon = 0.1", "reward"): "1.38"}  # read from the figures

if __name__ == "__main__":
    testbed("testbed_ucb", "Ten-armed testbed: upper confidence bounds (S&B figure 2.4)", LINES, PUBLISHED)
