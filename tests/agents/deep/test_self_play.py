"""Self-play with networks: who plays against whom, exact resume, member = solo, and exploitability by exact best responses."""

import copy

import gymnasium
import numpy as np
import pytest
import torch

import rlcourse
from rlcourse.agents import load_agent, make_agent
from rlcourse.errors import UsageError
from rlcourse.experiments import run_cell
from rlcourse.mdp.games import exploitability

DUEL = "CandyDuel-v0"
SMALL = {"layout": "duel3", "max_steps": 20}
SETTINGS = {
    "dqn": {"n_envs": 2, "learning_starts": 40, "batch_size": 16, "net_arch": (16,)},
    "ppo": {"n_envs": 2, "n_steps": 16, "batch_size": 16, "net_arch": (16,)},
}
each = pytest.mark.parametrize("learner", ["dqn", "ppo"])


def build(learner, seeds=3, env_kwargs=None, learner_settings=None, **settings):
    given = {"pool_size": 2, "snapshot_interval": 60, "latest_share": 0.5, **settings}
    return make_agent(
        "deep_self_play",
        DUEL,
        seeds=seeds,
        env_kwargs=env_kwargs or SMALL,
        learner=learner,
        learner_settings=learner_settings or SETTINGS[learner],
        **given,
    )


def assert_same(a, b, tolerance=0.0):
    mine, theirs = a.get_arrays(), b.get_arrays()
    assert mine.keys() == theirs.keys()
    for name, array in mine.items():
        if tolerance and array.dtype.kind == "f":
            assert np.allclose(array, theirs[name], rtol=1e-3, atol=tolerance), name
        else:
            assert np.array_equal(array, theirs[name]), name
    assert a.num_timesteps == b.num_timesteps


@each
def test_pieces_saved_copied_and_loaded_go_on_exactly(learner, tmp_path):
    """In the middle of games, with a pool that is half full and later full."""
    whole = build(learner).learn(250)
    pieces = build(learner).learn(91)
    pieces.save(tmp_path)
    loaded, copied = load_agent(tmp_path), copy.deepcopy(pieces)
    assert_same(pieces, loaded)
    for twin in (pieces, loaded, copied):
        assert_same(twin.learn(159), whole)


@each
def test_a_member_plays_as_alone(learner):
    together = build(learner, [3, 8, 5]).learn(150)
    assert_same(together.member(1), build(learner, [8]).learn(150), 1e-4)
    one = together.member(2)
    assert_same(one.learn(30), together.learn(30).member(2), 1e-4)


@each
def test_the_pool_holds_what_the_networks_were(learner):
    agent = build(learner, snapshot_interval=40)
    was = []
    for _ in range(3):
        agent.learn(40)
        was.append({name: value.clone() for name, value in agent._network.state_dict().items()})
    assert agent.held == 2
    for name, kept in agent.past.state_dict().items():
        slots = kept.unflatten(0, (3, 2))
        assert torch.equal(slots[:, 0], was[2][name])  # the third one took the place of the first
        assert torch.equal(slots[:, 1], was[1][name])


@each
@pytest.mark.parametrize(("n_envs", "interval"), [(8, 4), (8, 3), (4, 6), (4, 4), (3, 2)])
def test_every_past_self_that_can_be_drawn_was_once_the_latest(learner, n_envs, interval):
    """Also where a step of all copies passes two intervals."""
    settings = {**SETTINGS[learner], "n_envs": n_envs, "n_steps": 4, "batch_size": n_envs * 4}
    if learner == "dqn":
        settings = {**SETTINGS[learner], "n_envs": n_envs}
    agent = build(learner, learner_settings=settings, pool_size=4, snapshot_interval=interval)
    seen = []
    for step in range(1, 13):
        agent.learn(n_envs)
        seen.append(next(iter(agent._network.state_dict().values())).clone())
        slots = next(iter(agent.past.state_dict().values())).unflatten(0, (3, 4))
        written = slots[:, : agent.held]
        assert written.abs().amax(dim=tuple(range(2, written.ndim))).all()
        assert not slots[:, agent.held :].any()
        assert agent.held == min(4, step * n_envs // max(n_envs, interval))
        for slot in written.unbind(1):
            assert any(torch.equal(slot, was) for was in seen)


@pytest.mark.parametrize(("share", "low", "high"), [(1.0, 1.0, 1.0), (0.5, 0.4, 0.6), (0.0, 0.0, 0.0)])
def test_the_share_of_games_against_the_latest_self(share, low, high):
    agent = build("ppo", seeds=100, latest_share=share, snapshot_interval=30)
    assert (agent.rivals == 2).all()
    agent.learn(29)
    assert (agent.rivals == 2).all()  # there is nobody else yet
    agent.learn(31 + 2 * 40)
    assert agent.held == 2
    assert low <= (agent.rivals == 2).mean() <= high
    if share < 1.0:
        past = agent.rivals[agent.rivals < 2]
        assert (past == 0).mean() == pytest.approx(0.5, abs=0.12)


def test_opponents_do_what_their_networks_say():
    """Greedy networks of one member, set by hand: the one in the pool always goes right, the latest one always goes up."""
    agent = build(
        "dqn", seeds=1, learner_settings={**SETTINGS["dqn"], "exploration_final_eps": 0.0, "net_arch": ()}
    )
    for network, action in ((agent.past, 1), (agent.learner.q, 2)):
        for name, value in network.state_dict().items():
            value.zero_()
            if "bias" in name:
                value[..., action] = 1.0
    agent.rivals[:] = [0, 2]
    seen = []
    step = agent.venv.step
    agent.venv.step = lambda actions: seen.append(step(actions)) or seen[-1]
    agent.learn(2)
    assert seen[0][4]["opponent_action"].tolist() == [1, 2]


def test_the_opponent_sees_its_own_place_first():
    """What it is shown is what the world shows walker 1: of two corners, the other one."""
    agent = build("ppo", seeds=4, env_kwargs={"observation": "planes", "moves": "simultaneous"})
    shown = []
    reply = agent._reply
    world = agent.venv.unwrapped
    world.invite(lambda observation: shown.append(np.array(observation)) or reply(observation))
    before = np.array(agent.learner.codec.read(world.rules.observe(world._state)))
    agent.learn(2)
    theirs = agent.learner.codec.read(shown[0])
    changed = [c for c in range(before.shape[1]) if not np.array_equal(before[:, c], theirs[:, c])]
    assert len(changed) == 2  # the channels of the two have changed places, the rest is the same
    assert np.array_equal(before[:, changed[0]], theirs[:, changed[1]])
    assert np.array_equal(before[:, changed[1]], theirs[:, changed[0]])


@pytest.mark.parametrize(
    ("learner", "settings", "rounds"),
    [
        (
            "ppo",
            {"n_envs": 8, "n_steps": 32, "batch_size": 64, "learning_rate": 2e-3, "ent_coef": 0.01},
            12_000,
        ),
        (
            "dqn",
            {"n_envs": 8, "exploration_steps": 6000, "train_freq": 1, "target_update_interval": 400},
            24_000,
        ),
    ],
)
def test_exploitability_falls_and_the_greedy_player_is_beaten_more_often(learner, settings, rounds):
    """Four members in duel3: by exact best responses, and against one they have never met."""
    settings = {**settings, "gamma": 0.9, "net_arch": (64,)}
    agent = build(
        learner, seeds=4, learner_settings=settings, pool_size=8, snapshot_interval=1000, latest_share=0.8
    )
    game = gymnasium.make(f"rlcourse/{DUEL}", **SMALL).unwrapped.game()
    uniform = np.full((game.n_states, 4), 0.25)
    before = exploitability(game, uniform, uniform, gamma=0.9)
    agent.learn(rounds)
    seen = np.tile(np.arange(game.n_states), (4, 1))
    if learner == "ppo":
        policy = agent.learner.action_chances(seen)
        policy /= policy.sum(axis=-1, keepdims=True)  # they are float32
    else:  # as it acts in play: a random action now and then
        policy = 0.95 * np.eye(4)[agent.predict(seen)[0]] + 0.05 / 4
    after = exploitability(game, policy, policy, gamma=0.9)
    assert after.mean() < 0.6 * before
    stranger = make_agent("random", DUEL, seeds=4, env_kwargs=SMALL)
    assert rlcourse.evaluate(agent, 100).mean() > rlcourse.evaluate(stranger, 100).mean() + 0.4


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="it fits CandyDuel-v0") as error:
        make_agent("deep_self_play", "CandyMaze-v0")
    assert "\n" not in str(error.value)
    for learner, settings, says in (
        ("ppo", {"memory": "gru", "batch_size": 128}, "leave memory of the learner at 'none'"),
        ("dqn", {"noisy": True}, "leave noisy of the learner at False"),
        ("dqn", {"frame_stack": 2}, "leave frame_stack of the learner at 1"),
        ("dqn", {"learning_rat": 1.0}, "did you mean learning_rate"),
    ):
        with pytest.raises(UsageError, match=says) as error:
            build(learner, learner_settings=settings)
        assert "\n" not in str(error.value)


def test_its_yardstick_is_the_world_that_it_was_asked_for() -> None:
    """The gap is that to the greedy opponent of the options, not to the selves that it learns against."""
    options = {"layout": "duel3", "max_steps": 30, "moves": "simultaneous"}
    cell = run_cell("deep_self_play", "CandyDuel-v0", seeds=2, steps=200, points=2, env_kwargs=options)
    other = run_cell("q_learning", "CandyDuel-v0", seeds=2, steps=200, points=2, env_kwargs=options)
    np.testing.assert_array_equal(cell.optimum["return"], other.optimum["return"])
    assert (cell.scores["gap"] >= 0.0).all()
