"""The bonus for what was rarely observed, against a count that is kept by hand."""

import numpy as np
import pytest

from rlcourse.agents import load_agent, make_agent

WORLD = {"layout": "S.2\n.#.\n..E", "max_steps": 30}


def watched(agent, steps):
    """What the agent was told of each step: next rows and rewards, lists of `[S N, ...]`."""
    seen, observe = [], agent.observe

    def note(rows, actions, rewards, next_rows, terminated, truncated):
        seen.append((next_rows.copy(), rewards.copy()))
        observe(rows, actions, rewards, next_rows, terminated, truncated)

    agent.observe = note
    agent.learn(steps)
    del agent.observe
    return seen


@pytest.mark.parametrize("observation", ["index", "planes"])
def test_is_beta_over_the_root_of_the_count(observation):
    options = {**WORLD, "observation": observation}
    settings = {"seeds": 3, "env_kwargs": options, "n_envs": 2}
    agent = make_agent("a2c", "CandyMaze-v0", exploration_bonus=0.5, learning_rate=1e-9, **settings)
    plain = make_agent("a2c", "CandyMaze-v0", learning_rate=1e-9, **settings)  # so slow that both walk alike
    counts = [{} for _ in range(3)]
    for (rows, paid), (same, earned) in zip(watched(agent, 200), watched(plain, 200), strict=True):
        assert np.array_equal(rows, same)
        for b, row in enumerate(rows):
            mine = counts[b // 2]
            mine[row.tobytes()] = mine.get(row.tobytes(), 0) + 1
            assert paid[b] - earned[b] == pytest.approx(0.5 / np.sqrt(mine[row.tobytes()]), abs=1e-6)
    assert min(map(len, counts)) > 5
    assert np.array_equal(agent.earned, plain.earned)  # the account is of what the world paid


def test_counts_are_saved(tmp_path):
    settings = {"seeds": 2, "env_kwargs": WORLD, "exploration_bonus": 1.0}
    whole = make_agent("a2c", "CandyMaze-v0", **settings).learn(300)
    make_agent("a2c", "CandyMaze-v0", **settings).learn(130).save(tmp_path)
    pieces = load_agent(tmp_path).learn(170)
    for name, array in whole.get_arrays().items():
        assert np.array_equal(array, pieces.get_arrays()[name]), name
    assert whole.get_arrays()["visits"].sum() > 0
