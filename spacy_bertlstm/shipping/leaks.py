"""Words of notes in a wheel: every file of it is read for what only the notes hold.

A word is a run of letters or of digits, at least four. Or it is letters and digits joined by at
most one mark each, at least six of them and one a digit, such as a date or a record number
("AB-7731", "12/03/1961"), but no decimal fraction. "ana" is not found in "banana".

Text (valid UTF-8, or UTF-16 with its mark) is read without regard to case, as it stands and with
the escapes of JSON undone. Elsewhere, as in weights, chance makes short words: there only words
of six bytes or more count, and only as the notes write them or in lower case. With 5,000 such
words, 90 MB of random bytes raise a false alarm once in 300 times.

Opened are zip, tar, gzip, bz2, xz and zlib (as .spacy files are), with their comments and the
names in them; other compressed formats (7z, rar, zstd, lz4, compress) are refused. Not seen are
archives behind other data, and what is encrypted, encoded (base64) or UTF-16 without its mark.
"""

import bz2
import gzip
import io
import lzma
import re
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import spacy
from spacy.tokens import Doc

import spacy_bertlstm
from spacy_bertlstm.errors import BertLstmError, first_line
from spacy_bertlstm.shipping.prune import last_part
from spacy_bertlstm.tokens.extensions import get_record

_LEAST = 4
_LEAST_JOINED = 6
_LEAST_BYTES_IN_BINARY = 6
# A longer chain of parts is read in pieces of so many.
_MOST_PARTS = 8

_CHAIN = re.compile(r"[^\W_](?:[-/.:@'+]?[^\W_])+")
_PART = re.compile(r"[^\W\d_]+|\d+|.")
_DECIMAL = re.compile(r"\d+\.\d+")

# The same chain in bytes. In ASCII a byte above 127 ends it; a second pattern, several times as
# slow, also takes letters that UTF-8 writes in two bytes or three.
_ASCII_CHAIN = re.compile(rb"[0-9A-Za-z](?:[-/.:@'+]?[0-9A-Za-z]){5,}")
_LETTER = rb"(?:[0-9A-Za-z]|[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2})"
_UTF8_CHAIN = re.compile(_LETTER + rb"(?:[-/.:@'+]?" + _LETTER + rb"){3,}")

_ESCAPES = re.compile(rb"(?:\\+u[0-9a-fA-F]{4})+|\\+[nrtbf]")
_HEX = re.compile(rb"u([0-9a-fA-F]{4})")
# A wheel's list of its files has a hash for each, random letters and digits.
_RECORD_HASH = re.compile(rb"sha256=[\w-]+")

# A whole line of config.cfg or meta.json: a key and a number that is no part of a string.
_SETTING = re.compile(r'^\s*(?:\w+ *=|"\w+":) *(-?\d[\d.e+-]*),?$', re.MULTILINE)

# gzip's header, where it gives the name of the file, a comment, or both.
_GZIP_NAMES = re.compile(
    rb"\x1f\x8b.(?:[\x08\x10].{6}([^\0]*)|\x18.{6}([^\0]*\0[^\0]*))\0", re.DOTALL
)
_BZ2 = re.compile(rb"BZh[1-9]1AY&SY")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_NOT_OPENED = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x1f\x9d": "compress",
}
_NOT_AN_ARCHIVE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    RuntimeError,
    NotImplementedError,
    UnicodeDecodeError,  # of names
)


@dataclass(frozen=True)
class Leak:
    """Words of notes in one file.

    place (str): The file, below the wheel or folder; words of notes in its name are masked.
    kind (str): "text", "binary", or "name" where the file's name holds them.
    words (frozenset[str]): In lower case.
    """

    place: str
    kind: str
    words: frozenset[str]


def find_words(text: str) -> set[str]:
    """All words of a text, as the module's head defines them, in their own case, as NFC."""
    words = set()
    for chain in set(_CHAIN.findall(unicodedata.normalize("NFC", text))):
        parts = _PART.findall(chain)
        for first in range(len(parts)):
            for last in range(first, min(first + _MOST_PARTS, len(parts))):
                if parts[first][0].isalnum() and parts[last][0].isalnum():
                    word = "".join(parts[first : last + 1])
                    if _counts(word, parts=last - first + 1):
                        words.add(word)
    return words


def _counts(word: str, *, parts: int) -> bool:
    if parts == 1:
        return len(word) >= _LEAST
    return (
        sum(char.isalnum() for char in word) >= _LEAST_JOINED
        and any(char.isdecimal() for char in word)
        and not _DECIMAL.fullmatch(word)
    )


def find_public_words(
    lang: str,
    *,
    encoder: str | None = None,
    files: Iterable[Path] = (),
    texts: Iterable[str] = (),
) -> frozenset[str]:
    """Words that tell nothing of a patient, since they stand in public places.

    lang (str): Of a blank spaCy pipeline, whose strings and stop words are public. So are the
        words of this package and of what spaCy writes into every package.
    encoder (str | None): The folder of an encoder or its name on the hub; its vocabulary, of
        whole words and pieces, its config, and the last part of its path.
    files (Iterable[Path]): Other public files; of a folder, all files.
    texts (Iterable[str]): What its user states of the package, such as its name and licence.
    RETURNS (frozenset[str]): In lower case.
    RAISES: BL101, BL108 (a file), BL307 (the encoder), BL336 (the language).
    """
    try:
        nlp = spacy.blank(lang)
    except ImportError as error:
        raise BertLstmError("BL336", lang=lang, reason=first_line(error)) from error
    texts = [*texts, *nlp.vocab.strings, *nlp.Defaults.stop_words]
    spacy_folder = Path(spacy.__file__).parent
    sources = [
        Path(spacy_bertlstm.__file__).parent,
        spacy_folder / "default_config.cfg",
        spacy_folder / "cli" / "package.py",
        *files,
    ]
    words = find_words("\n".join([*texts, *_read_encoder(encoder)]))
    for source in sources:
        for place, data in _read_files(source):
            # Compiled code holds the path of its source.
            if "__pycache__/" not in place:
                text = _decode(data)
                words |= _in_binary(data, utf8=True) if text is None else _in_text(text)
    return frozenset(word.lower() for word in words)


def _read_encoder(name: str | None) -> Iterator[str]:
    """The pieces of an encoder's vocabulary, with and without their marks, and its config."""
    if name is None:
        return
    from transformers import AutoConfig, AutoTokenizer  # they load torch: only when needed

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        config = AutoConfig.from_pretrained(name)
    except (OSError, ValueError, ImportError) as error:
        raise BertLstmError("BL307", name=name, reason=first_line(error)) from error
    for piece in tokenizer.get_vocab():
        yield piece
        yield tokenizer.convert_tokens_to_string([piece])
    config._name_or_path = last_part(name)
    yield config.to_json_string(use_diff=False)


def find_settings(path: Path) -> frozenset[str]:
    """Numbers that tell nothing of a patient, since a package's settings or scores are they.

    path (Path): The wheel, file or folder. What a key in a config.cfg or meta.json is set to
        counts, where that is a number and nothing else: people set it, or measured it. What
        stands in a string, such as a path, does not, nor does any word.
    RETURNS (frozenset[str]): To be added to the public words.
    RAISES: BL101 (nothing there), BL108 (unreadable).
    """
    words: set[str] = set()
    for place, data in _read_files(path):
        if place.rpartition("/")[2] in ("config.cfg", "meta.json"):
            words |= find_words("\n".join(_SETTING.findall(_decode(data) or "")))
    return frozenset(words)


def find_private_words(docs: Iterable[Doc], public: frozenset[str]) -> frozenset[str]:
    """Words that only notes hold.

    docs (Iterable[Doc]): Their texts, record names and metadata are read; their labels are
        public.
    public (frozenset[str]): From `find_public_words`.
    RETURNS (frozenset[str]): In their own case.
    """
    words: set[str] = set()
    labels: set[str] = set()
    for doc in docs:
        record = get_record(doc)
        facts = [] if record is None else [record.id, *record.metadata.values()]
        words |= find_words("\n".join([doc.text, str(doc.user_data.get("id", "")), *facts]))
        spans = [*doc.ents, *(span for group in doc.spans.values() for span in group)]
        labels.update(span.label_ for span in spans)
        labels.update(doc.cats)
    public = public | {word.lower() for word in find_words("\n".join(labels))}
    return frozenset(word for word in words if word.lower() not in public)


def find_leaks(path: Path, private: frozenset[str]) -> Iterator[Leak]:
    """Look for words of notes in a wheel, in another file, or in all files of a folder.

    path (Path): The wheel, file or folder.
    private (frozenset[str]): From `find_private_words`.
    RETURNS (Iterator[Leak]): At most one a file and kind.
    RAISES: BL101 (nothing there), BL108 (unreadable).
    """
    lower = frozenset(word.lower() for word in private)
    forms = private | lower
    utf8 = not all(word.isascii() for word in forms)
    for place, data in _read_files(path):
        place = unicodedata.normalize("NFC", place)
        in_name = frozenset(word.lower() for word in find_words(place)) & lower
        for word in sorted(in_name, key=len, reverse=True):
            place = re.sub(re.escape(word), "***", place, flags=re.IGNORECASE)
        if in_name:
            yield Leak(place, "name", in_name)
        text = _decode(data)
        found = set() if text is None else {word.lower() for word in _in_text(text)} & lower
        if text is None or data.startswith(_UTF16):  # chance makes that mark too
            found |= {word.lower() for word in _in_binary(data, utf8=utf8) & forms}
        if found:
            yield Leak(place, "binary" if text is None else "text", frozenset(found))


def _decode(data: bytes) -> str | None:
    try:
        if data.startswith(_UTF16):
            return data.decode("utf-16")
        return data.decode("utf-8") if b"\0" not in data else None
    except UnicodeDecodeError:
        return None


def _in_text(text: str) -> set[str]:
    words = find_words(text)
    if "\\" in text:
        data = text.encode("utf-8", errors="ignore")
        words |= find_words(_unescape(data).decode("utf-8", errors="ignore"))
    return words


def _in_binary(data: bytes, *, utf8: bool) -> set[str]:
    chains: set[bytes] = set()
    for form in (data, _unescape(data)):
        chains.update(_ASCII_CHAIN.findall(form))
        if utf8:
            chains.update(_UTF8_CHAIN.findall(form))
    words = find_words("\n".join(chain.decode("utf-8", errors="ignore") for chain in chains))
    return {word for word in words if len(word.encode("utf-8")) >= _LEAST_BYTES_IN_BINARY}


def _unescape(data: bytes) -> bytes:
    """Undo the escapes of JSON; control characters become a blank."""
    return _ESCAPES.sub(_unescape_one, data)


def _unescape_one(match: re.Match[bytes]) -> bytes:
    codes = b"".join(_HEX.findall(match[0])).decode("ascii")
    # Pairs of escapes stand for one character beyond the first 65,536.
    text = bytes.fromhex(codes).decode("utf-16-be", errors="replace")
    return text.encode("utf-8") or b" "


def _read_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every file and empty folder below a path with its name below it, archives opened."""
    if not path.exists():
        raise BertLstmError("BL101", kind="wheel, file or folder", path=path)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        place = file.relative_to(path).as_posix() if file != path else file.name
        if file.is_dir():
            if not any(file.iterdir()):
                yield f"{place}/", b""
        else:
            try:
                yield from _open(place, file.read_bytes())
            except _Unopened as error:
                reason = f"{error}, which is not opened"
                raise BertLstmError("BL108", path=file, reason=reason) from error
            except OSError as error:
                reason = error.strerror or "a broken archive"
                raise BertLstmError("BL108", path=file, reason=reason) from error
            except _NOT_AN_ARCHIVE as error:
                raise BertLstmError("BL108", path=file, reason="a broken archive") from error


class _Unopened(Exception):
    """A compressed format, by its name, that nothing here can open."""


def _open(place: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    # By the first bytes: weights may hold a zip of their own behind other data.
    for start, name in _NOT_OPENED.items():
        if data.startswith(start):
            raise _Unopened(name)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from _comment(place, archive.comment)
            for member in archive.infolist():
                yield from _comment(f"{place}/{member.filename}", member.comment)
                yield from _open(f"{place}/{member.filename}", archive.read(member))
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for entry in tar:
                notes = [entry.linkname, *map(str, entry.pax_headers.values())]
                yield from _comment(f"{place}/{entry.name}", "\n".join(notes).encode())
                content = tar.extractfile(entry) if entry.isreg() else None
                yield from _open(f"{place}/{entry.name}", content.read() if content else b"")
    elif data.startswith(b"\x1f\x8b"):
        if names := _GZIP_NAMES.match(data):
            yield from _comment(place, (names[1] or names[2]).replace(b"\0", b"\n"))
        yield from _open(place, gzip.decompress(data))
    elif _BZ2.match(data):
        yield from _open_stream(place, data, bz2.BZ2Decompressor())
    elif data.startswith(b"\xfd7zXZ\0"):
        yield from _open_stream(place, data, lzma.LZMADecompressor())
    elif place.endswith(".dist-info/RECORD"):
        yield place, _RECORD_HASH.sub(b"", data)
    elif data[:1] == b"x" and int.from_bytes(data[:2], "big") % 31 == 0:
        try:
            yield from _open_stream(place, data, zlib.decompressobj())
        except (EOFError, zlib.error):  # a text that begins so, or a stream that is cut
            yield place, data
    else:
        yield place, data


def _comment(place: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if data:
        yield f"{place} (comment)", data


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _open_stream(
    place: str, data: bytes, decompressor: _Decompressor
) -> Iterator[tuple[str, bytes]]:
    content = decompressor.decompress(data)
    if not decompressor.eof:
        raise EOFError
    yield from _open(place, content)
    if decompressor.unused_data:  # another stream, or what somebody put there
        yield from _open(place, decompressor.unused_data)
