"""Rounds that come with a description: which arm is best depends on the context that you see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.bandits.base import BanditEnv, BanditRules, BanditVectorEnv
from rlcourse.envs.bandits.chains import dot
from rlcourse.envs.bandits.laws import draw_bernoulli, draw_gaussian
from rlcourse.envs.options import (
    check_choice,
    check_count,
    check_number,
    check_numbers,
    check_table,
    set_field,
)
from rlcourse.envs.rules import State
from rlcourse.errors import UsageError
from rlcourse.streams import Streams

# The length of theta where nobody gives it. Linear: means in [-1, 1]. Logistic: in five dimensions the score
# theta x has standard deviation 4 / sqrt(5), so most win probabilities lie between 0.05 and 0.95. Quadratic: means in [0, 1],
# and with the default noise a tenth of the payoff 10 (theta x)^2 and the noise N(0, 1) of Zhou et al. (2020, section 7.1).
THETA_NORM = {"linear": 1.0, "logistic": 4.0, "quadratic": 1.0}


@dataclass(frozen=True)
class ContextualBandit(BanditRules):
    """The rules of `ContextualBandit-v0`."""

    arms: int = 5
    """Number of arms; follows from `theta` where that is given for each arm."""
    dim: int = 5
    """Entries of a context; follows from `theta` likewise."""
    payoff: str = "linear"
    """"linear": mean theta x, Gaussian noise; "logistic": a win with probability 1 / (1 + exp(-theta x)); "quadratic": mean
    (theta x)^2, Gaussian noise, of which a linear model sees nothing (Zhou et al. 2020, "Neural contextual bandits")."""
    parameters: str = "per_arm"
    """"per_arm": one context x a round, a theta for each arm (Li et al. 2010, "disjoint"). "shared": one
    theta, a feature vector x for each arm (Chu et al. 2011)."""
    theta: list[Any] | None = None
    """The parameters: [arms][dim], or [dim] where they are shared; `None` draws directions at every reset."""
    theta_norm: float | None = None
    """Length of a drawn theta; `None` means 1 (linear, quadratic) or 4 (logistic)."""
    sigma: float = 0.1
    """Standard deviation of the noise on linear and quadratic rewards."""
    horizon: int = 10_000
    """Rounds until the episode is truncated."""

    streams: ClassVar[tuple[str, ...]] = ("problem", "noise", "contexts")

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_choice("payoff", self.payoff, tuple(THETA_NORM))
        check_choice("parameters", self.parameters, ("per_arm", "shared"))
        check_count("horizon", self.horizon)
        set_field(self, "sigma", check_number("sigma", self.sigma, 0.0))
        if self.theta_norm is None:
            set_field(self, "theta_norm", THETA_NORM[self.payoff])
        else:
            set_field(self, "theta_norm", check_number("theta_norm", self.theta_norm, 0.0, open_low=True))
        if self.theta is not None:
            self._check_theta()
        check_count("arms", self.arms)
        check_count("dim", self.dim)

    def _check_theta(self) -> None:
        given = check_numbers("theta", self.theta) if self.shared else check_table("theta", self.theta)
        told = {"dim": given.shape[-1]} if self.shared else {"arms": given.shape[0], "dim": given.shape[1]}
        for name, number in told.items():
            if getattr(self, name) not in (getattr(ContextualBandit, name), number):
                raise UsageError(
                    f"{name}={getattr(self, name)!r} does not fit theta, which speaks of {number}"
                )
            set_field(self, name, number)
        set_field(self, "theta", given.tolist())

    @property
    def shared(self) -> bool:
        """Whether all arms share one theta."""
        return self.parameters == "shared"

    @cached_property
    def reward_range(self) -> tuple[float, float]:
        """A win or none; other payoffs are bounded (by the longest theta) only without noise."""
        if self.payoff == "logistic":
            return 0.0, 1.0
        if self.sigma > 0.0:
            return -math.inf, math.inf
        longest = float(self.theta_norm or 0.0)
        if self.theta is not None:
            longest = float(np.sqrt((np.array(self.theta) ** 2).sum(axis=-1)).max())
        longest *= 1.0 + 1e-12  # rounding of the product of two vectors of this length
        return (0.0, longest**2) if self.payoff == "quadratic" else (-longest, longest)

    @cached_property
    def observation_space(self) -> gymnasium.Space[Any]:  # type: ignore[override]
        """The context `[dim]`, or the features of the arms `[arms, dim]`; every vector has length 1."""
        shape = (self.arms, self.dim) if self.shared else (self.dim,)
        return gymnasium.spaces.Box(-1.0, 1.0, shape, np.float64)

    def observe(self, state: State) -> NDArray[np.float64]:
        """The contexts of this round."""
        return state["context"].copy()

    def allocate_arms(self, batch: int) -> State:
        """`theta` and `context` (`[B, dim]` or `[B, K, dim]`), and `means float64 [B, K]` in this context."""
        return {
            "theta": np.zeros((batch, self.dim) if self.shared else (batch, self.arms, self.dim)),
            "context": np.zeros((batch, *self.observation_space.shape)),  # type: ignore[misc]
            "means": np.zeros((batch, self.arms)),
        }

    def draw_problem(self, state: State, rows: NDArray[np.intp]) -> None:
        """Directions drawn uniformly from the sphere, unless theta is given."""
        if self.theta is None:
            shape = (self.dim,) if self.shared else (self.arms, self.dim)
            direction = unit(Streams(state["problem"]).normal(shape, rows=rows))
            state["theta"][rows] = (self.theta_norm or 0.0) * direction
        else:
            state["theta"][rows] = np.array(self.theta)

    def begin(self, state: State, rows: NDArray[np.intp]) -> None:
        """The first context."""
        self._present(state, rows)

    def advance(self, state: State, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The next context, whatever was done."""
        self._present(state, None)

    def _present(self, state: State, rows: NDArray[np.intp] | None) -> None:
        """Draw contexts uniformly from the sphere, and the means that go with them."""
        where = slice(None) if rows is None else rows
        shape = self.observation_space.shape or ()
        context = unit(Streams(state["contexts"]).normal(shape, rows=rows))
        state["context"][where] = context
        theta = state["theta"][where]
        score = dot(theta[:, None], context) if self.shared else dot(theta, context[:, None])
        if self.payoff == "logistic":  # 1 / (1 + exp(-score)), written so that nothing overflows
            score = 0.5 + 0.5 * np.tanh(0.5 * score)
        state["means"][where] = score**2 if self.payoff == "quadratic" else score

    def draw_rewards(
        self, state: State, actions: NDArray[np.int64], means: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Normal around the mean, or a win with this probability (logistic)."""
        noise = Streams(state["noise"])
        if self.payoff == "logistic":
            return draw_bernoulli(noise, None, means)
        return draw_gaussian(noise, None, means, self.sigma)


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vectors `[..., dim]` scaled to length 1."""
    length = np.sqrt(dot(vectors, vectors))
    return vectors / np.maximum(length, np.finfo(np.float64).tiny)[..., None]


class ContextualBanditEnv(BanditEnv):
    """A bandit with contexts: look first, then pull.

    ## Description
    In every round you see a context, drawn uniformly from the unit sphere. With `parameters="per_arm"` it is
    one vector x, and arm a has a hidden parameter theta_a (the disjoint model of Li et al. 2010); with
    `parameters="shared"` every arm shows a vector x_a of its own, and all share one hidden theta (Chu et al.
    2011).

    ## Action Space
    `Discrete(arms)`: the arm to pull.

    ## Observation Space
    `Box(-1, 1, (dim,))`: the context; with shared parameters `Box(-1, 1, (arms, dim))`, a row for every arm.

    ## Rewards
    `payoff="linear"`: theta x plus Gaussian noise of standard deviation `sigma`; `payoff="quadratic"`: (theta x)^2 plus
    this noise, which takes a model that is not linear (Zhou et al. 2020). `payoff="logistic"`: 1 with probability
    1 / (1 + exp(-theta x)), else 0. `info["regret"]` is the mean of the arm that is best in this
    context less the mean of the arm that was pulled.

    ## Starting State
    New hidden parameters of length `theta_norm` and random direction at every reset, unless `theta` gives
    them; `options={"same_problem": True}` keeps them. The contexts go on with their own stream.

    ## Episode End
    Truncated after `horizon` rounds.

    ## Arguments
    `arms=5`, `dim=5`, `payoff="linear"`, `parameters="per_arm"`, `theta=None` ([arms][dim], or [dim] if
    shared), `theta_norm=None` (4 if logistic, else 1), `sigma=0.1` (noise, unless logistic), `horizon=10000`
    rounds.

    ## Version History
    v0: first version.
    """

    rules_class = ContextualBandit


class ContextualBanditVectorEnv(BanditVectorEnv):
    """Copies of `ContextualBanditEnv` in lockstep."""

    rules_class = ContextualBandit
