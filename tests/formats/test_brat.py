"""brat standoff: what each kind of line becomes, what is lost and why, and the way back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import spacy
from click.testing import Result
from spacy.cli._util import app as spacy_app
from spacy.vocab import Vocab
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.brat import (
    find_records,
    format_record,
    read_record,
    read_records,
    write_brat,
)
from spacy_bertlstm.formats.catalog import FORMATS
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
from spacy_bertlstm.schemas import N2C2_2018
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.build import build_doc, read_doc, shows_record
from spacy_bertlstm.tokens.corpus import read_docs

TEXT = "Takes 😀 aspirin 81mg\r\ndaily for chest pain,\nno left arm rash.\n"
LINES = [
    "T3\tReason 32 42\tchest pain",
    "R1\tReason-Drug Arg1:T3 Arg2:E1\t",
    "T1\tDrug 8 15\taspirin",
    "T2\tDrug 8 20\taspirin 81mg",
    "T4\tSite 38 42;44 55\tpain no left arm",
    "T5\tDrug 8 15\taspirin",
    "E2\tChange:T1 Theme:E1 Theme2:T3 Cause:T4",
    "E1\tUse:T1 ",
    "A1\tNegation E1",
    "A2\tCertainty R1 not at all",
    "M1\tNegation T4",
    "N1\tReference T1 RxNorm:11:91\tASPIRIN",
    "#1\tAnnotatorNotes T1\tis it\tso?",
    "#2\tAnnotatorNotes A1\t",
    "# by hand",
    "*\tEquiv T1 T5 T2",
    "*\tEquiv T3 T3",
    "R2\tBefore First:E1 Then:R1\t",
]


def corpus(folder: Path, lines: Sequence[str] = LINES, text: str = TEXT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "1.txt").write_bytes(text.encode())
    (folder / "1.ann").write_bytes("".join(f"{line}\n" for line in lines).encode())
    return folder


def read(folder: Path) -> tuple[Document, LossReport]:
    report = LossReport()
    (files,) = find_records(folder)
    return read_record(files, report), report


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", *map(str, arguments)])


def test_every_kind_of_line(tmp_path: Path) -> None:
    record, report = read(corpus(tmp_path))
    assert report.findings == []
    assert report.read == report.kept
    assert report.read == {
        "concept": 5, "event": 2, "relation": 2, "equivalence": 2, "attribute": 3,
        "normalization": 1, "note": 3,
    }  # fmt: skip
    reason, drug, longer, site, same = record.concepts
    assert record.covered_text(drug) == "aspirin"
    assert drug == Concept("T1", "Drug", ((8, 15),), None, ("RxNorm:11:91",), "1.ann:3")
    assert (longer.fragments, same.fragments) == (((8, 20),), ((8, 15),))
    assert reason.source == "1.ann:1"
    assert site.fragments == ((38, 42), (44, 55))
    assert record.events == (
        Event(
            "E2", "Change", "T1", (("Theme", "E1"), ("Theme2", "T3"), ("Cause", "T4")), "1.ann:7"
        ),
        Event("E1", "Use", "T1", (), "1.ann:8"),
    )
    assert record.relations == (
        Relation("Reason-Drug", ("T3", "E1"), ("Arg1", "Arg2"), id="R1", source="1.ann:2"),
        Relation("Equiv", ("T1", "T5", "T2"), level="equivalence", source="1.ann:16"),
        Relation("Equiv", ("T3", "T3"), level="equivalence", source="1.ann:17"),
        Relation("Before", ("E1", "R1"), ("First", "Then"), id="R2", source="1.ann:18"),
    )
    assert record.assertions == (
        Assertion("E1", "", "Negation", "A1", "1.ann:9"),
        Assertion("R1", "not at all", "Certainty", "A2", "1.ann:10"),
        Assertion("T4", "", "Negation", "M1", "1.ann:11"),
    )
    assert record.normalizations == (
        Normalization("T1", "RxNorm:11:91", "ASPIRIN", "Reference", "N1", "1.ann:12"),
    )
    assert record.notes == (
        Note("is it\tso?", "T1", "AnnotatorNotes", "#1", "1.ann:13"),
        Note("", "A1", "AnnotatorNotes", "#2", "1.ann:14"),
        Note("# by hand", source="1.ann:15"),
    )


def test_the_commands_give_back_the_very_files(tmp_path: Path) -> None:
    source = corpus(tmp_path / "in")
    corpus(source / "a" / "b")
    (source / "plain.txt").write_bytes(b"not annotated\r\n")
    assert run("convert", "brat", source, tmp_path / "out.spacy").exit_code == 0
    docs = list(read_docs(tmp_path / "out.spacy", Vocab()))
    assert [doc.has_annotation("ENT_IOB") for doc in docs] == [True, False, True]
    assert shows_record(docs[0]) and shows_record(docs[2])
    assert run("export", "brat", tmp_path / "out.spacy", tmp_path / "again").exit_code == 0
    written = {
        path.relative_to(tmp_path / "again").as_posix(): path.read_bytes()
        for path in (tmp_path / "again").rglob("*.*")
    }
    original = {
        path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*.*")
    }
    # The two records of one name are told apart by their folders.
    again = {f"a/{name}" if name.startswith("b/") else name: data for name, data in written.items()}
    assert again == original


T = "T1\tDrug 8 15\taspirin"


@pytest.mark.parametrize(
    "lines, lost, reason",
    [
        (["T1\tDrug 8 99\taspirin"], [1], "8 99 is past the text's 62 characters"),
        (["T1\tDrug 15 8\taspirin"], [1], "15 8 ends before it starts"),
        (["T1\tDrug 8 8\t"], [1], "8 8 covers nothing"),
        (["T1\tDrug 8 15;16 16\taspirin "], [1], "16 16 covers nothing"),
        (["T1\tDrug 8 15"], [1], "not of the form T1<tab>Type"),
        (["T1 Drug 8 15 aspirin"], [1], "not of the form T1<tab>Type"),
        (["T1\tDrug 8\taspirin"], [1], "not of the form T1<tab>Type"),
        (["T1\tDrug -8 15\taspirin"], [1], "not of the form T1<tab>Type"),
        (["T1\tDrug 8 1234567890\taspirin"], [1], "not of the form T1<tab>Type"),
        (["T\tDrug 8 15\taspirin"], [1], "not of the form T1<tab>Type"),
        (["T1\tDrug 8 15\taspirinT2\tDrug 8 15\taspirin"], [1], "two annotations in one line"),
        (["T1\tDrug 8 15\taspirin\rA1\tNegation T1"], [1], "two annotations in one line"),
        ([T, "N1\tReference T1 a:b\tentry*\tEquiv T1 T1"], [2], "two annotations in one line"),
        ([T, "X1\tDrug T1"], [2], "unknown kind of line"),
        ([T, " T2\tDrug 8 15\taspirin"], [2], "unknown kind of line"),
        ([T, "T1\tDrug 8 20\taspirin 81mg"], [2], "T1 is the id of an earlier line"),
        ([T, "A1\tNegation T2"], [2], "points to T2, which is not there"),
        ([T, "A1\tNegation aspirin"], [2], "points to an annotation, which is not there"),
        ([T, "A1\tNegation T1", "A2\tNegation A1"], [3], "points to A1, where T or E or R may be"),
        ([T, "A1\tNegation"], [2], "not of the form A1<tab>Name T1 value"),
        ([T, "A1\tNegation T1 x\ty"], [2], "not of the form A1<tab>Name T1 value"),
        ([T, "N1\tReference T1 entry\tx"], [2], "not of the form N1<tab>Reference"),
        ([T, "N1\tReference T2 a:b\tx"], [2], "points to T2, which is not there"),
        ([T, "R1\tX Arg1:T1 Arg2:T9\t"], [2], "points to T9, which is not there"),
        ([T, "R1\tX Arg1:T1\t"], [2], "not of the form R1<tab>Type"),
        ([T, "R1\tX T1 T1\t"], [2], "not of the form R1<tab>Type"),
        ([T, "R1\tX Arg1:T1 Arg2:T1\tR2"], [2], "not of the form R1<tab>Type"),
        ([T, "*\tEquiv T1"], [2], "not of the form *<tab>Type"),
        ([T, "*\tEquiv T1 T8"], [2], "points to T8, which is not there"),
        ([T, "**\tEquiv T1 T1"], [2], "not of the form *<tab>Type"),
        ([T, "E1\tUse"], [2], "not of the form E1<tab>Type"),
        ([T, "E1\tUse:T2"], [2], "points to T2, which is not there"),
        ([T, "E1\tUse:E1"], [2], "points to E1, where T may be"),
        ([T, "E1\tUse:T1 Theme:E1"], [2], "points, over others, to itself"),
        ([T, "R1\tX Arg1:R1 Arg2:T1"], [2], "points, over others, to itself"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept(
    lines: list[str], lost: list[int], reason: str, tmp_path: Path
) -> None:
    record, report = read(corpus(tmp_path, lines))
    assert [finding.line for finding in report.lost] == lost
    assert report.lost[0].path == str(tmp_path / "1.ann")
    assert reason in report.lost[0].reason
    assert report.read.total() - report.kept.total() == len(lost)
    written = format_record(record, LossReport())[".ann"].splitlines()
    assert [line.rstrip() for line in written] == [
        line for number, line in enumerate(lines, start=1) if number not in lost
    ]


def test_what_points_to_the_lost_is_lost_and_the_rest_is_not(tmp_path: Path) -> None:
    lines = [
        T,
        "E1\tUse:T1 Theme:E2",
        "E2\tUse:T1 Theme:E3",
        "E3\tUse:T1 Theme:E1",
        "E4\tUse:T1 Theme:E3",
        "E5\tUse:T1 Theme:E6",
        "E6\tUse:T1 Theme:T7",
        "R1\tX Arg1:E5 Arg2:E7",
        "A1\tSure R1",
        "E7\tUse:T1 Theme:T1",
        "A2\tSure E7",
    ]
    record, report = read(corpus(tmp_path, lines))
    assert [event.id for event in record.events] == ["E7"]
    assert [assertion.id for assertion in record.assertions] == ["A2"]
    assert [(finding.line, finding.reason) for finding in report.lost] == [
        *((line, "points, over others, to itself or to one that does") for line in (2, 3, 4, 5)),
        (6, "points to E6, which is lost"),
        (7, "points to T7, which is not there"),
        (8, "points to E5, which is lost"),
        (9, "points to R1, which is lost"),
    ]


def test_comments_are_kept_whatever_they_point_to(tmp_path: Path) -> None:
    lines = [
        "#1\tAnnotatorNotes T9\tgone",
        "#1\tAnnotatorNotes T9\tgone again",
        T,
        "#1\tAnnotatorNotes T1\tsame id\tT2\tDrug 0 5\tTakes",
        "#",
        "#2 any\tthing",
    ]
    record, report = read(corpus(tmp_path, lines))
    assert not report.lost
    assert [(finding.line, finding.reason.partition(";")[0]) for finding in report.findings] == [
        (1, "points to T9, which is not there"),
        (2, "a comment with the id of an earlier line"),
        (2, "points to T9, which is not there"),
        (4, "a comment that may hold a second annotation"),
        (4, "a comment with the id of an earlier line"),
    ]
    assert [note.target for note in record.notes] == ["", "", "T1", "", ""]
    assert format_record(record, LossReport())[".ann"].splitlines() == lines


def test_a_line_that_stands_twice_is_kept_once(tmp_path: Path) -> None:
    record, report = read(corpus(tmp_path, [T, T]))
    assert [(f.line, f.reason, f.lost) for f in report.findings] == [
        (2, "repeats an earlier line; kept once", False)
    ]
    assert report.read == report.kept == {"concept": 2}
    assert len(record.concepts) == 1


def test_what_repeats_a_lost_line_is_lost_with_it(tmp_path: Path) -> None:
    _, report = read(corpus(tmp_path, ["T1\tDrug 8 99\taspirin", "E1\tUse:T1", "E1\tUse:T1"]))
    assert [(finding.line, finding.lost) for finding in report.findings] == [
        (1, True), (2, True), (3, True),
    ]  # fmt: skip
    assert {finding.reason for finding in report.findings[1:]} == {"points to T1, which is lost"}
    assert report.kept.total() == 0


def test_another_text_than_that_at_the_offsets(tmp_path: Path) -> None:
    lines = [
        "T1\tDrug 8 15\tASPIRIN",
        "T2\tDrug 8 20\taspirin  81mg",
        "T3\tDrug 16 21\t81mg",  # with half of the line break
        "T4\tDrug 16 27\t81mg\r daily",
    ]
    record, report = read(corpus(tmp_path, lines))
    spaces = "its text has other spaces than the text at its offsets"
    assert [(finding.line, finding.reason) for finding in report.findings] == [
        (1, "its text is not what stands at its offsets; the offsets count"),
        (2, spaces),
        (3, spaces),
    ]
    assert [concept.quoted for concept in record.concepts] == [
        "ASPIRIN", "aspirin  81mg", None, None,
    ]  # fmt: skip
    assert [record.covered_text(concept) for concept in record.concepts] == [
        "aspirin", "aspirin 81mg", "81mg\r", "81mg\r\ndaily",
    ]  # fmt: skip
    assert format_record(record, LossReport())[".ann"].split("\n")[:-1] == lines


@pytest.mark.parametrize("counted", [True, False])
def test_a_byte_order_mark_counts_unless_the_stated_texts_deny_it(
    counted: bool, tmp_path: Path
) -> None:
    start = 6 + counted
    lines = [f"T1\tDrug {start} {start + 7}\taspirin", f"T2\tX {start} {start + 1}\twrong"]
    corpus(tmp_path / "in", lines, "\ufeffTakes aspirin")
    record, report = read(tmp_path / "in")
    assert record.covered_text(record.concepts[0]) == "aspirin"
    assert record.text.startswith("\ufeff") is counted
    assert [finding.line for finding in report.findings] == [2]
    (tmp_path / "out").mkdir()
    write_brat([record], tmp_path / "out", LossReport())
    for name in ("1.txt", "1.ann"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "in" / name).read_bytes()
    assert read(tmp_path / "out")[0] == record


def test_line_ends_of_annotations_are_not_part_of_them(tmp_path: Path) -> None:
    corpus(tmp_path)
    before, _ = read(tmp_path)
    data = (tmp_path / "1.ann").read_bytes()
    (tmp_path / "1.ann").write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n") + b"\r\n")
    after, report = read(tmp_path)
    assert after == before
    assert report.findings == []


def test_annotations_in_parts(tmp_path: Path) -> None:
    corpus(tmp_path, [])
    (tmp_path / "1.ann").unlink()
    (tmp_path / "1.a1").write_text(f"{T}\n")
    (tmp_path / "1.A2").write_text("E1\tUse:T1 \n")
    record, report = read(tmp_path)
    assert not report.findings
    changed = replace(record, events=(*record.events, Event("x", "Use", "T1")))
    contents = format_record(changed, LossReport())
    assert contents == {
        ".txt": TEXT, ".a1": f"{T}\n", ".a2": "E1\tUse:T1 \nE2\tUse:T1 \n",
    }  # fmt: skip


def test_nothing_annotated_is_not_nothing_found(tmp_path: Path) -> None:
    corpus(tmp_path, [])
    assert read(tmp_path)[0].annotated
    assert format_record(read(tmp_path)[0], LossReport())[".ann"] == ""
    (tmp_path / "1.ann").unlink()
    assert not read(tmp_path)[0].annotated
    assert format_record(read(tmp_path)[0], LossReport()) == {".txt": TEXT}


def test_only_a_missing_or_empty_root_stops_the_search(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError, match="BL101"):
        find_records(tmp_path / "nowhere")
    with pytest.raises(BertLstmError, match="BL102"):
        find_records(tmp_path)
    (tmp_path / "notes.conf").write_text("")
    with pytest.raises(BertLstmError, match="BL102"):
        find_records(tmp_path)


def test_one_records_trouble_is_its_own(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "alone.ann").write_text("")
    (tmp_path / "twice.txt").write_text("a")
    (tmp_path / "twice.TXT").write_text("a")
    (tmp_path / "bytes.txt").write_bytes(b"ab\n\xff")
    (tmp_path / "bytes.ann").write_text("")
    (tmp_path / "annotated.txt").write_text("a")
    (tmp_path / "annotated.ann").write_bytes(b"\n\xff\n")
    (tmp_path / "plain.txt").write_text("")
    (tmp_path / "folder.ann").mkdir()
    codes = {}
    for files in find_records(tmp_path, require_annotations=True):
        try:
            read_record(files, LossReport())
        except BertLstmError as error:
            codes[files.id] = error.code
            assert str(files.path.parent) in str(error)
    assert codes == {
        "alone": "BL104", "annotated": "BL103", "bytes": "BL103", "plain": "BL107",
        "twice": "BL105",
    }  # fmt: skip


def test_trouble_goes_through_the_command(tmp_path: Path) -> None:
    source = corpus(tmp_path / "in", [T, "A1\tNegation T2"])
    out, report = tmp_path / "out.spacy", tmp_path / "report.json"
    result = run("convert", "brat", source, out, "--report", report)
    assert result.exit_code == 1
    assert f"{source / '1.ann'}, line 2: points to T2, which is not there" in result.stderr
    assert not out.exists()
    (finding,) = json.loads(report.read_text())["findings"]
    assert (finding["line"], finding["lost"]) == (2, True)
    assert run("convert", "brat", source, out, "--allow-loss").exit_code == 0
    assert out.exists()


# --- Records that other formats, and pipelines, made ------------------------------------


def test_ids_that_brat_would_not_take_get_new_ones(tmp_path: Path) -> None:
    record = Document(
        "7",
        "aspirin for pain, rash",
        concepts=(
            Concept("0", "Drug", ((0, 7),), "ASPIRIN\t", ("MESH:D1", "D2")),
            Concept("T1", "Reason", ((12, 16),)),
            Concept("T x", "Reason", ((18, 22),)),
        ),
        assertions=(Assertion("0", "present"), Assertion("1", "past", name="tense", id="M1")),
        relations=(Relation("treats", ("0", "T1")), Relation("treats", ("0", "T x"), id="R1")),
        events=(Event("1", "Use", "0", (("Theme", "T1"),)),),
        notes=(Note("one\r\ntwo", "1"), Note("three")),
    )
    report = LossReport()
    content = format_record(record, report)[".ann"]
    assert content.split("\n")[:-1] == [
        "T2\tDrug 0 7\taspirin",
        "T1\tReason 12 16\tpain",
        "T3\tReason 18 22\trash",
        "E1\tUse:T2 Theme:T1",
        "R2\ttreats Arg1:T2 Arg2:T1\t",
        "R1\ttreats Arg1:T2 Arg2:T3\t",
        "A1\tassertion T2 present",
        "M1\ttense E1 past",
        "N1\tReference T2 MESH:D1\t",
        "N2\tReference T2 KB:D2\t",
        "#1\tAnnotatorNotes E1\tone\r two",
        "# three",
    ]
    assert [finding.reason for finding in report.findings] == [
        "an identifier without the name of its vocabulary; written below 'KB'"
    ]
    (tmp_path / "7.txt").write_text(record.text)
    (tmp_path / "7.ann").write_text(content)
    again, report = read(tmp_path)
    assert not report.findings
    assert format_record(again, report)[".ann"] == content


def test_what_brat_cannot_express_is_lost_with_a_reason() -> None:
    record = Document(
        "7",
        "aspirin for pain",
        concepts=(
            Concept("T1", "Drug", ((0, 7),), kb_ids=("MESH: ", ":")),
            Concept("T2", "", ((12, 16),)),
            Concept("T3", "two words", ((12, 16),)),
            Concept("T4", "Reason", ((12, 12),)),
        ),
        assertions=(
            Assertion("T1", "a\nb"),
            Assertion("T1", "x", name=""),
            Assertion("T9", "present"),
            Assertion("T2", "present"),
        ),
        relations=(
            Relation("CID", ("MESH:D1", "MESH:D2"), level="concept"),
            Relation("alone", ("T1",)),
            Relation("treats", ("T1", "T3")),
        ),
        normalizations=(Normalization("T1", "A:1", "a\nb"),),
    )
    report = LossReport()
    content = format_record(record, report)[".ann"]
    assert content.splitlines() == [T.replace("8 15", "0 7")]
    assert {finding.path for finding in report.findings} == {"record 7"}
    reasons = [finding.reason.partition("<")[0] for finding in report.findings]
    assert reasons == [
        "not of the form T1",
        "not of the form T1",
        "12 12 covers nothing",
        "joins vocabulary ids, not annotations",
        "not of the form R1",
        "points to T3, which is lost",
        "not of the form A1",
        "not of the form A1",
        "points to an annotation, which is not there",
        "points to T2, which is lost",
        "not of the form N1",
        "not of the form N1",
        "not of the form N1",
    ]
    assert report.read.total() - report.kept.total() == len(reasons)


def test_what_a_pipeline_predicted() -> None:
    doc = make_clinical_tokenizer()(spacy.blank("en"))("aspirin for pain")
    doc.ents = [doc.char_span(0, 7, label="Drug"), doc.char_span(12, 16, label="Reason")]
    build_doc(Document("1", "a"), make_clinical_tokenizer()(spacy.blank("en")), LossReport())
    doc.ents[1]._.assertion = "absent"
    doc._.relations = [{"label": "Reason-Drug", "head": [12, 16, "Reason"], "tail": [0, 7, "Drug"]}]
    report = LossReport()
    contents = format_record(read_doc(doc, "1"), report, schema=N2C2_2018)
    assert contents[".ann"].splitlines() == [
        "T1\tDrug 0 7\taspirin",
        "T2\tReason 12 16\tpain",
        "R1\tReason-Drug Arg1:T2 Arg2:T1\t",
        "A1\tassertion T2 absent",
    ]
    assert not report.findings


@pytest.mark.parametrize("name, code", [("../a", "BL111"), ("", "BL111"), ("a", "BL112")])
def test_names_that_cannot_be_files(name: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(BertLstmError, match=code):
        write_brat([Document("a", ""), Document(name, "")], tmp_path, LossReport())


# --- n2c2 2018 --------------------------------------------------------------------------


def test_n2c2_knows_its_types_and_what_relations_join(tmp_path: Path) -> None:
    lines = [
        T,
        "T2\tReason 32 42\tchest pain",
        "T3\tSymptom 32 42\tchest pain",
        "R1\tReason-Drug Arg1:T2 Arg2:T1\t",
        "R2\tDrug-Reason Arg1:T1 Arg2:T2\t",
        "R3\tADE-Drug Arg1:T2 Arg2:T1\t",
        "*\tOR T1 T2",
    ]
    (files,) = find_records(corpus(tmp_path, lines))
    report = LossReport()
    (record,) = FORMATS["n2c2-2018"].read(files, report)
    assert [(finding.line, finding.lost) for finding in report.findings] == [
        (3, True), (5, True), (6, False),
    ]  # fmt: skip
    assert "unknown type 'Symptom' (known: Drug, Strength" in report.findings[0].reason
    assert "unknown type 'Drug-Reason' (known: Strength-Drug" in report.findings[1].reason
    assert report.findings[2].reason == "ADE-Drug takes ADE and Drug, not 'Reason' and 'Drug'; kept"
    assert [relation.id for relation in record.relations] == ["R1", "R3", ""]

    (full,) = read_records(files, LossReport())
    (tmp_path / "out").mkdir()
    report = LossReport()
    assert FORMATS["n2c2-2018"].write([full], tmp_path / "out", report) == 1
    assert len(report.lost) == 2
    kept = [line for number, line in enumerate(lines, start=1) if number not in (3, 5)]
    assert (tmp_path / "out" / "1.ann").read_text().splitlines() == kept


def test_n2c2_has_nine_types_and_eight_relations() -> None:
    assert len(N2C2_2018.concepts) == 9
    assert {types[0] for types in N2C2_2018.relations.values()} == set(N2C2_2018.concepts) - {
        "Drug"
    }
    assert all(name == "-".join(types) for name, types in N2C2_2018.relations.items())
