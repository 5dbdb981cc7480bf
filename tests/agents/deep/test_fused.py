"""An update in one compiled call: the gradients, errors and weights that torch's autograd gives, wherever it is used."""

import contextlib
import multiprocessing
import os
import pickle

import numpy as np
import pytest
import torch

from rlcourse.agents import make_agent
from rlcourse.agents.deep import fused
from rlcourse.agents.deep.fused import FusedUpdate
from rlcourse.agents.deep.heads import Steps
from rlcourse.agents.threads import one_blas_thread

QUICK = {"learning_starts": 64, "train_freq": 1, "target_update_interval": 50, "batch_size": 32}
CASES = [
    ("CartPole-v1", {}),  # a vector
    ("CandyMaze-v0", {}),  # a number: its embedding is too large to be joined with the other weights
    ("Blackjack-v1", {}),  # a tuple
    ("CartPole-v1", {"double": True}),
    ("CartPole-v1", {"prioritized": True, "n_step": 3}),
    ("CandyMaze-v0", {"activation": "tanh", "net_arch": (24, 16), "max_grad_norm": None}),
    ("CandyMaze-v0", {"net_arch": (8,), "optimiser": "sgd", "n_envs": 3}),
    ("CartPole-v1", {"net_arch": (8,), "activation": "tanh", "frame_stack": 2}),
    ("CartPole-v1", {"net_arch": ()}),  # one layer
]


def by_torch(agent):
    """The same agent without the compiled update."""
    agent.__dict__["fused"] = None
    return agent


@pytest.mark.parametrize(("world", "settings"), CASES)
def test_learns_what_torch_learns(world, settings):
    agent, other = (make_agent("dqn", world, seeds=3, **QUICK, **settings) for _ in range(2))
    assert isinstance(agent.fused, FusedUpdate)
    by_torch(other)
    for steps in (60, 60, 60):
        agent.learn(steps)
        other.learn(steps)
        for own, expected in zip(agent.q.parameters(), other.q.parameters(), strict=True):
            torch.testing.assert_close(own, expected, rtol=1e-4, atol=2e-6)
    first = next(iter(agent.q.parameters()))
    assert not torch.equal(first, next(iter(make_agent("dqn", world, seeds=3, **settings).q.parameters())))


@pytest.mark.parametrize("double", [True, False])
def test_gradients_and_errors_of_a_batch(double):
    settings = {"batch_size": 64, "prioritized": True, "double": double, "learning_starts": 10_000}
    agent = make_agent("dqn", "CartPole-v1", seeds=2, **settings).learn(300)
    with torch.no_grad():  # a target of its own, and errors on both sides of one, where the loss bends
        for k, weights in enumerate(agent.target.parameters()):
            weights.add_(torch.sin(torch.arange(weights.numel()).reshape(weights.shape) + float(k)))
    batch = agent.sample()
    assert batch.weights is not None
    batch = batch._replace(weights=torch.rand(batch.weights.shape))
    with torch.no_grad():
        steps = Steps(batch.actions, *agent.look_ahead(batch), batch.returns, batch.discounts)
    losses, errors = agent.head.losses_by_torch(agent.q(batch.rows), steps)
    expected = torch.autograd.grad(
        (losses * batch.weights).mean(dim=1).sum(), list(agent.optimiser.parameters)
    )
    assert 0.05 < float((errors.abs() > 1.0).float().mean()) < 0.95
    np.testing.assert_allclose(agent.fused(batch), errors.numpy(), rtol=1e-5, atol=1e-5)
    for own, gradient in zip(agent.optimiser.gradients(), expected, strict=True):
        torch.testing.assert_close(own, gradient, rtol=1e-4, atol=1e-6)


def test_a_member_learns_as_alone_to_the_last_bit():
    together = make_agent("dqn", "CartPole-v1", seeds=[4, 5, 6], **QUICK).learn(200)
    alone = make_agent("dqn", "CartPole-v1", seeds=[5], **QUICK).learn(200)
    for own, expected in zip(together.q.parameters(), alone.q.parameters(), strict=True):
        assert torch.equal(own[1], expected[0])


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dqn", {"dueling": True}),
        ("dqn", {"noisy": True}),
        ("dqn", {"distribution": "quantile"}),
        ("deep_sarsa", {}),  # another next action
        ("deep_sarsa", {"expected": True}),
    ],
)
def test_others_are_left_to_torch(name, settings):
    assert make_agent(name, "CartPole-v1", seeds=2, **settings).fused is None


def test_large_networks_of_fewer_members_than_threads_are_left_to_torch(monkeypatch):
    monkeypatch.setattr(fused, "MOST_WORK", 1000)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert make_agent("dqn", "CartPole-v1", seeds=1).fused is None
    assert make_agent("dqn", "CartPole-v1", seeds=2).fused is not None
    monkeypatch.setattr(fused, "MOST_WORK", 1 << 24)
    assert make_agent("dqn", "CartPole-v1", seeds=1).fused is not None


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


SHARED = {**QUICK, "prioritized": True}


@pytest.mark.parametrize("world", ["CartPole-v1", "CandyMaze-v0"])
def test_threads_that_share_the_members_change_nothing(world, three_threads):
    shared = make_agent("dqn", world, seeds=5, **SHARED).learn(200)
    assert torch.get_num_threads() == 3
    assert len(shared.fused._work) == 3
    torch.set_num_threads(1)
    alone = make_agent("dqn", world, seeds=5, **SHARED).learn(200)
    assert len(alone.fused._work) == 1
    for own, expected in zip(shared.q.parameters(), alone.q.parameters(), strict=True):
        assert torch.equal(own, expected)
    torch.set_num_threads(3)
    more = pickle.loads(pickle.dumps(shared)).learn(50)
    for own, expected in zip(more.q.parameters(), alone.learn(50).q.parameters(), strict=True):
        assert torch.equal(own, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    def ask():
        assert fused._pool(1).submit(int, "7").result(30) == 7

    ask()
    child = multiprocessing.get_context("fork").Process(target=ask)
    child.start()
    child.join(60)
    assert child.exitcode == 0


def test_frozen_weights_stay():
    agent = make_agent("dqn", "CartPole-v1", seeds=2, **QUICK).learn(100)
    layer, *rest = agent.q.parameters()
    layer.requires_grad_(False)
    before = layer.clone()
    others = [weights.clone() for weights in rest]
    agent.learn(50)
    assert torch.equal(layer, before)
    assert not any(map(torch.equal, others, rest))


def test_a_member_that_diverged_does_not_touch_the_others():
    agent, other = (make_agent("dqn", "CartPole-v1", seeds=2, **QUICK).learn(100) for _ in range(2))
    with torch.no_grad():
        for weights in agent.q.parameters():
            weights[0] = torch.nan
    agent.learn(60)
    other.learn(60)
    for own, expected in zip(agent.q.parameters(), other.q.parameters(), strict=True):
        assert bool(own[0].isnan().all())
        assert torch.equal(own[1], expected[1])


def test_blas_has_its_threads_back():
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        with contextlib.suppress(ZeroDivisionError), one_blas_thread():
            assert threads() == {1}
            raise ZeroDivisionError
        assert threads() == {2}
