"""Tasks for a memory, computed exactly: without one the best is chance, with one (of the first observation) it is certainty.

The states of such a task are those of its finite model, and the clock as long as it matters to what is seen. A policy without
memory gives every observation an action, or a law over actions.

Without memory a law can do better than any fixed choice in one of the three worlds: in a corridor, a walk at random finds the
exit from either end if it has the time. Its expected time is the square of the way, 169 steps; hence `max_steps` is twice the
way here, 26. (With the 200 steps of the world's default, a fair coin gets there in 70% of the episodes.)
"""

import functools

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import softmax

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.envs.maze.world import CLOCK, FILLED, FIRST_WALKER, LEVEL, POSITION, REMAINING
from rlcourse.mdp import FiniteMDP, evaluate_policy

CORRIDOR = {"layout": "corridor", "spawn": None, "start": "map", "observation": "senses"}
TASKS = {
    "a T of length 1": ("TMaze-v0", {"length": 1}, 0.5),
    "a T of length 10": ("TMaze-v0", {}, 0.5),
    "a T in a window": ("TMaze-v0", {"observation": "window", "window": 3, "length": 3, "shown_steps": 2}, 0.5),
    "one fork": ("DarkCandies-v0", {"forks": 1}, 0.5),
    "two forks": (
        "DarkCandies-v0", {"forks": 2, "observation": "onehot", "cue": True, "shown_steps": 1}, 0.25,
    ),
    "three forks": ("DarkCandies-v0", {"forks": 3}, 0.125),
    "a corridor": ("CandyMazePartial-v0", {**CORRIDOR, "max_steps": 26}, 0.5),
}  # fmt: skip


class Task:
    """A world with what is seen in each of its states.

    Attributes:
        mdp: states x clock, a reward of 1 for success and none for anything else; `limit` steps are given.
        seen: int [X], the number of what is observed.
    """

    def __init__(self, name, options):
        env = gymnasium.make(f"rlcourse/{name}", **options).unwrapped
        rules = env.rules
        plain = {**options, "observation": "index", "shown_steps": None, "feedback": False}
        base = gymnasium.make(f"rlcourse/{name}", **plain).unwrapped.model()
        self.limit = rules.max_steps
        shown = rules.shown_steps or 0
        X, A = base.n_states, base.n_actions
        pair = np.repeat(np.arange(X * A), np.diff(base.first))
        won = base.terminated & (base.reward == base.reward.max())  # no candy and no move is worth an exit
        clocks = np.arange(shown + 1)
        start = np.zeros(X * (shown + 1))
        start[:X] = base.start
        self.mdp = FiniteMDP.from_outcomes(
            *(np.concatenate(parts) for parts in zip(*[
                (clock * X + pair // A, pair % A, base.prob, min(clock + 1, shown) * X + base.next, won, base.terminated)
                for clock in clocks
            ], strict=True)),
            start=start, n_actions=A,
        )  # fmt: skip
        self.seen = self._observed(rules, X, shown)

    @staticmethod
    def _observed(rules, X, shown):
        """What the world itself shows in every state at every clock, numbered."""
        cells = np.flatnonzero(
            np.array([word != "wall" for word in map(rules.grid.word, rules.grid.cells())])
        )
        number = np.tile(np.arange(X), shown + 1)
        state = rules.allocate(len(number))
        core, candies = state["core"], rules.n_candies
        core[:, REMAINING] = core[:, FILLED] = number & ((1 << candies) - 1)
        core[:, FIRST_WALKER + POSITION] = cells[(number >> candies) % len(cells)]
        core[:, LEVEL] = (number >> candies) // len(cells)
        core[:, CLOCK] = np.arange(len(number)) // X
        seen = rules.observe(state)
        return np.unique(seen.reshape(len(seen), -1), axis=0, return_inverse=True)[1].reshape(-1)

    @property
    def starts(self):
        return np.flatnonzero(self.mdp.start)

    def follow(self, x, a):
        """The only outcome: next state, success, end."""
        k = self.mdp.first[x * self.mdp.n_actions + a]
        assert self.mdp.prob[k] == 1.0
        return int(self.mdp.next[k]), bool(self.mdp.reward[k]), bool(self.mdp.terminated[k])

    def best_fixed(self, starts):
        """The most of these starts from which one policy without memory, that draws nothing, succeeds: all are tried.

        An action is chosen when an observation is met first; an observation of a single state needs no two actions that lead
        to the same.
        """
        states = np.bincount(self.seen)
        policy = {}
        best = 0

        def run(i, x, steps, won):
            nonlocal best
            best = max(best, won)
            if won + len(starts) - i <= best:
                return  # nothing more to gain
            o = int(self.seen[x])
            if o in policy:
                choices = [policy[o]]
            elif states[o] == 1:
                outcomes = {self.follow(x, a): a for a in range(self.mdp.n_actions)}
                choices = list(outcomes.values())
            else:
                choices = list(range(self.mdp.n_actions))
            fresh = o not in policy
            for a in choices:
                policy[o] = a
                then, success, over = self.follow(x, a)
                # where time is up, and where one has been before, it goes on for ever
                if over or steps + 1 == self.limit or then in visited:
                    gone, after = visited.copy(), won + success
                    visited.clear()
                    if i + 1 == len(starts):
                        best = max(best, after)
                    else:
                        visited.add(int(starts[i + 1]))
                        run(i + 1, int(starts[i + 1]), 0, after)
                    visited.clear()
                    visited.update(gone)
                else:
                    visited.add(then)
                    run(i, then, steps + 1, won)
                    visited.discard(then)
            if fresh:
                del policy[o]

        visited = {int(starts[0])}
        run(0, int(starts[0]), 0, 0)
        return best

    def success(self, law, limit=None):
        """The chance of success within the limit with a law without memory, `[O, A]`; by going back from the end."""
        mdp, A = self.mdp, self.mdp.n_actions
        pair = np.repeat(np.arange(mdp.n_states * A), np.diff(mdp.first))
        goes_on, V = np.where(mdp.terminated, 0.0, mdp.prob), np.zeros(mdp.n_states)
        for _ in range(limit or self.limit):
            Q = np.bincount(pair, mdp.prob * mdp.reward + goes_on * V[mdp.next], minlength=mdp.n_states * A)
            V = (law[self.seen] * Q.reshape(-1, A)).sum(axis=1)
        return mdp.start @ V


@functools.cache
def task_of(key):
    name, options, _ = TASKS[key]
    return Task(name, options)


@pytest.mark.parametrize("key", [key for key in TASKS if key != "three forks"])  # too many to try all
def test_without_memory_no_fixed_policy_is_better_than_chance(key):
    task = task_of(key)
    assert task.best_fixed(task.starts) / len(task.starts) == TASKS[key][2]


@pytest.mark.parametrize(
    ("name", "options"),
    [("TMaze-v0", {"length": 3}), ("DarkCandies-v0", {"forks": 1}), ("DarkCandies-v0", {"forks": 2})],
    ids=str,
)
def test_what_stays_in_sight_needs_no_memory(name, options):
    task = Task(name, {**options, "shown_steps": None})
    assert task.best_fixed(task.starts) == len(task.starts)


@pytest.mark.parametrize("key", TASKS)
def test_whoever_remembers_the_first_observation_always_succeeds(key):
    """For every first observation there is a policy of its own."""
    task = task_of(key)
    first = task.seen[task.starts]
    groups = [task.starts[first == o] for o in np.unique(first)]
    assert sum(task.best_fixed(group) for group in groups) == len(task.starts)


def law_of(task, seed, sharpness):
    """A law over actions for every observation; the sharper, the nearer to a fixed choice."""
    shape = np.full(task.mdp.n_actions, 1.0 / sharpness)
    return np.random.default_rng(seed).dirichlet(shape, size=task.seen.max() + 1)


@pytest.mark.parametrize("key", TASKS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), sharpness=st.floats(0.5, 20.0))
def test_without_memory_no_law_is_better_than_chance(key, seed, sharpness):
    task = task_of(key)
    assert task.success(law_of(task, seed, sharpness)) <= TASKS[key][2] + 1e-9


@pytest.mark.parametrize("key", [key for key in TASKS if key != "a corridor"])
def test_time_does_not_help_at_a_fork(key):
    """Whoever draws all actions gets through in the end, and is right with the chance of a coin for every fork: exactly."""
    task = task_of(key)
    for seed in range(3):
        law = 0.5 * law_of(task, seed, 1.0) + 0.5 / task.mdp.n_actions
        value = evaluate_policy(task.mdp, law[task.seen], 1.0)
        assert task.mdp.start @ value == pytest.approx(TASKS[key][2], abs=1e-9)


def test_time_does_help_in_the_corridor():
    """A fair coin walks to the exit from either end: a random walk between a barrier and the exit, computed by itself."""
    task = task_of("a corridor")
    inward = np.zeros((task.seen.max() + 1, 4))
    inward[:, :2] = 0.5
    ends = task.seen[task.starts]
    inward[ends] = [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    chance = np.zeros(14)
    chance[0] = 1.0
    for steps in range(1, 201):
        after = np.zeros(14)
        after[13] = chance[13] + 0.5 * chance[12]
        after[1:13] = np.concatenate([[chance[0]], 0.5 * chance[1:12]]) + 0.5 * np.append(chance[2:13], 0.0)
        after[0] = 0.5 * chance[1]
        chance = after
        if steps in (26, 200):
            assert task.success(inward, steps) == pytest.approx(chance[13], abs=1e-12)
    assert task.success(inward, 26) < 0.05
    assert task.success(inward, 200) == pytest.approx(0.7046, abs=5e-5)


@pytest.mark.parametrize("key", ["a T of length 1", "a corridor"])
def test_the_best_law_that_a_search_finds_is_chance(key):
    """Uphill from three laws."""
    task = task_of(key)
    used = np.unique(task.seen[task.mdp.reachable()])
    shape = (len(used), task.mdp.n_actions)

    def law(logits):
        out = np.full((task.seen.max() + 1, shape[1]), 1 / shape[1])
        out[used] = softmax(logits.reshape(shape), axis=1)
        return out

    rng, found = np.random.default_rng(1), []
    for _ in range(3):
        start = rng.normal(size=shape).ravel()
        found.append(-minimize(lambda logits: -task.success(law(logits), 26), start).fun)
    assert max(found) == pytest.approx(TASKS[key][2], abs=1e-3)
    assert max(found) <= TASKS[key][2] + 1e-9
