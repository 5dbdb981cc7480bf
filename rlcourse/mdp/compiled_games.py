"""Matrix games in compiled code: the simplex method on a tableau so small that it fits the processor's cache."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit

ROUNDING = 1e-12
"""Numbers below it are rounding: the tableau begins with numbers between 1 and 2."""
GIVE = 1e-9
"""By how much a constraint may be missed in order to divide by a larger number."""
PIVOTS = 4
"""Pivots for each variable after which only ties can go on: two or three for each row are the rule (Dantzig 1963)."""

_compiled: Any = functools.partial(njit, cache=True, error_model="numpy", _nrt=False)


@_compiled()
def solve(payoff: Any, tableau: Any, labels: Any, row: Any, column: Any) -> Any:
    """The value of a matrix game, and a strategy of each player that secures it.

    Moved and stretched so that its entries M lie between 1 and 2, the game is the linear program of the column player

        maximise sum_b y_b   with   sum_b M[a, b] y_b <= 1,  y >= 0

    whose optimum is 1 / value, reached at y = strategy / value; its dual has the row player's strategy (Dantzig 1951, "A proof
    of the equivalence of the programming problem and the game problem"). All slack is a basis to begin with. Of the rows that
    miss no constraint by more than `GIVE`, the one with the largest pivot leaves (Harris 1973, "Pivot selection methods of the
    Devex LP code"): payoffs that are equal but for noise would make small pivots, and those large errors. Ties might go round
    in circles; so after many pivots, what counts as an improvement grows until there is none.

    The error is rounding, 1e-15 of the range of the payoffs; where payoffs differ by as little as `GIVE`, up to 1e-7 of it.

    Args:
        payoff: what the row player gets, float64 `[A, B]`.
        tableau: float64 `[A + 1, B + 1]`, overwritten.
        labels: int64 `[A + B]`, overwritten: the variables of the columns, and of the rows. The variable b < B is y_b, B + a
            the slack of row a.
        row: float64 `[A]`, becomes the row player's strategy.
        column: float64 `[B]`, becomes the column player's.

    Returns:
        The value to the row player: what its strategy secures.
    """
    A, B = payoff.shape
    low, high = payoff[0, 0], payoff[0, 0]
    for a in range(A):
        for b in range(B):
            low, high = min(low, payoff[a, b]), max(high, payoff[a, b])
    if not high > low:  # nothing depends on what is played
        row[:] = 1.0 / A
        column[:] = 1.0 / B
        return low
    for a in range(A):
        for b in range(B):
            tableau[a, b] = 1.0 + (payoff[a, b] - low) / (high - low)
        tableau[a, B] = 1.0
    tableau[A, :B] = -1.0
    tableau[A, B] = 0.0
    for k in range(A + B):
        labels[k] = k
    slack, pivots = ROUNDING, 0
    while True:
        entering = -1
        for b in range(B):
            if tableau[A, b] < -slack and (entering < 0 or tableau[A, b] < tableau[A, entering]):
                entering = b
        if entering < 0:
            break
        least = np.inf
        for a in range(A):
            if tableau[a, entering] > ROUNDING:
                least = min(least, (tableau[a, B] + GIVE) / tableau[a, entering])
        leaving = -1
        for a in range(A):
            near = tableau[a, entering] > ROUNDING and tableau[a, B] / tableau[a, entering] <= least
            if near and (leaving < 0 or tableau[a, entering] > tableau[leaving, entering]):
                leaving = a
        if leaving < 0:
            break
        pivots += 1
        if pivots > PIVOTS * (A + B):
            slack *= 2.0
        pivot(tableau, leaving, entering)
        for a in range(A):
            tableau[a, B] = max(
                0.0, tableau[a, B]
            )  # a small pivot would make the little that is missed large
        labels[entering], labels[B + leaving] = labels[B + leaving], labels[entering]
    for a in range(A):
        row[a] = 0.0
    for b in range(B):
        column[b] = 0.0
    for b in range(B):
        if labels[b] >= B:
            row[labels[b] - B] = max(0.0, tableau[A, b])
    for a in range(A):
        if labels[B + a] < B:
            column[labels[B + a]] = max(0.0, tableau[a, B])
    total, others = row.sum(), column.sum()
    for a in range(A):
        row[a] /= total
    for b in range(B):
        column[b] /= others
    secured = np.inf
    for b in range(B):
        mean = 0.0
        for a in range(A):
            mean += row[a] * payoff[a, b]
        secured = min(secured, mean)
    return secured


@_compiled()
def pivot(tableau: Any, r: Any, c: Any) -> None:
    """Exchange the variable of row `r` for that of column `c`."""
    scale = 1.0 / tableau[r, c]
    for j in range(tableau.shape[1]):
        if j != c:
            tableau[r, j] *= scale
    for i in range(tableau.shape[0]):
        if i != r:
            factor = tableau[i, c]
            for j in range(tableau.shape[1]):
                if j != c:
                    tableau[i, j] -= factor * tableau[r, j]
            tableau[i, c] = -factor * scale
    tableau[r, c] = scale


@_compiled()
def solve_all(payoffs: Any, tableau: Any, labels: Any, values: Any, rows: Any, columns: Any) -> None:
    """`solve` for every game of `payoffs [X, A, B]`: into `values [X]`, `rows [X, A]` and `columns [X, B]`."""
    for x in range(len(payoffs)):
        values[x] = solve(payoffs[x], tableau, labels, rows[x], columns[x])
