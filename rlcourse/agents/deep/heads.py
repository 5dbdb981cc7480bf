"""What the outputs of a Q network mean: one number an action, or a distribution of the return, and the loss of each.

A head reads outputs `[S, B, A M]` of M numbers an action, gives the values `[S, B, A]`, and says how far the return of the
action that was taken is from R + discount x (the return of the next action), each `[S, B]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Steps(NamedTuple):
    """What was done, and what came of it."""

    actions: Tensor
    """Those that were taken, int64 `[S, B]`."""
    after: Tensor
    """What the target network says of the state after them, `[S, B, A M]`."""
    best: Tensor | None
    """The next actions, int64 `[S, B]`; `None`: the best ones by `after`."""
    returns: Tensor
    """R, `[S, B]`."""
    discounts: Tensor
    """Of what comes after, `[S, B]`; 0 where the state after is terminal."""


@dataclass(frozen=True)
class Scalar:
    """One number an action: its value. Huber loss of the TD error (Mnih et al. 2015)."""

    n_actions: int
    n_atoms: int = 1

    def values(self, outputs: Tensor) -> Tensor:
        """`[..., A]`."""
        return outputs

    def losses(self, outputs: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
        """Huber losses of Q(s, a) against R + discount Q'(s', a'), and the TD errors, both `[S, B]`."""
        if (
            outputs.device.type == "cpu"
            and outputs.dtype == steps.after.dtype == steps.returns.dtype == torch.float32
        ):
            from rlcourse.agents.deep.td_loss import td_losses

            return td_losses(outputs, steps)
        return self.losses_by_torch(outputs, steps)

    def losses_by_torch(self, outputs: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
        """The same on any device."""
        actions, after, best, returns, discounts = steps
        target = returns + discounts * (after.amax(dim=-1) if best is None else _of(after, best))
        q = _of(outputs, actions)
        return functional.smooth_l1_loss(q, target, reduction="none"), (target - q).detach()


@dataclass(frozen=True)
class Quantile:
    """M quantiles of the return, at the levels (i + 1/2) / M (Dabney et al. 2018, QR-DQN)."""

    n_actions: int
    n_atoms: int

    def values(self, outputs: Tensor) -> Tensor:
        """The mean of the quantiles, `[..., A]`."""
        return self._atoms(outputs).mean(dim=-1)

    def losses(self, outputs: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
        """Quantile Huber losses (equation 10), and the errors of the mean, both `[S, B]`."""
        actions, after, best, returns, discounts = steps
        best = best_actions(self.values(after)) if best is None else best
        target = returns[..., None] + discounts[..., None] * _row(self._atoms(after), best)
        quantiles = _row(self._atoms(outputs), actions)
        error = target[..., None, :] - quantiles[..., :, None]  # [S, B, own quantile, target quantile]
        level = (torch.arange(self.n_atoms, device=outputs.device) + 0.5) / self.n_atoms
        huber = functional.huber_loss(
            quantiles[..., :, None].expand_as(error), target[..., None, :].expand_as(error), reduction="none"
        )
        weight = (level[:, None] - (error.detach() < 0).float()).abs()
        return (weight * huber).mean(dim=-1).sum(dim=-1), (target.mean(-1) - quantiles.mean(-1)).detach()

    def _atoms(self, outputs: Tensor) -> Tensor:
        return outputs.unflatten(-1, (self.n_actions, self.n_atoms))


@dataclass(frozen=True)
class Categorical:
    """Chances of M returns, evenly spaced from `low` to `high` (Bellemare et al. 2017, C51)."""

    n_actions: int
    n_atoms: int
    low: float
    high: float

    def values(self, outputs: Tensor) -> Tensor:
        """The expected return, `[..., A]`."""
        return self._atoms(outputs).softmax(dim=-1) @ self._support(outputs)

    def losses(self, outputs: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
        """Cross-entropies against the projected target (algorithm 1), and the same less its entropy, as errors, `[S, B]`."""
        actions, after, best, returns, discounts = steps
        support = self._support(outputs)
        best = best_actions(self.values(after)) if best is None else best
        chances = _row(self._atoms(after), best).softmax(dim=-1)
        moved = (returns[..., None] + discounts[..., None] * support).clamp(self.low, self.high)
        place = (moved - self.low) / (self.high - self.low) * (self.n_atoms - 1)
        below = place.floor().clamp(max=self.n_atoms - 2)
        share = place - below
        target = torch.zeros_like(chances)
        target.scatter_add_(-1, below.long(), chances * (1.0 - share))
        target.scatter_add_(-1, below.long() + 1, chances * share)
        log_chances = _row(self._atoms(outputs), actions).log_softmax(dim=-1)
        losses = -(target * log_chances).sum(dim=-1)
        entropy = -(target * target.clamp(min=1e-12).log()).sum(dim=-1)
        return losses, (losses - entropy).detach()

    def _atoms(self, outputs: Tensor) -> Tensor:
        return outputs.unflatten(-1, (self.n_actions, self.n_atoms))

    def _support(self, outputs: Tensor) -> Tensor:
        return torch.linspace(self.low, self.high, self.n_atoms, device=outputs.device)


Head = Scalar | Quantile | Categorical


def best_actions(values: Tensor) -> Tensor:
    """The best action by values `[..., A]`, int64 `[...]`."""
    return values.max(dim=-1).indices  # argmax takes ten times as long


def _of(values: Tensor, actions: Tensor) -> Tensor:
    """The value of each action: `[..., A]` and `[...]` to `[...]`."""
    return values.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def _row(atoms: Tensor, actions: Tensor) -> Tensor:
    """The atoms of each action: `[..., A, M]` and `[...]` to `[..., M]`."""
    index = actions[..., None, None].expand(*actions.shape, 1, atoms.shape[-1])
    return atoms.gather(-2, index).squeeze(-2)
