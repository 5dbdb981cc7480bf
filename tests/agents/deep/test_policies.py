"""Policies: step by step is the whole sequence, a member is an ordinary module, and what is forgotten does not count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.agents.deep.codec import Codec
from rlcourse.agents.deep.drqn import RecurrentQ
from rlcourse.agents.deep.policies import Attention, Policy, make_policy
from rlcourse.streams import Streams

S, B, T, A = 2, 3, 11, 4
MEMORIES = ["none", "gru", "lstm", "attention"]
every_memory = pytest.mark.parametrize("memory", MEMORIES)
SPACES = {
    "vector": spaces.Box(-9.0, 9.0, (5,)),
    "index": spaces.Discrete(7),
    "image": spaces.Box(0, 255, (2, 4, 4), np.uint8),
}


def make(memory: str, space: str = "vector", **settings: Any) -> tuple[Policy, Codec]:
    config = SimpleNamespace(
        **{
            "net_arch": (6,),
            "body": None,
            "activation": "tanh",
            "memory": memory,
            "memory_size": 8,
            "memory_length": 4,
            "memory_heads": 2,
            **settings,
        }
    )
    codec = Codec(SPACES[space])
    policy = make_policy(codec, S, A, config)
    policy.initialise(Streams.from_seeds([3, 4], "network"))
    # the last layers begin small: make what they say large enough to be compared
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(1.5).add_(
                0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
            )
    return policy, codec


def story(codec: Codec, steps: int = T) -> tuple[Tensor, Tensor]:
    """Rows `[S, B, T, ...]`, and where episodes begin `[S, B, T]`: at some starts, in the middle, twice in a row, never."""
    draw = np.random.default_rng(5)
    space = codec.space
    space.seed(1)
    sampled = np.stack([np.asarray(space.sample()) for _ in range(S * B * steps)])
    rows = codec.read(sampled).reshape(S, B, steps, *codec.row_shape)
    fresh = draw.random((S, B, steps)) < 0.15
    fresh[0, 0], fresh[1, 1, 0], fresh[1, 2, 4:6] = False, True, True
    return torch.from_numpy(rows), torch.from_numpy(fresh)


def walk(policy: Policy, rows: Tensor, state: Any, fresh: Tensor) -> tuple[Tensor, Tensor, Any]:
    preferences, values = [], []
    for t in range(rows.shape[2]):
        p, v, state = policy.step(rows[:, :, t], state, fresh[:, :, t])
        preferences.append(p)
        values.append(v)
    return torch.stack(preferences, 2), torch.stack(values, 2), state


@every_memory
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("warm", [False, True])
def test_steps_one_by_one_are_the_sequence(memory: str, space: str, warm: bool) -> None:
    """With episodes that begin in the middle, and from a memory that is not empty; attention looks back at 4 steps of 11."""
    policy, codec = make(memory, space)
    rows, fresh = story(codec)
    state = policy.initial_state(B) if policy.remembers else None
    if warm and policy.remembers:
        before, begins = story(codec, 9)
        _, _, state = walk(policy, before.flip(2), state, begins)
        assert bool(state.abs().sum() > 0)
    preferences, values = policy.unroll(rows, state, fresh)
    slow, worth, _ = walk(policy, rows, state, fresh)
    assert preferences.shape == (S, B, T, A)
    assert values.shape == (S, B, T)
    torch.testing.assert_close(preferences, slow, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(values, worth, rtol=1e-4, atol=1e-5)
    assert preferences.std() > 0.05


@pytest.mark.parametrize("memory", MEMORIES[1:])
def test_nothing_of_another_episode_is_remembered(memory: str) -> None:
    policy, codec = make(memory)
    rows, fresh = story(codec)
    fresh[:] = False
    fresh[:, :, 5] = True
    state = torch.randn(S, B, *policy.state_shape)
    if memory == "attention":
        state[..., -1] = 1.0
    preferences, _ = policy.unroll(rows, state, fresh)
    cut, _ = policy.unroll(rows[:, :, 5:], policy.initial_state(B), fresh[:, :, 5:])
    torch.testing.assert_close(preferences[:, :, 5:], cut, rtol=1e-4, atol=1e-5)
    # within the episode it is, and what comes later is not known
    other = rows.clone()
    other[:, :, 3] += 1.0
    changed, _ = policy.unroll(other, state, fresh)
    moved = (changed - preferences).abs().amax((0, 1, 3)) > 1e-5
    assert moved.tolist() == [False] * 3 + [True, True] + [False] * 6


def test_attention_forgets_after_its_length() -> None:
    policy, codec = make("attention", memory_length=4)
    rows, fresh = story(codec)
    fresh[:] = False
    state = policy.initial_state(B)
    preferences, _ = policy.unroll(rows, state, fresh)
    other = rows.clone()
    other[:, :, 2] += 1.0
    changed, _ = policy.unroll(other, state, fresh)
    moved = (changed - preferences).abs().amax((0, 1, 3)) > 1e-6
    assert moved.tolist() == [False] * 2 + [True] * 4 + [False] * 5


@pytest.mark.parametrize("length", [1, 4, 20])
def test_attention_against_a_loop(length: int) -> None:
    """One step of one copy at a time, each head apart, with the bias of Press et al. (2022) written out."""
    policy, codec = make("attention", memory_length=length)
    assert isinstance(policy, Attention)
    rows, fresh = story(codec)
    preferences, values = policy.unroll(rows, policy.initial_state(B), fresh)
    D, H = 8, 2
    for s in range(S):
        body = policy.body.member(s)
        parts = {
            name: getattr(policy, name).member(s)
            for name in ("project", "out", "hidden", "narrow", "norm1", "norm2", "norm3", "actor", "critic")
        }
        for b in range(B):
            episode: list[Tensor] = []
            for t in range(T):
                if fresh[s, b, t]:
                    episode = []
                episode.append(body(rows[s, b, t][None])[0])
                seen = episode[-length:]
                qkv = [parts["project"](parts["norm1"](x)).reshape(3, H, D // H) for x in seen]
                heads = []
                for h in range(H):
                    slope = 2.0 ** (-8.0 * (h + 1) / H)
                    scores = torch.stack(
                        [
                            qkv[-1][0, h] @ one[1, h] / (D // H) ** 0.5 - slope * (len(seen) - 1 - j)
                            for j, one in enumerate(qkv)
                        ]
                    )
                    heads.append(sum(w * one[2, h] for w, one in zip(scores.softmax(0), qkv, strict=True)))
                x = seen[-1] + parts["out"](torch.cat(heads))
                x = parts["norm3"](x + parts["narrow"](functional.relu(parts["hidden"](parts["norm2"](x)))))
                torch.testing.assert_close(parts["actor"](x), preferences[s, b, t], rtol=1e-4, atol=1e-5)
                torch.testing.assert_close(parts["critic"](x)[0], values[s, b, t], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("memory", ["gru", "lstm"])
def test_recurrent_q_against_torchs_own_modules(memory: str) -> None:
    codec = Codec(SPACES["vector"])
    config = SimpleNamespace(net_arch=(6,), body=None, activation="relu", memory=memory, memory_size=8)
    network = RecurrentQ(codec, S, A, config)
    network.initialise(Streams.from_seeds([3, 4], "network"))
    rows, fresh = story(codec)
    values = network.unroll(rows)
    for s in range(S):
        body, core, head = (part.member(s) for part in (network.body, network.core, network.head))
        assert isinstance(core, nn.RNNBase)
        torch.testing.assert_close(head(core(body(rows[s]))[0]), values[s], rtol=1e-4, atol=1e-5)
    state, stepped = network.core.initial_state(B), []
    for t in range(T):
        one, state = network.step(rows[:, :, t], state, torch.zeros_like(fresh[:, :, t]))
        stepped.append(one)
    torch.testing.assert_close(torch.stack(stepped, 2), values, rtol=1e-4, atol=1e-5)


def test_policies_begin_nearly_uniform() -> None:
    for memory in MEMORIES:
        codec = Codec(SPACES["vector"])
        config = SimpleNamespace(
            net_arch=(6,),
            body=None,
            activation="tanh",
            memory=memory,
            memory_size=8,
            memory_length=4,
            memory_heads=2,
        )
        policy = make_policy(codec, S, A, config)
        policy.initialise(Streams.from_seeds([3, 4], "network"))
        rows, fresh = story(codec)
        state = policy.initial_state(B) if policy.remembers else None
        preferences, _ = policy.unroll(rows, state, fresh)
        assert preferences.abs().max() < 0.1
