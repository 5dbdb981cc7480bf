"""Pictures of the classic control problems: those of Gymnasium's own environments."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcourse.envs.classic.base import Classic
from rlcourse.envs.rules import State


@functools.cache
def _peer(kind: type[Classic]) -> Any:
    """An environment that lends its picture."""
    return kind.peer(render_mode="rgb_array")


def paint(rules: Classic, state: State, row: int) -> NDArray[np.uint8]:
    """The picture of one copy, `uint8 [H, W, 3]`."""
    env = _peer(type(rules))
    env.state = state["body"][row].copy()
    return np.asarray(env.render(), np.uint8)
