"""Every rule against a slow transcription of its equations, over a path with ends of both kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rlcourse.errors import UsageError
from rlcourse.streams import Streams
from tests.agents.tabular import references
from tests.agents.tabular.references import followers
from tests.agents.tabular.worlds import Step, in_random_model, watch

STEPS = 200
ALPHA, GAMMA, EPS = 0.3, 0.9, 0.4
COMMON: dict[str, Any] = {"learning_rate": ALPHA, "gamma": GAMMA, "exploration_final_eps": EPS}
SETTINGS: dict[str, Any] = {"alpha": ALPHA, "gamma": GAMMA, "eps": EPS}


def followed(name: str, **settings: Any) -> Any:
    """A population after some steps, and their paths."""
    agent = in_random_model(name, **settings)
    paths = watch(agent, STEPS)
    ends = [step for path in paths for step in path if step.terminated or step.truncated]
    assert {step.truncated for step in ends} == {True, False}
    return agent, paths


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["q_learning", "expected_sarsa"])
def test_one_step(name: str) -> None:
    agent, paths = followed(name, **COMMON, initial_value=2.0)
    for k, path in enumerate(paths):
        Q = np.full((7, 3), 2.0)
        getattr(references, name)(Q, path, **SETTINGS)
        close(agent.Q[k], Q)


def test_sarsa() -> None:
    """Where the next action is drawn and not seen, it is one of those that there are."""
    agent = in_random_model("sarsa", 1, **COMMON)
    truncations = 0
    for _ in range(STEPS):
        Q = agent.Q[0].copy()
        ((s,),) = watch(agent, 1)
        b = agent.next_action[0]
        if s.terminated:
            targets = [s.r]
        elif s.truncated:
            truncations += 1
            targets = [s.r + GAMMA * Q[s.y, a] for a in range(3)]
        else:
            targets = [s.r + GAMMA * Q[s.y, b]]
        expected = [Q[s.x, s.a] + ALPHA * (target - Q[s.x, s.a]) for target in targets]
        assert np.isclose(agent.Q[0, s.x, s.a], expected, rtol=1e-12).any()
        Q[s.x, s.a] = agent.Q[0, s.x, s.a]
        close(agent.Q[0], Q)
    assert truncations > 3


def test_double_q_learning() -> None:
    agent = in_random_model("double_q_learning", 1, **COMMON)
    learned = [0, 0]
    for _ in range(STEPS):
        before = [agent.Q1[0].copy(), agent.Q2[0].copy()]
        ((s,),) = watch(agent, 1)
        after = [agent.Q1[0].copy(), agent.Q2[0].copy()]
        who = int((after[1] != before[1]).any())
        mine, judge = before[who], before[1 - who]
        best = np.flatnonzero(mine[s.y] == mine[s.y].max())
        targets = [s.r] if s.terminated else s.r + GAMMA * judge[s.y, best]
        assert np.isclose(
            after[who][s.x, s.a], [mine[s.x, s.a] + ALPHA * (target - mine[s.x, s.a]) for target in targets]
        ).any()
        np.testing.assert_array_equal(after[1 - who], judge)
        learned[who] += 1
        close(agent.Q, (agent.Q1 + agent.Q2) / 2)
    assert min(learned) > 0.35 * STEPS


@pytest.mark.parametrize("visit", ["first", "every"])
@pytest.mark.parametrize("step_size", ["average", "constant"])
def test_monte_carlo(visit: str, step_size: str) -> None:
    agent, paths = followed("monte_carlo", **COMMON, visit=visit, step_size=step_size)
    for k, path in enumerate(paths):
        Q = np.zeros((7, 3))
        alpha = ALPHA if step_size == "constant" else None
        references.monte_carlo(Q, path, alpha, GAMMA, EPS, first=visit == "first")
        close(agent.Q[k], Q)


def test_an_episode_that_is_too_long_is_cut_for_learning() -> None:
    for name in ("monte_carlo", "tabular_reinforce"):
        agent: Any = in_random_model(name, 30, longest_episode=5, max_steps=50)
        assert agent.path_x.shape == (30, 5)
        agent.learn(4)
        going_on = agent.episodes == 0
        assert going_on.sum() > 5
        assert (agent.values()[going_on] == 0.0).all()
        assert (agent.length[going_on] == 4).all()
        agent.learn(1)
        assert (agent.values()[going_on] != 0.0).any(axis=(1, 2)).all()
        assert (agent.length[going_on] == 0).all()


@pytest.mark.parametrize("n", [1, 3, 30])
def test_tree_backup(n: int) -> None:
    agent, paths = followed("tree_backup", **COMMON, n_steps=n)
    for k, path in enumerate(paths):
        Q = np.zeros((7, 3))
        references.tree_backup(Q, path, **SETTINGS, n=n)
        close(agent.Q[k], Q)


def test_one_step_of_tree_backup_is_expected_sarsa_and_of_n_step_sarsa_sarsa() -> None:
    for n_step, plain in (("tree_backup", "expected_sarsa"), ("n_step_sarsa", "sarsa")):
        one = in_random_model(n_step, **COMMON, n_steps=1).learn(STEPS)
        close(one.Q, in_random_model(plain, **COMMON).learn(STEPS).Q)


@pytest.mark.parametrize("n", [2, 5, 40])
def test_n_step_sarsa(n: int) -> None:
    """Without truncation, so that every next action is seen."""
    agent = in_random_model("n_step_sarsa", **COMMON, n_steps=n, max_steps=100_000)
    for k, path in enumerate(watch(agent, STEPS)):
        Q = np.zeros((7, 3))
        after = followers(path, agent.next_action[k])
        place = 0
        for episode in references.episodes(path):
            T, over = len(episode), episode[-1].terminated
            for tau in range(T if over else max(0, T - n + 1)):
                end = min(tau + n, T)
                g = sum(GAMMA ** (j - tau) * episode[j].r for j in range(tau, end))
                if not (over and end == T):
                    g += GAMMA ** (end - tau) * Q[episode[end - 1].y, after[place + end - 1]]
                Q[episode[tau].x, episode[tau].a] += ALPHA * (g - Q[episode[tau].x, episode[tau].a])
            place += T
        close(agent.Q[k], Q)


@pytest.mark.parametrize("kind", ["accumulating", "replacing", "dutch"])
@pytest.mark.parametrize("decay", [0.0, 0.7, 1.0])
class TestTraces:
    """Without truncation, so that every next action is seen."""

    def test_sarsa_lambda(self, kind: str, decay: float) -> None:
        agent = in_random_model("sarsa_lambda", **COMMON, traces=kind, trace_decay=decay, max_steps=100_000)
        for k, path in enumerate(watch(agent, STEPS)):
            Q, place = np.zeros((7, 3)), 0
            after = followers(path, agent.next_action[k])
            for episode in references.episodes(path):
                E = np.zeros_like(Q)
                for s in episode:
                    b = after[place]
                    place += 1
                    references.mark(E, (s.x, s.a), kind, ALPHA)
                    Q += ALPHA * (s.r + (0 if b < 0 else GAMMA * Q[s.y, b]) - Q[s.x, s.a]) * E
                    E *= GAMMA * decay
            close(agent.Q[k], Q)

    def test_q_lambda(self, kind: str, decay: float) -> None:
        agent = in_random_model("q_lambda", **COMMON, traces=kind, trace_decay=decay, max_steps=100_000)
        for k, path in enumerate(watch(agent, STEPS)):
            Q = np.zeros((7, 3))
            after = followers(path, agent.next_action[k])
            references.q_lambda(Q, path, **SETTINGS, decay=decay, kind=kind, after=after)
            close(agent.Q[k], Q)

    def test_td_prediction(self, kind: str, decay: float) -> None:
        agent, paths = followed(
            "td_prediction", learning_rate=ALPHA, gamma=GAMMA, traces=kind, trace_decay=decay
        )
        for k, path in enumerate(paths):
            V = np.zeros(7)
            references.td_lambda(V, path, ALPHA, GAMMA, decay, kind)
            close(agent.V[k], V)


@pytest.mark.parametrize("bonus", [None, 0.05])
def test_dyna(bonus: float | None) -> None:
    """Step by step, with the draws of the planning taken from the member's own stream once more."""
    n = 6
    extra = {} if bonus is None else {"kappa": bonus}
    agent = in_random_model(
        "dyna_q" if bonus is None else "dyna_q_plus", 1, **COMMON, **extra, planning_steps=n
    )
    Q, model, seen, tried = np.zeros((7, 3)), {}, [], {}
    for t in range(1, STEPS + 1):
        ((s,),) = watch(agent, 1)
        references.q_learning(Q, [s], ALPHA, GAMMA)
        for a in [s.a] if bonus is None else range(3):
            if (s.x, a) not in model:
                seen.append((s.x, a))
                model[s.x, a], tried[s.x, a] = Step(s.x, a, 0.0, s.x, False, False), 0
        if bonus is None:
            assert len(seen) == len(model)
        model[s.x, s.a], tried[s.x, s.a] = s, t
        draws = Streams(agent.stream.state.copy())
        draws.skip(-n)
        for _ in range(n):
            pair = seen[int(draws.integers(len(seen))[0])]
            m = model[pair]
            reward = m.r + (0 if bonus is None else bonus * np.sqrt(t - tried[pair]))
            references.q_learning(Q, [m._replace(r=reward)], ALPHA, GAMMA)
        close(agent.Q[0], Q)


@pytest.mark.parametrize("branches", [1, 2])
def test_prioritized_sweeping(branches: int) -> None:
    """In the stochastic world, pairs change the state that they lead to."""
    agent = in_random_model(
        "prioritized_sweeping", **COMMON, planning_steps=4, threshold=0.01, branches=branches
    )
    for k, path in enumerate(watch(agent, STEPS)):
        Q = np.zeros((7, 3))
        queue = references.sweeping(Q, path, ALPHA, GAMMA, 4, 0.01)
        close(agent.Q[k], Q)
        heap = agent.heap[k, : agent.waiting[k]]  # type: ignore[attr-defined]
        waiting = {divmod(int(pair), 3): agent.urgency[k, pair] for pair in heap}  # type: ignore[attr-defined]
        assert waiting.keys() == queue.keys()
        close([waiting[pair] for pair in queue], list(queue.values()))


@pytest.mark.parametrize("decay", [0.0, 0.6])
def test_actor_critic(decay: float) -> None:
    settings = {"learning_rate": 0.2, "critic_learning_rate": ALPHA, "gamma": GAMMA}
    agent, paths = followed("tabular_actor_critic", **settings, trace_decay=decay)
    for k, path in enumerate(paths):
        H, V = np.zeros((7, 3)), np.zeros(7)
        references.actor_critic(H, V, path, 0.2, ALPHA, GAMMA, decay)
        close(agent.Q[k], H)
        close(agent.V[k], V)


def test_reinforce() -> None:
    agent, paths = followed("tabular_reinforce", learning_rate=0.2, critic_learning_rate=ALPHA, gamma=GAMMA)
    for k, path in enumerate(paths):
        H, V = np.zeros((7, 3)), np.zeros(7)
        references.reinforce(H, V, path, 0.2, ALPHA, GAMMA)
        close(agent.Q[k], H)
        close(agent.V[k], V)


@pytest.mark.parametrize("step_size", ["average", "polynomial"])
def test_step_sizes(step_size: str) -> None:
    agent, paths = followed("q_learning", gamma=GAMMA, step_size=step_size, step_size_power=0.7)
    for k, path in enumerate(paths):
        Q, n = np.zeros((7, 3)), np.zeros((7, 3))
        for s in path:
            n[s.x, s.a] += 1
            rate = n[s.x, s.a] ** -(1.0 if step_size == "average" else 0.7)
            references.q_learning(Q, [s], rate, GAMMA)
        close(agent.Q[k], Q)


def test_a_policy_for_other_states_is_refused() -> None:
    for wrong in ([0, 1], [0] * 6 + [3], [-1] * 7):
        with pytest.raises(UsageError, match=r"an action of 0\.\.2 for each of the 7 states"):
            in_random_model("td_prediction", policy=wrong)
    agent = in_random_model("td_prediction", policy=[0, 1, 2, 0, 1, 2, 0]).learn(STEPS)
    assert (agent.visits.argmax(axis=2) == agent.greedy_policy()).sum() > 15
    assert (agent.visits > 0).sum(axis=2).max() == 1
