"""Settings: types, ranges and names are checked where they are given, in one line that says what would be right."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import Annotated, Any, Literal

import pytest

from rlcourse.agents.config import (
    AgentConfig,
    Count,
    Finite,
    NonNegative,
    Positive,
    Probability,
    Within,
    build_config,
)
from rlcourse.errors import UsageError


@dataclass(frozen=True)
class Config(AgentConfig):
    chance: Probability = 0.5
    width: Positive = 1.0
    weight: NonNegative = 0.0
    place: Finite = 0.0
    rounds: Count | None = None
    law: Literal["this", "that"] = "this"
    on: bool = True
    layers: list[Count] | None = None
    half_open: Annotated[float, Within(0.0, 1.0, above=True)] = 1.0
    label: str = ""
    inner: dict[str, Any] | None = None


def build(**settings: Any) -> Config:
    return build_config(Config, settings, owner="someone")


def test_defaults_and_good_values() -> None:
    assert build() == Config()
    config = build(
        chance=1, width=1e-9, rounds=3, law="that", on=False, layers=[1, 2], half_open=1.0, label="x"
    )
    assert (config.chance, config.rounds, config.law, config.on) == (1, 3, "that", False)
    with pytest.raises(FrozenInstanceError):
        config.chance = 0.1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("setting", "wrong", "words"),
    [
        ("inner", [3], "a dictionary or None"),
        ("chance", 1.1, "at least 0 and at most 1"),
        ("chance", -0.1, "at least 0 and at most 1"),
        ("chance", float("nan"), "at least 0 and at most 1"),
        ("chance", "0.5", "a number"),
        ("chance", None, "a number"),
        ("chance", True, "a number"),
        ("width", 0.0, "above 0"),
        ("width", float("inf"), "above 0"),
        ("weight", -1, "at least 0"),
        ("place", float("inf"), "finite"),
        ("place", float("-inf"), "finite"),
        ("rounds", 0, "at least 1"),
        ("rounds", 2.5, "a whole number or None"),
        ("rounds", True, "a whole number or None"),
        ("law", "other", "one of 'this', 'that'"),
        ("on", 1, "True or False"),
        ("on", "yes", "True or False"),
        ("layers", 3, "a list"),
        ("half_open", 0.0, "above 0 and at most 1"),
        ("label", 3, "a text"),
        ("weight", 10**400, r"at most 1\.79769e\+308"),
        ("rounds", 10**400, r"at most 1\.79769e\+308"),
        ("place", -(10**400), r"at most 1\.79769e\+308"),
    ],
)
def test_bad_values_in_one_line(setting: str, wrong: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        build(**{setting: wrong})
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"someone: {setting}={wrong!r} must be ")


@pytest.mark.parametrize("wrong", [["a"], [1, "a"], [0], [1, -2], [1, True], [1.5], (1, 2)])
def test_bad_entries_of_a_list(wrong: Any) -> None:
    with pytest.raises(UsageError, match="layers="):
        build(layers=wrong)


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown setting of someone 'wdth': did you mean width"):
        build(wdth=1)
    with pytest.raises(UsageError, match="choose from chance, half_open"):
        build(zzz=1)


def test_who_has_no_settings_says_so() -> None:
    with pytest.raises(UsageError, match=r"unknown setting of someone 'c': there is none$"):
        build_config(AgentConfig, {"c": 1}, owner="someone")


def test_usage_errors_are_value_errors() -> None:
    with pytest.raises(ValueError, match="must be"):
        build(chance=2)
