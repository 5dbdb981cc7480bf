"""Bodies of networks: given part by part, chosen from what is observed, and for pictures in a dictionary."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.agents.deep.bodies import LARGE_FROM, Pictures, convolutions
from rlcourse.agents.deep.cloning import clone, record_trajectories
from rlcourse.agents.deep.codec import Codec
from rlcourse.agents.deep.policies import FeedForward
from rlcourse.cli_parse import parse_train
from rlcourse.errors import UsageError
from rlcourse.nn.convolution import Conv2d
from rlcourse.nn.linear import OneHotLinear
from rlcourse.nn.noisy import NoisyLinear
from rlcourse.streams import Streams
from tests.agents.deep.test_learning import MAZE, shares
from tests.agents.deep.worlds import DEEP, STEPS, assert_same, build, fields, of_member, remembers

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


def body_of(agent: Any) -> Any:
    """The first network whose parts are the body and a head, or the body alone."""
    network = next(iter(agent.networks.values()))
    if isinstance(network, FeedForward):
        return network.actor
    return network if hasattr(network, "parts") else network.body


# ---------------------------------------------------------------- by spec


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


# ---------------------------------------------------------------- by what is observed


class Light(gymnasium.Env[Any, int]):
    """A light on one of two sides says which of two actions pays, for eight steps."""

    action_space = spaces.Discrete(2)

    def _look(self) -> Any:
        raise AssertionError("each world shows it in its own way")

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t, self.side = 0, int(self.np_random.integers(2))
        return self._look(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        paid = float(action == self.side)
        self.t, self.side = self.t + 1, int(self.np_random.integers(2))
        return self._look(), paid, self.t == 8, False, {}


class Screen(Light):
    """A large picture of the light, left or right."""

    observation_space = spaces.Box(0, 255, (84, 84, 3), np.uint8)

    def _look(self) -> NDArray[np.uint8]:
        seen = np.zeros((84, 84, 3), np.uint8)
        seen[20:60, 42 * self.side + 4 : 42 * self.side + 38] = 255
        return seen


gymnasium.register("tests/Screen-v0", entry_point=Screen, max_episode_steps=8)


def test_large_pictures_get_the_convolutions_of_mnih_et_al_and_learn() -> None:
    agent: Any = make_agent(
        "dqn",
        "tests/Screen-v0",
        seeds=1,
        net_arch=(32,),
        learning_starts=32,
        batch_size=16,
        buffer_size=300,
        target_update_interval=20,
        exploration_steps=100,
        gamma=0.0,
        learning_rate=5e-4,
    )
    parts = [part for part in agent.q.parts if isinstance(part, Conv2d)]
    assert [(part.n_in, part.n_out, part.kernel, part.stride) for part in parts] == [
        (3, 32, (8, 8), (4, 4)),
        (32, 64, (4, 4), (2, 2)),
        (64, 64, (3, 3), (1, 1)),
    ]
    assert agent.q.parts[-3].n_in == 64 * 7 * 7  # as stable-baselines3's NatureCNN
    agent.learn(240)
    assert agent.replay.frames.dtype == np.uint8
    assert rlcourse.evaluate(agent, 10).mean() > 7.0  # of 8; chance is 4


@pytest.mark.parametrize(("side", "filters"), [(LARGE_FROM - 1, [16]), (LARGE_FROM, [32, 64, 64])])
def test_the_smallest_large_picture(side: int, filters: list[int]) -> None:
    for shape in ((3, side, 60), (3, 60, side)):
        layers, n = convolutions(shape, 1, nn.ReLU, "he", None)
        x = torch.zeros(1, 2, *shape)
        for layer in layers:
            x = layer(x)
        assert x.shape == (1, 2, n)
        assert [layer.n_out for layer in layers if isinstance(layer, Conv2d)] == filters


def test_two_axes_of_bytes_are_a_picture_and_others_are_not() -> None:
    grey = Codec(spaces.Box(0, 255, (5, 4), np.uint8), frames=2)
    assert grey.is_image
    assert grey.image_shape == (2, 5, 4)
    seen = np.arange(3 * 20, dtype=np.uint8).reshape(3, 5, 4)
    np.testing.assert_array_equal(grey.read(seen), seen[:, None])
    for space in (spaces.Box(0, 1, (5, 4), np.uint8), spaces.Box(0.0, 255.0, (5, 4))):
        assert not Codec(space).is_image


# ---------------------------------------------------------------- pictures in a dictionary


DICT = spaces.Dict(
    {
        "camera": spaces.Box(0, 255, (5, 6, 3), np.uint8),
        "grey": spaces.Box(0, 255, (4, 7), np.uint8),
        "place": spaces.Discrete(4),
        "speed": spaces.Box(-1.0, 1.0, (2,)),
    }
)


class Robot(Light):
    """A dictionary with two pictures: one of them shows the light, as bright rows."""

    observation_space = DICT

    def _look(self) -> dict[str, Any]:
        seen = DICT.sample()
        seen["camera"][...] = 0
        seen["camera"][3 * self.side : 3 * self.side + 2] = 255
        return seen

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        DICT.seed(seed)
        return super().reset(seed=seed)


gymnasium.register("tests/Robot-v0", entry_point=Robot, max_episode_steps=8)


@pytest.mark.parametrize("frames", [1, 3])
def test_pictures_come_out_of_the_features_as_they_were_seen(frames: int) -> None:
    codec = Codec(DICT, frames)
    assert [picture.shape for picture in codec.pictures] == [(3 * frames, 5, 6), (frames, 4, 7)]
    DICT.seed(3)
    samples = [DICT.sample() for _ in range(frames)]
    rows = None
    for seen in samples:
        rows = codec.follow(rows, codec.read({key: np.asarray(value)[None] for key, value in seen.items()}))
    features = codec.features(torch.from_numpy(rows))
    camera, grey = (picture.of(features)[0] for picture in codec.pictures)
    for f, seen in enumerate(samples):
        expected = torch.from_numpy(seen["camera"]).permute(2, 0, 1) / 255
        torch.testing.assert_close(camera[3 * f : 3 * f + 3], expected)
        torch.testing.assert_close(grey[f], torch.from_numpy(seen["grey"]) / 255)
    beside = features[0, codec.columns_beside_pictures].reshape(frames, 6)
    for f, seen in enumerate(samples):
        assert beside[f, :4].argmax() == seen["place"]
        np.testing.assert_allclose(beside[f, 4:], seen["speed"])


@pytest.mark.parametrize("spec", [None, ("conv 5 2x2", "relu", "flatten", "linear 8", "relu")], ids=str)
@pytest.mark.parametrize("frames", [1, 2])
def test_a_dictionary_goes_through_convolutions_and_is_joined(spec: Any, frames: int) -> None:
    """Against torch's own layers with the weights of a member."""
    agent = build("dqn", 2, "tests/Robot-v0", net_arch=(8,), body=spec, frame_stack=frames).learn(STEPS)
    joined = agent.q.parts[1]
    assert isinstance(joined, Pictures)
    rows = torch.from_numpy(agent._rows.reshape(2, 2, -1))
    k, codec, features = 1, agent.codec, agent.codec.features(rows)[1]
    units = []
    for picture, layers in zip(codec.pictures, joined.children(), strict=True):
        conv = layers.parts[0]
        one = nn.Conv2d(picture.shape[0], conv.n_out, conv.kernel, padding=conv.padding)
        one.load_state_dict({"weight": conv.weight[k], "bias": conv.bias[k]})
        units.append(one(picture.of(features)).relu().flatten(1))
    x = torch.cat([*units, features[:, codec.columns_beside_pictures]], dim=1)
    assert x.shape[1] == agent.q.parts[2].n_in
    for layer in (agent.q.parts[2], agent.q.parts[4]):
        x = x if layer is agent.q.parts[2] else x.relu()
        x = x @ layer.weight[k] + layer.bias[k]
    torch.testing.assert_close(agent.q(rows)[k], x, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(agent.q.member(k)(rows[k]), x, rtol=1e-4, atol=1e-5)


@every_agent
def test_agents_of_dictionaries_go_on_and_part(name: str, tmp_path: Any) -> None:
    whole = build(name, 2, "tests/Robot-v0").learn(40)
    assert any(isinstance(part, Pictures) for part in whole.networks[next(iter(whole.networks))].modules())
    drawn = [tensor for key, tensor in body_of(whole).state_dict().items() if "picture" in key]
    assert all(tensor.abs().max() > 0 for tensor in drawn)
    assert not np.array_equal(*drawn[0].numpy())
    loaded = load_agent(whole.save(tmp_path / "agent"))
    for key, array in whole.get_arrays().items():  # the world of others begins anew
        if key.startswith("network/"):
            np.testing.assert_array_equal(array, loaded.get_arrays()[key])
            np.testing.assert_array_equal(array[1:], whole.member(1).get_arrays()[key])


def test_an_agent_learns_from_a_picture_in_a_dictionary() -> None:
    agent = make_agent(
        "ppo",
        "tests/Robot-v0",
        seeds=2,
        net_arch=(16,),
        n_envs=8,
        n_steps=16,
        batch_size=64,
        gamma=0.0,
        learning_rate=3e-3,
    )
    assert rlcourse.evaluate(agent.learn(1300), 10).mean() > 7.0  # of 8; chance is 4


def test_a_body_that_begins_flat_sees_pictures_flat() -> None:
    agent = build("ppo", 1, "tests/Robot-v0", body=("linear 8", "relu"))
    assert not any(isinstance(part, Pictures) for part in agent.policy.modules())
    assert agent.policy.actor.parts[1].n_in == agent.codec.n_features
    flat = build("ppo", 1, "tests/Robot-v0", body=("flatten", "linear 8", "relu"))
    assert flat.policy.actor.parts[1].n_in == agent.codec.n_features
    with pytest.raises(UsageError, match="the parts of pictures, up to 'flatten', have no weights"):
        build("ppo", 1, "tests/Robot-v0", body=("maxpool 2", "flatten", "linear 8", "relu"))


@pytest.mark.parametrize("name", [name for name in DEEP if remembers(name)])
def test_a_memory_on_what_is_observed(name: str) -> None:
    """A body without weights of its own."""
    agent = build(name, 2, "CartPole-v1", net_arch=()).learn(40)
    assert agent.num_timesteps == 40


def test_weights_are_drawn_in_the_order_of_the_parts() -> None:
    """A picture's layers draw from the member's stream: no two pictures and no two members have the same."""
    codec = Codec(spaces.Tuple((DICT["grey"], DICT["grey"], DICT["speed"])))
    parts = [convolutions(picture.shape, 2, nn.ReLU, "he", None)[0] for picture in codec.pictures]
    pictures = Pictures(codec, 2, parts)
    pictures.initialise(Streams.from_seeds([5, 6], "network"))
    first, second = (layers.parts[0].weight.detach() for layers in pictures.children())
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    alone = Pictures(codec, 1, [convolutions(p.shape, 1, nn.ReLU, "he", None)[0] for p in codec.pictures])
    alone.initialise(Streams.from_seeds([6], "network"))
    for mine, others in zip(alone.parameters(), pictures.parameters(), strict=True):
        torch.testing.assert_close(mine[0], others[1], rtol=0, atol=0)
