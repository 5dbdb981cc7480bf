"""From the words on the command line to the options of a verb.

tyro converts them to the types of the fields. It answers a wrong argument with a box of many lines; here that becomes a
`UsageError` of one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import io
import itertools
import re
import shutil
import textwrap
from typing import Annotated, Any, TypeVar

import tyro

from rlcourse.agents.config import say_type
from rlcourse.cli_flags import as_flags, differences, flags_of, take_json
from rlcourse.cli_options import EvaluateOptions, TrainOptions
from rlcourse.errors import UsageError, did_you_mean

T = TypeVar("T")


def parse(options: type[T], words: list[str], verb: str) -> T:
    """The options of a verb.

    Args:
        options: its dataclass.
        words: what was written after the verb.
        verb: its name, for the help.

    Raises:
        UsageError: an unknown flag (with a suggestion), a value of another type, or something that is missing.
        SystemExit: with code 0, after `--help` was printed.
    """
    prog = f"rlcourse {verb}"
    headline, *rest = (inspect.getdoc(options) or "").split("\n\n")
    parsed: Any
    with contextlib.redirect_stderr(io.StringIO()) as box:
        try:
            parsed, unknown = tyro.cli(
                as_flags(options), args=words, prog=prog, description=headline, return_unknown_args=True
            )
        except SystemExit as end:
            if end.code == 0:
                print("\n" + "\n\n".join(map(_wrapped, rest)))
                raise
            raise UsageError(_one_line(box.getvalue(), verb, words, flags_of(options))) from None
    if unknown:
        raise UsageError(_unknown(unknown[0], verb, words, flags_of(options)))
    return parsed


def parse_train(words: list[str]) -> tuple[TrainOptions, dict[str, Any], dict[str, Any]]:
    """The options of `train`, and what was set of the agent's settings and of the world's options.

    Two steps: first --agent and --env are read, then the flags are built for exactly these.

    Raises:
        UsageError: see `parse`; also an agent or a world that there is not.
    """
    agent, env = _peek(words, "--agent"), _peek(words, "--env")
    nested: dict[str, type] = {}
    env_kwargs: dict[str, Any] = {}
    if agent is not None:
        from rlcourse.agents import agent_class

        nested["agent"] = as_flags(agent_class(agent).config_class)
    if env is not None:
        from rlcourse.names import resolve_world

        spec = resolve_world(env)
        world = _load(spec.entry_point)
        if hasattr(world, "rules_class"):
            nested["env"] = as_flags(world.rules_class, spec.kwargs)
        else:
            words, env_kwargs = take_json(words, "--env.")
    options = dataclasses.make_dataclass(
        "TrainOptions",
        [
            (f"{prefix}_fields", Annotated[flags, tyro.conf.arg(name=prefix)])
            for prefix, flags in nested.items()
        ],
        bases=(TrainOptions,),
        frozen=True,
        kw_only=True,
    )
    options.__doc__ = TrainOptions.__doc__
    parsed: Any = parse(options, words, "train")
    set_by_user = {prefix: differences(getattr(parsed, f"{prefix}_fields")) for prefix in nested}
    return parsed, set_by_user.get("agent", {}), env_kwargs or set_by_user.get("env", {})


def parse_evaluate(words: list[str]) -> EvaluateOptions:
    """The options of `evaluate`; --plot without a name is an empty one.

    Raises:
        UsageError: see `parse`.
    """
    filled: list[str] = []
    for word, after in itertools.pairwise([*words, "--"]):
        filled.append(f"{word}=" if word == "--plot" and after.startswith("--") else word)
    return parse(EvaluateOptions, filled, "evaluate")


def parse_seeds_flag(text: str) -> int | list[int]:
    """`"10"` is a count, `"3,5,8"` (and `"3,"`) a list of seeds.

    Raises:
        UsageError: it is neither.
    """
    try:
        if "," in text:
            return [int(part) for part in text.split(",") if part.strip()]
        return int(text)
    except ValueError:
        raise UsageError(
            f"--seeds={text!r} must be a count, such as 10, or a list of seeds, such as 3,5,8"
        ) from None


def _peek(words: list[str], flag: str) -> str | None:
    """The value of a flag before anything is parsed; the last one counts, as it does for tyro."""
    found = None
    for word, after in itertools.pairwise([*words, ""]):
        if word == flag and after and not after.startswith("-"):
            found = after
        elif word.startswith(f"{flag}="):
            found = word.removeprefix(f"{flag}=")
    return found


def _load(entry_point: Any) -> Any:
    """The class that an entry point `module:Class` names, imported where need be."""
    if not isinstance(entry_point, str):
        return entry_point
    module, attribute = entry_point.split(":")
    return getattr(importlib.import_module(module), attribute)


def _wrapped(paragraph: str) -> str:
    """A paragraph as wide as the boxes above it; examples stay as they are written."""
    if "\n  " in paragraph:
        return paragraph
    return textwrap.fill(" ".join(paragraph.split()), min(80, shutil.get_terminal_size().columns))


def _one_line(box: str, verb: str, words: list[str], flags: dict[str, Any]) -> str:
    """What tyro's box says, as one sentence.

    The box names the flag; what is wrong with its value is said in the words of `build_config`. A box that is not
    understood loses its frame and keeps its first paragraph.
    """
    text = " ".join(
        line.strip("│| ") for line in box.splitlines() if not re.match(r"[╭╰+]|[│| ]*[─-]{4}", line)
    )
    if missing := re.search(r"Missing from [^:]*: (\S+)", text):
        return f"{verb} needs {missing[1]}: see rlcourse {verb} --help"
    named = re.search(r"(?:Error parsing |argument )['(]*(--[\w.-]+)", text)
    flag = named[1] if named else ""
    if flag not in flags:
        return text.split(" For full helptext")[0]
    wanted = "JSON" if flags[flag] is object else say_type(flags[flag])
    if "Missing value" in text:
        return f"{flag} needs a value: {wanted}"
    return f"{flag}={_given(words, flag)} must be {wanted}"


def _given(words: list[str], flag: str) -> str:
    """The value of a flag as it was written."""
    values: list[str] = []
    reading = False
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            reading = name.replace("_", "-") == flag
            if reading:
                values = [value] if equals else []
        elif reading:
            values.append(word)
    return repr(" ".join(values))


def _unknown(word: str, verb: str, words: list[str], flags: dict[str, Any]) -> str:
    """One sentence for a word that no flag takes."""
    if not word.startswith("-"):
        return f"{verb} cannot place {word!r}: see rlcourse {verb} --help"
    name = word.partition("=")[0]
    for part, kind in (("--agent", "setting"), ("--env", "option")):
        if name.startswith(f"{part}."):
            owner = _peek(words, part)
            known = [flag.removeprefix(f"{part}.") for flag in flags if flag.startswith(f"{part}.")]
            if owner is None:
                return f"{name} needs {part} before it means anything"
            if not known:
                return f"{name} is unknown: {owner} has no {kind}s"
            return did_you_mean(name.removeprefix(f"{part}."), known, kind=f"{kind} of {owner}")
    return did_you_mean(name, [flag for flag in flags if "." not in flag], kind="flag")
