"""Mazes of every kind in which something is to be seen: random maps, alternatives, walls that change, levels, duels."""

import gymnasium
import numpy as np
from hypothesis import strategies as st

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.envs.maze.generate import LevelOptions, generate_layout
from rlcourse.envs.maze.reading import parse
from rlcourse.envs.maze.world import LEVEL
from tests.envs.variants import TURNING_MAP

from .maps import alternative_maps, duel_maps, maps
from .slow_sight import Scene

WORLDS = {
    "CandyMaze-v0": st.one_of(maps, alternative_maps, st.just(TURNING_MAP)),
    "CandyDuel-v0": duel_maps,
    "CandyMazeLevels-v0": st.none(),
    "TMaze-v0": st.none(),
    "DarkCandies-v0": st.none(),
}


@st.composite
def worlds(draw):
    """A world's name and its options."""
    name = draw(st.sampled_from(list(WORLDS)))
    layout = draw(WORLDS[name])
    options = {"layout": layout} if layout else {}
    if name == "CandyMazeLevels-v0":
        options |= {"size": draw(st.integers(4, 7)), "generator": draw(st.sampled_from(["rooms", "prim"]))}
    if name == "TMaze-v0":
        options["length"] = draw(st.integers(1, 4))
    if name == "DarkCandies-v0":
        options["forks"] = draw(st.integers(1, 3))
    if name == "CandyDuel-v0":
        options["moves"] = draw(st.sampled_from(["alternating", "simultaneous"]))
        options["opponent"] = draw(st.sampled_from(["random", "greedy"]))
    options["shown_steps"] = draw(st.none() | st.integers(1, 6))
    options["king_moves"] = draw(st.booleans())
    if draw(st.booleans()):
        options["revisit_reward"] = -0.5
    several = name in ("TMaze-v0", "DarkCandies-v0") or (layout and parse(layout).alternatives > 1)
    if several:
        options["cue"] = draw(st.booleans())
    candies = {"CandyMazeLevels-v0": 4, "TMaze-v0": 0}.get(name, options.get("forks", 0))
    candies = len(parse(layout).values) if layout else candies
    if candies:
        options["spawn"] = draw(st.none() | st.integers(1, candies))
    if options.get("spawn"):
        options["boxes"] = draw(st.booleans())
    return name, options


def batch(name, copies=3, **options):
    """Copies that begin anew at once, so that equal actions keep equal copies together."""
    return gymnasium.make_vec(
        f"rlcourse/{name}", copies, vectorization_mode="vector_entry_point", autoreset_mode="SameStep", **options
    ).unwrapped  # fmt: skip


def scene(env, row, w=0):
    """How copy `row` stands, for the slow reference; a generated level is made anew from its level seed."""
    rules, state = env.rules, env.get_state()
    layout = None
    if type(rules).__name__ == "CandyMazeLevels":
        kind = LevelOptions(rules.generator, rules.size, rules.size, candies=rules.candies)
        layout = generate_layout(kind, int(state["core"][row, LEVEL]))
    return Scene(rules, state, row, layout, w)


def walks(envs, seed, steps=10):
    """All `envs` do the same; their observations by name, at the start and after every step."""
    yield {name: env.reset(seed=seed)[0] for name, env in envs.items()}
    one = next(iter(envs.values()))
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        actions = rng.integers(one.single_action_space.n, size=one.num_envs)
        yield {name: env.step(actions)[0] for name, env in envs.items()}
