"""Two players in one maze, after the same candies."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.maze import duel_loops, world
from rlcourse.envs.maze.board import UNITS, WIND
from rlcourse.envs.maze.env import MazeEnv, MazeVectorEnv
from rlcourse.envs.maze.kernel import blown
from rlcourse.envs.maze.observe import Sight
from rlcourse.envs.maze.rules import MazeRules
from rlcourse.envs.maze.world import World
from rlcourse.envs.options import check_choice
from rlcourse.envs.rules import CompiledGame, Seen, State
from rlcourse.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from rlcourse.mdp.games import FiniteGame

PLAYERS = {"random": duel_loops.RANDOM, "greedy": duel_loops.GREEDY}
"""The opponents that need no training."""
SAVED = "agent.json"
"""What the folder of every saved agent holds. The agent itself is loaded when the first game begins."""


@dataclass(frozen=True)
class CandyDuel(MazeRules):
    """The rules of `CandyDuel-v0`. Walker 0 is the agent, walker 1 the opponent."""

    layout: str | None = "duel7"
    """The map: the name of one that comes with the package, the path of a .txt file, or the text itself."""
    opponent: str = "greedy"
    """Who the other one is: random, greedy (the shortest way to the nearest candy), or the folder of a saved agent."""
    moves: str = "alternating"
    """Whether the opponent moves after the agent (alternating) or at once with it (simultaneous)."""
    zero_sum: bool = True
    """The reward is what the agent gets less what the opponent gets; otherwise it is the agent's alone."""
    max_steps: int | None = 200
    """Rounds until an episode is truncated; `None` is never."""

    streams: ClassVar[tuple[str, ...]] = (*MazeRules.streams, "opponent")
    walkers: ClassVar[int] = 2

    def check_values(self) -> None:
        """See `MazeOptions.check_values`."""
        super().check_values()
        check_choice("moves", self.moves, ("alternating", "simultaneous"))
        if not isinstance(self.zero_sum, bool):
            raise UsageError(f"zero_sum={self.zero_sum!r} must be true or false")
        if not isinstance(self.opponent, str):
            raise UsageError(
                f"opponent={self.opponent!r} must be 'random', 'greedy' or the folder of a saved agent"
            )
        if self.opponent in PLAYERS:
            return
        if not os.path.isdir(self.opponent):
            hint = did_you_mean(self.opponent, PLAYERS, kind="opponent")
            raise UsageError(f"opponent: {hint} (or the folder of a saved agent; there is none of this name)")
        if not os.path.isfile(os.path.join(self.opponent, SAVED)):
            raise UsageError(f"opponent={self.opponent!r} holds no saved agent: there is no {SAVED} in it")

    def check_map(self) -> None:
        """See `MazeOptions.check_map`."""
        super().check_map()
        for word in ("exit", "trap", "cliff"):
            if self.grid.has(word):
                raise UsageError(f"a duel ends with the last candy: its map has no {word}")

    @property
    def in_turn(self) -> bool:
        """Whether the opponent moves after the agent, not at once with it."""
        return self.moves == "alternating"

    # ---------------------------------------------------------------- the opponent

    @cached_property
    def far(self) -> NDArray[np.int32]:
        """How many steps each cell is from each candy, -1 without a way, `int32 [maps, phases, K, cells]`.

        The wind is counted, gusts and slips are not.
        """
        go, wind, layout = self.board.go, self.board.tile[:, WIND], self.grid
        maps, phases, _, cells = go.shape
        far = np.full((maps, phases, self.n_candies, cells), -1, np.int32)
        for which in range(maps):
            for phase in range(phases):
                before: list[list[int]] = [[] for _ in range(cells)]
                leads = go[which, phase]
                for action in range(int(self.action_space.n)):
                    for cell in range(cells):
                        gust = wind[which, cell]
                        before[blown(leads, cell, action, gust) if gust else leads[action, cell]].append(cell)
                for k, candy in enumerate(layout.find("candy", which)):
                    _spread(far[which, phase, k], before, candy[0] * layout.width + candy[1])
        return far

    @cached_property
    def rival(self) -> tuple[Any, Sight]:
        """The saved agent that is the opponent, and how it sees the maze.

        Worlds know no agents; this one name of the package is looked up when a game with a saved opponent begins.
        """
        from rlcourse import load_agent
        from rlcourse.errors import StorageError

        try:
            agent = load_agent(self.opponent)
        except StorageError as error:
            raise UsageError(f"opponent={self.opponent!r} cannot play: {error}") from error
        if not agent.spec.id.startswith("rlcourse/CandyDuel"):
            raise UsageError(f"opponent={self.opponent!r} has learned {agent.spec.id}, not CandyDuel-v0")
        rules = type(self)(**{**agent.env_kwargs, "opponent": "random"})
        same = all(np.array_equal(a, b) for a, b in zip(rules.board[:2], self.board[:2], strict=True))
        if not same or rules.action_space != self.action_space:
            raise UsageError(f"opponent={self.opponent!r} has learned another map, or with other actions")
        if rules.tracked != self.tracked:
            raise UsageError(
                f"opponent={self.opponent!r} has learned {'with' if rules.tracked else 'without'} a revisit_reward, "
                f"which decides whether visits are seen; here it is the other way round"
            )
        if agent.name == "random":
            raise UsageError(
                f"opponent={self.opponent!r} acts at random, by a stream that no copy of the world owns: "
                "write opponent='random'"
            )
        return agent.member(0), rules.sight

    @cached_property
    def guest(self) -> Callable[[Any], NDArray[np.int64]] | None:
        """Plays in the place of the opponent, see `CandyDuelVectorEnv.invite`; nobody, as a rule."""
        return None

    def with_guest(self, guest: Callable[[Any], NDArray[np.int64]] | None) -> Self:
        """The same rules, with what they have read from files, which may be gone; `guest` plays, or nobody."""
        other = object.__new__(type(self))
        other.__dict__.update(
            self.__dict__, guest=guest
        )  # the options are frozen, what follows from them is not
        return other

    def replies(self, state: State, over: NDArray[np.bool_]) -> NDArray[np.int64]:
        """What the opponent does in every copy, int64 `[B]`; where the game is `over` `[B]`, that means nothing."""
        copies, actions = len(state["core"]), int(self.action_space.n)
        if self.guest is not None:
            return np.asarray(self.guest(self.observe_as(state, 1)), np.int64)
        if self.opponent not in PLAYERS:
            agent, sight = self.rival
            chosen, memory = agent.predict(sight.read(self.world(state), 1))
            if memory is not None:
                raise UsageError(f"opponent={self.opponent!r} has a memory, for which a world has no place")
            return np.asarray(chosen, np.int64)
        out = np.zeros(copies, np.int64)
        kind = PLAYERS[self.opponent]
        duel_loops.choose(*self.world(state), 1, kind, self.far, actions, state["opponent"], over, out)
        return out

    # ---------------------------------------------------------------- the game

    def run_step(
        self,
        state: State,
        actions: NDArray[np.int64],
        waiting: NDArray[np.bool_],
        results: tuple[NDArray[Any], ...],
    ) -> dict[str, NDArray[Any]]:
        """See `MazeRules.run_step`."""
        rewards, terminated, truncated, won, mask = results
        world = self.world(state)
        earned = np.zeros((2, len(actions)))
        over = waiting.copy()
        if self.in_turn:
            duel_loops.move_all(*world, 0, actions, over, earned)
            replies = np.where(over, -1, self.replies(state, over))
            duel_loops.move_all(*world, 1, replies, over, earned)
        else:
            replies = np.where(over, -1, self.replies(state, over))
            duel_loops.move_both(*world, actions, replies, over, earned)
        truncated[:] = False
        duel_loops.finish(*world, waiting, over, truncated, won, mask)
        terminated[:] = over & ~waiting
        rewards[:] = earned[0] - earned[1] if self.zero_sum else earned[0]
        return {"opponent_action": replies}

    def step_one(self, state: State, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """See `Rules.step_one`; a batch of one."""
        return super(MazeRules, self).step_one(state, action)

    def compiled(self, state: State) -> None:
        """See `Rules.compiled`; a compiled step is one of a single walker."""

    def compiled_game(self, state: State) -> CompiledGame | None:
        """These copies for a loop that drives both walkers; `None` unless the index or the position is observed."""
        seen = {"index": duel_loops.index_seen_by, "position": duel_loops.position_seen_by}
        observe = seen.get(self.observation)
        if observe is None or self.feedback:
            return None
        return CompiledGame(
            duel_loops.Seats(self.world(state), self.zero_sum),
            self.in_turn,
            duel_loops.turn,
            duel_loops.both,
            duel_loops.close_round,
            duel_loops.begin,
            observe,
        )

    def observe_as(self, state: State, w: int) -> Seen:
        """What walker `w` sees: its own place first."""
        return self.sight.read(self.world(state), w)

    def last_reward(self, arrays: World, w: int) -> NDArray[np.int64]:
        """See `MazeRules.last_reward`; of a game with sum zero, less what the other one was paid since."""
        mine = super().last_reward(arrays, w)
        return mine - super().last_reward(arrays, w + 1) if self.zero_sum else mine

    @property
    def model_builder(self) -> Any:
        """See `MazeRules.model_builder`."""
        from rlcourse.envs.maze.duel_model import DuelModelBuilder

        return DuelModelBuilder

    def describe_walker(self, walker: NDArray[np.int64]) -> str:
        """The scores of both (@ and &), and what the agent did."""
        mine, theirs = (walker[w * world.WALKER + world.SCORE] / UNITS for w in range(2))
        did = super().describe_walker(walker).partition(", ")
        return f"@ {mine:g}, & {theirs:g}{did[1]}{did[2]}"


def _spread(far: NDArray[np.int32], before: list[list[int]], goal: int) -> None:
    """Steps to `goal` from every cell, by the cells that lead to each."""
    far[goal] = 0
    queue = deque([goal])
    while queue:
        cell = queue.popleft()
        for other in before[cell]:
            if far[other] < 0:
                far[other] = far[cell] + 1
                queue.append(other)


class CandyDuelEnv(MazeEnv):
    """Two players in one maze, after the same candies.

    ## Description
    Both walk the same maze, may stand in the same cell, and take the candies they come to. After each move of the agent the
    opponent moves, so that another player acts before the agent sees its next state; with `moves="simultaneous"` both move
    at once, and a coin decides who gets a candy that both reach. For a player on both sides, or two learners, see
    `rlcourse.envs.candy_duel_v0`, the PettingZoo environment of the same rules.

    ## Action Space
    `Discrete(4)`: left, right, up, down. `info["action_mask"]` marks the moves that do not bump.

    ## Observation Space
    `observation="index"`: `Discrete`, the number of the state: (number of the agent's open cell, number of the opponent's) x
    32 + the candies that are left, as bits. `"planes"` has a channel for each of the two; `"position"` hides the opponent.

    ## Rewards
    What the agent gets less what the opponent gets: a candy counts its value (1, 1, 2, 2 and 3), a move 0. With
    `zero_sum=False` what the agent gets. `info["is_success"]` says at the end whether the agent got more, and
    `info["opponent_action"]` after every step what the opponent did; it is -1 where the agent's move has ended the game.

    ## Starting State
    Two corners; a fair coin says who begins where.

    ## Episode End
    Terminated when all candies are taken. Truncated after 200 rounds.

    ## Arguments
    `opponent="greedy"` (the shortest way to the nearest candy, of equally near ones the dearest; it reckons with the wind, not
    with slips), `"random"`, or the folder of a saved agent, of which the first member plays; `moves="alternating"`,
    `zero_sum=True`, `layout="duel7"`, `max_steps=200`, and what else `MazeOptions` names.

    ## Version History
    v0: first version.
    """

    rules_class = CandyDuel
    rules: CandyDuel

    def game(self) -> FiniteGame:
        """The duel as a game of two, whoever the opponent is, without the time limit.

        Its states are the numbers that `observation="index"` shows walker 0. See `rlcourse.mdp.games`.

        Raises:
            UsageError: the world has too many states, or is not `zero_sum`.
        """
        from rlcourse.envs.maze.duel_model import build_game

        return build_game(self.rules, self._state)


class CandyDuelVectorEnv(MazeVectorEnv):
    """Copies of `CandyDuelEnv` in lockstep."""

    rules_class = CandyDuel
    rules: CandyDuel

    @property
    def opponent_actions(self) -> int:
        """The actions of the opponent, whose last one is `info["opponent_action"]`."""
        return int(self.single_action_space.n)  # type: ignore[attr-defined]

    @property
    def in_turn(self) -> bool:
        """Whether the opponent moves after the agent, not at once with it."""
        return self.rules.in_turn

    def invite(self, guest: Callable[[Any], NDArray[np.int64]]) -> None:
        """Let `guest` play in the place of the opponent, in these copies alone.

        Args:
            guest: told what walker 1 sees, its own place first, `[B, ...]` in the structure of the observation space; says
                what it does, integers `[B]`. Where a game is over, that means nothing.
        """
        self.rules = self.rules.with_guest(guest)

    def compiled_game(self) -> CompiledGame | None:
        """The copies for a loop in compiled code that plays both sides, and says with `moved` when it is done."""
        return self.rules.compiled_game(self._state) if self._started else None
