"""What every bandit strategy in the registry must do; a new one is tested the day it is registered."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv

from rlcourse.agents import agent_class, load_agent, make_agent
from rlcourse.agents.bandits.best_arm import BestArmAgent
from rlcourse.errors import UsageError
from tests.agents.worlds import (
    ROUNDED,
    ROUNDS,
    STRATEGIES,
    UNEVEN,
    ask,
    assert_same,
    build,
    fitting_world,
    needs_more_than_rewards,
    observations,
)

every_strategy = pytest.mark.parametrize("name", STRATEGIES)
STEPS = 2 * ROUNDS + 30
"""Two games and a half: what is learned must be dropped twice."""


@every_strategy
def test_member_equals_solo(name: str) -> None:
    population = build(name, [11, 0, 5, 2**40, 7]).learn(STEPS)
    for k, seed in ((0, 11), (3, 2**40), (4, 7)):
        assert_same(population, build(name, [seed]).learn(STEPS), [k])


@pytest.mark.parametrize("name", [name for name in STRATEGIES if not needs_more_than_rewards(name)])
def test_member_equals_solo_where_games_end_at_different_times(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SyncVectorEnv, "reward_range", (0.0, 1.0), raising=False)
    monkeypatch.setattr(SyncVectorEnv, "n_rounds", 50, raising=False)
    population = make_agent(name, UNEVEN, seeds=6).learn(120)
    for k in range(6):
        assert_same(population, make_agent(name, UNEVEN, seeds=[k]).learn(120), [k])


@every_strategy
def test_learning_twice_and_in_pieces_is_the_same(name: str) -> None:
    whole = build(name, 3).learn(STEPS)
    assert_same(whole, build(name, 3).learn(STEPS))
    pieces = build(name, 3).learn(1).learn(ROUNDS - 1).learn(2).learn(STEPS - ROUNDS - 2)
    assert_same(whole, pieces)
    assert whole.num_timesteps == STEPS


@every_strategy
def test_members_differ(name: str) -> None:
    if name == "perfect_knowledge":
        pytest.skip("the one that is told the truth may well do the same in all worlds")
    means = build(name, 8).learn(ROUNDS // 2).means
    assert len(np.unique(means, axis=0)) > 1


@every_strategy
@pytest.mark.parametrize("trained", [0, 3, ROUNDS + 7])
def test_saved_copied_and_pickled_go_on_exactly(name: str, trained: int, tmp_path: Any) -> None:
    agent = build(name, 3)
    if trained:
        agent.learn(trained)
    agent.save(tmp_path / "agent")
    twins = [load_agent(tmp_path / "agent"), copy.deepcopy(agent), pickle.loads(pickle.dumps(agent))]
    agent.learn(STEPS)
    for twin in twins:
        assert type(twin) is type(agent)
        assert_same(agent, twin.learn(STEPS))


@every_strategy
def test_a_member_goes_on_as_in_its_population(name: str) -> None:
    agent = build(name, 4).learn(ROUNDS + 7)
    member = agent.member(2)
    assert member.seeds == [2]
    agent.learn(ROUNDS)
    assert_same(agent, member.learn(ROUNDS), [2])
    with pytest.raises(UsageError, match=r"choose from 0\.\.3"):
        agent.member(4)


@every_strategy
def test_predict_shapes(name: str) -> None:
    agent, one = build(name, 3).learn(20), build(name, 1).learn(20)
    for deterministic in (True, False):
        for learner, lead in ((agent, (3,)), (agent, (3, 4)), (one, ()), (one, (5,)), (one, (1,))):
            actions, state = ask(learner, *lead, deterministic=deterministic)
            assert isinstance(actions, np.ndarray)
            assert actions.shape == lead
            assert actions.dtype == np.int64
            assert state is None
            assert np.all((actions >= 0) & (actions < learner.n_arms))
    with pytest.raises(UsageError, match="one for each member"):
        agent.predict(observations(agent, 2))


@every_strategy
def test_observations_that_are_none_are_refused(name: str) -> None:
    agent = build(name, 2)
    right = observations(agent, 2, 3)
    for wrong in (
        right[:, :0],
        right.astype(str),
        None,
        "x",
        [[0], [0, 0]],
        right[..., None],
        np.full(2, None),
    ):
        with pytest.raises(UsageError, match="the observation ") as caught:
            agent.predict(wrong)
        assert "\n" not in str(caught.value)
    if agent.looks:  # a context twice as long would do for two arms
        with pytest.raises(UsageError, match=r"expected numbers, for each copy \[2\]"):
            agent.predict(np.zeros((2, 4)))
    for wrong in ("a", 1.5, None, True, 2, -3):
        with pytest.raises(UsageError, match="member"):
            agent.member(wrong)


@every_strategy
def test_predict_does_not_disturb_training(name: str) -> None:
    plain, asked = build(name, 3), build(name, 3)
    for part in (2, 1, 30, ROUNDS):
        plain.learn(part)
        asked.learn(part)
        for deterministic in (True, False):
            ask(asked, 3, 2, deterministic=deterministic)
    trained, disturbed = plain.get_arrays(), asked.get_arrays()
    for key, array in trained.items():
        if key != "streams/predict":
            np.testing.assert_array_equal(array, disturbed[key], err_msg=key)


@every_strategy
def test_deterministic_prediction_maximises_values(name: str) -> None:
    if name == "random":
        pytest.skip("there is no best arm to one who chooses by chance")
    agent = build(name, 5).learn(ROUNDS // 2)
    observation = observations(agent, 5)
    actions, _ = ask(agent, 5)
    values = agent.values(observation)
    assert values.shape == (5, agent.n_arms)
    np.testing.assert_array_equal(np.take_along_axis(values, actions[:, None], 1)[:, 0], values.max(axis=1))


@every_strategy
@pytest.mark.parametrize("world", ["FrozenLake-v1", "Pendulum-v1"])
def test_a_world_that_does_not_fit_is_refused(name: str, world: str) -> None:
    with pytest.raises(UsageError, match="fits worlds") as caught:
        make_agent(name, world)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    if world.startswith("F") and "Contextual" in fitting_world(name)[0]:
        assert "such as ContextualBandit-v0" in str(caught.value)


@every_strategy
def test_unbounded_rewards_are_refused_where_bounds_are_needed(name: str) -> None:
    world, _ = fitting_world(name)
    world, options = (
        (world, {"payoff": "linear"}) if "Contextual" in world else ("Bandit-v0", {"law": "gaussian"})
    )
    if agent_class(name).needs_bounded_rewards is None and name not in ("kl_ucb", "bayes_ucb", "imed"):
        make_agent(name, world, env_kwargs=options).learn(5)
        return
    with pytest.raises(UsageError, match=r"needs bounded rewards.* would fit") as caught:
        make_agent(name, world, env_kwargs=options)
    assert "\n" not in str(caught.value)


@every_strategy
def test_settings_are_checked(name: str) -> None:
    for field in dataclasses.fields(agent_class(name).config_class):
        with pytest.raises(UsageError, match=f"did you mean .*{field.name}") as caught:
            build(name, **{field.name + "x": 1})
        assert "\n" not in str(caught.value)
        for wrong in (float("nan"), [], {"a": 1}, -(10**9) if isinstance(field.default, bool) else "far"):
            with pytest.raises(UsageError, match=f"{field.name}=") as caught:
                build(name, **{field.name: wrong})
            assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="unknown setting"):
        build(name, no_such_setting_at_all=1)


@every_strategy
def test_the_settings_of_a_strategy_say_their_source(name: str) -> None:
    """Every field of a configuration is followed by a sentence."""
    import ast
    import inspect
    import textwrap

    kind = agent_class(name).config_class
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body  # type: ignore[attr-defined]
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign):
            assert isinstance(following, ast.Expr), ast.unparse(node)
    assert agent_class(name).__doc__


@pytest.mark.parametrize("name", [name for name in STRATEGIES if not needs_more_than_rewards(name)])
def test_extreme_worlds_give_no_warning_and_no_infinity(name: str) -> None:
    """One arm; arms that always or never pay; a range of width zero; negative rewards. Warnings are errors here."""
    for options in (
        {"arms": 1},
        {"means": [0.0, 0.0, 0.0]},
        {"means": [1.0, 1.0]},
        {"means": [0.0, 1.0]},
        {"law": "discrete", "arms": 3, "values": [0.5]},
        {"law": "uniform", "means": [-3.0, -2.5]},
    ):
        agent = make_agent(name, "Bandit-v0", seeds=2, env_kwargs={**options, "horizon": 70}).learn(100)
        assert np.isfinite(agent.means).all()
        assert (agent.counts.sum(axis=1) <= 100).all()
        assert agent.predict(np.zeros(2, int), deterministic=False)[0].shape == (2,)


EXTREME_SETTINGS = [
    ("gaussian_thompson", "gaussian", {"prior_sd": 1e-200}),
    ("gaussian_thompson", "gaussian", {"sigma": 1e200}),
    ("gaussian_thompson", "gaussian", {"prior_sd": 1e200}),
    ("imed", "gaussian", {"divergence": "gaussian", "sigma": 1e200}),
    ("softmax", "gaussian", {"temperature": 1e-310}),
    ("epsilon_first", "gaussian", {"exploration": "softmax", "temperature": 1e-310, "epsilon": 1.0}),
    ("sliding_window_ucb", "gaussian", {"window": 2**60}),
    ("glr_kl_ucb", "bernoulli", {"alpha": 5e-324}),
]


@pytest.mark.parametrize(("name", "law", "settings"), EXTREME_SETTINGS)
def test_extreme_settings_do_no_harm(name: str, law: str, settings: dict[str, Any]) -> None:
    options = {"law": law, "means": [0.1, 0.2, 0.9], "horizon": 60}
    agent = make_agent(name, "Bandit-v0", seeds=20, env_kwargs=options, **settings).learn(60)
    assert all(np.isfinite(array).all() for array in agent.get_arrays().values() if array.dtype.kind == "f")
    if name in ("softmax", "epsilon_first"):  # greed: most pulls are of one arm
        assert (agent.counts.max(axis=1) > 30).all()


# ---------------------------------------------------------------- must learn

EASY = {"means": [0.1, 0.2, 0.3, 0.4, 0.9], "law": "bernoulli", "horizon": 100_000}
HORIZON = 2000
SEEDS = 50
WARY = {"discounted_ucb", "sliding_window_ucb", "discounted_thompson", "exp3_s", "cusum_ucb", "glr_kl_ucb"}
"""Strategies that reckon with a change at any time, and pay for it where nothing changes."""


IDENTIFIERS = [name for name in STRATEGIES if issubclass(agent_class(name), BestArmAgent)]
"""Strategies that spend pulls to name the best arm, whatever these pulls pay."""


def play(name: str, world: str, options: dict[str, Any]) -> tuple[float, float, float]:
    """Mean regret a round, its standard error, and the share of rounds without regret in the last fifth."""
    settings = {"horizon": HORIZON} if hasattr(agent_class(name).config_class, "horizon") else {}
    seeds = SEEDS
    if name in ROUNDED:  # networks take their time
        seeds, settings = 10, {"gradient_steps": 15}
    agent = make_agent(name, world, seeds=seeds, env_kwargs=options, **settings)
    regret = np.zeros((HORIZON, seeds))
    step = agent.venv.step

    def watched(actions: Any) -> Any:
        result = step(actions)
        regret[agent.num_timesteps] = result[4]["regret"]
        return result

    agent.venv.step = watched  # type: ignore[method-assign]
    agent.learn(HORIZON)
    mean = regret.mean(axis=0)
    return mean.mean(), mean.std() / np.sqrt(seeds), (regret[-HORIZON // 5 :] == 0.0).mean()


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_names_the_best_arm(name: str) -> None:
    settings = {"horizon": HORIZON} if hasattr(agent_class(name).config_class, "horizon") else {}
    agent = make_agent(name, "Bandit-v0", seeds=SEEDS, env_kwargs=EASY, **settings).learn(HORIZON)
    assert (agent.recommendation() == 4).mean() > 0.9


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in IDENTIFIERS])
def test_learns(name: str) -> None:
    """A third of the regret of a random player, and the best arm in four rounds of five at the end.

    For the wary, and where near-ties are common (random contexts): half the regret, and three rounds of five.
    """
    world, options = fitting_world(name)
    if world == "ContextualBandit-v0":
        options = {**options, "horizon": 100_000}
        uniform = play("random", world, options)[0]
    else:
        world, options = "Bandit-v0", EASY
        uniform = 0.9 - 0.38
    mean, error, best = play(name, world, options)
    if name == "random":
        assert abs(mean - uniform) < 5 * error
        return
    wary = name in WARY or world == "ContextualBandit-v0"
    assert mean + 3 * error < uniform / (2 if wary else 3)
    assert best > (0.6 if wary else 0.8)
