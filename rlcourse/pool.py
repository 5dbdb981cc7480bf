"""Many calls of one function over the cores of a machine, or over a cluster, each result as it comes."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rlcourse.errors import UsageError, did_you_mean

BACKENDS = ("loky", "ray", "dask")
_NEEDS = {"ray": "ray", "dask": "distributed"}


def default_jobs() -> int:
    """The cores that this process may use (affinity and container limits are heeded)."""
    from joblib import cpu_count

    return int(cpu_count())


def check_pool(jobs: int | None, backend: str) -> int:
    """The number of processes.

    Args:
        jobs: how many; `None` is one a core.
        backend: "loky" (processes of this machine), "ray" or "dask" (these, or a cluster that has been started).

    Raises:
        UsageError: no such backend, or its package is not installed, or less than one process.
    """
    if backend not in BACKENDS:
        raise UsageError(did_you_mean(str(backend), BACKENDS, kind="backend"))
    if backend in _NEEDS and importlib.util.find_spec(_NEEDS[backend]) is None:
        raise UsageError(
            f"backend={backend!r} needs a package that is not installed: pip install 'rlcourse[{backend}]'"
        )
    if jobs is None:
        return default_jobs()
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise UsageError(f"jobs={jobs!r} must be a whole number of at least 1")
    return jobs


def unordered(
    function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], *, jobs: int, backend: str = "loky"
) -> Iterator[Any]:
    """The results of `function(*call)` for every call, in the order in which they are done.

    Workers compute with one thread each, as many processes as cores share them. With one job all runs in this process.
    """
    if jobs == 1 and backend == "loky":
        return (function(*call) for call in calls)
    if backend == "ray":
        return _ray(function, calls, jobs)
    return _joblib(function, calls, jobs, backend)


def _joblib(
    function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], jobs: int, backend: str
) -> Iterator[Any]:
    from joblib import Parallel, delayed, parallel_config

    tasks = (delayed(function)(*call) for call in calls)
    if backend == "dask":
        from distributed import Client

        with Client(n_workers=jobs, threads_per_worker=1, dashboard_address=None), parallel_config("dask"):
            yield from Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(tasks)
    else:
        with parallel_config("loky", inner_max_num_threads=1):
            with _deaf_to_interrupts():
                results = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(tasks)
            yield from results


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started in here ignore Ctrl-C all their life: it is for this one, which ends them.

    Else each of them would answer with a traceback. (Blocking the signal does not help: loky unblocks it.)
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ray(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[Any]:
    """Ray's own tasks: its joblib backend gives results only when all are done."""
    import ray

    started = not ray.is_initialized()
    if started:
        ray.init(num_cpus=jobs, include_dashboard=False, log_to_driver=False)
    try:
        remote = ray.remote(num_cpus=1)(function)
        waiting = [remote.remote(*call) for call in calls]
        while waiting:
            done, waiting = ray.wait(waiting)
            yield ray.get(done[0])
    finally:
        if started:
            ray.shutdown()
