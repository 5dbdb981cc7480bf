"""Strategies for changing worlds, against slow transcriptions of their papers and on worlds that change."""

import math

import numpy as np
import pytest

from rlcourse.agents import make_agent
from rlcourse.agents.bandits.kl_index import argmax_kl_bound, bernoulli_upper
from rlcourse.errors import UsageError
from rlcourse.experiments import run_cell
from rlcourse.streams import Streams
from tests.agents.worlds import watch

CHANGING = [
    "discounted_ucb",
    "sliding_window_ucb",
    "discounted_thompson",
    "exp3_s",
    "cusum_ucb",
    "glr_kl_ucb",
]


def feed(agent, arm, rewards):
    """Pull one arm, and be paid these rewards, `[steps, S]`."""
    for paid in np.asarray(rewards, np.float64):
        agent.update(None, np.full(agent.size, arm), paid)


# ------------------------------------------------------------------------------------- forgetting


@pytest.mark.parametrize("law", ["bernoulli", "gaussian"])
def test_discounted_ucb_follows_the_paper(law):
    gamma, xi = 0.95, 0.125
    agent = make_agent(
        "discounted_ucb", "Bandit-v0", seeds=2, env_kwargs={"arms": 3, "law": law}, gamma=gamma
    )
    actions, rewards = watch(agent, 150)
    for member in range(2):
        for t in range(3, 150):
            weight, paid = np.zeros(3), np.zeros(3)
            for s in range(t):
                weight[actions[s, member]] += gamma ** (t - 1 - s)
                paid[actions[s, member]] += gamma ** (t - 1 - s) * rewards[s, member]
            index = paid / weight + 2.0 * np.sqrt(xi * math.log(weight.sum()) / weight)
            assert index[actions[t, member]] == pytest.approx(index.max(), rel=1e-12)
        weight = weight * gamma + (np.arange(3) == actions[-1, member])
        assert np.allclose(agent.weight[member], weight)


@pytest.mark.parametrize("law", ["bernoulli", "gaussian"])
def test_sliding_window_ucb_follows_the_paper(law):
    window, xi = 20, 0.5
    agent = make_agent(
        "sliding_window_ucb", "Bandit-v0", seeds=2, env_kwargs={"arms": 3, "law": law}, window=window
    )
    actions, rewards = watch(agent, 300)
    forced = 0
    for member in range(2):
        for t in range(3, 300):
            seen, paid = actions[max(t - window, 0) : t, member], rewards[max(t - window, 0) : t, member]
            pulls = np.array([(seen == a).sum() for a in range(3)])
            if (pulls == 0).any():
                assert pulls[actions[t, member]] == 0
                forced += 1
                continue
            means = np.array([paid[seen == a].mean() for a in range(3)])
            index = means + np.sqrt(xi * math.log(min(t, window)) / pulls)
            assert index[actions[t, member]] == pytest.approx(index.max(), rel=1e-12)
    assert agent.ring_rewards.shape == (2, window)


def test_a_window_forgets_without_rounding():
    agent = make_agent("sliding_window_ucb", "Bandit-v0", env_kwargs={"arms": 2, "law": "gaussian"}, window=3)
    feed(agent, 0, [[1e9], [0.1], [0.2]])
    feed(agent, 1, [[1.0]] * 3)
    assert agent.pulls.tolist() == [[0.0, 3.0]]
    assert agent.paid.tolist() == [[0.0, 3.0]]
    assert agent.select(None).tolist() == [0]


def test_tuning_follows_the_papers():
    T, K = 10_000, 3
    assert make_agent("discounted_ucb", "SwitchingBandit-v0").gamma == 1 - math.sqrt(2 / T) / 4
    assert (
        make_agent("discounted_thompson", "SwitchingBandit-v0", changes=8).gamma == 1 - math.sqrt(8 / T) / 4
    )
    assert make_agent("sliding_window_ucb", "SwitchingBandit-v0").window == 1214
    assert make_agent("sliding_window_ucb", "SwitchingBandit-v0", horizon=100).window == 86
    exp3 = make_agent("exp3_s", "SwitchingBandit-v0")
    assert exp3.alpha == 1 / T
    assert exp3.gamma == pytest.approx(math.sqrt(K * (3 * math.log(K * T) + math.e) / ((math.e - 1) * T)))
    cusum = make_agent("cusum_ucb", "SwitchingBandit-v0")
    assert cusum.threshold == math.log(T / 2)
    assert cusum.alpha == pytest.approx(math.sqrt(2 / T * math.log(T / 2)))
    glr = make_agent("glr_kl_ucb", "SwitchingBandit-v0", restart="global")
    assert glr.delta == 1 / math.sqrt(2 * T)
    assert glr.period == math.floor(K / (0.1 * math.sqrt(2 * math.log(T) / T)))


@pytest.mark.parametrize("prior", [1.0, 0.5])
def test_discounted_thompson_follows_the_paper(prior):
    agent = make_agent(
        "discounted_thompson", "Bandit-v0", seeds=2, env_kwargs={"arms": 3}, gamma=0.9, prior=prior
    )
    actions, rewards = watch(agent, 60)
    for member in range(2):
        won, lost = np.zeros(3), np.zeros(3)
        for action, reward in zip(actions[:, member], rewards[:, member], strict=True):
            won, lost = won * 0.9, lost * 0.9
            won[action] += reward
            lost[action] += 1.0 - reward
        assert np.allclose(agent.won[member], won)
        assert np.allclose(agent.lost[member], lost)
        assert np.allclose(agent.values(None)[member], (won + prior) / (won + lost + 2 * prior))


def test_discounted_thompson_draws_from_its_posterior():
    agent = make_agent("discounted_thompson", "Bandit-v0", seeds=4000, env_kwargs={"arms": 2}, gamma=1.0)
    agent.won[:], agent.lost[:] = [3.0, 1.0], [1.0, 2.0]
    rng = np.random.default_rng(0)
    expected = (rng.beta(4, 2, 10**6) > rng.beta(2, 3, 10**6)).mean()
    assert (agent.select(None) == 0).mean() == pytest.approx(expected, abs=0.03)


def test_discounted_thompson_flips_a_coin_for_rewards_in_between():
    agent = make_agent(
        "discounted_thompson", "Bandit-v0", seeds=2000, env_kwargs={"arms": 2, "law": "beta"}, gamma=1.0
    )
    feed(agent, 1, np.full((1, 2000), 0.3))
    assert set(np.unique(agent.won[:, 1])) == {0.0, 1.0}
    assert agent.won[:, 1].mean() == pytest.approx(0.3, abs=0.04)
    assert (agent.won + agent.lost).tolist() == [[0.0, 1.0]] * 2000


def test_exp3_s_follows_the_paper():
    gamma, alpha, K = 0.1, 0.01, 3
    agent = make_agent(
        "exp3_s", "Bandit-v0", seeds=2, env_kwargs={"arms": K, "law": "beta"}, gamma=gamma, alpha=alpha
    )
    weights = np.ones((2, K))  # as in the paper, never normalised
    for _ in range(200):
        chances = (1 - gamma) * weights / weights.sum(axis=1, keepdims=True) + gamma / K
        assert np.allclose(agent.probabilities(), chances)
        actions, rewards = watch(agent, 1)
        for member in range(2):
            action = actions[0, member]
            total = weights[member].sum()
            gain = rewards[0, member] / chances[member, action]
            weights[member, action] *= math.exp(gamma * gain / K)
            weights[member] += math.e * alpha / K * total


# ------------------------------------------------------------------------------------- change detection


def test_cusum_follows_the_paper():
    M, epsilon, h = 10, 0.1, 2.0
    agent = make_agent(
        "cusum_ucb", "Bandit-v0", env_kwargs={"arms": 2}, samples=M, drift=epsilon, threshold=h
    )
    rng = np.random.default_rng(1)
    rewards = np.concatenate([rng.random(40) < 0.2, rng.random(40) < 0.9, rng.random(40) < 0.1]).astype(float)
    history, alarms = [], 0
    for reward in rewards:
        feed(agent, 1, [[reward]])
        history.append(reward)
        above = below = 0.0
        for k, y in enumerate(history, 1):
            if k > M:
                u0 = np.mean(history[:M])
                above, below = max(0.0, above + y - u0 - epsilon), max(0.0, below + u0 - y - epsilon)
        if above >= h or below >= h:
            alarms += 1
            history, above, below = [], 0.0, 0.0
        assert agent.alarms[0, 1] == alarms
        assert agent.counts[0, 1] == len(history)
        assert agent.means[0, 1] == pytest.approx(np.mean(history) if history else 0.0)
        assert agent.above[0, 1] == pytest.approx(above)
        assert agent.below[0, 1] == pytest.approx(below)
    assert alarms >= 2
    assert agent.counts[0, 0] == 0


def test_cusum_ucb_plays_its_index():
    agent = make_agent("cusum_ucb", "Bandit-v0", env_kwargs={"arms": 3}, alpha=0.0)
    for _ in range(200):
        counts, means = agent.counts[0].copy(), agent.means[0].copy()
        actions, _ = watch(agent, 1)
        if (counts == 0).any():
            assert counts[actions[0, 0]] == 0
        else:
            index = means + np.sqrt(math.log(counts.sum()) / counts)
            assert index[actions[0, 0]] == pytest.approx(index.max())


def kl(p, q):
    """The divergence of Bernoulli laws, in plain Python."""
    left = p * math.log(p / q) if p > 0 else 0.0
    return left + ((1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0)


def brute_force(history):
    """The statistic of the paper over all splits."""
    n, mean = len(history), np.mean(history)
    if mean in (0.0, 1.0):
        return 0.0
    splits = range(1, n)
    return max(
        (s * kl(np.mean(history[:s]), mean) + (n - s) * kl(np.mean(history[s:]), mean) for s in splits),
        default=0.0,
    )


@pytest.mark.parametrize("binary", [True, False])
def test_glr_statistic_is_that_of_the_paper_while_every_split_is_kept(binary):
    agent = make_agent("glr_kl_ucb", "Bandit-v0", env_kwargs={"arms": 2, "law": "beta"}, test_every=1000)
    rng = np.random.default_rng(2)
    history = rng.random(63)
    history[30:] **= 3
    if binary:
        history = (history > 0.5).astype(float)
    for n, reward in enumerate(history, 1):
        feed(agent, 1, [[reward]])
        assert agent.statistic(np.array([1]))[0] == pytest.approx(brute_force(history[:n]), abs=1e-9)


def test_glr_memory_is_bounded_and_still_sees_the_change():
    agent = make_agent("glr_kl_ucb", "Bandit-v0", env_kwargs={"arms": 1}, test_every=10**9)
    rng = np.random.default_rng(3)
    history = (rng.random(3000) < np.where(np.arange(3000) < 1900, 0.3, 0.5)).astype(float)
    feed(agent, 0, history[:, None])
    assert agent.prefix.shape == (1, 1, 64)
    assert agent.spacing[0, 0] == 64
    places = np.arange(64, 3000, 64)
    assert np.array_equal(agent.prefix[0, 0, : len(places)], np.cumsum(history)[places - 1])
    exact = brute_force(history)
    assert 0.9 * exact < agent.statistic(np.array([0]))[0] <= exact + 1e-9


def test_glr_rarely_rings_without_a_change():
    agent = make_agent("glr_kl_ucb", "Bandit-v0", seeds=300, env_kwargs={"arms": 1}, delta=0.05)
    feed(agent, 0, np.random.default_rng(4).random((1000, 300)) < 0.4)
    assert (agent.alarms > 0).mean() <= 0.05


def test_glr_rings_soon_after_a_jump():
    agent = make_agent("glr_kl_ucb", "Bandit-v0", seeds=100, env_kwargs={"arms": 1}, delta=0.05)
    rng = np.random.default_rng(5)
    feed(agent, 0, rng.random((300, 100)) < 0.2)
    before = agent.alarms.copy()
    feed(agent, 0, rng.random((60, 100)) < 0.8)
    assert (agent.alarms > before).mean() > 0.98


@pytest.mark.parametrize("restart", ["local", "global"])
def test_glr_forgets_what_its_restart_says(restart):
    agent = make_agent("glr_kl_ucb", "Bandit-v0", seeds=2, env_kwargs={"arms": 2}, restart=restart)
    feed(agent, 0, np.ones((5, 2)))
    jump = np.repeat([[0.0, 0.5]] * 100 + [[1.0, 0.5]] * 30, 1, axis=0)
    feed(agent, 1, jump)
    assert agent.alarms.tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert agent.counts[0, 1] < 30
    assert agent.counts[0, 0] == (5 if restart == "local" else 0)
    assert agent.counts[1].tolist() == [5, 130]
    assert agent.restarted[0, 1] + agent.counts[0, 1] == 135


def test_glr_kl_ucb_plays_its_index_and_its_forced_arms():
    agent = make_agent("glr_kl_ucb", "Bandit-v0", env_kwargs={"arms": 3}, alpha=0.06)
    assert agent.period == 50
    for t in range(300):
        counts, paid, since = agent.counts[0].copy(), agent.paid[0].copy(), t - agent.restarted[0]
        actions, _ = watch(agent, 1)
        if t % 50 < 3:
            assert actions[0, 0] == t % 50
        elif (counts > 0).all():
            bounds = [bernoulli_upper(paid[a] / counts[a], math.log(since[a]) / counts[a]) for a in range(3)]
            assert bounds[actions[0, 0]] == pytest.approx(max(bounds))


def test_kl_bound_against_bisection():
    rng = np.random.default_rng(6)
    means = np.concatenate(
        [rng.random(300), 10.0 ** rng.uniform(-6, 0, 100), 1 - 10.0 ** rng.uniform(-6, 0, 100)]
    )
    for p, level in zip(means, 10.0 ** rng.uniform(-6, 1.5, 500), strict=True):
        low, high = p, 1.0 - 2.0**-53
        for _ in range(80):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if kl(p, middle) <= level else (low, middle)
        assert bernoulli_upper(p, level) == pytest.approx(low, abs=1e-7)
    assert bernoulli_upper(0.0, 1.0) == pytest.approx(1 - math.exp(-1))
    assert bernoulli_upper(1.0, 1.0) == 1.0
    assert bernoulli_upper(0.3, 0.0) == 0.3


def test_the_highest_kl_bound_is_found_and_ties_are_fair():
    rng = np.random.default_rng(7)
    pulls = rng.integers(1, 50, (500, 6)).astype(float)
    paid = np.floor(pulls * rng.random((500, 6)))
    budget = rng.random((500, 6)) * 5
    actions = np.empty(500, np.int64)
    argmax_kl_bound(pulls, paid, budget, Streams.from_seeds(range(500), "test").state, actions)
    bounds = np.vectorize(bernoulli_upper)(paid / pulls, budget / pulls)
    assert np.array_equal(bounds[np.arange(500), actions], bounds.max(axis=1))
    stream = Streams.from_seeds(range(3000), "test")
    same, ones = np.tile([5.0, 9.0, 5.0], (3000, 1)), np.ones((3000, 3))
    actions = np.empty(3000, np.int64)
    argmax_kl_bound(same, np.tile([4.0, 1.0, 4.0], (3000, 1)), ones, stream.state, actions)
    assert np.bincount(actions, minlength=3) / 3000 == pytest.approx([0.5, 0.0, 0.5], abs=0.05)


# ------------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", CHANGING)
@pytest.mark.parametrize(
    ("world", "options"),
    [
        ("SwitchingBandit-v0", {"hazard": 0.02, "horizon": 100}),
        ("Bandit-v0", {"law": "beta", "arms": 4, "horizon": 120}),
        ("Bandit-v0", {"arms": 1, "horizon": 50}),
    ],
)
def test_member_equals_solo_across_episodes(name, world, options):
    population = make_agent(name, world, seeds=[3, 5, 8], env_kwargs=options).learn(170)
    together = population.get_arrays()
    for k, seed in enumerate([3, 5, 8]):
        alone = make_agent(name, world, seeds=[seed], env_kwargs=options).learn(170).get_arrays()
        for key, array in alone.items():
            assert np.array_equal(array[0], together[key][k]), key


@pytest.mark.parametrize("name", CHANGING)
def test_a_new_episode_begins_without_knowledge(name):
    agent = make_agent(name, "SwitchingBandit-v0", seeds=2, env_kwargs={"hazard": 0.02, "horizon": 40})
    agent.learn(40)
    assert agent.t.tolist() == [40.0, 40.0]
    agent.learn(1)
    assert agent.t.tolist() == [1.0, 1.0]
    fresh = agent.initial_state(2)
    fresh["t"][:] = 1.0
    agent.update = lambda *_: None
    agent._restart(np.ones(2, np.bool_))
    for key, array in agent.initial_state(2).items():
        assert np.array_equal(getattr(agent, key), array), key


@pytest.mark.parametrize("name", CHANGING)
def test_memory_does_not_grow_with_the_game(name):
    agent = make_agent(name, "SwitchingBandit-v0", seeds=2, horizon=300)
    shapes = {key: array.shape for key, array in agent.get_arrays().items()}
    agent.learn(500)
    assert {key: array.shape for key, array in agent.get_arrays().items()} == shapes


def test_forgetting_beats_ucb1_after_the_switch():
    """The game of Garivier & Moulines (2011): from round 3000 on, UCB1 loses about 510 (200 members: 514 +- 3)."""
    after = {}
    for name in (
        "ucb1",
        "discounted_ucb",
        "sliding_window_ucb",
        "discounted_thompson",
        "glr_kl_ucb",
        "cusum_ucb",
    ):
        cell = run_cell(name, "SwitchingBandit-v0", seeds=40, points=10)
        regret = cell.curves["regret"]
        after[name] = (regret[-1] - regret[cell.steps.tolist().index(3000)]).mean()
    assert after["ucb1"] > 490
    assert after["discounted_ucb"] < 0.8 * after["ucb1"]
    for name in ("sliding_window_ucb", "discounted_thompson", "glr_kl_ucb", "cusum_ucb"):
        assert after[name] < 0.6 * after["ucb1"], name


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("discounted_ucb", {"gamma": 0.0}, "gamma=0.0 must be above 0"),
        ("discounted_ucb", {"gamma": 1.1}, "gamma=1.1"),
        ("sliding_window_ucb", {"window": 0}, "window=0 must be at least 1"),
        ("exp3_s", {"alpha": -0.1}, "alpha=-0.1"),
        ("cusum_ucb", {"threshold": 0.0}, "threshold=0.0 must be above 0"),
        ("cusum_ucb", {"changes": 0}, "changes=0 must be at least 1"),
        ("glr_kl_ucb", {"restart": "both"}, "restart='both' must be one of 'local', 'global'"),
        ("glr_kl_ucb", {"splits": 5}, "splits=5 must be an even number"),
        ("glr_kl_ucb", {"delta": float("nan")}, "delta=nan"),
    ],
)
def test_bad_settings_are_refused_in_one_line(name, settings, says):
    with pytest.raises(UsageError) as error:
        make_agent(name, "SwitchingBandit-v0", **settings)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["discounted_thompson", "exp3_s", "cusum_ucb", "glr_kl_ucb"])
def test_unbounded_rewards_are_refused(name):
    with pytest.raises(UsageError, match="discounted_ucb or sliding_window_ucb would fit"):
        make_agent(name, "Bandit-v0", env_kwargs={"law": "gaussian"})
