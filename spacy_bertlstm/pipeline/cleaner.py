"""The end of a pipeline: Docs without the vectors that only the components needed."""

import numpy
from spacy.language import Language
from spacy.tokens import Doc


@Language.factory("bertlstm_cleaner", assigns=["doc.tensor", "doc._.trf_data"])
def make_cleaner(nlp: Language, name: str) -> "Cleaner":
    """Make the component; see `Cleaner`."""
    return Cleaner()


class Cleaner:
    """Lets go of the outputs of transformer and tok2vec, whose memory each Doc would keep.

    `doc.tensor` becomes what it is on a new Doc. spaCy's own doc_cleaner leaves None there, on
    which `span.as_doc()` and `doc.vector` fail.
    """

    def __call__(self, doc: Doc) -> Doc:
        doc.tensor = numpy.zeros((0,), dtype="float32")
        if Doc.has_extension("trf_data"):
            doc._.trf_data = None
        return doc
