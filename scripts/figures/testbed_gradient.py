"""Sutton & Barto (2018), figure 2.5: the gradient bandit with and without a baseline, true values near 4.

python scripts/figures/testbed_gradient.py [--seeds 2000] [--out runs/figures]
"""

from drawing import Line, testbed

LINES = [
    Line(
        f"step {step:g}, {'baseline' if baseline else 'no baseline'}",
        "gradient_bandit",
        {"step_size": step, "baseline": baseline},
    )
    for baseline in (True, False)
    for step in (0.1, 0.4)
]

if __name__ == "__main__":
    testbed(
        "testbed_gradient",
        "Ten-armed testbed with means N(4, 1): the gradient bandit (S&B figure 2.5)",
        LINES,
        {},
        prior="gaussian",
        prior_args=[4.0, 1.0],
    )
