"""Things that are chosen by name: frozen dataclasses in a registry, made of a name and their options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from rlcourse.errors import UsageError, did_you_mean

T = TypeVar("T")


def make_named(registry: Mapping[str, type[T]], kind: str, spec: Any, options: Mapping[str, Any]) -> T:
    """What a name stands for, with its options.

    Args:
        registry: name -> frozen dataclass.
        kind: what they are names of ("schedule", "loss"), for the errors.
        spec: a name; a mapping with `name` and options; or one that is made already, which is given back.
        options: fields of the dataclass, over those of a mapping.

    Raises:
        UsageError: an unknown name or option, or one that is missing.
    """
    if isinstance(spec, tuple(registry.values())):
        made: Any = spec
        return dataclasses.replace(made, **options) if options else made
    if isinstance(spec, Mapping):
        options = {**{str(key): value for key, value in spec.items()}, **options}
        spec = options.pop("name", None)
    if not isinstance(spec, str) or spec not in registry:
        raise UsageError(did_you_mean(str(spec), registry, kind=kind))
    fields = dataclasses.fields(registry[spec])  # type: ignore[arg-type]
    known = [field.name for field in fields]
    for name in options:
        if name not in known:
            if not known:
                raise UsageError(f"{kind} {spec!r} takes no options, got {name!r}")
            raise UsageError(did_you_mean(name, known, kind=f"option of {kind} {spec}"))
    missing = [
        field.name for field in fields if field.default is dataclasses.MISSING and field.name not in options
    ]
    if missing:
        raise UsageError(f"{kind} {spec!r} needs {' and '.join(missing)}")
    return registry[spec](**options)


def spec_of(registry: Mapping[str, type[T]], made: T) -> dict[str, Any]:
    """What `make_named` makes the same one from, as JSON values: the name and the fields."""
    name = next(name for name, kind in registry.items() if kind is type(made))
    fields = {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}  # type: ignore[arg-type]
    return {
        "name": name,
        **{key: value.to_json() if hasattr(value, "to_json") else value for key, value in fields.items()},
    }
