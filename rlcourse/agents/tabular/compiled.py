"""Functions that Numba compiles when they are first used, and loops that are made of them.

A rule is written as a plain function on the tables of one member, and marked:

    @compiled
    def update(me, i, x, a, r, y, terminated, truncated): ...

Numba takes a second to load, so nothing is compiled before it is called. A loop is written once, with names for the rule
and for the world that it does not know; `instantiate` makes a copy of it in which these names mean something. Only such
copies are kept on disk, under a name with a digest of all code that went into them: an edit anywhere is seen.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[2]
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "_nrt": False, "forceinline": True}
"""Two things would cost more than the rules do. With `_nrt` Numba counts references to arrays; nothing here makes an array, so
there is nothing to count. Without `forceinline` LLVM calls the longer rules, and every call lays all tables on the stack."""


class Compiled:
    """A function for compiled code; called from Python, it is compiled alone."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    @functools.cached_property
    def dispatcher(self) -> Any:
        """What Numba makes of it."""
        from numba import njit

        return njit(**_OPTIONS)(self.function)

    @property
    def _numba_type_(self) -> Any:
        """What compiled code sees where it uses the name."""
        from numba import typeof

        return typeof(self.dispatcher)

    def __call__(self, *args: Any) -> Any:
        """From Python."""
        return self.dispatcher(*args)


class _Borrowed(Compiled):
    """A function that another module has compiled; the module is loaded when it is first used."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.__name__ = module, name

    @functools.cached_property
    def dispatcher(self) -> Any:
        return getattr(importlib.import_module(self.module), self.__name__)


def compiled(function: Callable[..., Any]) -> Any:
    """Mark a function as one for compiled code."""
    return Compiled(function)


def borrow(place: str) -> Any:
    """The compiled function at `module:name`, for use in rules."""
    return _Borrowed(*place.split(":"))


def bind(part: Callable[..., Any], laws: Mapping[str, Any]) -> Any:
    """A part of a loop in which names mean these functions, as a law for loops with several of the kind."""
    from numba import njit

    return njit(**_OPTIONS)(_with_names(part, laws, part.__name__))


def instantiate(
    loop: Callable[..., Any], parts: tuple[Callable[..., Any], ...], laws: Mapping[str, Any]
) -> Any:
    """A copy of a loop in which names mean these functions; compiled when it is called, and kept on disk.

    Args:
        loop: the loop.
        parts: functions of its module that it calls and that use the names, too; innermost first.
        laws: name -> compiled function.
    """
    from numba import njit

    known = dict(laws)
    for part in parts:
        known[part.__name__] = njit(**_OPTIONS)(_with_names(part, known, part.__name__))
    functions = [_function(law) for law in laws.values()]
    files = tuple(sorted({inspect.getsourcefile(function) or "" for function in functions}))
    spelled = [
        (function.__module__, function.__qualname__, function.__code__.co_code) for function in functions
    ]
    name = f"{loop.__name__}_{hashlib.sha256(repr(spelled).encode()).hexdigest()[:8]}_{_digest(files)}"
    return njit(cache=True, nogil=True, **_OPTIONS)(_with_names(loop, known, name))


def _function(law: Any) -> Any:
    """The Python function of a law."""
    return law.function if type(law) is Compiled else getattr(law, "dispatcher", law).py_func


def _with_names(function: Any, names: Mapping[str, Any], called: str) -> Any:
    copy = types.FunctionType(function.__code__, {**function.__globals__, **names}, called)
    copy.__qualname__, copy.__module__ = called, function.__module__
    return copy


@functools.cache
def _digest(files: tuple[str, ...]) -> str:
    """What stands in the name of a compiled loop: of the code of tables, streams, games and worlds, and of these files."""
    paths = [
        *_PACKAGE.glob("mdp/compiled_games.py"),
        *_PACKAGE.glob("agents/tabular/*.py"),
        *_PACKAGE.glob("streams*.py"),
        *_PACKAGE.glob("envs/**/*.py"),
    ]
    digest = hashlib.sha256()
    for path in sorted({*paths, *(Path(file) for file in files if file)}):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
