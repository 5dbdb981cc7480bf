"""Our native batches as a `VecEnv` of stable-baselines3, which its agents step in the place of a `DummyVecEnv`.

    from rlcourse.envs import to_sb3
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecMonitor

    model = PPO("MlpPolicy", VecMonitor(to_sb3("CandyMaze-v0", n_envs=8, seed=0, observation="onehot")))

All copies are stepped at once, in compiled code where the world is compiled, instead of one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from rlcourse.envs.rules import Seen, State
from rlcourse.envs.vector import WorldVectorEnv
from rlcourse.errors import UsageError
from rlcourse.names import NAMESPACE, resolve_world
from rlcourse.native import native_batch

MASKS = "action_masks"
"""The method by which sb3-contrib asks which actions are possible."""


def to_sb3(env_id: str, n_envs: int = 1, seed: int | None = None, **env_kwargs: Any) -> SB3VecEnv:
    """`n_envs` copies of a world as a `VecEnv` of stable-baselines3.

    Args:
        env_id: one of ours (`"rlcourse/CandyMaze-v0"`, `"CandyMaze-v0"`), or a world of Gymnasium that has a native batch here
            (`"CartPole-v1"`, see `rlcourse.native`).
        n_envs: copies.
        seed: copy `i` is reset with `seed + i`; `None` leaves it to chance.
        env_kwargs: options of the world; `render_mode` among them.

    Raises:
        UsageError: an unknown world or option, or a world without a native batch.
    """
    spec = resolve_world(env_id)
    render_mode = env_kwargs.pop("render_mode", None)
    batch: Any = (spec, env_kwargs) if spec.id.startswith(NAMESPACE) else native_batch(spec, env_kwargs)
    if batch is None:
        raise UsageError(
            f"{spec.id} with the options {env_kwargs} has no native batch: use "
            f"stable_baselines3.common.env_util.make_vec_env"
        )
    try:
        venv: Any = gymnasium.make_vec(
            batch[0],
            num_envs=n_envs,
            vectorization_mode="vector_entry_point",
            autoreset_mode="SameStep",
            render_mode=render_mode,
            **batch[1],
        )
    except TypeError as error:  # an option that is not the user's to say
        raise UsageError(f"{spec.id} refuses its options {env_kwargs}: {error}") from error
    env = SB3VecEnv(venv.unwrapped)
    if seed is not None:
        env.seed(seed)
    return env


class SB3VecEnv(VecEnv):
    """A native batch in the interface of stable-baselines3.

    Where an episode ends, the observation is the first of the next one, and the info of the copy has its last observation
    (`terminal_observation`) and whether it was cut off by the time limit (`TimeLimit.truncated`).

    The copies are rows of arrays and no objects: `get_attr` gives what the batch says of itself, or what its rules say, the
    same for every copy; `env_method` knows `action_masks`, for MaskablePPO in worlds that tell `info["action_mask"]`.

    Args:
        venv: the batch, in autoreset mode "SameStep".

    Raises:
        UsageError: another mode.
    """

    def __init__(self, venv: WorldVectorEnv) -> None:
        if venv.metadata["autoreset_mode"] is not gymnasium.vector.AutoresetMode.SAME_STEP:
            raise UsageError(
                "stable-baselines3 begins episodes at once: make the batch with autoreset_mode='SameStep'"
            )
        self.venv = venv
        self._masks: NDArray[np.bool_] | None = None
        self._actions: NDArray[np.int64] | None = None
        super().__init__(venv.num_envs, venv.single_observation_space, venv.single_action_space)

    def reset(self) -> Any:
        """First observations of all copies; seeds and options that were given are used up."""
        options = self._options[0]
        if any(one != options for one in self._options[1:]):
            raise UsageError("the copies of a native batch are reset with the same options")
        seeds: Any = None if set(self._seeds) == {None} else list(self._seeds)
        observation, infos = self.venv.reset(seed=seeds, options=options or None)
        self.reset_infos = self._rows(infos)
        self._masks = infos.get("action_mask")
        self._reset_seeds()
        self._reset_options()
        return observation

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Take the actions `[n_envs]`."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Move all copies."""
        assert self._actions is not None, "step_async comes first"
        observation, rewards, terminated, truncated, infos = self.venv.step(self._actions)
        self._actions = None
        dones = terminated | truncated
        self._masks = infos.get("action_mask")
        rows = self._rows(infos)
        for row, cut in zip(rows, (truncated & ~terminated).tolist(), strict=True):
            row["TimeLimit.truncated"] = cut
        if "final_obs" in infos:
            last = self._rows(infos["final_info"])
            for i in np.flatnonzero(dones):
                self.reset_infos[i] = {key: rows[i][key] for key in self.venv.rules.reset_keys}
                rows[i] = {
                    **last[i],
                    "TimeLimit.truncated": rows[i]["TimeLimit.truncated"],
                    "terminal_observation": infos["final_obs"][i],
                }
        return observation, rewards.astype(np.float32), dones, rows

    def _rows(self, infos: dict[str, Any]) -> list[dict[str, Any]]:
        """Gymnasium's dictionary of arrays as a dictionary for every copy."""
        rows: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for key, values in infos.items():
            if key.startswith("_") or key in ("final_obs", "final_info"):
                continue
            each = values.tolist() if values.ndim == 1 else values
            present = infos["_" + key]
            if present.all():
                for row, value in zip(rows, each, strict=True):
                    row[key] = value
            else:
                for i in np.flatnonzero(present):
                    rows[i][key] = each[i]
        return rows

    # ---------------------------------------------------------------- snapshots

    def get_state(self) -> State:
        """All that the future of the copies depends on, see `WorldVectorEnv.get_state`."""
        return self.venv.get_state()

    def set_state(self, state: State) -> Seen:
        """Go on from a snapshot; what is observed there, as after a `reset`."""
        self.venv.set_state(state)
        info = self.venv.rules.reset_info(self.venv._state)
        self._masks = info.get("action_mask")
        return self.venv.rules.observe(self.venv._state)

    # ---------------------------------------------------------------- what stable-baselines3 asks single copies

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of the batch or of its rules, once for every copy."""
        if attr_name == MASKS and "action_mask" in self.venv.rules.reset_keys:
            return [lambda i=i: self._masks_now()[i] for i in self._get_indices(indices)]
        for owner in (self.venv, self.venv.rules):
            if not attr_name.startswith("_") and hasattr(owner, attr_name):
                return [getattr(owner, attr_name) for _ in self._get_indices(indices)]
        raise AttributeError(f"{type(self.venv).__name__} has no attribute {attr_name!r}")

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the whole batch.

        Raises:
            UsageError: for some of the copies, or of what the rules are.
        """
        if sorted(self._get_indices(indices)) != list(range(self.num_envs)):
            raise UsageError(f"{attr_name!r} cannot be set for some copies of a native batch: they share it")
        if hasattr(self.venv.rules, attr_name):
            raise UsageError(f"{attr_name!r} is an option of the world: give it where the world is made")
        setattr(self.venv, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """`action_masks` bool `[A]`, or the picture by `render`, of every copy that is asked."""
        chosen = list(self._get_indices(indices))
        if method_name == "render":
            pictures = self.venv.render()
            return [None if pictures is None else pictures[i] for i in chosen]
        if method_name == MASKS and "action_mask" in self.venv.rules.reset_keys:
            masks = self._masks_now()
            return [masks[i] for i in chosen]
        raise AttributeError(
            f"the copies of a native batch are no objects with methods: {method_name!r} is not one of "
            f"'{MASKS}' (where the world tells action masks) and 'render'"
        )

    def _masks_now(self) -> NDArray[np.bool_]:
        if self._masks is None:
            raise gymnasium.error.ResetNeeded("call reset() before asking for action masks")
        return self._masks.astype(np.bool_)

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: Any = None
    ) -> list[bool]:
        """A row of an array is in no wrapper."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """A picture of every copy (`render_mode="rgb_array"`)."""
        return list(self.venv.render() or [None] * self.num_envs)

    def close(self) -> None:
        """Close the batch."""
        self.venv.close()
