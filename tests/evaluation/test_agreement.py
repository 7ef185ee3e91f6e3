"""Agreement against figures worked out by hand and against slow independent formulas."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.evaluation.agreement import (
    Agreement,
    Figure,
    cohens_kappa,
    compare_records,
    pair_overlaps,
    summarize,
)
from spacy_bertlstm.evaluation.bootstrap import bootstrap_intervals
from spacy_bertlstm.records import Assertion, Concept, Document, Event, Relation

#       0         1         2         3
#       0123456789012345678901234567890123456
TEXT = "Chest pain and fever after aspirin ."
PAIN = Concept("T1", "problem", ((0, 10),))
FEVER = Concept("T2", "problem", ((15, 20),))
ASPIRIN = Concept("T3", "treatment", ((27, 34),))


def note(*parts: Any, name: str = "1", text: str = TEXT) -> Document:
    """A record of the given concepts, assertions, relations and events."""

    def pick(kind: type) -> tuple[Any, ...]:
        return tuple(part for part in parts if isinstance(part, kind))

    return Document(
        name, text, pick(Concept), pick(Assertion), pick(Relation), pick(Event), annotated=True
    )


def agree(*pairs: tuple[Document, Document], **options: Any) -> Agreement:
    return summarize([compare_records(a, b) for a, b in pairs], **options)


def values(found: dict[str, Any], name: str) -> dict[str, float | None]:
    """A figure of each row, by the row's name."""
    return {key: row.figures[name].value for key, row in found.items()}


# --- kappa ------------------------------------------------------------------------------


def test_kappa_of_a_known_table() -> None:
    """Twenty yes-yes, five yes-no, ten no-yes, fifteen no-no: (0.7 - 0.5) / (1 - 0.5)."""
    pairs = {("y", "y"): 20, ("y", "n"): 5, ("n", "y"): 10, ("n", "n"): 15}
    assert cohens_kappa(pairs) == pytest.approx(0.4)


@pytest.mark.parametrize("pairs", [{}, {("a", "a"): 0}, {("a", "a"): 7}])
def test_kappa_of_one_category_is_undefined(pairs: dict[tuple[str, str], int]) -> None:
    assert cohens_kappa(pairs) is None


def test_kappa_where_they_never_agree() -> None:
    assert cohens_kappa({("a", "b"): 3}) == 0, "each has one category, and chance expects none"
    assert cohens_kappa({("a", "b"): 1, ("b", "a"): 1}) == -1


def slow_kappa(ratings: list[tuple[str, str]]) -> Fraction | None:
    """Cohen 1960, in fractions."""
    n = len(ratings)
    if not n:
        return None
    observed = Fraction(sum(a == b for a, b in ratings), n)
    first, second = (Counter(column) for column in zip(*ratings, strict=True))
    chance = sum(Fraction(first[key], n) * Fraction(second[key], n) for key in first)
    return None if chance == 1 else (observed - chance) / (1 - chance)


RATINGS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=12)


@given(RATINGS)
def test_kappa_equals_a_slow_formula(ratings: list[tuple[str, str]]) -> None:
    expected = slow_kappa(ratings)
    found = cohens_kappa(Counter(ratings))
    assert found == (None if expected is None else pytest.approx(float(expected)))


# --- overlaps ---------------------------------------------------------------------------

EXTENT = st.tuples(st.integers(0, 8), st.integers(1, 5)).map(lambda e: (e[0], e[0] + e[1]))


@given(st.lists(EXTENT, max_size=4), st.lists(EXTENT, max_size=4))
def test_no_other_pairs_are_more(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    def overlap(x: tuple[int, int], y: tuple[int, int]) -> bool:
        return bool(set(range(*x)) & set(range(*y)))

    pairs = pair_overlaps(a, b)
    assert all(overlap(a[i], b[j]) for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    short, long = sorted((a, b), key=len)
    most = max(
        sum(overlap(x, y) for x, y in zip(short, chosen, strict=True))
        for chosen in permutations(long, len(short))
    )
    assert len(pairs) == most


def test_a_hundred_thousand_nested_extents_are_paired_at_once() -> None:
    extents = [(i, 1_000_000 - i) for i in range(100_000)]
    assert len(pair_overlaps(extents, extents)) == len(extents)


# --- concepts and tokens ----------------------------------------------------------------


def test_concepts_by_hand() -> None:
    """A has pain, fever, aspirin; B has "pain" alone, fever as a test, and aspirin."""
    pain = Concept("x", "problem", ((6, 10),))
    fever = Concept("y", "test", ((15, 20),))
    found = agree((note(PAIN, FEVER, ASPIRIN), note(ASPIRIN, fever, pain)))
    assert values(found.concepts, "f_exact") == {
        "problem": 0,
        "test": 0,
        "treatment": 1,
        "": pytest.approx(1 / 3),
    }
    assert values(found.concepts, "f_overlap") == {
        "problem": pytest.approx(2 / 3),  # one of two and of one
        "test": 0,
        "treatment": 1,
        "": pytest.approx(2 / 3),
    }
    assert found.concepts["problem"].counts == {"a": 2, "b": 1, "exact": 0, "overlap": 1}
    # Chest|pain|and|fever|after|aspirin|. : A has p p - p - r -, B has - p - t - r -.
    assert found.tokens == 7
    kappas = values(found.concepts, "token_kappa")
    ratings = list(zip("pp-p-r-", "-p-t-r-", strict=True))
    assert kappas[""] == pytest.approx(float(slow_kappa(ratings) or 0))
    assert kappas[""] == pytest.approx((5 / 7 - (3 + 12 + 1) / 49) / (1 - 16 / 49))
    assert kappas["treatment"] == 1
    assert kappas["problem"] == pytest.approx((5 / 7 - (3 + 24) / 49) / (1 - 27 / 49))
    assert kappas["test"] == 0
    assert [
        (one.kind, one.a, one.b, one.places_a, one.places_b) for one in found.disagreements
    ] == [
        ("extent", "problem", "problem", (((0, 10),),), (((6, 10),),)),
        ("type", "problem", "test", (((15, 20),),), (((15, 20),),)),
    ]


def test_what_one_annotator_alone_marked() -> None:
    found = agree((note(PAIN), note(ASPIRIN)))
    assert [
        (one.kind, one.a, one.b, one.places_a, one.places_b) for one in found.disagreements
    ] == [
        ("concept", "problem", "", (((0, 10),),), ()),
        ("concept", "", "treatment", (), (((27, 34),),)),
    ]
    assert found.concepts[""].figures["f_exact"] == Figure(0.0)


def test_a_token_is_cut_where_an_annotation_begins_or_ends() -> None:
    """40mg|.: A marks 40, B marks 40mg: three pieces, two of which both leave or mark."""
    a = note(Concept("1", "dose", ((0, 2),)), text="40mg.")
    b = note(Concept("1", "dose", ((0, 4),)), text="40mg.")
    found = agree((a, b))
    assert found.tokens == 3
    # A: d - -, B: d d -
    assert values(found.concepts, "token_kappa")["dose"] == pytest.approx(
        (2 / 3 - (1 * 2 + 2 * 1) / 9) / (1 - 4 / 9)
    )


def test_the_gap_of_a_discontinuous_concept_is_outside() -> None:
    gap = Concept("1", "problem", ((15, 20), (0, 5)))  # "Chest" and "fever"
    found = agree((note(gap), note(PAIN)))
    assert values(found.concepts, "f_overlap")["problem"] == 1
    # A: p - - p - - -, B: p p - - - - -
    assert values(found.concepts, "token_kappa")["problem"] == pytest.approx(
        (5 / 7 - (4 + 25) / 49) / (1 - 29 / 49)
    )
    same = Concept("2", "problem", ((0, 5), (15, 20)))
    assert agree((note(gap), note(same))).concepts[""].counts["exact"] == 1


def test_types_over_each_other_are_all_counted() -> None:
    a = note(PAIN, Concept("x", "site", ((0, 5),)))
    found = agree((a, note(PAIN)))
    assert values(found.concepts, "token_kappa")["problem"] == 1
    assert values(found.concepts, "token_kappa")["site"] == 0
    # "Chest" is {problem, site} for A and {problem} for B: 6 of 7 tokens agree.
    expected = slow_kappa(list(zip("bp-----", "pp-----", strict=True)))
    assert values(found.concepts, "token_kappa")[""] == pytest.approx(float(expected or 0))


def test_what_is_marked_twice_or_without_a_type() -> None:
    untyped = Concept("u", "", ((21, 26),))
    found = agree((note(PAIN, replace(PAIN, id="again"), untyped), note(PAIN)))
    assert found.concepts["problem"].counts == {"a": 1, "b": 1, "exact": 1, "overlap": 1}
    assert list(found.concepts) == ["problem", ""]
    assert found.disagreements == []


def test_no_annotation_at_all_is_undefined() -> None:
    found = agree((note(), note()), samples=10)
    assert found.concepts[""].figures == {
        "f_exact": Figure(None),
        "f_overlap": Figure(None),
        "token_kappa": Figure(None),
    }
    assert (found.attributes, found.relations, found.disagreements) == ({}, {}, [])


def test_a_record_without_text() -> None:
    assert agree((note(text=""), note(text=""))).tokens == 0


@pytest.mark.parametrize("other, offset", [(TEXT + "\n", 36), ("chest" + TEXT[5:], 0), ("", 0)])
def test_texts_that_differ(other: str, offset: int) -> None:
    with pytest.raises(BertLstmError, match=f"BL622.*'1'.*character {offset}") as error:
        compare_records(note(), note(text=other))
    assert "hest" not in str(error.value)


# --- attributes -------------------------------------------------------------------------


def test_attributes_by_hand() -> None:
    """Values on what both marked: pain absent/absent, fever present/absent, rash -/absent."""
    rash = Concept("T4", "problem", ((35, 36),))
    a = note(PAIN, FEVER, ASPIRIN, rash, Assertion("T1", "absent"), Assertion("T2", "present"))
    b = note(
        *(replace(concept, id=f"b{concept.id}") for concept in (PAIN, FEVER, ASPIRIN, rash)),
        *(Assertion(f"bT{i}", "absent") for i in (1, 2, 4)),
    )
    found = agree((a, b))
    row = found.attributes["assertion"]
    # A treatment never has one, so that aspirin is not looked at.
    assert row.counts == {"a": 2, "b": 3, "concepts": 3, "equal": 1}
    assert row.figures["kappa"].value == pytest.approx((1 / 3 - 1 / 3) / (1 - 1 / 3))
    assert [(one.kind, one.name, one.a, one.b) for one in found.disagreements] == [
        ("attribute", "assertion", "present", "absent"),
        ("attribute", "assertion", "", "absent"),
    ]


def test_attributes_without_value_of_several_names_and_on_events() -> None:
    event = Event("E1", "problem", "T1")
    a = note(PAIN, FEVER, event, Assertion("E1", "", "Negation"), Assertion("T2", "2", "Grade"))
    b = note(PAIN, FEVER, Assertion("T1", "", "Negation"), Assertion("T2", "3", "Grade"))
    found = agree((a, b))
    assert values(found.attributes, "kappa") == {"Grade": 1 / 3, "Negation": 1}
    assert [(one.name, one.a, one.b) for one in found.disagreements] == [("Grade", "2", "3")]


def test_attributes_of_what_only_one_marked_are_not_looked_at() -> None:
    assert agree((note(PAIN, Assertion("T1", "absent")), note())).attributes == {}


# --- relations --------------------------------------------------------------------------

TAKES = Relation("TrAP", ("T3", "T1"))


def test_relations_by_hand() -> None:
    """Both marked two problems and a treatment: two pairs that TrAP can tie."""
    a = note(PAIN, FEVER, ASPIRIN, TAKES)
    b = note(PAIN, FEVER, ASPIRIN, TAKES, Relation("TrWP", ("T3", "T2")))
    found = agree((a, b))
    assert values(found.relations, "f") == {"TrAP": 1, "TrWP": 0, "": pytest.approx(2 / 3)}
    assert values(found.relations, "kappa") == {
        "TrAP": 1,
        "TrWP": 0,
        "": pytest.approx((1 / 2 - 1 / 4) / (1 - 1 / 4)),
    }
    assert found.relations[""].counts == {"a": 1, "b": 2, "both": 1, "pairs": 2}
    (one,) = found.disagreements
    assert (one.kind, one.a, one.b) == ("relation", "", "TrWP")
    assert one.places_a == one.places_b == (((27, 34),), ((15, 20),))


def test_pairs_of_one_type_are_ordered_and_not_of_one_concept() -> None:
    a = note(PAIN, FEVER, Relation("PIP", ("T1", "T2")))
    b = note(PAIN, FEVER, Relation("PIP", ("T2", "T1")))
    found = agree((a, b))
    assert found.relations["PIP"].counts == {"a": 1, "b": 1, "both": 0, "pairs": 2}
    assert values(found.relations, "kappa")["PIP"] == -1


def test_relations_on_what_only_one_marked_are_counted_apart() -> None:
    found = agree((note(PAIN, ASPIRIN, TAKES), note(PAIN)))
    assert found.relations == {}
    assert found.out_of_reach == (1, 0)


def test_relations_of_ids_have_no_order() -> None:
    def ids(*relations: Relation) -> Document:
        concepts = [
            replace(concept, kb_ids=(kb_id,))
            for concept, kb_id in zip((PAIN, FEVER, ASPIRIN), ("D1", "D2", "C1"), strict=True)
        ]
        return note(*concepts, *relations)

    a = ids(Relation("Treats", ("C1", "D1"), level="concept"))
    b = ids(
        Relation("Treats", ("D1", "C1"), level="concept"),
        Relation("Causes", ("C1", "D2"), level="concept"),
        Relation("Causes", ("C1", "D9"), level="concept"),
    )
    found = agree((a, b))
    assert found.relations[""].counts == {"a": 1, "b": 2, "both": 1, "pairs": 3}
    assert found.out_of_reach == (0, 1)
    assert found.disagreements[0].places_a == ("C1", "D2")


def test_what_is_equivalent_has_no_order() -> None:
    a = note(PAIN, FEVER, ASPIRIN, Relation("Equiv", ("T1", "T2"), level="equivalence"))
    b = note(PAIN, FEVER, ASPIRIN, Relation("Equiv", ("T2", "T1"), level="equivalence"))
    found = agree((a, b))
    assert found.disagreements == []
    # Of two problems there is one pair, which leaves kappa nothing to compare.
    assert found.relations["Equiv"].counts == {"a": 1, "b": 1, "both": 1, "pairs": 1}
    assert found.relations["Equiv"].figures == {"f": Figure(1.0), "kappa": Figure(None)}


def test_arguments_of_events_are_relations() -> None:
    event = Event("E1", "problem", "T1", (("Cause", "T3"),))
    found = agree(
        (note(PAIN, ASPIRIN, event), note(PAIN, ASPIRIN, Relation("Cause", ("T1", "T3"))))
    )
    assert values(found.relations, "f") == {"Cause": 1, "": 1}


def test_relations_of_three_have_no_kappa() -> None:
    three = Relation("Group", ("T1", "T2", "T3"))
    found = agree((note(PAIN, FEVER, ASPIRIN, three), note(PAIN, FEVER, ASPIRIN, three)))
    assert found.relations["Group"].figures == {"f": Figure(1.0), "kappa": Figure(None)}


# --- properties -------------------------------------------------------------------------


@st.composite
def notes(draw: st.DrawFn) -> Document:
    concepts = [
        Concept(f"T{i}", label, ((start, start + length),))
        for i, (label, start, length) in enumerate(
            draw(
                st.lists(
                    st.tuples(st.sampled_from("pt"), st.integers(0, 25), st.integers(1, 9)),
                    max_size=5,
                )
            )
        )
    ]
    ids = [concept.id for concept in concepts]
    pairs = list(product(ids, repeat=2)) or [("T0", "T0")]
    return note(
        *concepts,
        *(Assertion(target, draw(st.sampled_from("xy"))) for target in ids if draw(st.booleans())),
        *(
            Relation(label, ends)
            for label, ends in draw(
                st.lists(st.tuples(st.sampled_from("rs"), st.sampled_from(pairs)), max_size=3)
            )
        ),
    )


def figures(found: Agreement) -> dict[tuple[str, str, str], float | None]:
    tables = {"c": found.concepts, "a": found.attributes, "r": found.relations}
    return {
        (table, key, name): None if figure.value is None else round(figure.value, 9)
        for table, rows in tables.items()
        for key, row in rows.items()
        for name, figure in row.figures.items()
    }


@given(notes(), notes())
def test_the_annotators_can_change_places(a: Document, b: Document) -> None:
    found, turned = agree((a, b)), agree((b, a))
    assert figures(found) == figures(turned)
    assert Counter(one.kind for one in found.disagreements) == Counter(
        one.kind for one in turned.disagreements
    )


@given(notes(), notes(), st.randoms())
def test_the_order_of_annotations_makes_no_difference(
    a: Document, b: Document, chance: random.Random
) -> None:
    def shuffled(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(chance.sample(items, len(items)))

    other = replace(
        a,
        concepts=shuffled(a.concepts),
        assertions=shuffled(a.assertions),
        relations=shuffled(a.relations),
    )
    found, again = agree((a, b)), agree((other, b))
    assert figures(found) == figures(again)
    assert found.disagreements == again.disagreements


@given(notes())
def test_an_annotator_agrees_with_herself(a: Document) -> None:
    found = agree((a, a))
    assert set(figures(found).values()) <= {1.0, None}
    assert found.disagreements == []
    rows = [*found.concepts.values(), *found.relations.values()]
    assert all(
        row.figures[key].value == 1
        for row in rows
        if row.counts["a"]
        for key in ("f_exact", "f")
        if key in row.figures
    )


@given(notes(), notes())
def test_every_difference_between_concepts_is_listed_once(a: Document, b: Document) -> None:
    def marks(record: Document) -> set[tuple[str, Any]]:
        return {(concept.label, concept.fragments) for concept in record.concepts}

    listed = [
        one for one in agree((a, b)).disagreements if one.kind in ("type", "extent", "concept")
    ]
    of_a = [(one.a, one.places_a[0]) for one in listed if one.places_a]
    of_b = [(one.b, one.places_b[0]) for one in listed if one.places_b]
    assert sorted(of_a) == sorted(marks(a) - marks(b))
    assert sorted(of_b) == sorted(marks(b) - marks(a))


# --- intervals --------------------------------------------------------------------------


def many(number: int) -> list[tuple[Document, Document]]:
    chance = random.Random(0)
    concepts = (PAIN, FEVER, ASPIRIN)
    return [
        (
            note(*chance.sample(concepts, chance.randint(1, 3))),
            note(*chance.sample(concepts, chance.randint(1, 3))),
        )
        for _ in range(number)
    ]


def test_intervals_of_f1_are_those_of_the_bootstrap() -> None:
    pairs = many(12)
    found = agree(*pairs, samples=200, seed=3).concepts[""].figures["f_exact"]
    counts = []
    for a, b in pairs:
        both = len({*a.concepts} & {*b.concepts})
        counts.append((both, len(b.concepts) - both, len(a.concepts) - both))
    expected = bootstrap_intervals(counts, samples=200, seed=3)["f"]
    assert found.value == pytest.approx(expected.estimate)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_intervals_of_kappa_are_those_of_all_samples() -> None:
    """Three records can be drawn in 27 ways, which can be counted out."""
    pairs = many(3)
    drawn = [
        agree(*chosen).concepts[""].figures["token_kappa"].value
        for chosen in product(pairs, repeat=3)
    ]
    numbers = sorted(value for value in drawn if value is not None)
    found = agree(*pairs, samples=20_000).concepts[""].figures["token_kappa"]
    assert found.low == pytest.approx(numbers[0], abs=1e-9)
    assert found.high == pytest.approx(numbers[-1], abs=1e-9)


def test_samples_without_a_figure_count_for_nothing() -> None:
    """Half the records have no annotation: a sample of those alone has no F1."""
    pairs = [(note(PAIN), note(PAIN)), (note(), note())]
    assert agree(*pairs, samples=50).concepts[""].figures["f_exact"] == Figure(1.0, 1.0, 1.0)
    bounds = {
        agree(*pairs, samples=1, seed=seed).concepts[""].figures["f_exact"].low
        for seed in range(20)
    }
    assert bounds == {None, 1.0}


def test_sums_over_records_are_those_of_one_record() -> None:
    """Two records say what their texts and annotations say one after the other."""
    (a1, b1), (a2, b2) = many(2)
    shift = len(TEXT) + 1

    def joined(first: Document, second: Document) -> Document:
        moved = (
            replace(
                c, id=f"x{c.id}", fragments=tuple((s + shift, e + shift) for s, e in c.fragments)
            )
            for c in second.concepts
        )
        return note(*first.concepts, *moved, text=f"{TEXT}\n{TEXT}")

    apart = agree((a1, b1), (a2, b2))
    assert figures(apart) == figures(agree((joined(a1, a2), joined(b1, b2))))
