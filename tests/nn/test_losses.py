"""Losses against torch's, member by member."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rlcourse.errors import UsageError
from rlcourse.nn.linear import Linear
from rlcourse.nn.losses import LOSSES, decide, make_loss, penalty

S, B, K = 3, 17, 4
Torchs = Callable[[Tensor, Tensor], Tensor]
WEIGHTS = (1.0, 0.2, 3.0, 0.7)


def numbers(seed: int, *shape: int) -> Tensor:
    return 2.0 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def classes(seed: int, n: int, *shape: int) -> Tensor:
    return torch.randint(0, n, shape, generator=torch.Generator().manual_seed(seed))


def signs(target: Tensor) -> Tensor:
    """0 and 1 as torch's losses of margins want them."""
    return 2.0 * target.double() - 1.0


def rest(target: Tensor) -> Tensor:
    """Class y as 1 for y and -1 for all others."""
    return 2.0 * nn.functional.one_hot(target, K).double() - 1.0


CASES: dict[str, tuple[dict[str, Any], Tensor, Tensor, Torchs]] = {
    "squared": ({}, numbers(0, S, B, 2), numbers(1, S, B, 2), nn.MSELoss()),
    "absolute": ({}, numbers(0, S, B, 2), numbers(1, S, B, 2), nn.L1Loss()),
    "huber": ({"delta": 0.7}, numbers(0, S, B, 2), numbers(1, S, B, 2), nn.HuberLoss(delta=0.7)),
    "zero_one": (
        {},
        numbers(0, S, B, K),
        classes(1, K, S, B),
        lambda f, y: (f.argmax(-1) != y).double().mean(),
    ),
    "hinge": (
        {},
        numbers(0, S, B, 1),
        classes(1, 2, S, B),  # torch's hinge_embedding of 1 - margin is no margin loss: this is the formula
        lambda f, y: torch.relu(1 - signs(y) * f[:, 0]).mean(),
    ),
    "squared_hinge": (
        {},
        numbers(0, S, B, K),
        classes(1, K, S, B),
        lambda f, y: (torch.relu(1 - rest(y) * f) ** 2).sum(1).mean(),
    ),
    "logistic": (
        {},
        numbers(0, S, B, 1),
        classes(1, 2, S, B),
        lambda f, y: nn.SoftMarginLoss()(f[:, 0], signs(y)),
    ),
    "cross_entropy": (
        {"label_smoothing": 0.1, "class_weights": WEIGHTS},
        numbers(0, S, B, K),
        classes(1, K, S, B),
        nn.CrossEntropyLoss(torch.tensor(WEIGHTS, dtype=torch.float64), label_smoothing=0.1),
    ),
    "binary_cross_entropy": (
        {},
        numbers(0, S, B, K),
        classes(1, 2, S, B, K),
        lambda f, y: nn.BCEWithLogitsLoss()(f, y.double()),
    ),
}


def slope(loss: Callable[[Tensor], Tensor], output: Tensor) -> Tensor:
    output = output.clone().requires_grad_()
    loss(output).backward()
    assert output.grad is not None
    return output.grad


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_of_every_member_are_torchs(name: str) -> None:
    options, output, target, torchs = CASES[name]
    loss = make_loss(name, **options)
    values = loss(output, target)
    assert values.shape == (S,)
    for k in range(S):
        torch.testing.assert_close(values[k], torchs(output[k], target[k]), rtol=1e-6, atol=1e-8)
    if name == "zero_one":
        return
    ours = slope(lambda f: loss(f, target).sum(), output)
    for k in range(S):
        theirs = slope(lambda f, k=k: torchs(f, target[k]), output[k])  # type: ignore[misc]
        torch.testing.assert_close(ours[k], theirs, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_what_weighs_nothing_is_not_there(name: str) -> None:
    options, output, target, _ = CASES[name]
    loss = make_loss(name, **options)
    weight = torch.zeros(S, B, dtype=output.dtype)
    weight[:, :5] = 1.0
    torch.testing.assert_close(loss(output, target, weight), loss(output[:, :5], target[:, :5]))
    weight[1] = 0.0
    assert loss(output, target, weight)[1] == 0.0


@pytest.mark.parametrize("name", LOSSES)
def test_json_and_back(name: str) -> None:
    loss = make_loss(name, **CASES[name][0])
    assert make_loss(json.loads(json.dumps(loss.to_json()))) == loss


def test_one_against_the_rest_is_so_many_problems_of_two_classes() -> None:
    output, target = numbers(0, S, B, K), classes(1, K, S, B)
    for name in ("hinge", "squared_hinge", "logistic"):
        loss = make_loss(name)
        apart = [loss(output[..., [c]], (target == c).long()) for c in range(K)]
        torch.testing.assert_close(loss(output, target), torch.stack(apart).sum(0))


def test_logistic_is_binary_cross_entropy_of_one_label() -> None:
    output, target = numbers(0, S, B, 1), classes(1, 2, S, B)
    torch.testing.assert_close(
        make_loss("logistic")(output, target), make_loss("binary_cross_entropy")(output, target)
    )


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2, "class_weights": WEIGHTS}])
def test_probabilities_as_targets_and_time(options: dict[str, Any]) -> None:
    output = numbers(0, S, B, 5, K)
    target = numbers(1, S, B, 5, K).softmax(-1)
    weights = torch.tensor(options["class_weights"], dtype=torch.float64) if options else None
    values = make_loss("cross_entropy", **options)(output, target)
    for k in range(S):
        torchs = nn.CrossEntropyLoss(weights, label_smoothing=options.get("label_smoothing", 0.0))
        torch.testing.assert_close(values[k], torchs(output[k].reshape(-1, K), target[k].reshape(-1, K)))
    hard = classes(2, K, S, B, 5)
    each = make_loss("cross_entropy").each(output, hard)
    torch.testing.assert_close(each, -output.log_softmax(-1).gather(-1, hard[..., None])[..., 0])


def test_decisions() -> None:
    assert decide(torch.tensor([[[-0.1], [0.2]]])).tolist() == [[0, 1]]
    assert decide(torch.tensor([[[1.0, 3.0, 2.0]]])).tolist() == [[1]]


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("squared", torch.zeros(S, B, 3)),
        ("squared", torch.zeros(B)),
        ("huber", torch.zeros(S, 1)),
        ("hinge", torch.zeros(S, B, 2)),
        ("cross_entropy", torch.zeros(S, B, 1, dtype=torch.int64)),
    ],
)
def test_shapes_that_torch_would_broadcast_are_refused(name: str, target: Tensor) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        make_loss(name)(torch.zeros(S, B, 1), target)


def test_a_single_output_needs_no_axis_in_its_target() -> None:
    output, target = numbers(0, S, B, 1), numbers(1, S, B)
    torch.testing.assert_close(
        make_loss("squared")(output, target), (output[..., 0] - target).square().mean(1)
    )


def test_the_penalty_is_on_weights_alone() -> None:
    layer = Linear(2, 3, 1)
    with torch.no_grad():
        layer.weight[0], layer.weight[1] = 2.0, -1.0
        layer.bias.fill_(100.0)  # type: ignore[union-attr]
    assert penalty(layer).tolist() == [0.0, 0.0]
    assert penalty(layer, ridge=0.5).tolist() == [0.5 * 3 * 4.0, 0.5 * 3 * 1.0]
    assert penalty(layer, l1=2.0).tolist() == [12.0, 6.0]
    assert penalty(layer, ridge=[1.0, 0.0], l1=[0.0, 1.0]).tolist() == [12.0, 3.0]
    for wrong in (-1.0, [1.0, 2.0, 3.0], float("nan")):
        with pytest.raises(UsageError, match="ridge="):
            penalty(layer, ridge=wrong)


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        ("huberr", {}, "did you mean huber"),
        ("huber", {"delta": 0.0}, "delta=0.0 must be"),
        ("squared", {"delta": 1.0}, "takes no options"),
        ("cross_entropy", {"label_smoothing": 1.5}, "label_smoothing=1.5"),
        ("cross_entropy", {"class_weights": [1.0, -1.0]}, "class_weights"),
        (7, {}, "unknown loss"),
    ],
)
def test_refused(spec: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_loss(spec, **options)
