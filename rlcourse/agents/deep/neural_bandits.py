"""Bandit strategies whose model of the payoffs is a network: what they share, and greed with epsilon.

    f(x) = W_L relu( ... relu(W_1 x + b_1) ... ) + b_L          what every arm is expected to pay in the context x
    loss = (r - f(x)_a)^2                                       over a batch of pulls (x, a, r) that are remembered

An episode is a game, as for every strategy: when it begins anew, weights are drawn anew and memory is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlcourse.agents.bandits.base import BanditAgent
from rlcourse.agents.base import Arrays
from rlcourse.agents.config import AgentConfig, Count, Positive, Probability
from rlcourse.checks import enough_memory
from rlcourse.errors import UsageError
from rlcourse.nn.linear import Linear
from rlcourse.nn.optimisers import Optimiser
from rlcourse.nn.stack import Sequential
from rlcourse.streams import Streams


@dataclass(frozen=True)
class NeuralConfig(AgentConfig):
    """Settings of every strategy with a network."""

    net_arch: tuple[Count, ...] = (50,)
    """Units of the hidden layers (Riquelme et al. 2018, their code)."""
    learning_rate: Positive = 3e-3
    """Step size of RMSProp (tuned on contexts of five numbers)."""
    max_grad_norm: Positive = 5.0
    """The gradient of each member is clipped to this norm (Riquelme et al. 2018, their code)."""
    batch_size: Count = 64
    """Pulls that an update looks at (Riquelme et al. 2018, their code: 512, for less noise than one can pay for here)."""
    train_freq: Count = 50
    """Pulls between trainings (Riquelme et al. 2018, their code)."""
    gradient_steps: Count = 50
    """Updates in a training (Riquelme et al. 2018, their code: 100)."""
    buffer_size: Count = 10_000
    """Pulls that are remembered, the last ones."""


class NeuralBandit(BanditAgent):
    """A network for each member, trained on pulls from its memory.

    The world shows one context x `[dim]` for all arms, and the network has an output for each; or a feature vector for each
    arm, `[K, dim]`, and the network makes one number of each.

    State: `weights` and `squares` float32 `[S, P]`, all P weights of a member and the mean squares of their gradients, which
    RMSProp divides by; `seen float32 [S, C, dim]`, `pulled int32 [S, C]` and `paid float32 [S, C]`, the pulls; `weight_stream
    uint64 [S]`, from which first weights are drawn.

    Raises:
        UsageError: a world that does not show a Box of shape `[dim]` or `[K, dim]`.
    """

    config_class: ClassVar[type[AgentConfig]] = NeuralConfig
    config: Any
    looks: ClassVar[bool] = True
    fitting_observation: ClassVar[str] = "a context that is a vector, such as ContextualBandit-v0"

    weights: NDArray[np.float32]
    squares: NDArray[np.float32]
    seen: NDArray[np.float32]
    pulled: NDArray[np.int32]
    paid: NDArray[np.float32]

    # ---------------------------------------------------------------- the network

    def _check_world(self) -> None:
        space = self.venv.single_observation_space
        shape = space.shape if isinstance(space, gymnasium.spaces.Box) else ()
        if len(shape) not in (1, 2) or (len(shape) == 2 and shape[0] != self.n_arms):
            raise UsageError(
                f"{self.name} needs a context and cannot learn in {self.spec.id}: it fits worlds that show a Box of "
                f"shape [dim] or [{self.n_arms} arms, dim], such as ContextualBandit-v0"
            )
        if not self.config.net_arch:
            raise UsageError(f"{self.name}: net_arch=() is no network: lin_ucb and its kin are linear")
        self.context_size, self.shared = shape[-1], len(shape) == 2
        self.network = self._make_network(self.size)
        self.optimiser = Optimiser(
            self.network.parameters(),
            "rmsprop",
            self.config.learning_rate,
            max_grad_norm=self.config.max_grad_norm,
        )

    def _make_network(self, size: int) -> Sequential:
        layers: list[nn.Module] = []
        n = self.context_size
        for width in self.config.net_arch:
            layers += [Linear(size, n, width), nn.ReLU()]
            n = width
        return Sequential(*layers, Linear(size, n, 1 if self.shared else self.n_arms, law="uniform"))

    def initial_state(self, size: int) -> Arrays:
        """No pulls, and weights that are not drawn yet."""
        count = sum(parameter[0].numel() for parameter in self.network.parameters())
        capacity = self.config.buffer_size
        with enough_memory(
            f"{self.name}: buffer_size={capacity}", size * capacity * 4 * (self.context_size + 2)
        ):
            return {
                **super().initial_state(size),
                "weights": np.zeros((size, count), np.float32),
                "squares": np.zeros((size, count), np.float32),
                "seen": np.zeros((size, capacity, self.context_size), np.float32),
                "pulled": np.zeros((size, capacity), np.int32),
                "paid": np.zeros((size, capacity), np.float32),
            }

    def _setup(self) -> None:
        super()._setup()
        self._weights = Streams.from_seeds(self.seeds, "network")
        self._draw_weights(np.arange(self.size))
        self._bind()

    def _draw_weights(self, rows: NDArray[np.intp]) -> None:
        """First weights of the members `rows`, from their own streams."""
        fresh = self._make_network(len(rows))
        streams = Streams(self._weights.state[rows])
        fresh.initialise(streams)
        self._weights.state[rows] = streams.state
        flat = torch.cat([parameter.detach().flatten(1) for parameter in fresh.parameters()], dim=1)
        self.weights[rows] = flat.numpy()

    def _bind(self) -> None:
        """The network and the optimiser work on the arrays of the state, not on copies."""
        weights, squares = torch.from_numpy(self.weights), torch.from_numpy(self.squares)
        start = 0
        for parameter in self.network.parameters():
            end = start + parameter[0].numel()
            parameter.data = weights[:, start:end].unflatten(1, parameter.shape[1:])
            moments = self.optimiser.torch.state[parameter]
            moments["square_avg"] = squares[:, start:end].unflatten(1, parameter.shape[1:])
            start = end

    def _restart(self, done: NDArray[np.bool_]) -> None:
        super()._restart(done)
        self._draw_weights(np.flatnonzero(done))

    def _array_attributes(self) -> dict[str, str]:
        return {**super()._array_attributes(), "streams/network": "weight_stream"}

    @property
    def weight_stream(self) -> NDArray[np.uint64]:
        """Where the first weights of the next games come from, uint64 `[S]`."""
        return self._weights.state

    @weight_stream.setter
    def weight_stream(self, state: NDArray[np.uint64]) -> None:
        self._weights = Streams(state)

    def _restored(self, *, in_place: bool) -> None:
        super()._restored(in_place=in_place)
        self._bind()

    # ---------------------------------------------------------------- what it knows

    def inputs(self, observation: Any) -> Tensor:
        """What is seen, `[S, K, dim]`, or `[S, 1, dim]` where one context is for all arms; float32."""
        x = np.ascontiguousarray(observation, np.float32).reshape(len(observation), -1, self.context_size)
        return torch.from_numpy(x)

    def values(self, observation: Any) -> NDArray[np.float64]:
        """The predicted payoffs `[S, K]` in this context."""
        with torch.inference_mode():
            return self.network(self.inputs(observation)).reshape(self.size, -1).numpy().astype(np.float64)

    def _act_aside(self, observation: NDArray[Any]) -> NDArray[np.int64]:
        """As `BanditAgent` has it; acting changes nothing but the stream, so nothing has to be put back."""
        stream, self.stream = self.stream, self._predict_stream
        try:
            return self.act(observation)
        finally:
            self.stream = stream

    # ---------------------------------------------------------------- learning

    def update(self, observation: Any, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Remember the pull; where it is time to, train."""
        members, place = np.arange(self.size), self.t.astype(np.int64) % self.config.buffer_size
        super().update(observation, actions, rewards)
        x = np.asarray(observation)
        self.seen[members, place] = x[members, actions] if self.shared else x
        self.pulled[members, place] = actions
        self.paid[members, place] = rewards
        due = self.t % self.config.train_freq == 0
        if due.any():
            for _ in range(self.config.gradient_steps):
                self._descend(due)
            self.trained(due)

    def _descend(self, due: NDArray[np.bool_]) -> None:
        """One step down the loss for the members that are `due` `[S]`."""
        rows, config = np.flatnonzero(due), self.config
        held = np.minimum(self.t[rows], config.buffer_size).astype(np.int64)
        places = np.zeros((self.size, config.batch_size), np.int64)
        places[rows] = self.stream.integers(held[:, None], config.batch_size, rows=rows)
        members = np.arange(self.size)[:, None]
        outputs = self.network(torch.from_numpy(self.seen[members, places]))
        arms = np.zeros_like(places) if self.shared else self.pulled[members, places].astype(np.int64)
        predicted = outputs.gather(2, torch.from_numpy(arms)[:, :, None])[:, :, 0]
        losses = (torch.from_numpy(self.paid[members, places]) - predicted) ** 2
        self.optimiser.step(losses.mean(dim=1).sum(), due)

    def trained(self, due: NDArray[np.bool_]) -> None:
        """The networks of the members `due` `[S]` have just been trained."""


@dataclass(frozen=True)
class NeuralGreedyConfig(NeuralConfig):
    """Settings of `neural_greedy`."""

    epsilon: Probability = 0.05
    """Chance of a random arm in every round (half of Sutton & Barto's 0.1, since contexts explore as well)."""


class NeuralGreedy(NeuralBandit):
    """With chance epsilon a random arm, else the one whose payoff the network predicts to be highest.

        A_t = argmax_a f(x)_a  with probability 1 - epsilon,  a uniform arm with probability epsilon

    Source: Riquelme, Tucker & Snoek (2018), "Deep Bayesian bandits showdown", section 4 ("neural greedy"), with epsilon; Zhou,
    Li & Gu (2020), section 7 ("neural epsilon-greedy").
    """

    name = "neural_greedy"
    config_class = NeuralGreedyConfig

    def select(self, observation: Any) -> NDArray[np.int64]:
        """The arm that is predicted to pay most, or a uniform one."""
        explore = np.flatnonzero(self.stream.uniform() < self.config.epsilon)
        actions = self.greedy(self.values(observation))
        actions[explore] = self.stream.integers(self.n_arms, rows=explore)
        return actions
