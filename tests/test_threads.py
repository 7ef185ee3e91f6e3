import copy
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import spacy_bertlstm.threads as threads
from spacy_bertlstm.encoder.precision import has_bf16
from spacy_bertlstm.threads import Turns, call_both, require_own_threads, torch_threads


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Give torch two threads for the time of a test."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_number_of_threads_comes_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), torch_threads(1):
        assert torch.get_num_threads() == 1
        with torch_threads(1):
            assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == before


def test_python_threads_do_not_change_each_others_number() -> None:
    before = torch.get_num_threads()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with torch_threads(1):
            entered.set()
            leave.wait()

    other = threading.Thread(target=hold)
    other.start()
    entered.wait()
    assert torch.get_num_threads() == before
    leave.set()
    other.join()
    assert torch.get_num_threads() == before


def test_a_process_whose_parent_has_used_a_model_keeps_to_one_thread(
    two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "_PROCESSES", set())
    require_own_threads()
    require_own_threads()
    assert torch.get_num_threads() == 2
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as after a fork
    with torch_threads(1):
        pass
    assert torch.get_num_threads() == 1
    torch.set_num_threads(2)  # the process may have reasons of its own
    require_own_threads()
    assert torch.get_num_threads() == 2


def call_beside(second: Callable[[], Any]) -> Any:
    return call_both(lambda: None, second, in_parallel=True)[1]


def test_the_second_of_two_calls_runs_on_one_companion_with_the_callers_mind() -> None:
    companion = call_beside(threading.current_thread)
    assert companion is not threading.current_thread()
    assert call_beside(threading.current_thread) is companion
    for number in (1, 2):
        with torch_threads(number):
            assert call_beside(torch.get_num_threads) == number
    for traces in (False, True):
        with torch.set_grad_enabled(traces):
            assert call_beside(torch.is_grad_enabled) is traces
    assert call_both(lambda: 1, lambda: 2, in_parallel=True) == (1, 2)
    caller = threading.current_thread()
    assert call_both(threading.current_thread, lambda: 2, in_parallel=True) == (caller, 2)
    assert call_both(lambda: 1, threading.current_thread, in_parallel=False) == (1, caller)


def test_each_thread_has_a_companion_of_its_own_which_ends_with_it() -> None:
    companions: list[threading.Thread] = []

    def work() -> None:
        companions.append(call_beside(threading.current_thread))

    caller = threading.Thread(target=work)
    caller.start()
    caller.join()
    (companion,) = companions
    assert companion is not call_beside(threading.current_thread)
    companion.join(timeout=60)
    assert not companion.is_alive()


def test_a_forked_process_starts_a_companion_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = call_beside(threading.current_thread)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert call_beside(threading.current_thread) is not before


def fail() -> None:
    raise KeyError


def test_errors_of_either_call_arrive_when_both_are_over() -> None:
    over = threading.Event()

    def work() -> None:
        time.sleep(0.1)
        over.set()

    with pytest.raises(KeyError):
        call_both(fail, work, in_parallel=True)
    assert over.is_set()
    with pytest.raises(KeyError):
        call_beside(fail)
    assert call_beside(lambda: 3) == 3


# The main thread ends before the other calls.
_LATE = """
import threading, time
from spacy_bertlstm.threads import call_both

def work():
    threading.main_thread().join()
    print(call_both(lambda: 1, lambda: 2, in_parallel=True))

threading.Thread(target=work).start()
"""


def test_threads_that_outlive_the_main_one_still_work() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LATE], capture_output=True, encoding="utf-8", timeout=300
    )
    assert (done.returncode, done.stdout) == (0, "(1, 2)\n"), done.stderr


def test_turns_are_one_at_a_time_and_a_forked_process_has_its_own() -> None:
    turns = Turns()
    entered, order = threading.Event(), []

    def wait_for_turn() -> None:
        entered.set()
        with turns:
            order.append("other")

    other = threading.Thread(target=wait_for_turn)
    with turns:
        other.start()
        entered.wait()
        time.sleep(0.05)
        order.append("own")
        turns_of_a_child = copy.copy(turns)
        turns_of_a_child._renew()  # as after a fork
        with turns_of_a_child:
            order.append("child")
    other.join()
    assert order == ["own", "child", "other"]


# The parent's large sum starts its threads; the child would wait for them.
_FORK = """
import os
import torch
from thinc.api import NumpyOps
from spacy_bertlstm.encoder.bilstm import stacked_bilstm

def work():
    return float(torch.ones(1_000_000).add(1).sum())

torch.set_num_threads(2)
X = NumpyOps().alloc2f(5, 4)
model = stacked_bilstm(hidden_width=3, depth=1, dropout=0.0).initialize([X])
expected = work()
model.predict([X])  # starts a companion, which the child has not
child = os.fork()
if not child:
    threads = torch.get_num_threads()
    model.predict([X])
    kept = threads, torch.get_num_threads(), work()
    torch.set_num_threads(2)
    model.predict([X])
    os._exit(0 if kept == (2, 1, expected) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the child is forked")
def test_a_forked_process_does_not_wait_and_is_left_alone_before() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORK], capture_output=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stderr


# Prints the memory that the shapes 300 to 700 have left behind, in MiB.
_SHAPES = """
from pathlib import Path
import torch
from spacy_bertlstm.threads import bound_kernel_caches

def used():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

bound_kernel_caches()
weights = torch.ones(64, 64, dtype=torch.bfloat16)
for n in range(1, 701):
    rows = torch.ones(n, 64, dtype=torch.bfloat16)
    with torch.no_grad():
        torch.nn.functional.linear(rows, weights)
    rows[None] @ rows.T[None]
    if n == 300:
        before = used()
print(used() - before)
"""


@pytest.mark.skipif(not has_bf16("cpu"), reason="no bf16 products on this processor")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
def test_shapes_of_batches_do_not_pile_up_in_memory() -> None:
    names = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"}
    own = {key: value for key, value in os.environ.items() if key not in names}

    def left(**settings: str) -> float:
        done = subprocess.run(
            [sys.executable, "-c", _SHAPES], env=own | settings, capture_output=True, check=True
        )
        return float(done.stdout)

    # What the environment says comes first.
    assert left() < 10 < left(**dict.fromkeys(names, "1024"))


def test_numbers_of_rows_are_few_and_little_larger_than_asked_for() -> None:
    rounded = [threads.round_rows(n, least=64) for n in range(1, 10_000)]
    assert rounded == sorted(rounded)
    assert len(set(rounded)) < 64
    for n, larger in enumerate(rounded, start=1):
        assert n <= larger < n + max(64, n / 8)
        assert threads.round_rows(larger, least=64) == larger
