"""Self-play: two learners with tables, each the other's opponent."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays, check_steps
from rlcourse.agents.config import AgentConfig
from rlcourse.agents.control import ControlAgent
from rlcourse.agents.tabular.base import TabularAgent, in_pieces
from rlcourse.errors import UsageError, did_you_mean
from rlcourse.progress import progress_bar
from rlcourse.streams import Streams

SIDES = ("learner", "opponent")


@dataclass(frozen=True)
class SelfPlayConfig(AgentConfig):
    """Settings of `self_play`."""

    learner: str = "q_learning"
    """The rule of player 0: the name of an agent with a table."""
    learner_settings: dict[str, Any] | None = None
    """Its settings."""
    opponent: str | None = None
    """The rule of player 1; left out, that of player 0."""
    opponent_settings: dict[str, Any] | None = None
    """Its settings; left out, those of player 0 if it has the same rule."""


class SelfPlay(ControlAgent):
    """Two learners in one game, member against member, both learning at once: each is a part of the other's world.

        agent = make_agent("self_play", "CandyDuel-v0", seeds=20, learner="q_learning", opponent="sarsa")
        agent.learn(100_000)        # rounds of each pair
        first, second = agent.player(0), agent.player(1)

    Independent learners: each learns by its own rule, as if the other were a law of nature, and sees its own place first.
    Player 0 moves first, or both at once, as the world has it (`moves`). A step of player 1 goes from its move to its next
    one; where time is up before that, it estimates what would have come from where it stands.

    The opponent that the world's options name plays no part in learning. `predict` and `evaluate` are about player 0, who
    meets that opponent there. `player(w)` is the learner on one side as an agent of its own. Saved and loaded, the pair goes
    on exactly, in the middle of a game.

    Nothing promises that independent learners converge, since the world of each one changes as the other learns. In turn they
    mostly do; at once a policy that cannot mix its actions can be exploited (see `rlcourse.mdp.games`), which is what
    `minimax_q` is for; it can be either player.

    Source: Samuel (1959), "Some studies in machine learning using the game of checkers" (self-play); Tan (1993), "Multi-agent
    reinforcement learning: independent vs. cooperative agents"; Claus & Boutilier (1998) (independent learners).
    """

    name = "self_play"
    config_class = SelfPlayConfig
    config: SelfPlayConfig

    players: list[TabularAgent]
    """The learners; their worlds play no part. See `player`."""

    def _setup(self) -> None:
        super()._setup()
        if self._game() is None:
            raise UsageError(
                f"self_play plays both sides of a game and cannot do so in {self.spec.id} with these options: it fits "
                "CandyDuel-v0 with observation='index' or 'position'"
            )

    def _game(self) -> Any:
        """Both sides of the game, for compiled loops; `None` where the world is none."""
        offer = getattr(self.venv, "compiled_game", None)
        return None if offer is None else offer()

    def _prepare(self) -> None:
        if not hasattr(self.venv, "compiled_game"):
            return  # refused as soon as the worlds have begun
        config = self.config
        second = config.opponent or config.learner
        settings = config.opponent_settings
        if settings is None and second == config.learner:
            settings = config.learner_settings
        self.players = [
            self._player("learner", config.learner, config.learner_settings),
            self._player("opponent", second, settings),
        ]
        streams = (
            Streams.from_seeds(self.seeds, "opponent"),
            Streams.from_seeds(self.seeds, "opponent predict"),
        )
        self.players[1].stream, self.players[1]._predict_stream = streams
        self._x, self._a = np.zeros(self.size, np.int64), np.full(self.size, -1, np.int64)
        self._r = np.zeros(self.size)
        self._share()

    def _player(self, side: str, name: str, settings: dict[str, Any] | None) -> TabularAgent:
        """A learner that knows nothing."""
        from rlcourse.agents import AGENTS, agent_class
        from rlcourse.agents.tabular.planners import Planner

        kind = agent_class(name) if name in AGENTS else None
        if kind is None or not issubclass(kind, TabularAgent) or issubclass(kind, Planner):
            known = [
                one
                for one, place in AGENTS.items()
                if ".tabular." in place and ".planners:" not in place and one != self.name
            ]
            raise UsageError(f"self_play: {side}: {did_you_mean(name, known, kind='agent with a table')}")
        player = kind(self.spec, seeds=self.seeds, env_kwargs=self.env_kwargs, **(settings or {}))
        if player.history.depth > 1:
            raise UsageError(
                f"self_play: {side}: history={player.history.depth} is not kept here, leave it at 1"
            )
        if player.update is not kind.update:
            raise UsageError(f"self_play: {side}: there is no replay here, leave gradient_steps at 0")
        return player

    def _share(self) -> None:
        """The pair's account is that of player 0."""
        first = self.players[0]
        self.episodes, self.earned, self.running = first.episodes, first.earned, first.running
        self._over = first._over

    def player(self, w: int) -> TabularAgent:
        """The learner on side `w`, 0 or 1, as an agent of its own: with all that it knows, at the beginning of an episode.

        It goes on to learn against the opponent that the world's options name. As the opponent of others it is saved first:
        `opponent="FOLDER"` of `CandyDuel-v0`.
        """
        if w not in (0, 1):
            raise UsageError(f"player({w!r}): choose 0 or 1")
        one = copy.deepcopy(self.players[w])
        one.num_timesteps = self.num_timesteps
        one._restored(in_place=False)
        return one

    # ---------------------------------------------------------------- learning

    def learn(self, steps: int, *, progress: bool = False) -> Self:
        """Let every pair play and learn for `steps` rounds; called again, it goes on, in the middle of a game."""
        from rlcourse.agents.tabular.loops import Account
        from rlcourse.agents.tabular.self_play_loops import Waiting

        steps, game = check_steps(steps), self._game()
        loop = _loop(*(type(player) for player in self.players), game.in_turn, game[2:])
        tables = [player._tables(player.stream) for player in self.players]
        accounts = [Account(one._over, one.episodes, one.earned, one.running) for one in self.players]
        waiting = Waiting(self._x, self._a, self._r)

        def run(first: int, last: int, rounds: int) -> None:
            loop(*tables, *accounts, waiting, game.arrays, first, last, rounds)

        def moved(rounds: int) -> None:
            self.num_timesteps += rounds
            self.venv.moved(self._over)  # type: ignore[attr-defined]

        with progress_bar(steps, f"{self.name} x {self.size}", show=progress) as advance:
            in_pieces(run, self.size, steps, moved, advance)
        return self

    # ---------------------------------------------------------------- what player 0 does and knows

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """What player 0 does, see `Agent.predict`."""
        return self.players[0].predict(observation, state, episode_start, deterministic)

    def action_values(self, observation: Any) -> NDArray[np.float64] | None:
        """What player 0 expects, see `Agent.action_values`."""
        return self.players[0].action_values(observation)

    @property
    def n_states(self) -> int:
        """X."""
        return self.players[0].n_states

    def values(self) -> NDArray[np.float64]:
        """How good every action looks to player 0, `[S, X, A]`."""
        return self.players[0].values()

    def greedy_policy(self) -> NDArray[np.int64]:
        """The action that looks best to player 0 in every state, int64 `[S, X]`."""
        return self.players[0].greedy_policy()

    def policy(self) -> NDArray[Any]:
        """What player 0 does in every state, see `TabularAgent.policy`."""
        return self.players[0].policy()

    # ---------------------------------------------------------------- saving, restoring, parting

    def _array_attributes(self) -> dict[str, str]:
        return {"waiting/x": "_x", "waiting/a": "_a", "waiting/r": "_r"}

    def get_arrays(self) -> Arrays:
        """See `Agent.get_arrays`; those of the players stand below their side."""
        arrays = super().get_arrays()
        for side, player in zip(SIDES, self.players, strict=True):
            arrays |= {f"{side}/{name}": array for name, array in player.get_arrays().items()}
        return arrays

    def set_arrays(self, arrays: Arrays) -> None:
        """See `Agent.set_arrays`."""
        super().set_arrays(arrays)
        for side, player in zip(SIDES, self.players, strict=True):
            player.set_arrays(
                {
                    name.removeprefix(f"{side}/"): array
                    for name, array in arrays.items()
                    if name.startswith(f"{side}/")
                }
            )
        self._share()


@functools.cache
def _loop(first: type[TabularAgent], second: type[TabularAgent], in_turn: bool, game: tuple[Any, ...]) -> Any:
    """The loop for two rules and a game."""
    from rlcourse.agents.tabular import loops, self_play_loops
    from rlcourse.agents.tabular.compiled import bind, instantiate

    laws = dict(zip(("turn", "both", "close_round", "begin", "observe"), game, strict=True))
    for w, kind in enumerate((first, second)):
        laws |= {f"act_{w}": kind.act, f"update_{w}": kind.update, f"hear_{w}": kind.hear}
        laws[f"decide_{w}"] = bind(loops.decide, {"act": kind.act})
        laws[f"experience_{w}"] = bind(loops.experience, {"update": kind.update})
    loop = self_play_loops.play_in_turn if in_turn else self_play_loops.play_at_once
    return instantiate(loop, (self_play_loops.close,), laws)
