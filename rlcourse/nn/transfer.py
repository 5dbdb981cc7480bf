"""What was learned on one task, for another: freeze parts, replace the head, load weights from another stack."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from rlcourse.checks import check_count
from rlcourse.errors import UsageError, did_you_mean
from rlcourse.nn.network import Network
from rlcourse.nn.stack import Stacked
from rlcourse.streams import Streams


def freeze(network: nn.Module, *patterns: str) -> list[str]:
    """Keep weights as they are. An optimiser made afterwards does not know them.

    Running statistics of batch normalisation are no weights: they stand still in evaluation mode.

    Args:
        network: any module.
        patterns: of the names of its parameters, as of files: "parts.0.*", "*.bias", "*".

    Returns:
        The names that were meant.

    Raises:
        UsageError: a pattern that fits no name.
    """
    return _set(network, patterns, False)


def unfreeze(network: nn.Module, *patterns: str) -> list[str]:
    """Let weights learn again. An optimiser made before does not know them.

    Args:
        network: any module.
        patterns: see `freeze`.

    Returns:
        The names that were meant.

    Raises:
        UsageError: a pattern that fits no name.
    """
    return _set(network, patterns, True)


def replace_head(network: Network, head: int | str, *, streams: Streams | None = None) -> Network:
    """A network with copies of all weights but those of the last part, which is new.

    Args:
        network: its last part is `linear` or `noisy`.
        head: how many outputs, or a part, see `rlcourse.nn.parts`: "linear 5 gain=0.01".
        streams: of S members, from which the new part is drawn; `None` are those of the seeds 0 to S - 1.

    Raises:
        UsageError: the last part is another one, or the new one does not fit.
    """
    if not isinstance(network, Network):
        raise UsageError(
            f"a head is replaced of a Network, got {type(network).__name__}; of an estimator, take its network"
        )
    last = network.spec[-1]
    if last.split()[0] not in ("linear", "noisy"):
        raise UsageError(f"the last part of the network, {last!r}, is no head; it must be linear or noisy")
    text = f"linear {head}" if isinstance(head, int) else head
    new = Network([*network.spec[:-1], text], network.n_in, network.size)
    part = new.parts[-1]
    assert isinstance(part, Stacked)  # a head has weights
    part.initialise(Streams.from_seeds(range(network.size), "head") if streams is None else streams)
    first = next(network.parameters())
    new.to(first)
    for before, after in zip(list(network.parts)[:-1], list(new.parts)[:-1], strict=True):
        after.load_state_dict(before.state_dict())
        for old, copy in zip(before.parameters(), after.parameters(), strict=True):
            copy.requires_grad_(old.requires_grad)
    return new.train(network.training)


def load_weights(
    target: Stacked, source: Stacked, *, member: int | None = None, only: str | Iterable[str] = "*"
) -> list[str]:
    """Copy weights and buffers from one stack into another, by name, or by their order where the names are others.

    Names say which part of a network a layer is, and one with a part more before it, as an agent's, has others for the same
    layers. So where a name is missing in the source, and both have the same kinds of arrays one after the other, the first
    goes into the first and so on.

    Args:
        target: takes them.
        source: gives them; of the same size, unless one of its members goes into all.
        member: of the source, that goes into every member of the target; `None` is each into its own place.
        only: pattern or patterns of names, see `freeze`.

    Returns:
        The names that were copied.

    Raises:
        UsageError: a pattern that fits no name, layers that the source does not have, or another shape; then nothing is
            copied.
    """
    found = find_weights(target, source, member=member, only=only)
    put_weights(target, found)
    return [*found]


def find_weights(
    target: Stacked, source: Stacked, *, member: int | None = None, only: str | Iterable[str] = "*"
) -> dict[str, Tensor]:
    """What `load_weights` would copy, by the names of the target; nothing is changed."""
    own, given = target.state_dict(), source.state_dict()
    names = matching(own, (only,) if isinstance(only, str) else tuple(only))
    if member is None and source.size != target.size:
        raise UsageError(
            f"{source.size} members do not go into {target.size}; say with member= which one goes into all"
        )
    if member is not None and check_count("member", member, 0) >= source.size:
        raise UsageError(f"member={member} must be in 0 to {source.size - 1}")
    origin = _origins(own, given, names)
    values = {}
    for name in names:
        value = given[origin[name]]
        if member is not None:
            value = value[member].expand(target.size, *value.shape[1:])
        if value.shape != own[name].shape:
            where = "" if origin[name] == name else f", where it is {origin[name]!r}"
            raise UsageError(
                f"{name!r} is {list(value.shape)} in the source{where}, but {list(own[name].shape)} in the target"
            )
        values[name] = value
    return values


def put_weights(target: Stacked, values: dict[str, Tensor]) -> None:
    """Copy what `find_weights` gave into the target."""
    own = target.state_dict()
    with torch.no_grad():
        for name, value in values.items():
            own[name].copy_(value)


def _origins(own: dict[str, Tensor], given: dict[str, Tensor], names: Iterable[str]) -> dict[str, str]:
    """The name in the source of each array of the target: the same one, or else the one in the same place."""
    strange = next((name for name in names if name not in given), None)
    if strange is None:
        return {name: name for name in names}
    # where the masks of dropout stand in their streams is no weight
    mine, theirs = (
        [name for name in arrays if name.rpartition(".")[2] != "stream"] for arrays in (own, given)
    )
    kinds = [[name.rpartition(".")[2] for name in found] for found in (mine, theirs)]
    if kinds[0] != kinds[1] or not set(names) <= set(mine):
        raise UsageError(
            f"the source has no {strange!r}, and its layers are others in their order, too: "
            f"{_layers(given)}, where the target has {_layers(own)}"
        )
    return dict(zip(mine, theirs, strict=True))


def _layers(arrays: dict[str, Tensor]) -> str:
    """The weights with the shape that a member has: "parts.0.weight [4, 64], parts.2.weight [64, 2]"."""
    return ", ".join(
        f"{name} {list(value.shape[1:])}"
        for name, value in arrays.items()
        if name.rpartition(".")[2].startswith("weight")
    )


def _set(network: nn.Module, patterns: Iterable[str], learns: bool) -> list[str]:
    parameters = dict(network.named_parameters())
    names = matching(parameters, patterns)
    for name in names:
        parameters[name].requires_grad_(learns)
    return names


def matching(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The names that fit one of the patterns, in their own order."""
    names = list(names)
    found: set[str] = set()
    for pattern in patterns:
        some = fnmatch.filter(names, pattern)
        if not some:
            raise UsageError(did_you_mean(pattern, names, kind="name of weights"))
        found.update(some)
    return [name for name in names if name in found]
