"""The greedy opponent walks shortest ways, as a slow search on the characters of the map finds them."""

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.envs.maze.reading import parse
from rlcourse.envs.maze.world import CLOCK, FIRST_WALKER, LAST, POSITION, REMAINING, WALKER

from .maps import STEPS, SlowWalker, duel_maps

OPPONENT = FIRST_WALKER + WALKER
REWARDS = dict.fromkeys(("exit", "trap", "cliff", "move", "revisit", "bump"), 0.0)


def steps_between(walker, here, goal, moves):
    """How many moves the shortest way has, None without one; a search in all directions, ring by ring."""
    ring, seen, steps = {here}, {here}, 0
    while ring:
        if goal in ring:
            return steps
        ring = {walker.lands(cell, move) for cell in ring for move in moves} - seen
        seen |= ring
        steps += 1
    return None


def greedy_action(walker, here, candies, moves):
    """Nearest candy; of those the dearest; of those the first on the map. Of its shortest ways, the lowest first action."""
    ways = {cell: steps_between(walker, here, cell, moves) for cell in candies}
    near = [(ways[cell], -candies[cell], cell) for cell in candies if ways[cell] is not None]
    if not near:
        return 0
    steps, _, goal = min(near)
    for action, move in enumerate(moves):
        there = walker.lands(here, move)
        if there != here and steps_between(walker, there, goal, moves) == steps - 1:
            return action
    raise AssertionError("a shortest way has a first step")


def duel(text, **options):
    return gymnasium.make("rlcourse/CandyDuel-v0", layout=text, observation="position", **options).unwrapped


@settings(max_examples=100, deadline=None)
@given(duel_maps, st.booleans(), st.booleans(), st.sampled_from(["alternating", "simultaneous"]), st.data())
def test_every_answer_is_the_greedy_one(text, king, stay, moves, data):
    env = duel(text, king_moves=king, stay=stay, moves=moves, slip=data.draw(st.sampled_from([0.0, 0.4])))
    layout, walker = parse(text), SlowWalker(text, REWARDS)
    steps = [*STEPS[: 8 if king else 4], *([(0, 0)] if stay else [])]
    candies = {cell: layout.value(cell) for cell in layout.find("candy")}
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    env.reset(seed=int(rng.integers(2**32)))
    asked = 0
    for _ in range(25):
        before = env.get_state()["core"][0]
        _, _, terminated, _, _ = env.step(int(rng.integers(len(steps))))
        after = env.get_state()["core"][0]
        # where the opponent stood when it chose, and what was left: after the agent's move, or before it
        left = int(before[REMAINING])
        if moves == "alternating":
            taken = divmod(int(after[FIRST_WALKER + POSITION]), layout.width)
            left &= ~sum(1 << k for k, cell in enumerate(candies) if cell == taken)
            if not left:
                assert terminated
                break
        remaining = {cell: value for k, (cell, value) in enumerate(candies.items()) if left >> k & 1}
        here = divmod(int(before[OPPONENT + POSITION]), layout.width)
        assert after[OPPONENT + LAST] == greedy_action(walker, here, remaining, steps)
        asked += 1
        if terminated:
            break
    assert asked or terminated


@settings(max_examples=60, deadline=None)
@given(duel_maps, st.booleans(), st.integers(0, 2**32))
def test_the_nearest_candy_is_reached_as_fast_as_can_be(text, king, seed):
    """While the agent stays where it is."""
    env = duel(text.split("\n\n")[0], king_moves=king, stay=True)
    layout, walker = env.rules.grid, SlowWalker(text.split("\n\n")[0], REWARDS)
    moves = STEPS[: 8 if king else 4]
    stay = env.action_space.n - 1
    env.reset(seed=seed)
    candies = dict.fromkeys(layout.find("candy"))
    while candies:
        core = env.get_state()["core"][0]
        here = divmod(int(core[OPPONENT + POSITION]), layout.width)
        ways = [steps_between(walker, here, cell, moves) for cell in candies]
        if all(way is None for way in ways):
            return
        start = core[CLOCK]
        left = core[REMAINING]
        while left == env.get_state()["core"][0, REMAINING]:
            env.step(stay)
        core = env.get_state()["core"][0]
        assert core[CLOCK] - start == min(way for way in ways if way is not None)
        del candies[divmod(int(core[OPPONENT + POSITION]), layout.width)]


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("S.#..\n1.S.2\n.....\n", 1),  # both two steps away: the dearer one, to the right
        ("1.S.1\n..S..\n", 0),  # alike: the first on the map
        ("S....\n1....\n..S..\n....1\n", 0),  # three steps either way: the first one, and left before up
        ("S...\n.1..\n..S.\n", 0),  # two ways of two steps: left before up
        ("S...\n.1..\n.>S.\n", 2),  # unless it is a one-way from the other side
        ("S....\n.1#S.\n.....\n\nwind = 0 0 1 1 0", 0),  # barred to the left, but the wind carries it up, over the wall
    ],
)  # fmt: skip
def test_ties_by_hand(text, action):
    env = duel(text, stay=True)
    layout = parse(text)
    second = layout.find("start")[1]
    for seed in range(50):
        env.reset(seed=seed)
        if env.get_state()["core"][0, OPPONENT + POSITION] == second[0] * layout.width + second[1]:
            break
    env.step(4)
    assert env.get_state()["core"][0, OPPONENT + LAST] == action
