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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlcourse.checks import check_count, check_number
from rlcourse.errors import UsageError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A number as a function of the step; the base of all, which stays where it begins."""

    initial: float = 1.0
    """The value at step 0."""

    def __post_init__(self) -> None:
        """Refuse what is impossible, by name and value."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                check_count(field.name, value)
            elif field.type == "float":
                check_number(field.name, value)

    def __call__(self, step: int) -> float:
        """The value at a step of at least 0."""
        return self.initial

    def to_json(self) -> dict[str, Any]:
        """What `make_schedule` makes the same one from: the name and the fields."""
        return {"name": _name_of(self), **dataclasses.asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """Always the same."""


@dataclass(frozen=True, kw_only=True)
class Step(Schedule):
    """A factor after every so many steps."""

    every: int
    factor: float = 0.1

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        return self.initial * self.factor ** (step // self.every)


@dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """A factor after every step, down to a floor."""

    factor: float
    final: float = 0.0

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        return max(self.initial * self.factor**step, self.final)


@dataclass(frozen=True, kw_only=True)
class Polynomial(Schedule):
    """A power of the share of the way that is left."""

    steps: int
    final: float = 0.0
    power: float = 2.0

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        return self.final + (self.initial - self.final) * (1.0 - min(step / self.steps, 1.0)) ** self.power


@dataclass(frozen=True, kw_only=True)
class Linear(Schedule):
    """A straight line, as far as it goes."""

    steps: int
    final: float = 0.0

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        share = min(step / self.steps, 1.0)
        return (1.0 - share) * self.initial + share * self.final


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """Half a cosine (Loshchilov & Hutter 2017, "SGDR", equation 5)."""

    steps: int
    final: float = 0.0

    def __call__(self, step: int) -> float:
        """See `Schedule`."""
        return _cosine(self, min(step / self.steps, 1.0))


@dataclass(frozen=True, kw_only=True)
class WarmRestarts(Schedule):
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
class WarmUp:
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

    def to_json(self) -> dict[str, Any]:
        """See `Schedule.to_json`."""
        return {
            "name": _name_of(self),
            "steps": self.steps,
            "start": self.start,
            "then": self.then.to_json(),
        }


AnySchedule = Schedule | WarmUp

SCHEDULES: dict[str, type[AnySchedule]] = {
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "linear": Linear,
    "polynomial": Polynomial,
    "cosine": Cosine,
    "warm_restarts": WarmRestarts,
    "warm_up": WarmUp,
}


def make_schedule(spec: Any = "constant", **options: Any) -> AnySchedule:
    """A schedule by its name.

    Args:
        spec: a name of `SCHEDULES`; a number, which is constant; a mapping with `name` and the options; or a schedule, which
            is given back.
        options: fields of the schedule, over those of a mapping.

    Raises:
        UsageError: an unknown name or option, one that is missing, or a value out of range.
    """
    if isinstance(spec, (Schedule, WarmUp)):
        return dataclasses.replace(spec, **options) if options else spec
    if isinstance(spec, Mapping):
        options = {**{str(key): value for key, value in spec.items()}, **options}
        spec = options.pop("name", None)
    elif isinstance(spec, (int, float)) and not isinstance(spec, bool):
        spec, options = "constant", {"initial": spec, **options}
    if not isinstance(spec, str) or spec not in SCHEDULES:
        raise UsageError(did_you_mean(str(spec), SCHEDULES, kind="schedule"))
    kind = SCHEDULES[spec]
    fields = dataclasses.fields(kind)
    for name in options:
        if name not in {field.name for field in fields}:
            known = [field.name for field in fields]
            raise UsageError(did_you_mean(name, known, kind=f"option of schedule {spec}"))
    missing = [
        field.name for field in fields if field.default is dataclasses.MISSING and field.name not in options
    ]
    if missing:
        raise UsageError(f"schedule {spec!r} needs {' and '.join(missing)}")
    return kind(**options)


def _cosine(of: Cosine | WarmRestarts, share: float) -> float:
    return of.final + (of.initial - of.final) * (1.0 + math.cos(math.pi * share)) / 2.0


def _name_of(schedule: AnySchedule) -> str:
    return next(name for name, kind in SCHEDULES.items() if kind is type(schedule))
