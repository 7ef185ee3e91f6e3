import threading

import torch

from spacy_bertlstm.encoder.threads import one_thread


def test_the_number_of_threads_comes_back() -> None:
    before = torch.get_num_threads()
    with one_thread:
        assert torch.get_num_threads() == 1
        with one_thread:
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_it_comes_back_when_two_python_threads_overlap() -> None:
    before = torch.get_num_threads()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with one_thread:
            entered.set()
            leave.wait()

    other = threading.Thread(target=hold)
    with one_thread:
        other.start()
        entered.wait()
    assert torch.get_num_threads() == 1
    leave.set()
    other.join()
    assert torch.get_num_threads() == before
