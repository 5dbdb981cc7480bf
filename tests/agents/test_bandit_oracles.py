"""Every strategy against its paper: plain Python over the list of all pulls, decision by decision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from rlcourse.agents import make_agent
from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.bandits.bayes_ucb import BayesUCB
from rlcourse.agents.bandits.compiled import argmax_beta
from rlcourse.agents.bandits.divergence import kl_bernoulli
from rlcourse.errors import UsageError
from rlcourse.streams import Streams
from tests.agents.worlds import UNEVEN

MEANS = [0.2, 0.5, 0.55, 0.8]
K = len(MEANS)
BERNOULLI = {"means": MEANS, "law": "bernoulli", "horizon": 400}
GAUSSIAN = {"means": MEANS, "law": "gaussian", "horizon": 400}
BETA = {"means": MEANS, "law": "beta", "horizon": 400}
CANDY = {"probabilities": [0.2, 0.6, 0.9], "coins": 400}

Pulls = list[list[float]]
"""What every arm has paid so far, in order."""


def watch(
    name: str, world: str, options: dict[str, Any], steps: int, **settings: Any
) -> tuple[BanditAgent, list[Any]]:
    """Play with two members; of every round (actions, rewards, and the probabilities where the strategy has any)."""
    agent = make_agent(name, world, seeds=[3, 8], env_kwargs=options, **settings)
    assert isinstance(agent, BanditAgent)
    rounds = []
    update = agent.update

    def watched(observation: Any, actions: Any, rewards: Any) -> None:
        law = getattr(agent, "policy", getattr(agent, "probabilities", None))
        rounds.append((actions.copy(), rewards.copy(), None if law is None else law.copy()))
        update(observation, actions, rewards)

    agent.update = watched  # type: ignore[method-assign]
    agent.learn(steps)
    return agent, rounds


# ---------------------------------------------------------------- indices

Index = Callable[[list[float], int, Pulls], float]


def mean(paid: list[float]) -> float:
    return sum(paid) / len(paid)


def variance(paid: list[float]) -> float:
    return sum((x - mean(paid)) ** 2 for x in paid) / len(paid)


def kl(p: float, q: float) -> float:
    left = p * math.log(p / q) if p > 0 else 0.0
    return left + ((1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0)


def kl_bound(paid: list[float], budget: float) -> float:
    p = mean(paid)
    top = 1 - 1e-15
    if p >= top or len(paid) * kl(p, top) <= budget:
        return 1.0
    return optimize.brentq(lambda q: len(paid) * kl(p, q) - budget, max(p, 1e-300), top, xtol=1e-14)


def moss(paid: list[float], t: int, pulls: Pulls, horizon: int = 400, b: float = 1.0) -> float:
    return mean(paid) + b * math.sqrt(max(math.log(horizon / (len(pulls) * len(paid))), 0.0) / len(paid))


def imed(paid: list[float], t: int, pulls: Pulls) -> float:
    p, best = mean(paid), max(mean(other) for other in pulls)
    far = 0.0 if p == best else math.inf if best == 1.0 else kl(p, best)
    return -(len(paid) * far + math.log(len(paid)))


def ucb_tuned(paid: list[float], t: int, pulls: Pulls, b: float = 1.0) -> float:
    n = len(paid)
    v = variance(paid) / b**2 + math.sqrt(2 * math.log(t) / n)
    return mean(paid) + b * math.sqrt(math.log(t) / n * min(0.25, v))


def ucb_v(paid: list[float], t: int, pulls: Pulls, b: float = 1.0) -> float:
    e = 1.2 * math.log(t)
    return mean(paid) + math.sqrt(2 * variance(paid) * e / len(paid)) + 3 * b * e / len(paid)


def bayes_beta(paid: list[float], t: int, pulls: Pulls) -> float:
    return stats.beta.ppf(1 - 1 / (t + 1), 1 + sum(paid), 1 + len(paid) - sum(paid))


def log_log(t: int) -> float:
    return math.log(max(math.log(t), 1.0))


ORACLES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], Index]] = {
    "ucb": ("ucb", "Bandit-v0", GAUSSIAN, {}, lambda x, t, _: mean(x) + 2 * math.sqrt(math.log(t) / len(x))),
    "ucb c": (
        "ucb",
        "Bandit-v0",
        BERNOULLI,
        {"c": 0.3},
        lambda x, t, _: mean(x) + 0.3 * math.sqrt(math.log(t) / len(x)),
    ),
    "ucb1": (
        "ucb1",
        "Bandit-v0",
        BERNOULLI,
        {},
        lambda x, t, _: mean(x) + math.sqrt(2 * math.log(t) / len(x)),
    ),
    "ucb1 candy": (
        "ucb1",
        "CandyMachines-v0",
        CANDY,
        {},
        lambda x, t, _: mean(x) + 2 * math.sqrt(2 * math.log(t) / len(x)),
    ),
    "ucb_tuned": ("ucb_tuned", "Bandit-v0", BERNOULLI, {}, ucb_tuned),
    "ucb_tuned beta": ("ucb_tuned", "Bandit-v0", BETA, {}, ucb_tuned),
    "ucb_tuned candy": ("ucb_tuned", "CandyMachines-v0", CANDY, {}, lambda x, t, p: ucb_tuned(x, t, p, 2.0)),
    "ucb_v": ("ucb_v", "Bandit-v0", BERNOULLI, {}, ucb_v),
    "ucb_v beta": ("ucb_v", "Bandit-v0", BETA, {}, ucb_v),
    "ucb_v candy": ("ucb_v", "CandyMachines-v0", CANDY, {}, lambda x, t, p: ucb_v(x, t, p, 2.0)),
    "moss": ("moss", "Bandit-v0", BERNOULLI, {}, moss),
    "moss candy": ("moss", "CandyMachines-v0", CANDY, {}, lambda x, t, p: moss(x, t, p, 400, 2.0)),
    "moss horizon": ("moss", "Bandit-v0", GAUSSIAN, {"horizon": 90}, lambda x, t, p: moss(x, t, p, 90)),
    "kl_ucb": ("kl_ucb", "Bandit-v0", BERNOULLI, {}, lambda x, t, _: kl_bound(x, math.log(t))),
    "kl_ucb beta": ("kl_ucb", "Bandit-v0", BETA, {}, lambda x, t, _: kl_bound(x, math.log(t))),
    "kl_ucb c": (
        "kl_ucb",
        "Bandit-v0",
        BERNOULLI,
        {"c": 3.0},
        lambda x, t, _: kl_bound(x, math.log(t) + 3 * log_log(t)),
    ),
    "kl_ucb gaussian": (
        "kl_ucb",
        "Bandit-v0",
        GAUSSIAN,
        {"divergence": "gaussian", "sigma": 0.5, "c": 1.0},
        lambda x, t, _: mean(x) + 0.5 * math.sqrt(2 * (math.log(t) + log_log(t)) / len(x)),
    ),
    "bayes_ucb": ("bayes_ucb", "Bandit-v0", BERNOULLI, {}, bayes_beta),
    "bayes_ucb gaussian": (
        "bayes_ucb",
        "Bandit-v0",
        GAUSSIAN,
        {"posterior": "gaussian", "sigma": 0.5},
        lambda x, t, _: stats.norm.ppf(1 - 1 / (t + 1), mean(x), 0.5 / math.sqrt(len(x))),
    ),
    "imed": ("imed", "Bandit-v0", BERNOULLI, {}, imed),
    "imed beta": ("imed", "Bandit-v0", BETA, {}, imed),
    "imed gaussian": (
        "imed",
        "Bandit-v0",
        GAUSSIAN,
        {"divergence": "gaussian", "sigma": 2.0},
        lambda x, t, p: -(len(x) * (max(map(mean, p)) - mean(x)) ** 2 / (2 * 4.0) + math.log(len(x))),
    ),
}


@pytest.mark.parametrize("case", ORACLES)
def test_every_choice_has_the_highest_index(case: str) -> None:
    name, world, options, settings, index = ORACLES[case]
    agent, rounds = watch(name, world, options, 250, **settings)
    for member in range(2):
        pulls: Pulls = [[] for _ in range(agent.n_arms)]
        for t, (actions, rewards, _) in enumerate(rounds):
            action = int(actions[member])
            if t < agent.n_arms:
                assert not pulls[action], "every arm is pulled once first"
            else:
                indices = [index(paid, t, pulls) for paid in pulls]
                assert indices[action] >= max(indices) - 1e-9, (t, indices, action)
            pulls[action].append(float(rewards[member]))
        assert len({len(paid) for paid in pulls}) > 1


def test_moss_without_a_horizon_takes_the_rounds_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BanditAgent, "world_horizon", lambda self: None)
    _, rounds = watch("moss", "Bandit-v0", BERNOULLI, 150)
    pulls: Pulls = [[] for _ in range(K)]
    for t, (actions, rewards, _) in enumerate(rounds):
        if t >= K:
            indices = [moss(paid, t, pulls, horizon=t) for paid in pulls]
            assert indices[actions[0]] >= max(indices) - 1e-9
        pulls[actions[0]].append(float(rewards[0]))


class FullBayesUCB(BayesUCB):
    """The full computation: every quantile in every round."""

    def select(self, observation: Any) -> Any:
        a = self.successes + 1.0
        b = self.counts + 2.0 - a
        return self.greedy(special.betainccinv(a, b, 1.0 / (self.t + 1.0)[:, None]))


@pytest.mark.parametrize(
    "options", [{"arms": 8}, {"means": [0.01, 0.02, 0.02, 0.99]}, {"means": [0.0, 1.0, 1.0]}]
)
def test_bayes_ucb_chooses_as_the_full_computation(options: dict[str, Any]) -> None:
    options = {**options, "horizon": 500}
    lazy = make_agent("bayes_ucb", "Bandit-v0", seeds=40, env_kwargs=options).learn(700)
    full = FullBayesUCB("Bandit-v0", seeds=40, env_kwargs=options).learn(700)
    for name in ("counts", "means", "successes"):
        np.testing.assert_array_equal(getattr(lazy, name), getattr(full, name))
    np.testing.assert_array_equal(lazy.stream.state, full.stream.state)  # the same ties, too


@pytest.mark.parametrize("p", [0.0, 1e-9, 0.3, 0.999, 1.0])
@pytest.mark.parametrize("q", [0.0, 1e-9, 0.3, 0.999, 1.0])
def test_kl_bernoulli(p: float, q: float) -> None:
    expected = special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)
    assert kl_bernoulli(p, q) == pytest.approx(expected, rel=1e-12, abs=1e-15)


# ---------------------------------------------------------------- probabilities


def boltzmann(x: Any) -> Any:
    weights = np.exp(np.asarray(x) - max(x))
    return weights / weights.sum()


def test_exp3_probabilities() -> None:
    for settings in ({"gamma": 0.2}, {}):
        _, rounds = watch("exp3", "CandyMachines-v0", CANDY, 200, **settings)
        gains = np.zeros(4)
        for t, (actions, rewards, law) in enumerate(rounds, start=1):
            gamma = settings.get("gamma", min(1.0, math.sqrt(4 * math.log(4) / ((math.e - 1) * t))))
            expected = (1 - gamma) * boltzmann(gamma * gains / 4) + gamma / 4
            np.testing.assert_allclose(law[1], expected, rtol=1e-10)
            gains[actions[1]] += rewards[1] / 2.0 / expected[actions[1]]


def test_exp3_ix_probabilities() -> None:
    for settings in ({"learning_rate": 0.05}, {}):
        _, rounds = watch("exp3_ix", "CandyMachines-v0", CANDY, 200, **settings)
        losses = np.zeros(4)
        for t, (actions, rewards, law) in enumerate(rounds, start=1):
            eta = settings.get("learning_rate", math.sqrt(math.log(4) / (4 * t)))
            expected = boltzmann(-eta * losses)
            np.testing.assert_allclose(law[1], expected, rtol=1e-10)
            losses[actions[1]] += (1 - rewards[1] / 2.0) / (expected[actions[1]] + eta / 2)


@pytest.mark.parametrize("estimator", ["rv", "iw"])
def test_tsallis_inf_probabilities(estimator: str) -> None:
    """They minimise <p, L> - (4 / eta) sum sqrt(p): by the KKT conditions L_a - 2 / (eta sqrt(p_a)) is the same for all."""
    _, rounds = watch("tsallis_inf", "CandyMachines-v0", CANDY, 300, estimator=estimator)
    losses = np.zeros(4)
    for t, (actions, rewards, laws) in enumerate(rounds, start=1):
        law, action = laws[1], actions[1]
        eta = (4 if estimator == "rv" else 2) / math.sqrt(t)
        assert law.sum() == pytest.approx(1.0, abs=1e-12)
        multiplier = losses - 2 / (eta * np.sqrt(law))
        np.testing.assert_allclose(multiplier, multiplier[0], rtol=1e-9, atol=1e-9)
        root = optimize.brentq(
            lambda x, eta=eta, losses=losses: (4 / (eta * (losses - x)) ** 2).sum() - 1,
            losses.min() - 4 / eta,
            losses.min() - 2 / eta,
        )
        np.testing.assert_allclose(law, 4 / (eta * (losses - root)) ** 2, rtol=1e-8)
        loss = 1 - rewards[1] / 2.0
        base = (law >= eta**2) * (0.5 if estimator == "rv" else 0.0)
        estimate = base.copy()
        estimate[action] += (loss - base[action]) / law[action]
        losses += estimate


@pytest.mark.parametrize("baseline", [True, False])
def test_gradient_bandit_policy(baseline: bool) -> None:
    _, rounds = watch("gradient_bandit", "Bandit-v0", GAUSSIAN, 200, step_size=0.3, baseline=baseline)
    preferences, seen = np.zeros(K), []
    for actions, rewards, laws in rounds:
        np.testing.assert_allclose(laws[1], boltzmann(preferences), rtol=1e-9)
        reward = float(rewards[1])
        against = mean(seen or [reward]) if baseline else 0.0
        policy = boltzmann(preferences)
        for a in range(K):
            preferences[a] += 0.3 * (reward - against) * ((a == actions[1]) - policy[a])
        seen.append(reward)


# ---------------------------------------------------------------- frequencies

MANY = 20_000


def frequencies(agent: BanditAgent, arms: int = K) -> np.ndarray[Any, Any]:
    """How often each arm is chosen by MANY members that all know the same."""
    return np.bincount(agent.select(agent._observation), minlength=arms)


def assert_frequencies(agent: BanditAgent, chances: Any) -> None:
    chances = np.asarray(chances, np.float64)
    counts = frequencies(agent)
    assert np.all(counts[chances == 0] == 0)
    assert stats.chisquare(counts[chances > 0], MANY * chances[chances > 0] / chances.sum()).pvalue > 1e-4


def knowing(name: str, options: dict[str, Any], **settings: Any) -> BanditAgent:
    agent = make_agent(name, "Bandit-v0", seeds=MANY, env_kwargs=options, **settings)
    assert isinstance(agent, BanditAgent)
    agent.t += 10.0
    agent.counts[:] = [4.0, 3.0, 2.0, 1.0]
    agent.means[:] = MEANS
    return agent


def test_epsilon_greedy_frequencies() -> None:
    assert_frequencies(knowing("epsilon_greedy", BERNOULLI, epsilon=0.3), [0.075, 0.075, 0.075, 0.775])


@pytest.mark.parametrize(
    ("settings", "epsilon"),
    [
        ({"c": 0.1, "d": 0.4}, 0.1 * K / (0.4**2 * 11)),
        ({"c": 5.0, "d": 0.4}, 1.0),
        ({"decay": "cube_root"}, min(1.0, (K * math.log(12) / 11) ** (1 / 3))),
        ({"decay": "exponential", "start": 0.8, "rate": 0.9}, 0.8 * 0.9**10),
        ({"decay": "exponential", "rate": 0.5, "minimum": 0.2}, 0.2),
    ],
)
def test_epsilon_decay_frequencies(settings: dict[str, Any], epsilon: float) -> None:
    agent = knowing("epsilon_decay", BERNOULLI, **settings)
    np.testing.assert_allclose(agent.epsilon(), epsilon)  # type: ignore[attr-defined]
    assert_frequencies(agent, [epsilon / K] * 3 + [1 - epsilon + epsilon / K])


def test_softmax_frequencies() -> None:
    assert_frequencies(knowing("softmax", BERNOULLI, temperature=0.3), boltzmann(np.array(MEANS) / 0.3))
    cooled = knowing("softmax", BERNOULLI, temperature=3.0, cooling=1.0)
    assert_frequencies(cooled, boltzmann(np.array(MEANS) / 0.3))


def test_epsilon_first_explores_by_its_law() -> None:
    agent = knowing("epsilon_first", BERNOULLI, epsilon=0.1)  # round 11 of 40 that explore
    assert_frequencies(agent, [1, 1, 1, 1])
    agent = knowing("epsilon_first", BERNOULLI, exploration="linear")
    agent.means[:, 1] = -0.5
    assert_frequencies(agent, [0.2, 0.0, 0.55, 0.8])
    agent.means[:] = [-1.0, 0.0, -2.0, 0.0]
    assert_frequencies(agent, [1, 1, 1, 1])
    agent = knowing("epsilon_first", BERNOULLI, exploration="softmax", temperature=0.5)
    assert_frequencies(agent, boltzmann(np.array(MEANS) / 0.5))


@pytest.mark.parametrize("exploration", ["uniform", "linear", "softmax"])
def test_epsilon_first_counts_unplayed_arms_as_the_sure_machine(exploration: str) -> None:
    agent = make_agent("epsilon_first", "CandyMachines-v0", seeds=2, exploration=exploration)
    np.testing.assert_array_equal(agent.values(None), 1.0)
    agent = make_agent("epsilon_first", "CandyMachines-v0", exploration=exploration, unplayed_value=0.25)
    np.testing.assert_array_equal(agent.values(None), 0.25)


def test_epsilon_first_then_exploits() -> None:
    agent, rounds = watch("epsilon_first", "Bandit-v0", BERNOULLI, 200, epsilon=0.07, horizon=100)
    for member in range(2):
        pulls: Pulls = [[] for _ in range(K)]
        greedy = []
        for actions, rewards, _ in rounds:
            values = [mean(paid) if paid else 1.0 for paid in pulls]
            greedy.append(values[actions[member]] >= max(values) - 1e-12)
            pulls[actions[member]].append(float(rewards[member]))
        assert all(greedy[7:])
    assert not all(np.array(actions).tolist() == rounds[0][0].tolist() for actions, _, _ in rounds[:7])
    assert agent.exploring == 7  # type: ignore[attr-defined]  # and not 8, though 0.07 * 100 is above 7 in floats


def test_epsilon_first_asks_for_a_horizon_that_nobody_says() -> None:
    with pytest.raises(UsageError, match="give horizon=ROUNDS"):
        make_agent("epsilon_first", UNEVEN)
    assert make_agent("epsilon_first", UNEVEN, horizon=50).exploring == 5  # type: ignore[attr-defined]


def test_optimistic_greedy_tries_all_before_it_settles() -> None:
    agent, rounds = watch("optimistic_greedy", "Bandit-v0", GAUSSIAN, 100)
    estimates = np.full(K, 5.0)
    for actions, rewards, _ in rounds:
        assert estimates[actions[0]] == pytest.approx(estimates.max(), abs=1e-12)
        estimates[actions[0]] += 0.1 * (rewards[0] - estimates[actions[0]])
    np.testing.assert_allclose(agent.means[0], estimates)
    assert sorted(actions[0] for actions, _, _ in rounds[:K]) == list(range(K))


def test_thompson_pulls_an_arm_as_often_as_it_is_best() -> None:
    agent = knowing("thompson", BERNOULLI)
    agent.alpha[:], agent.beta[:] = [2.0, 3.0, 1.0, 5.0], [3.0, 3.0, 1.0, 4.0]  # type: ignore[attr-defined]
    beliefs = [stats.beta(a, b) for a, b in zip([2, 3, 1, 5], [3, 3, 1, 4], strict=True)]
    assert_frequencies(agent, [chance_of_being_best(beliefs, a, 0.0, 1.0) for a in range(K)])


def chance_of_being_best(beliefs: list[Any], arm: int, low: float, high: float) -> float:
    others = [belief for b, belief in enumerate(beliefs) if b != arm]
    value, _ = integrate.quad(
        lambda x: beliefs[arm].pdf(x) * math.prod(belief.cdf(x) for belief in others), low, high
    )
    return value


def test_thompson_pulls_the_arm_of_the_highest_draw() -> None:
    spread = np.random.default_rng(5)
    alpha, beta = np.exp(spread.normal(1.0, 2.0, (2, 300, 7)))
    stream = Streams.from_seeds(range(300), "draws")
    state, actions = stream.state.copy(), np.empty(300, np.int64)
    argmax_beta(alpha, beta, state, actions)
    np.testing.assert_array_equal(actions, stream.beta(alpha, beta, 7).argmax(axis=1))
    np.testing.assert_array_equal(state, stream.state)


def test_thompson_counts_successes_and_flips_coins() -> None:
    agent = make_agent("thompson", "CandyMachines-v0", seeds=2000, env_kwargs={"probabilities": [0.5, 1.0]})
    agent.learn(30)
    pulled = agent.alpha + agent.beta - 2.0
    np.testing.assert_array_equal(pulled, agent.counts)
    sure = agent.alpha[:, 0].sum() - 2000, pulled[:, 0].sum()  # one candy of two: a coin
    assert abs(sure[0] - sure[1] / 2) < 4 * math.sqrt(sure[1] / 4)
    np.testing.assert_array_equal(
        agent.alpha[:, 1] - 1.0, np.round(agent.means[:, 1] * agent.counts[:, 1] / 2)
    )


def test_posterior_means_are_in_units_of_the_reward() -> None:
    options = {"machines": 3, "probabilities": [0.2, 0.9], "coins": 3000}
    for name in ("thompson", "discounted_thompson"):
        agent = make_agent(name, "CandyMachines-v0", seeds=20, env_kwargs=options).learn(3000)
        assert isinstance(agent, BanditAgent)
        assert abs(agent.values(None)[:, 2].mean() - 1.8) < 0.05


def test_gaussian_thompson_is_the_conjugate_posterior() -> None:
    settings = {"sigma": 0.5, "prior_mean": 0.3, "prior_sd": 2.0}
    agent, rounds = watch("gaussian_thompson", "Bandit-v0", GAUSSIAN, 60, **settings)
    for arm in range(K):
        paid = [float(rewards[0]) for actions, rewards, _ in rounds if actions[0] == arm]
        precision = 1 / 4 + len(paid) / 0.25
        belief = (0.3 / 4 + sum(paid) / 0.25) / precision
        assert agent.belief[0, arm] == pytest.approx(belief, abs=1e-12)  # type: ignore[attr-defined]
        assert agent.spread[0, arm] == pytest.approx(precision**-0.5)  # type: ignore[attr-defined]
    agent = knowing("gaussian_thompson", GAUSSIAN)
    agent.belief[:], agent.spread[:] = MEANS, [1.0, 0.5, 0.3, 0.2]  # type: ignore[attr-defined]
    beliefs = [stats.norm(m, s) for m, s in zip(MEANS, [1.0, 0.5, 0.3, 0.2], strict=True)]
    assert_frequencies(agent, [chance_of_being_best(beliefs, a, -4.0, 5.0) for a in range(K)])
