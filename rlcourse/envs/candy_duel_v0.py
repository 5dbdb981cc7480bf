"""The candy duel as a PettingZoo environment, for two learners or a player on either side.

    from rlcourse.envs import candy_duel_v0

    env = candy_duel_v0.env()                 # agents in turn (AEC)
    env = candy_duel_v0.parallel_env()        # both at once

The rules are those of `rlcourse/CandyDuel-v0`, and so are the options, without `opponent`. The agents are `player_0` and
`player_1`; each sees its own place first. With `moves="alternating"` (the AEC environment's default) a player moves after it
has seen what the other one did, in the parallel environment player 0 before player 1, yet unseen; with
`moves="simultaneous"` (the parallel environment's default) a coin says whose move counts first.

PettingZoo is not installed with rlcourse: `pip install rlcourse[pettingzoo]`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.face import RENDER_METADATA
from rlcourse.envs.maze import duel_loops, loops
from rlcourse.envs.maze.duel import CandyDuelEnv
from rlcourse.envs.rules import row_of
from rlcourse.errors import UsageError

try:
    from pettingzoo import AECEnv, ParallelEnv
    from pettingzoo.utils import wrappers
except ImportError as error:
    raise ImportError("candy_duel_v0 needs PettingZoo: pip install rlcourse[pettingzoo]") from error

PLAYERS = ["player_0", "player_1"]


def env(**options: Any) -> Any:
    """The players move in turn: `raw_env` in PettingZoo's wrappers, which refuse wrong actions and wrong order."""
    return wrappers.OrderEnforcingWrapper(wrappers.AssertOutOfBoundsWrapper(raw_env(**options)))


class _Game:
    """One game: a copy of the world, and what both players do in it."""

    def __init__(self, render_mode: str | None, options: dict[str, Any]) -> None:
        if "opponent" in options:
            raise UsageError("candy_duel_v0 has two players and no opponent: leave out 'opponent'")
        self.world = CandyDuelEnv(render_mode=render_mode, opponent="random", **options)
        self.rules = self.world.rules
        self.over = np.zeros(1, np.bool_)
        self.truncated = np.zeros(1, np.bool_)

    @property
    def _arrays(self) -> Any:
        return self.rules.world(self.world._state)

    def reset(self, seed: int | None, options: dict[str, Any] | None) -> None:
        """Begin an episode."""
        self.world.reset(seed=seed, options=options)
        self.over[:] = self.truncated[:] = False

    def move(self, w: int, action: Any) -> list[float]:
        """One player moves: what both get."""
        earned = np.zeros((2, 1))
        duel_loops.move_all(*self._arrays, w, self._action(action), self.over, earned)
        return self._gains(earned)

    def move_both(self, first: Any, second: Any) -> list[float]:
        """Both move at once: what both get."""
        earned = np.zeros((2, 1))
        both = self._action(first), self._action(second)
        duel_loops.move_both(*self._arrays, *both, self.over, earned)
        return self._gains(earned)

    def end_round(self) -> None:
        """The clocks go on."""
        waiting, won = np.zeros(1, np.bool_), np.zeros(1, np.bool_)
        mask = np.empty((1, self.rules.action_space.n), np.int8)
        duel_loops.finish(*self._arrays, waiting, self.over, self.truncated, won, mask)
        if self.world.render_mode == "human":
            self.world.render()

    def observe(self, w: int) -> Any:
        """What player `w` sees."""
        return row_of(self.rules.observe_as(self.world._state, w), 0)

    def info(self, w: int) -> dict[str, Any]:
        """The moves of player `w` that do not bump."""
        mask = np.empty((1, self.rules.action_space.n), np.int8)
        loops.masks(*self._arrays, w, mask)
        return {"action_mask": mask[0]}

    def _action(self, action: Any) -> NDArray[np.int64]:
        if not self.rules.action_space.contains(action):
            raise UsageError(f"action {action!r} is outside 0..{self.rules.action_space.n - 1}")
        return np.array([action], np.int64)

    def _gains(self, earned: NDArray[np.float64]) -> list[float]:
        mine, theirs = (float(one) for one in earned[:, 0])
        return [mine - theirs, theirs - mine] if self.rules.zero_sum else [mine, theirs]


class raw_env(AECEnv[str, Any, Any]):  # noqa: N801  (PettingZoo's name)
    """The players move in turn.

    Args:
        render_mode: `None`, `"human"`, `"rgb_array"` or `"ansi"`.
        options: those of `rlcourse/CandyDuel-v0` but `opponent`.
    """

    metadata: ClassVar[dict[str, Any]] = {
        **RENDER_METADATA,
        "name": "candy_duel_v0",
        "is_parallelizable": True,
    }

    def __init__(self, render_mode: str | None = None, **options: Any) -> None:
        super().__init__()
        self._game = _Game(render_mode, options)
        self.render_mode = render_mode
        self.possible_agents = list(PLAYERS)
        self.agents: list[str] = []
        self._first: Any = None

    def observation_space(self, agent: str) -> gymnasium.Space[Any]:
        """The same for both."""
        return self._game.world.observation_space

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        """The same for both."""
        return self._game.world.action_space

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin a game; player 0 moves first."""
        self._game.reset(seed, options)
        self.agents = list(PLAYERS)
        self.rewards = dict.fromkeys(PLAYERS, 0.0)
        self._cumulative_rewards = dict.fromkeys(PLAYERS, 0.0)
        self.terminations = dict.fromkeys(PLAYERS, False)
        self.truncations = dict.fromkeys(PLAYERS, False)
        self.infos = {agent: self._game.info(w) for w, agent in enumerate(PLAYERS)}
        self.agent_selection = PLAYERS[0]

    def observe(self, agent: str) -> Any:
        """What this player sees now."""
        return self._game.observe(PLAYERS.index(agent))

    def step(self, action: Any) -> None:
        """The player whose turn it is moves."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        w, game = PLAYERS.index(agent), self._game
        self._cumulative_rewards[agent] = 0.0
        if game.rules.moves == "alternating":
            gains = game.move(w, action)
        elif w == 0:
            game._action(action)
            self._first, gains = action, [0.0, 0.0]
        else:
            gains = game.move_both(self._first, action)
        if w == 1 or game.over[0]:
            game.end_round()
        self.rewards = dict(zip(PLAYERS, gains, strict=True))
        self.terminations = dict.fromkeys(PLAYERS, bool(game.over[0]))
        self.truncations = dict.fromkeys(PLAYERS, bool(game.truncated[0]))
        self.infos = {one: game.info(k) for k, one in enumerate(PLAYERS)}
        self.agent_selection = PLAYERS[1 - w]
        self._accumulate_rewards()

    def render(self) -> Any:
        """As `CandyDuel-v0` draws it."""
        return self._game.world.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._game.world.close()


class parallel_env(ParallelEnv[str, Any, Any]):  # noqa: N801  (PettingZoo's name)
    """Both players move in one step.

    Args:
        render_mode: `None`, `"human"`, `"rgb_array"` or `"ansi"`.
        options: those of `rlcourse/CandyDuel-v0` but `opponent`; `moves` is "simultaneous" if it is not given.
    """

    metadata: ClassVar[dict[str, Any]] = {**RENDER_METADATA, "name": "candy_duel_v0"}

    def __init__(self, render_mode: str | None = None, **options: Any) -> None:
        self._game = _Game(render_mode, {"moves": "simultaneous", **options})
        self.render_mode = render_mode
        self.possible_agents = list(PLAYERS)
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> gymnasium.Space[Any]:
        """The same for both."""
        return self._game.world.observation_space

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        """The same for both."""
        return self._game.world.action_space

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin a game: observations and infos of both."""
        self._game.reset(seed, options)
        self.agents = list(PLAYERS)
        return self._seen()

    def _seen(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        game = self._game
        seen = {agent: game.observe(w) for w, agent in enumerate(PLAYERS)}
        return seen, {agent: game.info(w) for w, agent in enumerate(PLAYERS)}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Both move: observations, rewards, terminations, truncations and infos of both."""
        if not self.agents:
            raise UsageError("the game is over: call reset()")
        if actions.keys() != set(PLAYERS):
            raise UsageError(f"actions are given for {sorted(actions)}, expected {PLAYERS}")
        game = self._game
        first, second = (actions[agent] for agent in PLAYERS)
        if game.rules.moves == "simultaneous":
            gains = game.move_both(first, second)
        else:
            game._action(second)  # a wrong one is refused before the first one moves
            answers = [game.move(0, first), game.move(1, second)]
            gains = [sum(parts) for parts in zip(*answers, strict=True)]
        game.end_round()
        seen, infos = self._seen()
        over, late = bool(game.over[0]), bool(game.truncated[0])
        if over or late:
            self.agents = []
        return (
            seen,
            dict(zip(PLAYERS, gains, strict=True)),
            dict.fromkeys(PLAYERS, over),
            dict.fromkeys(PLAYERS, late),
            infos,
        )

    def render(self) -> Any:
        """As `CandyDuel-v0` draws it."""
        return self._game.world.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._game.world.close()
