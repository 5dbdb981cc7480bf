"""Every registered world with option variants; episodes are short, so that they end during a test."""

from typing import Any

import gymnasium

import rlcourse  # noqa: F401  (registers the worlds)

TABLE = [[0.1, 0.9], [0.8, 0.2], [0.5, 0.5], [1.0, 0.0], [0.0, 0.3]]

ODD_MAP = """
S.>.2
.Z#v.
.T.<5
C^.#.
1..#E

wind = 0 0 1 2 0
legend Z = candy -0.5
reward cliff = -3
"""
TURNING_MAP = """
S#..
...E

from step 4
S...
.#.E
"""
MANY_STARTS = "S.1S\n.##.\nS..E"

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "CandyMachines-v0": [
        {"coins": 7},
        {"coins": 9, "cost": 2, "machines": 3},
        {"coins": 5, "probabilities": [0.2, 1.0]},
    ],
    "Bandit-v0": [
        {"horizon": 7},
        *({"horizon": 5, "law": law} for law in ("gaussian", "uniform", "exponential", "poisson", "beta")),
        {"horizon": 5, "law": "discrete"},
        {"horizon": 6, "law": ["gaussian", "discrete", "beta", "bernoulli", "discrete"], "values": [-1, 2]},
        {"horizon": 6, "means": [0.2, None, 0.8]},
        {
            "horizon": 6,
            "law": "gaussian",
            "sigma": [0.0, 1.0, 2.0],
            "prior": "uniform",
            "prior_args": [-1, 1],
        },
        {"horizon": 6, "law": "discrete", "values": [0, 3], "probabilities": [[0.5, 0.5], [1.0, 0.0]]},
        {"horizon": 4, "arms": 1},
    ],
    "DriftingBandit-v0": [
        {"horizon": 7},
        {"horizon": 5, "arms": 2, "drift": 1.0, "sigma": 0.0, "initial": 3},
    ],
    "SwitchingBandit-v0": [
        {"horizon": 7},
        {"horizon": 9, "breakpoints": [2, 5], "arms": 4},
        {"horizon": 9, "breakpoints": [3], "means": [[0.1, 0.9], [0.9, 0.1]]},
        {"horizon": 9, "hazard": 0.4, "arms": 5, "prior_args": [0.2, 0.7]},
    ],
    "ReactiveCandyMachines-v0": [
        {"coins": 7},
        {"coins": 9, "probabilities": [0.5, 0.6], "rise": 0.2, "fall": 0.3, "low": 0.1, "high": 0.9},
    ],
    "RestlessBandit-v0": [
        {"horizon": 7},
        {"horizon": 6, "arms": 2, "states": 1},
        {
            "horizon": 6,
            "transitions": [[[0.5, 0.5], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]],
            "rewards": [[0, 1], [2, -1]],
        },
    ],
    "ContextualBandit-v0": [
        {"horizon": 7},
        {"horizon": 6, "payoff": "logistic", "dim": 9},
        {"horizon": 6, "payoff": "quadratic", "dim": 3},
        {"horizon": 6, "parameters": "shared", "arms": 3, "dim": 1},
        {"horizon": 6, "parameters": "shared", "payoff": "logistic", "theta": [1.0, -2.0]},
        {"horizon": 6, "theta": [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], "sigma": 0.0},
    ],
    "HiddenContextBandit-v0": [
        {"horizon": 7},
        {"horizon": 6, "regimes": 2, "arms": 4, "stay": 0.5, "accuracy": 1.0},
        {
            "horizon": 6,
            "means": [[0.1, 1.0], [0.9, 0.0]],
            "transitions": [[0.9, 0.1], [0.3, 0.7]],
            "cues": [[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]],
        },
    ],
    "AdversarialBandit-v0": [
        {"horizon": 7, "period": 2},
        {"horizon": 7, "period": 3, "adversary": "wandering"},
        {"horizon": 7, "period": 4, "adversary": "periodic"},
        {"horizon": 7, "arms": 2, "adversary": "fools_ucb"},
        {"table": TABLE},
    ],
    "CourseMaze-v0": [
        {"max_steps": 9},
        {"max_steps": 9, "observation": "position", "slip": 0.5},
        {"max_steps": 30, "observation": "planes", "patience": 0.2, "layout": MANY_STARTS},
    ],
    "CandyMaze-v0": [
        {"max_steps": 7},
        {"max_steps": 9, "king_moves": True, "stay": True, "slip": 0.4, "observation": "position"},
        {"max_steps": 9, "layout": ODD_MAP, "gusty": True, "observation": "onehot"},
        {"max_steps": 9, "layout": ODD_MAP, "observation": "planes", "revisit_reward": -1.0},
        {"max_steps": 9, "layout": TURNING_MAP, "observation": "planes"},
        {"max_steps": 9, "layout": MANY_STARTS, "locked": True},
        {"max_steps": 9, "level_seed": 3, "size": 6, "braid": 1.0, "observation": "senses"},
        {"max_steps": 9, "layout": MANY_STARTS.replace("E", "2"), "slip": 0.1},
    ],
    "CandyMazeLevels-v0": [
        {"max_steps": 9},
        {"max_steps": 9, "generator": "rooms", "observation": "window", "feedback": True, "start": "far"},
        {
            "max_steps": 9,
            "levels": "test",
            "n_levels": 3,
            "size": 5,
            "candies": [1.0, 1.0],
            "observation": "rgb",
        },
        {
            "max_steps": 9,
            "size": 3,
            "candies": [2.0],
            "revisit_reward": -1.0,
            "king_moves": True,
            "generator": "open",
        },
    ],
    "CandyMazePartial-v0": [
        {"max_steps": 9},
        {"max_steps": 9, "feedback": True, "occlusion": False, "window": 3, "revisit_reward": -1.0},
        {"max_steps": 9, "layout": "corridor", "spawn": None, "start": "map", "observation": "senses"},
    ],
    "CandyMazeDrift-v0": [
        {"max_steps": 9, "drift_every": 2},
        {"max_steps": 9, "drift": "walk", "tell_chances": True},
        {
            "max_steps": 9,
            "drift": "season",
            "drift_unit": "steps",
            "drift_every": 7,
            "boxes": False,
            "spawn": 3,
        },
        {"max_steps": 9, "spawn": 2, "observation": "planes"},
    ],
    "CandyMazePartialDrift-v0": [{"max_steps": 9, "drift_every": 3}, {"max_steps": 9, "drift": "walk"}],
    "CandyDuel-v0": [
        {"max_steps": 9},
        {"max_steps": 9, "opponent": "random", "moves": "simultaneous", "observation": "planes"},
        {"max_steps": 9, "zero_sum": False, "slip": 0.3, "revisit_reward": -0.5, "observation": "full"},
    ],
    "TMaze-v0": [
        {"max_steps": 9},
        {"max_steps": 9, "length": 2, "observation": "window", "window": 3},
        {"max_steps": 9, "length": 1, "observation": "index", "shown_steps": None, "feedback": True},
    ],
    "DarkCandies-v0": [
        {"max_steps": 9},
        {"max_steps": 9, "forks": 1, "observation": "onehot", "cue": True},
    ],
    "CandyMazeSlippery-v0": [
        {"max_steps": 7},
        {"max_steps": 9, "observation": "full", "start": "anywhere"},
    ],
    "CliffWalk-v0": [{"max_steps": 9}],
    "WindyGrid-v0": [{"max_steps": 9}, {"max_steps": 9, "king_moves": True, "gusty": True}],
    "FourRooms-v0": [{"max_steps": 9}],
    "DynaMaze-v0": [{"max_steps": 9}],
    "BlockingMaze-v0": [{"max_steps": 9}],
    "ShortcutMaze-v0": [{"max_steps": 9}],
    "FiniteWorld-v0": [
        {"max_steps": 9},
        {"env": "Taxi-v4", "max_steps": 9},
        {"env": "rlcourse/CandyMazeSlippery-v0", "settings": {"max_steps": 9}},
    ],
}

IDS = sorted(name for name in gymnasium.registry if name.startswith("rlcourse/"))
BANDITS = [name for name in IDS if "bandits" in str(gymnasium.spec(name).entry_point)]
MAZES = [name for name in IDS if "maze" in str(gymnasium.spec(name).entry_point)]
CASES = [(name, kwargs) for name in IDS for kwargs in VARIANTS.get(name.removeprefix("rlcourse/"), [{}])]
CASE_NAMES = [f"{name.removeprefix('rlcourse/')}-{i}" for i, (name, _) in enumerate(CASES)]
