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
import os
import re
import shutil
import textwrap
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import tyro

from rlcourse.agents.config import say_type
from rlcourse.cli_flags import as_flags, differences, flags_of, take_json
from rlcourse.cli_options import EvaluateOptions, PlayOptions, TrainOptions, WatchOptions
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

    Raises:
        UsageError: see `parse`; also an agent or a world that there is not.
    """
    agent, env = _peek(words, "--agent"), _peek(words, "--env")
    return _parse_with(TrainOptions, words, "train", agent=agent, env=env)


def parse_play(words: list[str]) -> tuple[PlayOptions, dict[str, Any]]:
    """The options of `play`, and what was set of the world's options.

    Raises:
        UsageError: see `parse_train`.
    """
    options, _, env_kwargs = _parse_with(PlayOptions, words, "play", env=_peek(words, "--env"))
    return options, env_kwargs


def parse_watch(words: list[str]) -> tuple[WatchOptions, dict[str, Any], dict[str, Any]]:
    """The options of `watch`, and what was set of the agent's settings and of the world's options.

    A saved agent brings its settings along, and its world where none is named: then `env` is that one, and what was set
    of its options is what differs from those in which the agent has learned.

    Raises:
        UsageError: see `parse_train`; also settings for a saved agent.
        StorageError: a folder that holds no agent.
    """
    agent, env = _peek(words, "--agent"), _peek(words, "--env")
    if agent is None or not is_folder(agent):
        return _parse_with(WatchOptions, words, "watch", agent=agent, env=env)
    for word in words:
        if word.startswith("--agent."):
            raise UsageError(f"{word.partition('=')[0]} cannot be set: {agent} was saved with its settings")
    from rlcourse.agents.storage import read_agent_folder
    from rlcourse.names import resolve_world

    saved = read_agent_folder(agent)[0]
    learned_in = str(saved.get("env"))
    if env is None:
        env = learned_in
        words = [*words, "--env", env]
    preset = saved.get("env_kwargs") if resolve_world(env).id == learned_in else None
    return _parse_with(WatchOptions, words, "watch", env=env, preset=preset)


def is_folder(agent: str) -> bool:
    """Whether `--agent` names a folder: it is no agent's name, and there is one, or it is written like a path."""
    from rlcourse.agents import AGENTS

    return agent not in AGENTS and (Path(agent).is_dir() or bool({"/", os.sep} & set(agent)))


def _parse_with(
    options: type[T],
    words: list[str],
    verb: str,
    *,
    agent: str | None = None,
    env: str | None = None,
    preset: dict[str, Any] | None = None,
) -> tuple[T, dict[str, Any], dict[str, Any]]:
    """The options of a verb with the flags of an agent and of a world, and what was set of both.

    Two steps: first --agent and --env were read, now the flags are built for exactly these.

    Args:
        options: the dataclass of the verb.
        words: what was written after the verb.
        verb: its name.
        agent: the agent whose settings are flags.
        env: the world whose options are flags.
        preset: options that this world has already.
    """
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
            nested["env"] = as_flags(world.rules_class, {**spec.kwargs, **(preset or {})})
        else:
            words, env_kwargs = take_json(words, "--env.")
    whole = dataclasses.make_dataclass(
        options.__name__,
        [
            (f"{prefix}_fields", Annotated[flags, tyro.conf.arg(name=prefix)])
            for prefix, flags in nested.items()
        ],
        bases=(options,),
        frozen=True,
        kw_only=True,
    )
    whole.__doc__ = options.__doc__
    parsed: Any = parse(whole, words, verb)
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
    wanted = "JSON" if flags[flag] is object else f"{say_type(flags[flag])}{_form_of_list(flag, flags[flag])}"
    if "Missing value" in text:
        return f"{flag} needs a value: {wanted}"
    return f"{flag}={_given(words, flag)} must be {wanted}"


def _form_of_list(flag: str, hint: Any) -> str:
    """How the entries of a list are written after a flag; nothing for a flag of one value."""
    if get_origin(hint) is Annotated:
        return _form_of_list(flag, get_args(hint)[0])
    if get_origin(hint) in (list, tuple):
        entry = say_type(get_args(hint)[0])
        examples = {"a whole number": "32 32", "a number": "0.1 0.9", "a text": "one two"}
        return next((f", such as {flag} {two}" for kind, two in examples.items() if kind in entry), "")
    return next(filter(None, (_form_of_list(flag, inner) for inner in get_args(hint))), "")


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
        for before, after in itertools.pairwise([part for one in words for part in one.split("=", 1)]):
            on = before.replace("_", "-").replace("no-", "", 1)
            if after == word and (flags.get(on) is bool or flags.get(before.replace("_", "-")) is bool):
                off = on.replace(".", ".no-", 1) if "." in on else on.replace("--", "--no-", 1)
                return f"{before} takes no value, got {word!r}: write {on} for yes and {off} for no"
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
