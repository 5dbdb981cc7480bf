"""Settings of ours, as the twin in stable-baselines3 takes them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rlcourse.agents.config import build_config
from rlcourse.errors import UsageError

if TYPE_CHECKING:
    from rlcourse.agents.base import Agent

TWINS = {
    "dqn": "sb3:dqn",
    "a2c": "sb3:a2c",
    "ppo": "sb3:ppo",
    "recurrent_ppo": "sb3:recurrent_ppo",
}
"""Ours -> the twin."""
OTHER_NAMES = {"activation": "activation_fn", "n_step": "n_steps", "memory_size": "lstm_hidden_size"}
"""Where ours go by another name than the twin's."""
LACKED: dict[str, Any] = {
    "double": False,
    "dueling": False,
    "prioritized": False,
    "noisy": False,
    "distribution": "none",
    "recency_half_life": 0.0,
    "exploration_period": None,
    "frame_stack": 1,
    "body": None,
    "exploration_bonus": 0.0,
    "ent_anneal_steps": None,
    "augment": "none",
    "optimiser": "adam",
    "memory": "none",
}
"""What the twins do not have, and how it has to stand in ours, so that these do not have it either."""
NEEDED = {"recurrent_ppo": {"memory": "lstm"}}
"""The same, where the twin is another."""
ALIKE: dict[str, dict[str, Any]] = {"recurrent_ppo": {"shared_lstm": True, "enable_critic_lstm": False}}
"""What makes the twin like ours, where ours have no setting for it: one memory, which actor and critic read."""
IDLE = {
    "augment_coef",
    "n_atoms",
    "v_min",
    "v_max",
    "priority_alpha",
    "priority_beta",
    "priority_beta_steps",
    "compile",
}
"""Numbers of that, which then mean nothing, and what changes the speed alone."""
IDLE_MEMORY = {"memory_size", "memory_length", "memory_heads"}
"""Those of a memory."""


def equal_settings(agent: Agent | str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """What to give the twin in stable-baselines3 so that it learns with the same hyper-parameters.

        ours = make_agent("ppo", world, seeds=10, learning_rate=1e-3)
        theirs = make_agent("sb3:ppo", world, seeds=10, **equal_settings(ours))

    Nearly all go by the same names. Defaults of ours are handed over, too, since those of stable-baselines3 may be others.
    Where there is a memory one thing cannot be equal: the layers of `net_arch` come before it here, and after it there.

    Args:
        agent: one of ours, or its name (`TWINS`).
        settings: what is set of it; of an agent, by default its own.

    Raises:
        UsageError: an agent without a twin, or a setting that the twin has nothing like.
    """
    from rlcourse.agents import agent_class

    name = agent if isinstance(agent, str) else agent.name
    if name not in TWINS:
        raise UsageError(f"{name} has no twin in stable-baselines3: choose from {', '.join(TWINS)}")
    twin = TWINS[name]
    if isinstance(agent, str) or settings is not None:
        config = build_config(agent_class(name).config_class, settings or {}, owner=name)
    else:
        config = agent.config
    mine = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    known = {field.name for field in dataclasses.fields(agent_class(twin).config_class)}
    found = {**_optimiser(name, mine), **ALIKE.get(name, {})}
    needed = {**LACKED, **NEEDED.get(name, {})}
    for field, value in mine.items():
        other = OTHER_NAMES.get(field, field)
        if field in needed:
            if value != needed[field]:
                raise UsageError(
                    f"{twin} has nothing like {field}={value!r}: an equal {name} has {field}={needed[field]!r}"
                )
        elif other in known:
            found[other] = list(value) if isinstance(value, tuple) else value
        elif field not in IDLE | IDLE_MEMORY:
            raise UsageError(f"{twin} has nothing like {field}={value!r} of {name}")
    return found


def _optimiser(name: str, mine: dict[str, Any]) -> dict[str, Any]:
    """The choice of RMSProp, which is A2C's alone, and its epsilon; taken out of the settings of ours."""
    if name != "a2c" or mine.get("optimiser") != "rmsprop":
        return {"use_rms_prop": False} if name == "a2c" else {}
    del mine["optimiser"]
    return {"use_rms_prop": True, "rms_prop_eps": mine.pop("adam_epsilon")}
