"""Finite games of two, where one gets what the other loses, and what can be computed of them exactly.

    game = gymnasium.make("rlcourse/CandyDuel-v0", layout="duel4").unwrapped.game()
    solve_game(game, gamma=0.95).value               # what the game is worth to player 0
    best_response(game, 1, policy, gamma=0.95).value # the most that player 1 can get against a policy of player 0
    exploitability(game, first, second, gamma=0.95)  # 0 for two policies that are each other's best response

A round is a move of each player, in turn (`TurnGame`) or at once (`MatrixGames`). With `gamma` a round counts less than the
one before; with `horizon` the game is cut off after so many rounds, which the players know.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rlcourse.errors import UsageError
from rlcourse.mdp.backup import check_gamma, check_horizon, first_best
from rlcourse.mdp.model import Floats, Ints
from rlcourse.mdp.validation import SUM_TOLERANCE

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Moves(NamedTuple):
    """What moves lead to."""

    reward: Floats
    """What player 0 gets less what player 1 gets, on average, `[X, ...]`: after every move, or pair of moves, in state X."""
    following: csr_array[Any, tuple[int, int]]
    """The chances of the next state, as long as the game goes on, sparse `[X * ..., X]`."""

    def ahead(self, V: Floats) -> Floats:
        """What the moves are worth to player 0 if V `[X]` is what the next states are worth."""
        return np.asarray(self.reward + (self.following @ V).reshape(self.reward.shape))


@dataclass(frozen=True, eq=False)
class FiniteGame(ABC):
    """A game with X states; A actions of player 0 and B of player 1."""

    start: Floats
    """The chance to begin in each state, `[X]`."""
    seen: Ints
    """The number of each state as the players see it, `[2, X]`: policies of a player are by its own numbers."""

    @property
    def n_states(self) -> int:
        """X."""
        return len(self.start)

    @property
    @abstractmethod
    def n_actions(self) -> tuple[int, int]:
        """A and B."""

    @property
    @abstractmethod
    def largest_reward(self) -> float:
        """The most that a round can bring to either player."""

    @abstractmethod
    def look_back(self, V: Floats, gamma: float, first: Floats | None, second: Floats | None) -> Solution:
        """A round before the states are worth V `[X]`: their values to player 0, and what both do there.

        Args:
            V: values `[X]`.
            gamma: discount of V.
            first: the chances of player 0's actions `[X, A]`; `None` is the best.
            second: those of player 1, `[X, B]`; both by the states' own numbers.
        """


class Solution(NamedTuple):
    """How a game is played, and what it is worth; policies are by the numbers that the player sees."""

    value: float
    """At the start, to player 0."""
    V: Floats
    """In every state of the game, before a round, to player 0; `[X]`."""
    first: Floats
    """The chances of player 0's actions, `[X, A]`; with a horizon, in the first round."""
    second: Floats
    """Those of player 1, `[X, B]`."""


class Response(NamedTuple):
    """The best that a player can do against a known policy."""

    value: float
    """At the start, to this player."""
    V: Floats
    """In every state of the game, before a round, to this player; `[X]`."""
    policy: Ints
    """An action for every state that the player sees, `[X]`; with a horizon, in the first round."""


@dataclass(frozen=True, eq=False)
class TurnGame(FiniteGame):
    """Player 1 moves after it has seen where player 0's move has led."""

    first: Moves
    """Of player 0, `[X, A]`."""
    second: Moves
    """Of player 1, `[X, B]`, in the same states, met half a round later."""

    @property
    def n_actions(self) -> tuple[int, int]:
        """See `FiniteGame.n_actions`."""
        return self.first.reward.shape[1], self.second.reward.shape[1]

    @property
    def largest_reward(self) -> float:
        """See `FiniteGame.largest_reward`."""
        return float(np.abs(self.first.reward).max() + np.abs(self.second.reward).max())

    def look_back(self, V: Floats, gamma: float, first: Floats | None, second: Floats | None) -> Solution:
        """V(x) = max_a r(x, a) + sum_y P(y | x, a) min_b [ r(y, b) + gamma sum_z P(z | y, b) V(z) ]."""
        Q = self.second.ahead(gamma * V)
        if second is None:
            second = _best(-Q)
        Q_first = self.first.ahead((second * Q).sum(axis=1))
        if first is None:
            first = _best(Q_first)
        values = (first * Q_first).sum(axis=1)
        return Solution(float(self.start @ values), values, first, second)


@dataclass(frozen=True, eq=False)
class MatrixGames(FiniteGame):
    """Both players move at once: a matrix game in every state."""

    moves: Moves
    """Of both, `[X, A, B]`."""

    @property
    def n_actions(self) -> tuple[int, int]:
        """See `FiniteGame.n_actions`."""
        _, A, B = self.moves.reward.shape
        return A, B

    @property
    def largest_reward(self) -> float:
        """See `FiniteGame.largest_reward`."""
        return float(np.abs(self.moves.reward).max())

    def look_back(self, V: Floats, gamma: float, first: Floats | None, second: Floats | None) -> Solution:
        """V(x) = max_p min_b sum_a p(a) Q(x, a, b),  Q(x, a, b) = r(x, a, b) + gamma sum_y P(y | x, a, b) V(y)."""
        Q = self.moves.ahead(gamma * V)
        if first is None and second is None:
            values, first, second = matrix_games(Q)
        else:
            if first is None:
                first = _best((Q * second[:, None, :]).sum(axis=2))  # type: ignore[index]
            payoffs = (Q * first[:, :, None]).sum(axis=1)
            if second is None:
                second = _best(-payoffs)
            values = (payoffs * second).sum(axis=1)
        return Solution(float(self.start @ values), values, first, second)


def matrix_games(payoffs: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Solve matrix games: max over p of min over b of sum_a p(a) payoff[a, b], by the simplex method.

    Args:
        payoffs: what the row player gets, `[A, B]`, or many games `[X, A, B]`.

    Returns:
        The values `[X]`, and a strategy of each player that secures them, `[X, A]` and `[X, B]`; without X for a single game.

    Raises:
        UsageError: another shape, or a payoff that is no finite number.

    Source: von Neumann (1928), "Zur Theorie der Gesellschaftsspiele"; Dantzig (1951).
    """
    from rlcourse.mdp.compiled_games import solve_all

    games = np.ascontiguousarray(payoffs, np.float64)
    if games.ndim not in (2, 3) or 0 in games.shape[-2:] or not np.isfinite(games).all():
        raise UsageError(
            f"payoffs must be finite numbers [A, B] or [X, A, B], got the shape {list(games.shape)}"
        )
    A, B = games.shape[-2:]
    games_, X = games.reshape(-1, A, B), games.size // (A * B)
    values, rows, columns = np.empty(X), np.empty((X, A)), np.empty((X, B))
    solve_all(games_, np.empty((A + 1, B + 1)), np.empty(A + B, np.int64), values, rows, columns)
    lead = games.shape[:-2]
    return values.reshape(lead), rows.reshape(*lead, A), columns.reshape(*lead, B)


def solve_game(
    game: FiniteGame, *, gamma: float = 1.0, horizon: int | None = None, tol: float = 1e-9
) -> Solution:
    """What a game is worth to player 0 if both play as well as they can, and how they do.

    In every state the round is solved in the light of what follows, as in the `look_back` of the two kinds of games. With
    gamma < 1 that is a contraction, as in value iteration (Shapley 1953, "Stochastic games").

    Args:
        game: the game.
        gamma: discount of a round, in [0, 1].
        horizon: rounds after which the game is cut off; `None` is never, which needs gamma < 1.
        tol: bound of the error of the values, for gamma < 1 without a horizon.

    Raises:
        UsageError: numbers out of range, or neither a horizon nor gamma < 1.
    """
    return _iterate(game, None, None, gamma, horizon, tol)


def policy_value(
    game: FiniteGame,
    first: ArrayLike,
    second: ArrayLike,
    *,
    gamma: float = 1.0,
    horizon: int | None = None,
    tol: float = 1e-9,
) -> float:
    """What player 0 gets, at the start, where both play these policies; see `best_response` for their form."""
    return _iterate(game, _chances(game, 0, first), _chances(game, 1, second), gamma, horizon, tol).value


def best_response(
    game: FiniteGame,
    player: int,
    policy: ArrayLike,
    *,
    gamma: float = 1.0,
    horizon: int | None = None,
    tol: float = 1e-9,
) -> Response:
    """The most that a player can get against one who plays a known policy, and how.

    Args:
        game: the game.
        player: who responds, 0 or 1.
        policy: what the other one does, by the numbers of the states that it sees: integers `[X]`, its action, or floats
            `[X, A]`, the chance of each.
        gamma: see `solve_game` for the rest.
        horizon: one who responds knows how many rounds are left; the policy does not.
        tol: see `solve_game`.

    Raises:
        UsageError: a policy for another game, or as `solve_game`.
    """
    if player not in (0, 1):
        raise UsageError(f"player={player!r} must be 0 or 1")
    fixed = _chances(game, 1 - player, policy)
    if player == 0:
        found = _iterate(game, None, fixed, gamma, horizon, tol)
        return Response(found.value, found.V, found.first.argmax(axis=1))
    found = _iterate(game, fixed, None, gamma, horizon, tol)
    return Response(-found.value, -found.V, found.second.argmax(axis=1))


def exploitability(
    game: FiniteGame,
    first: ArrayLike,
    second: ArrayLike,
    *,
    gamma: float = 1.0,
    horizon: int | None = None,
    tol: float = 1e-9,
) -> Floats:
    """What best responses to two policies get together: 0 where each is a best response to the other, else more.

        NashConv = max_p u_0(p, second) + max_q u_1(first, q),    u_1 = -u_0

    Args:
        game: the game.
        first: the policy of player 0: integers `[..., X]` or floats `[..., X, A]`; what leads are pairs of policies, e.g. the
            members of a population.
        second: that of player 1, with the same leading dimensions.
        gamma: see `solve_game` for the rest.
        horizon: see `best_response`.
        tol: see `solve_game`.

    Returns:
        float64 `[...]`.

    Source: Lanctot et al. (2017), "A unified game-theoretic approach to multiagent reinforcement learning", section 3.
    """
    pairs = [np.asarray(policy) for policy in (first, second)]
    lead, *rows = [_leading(policy) for policy in pairs]
    if rows != [lead]:
        raise UsageError(f"the policies lead with {list(lead)} and {list(rows[0])}: they must be as many")
    out = np.empty(lead)
    options: dict[str, Any] = {"gamma": gamma, "horizon": horizon, "tol": tol}
    for place in np.ndindex(lead):
        out[place] = sum(
            best_response(game, player, pairs[1 - player][place], **options).value for player in (0, 1)
        )
    return out


def _leading(policy: Any) -> tuple[int, ...]:
    """What leads the states and, of chances, the actions."""
    return tuple(policy.shape[: -1 if policy.dtype.kind in "iu" else -2])


def _iterate(
    game: FiniteGame,
    first: Floats | None,
    second: Floats | None,
    gamma: float,
    horizon: int | None,
    tol: float,
) -> Solution:
    """Round by round from the end, or until nothing changes; policies by the numbers that players see in the result."""
    gamma = check_gamma(gamma)
    if horizon is not None:
        rounds, threshold = check_horizon(horizon), -1.0
        if not rounds:
            raise UsageError("horizon=0 leaves nothing to play: it must be at least 1")
    elif gamma == 1.0:
        raise UsageError("a game without a discount may go on for ever: give a horizon, or gamma < 1")
    elif not 0.0 < tol < math.inf:
        raise UsageError(f"tol={tol!r} must be a number above 0")
    else:  # V begins at most r / (1 - gamma) from the truth, and comes nearer by gamma each round
        furthest = max(game.largest_reward, tol) / (1.0 - gamma)
        rounds = 1 + math.ceil(math.log(tol / furthest) / math.log(gamma)) if gamma > 0.0 else 1
        threshold = tol * (1.0 - gamma) / gamma if gamma > 0.0 else math.inf
    V = np.zeros(game.n_states)
    for _ in range(rounds):
        found = game.look_back(V, gamma, first, second)
        change = float(np.abs(found.V - V).max())
        V = found.V
        if change <= threshold:
            break
    ours, theirs = np.empty_like(found.first), np.empty_like(found.second)
    ours[game.seen[0]], theirs[game.seen[1]] = found.first, found.second
    return found._replace(first=ours, second=theirs)


def _best(Q: Floats) -> Floats:
    """A one for the first best action of each state, `[X, A]`."""
    return np.asarray(np.eye(Q.shape[1])[first_best(Q)])


def _chances(game: FiniteGame, player: int, policy: ArrayLike) -> Floats:
    """The chances of a player's actions `[X, A]`, by the states' own numbers."""
    given, X, A = np.asarray(policy), game.n_states, game.n_actions[player]
    if given.dtype.kind in "iu" and given.shape == (X,) and ((given >= 0) & (given < A)).all():
        return np.asarray(np.eye(A)[given[game.seen[player]]])
    if (
        given.dtype.kind == "f"
        and given.shape == (X, A)
        and (given >= 0.0).all()
        and (np.abs(given.sum(axis=1) - 1.0) <= SUM_TOLERANCE).all()
    ):
        return np.asarray(given[game.seen[player]], np.float64)
    raise UsageError(
        f"the policy of player {player} must be actions, integers [{X}] in 0..{A - 1}, or chances that sum to 1, floats "
        f"[{X}, {A}]; got {given.dtype}{list(given.shape)}"
    )
