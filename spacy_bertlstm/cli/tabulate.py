"""`python -m spacy bertlstm tabulate`"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from spacy_bertlstm.cli.app import app, errors_as_messages, find_docs, require_spared, use_gpu
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.rendering.rows import ENTITY_COLUMNS, RELATION_COLUMNS, doc_to_rows
from spacy_bertlstm.rendering.tables import open_table


@app.command()
def tabulate(
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL_OR_DOCS", help="A .spacy file or a folder of them; or a pipeline"
        ),
    ],
    output: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="The table of entities: .csv, .jsonl or .parquet"),
    ],
    relations_path: Annotated[
        Path | None, typer.Option("--relations", help="Write the table of relations to this file")
    ] = None,
    texts: Annotated[
        list[Path] | None,
        typer.Option(
            "--text",
            help="A text file for the pipeline to read, or a folder of .txt files; may be given "
            "several times",
        ),
    ] = None,
    gpu_id: Annotated[int, typer.Option(help="-1 is the CPU")] = -1,
) -> None:
    """Write entities, and relations if asked, to tables: a row each, in a stream.

    The tables hold words of the notes: keep them where the notes may be kept.
    """
    with errors_as_messages():
        outputs = [output] if relations_path is None else [output, relations_path]
        if relations_path is not None and relations_path.resolve() == output.resolve():
            raise BertLstmError("BL644", path=relations_path)
        for path in outputs:
            require_spared(path, path.suffix.lower(), Path(source), *(texts or ()))
        use_gpu(gpu_id)
        docs, model = find_docs(source, texts)
        n_docs = n_entities = n_relations = 0
        with ExitStack() as stack:
            write_entities = stack.enter_context(open_table(output, ENTITY_COLUMNS))
            write_relations = None
            if relations_path is not None:
                write_relations = stack.enter_context(open_table(relations_path, RELATION_COLUMNS))
            for doc in tqdm(docs, desc=f"Reading {source}", unit="record", disable=None):
                rows = doc_to_rows(doc, model)
                write_entities(rows.entities)
                if write_relations is not None:
                    write_relations(rows.relations)
                n_docs += 1
                n_entities += len(rows.entities)
                n_relations += len(rows.relations)
        typer.echo(f"{n_docs} Docs, {n_entities} entities -> {output}")
        place = relations_path or "nowhere; --relations FILE writes them"
        typer.echo(f"{n_relations} relations -> {place}")
