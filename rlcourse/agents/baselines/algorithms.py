"""The algorithms of stable-baselines3 and sb3-contrib, by name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.baselines.base import SB3Agent
from rlcourse.agents.baselines.settings import (
    SB3A2CConfig,
    SB3DQNConfig,
    SB3PPOConfig,
    SB3QRDQNConfig,
    SB3RecurrentPPOConfig,
)
from rlcourse.agents.observations import leading_shape, members_of
from rlcourse.errors import UsageError


class SB3DQN(SB3Agent):
    """Deep Q-learning with replay and a target network (Mnih et al. 2015), as stable-baselines3 has it."""

    name = "sb3:dqn"
    config_class = SB3DQNConfig
    algorithm = "stable_baselines3:DQN"

    def _choose(
        self, k: int, model: Any, seen: Any, state: Any, starts: Any, deterministic: bool
    ) -> tuple[Any, Any]:
        """Epsilon-greedy: the model would throw one coin for all copies, so it is asked for the best actions only."""
        best, memory = self._ask(model, seen, state, starts, True)
        if deterministic:
            return best, memory
        generator = np.random.default_rng(int(self._predict_bits(k)))
        explore = generator.random(len(best)) < model.exploration_rate
        return np.where(explore, generator.integers(self.n_actions, size=len(best)), best), memory

    def action_values(self, observation: Any) -> NDArray[np.float64]:
        """See `Agent.action_values`."""
        return self._values(observation, lambda model, seen: model.q_net(seen))


class SB3QRDQN(SB3DQN):
    """Deep Q-learning of the quantiles of the return (Dabney et al. 2018), as sb3-contrib has it."""

    name = "sb3:qrdqn"
    config_class = SB3QRDQNConfig
    algorithm = "sb3_contrib:QRDQN"

    def action_values(self, observation: Any) -> NDArray[np.float64]:
        """See `Agent.action_values`: the means of the quantiles."""
        return self._values(observation, lambda model, seen: model.quantile_net(seen).mean(dim=1))


class _ActorCritic(SB3Agent):
    def state_values(self, observation: Any) -> NDArray[np.float64] | None:
        """See `Agent.state_values`."""
        return self._values(observation, lambda model, seen: model.policy.predict_values(seen)[:, 0])


class SB3A2C(_ActorCritic):
    """Advantage actor-critic (Mnih et al. 2016), as stable-baselines3 has it."""

    name = "sb3:a2c"
    config_class = SB3A2CConfig
    algorithm = "stable_baselines3:A2C"


class SB3PPO(_ActorCritic):
    """Proximal policy optimisation (Schulman et al. 2017), as stable-baselines3 has it."""

    name = "sb3:ppo"
    config_class = SB3PPOConfig
    algorithm = "stable_baselines3:PPO"


class SB3RecurrentPPO(SB3Agent):
    """PPO with an LSTM, as sb3-contrib has it; `predict` hands its state on."""

    name = "sb3:recurrent_ppo"
    config_class = SB3RecurrentPPOConfig
    algorithm = "sb3_contrib:RecurrentPPO"
    config: SB3RecurrentPPOConfig

    def memory_shape(self, copies: int) -> tuple[int, ...]:
        """See `SB3Agent.memory_shape`: hidden and cell state of the actor."""
        return (self.config.n_lstm_layers, copies, self.config.lstm_hidden_size)


class SB3MaskablePPO(_ActorCritic):
    """PPO that draws from the possible actions alone (Huang & Ontañón 2022), as sb3-contrib has it.

    Its world has to say which actions are possible, in `info["action_mask"]`: mazes do. Before a `predict`, tell it the masks
    of the observations with `tell_masks`, or hand them over; without, every action counts as possible.
    """

    name = "sb3:maskable_ppo"
    config_class = SB3PPOConfig
    algorithm = "sb3_contrib:MaskablePPO"
    needs_masks = True

    def _prepare(self) -> None:
        _, info = self.venv.reset(seed=self.seeds)  # type: ignore[arg-type]  # a list is allowed, though not typed
        if "action_mask" not in info:
            raise UsageError(
                f"{self.name} cannot learn in {self.spec.id}, which does not tell which actions are possible "
                f"(info['action_mask']): mazes do"
            )
        self._masks: NDArray[np.bool_] | None = None
        super()._prepare()

    def tell_masks(self, masks: NDArray[np.bool_]) -> None:
        """See `Agent.tell_masks`; they hold for the next `predict`."""
        self._masks = masks

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], Any]:
        """See `Agent.predict`.

        Args:
            observation: see there.
            state: see there.
            episode_start: see there.
            deterministic: see there.
            action_masks: bool, with the leading shape of the observation and A.
        """
        if action_masks is not None:
            self._masks = np.asarray(action_masks, np.bool_)
        if self._masks is not None:
            lead = leading_shape(self.venv.single_observation_space, observation)
            shape = (self.size, members_of(lead, self.size), self.n_actions)
            if self._masks.size != np.prod(shape):
                raise UsageError(
                    f"the action masks are {list(self._masks.shape)}, expected {list(shape)} for these observations"
                )
            self._masks = self._masks.reshape(shape)
        try:
            return super().predict(observation, state, episode_start, deterministic)
        finally:
            self._masks = None

    def _choose(
        self, k: int, model: Any, seen: Any, state: Any, starts: Any, deterministic: bool
    ) -> tuple[Any, Any]:
        masks = None if self._masks is None else self._masks[k]
        return super()._choose(k, _Masked(model, masks), seen, state, starts, deterministic)


class _Masked:
    """A model that is asked with these masks."""

    def __init__(self, model: Any, masks: NDArray[np.bool_] | None) -> None:
        self.model, self.masks = model, masks

    def predict(self, observation: Any, **arguments: Any) -> Any:
        return self.model.predict(observation, action_masks=self.masks, **arguments)
