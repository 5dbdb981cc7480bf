"""One call gives stable-baselines3 the hyper-parameters of ours."""

import pytest
import torch

from rlcourse.agents import make_agent
from rlcourse.agents.baselines import equal_settings
from rlcourse.errors import UsageError


def test_ppo_of_both_is_the_same():
    ours = make_agent(
        "ppo", "CartPole-v1", learning_rate=1e-3, activation="relu", net_arch=(32, 32), anneal_steps=500
    )
    settings = equal_settings(ours)
    assert settings["net_arch"] == [32, 32]
    theirs = make_agent("sb3:ppo", "CartPole-v1", **settings)
    for name in (
        "learning_rate",
        "anneal_steps",
        "n_envs",
        "n_steps",
        "batch_size",
        "n_epochs",
        "gamma",
        "gae_lambda",
        "clip_range",
        "clip_range_vf",
        "ent_coef",
        "vf_coef",
        "max_grad_norm",
        "normalize_advantage",
        "adam_epsilon",
    ):
        assert getattr(theirs.config, name) == getattr(ours.config, name), name
    model = theirs._model(0)
    assert model.policy.optimizer.param_groups[0]["eps"] == ours.config.adam_epsilon
    assert isinstance(model.policy.mlp_extractor.policy_net[1], torch.nn.ReLU)
    assert equal_settings("ppo", {"learning_rate": 1e-3, "net_arch": (8,)})["net_arch"] == [8]


def test_dqn():
    ours = make_agent("dqn", "CartPole-v1", n_step=3, exploration_steps=700)
    theirs = make_agent("sb3:dqn", "CartPole-v1", **equal_settings(ours))
    for name in (
        "learning_rate",
        "buffer_size",
        "learning_starts",
        "batch_size",
        "tau",
        "gamma",
        "train_freq",
        "gradient_steps",
        "target_update_interval",
        "exploration_steps",
        "exploration_final_eps",
        "max_grad_norm",
    ):
        assert getattr(theirs.config, name) == getattr(ours.config, name), name
    assert theirs.config.n_steps == 3


def test_a2c_has_its_rmsprop():
    settings = equal_settings("a2c")
    assert settings["use_rms_prop"]
    assert settings["rms_prop_eps"] == 1e-5
    theirs = make_agent("sb3:a2c", "CartPole-v1", **settings)
    assert isinstance(theirs._model(0).policy.optimizer, torch.optim.RMSprop)
    adam = equal_settings("a2c", {"optimiser": "adam"})
    assert adam["use_rms_prop"] is False
    assert isinstance(
        make_agent("sb3:a2c", "CartPole-v1", **adam)._model(0).policy.optimizer, torch.optim.Adam
    )


def test_recurrent_ppo_has_an_lstm():
    settings = equal_settings("recurrent_ppo", {"memory": "lstm", "memory_size": 24, "n_envs": 2})
    assert settings["lstm_hidden_size"] == 24
    pytest.importorskip("sb3_contrib")
    policy = make_agent("sb3:recurrent_ppo", "CartPole-v1", **settings)._model(0).policy
    assert policy.lstm_actor.hidden_size == 24
    assert policy.lstm_critic is None  # one for both, as ours
    assert policy.critic is None
    with pytest.raises(UsageError, match=r"sb3:recurrent_ppo has nothing like memory='gru'.* memory='lstm'"):
        equal_settings("recurrent_ppo")


@pytest.mark.parametrize(
    ("agent", "settings", "message"),
    [
        ("dqn", {"double": True}, "sb3:dqn has nothing like double=True: an equal dqn has double=False"),
        ("dqn", {"distribution": "quantile"}, "nothing like distribution='quantile'"),
        ("ppo", {"memory": "gru"}, "nothing like memory='gru'"),
        ("ppo", {"optimiser": "sgd"}, "nothing like optimiser='sgd'"),
        ("ppo", {"frame_stack": 4}, "nothing like frame_stack=4"),
        ("ppo", {"clip": 0.1}, "unknown setting of ppo 'clip'"),
        ("q_learning", {}, "q_learning has no twin in stable-baselines3: choose from dqn, a2c, ppo"),
    ],
)
def test_what_the_twin_lacks_is_said(agent, settings, message):
    with pytest.raises(UsageError, match=message):
        equal_settings(agent, settings)
