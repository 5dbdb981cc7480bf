"""The numbers of the worlds that change, show a context, or were written by an adversary."""

import math

import gymnasium
import numpy as np
import pytest

from .test_bandits import batch, within


def test_drift_variance():
    """After t rounds a mean is N(0, t drift^2), and arms drift independently."""
    env = batch("DriftingBandit-v0", 5_000, arms=4)
    assert np.all(env.arm_values() == 0.0)
    for _ in range(25):
        env.step(np.zeros(5_000, int))
    means = env.arm_values()
    assert within(means, 0.0)
    assert within(means**2, 25 * 0.01**2)
    assert within(means[:, 0] * means[:, 1], 0.0)


def test_default_switching_bandit_is_the_papers():
    """Means .5, .3 and .4, the third .9 in the rounds 3000 to 4999 (the first round is 0)."""
    env = batch("SwitchingBandit-v0", 1)
    assert env.n_rounds == 10_000
    seen = []
    for t in range(10_000):
        means = env.arm_values()[0].tolist()
        if not seen or seen[-1][1] != means:
            seen.append((t, means))
        env.step(np.zeros(1, int))
    assert seen == [(0, [0.5, 0.3, 0.4]), (3000, [0.5, 0.3, 0.9]), (5000, [0.5, 0.3, 0.4])]


def test_breakpoints_are_felt_in_their_round():
    env = batch("SwitchingBandit-v0", 2, breakpoints=[2, 3], means=[[1, 0], [0, 1], [1, 0]], horizon=5)
    steps = [env.step(np.zeros(2, int)) for _ in range(5)]
    assert [step[1].tolist() for step in steps] == [[r, r] for r in (1.0, 1.0, 0.0, 1.0, 1.0)]
    assert [step[4]["regret"][0] for step in steps] == [0.0, 0.0, 1.0, 0.0, 0.0]


def test_hazard():
    """A switch comes with the hazard's probability, to means from the prior."""
    env = batch("SwitchingBandit-v0", 20_000, hazard=0.2, prior_args=[0.2, 0.4])
    before = env.arm_values()
    env.step(np.zeros(20_000, int))
    after = env.arm_values()
    switched = (before != after).any(axis=1)
    assert within(switched, 0.2)
    assert np.all(before[~switched] == after[~switched])
    assert within(after[switched], 0.3)
    assert 0.2 <= after.min() <= after.max() <= 0.4


def test_reactive_machines_answer():
    """Up after a loss, down after a win, within the bounds; the others and the sure machine stay."""
    options = {"rise": 0.3, "fall": 0.2, "low": 0.1, "high": 0.9, "probabilities": [0.5, 0.5]}
    env = batch("ReactiveCandyMachines-v0", 1000, **options)
    for _ in range(30):
        before = env.arm_values() / 2
        rewards = env.step(np.ones(1000, int))[1]
        after = env.arm_values() / 2
        expected = np.clip(before[:, 1] + np.where(rewards == 2.0, -0.2, 0.3), 0.1, 0.9)
        np.testing.assert_allclose(after[:, 1], expected)
        assert np.all(after[:, 0] == 0.5)
        assert np.all(after[:, 2] == 0.5)
    rewards = env.step(np.zeros(1000, int))[1]
    assert np.all(rewards == 1.0)
    assert np.all(env.arm_values()[:, 0] == 1.0)


def test_reactive_machine_settles_where_rises_and_falls_balance():
    """p (1 - p) steps balance at p = rise / (rise + fall)."""
    env = batch("ReactiveCandyMachines-v0", 2000, machines=2)
    for _ in range(600):
        env.step(np.ones(2000, int))
    assert within(env.arm_values()[:, 1] / 2, 2 / 3)


def test_restless_chains():
    """They move without being pulled, by their matrices, towards their stationary distributions."""
    matrix = [[0.7, 0.3], [0.1, 0.9]]  # stationary: 1/4, 3/4
    copies = 20_000
    env = batch("RestlessBandit-v0", copies, transitions=[matrix, matrix], rewards=[[0, 1], [0, 1]])
    before = env.arm_values()
    assert within(before[:, 1], 0.5)
    env.step(np.zeros(copies, int))
    after = env.arm_values()
    assert within(after[before[:, 1] == 0, 1], 0.3)
    assert within(after[before[:, 1] == 1, 1], 0.9)
    assert within((after[:, 0] - after[:, 0].mean()) * (after[:, 1] - after[:, 1].mean()), 0.0)
    for _ in range(40):
        _, rewards, _, _, info = env.step(np.zeros(copies, int))
    assert within(rewards, 0.75)
    assert within(info["regret"], 0.25 * 0.75)  # arm 0 poor and arm 1 rich


def test_restless_impossible_moves_never_happen():
    env = batch(
        "RestlessBandit-v0", 2000, transitions=[[[0, 1, 0], [0, 0, 1], [1, 0, 0]]], rewards=[[0, 1, 2]]
    )
    state = env.arm_values()[:, 0]
    for _ in range(10):
        assert np.array_equal(env.step(np.zeros(2000, int))[1], state)
        assert np.array_equal(env.arm_values()[:, 0], (state + 1) % 3)
        state = env.arm_values()[:, 0]


@pytest.mark.parametrize("payoff", ["linear", "logistic", "quadratic"])
@pytest.mark.parametrize("parameters", ["per_arm", "shared"])
def test_contextual_payoffs(payoff, parameters):
    """Means follow the formula from the context that is shown and theta; rewards follow the means."""
    env = batch("ContextualBandit-v0", 20_000, payoff=payoff, parameters=parameters, arms=3, dim=4)
    theta = env.get_state()["theta"]
    norm = 4.0 if payoff == "logistic" else 1.0
    np.testing.assert_allclose(np.linalg.norm(theta, axis=-1), norm)
    context, _ = env.reset(options={"same_problem": True})
    np.testing.assert_allclose(np.linalg.norm(context, axis=-1), 1.0)
    assert within(context, 0.0)
    score = np.einsum("bd,bkd->bk" if parameters == "shared" else "bkd,bd->bk", theta, context)
    means = {"linear": score, "logistic": 1 / (1 + np.exp(-score)), "quadratic": score**2}[payoff]
    np.testing.assert_allclose(env.arm_values(), means, atol=1e-14)
    following, rewards, _, _, info = env.step(np.ones(20_000, int))
    np.testing.assert_allclose(info["regret"], means.max(axis=1) - means[:, 1], atol=1e-14)
    noise = rewards - means[:, 1]
    assert within(noise, 0.0)
    assert within(noise**2, (means[:, 1] * (1 - means[:, 1])).mean() if payoff == "logistic" else 0.01)
    assert not np.array_equal(following, context)


def filter_slowly(history, means, transitions, cues):
    """Bayes' rule over regimes, for one game: the cue, then the reward, then the move, a round at a time."""
    belief = np.full(len(means), 1 / len(means))
    beliefs = []
    for cue, action, reward in history:
        belief = np.array([b * cues[r][cue] for r, b in enumerate(belief)])
        belief /= belief.sum()
        beliefs.append(belief)
        likelihood = [m[action] if reward == 1 else 1 - m[action] for m in means]
        belief = np.array([b * w for b, w in zip(belief, likelihood, strict=True)])
        belief = np.array(
            [sum(b * transitions[r][q] for r, b in enumerate(belief)) for q in range(len(means))]
        )
        belief /= belief.sum()
    return beliefs


def test_bayes_filter():
    """The filter equals a slow reference, and its expected means are calibrated: they are what is earned."""
    means, transitions = [[0.1, 0.7, 0.4], [0.8, 0.2, 0.5]], [[0.9, 0.1], [0.2, 0.8]]
    cues = [[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]]
    env = batch("HiddenContextBandit-v0", 3000, means=means, transitions=transitions, cues=cues)
    cue, _ = env.reset(seed=1)
    history, values, earned, expected = [], [], [], []
    for t in range(30):
        values.append(env.arm_values())
        actions = values[-1].argmax(axis=1) if t % 3 else np.full(3000, t % 2)
        expected.append(values[-1][np.arange(3000), actions])
        following, rewards, _, _, _ = env.step(actions)
        history.append((cue, actions, rewards))
        earned.append(rewards)
        cue = following
    for i in (0, 1, 2999):
        beliefs = filter_slowly([[part[i] for part in step] for step in history], means, transitions, cues)
        np.testing.assert_allclose([value[i] for value in values], np.array(beliefs) @ means, atol=1e-12)
    assert within(np.array(earned) - np.array(expected), 0.0)


def test_memory_helps_and_the_truth_is_out_of_reach():
    """Trusting the cue alone earns less than the filter, and the filter less than one who sees the regime."""
    env = batch("HiddenContextBandit-v0", 2000)
    state = env.get_state()
    np.testing.assert_array_equal(np.sort(state["table"], axis=2)[0, 0], [0.3, 0.3, 0.8])
    own = state["table"].argmax(axis=2)
    cue, _ = env.reset(options={"same_problem": True})
    totals = {"cue": 0.0, "filter": 0.0}
    for who in totals:
        for _ in range(200):
            actions = env.arm_values().argmax(axis=1) if who == "filter" else own[np.arange(2000), cue]
            cue, _, _, _, info = env.step(actions)
            totals[who] += info["regret"].mean() / 200
    assert totals["cue"] == pytest.approx(
        0.4 * 0.5, abs=0.005
    )  # wrong in 40% of the rounds, at a loss of 0.5
    assert 0.02 < totals["filter"] < 0.7 * totals["cue"]


ADVERSARIES = ["switching", "wandering", "periodic", "fools_ucb"]


@pytest.mark.parametrize("horizon", [23, 200])
@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_adversarial_regret_is_against_the_best_fixed_arm(adversary, horizon):
    """Pulling each arm all the time gives the columns: their averages are the arms' values, the best is the champion."""
    options = {"adversary": adversary, "horizon": horizon, "period": 7, "arms": 3}
    columns, regrets = [], []
    for arm in range(3):
        env = batch("AdversarialBandit-v0", 5, autoreset_mode="Disabled", **options)
        values = env.arm_values()
        steps = [env.step(np.full(5, arm)) for _ in range(horizon)]
        columns.append([step[1] for step in steps])
        regrets.append(sum(step[4]["regret"] for step in steps))
        assert steps[-1][3].all()
    table = np.array(columns)  # [K, T, B]
    assert 0.0 <= table.min() <= table.max() <= 1.0
    np.testing.assert_allclose(table.mean(axis=1).T, values, atol=1e-11)
    best = table.sum(axis=1).max(axis=0)
    for arm in range(3):
        np.testing.assert_allclose(regrets[arm], best - table[arm].sum(axis=0), atol=1e-9)
    if adversary != "fools_ucb":
        assert not np.array_equal(table[..., 0], table[..., 1])


def test_adversarial_period_of_one_round():
    for adversary in ("wandering", "periodic"):
        env = batch("AdversarialBandit-v0", 2, adversary=adversary, period=1, horizon=9)
        rewards = sum(env.step(np.zeros(2, int))[1] for _ in range(9))
        env = batch("AdversarialBandit-v0", 2, adversary=adversary, period=1, horizon=9)
        np.testing.assert_allclose(rewards / 9, env.arm_values()[:, 0], atol=1e-12)


@pytest.mark.parametrize(("arms", "bonus"), [(2, 2.0), (5, 2.0), (5, 0.5), (10, 2.0)])
def test_the_trap_fools_ucb(arms, bonus):
    """UCB earns next to nothing, and so has regret (1 - 1/K) T; a uniform player has almost none."""
    rounds = 5000
    env = gymnasium.make("rlcourse/AdversarialBandit-v0", adversary="fools_ucb", arms=arms, horizon=rounds)
    env.reset(seed=0)
    counts, sums, regret = np.zeros(arms), np.zeros(arms), 0.0
    order = np.random.default_rng(0).permutation(arms)  # the first tries may come in any order
    for t in range(rounds):
        index = sums / counts + np.sqrt(bonus * math.log(t) / counts) if t >= arms else order == t
        arm = np.argmax(index)
        _, reward, _, _, info = env.step(arm)
        counts[arm] += 1
        sums[arm] += reward
        regret += info["regret"]
    assert sums.sum() < 0.01
    assert regret == pytest.approx((1 - 1 / arms) * rounds, rel=0.01)
    env.reset(seed=0)
    player = np.random.default_rng(1)
    uniform = sum(env.step(player.integers(arms))[4]["regret"] for _ in range(rounds))
    assert abs(uniform) < 4 * math.sqrt(rounds)
