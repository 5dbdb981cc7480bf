"""The learning rules, each against a reference with one network a member, torch's own optimisers and a loop over members."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.agents.deep.heads import Steps
from rlcourse.agents.deep.rollout import permutations
from rlcourse.streams import Streams
from tests.agents.deep.worlds import build

GAMMA = 0.9
CLOSE = {"rtol": 1e-4, "atol": 2e-6}


def assert_weights(ours: nn.Module, theirs: nn.Module) -> None:
    for (name, mine), (_, other) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        torch.testing.assert_close(mine, other, msg=lambda text, name=name: f"{name}: {text}", **CLOSE)


def step_down(
    loss: Tensor, modules: list[nn.Module], optimiser: torch.optim.Optimizer, norm: float | None
) -> None:
    optimiser.zero_grad()
    loss.backward()
    if norm is not None:
        nn.utils.clip_grad_norm_([p for module in modules for p in module.parameters()], norm)
    optimiser.step()


# ---------------------------------------------------------------- values


def with_replay(name: str, **settings: Any) -> Any:
    """A population that has seen something and learned nothing, with a target network of its own."""
    agent = build(
        name,
        3,
        learning_starts=10**6,
        gamma=GAMMA,
        max_grad_norm=0.05,  # so small that all gradients are clipped
        learning_rate=0.01,
        target_update_interval=10**6,
        **settings,
    ).learn(80)
    draw = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in agent.target.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw))
    return agent


RULES: list[tuple[str, dict[str, Any]]] = [
    ("dqn", {}),
    ("dqn", {"optimiser": "sgd", "n_step": 3}),
    ("dqn", {"double": True}),
    ("dqn", {"dueling": True, "prioritized": True}),
    ("dqn", {"distribution": "quantile"}),
    ("dqn", {"distribution": "categorical", "double": True}),
    ("deep_sarsa", {}),
    ("deep_sarsa", {"expected": True}),
]


@pytest.mark.parametrize(("name", "settings"), RULES, ids=str)
def test_an_update_of_dqn_and_its_kin(name: str, settings: dict[str, Any]) -> None:
    agent = with_replay(name, **settings)
    networks = [agent.q.member(k) for k in range(3)]
    targets = [agent.target.member(k) for k in range(3)]
    kind = torch.optim.SGD if settings.get("optimiser") == "sgd" else torch.optim.Adam
    optimisers = [kind(network.parameters(), lr=0.01) for network in networks]
    batches, sample = [], agent.sample

    def spy() -> Any:
        batches.append(sample())
        return batches[-1]

    agent.sample = spy
    A, M = agent.n_actions, agent.head.n_atoms
    support = torch.linspace(-10.0, 10.0, M)

    def values(outputs: Tensor) -> Tensor:
        if settings.get("distribution") == "categorical":
            return outputs.reshape(-1, A, M).softmax(-1) @ support
        return outputs.reshape(-1, A, M).mean(-1)

    for _ in range(2):
        agent.update()
        for k in range(3):
            rows, actions, returns, discounts, following = (part[k] for part in batches[-1][:5])
            each = torch.arange(len(actions))
            with torch.no_grad():
                after = targets[k](following)
                best = values(networks[k](following) if settings.get("double") else after).argmax(-1)
            outputs = networks[k](rows)
            if settings.get("distribution"):
                steps = Steps(actions, after, best, returns, discounts)
                losses, _ = agent.head.losses(outputs, steps)  # see test_heads
            else:
                worth = after[each, best]
                if name == "deep_sarsa":
                    assert agent.epsilon > 0.5
                    greedy = functional.one_hot(best, A)
                    policy = (1 - agent.epsilon) * greedy + agent.epsilon / A
                    worth = (policy * after).sum(-1)
                    if not settings.get("expected"):
                        chosen = agent.replay.next_actions(batches[-1], torch.full((3, len(actions)), -1))[k]
                        worth = after[each, torch.where(chosen < 0, best, chosen)]
                losses = functional.smooth_l1_loss(
                    outputs[each, actions], returns + discounts * worth, reduction="none"
                )
            if settings.get("prioritized"):
                losses = losses * batches[-1].weights[k]
            step_down(losses.mean(), [networks[k]], optimisers[k], 0.05)
            assert_weights(agent.q.member(k), networks[k])
            assert_weights(agent.target.member(k), targets[k])  # stands still


def test_an_update_of_drqn() -> None:
    agent = with_replay("drqn", memory="lstm")
    parts = [[part.member(k) for part in (agent.q.body, agent.q.core, agent.q.head)] for k in range(3)]
    targets = [
        [part.member(k) for part in (agent.target.body, agent.target.core, agent.target.head)]
        for k in range(3)
    ]
    optimisers = [torch.optim.Adam([p for part in one for p in part.parameters()], lr=0.01) for one in parts]
    pieces, sequences = [], agent.replay.sequences

    def spy(*args: Any, **kwargs: Any) -> Any:
        pieces.append(sequences(*args, **kwargs))
        return pieces[-1]

    agent.replay.sequences = spy
    for _ in range(2):
        agent.update()
        for k in range(3):
            piece = [part[k] for part in pieces[-1]]
            rows, actions, rewards, bootstraps, counts = piece
            losses = []
            for j in range(len(actions)):  # one sequence, one step at a time
                body, core, head = parts[k]
                q = head(core(body(rows[j])[None])[0][0])
                with torch.no_grad():
                    body, core, head = targets[k]
                    after = head(core(body(rows[j])[None])[0][0])
                for t in range(actions.shape[1]):
                    if counts[j, t]:
                        y = (
                            rewards[j, t]
                            + GAMMA * bootstraps[j, t] * after[t + 1, q[t + 1].detach().argmax()]
                        )
                        losses.append(functional.smooth_l1_loss(q[t, actions[j, t]], y))
            step_down(torch.stack(losses).mean(), parts[k], optimisers[k], 0.05)
            for part, mine in zip(parts[k], (agent.q.body, agent.q.core, agent.q.head), strict=True):
                assert_weights(mine.member(k), part)


def test_the_target_network_follows() -> None:
    for name in ("dqn", "deep_sarsa", "drqn"):
        hard = build(name, 2, n_envs=1, target_update_interval=20, learning_starts=4, train_freq=1)
        first = copy.deepcopy(hard.q.state_dict())
        hard.learn(19)
        assert all(torch.equal(value, first[key]) for key, value in hard.target.state_dict().items())
        hard.learn(1)
        assert all(
            torch.equal(value, hard.q.state_dict()[key]) for key, value in hard.target.state_dict().items()
        )
        soft = build(name, 2, n_envs=1, target_update_interval=1, tau=0.1, learning_starts=1, train_freq=1)
        expected = copy.deepcopy(soft.target.state_dict())
        for _ in range(5):
            soft.learn(1)
            now = soft.q.state_dict()
            expected = {key: 0.9 * value + 0.1 * now[key] for key, value in expected.items()}
        for key, value in soft.target.state_dict().items():
            torch.testing.assert_close(value, expected[key])


def test_an_update_of_naive_dqn() -> None:
    agent = build("naive_dqn", 2, gamma=GAMMA, learning_rate=0.01)
    networks = [agent.q.member(k) for k in range(2)]
    optimisers = [torch.optim.Adam(network.parameters(), lr=0.01) for network in networks]
    observe, ends = agent.observe, np.zeros(2, int)

    def spy(rows: Any, actions: Any, rewards: Any, following: Any, terminated: Any, truncated: Any) -> None:
        nonlocal ends
        ends += [terminated.sum(), truncated.sum()]
        for k in range(2):
            losses = []
            for b in (2 * k, 2 * k + 1):
                with torch.no_grad():
                    after = networks[k](torch.from_numpy(following[b : b + 1]))[0].max()
                y = float(rewards[b]) + GAMMA * after * (not terminated[b])
                losses.append((networks[k](torch.from_numpy(rows[b : b + 1]))[0, actions[b]] - y) ** 2)
            step_down(torch.stack(losses).mean(), [networks[k]], optimisers[k], None)
        observe(rows, actions, rewards, following, terminated, truncated)
        for k in range(2):
            assert_weights(agent.q.member(k), networks[k])

    agent.observe = spy
    agent.learn(80)
    assert ends.all()  # a truncation bootstraps, a termination does not


# ---------------------------------------------------------------- policies


class Mind:
    """One member's actor and critic as ordinary modules, that goes one copy and one step at a time."""

    def __init__(self, policy: Any, k: int) -> None:
        self.recurrent = policy.remembers
        names = ("body", "core", "actor", "critic") if self.recurrent else ("actor", "critic")
        self.parts = {name: getattr(policy, name).member(k) for name in names}
        self.modules = list(self.parts.values())
        self.parameters = [p for module in self.modules for p in module.parameters()]

    def __call__(self, row: Any, h: Any) -> tuple[Tensor, Tensor, Any]:
        """Preferences, value, and the memory after it, of one row; `h` None is no memory."""
        x = torch.from_numpy(row[None])
        if self.recurrent:
            output, h = self.parts["core"](self.parts["body"](x)[None], h)
            x = output[0]
        return self.parts["actor"](x)[0], self.parts["critic"](x)[0, 0], h


class ActorCriticReference:
    """Keeps what a population goes through, and learns from it by the equations."""

    def __init__(self, agent: Any, optimiser: Any, **options: Any) -> None:
        self.agent, self.config = agent, agent.config
        self.minds = [Mind(agent.policy, k) for k in range(agent.size)]
        self.optimisers = [optimiser(mind.parameters, **options) for mind in self.minds]
        self.n = agent.size * agent.copies
        self.h: list[Any] = [None] * self.n
        self.fresh = [True] * self.n
        self.updates = 0
        self._begin()
        observe = agent.observe

        def spy(
            rows: Any, actions: Any, rewards: Any, following: Any, terminated: Any, truncated: Any
        ) -> None:
            before = Streams(agent.stream.state.copy())  # what a rollout's minibatches are drawn from
            self.note(rows, actions, rewards, following, terminated, truncated)
            observe(rows, actions, rewards, following, terminated, truncated)
            if len(self.story[0]) == self.config.n_steps:
                self.learn(following, before)

        agent.observe = spy

    def _begin(self) -> None:
        self.story: list[list[Any]] = [[] for _ in range(self.n)]
        self.h_before = list(self.h)

    def note(
        self, rows: Any, actions: Any, rewards: Any, following: Any, terminated: Any, truncated: Any
    ) -> None:
        for b in range(self.n):
            mind = self.minds[b // self.agent.copies]
            begun = self.fresh[b]
            with torch.no_grad():
                p, v, self.h[b] = mind(rows[b], None if begun else self.h[b])
                r = float(rewards[b])
                if truncated[b] and not terminated[b]:
                    r += self.config.gamma * float(mind(following[b], self.h[b])[1])
            over = bool(terminated[b] or truncated[b])
            log_chance = float(p.log_softmax(0)[actions[b]])
            self.story[b].append((rows[b].copy(), int(actions[b]), r, float(v), log_chance, over, begun))
            self.fresh[b] = over

    def learn(self, following: Any, stream: Streams) -> None:
        config, N, T = self.config, self.agent.copies, self.config.n_steps
        G, L = config.gamma, config.gae_lambda
        self.updates += 1
        orders = [
            permutations(stream, N if self.minds[0].recurrent else N * T)
            for _ in range(getattr(config, "n_epochs", 0))
        ]
        for k, mind in enumerate(self.minds):
            advantages, returns = np.zeros((N, T)), np.zeros((N, T))
            for j in range(N):
                steps = self.story[k * N + j]
                with torch.no_grad():
                    last = float(mind(following[k * N + j], self.h[k * N + j])[1])
                for t in range(T):
                    for later in range(t, T):
                        _, _, r, v, _, over, _ = steps[later]
                        after = 0.0 if over else (steps[later + 1][3] if later + 1 < T else last)
                        advantages[j, t] += (G * L) ** (later - t) * (r + G * after - v)
                        if over:
                            break
                    returns[j, t] = advantages[j, t] + steps[t][3]
            whole = [(j, t) for j in range(N) for t in range(T)]
            if orders:
                for order in orders:
                    chosen = (
                        [whole[i] for i in order[k]]
                        if not mind.recurrent
                        else [(int(j), t) for j in order[k] for t in range(T)]
                    )
                    for start in range(0, N * T, config.batch_size):
                        self.step(k, chosen[start : start + config.batch_size], advantages, returns)
            else:
                self.step(k, whole, advantages, returns)
        self._begin()

    def step(self, k: int, at: list[tuple[int, int]], advantages: Any, returns: Any) -> None:
        config, N, mind = self.config, self.agent.copies, self.minds[k]
        is_ppo = hasattr(config, "clip_range")
        advantage = np.array([advantages[j, t] for j, t in at])
        if is_ppo and config.normalize_advantage:
            advantage = (advantage - advantage.mean()) / (advantage.std(ddof=1) + 1e-8)
        losses, h = [], None
        for i, (j, t) in enumerate(at):
            row, action, _, v_before, log_before, _, begun = self.story[k * N + j][t]
            if t == 0:
                h = self.h_before[k * N + j]
            p, v, h = mind(row, None if begun else h)
            logs = p.log_softmax(0)
            entropy = -(logs.exp() * logs).sum()
            if is_ppo:
                ratio = (logs[action] - log_before).exp()
                clipped = ratio.clamp(1 - config.clip_range, 1 + config.clip_range)
                actor = -torch.min(ratio * advantage[i], clipped * advantage[i])
                if config.clip_range_vf is not None:
                    v = v_before + (v - v_before).clamp(-config.clip_range_vf, config.clip_range_vf)
            else:
                actor = -logs[action] * advantage[i]
            critic = (returns[j, t] - v) ** 2
            losses.append(actor + config.vf_coef * critic - config.ent_coef * entropy)
        step_down(torch.stack(losses).mean(), mind.modules, self.optimisers[k], config.max_grad_norm)


ACTOR_CRITICS: list[tuple[str, dict[str, Any], Any, dict[str, Any]]] = [
    ("a2c", {"ent_coef": 0.05}, torch.optim.RMSprop, {"lr": 7e-4, "eps": 1e-5}),
    ("a2c", {"gae_lambda": 0.6, "optimiser": "sgd", "learning_rate": 0.1}, torch.optim.SGD, {"lr": 0.1}),
    ("recurrent_a2c", {"ent_coef": 0.05}, torch.optim.RMSprop, {"lr": 7e-4, "eps": 1e-5}),
    ("ppo", {"ent_coef": 0.02}, torch.optim.Adam, {"lr": 3e-4, "eps": 1e-5}),
    (
        "ppo",
        {"clip_range": 0.01, "clip_range_vf": 0.02, "normalize_advantage": False, "learning_rate": 5e-3},
        torch.optim.Adam,
        {"lr": 5e-3, "eps": 1e-5},
    ),
    ("recurrent_ppo", {"learning_rate": 2e-3, "memory": "lstm"}, torch.optim.Adam, {"lr": 2e-3, "eps": 1e-5}),
]


@pytest.mark.parametrize(("name", "settings", "kind", "options"), ACTOR_CRITICS, ids=str)
def test_updates_of_actors_with_critics(name: str, settings: Any, kind: Any, options: Any) -> None:
    """Three rollouts of two copies each, with truncations, which bootstrap, and terminations, which do not."""
    agent = build(name, 2, gamma=GAMMA, **settings)
    reference = ActorCriticReference(agent, kind, **options)
    first = [[p.detach().clone() for p in mind.parameters] for mind in reference.minds]
    for rollouts in (1, 2, 3):
        agent.learn(16)
        assert reference.updates == rollouts
        for k, mind in enumerate(reference.minds):
            for part, module in mind.parts.items():
                assert_weights(getattr(agent.policy, part).member(k), module)
            assert any((p - q).abs().max() > 1e-4 for p, q in zip(mind.parameters, first[k], strict=True))
    assert agent.episodes.min() > 1


@pytest.mark.parametrize("baseline", [True, False])
def test_updates_of_reinforce(baseline: bool) -> None:
    """Over some episodes, against one network a member that learns when an episode of its own copies is over."""
    # an epsilon beside which the rounding of a gradient that is next to nothing is nothing
    learning = {"learning_rate": 0.01, "adam_epsilon": 1e-4}
    agent = build("reinforce", 2, gamma=GAMMA, ent_coef=0.03, baseline=baseline, **learning)
    config = agent.config
    minds = [Mind(agent.policy, k) for k in range(2)]
    optimisers = [torch.optim.RMSprop(mind.parameters, lr=0.01, eps=1e-4) for mind in minds]
    episodes: list[list[Any]] = [[] for _ in range(4)]
    observe, updates = agent.observe, [0, 0]

    def spy(rows: Any, actions: Any, rewards: Any, following: Any, terminated: Any, truncated: Any) -> None:
        over = terminated | truncated
        for b in range(4):
            episodes[b].append((rows[b].copy(), int(actions[b]), float(rewards[b])))
        for k, mind in enumerate(minds):
            losses = []
            for b in (2 * k, 2 * k + 1):
                if not over[b]:
                    continue
                for t, (row, action, _) in enumerate(episodes[b]):
                    G = sum(GAMMA**i * r for i, (_, _, r) in enumerate(episodes[b][t:]))
                    p, v, _ = mind(row, None)
                    logs = p.log_softmax(0)
                    entropy = -(logs.exp() * logs).sum()
                    worth = float(v.detach()) if baseline else 0.0
                    loss = -logs[action] * (G - worth) - config.ent_coef * entropy
                    losses.append(loss + (config.vf_coef * (G - v) ** 2 if baseline else 0.0))
            if losses:
                updates[k] += 1
                if not baseline:  # the critic does not learn: its gradients are zeros
                    losses[0] = losses[0] + 0.0 * sum(p.sum() for p in mind.parts["critic"].parameters())
                step_down(torch.stack(losses).mean(), mind.modules, optimisers[k], config.max_grad_norm)
        for b in np.flatnonzero(over):
            episodes[b] = []
        observe(rows, actions, rewards, following, terminated, truncated)
        for k, mind in enumerate(minds):
            for part, module in mind.parts.items():
                assert_weights(getattr(agent.policy, part).member(k), module)

    agent.observe = spy
    agent.learn(100)
    assert min(updates) > 3
    assert updates != [agent.num_timesteps] * 2
