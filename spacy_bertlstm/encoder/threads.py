"""Torch's threads where they would wait for each other: in small steps, and after a fork."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch from sharing the calling thread's work among CPU cores.

    A time step of an LSTM is small, and the cores would wait for each other at each of
    hundreds. With a core to itself each, two gain a factor of 1.7; beside one other busy
    process they may lose a factor of 100.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# A process forked by nlp.pipe(n_process=2) has lost the OpenMP threads that its parent started
# and would wait for them for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
