"""`python -m spacy bertlstm render`"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from spacy_bertlstm.cli.app import app, errors_as_messages, find_docs, require_spared, use_gpu
from spacy_bertlstm.rendering.page import write_page


@app.command()
def render(
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL_OR_DOCS", help="A .spacy file or a folder of them; or a pipeline"
        ),
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="The .html file to write")],
    texts: Annotated[
        list[Path] | None,
        typer.Option(
            "--text",
            help="A text file for the pipeline to read, or a folder of .txt files; may be given "
            "several times",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show so many Docs at most")] = 100,
    gpu_id: Annotated[int, typer.Option(help="-1 is the CPU")] = -1,
) -> None:
    """Show entities, assertions and relations on one HTML page, which needs no network.

    The page holds the text of the notes: keep it where they may be kept.
    """
    with errors_as_messages():
        require_spared(output, ".html", Path(source), *(texts or ()))
        use_gpu(gpu_id)
        docs, model = find_docs(source, texts)
        title = Path(source).name if model is None else "Entities and relations"
        counts = write_page(islice(docs, limit), output, title=title, model=model)
        left = " (there are more; see --limit)" if next(docs, None) is not None else ""
        typer.echo(
            f"{counts.docs} Docs{left}, {counts.entities} entities, "
            f"{counts.relations} relations -> {output}"
        )
