"""Behaviour cloning: what is recorded, losses by hand, members apart, and what a clone is worth before and after RL."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
import torch

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.agents.deep.cloning import _losses, clone, load_networks, record_trajectories
from rlcourse.agents.deep.replay_kernels import GOES_ON, TERMINATED, TRUNCATED
from rlcourse.errors import UsageError
from rlcourse.mdp import FiniteMDP, finite_horizon
from rlcourse.nn.network import build

MAZE = "CandyMaze-v0"
SMALL = {"layout": "S.2\n.#.\n..E", "max_steps": 30}
DQN = {"learning_rate": 3e-4, "learning_starts": 100, "exploration_initial_eps": 0.05, "net_arch": (64,)}
PPO = {"n_steps": 32, "batch_size": 64, "net_arch": (64,)}
SETTINGS = {"dqn": DQN, "ppo": PPO}
each = pytest.mark.parametrize("name", ["dqn", "ppo"])


@pytest.fixture(scope="module")
def expert():
    return make_agent("value_iteration", MAZE)


@pytest.fixture(scope="module")
def dataset(expert):
    return record_trajectories(expert, episodes=20)


def test_what_is_recorded_is_what_happened(expert):
    """Played again by Gymnasium's own loop, step by step."""
    found = record_trajectories(expert, episodes=3)
    assert found.ended.sum() == 3
    assert found.ended[-1]
    ends = np.flatnonzero(found.ended) + 1
    played = rlcourse.evaluate(expert, 3)[0]
    for j, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        assert found.rewards[start:end].sum() == pytest.approx(played[j])
        back, expected = 0.0, []
        for r in found.rewards[start:end][::-1]:
            back = r + 0.9 * back
            expected.insert(0, back)
        assert np.allclose(found.returns(0.9)[start:end], expected, atol=1e-5)
    env = gymnasium.make(f"rlcourse/{MAZE}")
    plan = expert.greedy_policy()[0]
    assert (plan[found.observations[:, 0]] == found.actions).all()
    assert env.observation_space == found.space


def test_the_same_episodes_are_kept_with_other_eyes(expert):
    index = record_trajectories(expert, 4)
    planes = record_trajectories(expert, 4, env_kwargs={"observation": "planes"})
    assert (index.actions == planes.actions).all()
    assert (index.rewards == planes.rewards).all()
    assert planes.observations.ndim == 4
    distinct = {tuple(o.ravel()) for o in planes.observations}
    assert len(distinct) == len(np.unique(index.observations))


def test_what_the_expert_did_is_in_the_replay(dataset):
    """As it would be, had the agent done it itself: every step with what followed, in every copy."""
    agent = clone(make_agent("dqn", MAZE, seeds=2, n_envs=2, frame_stack=3, **DQN), dataset, epochs=1)
    batch = agent.replay.gather(np.arange(len(dataset))[None].repeat(2, 0), n_steps=1, gamma=0.9)
    assert torch.equal(batch.actions[0], torch.from_numpy(dataset.actions))
    assert np.allclose(batch.returns[0], dataset.rewards)
    assert np.array_equal(batch.discounts[0] == 0.0, dataset.terminated)
    assert np.array_equal(batch.rows[0, :, -1:], dataset.observations)
    on = ~dataset.ended
    assert np.array_equal(batch.next_rows[0, on, -1:], dataset.following[on])
    assert np.array_equal(batch.rows[0, 1:, 0][on[:-1]], batch.rows[0, :-1, 1][on[:-1]])  # a frame moves up
    begins = np.flatnonzero(dataset.ended)[:-1] + 1
    assert (batch.rows[0, begins, :2] == -1).all()  # nothing was seen before


def kinds_and_frames(agent):
    """Each transition in the replay of a member: what was seen, what came after, and whether it went on to there."""
    replay = agent.replay
    used = np.flatnonzero(replay.kinds[0, : int(replay.filled[0])] <= TRUNCATED)
    after = (used + 1) % replay.capacity
    return replay.kinds[0, used], replay.frames[0, used], replay.frames[0, after]


@pytest.mark.parametrize("prioritized", [False, True])
def test_an_agent_in_mid_episode_leaves_it(dataset, prioritized):
    """What it saw last is not followed by what the expert saw first; after the expert's last step, it begins anew."""
    settings = {**DQN, "learning_starts": 10**6, "prioritized": prioritized}
    agent = make_agent("dqn", MAZE, **settings).learn(37)
    alone = make_agent("dqn", MAZE, **settings).learn(37)
    assert not agent._over.any()
    last_seen = agent._rows.copy()
    clone(agent, dataset, epochs=1)
    kinds, before, after = kinds_and_frames(agent)
    mine, seen, then = kinds_and_frames(alone)
    n = len(mine)
    assert len(kinds) == n + len(dataset)
    assert np.array_equal(before[:n], seen)
    assert np.array_equal(after[:n], then)  # what followed is still what followed
    assert mine[-1] == GOES_ON
    assert kinds[n - 1] == TRUNCATED
    assert np.array_equal(after[n - 1], last_seen[0])
    assert np.array_equal(before[n:], dataset.observations)
    assert np.array_equal(kinds[n:] == TERMINATED, dataset.terminated)
    episodes = agent.episodes.copy()
    agent.learn(1)
    assert agent.episodes == episodes
    kinds, before, _ = kinds_and_frames(agent)
    start = gymnasium.make(f"rlcourse/{MAZE}").reset(seed=0)[0]
    assert before[-1, 0] == start
    agent.replay.check(agent.replay.get_arrays(), agent.n_actions)


def test_an_actor_does_not_learn_from_what_it_did_before_it_was_cloned(dataset):
    agent = make_agent("ppo", MAZE, **PPO).learn(40)
    assert agent.rollout.filled[0] > 0
    clone(agent, dataset, epochs=1)
    assert agent.rollout.filled[0] == 0
    agent.learn(1)
    assert agent.rollout.begun[0, 0]


def test_losses_by_hand():
    """One member, two steps, numbers from torch's functions and from the paper's maximum written out."""
    rows = np.array([[[1], [3]]], np.int32)
    actions, returns = torch.tensor([[2, 0]]), torch.tensor([[1.5, -0.5]])
    dqn = make_agent("dqn", MAZE, env_kwargs=SMALL)
    q = dqn.q(dqn.tensor(rows))[0].detach().numpy()
    found = _losses(dqn, dqn.tensor(rows), actions, returns, 0.8)[0].detach().numpy()
    for i, (a, g) in enumerate(((2, 1.5), (0, -0.5))):
        error = abs(g - q[i, a])
        huber = 0.5 * error**2 if error < 1 else error - 0.5
        above = max(q[i, b] + (0.8 if b != a else 0.0) for b in range(4))
        assert found[i] == pytest.approx(huber + above - q[i, a], abs=1e-5)
    ppo = make_agent("ppo", MAZE, env_kwargs=SMALL)
    preferences, values, _ = ppo.policy.step(ppo.tensor(rows), None, None)
    found = _losses(ppo, ppo.tensor(rows), actions, returns, 0.8)[0].detach().numpy()
    chances = preferences[0].softmax(-1).detach().numpy()
    for i, (a, g) in enumerate(((2, 1.5), (0, -0.5))):
        expected = -np.log(chances[i, a]) + 0.5 * (g - values[0, i].item()) ** 2
        assert found[i] == pytest.approx(expected, abs=1e-5)


@each
def test_a_member_is_cloned_as_alone(name, dataset):
    together = clone(make_agent(name, MAZE, seeds=[4, 9, 2], **SETTINGS[name]), dataset, epochs=3)
    alone = clone(make_agent(name, MAZE, seeds=[9], **SETTINGS[name]), dataset, epochs=3)
    mine, theirs = together.member(1).get_arrays(), alone.get_arrays()
    assert mine.keys() == theirs.keys()
    for key in mine:
        if key.startswith("network"):
            assert np.allclose(mine[key], theirs[key], atol=1e-5), key
    assert np.array_equal(mine["streams/agent"], theirs["streams/agent"])
    assert len(np.unique(together.stream.state)) == 3  # each in an order of its own


@each
def test_a_clone_is_nearly_optimal_and_stays_so(name, expert, dataset):
    """Five members reach 90% of the exact optimum without a step of RL, and keep it when RL goes on; without, they are far."""
    mdp = FiniteMDP.from_env(gymnasium.make(f"rlcourse/{MAZE}"))
    best = float(mdp.start @ finite_horizon(mdp, expert.world_horizon()).V[0])
    agent = make_agent(name, MAZE, seeds=5, **SETTINGS[name])
    clone(agent, dataset, epochs=40, learning_rate=3e-3)
    assert (rlcourse.evaluate(agent, 10).mean(axis=1) >= 0.9 * best).all()
    agent.learn(2_000)
    assert (rlcourse.evaluate(agent, 10).mean(axis=1) >= 0.9 * best).mean() >= 0.8
    steps = max(len(dataset), 2_000)
    scratch = make_agent(name, MAZE, seeds=5, **SETTINGS[name]).learn(steps)
    assert np.median(rlcourse.evaluate(scratch, 10).mean(axis=1)) < 0.5 * best


def test_networks_go_into_another_agent_and_frozen_ones_stay():
    """The body of one agent in another world with the same observation; the rest is as it was drawn, and learns alone."""
    source = make_agent("ppo", MAZE, seeds=2, env_kwargs=SMALL, **PPO).learn(256)
    agent = make_agent("ppo", MAZE, seeds=2, env_kwargs={**SMALL, "slip": 0.3}, **PPO)
    before = agent.get_arrays()
    load_networks(agent, source, only="actor.parts.1.*", freeze=["actor.parts.1.*"])
    given = source.get_arrays()
    loaded = agent.get_arrays()
    for key in loaded:
        if key.startswith("network/"):
            expected = given if key.startswith("network/policy/actor.parts.1.") else before
            assert np.array_equal(loaded[key], expected[key]), key
    trained = agent.learn(512).get_arrays()
    for key in trained:
        if key.startswith("network/"):
            assert np.array_equal(trained[key], loaded[key]) == key.startswith(
                "network/policy/actor.parts.1."
            ), key


def test_the_optimiser_begins_anew():
    """As that of an agent that has just been made, whatever it remembered of other weights."""
    source = make_agent("dqn", MAZE, seeds=2, env_kwargs=SMALL, **DQN).learn(150)
    for optimiser in ("adam", "momentum", "rmsprop"):
        settings = {**DQN, "optimiser": optimiser, "env_kwargs": SMALL}
        agent = make_agent("dqn", MAZE, seeds=2, **settings).learn(150)
        assert any(array.any() for array in agent.optimiser.get_arrays().values())
        load_networks(agent, source)
        fresh = make_agent("dqn", MAZE, seeds=2, **settings).optimiser.get_arrays()
        found = agent.optimiser.get_arrays()
        assert found.keys() == fresh.keys()
        for key, array in found.items():
            assert np.array_equal(array, fresh[key]), key


@each
def test_what_would_learn_nothing_is_refused_and_nothing_is_changed(name):
    source = make_agent(name, MAZE, seeds=2, env_kwargs=SMALL, **SETTINGS[name])
    agent = make_agent(name, MAZE, seeds=[5, 6], env_kwargs=SMALL, **SETTINGS[name])
    before = agent.get_arrays()
    for freeze, words in ((["*"], "leaves nothing that learns"), ("*", "leaves"), (["partz.0"], "partz.0")):
        with pytest.raises(UsageError, match=words) as error:
            load_networks(agent, source, freeze=freeze)
        assert "\n" not in str(error.value)
    for key, array in agent.get_arrays().items():
        assert np.array_equal(array, before[key]), key
    agent.learn(256)


def test_one_member_of_several_goes_into_all():
    source = make_agent("dqn", MAZE, seeds=2, env_kwargs=SMALL, **DQN)
    agent = make_agent("dqn", MAZE, seeds=3, env_kwargs=SMALL, **DQN)
    with pytest.raises(UsageError, match="say with member= which one"):
        load_networks(agent, source)
    with pytest.raises(UsageError, match="member=2 must be in 0 to 1"):
        load_networks(agent, source, member=2)
    load_networks(agent, source, member=1)
    for mine, theirs in zip(agent.q.parameters(), source.q.parameters(), strict=True):
        for k in range(3):
            assert torch.equal(mine[k], theirs[1])


@pytest.mark.parametrize("name", ["dqn", "naive_dqn", "ppo", "reinforce"])
def test_a_supervised_network_goes_into_an_agent(name):
    """Of the same layers, though the agent's have other names; the agent then says what the network says."""
    network = build("mlp", 4, n_out=2, hidden=[64, 64], size=2, activation="tanh", dropout=0.1)
    agent = load_networks(make_agent(name, "CartPole-v1", seeds=2, activation="tanh"), network)
    x = torch.randn(2, 7, 4)
    takes = [network for key, network in agent.networks.items() if key != "policy"] or [agent.policy.actor]
    with torch.no_grad():
        for taken in takes:
            torch.testing.assert_close(taken(x), network.eval()(x))
    agent.learn(600)
    head = load_networks(
        make_agent(name, "CartPole-v1", seeds=3), build("mlp", 4, n_out=9, hidden=[64, 64]), only="*parts.1.*"
    )
    first = head.policy.actor if "policy" in head.networks else head.q
    assert torch.equal(first.parts[1].weight[2], build("mlp", 4, n_out=9, hidden=[64, 64]).parts[0].weight[0])
    for wrong, words in (
        (
            build("mlp", 4, n_out=2, hidden=[64], size=2),
            r"the source has no 'parts.1.weight', and its layers",
        ),
        (
            build("mlp", 4, n_out=2, hidden=[64, 32], size=2),
            r"'parts.3.weight' is \[2, 64, 32\] in the source",
        ),
        (
            build("mlp", 4, n_out=2, hidden=[64, 64], size=2),
            "the source has ReLU, ReLU between its layers, the target Tanh, Tanh: make one",
        ),
        (
            build(["linear 64", "linear 64", "linear 2"], 4, size=2),
            "the source has nothing between its layers",
        ),
        (torch.nn.Linear(4, 2), "must be a deep agent or a stack of networks, got Linear"),
    ):
        before = agent.get_arrays()
        with pytest.raises(UsageError, match=words) as error:
            load_networks(agent, wrong)
        assert "\n" not in str(error.value)
        assert all(np.array_equal(array, before[key]) for key, array in agent.get_arrays().items())
    with pytest.raises(UsageError, match="drqn has a memory"):
        load_networks(make_agent("drqn", "CartPole-v1"), network)


def test_frozen_weights_stay_so_in_members_and_copies(tmp_path):
    agent = make_agent("ppo", "CartPole-v1", seeds=2, n_steps=16, batch_size=32)
    load_networks(agent, make_agent("ppo", "CartPole-v1", seeds=2), freeze="actor.*")
    loaded = load_agent(agent.save(tmp_path / "agent"))
    for one in (agent.member(1), copy.deepcopy(agent), pickle.loads(pickle.dumps(agent)), loaded):
        before = [weight.clone() for weight in one.policy.parameters()]
        one.learn(200)
        for (name, weight), old in zip(one.policy.named_parameters(), before, strict=True):
            assert torch.equal(weight, old) == name.startswith("actor."), name
            assert weight.requires_grad != name.startswith("actor.")


def test_what_cannot_be_cloned_is_refused(dataset):
    for other in (make_agent("q_learning", MAZE), make_agent("random", MAZE)):
        with pytest.raises(UsageError, match="weights go into a deep agent"):
            load_networks(other, make_agent("dqn", MAZE))
    for name, env_kwargs, settings, says in (
        ("drqn", {}, {}, "drqn cannot be cloned into"),
        ("recurrent_ppo", {}, {}, "recurrent_ppo cannot be cloned into"),
        ("dqn", {}, {"distribution": "quantile"}, "without a distribution"),
        ("dqn", {"observation": "planes"}, {}, "but the dataset has Discrete"),
    ):
        with pytest.raises(UsageError, match=says) as error:
            clone(make_agent(name, MAZE, env_kwargs=env_kwargs, **settings), dataset)
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="epochs=0"):
        clone(make_agent("dqn", MAZE), dataset, epochs=0)
    with pytest.raises(UsageError, match="ucb1 plays no episodes"):
        record_trajectories(make_agent("ucb1", "Bandit-v0"), 3)
    with pytest.raises(UsageError, match=r"dqn has the networks .* ppo has"):
        load_networks(make_agent("dqn", MAZE), make_agent("ppo", MAZE))
