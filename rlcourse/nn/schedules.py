"""Schedules by name: a number as a function of the step, as of a learning rate or of epsilon.

| name | value at step t, from `initial` | torch's |
|---|---|---|
| `constant` | initial | `ConstantLR` of factor 1 |
| `step` | initial x factor^floor(t / every) | `StepLR` |
| `exponential` | initial x factor^t, not below `final` | `ExponentialLR` |
| `linear` | straight to `final` at `steps`, and there from then on | `LinearLR` |
| `polynomial` | final + (initial - final) (1 - t / steps)^power, then `final` | `PolynomialLR` (final 0) |
| `cosine` | final + (initial - final) (1 + cos(pi t / steps)) / 2, then `final` | `CosineAnnealingLR` |
| `warm_restarts` | the same, begun anew after `period`, then `period growth` ... | `CosineAnnealingWarmRestarts` |
| `warm_up` | straight from `start` x the first value of `then` up to it, and then `then` | `LinearLR` in `SequentialLR` |

A schedule is a frozen dataclass that is called with a step. It remembers nothing, so that learning in pieces equals learning
at once. With `initial=1` it is a factor, for the learning rates of all members alike.

    epsilon = make_schedule("linear", initial=1.0, final=0.05, steps=10_000)
    epsilon(5_000)      # 0.525
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from rlcourse.checks import check_count, check_number
from rlcourse.errors import UsageError
from rlcourse.nn.named import make_named, spec_of


class Schedule(ABC):
    """A number as a function of the step."""

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The value at a step of at least 0."""

    def to_json(self) -> dict[str, Any]:
        """What `make_schedule` makes the same one from: the name and the fields."""
        return spec_of(SCHEDULES, self)


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """Always the same; the base of those that begin somewhere."""

    initial: float = 1.0
    """The value at step 0."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                check_count(field.name, value)
            else:
                check_number(field.name, value, 0.0 if field.name == "factor" else -math.inf)

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        return self.initial


@dataclass(frozen=True, kw_only=True)
class Step(Constant):
    """A factor after every so many steps."""

    every: int
    factor: float = 0.1

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        return self.initial * _power(self.factor, step // self.every)


@dataclass(frozen=True, kw_only=True)
class Exponential(Constant):
    """A factor after every step, down to a floor."""

    factor: float
    final: float = 0.0

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        return max(self.initial * _power(self.factor, step), self.final)


@dataclass(frozen=True, kw_only=True)
class Polynomial(Constant):
    """A power of the share of the way that is left."""

    steps: int
    final: float = 0.0
    power: float = 2.0
    """Above 0."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        super().__post_init__()
        check_number("power", self.power, 0.0, open_low=True)

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        return self.final + (self.initial - self.final) * (1.0 - min(step / self.steps, 1.0)) ** self.power


@dataclass(frozen=True, kw_only=True)
class Linear(Constant):
    """A straight line, as far as it goes."""

    steps: int
    final: float = 0.0

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        share = min(step / self.steps, 1.0)
        return (1.0 - share) * self.initial + share * self.final


@dataclass(frozen=True, kw_only=True)
class Cosine(Constant):
    """Half a cosine (Loshchilov & Hutter 2017, "SGDR", equation 5)."""

    steps: int
    final: float = 0.0

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        return _cosine(self, min(step / self.steps, 1.0))


@dataclass(frozen=True, kw_only=True)
class WarmRestarts(Constant):
    """Half cosines one after the other, each `growth` times as long as the last (Loshchilov & Hutter 2017, "SGDR")."""

    period: int
    growth: int = 1
    final: float = 0.0

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        length = self.period
        if self.growth == 1:
            step %= length
        while step >= length:
            step -= length
            length *= self.growth
        return _cosine(self, step / length)


@dataclass(frozen=True, kw_only=True)
class WarmUp(Schedule):
    """Straight up to where another schedule begins, and then that one (Goyal et al. 2017, section 2.2)."""

    steps: int
    start: float = 0.0
    """What share of the first value of `then` it begins with."""
    then: Any = 1.0
    """What `make_schedule` takes; its step 0 is the step `steps` of this one."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        check_count("steps", self.steps)
        check_number("start", self.start)
        object.__setattr__(self, "then", make_schedule(self.then))

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        if step >= self.steps:
            return float(self.then(step - self.steps))
        share = step / self.steps
        return float(self.then(0)) * (self.start + (1.0 - self.start) * share)


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "linear": Linear,
    "polynomial": Polynomial,
    "cosine": Cosine,
    "warm_restarts": WarmRestarts,
    "warm_up": WarmUp,
}


def make_schedule(spec: Any = "constant", **options: Any) -> Schedule:
    """A schedule by its name.

    Args:
        spec: a name of `SCHEDULES`; a number, which is constant; a mapping with `name` and the options; or a schedule, which
            is given back.
        options: fields of the schedule, over those of a mapping.

    Raises:
        UsageError: an unknown name or option, one that is missing, or a value out of range.
    """
    if isinstance(spec, (int, float)) and not isinstance(spec, bool):
        spec, options = "constant", {"initial": spec, **options}
    return make_named(SCHEDULES, "schedule", spec, options)


def _power(factor: float, count: int) -> float:
    """The factor so many times over.

    Raises:
        UsageError: it grows beyond all numbers.
    """
    try:
        return float(factor**count)
    except OverflowError:
        raise UsageError(f"factor={factor!r} has grown beyond all numbers after {count} times") from None


def _cosine(of: Cosine | WarmRestarts, share: float) -> float:
    return of.final + (of.initial - of.final) * (1.0 + math.cos(math.pi * share)) / 2.0
