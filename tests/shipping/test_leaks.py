"""The search for words of notes finds them wherever they stand, and nothing else."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from click.testing import Result
from spacy.cli._util import app as spacy_app
from spacy.language import Language
from spacy.training import Example
from spacy.vocab import Vocab
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.shipping.leaks import (
    find_leaks,
    find_private_words,
    find_public_words,
    find_settings,
    find_words,
)
from spacy_bertlstm.shipping.prune import prune_pipeline
from spacy_bertlstm.tokens.corpus import read_docs, write_docs

from .conftest import NAME, NUMBER

# A zip whose one name is said to be UTF-8, and is not.
BAD_NAME = io.BytesIO()
with zipfile.ZipFile(BAD_NAME, "w") as archive:
    archive.writestr("\u0142", b"")

PRIVATE = frozenset({"Zbigniewska", "7741903", "Łódzka", "12/03/1961", "Kos5", "Anan"})


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", *map(str, arguments)])


def leaks_of(path: Path, private: frozenset[str] = PRIVATE) -> list[tuple[str, str, set[str]]]:
    return [(leak.place, leak.kind, set(leak.words)) for leak in find_leaks(path, private)]


def make_wheel(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in folder.rglob("*"):
            wheel.write(file, f"en_x/{file.relative_to(folder)}")
    return path


# --- words -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, words",
    [
        ("Mrs. Zbigniewska, 58", {"Zbigniewska"}),
        ("a1c the 123 ana", set()),
        ("MRN-7741903", {"7741903", "MRN-7741903"}),
        ("MRN7741903", {"7741903", "MRN7741903"}),
        ("seen 12/03/1961.", {"seen", "12/03/1961", "1961", "03/1961"}),
        ("0.8812 and 3.125", {"8812"}),
        ("well-known", {"well", "known"}),
        ("training_Kowalska_2", {"training", "Kowalska"}),
        ("j.kowalska7@bielany.pl", {"kowalska", "bielany", "j.kowalska7", "kowalska7",
                                    "j.kowalska7@bielany", "j.kowalska7@bielany.pl",
                                    "kowalska7@bielany", "kowalska7@bielany.pl",
                                    "7@bielany", "7@bielany.pl"}),
    ],
)  # fmt: skip
def test_words(text: str, words: set[str]) -> None:
    assert find_words(text) == words


def test_a_long_chain_is_read_in_pieces() -> None:
    words = find_words("-".join(["ab12"] * 1000) + "-7741903")
    assert "7741903" in words
    assert len(words) < 100


# --- where they stand --------------------------------------------------------------------

FOUND = {
    "as it is": (b"Mrs. Zbigniewska", "text", {"zbigniewska"}),
    "in small letters": (b'["zbigniewska"]', "text", {"zbigniewska"}),
    "in capitals": (b"ZBIGNIEWSKA", "text", {"zbigniewska"}),
    "in a path": (b'train = "/mnt/zbigniewska_2/x.spacy"', "text", {"zbigniewska"}),
    "before an escape": (b'"note":"Zbigniewska\\nwas"', "text", {"zbigniewska"}),
    "after an escape": (b'"note":"seen\\nZbigniewska"', "text", {"zbigniewska"}),
    "two escapes": (b'"\\\\nZbigniewska"', "text", {"zbigniewska"}),
    "a number in a word": (b"MRN7741903", "text", {"7741903"}),
    "a date": (b"of 12/03/1961.", "text", {"12/03/1961"}),
    "not ASCII": ("Łódzka".encode(), "text", {"łódzka"}),
    "not ASCII, escaped": (json.dumps("ul. Łódzka").encode(), "text", {"łódzka"}),
    "not ASCII, escaped twice": (json.dumps(json.dumps("Łódzka")).encode(), "text", {"łódzka"}),
    "not ASCII, letter by letter": (
        unicodedata.normalize("NFD", "Łódzka").encode(), "text", {"łódzka"}),
    "UTF-16": ("\ufeffŁódzka".encode("utf-16-le"), "text", {"łódzka"}),
    "UTF-16, the other order": ("\ufeffZbigniewska".encode("utf-16-be"), "text", {"zbigniewska"}),
    "behind chance's mark of UTF-16": (b"\xff\xfe(Zbigniewska)+", "text", {"zbigniewska"}),
    "binary, letter by letter": (
        b"\x00" + unicodedata.normalize("NFD", "Łódzka").encode(), "binary", {"łódzka"}),
    "a short word": (b"anan", "text", {"anan"}),
    "binary": (b"\xff\x00\x93Zbigniewska\xc0\x01", "binary", {"zbigniewska"}),
    "binary, in small letters": (b"\x00zbigniewska\x00", "binary", {"zbigniewska"}),
    "binary, a number": (b"\x00\x9f7741903\x9f", "binary", {"7741903"}),
    "binary, not ASCII": (b"\x00\xff" + "Łódzka".encode() + b"\xff", "binary", {"łódzka"}),
    "binary, escaped": (b'\x00\xff"\\u0141\\u00f3dzka"', "binary", {"łódzka"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_a_word_is_found(name: str, tmp_path: Path) -> None:
    data, kind, words = FOUND[name]
    (tmp_path / "file").write_bytes(data)
    assert leaks_of(tmp_path / "file") == [("file", kind, words)]
    for compress in (gzip.compress, bz2.compress, lzma.compress, zlib.compress):
        (tmp_path / "file").write_bytes(compress(data))
        assert leaks_of(tmp_path / "file") == [("file", kind, words)]
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/file", gzip.compress(data))
    (tmp_path / "file").write_bytes(inner.getvalue())
    assert leaks_of(tmp_path) == [("file/deep/file", kind, words)]
    outer = io.BytesIO()
    with tarfile.open(fileobj=outer, mode="w:gz") as archive:
        archive.add(tmp_path / "file", "deeper/x")
    (tmp_path / "file").write_bytes(outer.getvalue())
    assert leaks_of(tmp_path) == [("file/deeper/x/deep/file", kind, words)]


NOT_FOUND = {
    "inside a word": b"banana bananan Zbigniewskanka xZbigniewska",
    "inside a number": b"17741903 77419031",
    "parts of a date": b"12 03 1961 12/03/19612",
    "a short word in binary": b"\x00\xffAnan\xff",
    "capitals in binary": b"\x00\xffZBIGNIEWSKA\xff",
    "inside a word in binary": b"\x00\xffxZbigniewska\xff",
    "nothing": b"",
}


@pytest.mark.parametrize("name", NOT_FOUND)
def test_what_is_no_word_of_the_notes_is_not_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(NOT_FOUND[name])
    assert leaks_of(tmp_path) == []


def test_random_bytes_raise_no_alarm(tmp_path: Path, rng) -> None:
    letters = list("abcdefghijklmnopqrstuvwxyz")
    private = {"".join(rng.choice(letters, 6)) for _ in range(5000)}
    data = b"\xff" + rng.bytes(4_000_000)
    (tmp_path / "weights").write_bytes(data)
    assert leaks_of(tmp_path, frozenset(private)) == []
    word = min(private)
    (tmp_path / "weights").write_bytes(data + b"\0" + word.encode() + b"\0" + data)
    assert leaks_of(tmp_path, frozenset(private)) == [("weights", "binary", {word})]


def test_a_files_name_is_searched_and_masked(tmp_path: Path) -> None:
    (tmp_path / "Zbigniewska-7741903.txt").write_text("nothing")
    assert leaks_of(tmp_path) == [("***-***.txt", "name", {"zbigniewska", "7741903"})]


def test_a_name_is_masked_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / unicodedata.normalize("NFD", "Łódzka.txt")).write_text("nothing")
    assert leaks_of(tmp_path) == [("***.txt", "name", {"łódzka"})]


def test_an_empty_folders_name_is_searched(tmp_path: Path) -> None:
    (tmp_path / "x" / "Zbigniewska").mkdir(parents=True)
    assert leaks_of(tmp_path) == [("x/***/", "name", {"zbigniewska"})]


def test_compiled_code_is_searched(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_bytes(b"\x00/mnt/Zbigniewska/x.py")
    assert leaks_of(tmp_path) == [("__pycache__/x.pyc", "binary", {"zbigniewska"})]
    assert "zbigniewska" not in find_public_words("en", files=[tmp_path])


def test_what_archives_say_of_themselves_is_searched(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.comment = b"of anan"
        member = zipfile.ZipInfo("x")
        member.comment = b"of 12/03/1961"
        archive.writestr(member, b"")
        archive.writestr("Zbigniewska/", b"")
    with tarfile.open(tmp_path / "b.tar", "w", pax_headers={"comment": "of anan"}) as archive:
        link = tarfile.TarInfo("x")
        link.type, link.linkname = tarfile.SYMTYPE, "/mnt/Zbigniewska"
        archive.addfile(link)
    with open(tmp_path / "c", "wb") as file, gzip.GzipFile("anan.txt", "wb", fileobj=file):
        pass
    assert leaks_of(tmp_path) == [
        ("a.zip (comment)", "text", {"anan"}),
        ("a.zip/x (comment)", "text", {"12/03/1961"}),
        ("a.zip/***/", "name", {"zbigniewska"}),
        ("b.tar/x (comment)", "text", {"zbigniewska", "anan"}),
        ("c (comment)", "text", {"anan"}),
    ]


def test_data_behind_a_compressed_file_is_searched(tmp_path: Path) -> None:
    for compress in (bz2.compress, lzma.compress, zlib.compress):
        (tmp_path / "file").write_bytes(compress(b"x") + b"\0Zbigniewska\0")
        assert leaks_of(tmp_path) == [("file", "binary", {"zbigniewska"})]


def test_docs_in_a_wheel_are_found(notes: Path, tmp_path: Path) -> None:
    """As forgotten there: a .spacy file is compressed."""
    ((_, kind, words),) = leaks_of(notes)
    assert kind == "binary" and "zbigniewska" in words


def test_a_zip_behind_other_data_hides_nothing(tmp_path: Path) -> None:
    """Such as torch's weights in a shim's bytes."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("weights", b"x")
    (tmp_path / "model").write_bytes(b"\x84\xa6config\xabZbigniewska\xff" + inner.getvalue())
    assert leaks_of(tmp_path) == [("model", "binary", {"zbigniewska"})]


def test_the_hashes_of_a_wheel_are_not_words(tmp_path: Path) -> None:
    folder = tmp_path / "x.dist-info"
    folder.mkdir()
    (folder / "RECORD").write_text("a.py,sha256=kX-anan-7741903_u,12\n")
    assert leaks_of(tmp_path) == []
    (folder / "RECORD").write_text("anan.py,sha256=kX,12\n")
    assert leaks_of(tmp_path) == [("x.dist-info/RECORD", "text", {"anan"})]


# --- which words are whose ---------------------------------------------------------------


def test_private_are_the_words_that_no_public_place_holds(notes: Path, tiny_bert: Path) -> None:
    public = find_public_words("en", encoder=str(tiny_bert))
    assert {"patient", "tagger", "because"} <= public
    private = find_private_words(read_docs(notes, Vocab()), public)
    ids = {f"kowalczyk-{i}" for i in range(6)} | {"kowalczyk"}
    assert private == {NAME, "7741903", NUMBER, "Łódź", *ids}


def test_the_encoders_vocabulary_is_public(
    make_examples: Callable[[Language], list[Example]], tiny_bert: Path
) -> None:
    docs = [example.reference for example in make_examples(spacy.blank("en"))]
    with_encoder = find_public_words("en", encoder=str(tiny_bert))
    assert find_private_words(docs, with_encoder) == frozenset()
    assert "aspirin" in find_private_words(docs, find_public_words("en"))


def test_labels_are_public(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    doc = nlp("Zoster vaccinated pruritus")
    doc.set_ents([doc.char_span(0, 6, label="PRURITUS")])
    doc.cats = {"VACCINATED": 1.0}
    assert find_private_words([doc], frozenset()) == {"Zoster"}


def test_words_of_a_named_file_are_public(tmp_path: Path) -> None:
    (tmp_path / "drugs.txt").write_text("warfarin\nLisinopril\n")
    (tmp_path / "table.bin").write_bytes(b"\x00\xffpruritus\xff")
    public = find_public_words("en", files=[tmp_path])
    assert {"warfarin", "lisinopril", "pruritus"} <= public
    with pytest.raises(BertLstmError, match="BL101"):
        find_public_words("en", files=[tmp_path / "nowhere"])


def test_the_path_of_the_encoder_is_not_public_but_its_last_part_is(
    tiny_bert: Path, tmp_path: Path
) -> None:
    (tmp_path / "Zbigniewska").mkdir()
    (tmp_path / "Zbigniewska" / "Warsaw").symlink_to(tiny_bert)
    public = find_public_words("en", encoder=str(tmp_path / "Zbigniewska" / "Warsaw"))
    assert "zbigniewska" not in public and "warsaw" in public


def test_settings_are_numbers_that_keys_are_set_to(tmp_path: Path) -> None:
    (tmp_path / "config.cfg").write_text(
        '[x]\nmax_batch_items = 4096\nname = "Anan 7741903"\nnote = Zbigniewska\n'
        'path = "/mnt/7741903"\nlist = [7741, 7742]\n'
    )
    (tmp_path / "meta.json").write_text(
        json.dumps({"version": "7741.9", "performance": {"ner_loss": 1961.25}, "n": 5000}, indent=2)
    )
    (tmp_path / "other.json").write_text('"mrn": 7743\n')
    assert find_settings(tmp_path) == {"4096", "1961", "5000"}
    assert find_settings(tmp_path / "config.cfg") == {"4096"}


def test_an_encoder_that_is_not_there_is_a_coded_error(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError, match="BL307"):
        find_public_words("en", encoder=str(tmp_path))


# --- wheels ------------------------------------------------------------------------------


def test_an_unpruned_wheel_fails_and_a_pruned_one_passes(
    trained: Path, tmp_path: Path, notes: Path, tiny_bert: Path
) -> None:
    unpruned = make_wheel(tmp_path / "unpruned.whl", trained)
    result = run("leaks", unpruned, notes, "--encoder", tiny_bert)
    assert result.exit_code == 1
    assert "[BL332]" in result.stderr
    places = [line.split(": ")[1] for line in result.stdout.splitlines()]
    assert places == ["unpruned.whl/en_x/vocab/strings.json"]
    assert NAME.lower() not in result.output.lower() and "7741903" not in result.output

    shown = run("leaks", unpruned, notes, "--encoder", tiny_bert, "--show-text")
    assert NAME.lower() in shown.stdout and "7741903" in shown.stdout

    prune_pipeline(trained, tmp_path / "pruned")
    result = run(
        "leaks", make_wheel(tmp_path / "pruned.whl", tmp_path / "pruned"), notes,
        "--encoder", tiny_bert,
    )  # fmt: skip
    assert result.exit_code == 0, result.output


def test_what_the_user_states_and_sets_is_no_leak(
    trained: Path, tmp_path: Path, tiny_bert: Path
) -> None:
    """The notes hold words of the card and the number of batches too."""
    prune_pipeline(trained, tmp_path / "pruned")
    (tmp_path / "pruned" / "README.md").write_text("Oncology of Bielany, licence Propria. 4096\n")
    nlp = spacy.blank("en")
    write_docs([nlp(f"{NAME} of Bielany oncology, propria 4096.")], tmp_path / "x.spacy")
    wheel = make_wheel(tmp_path / "pruned.whl", tmp_path / "pruned")
    told = ["--public-text", "Oncology of Bielany", "--public-text", "Propria"]
    arguments = ["leaks", wheel, tmp_path / "x.spacy", "--encoder", tiny_bert]
    result = run(*arguments, *told)
    assert result.exit_code == 0, result.output
    assert "none of 1 words" in result.stdout
    result = run(*arguments, *told[:2], "--show-text")
    assert "README.md: 1 words (text): propria" in result.stdout

    (tmp_path / "pruned" / "README.md").write_text(f"Oncology of {NAME}\n")
    wheel = make_wheel(tmp_path / "pruned.whl", tmp_path / "pruned")
    assert "[BL332]" in run(*arguments, *told).stderr


def test_a_planted_word_is_found_in_any_file(
    trained: Path, tmp_path: Path, notes: Path, tiny_bert: Path
) -> None:
    prune_pipeline(trained, tmp_path / "pruned")
    public = find_public_words("en", encoder=str(tiny_bert))
    public |= find_settings(tmp_path / "pruned")
    private = find_private_words(read_docs(notes, Vocab()), public)
    for name in ("README.md", "config.cfg", "vocab/strings.json", "ner/model"):
        path = tmp_path / "pruned" / name
        clean = path.read_bytes() if path.exists() else b""
        for planted, words in (
            (NAME, {"zbigniewska"}),
            (NUMBER, {"7741903", "mrn-7741903"}),
        ):
            path.write_bytes(clean + f'\n"/mnt/{planted}/"\n'.encode())
            wheel = make_wheel(tmp_path / "x.whl", tmp_path / "pruned")
            kind = "binary" if name == "ner/model" else "text"
            assert leaks_of(wheel, private) == [(f"x.whl/en_x/{name}", kind, words)]
        path.write_bytes(clean)


# --- refusals ----------------------------------------------------------------------------


def test_notes_without_words_of_their_own_are_refused(tmp_path: Path) -> None:
    """A search that could find nothing must not pass."""
    write_docs([spacy.blank("en")("the patient was here")], tmp_path / "notes.spacy")
    result = run("leaks", tmp_path, tmp_path / "notes.spacy")
    assert result.exit_code == 1
    assert "[BL333]" in result.stderr


def test_a_language_that_spacy_has_not_is_refused(notes: Path, tmp_path: Path) -> None:
    result = run("leaks", tmp_path, notes, "--lang", "zz")
    assert result.exit_code == 1
    assert "[BL336] language 'zz'" in result.stderr


def test_a_compressed_format_that_is_not_opened_is_refused(notes: Path, tmp_path: Path) -> None:
    for start, name in (
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"Rar!\x1a\x07\x01\x00", "rar"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"\x1f\x9d\x90", "compress"),
    ):
        with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
            archive.writestr("deep/Zbigniewska", start + b"rest")
        result = run("leaks", tmp_path / "x.whl", notes)
        assert result.exit_code == 1
        assert f"[BL108] {tmp_path / 'x.whl'}: cannot be read ({name}, " in result.stderr


def test_a_wheel_that_is_not_there_is_refused(notes: Path, tmp_path: Path) -> None:
    result = run("leaks", tmp_path / "x.whl", notes)
    assert result.exit_code == 1
    assert "[BL101]" in result.stderr


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 broken",
        gzip.compress(b"x" * 1000)[:-9],
        b"\x1f\x8b broken",
        bz2.compress(b"x" * 1000)[:-9],
        lzma.compress(os.urandom(1000))[:-99],
        bytes(257) + b"ustar broken" + bytes(1000),
        BAD_NAME.getvalue().replace("\u0142".encode(), b"\xc5\xc5"),
    ],
    ids=["zip", "gzip cut", "gzip", "bz2 cut", "xz cut", "tar", "zip name"],
)
def test_a_broken_archive_is_a_coded_error(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(data)
    with pytest.raises(BertLstmError, match="BL108.*broken archive"):
        leaks_of(tmp_path)
