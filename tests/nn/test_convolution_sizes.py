"""The formula of output sizes against torch, over all arguments."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from rlcourse.errors import UsageError
from rlcourse.nn.convolution import Conv2d, output_size

small = st.integers(1, 6)


@settings(deadline=None, max_examples=300)
@given(size=st.integers(1, 40), kernel=small, stride=small, padding=st.integers(0, 5), dilation=small)
def test_output_size_is_torchs(size: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    """The same length, and refused where torch refuses."""
    x, w = torch.empty(1, 1, size, device="meta"), torch.empty(1, 1, kernel, device="meta")
    try:
        expected = functional.conv1d(x, w, stride=stride, padding=padding, dilation=dilation).shape[2]
    except RuntimeError:
        with pytest.raises(UsageError, match="does not fit into"):
            output_size(size, kernel, stride, padding, dilation)
    else:
        assert output_size(size, kernel, stride, padding, dilation) == expected


@settings(deadline=None, max_examples=40)
@given(
    sides=st.tuples(st.integers(6, 9), st.integers(6, 9)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_output_shape_is_what_comes_out(
    sides: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> None:
    layer = Conv2d(2, 1, 3, kernel, stride=stride, padding=padding, dilation=dilation)
    assert layer(torch.zeros(2, 4, 1, *sides)).shape == (2, 4, *layer.output_shape(*sides))


@pytest.mark.parametrize("name", ["size", "kernel", "stride", "dilation"])
def test_arguments_are_refused_by_name(name: str) -> None:
    arguments = {"size": 5, "kernel": 2, "stride": 1, "dilation": 1, name: 0}
    with pytest.raises(UsageError, match=f"{name}=0 must be at least 1"):
        output_size(**arguments)
    with pytest.raises(UsageError, match="padding=-1 must be at least 0"):
        output_size(5, 2, padding=-1)
