"""The bandit of the textbooks: K arms with a law each, whose means stay where they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.bandits.base import BanditEnv, BanditRules, BanditVectorEnv, row_max
from rlcourse.envs.bandits.laws import DISCRETE, LAW_NAMES, LAWS
from rlcourse.envs.options import check_choice, check_count, check_number, check_numbers, set_field
from rlcourse.envs.rules import State
from rlcourse.errors import UsageError
from rlcourse.streams import Streams


@dataclass(frozen=True)
class Bandit(BanditRules):
    """The rules of `Bandit-v0`."""

    arms: int = 10
    """Number of arms; follows from `law`, `means` or `probabilities` where these are lists."""
    law: str | list[str] = "bernoulli"
    """The law of the rewards: one word for all arms, or one an arm."""
    means: list[float | None] | None = None
    """The mean of every arm; `None` (for all, or in the place of one) is drawn at every reset."""
    prior: str | None = None
    """How means are drawn: "uniform" or "gaussian"; `None` takes the prior that belongs to the law."""
    prior_args: list[float] | None = None
    """[low, high] of the uniform prior, [mean, sd] of the Gaussian one."""
    sigma: float | list[float] = 1.0
    """Standard deviation of Gaussian rewards; one number, or one an arm (1: Sutton & Barto 2018, section
    2.3)."""
    width: float = 1.0
    """Width of the interval of uniform rewards."""
    concentration: float = 10.0
    """Sum of the two parameters of beta rewards."""
    values: list[float] | None = None
    """What a discrete arm can pay; `None` means 0, 0.5 and 1."""
    probabilities: list[list[float]] | None = None
    """A row for every discrete arm, in their order: the probability of each value. `None` draws the rows
    uniformly from the simplex at every reset."""
    horizon: int = 10_000
    """Rounds until the episode is truncated."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        self._check_numbers_of_arms()
        for i, word in enumerate(self.laws):
            check_choice("law" if isinstance(self.law, str) else f"law[{i}]", word, LAW_NAMES)
        check_count("horizon", self.horizon)
        self._check_parameters()
        self._check_prior()
        self._check_means()
        self._check_discrete()

    def _check_numbers_of_arms(self) -> None:
        """Settle `arms` by the lists, and refuse lists that disagree."""
        if not isinstance(self.law, (str, list, tuple)):
            raise UsageError(f"law={self.law!r} must be a word or a list of words, one an arm")
        lengths: dict[str, int] = {}
        for name in ("law", "means", "sigma"):
            value = getattr(self, name)
            if isinstance(value, (list, tuple, np.ndarray)):
                set_field(self, name, list(value))
                lengths[name] = len(value)
        if self.law == DISCRETE and self.probabilities is not None:
            if not isinstance(self.probabilities, (list, tuple)):
                raise UsageError(f"probabilities={self.probabilities!r} must be a list with one row an arm")
            lengths["probabilities"] = len(self.probabilities)
        if self.arms != Bandit.arms or not lengths:
            lengths["arms"] = check_count("arms", self.arms)
        for name, length in lengths.items():
            if length != next(iter(lengths.values())) or length == 0:
                told = ", ".join(f"{key} speaks of {number}" for key, number in lengths.items())
                raise UsageError(f"{name} does not fit: {told} arms")
        set_field(self, "arms", next(iter(lengths.values())))

    def _check_parameters(self) -> None:
        if isinstance(self.sigma, list):
            set_field(self, "sigma", check_numbers("sigma", self.sigma, 0.0).tolist())
        else:
            set_field(self, "sigma", check_number("sigma", self.sigma, 0.0))
        set_field(self, "width", check_number("width", self.width, 0.0))
        set_field(
            self, "concentration", check_number("concentration", self.concentration, 0.0, open_low=True)
        )

    def _check_prior(self) -> None:
        if self.prior is None:
            if self.prior_args is not None:
                raise UsageError(f"prior_args={self.prior_args!r} need a prior: say 'uniform' or 'gaussian'")
            return
        check_choice("prior", self.prior, ("uniform", "gaussian"))
        if self.prior_args is None:
            set_field(self, "prior_args", [0.0, 1.0])
        first, second = self._two_numbers()
        for name in self._told_by_mean:
            law = LAWS[name]
            if self.prior == "gaussian":
                if law.low != -math.inf:
                    raise UsageError(
                        f"prior='gaussian' gives means that a {name} arm cannot have: use 'uniform'"
                    )
            elif first < law.low or second > law.high:
                raise UsageError(
                    f"prior_args={self.prior_args!r} give means that a {name} arm cannot have: "
                    f"stay within [{law.low:g}, {law.high:g}]"
                )
        if self.prior == "uniform" and not first <= second:
            raise UsageError(f"prior_args={self.prior_args!r} must be [low, high] with low <= high")
        if self.prior == "gaussian" and second < 0.0:
            raise UsageError(f"prior_args={self.prior_args!r} must be [mean, sd] with sd >= 0")

    def _two_numbers(self) -> tuple[float, float]:
        pair = check_numbers("prior_args", self.prior_args).tolist()
        if len(pair) != 2:
            raise UsageError(f"prior_args={self.prior_args!r} must be two numbers")
        set_field(self, "prior_args", pair)
        return pair[0], pair[1]

    def _check_means(self) -> None:
        if self.means is None:
            return
        if not isinstance(self.means, list):
            raise UsageError(f"means={self.means!r} must be a list, one mean an arm")
        for i, (value, word) in enumerate(zip(self.means, self.laws, strict=True)):
            if word == DISCRETE and value is not None:
                raise UsageError(
                    f"means[{i}]={value!r}: the mean of a discrete arm follows from its probabilities"
                )
            if value is not None:
                self.means[i] = LAWS[word].check_mean(f"means[{i}]", value, word)

    def _check_discrete(self) -> None:
        rows = len(self._arms_of(DISCRETE))
        if rows == 0:
            for name in ("values", "probabilities"):
                if getattr(self, name) is not None:
                    raise UsageError(
                        f"{name}={getattr(self, name)!r} is for law='discrete', not for law={self.law!r}"
                    )
            return
        values = check_numbers("values", [0.0, 0.5, 1.0] if self.values is None else self.values)
        set_field(self, "values", values.tolist())
        if self.probabilities is None:
            return
        if not isinstance(self.probabilities, (list, tuple)) or len(self.probabilities) != rows:
            raise UsageError(
                f"probabilities={self.probabilities!r} must be a list of {rows} rows, one a discrete arm"
            )
        table = []
        for i, given in enumerate(self.probabilities):
            row = check_numbers(f"probabilities[{i}]", given, 0.0, 1.0)
            if len(row) != len(values) or abs(row.sum() - 1.0) > 1e-9:
                raise UsageError(
                    f"probabilities[{i}]={given!r} must be {len(values)} numbers, one a value, that sum to 1"
                )
            table.append(row.tolist())
        set_field(self, "probabilities", table)

    @cached_property
    def laws(self) -> list[str]:
        """The law of every arm, `K` words."""
        return [self.law] * self.arms if isinstance(self.law, str) else self.law

    @cached_property
    def _told_by_mean(self) -> list[str]:
        """The laws that occur, without "discrete", in a fixed order."""
        return [name for name in LAWS if name in self.laws]

    def _arms_of(self, name: str) -> NDArray[np.intp]:
        return np.flatnonzero([word == name for word in self.laws])

    @cached_property
    def _law_codes(self) -> NDArray[np.int64]:
        """The law of every arm as an index into `LAW_NAMES`, `[K]`."""
        return np.array([LAW_NAMES.index(word) for word in self.laws])

    @cached_property
    def _sigmas(self) -> NDArray[np.float64]:
        return np.array(self.sigma) if isinstance(self.sigma, list) else np.full(self.arms, self.sigma)

    @cached_property
    def _discrete_row(self) -> NDArray[np.int64]:
        """For a discrete arm, its row in the probabilities, `[K]`."""
        return np.cumsum(self._law_codes == LAW_NAMES.index(DISCRETE)) - 1

    def _prior_of(self, name: str) -> tuple[str, tuple[float, float]]:
        if self.prior is None or self.prior_args is None:
            return LAWS[name].prior, LAWS[name].prior_args
        return self.prior, (self.prior_args[0], self.prior_args[1])

    @cached_property
    def reward_range(self) -> tuple[float, float]:
        """The union of the arms' ranges, over every mean that they can get."""
        ranges = [self._range_of(arm) for arm in range(self.arms)]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def _range_of(self, arm: int) -> tuple[float, float]:
        word = self.laws[arm]
        if word in ("bernoulli", "beta"):
            return 0.0, 1.0
        if word in ("exponential", "poisson"):
            return 0.0, math.inf
        if word == DISCRETE:
            values = np.array(self.values)
            if self.probabilities is not None:
                values = values[np.array(self.probabilities[self._discrete_row[arm]]) > 0.0]
            return float(values.min()), float(values.max())
        mean = None if self.means is None else self.means[arm]
        prior, (low, high) = self._prior_of(word)
        if mean is not None:
            low = high = mean
        elif prior == "gaussian":
            low, high = (-math.inf, math.inf) if high > 0.0 else (low, low)
        if word == "gaussian":
            return (low, high) if self._sigmas[arm] == 0.0 else (-math.inf, math.inf)
        return low - self.width / 2, high + self.width / 2

    def allocate_arms(self, batch: int) -> State:
        """`means [B, K]`, `best [B]` (their maximum); for D discrete arms `chances [B, D, V]`."""
        state: State = {"means": np.zeros((batch, self.arms)), "best": np.zeros(batch)}
        if discrete := len(self._arms_of(DISCRETE)):
            state["chances"] = np.zeros((batch, discrete, len(self.values or ())))
        return state

    def draw_problem(self, state: State, rows: NDArray[np.intp]) -> None:
        """Means from the prior, or as given; probabilities uniform on the simplex, or as given."""
        problem, means = Streams(state["problem"]), state["means"]
        for name in self._told_by_mean:
            arms = self._arms_of(name)
            if self.means is not None:
                arms = arms[[self.means[arm] is None for arm in arms]]
            if len(arms):
                prior, (first, second) = self._prior_of(name)
                if prior == "gaussian":
                    drawn = first + second * problem.normal(len(arms), rows=rows)
                else:
                    drawn = first + (second - first) * problem.uniform(len(arms), rows=rows)
                if LAWS[name].open:  # a uniform number may be exactly 0, which is no mean of these laws
                    drawn = np.clip(drawn, 2.0**-53, np.nextafter(LAWS[name].high, 0.0))
                means[rows[:, None], arms] = drawn
        if "chances" in state:
            self._draw_chances(state, rows, problem)
        if self.means is not None:
            for arm, mean in enumerate(self.means):
                if mean is not None:
                    means[rows, arm] = mean
        state["best"][rows] = row_max(means[rows])

    def _draw_chances(self, state: State, rows: NDArray[np.intp], problem: Streams) -> None:
        """Uniform on the simplex: exponentials over their sum (Devroye 1986, chapter XI, section 2)."""
        arms = self._arms_of(DISCRETE)
        if self.probabilities is None:
            weights = problem.exponential((len(arms), len(self.values or ())), rows=rows)
            state["chances"][rows] = weights / weights.sum(axis=-1, keepdims=True)
        else:
            state["chances"][rows] = np.array(self.probabilities)
        state["means"][rows[:, None], arms] = (state["chances"][rows] * np.array(self.values)).sum(axis=-1)

    def best_means(self, state: State) -> NDArray[np.float64]:
        """Known since the draw."""
        return state["best"]

    def draw_rewards(
        self, state: State, actions: NDArray[np.int64], means: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """One number from the law of the arm that was pulled."""
        noise = Streams(state["noise"])
        if isinstance(self.law, str) and self.law != DISCRETE:
            return LAWS[self.law].draw(noise, None, means, self._spread(self.law, actions))
        rewards = np.empty(len(actions))
        codes = self._law_codes[actions]
        for name in dict.fromkeys(self.laws):
            rows = np.flatnonzero(codes == LAW_NAMES.index(name))
            if not len(rows):
                continue
            if name == DISCRETE:
                chances = state["chances"][rows, self._discrete_row[actions[rows]]]
                rewards[rows] = np.array(self.values)[noise.categorical(chances, rows=rows, check=False)]
            else:
                spread = self._spread(name, actions[rows])
                rewards[rows] = LAWS[name].draw(noise, rows, means[rows], spread)
        return rewards

    def _spread(self, name: str, actions: NDArray[np.int64]) -> Any:
        """The second parameter of a law, for these pulls."""
        if name == "gaussian":
            return self._sigmas[actions] if isinstance(self.sigma, list) else self.sigma
        return {"uniform": self.width, "beta": self.concentration}.get(name)


class StationaryEnv(BanditEnv):
    """K arms with a law each: the stationary bandit.

    ## Description
    In every round you pull one of `arms` arms and get a reward from its law. The means stay where they are
    for the whole episode. `law="gaussian"` alone is the ten-armed testbed of Sutton & Barto (2018, section
    2.3): means from N(0, 1), rewards from N(mean, 1), the best mean 1.5387 on average.

    ## Action Space
    `Discrete(arms)`: the arm to pull.

    ## Observation Space
    `Discrete(1)`: there is nothing to see but the rewards.

    ## Rewards
    | law | reward | means drawn from |
    |---|---|---|
    | `bernoulli` | 1 with probability `mean`, else 0 | U(0, 1) |
    | `gaussian` | normal with standard deviation `sigma` | N(0, 1) |
    | `uniform` | uniform on an interval of length `width` around the mean | U(0, 1) |
    | `exponential` | exponential with this mean | U(0, 1) |
    | `poisson` | Poisson counts with this mean | U(0, 5) |
    | `beta` | beta(mean c, (1 - mean) c), c = `concentration` | U(0, 1) |
    | `discrete` | one of `values`, with probabilities | probabilities uniform on the simplex |

    `info["regret"]` is the mean of the best arm less the mean of the arm that was pulled.

    ## Starting State
    New means at every reset, unless `means` gives them; `options={"same_problem": True}` keeps them.

    ## Episode End
    Truncated after `horizon` rounds.

    ## Arguments
    `arms=10`; `law="bernoulli"`, a word or a list with one an arm; `means=None`, or a list in which `None` is
    drawn; `prior=None` ("uniform" with `prior_args=[low, high]`, "gaussian" with `[mean, sd]`); `sigma=1.0`
    (or one an arm), `width=1.0`, `concentration=10.0`, `values=[0, 0.5, 1]`, `probabilities=None` (one row a
    discrete arm); `horizon=10000` rounds.

    ## Version History
    v0: first version.
    """

    rules_class = Bandit


class StationaryVectorEnv(BanditVectorEnv):
    """Copies of `StationaryEnv` in lockstep."""

    rules_class = Bandit
