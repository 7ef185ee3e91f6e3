"""The vectors that transformer and tok2vec leave on a Doc."""

import numpy
from spacy.tokens import Doc


def drop_vectors(doc: Doc) -> Doc:
    """Let go of them: `doc.tensor` becomes what it is on a new Doc, `doc._.trf_data` None.

    spaCy's own doc_cleaner leaves None in the tensor's place, on which `span.as_doc()` and
    `doc.vector` fail.

    RETURNS (Doc): The same.
    """
    doc.tensor = numpy.zeros((0,), dtype="float32")
    if Doc.has_extension("trf_data"):
        doc._.trf_data = None
    return doc
