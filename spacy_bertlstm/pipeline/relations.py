"""Clinical relations: which entities of a note relate, and how."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d
from thinc.util import to_numpy

from spacy_bertlstm.encoder.upstream import require_upstream
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.heads.concepts import (
    AGGREGATES,
    Aggregate,
    aggregate_single,
    join_concepts,
)
from spacy_bertlstm.heads.pairs import (
    Candidates,
    LegalTypes,
    PairGenerator,
    pair_all,
    pair_in_sentences,
)
from spacy_bertlstm.heads.relations import RelationInput
from spacy_bertlstm.pipeline.proposals import Decoding, Proposal
from spacy_bertlstm.schemas import get_schema
from spacy_bertlstm.tokens.build import RelationKey
from spacy_bertlstm.tokens.extensions import register_extensions, sound_relations
from spacy_bertlstm.tokens.relations import (
    get_concepts,
    gold_relations,
    is_cut,
    orient,
    wanted_relations,
)

# What may stand in the component's settings.
_CHOICES = {
    "train_on": ("gold", "predicted"),
    "level": ("mention", "concept"),
    "aggregate": tuple(AGGREGATES),
}

DEFAULT_RELATIONS_CONFIG = """
[model]
@architectures = "spacy-bertlstm.RelationClassifier.v1"
hidden_width = 128
type_width = 16
window = 32
max_pairs = 2048
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
    "bertlstm_relations",
    assigns=["doc._.relations", "doc._.concept_relations"],
    default_config={
        "model": Config().from_str(DEFAULT_RELATIONS_CONFIG)["model"],
        "scorer": {"@scorers": "spacy-bertlstm.relation_scorer.v1"},
        "candidates": None,
        "spans": None,
        "schema": None,
        "threshold": 0.5,
        "negative_rate": 1.0,
        "loss_weight": 1.0,
        "train_on": "gold",
        "level": "mention",
        "aggregate": "max",
        "undirected": [],
    },
    default_score_weights={
        "rel_micro_f": 1.0,
        "rel_micro_p": 0.0,
        "rel_micro_r": 0.0,
        "rel_macro_f": 0.0,
        "rel_per_type": None,
        "rel_unreachable": None,
    },
)
def make_relations(
    nlp: Language,
    name: str,
    model: Model[RelationInput, Floats2d],
    scorer: Callable[..., dict[str, Any]] | None,
    candidates: PairGenerator | None,
    spans: str | None,
    schema: str | None,
    threshold: float,
    negative_rate: float,
    loss_weight: float,
    train_on: str,
    level: str,
    aggregate: str,
    undirected: list[str],
) -> "BertLstmRelations":
    """Make the component; see `BertLstmRelations`."""
    register_extensions()
    return BertLstmRelations(
        nlp.vocab,
        model,
        name,
        scorer=scorer,
        candidates=candidates,
        spans=spans,
        schema=schema,
        threshold=threshold,
        negative_rate=negative_rate,
        loss_weight=loss_weight,
        train_on=train_on,
        level=level,
        aggregate=aggregate,
        undirected=undirected,
    )


class BertLstmRelations(TrainablePipe):
    """Finds which entities relate: of each pair, each label for itself.

    A pair is scored only where its types may relate at all, and only with the labels that may
    join them: by a schema, or by what the training data holds. Labels are learned and found
    together with the direction, from head to tail.

    At the level "concept" it is not mentions that relate but their vocabulary ids, such as a drug
    and a disease of a whole abstract. A pair of concepts is judged by all pairs of their mentions
    together, and learned from the relations that stand in the Docs' gold records.

    What it sets lies in a Doc's user data: a DocBin needs `store_user_data=True` to keep it, as
    `write_docs` and the package's commands have it.

    vocab (Vocab): The pipeline's.
    model (Model): Usually spacy-bertlstm.RelationClassifier.v1.
    name (str): The component's name, and the key of its loss.
    scorer (Callable | None): By default spacy-bertlstm.relation_scorer.v1.
    candidates (PairGenerator | None): Which entities are paired; by default those of one
        sentence, at the level "concept" all of a Doc.
    spans (str | None): The key in `doc.spans` of the entities, which may overlap; by default
        they are `doc.ents`.
    schema (str | None): The name of the schema whose relations may hold; by default what
        stands in the training data may.
    threshold (float): The least probability of what is found; `thresholds` has it by label.
    negative_rate (float): The share of the pairs without a relation that each update learns
        from, drawn anew from numpy's generator, which training seeds.
    loss_weight (float): What its loss counts beside those of components on the same encoder.
    train_on (str): The entities to learn on: "gold", or "predicted", those of the components
        before, which then must be among training.annotating_components.
    level (str): "mention" or "concept".
    aggregate (str): What makes one probability of those of a concept's mentions: "max" or
        "noisy_or".
    undirected (Iterable[str]): Labels whose relations have no direction. They are found once,
        with that as head which sorts first.
    RAISES: BL357, BL358, BL650 (a setting that cannot be).
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[RelationInput, Floats2d],
        name: str = "relations",
        *,
        scorer: Callable[..., dict[str, Any]] | None = None,
        candidates: PairGenerator | None = None,
        spans: str | None = None,
        schema: str | None = None,
        threshold: float = 0.5,
        negative_rate: float = 1.0,
        loss_weight: float = 1.0,
        train_on: str = "gold",
        level: str = "mention",
        aggregate: str = "max",
        undirected: Iterable[str] = (),
    ) -> None:
        chosen = {"train_on": train_on, "level": level, "aggregate": aggregate}
        for setting, value in chosen.items():
            if value not in _CHOICES[setting]:
                known = ", ".join(_CHOICES[setting])
                raise BertLstmError("BL357", name=name, setting=setting, value=value, known=known)
        if not 0 <= negative_rate <= 1:
            self._refuse("negative_rate", negative_rate, "from 0 to 1", name)
        if not 0 < threshold <= 1:
            self._refuse("threshold", threshold, "above 0, and at most 1", name)
        if loss_weight <= 0:
            raise BertLstmError("BL650", name=name, value=loss_weight)
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.candidates = candidates or (pair_all if level == "concept" else pair_in_sentences)
        self.spans = spans
        self.schema = schema
        self.threshold = threshold
        self.negative_rate = negative_rate
        self.loss_weight = loss_weight
        self.train_on = train_on
        self.level = level
        self.undirected = frozenset(undirected)
        self._aggregate: Aggregate = (
            AGGREGATES[aggregate] if level == "concept" else aggregate_single
        )
        self.cfg: dict[str, Any] = {"labels": [], "thresholds": {}}

    @staticmethod
    def _refuse(setting: str, value: object, range: str, name: str) -> None:
        raise BertLstmError("BL358", name=name, setting=setting, value=value, range=range)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the model's outputs."""
        return self._legal.labels

    @property
    def label_data(self) -> list[list[str]]:
        """What `spacy init labels` stores: each label with types of head and tail it may join."""
        return [list(triple) for triple in self.cfg["labels"]]

    @property
    def _is_undirected(self) -> numpy.ndarray:
        return numpy.asarray([label in self.undirected for label in self.labels], dtype=bool)

    @property
    def _legal(self) -> LegalTypes:
        return _legal_types(tuple(map(tuple, self.cfg["labels"])))

    @property
    def thresholds(self) -> dict[str, float]:
        """The least probability of what is found, by label; 'bertlstm calibrate' fits them.

        RAISES: when set, BL358 (none such), BL360 (of no label); labels may be left out.
        """
        return {label: self.cfg["thresholds"].get(label, self.threshold) for label in self.labels}

    @thresholds.setter
    def thresholds(self, thresholds: Mapping[str, float]) -> None:
        for label, value in thresholds.items():
            if label not in self.labels:
                known = ", ".join(self.labels)
                raise BertLstmError("BL360", name=self.name, label=label, known=known)
            if not isinstance(value, float | int) or not 0 < value <= 1:
                self._refuse(f"threshold of {label}", value, "above 0, and at most 1", self.name)
        self.cfg["thresholds"] = {label: float(value) for label, value in thresholds.items()}

    def add_label(self, label: str, head: str, tail: str) -> int:
        """Let a label join two types of entities, before initialization.

        One without a direction joins them the other way round as well.

        RETURNS (int): 0 if it was known, else 1.
        RAISES: BL361 (not usable names), BL303 (the model is initialized).
        """
        triple = [label, head, tail]
        if not all(isinstance(part, str) and part for part in triple):
            raise BertLstmError("BL361", name=self.name, label=repr(triple))
        if triple in self.label_data:
            return 0
        if self.model.get_ref("output").has_param("W"):
            raise BertLstmError("BL303", name=self.name, label=label)
        self.cfg["labels"].append(triple)
        self.vocab.strings.add(label)
        if label in self.undirected:
            self.add_label(label, tail, head)
        return 1

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[Any] | None = None,
    ) -> None:
        """Set the labels and build the model for training.

        get_examples (Callable): Gives representative gold-standard Examples.
        nlp (Language | None): The pipeline.
        labels (list | None): (label, head type, tail type); by default those of the schema, or
            without one all that the Examples hold.
        RAISES: BL355 where there are none, BL356 where the config's nO is another, BL361 (no
            label), BL114 (no such schema), BL364 (records that were cut, whose relations of
            concepts are gone).
        """
        validate_get_examples(get_examples, "BertLstmRelations.initialize")
        if self.level == "concept" and any(is_cut(eg.reference) for eg in get_examples()):
            raise BertLstmError("BL364", name=self.name)
        if labels is None and self.schema is not None:
            relations = get_schema(self.schema).relations
            labels = [(label, *types) for label, types in relations.items()]
        elif labels is None:
            labels = sorted({triple for eg in get_examples() for triple in self._triples(eg)})
        for triple in labels:
            if not isinstance(triple, list | tuple) or len(triple) != 3:
                raise BertLstmError("BL361", name=self.name, label=repr(triple))
            self.add_label(*triple)
        if not self.labels:
            raise BertLstmError("BL355", name=self.name)
        output = self.model.get_ref("output")
        nO = output.get_dim("nO") if output.has_dim("nO") else len(self.labels)
        if nO != len(self.labels):
            raise BertLstmError("BL356", name=self.name, nO=nO, labels=len(self.labels))
        output.set_dim("nO", nO)
        self.model.get_ref("types").set_dim("nV", self._legal.n_types)
        require_upstream(self.model, [], self.name)
        sample = [eg.reference for eg in islice(get_examples(), 10) if len(eg.reference)]
        self.model.initialize(X=(sample, []))

    def _triples(self, example: Example) -> set[tuple[str, str, str]]:
        """Which labels join which types in a gold Doc."""
        gold = self._both_ways(gold_relations(example.reference, self.level) or set())
        types: dict[Any, set[str]] = {}
        for span in self.mentions(example.reference):
            for end in self._ends_of(span):
                types.setdefault(end, set()).add(span.label_)
        return {
            (label, head_type, tail_type)
            for label, head, tail in gold
            for head_type in types.get(head, ())
            for tail_type in types.get(tail, ())
        }

    def _both_ways(self, gold: set[RelationKey]) -> set[RelationKey]:
        """Gold relations, and those without a direction the other way round as well."""
        return gold | {(key[0], key[2], key[1]) for key in gold if key[0] in self.undirected}

    def mentions(self, doc: Doc) -> list[Span]:
        """The entities of a Doc in text order; those alike in all that counts are one."""
        spans = doc.ents if self.spans is None else doc.spans.get(self.spans, ())
        unique = {(span.start, span.end, span.label_, *self._ends_of(span)): span for span in spans}
        return [unique[key] for key in sorted(unique)]

    def _ends_of(self, span: Span) -> list[Any]:
        """What a mention may stand for in a relation."""
        if self.level == "concept":
            return get_concepts(span)
        return [(span.start_char, span.end_char, span.label_)]

    def propose(self, spans: Sequence[Span]) -> Proposal:
        """Say what might relate in a Doc.

        spans (Sequence[Span]): Its entities, in text order.
        RAISES: BL359 where they are paired by sentences that are not there.
        """
        types = self._legal.numbers(span.label_ for span in spans)
        pairs = self.candidates(spans)
        legal = self._legal.allowed(types, pairs)
        possible = legal.any(axis=1)
        pairs, legal = pairs[possible], legal[possible]
        extents = numpy.asarray([(span.start, span.end) for span in spans], dtype="int64")
        candidates = Candidates(extents.reshape(-1, 2), types, pairs)
        if self.level == "mention":
            ends = [end for span in spans for end in self._ends_of(span)]
            each = numpy.arange(len(pairs))
            return Proposal(candidates, legal, ends, pairs, numpy.stack([each, each], axis=1))
        of_spans = [self._ends_of(span) for span in spans]
        numbers = {end: i for i, end in enumerate(dict.fromkeys(sum(of_spans, [])))}
        units, members = join_concepts(pairs, [[numbers[end] for end in ends] for ends in of_spans])
        proposal = Proposal(candidates, legal, list(numbers), units, members)
        return proposal.only(numpy.ones(len(units), dtype=bool))

    def predict(self, docs: Iterable[Doc]) -> list[list[dict[str, Any]]]:
        """Find the relations of a batch, leaving the Docs as they are.

        RETURNS (list[list[dict]]): As they stand in doc._.relations, one list a Doc.
        """
        return self.decode(list(docs)).relations(self.thresholds)

    def decode(self, docs: Sequence[Doc]) -> Decoding:
        """Judge all that might relate in a batch.

        RAISES: BL304 (scores that are not finite), BL322, BL323 (vectors that are not there),
            BL359 (no sentence starts).
        """
        proposals = [self.propose(self.mentions(doc)) for doc in docs]
        scores = numpy.zeros((0, len(self.labels)))
        if any(len(proposal.units) for proposal in proposals):
            require_upstream(self.model, docs, self.name)
            candidates = [proposal.candidates for proposal in proposals]
            scores = to_numpy(self.model.predict((list(docs), candidates)))
        probabilities = []
        for proposal, logits in zip(proposals, self._split(proposals, scores), strict=True):
            joined, _ = self._aggregate(logits, proposal.members)
            probabilities.append(numpy.exp(-numpy.logaddexp(0, -joined)))
            proposal.join_directions(probabilities[-1], self._is_undirected)
        return Decoding(self.labels, proposals, probabilities)

    def _split(self, proposals: Sequence[Proposal], scores: numpy.ndarray) -> list[numpy.ndarray]:
        """The logits of each Doc, -inf where a label is illegal."""
        if not numpy.isfinite(scores).all():
            raise BertLstmError("BL304", name=self.name)
        stops = numpy.cumsum([len(proposal.legal) for proposal in proposals])
        return [
            numpy.where(proposal.legal, logits.astype("float64"), -numpy.inf)
            for proposal, logits in zip(proposals, numpy.split(scores, stops)[:-1], strict=True)
        ]

    def set_annotations(self, docs: Iterable[Doc], relations: list[list[dict[str, Any]]]) -> None:
        """Set doc._.relations, or at the level "concept" doc._.concept_relations.

        Relations of other labels that stand there, as of another component, are kept.

        RAISES: BL208 where what stands there are no relations.
        """
        # A component that was unpickled in a new process has not passed its factory.
        register_extensions()
        attribute = "concept_relations" if self.level == "concept" else "relations"
        own = frozenset(self.labels)
        for doc, found in zip(docs, relations, strict=True):
            with sound_relations():
                kept = [item for item in doc._.get(attribute) if item["label"] not in own]
            doc._.set(attribute, [*kept, *map(self._plain, found)])

    def _plain(self, relation: dict[str, Any]) -> dict[str, Any]:
        """A relation of plain values: lists in the place of tuples."""
        if self.level == "concept":
            return relation
        return {**relation, "head": list(relation["head"]), "tail": list(relation["tail"])}

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch.

        examples (Iterable[Example]): Those without gold annotation teach nothing.
        drop (float): The rate of thinc's dropout layers.
        sgd (Optimizer | None): Applied at once where given.
        losses (dict | None): To which the loss is added under the component's name.
        RAISES: BL304 where scores are not finite, BL359 where entities are to be paired by
            sentences that are not there.
        """
        examples = list(examples)
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        validate_examples(examples, "BertLstmRelations.update")
        if not any(len(eg.predicted) for eg in examples):
            return losses
        set_dropout_rate(self.model, drop)
        proposals = [self._sample(eg, self.propose(self._learned(eg))) for eg in examples]
        docs = [eg.predicted for eg in examples]
        # Without pairs too: what is shared waits for the gradient of each of its heads.
        scores, backprop = self.model.begin_update(
            (docs, [proposal.candidates for proposal in proposals])
        )
        loss, d_scores = self.get_loss(examples, (proposals, scores))
        backprop(d_scores)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def _learned(self, example: Example) -> list[Span]:
        """The entities to learn on, as spans of the predicted Doc."""
        if gold_relations(example.reference, self.level) is None:
            return []
        if self.train_on == "predicted":
            return self.mentions(example.predicted)
        aligned = (
            example.predicted.char_span(
                span.start_char, span.end_char, label=span.label_, kb_id=span.kb_id_
            )
            for span in self.mentions(example.reference)
        )
        return [span for span in aligned if span is not None]

    def _sample(self, example: Example, proposal: Proposal) -> Proposal:
        """Leave out some of what does not relate."""
        if self.negative_rate == 1:
            return proposal
        drawn = numpy.random.random(len(proposal.units)) < self.negative_rate
        return proposal.only(drawn | self._targets(example, proposal).any(axis=1))

    def _targets(self, example: Example, proposal: Proposal) -> numpy.ndarray:
        gold = gold_relations(example.reference, self.level) or set()
        return proposal.find(self._both_ways(gold), self.labels)

    def get_loss(
        self, examples: Iterable[Example], proposals_scores: tuple[list[Proposal], Floats2d]
    ) -> tuple[float, Floats2d]:
        """The weighted binary cross-entropy over the legal labels and its gradient, both a unit.

        examples (Iterable[Example]): The batch.
        proposals_scores (tuple[list[Proposal], Floats2d]): What was asked, and the model's
            logits.
        RAISES: BL304 where scores are not finite.
        """
        proposals, scores = proposals_scores
        loss = 0.0
        gradients = [numpy.zeros((0, len(self.labels)))]
        logits = self._split(proposals, to_numpy(scores))
        for example, proposal, values in zip(examples, proposals, logits, strict=True):
            target = self._targets(example, proposal)
            joined, backprop = self._aggregate(values, proposal.members)
            loss += float(numpy.logaddexp(0, numpy.where(target, -joined, joined)).sum())
            gradients.append(backprop(numpy.exp(-numpy.logaddexp(0, -joined)) - target))
        share = self.loss_weight / max(1, sum(len(proposal.units) for proposal in proposals))
        gradient: Any = numpy.concatenate(gradients) * share
        return loss * share, self.model.ops.asarray2f(gradient, dtype="float32")

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score a batch by the scorer.

        RETURNS (dict[str, Any]): The scorer's, and `rel_unreachable`: gold relations that no
            score could have found, as one of their ends was not found, or the two were not
            paired, or may not relate.
        """
        examples = list(examples)
        scores: dict[str, Any] = super().score(
            examples, level=self.level, undirected=self.undirected, **kwargs
        )
        unreachable = 0
        for example in examples:
            gold = orient(wanted_relations(example.reference, self.level) or (), self.undirected)
            if gold:
                proposal = self.propose(self.mentions(example.predicted))
                unreachable += len(gold) - int(proposal.find(gold, self.labels).sum())
        scores["rel_unreachable"] = unreachable
        return scores

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


@lru_cache
def _legal_types(triples: tuple[tuple[str, str, str], ...]) -> LegalTypes:
    return LegalTypes(triples)
