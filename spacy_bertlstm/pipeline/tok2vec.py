"""One BiLSTM for several heads: spaCy's tok2vec, which makes no vectors up."""

from collections.abc import Callable, Iterable

from spacy.language import Language
from spacy.pipeline import Tok2Vec
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config, Model, Optimizer
from thinc.types import Floats2d

from spacy_bertlstm.encoder.upstream import require_upstream

DEFAULT_TOK2VEC_CONFIG = """
[model]
@architectures = "spacy-bertlstm.BertBiLSTM.v1"
hidden_width = 256
depth = 2
dropout = 0.3
join_input = false

[model.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
grad_factor = 1.0
upstream = "*"

[model.tok2vec.pooling]
@layers = "reduce_mean.v1"
"""


@Language.factory(
    "bertlstm_tok2vec",
    assigns=["doc.tensor"],
    default_config={"model": Config().from_str(DEFAULT_TOK2VEC_CONFIG)["model"]},
)
def make_tok2vec(
    nlp: Language, name: str, model: Model[list[Doc], list[Floats2d]]
) -> "SharedTok2Vec":
    """Make the component; see `SharedTok2Vec`."""
    return SharedTok2Vec(nlp.vocab, model, name)


class SharedTok2Vec(Tok2Vec):
    """spaCy's `tok2vec`, which refuses Docs that its own upstream has left without vectors.

    spaCy's would compute vectors from zeros, and the heads would not notice. Heads listen to
    it by spacy.Tok2VecListener.v1.
    """

    def initialize(
        self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None
    ) -> None:
        """Build the model for training.

        RAISES: BL322 without a transformer to listen to.
        """
        require_upstream(self.model, [], self.name)
        super().initialize(get_examples, nlp=nlp)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Take part in a batch that the heads learn from; one of empty Docs is left out."""
        examples = list(examples)
        losses = {} if losses is None else losses
        if any(len(eg.predicted) for eg in examples):
            return super().update(examples, drop=drop, sgd=sgd, losses=losses)
        losses.setdefault(self.name, 0.0)
        return losses

    def predict(self, docs: Iterable[Doc]) -> list[Floats2d]:
        """Compute the vectors of a batch.

        RAISES: BL322, BL323 where the vectors that it listens to are missing, or others.
        """
        docs = list(docs)
        require_upstream(self.model, docs, self.name)
        vectors: list[Floats2d] = super().predict(docs)
        return vectors
