"""Bodies of networks, given part by part, and what stands in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.agents.deep.cloning import clone, record_trajectories
from rlcourse.cli_parse import parse_train
from rlcourse.errors import UsageError
from rlcourse.nn.convolution import Conv2d
from rlcourse.nn.linear import OneHotLinear
from rlcourse.nn.noisy import NoisyLinear
from tests.agents.deep.test_learning import MAZE, shares
from tests.agents.deep.worlds import DEEP, STEPS, assert_same, body_of, build, fields, of_member, remembers

PLANES = {"layout": "S.2\n.#.\n..E", "max_steps": 12, "slip": 0.3, "observation": "planes"}
SPEC = (
    "conv 4 3x3 padding=same",
    "relu",
    "residual",
    "maxpool 2 stride=1",
    "flatten",
    "linear 9",
    "layernorm",
    "tanh",
)
"""A little of everything, fit for boards from 2 x 2."""

every_agent = pytest.mark.parametrize("name", DEEP)


@every_agent
def test_a_given_body_is_the_hand_made_module(name: str) -> None:
    """With the weights of a member, torch's own layers say the same of what is seen."""
    agent = build(name, 2, env_kwargs=PLANES, body=SPEC).learn(STEPS)
    rows = agent._rows.reshape(2, agent.copies, *agent.codec.row_shape)
    k, channels, n = 1, agent.codec.image_shape[0], 4 * (agent.codec.image_shape[1] - 1) ** 2
    parts = list(body_of(agent).parts)[:9]
    with torch.no_grad():
        conv, inner, norm = nn.Conv2d(channels, 4, 3, padding=1), nn.Linear(n, 9), nn.LayerNorm(9)
        for one, stacked in ((conv, parts[1]), (inner, parts[6]), (norm, parts[7])):
            weight = stacked.weight[k]
            one.weight.copy_(weight.T if one is inner else weight)
            one.bias.copy_(stacked.bias[k].flatten())
        block = parts[3].member(k)
        hand = nn.Sequential(
            conv, nn.ReLU(), block, nn.MaxPool2d(2, stride=1), nn.Flatten(), inner, norm, nn.Tanh()
        )
        expected = hand(torch.from_numpy(rows[k]).float())
        x = torch.from_numpy(rows)
        for part in parts:
            x = part(x)
    torch.testing.assert_close(x[k], expected, rtol=1e-5, atol=1e-6)


@every_agent
def test_it_stops_and_goes_on_is_saved_and_parts_into_members(name: str, tmp_path: Any) -> None:
    whole = build(name, 3, env_kwargs=PLANES, body=list(SPEC)).learn(STEPS)
    assert whole.config.body == SPEC
    first = build(name, 3, env_kwargs=PLANES, body=SPEC).learn(STEPS // 2)
    loaded = load_agent(first.save(tmp_path / "agent"))
    assert loaded.config == whole.config
    assert_same(loaded.learn(STEPS - STEPS // 2), whole)
    obs = whole.venv.single_observation_space.sample()
    seen = np.stack([obs] * 3)[:, None]
    actions, _ = whole.predict(seen)
    alone, _ = whole.member(2).predict(seen[2:])
    np.testing.assert_array_equal(alone[0], actions[2])
    solo = build(name, [2], env_kwargs=PLANES, body=SPEC)
    fresh = build(name, 3, env_kwargs=PLANES, body=SPEC)
    for key, array in of_member(fresh, 2).items():
        if key.startswith("network/"):
            np.testing.assert_array_equal(array, solo.get_arrays()[key], err_msg=key)


@every_agent
@pytest.mark.parametrize("env", ["CandyMaze-v0", "CartPole-v1"])
def test_the_parts_of_the_default_are_the_default(name: str, env: str) -> None:
    """The law of the weights is the agent's own where a part names none, and the quick ways are taken."""
    agent = build(name, 2, env, net_arch=(12, 8))
    act, n = agent.config.activation, agent.codec.n_indices
    linear = "noisy" if agent.config.__dict__.get("noisy") else "linear"
    # a layer over a one among zeros takes the number itself, and has no noise
    spec = [f"{linear} 12" if n is None else "linear 12", act, f"{linear} 8", act]
    same = build(name, 2, env, net_arch=(5,), body=spec)
    for one in (agent, same):
        one.learn(STEPS)
    assert_same(agent, same)
    for way in ("quick", "fused"):
        assert (getattr(agent, way, None) is None) == (getattr(same, way, None) is None)
    named = build(name, 2, env, body=[f"{text} law=xavier" if "linear" in text else text for text in spec])
    if linear == "linear":
        assert not np.array_equal(*(body_of(one).parts[3].weight.detach() for one in (named, same)))


def test_quick_ways_are_for_plain_layers_alone() -> None:
    plain = build("dqn", 2, "CartPole-v1", body=("linear 8", "relu"))
    assert plain.quick is not None
    assert plain.fused is not None
    for spec in (
        ("linear 8", "layernorm", "relu"),
        ("linear 8", "gelu"),
        ("linear 8",),
        ("linear 8 bias=false", "relu"),
        ("layernorm",),
        (),
    ):
        agent = build("dqn", 2, "CartPole-v1", body=spec)
        assert (agent.quick is None) == (spec != ()), spec
        assert (agent.fused is None) == (spec != ()), spec
        agent.learn(40)


@pytest.mark.parametrize(
    "options", [{"dueling": True}, {"distribution": "quantile"}, {"noisy": True}], ids=str
)
def test_heads_of_dqn_are_as_they_were(options: dict[str, Any]) -> None:
    spec = (
        "conv 3 3x3 padding=same",
        "relu",
        "flatten",
        "noisy 6" if "noisy" in options else "linear 6",
        "relu",
    )
    agent = build("dqn", 2, env_kwargs=PLANES, body=spec, **options).learn(STEPS)
    noisy = [part for part in agent.q.modules() if isinstance(part, NoisyLinear)]
    assert len(noisy) == (2 if "noisy" in options else 0)
    assert all(part.noise_in.abs().min() > 0 for part in noisy)


@pytest.mark.parametrize("noughts", [0, 3])
@pytest.mark.parametrize("name", ["dqn", "ppo", "drqn"])
def test_a_layer_takes_the_number_in_place_of_a_one_among_zeros(name: str, noughts: int) -> None:
    """Drawn, and said, as by the layer that sees all the zeros; the first hidden layer does so without being told."""
    default = build(name, 2, net_arch=(6,))
    n, act = default.codec.n_indices, default.config.activation
    assert n is not None
    specs = (("linear 6", act), (f"onehot {n + noughts}", "linear 6", act))
    agents = [default, *(build(name, 2, body=spec) for spec in specs)]
    rows = torch.arange(n, dtype=torch.float32).reshape(1, n, 1).expand(2, n, 1)
    for agent in agents:
        index, layer, *_ = body_of(agent).parts
        assert isinstance(layer, OneHotLinear)
        assert layer.bias is not None
        seen = functional.one_hot(rows[..., 0].long(), layer.n_in).float()
        torch.testing.assert_close(layer(index(rows)), seen @ layer.weight + layer.bias)
        if layer.n_in == n:
            assert torch.equal(layer.weight, body_of(default).parts[1].weight)


def test_an_index_goes_into_an_embedding_or_comes_as_one_among_zeros() -> None:
    n = build("dqn", 1).codec.n_indices
    for spec in ((f"embedding {n} 5", "relu"), (f"onehot {n}", "linear 5"), ("linear 5", "relu")):
        agent = build("dqn", 2, body=spec).learn(STEPS)
        found = agent.q.member(1)(torch.from_numpy(agent._rows.reshape(2, 2, 1)[1]))
        expected = agent.q(torch.from_numpy(agent._rows.reshape(2, 2, 1)))[1]
        torch.testing.assert_close(found, expected)


def test_clones_and_self_play_take_it() -> None:
    small = {"layout": MAZE["layout"], "max_steps": 30, "observation": "planes"}
    expert = make_agent("value_iteration", "CandyMaze-v0", env_kwargs=MAZE)
    dataset = record_trajectories(expert, 2, env_kwargs=small)
    spec = ("conv 8 3x3 padding=same", "relu", "flatten", "linear 16", "relu")
    for name in ("dqn", "ppo"):
        agent: Any = make_agent(name, "CandyMaze-v0", seeds=2, env_kwargs=small, body=spec)
        clone(agent, dataset, epochs=60, batch_size=4, learning_rate=1e-2)
        assert (rlcourse.evaluate(agent, 2) == rlcourse.evaluate(expert, 2).max()).all()
    learner = {"n_envs": 2, "learning_starts": 20, "batch_size": 8, "body": spec}
    player: Any = make_agent(
        "deep_self_play",
        "CandyDuel-v0",
        seeds=2,
        env_kwargs={"observation": "planes"},
        learner_settings=learner,
        snapshot_interval=20,
    )
    assert any(isinstance(part, Conv2d) for part in player.learn(60).past.modules())


@every_agent
def test_a_body_that_does_not_fit_is_refused_in_one_line(name: str) -> None:
    n = build(name, 1).codec.n_indices
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        ("conv 8 3x3", PLANES, "body='conv 8 3x3' must be a list .each a text. or None"),
        ([8, 3], PLANES, "body=.* must be a list"),
        (["conv 8 3x3"], PLANES, r"ends in \[8, .*not in units: add 'flatten'"),
        (["relu", "conv 8 9x9", "flatten"], PLANES, "part 2 of the network, 'conv 8 9x9': a window of 9"),
        (["cnv 8 3x3"], PLANES, "part 1 .*did you mean conv"),
        (["flatten", "linear 0"], PLANES, "part 2 of the network, 'linear 0': n=0 must be at least 1"),
        (["flatten", "dropout 0.5"], PLANES, "'dropout 0.5' .*leave it out"),
        (["batchnorm", "flatten"], PLANES, "'batchnorm' .*use layernorm"),
        (["flatten", "gru 8"], PLANES, "'gru 8' looks at a sequence.* set frame_stack, or memory"),
        (["embedding 9 4"], PLANES, "'embedding 9 4' takes an observation that is one number out of n"),
        ([f"embedding {n - 1} 4"], {}, f"does not fit: {n} numbers are observed, so write 'embedding {n} "),
        (["conv 8 3x3", "flatten"], {}, rf"it takes pictures \[C, H, W\], not \[{n}\]"),
    ]
    if "noisy" not in fields(name) or name != "rainbow":
        wrong.append((["flatten", "noisy 4"], PLANES, "'noisy 4' needs an agent that draws the noise"))
    for spec, options, words in wrong:
        with pytest.raises(UsageError, match=words) as caught:
            build(name, 1, env_kwargs=options or None, body=spec)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_the_command_line_takes_parts_one_by_one() -> None:
    words = ["--agent", "dqn", "--env", "CartPole-v1", "--steps", "9", "--agent.body", "linear 8", "relu"]
    _, settings, _ = parse_train(words)
    assert settings == {"body": ("linear 8", "relu")}
    assert parse_train([*words[:6], "--agent.body", "None"])[1] == {}


def test_a_given_body_learns_the_small_maze() -> None:
    """Three seeds come nine tenths of the way from chance to the optimum, on average; by chance it is none of it."""
    spec = ("conv 32 3x3 padding=same", "relu", "conv 32 3x3", "relu", "flatten", "linear 32", "relu")
    agent = make_agent(
        "ppo",
        "CandyMaze-v0",
        seeds=3,
        env_kwargs={**MAZE, "observation": "planes"},
        body=spec,
        n_envs=8,
        n_steps=16,
        batch_size=64,
        n_epochs=3,
        learning_rate=3e-3,
        gamma=0.95,
        ent_coef=0.02,
        anneal_steps=2500,
    )
    best = shares(agent.learn(2500))
    assert best.mean() > 0.9, best
    assert best.min() > 0.5, best


@pytest.mark.parametrize("name", [name for name in DEEP if remembers(name)])
def test_a_memory_on_what_is_observed(name: str) -> None:
    """A body without weights of its own."""
    agent = build(name, 2, "CartPole-v1", net_arch=()).learn(40)
    assert agent.num_timesteps == 40
