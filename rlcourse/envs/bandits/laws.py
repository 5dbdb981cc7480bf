"""The laws by which an arm pays: what means they can have, and how a reward is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.options import check_number
from rlcourse.errors import UsageError
from rlcourse.streams import Streams

Draw = Callable[[Streams, NDArray[np.intp] | None, NDArray[np.float64], Any], NDArray[np.float64]]


class Law(NamedTuple):
    """A family of distributions with a given mean."""

    low: float
    """Smallest possible mean."""
    high: float
    """Largest possible mean."""
    open: bool
    """Whether the bounds themselves are excluded."""
    prior: str
    """How means are drawn when nobody gives them: "uniform" (low, high) or "gaussian" (mean, sd) ..."""
    prior_args: tuple[float, float]
    """... and these two numbers."""
    draw: Draw
    """`draw(streams, rows, means, spread)`: a reward for each of `rows` (`None`: all), whose arms have
    `means`."""

    def check_mean(self, name: str, value: Any, law: str) -> float:
        """The mean as a float, or a `UsageError` that says which means the law can have."""
        check_number(name, value)
        inside = self.low < value < self.high if self.open else self.low <= value <= self.high
        if not inside:
            left, right = "()" if self.open else "[]"
            interval = f"{left}{self.low:g}, {self.high:g}{right}"
            raise UsageError(f"{name}={value!r} is impossible: the mean of a {law} arm lies in {interval}")
        return float(value)


def draw_bernoulli(
    noise: Streams, rows: NDArray[np.intp] | None, means: NDArray[np.float64], spread: Any = None
) -> NDArray[np.float64]:
    """1 with probability `means`, else 0."""
    return (noise.uniform(rows=rows) < means).astype(np.float64)


def draw_gaussian(
    noise: Streams, rows: NDArray[np.intp] | None, means: NDArray[np.float64], spread: Any
) -> NDArray[np.float64]:
    """Normal with standard deviation `spread`."""
    return means + spread * noise.normal(rows=rows)


def draw_uniform(
    noise: Streams, rows: NDArray[np.intp] | None, means: NDArray[np.float64], spread: Any
) -> NDArray[np.float64]:
    """Uniform on an interval of width `spread` around the mean."""
    return means + spread * (noise.uniform(rows=rows) - 0.5)


def draw_exponential(
    noise: Streams, rows: NDArray[np.intp] | None, means: NDArray[np.float64], spread: Any
) -> NDArray[np.float64]:
    """Exponential; its standard deviation equals its mean."""
    return means * noise.exponential(rows=rows)


def draw_poisson(
    noise: Streams, rows: NDArray[np.intp] | None, means: NDArray[np.float64], spread: Any
) -> NDArray[np.float64]:
    """Poisson counts; their variance equals their mean."""
    return noise.poisson(means, rows=rows, check=False).astype(np.float64)


def draw_beta(
    noise: Streams, rows: NDArray[np.intp] | None, means: NDArray[np.float64], spread: Any
) -> NDArray[np.float64]:
    """Beta(mean c, (1 - mean) c), concentration c = `spread`; variance mean (1 - mean) / (1 + c)."""
    return noise.beta(means * spread, (1.0 - means) * spread, rows=rows, check=False)


LAWS: dict[str, Law] = {
    "bernoulli": Law(0.0, 1.0, False, "uniform", (0.0, 1.0), draw_bernoulli),
    # Sutton & Barto 2018, section 2.3: the ten-armed testbed
    "gaussian": Law(-math.inf, math.inf, False, "gaussian", (0.0, 1.0), draw_gaussian),
    "uniform": Law(-math.inf, math.inf, False, "uniform", (0.0, 1.0), draw_uniform),
    "exponential": Law(0.0, math.inf, True, "uniform", (0.0, 1.0), draw_exponential),
    # around counts of one to five a round the Poisson law is neither all zeros nor nearly Gaussian
    "poisson": Law(0.0, 2.0**62, False, "uniform", (0.0, 5.0), draw_poisson),
    "beta": Law(0.0, 1.0, True, "uniform", (0.0, 1.0), draw_beta),
}
"""The laws that are told by a mean; "discrete" (values with probabilities) is the seventh:
`stationary.py`."""
DISCRETE = "discrete"
LAW_NAMES = (*LAWS, DISCRETE)
