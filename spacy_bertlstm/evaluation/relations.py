"""Relations found against gold ones, from Docs, so that what was never proposed is missed too."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from spacy.language import Language
from spacy.scorer import PRFScore
from spacy.training import Example

from spacy_bertlstm.evaluation.bootstrap import count_matches
from spacy_bertlstm.evaluation.reports import Report, report_counts, report_each
from spacy_bertlstm.tokens.relations import found_relations, orient, wanted_relations


def make_relation_scorer() -> Callable[..., dict[str, Any]]:
    """See `score_relations`."""
    return score_relations


def score_relations(
    examples: Iterable[Example],
    *,
    level: str = "mention",
    undirected: Collection[str] = (),
    **config: Any,
) -> dict[str, Any]:
    """Score relations end to end: right is one whose label, head and tail are those of the gold.

    Gold relations of mentions that no Doc can hold, as they are discontinuous, are missed.

    examples (Iterable[Example]): Those without gold annotation do not count.
    level (str): "mention", where head and tail are entities, with their bounds and labels; or
        "concept", where they are vocabulary ids.
    undirected (Collection[str]): Labels whose relations have no direction.
    RETURNS (dict[str, Any]): rel_micro_p, rel_micro_r and rel_micro_f; rel_macro_f, the mean over
        the labels that were found or are to be found; rel_per_type. None where there are none.
    RAISES: BL208 where a gold record is none.
    """
    per_type: dict[str, PRFScore] = defaultdict(PRFScore)
    for example in examples:
        for label, (tp, fp, fn) in count_relations(example, level, undirected).items():
            per_type[label] += PRFScore(tp=tp, fp=fp, fn=fn)
    if not per_type:
        keys = ("rel_micro_p", "rel_micro_r", "rel_micro_f", "rel_macro_f", "rel_per_type")
        return dict.fromkeys(keys)
    micro = PRFScore()
    for score in per_type.values():
        micro += score
    return {
        "rel_micro_p": micro.precision,
        "rel_micro_r": micro.recall,
        "rel_micro_f": micro.fscore,
        "rel_macro_f": sum(score.fscore for score in per_type.values()) / len(per_type),
        "rel_per_type": {label: per_type[label].to_dict() for label in sorted(per_type)},
    }


def count_relations(
    example: Example, level: str, undirected: Collection[str] = ()
) -> dict[str, tuple[int, int, int]]:
    """True positives, false positives and false negatives of a Doc, by label.

    level (str), undirected (Collection[str]): As for `score_relations`.
    """
    annotated = wanted_relations(example.reference, level)
    if annotated is None:
        return {}
    gold = orient(annotated, undirected)
    found = orient(found_relations(example.predicted, level), undirected)
    return {
        label: count_matches(
            {key for key in gold if key[0] == label}, {key for key in found if key[0] == label}
        )
        for label in {key[0] for key in gold | found}
    }


def report_relations(
    nlp: Language, examples: Sequence[Example], *, samples: int, seed: int
) -> list[Report]:
    """Judge what each `bertlstm_relations` of a pipeline finds, as `score_relations` does.

    The titles say on which entities it has learned, and how many gold relations no score could
    have found.

    nlp (Language): The pipeline.
    examples (Sequence[Example]): What it predicts, and the gold Docs.
    samples (int): Of the bootstrap.
    seed (int): Of the samples.
    """

    def report(pipe: Any) -> Report | None:
        ends = (
            "label, head and tail" if pipe.level == "mention" else "label and both vocabulary ids"
        )
        unreachable = pipe.score(examples)["rel_unreachable"]
        return report_counts(
            f"{len(examples)} Docs; relations, {ends}; learned on {pipe.train_on} entities; "
            f"{unreachable} gold relations were never proposed",
            [count_relations(example, pipe.level, pipe.undirected) for example in examples],
            prefix="rel",
            samples=samples,
            seed=seed,
        )

    return report_each(nlp, "bertlstm_relations", report)
