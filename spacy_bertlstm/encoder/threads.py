"""Torch's threads where they would wait for each other: in small steps, and after a fork."""

import os
import threading

import torch


class _OneThread:
    """Keeps torch from sharing its work among CPU cores while anybody is inside.

    Torch's number of threads is one for the whole process, so the first to enter notes it
    and the last to leave restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._threads = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._threads = torch.get_num_threads()
                torch.set_num_threads(1)
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                torch.set_num_threads(self._threads)


# A time step of an LSTM is small, and the cores would wait for each other at each of hundreds.
# With a core to itself each, two gain a factor of 1.7; beside one other busy process they may
# lose a factor of 100.
one_thread = _OneThread()

# A process forked by nlp.pipe(n_process=2) has lost the OpenMP threads that its parent started
# and would wait for them for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
