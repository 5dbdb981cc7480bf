"""How many threads the libraries under an agent take."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def one_torch_thread() -> Iterator[None]:
    """In here torch takes one thread: what it computes is too small to be shared.

    Its other threads spin for a while after each call, on a core that somebody else could use.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """In here BLAS takes one thread: these products are too small to be shared."""
    before = [library.get_num_threads() for library in _blas()]
    for library, threads in zip(_blas(), before, strict=True):
        if threads > 1:
            library.set_num_threads(1)
    try:
        yield
    finally:
        for library, threads in zip(_blas(), before, strict=True):
            if threads > 1:
                library.set_num_threads(threads)


@functools.cache
def _blas() -> Any:
    import scipy.linalg.blas  # noqa: F401  whose library compiled products are
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers
