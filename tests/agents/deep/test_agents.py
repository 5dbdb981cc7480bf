"""What every deep agent must do; a new one is tested the day it is registered."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import rlcourse
from rlcourse.agents import load_agent
from rlcourse.errors import UsageError
from tests.agents.deep.worlds import (
    DEEP,
    STEPS,
    WALK,
    assert_same,
    build,
    count_updates,
    every_agent,
    fields,
    of_member,
    remembers,
    spy_actions,
)

# ---------------------------------------------------------------- members


@every_agent
@pytest.mark.parametrize("world", ["CartPole-v1", "CandyMaze-v0"])
def test_member_equals_solo_over_fifty_updates(name: str, world: str) -> None:
    options = {"train_freq": 1} if "train_freq" in fields(name) else {}
    population = build(name, [11, 0, 2**40], world, **options)
    updates, done = count_updates(population), spy_actions(population)
    while updates[0] < 50:
        population.learn(16)
    for k in (2,) if world == "CartPole-v1" else (0,):
        solo = build(name, [population.seeds[k]], world, **options)
        alone = spy_actions(solo)
        solo.learn(population.num_timesteps)
        np.testing.assert_array_equal([a[k] for a in done], [a[0] for a in alone])
        mine, others = of_member(population, k), solo.get_arrays()
        assert mine.keys() == others.keys()
        if name == "reinforce":  # torch counts the steps of all; rmsprop does not look at it
            others = {key: array for key, array in others.items() if not key.endswith("/step")}
        for key, array in others.items():
            if array.dtype.kind == "f":
                np.testing.assert_allclose(mine[key], array, atol=2e-4, rtol=2e-3, err_msg=key)
            else:  # streams, episodes, what was done
                np.testing.assert_array_equal(mine[key], array, err_msg=key)


def test_who_has_diverged_has_no_score() -> None:
    agent = build("ppo", 3)
    assert not agent.diverged.any()
    with torch.no_grad():
        next(agent.policy.critic.parameters())[1].view(-1)[0] = torch.inf
    assert agent.diverged.tolist() == [False, True, False]
    returns = rlcourse.evaluate(agent, 4)
    assert np.isnan(returns[1]).all()
    np.testing.assert_array_equal(returns[[0, 2]], rlcourse.evaluate(build("ppo", 3), 4)[[0, 2]])


def test_more_than_the_memory_is_refused_by_a_line() -> None:
    with pytest.raises(UsageError, match=r"dqn: the networks of 2 members take more memory than there is"):
        build("dqn", 2, net_arch=(10**7, 10**7))


@every_agent
def test_no_member_touches_another(name: str) -> None:
    """One whose weights are no numbers any more spoils its own life, and no bit of the others'."""
    healthy, ill = build(name, 3), build(name, 3)
    for network in ill.networks.values():
        for parameter in network.parameters():
            with torch.no_grad():
                parameter[1] = torch.nan
    for agent in (healthy, ill):
        agent.learn(STEPS)
    for k in (0, 2):
        mine, others = of_member(ill, k), of_member(healthy, k)
        for key, array in mine.items():
            if name == "reinforce" and key.endswith(
                "/step"
            ):  # torch's count for all, which rmsprop does not look at
                continue
            np.testing.assert_array_equal(array, others[key], err_msg=key)
    weights = next(iter(ill.networks.values())).parameters()
    assert all(bool(parameter[1].isnan().any()) for parameter in weights)


@every_agent
def test_members_differ_and_learn(name: str) -> None:
    agent = build(name, 2)
    before = {key: array.copy() for key, array in agent.get_arrays().items() if key.startswith("network/")}
    agent.learn(120)
    for key, array in agent.get_arrays().items():
        if key in before and "noise" not in key:
            moved = [not np.array_equal(array[k], before[key][k]) for k in range(2)]
            assert all(moved), f"{key} stands still"
            assert not np.array_equal(array[0], array[1]), key


# ---------------------------------------------------------------- resuming


@every_agent
@pytest.mark.parametrize("copies", [1, 3])
def test_learning_in_pieces_saved_copied_and_pickled_is_learning_at_once(
    name: str, copies: int, tmp_path: Any
) -> None:
    options: dict[str, Any] = {"n_envs": copies, "anneal_steps": 90}
    if "ent_anneal_steps" in fields(name):
        options |= {"ent_coef": 0.1, "ent_anneal_steps": 80}
    if copies == 3 and "batch_size" in fields(name) and "n_epochs" in fields(name):
        options["batch_size"] = 24
    whole = build(name, 2, **options).learn(STEPS)
    assert whole.num_timesteps == STEPS
    assert_same(whole, build(name, 2, **options).learn(1).learn(27).learn(STEPS - 28))
    for cut in (0, 31):  # 31 is in the middle of a rollout, and of an episode
        agent = build(name, 2, **options)
        if cut:
            agent.learn(cut)
        twins = [load_agent(agent.save(tmp_path / str(cut)))]
        if cut:
            twins += [pickle.loads(pickle.dumps(agent)), copy.deepcopy(agent)]
        for twin in twins:
            assert type(twin) is type(agent)
            assert_same(agent, twin)
            assert_same(whole, twin.learn(STEPS - cut))


@every_agent
def test_a_member_goes_on_where_it_was(name: str) -> None:
    population = build(name, [4, 9]).learn(31)
    one = population.member(1)
    assert one.seeds == [9]
    assert one.num_timesteps == population.num_timesteps
    mine = of_member(population, 1)
    for key, array in one.get_arrays().items():
        np.testing.assert_array_equal(array, mine[key], err_msg=key)
    population.learn(20)
    one.learn(20)
    mine = of_member(population, 1)
    for key, array in one.get_arrays().items():
        np.testing.assert_allclose(array, mine[key], atol=1e-4, rtol=1e-3, err_msg=key)


@every_agent
def test_in_a_world_that_cannot_be_saved_a_new_episode_begins(name: str, tmp_path: Any) -> None:
    """The weights are those of before; nothing of the old episode is joined to the new one."""
    agent = build(name, 2, WALK, {"seen": "start"})
    agent.learn(34)
    loaded: Any = load_agent(agent.save(tmp_path / "agent"))
    for key, array in agent.get_arrays().items():
        if key.startswith(("network/", "optimiser/", "streams/")):
            np.testing.assert_array_equal(array, loaded.get_arrays()[key], err_msg=key)
    kept = loaded.get_arrays()
    if "kept/fresh" in kept:
        assert kept["kept/fresh"].all()
    if "kept/length" in kept:
        assert not kept["kept/length"].any()
    if "kept/rollout/filled" in kept:
        assert not kept["kept/rollout/filled"].any()
    if hasattr(loaded, "replay"):
        from rlcourse.agents.deep.replay_kernels import CLOSING, OPEN, TERMINATED

        replay = loaded.replay
        for b, i in enumerate(replay.at):
            assert replay.kinds[b, i] == OPEN
            assert replay.kinds[b, i - 1] in (CLOSING, TERMINATED)
    loaded.learn(40)
    assert loaded.num_timesteps == 74


@every_agent
def test_training_twice_is_the_same(name: str) -> None:
    assert_same(build(name, 3, n_envs=1).learn(STEPS), build(name, 3, n_envs=1).learn(STEPS))


@every_agent
def test_copies_of_the_world(name: str) -> None:
    """`steps` are those of all copies of a member together; what is too much counts for the next call."""
    agent = build(name, 2).learn(31)
    assert agent.num_timesteps == 32
    assert agent.learn(1).num_timesteps == 32
    assert agent.learn(2).num_timesteps == 34
    assert len(set(agent.world_seeds)) == 4


# ---------------------------------------------------------------- asking


@every_agent
def test_asking_does_not_disturb_learning(name: str) -> None:
    agent, twin = build(name, 3).learn(33), build(name, 3).learn(33)
    shown = np.arange(12).reshape(3, 4)
    values, chances = agent.action_values(shown), agent.state_values(shown)
    if values is not None:
        assert values.shape == (3, 4, agent.n_actions)
        assert values.dtype == np.float64
    if chances is not None:
        assert chances.shape == (3, 4)
        assert chances.dtype == np.float64
    for deterministic in (True, False):
        actions, _ = agent.predict(shown, deterministic=deterministic)
        assert actions.shape == (3, 4)
        assert actions.dtype == np.int64
        assert rlcourse.evaluate(agent, 3, deterministic=deterministic).shape == (3, 3)
    assert_same(agent, twin, but=("streams/predict",))
    agent._predict_stream.state[:] = twin._predict_stream.state  # of its own
    assert_same(agent.learn(STEPS), twin.learn(STEPS))


@every_agent
def test_shapes_of_predictions(name: str) -> None:
    population, one = build(name, 3).learn(20), build(name, 1).learn(20)
    for agent, lead in (
        (population, (3,)),
        (population, (3, 5)),
        (one, ()),
        (one, (1,)),
        (one, (5,)),
        (one, (1, 5)),
    ):
        shown = np.arange(np.prod(lead, dtype=int)).reshape(lead)
        actions, state = agent.predict(shown)
        assert actions.shape == lead
        again, _ = agent.predict(shown, state, np.ones(lead, bool))  # as at the first time
        np.testing.assert_array_equal(actions, again)
    for wrong in (np.zeros((2,), int), np.zeros((3, 2, 2), int), np.zeros((), int)):
        with pytest.raises(UsageError, match="the observation leads with"):
            population.predict(wrong)


@every_agent
def test_every_observation_has_the_same_prediction_alone_and_in_a_batch(name: str) -> None:
    agent = build(name, 2, "CartPole-v1").learn(STEPS)
    shown = np.random.default_rng(1).normal(size=(2, 6, 4)).astype(np.float32)
    together, _ = agent.predict(shown)
    for j in range(6):
        np.testing.assert_array_equal(agent.predict(shown[:, j])[0], together[:, j])
    for k in range(2):
        np.testing.assert_array_equal(agent.member(k).predict(shown[k])[0], together[k])
        np.testing.assert_array_equal(agent.member(k).predict(shown[k, 0])[0], together[k, 0])


@pytest.mark.parametrize("name", [name for name in DEEP if remembers(name)])
@pytest.mark.parametrize("memory", ["gru", "lstm", "attention"])
@pytest.mark.parametrize("frames", [1, 2])
def test_the_memory_is_cleared_where_an_episode_begins(name: str, memory: str, frames: int) -> None:
    if memory == "attention" and name == "drqn":
        with pytest.raises(UsageError, match="memory='attention' must be one of 'gru', 'lstm'"):
            build(name, 2, memory=memory)
        return
    agent = build(name, 2, "CartPole-v1", memory=memory, frame_stack=frames)
    draw = np.random.default_rng(2)
    shown = draw.normal(size=(6, 2, 3, 4)).astype(np.float32)
    starts = np.zeros((6, 2, 3), bool)
    starts[0], starts[3, 0, 1], starts[4, 1] = True, True, True
    state, states = None, []
    for observation, start in zip(shown, starts, strict=True):
        _, state = agent.predict(observation, state, start)
        states.append(state)
    fresh = agent.predict(shown[3], None, None)[1]
    for full, empty in zip(states[3], fresh, strict=True):
        if full is None:
            continue
        full, empty = np.asarray(full), np.asarray(empty)
        if memory == "attention" and full.ndim == 4:  # what no step looks at any more may stay in its place
            full, empty = full * full[..., -1:], empty * empty[..., -1:]
        np.testing.assert_allclose(full[0, 1], empty[0, 1], atol=1e-6)  # began there
        assert not np.allclose(full[0, 0], empty[0, 0])  # did not


@pytest.mark.parametrize("name", DEEP)
def test_stacked_frames_are_the_last_ones(name: str) -> None:
    """What is predicted from the third observation is that of a network which sees all three at once."""
    agent = build(name, 1, "CartPole-v1", frame_stack=3).learn(STEPS)
    assert agent.codec.row_shape == (12,)
    shown = np.random.default_rng(3).normal(size=(4, 4)).astype(np.float32)
    state = None
    for t, observation in enumerate(shown):
        _, state = agent.predict(observation, state, np.array(t in (0, 1)))
    np.testing.assert_array_equal(state[0].reshape(3, 4), shown[1:])
    _, state = agent.predict(shown[0], state, np.array(True))
    np.testing.assert_array_equal(state[0].reshape(3, 4), [np.zeros(4), np.zeros(4), shown[0]])


@every_agent
def test_works_with_evaluate_policy_of_stable_baselines3(name: str) -> None:
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    agent = build(name, 2, "CartPole-v1").learn(STEPS)
    env = gymnasium.make("CartPole-v1")
    env.reset(seed=3)
    returns, lengths = evaluation.evaluate_policy(
        agent.member(1), env, 3, return_episode_rewards=True, warn=False
    )
    assert returns == lengths
    assert min(lengths) >= 8  # a pole takes so long to fall
