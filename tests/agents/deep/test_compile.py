"""`compile=True`: what torch makes of the networks learns the same."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from torch import nn

from rlcourse import make_agent
from rlcourse.errors import UsageError
from tests.agents.deep.worlds import build


@pytest.mark.filterwarnings("ignore")  # of torch about itself
@pytest.mark.parametrize("name", ["dqn", "ppo", "recurrent_ppo"])
def test_compiled_networks_learn_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced and differentiated as for machine code, which itself would take a minute and a compiler."""
    calls = []

    def traced(part: nn.Module, **options: Any) -> None:
        calls.append(options)
        compiled = torch.compile(part._call_impl, backend="aot_eager", **options)
        part._compiled_call_impl = compiled  # type: ignore[assignment]

    monkeypatch.setattr(nn.Module, "compile", traced)
    monkeypatch.setattr(shutil, "which", lambda command: f"/usr/bin/{command}")
    plain, compiled = build(name, 2), build(name, 2, compile=True)
    assert calls
    for agent in (plain, compiled):
        agent.learn(120)
    for mine, theirs in zip(
        next(iter(compiled.networks.values())).parameters(),
        next(iter(plain.networks.values())).parameters(),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda command: None)
    with pytest.raises(UsageError, match=r"dqn: compile=True needs a C\+\+ compiler"):
        make_agent("dqn", "CartPole-v1", compile=True)
