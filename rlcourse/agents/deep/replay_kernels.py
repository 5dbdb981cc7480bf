"""The compiled part of replay: writing frames into rings, and drawing transitions, sequences and priorities from them.

A ring holds frames: what was observed, the action taken there, what it paid and how it went on. The observation after a
transition is that of the next frame, so every one is kept once. Where a network sees the last f observations, a ring holds
single ones, which are put side by side when they are read. Then it has f - 1 places more than there are transitions, for what
was seen before the oldest of them, and a head of its own.

Numba's cache does not see edits of `rlcourse.streams_compiled`: delete the `__pycache__` here after one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rlcourse.streams_compiled import next_integer, next_uniform

GOES_ON, TERMINATED, TRUNCATED, CLOSING, OPEN = 0, 1, 2, 3, 4
"""What a frame is: a transition that goes on, or was the last one; the observation that a truncated episode ended with; the
newest observation, in which nothing was done yet."""

kernel = njit(cache=True, error_model="numpy", nogil=True)


@kernel
def write(
    frames: Any,
    actions: Any,
    rewards: Any,
    kinds: Any,
    at: Any,
    filled: Any,
    heads: Any,
    depths: Any,
    most: Any,
    seen: Any,
    taken: Any,
    paid: Any,
    following: Any,
    terminated: Any,
    truncated: Any,
) -> None:
    """One transition of every copy b = 0 .. B-1 into its ring of C frames.

    Arrays:
        frames: `[B, C + most, bytes]`; actions, rewards, kinds: `[B, C]`; at, filled: `[B]`, where the next frame goes and how
            many are used.
        heads: `[B, 1]`, where the next frame goes among `frames`, and depths: uint16 `[B, C]`, how many observations before
            that of each place are of its episode, at most `most`; both `[B, 0]` where `most` is 0.
        seen, following: the newest observations before and after, `[B, bytes]`; taken, paid, terminated, truncated: `[B]`.
    """
    copies, capacity = kinds.shape
    for b in range(copies):
        i = at[b]
        head = heads[b, 0] if most else i
        if most:
            before = kinds[b, (i - 1) % capacity]
            if filled[b] == 0 or before != GOES_ON or (frames[b, head] != seen[b]).any():
                depths[b, i] = 0  # an episode begins here
            depths[b, (i + 1) % capacity] = min(depths[b, i] + 1, most)
            if truncated[b] and not terminated[b]:
                depths[b, (i + 2) % capacity] = 0
            heads[b, 0] = (head + (2 if truncated[b] and not terminated[b] else 1)) % frames.shape[1]
        frames[b, head] = seen[b]
        actions[b, i] = taken[b]
        rewards[b, i] = paid[b]
        kinds[b, i] = TERMINATED if terminated[b] else (TRUNCATED if truncated[b] else GOES_ON)
        i = (i + 1) % capacity
        frames[b, (head + 1) % frames.shape[1]] = following[b]
        if truncated[b] and not terminated[b]:
            kinds[b, i] = CLOSING
            i = (i + 1) % capacity
            filled[b] = min(filled[b] + 1, capacity)
        kinds[b, i] = OPEN
        at[b] = i
        filled[b] = min(filled[b] + 1, capacity)


@kernel
def cut(tree: Any, kinds: Any, at: Any, filled: Any, heads: Any, room: Any, copies: Any, over: Any) -> None:
    """Where `over [B]`, what comes next is another episode: a last transition that went on was truncated.

    See `write`; `room` is C + most.
    """
    total, capacity = kinds.shape
    for b in range(total):
        i = at[b]
        if over[b] and filled[b] > 0 and kinds[b, (i - 1) % capacity] == GOES_ON:
            kinds[b, (i - 1) % capacity] = TRUNCATED
            kinds[b, i] = CLOSING
            at[b] = (i + 1) % capacity
            kinds[b, at[b]] = OPEN
            filled[b] = min(filled[b] + 1, capacity)
            if heads.size:
                heads[b, 0] = (heads[b, 0] + 1) % room
            if tree.size:
                raise_leaf(tree, b // copies, b % copies * capacity + at[b], 0.0)


@kernel
def stack(room: Any, at: Any, heads: Any, depths: Any, places: Any, out: Any, unseen: Any) -> None:
    """Where the observations in these places are among the frames, and those before them, the oldest first.

    Arrays:
        room: C + most; at, heads, depths: see `write`.
        places: int64 `[n]`, b C + i.
        out: int64 `[n, most + 1]`, b room + j, written.
        unseen: bool `[n, most + 1]`, whether that is from before the episode, written.
    """
    capacity, last = depths.shape[1], out.shape[1] - 1
    for k in range(len(places)):
        b, i = places[k] // capacity, places[k] % capacity
        newest = heads[b, 0] - (at[b] - i) % capacity
        for back in range(last + 1):
            out[k, last - back] = b * room + (newest - back) % room
            unseen[k, last - back] = back > depths[b, i]


@kernel
def _is_transition(kinds: Any, filled: Any, b: Any, i: Any) -> Any:
    return i < filled[b] and kinds[b, i] <= TRUNCATED


@kernel
def draw(kinds: Any, at: Any, filled: Any, copies: Any, stream: Any, half_life: Any, out: Any) -> None:
    """Transitions of each member, uniformly or the recent ones more often: places b C + i, into `out int64 [S, batch]`.

    Arrays:
        copies: N, of each member.
        half_life: of the chance of a transition, in steps of its copy; 0: all are as likely.
    """
    members, batch = out.shape
    capacity = kinds.shape[1]
    for s in range(members):
        most = filled[
            s * copies : (s + 1) * copies
        ].max()  # one bound for all copies, or the emptier ones had more
        rate = np.log(2.0) / half_life if half_life > 0.0 else 0.0
        for k in range(batch):
            while True:
                b = s * copies + (next_integer(stream, s, copies) if copies > 1 else 0)
                if half_life > 0.0:
                    # exponential up to `most`, by inversion: a rejection would take for ever where the half-life is long
                    u = next_uniform(stream, s)
                    age = np.int64(-np.log1p(u * np.expm1(-rate * most)) / rate)
                    newest = at[b] - 1
                    if kinds[b, newest % capacity] == CLOSING:  # and here where it is short
                        newest -= 1
                    i = (newest - age) % capacity
                    if age >= filled[b]:
                        continue
                else:
                    i = next_integer(stream, s, most)
                if _is_transition(kinds, filled, b, i):
                    break
            out[s, k] = b * capacity + i


@kernel
def look_ahead(
    places: Any,
    actions: Any,
    rewards: Any,
    kinds: Any,
    n: Any,
    gamma: Any,
    taken: Any,
    returns: Any,
    discounts: Any,
    after: Any,
) -> None:
    """What follows n steps after each place, or fewer where the episode ends or nothing more is known.

    Arrays:
        places: int64 `[S, batch]`, b C + i.
        taken: the action there; returns: sum of gamma^k R_k; discounts: gamma^n, 0 where the episode was terminated; after:
            the place of the observation n steps later. All `[S, batch]`, written.
    """
    capacity = np.uint64(kinds.shape[1])
    members, batch = places.shape
    for s in range(members):
        for k in range(batch):
            place = np.uint64(places[s, k])
            b = np.int64(place // capacity)  # without a sign it takes a third of the time
            i = places[s, k] - b * kinds.shape[1]
            taken[s, k] = actions[b, i]
            total, discount = 0.0, 1.0
            for _ in range(n):
                total += discount * rewards[b, i]
                discount *= gamma
                kind = kinds[b, i]
                i = i + 1 if i + 1 < kinds.shape[1] else 0
                if kind == TERMINATED:
                    discount = 0.0
                if kind != GOES_ON or kinds[b, i] == OPEN:
                    break
            returns[s, k] = total
            discounts[s, k] = discount
            after[s, k] = b * kinds.shape[1] + i


@kernel
def next_actions(after: Any, actions: Any, kinds: Any, greedy: Any, out: Any) -> None:
    """The action that was taken in each place, or the `greedy` one where none was taken yet; int64 `[S, batch]`."""
    capacity = kinds.shape[1]
    members, batch = after.shape
    for s in range(members):
        for k in range(batch):
            b, i = after[s, k] // capacity, after[s, k] % capacity
            out[s, k] = actions[b, i] if kinds[b, i] <= TRUNCATED else greedy[s, k]


@kernel
def sequences(
    places: Any,
    actions: Any,
    rewards: Any,
    kinds: Any,
    filled: Any,
    before: Any,
    length: Any,
    out: Any,
    taken: Any,
    paid: Any,
    bootstraps: Any,
    counts: Any,
) -> None:
    """The episode around each place: up to `before` steps before it, and `length` from it on.

    Arrays:
        places: int64 `[S, batch]`.
        out: places of the L + 1 observations, `[S, batch, before + length + 1]`; those after the end repeat the last one.
        taken, paid: `[S, batch, before + length]`.
        bootstraps: float32 there, 1 where the step did not end its episode for good.
        counts: float32 there, 1 where the step is one to learn from, not one to warm up, and not after the end.
    """
    capacity = kinds.shape[1]
    members, batch = places.shape
    total = before + length
    for s in range(members):
        for k in range(batch):
            b, i = places[s, k] // capacity, places[s, k] % capacity
            start, warm = i, 0
            while warm < before:
                j = (start - 1) % capacity
                if j >= filled[b] or kinds[b, j] != GOES_ON:
                    break
                start, warm = j, warm + 1
            i, over = start, False
            for t in range(total):
                out[s, k, t] = b * capacity + i
                ended = over or kinds[b, i] > TRUNCATED
                counts[s, k, t] = 0.0 if ended or t < warm or t >= warm + length else 1.0
                taken[s, k, t] = 0 if ended else actions[b, i]
                paid[s, k, t] = 0.0 if ended else rewards[b, i]
                bootstraps[s, k, t] = 0.0 if ended or kinds[b, i] == TERMINATED else 1.0
                if not ended:
                    over = kinds[b, i] != GOES_ON
                    i = (i + 1) % capacity
            out[s, k, total] = b * capacity + i


# ---------------------------------------------------------------- priorities


@kernel
def raise_leaf(tree: Any, s: Any, leaf: Any, priority: Any) -> None:
    """Set the priority of one leaf of member `s`, and the sums above it."""
    node = tree.shape[1] // 2 + leaf
    tree[s, node] = priority
    node //= 2
    while node >= 1:
        tree[s, node] = tree[s, 2 * node] + tree[s, 2 * node + 1]
        node //= 2


@kernel
def note_new(tree: Any, highest: Any, kinds: Any, at: Any, copies: Any) -> None:
    """After a write: the transition that was written has the highest priority so far, frames that hold none have 0."""
    total, capacity = kinds.shape
    for b in range(total):
        s, j = b // copies, b % copies
        for back in range(3):
            i = (at[b] - back) % capacity
            kind = kinds[b, i]
            if back == 0 or kind > TRUNCATED:
                raise_leaf(tree, s, j * capacity + i, 0.0)
                continue
            raise_leaf(tree, s, j * capacity + i, highest[s])
            break


@kernel
def draw_by_priority(
    tree: Any, kinds: Any, copies: Any, stream: Any, beta: Any, out: Any, weights: Any
) -> None:
    """Stratified draws in proportion to the priorities, and their importance weights (Schaul et al. 2016, algorithm 1).

    Arrays:
        tree: sums of priorities, `[S, 2 leaves]`.
        beta: exponent of the weights (1 / (n P))^beta, which are scaled by their largest.
        out: int64 places; weights: float32; both `[S, batch]`, written.
    """
    members, batch = out.shape
    capacity = kinds.shape[1]
    half = tree.shape[1] // 2
    for s in range(members):
        total = tree[s, 1]
        largest = 0.0
        for k in range(batch):
            left = (k + next_uniform(stream, s)) / batch * total
            node = 1
            while node < half:
                node *= 2
                if left >= tree[s, node] and tree[s, node + 1] > 0.0:
                    left -= tree[s, node]
                    node += 1
            leaf = node - half
            out[s, k] = (s * copies + leaf // capacity) * capacity + leaf % capacity
            weights[s, k] = (tree[s, node] / total) ** -beta
            largest = max(largest, weights[s, k])
        for k in range(batch):
            weights[s, k] /= largest


@kernel
def set_priorities(
    tree: Any, highest: Any, kinds: Any, copies: Any, places: Any, errors: Any, alpha: Any, least: Any
) -> None:
    """(|error| + least)^alpha is the priority of each place from now on."""
    members, batch = places.shape
    capacity = kinds.shape[1]
    for s in range(members):
        for k in range(batch):
            b, i = places[s, k] // capacity, places[s, k] % capacity
            if kinds[b, i] > TRUNCATED:
                continue
            priority = (np.float64(abs(errors[s, k])) + least) ** alpha
            if not np.isfinite(priority):  # of a member that has diverged
                priority = highest[s]
            highest[s] = max(highest[s], priority)
            raise_leaf(tree, s, (b - s * copies) * capacity + i, priority)
