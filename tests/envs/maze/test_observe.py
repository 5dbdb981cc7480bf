"""What is seen, by hand, on one small map."""

import gymnasium
import numpy as np

import rlcourse  # noqa: F401  (registers the worlds)


def seen(observation, actions, layout, **options):
    env = gymnasium.make("rlcourse/CandyMaze-v0", layout=layout, observation=observation, **options)
    value, _ = env.reset(seed=0)
    for action in actions:
        value = env.step(action)[0]
    assert env.observation_space.contains(value)
    return value


def test_numbers():
    layout = "S25\n#.E"
    assert seen("position", [1], layout) == 1
    assert seen("position", [1, 3], layout) == 4
    assert seen("index", [], layout) == 0 * 4 + 0b11
    assert seen("index", [1], layout) == 1 * 4 + 0b10
    assert seen("index", [1, 3], layout) == 3 * 4 + 0b10  # the wall has no number
    assert seen("index", [1, 1], layout) == 2 * 4


def test_arrays():
    layout = "S25\n#.E"
    assert seen("onehot", [1], layout).tolist() == [0, 1, 0, 0, 0, 0, 0, 1]
    full = seen("full", [1, 0, 1], layout, revisit_reward=-0.5)
    assert full[:8].tolist() == [0, 1, 0, 0, 0, 0, 0, 1]
    assert full[8:14].tolist() == [1, 1, 0, 0, 0, 0]
    assert full[14] == np.float32(2.0 - 0.05 - 0.5)
    assert seen("full", [1], layout).shape == (9,)  # visits do not count: they are left out


def test_planes():
    layout = "S25\n.TE\n.C2\n..."
    planes = seen("planes", [1], layout)
    wall, exits, trap, cliff, walker, cheap, dear = planes
    assert wall.sum() == 0
    assert np.argwhere(exits).tolist() == [[1, 2]]
    assert np.argwhere(trap).tolist() == [[1, 1]]
    assert np.argwhere(cliff).tolist() == [[2, 1]]
    assert np.argwhere(walker).tolist() == [[0, 1]]
    assert np.argwhere(cheap).tolist() == [[2, 2]]  # the other one is eaten
    assert np.argwhere(dear).tolist() == [[0, 2]]
    tracked = seen("planes", [1], layout, revisit_reward=-1.0)
    assert np.argwhere(tracked[5]).tolist() == [[0, 1]]
    changing = "S#.\n..E\n\nfrom step 2\nS..\n.#E"
    assert np.argwhere(seen("planes", [2], changing)[0]).tolist() == [[0, 1]]
    assert np.argwhere(seen("planes", [2, 2], changing)[0]).tolist() == [[1, 1]]
