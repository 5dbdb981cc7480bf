"""Deep Sarsa: as DQN, but the next action is the one that was taken, or its expectation.

    y = R + gamma Q'(S', A')                         A' was taken in S'
    y = R + gamma sum_a pi(a|S') Q'(S', a)           `expected`: pi is epsilon-greedy by Q', with the epsilon of now

Source: Zhao et al. (2016), "Deep reinforcement learning with experience replay based on Sarsa"; van Seijen et al. (2009) for
the expectation. Replay is short, since it holds what earlier policies did.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from rlcourse.agents.config import Count
from rlcourse.agents.deep.dqn import DQN, DQNConfig
from rlcourse.agents.deep.heads import Scalar, best_actions
from rlcourse.agents.deep.replay import Batch
from rlcourse.errors import UsageError


@dataclass(frozen=True)
class DeepSarsaConfig(DQNConfig):
    """Settings of `deep_sarsa`."""

    buffer_size: Count = 5_000
    """Observations that replay keeps for each member: a tenth of DQN's, since old steps are those of another policy."""
    expected: bool = False
    """Expect the next action instead of taking the one that came."""


class DeepSarsa(DQN):
    """Sarsa, or Expected Sarsa, with replay and a target network."""

    name = "deep_sarsa"
    config_class = DeepSarsaConfig

    def build(self) -> None:
        """As DQN."""
        super().build()
        if self.symmetries is not None:
            raise UsageError(f"{self.name} has no augment: the next action would have to be turned, too")
        if not isinstance(self.head, Scalar) or self.config.double:
            raise UsageError(
                f"{self.name} has no double and no distribution: the next action is not the best one"
            )

    def look_ahead(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """As DQN's, with the action that was taken next; expected, all actions have the expectation."""
        after = self.target(batch.next_rows)
        if not self.config.expected:
            return after, self.replay.next_actions(batch, best_actions(after))
        expected = (1.0 - self.epsilon) * after.amax(dim=-1) + self.epsilon * after.mean(dim=-1)
        return expected.unsqueeze(-1).expand_as(after).contiguous(), None
