"""An agent that acts, to be watched: a bandit strategy while it learns, and any other as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from numpy.typing import NDArray

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Agent
from rlcourse.envs.bandits.base import BanditRules
from rlcourse.errors import UsageError
from rlcourse.names import resolve_world, short_name
from rlcourse.viewer.overlay import draw, values_of
from rlcourse.viewer.session import Session, check_draws, check_picture
from rlcourse.viewer.show import Show
from rlcourse.viewer.status import Status, with_status

SPEED = 10.0
"""Steps a second, where the world does not say how fast it is best watched."""


def show_agent(
    agent: Agent,
    *,
    learning: bool = False,
    episodes: int | None = None,
    seed: int = 0,
    env: Any = None,
    env_kwargs: dict[str, Any] | None = None,
) -> Show:
    """A show of what an agent does.

    Args:
        agent: a population of one; of a larger one take a `member`. The agent itself is left as it is.
        learning: a bandit strategy goes on learning, in the game that it is in; everything else shows what it knows.
        episodes: after so many the show is over; `None` goes on for ever.
        seed: of the first episode; one that is learning goes on with its own random streams.
        env: another world than that in which the agent has learned; what it sees and does must be the same.
        env_kwargs: options of the world that are other than those in which the agent has learned.

    Raises:
        UsageError: more than one learner, no episodes, a negative seed, or a world that does not fit the agent or draws
            no picture.
    """
    if agent.size != 1:
        raise UsageError(f"{agent.name} is a population of {agent.size}: watch one member(k)")
    if episodes is not None and episodes < 1:
        raise UsageError(f"episodes={episodes} must be a whole number of at least 1")
    if seed < 0:
        raise UsageError(f"seed={seed} must be a whole number of at least 0")
    if learning:
        if not isinstance(agent, BanditAgent):
            raise UsageError(f"{agent.name} is no bandit strategy: let it learn first, and then watch it")
        return LearningShow(agent, episodes)
    return PolicyShow(agent, episodes, seed, env, env_kwargs)


class PolicyShow(Show):
    """An agent that acts by what it knows, and learns no more.

    A bandit strategy plays the machines that it has learned to know (as `rlcourse.evaluate` does): the hidden problem is
    kept, the luck is new.
    """

    def __init__(
        self,
        agent: Agent,
        episodes: int | None,
        seed: int,
        env: Any = None,
        env_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.agent, self.episodes = agent.member(0), episodes  # a copy: acting draws from its streams
        spec = agent.spec if env is None else resolve_world(env)
        at_home = spec.id == agent.spec.id
        self.session = Session(spec, {**(agent.env_kwargs if at_home else {}), **(env_kwargs or {})})
        self.fps = _speed(self.session.env)
        self.title = f"{agent.name} in {short_name(spec.id)}"
        for name in ("observation_space", "action_space"):
            mine, other = getattr(agent.venv, f"single_{name}"), getattr(self.session.env, name)
            if mine != other:
                raise UsageError(
                    f"{agent.name} has learned with the {name.replace('_', ' ')} {mine}; this world has {other}"
                )
        world = self.session.env.unwrapped
        self._same_problem = (
            at_home and not env_kwargs and hasattr(world, "arm_values") and hasattr(world, "set_state")
        )
        self._memory: Any = None
        self._begin(seed)

    def forward(self) -> bool:
        """See `Show.forward`."""
        if self.session.end is not None:
            if self.episodes is not None and self.session.episode >= self.episodes:
                return False
            self._begin(None)
            return True
        start = np.array([self.session.step == 0])
        actions, self._memory = self.agent.predict(_one(self.session.observation), self._memory, start)
        self.session.act(np.asarray(actions)[0])
        _tell(self.agent, self.session.env)
        return True

    def frame(self, keys: tuple[str, ...] = (), word: str = "") -> NDArray[np.uint8]:
        """See `Show.frame`."""
        session, values = self.session, values_of(self.agent)
        image = draw(session.env, session.picture, _one(session.observation), values)
        caption = _caption(f"{self.agent.name} acts", values is not None, word)
        return with_status(image, session.status(caption, keys))

    def close(self) -> None:
        """See `Show.close`."""
        self.session.close()

    def _begin(self, seed: int | None) -> None:
        options = None
        if self._same_problem:
            if seed is not None:
                mine: Any = self.agent.venv.unwrapped
                shown: Any = self.session.env.unwrapped
                shown.set_state(
                    {name: array for name, array in mine.get_state().items() if name != "finished"}
                )
            options = {"same_problem": True}
        self.session.begin(seed, options)
        self._memory = None
        _tell(self.agent, self.session.env)


class LearningShow(Show):
    """A bandit strategy that learns while it is watched, from the pull where it is."""

    def __init__(self, agent: BanditAgent, episodes: int | None) -> None:
        check_draws(agent.spec)
        # A copy of the strategy whose worlds draw pictures.
        drawn = {**agent.env_kwargs, "render_mode": "rgb_array"}
        self.agent = type(agent)(agent.spec, seeds=agent.seeds, env_kwargs=drawn, **agent.settings)
        self.agent.set_arrays(agent.get_arrays())
        self.tap = Tap(self.agent.venv, agent.get_arrays()["observation"])
        self.agent.venv = self.tap
        self.episodes = episodes
        self.fps = _speed(self.tap)
        self.title = f"{agent.name} in {short_name(agent.spec.id)}"

    def forward(self) -> bool:
        """See `Show.forward`."""
        if self.tap.end is not None and self.episodes is not None and self.tap.episode >= self.episodes:
            return False
        self.agent.learn(1)
        return True

    def frame(self, keys: tuple[str, ...] = (), word: str = "") -> NDArray[np.uint8]:
        """See `Show.frame`."""
        tap, values = self.tap, values_of(self.agent)
        _tell(self.agent, tap)
        image = draw(tap, self._picture, tap.observation, values)
        caption = _caption(f"{self.agent.name} learns", values is not None, word)
        status = Status(tap.reward, tap.total, tap.pulls, tap.episode, tap.end, caption, keys)
        return with_status(image, status)

    def close(self) -> None:
        """See `Show.close`."""
        self.tap.close()

    def _picture(self) -> NDArray[np.uint8]:
        pictures = self.tap.render()
        return check_picture(pictures[0] if pictures else None, self.agent.spec.id)


class Tap(VectorWrapper[Any, Any, Any, Any, Any]):
    """Stands between one learner and its world, and keeps what happened last.

    Args:
        env: the world, a batch of one.
        observation: what the learner sees now, `[1, ...]`.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], observation: NDArray[Any]) -> None:
        super().__init__(env)
        self.observation = observation
        self.reward: float | None = None
        self.total = 0.0
        self.pulls = 0
        self.episode = 1
        self.end: str | None = None
        if isinstance(getattr(env.unwrapped, "rules", None), BanditRules):  # it may be in the midst of a game
            state = env.unwrapped.get_state()  # type: ignore[attr-defined]
            self.total, self.pulls = float(state["paid"][0]), int(state["round"][0])

    def reset(self, **how: Any) -> tuple[Any, dict[str, Any]]:
        """A new game."""
        self.observation, info = self.env.reset(**how)
        self.reward, self.total, self.pulls, self.end = None, 0.0, 0, None
        self.episode += 1
        return self.observation, info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """One pull."""
        self.observation, rewards, terminated, truncated, info = self.env.step(actions)
        self.reward = float(rewards[0])
        self.total += self.reward
        self.pulls += 1
        self.end = "terminated" if terminated[0] else "truncated" if truncated[0] else None
        return self.observation, rewards, terminated, truncated, info


def _tell(agent: Any, world: Any) -> None:
    """Tell the truth to a strategy that is told it, before it acts and before its values are drawn."""
    if getattr(agent, "needs_truth", False):
        truth = world.unwrapped.arm_values()
        agent.tell(truth.reshape(1, -1))


def _one(observation: Any) -> Any:
    """An observation as a batch of one, `[1, ...]`."""
    if isinstance(observation, dict):
        return {key: _one(entry) for key, entry in observation.items()}
    if isinstance(observation, tuple):
        return tuple(map(_one, observation))
    return np.asarray(observation)[None]


def _speed(world: Any) -> float:
    return float(world.metadata.get("render_fps") or SPEED)


def _caption(what: str, values: bool, word: str) -> str:
    below = "; with its values" if values else ""
    return f"{what}{below}" + (f"   {word}" if word else "")
