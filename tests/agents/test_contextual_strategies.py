"""Contextual strategies, against closed forms and against strategies that do not look."""

import math

import numpy as np
import pytest

from rlcourse.agents import make_agent
from rlcourse.agents.bandits.ridge_compiled import laplace_step
from rlcourse.errors import UsageError
from rlcourse.experiments import run_cell

LINEAR = ["lin_ucb", "lin_thompson", "epsilon_greedy_ridge"]
CONTEXTUAL = [*LINEAR, "logistic_thompson"]
ARMS, DIM, RIDGE = 3, 4, 0.7
OPTIONS = {"arms": ARMS, "dim": DIM, "payoff": "logistic"}


def build(name, parameters, seeds=2, **settings):
    options = {**OPTIONS, "parameters": parameters}
    return make_agent(name, "ContextualBandit-v0", seeds=seeds, env_kwargs=options, **settings)


def watch(agent, steps):
    """Let the agent learn, and keep what it saw and did: a list of (observation, actions, rewards)."""
    log = []
    update = agent.update

    def spy(observation, actions, rewards):
        log.append((observation.copy(), actions.copy(), rewards.copy()))
        update(observation, actions, rewards)

    agent.update = spy
    agent.learn(steps)
    del agent.update
    return log


def seen_by(log, member, model, parameters):
    """The features `[n, dim]` and rewards `[n]` that went into one model of one member."""
    rows = [(o[member], a[member], r[member]) for o, a, r in log]
    mine = [
        (o[a] if parameters == "shared" else o, r) for o, a, r in rows if parameters == "shared" or a == model
    ]
    return np.array([x for x, _ in mine]).reshape(-1, DIM), np.array([r for _, r in mine])


def covariance(agent, member, model):
    """Sigma = M M^T; the state holds M^T."""
    root = agent.root[member, model]
    return root.T @ root


@pytest.mark.parametrize("parameters", ["per_arm", "shared"])
@pytest.mark.parametrize("name", LINEAR)
def test_ridge_regression_against_the_closed_form(name, parameters):
    agent = build(name, parameters, ridge=RIDGE)
    log = watch(agent, 400)
    for member in range(2):
        for model in range(agent.theta.shape[1]):
            x, r = seen_by(log, member, model, parameters)
            inverse = np.linalg.inv(RIDGE * np.eye(DIM) + x.T @ x)
            assert np.allclose(covariance(agent, member, model), inverse, rtol=1e-9, atol=1e-12)
            assert np.allclose(agent.theta[member, model], inverse @ x.T @ r, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("parameters", ["per_arm", "shared"])
def test_lin_ucb_plays_its_index(parameters):
    agent = build("lin_ucb", parameters, alpha=0.8)
    for _ in range(100):
        sigma = [[covariance(agent, m, k) for k in range(agent.theta.shape[1])] for m in range(2)]
        theta = agent.theta.copy()
        (observation, actions, _), *_ = watch(agent, 1)
        for member in range(2):
            index = np.empty(ARMS)
            for a in range(ARMS):
                x = observation[member, a] if parameters == "shared" else observation[member]
                k = 0 if parameters == "shared" else a
                index[a] = x @ theta[member, k] + 0.8 * math.sqrt(x @ sigma[member][k] @ x)
            assert index[actions[member]] == pytest.approx(index.max(), rel=1e-10)


@pytest.mark.parametrize("parameters", ["per_arm", "shared"])
def test_thompson_draws_have_the_mean_and_covariance_of_the_posterior(parameters):
    one = build("lin_thompson", parameters, seeds=1, scale=0.5).learn(30)
    many = build("lin_thompson", parameters, seeds=20_000, scale=0.5)
    many.theta[:], many.root[:] = one.theta, one.root
    observation = np.repeat(one._observation, many.size, axis=0)
    drawn = many.drawn_scores(observation, 0.5)
    x = observation[0] if parameters == "shared" else np.tile(observation[0], (ARMS, 1))
    mean = np.array([x[a] @ one.theta[0, 0 if parameters == "shared" else a] for a in range(ARMS)])
    if parameters == "shared":
        spread = 0.25 * x @ covariance(one, 0, 0) @ x.T
    else:
        spread = np.diag([0.25 * x[a] @ covariance(one, 0, a) @ x[a] for a in range(ARMS)])
    assert np.allclose(drawn.mean(axis=0), mean, atol=5 * math.sqrt(spread.max() / many.size))
    assert np.allclose(np.cov(drawn.T), spread, atol=5 * math.sqrt(2 / many.size) * spread.max())


def test_epsilon_greedy_ridge_explores_with_its_chance():
    agent = build("epsilon_greedy_ridge", "per_arm", seeds=4000, epsilon=0.3).learn(20)
    observation = np.array(agent._observation)
    best = agent.values(observation).argmax(axis=1)
    share = (agent.select(observation) == best).mean()
    assert share == pytest.approx(1 - 0.3 * (ARMS - 1) / ARMS, abs=0.025)


# ------------------------------------------------------------------------------------- logistic


@pytest.mark.parametrize("parameters", ["per_arm", "shared"])
def test_logistic_steps_go_to_the_mode_of_the_posterior(parameters):
    """After every pull: the gradient of the log posterior is zero, and Sigma^-1 has gained p (1 - p) x x^T."""
    agent = build("logistic_thompson", parameters, seeds=1, ridge=RIDGE)
    for _ in range(60):
        theta, sigma = agent.theta[0].copy(), [covariance(agent, 0, k) for k in range(agent.theta.shape[1])]
        (observation, actions, rewards), *_ = watch(agent, 1)
        k = 0 if parameters == "shared" else actions[0]
        x = observation[0, actions[0]] if parameters == "shared" else observation[0]
        p = 1 / (1 + math.exp(-x @ agent.theta[0, k]))
        gradient = np.linalg.solve(sigma[k], agent.theta[0, k] - theta[k]) - (rewards[0] - p) * x
        assert np.abs(gradient).max() < 1e-8
        precision = np.linalg.inv(sigma[k]) + p * (1 - p) * np.outer(x, x)
        assert np.allclose(covariance(agent, 0, k), np.linalg.inv(precision), rtol=1e-9)


def test_one_observation_is_the_exact_laplace_approximation():
    """From the prior on, theta is the minimum of a function of one variable, found here by a fine grid."""
    agent = build("logistic_thompson", "shared", seeds=1, ridge=1.0)
    x = np.array([0.6, 0.8, 0.0, 0.0])
    observation = np.zeros((1, ARMS, DIM))
    observation[0, 1] = x
    agent.update(observation, np.array([1]), np.array([1.0]))
    grid = np.linspace(0.0, 1.0, 1_000_001)
    best = grid[(0.5 * grid**2 + np.log1p(np.exp(-grid))).argmin()]
    assert np.allclose(agent.theta[0, 0], best * x, atol=2e-6)


def test_the_laplace_step_is_found_everywhere():
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.integers(0, 2, 1500).astype(float), rng.random(500)])
    scores = rng.normal(size=2000) * rng.choice([0.1, 1.0, 5.0, 30.0], 2000)
    variances = 10.0 ** rng.uniform(-3, 3, 2000)
    for target, score, variance in zip(y, scores, variances, strict=True):
        c = laplace_step(target, score, variance)
        assert c == pytest.approx(target - 1 / (1 + math.exp(-(score + c * variance))), abs=1e-11)


def test_predicted_payoffs_approach_the_truth():
    for name, payoff in (("lin_ucb", "linear"), ("logistic_thompson", "logistic")):
        options = {"arms": 2, "dim": 3, "payoff": payoff, "horizon": 5000}
        agent = make_agent(name, "ContextualBandit-v0", seeds=20, env_kwargs=options).learn(4000)
        predicted, truth = agent.values(agent._observation), agent.venv.unwrapped.arm_values()
        best = truth.argmax(axis=1)
        error = np.abs(predicted - truth)[np.arange(20), best]
        assert error.mean() < 0.05, name


# ------------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("parameters", ["per_arm", "shared"])
@pytest.mark.parametrize("name", CONTEXTUAL)
def test_member_equals_solo_across_episodes(name, parameters):
    options = {**OPTIONS, "parameters": parameters, "horizon": 60, "dim": 10}
    population = make_agent(name, "ContextualBandit-v0", seeds=[3, 5, 8], env_kwargs=options).learn(100)
    together = population.get_arrays()
    for k, seed in enumerate([3, 5, 8]):
        alone = (
            make_agent(name, "ContextualBandit-v0", seeds=[seed], env_kwargs=options).learn(100).get_arrays()
        )
        for key, array in alone.items():
            assert np.array_equal(array[0], together[key][k]), key


@pytest.mark.parametrize("name", CONTEXTUAL)
def test_a_new_episode_begins_with_the_prior(name):
    options = {**OPTIONS, "horizon": 30}
    agent = make_agent(name, "ContextualBandit-v0", seeds=2, env_kwargs=options).learn(31)
    assert agent.t.tolist() == [1.0, 1.0]
    sharpened = [not np.array_equal(agent.root[0, k], np.eye(DIM)) for k in range(ARMS)]
    assert sum(sharpened) == 1


def test_predict_looks_at_the_context():
    options = {"arms": 2, "dim": 2, "theta": [[1.0, 0.0], [0.0, 1.0]]}
    agent = make_agent("lin_ucb", "ContextualBandit-v0", seeds=3, env_kwargs=options).learn(500)
    contexts = np.tile(np.array([[1.0, 0.0], [0.0, 1.0]]), (3, 1, 1))
    actions, _ = agent.predict(contexts)
    assert actions.tolist() == [[0, 1]] * 3


@pytest.mark.parametrize("payoff", ["linear", "logistic"])
@pytest.mark.parametrize("parameters", ["per_arm", "shared"])
def test_looking_beats_not_looking(parameters, payoff):
    """Over 100 members and 1000 rounds less than a third of UCB1's regret, whose standard error is below 1%."""
    options = {"payoff": payoff, "parameters": parameters}
    regret = {}
    for name in ["ucb1", *(LINEAR if payoff == "linear" else CONTEXTUAL)]:
        cell = run_cell(name, "ContextualBandit-v0", seeds=100, steps=1000, env_kwargs=options, points=2)
        regret[name] = cell.scores["regret"].mean()
    blind = regret.pop("ucb1")
    assert max(regret.values()) < blind / 3, regret


@pytest.mark.parametrize("name", CONTEXTUAL)
@pytest.mark.parametrize("world", ["Bandit-v0", "CandyMachines-v0", "HiddenContextBandit-v0"])
def test_worlds_without_a_context_vector_are_refused(name, world):
    with pytest.raises(UsageError, match="such as ContextualBandit-v0") as error:
        make_agent(name, world)
    assert "\n" not in str(error.value)


def test_unbounded_rewards_do_not_fit_a_logistic_model():
    with pytest.raises(UsageError, match="lin_thompson or lin_ucb would fit"):
        make_agent("logistic_thompson", "ContextualBandit-v0")


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("lin_ucb", {"alpha": -1.0}, "alpha=-1.0 must be at least 0"),
        ("lin_thompson", {"ridge": 0.0}, "ridge=0.0 must be above 0"),
        ("epsilon_greedy_ridge", {"epsilon": 1.5}, "epsilon=1.5"),
        ("logistic_thompson", {"scale": float("inf")}, "scale=inf"),
        ("lin_ucb", {"lambda_": 1.0}, "lambda_"),
    ],
)
def test_bad_settings_are_refused_in_one_line(name, settings, says):
    with pytest.raises(UsageError) as error:
        build(name, "per_arm", **settings)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
