"""The symmetries of a square board in reinforcement learning: a turned transition is a transition of the turned maze.

A walker who goes left in a maze goes down in the maze turned to the left. So a transition (s, a, r, s') tells of seven others,
(g s, g a, r, g s') for the turns and mirror images g, which never have to be walked.

    DQN     learns from (g s, g a, r, g s') in the place of the transition that was drawn
    PPO     loss + augment_coef ( KL[ pi(.|s) || pi(g .|g s) ] + (V(s) - V(g s))^2 ),  pi(.|s) and V(s) held still

A world with a direction of its own, as wind or one-way cells, has no such symmetries; nobody checks that.

PPO's own loss stays with what was seen, since its ratio is one of the chances that the actions were taken with.

Source: van der Pol et al. (2020), "MDP homomorphic networks" (symmetries of state and action); Laskin et al. (2020),
"Reinforcement learning with augmented data" (in replay); Raileanu et al. (2021), "Automatic data augmentation for
generalization in reinforcement learning" (DrAC, equations 3 to 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlcourse.errors import UsageError
from rlcourse.nn.augment import DIRECTIONS, action_maps, cell_maps
from rlcourse.streams import Streams

if TYPE_CHECKING:
    from rlcourse.agents.deep.base import DeepAgent

Augment = Literal["none", "symmetries"]


class Symmetries:
    """The eight symmetries of the boards that an agent sees.

    Args:
        agent: it sees a picture with as many rows as columns, and goes left, right, up and down.

    Raises:
        UsageError: another world.
    """

    def __init__(self, agent: DeepAgent) -> None:
        codec = agent.codec
        directions = tuple(getattr(agent._said("rules"), "directions", ()))[: agent.n_actions]
        square = codec.is_image and codec.image_shape[1] == codec.image_shape[2]
        if not square or directions != DIRECTIONS:
            raise UsageError(
                f"{agent.name}: augment='symmetries' fits worlds that show square boards and whose actions are left, right, "
                f"up and down, such as CandyMaze-v0 with observation='planes'; {agent.spec.id} with these options is none"
            )
        side = codec.image_shape[1]
        self._cells = torch.from_numpy(cell_maps(side, side)).to(agent.device)
        maps = action_maps(DIRECTIONS)
        self._actions = torch.from_numpy(maps).to(agent.device)
        # at action a of the turned board stands what stood at action back[a]
        self._back = torch.from_numpy(np.argsort(maps, axis=1)).to(agent.device)

    def draw(self, streams: Streams, batch: int) -> Tensor:
        """A symmetry for each transition of a batch, from the members' own streams, int64 `[S, batch]`."""
        which: NDArray[np.int64] = streams.integers(len(self._cells), (batch,))
        return torch.from_numpy(which).to(self._cells.device)

    def turn(self, rows: Tensor, which: Tensor) -> Tensor:
        """Boards `[S, batch, C, H, W]` under their symmetries, see `rlcourse.nn.augment.turn_grids`."""
        flat = rows.flatten(3)
        cells = self._cells[which][:, :, None, :].expand(flat.shape)
        return flat.gather(-1, cells).reshape(rows.shape)

    def carry(self, actions: Tensor, which: Tensor) -> Tensor:
        """What the actions `[S, batch]` become."""
        return self._actions[which, actions]

    def carry_each(self, values: Tensor, which: Tensor) -> Tensor:
        """Something for each action, `[S, batch, A]`, in the order of the turned boards."""
        return values.gather(-1, self._back[which])
