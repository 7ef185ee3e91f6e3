"""The command group, and what its commands share."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import spacy
import typer
from spacy.cli._util import app as spacy_app
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import is_package, minibatch

from spacy_bertlstm.errors import BertLstmError, first_line
from spacy_bertlstm.files import written_to
from spacy_bertlstm.formats.catalog import FORMATS
from spacy_bertlstm.formats.sources import read_text, require_unicode, visible_files
from spacy_bertlstm.losses import Account
from spacy_bertlstm.tokens.corpus import read_docs

app = typer.Typer(
    name="bertlstm",
    help="Convert annotated clinical notes; train, calibrate, score and ship pipelines.",
    no_args_is_help=True,
)
spacy_app.add_typer(app)

_MOST_SHOWN = 10
# The names in the table of formats, as typer wants choices.
FormatName = StrEnum("FormatName", {name: name for name in FORMATS})  # type: ignore[misc]


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """End a command with one line and exit code 1 where the input is at fault.

    A signal to end makes it take away what it has begun to write, as Ctrl-C does.
    """
    try:
        with _unwound_by_signals():
            yield
    except BertLstmError as error:
        typer.secho(f"✘ {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None


@contextmanager
def _unwound_by_signals() -> Iterator[None]:
    def end(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)  # as a shell tells of it

    found = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    # Not those that the caller, such as nohup, has made up its mind on.
    numbers = [n for n in found if n is not None and signal.getsignal(n) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # which alone may say what is done
    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def use_gpu(gpu_id: int, *, silent: bool = True) -> None:
    """Have everything run on a GPU, or on the CPU.

    gpu_id (int): -1 is the CPU.
    silent (bool): Do not print which it is.
    RAISES: BL518 (no such GPU, or no cupy).
    """
    try:
        setup_gpu(gpu_id, silent=silent)
    except (ValueError, RuntimeError) as error:  # the latter from cupy
        raise BertLstmError("BL518", gpu_id=gpu_id, reason=first_line(error)) from error


def load_pipeline(model: str) -> Language:
    """Load a trained pipeline that a user named.

    model (str): Its folder, or the name of an installed package.
    RAISES: BL315 (not loadable), or the package's own errors on what stands in it.
    """
    try:
        return spacy.load(model)
    except BertLstmError:
        raise
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise BertLstmError("BL315", path=model, reason=first_line(error)) from error


def find_docs(
    source: str, texts: Sequence[Path] | None
) -> tuple[Iterator[Doc], Mapping[str, Any] | None]:
    """The Docs that a user named: in a .spacy file, or what a pipeline makes of notes.

    source (str): A .spacy file or a folder of them; with `texts` a pipeline.
    texts (Sequence[Path] | None): Text files, or folders of .txt files, for it to read.
    RETURNS (tuple[Iterator[Doc], Mapping | None]): The Docs, each to be let go of before the
        next one is taken, and the pipeline's meta.
    RAISES: BL101 (no such file), BL102 (no .txt file in a folder), BL111, BL112 (two notes of one
        name), BL315 (no pipeline), BL640 (a pipeline without notes); when read, those of
        `read_docs` and `read_text`.
    """
    if not texts:
        if (Path(source) / "config.cfg").is_file() or is_package(source):
            raise BertLstmError("BL640", path=source)
        return read_docs(Path(source)), None
    files: dict[str, Path] = {}
    for file in _list_notes(texts):
        require_unicode(file.stem)
        if file.stem in files:
            raise BertLstmError("BL112", record=file.stem)
        files[file.stem] = file
    nlp = load_pipeline(source)
    return _predict(nlp, files), nlp.meta


def _list_notes(texts: Sequence[Path]) -> Iterator[Path]:
    for path in texts:
        if path.is_dir():
            found = [file for file in visible_files(path) if file.suffix.lower() == ".txt"]
            if not found:
                raise BertLstmError("BL102", path=path, suffixes=".txt")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise BertLstmError("BL101", path=path, kind="file")


def _predict(nlp: Language, files: Mapping[str, Path]) -> Iterator[Doc]:
    for batch in minibatch(files.items(), nlp.batch_size):
        with nlp.memory_zone():  # the words of the notes do not pile up
            docs = []
            for name, file in batch:
                doc = nlp.make_doc(read_text(file))
                doc.user_data["id"] = name
                docs.append(doc)
            yield from nlp.pipe(docs)


def require_spared(output: Path | None, suffix: str, *inputs: Path) -> None:
    """Make sure that what a command writes replaces nothing that it reads.

    output (Path | None): The file to write, if any.
    suffix (str): Of earlier output, which alone may be replaced inside a folder that is read.
    inputs (Path): Files and folders to read.
    RAISES: BL109 (no name of a file), BL121.
    """
    if output is None:
        return
    with written_to(output):
        if not output.is_file():
            return
        place = output.resolve()
    for source in inputs:
        inside = place.is_relative_to(source.resolve()) and place.suffix.lower() != suffix
        if inside or place == source.resolve():
            raise BertLstmError("BL121", path=output)


def print_account(account: Account) -> None:
    """Print what was read, kept, lost and left out, and why."""
    typer.echo(f"{'annotations':<14}{'read':>8}{'kept':>8}{'lost':>8}")
    for kind, read in account.read.items():
        kept = account.kept[kind]
        typer.echo(f"{kind:<14}{read:>8}{kept:>8}{read - kept:>8}")
    for reason, count in account.notes.most_common(_MOST_SHOWN):
        typer.echo(f"note: {count} x {reason}")
    for (kind, label), count in account.unmapped.most_common():
        typer.echo(f"unmapped: {count} x {kind} {label}")
    for finding in account.first_lost[:_MOST_SHOWN]:
        typer.secho(f"lost: {finding.place}: {finding.reason}", fg=typer.colors.YELLOW, err=True)
    hidden = account.lost - _MOST_SHOWN
    if hidden > 0:
        typer.secho(f"lost: {hidden} more; --report FILE.json lists all", err=True)
    for part in account.quarantined:
        typer.secho(f"left out: {part.message}", fg=typer.colors.YELLOW, err=True)
