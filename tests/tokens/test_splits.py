"""Splits: whole groups, shares near those wanted, parts written together."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.records import Document
from spacy_bertlstm.tokens.corpus import read_docs, write_docs
from spacy_bertlstm.tokens.extensions import set_record
from spacy_bertlstm.tokens.splits import (
    Plan,
    Survey,
    allot_groups,
    find_by_metadata,
    find_by_pattern,
    plan_split,
    survey_docs,
    write_parts,
)

NLP = spacy.blank("en")
HERE = Path("notes.spacy")


def doc_of(name: str, text: str = "", labels: str = "", **metadata: str) -> Doc:
    """A Doc with one entity a letter of `labels`, each label a letter."""
    doc = NLP(" ".join([text or f"text of {name}", *labels]))
    first = len(doc) - len(labels)
    entities = [Span(doc, first + i, first + i + 1, label) for i, label in enumerate(labels)]
    doc.set_ents(entities, default="outside")
    set_record(doc, Document(name, doc.text, metadata=metadata))
    return doc


def survey_of(docs: list[Doc], **options: object) -> Survey:
    return survey_docs(docs, path=HERE, **options)  # type: ignore[arg-type]


def together(groups: list[int]) -> list[list[int]]:
    return [
        [i for i, other in enumerate(groups) if other == group]
        for group in dict.fromkeys(groups)
        if group >= 0
    ]


# --- groups -----------------------------------------------------------------------------


def test_each_record_is_its_own_group_unless_texts_are_one() -> None:
    docs = [doc_of("1", "fever"), doc_of("2", "cough"), doc_of("3", "fever")]
    survey = survey_of(docs)
    assert together(survey.groups) == [[0, 2], [1]]
    assert survey.repeats == 1


def test_groups_by_metadata_and_by_text_join() -> None:
    """1 and 2 are one patient's, 2 and 3 one text, 3 and 4 another patient's: one group."""
    docs = [
        doc_of("1", "fever", patient="a"),
        doc_of("2", "cough", patient="a"),
        doc_of("3", "cough", patient="b"),
        doc_of("4", "chills", patient="b"),
        doc_of("5", "rash", patient="c"),
    ]
    survey = survey_of(docs, find_group=find_by_metadata("patient"))
    assert together(survey.groups) == [[0, 1, 2, 3], [4]]


def test_a_text_is_no_name_of_a_group() -> None:
    docs = [doc_of("1", patient="a"), doc_of("2", patient="a"), doc_of("3", patient="b")]
    find_group = find_by_metadata("patient")
    assert together(survey_of(docs, find_group=find_group).groups) == [[0, 1], [2]]


def test_groups_by_a_part_of_the_name() -> None:
    docs = [doc_of(name) for name in ("NCT1_exc", "NCT2_exc", "NCT1_inc")]
    survey = survey_of(docs, find_group=find_by_pattern("^(NCT[0-9]+)_"))
    assert together(survey.groups) == [[0, 2], [1]]


def test_a_doc_without_record_is_named_by_its_id() -> None:
    docs = [NLP("fever"), NLP("cough")]
    for doc, name in zip(docs, ("a_1", "a_2"), strict=True):
        doc.user_data["id"] = name
    assert survey_of(docs, find_group=find_by_pattern("(.)_")).groups == [0, 0]
    docs.append(NLP("rash"))
    with pytest.raises(BertLstmError, match="BL223.*number 3"):
        survey_of(docs, exclude=["x"])
    assert len(survey_of(docs).groups) == 3, "no name is needed"


@pytest.mark.parametrize("pattern, reason", [("(", "unterminated"), ("a+", "no group")])
def test_a_pattern_that_names_no_group(pattern: str, reason: str) -> None:
    with pytest.raises(BertLstmError, match=f"BL221.*{reason}"):
        find_by_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(b)", "a|(b)"])
def test_a_name_that_the_pattern_does_not_fit(pattern: str) -> None:
    with pytest.raises(BertLstmError, match="BL222.*'a'"):
        survey_of([doc_of("a")], find_group=find_by_pattern(pattern))


def test_a_key_that_a_record_lacks() -> None:
    with pytest.raises(BertLstmError, match=r"BL220.*'2'.*'patient'.*\(it has: site\)"):
        survey_of(
            [doc_of("1", patient="a"), doc_of("2", site="x")],
            find_group=find_by_metadata("patient"),
        )


def test_excluded_records_and_their_twins() -> None:
    docs = [doc_of("1", "fever"), doc_of("2", "cough"), doc_of("3", "fever")]
    survey = survey_of(docs, exclude=["1", "7", "7"])
    assert survey.groups == [-1, 0, 1]
    assert survey.unknown == ["7"]
    assert survey.twins == ["3"]
    assert survey.repeats == 0, "the twin that is left repeats no text"


def test_an_excluded_record_needs_no_group() -> None:
    docs = [doc_of("1"), doc_of("2", patient="a")]
    find_group = find_by_metadata("patient")
    assert survey_of(docs, find_group=find_group, exclude=["1"]).groups == [-1, 0]


# --- shares -----------------------------------------------------------------------------


def miss(groups: list[Counter[str | None]], parts: list[int], shares: list[float]) -> float:
    """The sum of squares between the shares of each label and those wanted."""
    total = sum(groups, Counter[str | None]())
    square = 0.0
    for part, share in enumerate(shares):
        of_part = sum((g for g, p in zip(groups, parts, strict=True) if p == part), Counter())
        square += sum((of_part[label] / total[label] - share / sum(shares)) ** 2 for label in total)
    return square


COUNTS = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 9)).map(
        lambda labels: Counter[str | None]({None: 1, **labels})
    ),
    min_size=3,
    max_size=7,
)


@given(COUNTS, st.integers(0, 5))
def test_no_move_and_no_exchange_brings_the_shares_nearer(
    groups: list[Counter[str | None]], seed: int
) -> None:
    shares = [2.0, 1.0]
    parts = allot_groups(groups, shares, seed=seed)
    found = miss(groups, parts, shares)
    for i, j in product(range(len(groups)), repeat=2):
        exchanged = list(parts)
        exchanged[i], exchanged[j] = parts[j], parts[i]
        moved = [1 - part if k == i else part for k, part in enumerate(parts)]
        assert found <= miss(groups, exchanged, shares) + 1e-9
        assert found <= miss(groups, moved, shares) + 1e-9


def test_shares_are_as_near_as_trying_all_makes_them() -> None:
    groups = [
        Counter[str | None]({None: 1, "a": a, "b": b})
        for a, b in ((5, 1), (5, 1), (1, 7), (2, 0), (3, 3), (9, 2), (4, 4))
    ]
    shares = [4.0, 2.0, 1.0]
    best = min(miss(groups, list(parts), shares) for parts in product(range(3), repeat=7))
    # A search that ends where no exchange helps need not find the best.
    assert miss(groups, allot_groups(groups, shares, seed=0), shares) <= best + 0.02


def test_a_rare_label_is_shared_where_chance_would_not() -> None:
    """Three of 60 records have the rare label: each of three parts gets one, whatever the seed."""
    groups = [Counter[str | None]({None: 1, "common": 3}) for _ in range(60)]
    for i in (3, 30, 31):
        groups[i]["rare"] = 1
    for seed in range(10):
        parts = allot_groups(groups, [1, 1, 1], seed=seed)
        assert sorted(parts[i] for i in (3, 30, 31)) == [0, 1, 2]
        assert Counter(parts) == {0: 20, 1: 20, 2: 20}


def test_many_groups_are_shared_exactly() -> None:
    """More groups than are tried at a time."""
    groups = [Counter[str | None]({None: 1, "ab"[i % 2]: 1 + i % 5}) for i in range(400)]
    total = sum(groups, Counter[str | None]())
    parts = allot_groups(groups, [70, 15, 15], seed=3)
    for part, share in enumerate((0.7, 0.15, 0.15)):
        of_part = sum((g for g, p in zip(groups, parts, strict=True) if p == part), Counter())
        for label in total:
            assert of_part[label] / total[label] == pytest.approx(share, abs=0.005)


def test_no_groups_and_one_part() -> None:
    assert allot_groups([], [1, 1], seed=0) == []
    assert allot_groups([Counter({None: 1})] * 3, [5], seed=0) == [0, 0, 0]


# --- plans ------------------------------------------------------------------------------


def plan_of(docs: list[Doc], ratio: tuple[float, float, float], **options: object) -> Plan:
    return plan_split(survey_of(docs), ratio, path=HERE, **options)  # type: ignore[arg-type]


def test_a_plan_names_every_doc_once_in_the_sources_order() -> None:
    docs = [doc_of(str(i), labels="ab"[: i % 3]) for i in range(30)]
    plan = plan_of(docs, (70, 15, 15))
    assert list(plan) == ["train", "dev", "test"]
    assert sorted(number for numbers in plan.values() for number in numbers) == list(range(30))
    assert all(numbers == sorted(numbers) for numbers in plan.values())
    assert plan == plan_of(docs, (70, 15, 15))
    assert plan != plan_of(docs, (70, 15, 15), seed=1)


def test_without_stratification_only_records_count() -> None:
    docs = [doc_of(str(i), labels="a" * (i < 3)) for i in range(30)]
    for seed in range(5):
        plan = plan_of(docs, (1, 1, 1), seed=seed)
        assert [sum(i < 3 for i in numbers) for numbers in plan.values()] == [1, 1, 1]
    uneven = []
    for seed in range(5):
        plan = plan_of(docs, (1, 1, 1), seed=seed, stratify=False)
        assert [len(numbers) for numbers in plan.values()] == [10, 10, 10]
        uneven.append([sum(i < 3 for i in numbers) for numbers in plan.values()] != [1, 1, 1])
    assert any(uneven)


def test_folds_test_every_group_once_and_divide_the_rest() -> None:
    docs = [doc_of(str(i), f"text {i // 2}") for i in range(40)]  # each text twice
    plan = plan_of(docs, (3, 1, 9), folds=5)
    assert list(plan) == [f"fold-{k}/{part}" for k in range(5) for part in ("train", "dev", "test")]
    tests = [number for k in range(5) for number in plan[f"fold-{k}/test"]]
    assert sorted(tests) == list(range(40))
    for fold in range(5):
        parts = [plan[f"fold-{fold}/{part}"] for part in ("train", "dev", "test")]
        assert [len(numbers) for numbers in parts] == [24, 8, 8]
        assert sorted(sum(parts, [])) == list(range(40))
        texts = [{number // 2 for number in numbers} for numbers in parts]
        assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])


def test_folds_without_dev() -> None:
    plan = plan_of([doc_of(str(i)) for i in range(4)], (1, 0, 0), folds=2)
    assert list(plan) == ["fold-0/train", "fold-0/test", "fold-1/train", "fold-1/test"]


@pytest.mark.parametrize("folds", [3, 5])
def test_more_folds_than_groups_allow(folds: int) -> None:
    docs = [doc_of(str(i), f"text {i // 2}") for i in range(6)]
    with pytest.raises(BertLstmError, match=f"BL205.*6 Docs in 3 groups.*into {folds} folds"):
        plan_of(docs, (1, 2, 0) if folds == 5 else (9999, 1, 0), folds=folds)


@pytest.mark.parametrize("ratio", [(0, 0, 1), (1, -1, 1), (1, 1, float("nan"))])
def test_folds_refuse_what_is_no_ratio(ratio: tuple[float, float, float]) -> None:
    with pytest.raises(BertLstmError, match="BL206"):
        plan_of([doc_of(str(i)) for i in range(4)], ratio, folds=2)


# --- writing ----------------------------------------------------------------------------


def source_of(folder: Path, number: int = 6) -> tuple[Path, Survey]:
    docs = [doc_of(str(i)) for i in range(number)]
    write_docs(docs, folder / "notes.spacy")
    return folder / "notes.spacy", survey_of(docs)


def texts_of(path: Path) -> list[str]:
    return [doc.text for doc in read_docs(path, Vocab())]


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_parts_are_written_whole_and_older_ones_replaced(tmp_path: Path) -> None:
    source, survey = source_of(tmp_path)
    for plan in ({"train": [0, 3], "dev": [1, 5]}, {"train": [0, 1], "dev": [4]}):
        write_parts(plan, tmp_path / "out", source=source, survey=survey)
        for part, numbers in plan.items():
            written = texts_of(tmp_path / "out" / f"{part}.spacy")
            assert written == [f"text of {number}" for number in numbers]
        assert len(snapshot(tmp_path / "out")) == 2


@pytest.mark.parametrize("failing", ["train", "dev", "test"])
@pytest.mark.parametrize("older", [False, True])
def test_where_one_part_cannot_be_placed_none_is(
    failing: str, older: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, survey = source_of(tmp_path)
    plan: Plan = {"train": [0], "dev": [1], "test": [2]}
    if older:
        write_parts({name: [5] for name in plan}, tmp_path / "out", source=source, survey=survey)
    before = snapshot(tmp_path)
    replace = Path.replace

    def fail(path: Path, target: Path) -> Path:
        if path.name == f"{failing}.spacy" and ".part-" in str(path):
            raise OSError(5, "Input/output error")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(BertLstmError, match="BL109.*Input/output"):
        write_parts(plan, tmp_path / "out", source=source, survey=survey)
    assert snapshot(tmp_path) == before


def test_folds_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    source, survey = source_of(tmp_path)
    plan: Plan = {"fold-0/train": [0], "fold-0/test": [1], "fold-1/train": [1], "fold-1/test": [0]}
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "fold-1").write_bytes(b"in the way")
    before = snapshot(tmp_path)
    with pytest.raises(BertLstmError, match="BL109"):
        write_parts(plan, tmp_path / "out", source=source, survey=survey)
    assert snapshot(tmp_path) == before
    (tmp_path / "out" / "fold-1").unlink()
    write_parts(plan, tmp_path / "out", source=source, survey=survey)
    assert texts_of(tmp_path / "out" / "fold-1" / "test.spacy") == ["text of 0"]


@pytest.mark.parametrize(
    "first, second",
    [
        ("fold-2/test", "fold-0/test"),
        ("fold-0/dev", "fold-0/test"),
        ("fold-0/test", "train"),
        ("train", "fold-0/test"),
    ],
)
def test_no_part_of_an_older_split_stays(first: str, second: str, tmp_path: Path) -> None:
    source, survey = source_of(tmp_path)
    write_parts({first: [0]}, tmp_path / "out", source=source, survey=survey)
    before = snapshot(tmp_path)
    with pytest.raises(BertLstmError, match=f"{first}.*BL209|BL209.*{first}"):
        write_parts({second: [0]}, tmp_path / "out", source=source, survey=survey)
    assert snapshot(tmp_path) == before


def test_a_source_that_has_changed_is_not_split(tmp_path: Path) -> None:
    source, survey = source_of(tmp_path)
    changed = [doc_of(str(i)) for i in range(6)]
    for docs in (changed[:5], [*changed, doc_of("6")], changed[::-1]):
        write_docs(docs, source)
        with pytest.raises(BertLstmError, match="BL226"):
            write_parts({"train": [0]}, tmp_path / "out", source=source, survey=survey)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("inside", ["", "out"])
def test_parts_do_not_stand_among_the_shards_of_their_source(inside: str, tmp_path: Path) -> None:
    _, survey = source_of(tmp_path)
    shards = tmp_path / "shards"
    shards.mkdir()
    with pytest.raises(BertLstmError, match="BL209"):
        write_parts({"train": [0]}, shards / inside, source=shards, survey=survey)
    assert list(shards.iterdir()) == []
