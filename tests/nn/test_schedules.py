"""Schedules against torch's, and against what they say of themselves."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from rlcourse.errors import UsageError
from rlcourse.nn.schedules import SCHEDULES, WarmUp, make_schedule

STEPS = 40
EXAMPLES: dict[str, dict[str, Any]] = {
    "constant": {},
    "step": {"every": 7, "factor": 0.3},
    "exponential": {"factor": 0.9},
    "linear": {"steps": 25, "final": 0.1},
    "polynomial": {"steps": 25, "power": 1.5},
    "cosine": {"steps": STEPS, "final": 0.05},
    "warm_restarts": {"period": 5, "growth": 2, "final": 0.05},
    "warm_up": {"steps": 8, "start": 0.25, "then": {"name": "step", "every": 10, "factor": 0.5}},
}


def torchs(make: Any, initial: float = 0.5) -> list[float]:
    """The learning rates of the first steps under a scheduler of torch."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=initial)
    scheduler, rates = make(optimiser), []
    for _ in range(STEPS):
        rates.append(float(optimiser.param_groups[0]["lr"]))
        optimiser.step()
        scheduler.step()
    return rates


def warm_up(optimiser: Any) -> Any:
    parts = [
        lr_scheduler.LinearLR(optimiser, start_factor=0.25, total_iters=8),
        lr_scheduler.StepLR(optimiser, 10, 0.5),
    ]
    return lr_scheduler.SequentialLR(optimiser, parts, milestones=[8])


TORCH = {
    "constant": lambda o: lr_scheduler.ConstantLR(o, factor=1.0),
    "step": lambda o: lr_scheduler.StepLR(o, 7, 0.3),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "linear": lambda o: lr_scheduler.LinearLR(o, 1.0, 0.1 / 0.5, total_iters=25),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, 25, 1.5),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, 0.05),
    "warm_restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 2, 0.05),
    "warm_up": warm_up,
}


def example(name: str, initial: float = 0.5) -> Any:
    options = dict(EXAMPLES[name])
    if name == "warm_up":
        options["then"] = {**options["then"], "initial": initial}
    else:
        options["initial"] = initial
    return make_schedule(name, **options)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_same_as_torch(name: str) -> None:
    ours = [example(name)(step) for step in range(STEPS)]
    assert ours == pytest.approx(torchs(TORCH[name]), rel=1e-9)


@pytest.mark.parametrize("name", SCHEDULES)
def test_json_and_back(name: str) -> None:
    schedule = example(name)
    assert make_schedule(json.loads(json.dumps(schedule.to_json()))) == schedule


@pytest.mark.parametrize("name", ["linear", "polynomial", "cosine"])
def test_what_ends_stays_where_it_ended(name: str) -> None:
    schedule = make_schedule(name, initial=1.0, final=0.05, steps=10)
    assert schedule(0) == 1.0
    assert schedule(10) == schedule(11) == schedule(10**12) == pytest.approx(0.05)


def test_restarts_far_out_are_found_at_once() -> None:
    schedule = make_schedule("warm_restarts", period=3)
    assert schedule(3 * 10**15 + 1) == pytest.approx((1 + math.cos(math.pi / 3)) / 2)
    doubled = make_schedule("warm_restarts", period=3, growth=2)
    assert [step for step in range(100) if doubled(step) == 1.0] == [0, 3, 9, 21, 45, 93]


def test_a_floor_and_a_number() -> None:
    assert make_schedule("exponential", factor=0.5, final=0.1)(100) == 0.1
    assert make_schedule(3e-4)(7) == 3e-4
    warm = WarmUp(steps=10, then=2.0)
    assert [warm(0), warm(5), warm(10), warm(50)] == [0.0, 1.0, 2.0, 2.0]


def test_what_grows_beyond_all_numbers_is_said() -> None:
    growing = make_schedule("exponential", factor=2.0)
    assert growing(10) == 1024.0
    for schedule in (growing, make_schedule("step", factor=2.0, every=1)):
        with pytest.raises(UsageError, match=r"factor=2.0 has grown beyond all numbers after 5000 times"):
            schedule(5000)


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        ("linea", {}, "did you mean linear"),
        ("linear", {}, "needs steps"),
        ("linear", {"steps": 0}, "steps=0 must be a whole number"),
        ("linear", {"steps": 5, "finall": 0.1}, "did you mean final"),
        ("cosine", {"steps": 5, "initial": math.nan}, "initial=nan must be a finite number"),
        ("warm_up", {"steps": 5, "then": "cosine"}, "needs steps"),
        ({"steps": 5}, {}, "unknown schedule"),
        (None, {}, "unknown schedule"),
        ([1], {}, "unknown schedule"),
        ("polynomial", {"steps": 5, "power": -1}, "power=-1 must be a finite number above 0"),
        ("polynomial", {"steps": 5, "power": 0}, "power=0"),
        ("exponential", {"factor": -0.5}, "factor=-0.5 must be a finite number at least 0"),
        (True, {}, "unknown schedule"),
    ],
)
def test_refused(spec: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_schedule(spec, **options)
