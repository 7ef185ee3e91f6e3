from collections.abc import Callable

from spacy.language import Language
from spacy.training import Example


def test_docs_leave_without_vectors(
    make_nlp: Callable[..., Language], make_examples: Callable[[Language], list[Example]]
) -> None:
    nlp = make_nlp()
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    with nlp.select_pipes(disable=["cleaner"]):
        assert nlp("No pain.")._.trf_data is not None
    doc = nlp("No pain.")
    assert doc._.trf_data is None
    assert doc.tensor.size == 0
    assert doc[0:2].as_doc().text == "No pain"
    assert not doc.vector.any()


def test_a_pipeline_of_the_cleaner_alone_works() -> None:
    nlp = Language()
    nlp.add_pipe("bertlstm_cleaner")
    assert nlp("No pain.").tensor.size == 0
