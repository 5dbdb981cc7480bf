"""What all deep agents share: the step of the whole population, networks from observations, devices, saving.

A deep agent says four things: which networks it has (`build`), what it does (`act`), what it makes of a step (`observe`), and
when and how it learns (`train`). Everything that its future depends on is an array, so learning in pieces equals learning at
once, also over a file.
"""

from __future__ import annotations

import os
import shutil
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlcourse.agents.base import Arrays, check_steps
from rlcourse.agents.config import AgentConfig, Count, NonNegative, Positive, Probability
from rlcourse.agents.control import ControlAgent
from rlcourse.agents.deep.bodies import check_body
from rlcourse.agents.deep.codec import Codec
from rlcourse.agents.observations import checked_shape, holds_nothing, members_of, rows_of_flags, say_space
from rlcourse.agents.population import begin
from rlcourse.errors import UsageError
from rlcourse.nn.optimisers import Optimiser
from rlcourse.nn.stack import Sequential, Stacked
from rlcourse.progress import progress_bar
from rlcourse.streams import Streams

BINS = 1 << 16
"""Counters of a member for observations that were met: two of which the hashes agree share one."""


@dataclass(frozen=True)
class DeepConfig(AgentConfig):
    """Settings of every deep agent."""

    learning_rate: Positive = 1e-3
    """Step size of the optimiser."""
    anneal_steps: Count | None = None
    """Environment steps over which the learning rate falls linearly to zero; never where it is None."""
    optimiser: Literal["adam", "adamw", "rmsprop", "sgd", "momentum", "nesterov"] = "adam"
    """Name of the optimiser, as in rlcourse.nn.optimisers."""
    adam_epsilon: Positive = 1e-8
    """What adam and rmsprop add to the root of the second moment (Kingma & Ba 2015)."""
    max_grad_norm: Positive | None = 10.0
    """The gradient of each member is clipped to this norm (stable-baselines3's DQN)."""
    gamma: Probability = 0.99
    """Discount of what comes a step later (stable-baselines3)."""
    n_envs: Count = 1
    """Copies of the world for each member."""
    net_arch: tuple[Count, ...] = (64, 64)
    """Units of the hidden layers (stable-baselines3)."""
    activation: Literal["relu", "tanh"] = "relu"
    """Function of the hidden units, and of the convolutions of pictures."""
    body: tuple[str, ...] | None = None
    """Parts of the network up to its heads, see rlcourse.nn.parts, in the place of net_arch and activation; None: chosen from
    what is observed (see rlcourse.agents.deep.bodies)."""
    frame_stack: Count = 1
    """How many of the last observations the network sees."""
    exploration_bonus: NonNegative = 0.0
    """Beta: while learning, what was observed n times pays beta / sqrt(n) more (Tang et al. 2017, "#Exploration")."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the networks live; auto is cuda where there is one."""
    compile: bool = False
    """Have torch.compile make machine code of the networks, which takes some ten seconds at first and needs a C++ compiler."""


MOST_JOINED = 400_000
"""Weights of all members up to which the optimiser keeps them in one block: a step of 100,000 takes 5% less for it, one of a
million 4 to 11% more, since gradients have to be copied there (measured on two cores)."""


class DeepAgent(ControlAgent):
    """A population of networks that acts in `S x N` copies of a world, and learns in between.

    Where an episode is truncated, what would have come after it is estimated by the network; where it is terminated, nothing
    comes.
    """

    config_class: ClassVar[type[AgentConfig]] = DeepConfig
    config: Any

    device: torch.device
    codec: Codec
    networks: dict[str, Stacked]
    """All that has weights to be saved, by name."""
    optimisers: dict[str, Optimiser]

    # ---------------------------------------------------------------- what a deep agent says

    @abstractmethod
    def build(self) -> None:
        """Make the networks (`add_network`), their optimisers (`add_optimiser`), and what experience is kept in."""

    @abstractmethod
    def act(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """What every copy does while learning, int64 `[S, N]`, where it sees `rows [S, N, ...]`."""

    @abstractmethod
    def observe(
        self,
        rows: NDArray[Any],
        actions: NDArray[np.int64],
        rewards: NDArray[np.float64],
        next_rows: NDArray[Any],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Keep a step of all copies, arrays `[S N, ...]`."""

    @abstractmethod
    def train(self) -> None:
        """Learn, where it is time to; called after every step of the population."""

    @abstractmethod
    def choose(
        self, rows: Tensor, state: Any, episode_start: Any, deterministic: bool
    ) -> tuple[NDArray[np.int64], Any]:
        """What the policies do outside of training, int64 `[S, n]`, where they see `rows [S, n, ...]`; and the memory."""

    def kept(self) -> dict[str, NDArray[Any]]:
        """Further arrays that the future depends on, `[S, ...]` or `[S N, ...]`: the arrays themselves, filled in place."""
        return {}

    def check_kept(self, arrays: Arrays) -> None:
        """Refuse what `kept` cannot have given, from a stranger's file: compiled loops would read and write beside arrays.

        Raises:
            StorageError: an array that holds what it cannot.
        """

    def forget_episode(self, over: NDArray[np.bool_]) -> None:
        """The copies `over` `[S N]` begin anew."""

    # ---------------------------------------------------------------- setting up

    @property
    def copies(self) -> int:
        """See `ControlAgent.copies`."""
        return int(self.config.n_envs)

    @property
    def row_bytes(self) -> int:
        """What a row of the codec takes."""
        return int(np.prod(self.codec.row_shape)) * self.codec.dtype.itemsize

    def _prepare(self) -> None:
        wanted = self.config.device
        if wanted == "cuda" and not torch.cuda.is_available():
            raise UsageError(
                f"{self.name}: device='cuda', but torch sees none here: use device='auto' or 'cpu'"
            )
        found = "cuda" if wanted == "auto" and torch.cuda.is_available() else wanted
        self.device = torch.device("cpu" if found == "auto" else found)
        if holds_nothing(self.venv.single_observation_space):
            raise UsageError(
                f"{self.name} cannot learn in {self.spec.id}, whose observations are "
                f"{say_space(self.venv.single_observation_space)}, with a part that holds no number: leave that part out"
            )
        try:
            self.codec = Codec(self.venv.single_observation_space, self.config.frame_stack)
            check_body(self.codec, self.config)
        except UsageError as error:
            raise UsageError(f"{self.name} in {self.spec.id}: {error}") from None
        compilers = ("c++", "g++", "clang++", os.environ.get("CXX", "c++"))
        if self.config.compile and self.device.type == "cpu" and not any(map(shutil.which, compilers)):
            raise UsageError(
                f"{self.name}: compile=True needs a C++ compiler, such as g++: there is none on this machine"
            )
        self.networks, self.optimisers = {}, {}
        self._asked = np.zeros(self.size, np.int64)
        self._returns = np.zeros(self.size * self.copies)
        self._weights = Streams.from_seeds(self.seeds, "network")
        self._visits = np.zeros((self.size, BINS if self.config.exploration_bonus else 0), np.int32)
        try:
            self.build()
        except (RuntimeError, MemoryError) as error:
            if "allocate" not in str(error):
                raise
            raise UsageError(
                f"{self.name}: the networks of {self.size:,} members take more memory than there is: fewer seeds, or smaller "
                "layers"
            ) from None

    def add_network(self, name: str, network: Stacked, *, like: str | None = None) -> Any:
        """Keep a network under a name, with weights drawn from the members' streams, or copied from the network `like`."""
        if like is None:
            network.initialise(self._weights)
        else:
            network.load_state_dict(self.networks[like].state_dict())
            network.requires_grad_(False)
        self.networks[name] = network.to(self.device)
        if self.config.compile:
            for part in [network] if isinstance(network, Sequential) else network.children():
                if isinstance(part, Sequential):  # the others have loops of their own over time
                    part.compile_for_training()
        return self.networks[name]

    def add_optimiser(self, name: str, *networks: Stacked, **options: Any) -> Optimiser:
        """An optimiser of these networks' weights, by the settings."""
        config = self.config
        if config.optimiser in ("adam", "adamw", "rmsprop"):
            options.setdefault("eps", config.adam_epsilon)
        parameters = [parameter for network in networks for parameter in network.parameters()]
        small = sum(parameter.numel() for parameter in parameters) <= MOST_JOINED
        self.optimisers[name] = Optimiser(
            parameters,
            config.optimiser,
            config.learning_rate,
            max_grad_norm=config.max_grad_norm,
            joined=small,
            **options,
        )
        return self.optimisers[name]

    def anneal(self) -> None:
        """Set the learning rate of this moment."""
        if self.config.anneal_steps is not None:
            left = max(0.0, 1.0 - self.num_timesteps / self.config.anneal_steps)
            for optimiser in self.optimisers.values():
                optimiser.set_learning_rate(self.config.learning_rate * left)

    def _begin(self, observation: Any) -> None:
        self._rows = self.codec.follow(None, self._frames(observation))

    def _frames(self, observation: Any) -> NDArray[Any]:
        return np.ascontiguousarray(self.codec.read(observation))

    # ---------------------------------------------------------------- the loop

    def learn(self, steps: int, *, progress: bool = False) -> Self:
        """See `Agent.learn`. With N copies steps are made N at a time; what is too much counts for the next call."""
        steps = check_steps(steps)
        self._asked += steps
        left = max(0, int(self._asked[0]) - self.num_timesteps)
        with progress_bar(left, f"{self.name} x {self.size}", show=progress) as advance:
            stride, since = max(1, left // 200), 0
            while self.num_timesteps < self._asked[0]:
                self._step()
                since += self.copies
                if since >= stride:
                    advance(since)
                    since = 0
            advance(since)
        return self

    def _step(self) -> None:
        """One step of all copies."""
        if np.count_nonzero(self._over):
            # only now, so that what was learned in an episode can be asked for after it
            observation, _ = self.venv.reset(options={"reset_mask": self._over})
            rows = self.codec.follow(self._rows, self._frames(observation), self._over)
            self._rows = rows if self._over.all() else self._where_over(rows)
            self.forget_episode(self._over)
        rows = self._rows
        actions = self.act(rows.reshape(self.size, self.copies, *self.codec.row_shape)).reshape(-1)
        taken = actions + self.first_action if self.first_action else actions
        observation, rewards, terminated, truncated, info = self.venv.step(taken)
        self._rows = self.codec.follow(rows, self._frames(observation))
        self.listen(info)
        paid = rewards + self._bonus(self._rows) if self.config.exploration_bonus else rewards
        self.observe(rows, actions, paid, self._rows, terminated, truncated)
        self.num_timesteps += self.copies
        self._note(rewards, terminated, truncated)
        self.train()

    def _bonus(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """What each of the copies `[S N]` is paid for having come to what it sees, the less the more often it was met."""
        from rlcourse.agents.deep.counting import count_visits

        met = count_visits(rows, self._visits)
        return np.asarray(self.config.exploration_bonus / np.sqrt(met))

    def _where_over(self, rows: NDArray[Any]) -> NDArray[Any]:
        """`rows` of the copies that began anew, the old ones of all others."""
        kept = self._rows.copy()
        kept[self._over] = rows[self._over]
        return kept

    def listen(self, info: dict[str, Any]) -> None:
        """What the worlds tell beside observation and reward; most agents do not look at it."""

    def _note(
        self, rewards: NDArray[np.float64], terminated: NDArray[np.bool_], truncated: NDArray[np.bool_]
    ) -> None:
        """Enter what was paid into the account."""
        from rlcourse.agents.deep.counting import note_step

        self._over = np.empty(len(rewards), np.bool_)
        account = (self._returns, self.running, self.episodes, self.earned)
        note_step(np.asarray(rewards, np.float64), terminated, truncated, self._over, *account)

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """See `Agent.diverged`."""
        found = torch.zeros(self.size, dtype=torch.bool)
        for network in self.networks.values():
            for weight in network.parameters():
                found |= ~weight.detach().flatten(1).isfinite().all(dim=1).cpu()
        return found.numpy()

    # ---------------------------------------------------------------- acting without learning

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """See `Agent.predict`. The memory is that of the network, and with `frame_stack` the last observations."""
        lead = checked_shape(self.venv.single_observation_space, observation)
        n = members_of(lead, self.size)
        frames = self.codec.read(observation, len(lead)).reshape(self.size, n, *self.codec.frame_shape)
        fresh = rows_of_flags(episode_start, (self.size, n))
        stacked, inner = self._told_before(state, n)
        rows = self.codec.follow(stacked, frames, fresh)
        with torch.inference_mode():
            actions, inner = self.choose(self.tensor(rows), inner, fresh, deterministic)
        if self.codec.frames > 1 or inner is not None:
            state = (rows if self.codec.frames > 1 else None, inner)
        return (self.first_action + actions).reshape(lead), state

    def first_memory(self, copies: int) -> Tensor | None:
        """What the network remembers where `copies` episodes of each member begin; `None` if it never remembers anything."""
        return None

    def _told_before(self, state: Any, n: int) -> tuple[NDArray[Any] | None, Tensor | None]:
        """The last observations of `n` copies, and what the network remembers, of what `predict` handed back."""
        if state is None:
            return None, None
        rows, memory = state if isinstance(state, tuple) and len(state) == 2 else (state, state)
        shape = (self.size, n, *self.codec.row_shape)
        first = self.first_memory(n)
        fits_rows = (
            rows is None
            if self.codec.frames == 1
            else isinstance(rows, np.ndarray) and (rows.shape, rows.dtype) == (shape, self.codec.dtype)
        )
        fits_memory = (
            memory is None
            if first is None
            else isinstance(memory, Tensor) and (memory.shape, memory.dtype) == (first.shape, first.dtype)
        )
        if not (fits_rows and fits_memory):
            raise UsageError(
                f"the state is not what {self.name} remembers of {[self.size, n]} copies: give what predict handed back for "
                "them, or None where episodes begin"
            )
        return rows, memory

    def _asked_values(self, observation: Any) -> tuple[Tensor, tuple[int, ...]]:
        """Rows of observations, `[S, n, ...]`, and the leading shape that the answer has; of episodes that begin there."""
        lead = checked_shape(self.venv.single_observation_space, observation)
        n = members_of(lead, self.size)
        frames = self.codec.read(observation, len(lead)).reshape(self.size, n, *self.codec.frame_shape)
        return self.tensor(self.codec.follow(None, frames)), lead

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """An array on the device."""
        array = np.ascontiguousarray(array)
        if not array.flags.writeable:  # of which torch warns, as it does not know of it
            array = array.copy()
        return torch.from_numpy(array).to(self.device)

    # ---------------------------------------------------------------- saving, restoring, parting

    def _array_attributes(self) -> dict[str, str]:
        names = {
            **super()._array_attributes(),
            "log/returns": "_returns",
            "asked": "_asked",
            "rows": "_rows",
            "visits": "_visits",
        }
        return names

    def get_arrays(self) -> Arrays:
        """See `Agent.get_arrays`."""
        arrays = super().get_arrays()
        for name, network in self.networks.items():
            for key, value in network.state_dict().items():
                arrays[f"network/{name}/{key}"] = value.detach().cpu().numpy().copy()
            # which of its weights do not learn: the same ones of all members
            frozen = [not weight.requires_grad for weight in network.parameters()]
            arrays[f"frozen/{name}"] = np.tile(np.array(frozen), (self.size, 1))
        for name, optimiser in self.optimisers.items():
            arrays |= {f"optimiser/{name}/{key}": array for key, array in optimiser.get_arrays().items()}
        arrays |= {f"kept/{name}": array.copy() for name, array in self.kept().items()}
        return arrays

    def _take(self, arrays: Arrays) -> None:
        self.codec.check("rows", arrays["rows"])
        self.check_kept(arrays_below(arrays, "kept/"))
        for name, network in self.networks.items():
            prefix = f"network/{name}/"
            state = {
                key: torch.from_numpy(array.copy()) for key, array in arrays_below(arrays, prefix).items()
            }
            network.load_state_dict(state)
            for weight, frozen in zip(network.parameters(), arrays[f"frozen/{name}"][0], strict=True):
                weight.requires_grad_(not frozen)
        for name, optimiser in self.optimisers.items():
            optimiser.set_arrays(arrays_below(arrays, f"optimiser/{name}/"))
        for name, array in self.kept().items():
            array[...] = arrays[f"kept/{name}"]

    def _restored(self, *, in_place: bool) -> None:
        super()._restored(in_place=in_place)
        if not in_place:  # a world of other people stands at the beginning of another episode
            self._returns[:] = 0.0
            self._begin(begin(self.venv, self.world_seeds))
            self.forget_episode(np.ones(self.size * self.copies, np.bool_))


def arrays_below(arrays: Arrays, prefix: str) -> Arrays:
    """The arrays whose names begin with `prefix`, under the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def hard_copy(target: nn.Module, source: nn.Module) -> None:
    """The weights of `source`, all of them."""
    with torch.no_grad():
        torch._foreach_copy_(list(target.parameters()), list(source.parameters()))


def soft_copy(target: nn.Module, source: nn.Module, tau: float) -> None:
    """Polyak averaging: target <- (1 - tau) target + tau source."""
    with torch.no_grad():
        torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), tau)
