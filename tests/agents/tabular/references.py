"""The rules once more, slowly, from the equations of Sutton & Barto (2018): what a table holds after a path of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.agents.tabular.worlds import Step

Table = NDArray[np.float64]


def episodes(path: list[Step]) -> list[list[Step]]:
    """The path cut where episodes are over; the last one may go on."""
    parts: list[list[Step]] = [[]]
    for step in path:
        parts[-1].append(step)
        if step.terminated or step.truncated:
            parts.append([])
    return [part for part in parts if part]


def soft(values: Table, eps: float) -> Table:
    """The epsilon-greedy policy."""
    best = values == values.max()
    return eps / len(values) + (1 - eps) * best / best.sum()


def followers(path: list[Step], last: int) -> list[int]:
    """The action that was taken after each step; -1 at the end of an episode."""
    after = [step.a for step in path[1:]] + [last]
    return [-1 if step.terminated else b for step, b in zip(path, after, strict=True)]


def q_learning(Q: Table, path: list[Step], alpha: float, gamma: float, **_: Any) -> None:
    for s in path:
        target = s.r + (0 if s.terminated else gamma * Q[s.y].max())
        Q[s.x, s.a] += alpha * (target - Q[s.x, s.a])


def expected_sarsa(Q: Table, path: list[Step], alpha: float, gamma: float, eps: float, **_: Any) -> None:
    for s in path:
        target = s.r + (0 if s.terminated else gamma * soft(Q[s.y], eps) @ Q[s.y])
        Q[s.x, s.a] += alpha * (target - Q[s.x, s.a])


def monte_carlo(
    Q: Table, path: list[Step], alpha: float | None, gamma: float, eps: float, first: bool = True, **_: Any
) -> None:
    returns: dict[tuple[int, int], int] = {}
    for episode in episodes(path):
        last = episode[-1]
        if not (last.terminated or last.truncated):
            continue
        g = 0.0 if last.terminated else soft(Q[last.y], eps) @ Q[last.y]
        for k in reversed(range(len(episode))):
            s = episode[k]
            g = s.r + gamma * g
            if first and any((e.x, e.a) == (s.x, s.a) for e in episode[:k]):
                continue
            n = returns[s.x, s.a] = returns.get((s.x, s.a), 0) + 1
            Q[s.x, s.a] += (1 / n if alpha is None else alpha) * (g - Q[s.x, s.a])


def tree_backup(Q: Table, path: list[Step], alpha: float, gamma: float, eps: float, n: int, **_: Any) -> None:
    for episode in episodes(path):
        T = len(episode)
        over = episode[-1].terminated or episode[-1].truncated
        for tau in range(T if over else max(0, T - n + 1)):
            end = min(tau + n, T) - 1
            s = episode[end]
            g = s.r + (0 if s.terminated else gamma * soft(Q[s.y], eps) @ Q[s.y])
            for k in reversed(range(tau + 1, end + 1)):
                taken, pi = episode[k], soft(Q[episode[k].x], eps)
                others = sum(pi[a] * Q[taken.x, a] for a in range(Q.shape[1]) if a != taken.a)
                g = episode[k - 1].r + gamma * (others + pi[taken.a] * g)
            Q[episode[tau].x, episode[tau].a] += alpha * (g - Q[episode[tau].x, episode[tau].a])


def td_lambda(
    V: Table, path: list[Step], alpha: float, gamma: float, decay: float, kind: str, **_: Any
) -> None:
    for episode in episodes(path):
        E = np.zeros_like(V)
        for s in episode:
            E *= gamma * decay
            mark(E, s.x, kind, alpha)
            V += alpha * (s.r + (0 if s.terminated else gamma * V[s.y]) - V[s.x]) * E


def q_lambda(
    Q: Table,
    path: list[Step],
    alpha: float,
    gamma: float,
    decay: float,
    kind: str,
    after: list[int],
    **_: Any,
) -> None:
    E, place = np.zeros_like(Q), 0
    for episode in episodes(path):
        E[:] = 0.0
        for s in episode:
            b = after[place]
            place += 1
            mark(E, (s.x, s.a), kind, alpha)
            greedy = not s.terminated and Q[s.y, b] == Q[s.y].max()
            Q += alpha * (s.r + (0 if s.terminated else gamma * Q[s.y].max()) - Q[s.x, s.a]) * E
            E *= gamma * decay if greedy else 0.0


def mark(E: Table, at: Any, kind: str, alpha: float) -> None:
    if kind == "accumulating":
        E[at] += 1
    elif kind == "replacing":
        E[at] = 1
    else:
        E[at] = 1 + (1 - alpha) * E[at]


def softmax(values: Table) -> Table:
    weights = np.exp(values - values.max())
    return weights / weights.sum()


def actor_critic(
    H: Table, V: Table, path: list[Step], alpha: float, alpha_w: float, gamma: float, decay: float
) -> None:
    for episode in episodes(path):
        z_h, z_w = np.zeros_like(H), np.zeros_like(V)
        for t, s in enumerate(episode):
            delta = s.r + (0 if s.terminated else gamma * V[s.y]) - V[s.x]
            z_w *= gamma * decay
            z_h *= gamma * decay
            z_w[s.x] += 1
            z_h[s.x] += gamma**t * (np.eye(H.shape[1])[s.a] - softmax(H[s.x]))
            V += alpha_w * delta * z_w
            H += alpha * delta * z_h


def reinforce(H: Table, V: Table, path: list[Step], alpha: float, alpha_w: float, gamma: float) -> None:
    for episode in episodes(path):
        last = episode[-1]
        if not (last.terminated or last.truncated):
            continue
        ahead = 0.0 if last.terminated else V[last.y]
        returns = []
        for s in reversed(episode):
            ahead = s.r + gamma * ahead
            returns.insert(0, ahead)
        for t, (s, g) in enumerate(zip(episode, returns, strict=True)):
            delta = g - V[s.x]
            V[s.x] += alpha_w * delta
            H[s.x] += alpha * gamma**t * delta * (np.eye(H.shape[1])[s.a] - softmax(H[s.x]))


def sweeping(
    Q: Table, path: list[Step], alpha: float, gamma: float, planning: int, threshold: float, **_: Any
) -> dict[tuple[int, int], float]:
    """Gives the queue, too."""
    model: dict[tuple[int, int], Step] = {}
    queue: dict[tuple[int, int], float] = {}

    def surprise(pair: tuple[int, int]) -> float:
        m = model[pair]
        return abs(m.r + (0 if m.terminated else gamma * Q[m.y].max()) - Q[pair])

    def enqueue(pair: tuple[int, int]) -> None:
        if surprise(pair) > threshold:
            queue[pair] = max(queue.get(pair, 0.0), surprise(pair))

    for s in path:
        model[s.x, s.a] = s
        enqueue((s.x, s.a))
        for _ in range(planning):
            if not queue:
                break
            pair = max(queue, key=lambda p: queue[p])
            del queue[pair]
            m = model[pair]
            Q[pair] += alpha * (m.r + (0 if m.terminated else gamma * Q[m.y].max()) - Q[pair])
            for before, m in model.items():
                if m.y == pair[0] and not m.terminated:
                    enqueue(before)
    return queue
