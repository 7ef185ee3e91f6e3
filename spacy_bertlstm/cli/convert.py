"""`python -m spacy bertlstm convert`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import spacy
import typer
from tqdm import tqdm

from spacy_bertlstm.cli.app import FormatName, app, errors_as_messages, print_report, write_report
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.catalog import FORMATS
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.build import build_doc
from spacy_bertlstm.tokens.corpus import write_docs


@app.command()
def convert(
    format: Annotated[FormatName, typer.Argument(help="The format of the input")],
    input: Annotated[Path, typer.Argument(metavar="IN", help="A folder of annotated notes")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="The .spacy file to write")],
    report_path: Annotated[
        Path | None, typer.Option("--report", help="Write the loss report to this JSON file")
    ] = None,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Go on where annotations are lost")
    ] = False,
    require_annotations: Annotated[
        bool, typer.Option("--require-annotations", help="Refuse records with text only")
    ] = False,
) -> None:
    """Convert annotated notes to a .spacy file, one Doc a record.

    By default any lost annotation makes the conversion fail, and OUT is not written.
    """
    with errors_as_messages():
        if report_path is not None and report_path.resolve() == output.resolve():
            raise BertLstmError("BL113", path=output)
        report = LossReport()
        tokenizer = make_clinical_tokenizer()(spacy.blank("en"))
        chosen = FORMATS[format]
        units = chosen.find(input, require_annotations=require_annotations)
        docs = [
            build_doc(
                record,
                tokenizer,
                report,
                line_sentences=chosen.line_sentences,
                root=unit.root,
            )
            for unit in tqdm(units, desc=f"Converting {input}", unit="file", disable=None)
            for record in chosen.read(unit, report)
        ]
        print_report(report)
        write_report(report, report_path)
        if not allow_loss:
            report.require_no_loss()
        write_docs(docs, output)
        unannotated = sum(not doc.has_annotation("ENT_IOB") for doc in docs if len(doc))
        typer.echo(
            f"{len(docs)} records ({unannotated} without annotations), "
            f"{sum(len(doc) for doc in docs)} tokens, "
            f"{sum(len(doc.ents) for doc in docs)} entities in doc.ents -> {output}"
        )
