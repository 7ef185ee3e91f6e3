import threading

import pytest
import torch

from spacy_bertlstm.encoder.threads import one_thread


def test_the_number_of_threads_comes_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), one_thread():
        assert torch.get_num_threads() == 1
        with one_thread():
            assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == before


def test_python_threads_do_not_change_each_others_number() -> None:
    before = torch.get_num_threads()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with one_thread():
            entered.set()
            leave.wait()

    other = threading.Thread(target=hold)
    other.start()
    entered.wait()
    assert torch.get_num_threads() == before
    leave.set()
    other.join()
    assert torch.get_num_threads() == before
