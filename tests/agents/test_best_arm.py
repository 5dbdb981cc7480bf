"""Best-arm identification, against the papers' allocations and guarantees."""

import math

import numpy as np
import pytest

from rlcourse.agents import make_agent
from rlcourse.errors import UsageError
from rlcourse.experiments import run_cell
from tests.agents.worlds import watch

BEST_ARM = ["successive_elimination", "sequential_halving", "lucb"]


def arms_with(means, **options):
    return {"horizon": 10_000, **options, "means": means}


@pytest.mark.parametrize("law", ["bernoulli", "beta"])
def test_successive_elimination_follows_the_paper(law):
    K, delta, c = 4, 0.1, 4.0
    world = arms_with([0.9, 0.5, 0.4, 0.1], law=law)
    agent = make_agent("successive_elimination", "Bandit-v0", seeds=3, env_kwargs=world, delta=delta)
    actions, rewards = watch(agent, 3000)
    for member in range(3):
        left, paid, pulls, t = list(range(K)), np.zeros(K), 0, 0
        while len(left) > 1:
            pulls += 1
            for arm in left:
                assert actions[t, member] == arm
                paid[arm] += rewards[t, member]
                t += 1
            radius = math.sqrt(math.log(c * K * pulls**2 / delta) / pulls)
            best = max(paid[arm] / pulls for arm in left)
            left = [arm for arm in left if best - paid[arm] / pulls < 2 * radius]
        assert agent.stopping_time()[member] == t
        assert agent.recommendation()[member] == left[0]
        assert (actions[t:, member] == left[0]).all()


@pytest.mark.parametrize(("K", "budget"), [(2, 20), (5, 100), (8, 203), (10, 1000), (1, 10)])
def test_sequential_halving_allocates_as_the_paper(K, budget):
    world = {"arms": K, "horizon": budget + 50}
    agent = make_agent("sequential_halving", "Bandit-v0", seeds=3, env_kwargs=world, horizon=budget)
    actions, rewards = watch(agent, budget + 50)
    rounds = math.ceil(math.log2(K))
    for member in range(3):
        left, t = list(range(K)), 0
        for _ in range(rounds):
            pulls = budget // (len(left) * rounds)
            played, paid = (
                actions[t : t + pulls * len(left), member],
                rewards[t : t + pulls * len(left), member],
            )
            assert np.bincount(played, minlength=K)[left].tolist() == [pulls] * len(left)
            t += pulls * len(left)
            sums = {arm: paid[played == arm].sum() for arm in left}
            left = sorted(sorted(left, key=lambda arm: (-sums[arm], arm))[: math.ceil(len(left) / 2)])
        assert t <= budget
        assert agent.stopping_time()[member] == t
        assert agent.recommendation()[member] == left[0]
        assert (actions[t:, member] == left[0]).all()


def test_sequential_halving_keeps_to_the_horizon_of_its_world():
    agent = make_agent("sequential_halving", "Bandit-v0", env_kwargs={"arms": 4, "horizon": 80})
    assert [end for end, _ in agent.plan] == [40, 80]
    assert [keep for _, keep in agent.plan] == [2, 1]
    assert np.isnan(agent.learn(79).stopping_time()).all()
    assert agent.learn(1).stopping_time().tolist() == [80.0]


def test_lucb_follows_the_paper():
    K, delta = 4, 0.1
    world = arms_with([0.9, 0.5, 0.4, 0.1], law="beta")  # no ties, which rounding would break
    agent = make_agent("lucb", "Bandit-v0", seeds=3, env_kwargs=world, delta=delta)
    actions, rewards = watch(agent, 3000)
    for member in range(3):
        assert sorted(actions[:K, member]) == list(range(K))
        paid, pulls, t, round_ = np.zeros(K), np.zeros(K), K, 1
        for arm, reward in zip(actions[:K, member], rewards[:K, member], strict=True):
            paid[arm] += reward
            pulls[arm] += 1
        while True:
            beta = np.sqrt(np.log(1.25 * K * round_**4 / delta) / (2 * pulls))
            means = paid / pulls
            h = int(means.argmax())
            rest = [a for a in range(K) if a != h]
            rival = max(rest, key=lambda a: means[a] + beta[a])
            if means[rival] + beta[rival] <= means[h] - beta[h]:
                break
            assert actions[t : t + 2, member].tolist() == [h, rival]
            for arm, reward in zip((h, rival), rewards[t : t + 2, member], strict=True):
                paid[arm] += reward
                pulls[arm] += 1
            t, round_ = t + 2, round_ + 1
        assert agent.stopping_time()[member] == t
        assert agent.recommendation()[member] == h
        assert (actions[t:, member] == h).all()


@pytest.mark.parametrize("name", ["lucb", "successive_elimination"])
def test_wrong_answers_are_rarer_than_delta(name):
    delta = 0.1
    world = arms_with([0.5, 0.7, 0.4, 0.3])
    agent = make_agent(name, "Bandit-v0", seeds=300, env_kwargs=world, delta=delta).learn(9000)
    assert not np.isnan(agent.stopping_time()).any()
    assert (agent.recommendation() != 1).mean() <= delta
    assert np.array_equal(agent.select(None), agent.recommendation())


def test_lucb_with_epsilon_stops_earlier_and_is_near_the_best():
    world = arms_with([0.5, 0.6, 0.45, 0.3])
    exact = make_agent("lucb", "Bandit-v0", seeds=100, env_kwargs=world, delta=0.1).learn(9500)
    near = make_agent("lucb", "Bandit-v0", seeds=100, env_kwargs=world, delta=0.1, epsilon=0.12).learn(9500)
    assert near.stopping_time().mean() < 0.7 * np.nan_to_num(exact.stopping_time(), nan=9500).mean()
    assert (near.recommendation() >= 2).mean() <= 0.1


def test_lucb_needs_fewer_pulls_than_elimination_and_halving_finds_the_best():
    world = arms_with([0.8, 0.5, 0.5, 0.4, 0.3], horizon=6000)
    scores = {
        name: run_cell(name, "Bandit-v0", seeds=100, env_kwargs=world, agent_kwargs=settings, points=2).scores
        for name, settings in (
            ("lucb", {}),
            ("successive_elimination", {}),
            ("sequential_halving", {"horizon": 1000}),
        )
    }
    assert (
        scores["lucb"]["stopping_time"].mean()
        < 0.85 * scores["successive_elimination"]["stopping_time"].mean()
    )
    for name, score in scores.items():
        assert score["simple_regret"].shape == (100,), name
        assert score["simple_regret"].mean() < 0.01, name
    assert set(scores["sequential_halving"]["stopping_time"]) == {995.0}


@pytest.mark.parametrize("name", BEST_ARM)
def test_what_is_reported(name):
    agent = make_agent(name, "Bandit-v0", seeds=4, env_kwargs={"arms": 4, "horizon": 500}).learn(5)
    assert np.isnan(agent.stopping_time()).all()
    assert agent.stopping_time().dtype == np.float64
    assert agent.recommendation().shape == (4,)
    assert agent.recommendation().dtype == np.int64
    assert np.isnan(agent.final_scores()["stopping_time"]).all()
    actions, _ = agent.predict(np.zeros(4, np.int64))
    assert np.array_equal(actions, agent.recommendation())


@pytest.mark.parametrize("deterministic", [True, False])
def test_the_winner_of_the_race_is_what_it_predicts(deterministic):
    """Halving drops arms by the means of a round; a dropped one may have the best mean of all rounds."""
    world = {"law": "gaussian", "arms": 8, "horizon": 64}
    agent = make_agent("sequential_halving", "Bandit-v0", seeds=200, env_kwargs=world).learn(64)
    assert not np.isnan(agent.stopping_time()).any()
    winner = agent.left.argmax(axis=1)
    assert (agent.means.argmax(axis=1) != winner).any()
    assert np.array_equal(agent.recommendation(), winner)
    assert np.array_equal(agent.predict(np.zeros(200, np.int64), deterministic=deterministic)[0], winner)


@pytest.mark.parametrize("name", BEST_ARM)
def test_member_equals_solo_across_episodes(name):
    options = {"horizon": 300, "arms": 3}
    settings = {"horizon": 120} if name == "sequential_halving" else {"delta": 0.9}
    population = make_agent(name, "Bandit-v0", seeds=[3, 5, 8], env_kwargs=options, **settings).learn(500)
    together = population.get_arrays()
    for k, seed in enumerate([3, 5, 8]):
        solo = make_agent(name, "Bandit-v0", seeds=[seed], env_kwargs=options, **settings).learn(500)
        for key, array in solo.get_arrays().items():
            assert np.array_equal(array[0], together[key][k]), key


@pytest.mark.parametrize("name", BEST_ARM)
def test_a_new_episode_is_a_new_question(name):
    options = {"horizon": 200, "means": [0.99, 0.01]}
    agent = make_agent(
        name,
        "Bandit-v0",
        seeds=2,
        env_kwargs=options,
        **({"horizon": 100} if name == "sequential_halving" else {}),
    )
    assert not np.isnan(agent.learn(200).stopping_time()).any()
    assert np.isnan(agent.learn(1).stopping_time()).all()
    assert not np.isnan(agent.learn(199).stopping_time()).any()


def test_an_only_arm_is_known_to_be_the_best():
    for name in BEST_ARM:
        agent = make_agent(name, "Bandit-v0", env_kwargs={"arms": 1})
        assert agent.stopping_time().tolist() == [0.0]
        assert agent.learn(5).stopping_time().tolist() == [0.0]


def test_a_budget_that_is_too_small_is_refused():
    with pytest.raises(UsageError, match="horizon=39 pulls are too few for 10 arms: give at least 40"):
        make_agent("sequential_halving", "Bandit-v0", horizon=39)


@pytest.mark.parametrize("name", ["successive_elimination", "lucb"])
def test_unbounded_rewards_are_refused(name):
    with pytest.raises(UsageError, match="sequential_halving would fit"):
        make_agent(name, "Bandit-v0", env_kwargs={"law": "gaussian"})


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("lucb", {"delta": 0.0}, "delta=0.0 must be above 0"),
        ("lucb", {"epsilon": -0.1}, "epsilon=-0.1 must be at least 0"),
        ("successive_elimination", {"c": 1.0}, "c=1.0 must be at least 3.28987"),
        ("sequential_halving", {"horizon": 0}, "horizon=0 must be at least 1"),
    ],
)
def test_bad_settings_are_refused_in_one_line(name, settings, says):
    with pytest.raises(UsageError) as error:
        make_agent(name, "Bandit-v0", **settings)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
