"""Clinical named-entity recognition: a BiLSTM-CRF tagger that sets `doc.ents`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy
from spacy.attrs import ENT_IOB, ENT_TYPE, IS_SPACE, ORTH
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import minibatch
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate
from thinc.util import to_numpy

from spacy_bertlstm.encoder.upstream import require_upstream
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.heads.crf import (
    LARGEST_SCORE,
    CrfScores,
    Lattice,
    Legality,
    TagRun,
    crf_decode,
    crf_log_probs,
    crf_loss,
    make_lattice,
)
from spacy_bertlstm.tags import (
    decode_tags,
    legal_ends,
    legal_starts,
    legal_transitions,
    make_tags,
    span_tags,
)
from spacy_bertlstm.tokens.extensions import register_extensions

# spaCy's values of token.ent_iob.
_INSIDE, _OUTSIDE, _BEGIN = 1, 2, 3

# Docs whose loss is calculated in one run, which bounds its memory.
_SCORED_AT_ONCE = 32

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
    assigns=["doc.ents", "token.ent_iob", "token.ent_type", "span._.confidence"],
    default_config={
        "model": Config().from_str(DEFAULT_NER_CONFIG)["model"],
        "scorer": {"@scorers": "spacy.ner_scorer.v1"},
        "score_loss": False,
    },
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_ner(
    nlp: Language,
    name: str,
    model: Model[list[Doc], CrfScores],
    scorer: Callable[..., dict[str, Any]] | None,
    score_loss: bool,
) -> "BertLstmNer":
    """Make the component; see `BertLstmNer`."""
    register_extensions()
    return BertLstmNer(nlp.vocab, model, name, scorer=scorer, score_loss=score_loss)


@dataclass(frozen=True)
class Decoding:
    """What a model finds in a batch, and what it thinks of it; holds no Docs.

    spans (list[list[tuple[int, int, str]]]): (start, end, label) in tokens, one list a Doc,
        without entities that stood on the Doc before.
    paths (list[numpy.ndarray]): The tag of each token of each Doc.
    lattice (Lattice): The scores, with what cannot be ruled out.
    emissions (Sequence[Any]): The model's own, one (length, n_tags) array a Doc.
    """

    spans: list[list[tuple[int, int, str]]]
    paths: list[numpy.ndarray]
    lattice: Lattice
    emissions: Sequence[Any]

    def confidences(self, temperature: float) -> list[list[float]]:
        """The probability of each span with its boundaries and its label.

        temperature (float): Divides the scores; it changes no span.
        """
        tag_runs: list[list[TagRun]] = [
            [(start, path[start:end]) for start, end, _ in spans]
            for spans, path in zip(self.spans, self.paths, strict=True)
        ]
        log_probs = crf_log_probs(self.lattice, tag_runs, temperature=temperature)
        # Rounding may leave the log of a certainty a little above zero.
        return [numpy.exp(numpy.minimum(values, 0)).tolist() for values in log_probs]


@dataclass(frozen=True)
class Prediction:
    """What is to be set on a Doc.

    entities (list[Span]): In order, those that stood on the Doc before among them.
    confidences (list[float | None]): Of each entity; None of one that stood there before.
    emissions (numpy.ndarray | None): Kept for `score_loss`, (length, n_tags).
    """

    entities: list[Span]
    confidences: list[float | None]
    emissions: numpy.ndarray | None = None


class BertLstmNer(TrainablePipe):
    """Finds entities that do not overlap, by the best legal path of BILUO tags.

    Entities and blocked tokens that stand on a Doc stay, as with spaCy's own `ner`, and the
    path is the best one around them; what was O may become an entity. `span._.confidence` of
    each entity found is its exact probability, given what stood there.

    Gold annotation may be missing, token by token, in spaCy's way; the loss sums over every
    way to complete it. Spans known to be wrong (`incorrect_spans_key` of spaCy's `ner`) are
    not learned from.

    vocab (Vocab): The pipeline's.
    model (Model[list[Doc], CrfScores]): Usually spacy-bertlstm.CrfTagger.v1.
    name (str): The component's name, and the key of its loss.
    scorer (Callable | None): By default spaCy's own, with keys such as `ents_f`.
    score_loss (bool): Score the loss too: `ents_loss`, and for `training.score_weights`, where
        more is better, its negative `ents_neg_loss`. The component's scores then ride in
        `doc.user_data`, one number a token and tag.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], CrfScores],
        name: str = "ner",
        *,
        scorer: Callable[..., dict[str, Any]] | None = get_ner_prf,
        score_loss: bool = False,
    ) -> None:
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.score_loss = score_loss
        self.cfg: dict[str, Any] = {"labels": [], "temperature": 1.0}

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

    @property
    def temperature(self) -> float:
        """What scores are divided by for confidences; 'bertlstm calibrate' fits it.

        RAISES: BL311 when set to what is not a number from 1e-6 to 1e6: beyond, scores would come
            near to those of what cannot be.
        """
        return float(self.cfg["temperature"])

    @temperature.setter
    def temperature(self, temperature: float) -> None:
        if not isinstance(temperature, float | int) or not 1e-6 <= temperature <= 1e6:
            raise BertLstmError("BL311", name=self.name, temperature=temperature)
        self.cfg["temperature"] = float(temperature)

    def add_label(self, label: str) -> int:
        """Add an entity type before initialization.

        RETURNS (int): 0 if it was known, else 1.
        RAISES: BL302 (not a usable name), BL303 (the model is initialized).
        """
        if not isinstance(label, str) or not label:
            raise BertLstmError("BL302", name=self.name, label=repr(label))
        if label in self.labels:
            return 0
        if self.model.get_ref("output").has_param("W"):
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
        for ref in ("output", "transitions"):
            layer = self.model.get_ref(ref)
            nO = layer.get_dim("nO") if layer.has_dim("nO") else len(self.tags)
            if nO != len(self.tags):
                raise BertLstmError("BL308", name=self.name, nO=nO, tags=len(self.tags))
            layer.set_dim("nO", nO)
        require_upstream(self.model, [], self.name)
        sample = [eg.reference for eg in islice(get_examples(), 10) if len(eg.reference)]
        self.model.initialize(X=sample)

    def predict(self, docs: Iterable[Doc]) -> list[Prediction]:
        """Find the entities of a batch, leaving the Docs as they are.

        RETURNS (list[Prediction]): One a Doc.
        """
        docs = list(docs)
        if not any(len(doc) for doc in docs):
            return [Prediction([], []) for _ in docs]
        decoding = self.decode(docs)
        confidences = decoding.confidences(self.temperature)
        predictions = []
        for i, doc in enumerate(docs):
            found: list[tuple[Span, float | None]] = [(span, None) for span in doc.ents]
            for (start, end, label), confidence in zip(
                decoding.spans[i], confidences[i], strict=True
            ):
                found.append((Span(doc, start, end, label=label), confidence))
            found.sort(key=lambda pair: pair[0].start)
            predictions.append(
                Prediction(
                    [span for span, _ in found],
                    [confidence for _, confidence in found],
                    to_numpy(decoding.emissions[i]) if self.score_loss else None,
                )
            )
        return predictions

    def decode(self, docs: Sequence[Doc]) -> Decoding:
        """Find the entities of a batch, with what their confidences are calculated from.

        docs (Sequence[Doc]): One with tokens at least.
        RAISES: BL304 (scores not finite or too large), BL322, BL323 (vectors that are not there).
        """
        require_upstream(self.model, docs, self.name)
        scores = self.model.predict(list(docs))
        allowed = [self._tags_beside_preset(doc) for doc in docs]
        largest = [numpy.abs(to_numpy(values)).max(initial=0) for values in scores.emissions]
        if not numpy.max(largest) < LARGEST_SCORE:  # or no number
            raise BertLstmError("BL304", name=self.name)
        lattice = make_lattice(scores, _legality(self.tags), allowed)
        paths = crf_decode(lattice)
        tags = self.tags
        spans = []
        for doc, path in zip(docs, paths, strict=True):
            preset = {ent.start for ent in doc.ents}
            found = decode_tags([tags[i] for i in path])
            spans.append([span for span in found if span[0] not in preset])
        return Decoding(spans, paths, lattice, scores.emissions)

    def _tags_beside_preset(self, doc: Doc) -> numpy.ndarray | None:
        """The tags that are open to each token, (length, n_tags); None where all are.

        No entity begins or ends on a whitespace token. Entities that stand there keep their
        tags. Blocked tokens are outside, and so, for all that the model can tell, are
        entities of types that it does not know. Thus O stays open wherever no tag is fixed,
        and there is always a legal path.
        """
        iob, types, space = doc.to_array([ENT_IOB, ENT_TYPE, IS_SPACE]).T
        if not (space.any() or numpy.isin(iob, (_INSIDE, _BEGIN)).any()):
            return None
        index = {tag: i for i, tag in enumerate(self.tags)}
        edges = numpy.asarray([tag[0] in "BLU" for tag in index])
        allowed = ~numpy.outer(space > 0, edges)
        allowed[(iob == _BEGIN) & (types == 0), 1:] = False
        for ent in doc.ents:
            allowed[ent.start : ent.end] = False
            for i, tag in enumerate(span_tags(len(ent), ent.label_), start=ent.start):
                allowed[i, index.get(tag, 0)] = True
        return allowed

    def set_annotations(self, docs: Iterable[Doc], predictions: list[Prediction]) -> None:
        """Set `doc.ents` and `span._.confidence`; blocked tokens stay blocked."""
        # A component that was unpickled in a new process has not passed its factory.
        register_extensions()
        for doc, prediction in zip(docs, predictions, strict=True):
            iob, types = doc.to_array([ENT_IOB, ENT_TYPE]).T
            blocked = numpy.flatnonzero((iob == _BEGIN) & (types == 0)).tolist()
            doc.set_ents(
                prediction.entities, blocked=[doc[i : i + 1] for i in blocked], default="outside"
            )
            for span, confidence in zip(prediction.entities, prediction.confidences, strict=True):
                if confidence is not None:
                    span._.confidence = confidence
            if prediction.emissions is not None:
                doc.user_data[self._emissions_key] = prediction.emissions

    @property
    def _emissions_key(self) -> str:
        return f"{self.name}_emissions"

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
        scores (CrfScores): The model's, for the predicted Docs; one with tokens at least.
        RAISES: BL304 where scores are not finite.
        """
        examples = list(examples)
        allowed = [self._tags_of_gold(example) for example in examples]
        legality = _legality(self.tags, self.model.attrs["legal_paths_only"])
        loss, gradient = crf_loss(scores, allowed, legality)
        if not numpy.isfinite(loss):
            raise BertLstmError("BL304", name=self.name)
        n_words = sum(len(eg.predicted) for eg in examples)
        return loss / n_words, CrfScores(
            [d_emissions / n_words for d_emissions in gradient.emissions],
            gradient.starts / n_words,
            gradient.ends / n_words,
            gradient.transitions / n_words,
        )

    def _tags_of_gold(self, example: Example) -> numpy.ndarray:
        """The tags that each token may have as far as the gold Doc tells, (length, n_tags)."""
        index = {tag: i for i, tag in enumerate(self.tags)}
        tags = _align_gold_tags(example)
        # An entity of a type that is not among the labels is outside of all.
        allowed = numpy.eye(len(index), dtype=bool)[[index.get(tag or "", 0) for tag in tags]]
        # Missing, or not aligned with the gold tokens.
        allowed[[tag in (None, "-") for tag in tags]] = True
        return allowed

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score what the component has set on the predicted Docs.

        RETURNS (dict[str, Any]): The scorer's keys; with `score_loss` also `ents_loss`, the
            negative log-likelihood of the gold a token, and `ents_neg_loss`.
        RAISES: BL312 where a Doc does not carry the component's scores.
        """
        examples = list(examples)
        scores: dict[str, Any] = super().score(examples, **kwargs)
        if self.score_loss:
            loss = self._mean_loss([eg for eg in examples if len(eg.predicted)])
            scores["ents_loss"] = loss
            scores["ents_neg_loss"] = None if loss is None else -loss
        return scores

    def _mean_loss(self, examples: list[Example]) -> float | None:
        if not all(self._emissions_key in eg.predicted.user_data for eg in examples):
            raise BertLstmError("BL312", name=self.name)
        transitions = self.model.get_ref("transitions")
        total = 0.0
        for batch in minibatch(examples, _SCORED_AT_ONCE):
            kept = [eg.predicted.user_data[self._emissions_key] for eg in batch]
            scores = transitions.predict([self.model.ops.asarray2f(values) for values in kept])
            total += self.get_loss(batch, scores)[0] * sum(len(eg.predicted) for eg in batch)
        n_words = sum(len(eg.predicted) for eg in examples)
        return total / n_words if n_words else None

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
        **config: Any,
    ) -> dict[str, float]:
        """Refuse what `nlp.rehearse` asks for.

        RAISES: BL310.
        """
        raise BertLstmError("BL310", name=self.name)


def _align_gold_tags(example: Example) -> list[str | None]:
    """What `example.get_aligned_ner` gives, sooner where both Docs have the same tokens."""
    gold = example.reference
    if not numpy.array_equal(example.predicted.to_array(ORTH), gold.to_array(ORTH)):
        return list(example.get_aligned_ner())
    iob, space = gold.to_array([ENT_IOB, IS_SPACE]).T
    outside = ((iob == _OUTSIDE) | (space > 0)) & iob.any()
    tags: list[str | None] = ["O" if is_outside else None for is_outside in outside.tolist()]
    for ent in gold.ents:
        tags[ent.start : ent.end] = span_tags(len(ent), ent.label_)
    return tags


@lru_cache
def _legality(tags: tuple[str, ...], legal_paths_only: bool = True) -> Legality:
    """What may follow what; without `legal_paths_only` all may follow all."""
    rules = (legal_starts(tags), legal_ends(tags), legal_transitions(tags))
    return Legality(*(rule if legal_paths_only else numpy.ones_like(rule) for rule in rules))
