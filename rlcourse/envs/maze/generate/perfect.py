"""Perfect mazes, compiled: one way from any cell to any other.

They are spanning trees of a lattice of nodes, with a line of cells between two lines of nodes. That takes an odd number
of cells; an even side has one line more, which goes between two lines of nodes chosen at random: the walls there are two
cells thick and the passages two long, so that the maze reaches all four edges and stays a tree.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rlcourse.envs.maze.generate.grid import (
    DOWN,
    NONE,
    RIGHT,
    ZERO,
    inner,
    join,
    next_cell,
    open_between,
    take,
    ways_out,
)
from rlcourse.streams_compiled import GAMMA, integer_at

PERFECT = ("depth_first", "prim", "kruskal")
"""The generators; `perfect_maze` takes the place in this list."""
DEPTH_FIRST, PRIM, KRUSKAL = range(3)


@inner
def perfect_maze(tick: Any, kind: Any, height: Any, width: Any, open_: Any, work: Any) -> Any:
    """A spanning tree of the lattice; returns the tick.

    `lattice` is its rows and columns, the row and the column from which the line too many moves the nodes on, and the
    width of the grid.
    """
    rows, columns = (height + 1) // 2, (width + 1) // 2
    row_cut, column_cut = rows, columns
    if height % 2 == 0 and rows > 1:
        tick += GAMMA
        row_cut = 1 + integer_at(tick, rows - 1)
    if width % 2 == 0 and columns > 1:
        tick += GAMMA
        column_cut = 1 + integer_at(tick, columns - 1)
    lattice = (rows, columns, row_cut, column_cut, width)
    if kind == DEPTH_FIRST:
        tick = _depth_first(tick, lattice, open_, work)
    elif kind == PRIM:
        tick = _prim(tick, lattice, open_, work)
    else:
        tick = _kruskal(tick, lattice, open_, work)
    if rows == 1 or columns == 1:
        tick = _niches(tick, height, width, open_, work)
    return tick


@inner
def _cell_of(node: Any, lattice: Any) -> Any:
    """Where in the grid a node is."""
    _, columns, row_cut, column_cut, width = lattice
    r, c = node // columns, node % columns
    return (2 * r + (r >= row_cut)) * width + 2 * c + (c >= column_cut)


@inner
def _new_beside(node: Any, direction: Any, lattice: Any, open_: Any) -> Any:
    """The node in this direction, if there is one and it is not yet part of the maze; else -1."""
    there = next_cell(node, direction, lattice[0], lattice[1])
    return -1 if there >= 0 and open_[_cell_of(there, lattice)] else there


@inner
def _link(node: Any, there: Any, lattice: Any, open_: Any) -> None:
    """A passage between two nodes, with both of them."""
    open_between(_cell_of(node, lattice), _cell_of(there, lattice), lattice[4], open_)


@inner
def _depth_first(tick: Any, lattice: Any, open_: Any, path: Any) -> Any:
    """Walk on to a new neighbour at random; where there is none, go back. Also called recursive backtracker."""
    tick += GAMMA
    first = integer_at(tick, lattice[0] * lattice[1])
    open_[_cell_of(first, lattice)] = 1
    path[0], length = first, 1
    while length > 0:
        node, chosen, found = np.int64(path[length - 1]), NONE, ZERO
        for direction in range(4):
            there = _new_beside(node, direction, lattice, open_)
            if there >= 0:
                found += 1
                tick += GAMMA
                if integer_at(tick, found) == 0:
                    chosen = there
        if found:
            _link(node, chosen, lattice, open_)
            path[length] = chosen
            length += 1
        else:
            length -= 1
    return tick


@inner
def _prim(tick: Any, lattice: Any, open_: Any, edges: Any) -> Any:
    """Grow from a node: of all edges that lead out of the maze, follow one at random."""
    tick += GAMMA
    node, count = integer_at(tick, lattice[0] * lattice[1]), ZERO
    open_[_cell_of(node, lattice)] = 1
    while node >= 0:
        for direction in range(4):
            if _new_beside(node, direction, lattice, open_) >= 0:
                edges[count] = 4 * node + direction
                count += 1
        node = NONE
        while count > 0 and node < 0:
            tick += GAMMA
            edge, count = take(integer_at(tick, count), edges, count)
            node = _new_beside(edge // 4, edge % 4, lattice, open_)
            if node >= 0:
                _link(edge // 4, node, lattice, open_)
    return tick


@inner
def _kruskal(tick: Any, lattice: Any, open_: Any, work: Any) -> Any:
    """Take all edges in random order, and open those that join two parts (Kruskal 1956, with random weights)."""
    nodes = lattice[0] * lattice[1]
    parents, edges = work[:nodes], work[nodes:]
    count = ZERO
    for node in range(nodes):
        parents[node] = node
        open_[_cell_of(node, lattice)] = 1
        for direction in (RIGHT, DOWN):
            if next_cell(node, direction, lattice[0], lattice[1]) >= 0:
                edges[count] = 4 * node + direction
                count += 1
    while count > 0:
        tick += GAMMA
        edge, count = take(integer_at(tick, count), edges, count)
        there = next_cell(edge // 4, edge % 4, lattice[0], lattice[1])
        if join(edge // 4, there, parents):
            _link(edge // 4, there, lattice, open_)
    return tick


@inner
def _niches(tick: Any, height: Any, width: Any, open_: Any, cells: Any) -> Any:
    """In random order, open all walls with floor at one side only: what is a tree stays one."""
    count = height * width
    for cell in range(count):
        cells[cell] = cell
    while count > 0:
        tick += GAMMA
        cell, count = take(integer_at(tick, count), cells, count)
        if not open_[cell] and ways_out(cell, height, width, open_) == 1:
            open_[cell] = 1
    return tick
