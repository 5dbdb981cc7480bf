"""`compile=True`: what torch makes of the networks learns the same."""

from __future__ import annotations

import copy
import shutil
from typing import Any

import numpy as np
import pytest
import torch

from rlcourse import make_agent
from rlcourse.errors import UsageError
from tests.agents.deep.worlds import build


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The graphs that are compiled: traced and differentiated, but run as they are, since a compiler takes a minute."""
    made: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        made.append(graph)
        return graph.forward

    compile_ = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda function, **options: compile_(function, backend=backend, **options)
    )
    monkeypatch.setattr(shutil, "which", lambda command: f"/usr/bin/{command}")
    return made


@pytest.mark.filterwarnings("ignore")  # of torch about itself
def test_compiled_networks_learn_the_same(graphs: list[Any]) -> None:
    """All in one process, which evaluates batches of many sizes in between; equal layers share what was compiled."""
    for name in ("ppo", "dqn", "recurrent_ppo"):
        plain, compiled = build(name, 2), build(name, 2, compile=True)
        for agent in (plain, compiled):
            agent.learn(80)
            for n in range(1, 12):
                agent.predict(np.broadcast_to(agent._rows[:1], (2, n, *agent._rows.shape[1:]))[..., 0])
            agent.learn(80)
        assert 1 <= len(graphs) <= 20, name
        for mine, theirs in zip(
            next(iter(compiled.networks.values())).parameters(),
            next(iter(plain.networks.values())).parameters(),
            strict=True,
        ):
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


def test_copies_are_not_compiled(graphs: list[Any]) -> None:
    network = next(iter(build("dqn", 2, compile=True).networks.values()))
    other = copy.deepcopy(network)
    with torch.no_grad():
        next(iter(other.parameters())).zero_()
    assert network._machine_code is not None
    assert other._machine_code is None


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda command: None)
    with pytest.raises(UsageError, match=r"dqn: compile=True needs a C\+\+ compiler"):
        make_agent("dqn", "CartPole-v1", compile=True)
