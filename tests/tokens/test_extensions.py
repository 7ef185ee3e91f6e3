import pytest
import spacy

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.records import Document
from spacy_bertlstm.tokens.extensions import get_record, register_extensions, set_record


def test_a_record_rides_with_its_doc() -> None:
    doc = spacy.blank("en")("No pain.")
    assert get_record(doc) is None
    record = Document(id="a", text="No pain.")
    set_record(doc, record)
    assert get_record(doc) == record


@pytest.mark.parametrize("broken", [{"text": "No pain."}, ["a"], {"id": "a", "concepts": 1}])
def test_what_is_no_record_is_a_coded_error(broken: object) -> None:
    register_extensions()
    doc = spacy.blank("en")("No pain.")
    doc._.record = broken
    with pytest.raises(BertLstmError, match="BL208") as caught:
        get_record(doc)
    assert "pain" not in str(caught.value)
