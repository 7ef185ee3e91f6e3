"""A spacy-transformers pipeline on this package's transformer, with the weights that it has."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy
import spacy
import srsly
from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from spacy_transformers.align import get_alignment_via_offset_mapping
from spacy_transformers.layers import TransformerModel as StockTransformerModel
from thinc.api import Config, Model

from spacy_bertlstm.encoder.pieces import cut_pieces
from spacy_bertlstm.encoder.precision import Precision
from spacy_bertlstm.encoder.transformer import replace_listener
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.files import require_no_files, written_whole
from spacy_bertlstm.text.sentences import ClinicalSentenceSplitter
from spacy_bertlstm.tokens.corpus import read_docs
from spacy_bertlstm.tokens.vectors import drop_vectors

_SHARED = frozenset(f"spacy-transformers.TransformerModel.v{version}" for version in (1, 2, 3))
_OWN = frozenset(f"spacy-transformers.Tok2VecTransformer.v{version}" for version in (1, 2, 3))
_NO_ANNOTATIONS = "spacy-transformers.null_annotation_setter.v1"

_SPLITTER = "window_sentences"
_SENTENCES = {"@span_getters": "spacy-bertlstm.SentenceWindows.v1", "window": 96}

# What tokenizers differ in: whether a word piece holds the blanks before its word.
_BLANKS = [" ", "chest", " ", "pain", "\n\n", "fever", "\n"]

# How often each of two pipelines reads the Docs, in turns.
_ROUNDS = 3

_ATTRIBUTES = (
    *("TAG", "POS", "MORPH", "LEMMA", "DEP", "HEAD", "SENT_START"),
    *("ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "ENT_ID"),
)


class Windows(StrEnum):
    """What the transformer reads at once: the pipeline's own spans, or whole sentences."""

    original = "original"
    sentences = "sentences"


@dataclass(frozen=True)
class Effect:
    """What became of a pipeline's predictions and of its speed.

    docs (int): Docs that both pipelines read.
    equal (int): Docs on which both set the same, as `same_annotations` has it.
    scores (dict[str, tuple[float, float]]): Before and after, by spaCy's names.
    speed (tuple[float, float]): Words a second, before and after: medians of reading in turns.
    """

    docs: int
    equal: int
    scores: dict[str, tuple[float, float]]
    speed: tuple[float, float]


def accelerate_pipeline(
    nlp: Language,
    target: Path,
    *,
    windows: Windows = Windows.original,
    precision: Precision | None = None,
    test: Path | None = None,
) -> Effect | None:
    """Write a pipeline whose transformers are spacy-bertlstm.TransformerModel.v1.

    The weights, and all that is no transformer, are as they were. With the original windows in
    fp32 so are the token vectors, to rounding, and the annotations; save where a window has more
    word pieces than the tokenizer allows, which spacy-transformers cuts off in silence and this
    package reads in halves. `doc._.trf_data` holds the last hidden states alone, with all word
    pieces of a Doc in one row. With windows of whole sentences, which a splitter in front finds
    where no component before the transformer does, predictions may differ, and components that
    set sentences later take the splitter's.

    nlp (Language): With transformers of spacy-transformers, shared or of components' own. It
        predicts as before, but is not to be saved again: the layers of Tok2VecTransformer.v1 and
        v2 are laid out in it as v3 has them.
    target (Path): A folder, new or empty.
    windows (Windows): What the transformer reads at once.
    precision (Precision | None): Of the matrix products; None for fp32, which a pipeline with
        mixed precision does not take for granted.
    test (Path | None): A .spacy file with gold annotation, on which to compare both pipelines.
    RETURNS (Effect | None): What the comparison shows, which stands in the meta too.
    RAISES: BL109 (not writable), BL110 (target not empty), BL321 (a tokenizer without offsets),
        BL390 (no such transformer), BL391 (never initialized), BL392 (mixed precision), BL393 (a
        setter of other annotations), BL394 (other outputs wanted), BL395 (a tokenizer whose
        alignment differs), BL396 (nothing to compare on), or those of reading `test`.
    """
    require_no_files(target)
    names = _require_served(nlp, windows, precision)
    changes: dict[str, Any] = {"precision": (precision or Precision.fp32).value}
    splitter = None
    if windows is Windows.sentences:
        changes["get_spans"] = _SENTENCES
        if not _has_sentences(nlp, names[0]):
            splitter = _free_name(nlp)
    config = change_config(nlp.config, changes, splitter=splitter)
    effect = None
    with written_whole(target) as part:
        _nest_layers(nlp)
        nlp.to_disk(part)
        config.to_disk(part / "config.cfg")
        if splitter is not None:
            ClinicalSentenceSplitter(splitter).to_disk(part / splitter)
        accelerated = spacy.load(part)
        accelerated.config.to_disk(part / "config.cfg")  # with every default spelled out
        about: dict[str, Any] = {"windows": windows.value, "precision": changes["precision"]}
        # Only now, with everything written, may the pipelines see the words of notes.
        if test is not None:
            effect = measure_effect(nlp, accelerated, test)
            about["effect"] = vars(effect)
        meta = {**accelerated.meta, "accelerated": about}
        srsly.write_json(part / "meta.json", meta)
    return effect


# --- the config --------------------------------------------------------------------------


def change_config(config: Config, changes: Mapping[str, Any], *, splitter: str | None) -> Config:
    """A pipeline's config with this package's transformer in the place of spacy-transformers'.

    config (Config): Not interpolated.
    changes (Mapping[str, Any]): Values of the transformers' sections.
    splitter (str | None): The name of a sentence splitter to be put in front, in training too.
    RETURNS (Config): A copy.
    """
    changed = config.copy()
    changed["components"] = _change(config["components"], changes)
    if splitter is not None:
        changed["components"][splitter] = {"factory": "bertlstm_sentences"}
        changed["nlp"]["pipeline"] = [splitter, *changed["nlp"]["pipeline"]]
        annotating = config.interpolate()["training"]["annotating_components"]
        changed["training"]["annotating_components"] = [splitter, *annotating]
    return changed


def _change(section: Any, changes: Mapping[str, Any]) -> Any:
    if not isinstance(section, Mapping):
        return section
    section = {key: _change(value, changes) for key, value in section.items()}
    ours = {"@architectures": "spacy-bertlstm.TransformerModel.v1", "mixed_precision": False}
    if section.get("@architectures") in _SHARED:
        return {**section, **ours, **changes}
    if section.get("@architectures") in _OWN:
        return {
            "@architectures": "spacy-bertlstm.TransformerTok2Vec.v1",
            "pooling": section.pop("pooling"),
            "grad_factor": section.pop("grad_factor", 1.0),
            "transformer": {**section, **ours, **changes},
        }
    return section


def _find_sections(section: Any, names: frozenset[str] | None = None) -> Iterator[dict[str, Any]]:
    """Sections with an architecture, of certain names or of any."""
    if isinstance(section, Mapping):
        if "@architectures" in section and (names is None or section["@architectures"] in names):
            yield dict(section)
        for value in section.values():
            yield from _find_sections(value, names)


# --- what can be served ------------------------------------------------------------------


def _require_served(nlp: Language, windows: Windows, precision: Precision | None) -> list[str]:
    """The names of the components with a transformer, in the pipeline's order."""
    components = nlp.config.interpolate()["components"]
    names = []
    for name in nlp.component_names:
        sections = list(_find_sections(components[name], _SHARED | _OWN))
        if not sections:
            continue
        names.append(name)
        if precision is None and any(section.get("mixed_precision") for section in sections):
            raise BertLstmError("BL392", name=name)
        setter = components[name].get("set_extra_annotations", {}).get("@annotation_setters")
        if setter not in (None, _NO_ANNOTATIONS):
            raise BertLstmError("BL393", name=name, setter=setter)
    if not names:
        found = {section["@architectures"] for section in _find_sections(components)}
        raise BertLstmError("BL390", found=", ".join(sorted(found)) or "none")
    for name, model in _walk_layers(nlp):
        if not isinstance(model, StockTransformerModel):
            continue
        if model.transformer is None:
            raise BertLstmError("BL391", name=name)
        if not model.tokenizer.is_fast:
            raise BertLstmError("BL321", name=model.attrs["name"])
        for output in ("output_attentions", "output_hidden_states"):
            if getattr(model.transformer.config, output):
                raise BertLstmError("BL394", name=name, output=output)
        if windows is Windows.original and not _aligns_alike(model.tokenizer):
            raise BertLstmError("BL395", name=name)
    return names


def _walk_layers(nlp: Language) -> Iterator[tuple[str, Model]]:
    """Every layer of every component, with the component's name."""
    for name, component in nlp.components:
        model = getattr(component, "model", None)
        for layer in model.walk() if isinstance(model, Model) else ():
            yield name, layer


def _aligns_alike(tokenizer: Any) -> bool:
    """Whether each token gets the word pieces that spacy-transformers gives it.

    Where a piece holds the blank before its word, spacy-transformers gives it to the word before
    as well.
    """
    doc = Doc(Vocab(), words=_BLANKS, spaces=[word.isalpha() for word in _BLANKS])
    offsets = tokenizer(
        [doc.text], return_offsets_mapping=True, return_tensors="np", verbose=False
    )["offset_mapping"]
    stock = get_alignment_via_offset_mapping([doc[:]], offsets)
    ours = cut_pieces(tokenizer, [doc], [[doc[:]]], offsets.shape[1]).align
    return all(
        first.tolist() == second.tolist()
        for first, second in [(stock.lengths, ours.lengths), (stock.dataXd, ours.dataXd)]
    )


def _has_sentences(nlp: Language, name: str) -> bool:
    """Whether an enabled component before the named one sets sentence starts."""
    before = nlp.component_names[: nlp.component_names.index(name)]
    return any(
        not {"doc.sents", "token.is_sent_start"}.isdisjoint(nlp.get_pipe_meta(other).assigns)
        for other in before
        if other in nlp.pipe_names
    )


def _free_name(nlp: Language) -> str:
    """A name for the splitter that no component has."""
    names = (f"{_SPLITTER}_{number}" if number else _SPLITTER for number in count())
    return next(name for name in names if name not in nlp.component_names)


def _nest_layers(nlp: Language) -> None:
    """Lay the layers of Tok2VecTransformer.v1 and v2 as v3 and this package have them."""
    for _, layer in _walk_layers(nlp):
        if len(layer.layers) == 3 and isinstance(layer.layers[0], StockTransformerModel):
            transformer, _, pooling = layer.layers
            layer.layers[:] = [replace_listener(transformer), pooling]


# --- the effect --------------------------------------------------------------------------


def measure_effect(first: Language, second: Language, path: Path) -> Effect:
    """Compare two pipelines on gold Docs: what they set, how right it is, and how fast.

    path (Path): A .spacy file, or a folder of them.
    RAISES: BL396 (no words), or those of reading it.
    """
    gold = [list(read_docs(path, nlp.vocab)) for nlp in (first, second)]
    words = sum(map(len, gold[0]))
    if not words:
        raise BertLstmError("BL396", path=path)
    longest = max(len(doc.text) for doc in gold[0])
    for nlp in (first, second):
        nlp.max_length = max(nlp.max_length, longest + 1)
    seconds: list[list[float]] = [[], []]
    for _ in range(_ROUNDS):
        predicted = []
        for nlp, docs, taken in zip((first, second), gold, seconds, strict=True):
            begin = perf_counter()
            # Without the vectors of all words at once.
            predicted.append(list(map(drop_vectors, nlp.pipe([doc.text for doc in docs]))))
            taken.append(perf_counter() - begin)
    scores = [
        Scorer(nlp).score([Example(doc, truth) for doc, truth in zip(found, docs, strict=True)])
        for nlp, found, docs in zip((first, second), predicted, gold, strict=True)
    ]
    before, after = scores
    return Effect(
        docs=len(gold[0]),
        equal=sum(same_annotations(*docs) for docs in zip(*predicted, strict=True)),
        scores={
            key: (float(value), float(after[key]))
            for key, value in before.items()
            if isinstance(value, float)
            and isinstance(after.get(key), float)
            # The tokenizer is the same.
            and not key.startswith("token_")
        },
        speed=(words / median(seconds[0]), words / median(seconds[1])),
    )


def same_annotations(first: Doc, second: Doc) -> bool:
    """Whether all that the first Doc has annotated stands on the second as well.

    These are tags, lemmas, the parse, sentences, entities, spans, and of categories those that
    are the most probable or have more than 0.5; probabilities themselves are not compared.
    """
    attributes: list[int | str] = ["ORTH"]
    attributes += [name for name in _ATTRIBUTES if first.has_annotation(name)]
    return (
        numpy.array_equal(first.to_array(attributes), second.to_array(attributes))
        and _list_spans(first) == _list_spans(second)
        and _choose_categories(first) == _choose_categories(second)
    )


def _list_spans(doc: Doc) -> dict[str, Sequence[tuple[int, int, str]]]:
    return {
        key: [(span.start, span.end, span.label_) for span in group]
        for key, group in doc.spans.items()
    }


def _choose_categories(doc: Doc) -> set[str]:
    most = max(doc.cats.values(), default=0.0)
    return {label for label, score in doc.cats.items() if score > 0.5 or score == most}
