"""Settings of agents: frozen dataclasses whose fields carry a type, a range and a sentence with the source.

    @dataclass(frozen=True)
    class UCBConfig(AgentConfig):
        c: NonNegative = 2.0
        \"\"\"Width of the confidence bonus (Sutton & Barto 2018, figure 2.4).\"\"\"

The command line makes its flags of the same fields, and `build_config` checks values from both.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from rlcourse.errors import UsageError, did_you_mean

LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Within:
    """The range of a number: `[low, high]`, or `(low, high]` where `above` is set."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False

    def refuses(self, value: float) -> str | None:
        """What is asked for, where `value` is outside; `None` where it is fine."""
        inside = (value > self.low if self.above else value >= self.low) and value <= self.high
        if inside and -LARGEST <= value <= LARGEST:
            return None
        if inside and abs(value) != math.inf:  # a whole number that is larger
            return f"a number of at most {LARGEST:g}"
        parts = []
        if math.isfinite(self.low):
            parts.append(f"{'above' if self.above else 'at least'} {self.low:g}")
        if math.isfinite(self.high):
            parts.append(f"at most {self.high:g}")
        return "finite" if not parts else " and ".join(parts)


Probability = Annotated[float, Within(0.0, 1.0)]
Positive = Annotated[float, Within(0.0, above=True)]
NonNegative = Annotated[float, Within(0.0)]
Finite = Annotated[float, Within()]
Count = Annotated[int, Within(1)]


@dataclass(frozen=True)
class AgentConfig:
    """No settings; every agent's configuration is a frozen dataclass that extends this one."""


C = TypeVar("C", bound=AgentConfig)


def build_config(config_class: type[C], settings: dict[str, Any], *, owner: str) -> C:
    """The configuration with these settings, each of the right type and within its range.

    Args:
        config_class: the agent's dataclass.
        settings: field name -> value; the others keep their defaults.
        owner: the agent's name, for the error.

    Raises:
        UsageError: an unknown setting (with a suggestion), a wrong type, or a value outside its range.
    """
    from typeguard import (
        CollectionCheckStrategy,
        TypeCheckError,
        check_type,
    )  # not light: only to build an agent

    hints = get_type_hints(config_class, include_extras=True)
    settings = {  # JSON and TOML have lists only
        name: tuple(value) if isinstance(value, list) and _takes_tuple(hints.get(name)) else value
        for name, value in settings.items()
    }
    for name, value in settings.items():
        if name not in hints:
            known = [field.name for field in dataclasses.fields(config_class)]
            raise UsageError(did_you_mean(name, known, kind=f"setting of {owner}"))
        hint, entries = hints[name], value if isinstance(value, (list, tuple)) else [value]
        # True is an int to Python, not to us
        wrong = bool not in _types(hint) and any(isinstance(entry, bool) for entry in entries)
        try:
            check_type(value, hint, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
        except TypeCheckError:
            wrong = True
        if wrong:
            raise UsageError(f"{owner}: {name}={value!r} must be {say_type(hint)}")
        for limit in _limits(hint):
            for entry in entries:
                if _is_number(entry) and (asked := limit.refuses(entry)):
                    raise UsageError(f"{owner}: {name}={value!r} must be {asked}")
    return config_class(**settings)


def as_json(value: Any) -> Any:
    """The same with Python's own numbers and lists in the place of NumPy's, which JSON cannot hold."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: as_json(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(as_json(entry) for entry in value)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _parts(hint: Any) -> list[Any]:
    """A hint and all that it is made of."""
    parts = [hint]
    for inner in get_args(hint):
        parts += _parts(inner)
    return parts


def _takes_tuple(hint: Any) -> bool:
    """Whether it is a tuple of some length, or that or something else."""
    return any(get_origin(part) is tuple for part in (hint, *get_args(hint)))


def _types(hint: Any) -> list[Any]:
    return [part for part in _parts(hint) if isinstance(part, type)]


def _limits(hint: Any) -> list[Within]:
    return [part for part in _parts(hint) if isinstance(part, Within)]


def say_type(hint: Any) -> str:
    """A type as a user would say it."""
    if get_origin(hint) is Annotated:
        return say_type(get_args(hint)[0])
    if hint is type(None):
        return "None"
    if isinstance(hint, type) and not get_args(hint):
        return {"int": "a whole number", "float": "a number", "str": "a text", "bool": "True or False"}.get(
            hint.__name__, hint.__name__
        )
    if get_args(hint) and all(isinstance(value, str) for value in get_args(hint)):
        return "one of " + ", ".join(repr(value) for value in get_args(hint))
    if get_origin(hint) is dict:
        return "a dictionary"
    if get_origin(hint) in (list, tuple):
        return f"a list (each {say_type(get_args(hint)[0])})"
    return " or ".join(say_type(inner) for inner in get_args(hint))
