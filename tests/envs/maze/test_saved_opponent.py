"""A population that was saved is the opponent: its first member plays, the same in every copy."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest

import rlcourse
from rlcourse.envs.maze.world import FIRST_WALKER, LAST, POSITION, REMAINING, WALKER
from rlcourse.envs.rules import row_of
from rlcourse.errors import UsageError

LAYOUT = "S.1\n.#.\n2..\n..S\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three learners that have met a random opponent, and where they are saved."""
    folder = tmp_path_factory.mktemp("agents") / "q"
    agent = rlcourse.make_agent(
        "q_learning", "CandyDuel-v0", seeds=3, env_kwargs={"opponent": "random", "layout": LAYOUT}
    )
    agent.learn(3_000)
    agent.save(folder)
    return agent, str(folder)


def mirrored(core, env):
    """The number of the state as the opponent sees it: both cells, its own first, then the candies."""
    layout = env.rules.grid
    open_ = [cell for cell in layout.cells() if layout.word(cell) != "wall"]
    number = {cell: k for k, cell in enumerate(open_)}
    places = [number[divmod(int(core[FIRST_WALKER + w * WALKER + POSITION]), layout.width)] for w in (1, 0)]
    return (places[0] * len(open_) + places[1]) * 4 + int(core[REMAINING])


@pytest.mark.parametrize("moves", ["alternating", "simultaneous"])
def test_it_does_what_the_first_member_has_learned(trained, moves):
    agent, folder = trained
    table = agent.values()[0]
    env = gymnasium.make(
        "rlcourse/CandyDuel-v0", layout=LAYOUT, opponent=folder, moves=moves, stay=False
    ).unwrapped
    rng, checked = np.random.default_rng(0), 0
    for seed in range(20):
        env.reset(seed=seed)
        over = False
        while not over:
            before = env.get_state()["core"][0]
            action = int(rng.integers(4))
            if moves == "alternating":  # it answers to where the agent has gone
                probe = copy.deepcopy(env)
                probe.step(action)
                after = probe.get_state()["core"][0]
                before[FIRST_WALKER + POSITION] = after[FIRST_WALKER + POSITION]
                cell = divmod(int(after[FIRST_WALKER + POSITION]), 3)
                candies = env.rules.grid.find("candy")
                if cell in candies:
                    before[REMAINING] &= ~(1 << candies.index(cell))
            _, _, terminated, truncated, _ = env.step(action)
            over = terminated or truncated
            if before[REMAINING]:
                reply = env.get_state()["core"][0, FIRST_WALKER + WALKER + LAST]
                assert reply == table[mirrored(before, env)].argmax()
                checked += 1
    assert checked > 100


@pytest.mark.parametrize("moves", ["alternating", "simultaneous"])
def test_a_copy_is_the_scalar_world(trained, moves):
    """Batch or alone, pickled or not: the same games."""
    _, folder = trained
    options = {"layout": LAYOUT, "opponent": folder, "moves": moves, "observation": "planes", "max_steps": 30}
    batch = gymnasium.make_vec(
        "rlcourse/CandyDuel-v0", 5, vectorization_mode="vector_entry_point", autoreset_mode="SameStep", **options
    ).unwrapped  # fmt: skip
    plans = np.random.default_rng(1).integers(4, size=(80, 5))
    first = batch.reset(seed=7)[0]
    steps = [batch.step(plan) for plan in plans]
    for i in range(5):
        env = gymnasium.make("rlcourse/CandyDuel-v0", **options).unwrapped
        assert np.array_equal(env.reset(seed=7 + i)[0], row_of(first, i))
        for t, plan in enumerate(plans):
            if t == 40:
                env = pickle.loads(pickle.dumps(env))
            observation, reward, terminated, truncated, _ = env.step(plan[i])
            if terminated or truncated:
                observation, _ = env.reset()
            assert np.array_equal(observation, row_of(steps[t][0], i))
            assert (reward, terminated, truncated) == tuple(part[i] for part in steps[t][1:4])


def test_the_model_has_it_as_part_of_the_world(trained):
    """What the model says of the answer happens."""
    _, folder = trained
    env = gymnasium.make("rlcourse/CandyDuel-v0", layout=LAYOUT, opponent=folder).unwrapped
    mdp = env.model()
    rng = np.random.default_rng(3)
    for seed in range(30):
        x, _ = env.reset(seed=seed)
        for _ in range(20):
            action = int(rng.integers(4))
            y, reward, terminated, _, _ = env.step(action)
            k = mdp.first[x * 4 + action]
            assert mdp.first[x * 4 + action + 1] == k + 1
            assert (mdp.next[k], mdp.reward[k], mdp.terminated[k]) == (y, reward, terminated)
            if terminated:
                break
            x = y


def test_a_learner_may_meet_an_earlier_one(trained, tmp_path):
    """Also one that is saved where its own opponent was."""
    _, folder = trained
    later = rlcourse.make_agent(
        "sarsa", "CandyDuel-v0", seeds=2, env_kwargs={"opponent": folder, "layout": LAYOUT}
    )
    later.learn(500)
    later.save(tmp_path / "later")
    again = rlcourse.load_agent(tmp_path / "later")
    assert np.array_equal(later.learn(300).values(), again.learn(300).values())
    assert rlcourse.evaluate(again, episodes=3).shape == (2, 3)


def game(folder, **options):
    env = gymnasium.make("rlcourse/CandyDuel-v0", opponent=str(folder), **{"layout": LAYOUT, **options})
    env.reset(seed=0)
    env.step(0)


def test_who_cannot_play_is_refused_in_one_line(trained, tmp_path):
    _, folder = trained
    stranger = rlcourse.make_agent("q_learning", "CandyMaze-v0")
    stranger.save(tmp_path / "stranger")
    seer = rlcourse.make_agent(
        "random", "CandyDuel-v0", env_kwargs={"layout": LAYOUT, "observation": "planes", "revisit_reward": -1.0}
    )  # fmt: skip
    seer.save(tmp_path / "seer")
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken"
    rlcourse.load_agent(folder).save(broken)
    (broken / "agent.json").write_text("{")
    for who, options, message in (
        ("greedi", {}, "did you mean greedy"),
        (tmp_path / "nowhere", {}, "there is none of this name"),
        (tmp_path / "empty", {}, "holds no saved agent"),
        (broken, {}, "truncated or altered"),
        (tmp_path / "stranger", {}, "has learned rlcourse/CandyMaze-v0"),
        (folder, {"layout": "duel7"}, "has learned another map"),
        (folder, {"layout": LAYOUT.replace("2", ".")}, "has learned another map"),
        (folder, {"king_moves": True}, "has learned another map, or with other actions"),
        (folder, {"stay": True}, "other actions"),
        (tmp_path / "seer", {}, "has learned with a revisit_reward"),
        (tmp_path / "seer", {"revisit_reward": -1.0, "observation": "planes"}, "write opponent='random'"),
    ):
        with pytest.raises(UsageError, match=message) as error:
            game(who, **options)
        assert "opponent" in str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match=r"holds no saved agent: there is no agent\.json in it"):
        gymnasium.make("rlcourse/CandyDuel-v0", opponent=str(tmp_path / "empty"))  # before any game begins
