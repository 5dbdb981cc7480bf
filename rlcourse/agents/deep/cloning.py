"""Behaviour cloning: do what an expert did, before one learns from rewards.

    dataset = record_trajectories(make_agent("value_iteration", "CandyMaze-v0"), episodes=20)
    agent = clone(make_agent("ppo", "CandyMaze-v0", seeds=10), dataset)
    agent.learn(50_000)                                        # goes on from there

A policy takes in what was done by its cross-entropy. A Q network is pulled in two ways at once, by what followed and by what
was done:

    policy      loss = - ln pi(A|S)
    values      loss = Huber(G - Q(S, A)) + max_a [ Q(S, a) + margin 1(a != A) ] - Q(S, A)

where G is the discounted return of the rest of the episode: the margin puts what was done above all else, and the return says
how high. Critics learn G, too.

Source: Pomerleau (1989), "ALVINN: an autonomous land vehicle in a neural network"; the margin: Hester et al. (2018), "Deep
Q-learning from demonstrations", equation 1 (Piot et al. 2014), with the return of the episode in the place of its n-step one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import gymnasium
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.agents.base import Agent
from rlcourse.agents.control import ControlAgent
from rlcourse.agents.deep.actor_critic import ActorCritic
from rlcourse.agents.deep.base import DeepAgent, hard_copy
from rlcourse.agents.deep.bodies import Index
from rlcourse.agents.deep.codec import Codec, Features
from rlcourse.agents.deep.dqn import DQN
from rlcourse.agents.deep.heads import Scalar
from rlcourse.agents.deep.policies import FeedForward
from rlcourse.agents.deep.rollout import permutations
from rlcourse.agents.evaluation import LONGEST
from rlcourse.agents.observations import in_rows
from rlcourse.agents.population import begin, make_population
from rlcourse.checks import check_count, check_number
from rlcourse.errors import UsageError
from rlcourse.nn.dropout import Dropout
from rlcourse.nn.embedding import OneHot
from rlcourse.nn.linear import Flatten
from rlcourse.nn.stack import Sequential, Stacked
from rlcourse.progress import progress_bar
from rlcourse.streams import Streams

MARGIN = 0.8
"""How far what was done should be above the rest (Hester et al. 2018)."""


@dataclass(frozen=True)
class Trajectories:
    """What an expert saw, did, and was paid, in episodes one after the other; n steps in all."""

    space: gymnasium.Space[Any]
    """Of an observation."""
    observations: NDArray[Any]
    """Single frames as a network keeps them, `[n, ...]`: an image with its channels first, all else flat."""
    actions: NDArray[np.int64]
    """`[n]`, counted from 0."""
    rewards: NDArray[np.float64]
    """`[n]`."""
    following: NDArray[Any]
    """What was seen after the step, as `observations`."""
    terminated: NDArray[np.bool_]
    """`[n]`: nothing comes after the step."""
    ended: NDArray[np.bool_]
    """`[n]`: the last step of its episode, terminated or cut off."""

    def __len__(self) -> int:
        return len(self.actions)

    def returns(self, gamma: float) -> NDArray[np.float32]:
        """The discounted return of the rest of the episode, float32 `[n]`."""
        found, after = np.empty(len(self)), 0.0
        for t in range(len(self) - 1, -1, -1):
            after = self.rewards[t] + (0.0 if self.ended[t] else gamma * after)
            found[t] = after
        return found.astype(np.float32)


def record_trajectories(
    agent: Agent, episodes: int = 100, *, deterministic: bool = True, env_kwargs: dict[str, Any] | None = None
) -> Trajectories:
    """Let the first member of an agent or planner play, and keep what it did. Nothing is learned from it.

    Args:
        agent: the expert.
        episodes: how many, each with a seed of its own; one that has no end is cut off after 10,000 steps.
        deterministic: the best action known, or one drawn as while learning.
        env_kwargs: options of the world in which others see what is kept, in the place of the expert's own: the same world
            with another `observation`. It has to be one in which the expert does not see more than the state of its world.

    Raises:
        UsageError: no episodes, or a world without Discrete actions.
    """
    check_count("episodes", episodes)
    if not isinstance(agent, ControlAgent):
        raise UsageError(f"{agent.name} plays no episodes that could be learned from")
    expert = agent.member(0)
    # the evaluation's seeds, so that what is kept are the episodes that its tables are made of
    seeds = [int(s) for s in Streams.from_seeds(expert.seeds, "evaluation").bits(episodes)[0] >> np.uint64(1)]
    shown = {**expert.env_kwargs, **(env_kwargs or {})}
    mine, theirs = (make_population(expert.spec, options, episodes) for options in (expert.env_kwargs, shown))
    seen, kept = begin(mine, seeds), begin(theirs, seeds)
    codec = Codec(theirs.single_observation_space)
    running, state = np.ones(episodes, np.bool_), None
    alive, steps = [], []
    start = np.ones((1, episodes), np.bool_)
    for _ in range(agent.world_horizon() or LONGEST):
        chosen, state = expert.predict(in_rows(seen, (1, episodes)), state, start, deterministic)
        chosen = chosen.reshape(-1)
        before = codec.read(kept).copy()
        alive.append(running.copy())
        seen, paid, terminated, truncated, _ = mine.step(chosen)
        kept, *_ = theirs.step(chosen)
        over = terminated | truncated
        steps.append((before, chosen - expert.first_action, paid, codec.read(kept).copy(), terminated, over))
        running &= ~over
        if not running.any():
            break
        if over.any():
            seen, _ = mine.reset(options={"reset_mask": over})
            kept, _ = theirs.reset(options={"reset_mask": over})
        start = over.reshape(1, -1)
    mine.close()
    theirs.close()
    lived = np.stack(alive)
    frames, actions, rewards, following, gone, ended = (
        np.concatenate([part[lived[:, j], j] for j in range(episodes)])  # one episode after the other
        for part in (np.stack(parts) for parts in zip(*steps, strict=True))
    )
    ended[np.cumsum(lived.sum(axis=0)) - 1] = True  # an episode without an end was cut off
    return Trajectories(
        theirs.single_observation_space, frames, actions.astype(np.int64), rewards, following, gone, ended
    )


A = TypeVar("A", bound=DeepAgent)
WITHOUT_EFFECT = (Features, Index, Flatten, OneHot, Dropout, nn.Identity)
"""Parts that make no other function of the weights around them."""


def clone(
    agent: A,
    dataset: Trajectories,
    *,
    epochs: int = 100,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    margin: float = MARGIN,
    progress: bool = False,
) -> A:
    """Train the networks of a deep agent on what an expert did; every member in an order of its own.

    The optimiser that learns from rewards is another one, and does not remember this. What the expert did goes into the replay
    of DQN, as in the paper, so that its values keep what they stand on; it should be made with a low
    `exploration_initial_eps`, since exploration does not know that something is known.

    Episodes that the agent is in are left: their steps stay in the replay, as cut off, and it begins anew when it next learns.

    Args:
        agent: DQN or one of its kin, A2C, PPO, without a memory.
        dataset: see `record_trajectories`.
        epochs: passes over it.
        batch_size: steps that an update looks at.
        learning_rate: of Adam.
        margin: see the module.
        progress: draw a bar.

    Returns:
        The agent.

    Raises:
        UsageError: an agent of another kind, a dataset of another world, or a number out of range.
    """
    from rlcourse.nn.optimisers import Optimiser

    check_count("epochs", epochs)
    check_count("batch_size", batch_size)
    check_number("margin", margin, 0.0)
    _check(agent, dataset)
    rows, next_rows = _rows(agent, dataset)
    returns, actions = dataset.returns(agent.config.gamma), dataset.actions
    network = agent.q if isinstance(agent, DQN) else agent.policy  # type: ignore[attr-defined]
    optimiser = Optimiser(
        network.parameters(),
        "adam",
        check_number("learning_rate", learning_rate, 0.0),
        max_grad_norm=agent.config.max_grad_norm,
    )
    batch_size = min(batch_size, len(dataset))
    with progress_bar(epochs, f"clone {agent.name} x {agent.size}", show=progress) as advance:
        for _ in range(epochs):
            order = permutations(agent.stream, len(dataset))
            for start in range(0, len(dataset) - batch_size + 1, batch_size):
                at = order[:, start : start + batch_size]
                seen, done, gained = (agent.tensor(array[at]) for array in (rows, actions, returns))
                optimiser.step(_losses(agent, seen, done, gained, margin).mean(dim=1).sum())
            advance(1)
    copies = agent.size * agent.copies
    if agent.num_timesteps:
        _leave_episodes(agent)
    if isinstance(agent, DQN):
        hard_copy(agent.target, agent.q)
        agent.forget_episode(np.ones(copies, np.bool_))
        for t in range(len(dataset)):
            step = rows[t], actions[t], dataset.rewards[t], next_rows[t], dataset.terminated[t]
            cut = dataset.ended[t] & ~dataset.terminated[t]
            agent.replay.add(*(np.repeat(np.asarray(one)[None], copies, axis=0) for one in (*step, cut)))
    return agent


def _leave_episodes(agent: DeepAgent) -> None:
    """The episodes that go on are not finished by the agent that began them: they begin anew, and count for nothing."""
    agent._over[:] = True
    agent._returns[:] = 0.0
    agent.running[:] = 0.0
    if isinstance(agent, ActorCritic):
        agent.rollout.clear()  # which the old policy did


def _check(agent: DeepAgent, dataset: Trajectories) -> None:
    fits = isinstance(agent, ActorCritic) or (isinstance(agent, DQN) and isinstance(agent.head, Scalar))
    if not fits or (isinstance(agent, ActorCritic) and agent.policy.remembers):
        raise UsageError(
            f"{agent.name} cannot be cloned into: it fits dqn without a distribution, and a2c and ppo without a memory"
        )
    mine = agent.venv.single_observation_space
    if dataset.space != mine:
        raise UsageError(f"{agent.name} sees {mine}, but the dataset has {dataset.space}")
    if dataset.actions.max() >= agent.n_actions:
        raise UsageError(f"{agent.name} has {agent.n_actions} actions, but the dataset has more")


def _rows(agent: DeepAgent, dataset: Trajectories) -> tuple[NDArray[Any], NDArray[Any]]:
    """What the agent sees before and after each step of the dataset, its last frames where it sees several."""
    codec = agent.codec
    if codec.frames == 1:
        return dataset.observations, dataset.following
    before: list[NDArray[Any]] = []
    after: list[NDArray[Any]] = []
    for t in range(len(dataset)):
        begins = t == 0 or dataset.ended[t - 1]
        before.append(codec.follow(None, dataset.observations[t][None]) if begins else after[-1])
        after.append(codec.follow(before[-1], dataset.following[t][None]))
    return np.concatenate(before), np.concatenate(after)


def _losses(agent: DeepAgent, rows: Tensor, actions: Tensor, returns: Tensor, margin: float) -> Tensor:
    """What each member has to make small, `[S, batch]`."""
    if isinstance(agent, DQN):
        q = agent.q(rows)
        done = q.gather(-1, actions[..., None])[..., 0]
        above = q + margin
        above = above.scatter(-1, actions[..., None], done[..., None])
        return functional.smooth_l1_loss(done, returns, reduction="none") + above.amax(dim=-1) - done
    assert isinstance(agent, ActorCritic)
    preferences, values, _ = agent.policy.step(rows, None, None)
    losses = functional.cross_entropy(preferences.transpose(1, 2), actions, reduction="none")
    return losses + agent.config.vf_coef * (returns - values) ** 2


def load_networks(
    agent: A,
    source: DeepAgent | Stacked,
    *,
    member: int | None = None,
    only: str | Sequence[str] = "*",
    freeze: str | Iterable[str] = (),
) -> A:
    """Go on from the networks of another agent, as in a world of another kind that shows the same, or from a supervised one.

        load_networks(agent, trained, only="actor.parts.[0-2].*")      # all but the last layer, which stays as it was drawn
        load_networks(agent, trained, freeze=["actor.parts.1.*"])       # and this layer does not learn any more
        load_networks(agent, build("mlp", 4, n_out=2, hidden=[64, 64], size=10))    # into Q and its target, or into the actor

    Args:
        agent: takes them; of the same kind of network. Its optimiser begins anew.
        source: an agent that gives them, or a network of the same layers, as `rlcourse.nn.network.build` makes it: as many
            members, or one that goes into all. A network sees what the agent's own sees, without a normalisation before it.
        member: of the source, that goes into every member of the agent; `None` is each into its own place.
        only: patterns of the names of weights that are taken, as of files.
        freeze: patterns of those that do not learn from now on, nor in members, copies and what is saved.

    Returns:
        The agent.

    Raises:
        UsageError: other networks, layers or, where all weights are taken, functions between them; another number of members,
            a pattern that fits no name, or nothing left that learns; then nothing is changed.
    """
    from rlcourse.nn import transfer

    if not isinstance(agent, DeepAgent):
        raise UsageError(f"weights go into a deep agent, as make_agent('ppo', ...) makes one; got {agent!r}")

    patterns = (freeze,) if isinstance(freeze, str) else tuple(freeze)
    frozen = {name: _to_freeze(agent.networks[name], patterns) for name in agent.optimisers}

    pairs = _pairs(agent, source, only)
    if member is None and source.size == 1 and agent.size > 1:
        member = 0
    plans = [
        (taker, transfer.find_weights(taker, giver, member=member, only=patterns))
        for taker, giver, patterns in pairs
    ]
    for taker, giver, patterns in pairs:
        if patterns == ("*",):
            _check_functions(taker, giver)
    for network, found in plans:
        transfer.put_weights(network, found)
    for name, optimiser in agent.optimisers.items():
        optimiser.forget()
        transfer.freeze(agent.networks[name], *frozen[name])
    if isinstance(agent, ActorCritic):
        agent.rollout.clear()  # which another policy did
    return agent


def _pairs(
    agent: DeepAgent, source: DeepAgent | Stacked, only: str | Sequence[str]
) -> list[tuple[Stacked, Stacked, tuple[str, ...]]]:
    """Each network that takes weights, the one that gives them, and the patterns of those that are taken."""
    patterns = (only,) if isinstance(only, str) else tuple(only)
    if isinstance(source, DeepAgent):
        if agent.networks.keys() != source.networks.keys():
            raise UsageError(
                f"{agent.name} has the networks {[*agent.networks]}, {source.name} has {[*source.networks]}"
            )
        return [(network, source.networks[name], patterns) for name, network in agent.networks.items()]
    if not isinstance(source, Stacked):
        raise UsageError(f"source must be a deep agent or a stack of networks, got {type(source).__name__}")
    policy = agent.networks.get("policy")
    if isinstance(policy, FeedForward):
        return [(policy.actor, source, tuple(pattern.removeprefix("actor.") for pattern in patterns))]
    if all(isinstance(network, Sequential) for network in agent.networks.values()):
        return [(network, source, patterns) for network in agent.networks.values()]
    raise UsageError(
        f"{agent.name} has a memory: it takes the networks of another {agent.name}, not a single one"
    )


def _check_functions(taker: Stacked, giver: Stacked) -> None:
    """Refuse a network whose weights fit, but with other functions between them, as relu where the taker has tanh."""
    own, given = _functions(taker), _functions(giver)
    if own != given:
        raise UsageError(
            f"the source has {', '.join(given) or 'nothing'} between its layers, the target {', '.join(own) or 'nothing'}: "
            "make one of them with the activation of the other"
        )


def _functions(network: Stacked) -> list[str]:
    """What is in a network beside the layers with weights, in their order."""
    return [
        type(part).__name__
        for part in network.modules()
        if not [*part.children()] and not [*part.parameters()] and not isinstance(part, WITHOUT_EFFECT)
    ]


def _to_freeze(network: Stacked, patterns: tuple[str, ...]) -> list[str]:
    """The names of the weights that fit the patterns, of which some have to be left that learn."""
    from rlcourse.nn import transfer

    names = transfer.matching(dict(network.named_parameters()), patterns)
    if all(name in names for name, weight in network.named_parameters() if weight.requires_grad):
        raise UsageError(f"freeze={[*patterns]} leaves nothing that learns: leave a layer out of it")
    return names
