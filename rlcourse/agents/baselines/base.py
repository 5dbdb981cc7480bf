"""A population of models of stable-baselines3, one a member, in the protocol of our agents."""

from __future__ import annotations

import importlib.util
import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlcourse.agents.base import Arrays, check_steps
from rlcourse.agents.baselines.settings import SB3Config
from rlcourse.agents.control import ControlAgent
from rlcourse.agents.observations import checked_shape, members_of, rows_of_flags, say_space
from rlcourse.agents.threads import one_torch_thread
from rlcourse.checks import enough_memory
from rlcourse.errors import StorageError, UsageError
from rlcourse.names import NAMESPACE
from rlcourse.native import native_batch
from rlcourse.pool import default_jobs, unordered
from rlcourse.progress import progress_bar

if TYPE_CHECKING:
    from rlcourse.agents.baselines.models import Plan
    from rlcourse.agents.baselines.training import Learned

PLAIN = (
    gymnasium.spaces.Box,
    gymnasium.spaces.Discrete,
    gymnasium.spaces.MultiDiscrete,
    gymnasium.spaces.MultiBinary,
)
"""Observations that stable-baselines3 takes, alone or as entries of a dictionary."""
MEMBER = "member/"


class SB3Agent(ControlAgent):
    """A population of models of stable-baselines3, which learn in parallel processes; one member learns in this one.

    Member `k` is the model that stable-baselines3 makes with `seed=k`, in a world of `n_envs` copies, the first of which is
    reset with this seed too. It computes with one thread, so that no figure depends on how many processes share the members.

    `learn(steps)` makes as many steps in all copies together, as in stable-baselines3 (rounded up to the number of copies).
    But a rollout that is not complete by then is not gone on with, and not learned from. The schedule of
    `exploration_fraction` ends with the call, as there; those in steps (`exploration_steps`, `anneal_steps`) go on. A call
    begins new episodes, but for `vec_env="native"`, where those that were running go on; hence two calls are not the same as
    one. To look at the account in between, use `follow`.

    What is saved: networks, optimisers, replay buffer, counters, random numbers, and native worlds. What cannot be is a
    rollout that was not complete, the hidden state of an LSTM in it, a world that is not native, and random numbers on a GPU.
    So a population that was loaded goes on exactly as the one that was saved would have, on a CPU: both begin a rollout, and
    in worlds that are not native new episodes. But it is not where one longer call of `learn` would have been.
    """

    config_class = SB3Config
    one_by_one = True
    follows_account_alone = True
    algorithm: ClassVar[str]
    """`module:class` of the model."""

    config: SB3Config

    def _setup(self) -> None:
        module = self.algorithm.split(":")[0]
        if importlib.util.find_spec(module) is None:
            package = module.replace("_", "-")
            raise UsageError(f"{self.name} needs a package that is not installed: pip install {package}")
        super()._setup()

    def _prepare(self) -> None:
        space = self.venv.single_observation_space
        parts = list(space.spaces.values()) if isinstance(space, gymnasium.spaces.Dict) else [space]
        if not parts or not all(isinstance(part, PLAIN) for part in parts):
            raise UsageError(
                f"{self.name} cannot learn in {self.spec.id}, whose observations are {say_space(space)}: it fits Box, "
                f"Discrete, MultiDiscrete and MultiBinary observations, and dictionaries of those"
            )
        for part in parts:
            axes = part.shape or ()
            numbers = isinstance(part, gymnasium.spaces.MultiDiscrete)
            if (
                0 in axes
                or (isinstance(part, gymnasium.spaces.Box) and not axes)
                or (numbers and len(axes) > 1)
            ):
                raise UsageError(
                    f"{self.name} cannot learn in {self.spec.id}, whose observations are {say_space(space)}: it fits a Box of "
                    f"one axis or more, MultiDiscrete of one axis, and none that is empty"
                )
            if np.any(getattr(part, "start", 0)):
                raise UsageError(
                    f"{self.name} cannot learn in {self.spec.id}, whose observations are {say_space(space)}: it fits numbers "
                    f"that count from 0"
                )
        if self.config.policy == "MultiInputPolicy" and not isinstance(space, gymnasium.spaces.Dict):
            raise UsageError(
                f"{self.name}: policy='MultiInputPolicy' is for dictionaries, and {self.spec.id} shows {say_space(space)}: "
                f"leave policy='auto'"
            )
        self._check_memory(parts)
        self._check_device()
        if self.first_action != 0:
            raise UsageError(
                f"{self.name} cannot act in {self.spec.id}, whose actions begin at {self.first_action}: it fits actions from 0"
            )
        if self.config.vec_env == "native" and not (
            self.spec.id.startswith(NAMESPACE) or native_batch(self.spec, self.env_kwargs)
        ):
            raise UsageError(f"{self.name}: {self.spec.id} has no native batch: leave vec_env='dummy'")
        self._members: list[Arrays] | None = None
        self._models: dict[int, Any] = {}
        self._model(0)  # stable-baselines3 refuses what it cannot do when a model is made

    def _check_memory(self, parts: list[gymnasium.Space[Any]]) -> None:
        """Refuse a replay buffer or a rollout for which there is no memory, as far as the system says so beforehand."""
        each = sum(int(np.prod(part.shape or (1,))) * np.dtype(part.dtype).itemsize for part in parts)
        size: int | None = getattr(self.config, "buffer_size", None)
        if size is not None:
            what, n_bytes = f"buffer_size={size}", 2 * size * each  # of before and after a step
        else:
            steps: int = self.config.n_steps  # type: ignore[attr-defined]
            what, n_bytes = f"n_steps={steps}", steps * self.config.n_envs * each
        with enough_memory(f"{self.name}: {what}", n_bytes):
            np.empty(n_bytes // (1 if size is None else 2), np.uint8)

    def _check_device(self) -> None:
        """Refuse a GPU that is not there, in whose place stable-baselines3 would take the CPU without a word."""
        import torch

        kind, _, number = self.config.device.partition(":")
        count = torch.cuda.device_count()
        if kind == "cuda" and (not number or number.isdecimal()) and int(number or 0) >= count:
            raise UsageError(
                f"{self.name}: device={self.config.device!r}, but torch sees {count or 'none'} here: use device='auto' or "
                f"'cpu'"
            )

    @property
    def _plan(self) -> Plan:
        from rlcourse.agents.baselines.models import Plan

        return Plan(self.algorithm, self.config, self.spec, self.env_kwargs, self.needs_masks)

    # ---------------------------------------------------------------- learning

    def learn(self, steps: int, *, progress: bool = False) -> Self:
        """See `Agent.learn`, and what the class says of pieces."""
        steps = check_steps(steps)
        with progress_bar(steps, f"{self.name} x {self.size}", show=progress) as advance:
            next(self.follow([steps], advance))  # one piece, which is all
        return self

    def follow(self, lengths: Sequence[int], advance: Callable[[int], None]) -> Iterator[None]:
        """See `ControlAgent.follow`: all is learned in one go, and then the account is shown piece by piece."""
        from rlcourse.agents.baselines.training import marks_of

        marks = marks_of(lengths)
        learned = self._learn(marks, advance)
        before, episodes, earned = self.num_timesteps, self.episodes.copy(), self.earned.copy()
        self._members, self._models = [one.arrays for one in learned], {}
        self._stand([one.stands for one in learned])
        account = np.stack([one.account for one in learned])
        for place in range(len(marks)):
            made, finished, returns, running = account[:, place].T
            self.num_timesteps = before + int(made[0])
            self.episodes[:] = episodes + finished.astype(np.int64)
            self.earned[:] = earned + returns
            self.running[:] = running
            yield

    def _learn(self, marks: list[int], advance: Callable[[int], None]) -> list[Learned]:
        """What every member learned."""
        from rlcourse.agents.baselines.training import train

        plan = self._plan
        members: Sequence[Arrays | None] = self._members or [None] * self.size
        processes = min(self.size, self._processes())
        if processes == 1:
            report = shared(advance, self.size)
            return [
                train(plan, seed, arrays, marks, report)
                for seed, arrays in zip(self.seeds, members, strict=True)
            ]
        report = shared(advance, self.size)
        calls = [(k, plan, self.seeds[k], members[k], marks) for k in range(self.size)]
        learned: dict[int, Learned] = {}
        for k, one in unordered(train_in_process, calls, jobs=processes):
            learned[k] = one
            report(marks[-1])
        return [learned[k] for k in range(self.size)]

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """See `Agent.diverged`."""
        weights = [
            [array for name, array in one.items() if name.startswith("model/policy/")]
            for one in self._members or []
        ]
        found = [not all(np.isfinite(array).all() for array in arrays) for arrays in weights]
        return np.array(found or [False] * self.size)

    def _processes(self) -> int:
        """How many processes may share the members: one where this is one of several already."""
        alone = multiprocessing.parent_process() is None
        if not alone or threading.current_thread() is not threading.main_thread():
            return 1
        return self.config.jobs or default_jobs()

    def _stand(self, states: list[Arrays | None]) -> None:
        """Put the worlds that evaluation looks at where those of the members stand."""
        world: Any = self.venv.unwrapped
        given = [state for state in states if state is not None]
        if hasattr(world, "set_state") and len(given) == self.size:
            joined = {name: np.concatenate([state[name] for state in given]) for name in given[0]}
            world.set_state({**joined, "finished": np.zeros(self.size, np.bool_)})

    # ---------------------------------------------------------------- acting without learning

    def _model(self, k: int) -> Any:
        """The model of member `k`, as far as predictions need it."""
        if k not in self._models:
            from rlcourse.agents.baselines.models import alone, make_model, make_world, put_together, refusal

            small = {"buffer_size": self.config.n_envs} if hasattr(self.config, "buffer_size") else {}
            plan = self._plan
            with alone():
                world = make_world(plan)
                try:
                    model = make_model(plan, self.seeds[k], world, **small)
                except (AssertionError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
                    raise refusal(plan, self.name, error) from error
                finally:
                    world.close()
                if self._members is not None:
                    put_together(model, self._members[k], to_learn=False)
            self._models[k] = model
        return self._models[k]

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], Any]:
        """See `Agent.predict`."""
        lead = checked_shape(self.venv.single_observation_space, observation)
        copies = members_of(lead, self.size)
        seen = rows_of(observation, len(lead), (self.size, copies))
        starts = rows_of_flags(episode_start, (self.size, copies))
        memories = self._told_before(state, copies)
        actions, states = np.empty((self.size, copies), np.int64), []
        for k in range(self.size):
            memory = memories[k]
            begun = None if starts is None else starts[k]
            model = self._model(k)
            with one_torch_thread():
                actions[k], memory = self._choose(k, model, part_of(seen, k), memory, begun, deterministic)
            states.append(memory)
        return actions.reshape(lead), None if all(one is None for one in states) else states

    def memory_shape(self, copies: int) -> tuple[int, ...] | None:
        """The shape of both of the arrays that a model remembers of its `copies`; `None` if it never remembers anything."""
        return None

    def _told_before(self, state: Any, copies: int) -> list[Any]:
        """What each model remembers, of what `predict` handed back; `None` is nothing.

        Raises:
            UsageError: it is something else.
        """
        if state is None:
            return [None] * self.size
        shape, members = self.memory_shape(copies), state if isinstance(state, (list, tuple)) else ()
        known = [
            one is None
            or (
                isinstance(one, tuple)
                and len(one) == 2
                and all(isinstance(part, np.ndarray) and part.shape == shape for part in one)
            )
            for one in members
        ]
        if len(known) != self.size or not all(known):
            raise UsageError(
                f"the state is not what {self.name} remembers of {[self.size, copies]} copies: give what predict handed back "
                "for them, or None where episodes begin"
            )
        return list(members)

    def _choose(
        self, k: int, model: Any, seen: Any, state: Any, starts: Any, deterministic: bool
    ) -> tuple[Any, Any]:
        """What member `k` does in its `[N, ...]`; what is drawn comes from its stream of predictions."""
        from rlcourse.agents.baselines.models import alone

        if deterministic:
            return self._ask(model, seen, state, starts, True)
        with alone():
            import torch

            torch.manual_seed(int(self._predict_bits(k)))
            return self._ask(model, seen, state, starts, False)

    def _ask(self, model: Any, seen: Any, state: Any, starts: Any, deterministic: bool) -> tuple[Any, Any]:
        return model.predict(seen, state=state, episode_start=starts, deterministic=deterministic)

    def _predict_bits(self, k: int) -> np.uint64:
        """64 random bits of member `k`."""
        return self._predict_stream.bits(rows=np.array([k]))[0]

    # ---------------------------------------------------------------- what it knows

    def _values(self, observation: Any, ask: Callable[[Any, Any], Any]) -> NDArray[np.float64]:
        """What `ask(model, tensor)` says of every observation, with the leading shape of these."""
        lead = checked_shape(self.venv.single_observation_space, observation)
        seen = rows_of(observation, len(lead), (self.size, members_of(lead, self.size)))
        found = []
        for k in range(self.size):
            model = self._model(k)
            with one_torch_thread():
                tensor, _ = model.policy.obs_to_tensor(part_of(seen, k))
                found.append(ask(model, tensor).detach().cpu().numpy().astype(np.float64))
        values = np.stack(found)
        return values.reshape(*lead, *values.shape[2:])

    # ---------------------------------------------------------------- saving, restoring, parting

    def get_arrays(self) -> Arrays:
        """See `Agent.get_arrays`; before anything is learned there are no models in it: they follow from the seeds."""
        arrays = super().get_arrays()
        if self._members is not None:
            arrays |= {
                MEMBER + name: np.stack([one[name] for one in self._members]) for name in self._members[0]
            }
        return arrays

    def set_arrays(self, arrays: Arrays) -> None:
        """See `Agent.set_arrays`."""
        mine = {name.removeprefix(MEMBER): array for name, array in arrays.items() if name.startswith(MEMBER)}
        self._members, self._models = None, {}
        super().set_arrays({name: array for name, array in arrays.items() if not name.startswith(MEMBER)})
        if not mine:
            return
        for name, array in mine.items():
            if array.ndim < 1 or len(array) != self.size:
                raise StorageError(
                    f"array {MEMBER + name!r} is of {array.shape[:1]} members, not {self.size}"
                )
        members = [{name: array[k].copy() for name, array in mine.items()} for k in range(self.size)]
        for k in range(self.size):
            self._check(k, members[k])
        self._members, self._models = members, {}

    def _check(self, k: int, arrays: Arrays) -> None:
        """Refuse arrays that do not make a model."""
        from rlcourse.agents.baselines.models import alone, make_model, make_world, put_together, resume_world

        plan = self._plan
        with alone():
            world = make_world(plan)
            try:
                model = make_model(plan, self.seeds[k], world)
                put_together(model, arrays)
                place = {
                    name.removeprefix("world/"): array
                    for name, array in arrays.items()
                    if name.startswith("world/")
                }
                if place:
                    resume_world(model.env, place)
                if arrays["running"].shape != (self.config.n_envs,):
                    raise StorageError("array 'running' is not one number for each copy of the world")
            except KeyError as error:
                raise StorageError(f"array {error} is missing for {self.name}") from None
            except UsageError as error:
                raise StorageError(str(error)) from None
            finally:
                world.close()


def shared(advance: Callable[[int], None], size: int) -> Callable[[int], None]:
    """Moves a bar of the steps of each member on by the steps of one of them."""
    total = 0

    def report(steps: int) -> None:
        nonlocal total
        before, total = total // size, total + steps
        advance(total // size - before)

    return report


def train_in_process(k: int, *call: Any) -> tuple[int, Learned]:
    """`train`, with the place of the member."""
    from rlcourse.agents.baselines.training import train

    return k, train(*call)


def rows_of(observation: Any, lead: int, rows: tuple[int, int]) -> Any:
    """An observation, with `lead` dimensions in front, as `[*rows, ...]`."""
    if isinstance(observation, dict):
        return {name: rows_of(part, lead, rows) for name, part in observation.items()}
    array = np.asarray(observation)
    return array.reshape(*rows, *array.shape[lead:])


def part_of(observation: Any, k: int) -> Any:
    """The rows of member `k`."""
    if isinstance(observation, dict):
        return {name: part[k] for name, part in observation.items()}
    return observation[k]
