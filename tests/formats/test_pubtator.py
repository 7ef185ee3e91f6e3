"""The PubTator reader and writer: every oddity of real files, and what cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.pubtator import (
    find_pubtator,
    join_ids,
    read_pubtator,
    split_ids,
    write_pubtator,
)
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
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.build import build_doc, read_doc, shows_record

TITLE = "Zolopril induced rash."
ABSTRACT = "A rash, and oral or nasal ulcers, after zolopril."
NOTE = (
    f"11|t|{TITLE}\n"
    f"11|a|{ABSTRACT}\n"
    "11\t0\t8\tZolopril\tChemical\tD000001\n"
    "11\t17\t21\trash\tDisease\tD000002\n"
    "11\t25\t29\trash\tDisease\tD000002\n"
    "11\t35\t55\toral or nasal ulcers\tDisease\tD000003|D000004\toral ulcers|nasal ulcers\n"
    "11\t63\t71\tzolopril\tChemical\tD000001\n"
    "11\tCID\tD000001\tD000002\n"
    "11\tAssociation\tD000001\tD000003\tNovel\n"
    "\n"
)


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read_all(root: Path, report: LossReport | None = None, **options: bool) -> list[Document]:
    report = LossReport() if report is None else report
    files = find_pubtator(root, **options)
    return [document for file in files for document in read_pubtator(file, report)]


def read_note(folder: Path, content: str | bytes) -> tuple[list[Document], LossReport]:
    report = LossReport()
    return read_all(write_files(folder, {"note.pubtator": content}), report), report


def reasons(report: LossReport) -> list[tuple[int, str, bool]]:
    return [(finding.line, finding.reason, finding.lost) for finding in report.findings]


def written(documents: list[Document], folder: Path) -> tuple[dict[str, str], LossReport]:
    report = LossReport()
    folder.mkdir()
    assert write_pubtator(documents, folder, report) == len(documents)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in paths
    }, report


# --- Reading ----------------------------------------------------------------------------


def test_a_document_in_full(tmp_path: Path) -> None:
    (document,), report = read_note(tmp_path, NOTE)
    assert document.id == "11"
    assert document.text == f"{TITLE}\n{ABSTRACT}"
    assert document.annotated
    assert [document.covered_text(concept) for concept in document.concepts] == [
        "Zolopril", "rash", "rash", "oral or nasal ulcers", "zolopril",
    ]  # fmt: skip
    composite = document.concepts[3]
    assert composite == Concept(
        "T4",
        "Disease",
        ((35, 55),),
        kb_ids=("D000003", "D000004"),
        source="note.pubtator:6",
    )
    assert document.relations == (
        Relation("CID", ("D000001", "D000002"), (), "concept", "R1", "note.pubtator:8"),
        Relation("Association", ("D000001", "D000003"), (), "concept", "R2", "note.pubtator:9"),
    )
    assert [(a.target, a.name, a.value) for a in document.assertions] == [
        ("T4", "parts", "oral ulcers|nasal ulcers"),
        ("R2", "novelty", "Novel"),
    ]
    assert report.findings == []
    assert report.read == report.kept == {"concept": 5, "relation": 2}


@pytest.mark.parametrize(
    ("column", "ids"),
    [
        ("", ()),
        ("-1", ("-1",)),
        ("D1|-1", ("D1", "-1")),
        ("D1+D2", ("D1", "D2")),
        ("OMIM:1|D2", ("OMIM:1", "D2")),
        ("10,20,30", ("10", "20", "30")),
        (" D1", ("D1",)),
        ("p|SUB|V|600|E", ("p|SUB|V|600|E",)),
        ("c|SUB|G|IVS16+1|A", ("c|SUB|G|IVS16+1|A",)),
        ("|DEL|46|S", ("|DEL|46|S",)),
        ("p|SUB|V|600|E,rs1", ("p|SUB|V|600|E", "rs1")),
        ("c.76+1G", ("c.76+1G",)),
    ],
)
def test_concept_ids_are_told_apart_and_written_as_they_stood(
    tmp_path: Path, column: str, ids: tuple[str, ...]
) -> None:
    assert split_ids(column) == ids
    assert split_ids(join_ids(ids)) == ids
    note = f"1|t|Rash\n1|a|\n1\t0\t4\tRash\tDisease\t{column}\n\n"
    (document,), report = read_note(tmp_path / "in", note)
    assert document.concepts[0].kb_ids == ids
    assert report.findings == []
    files, _ = written([document], tmp_path / "out")
    assert files == {"note.pubtator": note}


def test_concept_ids_ride_with_entities_there_and_back(tmp_path: Path) -> None:
    (document,), report = read_note(tmp_path, NOTE)
    doc = build_doc(document, make_clinical_tokenizer()(spacy.blank("en")), report)
    ids = [entity.kb_id_ for entity in doc.ents]
    assert ids == ["D000001", "D000002", "D000002", "D000003 D000004", "D000001"]
    assert [span.kb_id_ for span in doc.spans["concepts"]] == ids
    again = read_doc(doc, "11")
    assert [c.kb_ids for c in again.concepts] == [c.kb_ids for c in document.concepts]
    assert shows_record(doc)
    first = doc.ents[0]
    doc.ents = [
        doc.char_span(first.start_char, first.end_char, first.label_, kb_id="D9"),
        *doc.ents[1:],
    ]
    assert not shows_record(doc), "another concept id is another annotation"


def test_a_mention_over_title_and_abstract_sets_them_a_space_apart(tmp_path: Path) -> None:
    over = "1|t|severe\n1|a|rash\n1\t0\t11\tsevere rash\tDisease\tD1\n\n"
    (document,), report = read_note(tmp_path / "in", over)
    assert document.text == "severe rash"
    assert report.findings == []
    assert written([document], tmp_path / "out")[0] == {"note.pubtator": over}
    (apart,), _ = read_note(tmp_path / "apart", over.replace("0\t11\tsevere rash", "7\t11\trash"))
    assert apart.text == "severe\nrash"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_and_byte_order_marks(tmp_path: Path, end: str, mark: str) -> None:
    note = NOTE.replace("oral", "örál").replace("\n", end)
    (document,), report = read_note(tmp_path / "in", mark + note)
    assert document.text == f"{TITLE}\n{ABSTRACT}".replace("oral", "örál")
    assert report.findings == []
    assert written([document], tmp_path / "out")[0] == {"note.pubtator": note}


def test_joined_files_have_byte_order_marks_inside(tmp_path: Path) -> None:
    documents, report = read_note(tmp_path, f"\ufeff{NOTE}\ufeff{NOTE.replace('11', '12')}")
    assert [document.id for document in documents] == ["11", "12"]
    assert report.findings == []


def test_lines_that_end_in_a_carriage_return_alone_are_not_taken_for_text(tmp_path: Path) -> None:
    (document,), report = read_note(tmp_path, NOTE.replace("\n", "\r"))
    (finding,) = report.lost
    assert (finding.line, finding.reason) == (
        1, "holds a carriage return, as if its lines ended so; its text is kept",
    )  # fmt: skip
    assert ABSTRACT in document.text


def test_documents_of_one_id_get_names_of_their_own(tmp_path: Path) -> None:
    documents, report = read_note(tmp_path / "in", NOTE + NOTE.replace("11", "11-2") + NOTE + NOTE)
    assert [document.id for document in documents] == ["11", "11-2", "11-3", "11-4"]
    reason = "its id is an earlier document's; named with a number"
    assert [finding.reason for finding in report.findings] == [reason] * 2
    assert written(documents, tmp_path / "out")[0] == {
        "note.pubtator": NOTE + NOTE.replace("11", "11-2") + NOTE + NOTE
    }


def test_a_file_without_annotations_is_text_that_nobody_annotated(tmp_path: Path) -> None:
    text_only = "1|t|Rash\n1|a|None.\n\n"
    (document,), report = read_note(tmp_path / "text", text_only)
    assert not document.annotated
    assert report.findings == []
    with pytest.raises(BertLstmError, match="BL142"):
        read_all(tmp_path / "text", require_annotations=True)
    documents, _ = read_note(tmp_path / "both", text_only + NOTE)
    assert [document.annotated for document in documents] == [True, True], "none were found in 1"
    assert read_all(tmp_path / "both", require_annotations=True) == documents


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("11\t0\t99\tZolopril\tChemical\tD1", "0 to 99 is past the text's 72 characters"),
        ("11\t5\t5\t\tChemical\tD1", "5 to 5 covers no text"),
        ("11\t8\t0\tZolopril\tChemical\tD1", "8 to 0 covers no text"),
        ("11\t8\t9\t \tChemical\tD1", "8 to 9 covers no text"),
        ("11\t0\t" + "9" * 5000 + "\tZolopril\tChemical\tD1", "its offsets are no numbers"),
        ("11\t0\t-8\tZolopril\tChemical\tD1", "its offsets are no numbers"),
        ("11\t0\t8\tZolopril", "has no type"),
        ("11\t0\t8\tZolopril\t\tD1", "has no type"),
        ("11\tx0\t8\tZolopril\tChemical\tD1", "its offsets are no numbers"),
        ("11\t-1\t8\tZolopril\tChemical\tD1", "neither a mention nor a relation"),
        ("11\tCID\tD000001", "neither a mention nor a relation"),
        ("11\tCID\t\tD000001", "neither a mention nor a relation"),
        ("12\t0\t8\tZolopril\tChemical\tD1", "names another document"),
        ("12\tCID\tD000001\tD000002", "names another document"),
        ("and more of the abstract", "neither a passage nor an annotation"),
        ("11\t0\t8\tZolopril\tChemical\tD1\r11\t0\t8", "holds a carriage return"),
    ],
)
def test_what_cannot_be_kept_is_lost_with_its_line(tmp_path: Path, line: str, reason: str) -> None:
    (document,), report = read_note(tmp_path, NOTE.rstrip("\n") + f"\n{line}\n")
    (finding,) = report.findings
    assert finding.lost
    assert (finding.path, finding.line) == (str(tmp_path / "note.pubtator"), 10)
    assert finding.reason.startswith(reason)
    assert report.read.total() == report.kept.total() + 1 == 8
    assert len(document.concepts) == 5


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("11\t0\t8\tzolopril\tChemical\tD1", "its stated text is not what stands at its offsets"),
        ("11\t0\t8\tZolopril  \tChemical\tD1", "its stated text is not what stands at its off"),
        ("11\t0\t8\tZolopril\tChemical\tD1\ta\tb", "has more columns than seven; kept"),
        ("11\t0\t8\tZolopril\tChemical\tD000001", "repeats an earlier line; both kept"),
        ("11\tCID\tD000001\tD000009", "names a concept id that no mention here has; kept"),
        ("11\tCID\tD000001\tD000002\tMaybe", "has a column that is no novelty; kept"),
        ("11\tCID\tD000001\tD000002\tNo\tx", "has a column that is no novelty; kept"),
    ],
)
def test_what_is_odd_is_kept_with_a_word_and_given_back(
    tmp_path: Path, line: str, reason: str
) -> None:
    note = NOTE.rstrip("\n") + f"\n{line}\n\n"
    (document,), report = read_note(tmp_path / "in", note)
    (finding,) = report.findings
    assert (finding.line, finding.lost) == (10, False)
    assert finding.reason.startswith(reason)
    assert report.read == report.kept
    files, _ = written([document], tmp_path / "out")
    assert sorted(files["note.pubtator"].splitlines()) == sorted(note.splitlines())


def test_a_mention_without_a_concept_column(tmp_path: Path) -> None:
    (document,), report = read_note(tmp_path / "in", "1|t|Rash\n1|a|\n1\t0\t4\tRash\tDisease\n")
    reason = "has no concept column; kept, and written with an empty one"
    assert reasons(report) == [(3, reason, False)]
    files, _ = written([document], tmp_path / "out")
    assert files["note.pubtator"].endswith("1\t0\t4\tRash\tDisease\t\n\n")


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ("1|t|Rash\n1\t0\t4\tRash\tDisease\tD1\n\n", [(1, "has no abstract line; kept")]),
        (
            "1|a|Rash\n1\t0\t4\tRash\tDisease\tD1\n\n",
            [(1, "has no title line; offsets count from its abstract")],
        ),
    ],
)
def test_a_passage_alone(tmp_path: Path, note: str, told: list[tuple[int, str]]) -> None:
    (document,), report = read_note(tmp_path / "in", note)
    assert document.text == "Rash"
    assert reasons(report) == [(line, reason, False) for line, reason in told]
    assert written([document], tmp_path / "out")[0] == {"note.pubtator": note}


def test_blank_lines_too_few_and_too_many(tmp_path: Path) -> None:
    first, second = NOTE.rstrip("\n"), NOTE.replace("11", "12")
    documents, report = read_note(tmp_path / "few", f"{first}\n{second}")
    assert [document.id for document in documents] == ["11", "12"]
    reason = "begins a document without a blank line before it; kept"
    assert reasons(report) == [(10, reason, False)]

    parts = NOTE.split("\n", 2)
    (document,), report = read_note(tmp_path / "many", "\n\n" + "\n\n".join(parts) + "\n\n")
    assert len(document.concepts) == 5
    assert [(line, reason) for line, reason, _ in reasons(report)] == [
        (5, "stands apart from its title; kept"),
        (7, "stands apart from its document; kept there"),
    ]


def test_lines_before_any_document(tmp_path: Path) -> None:
    (document,), report = read_note(tmp_path, f"A note\n1\t0\t4\tRash\tDisease\tD1\n{NOTE}")
    lost = [(finding.line, finding.reason) for finding in report.lost]
    assert lost == [(1, "stands before any document"), (2, "stands before any document")]
    assert len(document.concepts) == 5


# --- Files that cannot be read ----------------------------------------------------------


@pytest.mark.parametrize("content", ["", "\n\n", "Only prose\nin it\n", "1\t0\t4\tRash\tD\tD1\n"])
def test_a_file_without_documents_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(BertLstmError, match=r"BL140.*note\.pubtator"):
        read_note(tmp_path, content)


def test_bytes_that_are_no_text_are_named_by_line(tmp_path: Path) -> None:
    content = f"\ufeff1|t|{TITLE}\n1|a|örál\n".encode() + b"1\t0\t4\xff\n"
    place = f"line 3: not valid UTF-8 \\(byte {content.index(0xFF)}\\)"
    with pytest.raises(BertLstmError, match=rf"BL103.*note\.pubtator, {place}"):
        read_note(tmp_path, content)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (file,) = find_pubtator(write_files(tmp_path, {"note.pubtator": NOTE}))
    (tmp_path / "note.pubtator").unlink()
    with pytest.raises(BertLstmError, match=r"BL108.*note\.pubtator"):
        list(read_pubtator(file, LossReport()))


def test_a_file_name_that_is_not_unicode(tmp_path: Path) -> None:
    path = tmp_path / "n\udcff.pubtator"
    try:
        path.write_text(NOTE)
    except (OSError, UnicodeError):
        pytest.skip("the file system refuses such a name")
    with pytest.raises(BertLstmError, match="BL111"):
        read_all(tmp_path)


def test_which_files_are_found(tmp_path: Path) -> None:
    names = ["b/A.PubTator.txt", "b/README.txt", "a/one.txt", "a/notes.md", "c.PUBTATOR", ".x.txt"]
    write_files(tmp_path, dict.fromkeys(names, NOTE))
    found = find_pubtator(tmp_path)
    assert [file.name for file in found] == ["a/one.txt", "b/A.PubTator.txt", "c.PUBTATOR"]
    assert all(file.root == tmp_path for file in found)
    (named,) = find_pubtator(tmp_path / "a" / "notes.md")
    assert (named.name, named.root) == ("notes.md", tmp_path / "a")
    with pytest.raises(BertLstmError, match=r"BL101.*no such file or folder"):
        find_pubtator(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BertLstmError, match=r"BL102.*\.pubtator or \.txt"):
        find_pubtator(tmp_path / "empty")


def test_a_file_is_read_a_document_at_a_time(tmp_path: Path) -> None:
    broken = NOTE.encode() + b"12|t|\xff\n"
    (file,) = find_pubtator(write_files(tmp_path, {"note.pubtator": NOTE.encode() + broken}))
    documents = read_pubtator(file, LossReport())
    assert next(documents).id == "11"
    with pytest.raises(BertLstmError, match=r"BL103.*line 21:"):
        list(documents)


def test_a_note_of_50_megabytes(tmp_path: Path) -> None:
    words = "rash of zolopril|a\t" * 2_500_000
    start = len("Rash") + 1 + len(words) - 5
    mentions = "".join(f"1\t{5 + 19 * i}\t{9 + 19 * i}\trash\tDisease\tD1\n" for i in range(500))
    note = f"1|t|Rash\n1|a|{words}\n{mentions}1\t{start}\t{start + 2}\til\tDisease\tD1\n\n"
    assert len(note) > 45_000_000
    (document,), report = read_note(tmp_path / "in", note)
    assert len(document.concepts) == 501
    assert report.findings == []
    files, _ = written([document], tmp_path / "out")
    assert files["note.pubtator"] == note


# --- Writing ----------------------------------------------------------------------------


def test_files_come_back_under_their_names(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "dev.PubTator.txt": NOTE,
        "train/a.pubtator": NOTE.replace("11", "12") + NOTE.replace("11", "13"),
    }
    documents = read_all(write_files(tmp_path / "in", files))
    again, report = written(documents, tmp_path / "out")
    assert again == files
    assert report.findings == []
    assert read_all(tmp_path / "out") == documents


def test_records_of_other_formats_go_to_one_file(tmp_path: Path) -> None:
    text = "Seen today.\nHe has\tchest pain\r\nand fever."
    concepts = (
        Concept("T1", "problem", ((12, 29),), quoted="he has chest pain"),
        Concept("T2", "problem", ((35, 40),), kb_ids=("C1", "C2")),
    )
    document = Document("beth/7", text, concepts)
    files, report = written([document, Document("8", "One line")], tmp_path / "out")
    assert files == {
        "documents.pubtator": "beth/7|t|Seen today.\n"
        "beth/7|a|He has\tchest pain  and fever.\n"
        "beth/7\t12\t29\tHe has chest pain\tproblem\t\n"
        "beth/7\t35\t40\tfever\tproblem\tC1|C2\n\n"
        "8|t|One line\n8|a|\n\n"
    }
    assert [(finding.path, finding.reason) for finding in report.findings] == [
        ("record beth/7", "line breaks in its text are written as spaces"),
        ("record beth/7", "a tab in a mention is written as a space"),
    ]
    again = read_all(tmp_path / "out")
    assert [record.id for record in again] == ["beth/7", "8"]
    assert [concept.fragments for concept in again[0].concepts] == [((12, 29),), ((35, 40),)]


def test_what_pubtator_cannot_express_is_lost_with_a_reason(tmp_path: Path) -> None:
    document = Document(
        "1",
        "No rash or ulcers",
        concepts=(
            Concept("T1", "problem", ((3, 7),)),
            Concept("T2", "problem", ((3, 7), (11, 17))),
            Concept("T3", "", ((3, 7),)),
            Concept("T4", "a\tb", ((3, 7),)),
            Concept("T5", "problem", ((2, 3),)),
        ),
        assertions=(Assertion("T1", "absent"), Assertion("E1", "x", "ids")),
        relations=(
            Relation("PIP", ("T1", "T2")),
            Relation("CID", ("D1", "D2", "D3"), level="concept"),
            Relation("CID", ("D1", "D2"), roles=("a", "b"), level="concept"),
            Relation("1-a", ("D1", "D2"), level="concept"),
            Relation("CID", ("D1", "D\n2"), level="concept"),
        ),
        events=(Event("E1", "Dose", "T1"),),
    )
    files, report = written([document], tmp_path / "out")
    assert files == {
        "documents.pubtator": "1|t|No rash or ulcers\n1|a|\n1\t3\t7\trash\tproblem\t\n\n"
    }
    assert [finding.reason for finding in report.lost] == [
        "is discontinuous, for which PubTator has no line",
        "has no type",
        "a tab or line break in one of its columns",
        "2 to 3 covers no text",
        "ties mentions; PubTator ties concept ids",
        "does not tie two concept ids, without roles",
        "does not tie two concept ids, without roles",
        "is of a type that does not begin with a letter",
        "a tab or line break in one of its columns",
        "an attribute, for which PubTator has no column",
        "an attribute, for which PubTator has no column",
        "an event, for which PubTator has no line",
    ]
    assert report.kept == {"concept": 1}
    assert report.read == {"concept": 5, "relation": 5, "assertion": 2, "event": 1}


def test_identifiers_and_comments_of_other_formats_are_accounted_for(tmp_path: Path) -> None:
    document = Document(
        "1",
        "No rash or ulcers",
        concepts=(
            Concept("T1", "problem", ((3, 7),), kb_ids=("U:1", "U:2")),
            Concept("T2", "problem", ((3, 7), (11, 17)), kb_ids=("U:3",)),
        ),
        events=(Event("E1", "Dose", "T1"),),
        normalizations=(
            Normalization("T1", "U:1", "Exanthema"),
            Normalization("T1", "U:2"),
            Normalization("T2", "U:3"),
            Normalization("E1", "U:4"),
        ),
        notes=(Note("see me", "T1"), Note("a whole record")),
    )
    files, report = written([document], tmp_path / "out")
    assert "1\t3\t7\trash\tproblem\tU:1|U:2\n" in files["documents.pubtator"]
    assert report.read == {"concept": 2, "event": 1, "normalization": 4, "note": 2}
    assert report.kept == {"concept": 1, "normalization": 2}
    lost = [finding.reason for finding in report.lost]
    assert lost.count("an identifier of what is no mention written here") == 2
    assert lost.count("a comment, for which PubTator has no line") == 2
    assert [finding.reason for finding in report.findings if not finding.lost] == [
        "the name of an identifier has no column; the identifier is kept"
    ]


def test_ids_that_no_longer_fit_or_hold_a_separator(tmp_path: Path) -> None:
    concepts = (
        Concept("T1", "Disease", ((0, 4),), kb_ids=("D2",)),
        Concept("T2", "Disease", ((0, 4),), kb_ids=("a,b",)),
    )
    record = Document("1", "Rash", concepts, assertions=(Assertion("T1", "D1+D3", "ids"),))
    files, report = written([record], tmp_path / "out")
    assert "\tD2\n" in files["documents.pubtator"]
    assert [(finding.reason, finding.lost) for finding in report.findings] == [
        ("a concept column no longer has its ids; written from these", False),
        ("concept ids that hold a separator; they will be read as several", False),
    ]


@pytest.mark.parametrize("abstract", ["-1", "999", "x", "9" * 5000])
def test_metadata_that_was_changed(tmp_path: Path, abstract: str) -> None:
    (document,), _ = read_note(tmp_path / "in", NOTE)
    document.metadata["abstract"] = abstract
    assert written([document], tmp_path / "out")[0] == {"note.pubtator": NOTE}


@pytest.mark.parametrize("name", ["a|b", "a\tb", "a\nb", "\ufeffa", "x" * 201, ""])
def test_a_name_that_is_no_id_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BertLstmError, match="BL141"):
        write_pubtator([Document(name, "Rash")], tmp_path, LossReport())


@pytest.mark.parametrize("name", ["../a", "/a", ""])
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (document,), _ = read_note(tmp_path / "in", NOTE)
    document.metadata["file"] = name
    with pytest.raises(BertLstmError, match="BL111"):
        write_pubtator([document], tmp_path / "out", LossReport())
