"""A model of stable-baselines3: made from our settings, taken apart into arrays, and put together from them."""

from __future__ import annotations

import contextlib
import functools
import importlib
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecTransposeImage

from rlcourse.agents.baselines.settings import SB3Config
from rlcourse.agents.threads import one_torch_thread
from rlcourse.errors import StorageError, UsageError
from rlcourse.streams import Streams, stream_keys

Arrays = dict[str, NDArray[Any]]

SMALLEST_PICTURE = 36
"""Pixels of a side that the convolutions of `CnnPolicy` need at least (Mnih et al. 2015)."""
BUFFER = ("actions", "rewards", "dones", "timeouts")
COUNTS = ("num_timesteps", "_n_updates", "_episode_num", "_n_calls")
ACTIVATIONS = {"relu": "ReLU", "tanh": "Tanh", "elu": "ELU", "leaky_relu": "LeakyReLU"}


class Plan(NamedTuple):
    """All that decides a member, its seed and what it has learned excepted."""

    algorithm: str
    """`module:class`."""
    config: SB3Config
    spec: EnvSpec
    env_kwargs: dict[str, Any]
    masked: bool
    """Whether it asks the world which actions are possible."""


class MaskedWorld(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Tells MaskablePPO which actions are possible: what `info["action_mask"]` said last."""

    def reset(self, **arguments: Any) -> Any:
        """See `gymnasium.Env.reset`."""
        observation, info = self.env.reset(**arguments)
        self._mask = info["action_mask"]
        return observation, info

    def step(self, action: Any) -> Any:
        """See `gymnasium.Env.step`."""
        result = self.env.step(action)
        self._mask = result[4]["action_mask"]
        return result

    def action_masks(self) -> NDArray[np.bool_]:
        """Bool `[A]`."""
        return np.asarray(self._mask, np.bool_)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One thread, and the global random numbers as they were afterwards: stable-baselines3 seeds and draws from them all."""
    of_python = random.getstate()
    of_numpy = np.random.get_state()  # noqa: NPY002  (stable-baselines3 draws from it)
    try:
        with one_torch_thread(), torch.random.fork_rng():
            yield
    finally:
        np.random.set_state(of_numpy)  # noqa: NPY002
        random.setstate(of_python)


def make_world(plan: Plan) -> VecEnv:
    """The copies of the world of a member."""
    if plan.config.vec_env == "native":
        from rlcourse.envs import to_sb3

        return to_sb3(plan.spec.id, plan.config.n_envs, **plan.env_kwargs)

    def one() -> gymnasium.Env[Any, Any]:
        env = Monitor(gymnasium.make(plan.spec.id, **plan.env_kwargs))
        return MaskedWorld(env) if plan.masked else env

    return DummyVecEnv([one] * plan.config.n_envs)  # as `make_vec_env`, which would ask for pictures as well


def policy_for(space: gymnasium.Space[Any], asked: str) -> str:
    """The name of the kind of network, chosen by what is observed where "auto" was asked for."""
    if asked != "auto":
        return asked
    if isinstance(space, gymnasium.spaces.Dict):
        return "MultiInputPolicy"
    picture = is_image_space(space) and sorted(space.shape or (0, 0))[-2] >= SMALLEST_PICTURE
    return "CnnPolicy" if picture else "MlpPolicy"


def make_model(plan: Plan, seed: int, world: VecEnv, **changes: Any) -> Any:
    """A model that knows nothing, in its world.

    Args:
        plan: what decides it.
        seed: of the member; a seed that stable-baselines3 cannot take, which has 32 bits, is hashed.
        world: the copies of its world.
        changes: of the algorithm's arguments.
    """
    kind = load(plan.algorithm)
    config = plan.config
    arguments = {**config.arguments(), **changes}
    policy_arguments = config.policy_arguments()
    if config.adam_epsilon is not None:
        policy_arguments["optimizer_kwargs"] = {"eps": config.adam_epsilon}
    if config.activation_fn is not None:
        policy_arguments["activation_fn"] = getattr(torch.nn, ACTIVATIONS[config.activation_fn])
    model = kind(
        recurrent_name(kind, policy_for(world.observation_space, config.policy)),
        world,
        policy_kwargs=policy_arguments,
        seed=seed if seed < 2**32 else int(stream_keys([seed], "sb3")[0] >> np.uint64(32)),
        device=config.device,
        **arguments,
    )
    model.env.unwrapped._seeds = seeds_of_copies(seed, config.n_envs)
    return model


def follow_schedules(model: Any, config: SB3Config, total: int) -> None:
    """Schedules in steps: stable-baselines3 has them as functions of the share that is left of all steps.

    Args:
        model: the model.
        config: its settings.
        total: steps of the model, those that it has made included, when it will have learned.
    """
    if config.anneal_steps is not None:
        step, share = config.learning_rate, total / config.anneal_steps
        model.lr_schedule = lambda left: step * max(0.0, 1.0 - (1.0 - left) * share)
    steps = getattr(config, "exploration_steps", None)
    if steps is not None:
        model.exploration_schedule = LinearSchedule(
            model.exploration_initial_eps, model.exploration_final_eps, steps / total
        )


def load(entry: str) -> Any:
    """The class `module:class`."""
    module, name = entry.split(":")
    return getattr(importlib.import_module(module), name)


def recurrent_name(kind: Any, policy: str) -> str:
    """`MlpPolicy` is `MlpLstmPolicy` to a recurrent algorithm."""
    recurrent = policy.replace("Policy", "LstmPolicy")
    return recurrent if recurrent in kind.policy_aliases else policy


def seeds_of_copies(seed: int, copies: int, made: int = 0) -> list[int]:
    """Seeds of the copies of a member's world.

    At first they are those of our agents (`ControlAgent.world_seeds`), so that these meet the same problems.

    Args:
        seed: of the member.
        copies: how many.
        made: steps that it has made before.
    """
    if made:
        return (Streams.from_seeds([seed], f"copies after {made}").bits(copies)[0] >> np.uint64(1)).tolist()
    further = Streams.from_seeds([seed], "copies").bits(copies - 1)[0] >> np.uint64(1) if copies > 1 else []
    return [seed, *(int(one) for one in further)]


# ---------------------------------------------------------------- arrays


def take_apart(model: Any) -> Arrays:
    """Networks, optimisers, replay buffer, counters and random numbers of a model, each array without a leading axis."""
    arrays: Arrays = {}
    for part, state in model.get_parameters().items():
        flat = state if not is_optimizer(part) else _flat(state["state"])
        for name, tensor in flat.items():
            arrays[f"model/{part}/{name}"] = tensor.detach().cpu().numpy().copy()
    arrays["counts"] = np.array([getattr(model, name, 0) for name in COUNTS], np.int64)
    arrays["exploration_rate"] = np.array(getattr(model, "exploration_rate", 0.0), np.float64)
    arrays |= _random_numbers(model)
    buffer = getattr(model, "replay_buffer", None)
    if buffer is not None:
        filled = buffer.buffer_size if buffer.full else buffer.pos
        arrays["buffer/place"] = np.array([buffer.pos, buffer.full], np.int64)
        for name, array in _buffers(buffer).items():
            arrays[f"buffer/{name}"] = array[:filled].copy()
    return arrays


def put_together(model: Any, arrays: Arrays, *, to_learn: bool = True) -> None:
    """Make a fresh model what was taken apart.

    Args:
        model: of the same plan.
        arrays: what `take_apart` gave.
        to_learn: with optimisers and buffer; else it can only predict.

    Raises:
        StorageError: the arrays are not those of such a model.
    """
    for part, state in model.get_parameters().items():
        prefix = f"model/{part}/"
        mine = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
        tensors = {name: torch.as_tensor(value.copy()) for name, value in mine.items()}
        if not is_optimizer(part):
            _check(prefix, tensors, state, whole=True)
            model.set_parameters({part: tensors}, exact_match=False)
        elif to_learn:
            _check(prefix, tensors, _flat(_state_after_a_step(model, part)), whole=False)
            nested: dict[int, dict[str, Any]] = {}
            for name, tensor in tensors.items():
                place, key = name.split("/")
                nested.setdefault(int(place), {})[key] = tensor
            # The groups are those of the settings: step sizes that follow a schedule are set in every update.
            model.set_parameters({part: {**state, "state": nested}}, exact_match=False)
    for name, count in zip(COUNTS, arrays["counts"].tolist(), strict=True):
        if hasattr(model, name):
            setattr(model, name, count)
    if hasattr(model, "exploration_rate"):
        model.exploration_rate = float(arrays["exploration_rate"])
    if to_learn:
        _set_random_numbers(model, arrays)
        if getattr(model, "replay_buffer", None) is not None:
            _fill(model.replay_buffer, arrays)


def is_optimizer(part: str) -> bool:
    """Whether this part of stable-baselines3's parameters is the state of an optimiser."""
    return part.split(".")[-1].endswith("optimizer")


def _flat(state: dict[int, dict[str, Any]]) -> dict[str, Any]:
    return {f"{place}/{key}": value for place, entry in state.items() for key, value in entry.items()}


def _state_after_a_step(model: Any, part: str) -> dict[int, dict[str, Any]]:
    """What the optimiser keeps of each parameter: that of a twin after a step along no gradient."""
    mine = functools.reduce(getattr, part.split("."), model)
    twins = [[torch.zeros_like(p) for p in group["params"]] for group in mine.param_groups]
    for group in twins:
        for parameter in group:
            parameter.requires_grad_()
            parameter.grad = torch.zeros_like(parameter)
    settings = [
        {key: value for key, value in group.items() if key != "params"} for group in mine.param_groups
    ]
    twin = type(mine)(
        [{"params": group, **setting} for group, setting in zip(twins, settings, strict=True)],
        lr=settings[0]["lr"],
    )
    twin.step()
    return twin.state_dict()["state"]


def _check(prefix: str, given: dict[str, Any], mine: dict[str, Any], *, whole: bool) -> None:
    """Refuse tensors of other names, shapes or types; with `whole`, none may be missing."""
    for name in given.keys() | (mine.keys() if whole else set()):
        if name not in given or name not in mine:
            raise StorageError(
                f"array {prefix + name!r} is {'missing' if name in mine else 'unknown'} for this model"
            )
        if given[name].shape != mine[name].shape or given[name].dtype != mine[name].dtype:
            raise StorageError(
                f"array {prefix + name!r} is {given[name].dtype}{list(given[name].shape)}, expected "
                f"{mine[name].dtype}{list(mine[name].shape)}"
            )


def _random_numbers(model: Any) -> Arrays:
    """The global streams, as the model leaves them, and that of its action space."""
    _, key, place, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    inner = model.action_space.np_random.bit_generator.state
    words = [(inner["state"][name] >> shift) & (2**64 - 1) for name in ("state", "inc") for shift in (64, 0)]
    return {
        "random/torch": torch.get_rng_state().numpy().copy(),
        "random/numpy": np.asarray(key, np.uint32).copy(),
        "random/numpy_rest": np.array([place, has_gauss, gauss], np.float64),
        "random/actions": np.array([*words, inner["has_uint32"], inner["uinteger"]], np.uint64),
    }


def _set_random_numbers(model: Any, arrays: Arrays) -> None:
    place, has_gauss, gauss = arrays["random/numpy_rest"].tolist()
    try:
        torch.set_rng_state(torch.as_tensor(arrays["random/torch"].copy()))
        of_numpy = ("MT19937", arrays["random/numpy"], int(place), int(has_gauss), gauss)
        np.random.set_state(of_numpy)  # noqa: NPY002
    except (RuntimeError, ValueError) as error:
        raise StorageError(f"the random numbers of a model cannot be restored: {error}") from None
    words = [int(word) for word in arrays["random/actions"]]
    generator = model.action_space.np_random.bit_generator
    generator.state = {
        **generator.state,
        "state": {"state": (words[0] << 64) | words[1], "inc": (words[2] << 64) | words[3] | 1},
        "has_uint32": words[4] & 1,
        "uinteger": words[5] & (2**32 - 1),
    }


def _buffers(buffer: Any) -> Arrays:
    """The arrays of a replay buffer by name; of dictionaries one for each entry."""
    found = {name: getattr(buffer, name) for name in BUFFER}
    for name in ("observations", "next_observations"):
        seen = getattr(buffer, name)
        found |= (
            {f"{name}/{key}": part for key, part in seen.items()} if isinstance(seen, dict) else {name: seen}
        )
    return found


def _fill(buffer: Any, arrays: Arrays) -> None:
    place, full = arrays["buffer/place"].tolist()
    if not 0 <= place < buffer.buffer_size or full not in (0, 1):
        raise StorageError("array 'buffer/place' is outside of the replay buffer")
    filled = buffer.buffer_size if full else place
    for name, array in _buffers(buffer).items():
        given = arrays[f"buffer/{name}"]
        if given.shape != (filled, *array.shape[1:]) or given.dtype != array.dtype:
            raise StorageError(
                f"array 'buffer/{name}' is {given.dtype}{list(given.shape)}, expected "
                f"{array.dtype}{[filled, *array.shape[1:]]}"
            )
        array[:filled] = given
    buffer.pos, buffer.full = int(place), bool(full)


def resume_world(world: VecEnv, state: Arrays) -> Any:
    """Put native copies into a state; what is observed there, as the model sees it.

    Raises:
        UsageError: it is not one of this world.
    """
    observation = world.unwrapped.set_state(state)  # type: ignore[attr-defined]
    return world.transpose_observations(observation) if isinstance(world, VecTransposeImage) else observation


def first_line(error: Exception) -> str:
    """What an error says, in a line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def refusal(plan: Plan, name: str, error: Exception) -> UsageError:
    """What stable-baselines3 said against a world or a setting."""
    return UsageError(f"{name} cannot be made for {plan.spec.id}: {first_line(error)}")
