"""What theory says of bandits, as numbers: the Lai-Robbins constant, UCB1's bound, the mean of the best of several arms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlcourse.errors import UsageError


def lai_robbins_constant(means: Sequence[float]) -> float:
    """The constant C of the lower bound of regret on Bernoulli arms: regret ~ C ln T at best.

        C = sum_a Delta_a / kl(mu_a, mu*),   kl(p, q) = p ln(p / q) + (1 - p) ln((1 - p) / (1 - q))

    over the arms with a gap Delta_a = mu* - mu_a above 0. Every strategy whose regret grows slower than every power of T,
    whatever the means, has a regret of at least (C - o(1)) ln T.

    Args:
        means: the chances of the arms `[K]`, each in [0, 1].

    Raises:
        UsageError: no means, or a mean outside [0, 1].

    Source: Lai & Robbins (1985), "Asymptotically efficient adaptive allocation rules", theorem 2.
    """
    from scipy.special import rel_entr

    mu = _chances(means)
    best = mu.max()
    worse = mu[mu < best]
    divergence = rel_entr(worse, best) + rel_entr(1.0 - worse, 1.0 - best)
    return float(((best - worse) / divergence).sum())


def ucb1_bound(means: Sequence[float], n: ArrayLike) -> NDArray[np.float64]:
    """Upper bound of the expected regret of UCB1 after n pulls of arms that pay in [0, 1].

        8 sum_a ln n / Delta_a + (1 + pi^2 / 3) sum_a Delta_a     over the arms with Delta_a > 0

    Args:
        means: the means of the arms `[K]`, each in [0, 1].
        n: pulls, at least 1, of any shape.

    Returns:
        The bound, in the shape of `n`.

    Raises:
        UsageError: no means, or a mean outside [0, 1].

    Source: Auer, Cesa-Bianchi & Fischer (2002), "Finite-time analysis of the multiarmed bandit problem", theorem 1.
    """
    mu = _chances(means)
    gaps = mu.max() - mu
    gaps = gaps[gaps > 0.0]
    pulls = np.asarray(n, np.float64)
    return 8.0 * (1.0 / gaps).sum() * np.log(pulls) + (1.0 + np.pi**2 / 3.0) * gaps.sum()


def best_of_normals(k: int) -> float:
    """E[max of k independent N(0, 1)]: 1.5387 for ten arms, the most that the ten-armed testbed pays on average.

    The maximum has the density k phi(x) Phi(x)^(k-1).

    Args:
        k: number of arms.
    """
    from scipy.integrate import quad
    from scipy.special import log_ndtr

    def moment(x: float) -> float:
        return float(x * k * np.exp(-0.5 * x * x + (k - 1) * log_ndtr(x)) / np.sqrt(2.0 * np.pi))

    return float(quad(moment, -np.inf, np.inf)[0])


def best_candy_machine(machines: int = 5) -> float:
    """Mean payoff of the best candy machine, E[max(1, 2 max p)] with `machines - 1` chances p ~ U(0, 1).

    With m = machines - 1 the largest chance has the density m x^(m-1), so that

        P(max p < 1/2) + int_{1/2}^1 2 x m x^(m-1) dx = 2^-m + 2 m / (m + 1) (1 - 2^-(m+1))

    which is 1.6125 for the course's four.

    Args:
        machines: all machines, the sure one included.
    """
    m = machines - 1
    return 2.0**-m + 2.0 * m / (m + 1) * (1.0 - 2.0 ** -(m + 1))


def _chances(means: Sequence[float]) -> NDArray[np.float64]:
    """The means as an array, checked."""
    mu: NDArray[Any] = np.asarray(means, np.float64)
    if mu.ndim != 1 or len(mu) == 0 or not ((mu >= 0.0) & (mu <= 1.0)).all():
        raise UsageError(f"means={means!r} must be a list of numbers in [0, 1], one an arm")
    return mu
