"""Bodies of networks that see pictures, alone and in a dictionary."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import nn

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.agents.deep.bodies import LARGE_FROM, Pictures, convolutions
from rlcourse.agents.deep.codec import Codec
from rlcourse.errors import UsageError
from rlcourse.nn.convolution import Conv2d
from rlcourse.streams import Streams
from tests.agents.deep.worlds import DEEP, STEPS, body_of, build

every_agent = pytest.mark.parametrize("name", DEEP)


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
