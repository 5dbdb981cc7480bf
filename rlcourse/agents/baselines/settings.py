"""Settings of the agents of stable-baselines3: its names and its defaults."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from rlcourse.agents.config import AgentConfig, Count, NonNegative, Positive, Probability, Within


@dataclass(frozen=True)
class SB3Config(AgentConfig):
    """What all of them have."""

    learning_rate: Positive = 3e-4
    """Step size of the optimiser."""
    anneal_steps: Count | None = None
    """Environment steps over which the learning rate falls linearly to zero; never where it is None."""
    adam_epsilon: Positive | None = None
    """What Adam adds to the root of the second moment; by default that of the policy (1e-8 of DQN, 1e-5 of the others)."""
    gamma: Probability = 0.99
    """Discount."""
    policy: Literal["auto", "MlpPolicy", "CnnPolicy", "MultiInputPolicy"] = "auto"
    """Kind of network. By default `MultiInputPolicy` for dictionaries, `CnnPolicy` for pictures of at least 36x36, else
    `MlpPolicy`."""
    net_arch: list[Count] | None = None
    """Widths of the hidden layers; by default those of the policy ([64, 64] of `MlpPolicy`)."""
    activation_fn: Literal["relu", "tanh", "elu", "leaky_relu"] | None = None
    """Activation; by default that of the policy."""
    n_envs: Count = 1
    """Copies of the world of each member."""
    vec_env: Literal["dummy", "native"] = "dummy"
    """What the copies are stepped by: "dummy" is stable-baselines3's own, one after the other; "native" our batch, all at
    once, in worlds that have one."""
    device: str = "auto"
    """Of PyTorch."""
    jobs: Count | None = None
    """Processes that share the members; one a core by default. No figure depends on it."""

    of_policy: ClassVar[tuple[str, ...]] = ("net_arch", "activation_fn")
    """Fields that are arguments of the policy."""
    of_ours: ClassVar[tuple[str, ...]] = (
        "anneal_steps",
        "adam_epsilon",
        "policy",
        "n_envs",
        "vec_env",
        "device",
        "jobs",
    )
    """Fields that are not arguments of the algorithm by that name."""

    def arguments(self) -> dict[str, Any]:
        """Those of the algorithm that are numbers and switches, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in (*self.of_policy, *self.of_ours)
        }

    def policy_arguments(self) -> dict[str, Any]:
        """Those of the policy that were set, by name."""
        found = {name: getattr(self, name) for name in self.of_policy}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class SB3DQNConfig(SB3Config):
    """Defaults of `stable_baselines3.DQN`."""

    learning_rate: Positive = 1e-4
    """Step size of Adam."""
    buffer_size: Count = 1_000_000
    """Transitions that are kept."""
    learning_starts: Annotated[int, Within(0)] = 100
    """Steps of random play before the first update."""
    batch_size: Count = 32
    """Transitions of an update."""
    tau: Probability = 1.0
    """Share of the network that is taken over by the target network."""
    train_freq: Count = 4
    """Steps of every copy between two updates."""
    gradient_steps: Annotated[int, Within(-1)] = 1
    """Steps of the optimiser in an update; -1 is as many as steps were made."""
    n_steps: Count = 1
    """Rewards that are summed up before the value of the state after them is used."""
    target_update_interval: Count = 10_000
    """Steps between two updates of the target network."""
    exploration_fraction: Probability = 0.1
    """Share of the steps of a call of `learn` in which the rate of random actions falls."""
    exploration_steps: Count | None = None
    """Environment steps in which it falls, in the place of that share; they do not depend on how many are made."""
    exploration_initial_eps: Probability = 1.0
    """Rate of random actions at first."""
    exploration_final_eps: Probability = 0.05
    """Rate of random actions after that."""
    max_grad_norm: Positive = 10.0
    """Norm to which gradients are clipped."""

    of_ours: ClassVar[tuple[str, ...]] = (*SB3Config.of_ours, "exploration_steps")


@dataclass(frozen=True)
class SB3QRDQNConfig(SB3DQNConfig):
    """Defaults of `sb3_contrib.QRDQN`."""

    learning_rate: Positive = 5e-5
    """Step size of Adam."""
    exploration_fraction: Probability = 0.005
    """Share of the steps of a call of `learn` in which the rate of random actions falls."""
    exploration_final_eps: Probability = 0.01
    """Rate of random actions after that."""
    max_grad_norm: Positive | None = None  # type: ignore[assignment]  # here it may be left out
    """Norm to which gradients are clipped."""
    n_quantiles: Count = 200
    """Quantiles of the return of each action."""

    of_policy: ClassVar[tuple[str, ...]] = (*SB3Config.of_policy, "n_quantiles")


@dataclass(frozen=True)
class SB3A2CConfig(SB3Config):
    """Defaults of `stable_baselines3.A2C`."""

    learning_rate: Positive = 7e-4
    """Step size of the optimiser."""
    n_steps: Count = 5
    """Steps of every copy between two updates."""
    gae_lambda: Probability = 1.0
    """Decay of the advantages' traces; 1 is the return of all steps."""
    ent_coef: NonNegative = 0.0
    """Weight of the entropy."""
    vf_coef: NonNegative = 0.5
    """Weight of the values' loss."""
    max_grad_norm: Positive = 0.5
    """Norm to which gradients are clipped."""
    use_rms_prop: bool = True
    """RMSProp; else Adam."""
    rms_prop_eps: Positive = 1e-5
    """Its epsilon."""
    normalize_advantage: bool = False
    """Whether advantages are normalised."""


@dataclass(frozen=True)
class SB3PPOConfig(SB3Config):
    """Defaults of `stable_baselines3.PPO`, which are those of MaskablePPO as well."""

    n_steps: Count = 2048
    """Steps of every copy between two updates."""
    batch_size: Count = 64
    """Steps of a minibatch."""
    n_epochs: Count = 10
    """How often the steps are gone through in an update."""
    gae_lambda: Probability = 0.95
    """Decay of the advantages' traces."""
    clip_range: Positive = 0.2
    """How far the ratio of the policies may be from 1."""
    clip_range_vf: Positive | None = None
    """How far values may move in an update; by default as far as they like."""
    normalize_advantage: bool = True
    """Whether advantages are normalised, in every minibatch."""
    ent_coef: NonNegative = 0.0
    """Weight of the entropy."""
    vf_coef: NonNegative = 0.5
    """Weight of the values' loss."""
    max_grad_norm: Positive = 0.5
    """Norm to which gradients are clipped."""
    target_kl: Positive | None = None
    """Divergence from the old policy at which an update is ended early."""


@dataclass(frozen=True)
class SB3RecurrentPPOConfig(SB3PPOConfig):
    """Defaults of `sb3_contrib.RecurrentPPO`."""

    n_steps: Count = 128
    """Steps of every copy between two updates."""
    batch_size: Count = 128
    """Steps of a minibatch."""
    lstm_hidden_size: Count = 256
    """Units of the LSTM."""
    n_lstm_layers: Count = 1
    """Its layers."""
    shared_lstm: bool = False
    """Whether actor and critic share one; then set `enable_critic_lstm` to False."""
    enable_critic_lstm: bool = True
    """Whether the critic has one of its own."""

    of_policy: ClassVar[tuple[str, ...]] = (
        *SB3Config.of_policy,
        "lstm_hidden_size",
        "n_lstm_layers",
        "shared_lstm",
        "enable_critic_lstm",
    )
