"""The loops of the linear beliefs, compiled: member by member, small matrices row by row.

No sum crosses members, and the order of every sum is fixed, so a member's numbers do not depend on the others.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

compiled = njit(cache=True, error_model="numpy")


@njit(cache=True, error_model="numpy", fastmath={"reassoc"})
def product(u: Any, v: Any) -> Any:
    """The sum u^T v, several terms at once: the order of the terms depends on their number alone."""
    total = 0.0
    for i in range(len(u)):
        total += u[i] * v[i]
    return total


@compiled
def whiten(features: Any, matrix: Any, w: Any) -> None:
    """Write M^T x into `w`, with M^T in `matrix`."""
    for j in range(len(w)):
        w[j] = product(matrix[j], features)


@njit(["void(float64[:, :, ::1], float64[:, :, ::1], float64[:, ::1])"], cache=True, error_model="numpy")
def scores(x: Any, theta: Any, out: Any) -> None:
    """The scores x_a^T theta_a of every arm of every member.

    Args:
        x: the features, float64 `[S, 1, dim]` (one context for all arms) or `[S, K, dim]`.
        theta: the weights, float64 `[S, K, dim]`, or `[S, 1, dim]` where the arms share them.
        out: where the scores are written, float64 `[S, K]`.
    """
    size, arms = out.shape
    for m in range(size):
        for a in range(arms):
            out[m, a] = product(x[m, min(a, x.shape[1] - 1)], theta[m, min(a, theta.shape[1] - 1)])


@njit(
    ["void(float64[:, :, ::1], float64[:, :, :, ::1], float64[:, ::1], float64[:, ::1])"],
    cache=True,
    error_model="numpy",
)
def spreads(x: Any, root: Any, z: Any, out: Any) -> None:
    """With w = M^T x of every arm: the length of w where z has no columns, else w^T z.

    Args:
        x: the features, float64 `[S, 1, dim]` or `[S, K, dim]`.
        root: M^T, float64 `[S, K, dim, dim]` or `[S, 1, dim, dim]`.
        z: float64 `[S, 0]` or `[S, dim]`.
        out: where the results are written, float64 `[S, K]`.
    """
    size, arms = out.shape
    w = np.empty(x.shape[2])
    for m in range(size):
        for a in range(arms):
            whiten(x[m, min(a, x.shape[1] - 1)], root[m, min(a, root.shape[1] - 1)], w)
            out[m, a] = product(w, z[m]) if z.shape[1] else math.sqrt(product(w, w))


@compiled
def sigmoid(z: Any) -> Any:
    """The logistic function 1 / (1 + exp(-z)), without overflow."""
    if z >= 0.0:
        return 1.0 / (1.0 + math.exp(-z))
    small = math.exp(z)
    return small / (1.0 + small)


@compiled
def laplace_step(y: Any, score: Any, variance: Any) -> Any:
    """The root c of c = y - sigma(score + c variance); it lies between 0 and y - sigma(score).

    The left side less the right increases in c. Newton's method finds the only root, with a bisection wherever a step would
    leave the bracket that its own values narrow, or is not half as long as the one before.
    """
    c = y - sigmoid(score)
    low, high = min(c, 0.0), max(c, 0.0)
    last = high - low
    for _ in range(200):
        p = sigmoid(score + c * variance)
        excess = c - y + p
        if excess > 0.0:
            high = c
        else:
            low = c
        step = excess / (1.0 + variance * p * (1.0 - p))
        if not low < c - step < high or abs(step) > 0.5 * last:
            step = c - 0.5 * (low + high)
        c -= step
        last = abs(step)
        if last <= 1e-14:
            break
    return c


@njit(
    [
        "void(float64[:, :, ::1], float64[::1], int64[::1], float64[:, :, ::1], float64[:, :, :, ::1], boolean)",
    ],
    cache=True,
    error_model="numpy",
)
def observe(x: Any, y: Any, actions: Any, theta: Any, root: Any, logistic: Any) -> None:
    """Take one reward into the belief about the pulled arm's model.

    With w = M^T x, s = 1 + g w^T w and Sigma x = M w:  theta <- theta + c Sigma x,  M <- M - g / (s + sqrt s) M w w^T.
    In a linear model g = 1 and c = (y - x^T theta) / s; in a logistic one c is the step to the mode, and
    g = p (1 - p) with p = sigma(x^T theta) there.

    Args:
        x: the features, float64 `[S, 1, dim]` or `[S, K, dim]`.
        y: float64 `[S]`, the rewards; of a logistic model in [0, 1].
        actions: int64 `[S]`.
        theta: float64 `[S, P, dim]`, changed in place.
        root: M^T, float64 `[S, P, dim, dim]`, changed in place.
        logistic: which of the two models.
    """
    size, _, dim = theta.shape
    w, across = np.empty(dim), np.empty(dim)
    for m in range(size):
        features = x[m, min(actions[m], x.shape[1] - 1)]
        model = min(actions[m], root.shape[1] - 1)
        weights, matrix = theta[m, model], root[m, model]
        whiten(features, matrix, w)
        score, variance = product(features, weights), product(w, w)
        if logistic:
            step = laplace_step(y[m], score, variance)
            p = sigmoid(score + step * variance)
            gain = p * (1.0 - p)
        else:
            step = (y[m] - score) / (1.0 + variance)
            gain = 1.0
        s = 1.0 + gain * variance
        shrink = gain / (s + math.sqrt(s))
        across[:] = 0.0
        for j in range(dim):
            for i in range(dim):
                across[i] += w[j] * matrix[j, i]
        for i in range(dim):
            weights[i] += step * across[i]
        for j in range(dim):
            for i in range(dim):
                matrix[j, i] -= shrink * w[j] * across[i]
