"""Clinical named-entity recognition: a BiLSTM-CRF tagger that sets `doc.ents`."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d

from spacy_bertlstm.encoder.upstream import require_upstream
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.heads.crf import IMPOSSIBLE, CrfScores, Legality, crf_decode, crf_loss
from spacy_bertlstm.tags import (
    decode_tags,
    legal_ends,
    legal_starts,
    legal_transitions,
    make_tags,
)

DEFAULT_NER_CONFIG = """
[model]
@architectures = "spacy-bertlstm.CrfTagger.v1"
nO = null

[model.tok2vec]
@architectures = "spacy-bertlstm.BertBiLSTM.v1"
hidden_width = 256
depth = 2
dropout = 0.3

[model.tok2vec.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
grad_factor = 1.0
upstream = "*"

[model.tok2vec.tok2vec.pooling]
@layers = "reduce_mean.v1"
"""


@Language.factory(
    "bertlstm_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": Config().from_str(DEFAULT_NER_CONFIG)["model"],
        "scorer": {"@scorers": "spacy.ner_scorer.v1"},
    },
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_ner(
    nlp: Language,
    name: str,
    model: Model[list[Doc], CrfScores],
    scorer: Callable[..., dict[str, Any]] | None,
) -> "BertLstmNer":
    """Make the component; see `BertLstmNer`."""
    return BertLstmNer(nlp.vocab, model, name, scorer=scorer)


class BertLstmNer(TrainablePipe):
    """Finds entities that do not overlap, with a linear-chain CRF over BILUO tags.

    vocab (Vocab): The pipeline's.
    model (Model[list[Doc], CrfScores]): Usually spacy-bertlstm.CrfTagger.v1.
    name (str): The component's name, and the key of its loss.
    scorer (Callable | None): By default spaCy's own, with keys such as `ents_f`.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], CrfScores],
        name: str = "ner",
        *,
        scorer: Callable[..., dict[str, Any]] | None = get_ner_prf,
    ) -> None:
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.cfg: dict[str, Any] = {"labels": []}

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types, in the order of their tags."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> tuple[str, ...]:
        """What `spacy init labels` stores."""
        return self.labels

    @property
    def tags(self) -> tuple[str, ...]:
        """The BILUO tags, in the order of the model's outputs."""
        return make_tags(self.labels)

    def add_label(self, label: str) -> int:
        """Add an entity type before initialization.

        RETURNS (int): 0 if it was known, else 1.
        RAISES: BL302 (not a usable name), BL303 (the model is initialized).
        """
        if not isinstance(label, str) or not label:
            raise BertLstmError("BL302", name=self.name, label=repr(label))
        if label in self.labels:
            return 0
        if self.model.get_ref("succession").has_param("transitions"):
            raise BertLstmError("BL303", name=self.name, label=label)
        self.cfg["labels"].append(label)
        self.vocab.strings.add(label)
        return 1

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | None = None,
    ) -> None:
        """Set the labels and build the model for training.

        get_examples (Callable): Gives representative gold-standard Examples.
        nlp (Language | None): The pipeline.
        labels (list[str] | None): The entity types; by default all that the Examples hold.
        RAISES: BL301 where there are none, BL308 where the config's nO is another.
        """
        validate_get_examples(get_examples, "BertLstmNer.initialize")
        if labels is None:
            labels = sorted({ent.label_ for eg in get_examples() for ent in eg.reference.ents})
        for label in labels:
            self.add_label(label)
        if not self.labels:
            raise BertLstmError("BL301", name=self.name)
        for ref in ("output", "succession"):
            layer = self.model.get_ref(ref)
            nO = layer.get_dim("nO") if layer.has_dim("nO") else len(self.tags)
            if nO != len(self.tags):
                raise BertLstmError("BL308", name=self.name, nO=nO, tags=len(self.tags))
            layer.set_dim("nO", nO)
        require_upstream(self.model, [], self.name)
        sample = [eg.reference for eg in islice(get_examples(), 10) if len(eg.reference)]
        self.model.initialize(X=sample)

    def predict(self, docs: Iterable[Doc]) -> list[list[Span]]:
        """Find the entities of a batch, leaving the Docs as they are.

        RETURNS (list[list[Span]]): One list a Doc.
        """
        docs = list(docs)
        full = [doc for doc in docs if len(doc)]
        if not full:
            return [[] for _ in docs]
        require_upstream(self.model, full, self.name)
        scores = self.model.predict(full)
        scores.emissions = [
            self._keep_off_space(doc, emissions)
            for doc, emissions in zip(full, scores.emissions, strict=True)
        ]
        paths = iter(crf_decode(scores, _legality(self.tags)))
        tags = self.tags
        return [
            [
                Span(doc, start, end, label=label)
                for start, end, label in decode_tags([tags[i] for i in next(paths)])
            ]
            if len(doc)
            else []
            for doc in docs
        ]

    def _keep_off_space(self, doc: Doc, emissions: Floats2d) -> Floats2d:
        """Let no entity begin or end on a whitespace token."""
        space = [token.i for token in doc if token.is_space]
        if not space:
            return emissions
        edges = [i for i, tag in enumerate(self.tags) if tag[0] in "BLU"]
        emissions = emissions.copy()
        emissions[self.model.ops.xp.ix_(space, edges)] = IMPOSSIBLE
        return emissions

    def set_annotations(self, docs: Iterable[Doc], predictions: list[list[Span]]) -> None:
        """Set `doc.ents`; whatever stood there goes."""
        for doc, entities in zip(docs, predictions, strict=True):
            doc.set_ents(entities, default="outside")

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch.

        examples (Iterable[Example]): Tokens without gold annotation teach nothing.
        drop (float): The rate of thinc's dropout layers.
        sgd (Optimizer | None): Applied at once where given.
        losses (dict | None): To which the loss is added under the component's name.
        RAISES: BL304 where scores are not finite.
        """
        examples = list(examples)
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        validate_examples(examples, "BertLstmNer.update")
        if not any(len(eg.predicted) for eg in examples):
            return losses
        set_dropout_rate(self.model, drop)
        scores, backprop = self.model.begin_update([eg.predicted for eg in examples])
        loss, d_scores = self.get_loss(examples, scores)
        backprop(d_scores)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def get_loss(self, examples: Iterable[Example], scores: CrfScores) -> tuple[float, CrfScores]:
        """The negative log-likelihood of the gold tags and its gradient, both a token.

        examples (Iterable[Example]): The batch.
        scores (CrfScores): The model's, for the predicted Docs.
        """
        examples = list(examples)
        ops = self.model.ops
        full = [i for i, eg in enumerate(examples) if len(eg.predicted)]
        present = CrfScores(
            [scores.emissions[i] for i in full], scores.starts, scores.ends, scores.transitions
        )
        allowed = [self._allowed_tags(examples[i]) for i in full]
        loss, gradient = crf_loss(ops, present, allowed, _legality(self.tags))
        if not numpy.isfinite(loss):
            raise BertLstmError("BL304", name=self.name)
        n_words = sum(len(eg.predicted) for eg in examples)
        emissions = [ops.alloc2f(0, len(self.tags)) for _ in examples]
        for i, d_emissions in zip(full, gradient.emissions, strict=True):
            emissions[i] = d_emissions / n_words
        return loss / n_words, CrfScores(
            emissions,
            gradient.starts / n_words,
            gradient.ends / n_words,
            gradient.transitions / n_words,
        )

    def _allowed_tags(self, example: Example) -> numpy.ndarray:
        """The tags that each token may have as far as the gold Doc tells, (length, n_tags)."""
        index = {tag: i for i, tag in enumerate(self.tags)}
        allowed = numpy.zeros((len(example.predicted), len(index)), dtype=bool)
        for row, tag in zip(allowed, example.get_aligned_ner(), strict=True):
            if tag in (None, "-"):  # missing, or not aligned with the gold tokens
                row[:] = True
            else:  # an entity of a type that is not among the labels is outside of all
                row[index.get(tag, 0)] = True
        return allowed


@lru_cache
def _legality(tags: tuple[str, ...]) -> Legality:
    return Legality(legal_starts(tags), legal_ends(tags), legal_transitions(tags))
