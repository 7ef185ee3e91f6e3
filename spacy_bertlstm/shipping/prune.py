"""A trained pipeline without what it saw: its notes' words, paths and corpora.

spaCy's string store keeps every token that ever passed a pipeline, and writes them all to
`vocab/strings.json`. A pipeline does not need them: it needs what loading it without that file
adds (its language's exceptions, its patterns, its tables), and what its components say of their
labels.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config, Model

from spacy_bertlstm.errors import BertLstmError, first_line
from spacy_bertlstm.files import require_no_files, written_whole

# What spaCy, srsly and thinc raise on a folder that is no pipeline, or one with parts missing.
_NOT_A_PIPELINE = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError)

_PATH_VARIABLE = re.compile(r"\$\{paths\.(\w+)")


@dataclass(frozen=True)
class Pruned:
    """How many entries of the string store were kept, and how many went."""

    kept: int
    dropped: int


def prune_pipeline(source: Path, target: Path, *, texts: Sequence[str] = ()) -> Pruned:
    """Write a pipeline without the words and the paths of its training.

    Strings that loading the pipeline adds by itself are kept, and those of the labels and of the
    data on them, and the words that a table of static vectors has rows for. In the config, paths
    become null, save those that components name: of these the last part stays. A `bertlstm_ner`
    that scores its loss (`score_loss`) keeps the scores of each token with each Doc; as only
    training needs them, it stops to. To train on by that loss, set it to true again.

    source (Path): The folder of a trained pipeline.
    target (Path): A folder, new or empty.
    texts (Sequence[str]): On which the pruned pipeline must predict the same; else nothing is
        written.
    RETURNS (Pruned): The numbers of strings.
    RAISES: BL109 (not writable), BL110 (target not empty), BL330 (no pipeline), BL331 (other
        predictions), or the package's own errors on what stands in the pipeline.
    """
    require_no_files(target)
    whole = _load(source)
    seen = whole.vocab.strings
    overrides = {
        f"components.{name}.score_loss": False
        for name, component in whole.components
        if whole.get_pipe_meta(name).factory == "bertlstm_ner"
        and getattr(component, "score_loss", False)
    }
    nlp = _load(source, exclude=["strings"], overrides=overrides)
    strings = nlp.vocab.strings
    for _, component in whole.components:
        # The lemmatizer's trees, for one, know their strings by hash alone; its label data
        # spells them out.
        for attribute in ("labels", "label_data"):
            for text in _strings_in(getattr(component, attribute, ())):
                if text in seen or attribute == "labels":
                    strings.add(text)
    for key in nlp.vocab.vectors.key2row:
        if key in seen:
            strings.add(seen[key])
    nlp.config = strip_config(nlp.config)
    _strip_models(nlp)
    dropped = sum(text not in strings for text in seen)
    with written_whole(target) as part:
        nlp.to_disk(part)
        if texts:
            require_same_predictions(whole, _load(part), texts, path=target)
    return Pruned(kept=len(strings), dropped=dropped)


def _load(
    path: Path, *, exclude: Sequence[str] = (), overrides: Mapping[str, Any] | None = None
) -> Language:
    """Load a pipeline from a folder.

    RAISES: BL330, or the package's own errors on what stands in it.
    """
    try:
        return spacy.load(path, exclude=list(exclude), config=dict(overrides or {}))
    except BertLstmError:
        raise
    except _NOT_A_PIPELINE as error:
        raise BertLstmError("BL330", path=path, reason=first_line(error)) from error


def _strings_in(value: object) -> Iterator[str]:
    """Every string in nested mappings and sequences, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _strings_in([*value.keys(), *value.values()])
    elif isinstance(value, Iterable):
        for part in value:
            yield from _strings_in(part)


def strip_config(config: Config) -> Config:
    """A pipeline's config without places: what runs is untouched, and so is the recipe.

    config (Config): Not interpolated.
    RETURNS (Config): A copy. [paths] is null, but for the last part of what a component names;
        strings that are no registered names are gone from [corpora], [initialize],
        [pretraining], the logger and the callbacks of [training].
    """
    stripped = config.copy()
    running = Config({key: deepcopy(config[key]) for key in ("nlp", "components")})
    needed = set(_PATH_VARIABLE.findall(running.to_str(interpolate=False)))
    stripped["paths"] = {
        key: last_part(value) if key in needed else None
        for key, value in config.get("paths", {}).items()
    }
    for section in ("corpora", "initialize", "pretraining"):
        if section in stripped:
            stripped[section] = _without_places(stripped[section])
    training = stripped["training"]
    for key in ("logger", "before_to_disk", "before_update"):
        if key in training:
            training[key] = _without_places(training[key])
    return stripped


def _without_places(section: Any) -> Any:
    """Without strings, save the names of registered functions and references to paths."""
    if isinstance(section, Mapping):
        return {
            key: value if key.startswith("@") else _without_places(value)
            for key, value in section.items()
        }
    if isinstance(section, str):
        return section if section.startswith("${") else None
    if isinstance(section, Sequence) and any(_strings_in(section)):
        return None
    return section


def last_part(value: Any) -> Any:
    """The last part of a path; a name on the hub ("owner/name") stays whole."""
    if not isinstance(value, str):
        return None
    is_hub_name = re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", value) and not Path(value).exists()
    return value if is_hub_name else re.split(r"[/\\]", value.rstrip("/\\"))[-1]


def _strip_models(nlp: Language) -> None:
    """A transformer's model keeps the path that its weights were once loaded from."""
    # They load torch: only when needed.
    from spacy_transformers.layers import TransformerModel as StockTransformerModel

    from spacy_bertlstm.encoder.transformer import TransformerModel

    for _, component in nlp.components:
        model = getattr(component, "model", None)
        for node in model.walk() if isinstance(model, Model) else ():
            if isinstance(node, TransformerModel | StockTransformerModel):
                name = last_part(node.attrs["name"])
                node.attrs["name"] = name
                if node.transformer is not None:  # else it was never initialized
                    node.transformer.config._name_or_path = name


def require_same_predictions(
    first: Language, second: Language, texts: Sequence[str], *, path: Path
) -> None:
    """Compare what two pipelines set on texts: tokens, entities, spans, attributes.

    first, second (Language): The second is the pruned one.
    texts (Sequence[str]): Read one by one.
    path (Path): Of the second, for the message.
    RAISES: BL331 where they differ.
    """
    differing = []
    for number, text in enumerate(texts, start=1):
        expected = _content(first(text))
        try:
            same = _content(second(text)) == expected
        except KeyError:  # a string is lost
            same = False
        if not same:
            differing.append(number)
    if differing:
        raise BertLstmError(
            "BL331", path=path, docs=len(differing), total=len(texts), first=differing[0]
        )


def _content(doc: Doc) -> tuple[bytes, dict[str, Any]]:
    """All that stands on a Doc and can be stored; KeyError where a string is not known."""
    attributes = {
        repr(key): value
        for key, value in doc.user_data.items()
        if srsly.is_json_serializable(value)
    }
    return doc.to_bytes(exclude=["tensor", "user_data", "strings"]), attributes
