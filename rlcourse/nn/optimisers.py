"""Optimisers by name from torch, for stacks: gradients are clipped and learning rates are set for each member apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

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
        joined: put all parameters into one block of memory, views of which they become, so that a step of small networks is a
            few operations instead of a few for each parameter. They have to stay on their device, in float32.
        options: further options of the torch class (`weight_decay`, `betas`, `eps`, `momentum` ...).

    Raises:
        UsageError: an unknown name, an option that the class refuses, or nothing that learns.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        name: str = "adam",
        learning_rate: LearningRate = 1e-3,
        *,
        max_grad_norm: float | None = None,
        joined: bool = False,
        **options: Any,
    ) -> None:
        if not isinstance(name, str) or name not in OPTIMISERS:
            raise UsageError(did_you_mean(str(name), OPTIMISERS, kind="optimiser"))
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        if not self.parameters:
            raise UsageError("there is nothing to learn: all weights are frozen")
        self.max_grad_norm = max_grad_norm
        kind, preset = OPTIMISERS[name]
        if kind in FUSED:
            preset = {**preset, "fused": True}
        self._block = Block(self.parameters) if joined else None
        self._written: list[Tensor] | None = None
        moved = self.parameters if self._block is None else [self._block.weights]
        try:
            self.torch = kind(moved, lr=1.0, **{**preset, **options})
        except (TypeError, ValueError, RuntimeError) as error:
            raise UsageError(f"optimiser {name!r} refuses its options {options}: {error}") from error
        self._remember_nothing()
        self.set_learning_rate(learning_rate)

    def _remember_nothing(self) -> None:
        """Have torch make its memory now, not at the first step, so that it can be saved and restored at any time."""
        (group,) = self.torch.param_groups
        decay = group["weight_decay"]
        group["lr"] = group["weight_decay"] = 0.0
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter) if self._block is None else self._block.gradient
        self.torch.step()
        group["weight_decay"] = decay
        for parameter in group["params"]:
            if self._block is None:
                parameter.grad = None
            if "step" in self.torch.state[parameter]:
                self.torch.state[parameter]["step"].zero_()

    def memory(self, i: int) -> dict[str, Tensor]:
        """What torch remembers of the gradients of parameter `i`, the tensors themselves, of its shape (a count: of none)."""
        if self._block is None:
            state = self.torch.state[self.parameters[i]]
        else:
            state = self.torch.state[self._block.weights]
        found = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        if self._block is None:
            return found
        return {
            name: value if value.dim() == 0 else self._block.part(value, i) for name, value in found.items()
        }

    def forget(self) -> None:
        """Begin anew: of past gradients, nothing is remembered."""
        with torch.no_grad():
            for state in self.torch.state.values():
                for value in state.values():
                    if isinstance(value, Tensor):
                        value.zero_()

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
        kept: list[tuple[Tensor, Any, Tensor]] = []  # what rests, where in it, and how it was
        if self._block is not None:
            frozen = self._block.take_gradients()
            kept += [(tensor, ..., tensor.detach().clone()) for i in frozen for tensor in self._moving(i)]
        self._clip()
        if members is not None and not members.all():
            resting = torch.from_numpy(~members).to(self.parameters[0].device)
            moving = [tensor for i in range(len(self.parameters)) for tensor in self._moving(i)]
            kept += [(tensor, resting, tensor.detach()[resting].clone()) for tensor in moving]
        self._step()
        with torch.no_grad():
            for tensor, where, before in kept:
                tensor[where] = before

    def gradients(self) -> list[Tensor]:
        """Where gradients can be written by others than autograd: tensors of the parameters' shapes, always the same."""
        if self._block is not None:
            return self._block.gradients
        if self._written is None:
            self._written = [torch.zeros_like(parameter) for parameter in self.parameters]
        return self._written

    def step_as_written(self) -> None:
        """One step by what stands in `gradients`."""
        if self._block is not None:
            self._block.check_place()
        for parameter, gradient in zip(self.parameters, self.gradients(), strict=True):
            parameter.grad = gradient
        self._clip()
        self._step()

    def _clip(self) -> None:
        if self.max_grad_norm is None:
            return
        if self._block is not None:
            self._block.clip(self.max_grad_norm)
        else:
            clip_members(self.parameters, self.max_grad_norm)

    def _moving(self, i: int) -> list[Tensor]:
        """All of parameter `i` that a step changes: its weights, and moments of their gradients."""
        return [self.parameters[i], *(value for value in self.memory(i).values() if value.dim() > 0)]

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
        for i in range(len(self.parameters)):
            for name, value in self.memory(i).items():
                if value.dim() == 0:  # the count of steps is the same for all
                    value = value.expand(self.size)
                found[f"{i}/{name}"] = value.detach().cpu().numpy().copy()
        return found

    def set_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Go on from what `get_arrays` gave.

        Raises:
            StorageError: an array of another shape than its parameter, or of no parameter; nothing was changed.
        """
        places = {
            f"{i}/{name}": value
            for i in range(len(self.parameters))
            for name, value in self.memory(i).items()
        }
        for key, array in arrays.items():
            if key not in places:
                raise StorageError(f"the optimiser has no array {key!r}")
            expected = tuple(places[key].shape) or (self.size,)
            if array.shape != expected:
                raise StorageError(
                    f"the optimiser's array {key!r} is {list(array.shape)}, expected {list(expected)}"
                )
        with torch.no_grad():
            for key, array in arrays.items():
                place, value = places[key], torch.from_numpy(array.copy())
                place.copy_(value if place.dim() else value[0])


class Block:
    """Parameters in one block of memory, one behind the other, and their gradients in another.

    Args:
        parameters: stacked `[S, ...]`, of one precision and on one device; they become views of the block.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = parameters
        with torch.no_grad():
            self.weights = nn.Parameter(torch.cat([parameter.flatten() for parameter in parameters]))
        self.gradient = torch.zeros_like(self.weights, requires_grad=False)
        self.ends = np.cumsum([parameter.numel() for parameter in parameters])
        self.gradients = [self.part(self.gradient, i) for i in range(len(parameters))]
        for i, parameter in enumerate(parameters):
            parameter.data = self.part(self.weights.detach(), i)
        self.where = [parameter.data_ptr() for parameter in parameters]

    def part(self, block: Tensor, i: int) -> Tensor:
        """The part of a block that is that of parameter `i`, in its shape."""
        parameter = self.parameters[i]
        return block[self.ends[i] - parameter.numel() : self.ends[i]].view(parameter.shape)

    def check_place(self) -> None:
        """Make sure that the parameters are still views of the block.

        Raises:
            RuntimeError: one has moved out of it.
        """
        if [parameter.data_ptr() for parameter in self.parameters] != self.where:
            raise RuntimeError("weights that an optimiser joined were moved: make it anew after that")

    def take_gradients(self) -> list[int]:
        """Bring the gradients of the parameters into the block.

        Returns:
            Which parameters have no gradient, since they are frozen; zeros stand for it.

        Raises:
            RuntimeError: see `check_place`.
        """
        self.check_place()
        grads = [parameter.grad for parameter in self.parameters]
        frozen = [i for i, grad in enumerate(grads) if grad is None]
        found = [
            torch.zeros_like(parameter) if grad is None else grad
            for parameter, grad in zip(self.parameters, grads, strict=True)
        ]
        torch.cat([grad.flatten() for grad in found], out=self.gradient)
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return frozen

    def clip(self, max_norm: float) -> None:
        """Scale the gradient of each member down to `max_norm` where it is longer."""
        if self.gradient.device.type == "cpu":
            from rlcourse.nn.norms import clip_rows

            clip_rows(self.gradient.numpy(), self.ends, len(self.parameters[0]), max_norm)
        else:
            clip_members(self.parameters, max_norm)


def clip_members(parameters: Sequence[Tensor], max_norm: float) -> Tensor:
    """Scale the gradient of each member down to `max_norm` where it is longer, in place; the norms before it, `[S]`.

    Args:
        parameters: stacked, with gradients.
        max_norm: of all gradients of a member together.
    """
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    # of rows, so that one call gives the norm of every member
    norms = torch.stack([torch.linalg.vector_norm(grad.flatten(1), dim=1) for grad in grads])
    total = torch.linalg.vector_norm(norms, dim=0)
    scale = (max_norm / (total + 1e-6)).clamp(max=1.0)  # 1e-6 as in torch's clip_grad_norm_
    if scale.device.type == "cpu" and bool((scale == 1.0).all()):  # a look costs less than the products
        return total
    for grad in grads:
        grad.mul_(scale.reshape(-1, *(1,) * (grad.dim() - 1)))
    return total
