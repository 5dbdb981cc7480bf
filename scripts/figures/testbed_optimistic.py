"""Sutton & Barto (2018), figure 2.3: an optimistic start against epsilon-greedy, both with step size 0.1.

python scripts/figures/testbed_optimistic.py [--seeds 2000] [--out runs/figures]
"""

from drawing import Line, testbed

OPTIMISTIC, REALISTIC = "optimistic, Q1 = 5, epsilon = 0", "realistic, Q1 = 0, epsilon = 0.1"
LINES = [
    Line(OPTIMISTIC, "optimistic_greedy", {"initial_value": 5.0, "step_size": 0.1}),
    Line(REALISTIC, "epsilon_greedy", {"epsilon": 0.1, "step_size": 0.1}),
]
PUBLISHED = {(OPTIMISTIC, "optimal"): "85"}  # read from the figure

if __name__ == "__main__":
    testbed("testbed_optimistic", "Ten-armed testbed: an optimistic start (S&B figure 2.3)", LINES, PUBLISHED)
