"""Bias and variance of polynomials: 100 learners, each with data of its own, in one run for every degree.

python scripts/figures/bias_variance.py [--seeds 100] [--out runs/figures]

Every learner fits a polynomial by least squares to 15 points of sin(2 pi x) with noise of standard deviation 0.3. The data are
those of Bishop (2006), "Pattern recognition and machine learning", section 1.1 and figure 3.5; bias and variance of least
squares are known exactly there, since the inputs are the same for all: with phi(x) the powers of x and Phi those of the 15
inputs, the mean prediction is phi(x)' (Phi' Phi)^-1 Phi' f and its variance sigma^2 phi(x)' (Phi' Phi)^-1 phi(x).
"""

import numpy as np
from drawing import finish, options, timed, with_interval
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.polynomial.legendre import legvander

from rlcourse.experiments.plots import OKABE_ITO
from rlcourse.nn.bias_variance import Decomposition, squared_decomposition
from rlcourse.nn.data import Dataset
from rlcourse.nn.estimators import make_estimator
from rlcourse.streams import Streams

POINTS, SIGMA, DEGREES, SHOWN = 15, 0.3, range(1, 12), (1, 3, 11)
X = np.linspace(0.0, 1.0, POINTS)
GRID = np.linspace(0.0, 1.0, 201)
BLACK, BLUE, ORANGE, GREEN = "black", *OKABE_ITO[:3]


def truth(x):
    return np.sin(2.0 * np.pi * x)


def features(x, degree):
    """Legendre polynomials of degree 1 and more: the same curves as of powers of x, without their rounding errors."""
    return legvander(2.0 * x - 1.0, degree)[:, 1:]


def fit_all(degree, y):
    """The predictions on the grid, `[S, points]`, of learners with targets `y [S, POINTS]`."""
    x = np.broadcast_to(features(X, degree), (len(y), POINTS, degree))
    model = make_estimator("linear_regression", seeds=len(y), solver="closed_form")
    model.fit(Dataset(x, y, members=len(y)))
    return model.predict(features(GRID, degree))[..., 0]


def exact(degree):
    """Bias squared and variance, means over the grid."""
    design = legvander(2.0 * X - 1.0, degree)
    weights = legvander(2.0 * GRID - 1.0, degree) @ np.linalg.pinv(design)
    bias = weights @ truth(X) - truth(GRID)
    return float((bias**2).mean()), float(SIGMA**2 * (weights**2).sum(axis=1).mean())


def main() -> None:
    chosen = options(__doc__, seeds=100)
    streams = Streams.from_seeds(range(chosen.seeds), "figure/noise")
    y = truth(X) + SIGMA * streams.normal((POINTS,))
    noise = Streams.from_seeds(range(chosen.seeds), "figure/test noise").normal((len(GRID),))
    target = truth(GRID) + SIGMA * noise  # new data for every learner
    predictions = timed("fits", lambda: {degree: fit_all(degree, y) for degree in DEGREES})
    parts = {d: squared_decomposition(predictions[d], truth(GRID)) for d in DEGREES}
    errors = {d: ((predictions[d] - target) ** 2).mean(axis=1) for d in DEGREES}
    finish(draw(predictions, parts, errors, y), chosen, "bias_variance", rows(parts, errors))


def rows(parts: dict[int, Decomposition], errors) -> list[tuple[str, str, str]]:
    """Exact figures beside those of the population."""
    found = []
    for degree in SHOWN:
        bias, variance = exact(degree)
        found += [
            (f"degree {degree}: bias^2", f"{bias:.4f} (exact)", f"{parts[degree].bias:.4f}"),
            (f"degree {degree}: variance", f"{variance:.4f} (exact)", f"{parts[degree].variance:.4f}"),
            (
                f"degree {degree}: error",
                f"{bias + variance + SIGMA**2:.3f} (exact)",
                with_interval(errors[degree], 3),
            ),
        ]
    return found


def draw(predictions, parts, errors, y):
    drawn = Figure(figsize=(7.2, 6.4), dpi=110, layout="constrained")
    FigureCanvasAgg(drawn)
    panels = drawn.subplot_mosaic([[str(d) for d in SHOWN], ["parts"] * 3], height_ratios=(1.0, 1.5))
    drawn.suptitle(
        "Bias and variance of polynomials", x=0.01, ha="left", fontweight="bold", fontsize="medium"
    )
    for degree in SHOWN:
        axes = panels[str(degree)]
        axes.plot(GRID, predictions[degree].T, color=ORANGE, linewidth=0.4, alpha=0.25)
        axes.plot(GRID, predictions[degree].mean(axis=0), color=BLUE, linewidth=1.8)
        axes.plot(GRID, truth(GRID), color=BLACK, linewidth=1.2, linestyle="--")
        axes.plot(X, y[0], "o", color="#555555", markersize=2.5)
        axes.set_title(f"degree {degree}", fontsize="small")
        axes.set_ylim(-2.0, 2.0)
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_yticks([-1, 0, 1], ["-1", "0", "1"] if degree == SHOWN[0] else [])
        axes.set_xlabel("x", fontsize="small")
    axes = panels["parts"]
    known = {degree: exact(degree) for degree in DEGREES}
    lines = (
        ("bias$^2$", "s", BLUE, [known[d][0] for d in DEGREES], [parts[d].bias for d in DEGREES]),
        ("variance", "^", ORANGE, [known[d][1] for d in DEGREES], [parts[d].variance for d in DEGREES]),
        (
            "error = bias$^2$ + variance + noise",
            "o",
            BLACK,
            [sum(known[d]) + SIGMA**2 for d in DEGREES],
            [errors[d].mean() for d in DEGREES],
        ),
    )
    for label, marker, color, theory, ours in lines:
        axes.plot(DEGREES, theory, color=color, linewidth=1.2)
        axes.plot(DEGREES, ours, marker, color=color, markersize=5, label=label)
    axes.axhline(SIGMA**2, color=GREEN, linewidth=1.2, linestyle=":", label="noise: nobody does better")
    axes.set_xticks(list(DEGREES))
    axes.set_xlabel("degree of the polynomial")
    axes.set_ylabel("squared error on new data")
    axes.legend(frameon=False, fontsize="small", ncols=2, loc="upper center")
    axes.set_ylim(0.0, 0.4)
    for one in panels.values():
        one.spines[["top", "right"]].set_visible(False)
    drawn.supxlabel(
        f"above: {len(y)} learners (thin), their mean, the truth (dashed), the {POINTS} points of one of them\n"
        "below: marks are measured over the population, lines are exact",
        fontsize="small",
        color="#555555",
    )
    return drawn


if __name__ == "__main__":
    main()
