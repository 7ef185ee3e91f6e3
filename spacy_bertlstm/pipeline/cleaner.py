"""The end of a pipeline: Docs without the vectors that only the components needed."""

from spacy.language import Language
from spacy.tokens import Doc

from spacy_bertlstm.tokens.vectors import drop_vectors


@Language.factory("bertlstm_cleaner", assigns=["doc.tensor", "doc._.trf_data"])
def make_cleaner(nlp: Language, name: str) -> "Cleaner":
    """Make the component; see `Cleaner`."""
    return Cleaner()


class Cleaner:
    """Lets go of the outputs of transformer and tok2vec, whose memory each Doc would keep."""

    def __call__(self, doc: Doc) -> Doc:
        return drop_vectors(doc)
