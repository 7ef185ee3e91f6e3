"""Writes the synthetic sample corpus in the layout of the i2b2/VA 2010 release, byte for byte."""

import argparse
import random
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sample_lexicons import (
    CIRCUMSTANCES,
    CONDITIONS,
    FACILITIES,
    FEMALE_ONLY,
    GENERAL,
    INITIALS,
    MALE_ONLY,
    MODIFIERS,
    NO_MODIFIER,
    NORMAL,
    OCCUPATIONS,
    PAIRS,
    SERVICES,
    SURNAMES,
    Condition,
)
from sample_templates import HEADERS, LINES, Bank

SEED = 2010
PARTS = ("train", "dev", "test")
NOTE_PLAN: dict[str, dict[str, int]] = {
    "train": {"discharge": 34, "progress": 36, "radiology": 28, "pathology": 18},
    "dev": {"discharge": 8, "progress": 8, "radiology": 5, "pathology": 3},
    "test": {"discharge": 9, "progress": 8, "radiology": 5, "pathology": 4},
}
LONG_NOTES = {"train": 4, "dev": 1, "test": 2}
# A long note's hospital course grows to this size; the last sections come on top.
LONG_TOKENS = 430
# Chances that a dev or test note takes a condition, a list or a template of the train part.
BORROW_CONDITION = {"train": 0.0, "dev": 0.50, "test": 0.55}
BORROW_LIST = {"train": 0.0, "dev": 0.45, "test": 0.50}
BORROW_TEMPLATE = {"train": 0.0, "dev": 0.20, "test": 0.22}
TYPO_TEXT = 0.005
TYPO_CONCEPT = 0.015

ASSERTIONS = {
    "": "present",
    "no": "absent",
    "maybe": "possible",
    "cond": "conditional",
    "if": "hypothetical",
    "family": "associated_with_someone_else",
}
LEGAL_RELATIONS = {
    "TrIP": ("treatment", "problem"),
    "TrWP": ("treatment", "problem"),
    "TrCP": ("treatment", "problem"),
    "TrAP": ("treatment", "problem"),
    "TrNAP": ("treatment", "problem"),
    "PIP": ("problem", "problem"),
    "TeRP": ("test", "problem"),
    "TeCP": ("test", "problem"),
}
FIELD_TYPES = {
    **dict.fromkeys(["dx", "sym", "sign", "find", "comp", "pathdx", "pathfind"], "problem"),
    **dict.fromkeys(["ros", "neg", "fam", "ret", "pmh", "exert"], "problem"),
    **dict.fromkeys(["img", "lab", "stain", "pathproc", "nlab", "genimg"], "test"),
    **dict.fromkeys(["drug", "proc", "psh", "otc"], "treatment"),
}
SLOT = re.compile(r"\{([^{}]*)\}")
DETERMINERS = ("a", "the", "poss", "mod")
# Stands for the concept slot of the given index until the line is cut into tokens.
HELD = "\x00{}"
RADIOLOGY = re.compile("CT|MRI|PET|x-ray|CXR|KUB|film|ultrasound|scan|mammogram|angiogram|duplex")
ABBREVIATED = {
    "p.o.": ["p.o.", "PO", "by mouth"],
    "q.d.": ["q.d.", "daily", "once a day"],
    "b.i.d.": ["b.i.d.", "BID", "twice daily"],
    "t.i.d.": ["t.i.d.", "TID", "three times a day"],
    "q.h.s.": ["q.h.s.", "at bedtime", "nightly"],
}
PLURAL_VERBS = {"was": "were", "is": "are", "has": "have"}
SINGULAR_IN_S = ("ss", "is", "us", "ascites", "diabetes", "Graves", "herpes")


class Unfillable(Exception):
    """Raised when a template asks for something that the note's conditions do not have."""


@dataclass(frozen=True)
class Entry:
    """One lexicon entry: its words, grammatical number, and dose or value range."""

    text: str
    number: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Concept:
    """A concept on one line, with inclusive token ends."""

    start: int
    end: int
    label: str
    assertion: str


@dataclass(frozen=True)
class Slot:
    """One concept slot of a template, parsed."""

    number: str
    words: tuple[str, ...]
    name: str
    literal: str
    assertion: str
    other: bool


@dataclass
class Line:
    """One finished line with its concepts and the relations between them."""

    tokens: list[str]
    concepts: list[Concept] = field(default_factory=list)
    relations: list[tuple[int, str, int]] = field(default_factory=list)


@dataclass
class Case:
    """The invented patient of one note."""

    part: str
    female: bool
    age: int
    name: str
    surname: str
    main: Condition
    others: list[Condition]
    place: str
    job: str
    dose_style: int
    day: tuple[int, int, int]
    kind: str
    pathdx: str = ""
    lines: list[Line] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    once: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)

    def size(self) -> int:
        """Count the tokens so far."""
        return sum(len(line.tokens) for line in self.lines)


def parse_entry(text: str) -> Entry:
    """Read the number mark and the detail of one lexicon entry."""
    number = text[0] if text[0] in "+#" else ""
    words, _, detail = text.lstrip("+#").partition("=")
    return Entry(words.strip(), number, detail.strip())


def parse_list(text: str) -> list[Entry]:
    """Split a lexicon string into its entries."""
    return [parse_entry(part.strip()) for part in text.split(";") if part.strip()]


def parse_pairs(text: str) -> list[tuple[Entry, Entry]]:
    """Split a lexicon string of "left > right" pairs."""
    pairs = [part.split(">") for part in text.split(";") if part.strip()]
    return [(parse_entry(left.strip()), parse_entry(right.strip())) for left, right in pairs]


def parse_slot(text: str) -> Slot:
    """Read one concept slot of a template."""
    number, equals, rest = text.partition("=")
    if not equals:
        number, rest = "", text
    other = rest.endswith("@o")
    rest, _, star = rest.removesuffix("@o").strip().partition("*")
    words = []
    while rest.partition(" ")[0] in DETERMINERS:
        word, _, rest = rest.partition(" ")
        words.append(word)
    name, _, literal = rest.partition(":")
    return Slot(number, tuple(words), name, literal, ASSERTIONS[star], other)


def of_part(bank: dict[str, str], part: str) -> str:
    """Join a lexicon's common entries with those of one part."""
    return "; ".join(text for text in (bank["all"], bank[part]) if text)


def is_plural(entry: Entry) -> bool:
    """Guess from the head noun whether the entry takes a plural verb."""
    if entry.number:
        return entry.number == "#"
    head = re.split(r" (?:in|of|on|to|at|over|with|from|per|than) ", entry.text)[0]
    return head.endswith("s") and not head.endswith(SINGULAR_IN_S)


def article(words: str) -> str:
    """Choose between "a" and "an" by the sound that the words start with."""
    first = words.split()[0]
    if first.isupper() and len(first) <= 4 and first not in ("HIDA", "HER2"):
        return "an" if first[0] in "AEFHILMNORSX8" else "a"
    if first == "x-ray":
        return "an"
    if first.startswith(("uni", "ure", "uri", "ute")):
        return "a"
    return "an" if first[0] in "aeiouAEIO8" else "a"


def misspell(word: str, rng: random.Random) -> str:
    """Swap, drop or double one inner letter."""
    at = rng.randrange(1, len(word) - 2)
    kind = rng.randrange(3)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    return word[:at] + word[at] + word[at:]


class Deck:
    """Deals the items of a list in shuffled rounds, so that all get used about equally often."""

    def __init__(self, items: list[str], rng: random.Random) -> None:
        """Keep the items; the first round is shuffled on the first draw."""
        self.items = items
        self.rng = rng
        self.round: list[str] = []

    def draw(self, avoid: list[str]) -> str:
        """Take the next item that is not among those to avoid, or any if none is left."""
        for _ in range(2 * len(self.items)):
            if not self.round:
                self.round = list(self.items)
                self.rng.shuffle(self.round)
            item = self.round.pop()
            if item not in avoid:
                return item
        return self.rng.choice(self.items)


class Writer:
    """Fills templates for the notes of one part."""

    def __init__(self, part: str, rng: random.Random) -> None:
        """Prepare the decks of one part."""
        self.part = part
        self.rng = rng
        self.decks: dict[str, Deck] = {}
        self.by_key = {item.key: item for item in CONDITIONS}
        keys = {
            name: [item.key for item in CONDITIONS if name in item.parts.split()] for name in PARTS
        }
        self.mains = Deck(keys[part], rng)
        self.borrowed = Deck(keys["train"], rng)
        self.uses: Counter[str] = Counter()

    # Picking ------------------------------------------------------------------------------

    def deck(self, kind: str, bank: Bank) -> Deck:
        """Give the deck of one section."""
        if kind not in self.decks:
            self.decks[kind] = Deck(bank["all"] + bank[self.part], self.rng)
        return self.decks[kind]

    def fits(self, entry: Entry, case: Case) -> bool:
        """Refuse entries that do not fit the patient's sex."""
        wrong = MALE_ONLY if case.female else FEMALE_ONLY
        return not any(word in entry.text for word in wrong.split())

    def listed(self, bank: dict[str, str]) -> str:
        """Join a list's common entries with this part's own, or at times with train's."""
        borrow = self.rng.random() < BORROW_LIST[self.part]
        return of_part(bank, "train" if borrow else self.part)

    def pick(self, entries: list[Entry], case: Case, used: list[str], assertion: str) -> Entry:
        """Choose an entry that this line does not have yet and that contradicts no other line."""
        barred = case.denied | case.said if assertion == "absent" else case.denied | case.once
        free = [
            entry
            for entry in entries
            if entry.text not in barred
            and not any(entry.text in other or other in entry.text for other in used)
            and self.fits(entry, case)
        ]
        if not free:
            raise Unfillable
        # Of two random candidates the one used less so far: varied, but not in a fixed order.
        entry = min(self.rng.choice(free), self.rng.choice(free), key=lambda e: self.uses[e.text])
        self.uses[entry.text] += 1
        used.append(entry.text)
        return entry

    def entries(self, name: str, subject: Condition, case: Case) -> list[Entry]:
        """List the entries that a field offers for a condition in this part."""
        if name == "neg":
            present = subject.find
            listed = parse_list(self.listed(GENERAL[f"neg_{subject.region}"]))
            return [entry for entry in listed if entry.text not in present]
        if name in GENERAL:
            listed = parse_list(self.listed(GENERAL[name]))
            if name == "ros":
                # A complaint of this patient must not be denied in the same breath.
                own = [entry.text for entry in parse_list(subject.sym + ";" + subject.comp)]
                listed = [entry for entry in listed if not any(entry.text in o for o in own)]
            return listed
        listed = parse_list(getattr(subject, name))
        if name == "img" and case.kind == "radiology":
            return [entry for entry in listed if RADIOLOGY.search(entry.text)]
        if name == "drug":
            return [entry for entry in listed if entry.text not in case.stopped]
        return listed

    # Filling ------------------------------------------------------------------------------

    def modifier(self, name: str, entry: Entry) -> str:
        """Choose a modifier for an entry, or none where it has one already."""
        words = entry.text.split()
        if name not in MODIFIERS or words[0] in NO_MODIFIER.split() or len(words) > 4:
            return ""
        if self.rng.random() < 0.25:
            return ""
        return self.rng.choice(parse_list(of_part(MODIFIERS[name], self.part))).text

    def phrase(self, slot: Slot, entry: Entry, case: Case) -> str:
        """Put determiner, modifier and entry together."""
        name, words, text = slot.name, slot.words, entry.text
        if "mod" in words:
            text = f"{self.modifier(name, entry)} {text}".strip()
        if "poss" in words:
            owner = "the patient 's" if self.rng.random() < 0.2 else case_pronoun(case, "his")
            return f"{owner} {text}"
        if "the" in words:
            return f"the {text}"
        if "a" in words and entry.number == "+":
            return f"{article(text)} {text}"
        return text

    def fill(self, template: str, case: Case) -> Line:
        """Turn one template into a line, or raise Unfillable."""
        body, _, tail = template.partition(" || ")
        pieces = SLOT.split(body)
        other = self.rng.choice(case.others)
        used: list[str] = []
        pairs: dict[str, tuple[Entry, Entry]] = {}
        filled: list[tuple[Slot, str, str, Entry]] = []
        for at in range(1, len(pieces), 2):
            if pieces[at].startswith("$"):
                continue
            slot = parse_slot(pieces[at])
            if slot.literal:
                label, entry = slot.name, Entry(slot.literal)
            else:
                subject = other if slot.other else case.main
                label, entry = self.choose(slot, subject, case, used, pairs)
            filled.append((slot, label, self.phrase(slot, entry, case), entry))
            pieces[at] = HELD.format(len(filled) - 1)
        numbered = {slot.number: entry for slot, _, _, entry in filled if slot.number}
        for at in range(1, len(pieces), 2):
            if pieces[at].startswith("$"):
                pieces[at] = self.filler(pieces[at][1:], case, numbered, pairs.get("exert"))
        line = Line([])
        ids: dict[str, int] = {}
        verb_follows = False
        for token in "".join(pieces).split():
            if not token.startswith(HELD[0]):
                if line.tokens[-1:] in (["a"], ["A"]) and token[0] in "aeio8":
                    line.tokens[-1] += "n"
                line.tokens.append(PLURAL_VERBS.get(token, token) if verb_follows else token)
                verb_follows = False
                continue
            slot, label, phrase, entry = filled[int(token[1:])]
            verb_follows = is_plural(entry)
            if verb_follows and [word.lower() for word in line.tokens[-2:-1]] == ["there"]:
                line.tokens[-1] = PLURAL_VERBS.get(line.tokens[-1], line.tokens[-1])
            ids[slot.number] = len(line.concepts)
            start = len(line.tokens)
            line.tokens += phrase.split()
            assertion = slot.assertion if label == "problem" else ""
            line.concepts.append(Concept(start, len(line.tokens) - 1, label, assertion))
            if label == "problem" and not slot.literal:
                (case.denied if assertion == "absent" else case.said).add(entry.text)
            if slot.name in ("pmh", "psh", "fam", "ret", "chr.p") or slot.other:
                case.once.add(entry.text)
        case.stopped |= {pairs[kind][0].text for kind in ("adv", "nap") if kind in pairs}
        for relation in filter(None, (part.strip() for part in tail.split(","))):
            first, kind, second = relation.split()
            one, two = ids[first], ids[second]
            if (line.concepts[one].label, line.concepts[two].label) != LEGAL_RELATIONS[kind]:
                raise ValueError(f"relation {kind} does not fit in template: {template}")
            line.relations.append((one, kind, two))
        return line

    def choose(
        self,
        slot: Slot,
        subject: Condition,
        case: Case,
        used: list[str],
        pairs: dict[str, tuple[Entry, Entry]],
    ) -> tuple[str, Entry]:
        """Choose an entry for a slot and say which type it has."""
        kind, _, side = slot.name.partition(".")
        if kind != "exert" and not side:
            listed = self.entries(slot.name, subject, case)
            if slot.name == "pathdx" and case.pathdx:
                # A report has one diagnosis; the other ones are only considered.
                final = slot.assertion == "present"
                listed = [entry for entry in listed if (entry.text == case.pathdx) == final]
            entry = self.pick(listed, case, used, slot.assertion)
            if slot.name == "pathdx" and slot.assertion == "present":
                case.pathdx = entry.text
            return FIELD_TYPES[slot.name], entry
        if kind not in pairs:
            if kind == "exert":
                offered = parse_pairs(self.listed(CIRCUMSTANCES))
            elif kind in PAIRS:
                offered = parse_pairs(self.listed(PAIRS[kind]))
            else:
                offered = parse_pairs(getattr(subject, kind))
            problems = [pair[0 if kind == "exert" else 1] for pair in offered]
            problem = self.pick(problems, case, used, slot.assertion)
            pairs[kind] = offered[problems.index(problem)]
            if pairs[kind][0].text in case.stopped:
                raise Unfillable
        left, right = pairs[kind]
        if kind == "exert":
            return "problem", left
        return ("treatment", left) if side == "t" else ("problem", right)

    def filler(
        self,
        name: str,
        case: Case,
        entries: dict[str, Entry],
        circ: tuple[Entry, Entry] | None,
    ) -> str:
        """Write the text of one slot that is no concept."""
        rng = self.rng
        match = re.fullmatch(r"(was|is|val|dose|circ)(\d)(lab\d)?", name)
        if match:
            kind, number, again = match.groups()
            if kind in ("was", "is"):
                return PLURAL_VERBS[kind] if is_plural(entries[number]) else kind
            if kind == "circ":
                if circ is None:
                    raise Unfillable
                return circ[1].text
            if kind == "dose":
                return self.dose(entries[number].detail, case)
            return self.value(entries[again[-1] if again else number].detail)
        simple = {
            "he": case_pronoun(case, "he"),
            "He": case_pronoun(case, "he").capitalize(),
            "his": case_pronoun(case, "his"),
            "His": case_pronoun(case, "his").capitalize(),
            "him": case_pronoun(case, "him"),
            "man": "woman" if case.female else "man",
            "sex": "F" if case.female else "M",
            "title": "Ms." if case.female else "Mr.",
            "you": "you",
            "age": str(case.age),
            "name": case.name,
            "surname": case.surname,
            "place": case.place,
            "job": case.job,
        }
        if name in simple:
            return simple[name]
        match name:
            case "oldage":
                return str(rng.randrange(56, 90))
            case "n":
                return str(rng.randrange(2, 10))
            case "year":
                return str(rng.randrange(2071, 2089))
            case "admit" | "date" | "leave" | "later" | "earlier":
                return self.date(name, case)
            case "season":
                return rng.choice(["spring", "fall", "winter"])
            case "mrn":
                return f"00{rng.randrange(10000, 99999)}-X"
            case "phone":
                return f"555-01{rng.randrange(10, 99)}"
            case "doctor":
                return f"{rng.choice(INITIALS.split())}. {rng.choice(SURNAMES.split())}"
            case "service":
                names = [*of_part(SERVICES, self.part).split("; "), case.main.service]
                return rng.choice(names).capitalize()
            case "team":
                return case.main.service.capitalize()
            case "site":
                if not case.main.site:
                    raise Unfillable
                return rng.choice(parse_list(case.main.site)).text
            case "normal":
                return rng.choice(NORMAL[case.main.region])
            case "bp":
                return f"{rng.randrange(92, 172, 2)}/{rng.randrange(50, 98, 2)}"
            case "hr":
                return str(rng.randrange(56, 124))
            case "rr":
                return str(rng.randrange(12, 28))
            case "temp":
                return f"{rng.uniform(96.4, 102.6):.1f}"
            case "sat":
                return f"{rng.randrange(88, 100)}%"
        raise ValueError(f"unknown filler {name}")

    def date(self, name: str, case: Case) -> str:
        """Write a date that keeps its place in the course of the stay."""
        year, month, day = case.day
        if name == "earlier":
            year -= 1
        elif name == "later":
            month += 1
        else:
            low, high = {"admit": (0, 0), "date": (0, 4), "leave": (5, 12)}[name]
            day += self.rng.randint(low, high)
        return f"{month}/{day}/{year}"

    def dose(self, detail: str, case: Case) -> str:
        """Write a dose in the note's own style."""
        if not detail:
            return "per protocol"
        amount, *rest = detail.split()
        if rest and rest[0] in ("mg", "mcg", "g") and case.dose_style == 1:
            amount, rest = amount + rest[0], rest[1:]
        return " ".join(
            [amount, *(ABBREVIATED.get(word, [word] * 3)[case.dose_style] for word in rest)]
        )

    def value(self, detail: str) -> str:
        """Draw a laboratory value, with the decimals of its range."""
        if not detail:
            return "pending"
        low, high = detail.split("..")
        decimals = len(low.partition(".")[2])
        return f"{self.rng.uniform(float(low), float(high)):.{decimals}f}"

    # Assembling ---------------------------------------------------------------------------

    def add(self, case: Case, kind: str, count: int, prefix: str = "") -> None:
        """Add lines of one section to the note, numbered, dashed or plain."""
        own, train = self.deck(kind, LINES[kind]), Deck(LINES[kind]["train"], self.rng)
        for index in range(count):
            line = self.attempt(case, own, train)
            if line is None:
                return
            mark = {"": "", "-": "-", "#": f"{index + 1}.", ")": f"{index + 1})"}[prefix]
            finish(line, mark, self.rng)
            case.lines.append(line)

    def attempt(self, case: Case, own: Deck, train: Deck) -> Line | None:
        """Draw templates until one can be filled and says something new."""
        for _ in range(60):
            borrow = self.rng.random() < BORROW_TEMPLATE[self.part]
            template = (train if borrow and train.items else own).draw(case.templates)
            try:
                line = self.fill(template, case)
            except Unfillable:
                continue
            if all(line.tokens[1:] != old.tokens[-len(line.tokens) + 1 :] for old in case.lines):
                case.templates.append(template)
                return line
        return None

    def condition(self) -> Condition:
        """Deal a condition of this part, or at times one of the train part."""
        borrow = self.rng.random() < BORROW_CONDITION[self.part]
        return self.by_key[(self.borrowed if borrow else self.mains).draw([])]

    def head(self, case: Case, name: str) -> None:
        """Add a section header."""
        bank = HEADERS[name]
        case.lines.append(Line(self.rng.choice(bank["all"] + bank[self.part]).split()))

    def section(
        self, case: Case, name: str, kind: str, counts: tuple[int, int], listed: bool = False
    ) -> None:
        """Add a header and its lines, dropping the header where no line could be written."""
        before = len(case.lines)
        self.head(case, name)
        prefix = self.rng.choice(["#", "-", "", ")", "#"]) if listed else ""
        self.add(case, kind, self.rng.randint(*counts), prefix)
        if len(case.lines) == before + 1:
            case.lines.pop()

    def case(self, kind: str) -> Case:
        """Invent a patient."""
        rng = self.rng
        while True:
            main = self.condition()
            if kind == "pathology" and not main.pathdx:
                continue
            if kind == "radiology" and not (RADIOLOGY.search(main.img) and main.find):
                continue
            break
        female = rng.random() < 0.5
        if main.key in ("breast_cancer", "ovarian_cancer"):
            female = True
        if main.key == "prostate":
            female = False
        surname = rng.choice(SURNAMES.split())
        wrong_sex = ("prostate",) if female else ("breast_cancer", "ovarian_cancer")
        others: list[Condition] = []
        while len(others) < 3:
            other = self.condition()
            if other is not main and other not in others and other.key not in wrong_sex:
                others.append(other)
        return Case(
            part=self.part,
            female=female,
            age=rng.randrange(24, 89),
            name=f"{rng.choice(INITIALS.split())}. {surname}",
            surname=surname,
            main=main,
            others=others,
            place=rng.choice(of_part(FACILITIES, self.part).split("; ")),
            job=rng.choice(of_part(OCCUPATIONS, self.part).split("; ")),
            dose_style=rng.randrange(3),
            day=(rng.randrange(2089, 2096), rng.randrange(1, 12), rng.randrange(1, 15)),
            kind=kind,
        )

    def discharge(self, long: bool) -> Case:
        """Write a discharge summary."""
        case = self.case("discharge")
        rng = self.rng
        self.add(case, "id_discharge", 3 if long else 1)
        self.head(case, "hpi")
        self.add(case, "hpi_open", 1)
        self.add(case, "hpi_more", 5 if long else 2)
        optional = ["psh", "allergy", "family", "social", "exam", "labs"]
        # Allergies and relatives carry the two rarest assertions: more often than the rest.
        chosen = optional if long else [*rng.sample(optional[1:3], 1), *rng.sample(optional, 2)]
        if long or rng.random() < 0.6:
            if rng.random() < 0.35:
                self.section(case, "pmh", "pmh_sentence", (1, 1))
            else:
                self.section(case, "pmh", "pmh", (4, 6) if long else (2, 3), listed=True)
        if "psh" in chosen:
            self.section(case, "psh", "psh", (1, 2), listed=True)
        if "allergy" in chosen:
            self.section(case, "allergy", "allergy", (1, 1))
        if "family" in chosen:
            self.section(case, "family", "family", (1, 2))
        if "social" in chosen:
            self.section(case, "social", "social", (1, 1))
        if "exam" in chosen:
            self.section(case, "exam", "vitals", (1, 1))
            self.add(case, "exam", 4 if long else 1)
        if "labs" in chosen:
            self.section(case, "labs", "labs", (4, 5) if long else (1, 2))
        self.head(case, "course")
        self.add(case, "course", 2 if long else 3)
        if long:
            first = case.main
            for index, other in enumerate([first, *case.others]):
                case.main = other
                case.others = [item for item in [first, *case.others] if item is not other]
                case.lines.append(Line(f"{index + 1}. {other.service.upper()} :".split()))
                self.add(case, "course", 4)
                if case.size() > LONG_TOKENS:
                    break
            case.main = first
        if long or rng.random() < 0.6:
            self.section(case, "meds", "meds", (5, 7) if long else (2, 4), listed=True)
        self.section(case, "instr", "instr", (3, 4) if long else (1, 2))
        return case

    def progress(self) -> Case:
        """Write a progress note."""
        case = self.case("progress")
        self.add(case, "id_progress", 1)
        self.section(case, "subj", "subj", (2, 3))
        self.section(case, "exam", "vitals", (1, 1))
        self.add(case, "exam", self.rng.randint(1, 2))
        if self.rng.random() < 0.7:
            self.section(case, "labs", "labs", (1, 2))
        self.section(case, "plan", "plan", (3, 4), listed=True)
        return case

    def radiology(self) -> Case:
        """Write a radiology report."""
        case = self.case("radiology")
        self.add(case, "id_radiology", 1)
        self.add(case, "rad_exam", 1)
        self.section(case, "indication", "rad_indication", (1, 1))
        self.add(case, "rad_technique", self.rng.randint(1, 2))
        self.section(case, "findings", "rad_findings", (4, 6))
        self.section(case, "impression", "rad_impression", (2, 3), listed=True)
        return case

    def pathology(self) -> Case:
        """Write a pathology report."""
        case = self.case("pathology")
        self.add(case, "id_pathology", 1)
        self.section(case, "spec", "path_spec", (1, 1))
        self.section(case, "clinhist", "path_hist", (1, 1))
        self.section(case, "gross", "path_gross", (1, 2))
        self.section(case, "pathdx", "path_main", (1, 1))
        self.add(case, "path_dx", self.rng.randint(1, 2))
        self.section(case, "comment", "path_comment", (2, 3))
        return case


def case_pronoun(case: Case, word: str) -> str:
    """Give the pronoun that fits the patient."""
    return {"he": "she", "his": "her", "him": "her"}[word] if case.female else word


def finish(line: Line, mark: str, rng: random.Random) -> None:
    """Capitalise, misspell and number a line, moving its concepts along."""
    inside = {at for item in line.concepts for at in range(item.start, item.end + 1)}
    for at, token in enumerate(line.tokens):
        share = TYPO_CONCEPT if at in inside else TYPO_TEXT
        if len(token) >= 6 and token.isalpha() and token.islower() and rng.random() < share:
            line.tokens[at] = misspell(token, rng)
    first = line.tokens[0]
    if first[0].islower() and first != "s/p" and not re.match(r"\w\.", first):
        line.tokens[0] = first[0].upper() + first[1:]
    if mark:
        line.tokens.insert(0, mark)
        line.concepts = [
            Concept(item.start + 1, item.end + 1, item.label, item.assertion)
            for item in line.concepts
        ]


def quoted(line: Line, number: int, concept: Concept) -> str:
    """Write a concept's text and offsets as the release does."""
    text = " ".join(line.tokens[concept.start : concept.end + 1]).lower()
    return f'c="{text}" {number}:{concept.start} {number}:{concept.end}'


def render(lines: list[Line]) -> dict[str, str]:
    """Write the four files of one note."""
    files: dict[str, list[str]] = {"txt": [], "con": [], "ast": [], "rel": []}
    for number, line in enumerate(lines, start=1):
        files["txt"].append(" ".join(line.tokens))
        for concept in line.concepts:
            head = quoted(line, number, concept)
            files["con"].append(f'{head}||t="{concept.label}"')
            if concept.label == "problem":
                files["ast"].append(f'{head}||t="problem"||a="{concept.assertion}"')
        for one, kind, two in line.relations:
            left = quoted(line, number, line.concepts[one])
            right = quoted(line, number, line.concepts[two])
            files["rel"].append(f'{left}||r="{kind}"||{right}')
    return {ext: "".join(f"{row}\n" for row in rows) for ext, rows in files.items()}


def folders(part: str) -> dict[str, str]:
    """Give the folder of each file kind in the layout of the release."""
    if part == "test":
        gold = "reference_standard_for_test_data"
        return {
            "txt": "test_data",
            "con": f"{gold}/concepts",
            "ast": f"{gold}/ast",
            "rel": f"{gold}/rel",
        }
    site = {"train": "beth", "dev": "partners"}[part]
    base = f"concept_assertion_relation_training_data/{site}"
    return {
        "txt": f"{base}/txt",
        "con": f"{base}/concept",
        "ast": f"{base}/ast",
        "rel": f"{base}/rel",
    }


def build(seed: int) -> dict[str, str]:
    """Write every file of the corpus into a mapping from relative path to text."""
    files: dict[str, str] = {}
    counts: dict[str, Counter[str]] = {}
    serial = 0
    for part in PARTS:
        # One stream per part: a change of the train templates leaves dev and test as they are.
        writer = Writer(part, random.Random(f"{seed}/{part}"))
        counts[part] = Counter()
        for kind, wanted in NOTE_PLAN[part].items():
            for index in range(wanted):
                if kind == "discharge":
                    case = writer.discharge(long=index < LONG_NOTES[part])
                else:
                    case = getattr(writer, kind)()
                serial += 1
                for ext, text in render(case.lines).items():
                    files[f"{folders(part)[ext]}/{kind}-{serial:03d}.{ext}"] = text
                tally(counts[part], case.lines)
    files["README.md"] = readme(seed, counts)
    return dict(sorted(files.items()))


def tally(counter: Counter[str], lines: list[Line]) -> None:
    """Count what one note holds."""
    counter["notes"] += 1
    for line in lines:
        counter["tokens"] += len(line.tokens)
        counter["concepts"] += len(line.concepts)
        counter["assertions"] += sum(item.label == "problem" for item in line.concepts)
        counter["relations"] += len(line.relations)


def readme(seed: int, counts: dict[str, Counter[str]]) -> str:
    """Describe the corpus, with its counts."""
    columns = ("notes", "tokens", "concepts", "assertions", "relations")
    where = {
        "train": "`concept_assertion_relation_training_data/beth`",
        "dev": "`concept_assertion_relation_training_data/partners`",
        "test": "`test_data`, `reference_standard_for_test_data`",
    }
    table = ["| part | where | " + " | ".join(columns) + " |", "|---|---|" + "---:|" * len(columns)]
    for part in PARTS:
        numbers = " | ".join(str(counts[part][name]) for name in columns)
        table.append(f"| {part} | {where[part]} | {numbers} |")
    return README.format(seed=seed, table="\n".join(table))


README = """# Synthetic sample corpus

Every note here is synthetic: invented sentence templates filled from invented word lists by
`corpus/make_sample.py` with a fixed seed. No text of any real record or corpus was used, and
all names, record numbers, dates, places and telephone numbers are made up. The clinical content
only sounds plausible; it is no medical reference.

The folders, file names and line formats are those of the i2b2/VA 2010 release, so that the
licensed corpus can be put in its place. Scores on this sample say nothing about real records.

{table}

The parts draw on different conditions, word lists and templates, with some overlap, so that a
good share of the dev and test mentions never occurs in train. Some words are misspelled on purpose.

Re-create the files, or check that they are unchanged:

    python corpus/make_sample.py --out corpus/sample --seed {seed}
    python corpus/make_sample.py --out corpus/sample --seed {seed} --check

Licence: MIT, like the project.
"""


def stored(root: Path) -> dict[str, bytes]:
    """Read every file under a folder."""
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def check(root: Path, files: dict[str, str]) -> str | None:
    """Name the first file that is missing, differs, or should not be there."""
    found = stored(root)
    for name in sorted({*files, *found}):
        if name not in files or found.get(name) != files[name].encode("utf-8"):
            return name
    return None


def write(root: Path, files: dict[str, str]) -> None:
    """Write the corpus and remove stale record files of an earlier run."""
    for name in stored(root):
        if name not in files and name.endswith((".txt", ".con", ".ast", ".rel")):
            (root / name).unlink()
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))


def main(argv: list[str] | None = None) -> int:
    """Write the corpus, or compare it with the files on disk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "sample")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--check", action="store_true", help="compare only, exit 1 on a difference")
    options = parser.parse_args(argv)
    files = build(options.seed)
    if options.check:
        differs = check(options.out, files)
        if differs is not None:
            sys.stdout.write(f"differs: {options.out / differs}\n")
            return 1
        sys.stdout.write(f"{len(files)} files unchanged\n")
        return 0
    write(options.out, files)
    sys.stdout.write(f"wrote {len(files)} files to {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
