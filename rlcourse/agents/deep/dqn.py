"""Deep Q-learning with experience replay and a target network, and the options that make a Rainbow of it.

    y = R + gamma max_a Q'(S', a)          Q' is a copy of Q that stands still between updates; no max where S' is terminal
    loss = Huber(y - Q(S, A))              over a batch of transitions from replay

Source: Mnih et al. (2015), "Human-level control through deep reinforcement learning"; the options: see `DQNConfig`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.agents.config import Count, Finite, Positive, Probability
from rlcourse.agents.deep.heads import Categorical, Quantile, Scalar, Steps, best_actions
from rlcourse.agents.deep.networks import q_network
from rlcourse.agents.deep.replay import Batch
from rlcourse.agents.deep.replaying import ReplayAgent, ReplayConfig
from rlcourse.agents.deep.symmetries import Augment, Symmetries
from rlcourse.errors import UsageError
from rlcourse.nn.linear import Linear
from rlcourse.streams import Streams


@dataclass(frozen=True)
class DQNConfig(ReplayConfig):
    """Settings of `dqn`. Where no other source is named, the value was chosen for small worlds and budgets of 50,000 steps."""

    double: bool = False
    """The network chooses the next action, the target network says its value (van Hasselt et al. 2016)."""
    dueling: bool = False
    """Value and advantages come from layers of their own (Wang et al. 2016)."""
    n_step: Count = 1
    """Steps of reward before the value of what comes after (Sutton & Barto 2018, section 7.1, without correction)."""
    prioritized: bool = False
    """Transitions with a large error are drawn more often (Schaul et al. 2016)."""
    priority_alpha: Probability = 0.6
    """Exponent of the error (Schaul et al. 2016, proportional variant)."""
    priority_beta: Probability = 0.4
    """Exponent of the importance weights at the beginning; it rises to 1 (Schaul et al. 2016)."""
    priority_beta_steps: Count = 50_000
    """Environment steps over which it rises."""
    noisy: bool = False
    """Exploration by noise on the weights, which is learned, in the place of epsilon (Fortunato et al. 2018)."""
    distribution: Literal["none", "quantile", "categorical"] = "none"
    """Learn the distribution of the return: QR-DQN (Dabney et al. 2018) or C51 (Bellemare et al. 2017)."""
    n_atoms: Count = 51
    """Quantiles or returns of the distribution (Bellemare et al. 2017)."""
    v_min: Finite = -10.0
    """The smallest return of the categorical distribution (Bellemare et al. 2017)."""
    v_max: Finite = 10.0
    """The largest (Bellemare et al. 2017)."""
    augment: Augment = "none"
    """Learn from each transition as it is, or turned and mirrored (see `rlcourse.agents.deep.symmetries`)."""


class DQN(ReplayAgent):
    """DQN, with the extensions of Rainbow as options."""

    name = "dqn"
    config_class = DQNConfig

    def build(self) -> None:
        """The network, its target, and replay."""
        config = self.config
        if config.prioritized and config.recency_half_life:
            raise UsageError(
                f"{self.name}: prioritized=True and recency_half_life both say what is drawn: choose one"
            )
        if config.distribution == "quantile":
            self.head = Quantile(self.n_actions, config.n_atoms)
        elif config.distribution == "categorical":
            if not config.v_min < config.v_max or config.n_atoms < 2:
                raise UsageError(
                    f"{self.name}: v_min={config.v_min:g} and v_max={config.v_max:g} must be a range, of n_atoms >= 2 returns"
                )
            self.head = Categorical(self.n_actions, config.n_atoms, config.v_min, config.v_max)
        else:
            self.head = Scalar(self.n_actions)
        self.q = self.add_network("q", self.make_network())
        self.target = self.add_network("target", self.make_network(), like="q")
        self.optimiser = self.add_optimiser("q", self.q)
        self.replay = self.make_replay(prioritized=config.prioritized)
        self.symmetries = Symmetries(self) if config.augment == "symmetries" else None

    def choose(
        self, rows: Tensor, state: Any, episode_start: Any, deterministic: bool
    ) -> tuple[NDArray[np.int64], Any]:
        """See `DeepAgent.choose`; the best action is that without noise, and explored is with a noise of its own."""
        if not self.config.noisy:
            return super().choose(rows, state, episode_start, deterministic)
        if deterministic:
            with self._without_noise():
                return super().choose(rows, state, episode_start, deterministic)
        training = {name: noise.clone() for name, noise in self.q.named_buffers()}
        try:
            self.renew_noise(self.q, stream=self._predict_stream)
            return super().choose(rows, state, episode_start, deterministic)
        finally:
            for name, noise in self.q.named_buffers():
                noise.copy_(training[name])

    def action_values(self, observation: Any) -> NDArray[np.float64] | None:
        """See `Agent.action_values`; without noise."""
        with self._without_noise():
            return super().action_values(observation)

    @contextlib.contextmanager
    def _without_noise(self) -> Iterator[None]:
        self.q.eval()
        try:
            yield
        finally:
            self.q.train()

    def make_network(self, size: int | None = None) -> Any:
        """A Q network by the settings, of so many members as there are, or of `size`."""
        config = self.config
        return q_network(
            self.codec,
            size or self.size,
            self.n_actions,
            config,
            n_atoms=self.head.n_atoms,
            dueling=config.dueling,
            linear=_noisy_linear if config.noisy else Linear,
        )

    @property
    def epsilon(self) -> float:
        """The chance of a random action now: none where the weights are noisy."""
        return 0.0 if self.config.noisy else super().epsilon

    def act(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """See `DeepAgent.act`."""
        if self.config.noisy:
            self.renew_noise(self.q)
        return super().act(rows)

    def update(self) -> None:
        """One step down the loss."""
        batch = self.sample()
        if self.fused is not None and self.fused.fits():
            errors = self.fused(batch)
            if batch.weights is not None:
                self.replay.set_priorities(batch.places, errors, self.config.priority_alpha)
            return
        if self.config.noisy:
            self.renew_noise(self.q, self.target)
        with torch.no_grad():
            steps = Steps(batch.actions, *self.look_ahead(batch), batch.returns, batch.discounts)
        losses, errors = self.head.losses(self.q(batch.rows), steps)
        if batch.weights is not None:
            self.replay.set_priorities(batch.places, errors.cpu().numpy(), self.config.priority_alpha)
            losses = losses * batch.weights
        self.optimiser.step(losses.mean(dim=1).sum())

    @functools.cached_property
    def fused(self) -> Any:
        """The update of plain networks in one compiled call; `None` where they are not, or where the target is another one."""
        from rlcourse.agents.deep.fused import FusedUpdate

        if type(self).look_ahead is not DQN.look_ahead:
            return None
        return FusedUpdate.of(self)

    def look_ahead(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """What the target network says of what came after, `[S, batch, A M]`, and the action there, `[S, batch]`.

        That is with `double` argmax_a Q(S', a), else `None`: argmax_a Q'(S', a), which the loss finds.
        """
        after = self.target(batch.next_rows)
        if not self.config.double:
            return after, None
        return after, best_actions(self.head.values(self.q(batch.next_rows)))

    def sample(self) -> Batch:
        """A batch from replay."""
        config = self.config
        weights = None
        if config.prioritized:
            share = min(1.0, self.num_timesteps / config.priority_beta_steps)
            beta = config.priority_beta + share * (1.0 - config.priority_beta)
            places, weights = self.replay.draw_by_priority(self.stream, config.batch_size, beta)
        else:
            places = self.replay.draw(self.stream, config.batch_size, half_life=config.recency_half_life)
        batch = self.replay.gather(places, n_steps=config.n_step, gamma=config.gamma, weights=weights)
        return batch if self.symmetries is None else self._turned(batch, self.symmetries)

    def _turned(self, batch: Batch, symmetries: Symmetries) -> Batch:
        """The transitions of the turned worlds."""
        which = symmetries.draw(self.stream, batch.actions.shape[1])
        return batch._replace(
            rows=symmetries.turn(batch.rows, which),
            actions=symmetries.carry(batch.actions, which),
            next_rows=symmetries.turn(batch.next_rows, which),
        )

    def renew_noise(self, *networks: Any, stream: Streams | None = None) -> None:
        """Draw the noise of the weights anew, from the stream of training where no other is given."""
        from rlcourse.nn.noisy import sample_noise

        for network in networks:
            sample_noise(network, self.stream if stream is None else stream)


def _noisy_linear(size: int, n_in: int, n_out: int, **_law: Any) -> Any:
    """A noisy layer in the place of a plain one; how it is drawn is the paper's."""
    from rlcourse.nn.noisy import NoisyLinear

    return NoisyLinear(size, n_in, n_out)


@dataclass(frozen=True)
class RainbowConfig(DQNConfig):
    """Settings of `rainbow`: those of `dqn`, all six extensions in use."""

    double: bool = True
    """See `dqn`."""
    dueling: bool = True
    """See `dqn`."""
    n_step: Count = 3
    """Steps of reward before the value of what comes after (Hessel et al. 2018, table 1)."""
    prioritized: bool = True
    """See `dqn`."""
    priority_alpha: Probability = 0.5
    """Exponent of the error (Hessel et al. 2018, table 1)."""
    noisy: bool = True
    """See `dqn`."""
    distribution: Literal["none", "quantile", "categorical"] = "categorical"
    """See `dqn`."""
    adam_epsilon: Positive = 1.5e-4
    """What Adam adds to the root of the second moment (Hessel et al. 2018, table 1)."""


class Rainbow(DQN):
    """DQN with everything. Source: Hessel et al. (2018), "Rainbow: combining improvements in deep reinforcement learning"."""

    name = "rainbow"
    config_class = RainbowConfig
