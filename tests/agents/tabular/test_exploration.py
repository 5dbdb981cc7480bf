"""How actions are drawn: their frequencies against the formulas, in one state with known values and visits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare

from rlcourse.agents import make_agent
from rlcourse.agents.tabular.base import TabularAgent
from rlcourse.errors import UsageError
from tests.agents.tabular.worlds import in_random_model

VALUES = np.array([0.5, 1.0, 1.0])
VISITS = np.array([40, 9, 11])
DRAWS = 30_000


def standing(t: int, values: Any = VALUES, visits: Any = VISITS, **settings: Any) -> TabularAgent:
    """A learner at step `t` with these values and visits in state 3."""
    agent = in_random_model("expected_sarsa", 1, **settings)
    agent.Q[0, 3], agent.visits[0, 3], agent.t[0] = values, visits, t
    return agent


def draws(agent: TabularAgent) -> NDArray[np.int64]:
    actions, _ = agent.predict(np.full((1, DRAWS), 3), deterministic=False)
    return np.bincount(actions[0], minlength=3)


def mix(eps: float) -> NDArray[np.float64]:
    """Epsilon-greedy in state 3, where two actions are best."""
    return eps / 3 + (1 - eps) * np.array([0.0, 0.5, 0.5])


LAWS: list[tuple[dict[str, Any], int, NDArray[np.float64]]] = [
    ({"exploration_final_eps": 0.3}, 10**6, mix(0.3)),
    ({"exploration_final_eps": 0.0}, 5, mix(0.0)),
    ({"exploration": "linear", "exploration_final_eps": 0.2, "exploration_steps": 100}, 0, mix(1.0)),
    ({"exploration": "linear", "exploration_final_eps": 0.2, "exploration_steps": 100}, 50, mix(0.6)),
    ({"exploration": "linear", "exploration_final_eps": 0.2, "exploration_steps": 100}, 500, mix(0.2)),
    (
        {"exploration": "exponential", "exploration_final_eps": 0.1, "exploration_steps": 100},
        200,
        mix(0.1 + 0.9 * np.exp(-2.0)),
    ),
    ({"exploration": "inverse", "exploration_final_eps": 0.01, "exploration_steps": 50}, 100, mix(1 / 3)),
    ({"exploration": "inverse", "exploration_final_eps": 0.4, "exploration_steps": 50}, 900, mix(0.4)),
    ({"exploration": "glie", "exploration_initial_eps": 0.9}, 7, mix(0.9 / 60)),
    (
        {"exploration": "softmax", "temperature": 0.5},
        7,
        np.exp([0.0, 1.0, 1.0]) / np.exp([0.0, 1.0, 1.0]).sum(),
    ),
]


@pytest.mark.parametrize(("settings", "t", "law"), LAWS)
def test_frequencies(settings: dict[str, Any], t: int, law: NDArray[np.float64]) -> None:
    counts = draws(standing(t, **settings))
    possible = law > 0.0
    assert counts[~possible].sum() == 0
    assert chisquare(counts[possible], law[possible] * DRAWS).pvalue > 1e-4


@pytest.mark.parametrize(("settings", "t", "law"), LAWS)
def test_the_expected_value_is_that_of_the_law(
    settings: dict[str, Any], t: int, law: NDArray[np.float64]
) -> None:
    """One step of Expected Sarsa into state 3 from a pair that leads there for certain."""
    from rlcourse.agents.tabular.explore import expected, policy

    agent = standing(t, **settings)
    me = agent._tables(agent.stream).explorer
    assert expected(me, 0, 3, agent.Q[0, 3]) == pytest.approx(law @ VALUES, rel=1e-12)
    policy(me, 0, 3, agent.Q[0, 3])
    np.testing.assert_allclose(me.scratch[0], law, rtol=1e-12)


@pytest.mark.parametrize(
    ("exploration", "score"),
    [
        ("ucb", lambda bonus: VALUES + bonus * np.sqrt(np.log(60) / VISITS)),
        ("count_bonus", lambda bonus: VALUES + bonus / np.sqrt(VISITS)),
    ],
)
def test_bonuses(exploration: str, score: Any) -> None:
    for bonus in (0.01, 0.5, 5.0):
        counts = draws(standing(9, exploration=exploration, bonus=bonus))
        assert counts[score(bonus).argmax()] == DRAWS
    counts = draws(standing(9, visits=[3, 0, 0], exploration=exploration))
    assert counts[0] == 0
    assert chisquare(counts[1:]).pvalue > 1e-4
    assert (draws(standing(0, values=[1, 0, 0], visits=[0, 0, 0], exploration=exploration)) > 0).all()


def test_an_optimistic_start_tries_everything() -> None:
    """In a world of bad news without exploration, no action is left out."""
    settings = {"exploration_final_eps": 0.0, "gamma": 0.9}
    greedy = make_agent("q_learning", "CliffWalk-v0", seeds=5, initial_value=-1000.0, **settings).learn(2000)
    curious = make_agent("q_learning", "CliffWalk-v0", seeds=5, initial_value=0.0, **settings).learn(2000)
    assert (curious.visits > 0).mean() > 1.5 * (greedy.visits > 0).mean()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"exploration": "greedy"}, "must be one of 'constant', 'linear'"),
        ({"exploration_steps": 0}, "at least 1"),
        ({"temperature": 0.0}, "above 0"),
        ({"learning_rate": 1.5}, "at most 1"),
        ({"step_size_power": 0.5}, "above 0.5"),
        ({"epsilon": 0.1}, "unknown setting of q_learning 'epsilon'"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        in_random_model("q_learning", **settings)
