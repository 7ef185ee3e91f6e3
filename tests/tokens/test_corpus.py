from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from conftest import NOTES
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tokens.corpus import (
    cut_doc,
    make_corpus_reader,
    open_docs,
    read_docs,
    write_docs,
)
from spacy_bertlstm.tokens.extensions import register_extensions

NLP = spacy.blank("en")


def doc_of(lengths: list[int], entities: list[tuple[int, int]] = ()) -> Doc:
    starts = [i == 0 for length in lengths for i in range(length)]
    words = [f"w{i}" for i in range(sum(lengths))]
    doc = Doc(NLP.vocab, words=words, sent_starts=starts)
    doc.ents = [
        doc.char_span(doc[a].idx, doc[b - 1].idx + len(doc[b - 1]), "x") for a, b in entities
    ]
    return doc


@pytest.mark.parametrize(
    ("sentences", "entities", "max_words", "expected"),
    [
        ([2, 2, 2], [], 0, [6]),
        ([2, 2, 2], [], 100, [6]),
        ([2, 2, 2], [], 4, [4, 2]),
        ([2, 9, 2], [], 4, [2, 9, 2]),
        ([2, 2, 2], [(1, 3)], 2, [4, 2]),
        ([3], [], 1, [3]),
    ],
)
def test_records_are_cut_between_sentences_and_nothing_is_left_out(
    sentences: list[int],
    entities: list[tuple[int, int]],
    max_words: int,
    expected: list[int],
) -> None:
    doc = doc_of(sentences, entities)
    parts = cut_doc(doc, max_words)
    assert [len(part) for part in parts] == expected
    assert [token.text for part in parts for token in part] == [token.text for token in doc]
    assert sum(len(part.ents) for part in parts) == len(doc.ents)


def test_missing_annotation_stays_missing_in_the_parts() -> None:
    doc = doc_of([2, 2])
    doc.set_ents([], default="missing")
    assert not any(part.has_annotation("ENT_IOB") for part in cut_doc(doc, 2))
    doc.set_ents([], default="outside")
    assert all(part.has_annotation("ENT_IOB") for part in cut_doc(doc, 2))


def test_what_is_said_of_spans_moves_with_the_part_that_holds_them() -> None:
    register_extensions()
    doc = doc_of([3, 3], [(1, 2), (3, 5)])
    doc.spans["x"] = [
        Span(doc, 1, 2, label="a", span_id="T1"),
        Span(doc, 4, 5, label="b", kb_id="C1"),
        Span(doc, 2, 4, label="c"),  # in neither part
    ]
    for span in (*doc.ents, *doc.spans["x"]):
        span._.assertion = f"of {span.start}"
    parts = cut_doc(doc, 3)
    assert [[ent._.assertion for ent in part.ents] for part in parts] == [["of 1"], ["of 3"]]
    found = [
        [(span.text, span.label_, span.id_, span.kb_id_, span._.assertion) for span in group]
        for group in (part.spans["x"] for part in parts)
    ]
    assert found == [[("w1", "a", "T1", "", "of 1")], [("w4", "b", "", "C1", "of 4")]]
    parts[0].ents[0]._.assertion = "changed"
    assert doc.ents[0]._.assertion == "of 1"


def test_reader_gives_gold_spans_to_work_on_but_not_what_is_said_of_them(tmp_path: Path) -> None:
    register_extensions()
    doc = NLP.make_doc("no chest pain")
    doc.ents = [Span(doc, 1, 3, label="problem", span_id="T1", kb_id="C1")]
    doc.spans["x"] = [*doc.ents, Span(doc, 2, 3, label="finding")]
    doc.ents[0]._.assertion = "absent"
    # Of other tokens: "chestpain" cannot hold "pain".
    joined = Doc(NLP.vocab, words=["no", "chest", "pain"], spaces=[True, False, False])
    joined.ents = [Span(joined, 2, 3, label="problem"), Span(joined, 0, 1, label="cue")]
    write_docs([doc, joined], tmp_path / "corpus.spacy")
    first, second = make_corpus_reader(tmp_path / "corpus.spacy", given=True)(NLP)
    (entity,) = first.predicted.ents
    assert (entity.text, entity.label_, entity.id_, entity.kb_id_) == (
        *("chest pain", "problem", "T1", "C1"),
    )
    assert [(span.text, span.label_) for span in first.predicted.spans["x"]] == [
        ("chest pain", "problem"),
        ("pain", "finding"),
    ]
    assert first.reference.ents[0]._.assertion == "absent"
    assert entity._.assertion is None and not first.predicted.user_data
    assert [ent.text for ent in second.predicted.ents] == ["no"]
    (alone, _) = make_corpus_reader(tmp_path / "corpus.spacy")(NLP)
    assert not alone.predicted.ents and not alone.predicted.spans


def test_reader_gives_the_pipelines_own_tokens(
    tmp_path: Path, write_corpus: Callable[[Path], Path]
) -> None:
    corpus = write_corpus(tmp_path / "corpus.spacy")
    examples = list(make_corpus_reader(str(corpus))(NLP))
    assert len(examples) == 3
    assert all(eg.predicted.text == eg.reference.text for eg in examples)
    assert not any(eg.predicted.ents for eg in examples)
    parts = list(make_corpus_reader(corpus, max_words=8)(NLP))
    assert len(parts) == 6
    assert sum(len(eg.reference.ents) for eg in parts) == 7


def test_categories_are_annotation_and_of_whole_records(
    tmp_path: Path, write_categories: Callable[[Path], Path]
) -> None:
    path = write_categories(tmp_path / "notes.spacy")
    examples = list(make_corpus_reader(path)(spacy.blank("en")))
    assert len(examples) == len(NOTES)
    assert all(sum(example.reference.cats.values()) == 1.0 for example in examples)
    with pytest.raises(BertLstmError) as raised:
        list(make_corpus_reader(path, max_words=4)(spacy.blank("en")))
    assert raised.value.code == "BL376" and str(path) in str(raised.value)


def test_a_negative_length_is_a_coded_error(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError, match="BL501"):
        make_corpus_reader(tmp_path, max_words=-1)


@pytest.fixture
def shards(tmp_path: Path, write_corpus: Callable[[Path], Path]) -> Path:
    """A folder of two .spacy files, with others that are none."""
    folder = tmp_path / "shards"
    for name in ("0001.spacy", "0000.spacy"):
        write_corpus(folder / name)
    (folder / ".hidden.spacy").write_bytes(b"no DocBin")
    (folder / "README").write_bytes(b"no DocBin")
    (folder / "inner.spacy").mkdir()
    return folder


def test_a_folder_is_read_file_by_file(shards: Path) -> None:
    texts = [doc.text for doc in read_docs(shards)]
    files = [doc.text for name in ("0000", "0001") for doc in read_docs(shards / f"{name}.spacy")]
    assert texts == files and len(texts) == 6
    assert [eg.reference.text for eg in make_corpus_reader(shards)(NLP)] == texts


def test_spacy_reads_what_we_write_in_shards(shards: Path) -> None:
    (shards / "inner.spacy").rmdir()
    assert len(list(Corpus(shards)(NLP))) == 6


def test_strings_do_not_pile_up_over_files(shards: Path) -> None:
    docs = list(read_docs(shards))
    assert len({id(doc.vocab) for doc in docs}) == 2
    assert {doc.vocab for doc in read_docs(shards, NLP.vocab)} == {NLP.vocab}


def test_a_folder_without_docs_is_a_coded_error(tmp_path: Path) -> None:
    (tmp_path / ".hidden.spacy").write_bytes(b"")
    with pytest.raises(BertLstmError, match="BL210") as raised:
        list(read_docs(tmp_path))
    assert str(tmp_path) in str(raised.value)


def test_a_broken_file_in_a_folder_is_named(shards: Path) -> None:
    (shards / "0002.spacy").write_bytes(b"no DocBin")
    with pytest.raises(BertLstmError, match="BL201") as raised:
        list(read_docs(shards))
    assert "0002.spacy" in str(raised.value)


def test_docs_without_user_data_are_a_coded_warning(tmp_path: Path) -> None:
    """Assertions and relations are gone, and would count as if nobody had set them."""
    path = tmp_path / "stock.spacy"
    DocBin(docs=[doc_of([3])]).to_disk(path)
    with pytest.warns(UserWarning, match=r"BL227.*stock\.spacy.*store_user_data=True"):
        assert len(list(read_docs(path))) == 1


def test_shards_go_to_a_folder_that_is_new_or_empty(shards: Path) -> None:
    before = sorted(shards.iterdir())
    with pytest.raises(BertLstmError, match="BL110"), open_docs(shards, shard_size=2):
        pass
    with pytest.raises(BertLstmError, match="BL109"), open_docs(shards):
        pass
    assert sorted(shards.iterdir()) == before


def related(doc: Doc) -> list[tuple[str, str, str]]:
    """The words that the extents of a Doc's relations stand for."""
    return [
        (relation["label"], doc.text[slice(*head[:2])], doc.text[slice(*tail[:2])])
        for relation in doc._.relations
        for head, tail in [(relation["head"], relation["tail"])]
    ]


def test_relations_move_with_the_part_that_holds_them() -> None:
    doc = doc_of([3, 3, 3], [(0, 1), (2, 3), (3, 4), (5, 6), (7, 8)])
    extents = [[ent.start_char, ent.end_char, "x"] for ent in doc.ents]
    doc._.relations = [
        {"label": label, "head": extents[head], "tail": extents[tail], "confidence": 0.5}
        for label, head, tail in [("a", 0, 1), ("b", 1, 2), ("c", 3, 2), ("d", 2, 3), ("e", 4, 0)]
    ]
    before = [dict(relation) for relation in doc._.relations]
    parts = cut_doc(doc, 3)
    assert [related(part) for part in parts] == [
        [("a", "w0", "w2")],
        [("c", "w5", "w3"), ("d", "w3", "w5")],
        [],
    ]
    assert parts[1]._.relations[0]["confidence"] == 0.5
    assert doc._.relations == before
    whole = [related(part) for part in cut_doc(doc, 6)]
    assert [[label for label, *_ in found] for found in whole] == [["a", "b", "c", "d"], []]
    assert cut_doc(doc, 0) == [doc]


def test_relations_over_a_cut_are_counted_in_a_warning(tmp_path: Path) -> None:
    doc = doc_of([3, 3, 3], [(0, 1), (2, 3), (3, 4), (7, 8)])
    extents = [[ent.start_char, ent.end_char, "x"] for ent in doc.ents]
    doc._.relations = [
        {"label": "a", "head": extents[head], "tail": extents[tail]}
        for head, tail in [(0, 1), (1, 2), (3, 0)]
    ]
    path = tmp_path / "d.spacy"
    write_docs([doc, doc], path)
    with pytest.warns(UserWarning, match=r"BL503.*d\.spacy: 4 relations.*at most 3 words"):
        parts = list(make_corpus_reader(path, max_words=3)(NLP))
    assert sum(len(eg.reference._.relations) for eg in parts) == 2
    (whole, _) = make_corpus_reader(path)(NLP)
    assert len(whole.reference._.relations) == 3


def test_what_is_no_relation_is_a_coded_error() -> None:
    doc = doc_of([3, 3])
    doc._.relations = [{"label": "a", "head": [0, 2, "x"]}]
    with pytest.raises(BertLstmError, match="BL208"):
        cut_doc(doc, 3)


def test_given_entities_stand_on_the_docs_to_work_on(tmp_path: Path) -> None:
    doc = doc_of([3, 3], [(0, 2), (4, 5)])
    doc.ents = [Span(doc, ent.start, ent.end, "x", kb_id="K") for ent in doc.ents]
    doc.spans["concepts"] = [*doc.ents, doc.char_span(3, 5, "y", span_id="T3"), doc[2:4]]
    write_docs([doc], tmp_path / "d.spacy")
    (bare, _) = make_corpus_reader(tmp_path / "d.spacy", max_words=3)(NLP)
    assert not bare.predicted.ents and not bare.predicted.spans
    first, second = make_corpus_reader(tmp_path / "d.spacy", max_words=3, given=True)(NLP)
    found = [(span.text, span.label_, span.kb_id_) for span in first.predicted.ents]
    assert found == [("w0 w1", "x", "K")]
    found = [(span.text, span.label_, span.id_) for span in first.predicted.spans["concepts"]]
    assert found == [("w0 w1", "x", ""), ("w1", "y", "T3")]
    assert [span.text for span in second.predicted.spans["concepts"]] == ["w4"]
