"""Flags made of the fields of a dataclass: an agent's settings, a world's options, a verb's own.

tyro reads the types, the defaults and the sentences under the fields; this module says how they look on a command line.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
import functools
import inspect
import itertools
import json
import sys
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from rlcourse.errors import UsageError


def as_flags(settings: type, preset: dict[str, Any] | None = None) -> Any:
    """A plain dataclass with the fields of another, made for flags: help, readable placeholders, and no checks.

    What is impossible the other class refuses itself, when it is built.

    Args:
        settings: the dataclass, with a sentence under each field.
        preset: values that take the place of its defaults.
    """
    preset = preset or {}
    hints = get_type_hints(settings, include_extras=True)
    sentences = _sentences(settings)
    fields = []
    for field in dataclasses.fields(settings):
        if not field.init:
            continue
        if field.name in preset:
            default = dataclasses.field(default_factory=functools.partial(copy.deepcopy, preset[field.name]))
        else:
            default = dataclasses.field(default=field.default, default_factory=field.default_factory)
        fields.append((field.name, _flag_type(hints[field.name], sentences.get(field.name)), default))
    twin = dataclasses.make_dataclass(settings.__name__, fields, frozen=True, kw_only=True)
    twin.__doc__ = settings.__doc__
    return twin


def _sentences(settings: type) -> dict[str, str]:
    """The sentence under each field, also of those that are inherited."""
    found: dict[str, str] = {}
    for kind in reversed(settings.__mro__):
        if not dataclasses.is_dataclass(kind):
            continue
        module = sys.modules[kind.__module__]
        for node in ast.parse(inspect.getsource(module)).body:
            if not isinstance(node, ast.ClassDef) or node.name != kind.__name__:
                continue
            for line, below in itertools.pairwise(node.body):
                if (
                    isinstance(line, ast.AnnAssign)
                    and isinstance(line.target, ast.Name)
                    and isinstance(below, ast.Expr)
                    and isinstance(below.value, ast.Constant)
                ):
                    found[line.target.id] = " ".join(str(below.value.value).split())
    return found


def differences(filled: Any) -> dict[str, Any]:
    """What was set: the fields that are not as they are by default."""
    default = type(filled)()
    return {
        field.name: getattr(filled, field.name)
        for field in dataclasses.fields(filled)
        if field.init and getattr(filled, field.name) != getattr(default, field.name)
    }


def flags_of(options: type, prefix: str = "--") -> dict[str, Any]:
    """Every flag of a dataclass and the type of its value; positional arguments go by their placeholder."""
    hints = get_type_hints(options, include_extras=True)
    flags: dict[str, Any] = {"--help": bool}
    for field in dataclasses.fields(options):
        hint = hints[field.name]
        told = next((part.name for part in get_args(hint)[1:] if getattr(part, "name", None)), None)
        inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        name = prefix + (told or field.name).replace("_", "-")
        if dataclasses.is_dataclass(inner):
            flags |= flags_of(inner, f"{name}.")  # type: ignore[arg-type]
        else:
            flags[name] = inner if "." in prefix else _without_none(inner)
    return flags


def take_json(words: list[str], prefix: str) -> tuple[list[str], dict[str, Any]]:
    """The words without those of `prefix`, and their values: JSON, or plain text where it is no JSON."""
    rest: list[str] = []
    values: dict[str, Any] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith(prefix):
            rest.append(word)
            continue
        name, equals, value = word.removeprefix(prefix).partition("=")
        if not equals:
            if not queue or queue[0].startswith("--"):
                raise UsageError(
                    f"{prefix}{name} needs a value: JSON, such as 3, true or [1, 2], or a plain text"
                )
            value = queue.pop(0)
        try:
            values[name.replace("-", "_")] = json.loads(value)
        except ValueError:
            values[name.replace("-", "_")] = value
    return rest, values


def _flag_type(hint: Any, sentence: str | None) -> Any:
    """The type of a flag: the field's own with its help; lists of lists are written as JSON."""
    words = _placeholder(hint)
    own: list[Any] = [part for part in getattr(hint, "__metadata__", ()) if hasattr(part, "metavar")]
    told: Any = own[0] if own else tyro.conf.arg(metavar=words if words not in ("", "JSON") else None)
    told = dataclasses.replace(told, help=sentence)
    if words != "JSON":
        return Annotated[_spelled_out(hint), told]
    return Annotated[
        object,
        PrimitiveConstructorSpec(
            nargs=1,
            metavar="JSON",
            instance_from_str=lambda texts: json.loads(texts[0]),
            is_instance=lambda value: True,
            str_from_instance=lambda value: [json.dumps(value)],
        ),
        told,
    ]


def _spelled_out(hint: Any) -> Any:
    """The same type with `Union[None, X]` for `X | None`: its default None tyro accepts without loading typeguard."""
    inner = get_args(hint)
    if get_origin(hint) is UnionType:
        return Union[tuple(sorted(inner, key=lambda kind: kind is not NoneType))]  # noqa: UP007  (made while running)
    return Annotated[_spelled_out(inner[0]), *hint.__metadata__] if get_origin(hint) is Annotated else hint


def _placeholder(hint: Any, *, within_list: bool = False) -> str:
    """What stands for the value in the help: `FLOAT`, `INT|None`, `FLOAT ...`; `""` for what tyro shows best itself."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _placeholder(inner[0], within_list=within_list)
    if hint in (int, float, str):
        return hint.__name__.upper()
    if hint is NoneType:
        return "None"
    if origin is dict:
        return "JSON"
    if origin in (list, tuple):
        if within_list:
            return "JSON"
        one = _placeholder(inner[0], within_list=True)
        one = f"({one})" if "|" in one else one
        return one if one in ("", "JSON") else f"{one} ..."
    if origin in (Union, UnionType):
        kinds = [_placeholder(part, within_list=within_list) for part in inner]
        return "JSON" if "JSON" in kinds else "" if "" in kinds else "|".join(kinds)
    return ""


def _without_none(hint: Any) -> Any:
    """The type of a value that is given; None is for a flag that is left out."""
    kinds = [part for part in get_args(hint) if part is not NoneType]
    return kinds[0] if get_origin(hint) in (Union, UnionType) and len(kinds) == 1 else hint
