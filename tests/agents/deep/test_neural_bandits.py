"""Strategies with a network: the posterior against its closed form, training against torch's, regret against linear ones."""

import gymnasium
import numpy as np
import pytest
import torch

from rlcourse.agents import make_agent
from rlcourse.errors import UsageError
from rlcourse.experiments import run_cell
from rlcourse.streams import Streams

ARMS, DIM = 3, 4
WORLD = "ContextualBandit-v0"
BOTH = pytest.mark.parametrize("parameters", ["per_arm", "shared"])


def build(name, parameters="per_arm", seeds=2, horizon=10_000, **settings):
    options = {"arms": ARMS, "dim": DIM, "payoff": "quadratic", "parameters": parameters, "horizon": horizon}
    return make_agent(name, WORLD, seeds=seeds, env_kwargs=options, **settings)


def hidden(agent, member, x):
    """The hidden units of one member as torch's own layers have them, and a one: `[n, D]`."""
    layers = agent.network.member(member)[:-1]
    with torch.no_grad():
        units = layers(torch.from_numpy(x)).numpy().astype(np.float64)
    return np.concatenate([units, np.ones((len(units), 1))], axis=1)


@BOTH
@pytest.mark.parametrize("train_freq", [1000, 40])
def test_the_posterior_against_its_closed_form(parameters, train_freq):
    """Sharpened pull by pull (1000: never trained), or regressed anew after the network was trained (40, 80 and 120)."""
    settings = {"ridge": 0.7, "noise_shape": 2.0, "noise_scale": 0.3, "net_arch": (6,)}
    agent = build("neural_thompson", parameters, train_freq=train_freq, **settings).learn(130)
    for member in range(2):
        z, r = hidden(agent, member, agent.seen[member, :130]), agent.paid[member, :130].astype(np.float64)
        for model in range(agent.theta.shape[1]):
            mine = np.full(130, True) if parameters == "shared" else agent.pulled[member, :130] == model
            precision = 0.7 * np.eye(7) + z[mine].T @ z[mine]
            theta = np.linalg.solve(precision, z[mine].T @ r[mine])
            root = agent.root[member, model]
            assert np.allclose(root.T @ root, np.linalg.inv(precision), rtol=1e-5, atol=1e-6)
            assert np.allclose(agent.theta[member, model], theta, rtol=1e-5, atol=1e-5)
            assert agent.shape[member, model] == 2.0 + mine.sum() / 2
            left = r[mine] @ r[mine] - theta @ precision @ theta
            assert agent.scale[member, model] == pytest.approx(0.3 + left / 2, rel=1e-4)


@BOTH
def test_draws_have_the_moments_of_the_posterior(parameters):
    """Normal weights given sigma^2, which is inverse gamma: a t distribution with variance b / (a - 1) z^T Sigma z."""
    one = build("neural_thompson", parameters, seeds=1, net_arch=(5,)).learn(45)
    many = build("neural_thompson", parameters, seeds=40_000, net_arch=(5,), buffer_size=1)
    for name in ("theta", "root", "shape", "scale", "weights"):
        getattr(many, name)[:] = getattr(one, name)
    observation = np.repeat(one._observation, many.size, axis=0)
    sigma = np.sqrt(many.scale / many.stream.gamma(many.shape, many.shape.shape[1]))
    drawn = many.drawn_scores(observation, sigma)
    x = one._observation[0].astype(np.float32).reshape(-1, DIM)
    z = np.broadcast_to(hidden(one, 0, x), (ARMS, 6))
    for arm in range(ARMS):
        model = 0 if parameters == "shared" else arm
        root = one.root[0, model]
        variance = one.scale[0, model] / (one.shape[0, model] - 1.0) * (z[arm] @ root.T @ root @ z[arm])
        assert drawn[:, arm].mean() == pytest.approx(
            z[arm] @ one.theta[0, model], abs=5 * (variance / 4e4) ** 0.5
        )
        assert drawn[:, arm].var() == pytest.approx(variance, rel=0.05)


@BOTH
def test_training_against_torch(parameters):
    """Predictions are those of the member's module; an update is a step of torch's RMSprop on the pulls that were drawn."""
    agent = build("neural_greedy", parameters, train_freq=60, gradient_steps=1, max_grad_norm=0.05).learn(59)
    modules = [agent.network.member(k) for k in range(2)]
    x = agent.inputs(agent._observation)
    for k, module in enumerate(modules):
        assert np.allclose(
            agent.values(agent._observation)[k], module(x[k]).detach().numpy().ravel(), atol=1e-6
        )
    # the draws of round 60: a coin, an arm where it says so and ties are broken, then the pulls to look at
    moved = {}
    integers = Streams.integers

    def spy(self, n, shape=(), rows=None, **more):
        drawn = integers(self, n, shape, rows, **more)
        if np.shape(drawn)[1:]:
            moved["places"] = drawn
        return drawn

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Streams, "integers", spy)
        agent.learn(1)
    places = moved["places"]
    assert places.shape == (2, agent.config.batch_size)
    assert places.min() >= 0
    assert places.max() < 60
    for k, module in enumerate(modules):
        optimiser = torch.optim.RMSprop(module.parameters(), lr=agent.config.learning_rate)
        outputs = module(torch.from_numpy(agent.seen[k, places[k]]))
        arms = (
            np.zeros(len(places[k]), np.int64)
            if parameters == "shared"
            else agent.pulled[k, places[k]].astype(int)
        )
        chosen = outputs[torch.arange(len(arms)), torch.from_numpy(arms)]
        torch.nn.functional.mse_loss(chosen, torch.from_numpy(agent.paid[k, places[k]])).backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 0.05)
        optimiser.step()
        trained = agent.network.member(k)
        for mine, theirs in zip(trained.parameters(), module.parameters(), strict=True):
            assert torch.allclose(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["neural_greedy", "neural_thompson"])
def test_a_new_game_begins_with_new_weights_and_no_memory(name):
    agent = build(name, horizon=30, train_freq=10)
    first = agent.weights.copy()
    agent.learn(30)
    trained = agent.weights.copy()
    assert (trained != first).any(axis=1).all()
    agent.learn(1)
    assert agent.t.tolist() == [1.0, 1.0]
    assert not agent.squares.any()
    assert not agent.paid[:, 1:].any()
    for old in (first, trained):
        assert (
            np.abs(agent.weights - old).mean(axis=1) > 0.05
        ).all()  # drawn anew, not kept and not put back


def test_a_ring_forgets_the_oldest_pulls():
    agent = build("neural_greedy", seeds=3, buffer_size=20, train_freq=7).learn(50)
    paid = agent.paid.copy()
    agent.learn(1)
    changed = (agent.paid != paid).any(axis=0)
    assert np.flatnonzero(changed).tolist() == [50 % 20]


@pytest.mark.parametrize("parameters", ["per_arm", "shared"])
def test_networks_beat_linear_models_where_the_law_is_not_linear(parameters):
    """Six members, 800 rounds, quadratic: 3/4 of the best linear strategy's regret, and less by three standard errors."""
    regret = {}
    for name in ("lin_ucb", "neural_greedy", "neural_thompson"):
        options = {"payoff": "quadratic", "parameters": parameters}
        regret[name] = run_cell(name, WORLD, seeds=6, steps=800, env_kwargs=options, points=2).scores[
            "regret"
        ]
    for name in ("neural_greedy", "neural_thompson"):
        saved = regret["lin_ucb"] - regret[name]  # the members meet the same problems
        assert regret[name].mean() < 0.75 * regret["lin_ucb"].mean(), name
        assert saved.mean() > 3 * saved.std() / 6**0.5, name


def test_networks_keep_near_linear_models_where_the_law_is_linear():
    """What is lost to one who knows that the law is linear is at most 15% of a random player's regret, over 800 rounds."""
    regret = {}
    for name in ("random", "lin_ucb", "neural_greedy", "neural_thompson"):
        regret[name] = run_cell(name, WORLD, seeds=6, steps=800, points=2).scores["regret"].mean()
    for name in ("neural_greedy", "neural_thompson"):
        assert regret[name] - regret["lin_ucb"] < 0.15 * regret["random"], regret


def test_a_network_without_layers_is_refused():
    with pytest.raises(UsageError, match=r"net_arch=\(\) is no network") as error:
        build("neural_greedy", net_arch=())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("theta", "sigma", "bounds"), [([[2.0, 0.0], [0.0, 1.0]], 0.0, (0.0, 4.0)), (None, 0.1, None)]
)
def test_quadratic_payoffs_have_bounds_without_noise(theta, sigma, bounds):
    env = gymnasium.make(f"rlcourse/{WORLD}", payoff="quadratic", theta=theta, sigma=sigma).unwrapped
    assert env.reward_range == (pytest.approx(bounds) if bounds else (-np.inf, np.inf))
