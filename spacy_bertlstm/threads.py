"""How torch works in this process: its threads, and the number and memory of its kernels."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import torch

# Kernels that torch's two caches on a CPU keep, one for each shape of a batch. By default they are
# 1,024 each, which over a long stream of notes takes a gigabyte; and a shape seldom comes again,
# but for those of oneDNN's own in a training.
_KERNELS = {"LRU_CACHE_CAPACITY": 64, "ONEDNN_PRIMITIVE_CACHE_CAPACITY": 256}

# Numbers of rows that have a kernel of their own.
_SIZES_AN_OCTAVE = 8

_T = TypeVar("_T")

# Those that have built or run a model; a forked process knows its parents too.
_PROCESSES: set[int] = set()


def bound_kernel_caches() -> None:
    """Keep torch from holding on to the kernel of each shape of a batch that it has met.

    To be called before torch works; what stands in the environment is left as it is.
    """
    for name, number in _KERNELS.items():
        os.environ.setdefault(name, str(number))


def round_rows(n_rows: int, *, least: int) -> int:
    """Round the number of rows of a matrix product up.

    On a CPU oneDNN's products have a kernel for each number of rows, which takes milliseconds to
    make, often longer than to run.

    least (int): The smallest step between two numbers.
    """
    step = max(least, 2 ** (n_rows.bit_length() - 1) // _SIZES_AN_OCTAVE)
    return -(-n_rows // step) * step


def require_own_threads() -> None:
    """Keep torch from waiting for threads that only a parent of this process has.

    A process forked by nlp.pipe(n_process=2) has lost the OpenMP threads that its parent started
    and would wait for them for ever. So where a parent has built or run a model, torch keeps to
    one thread from here on. To be called before torch works.
    """
    bound_kernel_caches()
    process = os.getpid()
    if _PROCESSES and process not in _PROCESSES:
        torch.set_num_threads(1)
    _PROCESSES.add(process)


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Have torch share the calling thread's work among so many CPU cores, and no more."""
    require_own_threads()
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def call_both(
    first: Callable[[], _T], second: Callable[[], _T], *, in_parallel: bool
) -> tuple[_T, _T]:
    """Call two functions, and give what they return.

    in_parallel (bool): Whether at the same time, the second on a thread of its own, for which
        torch has as many cores as for the calling one.
    """
    if not in_parallel:
        return first(), second()
    traces, n_threads = torch.is_grad_enabled(), torch.get_num_threads()
    try:
        pending = _COMPANION.executor().submit(_call, second, traces, n_threads)
    except RuntimeError:  # the interpreter is ending, and starts nothing more
        return first(), second()
    try:
        return first(), pending.result()
    finally:
        # Where the first has failed, the second shall not go on unseen.
        wait([pending])


def _call(function: Callable[[], _T], traces: bool, n_threads: int) -> _T:
    """Call a function on a thread that has its own mind on gradients and cores."""
    if torch.get_num_threads() != n_threads:
        torch.set_num_threads(n_threads)
    with torch.set_grad_enabled(traces):
        return function()


class Turns:
    """A context for one Python thread at a time; a forked process has turns of its own."""

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            # Whoever had the turn in the parent will not end it in the child.
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


class _Companion(threading.local):
    """A thread beside each one that asks for it, which ends with that one.

    To start one takes a tenth of a millisecond, and torch's first operations on it several.
    """

    _process = 0
    _executor: ThreadPoolExecutor

    def executor(self) -> ThreadPoolExecutor:
        """What runs functions there, one after the other."""
        if self._process != os.getpid():  # a process that was forked has lost its parent's
            # Torch's first operation on a thread may set the number of cores that it last was
            # elsewhere; so it is asked for it before it is told.
            self._executor = ThreadPoolExecutor(1, "companion", torch.get_num_threads)
            self._process = os.getpid()
        return self._executor


_COMPANION = _Companion()
