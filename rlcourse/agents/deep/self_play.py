"""Self-play with networks: a learner whose opponents are what it is now, and what it was before.

after every `snapshot_interval` steps the network goes into the pool, in the place of the oldest one
a new game is played against the latest self with chance `latest_share`, else against one from the pool, each as likely
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.agents.base import Arrays, check_steps
from rlcourse.agents.config import AgentConfig, Count, Probability
from rlcourse.agents.control import ControlAgent
from rlcourse.agents.deep.acting import epsilon_greedy, softmax_actions
from rlcourse.agents.deep.dqn import DQN
from rlcourse.agents.deep.networks import policy_network
from rlcourse.agents.deep.policies import POLICY_GAIN
from rlcourse.agents.deep.ppo import PPO
from rlcourse.errors import UsageError
from rlcourse.nn.stack import Stacked
from rlcourse.progress import progress_bar
from rlcourse.streams import Streams

LEARNERS: dict[str, type[DQN] | type[PPO]] = {"dqn": DQN, "ppo": PPO}


@dataclass(frozen=True)
class DeepSelfPlayConfig(AgentConfig):
    """Settings of `deep_self_play`."""

    learner: Literal["dqn", "ppo"] = "dqn"
    """Who learns."""
    learner_settings: dict[str, Any] | None = None
    """Its settings."""
    pool_size: Count = 8
    """Past selves that each member keeps."""
    snapshot_interval: Count = 2_000
    """Environment steps between one past self and the next; the copies of a member all step at once, and between two such
    steps there is one past self at most."""
    latest_share: Probability = 0.8
    """Chance that a game is played against the latest self (Berner et al. 2019, section "opponents": 80%)."""


class DeepSelfPlay(ControlAgent):
    """DQN or PPO in a game of two, against itself: every member has a pool of its own past selves.

        agent = make_agent("deep_self_play", "CandyDuel-v0", seeds=10, learner="ppo")
        agent.learn(100_000)        # rounds of each member, in all its copies of the game

    The learner is player 0, its opponent player 1; both see their own place first, so one network can be either. A past self
    acts as it would while learning: DQN by its values with the last chance of a random action, PPO by its chances. Against the
    latest self alone a learner may go round in circles; the pool keeps it from forgetting how the old ones are beaten.

    The opponent that the world's options name plays no part in learning; `evaluate` meets that one. Saved and loaded, all goes
    on exactly.

    Raises:
        UsageError: a world that is no game of two; a learner with a memory or with noisy weights.

    Source: Bansal et al. (2018), "Emergent complexity via multi-agent competition", section 4.3 (opponents from the past);
    Berner et al. (2019), "Dota 2 with large scale deep reinforcement learning" (a share of games against the latest).
    """

    name = "deep_self_play"
    config_class = DeepSelfPlayConfig
    config: DeepSelfPlayConfig

    learner: DQN | PPO
    """Player 0."""
    past: Stacked
    """The pool: a stack of S x P networks, those of a member one after the other; of PPO the actors alone."""
    rivals: NDArray[np.int64]
    """Whom each copy plays against, `[S N]`: a place in the pool, or P for the latest self."""

    # ---------------------------------------------------------------- setting up

    def _setup(self) -> None:
        config = self.config
        self.learner = LEARNERS[config.learner](
            self.spec, seeds=self.seeds, env_kwargs=self.env_kwargs, **(config.learner_settings or {})
        )
        self.venv, self.n_actions = self.learner.venv, self.learner.n_actions
        self.first_action = self.learner.first_action
        invite = getattr(self.venv.unwrapped, "invite", None)
        if invite is None:
            raise UsageError(
                f"deep_self_play plays both sides of a game and cannot do so in {self.spec.id}: it fits CandyDuel-v0"
            )
        for setting, plain in (("memory", "none"), ("frame_stack", 1), ("noisy", False)):
            if getattr(self.learner.config, setting, plain) != plain:
                raise UsageError(
                    f"deep_self_play: past selves have no memory and no noise: leave {setting} of the learner at {plain!r}"
                )
        self.stream = Streams.from_seeds(self.seeds, "opponent")
        self._predict_stream = Streams.from_seeds(self.seeds, "opponent predict")
        self.past = self._empty_pool()
        self.rivals = np.full(self.size * self.copies, config.pool_size, np.int64)
        invite(self._reply)

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """See `Agent.diverged`."""
        return self.learner.diverged

    @property
    def copies(self) -> int:
        """See `Agent.copies`."""
        return self.learner.copies

    @property
    def _network(self) -> Stacked:
        """What says what the learner does."""
        if isinstance(self.learner, DQN):
            return self.learner.q
        policy: Any = self.learner.policy
        actor: Stacked = policy.actor
        return actor

    def _empty_pool(self) -> Stacked:
        """A stack of S x P networks; their weights mean nothing before the first snapshots."""
        learner, size = self.learner, self.size * self.config.pool_size
        if isinstance(learner, DQN):
            made: Stacked = learner.make_network(size)
        else:
            made = policy_network(learner.codec, size, self.n_actions, learner.config, gain=POLICY_GAIN)
        return made.requires_grad_(False).to(learner.device)

    # ---------------------------------------------------------------- the account is that of the learner

    @property
    def num_timesteps(self) -> int:
        """Rounds of each member."""
        return self.learner.num_timesteps

    @num_timesteps.setter
    def num_timesteps(self, steps: int) -> None:
        if "learner" in self.__dict__:  # before that it is 0
            self.learner.num_timesteps = steps

    @property
    def episodes(self) -> NDArray[np.int64]:  # type: ignore[override]
        """See `ControlAgent.episodes`."""
        return self.learner.episodes

    @property
    def earned(self) -> NDArray[np.float64]:  # type: ignore[override]
        """See `ControlAgent.earned`."""
        return self.learner.earned

    @property
    def running(self) -> NDArray[np.float64]:  # type: ignore[override]
        """See `ControlAgent.running`."""
        return self.learner.running

    # ---------------------------------------------------------------- the opponent

    @property
    def snapshots(self) -> int:
        """Past selves that have gone into the pool so far: one an interval, but no more than one a step of all copies."""
        return self.num_timesteps // max(self.config.snapshot_interval, self.copies)

    @property
    def held(self) -> int:
        """Past selves that are in the pool now."""
        return min(self.config.pool_size, self.snapshots)

    def _draw_rivals(self, begun: NDArray[np.bool_]) -> None:
        """Say whom the copies that begin anew `[S N]` play against."""
        members = np.flatnonzero(begun.reshape(self.size, -1).any(axis=1))
        luck = np.zeros((self.size, self.copies, 2))
        luck[members] = self.stream.uniform((self.copies, 2), rows=members)
        past = (luck[..., 1] * self.held).astype(np.int64)
        latest = (luck[..., 0] < self.config.latest_share) | (self.held == 0)
        drawn = np.where(latest, self.config.pool_size, past).reshape(-1)
        self.rivals[begun] = drawn[begun]

    def _reply(self, observation: Any) -> NDArray[np.int64]:
        """What the opponents do, int64 `[S N]`, where they see this."""
        learner, pool = self.learner, self.config.pool_size
        rows = learner.codec.read(observation).reshape(self.size, self.copies, *learner.codec.row_shape)
        seen = learner.tensor(rows)
        with torch.inference_mode():
            latest = self._preferences(self._network, seen)
            past = self._preferences(self.past, seen.repeat_interleave(pool, dim=0))
        all_selves = torch.cat([past.unflatten(0, (self.size, pool)), latest[:, None]], dim=1).cpu().numpy()
        rivals = self.rivals.reshape(self.size, -1)
        mine = all_selves[np.arange(self.size)[:, None], rivals, np.arange(self.copies)]
        if isinstance(learner, DQN):
            return epsilon_greedy(mine, learner.config.exploration_final_eps, self.stream).reshape(-1)
        return softmax_actions(mine, self.stream)[0].reshape(-1)

    def _preferences(self, network: Any, rows: Tensor) -> Tensor:
        """Values or preferences of the actions, `[*, N, A]`."""
        said: Tensor = network(rows)
        return self.learner.head.values(said) if isinstance(self.learner, DQN) else said

    def _take_snapshot(self) -> None:
        """The networks of now go into the pool, in the place of the oldest."""
        slot = (self.snapshots - 1) % self.config.pool_size
        mine, pool = self._network.state_dict(), self.past.state_dict()
        for name, kept in pool.items():
            kept.unflatten(0, (self.size, self.config.pool_size))[:, slot] = mine[name]

    # ---------------------------------------------------------------- learning

    def learn(self, steps: int, *, progress: bool = False) -> Self:
        """See `Agent.learn`; a step is a round, of the learner and its opponent."""
        steps, learner = check_steps(steps), self.learner
        learner._asked += steps
        with progress_bar(steps, f"{self.name} x {self.size}", show=progress) as advance:
            while learner.num_timesteps < learner._asked[0]:
                if learner._over.any():
                    self._draw_rivals(learner._over)
                before = self.snapshots
                learner._step()
                if self.snapshots > before:
                    self._take_snapshot()
                advance(self.copies)
        return self

    # ---------------------------------------------------------------- what the learner does and knows

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """What the learner does, see `Agent.predict`."""
        return self.learner.predict(observation, state, episode_start, deterministic)

    def action_values(self, observation: Any) -> NDArray[np.float64] | None:
        """What the learner expects, see `Agent.action_values`."""
        return self.learner.action_values(observation)

    def state_values(self, observation: Any) -> NDArray[np.float64] | None:
        """What the learner expects, see `Agent.state_values`."""
        return self.learner.state_values(observation)

    # ---------------------------------------------------------------- saving, restoring, parting

    def _array_attributes(self) -> dict[str, str]:
        return {"rivals": "rivals"}

    def get_arrays(self) -> Arrays:
        """See `Agent.get_arrays`; those of the learner below its name, those of the pool below theirs."""
        arrays = super().get_arrays()
        for name, array in self.learner.get_arrays().items():
            if not name.startswith("world/"):  # the worlds are the same
                arrays[f"learner/{name}"] = array
        for name, tensor in self.past.state_dict().items():
            arrays[f"past/{name}"] = tensor.detach().cpu().numpy().copy()
        return arrays

    def set_arrays(self, arrays: Arrays) -> None:
        """See `Agent.set_arrays`."""
        super().set_arrays(arrays)
        mine = {
            name.removeprefix("learner/"): array
            for name, array in arrays.items()
            if name.startswith("learner/")
        }
        mine |= {name: array for name, array in arrays.items() if name.startswith("world/")}
        self.learner.set_arrays(mine)
        past = {
            name.removeprefix("past/"): torch.from_numpy(array.copy())
            for name, array in arrays.items()
            if name.startswith("past/")
        }
        self.past.load_state_dict(past)

    def _restored(self, *, in_place: bool) -> None:
        """The learner restores what is its own."""
