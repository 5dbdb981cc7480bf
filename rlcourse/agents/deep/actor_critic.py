"""Advantage actor-critic: a policy that climbs the gradient of its return, and a critic that says what to expect.

    loss = - ln pi(A|S) x advantage  +  vf_coef (G - V(S))^2  -  ent_coef H(pi(.|S))

The advantage is the generalised one of the last `n_steps` steps; G is advantage + V(S). Source: Mnih et al. (2016),
"Asynchronous methods for deep reinforcement learning", in its synchronous form, and Schulman et al. (2016).
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.agents.base import Arrays
from rlcourse.agents.config import Count, NonNegative, Positive, Probability
from rlcourse.agents.deep.base import DeepAgent, DeepConfig, arrays_below
from rlcourse.agents.deep.networks import argmax_actions
from rlcourse.agents.deep.policies import FeedForward, Policy, make_policy
from rlcourse.checks import enough_memory
from rlcourse.errors import UsageError
from rlcourse.streams import Streams

Memory = Literal["none", "gru", "lstm", "attention"]


@dataclass(frozen=True)
class ActorCriticConfig(DeepConfig):
    """Settings of every actor with a critic."""

    n_steps: Count = 5
    """Steps of each copy between updates (Mnih et al. 2016)."""
    gae_lambda: Probability = 1.0
    """Lambda of the advantages; 1 sums all rewards until the critic takes over (stable-baselines3's A2C)."""
    ent_coef: NonNegative = 0.0
    """Weight of the policy's entropy (stable-baselines3)."""
    ent_anneal_steps: Count | None = None
    """Environment steps over which that weight falls linearly to zero; never where it is None."""
    vf_coef: NonNegative = 0.5
    """Weight of the critic's loss (stable-baselines3)."""
    max_grad_norm: Positive | None = 0.5
    """The gradient of each member is clipped to this norm (stable-baselines3)."""
    activation: Literal["relu", "tanh"] = "tanh"
    """Function of the hidden units (stable-baselines3)."""
    memory: Memory = "none"
    """What is remembered within an episode: nothing, the state of a GRU or LSTM, or the last steps by attention."""
    memory_size: Count = 64
    """Units of the memory."""
    memory_length: Count = 32
    """Steps that attention looks back at, the present one included."""
    memory_heads: Count = 4
    """Heads of the attention."""


class ActorCritic(DeepAgent):
    """Acts by a policy, and learns from every `n_steps` steps of its copies."""

    config_class = ActorCriticConfig

    policy: Policy

    def build(self) -> None:
        """The policy, what it remembers, and the rollout."""
        from rlcourse.agents.deep.rollout import Rollout

        config = self.config
        try:
            policy = make_policy(self.codec, self.size, self.n_actions, config)
        except UsageError as error:
            raise UsageError(f"{self.name}: {error}") from None
        self.policy = self.add_network("policy", policy)
        self.optimiser = self.add_optimiser("policy", self.policy)
        copies = self.size * self.copies
        n_bytes = copies * config.n_steps * (self.row_bytes + 22)  # action, reward, value, chance and flags
        with enough_memory(f"{self.name}: n_steps={config.n_steps}", n_bytes):
            self.rollout = Rollout(self.size, self.copies, config.n_steps, self.codec, self.device)
        self._fresh = np.ones(copies, np.bool_)
        shape = (copies, *self.policy.state_shape) if self.policy.remembers else (copies, 0)
        self._memory = np.zeros(shape, np.float32)
        self._memory_before = np.zeros(shape, np.float32)  # of the rollout

    def kept(self) -> dict[str, NDArray[Any]]:
        """The rollout and what is remembered."""
        kept = {f"rollout/{name}": array for name, array in self.rollout.kept().items()}
        return {**kept, "fresh": self._fresh, "memory": self._memory, "memory_before": self._memory_before}

    def check_kept(self, arrays: Arrays) -> None:
        """See `DeepAgent.check_kept`."""
        self.rollout.check(arrays_below(arrays, "rollout/"), self.n_actions)

    def _restored(self, *, in_place: bool) -> None:
        super()._restored(in_place=in_place)
        if not in_place:  # what was seen before does not lead to what is seen now
            self.rollout.clear()

    # ---------------------------------------------------------------- acting

    def act(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """An action by its chance."""
        from rlcourse.agents.deep.acting import softmax_actions

        if self.rollout.filled[0] == 0:
            self._memory_before[...] = self._memory
        preferences, values = self._look(rows)
        actions, log_chances = softmax_actions(preferences, self.stream)
        flat = rows.reshape(-1, *self.codec.row_shape)
        self.rollout.begin(
            flat, actions.reshape(-1), values.reshape(-1), log_chances.reshape(-1), self._fresh
        )
        self._fresh[:] = False
        return actions

    def _look(self, rows: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Preferences `[S, N, A]` and values `[S, N]` of what the copies see; what they remember moves on."""
        if self.quick is not None and self.quick[0].fits(rows):
            return self.quick[0](rows), self.quick[1](rows)
        with torch.inference_mode():
            preferences, values, state = self.policy.step(
                self.tensor(rows), self._state(self._memory), self._fresh_tensor()
            )
        if self.policy.remembers:
            self._memory[...] = state.flatten(0, 1).cpu().numpy()
        return preferences.contiguous().cpu().numpy(), values.cpu().numpy()

    @functools.cached_property
    def quick(self) -> Any:
        """Actor and critic, each in one compiled call, for acting; `None` where they are not plain enough."""
        from rlcourse.agents.deep.quick import QuickNetwork

        if not isinstance(self.policy, FeedForward):
            return None
        both = QuickNetwork.of(self.policy.actor), QuickNetwork.of(self.policy.critic)
        return None if None in both else both

    def _state(self, memory: NDArray[np.float32]) -> Tensor | None:
        """What the copies `[S N]` remember, as the policy takes it."""
        if not self.policy.remembers:
            return None
        return self.tensor(memory.reshape(self.size, self.copies, *memory.shape[1:]))

    def _fresh_tensor(self) -> Tensor | None:
        return self.tensor(self._fresh.reshape(self.size, -1)) if self.policy.remembers else None

    def forget_episode(self, over: NDArray[np.bool_]) -> None:
        """See `DeepAgent.forget_episode`."""
        self._fresh |= over

    def observe(
        self,
        rows: NDArray[Any],
        actions: NDArray[np.int64],
        rewards: NDArray[np.float64],
        next_rows: NDArray[Any],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Into the rollout. Where an episode is cut off, what would have come is added to its last reward."""
        cut = truncated & ~terminated
        if cut.any():
            rewards = rewards + self.config.gamma * np.where(cut, self._value_of(next_rows), 0.0)
        self.rollout.end(rewards, terminated | truncated)

    def _value_of(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """V of what the copies `[S N]` see now, with what they remember."""
        with torch.inference_mode():
            seen = self.tensor(rows.reshape(self.size, self.copies, *self.codec.row_shape))
            _, values, _ = self.policy.step(seen, self._state(self._memory), None)
        return values.cpu().numpy().reshape(-1)

    def first_memory(self, copies: int) -> Tensor | None:
        """See `DeepAgent.first_memory`."""
        return self.policy.initial_state(copies) if self.policy.remembers else None

    def choose(
        self, rows: Tensor, state: Any, episode_start: Any, deterministic: bool
    ) -> tuple[NDArray[np.int64], Any]:
        """See `DeepAgent.choose`."""
        remembers = self.policy.remembers
        fresh = None
        if remembers:
            state = self.first_memory(rows.shape[1]) if state is None else state
            fresh = None if episode_start is None else self.tensor(episode_start)
        preferences, _, state = self.policy.step(rows, state, fresh)
        return self._pick(preferences, deterministic, self._predict_stream), state if remembers else None

    def _pick(self, preferences: Tensor, deterministic: bool, stream: Streams) -> NDArray[np.int64]:
        if deterministic:
            return argmax_actions(preferences)
        from rlcourse.agents.deep.acting import softmax_actions

        return softmax_actions(preferences.contiguous().cpu().numpy(), stream)[0]

    def state_values(self, observation: Any) -> NDArray[np.float64] | None:
        """What the critic expects, see `Agent.state_values`; of an agent that remembers, at the beginning of an episode."""
        rows, lead = self._asked_values(observation)
        with torch.inference_mode():
            state = self.first_memory(rows.shape[1])
            _, values, _ = self.policy.step(rows, state, None)
        return values.cpu().numpy().astype(np.float64).reshape(lead)

    def action_chances(self, observation: Any) -> NDArray[np.float64]:
        """The chance of every action, float64 with the leading shape of the observation, and A; as `state_values`."""
        rows, lead = self._asked_values(observation)
        with torch.inference_mode():
            state = self.first_memory(rows.shape[1])
            preferences, _, _ = self.policy.step(rows, state, None)
        return preferences.softmax(-1).cpu().numpy().astype(np.float64).reshape(*lead, self.n_actions)

    # ---------------------------------------------------------------- learning

    @property
    def ent_coef(self) -> float:
        """The weight of the entropy now."""
        config = self.config
        left = 1.0 if config.ent_anneal_steps is None else 1.0 - self.num_timesteps / config.ent_anneal_steps
        return float(config.ent_coef * max(0.0, left))

    def train(self) -> None:
        """Learn from a full rollout, and begin the next."""
        if not self.rollout.is_full:
            return
        config = self.config
        self.anneal()
        advantages, returns = self.rollout.advantages(
            self._value_of(self._rows), config.gamma, config.gae_lambda
        )
        self.update(self.rollout.flat(advantages), self.rollout.flat(returns))
        self.rollout.clear()

    @abstractmethod
    def update(self, advantages: Tensor, returns: Tensor) -> None:
        """Learn from the rollout, of which these are the advantages and returns, `[S, N T]`."""

    def unroll(self, copies: NDArray[np.int64] | None = None) -> tuple[Tensor, Tensor]:
        """Preferences `[S, n T, A]` and values `[S, n T]` of the rollout, as they are now.

        Args:
            copies: int64 `[S, n]`, those of each member that are looked at; None: all N.
        """
        rollout = self.rollout
        sequences = rollout.rows.reshape(self.size, self.copies, rollout.steps, *self.codec.row_shape)
        begun = rollout.begun.reshape(self.size, self.copies, rollout.steps)
        memory = self._memory_before.reshape(self.size, self.copies, *self._memory.shape[1:])
        if copies is not None:
            pick = (np.arange(self.size)[:, None], copies)
            sequences, begun, memory = sequences[pick], begun[pick], memory[pick]
        state = self.tensor(memory) if self.policy.remembers else None
        preferences, values = self.policy.unroll(self.tensor(sequences), state, self.tensor(begun))
        return preferences.flatten(1, 2), values.flatten(1, 2)


def log_chances_and_entropy(preferences: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """Ln pi(a) of the actions `[...]`, and the entropy of pi, where pi is softmax of the preferences `[..., A]`."""
    logs = preferences.log_softmax(dim=-1)
    chosen = logs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    return chosen, -(logs.exp() * logs).sum(dim=-1)


@dataclass(frozen=True)
class A2CConfig(ActorCriticConfig):
    """Settings of `a2c`."""

    learning_rate: Positive = 7e-4
    """Step size (stable-baselines3)."""
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd", "momentum", "nesterov"] = "rmsprop"
    """Name of the optimiser (Mnih et al. 2016)."""
    adam_epsilon: Positive = 1e-5
    """What adam and rmsprop add to the root of the second moment (stable-baselines3)."""
    n_envs: Count = 8
    """Copies of the world for each member (rl-baselines3-zoo)."""


class A2C(ActorCritic):
    """One step down the loss for every `n_steps` steps of the copies."""

    name = "a2c"
    config_class = A2CConfig

    def update(self, advantages: Tensor, returns: Tensor) -> None:
        """One step for the whole rollout."""
        config = self.config
        preferences, values = self.unroll()
        log_chances, entropy = log_chances_and_entropy(preferences, self.rollout.flat(self.rollout.actions))
        losses = (
            -log_chances * advantages + config.vf_coef * (returns - values) ** 2 - self.ent_coef * entropy
        )
        self.optimiser.step(losses.mean(dim=1).sum())


@dataclass(frozen=True)
class RecurrentA2CConfig(A2CConfig):
    """Settings of `recurrent_a2c`: gradients reach back over `n_steps`, so these should be as long as an episode."""

    n_steps: Count = 16
    """Steps of each copy between updates, over which gradients reach back."""
    memory: Memory = "gru"
    """What is remembered within an episode."""


class RecurrentA2C(A2C):
    """A2C with a memory: what was seen in an episode is carried from step to step (Mnih et al. 2016, section 5.2)."""

    name = "recurrent_a2c"
    config_class = RecurrentA2CConfig
