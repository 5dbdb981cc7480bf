"""A partially observable bandit: a hidden regime decides which arm is good, and shows only a noisy cue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.bandits.base import BanditEnv, BanditRules, BanditVectorEnv, row_max, row_starts
from rlcourse.envs.bandits.chains import choose, cumulate, dot, predict, weigh
from rlcourse.envs.bandits.laws import draw_bernoulli
from rlcourse.envs.options import check_count, check_number, check_stochastic, check_table, set_field
from rlcourse.envs.rules import State
from rlcourse.errors import UsageError
from rlcourse.streams import Streams

GOOD, BAD = 0.8, 0.3
"""Win probabilities of the regime's own arm and of the others, where `means` are not given."""


@dataclass(frozen=True)
class HiddenContextBandit(BanditRules):
    """The rules of `HiddenContextBandit-v0`."""

    arms: int = 3
    """Number of arms K; follows from `means` where these are given."""
    regimes: int = 3
    """Number of regimes R; follows from the tables where these are given."""
    stay: float = 0.95
    """Probability that the regime stays for another round; else it moves to one of the others, all equally
    likely."""
    accuracy: float = 0.6
    """Probability that the cue names the regime; else it names one of the others, all equally likely."""
    means: list[list[float]] | None = None
    """Win probabilities [R][K]. `None`: every regime has one good arm (0.8, the others 0.3), and which arm
    belongs to which regime is drawn at every reset."""
    transitions: list[list[float]] | None = None
    """Matrix [R][R] instead of `stay`, row = from."""
    cues: list[list[float]] | None = None
    """Matrix [R][C] instead of `accuracy`: the probability of each of C cues in each regime."""
    horizon: int = 10_000
    """Rounds until the episode is truncated."""

    streams: ClassVar[tuple[str, ...]] = ("problem", "noise", "drift", "cue_noise")

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_count("horizon", self.horizon)
        for name in ("stay", "accuracy"):
            set_field(self, name, check_number(name, getattr(self, name), 0.0, 1.0))
        tables: dict[str, NDArray[np.float64]] = {}
        if self.means is not None:
            tables["means"] = check_table("means", self.means, 0.0, 1.0)
        for name in ("transitions", "cues"):
            if getattr(self, name) is not None:
                tables[name] = check_stochastic(name, getattr(self, name))
        for name, table in tables.items():
            first = next(iter(tables.values()))
            if len(table) != len(first) or self.regimes not in (HiddenContextBandit.regimes, len(table)):
                raise UsageError(f"{name} has {len(table)} rows, which does not fit the number of regimes")
            set_field(self, name, table.tolist())
        if tables:
            set_field(self, "regimes", len(next(iter(tables.values()))))
        if "means" in tables:
            if self.arms not in (HiddenContextBandit.arms, tables["means"].shape[1]):
                raise UsageError(
                    f"arms={self.arms} does not fit means with {tables['means'].shape[1]} columns"
                )
            set_field(self, "arms", tables["means"].shape[1])
        if "transitions" in tables and tables["transitions"].shape[1] != self.regimes:
            raise UsageError(f"transitions={self.transitions!r} must be square")
        check_count("arms", self.arms)
        check_count("regimes", self.regimes)

    @property
    def reward_range(self) -> tuple[float, float]:
        """Nothing or one."""
        return 0.0, 1.0

    @cached_property
    def transition_matrix(self) -> NDArray[np.float64]:
        """P(next regime | regime), `[R, R]`."""
        return self._mostly_equal(self.stay) if self.transitions is None else np.array(self.transitions)

    @cached_property
    def cue_matrix(self) -> NDArray[np.float64]:
        """P(cue | regime), `[R, C]`."""
        return self._mostly_equal(self.accuracy) if self.cues is None else np.array(self.cues)

    @cached_property
    def _moves(self) -> NDArray[np.float64]:
        return cumulate(self.transition_matrix)

    @cached_property
    def _cue_draws(self) -> NDArray[np.float64]:
        return cumulate(self.cue_matrix)

    def _mostly_equal(self, diagonal: float) -> NDArray[np.float64]:
        """A stochastic matrix `[R, R]` with this diagonal and equal numbers elsewhere."""
        if self.regimes == 1:
            return np.ones((1, 1))
        matrix = np.full((self.regimes, self.regimes), (1.0 - diagonal) / (self.regimes - 1))
        np.fill_diagonal(matrix, diagonal)
        return matrix

    @cached_property
    def observation_space(self) -> gymnasium.Space[Any]:  # type: ignore[override]
        """The cue."""
        return gymnasium.spaces.Discrete(self.cue_matrix.shape[1])

    def observe(self, state: State) -> NDArray[np.int64]:
        """The cues of this round."""
        return state["cue"].copy()

    def allocate_arms(self, batch: int) -> State:
        """`table [B, R, K]` (win probabilities), `regime, cue [B]`, `means [B, K]` of now, `belief [B, R]`."""
        return {
            "table": np.zeros((batch, self.regimes, self.arms)),
            "regime": np.zeros(batch, np.int64),
            "means": np.zeros((batch, self.arms)),
            "cue": np.zeros(batch, np.int64),
            "belief": np.zeros((batch, self.regimes)),
        }

    def draw_problem(self, state: State, rows: NDArray[np.intp]) -> None:
        """Which arm belongs to which regime, unless the means are given."""
        if self.means is not None:
            state["table"][rows] = np.array(self.means)
            return
        order = np.argsort(Streams(state["problem"]).uniform(self.arms, rows=rows), axis=1, kind="stable")
        own = order[:, np.arange(self.regimes) % self.arms]
        state["table"][rows] = np.where(own[:, :, None] == np.arange(self.arms), GOOD, BAD)

    def begin(self, state: State, rows: NDArray[np.intp]) -> None:
        """A regime drawn uniformly, and its first cue."""
        state["regime"][rows] = Streams(state["drift"]).integers(self.regimes, rows=rows)
        state["belief"][rows] = 1.0 / self.regimes
        self._show(state, rows)

    def _show(self, state: State, rows: NDArray[np.intp] | None) -> None:
        """The means of the regime; its cue, by which the belief is weighed: b(r) <- b(r) P(cue | r) / sum."""
        where = slice(None) if rows is None else rows
        regime = state["regime"][where]
        cue = choose(self._cue_draws[regime], Streams(state["cue_noise"]).uniform(rows=rows))
        state["cue"][where] = cue
        state["belief"][where] = weigh(state["belief"][where], self.cue_matrix.T[cue])
        tables = state["table"][where]
        now = row_starts(len(regime), self.regimes) + regime
        state["means"][where] = tables.reshape(-1, self.arms).take(now, axis=0)

    def arm_values(self, state: State) -> NDArray[np.float64]:
        """Means expected by the exact Bayes filter: sum over r of b(r) means(r, a), `[B, K]`.

        The belief b is exact given all cues, pulls and rewards so far and the tables of the problem. A player
        who pulls the argmax is myopic on it: it does not pull an arm to learn the regime.
        """
        return dot(state["belief"][:, None], state["table"].transpose(0, 2, 1))

    def best_values(self, state: State) -> NDArray[np.float64]:
        """What the myopic player on the exact belief expects, `[B]`."""
        return row_max(self.arm_values(state))

    def draw_rewards(
        self, state: State, actions: NDArray[np.int64], means: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """One with the arm's probability in this regime, else nothing."""
        return draw_bernoulli(Streams(state["noise"]), None, means)

    def advance(self, state: State, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """The filter weighs the reward; the regime and the belief move on; a new cue comes."""
        wins = state["table"][np.arange(len(actions)), :, actions]
        belief = weigh(state["belief"], np.where(rewards[:, None] > 0.0, wins, 1.0 - wins))
        state["belief"][:] = predict(belief, self.transition_matrix)
        state["regime"][:] = choose(self._moves[state["regime"]], Streams(state["drift"]).uniform())
        self._show(state, None)


class HiddenContextBanditEnv(BanditEnv):
    """A bandit whose context is hidden: a regime moves as a Markov chain and shows only a noisy cue.

    ## Description
    In every round a hidden regime decides which arm is good. It stays with probability `stay`, else it moves.
    You see a cue, which names the regime with probability `accuracy`. A player without memory can do no
    better than trust the cue; one who remembers cues, pulls and rewards can do better. The yardstick
    (`arm_values()`, `best_value()`) is the exact Bayes filter: the probability of every regime given all that
    was seen. The policy on it that pulls the arm with the highest expected mean is myopic: it never pulls an
    arm only to learn more.

    ## Action Space
    `Discrete(arms)`: the arm to pull.

    ## Observation Space
    `Discrete(cues)`: the cue of this round, drawn from the regime of this round.

    ## Rewards
    1 with the arm's probability in this regime, else 0. `info["regret"]` is measured against the arm that is
    truly best now, so even the exact filter has some.

    ## Starting State
    A regime drawn uniformly. Which arm belongs to which regime is drawn at every reset, unless `means` says
    it; `options={"same_problem": True}` keeps it.

    ## Episode End
    Truncated after `horizon` rounds.

    ## Arguments
    `arms=3`, `regimes=3`, `stay=0.95`, `accuracy=0.6`; `means=None` ([regimes][arms]; else 0.8 for the
    regime's arm and 0.3 for the others); `transitions=None` ([regimes][regimes], instead of `stay`);
    `cues=None` ([regimes][cues], instead of `accuracy`); `horizon=10000` rounds.

    ## Version History
    v0: first version.
    """

    rules_class = HiddenContextBandit


class HiddenContextBanditVectorEnv(BanditVectorEnv):
    """Copies of `HiddenContextBanditEnv` in lockstep."""

    rules_class = HiddenContextBandit
