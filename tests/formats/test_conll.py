"""The CoNLL reader and writer: schemes, oddities of files, and what cannot be written."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import spacy

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.conll import find_conll, read_conll, write_conll
from spacy_bertlstm.formats.i2b2 import read_i2b2
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import (
    Assertion,
    Concept,
    Document,
    Event,
    Normalization,
    Note,
    Relation,
)
from spacy_bertlstm.tags import encode_scheme
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.build import build_doc

SAMPLE = Path(__file__).parents[2] / "corpus" / "sample"

BIO = """\
He O
has O
chest B-problem
pain I-problem
. O

Aspirin B-treatment
given O
"""
BILUO = BIO.replace("I-problem", "L-problem").replace("B-treatment", "U-treatment")


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read_all(root: Path, report: LossReport | None = None, **options: bool) -> list[Document]:
    report = LossReport() if report is None else report
    return [
        document for file in find_conll(root, **options) for document in read_conll(file, report)
    ]


def read_note(folder: Path, content: str | bytes) -> tuple[list[Document], LossReport]:
    report = LossReport()
    return read_all(write_files(folder, {"note.conll": content}), report), report


def covered(document: Document) -> list[tuple[str, str]]:
    return [(document.covered_text(concept), concept.label) for concept in document.concepts]


def reasons(report: LossReport) -> list[tuple[int, str, bool]]:
    return [(finding.line, finding.reason, finding.lost) for finding in report.findings]


def written(documents: list[Document], folder: Path) -> tuple[dict[str, str], LossReport]:
    report = LossReport()
    folder.mkdir()
    assert write_conll(documents, folder, report) == len(documents)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in paths
    }, report


# --- Reading ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "scheme"),
    [
        (BIO, "BIO"),
        (BIO.replace("B-", "I-"), "IOB1"),
        (BILUO, "BILUO"),
        (BILUO.replace("L-", "E-").replace("U-", "S-"), "BIOES"),
    ],
)
def test_text_is_rebuilt_and_the_scheme_kept(tmp_path: Path, content: str, scheme: str) -> None:
    (document,), report = read_note(tmp_path / "in", content)
    assert document.id == "note"
    assert document.text == "He has chest pain .\nAspirin given"
    assert document.annotated
    assert document.concepts == (
        Concept("T1", "problem", ((7, 17),), source="note.conll:3"),
        Concept("T2", "treatment", ((20, 27),), source="note.conll:7"),
    )
    assert document.metadata["scheme"] == scheme
    assert report.findings == []
    assert report.read == report.kept == {"concept": 2}
    assert written([document], tmp_path / "out")[0] == {"note.conll": content + "\n"}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", "\t\r\n"])
def test_line_ends_and_byte_order_marks(tmp_path: Path, end: str, mark: str) -> None:
    (document,), report = read_note(tmp_path, mark + BIO.replace("\n", end))
    assert document.text == "He has chest pain .\nAspirin given"
    assert covered(document) == [("chest pain", "problem"), ("Aspirin", "treatment")]
    assert report.findings == []


def test_unicode_and_tokens_with_spaces(tmp_path: Path) -> None:
    (document,), report = read_note(tmp_path, "Lüge  \tO\nNew Yörk\tB-x\n\u2028😀\tI-x\n")
    assert document.text == "Lüge   New Yörk \u2028😀"
    assert covered(document) == [("New Yörk \u2028😀", "x")]
    assert report.findings == []


def test_documents_and_columns_between(tmp_path: Path) -> None:
    content = (
        "-DOCSTART- -X- O\n\nHe PRP O\nhas VBZ O\npain NN B-problem\n\n"
        "-DOCSTART- (second) O\n\n-DOCSTART-\n\nFever NN B-problem\n\n"
    )
    documents, report = read_note(tmp_path / "in", content)
    assert [document.id for document in documents] == ["note-1", "note-2", "note-3"]
    assert [document.text for document in documents] == ["He has pain", "", "Fever"]
    assert [document.annotated for document in documents] == [True, False, True]
    assert documents[0].metadata["columns"] == "PRP\nVBZ\nNN"
    assert report.findings == []
    assert written(documents, tmp_path / "out")[0] == {"note.conll": content}


def test_comments_are_told_from_tokens(tmp_path: Path) -> None:
    content = "# sent_id = 1\n# 2\n#\n# O\nHe\tO\n#\tO\n#1\tB-x\n"
    (document,), report = read_note(tmp_path, content)
    assert document.text == "# He # #1"
    assert covered(document) == [("#1", "x")]
    assert reasons(report) == [(line, "a comment; not kept", False) for line in (1, 2, 3)]


def test_a_tag_alone_is_a_span_without_type(tmp_path: Path) -> None:
    content = "A B\nrash I\n. O\n\n"
    (document,), report = read_note(tmp_path / "in", content)
    assert covered(document) == [("A rash", "")]
    reason = "names no type: kept in the record, not in doc.ents"
    assert reasons(report) == [(1, reason, False)]
    assert written([document], tmp_path / "out")[0] == {"note.conll": content}


@pytest.mark.parametrize(
    ("tags", "spans", "mended"),
    [
        ("O I-x I-x B-y", ["b c", "d"], [2]),
        ("B-x I-y O O", ["a", "b"], [2]),
        ("O L-x B-x O", ["b", "c"], [2, 3]),
        ("U-x I-x I-x O", ["a", "b c"], [2, 3]),
        ("B-x B-x L-x B-y", ["a", "b c", "d"], [1, 4]),
        ("E-x O S-x O", ["a", "c"], [1]),
    ],
)
def test_tags_that_contradict_each_other_are_mended(
    tmp_path: Path, tags: str, spans: list[str], mended: list[int]
) -> None:
    lines = zip("abcd", tags.split(), strict=True)
    (document,), report = read_note(tmp_path, "".join(f"{word} {tag}\n" for word, tag in lines))
    assert [text for text, _ in covered(document)] == spans
    assert [finding.line for finding in report.findings] == mended
    assert not report.lost
    assert all("does not allow there; mended" in finding.reason for finding in report.findings)


@pytest.mark.parametrize(
    ("line", "reason", "text"),
    [
        ("pain", "has no tag in its last column; its token is kept", "He pain now"),
        ("pain NN", "has no tag in its last column; its token is kept", "He pain now"),
        ("pain X-problem", "has no tag in its last column; its token is kept", "He pain now"),
        ("pain b-problem", "has no tag in its last column; its token is kept", "He pain now"),
        ("pain\tB-a b", "has no tag in its last column; its token is kept", "He pain now"),
        ("\tB-problem", "has no token", "He now"),
        ("\xa0\tB-problem", "covers no text", "He \xa0 now"),
    ],
)
def test_what_cannot_be_kept_is_lost_with_its_line(
    tmp_path: Path, line: str, reason: str, text: str
) -> None:
    (document,), report = read_note(tmp_path, f"He O\n{line}\nnow B-time\n")
    assert reasons(report) == [(2, reason, True)]
    assert report.findings[0].path == str(tmp_path / "note.conll")
    assert document.text == text
    assert covered(document) == [("now", "time")]


def test_one_column_is_text_that_nobody_annotated(tmp_path: Path) -> None:
    content = "He\nhas\n\npain\n\n"
    (document,), report = read_note(tmp_path / "in", content)
    assert not document.annotated
    assert document.text == "He has\npain"
    assert report.findings == []
    assert written([document], tmp_path / "out")[0] == {"note.conll": content}
    with pytest.raises(BertLstmError, match=r"BL142.*note\.conll"):
        read_all(tmp_path / "in", require_annotations=True)
    (tmp_path / "in" / "note.conll").write_text(content + "-DOCSTART-\nx O\n")
    documents = read_all(tmp_path / "in", require_annotations=True)
    assert [document.annotated for document in documents] == [False, True]


def test_prose_is_not_taken_for_tokens(tmp_path: Path) -> None:
    _, report = read_note(tmp_path, "He has chest pain .\nIt is bad .\n")
    assert [finding.line for finding in report.lost] == [1, 2]


@pytest.mark.parametrize("content", ["", "\n\n", "# a comment\n"])
def test_a_file_without_documents_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(BertLstmError, match=r"BL140.*note\.conll"):
        read_note(tmp_path, content)


def test_bytes_that_are_no_text_are_named_by_line(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError, match=r"BL103.*note\.conll, line 2: .*byte 5"):
        read_note(tmp_path, b"He O\n\xff O\n")


def test_which_files_are_found_and_how_their_records_are_named(tmp_path: Path) -> None:
    names = ["a/1.bio", "a/1.conll", "a/README.txt", "b/2.txt", "b/notes.md", "c/2.IOB2", "d.tsv"]
    write_files(tmp_path, dict.fromkeys(names, BIO))
    found = {file.name: file.id for file in find_conll(tmp_path)}
    assert found == {
        "a/1.bio": "1.bio",
        "a/1.conll": "1.conll",
        "b/2.txt": "b/2",
        "c/2.IOB2": "c/2",
        "d.tsv": "d",
    }
    (named,) = find_conll(tmp_path / "b" / "notes.md")
    assert (named.name, named.id) == ("notes.md", "notes")
    with pytest.raises(BertLstmError, match=r"BL101.*no such file or folder"):
        find_conll(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BertLstmError, match=r"BL102.*\.conll"):
        find_conll(tmp_path / "empty")


def test_a_note_of_50_megabytes(tmp_path: Path) -> None:
    word = "x" * 500
    content = f"{word} B-a\n{word} I-a\n{word} O\n" * 33_000 + "\n"
    assert len(content) > 49_000_000
    (document,), report = read_note(tmp_path / "in", content)
    assert len(document.concepts) == 33_000
    assert report.findings == []
    assert written([document], tmp_path / "out")[0] == {"note.conll": content}


# --- Writing ----------------------------------------------------------------------------


def test_files_come_back_under_their_names(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "dev.conll": BIO + "\n",
        "train/a.tsv": BILUO.replace(" ", "\t") + "\n",
    }
    documents = read_all(write_files(tmp_path / "in", files))
    again, report = written(documents, tmp_path / "out")
    assert again == files
    assert report.findings == []
    assert read_all(tmp_path / "out") == documents


def test_records_of_other_formats_go_to_one_file(tmp_path: Path) -> None:
    text = " He has chest\r\npain, at 2mg.\n\nNo fever.\n-DOCSTART- \xa0 end"
    concepts = (
        Concept("T1", "problem", ((7, 19),)),
        Concept("T2", "Drug-Dose", ((24, 25),)),
        Concept("T3", "Drug-Dose", ((25, 27),)),
        Concept("T4", "problem", ((33, 38),)),
    )
    documents = [Document("beth/7", text, concepts), Document("8", "no one", annotated=False)]
    files, report = written(documents, tmp_path / "out")
    assert files == {
        "documents.conll": "-DOCSTART-\n\nHe\tO\nhas\tO\nchest\tB-problem\npain\tI-problem\n,\tO\n"
        "at\tO\n2\tB-Drug-Dose\nmg\tB-Drug-Dose\n.\tO\n\nNo\tO\nfever\tB-problem\n.\tO\n\n"
        "-DOCSTART\tO\n-\tO\n\xa0\tO\nend\tO\n\n"
        "-DOCSTART-\n\nno\none\n\n"
    }
    assert reasons(report) == [
        (0, "tokens are split where an entity begins or ends", False),
        (0, "a line break inside an entity ends no sentence", False),
    ]
    again = read_all(tmp_path / "out")
    assert [document.annotated for document in again] == [True, False]
    assert covered(again[0]) == [
        ("chest pain", "problem"), ("2", "Drug-Dose"), ("mg", "Drug-Dose"), ("fever", "problem"),
    ]  # fmt: skip


def test_what_conll_cannot_express_is_lost_with_a_reason(tmp_path: Path) -> None:
    document = Document(
        "1",
        "No severe rash or ulcers",
        concepts=(
            Concept("T1", "problem", ((10, 14),)),
            Concept("T2", "problem", ((3, 14),), kb_ids=("D1",)),
            Concept("T3", "problem", ((3, 9), (18, 24))),
            Concept("T4", "a b", ((18, 24),)),
            Concept("T5", "problem", ((2, 3),)),
            Concept("T6", "problem", ((13, 17),)),
            Concept("T7", "problem", ((14, 18),)),
            Concept("T8", "problem", ((3, 14),)),
        ),
        assertions=(Assertion("T1", "absent"),),
        relations=(Relation("PIP", ("T1", "T2")),),
        events=(Event("E1", "Dose", "T1"),),
    )
    files, report = written([document], tmp_path / "out")
    assert files == {
        "documents.conll": "-DOCSTART-\n\nNo\tO\nsevere\tB-problem\nrash\tI-problem\n"
        "or\tB-problem\nulcers\tO\n\n"
    }
    assert sorted(finding.reason for finding in report.lost) == [
        "2 to 3 covers no text",
        "a relation, for which CoNLL has no line",
        "an attribute, for which CoNLL has no column",
        "an event, for which CoNLL has no line",
        "is discontinuous, for which CoNLL has no tags",
        "is of a type that holds white space",
        "its concept ids, for which CoNLL has no column",
        "overlaps one that is as long, or longer",
        "overlaps one that is as long, or longer",
        "overlaps one that is as long, or longer",
    ]
    assert report.kept == {"concept": 2}
    assert report.read == {"concept": 8, "assertion": 1, "relation": 1, "event": 1}


def test_identifiers_and_comments_of_other_formats_are_lost_with_a_reason(tmp_path: Path) -> None:
    document = Document(
        "1",
        "No rash",
        concepts=(Concept("T1", "problem", ((3, 7),), kb_ids=("U:1",)),),
        normalizations=(Normalization("T1", "U:1", "Exanthema"), Normalization("T1", "U:1")),
        notes=(Note("see me", "T1"),),
    )
    _, report = written([document], tmp_path / "out")
    assert report.read == {"concept": 1, "normalization": 2, "note": 1}
    assert report.kept == {"concept": 1}
    assert [finding.reason for finding in report.lost] == [
        "an identifier, for which CoNLL has no column",
        "an identifier, for which CoNLL has no column",
        "a comment, for which CoNLL has no line",
    ]


def test_of_overlapping_entities_the_longest_is_written(tmp_path: Path) -> None:
    rng = random.Random(0)
    for number in range(200):
        text = "ab cd  ef gh ij kl mn"
        cuts = [sorted(rng.sample(range(len(text) + 1), 2)) for _ in range(6)]
        concepts = tuple(
            Concept(f"T{i}", f"x{i}", ((start, end),)) for i, (start, end) in enumerate(cuts)
        )
        (tmp_path / str(number)).mkdir()
        documents = [Document("1", text, concepts)]
        write_conll(documents, tmp_path / str(number), LossReport())
        (again,) = read_all(tmp_path / str(number))
        taken: list[tuple[int, int, int]] = []  # by brute force
        extents = []
        for i, (start, end) in enumerate(cuts):
            inside = [place for place in range(start, end) if text[place] != " "]
            extents += [(inside[0], inside[-1] + 1, i)] if inside else []
        for start, end, i in sorted(extents, key=lambda e: (e[0] - e[1], e[0])):
            if all(end <= other[0] or other[1] <= start for other in taken):
                taken.append((start, end, i))
        expected = [f"x{i}" for _, _, i in sorted(taken)]
        assert [concept.label for concept in again.concepts] == expected, cuts


def test_columns_that_no_longer_fit_are_lost(tmp_path: Path) -> None:
    (document,), _ = read_note(tmp_path / "in", "He PRP O\nhas VBZ O\n")
    document.metadata["columns"] += "\nX"
    files, report = written([document], tmp_path / "out")
    assert files == {"note.conll": "He O\nhas O\n\n"}
    reason = "its columns between token and tag, which its tokens no longer fit"
    assert reasons(report) == [(0, reason, True)]


def test_metadata_that_was_changed(tmp_path: Path) -> None:
    (document,), _ = read_note(tmp_path / "in", BIO)
    document.metadata.update(scheme="BMEWO", separator="\n", docstart="-DOCSTART-\nx O")
    files, _ = written([document, document], tmp_path / "out")
    once = BIO.replace(" ", "\t") + "\n"
    assert files == {"note.conll": f"{once}-DOCSTART-\n\n{once}"}
    document.metadata["file"] = "../note.conll"
    with pytest.raises(BertLstmError, match="BL111"):
        write_conll([document], tmp_path / "out", LossReport())


# --- The bundled sample, by every scheme ------------------------------------------------


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="no bundled sample")
@pytest.mark.parametrize("scheme", ["BIO", "IOB1", "BILUO", "BIOES"])
def test_entities_of_the_sample_come_back(tmp_path: Path, scheme: str) -> None:
    """Records to files by this test's own writer, to Docs and files again by the package."""
    records = [record for record in read_i2b2(SAMPLE, LossReport()) if record.annotated]
    assert len(records) > 50
    tokenizer = make_clinical_tokenizer()(spacy.blank("en"))
    expected = []
    lines = []
    for record in records:
        doc = build_doc(record, tokenizer, LossReport(), line_sentences=True)
        expected.append([(entity.text.split(), entity.label_) for entity in doc.ents])
        lines.append("-DOCSTART- O\n")
        for sentence in doc.sents:
            words = [token for token in sentence if not token.is_space]
            places = {token.i: place for place, token in enumerate(words)}
            spans = [
                (places[entity.start], places[entity.end - 1] + 1, entity.label_)
                for entity in sentence.ents
            ]
            tags = encode_scheme(spans, len(words), scheme)
            lines += [f"{word.text} {tag}" for word, tag in zip(words, tags, strict=True)]
            lines.append("")
    content = "\n".join(lines) + "\n"

    documents, report = read_note(tmp_path / "in", content)
    assert report.findings == []
    assert report.kept["concept"] == sum(map(len, expected)) > 1000
    for document, entities in zip(documents, expected, strict=True):
        assert document.metadata["scheme"] == scheme
        found = [(text.replace(" ", ""), label) for text, label in covered(document)]
        assert found == [("".join(words), label) for words, label in entities]
    files, _ = written(documents, tmp_path / "out")
    assert files["note.conll"].split() == content.split()
