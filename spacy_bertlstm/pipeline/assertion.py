"""Assertion status and other attributes of entities: a classifier that sets `span._.assertion`."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, NamedTuple

import numpy
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d, Ragged
from thinc.util import to_numpy

from spacy_bertlstm.encoder.upstream import require_upstream
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.heads.spans import DocSpans
from spacy_bertlstm.tokens.build import lay_span
from spacy_bertlstm.tokens.extensions import register_extensions, register_span_attribute

DEFAULT_ASSERTION_CONFIG = """
[model]
@architectures = "spacy-bertlstm.SpanClassifier.v1"
hidden_width = 128
context = 32
span_marks = true
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
    "bertlstm_assertion",
    requires=["doc.ents"],
    assigns=["span._.assertion", "span._.assertion_confidence"],
    default_config={
        "model": Config().from_str(DEFAULT_ASSERTION_CONFIG)["model"],
        "scorer": {"@scorers": "spacy-bertlstm.assertion_scorer.v1"},
        "attribute": "assertion",
        "spans": None,
        "types": [],
        "train_on": "gold",
        "overwrite": False,
        "balance": 0.0,
        "loss_weight": 1.0,
    },
    default_score_weights={
        "assertion_micro_f": 1.0,
        "assertion_micro_p": 0.0,
        "assertion_micro_r": 0.0,
        "assertion_macro_f": 0.0,
        "assertion_per_type": None,
    },
)
def make_assertion(
    nlp: Language,
    name: str,
    model: Model[DocSpans, Floats2d],
    scorer: Callable[..., dict[str, Any]] | None,
    attribute: str,
    spans: str | None,
    types: list[str],
    train_on: str,
    overwrite: bool,
    balance: float,
    loss_weight: float,
) -> "BertLstmAssertion":
    """Make the component; see `BertLstmAssertion`."""
    register_extensions()
    return BertLstmAssertion(
        nlp.vocab,
        model,
        name,
        scorer=scorer,
        attribute=attribute,
        spans=spans,
        types=types,
        train_on=train_on,
        overwrite=overwrite,
        balance=balance,
        loss_weight=loss_weight,
    )


class Verdict(NamedTuple):
    """What a model thinks of a span.

    span (Span): As it stands on its Doc.
    value (str): One of the labels.
    confidence (float): Its probability.
    """

    span: Span
    value: str
    confidence: float


class BertLstmAssertion(TrainablePipe):
    """Tells one attribute of each entity, such as whether a problem is present or absent.

    It sets `span._.assertion` and `span._.assertion_confidence`, or those of another attribute
    that is trained in the same way: its values are whatever the gold Docs say. A gold span
    without a value teaches nothing.

    vocab (Vocab): The pipeline's.
    model (Model[tuple[list[Doc], Ragged], Floats2d]): Usually spacy-bertlstm.SpanClassifier.v1.
    name (str): The component's name, and the key of its loss.
    scorer (Callable | None): Usually spacy-bertlstm.assertion_scorer.v1.
    attribute (str): What stands behind `span._.`.
    spans (str | None): A key of `doc.spans`; None for `doc.ents`.
    types (Iterable[str]): Labels of the spans to be read; empty for all.
    train_on (str): "gold" for the gold Docs' spans; "predicted" for those on the predicted Docs
        that gold Docs have with the same label, which an annotating component set.
    overwrite (bool): Whether values that stand on spans before are set anew.
    balance (float): The power of a label's rareness that its spans count with in the loss.
    loss_weight (float): What its loss counts beside those of components on the same encoder.
    RAISES: BL341, BL343, BL344, BL650 (no such attribute, spans to train on, balance, weight).
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[DocSpans, Floats2d],
        name: str = "assertion",
        *,
        scorer: Callable[..., dict[str, Any]] | None = None,
        attribute: str = "assertion",
        spans: str | None = None,
        types: Iterable[str] = (),
        train_on: str = "gold",
        overwrite: bool = False,
        balance: float = 0.0,
        loss_weight: float = 1.0,
    ) -> None:
        register_span_attribute(attribute)
        if train_on not in ("gold", "predicted"):
            raise BertLstmError("BL343", name=name, train_on=train_on)
        if balance < 0:
            raise BertLstmError("BL344", name=name, balance=balance)
        if loss_weight <= 0:
            raise BertLstmError("BL650", name=name, value=loss_weight)
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.attribute = attribute
        self.spans = spans
        self.types = frozenset(types)
        self.train_on = train_on
        self.overwrite = overwrite
        self.balance = balance
        self.loss_weight = loss_weight
        self.cfg: dict[str, Any] = {"labels": [], "weights": []}

    @property
    def labels(self) -> tuple[str, ...]:
        """The attribute's values, in the order of the model's outputs."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> tuple[str, ...]:
        """What `spacy init labels` stores."""
        return self.labels

    def add_label(self, label: str) -> int:
        """Add a value before initialization.

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
        labels (list[str] | None): The values; by default all that the gold spans have.
        RAISES: BL342 where there are none, BL346 where the config's nO is another.
        """
        validate_get_examples(get_examples, "BertLstmAssertion.initialize")
        counts: Counter[str] = Counter()
        if labels is None or self.balance:
            gold = (span for eg in get_examples() for span in self._find_spans(eg.reference))
            values = (span._.get(self.attribute) for span in gold)
            counts.update(value for value in values if value is not None)
        for label in sorted(counts) if labels is None else labels:
            self.add_label(label)
        if not self.labels:
            raise BertLstmError("BL342", name=self.name, attribute=self.attribute)
        self.cfg["weights"] = self._weigh_labels(counts)
        output = self.model.get_ref("output")
        nO = output.get_dim("nO") if output.has_dim("nO") else len(self.labels)
        if nO != len(self.labels):
            raise BertLstmError("BL346", name=self.name, nO=nO, labels=len(self.labels))
        output.set_dim("nO", nO)
        require_upstream(self.model, [], self.name)
        sample = [eg.reference for eg in islice(get_examples(), 10) if len(eg.reference)]
        # Without a span there would be nothing to tell widths by.
        self.model.initialize(X=self._join(sample, [[doc[:1]] for doc in sample]))

    def _weigh_labels(self, counts: Counter[str]) -> list[float]:
        """What a span of each label counts in the loss, in training 1 on the mean."""
        seen = numpy.asarray([max(counts[label], 1) for label in self.labels], dtype="float64")
        weights = seen**-self.balance
        return (weights * seen.sum() / (weights * seen).sum()).tolist()

    def _find_spans(self, doc: Doc) -> list[Span]:
        """The spans of a Doc that the component reads."""
        if self.spans is None:
            found: Iterable[Span] = doc.ents
        else:
            found = doc.spans.get(self.spans, ())
        return [
            span for span in found if len(span) and (not self.types or span.label_ in self.types)
        ]

    def _join(self, docs: list[Doc], spans: list[list[Span]]) -> DocSpans:
        """The spans of a batch as the model takes them."""
        ops = self.model.ops
        edges = [(span.start, span.end) for found in spans for span in found]
        return docs, Ragged(
            # Without a span the shape would be another.
            ops.asarray2i(edges) if edges else ops.alloc2i(0, 2),
            ops.asarray1i([len(found) for found in spans]),
        )

    def predict(self, docs: Iterable[Doc]) -> list[list[Verdict]]:
        """Judge the spans of a batch, leaving the Docs as they are.

        RETURNS (list[list[Verdict]]): A list a Doc.
        RAISES: BL304 (scores that are not finite), BL322, BL323 (vectors that are not there).
        """
        docs = list(docs)
        spans = [self._find_spans(doc) for doc in docs]
        if not any(spans):
            return [[] for _ in docs]
        require_upstream(self.model, docs, self.name)
        scores = to_numpy(self.model.predict(self._join(docs, spans)))
        if not numpy.isfinite(scores).all():
            raise BertLstmError("BL304", name=self.name)
        values = (self.labels[i] for i in scores.argmax(axis=1))
        judged = zip(values, scores.max(axis=1).tolist(), strict=True)
        return [[Verdict(span, *next(judged)) for span in found] for found in spans]

    def set_annotations(self, docs: Iterable[Doc], predictions: list[list[Verdict]]) -> None:
        """Set the attribute and its confidence, by default where no value stands."""
        # A component that was unpickled in a new process has not passed its factory.
        register_span_attribute(self.attribute)
        for verdicts in predictions:
            # Setting one span's value may show on another that has none of its own.
            open_ones = [
                verdict
                for verdict in verdicts
                if self.overwrite or verdict.span._.get(self.attribute) is None
            ]
            for span, value, confidence in open_ones:
                span._.set(self.attribute, value)
                span._.set(f"{self.attribute}_confidence", confidence)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch.

        examples (Iterable[Example]): Spans without a gold value teach nothing.
        drop (float): The rate of thinc's dropout layers.
        sgd (Optimizer | None): Applied at once where given.
        losses (dict | None): To which the loss is added under the component's name.
        RAISES: BL304 where scores are not finite.
        """
        examples = list(examples)
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        validate_examples(examples, "BertLstmAssertion.update")
        if not any(len(eg.predicted) for eg in examples):
            return losses
        set_dropout_rate(self.model, drop)
        spans = [[span for span, _ in self._read_gold(eg)] for eg in examples]
        # Without any span too: an encoder that others share waits for each gradient.
        scores, backprop = self.model.begin_update(
            self._join([eg.predicted for eg in examples], spans)
        )
        loss, d_scores = self.get_loss(examples, scores)
        backprop(d_scores)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def _read_gold(self, example: Example) -> list[tuple[Span, str | None]]:
        """The predicted Doc's spans to train on, with their gold values where these are known.

        Spans without a value are among them: they stand around the others.
        """
        predicted, gold = example.predicted, self._find_spans(example.reference)
        if self.train_on == "gold":
            laid = ((lay_span(span, predicted), span) for span in gold)
            return [(span, own._.get(self.attribute)) for span, own in laid if span is not None]
        values: dict[tuple[int, int, str], dict[str, str | None]] = defaultdict(dict)
        for span in gold:
            values[_place(span)][span.id_] = span._.get(self.attribute)
        return [
            (span, _choose(values[_place(span)], span.id_)) for span in self._find_spans(predicted)
        ]

    def get_loss(self, examples: Iterable[Example], scores: Floats2d) -> tuple[float, Floats2d]:
        """The weighted cross-entropy of the gold values and its gradient, both a span that has one.

        examples (Iterable[Example]): The batch.
        scores (Floats2d): The model's, of the spans to train on.
        RAISES: BL304 where scores are not finite.
        """
        index = {label: i for i, label in enumerate(self.labels)}
        values = [value for eg in examples for _, value in self._read_gold(eg)]
        rows = [row for row, value in enumerate(values) if value in index]
        columns = [index[value] for value in values if value in index]
        probs = to_numpy(scores)
        if not numpy.isfinite(probs).all():
            raise BertLstmError("BL304", name=self.name)
        gradient = numpy.zeros_like(probs)
        if not rows:
            return 0.0, self.model.ops.asarray2f(gradient)
        weights = numpy.asarray(self.cfg["weights"], dtype=probs.dtype)[columns]
        weights *= self.loss_weight / len(rows)
        gradient[rows] = probs[rows]
        gradient[rows, columns] -= 1
        gradient[rows] *= weights[:, None]
        likely = numpy.maximum(probs[rows, columns], numpy.finfo(probs.dtype).tiny)
        return float(-(weights * numpy.log(likely)).sum()), self.model.ops.asarray2f(gradient)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score the component's attribute on the spans that it reads."""
        own = {"attribute": self.attribute, "spans": self.spans, "types": self.types}
        return super().score(examples, **own, **kwargs)

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


def _place(span: Span) -> tuple[int, int, str]:
    return span.start_char, span.end_char, span.label_


def _choose(by_id: dict[str, str | None], span_id: str) -> str | None:
    """The value of the gold span with an id, or the one that all gold spans there have."""
    if span_id in by_id:
        return by_id[span_id]
    values = set(by_id.values())
    return values.pop() if len(values) == 1 else None
