"""Optimisers by name from torch, for stacks: gradients are clipped and learning rates are set for each member apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.errors import StorageError, UsageError, did_you_mean

OPTIMISERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
}
"""Name -> torch's class, and the options that the name stands for."""

FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
"""Those with one kernel for all parameters."""

LearningRate = float | Sequence[float] | NDArray[np.floating[Any]]


class Optimiser:
    """A torch optimiser of stacked parameters `[S, ...]`, the members of which do not touch each other.

    Args:
        parameters: stacked, each leads with S.
        name: one of `OPTIMISERS`.
        learning_rate: one for all members, or one for each `[S]`, so that a sweep over learning rates is one run.
        max_grad_norm: clip the gradient of each member to this norm.
        options: further options of the torch class (`weight_decay`, `betas`, `eps`, `momentum` ...).

    Raises:
        UsageError: an unknown name, or an option that the class refuses.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        name: str = "adam",
        learning_rate: LearningRate = 1e-3,
        *,
        max_grad_norm: float | None = None,
        **options: Any,
    ) -> None:
        if name not in OPTIMISERS:
            raise UsageError(did_you_mean(str(name), OPTIMISERS, kind="optimiser"))
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.max_grad_norm = max_grad_norm
        kind, preset = OPTIMISERS[name]
        if kind in FUSED:
            preset = {**preset, "fused": True}
        try:
            self.torch = kind(self.parameters, lr=1.0, **{**preset, **options})
        except (TypeError, ValueError) as error:
            raise UsageError(f"optimiser {name!r} refuses its options {options}: {error}") from error
        self._remember_nothing()
        self.set_learning_rate(learning_rate)

    def _remember_nothing(self) -> None:
        """Have torch make its memory now, not at the first step, so that it can be saved and restored at any time."""
        decays = [group["weight_decay"] for group in self.torch.param_groups]
        for group in self.torch.param_groups:
            group["lr"] = group["weight_decay"] = 0.0
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        self.torch.step()
        for group, decay in zip(self.torch.param_groups, decays, strict=True):
            group["weight_decay"] = decay
        for parameter in self.parameters:
            parameter.grad = None
            if "step" in self.torch.state[parameter]:
                self.torch.state[parameter]["step"].zero_()

    @property
    def size(self) -> int:
        """S."""
        return len(self.parameters[0])

    def set_learning_rate(self, learning_rate: LearningRate) -> None:
        """From now on, one rate for all members or one for each `[S]`."""
        rates = np.atleast_1d(np.asarray(learning_rate, np.float64))
        if rates.shape not in ((1,), (self.size,)) or not (rates >= 0.0).all():
            raise UsageError(
                f"learning_rate={learning_rate!r} must be a number of at least 0, or {self.size} of them, one a member"
            )
        highest = float(rates.max())
        for group in self.torch.param_groups:
            group["lr"] = highest
        # Every optimiser here moves a weight by lr times something, so a smaller rate is a part of that move.
        self._share = None
        if (rates != highest).any():
            self._share = torch.tensor(rates / highest, dtype=torch.float32, device=self.parameters[0].device)

    def step(self, loss: Tensor, members: NDArray[np.bool_] | None = None) -> None:
        """One step down the gradient of `loss`: the sum over the members of what each has to make small.

        A mean over the members would give each of them a gradient that depends on how many there are.

        Args:
            loss: a scalar.
            members: bool `[S]`, those that move; the others stay as they are, with what is remembered of their gradients.
                Not for optimisers that count steps (Adam), since the count is one for all.
        """
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        if self.max_grad_norm is not None:
            clip_members(self.parameters, self.max_grad_norm)
        if members is not None and not members.all():
            resting = torch.from_numpy(~members).to(self.parameters[0].device)
            kept = [(tensor, tensor.detach()[resting].clone()) for tensor in self._moving()]
            self._step()
            with torch.no_grad():
                for tensor, before in kept:
                    tensor[resting] = before
        else:
            self._step()

    def _moving(self) -> list[Tensor]:
        """All that a step changes: weights, and moments of their gradients."""
        found: list[Tensor] = list(self.parameters)
        for parameter in self.parameters:
            for value in self.torch.state[parameter].values():
                if isinstance(value, Tensor) and value.dim() > 0:
                    found.append(value)
        return found

    def _step(self) -> None:
        """Move, each member by its own rate."""
        if self._share is None:
            self.torch.step()
            return
        before = [parameter.detach().clone() for parameter in self.parameters]
        self.torch.step()
        with torch.no_grad():
            for parameter, old in zip(self.parameters, before, strict=True):
                share = self._share.reshape(-1, *(1,) * (parameter.dim() - 1))
                parameter.copy_(old + share * (parameter - old))

    def get_arrays(self) -> dict[str, NDArray[Any]]:
        """What it remembers of the past, arrays `[S, ...]`."""
        found = {}
        for i, parameter in enumerate(self.parameters):
            for name, value in self.torch.state.get(parameter, {}).items():
                if value is None:
                    continue
                value = torch.as_tensor(value)
                if value.dim() == 0:  # the count of steps is the same for all
                    value = value.expand(self.size)
                found[f"{i}/{name}"] = value.detach().cpu().numpy().copy()
        return found

    def set_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Go on from what `get_arrays` gave.

        Raises:
            StorageError: an array of another shape than its parameter, or of no parameter.
        """
        state: dict[int, dict[str, Any]] = {}
        for key, array in arrays.items():
            at, _, name = key.partition("/")
            i = int(at) if at.isdigit() else -1
            if not 0 <= i < len(self.parameters) or not name:
                raise StorageError(f"the optimiser has no array {key!r}")
            parameter = self.parameters[i]
            value = torch.from_numpy(array.copy())
            if name == "step":
                value = value[0].clone()
            elif value.shape != parameter.shape:
                raise StorageError(
                    f"the optimiser's array {key!r} is {list(value.shape)}, expected {list(parameter.shape)}"
                )
            state.setdefault(i, {})[name] = value
        groups = self.torch.state_dict()["param_groups"]
        self.torch.load_state_dict({"state": state, "param_groups": groups})


def clip_members(parameters: Sequence[Tensor], max_norm: float) -> Tensor:
    """Scale the gradient of each member down to `max_norm` where it is longer, in place; the norms before it, `[S]`.

    Args:
        parameters: stacked, with gradients.
        max_norm: of all gradients of a member together.
    """
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    total = _member_norms([grad.flatten(1) for grad in grads])
    scale = (max_norm / (total + 1e-6)).clamp(max=1.0)  # 1e-6 as in torch's clip_grad_norm_
    if scale.device.type == "cpu" and bool((scale == 1.0).all()):  # a look costs less than the products
        return total
    for grad in grads:
        grad.mul_(scale.reshape(-1, *(1,) * (grad.dim() - 1)))
    return total


def _member_norms(grads: list[Tensor]) -> Tensor:
    """The norms of the rows `[S, ...]` of all gradients together, `[S]`."""
    first = grads[0]
    if (
        first.device.type == "cpu"
        and all(grad.dtype == torch.float32 for grad in grads)
        and sum(grad.numel() for grad in grads) <= FEW_NUMBERS
    ):
        from rlcourse.nn.norms import row_norms

        return torch.from_numpy(row_norms(len(first), (grad.numpy() for grad in grads)))
    norms = torch.stack([torch.linalg.vector_norm(grad, dim=1) for grad in grads])
    return torch.linalg.vector_norm(norms, dim=0)


FEW_NUMBERS = 1_000_000
"""Numbers up to which norms are taken in one compiled loop; of more, all cores are faster (measured: two cores)."""
