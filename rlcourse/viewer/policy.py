"""The policy and the values of an agent on the map of a maze: over the live picture, and as a picture of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pygame
from numpy.typing import NDArray

from rlcourse.agents.base import Agent
from rlcourse.colours import DIM, PAPER
from rlcourse.envs.maze.rules import MazeRules
from rlcourse.envs.rules import State
from rlcourse.errors import UsageError
from rlcourse.names import short_name
from rlcourse.viewer import field
from rlcourse.viewer.canvas import pixels, write
from rlcourse.viewer.knowledge import Knowledge, believed, knowledge_of
from rlcourse.viewer.maze import paint_board, side_of, whole_state

MARGIN, HEAD = 24, 64
LARGEST, BOARD, ALONE, LINE = 112, 720, 1120, 480
"""Side of a cell at most, of a board, of one that is alone, and height of one with another below it, in pixels: larger than in
the live picture, since there are numbers."""


def paint_live(
    rules: MazeRules, state: State, row: int, values: Callable[[Any], NDArray[np.float64]]
) -> pygame.Surface:
    """The board of the live picture with what an agent knows; see `maze.paint_values`."""
    known, side = believed(rules, state, row, values), side_of(rules)
    actions = side >= 2 * field.SMALLEST_WEDGE
    board = _board(known, rules, state, row, side, actions=actions, live=True)
    wide, tall = board.get_size()
    whole = pygame.Surface((wide, tall + field.SCALE_HEIGHT))
    whole.fill(PAPER)
    whole.blit(board, (0, 0))
    assert known.V is not None
    scale = field.scale_of(known.V, known.Q if actions else None)
    field.paint_scale(whole, pygame.Rect(0, tall + 8, wide, 0), scale, "how good it looks to the agent")
    return whole


def policy_picture(agent: Agent) -> NDArray[np.uint8]:
    """What a population knows of its maze when an episode begins, as a picture.

    On the left the value of every cell and the best actions, on the right the value of every action. The walker's cell varies,
    candies and all else are as at the start of an episode (of the first member's seed). Of several members it is the mean,
    and the area of an arrow says how many of them would go that way.

    Args:
        agent: the population; `agent.member(k)` for one of it.

    Returns:
        `uint8 [H, W, 3]`.

    Raises:
        UsageError: its world is no maze.
    """
    world: Any = gymnasium.make(agent.spec.id, disable_env_checker=True, **agent.env_kwargs).unwrapped
    rules = getattr(world, "rules", None)
    if not isinstance(rules, MazeRules):
        raise UsageError(f"a picture of policy and values is one of a maze, and {agent.spec.id} is none")
    world.reset(seed=agent.seeds[0])
    state = whole_state(rules, world.get_state())
    return pixels(_page(knowledge_of(agent, rules, state), rules, state, _title(agent)))


def save_policy_picture(agent: Agent, path: str | Path) -> Path:
    """`policy_picture` as a PNG file.

    Args:
        agent: the population.
        path: the file.

    Raises:
        UsageError: see `policy_picture`; also a file that cannot be written, or that is not called .png.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise UsageError(f"plot={str(path)!r} must be a .png file")
    image = policy_picture(agent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pygame.image.save(pygame.surfarray.make_surface(image.transpose(1, 0, 2)), path)
    except (OSError, pygame.error) as error:
        raise UsageError(f"plot={str(path)!r} cannot be written: {error}") from None
    return path


def _title(agent: Agent) -> tuple[str, str]:
    who = f"mean of {agent.size:,} members; the area of an arrow: how many of them go there"
    return (
        f"{agent.name} in {short_name(agent.spec.id)}, after {agent.num_timesteps:,} steps",
        f"seed {agent.seeds[0]}" if agent.size == 1 else who,
    )


def _board(
    known: Knowledge,
    rules: MazeRules,
    state: State,
    row: int,
    side: int,
    *,
    actions: bool,
    live: bool = False,
) -> pygame.Surface:
    """The map with values of states, or of actions, and arrows."""
    directions = list(rules.directions[: known.share.shape[-1]])
    floor: NDArray[np.bool_] = np.isfinite(known.share[..., 0])
    V, Q = known.V, known.Q if actions else None
    ground = np.full(floor.shape, np.nan) if V is None else V
    scale = field.scale_of(ground, Q)

    def beneath(surface: pygame.Surface, fine: int) -> None:
        if Q is not None:
            field.paint_actions(surface, Q, scale, fine, directions)
        elif V is not None:
            field.paint_states(surface, V, scale, fine)
        if side >= field.SMALLEST_WEDGE:
            field.paint_grid(surface, floor, fine)
        if (live or not actions) and side >= field.SMALLEST_ARROW:
            field.paint_arrows(surface, known.share, ground, scale, fine, directions)

    board = paint_board(rules, state, row, side, walkers=live, beneath=beneath)
    if not live and side >= field.SMALLEST_NUMBER:
        layout, which = rules.layout_of(state, row)
        for cell in layout.find("start", which):
            field.paint_start(board, cell, ground, scale, side)
        if Q is not None:
            field.paint_action_numbers(board, Q, scale, side, directions)
        elif V is not None:
            field.paint_numbers(board, V, scale, side)
    return board


def _page(known: Knowledge, rules: MazeRules, state: State, title: tuple[str, str]) -> pygame.Surface:
    """Title, the boards, and below each what its colours mean.

    The second board is beside the first one, or below it where that leaves more room; where the cells are too small for
    wedges, there is none.
    """
    side = side_of(rules, LARGEST, BOARD)
    panels = [
        (
            False,
            "arrows: what it does" if known.V is None else "value of being there; arrows: the best actions",
        )
    ]
    if known.Q is not None and side >= field.SMALLEST_WEDGE:
        panels.append((True, "value of each action"))
    if len(panels) == 1:
        side = side_of(rules, LARGEST, ALONE)
    below = min(LARGEST, ALONE // rules.width, LINE // rules.height)
    stacked, side = len(panels) == 2 and below > side, max(side, below)
    boards = [_board(known, rules, state, 0, side, actions=actions) for actions, _ in panels]
    wide, tall = boards[0].get_size()
    column, line = max(wide, 300) + MARGIN, tall + field.SCALE_HEIGHT + MARGIN
    columns, lines = (1, len(panels)) if stacked else (len(panels), 1)
    width = columns * column + MARGIN
    page = pygame.Surface((width, HEAD + lines * line))
    page.fill(PAPER)
    write(page, title[0], (MARGIN, 24), 20, bold=True, width=width - 2 * MARGIN)
    write(page, title[1], (MARGIN, 48), 14, colour=DIM, width=width - 2 * MARGIN)
    for place, ((actions, words), board) in enumerate(zip(panels, boards, strict=True)):
        x, y = (MARGIN, HEAD + place * line) if stacked else (MARGIN + place * column, HEAD)
        page.blit(board, (x + (column - MARGIN - wide) // 2, y))
        bar = pygame.Rect(x, y + tall + 12, column - MARGIN, 0)
        if known.V is None:
            write(page, words, (x, bar.y + 8), 13, width=bar.width)
        else:
            field.paint_scale(page, bar, field.scale_of(known.V, known.Q if actions else None), words)
    return page
